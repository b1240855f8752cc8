//! The real program, as people and pipelines use it: what it prints, what it leaves, and its exit code.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "this is a test")]

mod archives;
mod externals;
mod golden;
mod init;
mod interrupted;
mod place;
mod printing;
mod reports;
mod serve;
mod stopping;
mod words;
