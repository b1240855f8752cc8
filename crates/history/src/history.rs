//! All that happened in a run, in memory: what folds and reports start from.

use seam_diag::Sources;
use seam_event::{Event, What};

/// All events of a run in their order, and the user's files as they were then.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What happened.
    pub events: Vec<Event>,
    /// The files that the run was read from, masked; places in events are places in them.
    pub sources: Sources,
}

impl History {
    /// A history without files.
    pub fn of(events: Vec<Event>) -> Self {
        Self { events, sources: Sources::default() }
    }

    /// The first event, if it is the plan that it should be.
    pub fn plan(&self) -> Option<&What> {
        self.events.first().map(|event| &event.what).filter(|what| matches!(what, What::Plan { .. }))
    }
}
