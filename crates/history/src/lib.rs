//! What happened in a run, kept: one file of events, bodies by their content, and no secret in either.
//!
//! ```text
//! proxy, steps, launch, engine ──Recorder──▶ bounded queue ──▶ one writer thread ─┬▶ .seam/runs/<id>/events.jsonl, bodies/
//!                              (never waits)                  (masks)             └▶ Subscription (the terminal)
//! ```
//!
//! All that Seamwork says afterwards is a fold over this, so a [`Reader`] gives back exactly the events that a
//! live [`Subscription`] saw. There is one writer, because order and masking each need one place.
#![forbid(unsafe_code)]

mod body;
mod folder;
mod head;
mod history;
mod mask;
mod queue;
mod reader;
mod recorder;
mod store;
mod subscription;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use folder::{FindError, FolderError, KEPT_RUNS, RunFolder, find, list, prune};
pub use head::Head;
pub use history::History;
pub use mask::{Masker, Secret};
pub use reader::{ReadError, Reader, Stored};
pub use recorder::Recorder;
pub use subscription::{Ended, Subscription};
pub use writer::{Ending, WriteError, Writer};
