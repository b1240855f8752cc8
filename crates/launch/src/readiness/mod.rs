//! When a component is ready: one file for each kind, one line for each in [`READINESS`].
//!
//! A kind looks once and says why not; how often, how long, and that a dead component is no longer awaited, is the
//! same for all of them and stands in [`await_ready`].

mod exec;
mod exit;
mod http;
mod log;
mod runs;
mod seam;
mod tcp;
mod wait;

use crate::runtimes::Live;
use crate::watcher::{Exit, Watcher};
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_event::ComponentId;
use seam_model::{Fields, Node, NodeKind, Spanned, Word};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub use seam::{SeamReady, SeamsSeen};
pub use wait::{Readied, UnreadyError, await_ready};

/// How long becoming ready may take, unless the component says otherwise.
pub const READY_WITHIN: Duration = Duration::from_secs(30);

/// All kinds of readiness, by the key that names them.
pub static READINESS: &[ReadinessKind] =
    &[http::KIND, tcp::KIND, log::KIND, exit::KIND, exec::KIND, seam::KIND];

/// One kind of readiness.
#[derive(Clone, Copy, Debug)]
pub struct ReadinessKind {
    /// Its name and what people need to know.
    pub word: Word,
    /// Can it be written as this text alone: `GET /health`, `tcp`?
    pub is_text: fn(&str) -> bool,
    /// Reads what stands right of its name, and takes its further fields.
    pub read: fn(&Node, &mut Fields<'_>, &mut Diagnostics) -> Option<Box<dyn Ready>>,
}

/// A way to know that a component is ready.
pub trait Ready: Send + Sync + std::fmt::Debug {
    /// Looks once.
    fn look<'a>(&'a self, cx: &'a ReadyContext<'a>) -> BoxFuture<'a, Result<(), NotReady>>;

    /// The text in the component's log that it waits for; to be handed to whoever raises the component.
    fn awaited(&self) -> Option<&str> {
        None
    }

    /// Does it say something to the component, which one that listens with TLS understands only over that?
    fn speaks(&self) -> bool {
        false
    }

    /// The seam on which something must have passed, for whoever knows what passes.
    fn seam(&self) -> Option<&SeamReady> {
        None
    }

    /// The texts in which references may stand.
    fn templates(&self) -> &[Spanned<String>] {
        &[]
    }

    /// What the end of the component means: for nearly all kinds that it died.
    fn on_exit(&self, _exit: Exit) -> OnExit {
        OnExit::Died
    }
}

/// What the end of a component means to who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// It will never be ready.
    Died,
    /// It was a job, and is done.
    Ready,
}

/// Why it is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// Not yet; the reason in a few words: `connection refused`, `503`.
    NotYet(String),
    /// It never will be.
    Never(String),
}

/// What is looked at.
#[derive(Clone, Copy)]
pub struct ReadyContext<'a> {
    /// The component.
    pub component: &'a ComponentId,
    /// It, living.
    pub live: &'a dyn Live,
    /// Where it listens, behind its seams; none where it has no port.
    pub address: Option<SocketAddr>,
    /// Who starts the command of `exec`.
    pub watcher: &'a Watcher,
    /// The folder of `seam.yaml`.
    pub project: &'a Path,
    /// The folder where the component was started.
    pub dir: &'a Path,
    /// The component's environment.
    pub env: &'a [(String, String)],
    /// [`Ready::templates`], rendered, in the same order.
    pub texts: &'a [String],
    /// Who knows what passed on seams; none where nobody does.
    pub seams: Option<&'a dyn SeamsSeen>,
    /// How long one look may take. [`await_ready`] sets it.
    pub look_within: Duration,
}

/// Reads `ready:`; what is wrong is told, and then there is none.
pub fn read_ready(node: &Node, found: &mut Diagnostics) -> Option<Box<dyn Ready>> {
    match &node.kind {
        NodeKind::Text { text, .. } => read_text(node, text, found),
        NodeKind::Map(entries) => {
            let mut named = READINESS.iter().filter(|kind| node.get(kind.word.name).is_some());
            let Some(kind) = named.next() else {
                let mut told = Diagnostic::error("`ready` names no kind of readiness").at(node.span, "");
                if let Some(first) = entries.first() {
                    told = told.at(first.key.span, "").suggest(&first.key.value, names());
                }
                found.push(told);
                return None;
            };
            if let Some(other) = named.next() {
                let title = format!("`ready` is `{}` and `{}` at once", kind.word.name, other.word.name);
                found.push(Diagnostic::error(title).at(node.span, "").hint("it is one of them"));
                return None;
            }
            let mut fields = Fields::of(node, "`ready`", found);
            let subject = fields.take(kind.word.name)?;
            let ready = (kind.read)(subject, &mut fields, found);
            fields.finish(found);
            ready
        }
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) | NodeKind::List(_) => {
            let title = "`ready` must be a text or a map";
            let told = Diagnostic::error(title).at(node.span, format!("this is {}", node.kind_name()));
            found.push(told.hint("such as `GET /health`, `tcp`, `{ log: listening }`"));
            None
        }
    }
}

/// How a component is ready that says nothing about it: it accepts connections, or, with no port, it runs.
pub fn default_ready(has_port: bool) -> Box<dyn Ready> {
    if has_port { Box::new(tcp::Tcp) } else { Box::new(runs::Runs) }
}

fn read_text(node: &Node, text: &str, found: &mut Diagnostics) -> Option<Box<dyn Ready>> {
    let Some(kind) = READINESS.iter().find(|kind| (kind.is_text)(text)) else {
        let mut told = Diagnostic::error(format!("`{text}` is no kind of readiness")).at(node.span, "");
        told = if text.starts_with('/') {
            told.hint(format!("did you mean `GET {text}`?"))
        } else if names().any(|name| name == text) {
            told.hint(format!("`{text}` needs something: `{{ {text}: … }}`"))
        } else {
            told.hint("such as `GET /health`, `tcp`, `{ log: listening }`")
        };
        found.push(told);
        return None;
    };
    (kind.read)(node, &mut Fields::over(&[], node.span, "`ready`"), found)
}

fn names() -> impl Iterator<Item = &'static str> {
    READINESS.iter().map(|kind| kind.word.name)
}

#[cfg(test)]
mod tests;
