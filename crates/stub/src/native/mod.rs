//! Stubs as they are written in Seamwork's own files: for every protocol, with the paths, matchers and expressions of tests.

mod answer;
mod condition;
mod glance;
mod index;
mod pauses;
mod read;
mod scope;
mod set;
mod stub;
#[cfg(test)]
mod tests;
mod word;

pub use read::{Reading, read_file, read_stubs};
pub use set::{Put, StubSet};
pub use stub::{Stub, Stubs};
pub use word::STUB;
