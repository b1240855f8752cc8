//! Between the proxy's thread, which captures, and the witness, who is told away from the path of the bytes.
//!
//! ```text
//! proxy's thread ──tell──▶ queue ──▶ reader ──▶ witness
//!  (never waits)                       ▲
//!                                      ├ the observer's thread, every few milliseconds while anything happens
//!                                      └ whoever needs to know all up to now
//! ```
//!
//! Nobody is woken for each exchange: that alone would more than double what watching costs. Whoever needs to know
//! that all has been told up to now ([`Proxy::drain`](crate::Proxy::drain)) reads the little that is queued itself,
//! which is done before the observer's thread could be woken; what takes long is left to that thread.

use crate::hold::{By, Rule};
use crate::pulse::Pulse;
use crate::reach::ExternalError;
use crate::reader::Reader;
use crate::unread::{Place, Unread};
use seam_event::{ComponentId, Interaction, SeamId};
use seam_wire::{Exchange, Protocol};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the queue is emptied when nobody asks.
const TICK: Duration = Duration::from_millis(5);

/// After so many ticks in which nothing happened the next thing that happens wakes the observer's thread: seldom enough that
/// it costs nobody anything.
const IDLE_TICKS: u32 = 40;

/// How long it waits for that at most.
const REST: Duration = Duration::from_secs(1);

/// Bytes that the queue may hold before exchanges are dropped, and counted as lost.
const QUEUE_BYTES: usize = 256 * 1024 * 1024;

/// What somebody who asks reads at once himself: more items or bytes are left to the observer's thread.
const LITTLE: usize = 64;
const LITTLE_BYTES: usize = 64 * 1024;

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
    /// The same, not read yet. Whoever keeps many and is asked for few reads them then: reading costs more than all
    /// else that a seam does.
    fn unread(&mut self, unread: Unread) {
        let seam = unread.seam().clone();
        match unread.read() {
            Some(interaction) => self.interaction(interaction),
            None => self.lost(&seam, 1),
        }
    }
    /// A connection is watched as plain bytes from here on.
    fn degraded(&mut self, seam: &SeamId, connection: u64, reason: &str);
    /// Somebody else's component could not be reached by its name. The refusal is told as well.
    fn unreached(&mut self, seam: &SeamId, error: &ExternalError) {
        let _ = (seam, error);
    }
    /// Something that a rule was to say on a seam can't be said in the protocol's terms.
    fn unsaid(&mut self, seam: &SeamId, name: &str, reason: &str) {
        let _ = (seam, name, reason);
    }
    /// A stub on a seam has an answer that can't be said.
    fn stub_failed(&mut self, seam: &SeamId, stub: &str, reason: &str) {
        let _ = (seam, stub, reason);
    }
    /// A fault struck something on a seam.
    fn struck(&mut self, seam: &SeamId, rule: &Rule) {
        let _ = (seam, rule);
    }
    /// So many interactions of a seam could not be kept.
    fn lost(&mut self, seam: &SeamId, count: u64);
}

/// Who owns the socket of a client? Asked on the observer's thread soon after the connection was accepted.
pub trait Callers: Send {
    /// The owner of the client's end of each of these connections, in their order; none where nobody can be found.
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>>;
}

/// Where it does not matter who calls: nobody is ever found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strangers;

impl Callers for Strangers {
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>> {
        connections.iter().map(|_| None).collect()
    }
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
        /// Who answered or broke it off, where that was not the provider.
        by: Option<By>,
    },
    /// A call was open when somebody wanted to know, or has ended that was told so.
    Open {
        /// The seam's number.
        seam: usize,
        /// The connection's number.
        connection: u64,
        /// What was captured of it so far.
        exchange: Exchange,
        /// Who answered or broke it off, where that was not the provider.
        by: Option<By>,
        /// Its number among those of its connection that were told like this: the same each time.
        number: u64,
    },
    /// A fault struck.
    Struck {
        /// The seam's number.
        seam: usize,
        /// The fault.
        rule: Arc<Rule>,
    },
    /// Nothing listened behind the seam when a connection was to be passed on.
    Refused {
        /// The seam's number.
        seam: usize,
        /// The connection's number.
        connection: u64,
        /// The fault whose doing that is; filled in where it is told.
        by: Option<Arc<Rule>>,
    },
    /// Somebody else's component could not be reached by its name.
    Unreached {
        /// The seam's number.
        seam: usize,
        /// Why.
        error: ExternalError,
    },
    /// Something that a rule was to say could not be said in the protocol's terms.
    Unsaid {
        /// The seam's number.
        seam: usize,
        /// What it was.
        name: String,
        /// Why.
        reason: String,
    },
    /// A stub has an answer that can't be said.
    StubFailed {
        /// The seam's number.
        seam: usize,
        /// Its name.
        stub: Arc<str>,
        /// Why.
        reason: String,
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

/// The queue between the proxy's thread and the witness, and the ways to have it emptied.
pub(crate) struct Observer {
    pulse: Arc<Pulse>,
    queue: Mutex<Queue>,
    /// Who reads the queue; one at a time, so that all is told in order.
    reader: Mutex<Reader>,
    /// Woken when somebody waits for the queue to be emptied.
    asked: Condvar,
    /// Woken when it has been.
    emptied: Condvar,
    /// Is the proxy's thread in the middle of something? While it is not, all that anybody has received is queued.
    at_work: AtomicBool,
    /// Are there seams that refuse? What the kernel refused is known only to those who ask it.
    refusing: AtomicBool,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that the observer's thread is to know")]
struct Queue {
    items: Vec<Seen>,
    bytes: usize,
    /// Is there something that should not wait for the next tick, and takes the observer's thread long?
    is_urgent: bool,
    /// Dropped exchanges by seam.
    lost: HashMap<usize, u64>,
    /// All seams by number, with the protocol that is spoken there.
    seams: Vec<Arc<Place>>,
    /// Was anything taken since the observer's thread last looked, by whomever?
    was_taken: bool,
    /// Does that thread wait for something to be queued?
    rests: bool,
    /// How often somebody has asked for the queue to be emptied, and up to which request that was done.
    n_asked: u64,
    n_answered: u64,
    stopping: bool,
    /// Which rule makes a seam refuse, by the seam's number.
    refusers: HashMap<usize, Arc<Rule>>,
}

/// What was queued.
pub(crate) struct Taken {
    /// What happened, in order.
    pub(crate) items: Vec<Seen>,
    /// Dropped exchanges by seam.
    pub(crate) lost: HashMap<usize, u64>,
    n_asked: u64,
    stopping: bool,
}

/// While this lives, the proxy's thread is in the middle of something.
pub(crate) struct AtWork<'a>(&'a Observer);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.store(false, Ordering::SeqCst);
    }
}

impl Observer {
    /// Starts the observer's thread.
    pub(crate) fn start(
        pulse: Arc<Pulse>,
        witness: Box<dyn Witness>,
        callers: Box<dyn Callers>,
    ) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let reader = Mutex::new(Reader::new(Arc::clone(&pulse), witness, callers));
        let observer = Arc::new(Self {
            pulse,
            queue: Mutex::default(),
            reader,
            asked: Condvar::new(),
            emptied: Condvar::new(),
            at_work: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
        });
        let own = Arc::clone(&observer);
        let thread = std::thread::Builder::new().name("observer".to_owned()).spawn(move || own.read())?;
        Ok((observer, thread))
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Makes a seam known and gives it a number.
    pub(crate) fn register(&self, seam: SeamId, protocol: &'static dyn Protocol) -> usize {
        let mut queue = self.lock();
        queue.seams.push(Arc::new((seam, protocol.name())));
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

    /// Says that the proxy's thread does something that others may see before it has told it.
    pub(crate) fn at_work(&self) -> AtWork<'_> {
        self.at_work.store(true, Ordering::SeqCst);
        AtWork(self)
    }

    /// Are there seams that refuse?
    pub(crate) fn set_refusing(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::SeqCst);
    }

    /// Is all queued that anybody has received or been refused by now? Known without asking the proxy's thread
    /// while that one rests and no seam refuses. Often it is just about to rest: looking at an answer takes it a few
    /// microseconds after it was passed on, which is less than being woken takes.
    pub(crate) fn has_all(&self) -> bool {
        const LOOKS: usize = 200;
        !self.refusing.load(Ordering::SeqCst)
            && (0..LOOKS).any(|_| {
                let rests = !self.at_work.load(Ordering::SeqCst);
                if !rests {
                    std::hint::spin_loop();
                }
                rests
            })
    }

    /// Which rule makes a seam refuse, by the seam's number.
    pub(crate) fn refused_by(&self, refusers: Vec<(usize, Option<Arc<Rule>>)>) {
        let mut queue = self.lock();
        for (seam, rule) in refusers {
            match rule {
                Some(rule) => queue.refusers.insert(seam, rule),
                None => queue.refusers.remove(&seam),
            };
        }
    }

    /// Puts something into the queue. Never waits for the observer.
    pub(crate) fn tell(&self, mut seen: Seen) {
        let mut queue = self.lock();
        match &mut seen {
            Seen::Exchange { seam, exchange, .. } | Seen::Open { seam, exchange, .. } => {
                let size = exchange.captured.size();
                if queue.bytes + size > QUEUE_BYTES {
                    *queue.lost.entry(*seam).or_default() += 1;
                    return;
                }
                queue.bytes += size;
            }
            // What refuses now may be gone when it is read.
            Seen::Refused { seam, by, .. } => {
                *by = queue.refusers.get(seam).cloned();
                if let Some(rule) = by.clone() {
                    rule.struck();
                    queue.items.push(Seen::Struck { seam: *seam, rule });
                }
            }
            // A client may be gone a moment after it came: who it is must be looked up at once.
            Seen::Opened { seam, .. } if !queue.seams[*seam].0.consumer.is_test() => {
                queue.is_urgent = true;
                self.asked.notify_one();
            }
            _ => {}
        }
        queue.items.push(seen);
        if std::mem::take(&mut queue.rests) {
            self.asked.notify_one();
        }
    }

    /// Tells the witness all that is queued, here and now, if it is little; false if it is not, or somebody else is
    /// at it.
    pub(crate) fn drain_here(&self) -> bool {
        let mut reader = match self.reader.try_lock() {
            Ok(reader) => reader,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let taken = {
            let mut queue = self.lock();
            if queue.is_urgent || queue.items.len() > LITTLE || queue.bytes > LITTLE_BYTES {
                return false;
            }
            queue.take(&mut reader)
        };
        reader.tell_all(taken);
        true
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

    /// The observer's thread: reads after every tick, and when somebody asks. Where nothing has happened for a while it
    /// rests until something does.
    fn read(&self) {
        let mut n_idle = 0;
        loop {
            self.wait_for_work(&mut n_idle);
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = self.lock().take(&mut reader);
            let (n_asked, stopping) = (taken.n_asked, taken.stopping);
            reader.tell_all(taken);
            drop(reader);
            self.lock().n_answered = n_asked;
            self.emptied.notify_all();
            if stopping {
                return;
            }
        }
    }

    /// Waits for a tick, and before that, after so many in which nothing happened, for something to happen.
    fn wait_for_work(&self, n_idle: &mut u32) {
        let mut queue = self.lock();
        if *n_idle >= IDLE_TICKS && queue.is_idle() {
            queue.rests = true;
            queue = self.asked.wait_timeout(queue, REST).unwrap_or_else(PoisonError::into_inner).0;
            queue.rests = false;
        }
        if !queue.is_called() {
            queue = self.asked.wait_timeout(queue, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        let was_idle = !std::mem::take(&mut queue.was_taken) && queue.items.is_empty();
        *n_idle = if was_idle { n_idle.saturating_add(1) } else { 0 };
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that holds this lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Does somebody wait for the observer's thread?
    fn is_called(&self) -> bool {
        self.n_asked != self.n_answered || self.stopping || self.is_urgent
    }

    /// Is there nothing for it to do?
    fn is_idle(&self) -> bool {
        self.items.is_empty() && self.lost.is_empty() && !self.is_called()
    }

    /// Takes all that is queued, and makes seams known to the reader that it does not know.
    fn take(&mut self, reader: &mut Reader) -> Taken {
        self.bytes = 0;
        self.is_urgent = false;
        self.was_taken |= !self.items.is_empty();
        reader.learn(&self.seams);
        Taken {
            items: std::mem::replace(&mut self.items, reader.room()),
            lost: std::mem::take(&mut self.lost),
            n_asked: self.n_asked,
            stopping: self.stopping,
        }
    }
}
