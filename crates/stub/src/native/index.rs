//! Finds the few stubs that can match a request without trying all.
//!
//! Stubs that ask for the same parts of a request to be known texts stand in one bucket, under the digest of these
//! texts: `{method, path}`, `{method, path, query.id}`, `{path begins with 8 letters}`. A request is looked up once in
//! each bucket, so what it costs grows with the ways in which stubs ask, not with their number. The index only leaves
//! out what can't match; whether a stub matches its conditions say, and they alone.

use super::condition::{Known, locate};
use super::stub::Stub;
use foldhash::HashMap;
use seam_expr::Path;
use seam_value::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How many parts of a request one bucket looks at.
const MAX_PARTS: usize = 4;
/// More ways to ask than this are not told apart: further stubs are tried one by one.
const MAX_BUCKETS: usize = 64;
/// Beginnings of texts are looked at in steps of so many bytes, so that there are few lengths.
const STEP: usize = 4;
const LONGEST_BEGINNING: usize = 32;

/// The stubs of one table by what they ask.
#[derive(Debug, Default)]
pub(super) struct Index {
    buckets: Vec<Bucket>,
    /// Those of which nothing can be looked up, by their rank.
    others: Vec<usize>,
}

#[derive(Debug)]
struct Bucket {
    parts: Vec<Part>,
    by_digest: HashMap<u64, Vec<usize>>,
}

/// A part of the request, or how much of its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    path: Path,
    beginning: Option<usize>,
}

impl Index {
    /// Of stubs in the order in which they are asked; their rank is their place in it.
    pub(super) fn new<'s>(stubs: impl Iterator<Item = &'s Stub>) -> Self {
        let mut index = Self::default();
        for (rank, stub) in stubs.enumerate() {
            index.add(rank, stub);
        }
        index
    }

    fn add(&mut self, rank: usize, stub: &Stub) {
        let (parts, digest) = signature(stub);
        if parts.is_empty() {
            self.others.push(rank);
            return;
        }
        let at = self.buckets.iter().position(|bucket| bucket.parts == parts);
        let at = match at {
            Some(at) => at,
            None if self.buckets.len() < MAX_BUCKETS => {
                self.buckets.push(Bucket { parts, by_digest: HashMap::default() });
                self.buckets.len() - 1
            }
            None => {
                self.others.push(rank);
                return;
            }
        };
        self.buckets[at].by_digest.entry(digest).or_default().push(rank);
    }

    /// The ranks of all stubs that can match, in order.
    pub(super) fn candidates(&self, request: &Value, out: &mut Vec<usize>) {
        out.clear();
        out.extend(&self.others);
        for bucket in &self.buckets {
            if let Some(ranks) = bucket.digest(request).and_then(|digest| bucket.by_digest.get(&digest)) {
                out.extend(ranks);
            }
        }
        out.sort_unstable();
    }
}

impl Index {
    /// The ranks of all stubs that can match what begins like this, in order: what looks at other parts of a request may
    /// match whatever is still to come.
    pub(super) fn candidates_by_head(&self, head: &Value, out: &mut Vec<usize>) {
        out.clear();
        out.extend(&self.others);
        for bucket in &self.buckets {
            let is_known = |part: &Part| head.get(part.path.first()).is_some();
            if !bucket.parts.iter().all(is_known) {
                out.extend(bucket.by_digest.values().flatten());
            } else if let Some(ranks) = bucket.digest(head).and_then(|digest| bucket.by_digest.get(&digest)) {
                out.extend(ranks);
            }
        }
        out.sort_unstable();
    }
}

impl Bucket {
    fn digest(&self, request: &Value) -> Option<u64> {
        let mut state = DefaultHasher::new();
        for part in &self.parts {
            let text = locate(&part.path, request)?.as_text()?;
            let text = match part.beginning {
                Some(length) => text.as_bytes().get(..length)?,
                None => text.as_bytes(),
            };
            text.hash(&mut state);
        }
        Some(state.finish())
    }
}

/// The parts by which a stub can be found, and their digest.
fn signature(stub: &Stub) -> (Vec<Part>, u64) {
    let mut known: Vec<(Part, &[u8])> = Vec::new();
    for condition in &stub.request {
        let (path, beginning, text) = match &condition.known {
            Known::Text(path, text) => (path, None, text.as_bytes()),
            Known::Beginning(path, text) => {
                let length = text.len().min(LONGEST_BEGINNING) / STEP * STEP;
                (path, Some(length), &text.as_bytes()[..length])
            }
            Known::Nothing => continue,
        };
        if !text.is_empty() {
            known.push((Part { path: path.clone(), beginning }, text));
        }
    }
    // What is exact first, and in one order, so that the order in which a stub is written makes no bucket of its own.
    known.sort_by_cached_key(|(part, _)| {
        (part.beginning.is_some(), part.path.segments().len(), part.path.to_string())
    });
    known.truncate(MAX_PARTS);
    let mut state = DefaultHasher::new();
    for (_, text) in &known {
        text.hash(&mut state);
    }
    (known.into_iter().map(|(part, _)| part).collect(), state.finish())
}
