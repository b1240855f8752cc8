//! What makes a component run: one folder for each runtime, one line for each in [`RUNTIMES`].
//!
//! A runtime reads what the user wrote into a [`Raise`], which can be raised any number of times; each time gives
//! something [`Live`]. References are not its business: it says in which texts they may stand, and is handed these
//! texts rendered when it is raised.

mod external;
mod not_yet;
mod process;

use crate::output::Line;
use crate::program::ProgramError;
use crate::watcher::{Death, End, Exit, Running, SpawnError, Watcher, WatcherGone};
use futures_util::future::BoxFuture;
use seam_diag::Diagnostics;
use seam_event::ComponentId;
use seam_model::{Component, Spanned, Word};
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

pub use external::{Bounds, External, ExternalAddress, Operation, nothing_of, parse_external};
pub use process::Process;

/// How long a component may take to stop before it is made to, unless it says otherwise.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// All runtimes, by the key that names them in `seam.yaml`.
pub static RUNTIMES: &[RuntimeKind] =
    &[process::KIND, external::KIND, not_yet::IMAGE, not_yet::BUILD, not_yet::COMPOSE, not_yet::PLANNED];

/// One runtime.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeKind {
    /// Its name and what people need to know.
    pub word: Word,
    /// Reads a component of this kind, settings and all; what is wrong is told, and then there is none.
    pub read: fn(&Component, &mut Diagnostics) -> Option<Box<dyn Raise>>,
    /// Can it be raised by this version? What cannot is read and checked all the same.
    pub there: There,
}

/// Is it there already?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// It can be raised.
    Now,
    /// A later version will raise it.
    NotYet,
}

/// A component as its runtime has read it, ready to be raised.
pub trait Raise: Send + Sync + std::fmt::Debug {
    /// The texts in which references may stand, apart from `env` and `files`: the words of a command line.
    fn templates(&self) -> &[Spanned<String>];

    /// Raises it. Comes back when it runs, which is before it is ready.
    fn raise<'a>(&'a self, ground: &'a Ground<'a>) -> BoxFuture<'a, Result<Box<dyn Live>, RaiseError>>;

    /// Where it is somebody else's: how it is reached and what may be asked of it.
    fn external(&self) -> Option<&External> {
        None
    }
}

/// What a component is raised on.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Who starts processes.
    pub watcher: &'a Watcher,
    /// The component.
    pub component: &'a ComponentId,
    /// The folder of `seam.yaml`.
    pub project: &'a Path,
    /// The folder where it starts.
    pub dir: &'a Path,
    /// Its whole environment, rendered: see [`base_environment`](crate::base_environment).
    pub env: &'a [(String, String)],
    /// [`Raise::templates`], rendered, in the same order.
    pub texts: &'a [String],
    /// Where its lines go.
    pub lines: Option<&'a mpsc::Sender<Line>>,
    /// The text that its readiness waits for in its log, from [`Ready::awaited`](crate::Ready::awaited).
    pub awaited: Option<&'a str>,
}

/// Something raised.
pub trait Live: Send + Sync {
    /// How it ended, if it has.
    fn exit(&self) -> Option<Exit>;

    /// Comes back when it has ended, whether by itself or not; never for what is not ours.
    fn died(&self) -> BoxFuture<'_, Result<Death, LiveError>>;

    /// Asks it to end, makes it at the deadline, and comes back when nothing of it is left.
    fn stop(&self, deadline: Duration) -> BoxFuture<'_, Result<End, LiveError>>;

    /// Ends it at once, and comes back when nothing of it is left.
    fn kill(&self) -> BoxFuture<'_, Result<End, LiveError>>;

    /// Holds it still, connections and all.
    fn pause(&self) -> BoxFuture<'_, Result<(), LiveError>>;

    /// Lets it go on.
    fn resume(&self) -> BoxFuture<'_, Result<(), LiveError>>;

    /// Its last lines, the oldest first.
    fn last_lines(&self) -> Vec<Line> {
        Vec::new()
    }

    /// Has it said [`Ground::awaited`]?
    fn has_said_it(&self) -> bool {
        false
    }

    /// How many of its lines found no room with who listens.
    fn n_lost_lines(&self) -> u64 {
        0
    }
}

/// Why a component could not be raised.
#[derive(Debug, thiserror::Error)]
pub enum RaiseError {
    /// Its program is not there, or is none.
    #[error("failed to start {component}")]
    Program {
        /// Which.
        component: ComponentId,
        /// Why.
        source: ProgramError,
    },
    /// It did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Its address is none.
    #[error("{component} cannot be reached: {reason}")]
    Address {
        /// Which.
        component: ComponentId,
        /// What is wrong with the address.
        reason: String,
    },
    /// This version cannot raise it.
    #[error("{component} is made with `{runtime}`, which is not there yet")]
    NotYet {
        /// Which.
        component: ComponentId,
        /// The runtime's name.
        runtime: &'static str,
    },
}

/// Why something could not be done to a component that was raised.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LiveError {
    /// Nobody is left who could do it.
    #[error(transparent)]
    Gone(#[from] WatcherGone),
    /// It is somebody else's.
    #[error("{component} is external: Seamwork cannot {act} it")]
    NotOurs {
        /// Which.
        component: ComponentId,
        /// What was to be done: `stop`, `pause`.
        act: &'static str,
    },
}

/// The runtime of a name.
pub fn runtime(name: &str) -> Option<&'static RuntimeKind> {
    RUNTIMES.iter().find(|kind| kind.word.name == name)
}

impl Live for Running {
    fn exit(&self) -> Option<Exit> {
        Self::exit(self)
    }

    fn died(&self) -> BoxFuture<'_, Result<Death, LiveError>> {
        Box::pin(async { Ok(Self::died(self).await?) })
    }

    fn stop(&self, deadline: Duration) -> BoxFuture<'_, Result<End, LiveError>> {
        Box::pin(async move { Ok(Self::stop(self, deadline).await?) })
    }

    fn kill(&self) -> BoxFuture<'_, Result<End, LiveError>> {
        Box::pin(async { Ok(Self::kill(self).await?) })
    }

    fn pause(&self) -> BoxFuture<'_, Result<(), LiveError>> {
        Box::pin(async { Ok(Self::pause(self).await?) })
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), LiveError>> {
        Box::pin(async { Ok(Self::resume(self).await?) })
    }

    fn last_lines(&self) -> Vec<Line> {
        Self::last_lines(self)
    }

    fn has_said_it(&self) -> bool {
        Self::has_said_it(self)
    }

    fn n_lost_lines(&self) -> u64 {
        Self::n_lost_lines(self)
    }
}
