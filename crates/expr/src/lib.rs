//! References, `$names`, `${ expressions }` and paths: everything in the users' files that stands for a value.
//!
//! - a [`Path`] leads into a result (`body.items.0.sku`);
//! - a [`Template`] is any value in which variables stand, an [`Expression`] what stands in `${ … }`;
//! - a [`ReferenceText`] is a text of `seam.yaml` in which addresses of components stand;
//! - a [`Capture`] says which part of a result is saved.
//!
//! All of it is read once, with every mistake told at its place, and worked out as often as is wanted. Nothing is
//! looked up here: variables, addresses, chance, the clock and files come in through [`Names`].
#![forbid(unsafe_code)]

// The tests' helpers are shared with `matcher`, and so speak of this crate by its name.
#[cfg(test)]
extern crate self as seam_expr;

mod capture;
mod chance;
mod decimal;
mod expression;
mod find;
mod functions;
mod lookup;
mod lossy;
mod names;
mod path;
mod query;
mod reference;
#[cfg(test)]
mod robust;
mod scan;
mod template;
#[cfg(test)]
mod testing;

pub use capture::{Capture, regex_error};
pub use chance::Chance;
pub use decimal::{add, subtract};
pub use expression::Expression;
pub use expression::item::{instant, kind_name, length, length_text};
pub use find::{Found, KeyCase, Missing};
pub use functions::{FUNCTIONS, Function};
pub use lookup::Lookup;
pub use lossy::to_lossy_json;
pub use names::{EvalError, NameUse, Names, Way};
pub use path::{Path, PathError, Segment, below};
pub use query::{Language, Query};
pub use reference::{Reference, ReferencePiece, ReferenceText, Target};
pub use template::{Piece, Template};
