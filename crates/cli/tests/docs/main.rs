//! What people read is true: the reference is the program's own, quoted files are as they stand, links and paths lead
//! somewhere, and every block of YAML in the guide is checked, or run against the bookstore.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod guide;
mod pages;
mod truth;
