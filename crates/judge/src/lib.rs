//! History to Verdict and Blame.
#![forbid(unsafe_code)]
