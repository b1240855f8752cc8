//! Reads what was captured, away from the path of the bytes, and tells the witness.

use crate::hold::By;
use crate::observer::{Callers, Dialled, Seen, Taken, Witness};
use crate::pulse::Pulse;
use crate::unread::{Passing, Place, Unread};
use foldhash::HashMap;
use seam_event::{ComponentId, Interaction, InteractionError};
use std::sync::Arc;

/// Items that room is kept for.
const MOST_ROOM: usize = 16 * 1024;

/// Who reads, with what it remembers from one reading to the next.
pub(crate) struct Reader {
    pulse: Arc<Pulse>,
    witness: Box<dyn Witness>,
    callers: Box<dyn Callers>,
    /// Who holds each open connection, where that is known.
    holders: HashMap<u64, Option<ComponentId>>,
    next_id: u64,
    /// Under which id calls of open connections were told that were open, by their number on the connection.
    told_open: HashMap<(u64, u64), u64>,
    /// All seams by number, as far as they are known here.
    seams: Vec<Arc<Place>>,
    /// What was read last, emptied: the queue grows into it again.
    emptied: Vec<Seen>,
}

impl Reader {
    pub(crate) fn new(pulse: Arc<Pulse>, witness: Box<dyn Witness>, callers: Box<dyn Callers>) -> Self {
        Self {
            pulse,
            witness,
            callers,
            holders: HashMap::default(),
            next_id: 1,
            told_open: HashMap::default(),
            seams: Vec::new(),
            emptied: Vec::new(),
        }
    }

    /// Gets to know the seams that were registered since.
    pub(crate) fn learn(&mut self, seams: &[Arc<Place>]) {
        self.seams.extend(seams[self.seams.len()..].iter().cloned());
    }

    /// Room for what is queued next: what was read last, unless that was unusually much.
    pub(crate) fn room(&mut self) -> Vec<Seen> {
        let mut room = std::mem::take(&mut self.emptied);
        if room.capacity() > MOST_ROOM {
            room = Vec::new();
        }
        room
    }

    /// Tells all of it, in order.
    pub(crate) fn tell_all(&mut self, mut taken: Taken) {
        self.look_up_callers(&taken.items);
        for item in taken.items.drain(..) {
            self.tell(item);
        }
        self.emptied = taken.items;
        for (seam, count) in taken.lost {
            self.witness.lost(&self.seams[seam].0, count);
        }
    }

    /// Finds the owners of all newly accepted connections at once. The tests' own need no looking up: nobody
    /// else is given their addresses.
    fn look_up_callers(&mut self, items: &[Seen]) {
        let opened: Vec<(u64, Dialled)> = items
            .iter()
            .filter_map(|item| match item {
                Seen::Opened { seam, connection, between } if !self.seams[*seam].0.consumer.is_test() => {
                    Some((*connection, *between))
                }
                _ => None,
            })
            .collect();
        if opened.is_empty() {
            return;
        }
        let connections: Vec<Dialled> = opened.iter().map(|(_, between)| *between).collect();
        let owners = self.callers.owners(&connections);
        for ((connection, _), owner) in opened.into_iter().zip(owners) {
            self.holders.insert(connection, owner);
        }
    }

    fn tell(&mut self, item: Seen) {
        match item {
            Seen::Opened { seam, connection, .. } => {
                let seam = &self.seams[seam].0;
                let holder = self.holders.get(&connection).cloned().flatten();
                let other = holder.filter(|holder| *holder != seam.consumer);
                self.witness.connection(seam, connection, "opened", other.as_ref());
            }
            Seen::Closed { seam, connection, state } => {
                self.witness.connection(&self.seams[seam].0, connection, state, None);
                self.holders.remove(&connection);
                if !self.told_open.is_empty() {
                    self.told_open.retain(|(other, _), _| *other != connection);
                }
            }
            Seen::Degraded { seam, connection, reason } => {
                self.witness.degraded(&self.seams[seam].0, connection, &reason);
            }
            Seen::Unsaid { seam, name, reason } => {
                self.witness.unsaid(&self.seams[seam].0, &name, &reason);
            }
            Seen::StubFailed { seam, stub, reason } => {
                self.witness.stub_failed(&self.seams[seam].0, &stub, &reason);
            }
            Seen::Struck { seam, rule } => self.witness.struck(&self.seams[seam].0, &rule),
            Seen::Unreached { seam, error } => self.witness.unreached(&self.seams[seam].0, &error),
            Seen::Refused { seam, connection, by } => {
                let at = self.pulse.now();
                let refused = self.passing(seam, connection).begun(at);
                let answered_by = by.map(|rule| By::Fault(rule).to_string());
                let error = Some(InteractionError::Refused);
                self.witness.interaction(Interaction { error, answered_by, ..refused });
            }
            Seen::Exchange { seam, connection, exchange, by } => {
                let passing = self.passing(seam, connection);
                self.witness.unread(Unread::new(passing, exchange, by));
            }
            Seen::Open { seam, connection, exchange, by, number } => {
                let mut passing = self.passing(seam, connection);
                let known = self.told_open.entry((connection, number));
                passing.id = *known.or_insert(passing.id);
                self.witness.unread(Unread::new(passing, exchange, by));
            }
        }
    }

    /// The next interaction of a seam.
    fn passing(&mut self, seam: usize, connection: u64) -> Passing {
        let id = self.next_id;
        self.next_id += 1;
        let holder = self.holders.get(&connection).cloned().flatten();
        Passing { id, place: Arc::clone(&self.seams[seam]), connection, holder }
    }
}
