//! Keeps what a Redis holds, and puts it back: only the keys that have changed, under the components' connections.
//!
//! Throwing everything away and writing it anew would be simpler, and wrong: who waits for a stream of which it is a
//! consumer would be told that the stream is gone.

use super::client::{AskError, Client, Command, Reply, command, sound};
use super::running::Server;
use super::snapshot::{Besides, Counters, Entry, Reader, Snapshot, with_key};
use crate::state::{HeldOpen, Kept, Restored, StateError};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long keeping or restoring may take.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a script may go on before it is ended.
const SCRIPT_LIMIT: Duration = Duration::from_secs(1);

/// How often we look whether a script has ended.
const POLL: Duration = Duration::from_millis(5);

/// How many keys are told by name.
const TOLD: usize = 10;

/// What is kept of one server, and what has happened since.
pub(super) struct States {
    server: Server,
    /// By which kept states know whose they are.
    owner: Arc<()>,
    inner: tokio::sync::Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    client: Option<Client>,
    kept: Vec<Weak<KeptKeys>>,
    /// How the server stood when we had looked or written last.
    rest: Option<Counters>,
}

/// A kept state.
struct KeptKeys {
    owner: Arc<()>,
    snapshot: Snapshot,
    /// What may differ from it by now.
    dirty: Mutex<Dirty>,
    /// What DUMP gives of keys that were put back, where that is another text for the same: a set has no order.
    aliases: Mutex<BTreeMap<Key, Bytes>>,
}

/// Which keys may differ, in whichever database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Dirty {
    names: BTreeSet<Bytes>,
    /// Any may.
    any: bool,
    /// Something was written, so perhaps to what changes silently.
    silent: bool,
}

/// A key in a database.
type Key = (u32, Bytes);

impl KeptKeys {
    fn dirty(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn aliases(&self) -> MutexGuard<'_, BTreeMap<Key, Bytes>> {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is a key as it was kept?
    fn holds(&self, key: &Key, now: Option<&Entry>, time: u64) -> bool {
        match (self.snapshot.get(key), now) {
            (Some(was), Some(now)) => {
                let alias = || self.aliases().get(key).cloned();
                was.is(now) || alias().is_some_and(|payload| Entry { payload, ..was.clone() }.is(now))
            }
            (Some(was), None) => was.is_over(time),
            (None, now) => now.is_none(),
        }
    }
}

impl States {
    pub(super) fn new(server: Server) -> Self {
        Self { server, owner: Arc::default(), inner: tokio::sync::Mutex::default() }
    }

    /// Keeps everything.
    pub(super) async fn keep(&self) -> Result<Kept, StateError> {
        let began = Instant::now();
        let mut held_open = Vec::new();
        let mut inner = self.inner.lock().await;
        let kept = self.within("keep the keys", &mut inner, async |inner| {
            let counters = self.catch_up(inner, &mut held_open).await?;
            let known = inner.living().into_iter().rev().find(|kept| !kept.dirty().any);
            let mut reader = self.reader(inner);
            let snapshot = match known {
                // Most is as it was when it was kept last.
                Some(known) => {
                    let mut snapshot = known.snapshot.clone();
                    snapshot.besides = reader.besides().await?;
                    for (key, entry) in reader.differences(&known, &counters).await? {
                        snapshot.put(key, entry);
                    }
                    snapshot
                }
                None => reader.everything(&counters).await?,
            };
            inner.rest = Some(counters);
            Ok(snapshot)
        });
        let snapshot = kept.await?;
        let (owner, dirty, aliases) = (Arc::clone(&self.owner), Mutex::default(), Mutex::default());
        let kept = Arc::new(KeptKeys { owner, snapshot, dirty, aliases });
        inner.kept.retain(|kept| kept.strong_count() > 0);
        inner.kept.push(Arc::downgrade(&kept));
        Ok(Kept { inner: Box::new(kept), took: began.elapsed(), held_open, notes: Vec::new() })
    }

    /// Makes everything as it was.
    pub(super) async fn restore(&self, kept: &Kept) -> Result<Restored, StateError> {
        let began = Instant::now();
        let kept: &Arc<KeptKeys> = kept.inner.downcast_ref().ok_or(StateError::Foreign)?;
        if !Arc::ptr_eq(&kept.owner, &self.owner) {
            return Err(StateError::Foreign);
        }
        let mut inner = self.inner.lock().await;
        let mut restored = Restored::default();
        let done = self.within("restore the keys", &mut inner, async |inner| {
            let counters = self.catch_up(inner, &mut restored.held_open).await?;
            let mut reader = self.reader(inner);
            let differences = reader.differences(kept, &counters).await?;
            let now = reader.now().await?;
            put_back(reader.client, &kept.snapshot, &differences, now).await?;
            reader.note_aliases(kept, &differences).await?;
            let client = reader.client;
            let keys: Vec<&Key> = differences.iter().map(|(key, _)| key).collect();
            restored.changed = told(&keys);
            let besides = Reader { client: &mut *client, major: self.server.major() }.besides().await?;
            put_back_besides(client, &kept.snapshot.besides, &besides, &mut restored).await?;
            let names = differences.into_iter().map(|((_, name), _)| name);
            inner.restored(kept, &names.collect());
            inner.rest = Some(self.reader(inner).counters().await?);
            Ok(())
        });
        done.await?;
        Ok(Restored { took: began.elapsed(), ..restored })
    }

    /// Does something within the time there is. After an error nothing is certain any more.
    async fn within<T>(
        &self,
        what: &str,
        inner: &mut Inner,
        work: impl AsyncFnOnce(&mut Inner) -> Result<T, AskError>,
    ) -> Result<T, StateError> {
        let done = tokio::time::timeout(LIMIT, work(inner)).await;
        if !matches!(done, Ok(Ok(_))) {
            inner.client = None;
        }
        match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(AskError::Lost(source))) => {
                Err(StateError::Unreachable { what: "the server".to_owned(), source: Box::new(source) })
            }
            Ok(Err(refused)) => Err(StateError::Refused { what: what.to_owned(), source: Box::new(refused) }),
            Err(_) => Err(StateError::Late { what: what.to_owned(), limit: LIMIT }),
        }
    }

    fn reader<'i>(&self, inner: &'i mut Inner) -> Reader<'i> {
        let client = inner.client.as_mut().expect("it was opened before anything else");
        Reader { client, major: self.server.major() }
    }

    /// Signs in where we are not, and notes for all kept states what has changed since we looked.
    async fn catch_up(&self, inner: &mut Inner, held_open: &mut Vec<HeldOpen>) -> Result<Counters, AskError> {
        if inner.client.as_ref().is_none_or(Client::is_lost) {
            let mut client = self.server.connect().await?;
            make_quiet(&mut client, held_open).await?;
            client.track().await?;
            inner.client = Some(client);
            inner.rest = None;
        }
        let client = inner.client.as_mut().expect("it was opened just now");
        make_quiet(client, held_open).await?;
        let mut counters = self.reader(inner).counters().await?;
        if counters.is_replica {
            let mut reader = self.reader(inner);
            reader.client.ask(&["REPLICAOF", "NO", "ONE"]).await?;
            counters = reader.counters().await?;
        }
        // What others changed in the turn of the server in which we asked is told after the answer.
        let client = inner.client.as_mut().expect("it was opened just now");
        client.ask(&["PING"]).await?;
        let (changed, is_told) = (client.take_changed(), client.is_told);
        let rest = inner.rest.as_ref();
        let same_writes = rest.is_some_and(|rest| rest.same_writes(&counters));
        let same_silent = rest.is_some_and(|rest| rest.same_silent(&counters));
        let any = changed.any || !same_silent || (!is_told && !same_writes);
        for kept in inner.living() {
            let mut dirty = kept.dirty();
            dirty.any |= any;
            dirty.silent |= !same_writes;
            dirty.names.extend(changed.names.iter().cloned());
        }
        Ok(counters)
    }
}

impl Inner {
    fn living(&self) -> Vec<Arc<KeptKeys>> {
        self.kept.iter().filter_map(Weak::upgrade).collect()
    }

    /// What is dirty against one state is so against the others when it is put back.
    fn restored(&mut self, kept: &Arc<KeptKeys>, names: &BTreeSet<Bytes>) {
        let dirty = std::mem::take(&mut *kept.dirty());
        for other in self.living().iter().filter(|other| !Arc::ptr_eq(other, kept)) {
            let mut others = other.dirty();
            others.any |= dirty.any;
            others.silent |= dirty.silent;
            others.names.extend(dirty.names.iter().chain(names).cloned());
        }
    }
}

impl Snapshot {
    fn put(&mut self, (database, name): Key, entry: Option<Entry>) {
        let keys = self.databases.entry(database).or_default();
        match entry {
            Some(entry) => drop(keys.insert(name, entry)),
            None => drop(keys.remove(&name)),
        }
    }

    fn get(&self, (database, name): &Key) -> Option<&Entry> {
        self.databases.get(database)?.get(name)
    }
}

impl Reader<'_> {
    /// Looks how keys that were put back are written now.
    async fn note_aliases(
        &mut self,
        kept: &KeptKeys,
        differences: &[(Key, Option<Entry>)],
    ) -> Result<(), AskError> {
        for database in differences.chunk_by(|one, next| one.0.0 == next.0.0) {
            let names: Vec<Bytes> = database.iter().map(|((_, name), _)| name.clone()).collect();
            let entries = self.entries(database[0].0.0, &names).await?;
            for ((key, _), entry) in database.iter().zip(entries) {
                let was = kept.snapshot.get(key).map(|was| &was.payload);
                if let Some(entry) = entry.filter(|entry| was != Some(&entry.payload)) {
                    kept.aliases().insert(key.clone(), entry.payload);
                }
            }
        }
        Ok(())
    }

    /// Keys that are not as they were kept, with what they are now.
    async fn differences(
        &mut self,
        kept: &KeptKeys,
        counters: &Counters,
    ) -> Result<Vec<(Key, Option<Entry>)>, AskError> {
        let dirty = kept.dirty().clone();
        let snapshot = &kept.snapshot;
        let time = self.now().await?;
        let databases: BTreeSet<u32> =
            snapshot.databases.keys().chain(&counters.databases).copied().collect();
        let none = BTreeMap::new();
        let mut differences = Vec::new();
        for database in databases {
            let known = snapshot.databases.get(&database).unwrap_or(&none);
            let is_used = counters.databases.contains(&database);
            let mut names: BTreeSet<Bytes> = if dirty.any {
                self.names(database).await?.into_iter().chain(known.keys().cloned()).collect()
            } else {
                dirty.names.iter().filter(|name| is_used || known.contains_key(*name)).cloned().collect()
            };
            if dirty.silent {
                names.extend(
                    known.iter().filter(|(_, entry)| entry.changes_silently()).map(|(name, _)| name.clone()),
                );
            }
            let names: Vec<Bytes> = names.into_iter().collect();
            let entries = self.entries(database, &names).await?;
            for (name, now) in names.into_iter().zip(entries) {
                let key = (database, name);
                if !kept.holds(&key, now.as_ref(), time) {
                    differences.push((key, now));
                }
            }
        }
        Ok(differences)
    }
}

/// Writes keys as they were kept.
async fn put_back(
    client: &mut Client,
    snapshot: &Snapshot,
    differences: &[(Key, Option<Entry>)],
    now: u64,
) -> Result<(), AskError> {
    let mut commands: Vec<Command> = Vec::new();
    let mut selected = None;
    for (key, _) in differences {
        if selected != Some(key.0) {
            commands.push(command(&["SELECT", &key.0.to_string()]));
            selected = Some(key.0);
        }
        commands.push(match snapshot.get(key) {
            Some(entry) if !entry.is_over(now) => {
                let mut restore = with_key("RESTORE", &key.1);
                restore.push(Bytes::from(entry.expires.to_string()));
                restore.push(entry.payload.clone());
                restore.extend(command(&["REPLACE", "ABSTTL"]));
                restore
            }
            // It is not there, or its time is over by now.
            _ => with_key("DEL", &key.1),
        });
    }
    let replies = client.ask_all(&commands).await?;
    for (command, reply) in commands.iter().zip(replies) {
        sound(command, reply)?;
    }
    Ok(())
}

/// Puts functions, users and configuration back.
async fn put_back_besides(
    client: &mut Client,
    kept: &Besides,
    now: &Besides,
    restored: &mut Restored,
) -> Result<(), AskError> {
    for (name, value) in kept.settings.iter().filter(|(name, value)| now.settings.get(*name) != Some(value)) {
        match client.ask(&["CONFIG", "SET", name, value]).await {
            Ok(_) => restored.changed.push(format!("the setting {name}")),
            Err(AskError::Refused { said, .. }) => {
                restored.notes.push(format!("the setting {name} stays: {said}"));
            }
            Err(lost) => return Err(lost),
        }
    }
    for name in now.users.keys().filter(|name| !kept.users.contains_key(*name)) {
        client.ask(&["ACL", "DELUSER", name]).await?;
        restored.changed.push(format!("the user {name}, who was new"));
    }
    for (name, line) in kept.users.iter().filter(|(name, line)| now.users.get(*name) != Some(line)) {
        let rules = line.split(' ').skip(2).filter(|rule| !rule.is_empty());
        let words: Vec<&str> = ["ACL", "SETUSER", name, "reset"].into_iter().chain(rules).collect();
        client.ask(&words).await?;
        restored.changed.push(format!("the user {name}"));
    }
    if let Some(functions) = kept.functions.as_ref().filter(|_| kept.functions != now.functions) {
        let mut restore = command(&["FUNCTION", "RESTORE"]);
        restore.extend([functions.clone(), Bytes::from_static(b"FLUSH")]);
        let reply = client.ask_all(std::slice::from_ref(&restore)).await?.pop();
        sound(&restore, reply.unwrap_or(Reply::Nothing))?;
        restored.changed.push("functions".to_owned());
    }
    Ok(())
}

/// Ends a pause that a test has made, and a script that does not end.
async fn make_quiet(client: &mut Client, held_open: &mut Vec<HeldOpen>) -> Result<(), AskError> {
    let began = Instant::now();
    // An older server knows no end of a pause.
    let asked = [command(&["CLIENT", "UNPAUSE"]), command(&["PING"])];
    loop {
        let replies = client.ask_all(&asked).await?;
        let Some(Reply::Error(said)) = replies.last().filter(|last| matches!(last, Reply::Error(_))) else {
            return Ok(());
        };
        if !said.starts_with("BUSY") {
            return Err(AskError::Refused { command: "PING".to_owned(), said: said.clone() });
        }
        if began.elapsed() >= SCRIPT_LIMIT && held_open.is_empty() {
            held_open.push(HeldOpen {
                database: String::new(),
                application: String::new(),
                user: "somebody".to_owned(),
                session: 0,
                open_for: began.elapsed(),
                what: "a script that did not end".to_owned(),
                query: String::new(),
            });
            client.ask_all(&[command(&["SCRIPT", "KILL"]), command(&["FUNCTION", "KILL"])]).await?;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Which keys there were, in words: `cart:7`, `11/price`.
fn told(keys: &[&Key]) -> Vec<String> {
    let word = |(database, name): &&Key| {
        let name = String::from_utf8_lossy(name).into_owned();
        if *database == 0 { name } else { format!("{database}/{name}") }
    };
    let mut told: Vec<String> = keys.iter().take(TOLD).map(word).collect();
    if keys.len() > TOLD {
        told.push(format!("{} more keys", keys.len() - TOLD));
    }
    told
}
