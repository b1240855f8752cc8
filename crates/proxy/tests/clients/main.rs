//! Ordinary clients and real servers, with Seamwork in the middle that holds, answers, delays and doubles what passes.
//!
//! A server that is not on this machine is told and left out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "what is left out is told")]

mod bed;
mod postgres;
mod redis;
