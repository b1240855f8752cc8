//! Has something passed a seam? What the readiness `seam:` asks.

use crate::run::variables::Variables;
use crate::testbed::journal::Journal;
use seam_event::ComponentId;
use seam_launch::{SeamReady, SeamsSeen};
use seam_matcher::{NoSnapshots, Statement};
use seam_steps::SeamFilter;
use std::sync::Arc;
use std::time::Duration;

/// What has passed since a component was raised.
pub(crate) struct Seen<'a> {
    pub(crate) journal: Arc<Journal>,
    /// When the component was raised: time since the run began.
    pub(crate) since: Duration,
    /// What must hold for an interaction.
    pub(crate) filter: &'a [Statement],
    /// The names that may stand in that: none but the built-in ones.
    pub(crate) names: Variables,
}

impl SeamsSeen for Seen<'_> {
    fn has_passed(&self, what: &SeamReady) -> Result<(), String> {
        let (to, endpoint) = what.sides();
        let seam = SeamFilter {
            from: ComponentId::from(what.consumer.as_str()),
            to: ComponentId::from(to),
            endpoint,
        };
        let passed = self.journal.interactions(|one| one.at >= self.since && seam.takes(one));
        let fits = passed.iter().map(|one| one.to_value()).any(|value| {
            self.filter.iter().all(|statement| statement.holds(&value, &self.names, &NoSnapshots))
        });
        match passed.len() {
            _ if fits => Ok(()),
            0 => Err(format!("nothing has passed {seam}")),
            n_passed => Err(format!("none of the {n_passed} interactions on {seam} fits `where`")),
        }
    }
}
