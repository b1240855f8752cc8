//! Several sources of answers above each other on one seam: stubs put live, those of a test, those of a file.

use seam_wire::{Answering, Answers, Asked, AtHead, Glance};
use std::sync::{Arc, PoisonError, RwLock};

/// One source of answers among others.
pub trait Layer: Send + Sync {
    /// What becomes of this request, where this source has an answer to it. Nothing is noted where it has none.
    fn look(&self, asked: &Asked<'_>) -> Option<Answering>;

    /// The same, for a request that nobody has read yet.
    fn at_a_glance(&self, glance: Glance<'_>) -> Result<Option<Answering>, MustRead> {
        let _ = glance;
        Err(MustRead)
    }

    /// What the head of a request tells of whether this source answers it.
    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        let _ = head;
        AtHead::Perhaps
    }

    /// No source had an answer to this request.
    fn missed(&self, asked: &Asked<'_>);
}

/// A glance is not enough: the request must be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MustRead;

/// Sources of answers, the uppermost first; can be changed while they serve.
#[derive(Default)]
pub struct Layers {
    list: RwLock<Vec<Arc<dyn Layer>>>,
}

impl Layers {
    /// These, the uppermost first.
    pub fn new(list: Vec<Arc<dyn Layer>>) -> Self {
        Self { list: RwLock::new(list) }
    }

    /// Other ones from now on, the uppermost first.
    pub fn set(&self, list: Vec<Arc<dyn Layer>>) {
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
    }
}

impl Answers for Layers {
    fn at_a_glance(&self, glance: Glance<'_>) -> Option<Answering> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        // The first that has an answer gives it, unless one before it must read the request.
        let found = list.iter().find_map(|layer| layer.at_a_glance(glance).transpose());
        found.and_then(Result::ok)
    }

    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let told = list.iter().map(|layer| layer.at_head(head)).find(|told| *told != AtHead::Nothing);
        told.unwrap_or(AtHead::Nothing)
    }

    fn passed(&self, asked: &Asked<'_>) {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.iter().for_each(|layer| layer.missed(asked));
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let answering = list.iter().find_map(|layer| layer.look(asked));
        if answering.is_none() {
            list.iter().for_each(|layer| layer.missed(asked));
        }
        answering
    }
}
