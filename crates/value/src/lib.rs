//! Plain values as tests and wires see them: null, true, numbers as written, texts, lists and maps.
//!
//! They exist because an integration test must not lose a digit: a price of `19.90` that passes through a
//! float is no longer what the provider sent. A [`Number`] keeps its written form and compares by exact
//! decimal value; everything else is what JSON has. Maps keep the order in which they were written.
//!
//! Through serde a [`Value`] passes as raw JSON text, so that digits survive in stored runs too.
#![forbid(unsafe_code)]

mod json;
mod number;
mod value;

/// A field of a [`Map`], there or not.
pub use indexmap::map::Entry;
pub use json::{JsonError, parse};
pub use number::Number;
pub use value::{Kind, Map, Value, map_with_room};
