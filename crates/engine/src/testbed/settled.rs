//! Is the system settled still? Known without waiting while nothing happens that could have unsettled it.

use crate::plan::system::Made;
use crate::plan::test::PlannedStep;
use crate::testbed::Testbed;
use seam_steps::Target;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The last moment at which the system was settled, while that lasts.
#[derive(Default)]
pub(crate) struct LastSettled(Mutex<Option<Moment>>);

#[derive(Clone, Copy)]
struct Moment {
    /// How often bytes had passed between components.
    n_inside: u64,
    /// For how long nothing had passed.
    quiet: Duration,
}

impl Testbed {
    /// How often bytes have passed between components.
    pub(crate) fn n_inside(&self) -> u64 {
        self.proxy.pulse().n_inside()
    }

    /// It is settled, after so long a time of quiet, if nothing has passed between components since `n_inside`.
    pub(crate) fn settle(&self, n_inside: u64, quiet: Duration) {
        let moment = (self.n_inside() == n_inside).then_some(Moment { n_inside, quiet });
        *self.settled.0.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    /// A step is about to do something that may set things going.
    pub(crate) fn unsettle(&self) {
        *self.settled.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Has nothing happened since it was settled after at least so long a time of quiet?
    pub(crate) fn is_settled(&self, quiet: Duration) -> bool {
        let moment = *self.settled.0.lock().unwrap_or_else(PoisonError::into_inner);
        moment.is_some_and(|moment| moment.n_inside == self.n_inside() && moment.quiet >= quiet)
    }

    /// Does a step only look at services, which never do anything by themselves?
    pub(crate) fn leaves_alone(&self, step: &PlannedStep) -> bool {
        let is_service = |component: &str| {
            self.system()
                .components
                .get(component)
                .is_some_and(|planned| matches!(planned.made, Made::Service(_)))
        };
        let only_looks = |target: &Target| match target {
            Target::Endpoint { component, .. } | Target::Component { component, .. } => is_service(component),
            Target::Seam { .. } => true,
            Target::Unknown { .. } => false,
        };
        step.children.is_empty() && step.action.only_reads() && step.action.targets().iter().all(only_looks)
    }
}
