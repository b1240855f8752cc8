//! The only writer of a run's history: one thread that masks, stores and hands on.

use crate::mask::{Masker, Secret};
use crate::queue::{Batch, Losses, Queue};
use crate::store::Store;
use crate::subscription::{Subscriber, pair};
use crate::{Recorder, RunFolder, Subscription, body};
use seam_diag::Sources;
use seam_event::{Event, Level, Notice, Scope, StoredFile, What};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the end of a run waits for a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a run can't be stored.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {path}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the machine said.
    pub source: io::Error,
}

/// The history of a living run. Dropped without [`Writer::finish`] it ends as an interrupted one.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    masker: Masker,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What came of writing.
#[derive(Debug, Default)]
pub struct Ending {
    /// All events, where the history was kept in memory only.
    pub events: Vec<Event>,
    /// How many events were not kept.
    pub lost: u64,
    /// Why the stored run is not whole, to be told: it ends as an interrupted one does.
    pub trouble: Option<String>,
}

/// What the writer's thread and its owner both see.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    subscribers: Vec<Subscriber>,
    /// Where a body is kept that the owner hands over directly.
    store: Option<StoreSlot>,
    written: u64,
    lost: u64,
    memory: Vec<Event>,
    trouble: Option<String>,
    ended: bool,
}

/// The store, shared so that the user's files can be kept before anything runs.
#[derive(Clone)]
struct StoreSlot(Arc<Mutex<Store>>);

impl std::fmt::Debug for StoreSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreSlot")
    }
}

impl Writer {
    /// Begins to store a run in its folder that begins now.
    pub fn start(folder: &RunFolder, secrets: &[Secret]) -> Result<Self, WriteError> {
        Self::start_since(Instant::now(), folder, secrets)
    }

    /// Begins to store a run that began at this moment: the zero of all its times. Whoever tells times of their own,
    /// such as the proxy of its interactions, must count from the same moment.
    pub fn start_since(began: Instant, folder: &RunFolder, secrets: &[Secret]) -> Result<Self, WriteError> {
        let store = Store::create(folder)?;
        Self::with(Some(store), secrets, Queue::new().since(began))
            .map_err(|source| WriteError { path: folder.events(), source })
    }

    /// Keeps a run in memory only: for tests, and for what nobody wants to see again.
    pub fn in_memory(secrets: &[Secret]) -> Self {
        Self::with(None, secrets, Queue::new()).expect("a machine that runs tests can start a thread")
    }

    pub(crate) fn with(store: Option<Store>, secrets: &[Secret], queue: Queue) -> io::Result<Self> {
        let queue = Arc::new(queue);
        let masker = Masker::new(secrets);
        let shared = Arc::new(Shared::default());
        let store = store.map(|store| StoreSlot(Arc::new(Mutex::new(store))));
        shared.lock().store.clone_from(&store);
        let desk = Desk {
            queue: queue.clone(),
            masker: masker.clone(),
            shared: shared.clone(),
            store,
            own: VecDeque::new(),
            last: 0,
            sightings: std::collections::HashSet::new(),
            tried: Instant::now(),
            is_told: false,
        };
        let thread = std::thread::Builder::new().name("history".into()).spawn(move || desk.run())?;
        Ok(Self { queue, masker, shared, thread: Some(thread) })
    }

    /// A handle for those who tell what happens.
    pub fn recorder(&self) -> Recorder {
        Recorder { queue: self.queue.clone() }
    }

    /// What masks in this run, for texts that go elsewhere than into the history: the logs of components.
    pub fn masker(&self) -> Masker {
        self.masker.clone()
    }

    /// All events from now on, with room for so many that are not taken yet.
    pub fn subscribe(&self, room: usize) -> Subscription {
        let (subscriber, subscription) = pair(room);
        self.shared.lock().subscribers.push(subscriber);
        subscription
    }

    /// Keeps the user's files and gives them as they are kept: with asterisks for declared secrets, of the same
    /// length, so that all places stay true. Reports draw from these, live or later.
    pub fn keep_files(&self, sources: &Sources) -> Result<(Vec<StoredFile>, Sources), WriteError> {
        let (mut stored, mut masked) = (Vec::new(), Sources::default());
        let store = self.shared.lock().store.clone();
        for (_, file) in sources.files() {
            let text = self.masker.file(&file.text);
            let hash = body::hash(text.as_bytes());
            if let Some(StoreSlot(store)) = &store {
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                store
                    .keep(&hash, text.as_bytes())
                    .map_err(|source| WriteError { path: file.path.clone(), source })?;
            }
            stored.push(StoredFile { path: file.path.to_string_lossy().into_owned(), hash });
            masked.add(file.path.clone(), text);
        }
        Ok((stored, masked))
    }

    /// Waits until all that was recorded so far is written and handed on; `false` where that takes too long.
    pub fn flush(&self, within: Duration) -> bool {
        let last = self.queue.hurry();
        let deadline = Instant::now() + within;
        self.shared.wait(deadline, |progress| progress.written >= last || progress.ended)
    }

    /// Writes the last event, waits until all is written, and says what came of it. `reason`: `done`,
    /// `interrupted`, or why the run could not go on.
    pub fn finish(mut self, reason: &str) -> Ending {
        self.end(Some(What::Finished { reason: reason.into() }))
    }

    fn end(&mut self, last: Option<What>) -> Ending {
        self.queue.close(last);
        let in_time = self.shared.wait(Instant::now() + PATIENCE, |progress| progress.ended);
        let mut progress = self.shared.lock();
        if in_time && let Some(thread) = self.thread.take() {
            drop(progress);
            // It has said that it has ended: this waits for its last instructions only.
            let _ = thread.join();
            progress = self.shared.lock();
        }
        let hangs = (!in_time).then(|| format!("the disk did not take the history within {PATIENCE:?}"));
        Ending {
            events: std::mem::take(&mut progress.memory),
            lost: progress.lost,
            trouble: hangs.or_else(|| progress.trouble.take()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(None);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, deadline: Instant, done: impl Fn(&Progress) -> bool) -> bool {
        let mut progress = self.lock();
        while !done(&progress) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            progress = self.changed.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// How long nothing is tried after the disk refused.
const RECOVERY: Duration = Duration::from_millis(250);
/// How many places at which secrets were seen are told.
const MOST_SIGHTINGS: usize = 10_000;

/// The writer's thread.
struct Desk {
    queue: Arc<Queue>,
    masker: Masker,
    shared: Arc<Shared>,
    store: Option<StoreSlot>,
    /// Events of its own, which wait until all with lower numbers are written.
    own: VecDeque<Event>,
    last: u64,
    sightings: std::collections::HashSet<crate::mask::Sighting>,
    tried: Instant,
    /// Was it told that the disk refuses?
    is_told: bool,
}

impl Desk {
    fn run(mut self) {
        let mut was_idle = false;
        let mut is_last = false;
        while !is_last {
            let Batch { events, losses, closed } = self.queue.take(was_idle);
            was_idle = events.is_empty();
            self.tell_losses(losses);
            for event in events {
                self.write(event);
            }
            self.write_own();
            is_last = closed && was_idle && self.own.is_empty();
            if is_last {
                self.write_last();
            }
            self.settle_disk();
            self.shared.lock().written = self.last;
            self.shared.changed.notify_all();
        }
        let mut progress = self.shared.lock();
        if let Some(StoreSlot(store)) = &self.store {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            progress.lost += store.losses.count();
            progress.trouble = store.trouble.as_ref().map(ToString::to_string);
        }
        // Frees the file's lock and tells subscribers that nothing more will come.
        progress.store = None;
        progress.subscribers.clear();
        progress.ended = true;
        self.store = None;
        self.shared.changed.notify_all();
    }

    /// The end of the run. Whether it can be stored decides how the run reads later, so that a full disk is given
    /// one more chance.
    fn write_last(&mut self) {
        self.recover();
        self.write_own();
        if let Some(what) = self.queue.last() {
            let event = self.queue.stamped(Scope::default(), None, what);
            self.write(event);
        }
    }

    /// One event of others: masked, with what was masked told behind it.
    fn write(&mut self, mut event: Event) {
        self.write_own_before(event.seq);
        for sighting in self.masker.event(&mut event) {
            if self.sightings.len() < MOST_SIGHTINGS && self.sightings.insert(sighting.clone()) {
                let what = What::Secret { name: sighting.name.to_string(), where_seen: sighting.place };
                self.own.push_back(self.queue.stamped(event.scope.clone(), Some(event.seq), what));
            }
        }
        self.hand_on(event);
        self.write_own();
    }

    /// Events of its own whose turn has come: nothing with a lower number is still to come.
    fn write_own(&mut self) {
        self.write_own_before(self.last + 2);
    }

    fn write_own_before(&mut self, seq: u64) {
        let mut seq = seq;
        while self.own.front().is_some_and(|event| event.seq < seq) {
            if let Some(event) = self.own.pop_front() {
                self.hand_on(event);
                seq = seq.max(self.last + 2);
            }
        }
    }

    fn hand_on(&mut self, mut event: Event) {
        self.last = event.seq;
        match &self.store {
            Some(StoreSlot(store)) => {
                store.lock().unwrap_or_else(PoisonError::into_inner).add(&mut event);
            }
            None => self.shared.lock().memory.push(event.clone()),
        }
        let mut progress = self.shared.lock();
        if !progress.subscribers.is_empty() {
            let event = Arc::new(event);
            progress.subscribers.retain(|subscriber| subscriber.offer(&event));
        }
    }

    fn tell_losses(&mut self, losses: Losses) {
        self.shared.lock().lost += losses.count();
        for what in losses.into_events() {
            self.own.push_back(self.queue.stamped(Scope::default(), None, what));
        }
    }

    /// Brings the lines to the disk; after a refusal tries again now and then.
    fn settle_disk(&mut self) {
        let Some(StoreSlot(slot)) = self.store.clone() else { return };
        let mut store = slot.lock().unwrap_or_else(PoisonError::into_inner);
        store.commit();
        let reason = store.trouble.as_ref().map(ToString::to_string);
        drop(store);
        match reason {
            None => self.is_told = false,
            Some(reason) if !self.is_told => {
                self.is_told = true;
                self.tried = Instant::now();
                let text = format!("the history can't be stored any further: {reason}");
                let notice = What::Notice(Notice::new(Level::Warning, text));
                self.own.push_back(self.queue.stamped(Scope::default(), None, notice));
            }
            Some(_) if self.tried.elapsed() >= RECOVERY => self.recover(),
            Some(_) => {}
        }
    }

    /// Where the disk takes lines again, what was lost is told first.
    fn recover(&mut self) {
        self.tried = Instant::now();
        let Some(StoreSlot(slot)) = self.store.clone() else { return };
        let losses = slot.lock().unwrap_or_else(PoisonError::into_inner).recover();
        self.tell_losses(losses);
    }
}
