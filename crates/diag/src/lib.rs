//! Points at a line of the user's file and says how to mend it.
//!
//! Every mistake that Seamwork finds, and every expectation that did not hold, ends as one [`Diagnostic`]: a
//! title, the user's own line with a caret, notes, and, apart from all that, one hint. Nothing here prints.
#![forbid(unsafe_code)]

mod diagnostic;
mod render;
mod source;
mod suggest;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use render::{Look, render};
pub use source::{FileId, Location, SourceFile, Sources, Span};
pub use suggest::did_you_mean;
