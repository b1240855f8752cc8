//! What rules do to what passes a seam.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apart;
mod bed;
mod bulk;
mod faults;
mod frames;
mod handing;
mod midway;
mod streams;
mod stubs;
mod surprises;
mod together;
mod uploads;
