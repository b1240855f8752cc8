//! Recordings: what passed a seam, kept in files that people read, and what can be made of it again.
//!
//! ```text
//! events of a run ─▶ record ─▶ Recording ─▶ write ─▶ recordings/web-api.yaml ─▶ read ─┬▶ as_stubs: in the provider's place
//!      of a second one ─▶ learn ─▶┘ (what varies)                                     └▶ differences: the provider is asked again
//! ```
//!
//! What the History masked stays masked: a mark (`«bearer 1»`) in a request stands for anything, and the same mark in an
//! earlier reply says where its value comes from.
#![forbid(unsafe_code)]

mod brokers;
mod compare;
mod drive;
mod drive_brokers;
mod drive_mail;
mod drive_step;
mod drive_streams;
mod echo;
mod har;
mod har_noted;
mod har_read;
mod learn;
mod lists;
mod marked;
mod marks;
mod normal;
mod pair;
mod read;
mod record;
mod recording;
mod sockets;
mod streams;
mod stubs;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_brokers;
#[cfg(test)]
mod tests_of_har;
#[cfg(test)]
mod tests_of_steps;
#[cfg(test)]
mod tests_of_turns;
mod thread;
mod volatile;
mod write;
mod yaml;

pub use compare::{Difference, differences};
pub use drive::{Driver, Drivers, NotAsked, Thoroughness, as_tests, written_tests};
pub use har::{archive, to_har};
pub use har_noted::Noted;
pub use har_read::{Archive, HarError, from_har};
pub use learn::{learn, learn_alone};
pub use marks::{has_marks, names_in, without_marks};
pub use normal::normal;
pub use read::{Around, is_recording, read, read_stub_file};
pub use record::{LeftOut, Made, record, record_passed};
pub use recording::{Recorded, Recording, VERSION, seam_of};
pub use stubs::as_stubs;
pub use volatile::{Mask, Volatile};
pub use write::{Written, write};
