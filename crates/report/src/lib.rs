//! History and Verdict to text; one file per format.
#![forbid(unsafe_code)]
