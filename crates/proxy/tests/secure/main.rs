//! TLS on either side of a seam, between real servers and ordinary clients: it ends at the seam and begins anew behind it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod brokers;
mod http;
mod kafka;
mod mariadb;
mod nats;
mod postgres;
mod redis;
#[path = "../servers/mod.rs"]
mod servers;
mod smtp;
