//! Sessions of fetching: a consumer says once what it wants, and from then on only what has changed.

use super::bytes::Reader;
use super::calls::{Head, each_partition, forgotten};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A partition that is fetched: topic, number, and from which offset on.
pub(super) type Wanted = (Vec<u8>, i32, i64);

/// How manieth a request is that begins a session, and one that has none.
const FIRST: i32 = 0;
const LAST: i32 = -1;

/// A session with more partitions is not followed.
const MOST: usize = 10_000;

/// The session of one connection, of which a client has one with each broker.
#[derive(Clone, Default)]
pub(super) struct Session {
    wanted: BTreeMap<(Vec<u8>, i32), i64>,
    /// Was it seen from its beginning, and is it not too large?
    is_known: bool,
    /// The same as it is handed out.
    all: Arc<[Wanted]>,
}

impl Session {
    /// A `Fetch` request: all that it asks for, with what was said before. None where that is what it says itself.
    pub(super) fn follow(&mut self, head: Head, body: Reader<'_>) -> Option<Arc<[Wanted]>> {
        let mut listed = Vec::new();
        let around = each_partition(head, (false, body), &mut |partition| {
            listed.push(((partition.topic.to_vec(), partition.number), partition.offset));
        })?;
        let (_, how_manieth) = around.session.filter(|(_, how_manieth)| *how_manieth != LAST)?;
        let is_changed = how_manieth == FIRST || !listed.is_empty();
        if how_manieth == FIRST {
            self.wanted.clear();
            self.is_known = true;
        } else if !self.is_known {
            return None;
        }
        self.wanted.extend(listed);
        let n_before = self.wanted.len();
        let mut gone = around.after?;
        forgotten(&mut gone, &mut |topic, number| {
            self.wanted.remove(&(topic.to_vec(), number));
        });
        if self.wanted.len() > MOST {
            *self = Self::default();
            return None;
        }
        if is_changed || self.wanted.len() != n_before {
            let all = self.wanted.iter();
            self.all = all.map(|((topic, number), offset)| (topic.clone(), *number, *offset)).collect();
        }
        (how_manieth != FIRST).then(|| Arc::clone(&self.all))
    }
}
