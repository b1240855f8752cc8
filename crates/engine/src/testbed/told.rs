//! What goes wrong with a testbed, and what takes long.

use seam_diag::{Diagnostic, Span};
use std::sync::Arc;

/// Who hears what takes long: `fetching redis-server from Debian's packages`.
pub type Progress = Arc<dyn Fn(String) + Send + Sync>;

/// Why a testbed could not be opened, raised or closed.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// The watcher could not be started.
    #[error("failed to start the watcher")]
    Watcher(#[source] seam_launch::StartError),
    /// The run's own folder could not be made.
    #[error("failed to make the run's folder")]
    Folder(#[source] std::io::Error),
    /// Nobody could be made who vouches for the seams.
    #[error("failed to make the authority of the run")]
    Authority(#[source] seam_proxy::AuthorityError),
    /// A seam could not be stood on.
    #[error(transparent)]
    Proxy(#[from] seam_proxy::ProxyError),
    /// The watcher is gone, and all components with it.
    #[error("the watcher was killed, and all components with it")]
    Gone,
    /// Components did not become ready, or a command of `prepare` failed: one diagnostic each.
    #[error("{} of the system could not be raised", if .0.len() == 1 { "a part" } else { "parts" })]
    Unready(Vec<Diagnostic>),
    /// The state could not be kept.
    #[error("failed to {0}")]
    State(String),
    /// Processes could not be ended.
    #[error("processes are left behind: {0:?}")]
    Left(Vec<u32>),
    /// Whoever wanted to hear that the system is up could do nothing with it.
    #[error("failed to {0}")]
    Unheard(String),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl BedError {
    /// As people see it.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Unready(list) => list.clone(),
            other => vec![Diagnostic::error(crate::testbed::state::chain(other))],
        }
    }
}

/// The last lines of a log, as notes of a diagnostic.
pub(crate) fn with_lines<'a>(
    mut diagnostic: Diagnostic,
    component: &str,
    lines: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let lines: Vec<&str> = lines.into_iter().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(8)) {
        diagnostic = diagnostic.note(format!("{component}.log"), (*line).to_owned());
    }
    diagnostic
}

/// A diagnostic that points at a component's name.
pub(crate) fn about(title: String, span: Span) -> Diagnostic {
    Diagnostic::error(title).at(span, "")
}
