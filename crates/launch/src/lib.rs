//! Raises components and strikes them, and leaves nothing behind.
//!
//! Components are children of a small [`watch()`]er process, which `seam` asks through a [`Watcher`] and which ends
//! them when `seam` is gone, however it went. A [`hold_port`] keeps the port that a component is about to bind.
#![forbid(unsafe_code)]

mod output;
mod port;
mod program;
mod watcher;

pub use output::{Line, LogTrouble};
pub use port::{HeldPort, MORE_PORTS, PortError, hold_port, says_address_in_use};
pub use program::{ProgramError, find_program};
pub use watcher::{
    Death, End, Exit, Farewell, Over, Piped, Running, Spawn, SpawnError, StartError, StopSignal, Swept,
    Watcher, WatcherCommand, WatcherGone, WatcherOptions, Whom, default_registry, sweep, watch,
};
