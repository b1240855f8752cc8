//! Real servers and ordinary clients of theirs, with Seamwork in between: watching changes nothing, and a fault hits one
//! call and leaves the neighbours alone. Skipped, loudly, where a program is missing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod http1;
mod http2;
mod mariadb;
mod mosquitto;
mod nats;
#[path = "../servers/mod.rs"]
mod servers;
mod streams;
