//! WireMock's stubs: its mapping files, what they match and answer, and what its clients ask of its admin interface.
//!
//! ```text
//! mappings/*.json ─▶ load ─┐                     ┌─▶ serve, Answers: Answering, with webhooks as callbacks
//! /__admin/… ─▶ JSON ──────┴▶ WireMock (admin.rs)┴─▶ JSON: lists, counts, near misses, recordings
//! ```
//!
//! The reference is WireMock 3.13.2. Where it lets nonsense through we say what is wrong, in its own form of errors.
//! Nothing here knows HTTP servers: a request comes in as [`Request`], JSON goes in and out as values.

mod admin;
#[cfg(test)]
mod alike;
mod answer;
#[cfg(test)]
mod assets;
mod dates;
mod delays;
mod described;
mod files;
mod journal;
mod json_compare;
mod json_path;
mod kept;
mod loose_json;
mod mapping;
mod media;
mod multipart_pattern;
mod near;
mod parts;
mod path_template;
mod pattern;
mod place;
mod recording;
mod regex;
mod report;
mod request;
mod request_pattern;
#[cfg(test)]
mod robust;
mod scenarios;
mod server;
mod shown;
mod stand_in;
mod template;
#[cfg(test)]
mod tests;
mod values;
mod wrong;
mod xml;

pub use admin::{EventFilter, Page, read_json};
pub use answer::Templates;
pub use files::{Alone, Reloaded, WrongFile};
pub use recording::BodyFile;
pub use request::Request;
pub use server::{Served, WireMock};
pub use stand_in::{BodyFiles, MappingFile, Mappings, body_path, is_mapping};
pub use template::jackson;
pub use wrong::{Mistake, Wrong};
