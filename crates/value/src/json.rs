//! JSON text to values and back, without losing a digit (RFC 8259).
//!
//! serde_json turns numbers into floats unless a feature is switched on for every crate in the program, and
//! that feature breaks others; hifijson hands numbers over as they stand.

use crate::number::Number;
use crate::value::{Map, Value};
use hifijson::token::Lex;
use hifijson::{SliceLexer, LexAlloc};

/// How deep lists and maps may nest: enough for people, too little to exhaust the stack.
const MAX_DEPTH: usize = 128;

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub reason: String,
    /// Where, in bytes from the beginning of the text.
    pub offset: usize,
}
