//! Ready-made components: a real PostgreSQL, a real Redis, and a mailbox that keeps what it gets.
//!
//! One folder each, one line each in [`SERVICES`]. A [`Service`] reads its settings from `seam.yaml`, which makes a
//! [`Declared`]; that one raises a [`Running`], which says where the seam's proxy dials, and keeps and restores its
//! state in place, under the components' open connections.
#![forbid(unsafe_code)]

pub mod mailbox;
mod memory;
mod places;
pub mod postgres;
pub mod programs;
pub mod redis;
mod service;
mod settings;
mod state;
#[cfg(test)]
mod testbed;

pub use places::Places;
pub use service::{
    Declared, EndpointInfo, Progress, RaiseCx, RaiseError, Running, SeedError, Service, StopHow, Upstream,
};
pub use state::{HeldOpen, Kept, Restored, StateError};

/// All services, by their words.
pub static SERVICES: &[&dyn Service] =
    &[&postgres::PostgresService, &redis::RedisService, &mailbox::MailboxService];

/// The service of a name.
pub fn find(name: &str) -> Option<&'static dyn Service> {
    SERVICES.iter().copied().find(|service| service.word().name == name)
}
