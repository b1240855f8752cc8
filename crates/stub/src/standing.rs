//! What stands in a provider's place, in whichever language it is written: stubs of our own, or WireMock's mappings.

use crate::journal::Missed;
use crate::native::{Stub, StubSet, Stubs};
use crate::surroundings::Surroundings;
use crate::wiremock::Mappings;
use seam_diag::Span;
use seam_expr::{NameUse, Names};
use seam_wire::Answers;
use std::sync::Arc;

/// What was read from a file or a test, and can be put on a seam again and again.
#[derive(Clone, Debug)]
pub enum Source {
    /// Stubs of our own, recordings and archives among them.
    Own(Stubs),
    /// WireMock's mappings.
    WireMock(Mappings),
}

/// What stands on a seam and answers there.
pub trait Standing: Answers {
    /// As it was when it began to stand there: nothing asked, nothing remembered.
    fn reset(&self);

    /// What was asked and answered by none, oldest first, each with what was nearest.
    fn missed(&self) -> Vec<Missed>;

    /// Where the stub of this name stands; none where there is none.
    fn place(&self, stub: &str) -> Option<Span>;
}

impl Source {
    /// Lets it stand, with nothing remembered. `names` are what the templates of our own stubs may ask, `around` is the
    /// world of WireMock's.
    pub fn stand(
        &self,
        names: &Arc<dyn Names + Send + Sync>,
        around: impl FnOnce() -> Surroundings,
    ) -> Arc<dyn Standing> {
        match self {
            Self::Own(stubs) => {
                let set = StubSet::new();
                set.put(stubs.clone(), names);
                Arc::new(set)
            }
            Self::WireMock(mappings) => mappings.stand(around()),
        }
    }

    /// The names in it that are not its own, for whoever knows which there are.
    pub fn names(&self) -> Vec<NameUse> {
        match self {
            Self::Own(stubs) => stubs.list.iter().flat_map(Stub::names).collect(),
            // WireMock's templates know nothing of ours.
            Self::WireMock(_) => Vec::new(),
        }
    }

    /// How many stubs these are.
    pub fn n_stubs(&self) -> usize {
        match self {
            Self::Own(stubs) => stubs.list.len(),
            Self::WireMock(mappings) => mappings.n(),
        }
    }
}

impl Standing for StubSet {
    fn reset(&self) {
        StubSet::reset(self);
    }

    fn missed(&self) -> Vec<Missed> {
        StubSet::missed(self)
    }

    fn place(&self, stub: &str) -> Option<Span> {
        StubSet::place(self, stub)
    }
}
