//! The soak: clients of each protocol under load through a seam, while connections are cut at random on either side, with
//! RST and with FIN, and rules come and go. Counts what is lost, changed, doubled, hung or leaked; the aim is nothing.
//!
//! ```text
//! clients ──▶ seam ──▶ link ──▶ a real server
//!    ✂                  ✂                        about five cuts a second
//! ```
//! Each request carries a number, and so does its answer. What changes something is looked up at the server in the end:
//! what was answered is there once, what was not is there once or not at all. Run by `cargo xtask soak`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "its figures are for people")]

mod amqp;
#[path = "../certified/mod.rs"]
mod certified;
mod events;
mod grpc;
mod http;
mod http2;
mod kafka;
mod link;
mod load;
mod mariadb;
mod mqtt;
mod nats;
mod postgres;
mod redis;
#[path = "../servers/mod.rs"]
mod servers;
mod smtp;
mod tally;
mod tcp;
mod tls;
mod websocket;
mod wire;

use std::time::Duration;

/// One protocol: its name, and what soaks it for so long; false where its server is missing.
type Soak = fn(Duration) -> bool;

const ALL: &[(&str, Soak)] = &[
    ("http", load::soak::<http::Http>),
    ("http2", load::soak::<http2::Http2>),
    ("tls", load::soak::<tls::HttpTls>),
    ("websocket", load::soak::<websocket::WebSocket>),
    ("events", load::soak::<events::Events>),
    ("grpc", load::soak::<grpc::Grpc>),
    ("smtp", load::soak::<smtp::Smtp>),
    ("postgres", load::soak::<postgres::Postgres>),
    ("mysql", load::soak::<mariadb::MariaDb>),
    ("redis", load::soak::<redis::Redis>),
    ("nats", load::soak::<nats::Nats>),
    ("mqtt", load::soak::<mqtt::Mqtt>),
    ("amqp", load::soak::<amqp::Amqp>),
    ("kafka", load::soak::<kafka::Kafka>),
    ("tcp", load::soak::<tcp::Tcp>),
];

/// For minutes: `cargo xtask soak [--minutes N] [--protocol P]`.
#[test]
#[ignore = "lasts for minutes; cargo xtask soak runs it"]
fn nothing_is_lost_changed_doubled_hung_or_leaked() {
    let minutes = std::env::var("SEAM_SOAK_MINUTES").ok().map_or(3.0, |minutes| minutes.parse().unwrap());
    let only = std::env::var("SEAM_SOAK_PROTOCOL").ok();
    let chosen: Vec<_> =
        ALL.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)).collect();
    assert!(!chosen.is_empty(), "there is no protocol {only:?}");
    for (name, soak) in chosen {
        if !soak(Duration::from_secs_f64(minutes * 60.0)) {
            assert!(only.is_none(), "{name}: its server is not there");
            servers::skipped(&format!("{name}: its server is not there"));
        }
    }
}

/// A few seconds of the protocol that needs no server: that the soak itself works.
#[test]
fn the_soak_runs() {
    assert!(load::soak::<http::Http>(Duration::from_secs(3)));
}
