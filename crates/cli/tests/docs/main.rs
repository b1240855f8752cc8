//! What people read is true: the reference is the program's own, quoted files are as they stand, links and paths lead
//! somewhere, and every block of YAML in the guide is checked, or run against the bookstore.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guide;
mod pages;
mod truth;
