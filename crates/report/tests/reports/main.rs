//! Reports over whole runs: a table of forms, the living run, and runs that are hard to show.
#![expect(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod forms;
mod hard;
mod live;
mod schema;
mod script;
mod shop;
