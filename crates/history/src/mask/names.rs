//! Stable names for secrets that nobody declared: the same secret is `«bearer 1»` all through a run.

use super::lists::LookedUp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many secrets get a number of their own; further ones share the name of their kind (`«bearer»`).
const MOST_NAMES: usize = 100_000;

/// A learnt secret is looked for in free text only from this length on: a password `test`, seen once in a form,
/// must not be cut out of every sentence.
pub(crate) const SHORTEST_WORD: usize = 12;

/// The first half of a secret's hash: enough to tell them apart, and nothing to read.
type Hash = [u8; 16];

/// All names given in a run. It holds hashes only: no secret lies about in memory because it was seen.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_secret: HashMap<Hash, Arc<str>>,
    counted: HashMap<&'static str, u64>,
    given: HashSet<Arc<str>>,
    /// How long the secrets are: a word of another length is none of them.
    lengths: HashSet<usize>,
    /// What the lists say about names of fields.
    pub(crate) looked_up: LookedUp,
}

impl Names {
    /// The name of a secret, a new one if it was never seen.
    pub(crate) fn of(&mut self, kind: &'static str, secret: &str) -> Arc<str> {
        let hash = hash(secret);
        if let Some(name) = self.by_secret.get(&hash) {
            return name.clone();
        }
        if self.by_secret.len() >= MOST_NAMES {
            return self.give(kind.into());
        }
        let count = self.counted.entry(kind).or_default();
        *count += 1;
        let name = format!("{kind} {count}");
        let name = self.give(name.into());
        self.by_secret.insert(hash, name.clone());
        self.lengths.insert(secret.len());
        name
    }

    /// The name of a secret that was seen before.
    pub(crate) fn known(&self, word: &str) -> Option<Arc<str>> {
        if word.len() < SHORTEST_WORD || !self.lengths.contains(&word.len()) {
            return None;
        }
        self.by_secret.get(&hash(word)).cloned()
    }

    /// Marks a name as one of ours, so that it is not masked again where it stands between guillemets.
    pub(crate) fn give(&mut self, name: Arc<str>) -> Arc<str> {
        if !self.given.contains(&name) {
            self.given.insert(name.clone());
        }
        name
    }

    /// Is it a name that was given?
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.given.contains(name)
    }

    /// Is there nothing to look for in free text?
    pub(crate) fn is_empty(&self) -> bool {
        self.by_secret.is_empty()
    }
}

fn hash(secret: &str) -> Hash {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(secret.as_bytes()).as_bytes()[..16]);
    half
}
