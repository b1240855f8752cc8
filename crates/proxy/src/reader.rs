//! Reads what was captured, away from the path of the bytes, and tells the witness.

use crate::hold::By;
use crate::observer::{Callers, Dialled, Seen, Taken, Witness};
use crate::pulse::Pulse;
use crate::unread::Unread;
use seam_event::{Caller, ComponentId, Interaction, InteractionError, SeamId};
use seam_value::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Who reads, with what it remembers from one reading to the next.
pub(crate) struct Reader {
    pulse: Arc<Pulse>,
    witness: Box<dyn Witness>,
    callers: Box<dyn Callers>,
    /// Who holds each open connection, where that is known.
    holders: HashMap<u64, Option<ComponentId>>,
    next_id: u64,
    /// All seams by number, as far as they are known here.
    seams: Vec<(SeamId, &'static str)>,
}

impl Reader {
    pub(crate) fn new(pulse: Arc<Pulse>, witness: Box<dyn Witness>, callers: Box<dyn Callers>) -> Self {
        Self { pulse, witness, callers, holders: HashMap::new(), next_id: 1, seams: Vec::new() }
    }

    /// Gets to know the seams that were registered since.
    pub(crate) fn learn(&mut self, seams: &[(SeamId, &'static str)]) {
        self.seams.extend(seams[self.seams.len()..].iter().cloned());
    }

    /// Tells all of it, in order.
    pub(crate) fn tell_all(&mut self, taken: Taken) {
        self.look_up_callers(&taken.items);
        for item in taken.items {
            self.tell(item);
        }
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
                let refused = self.interaction(seam, connection, at);
                let answered_by = by.map(|rule| By::Fault(rule).to_string());
                let error = Some(InteractionError::Refused);
                self.witness.interaction(Interaction { error, answered_by, ..refused });
            }
            Seen::Exchange { seam, connection, exchange, by } => {
                let blank = self.interaction(seam, connection, exchange.began);
                self.witness.unread(Unread::new(blank, exchange, by));
            }
        }
    }

    /// An interaction of a seam with nothing in it yet.
    fn interaction(&mut self, seam: usize, connection: u64, at: Duration) -> Interaction {
        let (seam, protocol) = &self.seams[seam];
        let id = self.next_id;
        self.next_id += 1;
        let holder = self.holders.get(&connection).cloned().flatten();
        let known = holder.is_some() || seam.consumer.is_test();
        Interaction {
            id,
            seam: seam.clone(),
            from: holder.unwrap_or_else(|| seam.consumer.clone()),
            to: seam.provider.clone(),
            via: None,
            caller: if known { Caller::Known } else { Caller::Assumed },
            protocol: (*protocol).to_owned(),
            connection,
            at,
            elapsed: None,
            error: None,
            request: Value::Null,
            reply: Value::Null,
            message: Value::Null,
            cut: false,
            answered_by: None,
        }
    }
}
