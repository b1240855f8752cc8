//! Ordinary clients of Kafka before seams: to a broker that is stood in for, and to the cluster of three that librdkafka
//! brings for its tests. Skipped, loudly, where a client is missing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alone;
#[path = "../brokers/bed.rs"]
#[expect(dead_code, unused_imports, reason = "other tests need more of it")]
mod bed;
mod clients;
mod cluster;
mod records;
mod sasl;
#[path = "../servers/mod.rs"]
mod servers;
mod struck;
