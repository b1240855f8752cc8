//! Reads what was captured, away from the path of the bytes, and tells a witness.
//!
//! The proxy's thread pushes into a queue and never waits; this thread empties it every few milliseconds. It is
//! not woken for each exchange: that alone would more than double what watching costs. Whoever needs to know
//! that all has been told up to now asks for it ([`Proxy::drain`](crate::Proxy::drain)).

use crate::pulse::Pulse;
use seam_event::{Caller, ComponentId, Interaction, InteractionError, SeamId};
use seam_value::Value;
use seam_wire::{Exchange, Protocol};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the queue is emptied when nobody asks.
const TICK: Duration = Duration::from_millis(5);

/// Bytes that the queue may hold before exchanges are dropped, and counted as lost.
const QUEUE_BYTES: usize = 256 * 1024 * 1024;

/// Whom the observer tells. Called on the observer's thread, in order.
pub trait Witness: Send {
    /// A connection opened, closed, was reset or refused. `caller` says who really holds it where that is
    /// another than the declared consumer.
    fn connection(
        &mut self,
        seam: &SeamId,
        connection: u64,
        state: &'static str,
        caller: Option<&ComponentId>,
    );
    /// One request with its reply, or one message.
    fn interaction(&mut self, interaction: Interaction);
    /// A connection is watched as plain bytes from here on.
    fn degraded(&mut self, seam: &SeamId, connection: u64, reason: &str);
    /// So many interactions of a seam could not be kept.
    fn lost(&mut self, seam: &SeamId, count: u64);
}

/// Who owns the socket of a client? Asked on the observer's thread soon after the connection was accepted.
pub trait Callers: Send {
    /// The owner of the client's end of each of these connections, in their order; none where nobody can be found.
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>>;
}

/// A connection that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// Where the client's socket is bound.
    pub client: SocketAddr,
    /// The seam's address, which it dialled.
    pub dialled: SocketAddr,
}

/// What the proxy's thread tells the observer.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A connection was accepted.
    Opened {
        /// The seam's number.
        seam: usize,
        /// The connection's number.
        connection: u64,
        /// Between which addresses.
        between: Dialled,
    },
    /// A connection ended: `closed`, `reset`, `refused`.
    Closed {
        /// The seam's number.
        seam: usize,
        /// The connection's number.
        connection: u64,
        /// How.
        state: &'static str,
    },
    /// An exchange is finished.
    Exchange {
        /// The seam's number.
        seam: usize,
        /// The connection's number.
        connection: u64,
        /// What was captured of it.
        exchange: Exchange,
    },
    /// Nothing listened behind the seam when a connection was to be passed on.
    Refused {
        /// The seam's number.
        seam: usize,
        /// The connection's number.
        connection: u64,
    },
    /// A connection goes on as plain bytes.
    Degraded {
        /// The seam's number.
        seam: usize,
        /// The connection's number.
        connection: u64,
        /// What surprised the decoder.
        reason: String,
    },
}

/// The queue between the proxy's thread and the observer's, and the way to wait until it is empty.
pub(crate) struct Observer {
    pulse: Arc<Pulse>,
    queue: Mutex<Queue>,
    /// Woken when somebody waits for the queue to be emptied.
    asked: Condvar,
    /// Woken when it has been.
    emptied: Condvar,
}

#[derive(Default)]
struct Queue {
    items: Vec<Seen>,
    bytes: usize,
    /// Dropped exchanges by seam.
    lost: HashMap<usize, u64>,
    /// All seams by number, with the protocol that is spoken there.
    seams: Vec<(SeamId, &'static str)>,
    /// How often somebody has asked for the queue to be emptied, and up to which request that was done.
    n_asked: u64,
    n_answered: u64,
    /// Is there something that should not wait for the next tick?
    is_urgent: bool,
    stopping: bool,
}

impl Observer {
    /// Starts the observer's thread.
    pub(crate) fn start(
        pulse: Arc<Pulse>,
        witness: Box<dyn Witness>,
        callers: Box<dyn Callers>,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let observer =
            Arc::new(Self { pulse, queue: Mutex::default(), asked: Condvar::new(), emptied: Condvar::new() });
        let reader = Reader {
            observer: Arc::clone(&observer),
            witness,
            callers,
            holders: HashMap::new(),
            next_id: 1,
            seams: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("observer".to_owned()).spawn(move || reader.read())?;
        Ok((observer, thread))
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Makes a seam known and gives it a number.
    pub(crate) fn register(&self, seam: SeamId, protocol: &'static dyn Protocol) -> usize {
        let mut queue = self.lock();
        queue.seams.push((seam, protocol.name()));
        queue.seams.len() - 1
    }

    /// Is it a seam of the tests themselves?
    pub(crate) fn is_of_test(&self, seam: usize) -> bool {
        self.lock().seams[seam].0.consumer.is_test()
    }

    /// The seam of a number.
    pub(crate) fn seam(&self, number: usize) -> SeamId {
        self.lock().seams[number].0.clone()
    }

    /// Puts something into the queue. Never waits for the observer.
    pub(crate) fn tell(&self, seen: Seen) {
        let mut queue = self.lock();
        if let Seen::Exchange { seam, exchange, .. } = &seen {
            let size = exchange.captured.size();
            if queue.bytes + size > QUEUE_BYTES {
                *queue.lost.entry(*seam).or_default() += 1;
                return;
            }
            queue.bytes += size;
        }
        // A client may be gone a moment after it came: who it is must be looked up at once.
        let is_urgent =
            matches!(&seen, Seen::Opened { seam, .. } if !queue.seams[*seam].0.consumer.is_test());
        queue.items.push(seen);
        if is_urgent {
            queue.is_urgent = true;
            self.asked.notify_one();
        }
    }

    /// Waits until all that has been seen up to now was told to the witness, at most so long. False if the time
    /// was not enough. Blocks the thread: call it where that does no harm.
    pub(crate) fn drain(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut queue = self.lock();
        queue.n_asked += 1;
        let mine = queue.n_asked;
        self.asked.notify_one();
        while queue.n_answered < mine {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || queue.stopping {
                return queue.n_answered >= mine;
            }
            queue = self.emptied.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Empties the queue a last time and ends the thread.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.asked.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that holds this lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the observer's thread owns.
struct Reader {
    observer: Arc<Observer>,
    witness: Box<dyn Witness>,
    callers: Box<dyn Callers>,
    /// Who holds each open connection, where that is known.
    holders: HashMap<u64, Option<ComponentId>>,
    next_id: u64,
    /// All seams by number, as far as they are known here.
    seams: Vec<(SeamId, &'static str)>,
}

/// What was queued.
struct Taken {
    items: Vec<Seen>,
    lost: HashMap<usize, u64>,
    n_asked: u64,
    stopping: bool,
}

impl Reader {
    fn read(mut self) {
        loop {
            let taken = self.take();
            self.look_up_callers(&taken.items);
            for item in taken.items {
                self.tell(item);
            }
            for (seam, count) in taken.lost {
                self.witness.lost(&self.seams[seam].0, count);
            }
            self.observer.lock().n_answered = taken.n_asked;
            self.observer.emptied.notify_all();
            if taken.stopping {
                return;
            }
        }
    }

    /// Takes all that is queued, after a tick or when somebody asks.
    fn take(&mut self) -> Taken {
        let mut queue = self.observer.lock();
        if queue.n_asked == queue.n_answered && !queue.stopping && !queue.is_urgent {
            queue = self.observer.asked.wait_timeout(queue, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.bytes = 0;
        queue.is_urgent = false;
        let n_known = self.seams.len();
        self.seams.extend(queue.seams[n_known..].iter().cloned());
        Taken {
            items: std::mem::take(&mut queue.items),
            lost: std::mem::take(&mut queue.lost),
            n_asked: queue.n_asked,
            stopping: queue.stopping,
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
            Seen::Refused { seam, connection } => {
                let at = self.observer.pulse.now();
                let refused = self.interaction(seam, connection, at);
                self.witness.interaction(Interaction { error: Some(InteractionError::Refused), ..refused });
            }
            Seen::Exchange { seam, connection, exchange } => {
                let blank = self.interaction(seam, connection, exchange.began);
                let captured = exchange.captured;
                let Ok(parts) = catch_unwind(AssertUnwindSafe(|| captured.read())) else {
                    self.witness.lost(&self.seams[seam].0, 1);
                    return;
                };
                self.witness.interaction(Interaction {
                    elapsed: exchange.ended.map(|ended| ended.saturating_sub(exchange.began)),
                    error: exchange.error,
                    request: parts.request,
                    reply: parts.reply,
                    message: parts.message,
                    cut: exchange.cut || parts.cut,
                    ..blank
                });
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
        }
    }
}
