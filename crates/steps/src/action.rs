//! One step that has been read and can be run: what it uses, whom it addresses, and what comes out of it.

use crate::actor::Actor;
use crate::bench::Bench;
use futures_util::future::BoxFuture;
use seam_diag::Span;
use seam_expr::{NameUse, Names};
use seam_value::{Map, Value};
use tokio::time::Instant;

/// A step, ready to be run as often as needed.
pub trait Action: Send + Sync {
    /// The variables that it uses, to be checked before anything starts.
    fn uses(&self) -> Vec<NameUse> {
        Vec::new()
    }

    /// Whom it addresses; empty for one that addresses nobody, or only steps inside it.
    fn targets(&self) -> Vec<Target> {
        Vec::new()
    }

    /// May `within` repeat it without changing anything? Steps that hold steps answer for themselves only; one that does not
    /// say so changes things.
    fn only_reads(&self) -> bool {
        false
    }

    /// What did not hold although nobody had to write it: a status of 4xx, an SQL error. The runner passes over
    /// those whose path an expectation of the step names.
    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        let _ = result;
        Vec::new()
    }

    /// Does it. What comes out is the value into which the paths of `expect` and `save` look.
    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>>;
}

/// What a step runs with.
pub struct StepContext<'a> {
    /// The variables as they stand.
    pub names: &'a (dyn Names + Sync),
    /// Who does it.
    pub actor: &'a Actor,
    /// The living testbed.
    pub bench: &'a dyn Bench,
    /// The steps inside this one, for `together` and `use`.
    pub inner: &'a dyn Inner,
    /// When this try must have come to an end.
    pub deadline: Instant,
    /// Must what is counted be final? Then `seam`, `mail` and `log` wait for quiet first. The runner sets it for steps
    /// without `within`, and when a count that held under `within` is judged again.
    pub settle: bool,
}

/// The steps inside a step, run as the runner runs all steps. The engine implements it, once for each step.
pub trait Inner: Send + Sync {
    /// Starts the step's children at a barrier and gives their results in the written order.
    fn together(&self) -> BoxFuture<'_, Result<Vec<Value>, Trouble>>;

    /// Runs a flow of the file for the step's actor and gives what it `gives`.
    fn flow<'a>(&'a self, name: &'a str, with: Map) -> BoxFuture<'a, Result<Map, Trouble>>;
}

/// Whom a step addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A component's endpoint, dialled by the test: the seam `test -> component.endpoint` must be there.
    Endpoint {
        /// The component.
        component: String,
        /// The endpoint or database; empty for the one without a name.
        endpoint: String,
        /// Where it stands.
        span: Span,
    },
    /// A component that is acted upon or looked into without being dialled.
    Component {
        /// The component.
        component: String,
        /// Where it stands.
        span: Span,
    },
    /// What passes between two components is looked at.
    Seam {
        /// Who asks.
        consumer: String,
        /// Who is asked.
        provider: String,
        /// Where it stands.
        span: Span,
    },
    /// Only known when it runs: the address, or the component's name, is a variable.
    Unknown {
        /// Where it stands.
        span: Span,
    },
}

/// Something that was expected unsaid and did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaid {
    /// The path in the result: `status`.
    pub path: &'static str,
    /// One line to stand beneath the caret: `status 500, and nothing expects it`.
    pub message: String,
    /// What was expected, as people would write it.
    pub expected: Option<Value>,
    /// What was there.
    pub actual: Option<Value>,
    /// Further lines: the beginning of the body.
    pub details: Vec<String>,
}

/// Why a step has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// What the system gave cannot be used: a variable holds no address of a component. The test fails.
    Failed {
        /// What is wrong, one line.
        reason: String,
        /// Where, if it is about one place of the step.
        span: Option<Span>,
    },
    /// Seamwork or the machine could not do it, or the files ask for what cannot be. The test is errored.
    Errored {
        /// Why, one line.
        reason: String,
        /// Where, if it is about one place of the step.
        span: Option<Span>,
    },
    /// What had to come first did not come: the test is inconclusive.
    Inconclusive {
        /// Why, one line.
        reason: String,
        /// How to mend it, where that is known.
        hint: Option<String>,
    },
}

impl Trouble {
    /// The test fails at the step as a whole.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), span: None }
    }

    /// The step could not be done.
    pub fn errored(reason: impl Into<String>) -> Self {
        Self::Errored { reason: reason.into(), span: None }
    }

    /// The step could not be judged.
    pub fn inconclusive(reason: impl Into<String>) -> Self {
        Self::Inconclusive { reason: reason.into(), hint: None }
    }

    /// The same, about this place.
    #[must_use]
    pub fn at(mut self, place: Span) -> Self {
        match &mut self {
            Self::Failed { span, .. } | Self::Errored { span, .. } => *span = Some(place),
            Self::Inconclusive { .. } => {}
        }
        self
    }
}
