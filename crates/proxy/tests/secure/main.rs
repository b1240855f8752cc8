//! TLS on either side of a seam, between real servers and ordinary clients: it ends at the seam and begins anew behind it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it lacks"
)]

mod bed;
mod http;
mod mariadb;
mod nats;
mod postgres;
mod redis;
#[path = "../brokers/bed.rs"]
#[expect(dead_code, reason = "the other folder's tests use the rest")]
mod servers;
mod smtp;
