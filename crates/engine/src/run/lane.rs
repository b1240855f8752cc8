//! Where a step runs: whose variables it sees, who does it, to which test it belongs, and until when.

use crate::plan::test::PlannedFlow;
use crate::run::bench::AttemptBench;
use crate::run::variables::Variables;
use crate::testbed::Testbed;
use seam_event::Scope;
use seam_expr::{Chance, EvalError, Template};
use seam_steps::{Actor, Connections};
use seam_value::Map;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The way on which steps run one after another.
#[derive(Clone)]
pub(crate) struct Lane {
    pub(crate) bed: Arc<Testbed>,
    pub(crate) bench: Arc<AttemptBench>,
    /// The test and attempt.
    pub(crate) scope: Scope,
    pub(crate) variables: Arc<Variables>,
    /// Who does steps that name nobody.
    pub(crate) actor: Arc<Actor>,
    /// All actors of the test by name.
    pub(crate) actors: Arc<Actors>,
    /// Flows of the file by name.
    pub(crate) flows: Arc<HashMap<String, Arc<PlannedFlow>>>,
    /// When the whole test must have come to its end.
    pub(crate) deadline: Instant,
    /// Are its steps there to judge what is settled already (invariants, `settled`)? What they ask unsettles nothing.
    pub(crate) judges: bool,
    /// Inside a `together` that has an `expect` of its own, what is expected unsaid falls away.
    pub(crate) unsaid_falls_away: bool,
}

/// The actors of one test: each name is one somebody, whoever mentions it.
#[derive(Default)]
pub(crate) struct Actors {
    by_name: Mutex<HashMap<String, Arc<Actor>>>,
    connections: Connections,
}

impl Actors {
    /// Nobody yet; who comes sends over connections that others have left open. What an actor is to a component are
    /// its cookies and its sign-in, not its connection.
    pub(crate) fn over(connections: &Connections) -> Self {
        Self { by_name: Mutex::default(), connections: connections.clone() }
    }

    /// The actor of a name; the empty name is the one that every test has.
    pub(crate) fn get(&self, name: &str) -> Arc<Actor> {
        let mut actors = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Actor::over(name, &self.connections));
        Arc::clone(actors.entry(name.to_owned()).or_insert_with(new))
    }
}

impl Lane {
    /// A lane that belongs to no file: it knows no variables and no flows.
    pub(crate) fn bare(bed: &Arc<Testbed>, scope: Scope, deadline: Instant) -> Self {
        let chance = Chance::new(bed.plan().seed, "");
        let actors = Arc::new(Actors::over(bed.connections()));
        Self {
            bench: Arc::new(AttemptBench::new(bed, bed.system().quiet)),
            scope,
            variables: Arc::new(Variables::new(Map::default(), chance, bed, bed.root())),
            actor: actors.get(""),
            actors,
            flows: Arc::default(),
            deadline,
            judges: false,
            unsaid_falls_away: false,
            bed: Arc::clone(bed),
        }
    }

    /// The same lane for judging what is settled: done by the one actor whose sessions stay open between tests.
    pub(crate) fn judging(&self, deadline: Instant) -> Self {
        let actors = Arc::clone(self.bed.judges());
        Self { actor: actors.get(""), actors, deadline, judges: true, ..self.clone() }
    }

    /// The same lane for a step that says who does it.
    pub(crate) fn with_actor(&self, name: Option<&str>) -> Self {
        match name {
            Some(name) => Self { actor: self.actors.get(name), ..self.clone() },
            None => self.clone(),
        }
    }

    /// So long from now, and never beyond the test's own deadline.
    pub(crate) fn until(&self, duration: Duration) -> Instant {
        self.deadline.min(Instant::now() + duration)
    }

    /// Signs the actor in: what it sends from then on.
    pub(crate) fn sign_in(&self, signs_in: &Template) -> Result<(), EvalError> {
        let value = signs_in.render(&*self.variables)?;
        self.actor.sign_in(&value);
        Ok(())
    }
}
