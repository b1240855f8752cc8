//! Raises components and strikes them, and leaves nothing behind.
//!
//! Components are children of a small [`watch()`]er process, which `seam` asks through a [`Watcher`] and which ends
//! them when `seam` is gone, however it went. [`RUNTIMES`] say what makes a component run, [`READINESS`] when it is
//! ready. A [`hold_port`] keeps the port that a component is about to bind.
#![forbid(unsafe_code)]

mod command;
mod environment;
mod output;
mod port;
mod program;
mod readiness;
mod runtimes;
mod watcher;

pub use command::CommandLine;
pub use environment::{base_environment, laid_over};
pub use output::{Line, LogTrouble, LogsTo, Mask};
pub use port::{HeldPort, MORE_PORTS, PortError, hold_port, says_address_in_use};
pub use program::{ProgramError, find_program};
pub use readiness::{
    NotReady, OnExit, READINESS, READY_WITHIN, Readied, ReadinessKind, Ready, ReadyContext, SeamReady,
    SeamsSeen, UnreadyError, await_ready, default_ready, read_ready,
};
pub use runtimes::{
    Bounds, External, ExternalAddress, Ground, Live, LiveError, Operation, Process, RUNTIMES, Raise,
    RaiseError, RuntimeKind, STOP_WITHIN, There, nothing_of, parse_external, runtime,
};
pub use watcher::{
    Death, End, Exit, Farewell, Over, Piped, Running, Spawn, SpawnError, StartError, StopSignal, Swept,
    Watcher, WatcherCommand, WatcherGone, WatcherOptions, Whom, default_registry, sweep, watch,
};
