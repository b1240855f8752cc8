//! WireMock's stubs: its mapping files, what they match and answer, and what its clients ask of its admin interface.
//!
//! The reference is WireMock 3.13.2. Where it lets nonsense through we say what is wrong, in its own form of errors.
//! Nothing here knows HTTP servers: a request comes in as [`Request`], JSON goes in and out as values.
#![allow(dead_code, reason = "being built")]
#![allow(unused_imports, reason = "being built")]

mod dates;
mod delays;
mod json_compare;
mod json_path;
mod mapping;
mod parts;
mod path_template;
mod pattern;
mod place;
mod regex;
mod request;
mod request_pattern;
mod template;
mod wrong;
mod xml;
pub use request::Request;
pub use wrong::{Mistake, Wrong};
