//! Which stub answers, where that can be told from a request's method and path alone.
//!
//! Most stubs ask for nothing else and always say the same. To read a whole request for one of those would cost more
//! than all else that answering it costs.

use super::condition::Condition;
use super::stub::Stub;
use crate::layers::MustRead;
use foldhash::HashMap;
use seam_wire::Glance;

/// The stubs of one group by the path that they ask for.
#[derive(Debug, Default)]
pub(super) struct Glances {
    by_path: HashMap<String, Vec<Seen>>,
    /// The first that asks for no path that is known: it may match whatever is asked.
    first_other: Option<usize>,
}

/// A stub, as far as a glance goes.
#[derive(Debug)]
struct Seen {
    rank: usize,
    method: Option<String>,
    /// Does it ask for nothing else, and say the same to everybody?
    is_plain: bool,
}

impl Glances {
    /// Of stubs in the order in which they are asked.
    pub(super) fn new<'s>(stubs: impl Iterator<Item = &'s Stub>) -> Self {
        let mut glances = Self::default();
        for (rank, stub) in stubs.enumerate() {
            let text = |name| stub.request.iter().find_map(|condition| condition.text_of(name));
            let Some(path) = text("path") else {
                glances.first_other.get_or_insert(rank);
                continue;
            };
            let is_known = |condition: &Condition| {
                ["method", "path"].into_iter().any(|name| condition.text_of(name).is_some())
            };
            let seen = Seen {
                rank,
                method: text("method").map(str::to_owned),
                is_plain: stub.request.iter().all(is_known) && stub.is_plain(),
            };
            glances.by_path.entry(path.to_owned()).or_default().push(seen);
        }
        glances
    }

    /// Asks `answers` of each stub that matches, by its rank, until one does.
    pub(super) fn find<T>(
        &self,
        glance: Glance<'_>,
        mut answers: impl FnMut(usize) -> Option<T>,
    ) -> Result<Option<T>, MustRead> {
        let before = self.first_other.unwrap_or(usize::MAX);
        for seen in self.by_path.get(glance.path).into_iter().flatten() {
            if seen.method.as_deref().is_some_and(|own| own != glance.method) {
                continue;
            }
            if !seen.is_plain || seen.rank > before {
                return Err(MustRead);
            }
            if let Some(answer) = answers(seen.rank) {
                return Ok(Some(answer));
            }
        }
        if self.first_other.is_some() { Err(MustRead) } else { Ok(None) }
    }
}
