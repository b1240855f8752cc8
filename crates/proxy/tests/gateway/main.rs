//! Gateways before real servers with TLS: what passes, what is written anew, and how failures look.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod external;
mod failing;
mod flowing;
mod passing;
mod two;
