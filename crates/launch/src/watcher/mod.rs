//! Starts components so that nothing is left behind, whatever happens to `seam`.
//!
//! Two halves of one thing: [`watch()`] is the watcher, a small process of its own; [`Watcher`] is how `seam` talks to
//! it. [`sweep()`] ends at the next start what is left where the watcher was killed too.

mod client;
mod inbox;
mod link;
mod message;
mod processes;
mod registry;
mod running;
mod strike;
mod sweep;
mod watch;

pub use client::{StartError, Watcher, WatcherCommand, WatcherGone, WatcherOptions, default_registry};
pub use message::{End, Exit, Farewell, Over, StopSignal, Whom};
pub use running::{Death, Piped, Running, Spawn, SpawnError};
pub use sweep::{Swept, sweep};
pub use watch::watch;
