//! Does this value hold? One file per matcher.
#![forbid(unsafe_code)]
