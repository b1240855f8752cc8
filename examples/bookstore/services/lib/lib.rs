//! What the bookstore's programs share: settings, an HTTP server and client, PostgreSQL, Redis, money.
//!
//! Each program under `src/bin` is one component of the example and is kept small enough to read in one go. This
//! library is the scaffolding that a team of its own would have; nothing in it knows Seamwork.
#![forbid(unsafe_code)]

pub mod bug;
pub mod cache;
pub mod client;
pub mod config;
pub mod database;
pub mod log;
pub mod money;
pub mod problem;
pub mod server;
