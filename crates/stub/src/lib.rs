//! What a stand-in answers: stub files, stubs put by a test or live, WireMock's mappings.
//!
//! ```text
//! stubs/paygate.yaml ─▶ read_stubs ─▶ Stubs ─▶ StubSet ◀─ put, take, reset while it serves
//!                                              │  ▲
//!                 the proxy: Asked ────────────┘  └──▶ Answering, or nothing: told with what was nearest
//! ```
//!
//! Nothing here listens, waits or reads a file by itself. Whoever stands on the seam asks
//! ([`Answers`](seam_wire::Answers)) and does what it is told, delays and callbacks included.
#![forbid(unsafe_code)]

mod delay;
mod journal;
mod layers;
mod native;
mod standing;
mod surroundings;
pub mod wiremock;

pub use delay::Delay;
pub use journal::{Missed, Near};
pub use layers::{Layer, Layers};
pub use native::{Put, Reading, STUB, Stub, StubSet, Stubs, read_file, read_stubs};
pub use standing::{Source, Standing};
pub use surroundings::{FindFile, FindVariable, Surroundings};
