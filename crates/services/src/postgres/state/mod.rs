//! Keeps the state of a server, and makes it what it was: in place, under the components' open connections.
//!
//! ```text
//! keep:     end open transactions ─▶ note the place in the log of changes ─▶ copy the files of each database
//! restore:  end open transactions ─▶ read the log from that place on: which tables were written to
//!                                 ─▶ empty and fill these; set the sequences that differ
//! ```
//!
//! What was not written to is not touched, so the time goes with what a test has written, not with what there is.

mod ask;
mod database;
mod kept;
mod original;
mod rebuild;
mod rows;
mod sessions;
mod structure;
#[cfg(test)]
mod tests;
mod wal;
mod watch;

use super::OUR_DATABASES;
use super::seed::{literal, quoted};
use super::server::Server;
use crate::places::Places;
use crate::state::{HeldOpen, Kept, Restored, StateError};
use ask::{ask, fetch, number, sign_in, text, trouble};
use database::{Outcome, Restoring};
use kept::{KeptDatabase, KeptRows, KeptState, Properties};
use original::{Doomed, Original};
use sessions::Look;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use structure::{Content, Kind, Structure};
use tokio::time::Instant;
use tokio_postgres::Client;
use watch::Watched;

/// How long keeping or restoring may take: a database may be large.
const LIMIT: Duration = Duration::from_mins(2);

/// How often the files are copied because somebody wrote meanwhile.
const COPIES: u32 = 3;

/// The state of one server: what is kept of it, and what has happened since.
pub(super) struct States {
    server: Server,
    places: Places,
    /// By which kept states know whose they are.
    owner: Arc<()>,
    doomed: Doomed,
    inner: tokio::sync::Mutex<Inner>,
}

/// What one keeps and restores with; only one does at a time.
#[derive(Default)]
struct Inner {
    /// Our session for what concerns the whole server.
    admin: Option<Client>,
    /// Our sessions in the databases.
    sessions: BTreeMap<String, Client>,
    watched: Watched,
    /// How many copies there were, for their names.
    n_copies: u32,
    /// Living and dead rows of tables that were put back, by database.
    dead: BTreeMap<String, BTreeMap<u32, (u64, u64)>>,
}

impl States {
    pub(super) fn new(server: Server, places: Places) -> Self {
        let (owner, doomed, inner) = (Arc::default(), Doomed::default(), tokio::sync::Mutex::default());
        Self { server, places, owner, doomed, inner }
    }

    /// Keeps everything.
    pub(super) async fn keep(&self) -> Result<Kept, StateError> {
        let began = Instant::now();
        let mut inner = self.inner.lock().await;
        let kept = match tokio::time::timeout(LIMIT, self.keep_all(&mut inner)).await {
            Ok(kept) => kept,
            Err(_) => Err(StateError::Late { what: "keeping the state".to_owned(), limit: LIMIT }),
        };
        if kept.is_err() {
            inner.forget();
        }
        kept.map(|kept| Kept { took: began.elapsed(), ..kept })
    }

    /// Makes everything as it was.
    pub(super) async fn restore(&self, kept: &Kept) -> Result<Restored, StateError> {
        let began = Instant::now();
        let state: &Arc<KeptState> = kept.inner.downcast_ref().ok_or(StateError::Foreign)?;
        if !Arc::ptr_eq(&state.owner, &self.owner) {
            return Err(StateError::Foreign);
        }
        let mut inner = self.inner.lock().await;
        let restored = match tokio::time::timeout(LIMIT, self.restore_all(&mut inner, state)).await {
            Ok(restored) => restored,
            Err(_) => Err(StateError::Late { what: "restoring the state".to_owned(), limit: LIMIT }),
        };
        if restored.is_err() {
            inner.forget();
        }
        restored.map(|restored| Restored { took: began.elapsed(), ..restored })
    }

    async fn keep_all(&self, inner: &mut Inner) -> Result<Kept, StateError> {
        let mut held_open = Vec::new();
        inner.open(&self.server).await?;
        self.drop_doomed(inner.admin()).await?;
        for nth in 1.. {
            let look = self.make_quiet(inner, &mut held_open).await?;
            inner.catch_up(&self.server).await?;
            let mut databases = BTreeMap::new();
            for (name, oid) in &look.databases {
                databases.insert(name.clone(), self.keep_database(inner, name, *oid).await?);
            }
            let state = Arc::new(KeptState::new(&self.owner, databases, roles(inner.admin()).await?));
            inner.watched.add(&state);
            let written = inner.catch_up(&self.server).await?;
            if !written || nth == COPIES {
                let note =
                    "something wrote to the databases while their state was kept: the system is not quiet";
                let notes = written.then(|| note.to_owned()).into_iter().collect();
                return Ok(Kept { inner: Box::new(state), took: Duration::ZERO, held_open, notes });
            }
        }
        unreachable!("the loop ends at its last try")
    }

    async fn keep_database(
        &self,
        inner: &mut Inner,
        name: &str,
        oid: u32,
    ) -> Result<KeptDatabase, StateError> {
        let known = inner.watched.unchanged(name);
        let known = known.as_ref().and_then(|state| state.databases.get(name));
        let client = inner.session(&self.server, name).await?;
        let content = Content::read(client).await?;
        let structure = match known {
            Some(known) => known.structure.clone(),
            None => Structure::read(client).await?,
        };
        let properties = properties(client).await?;
        let sequences = rows::sequences(client, &content).await?;
        let mut unlogged = BTreeMap::new();
        for (oid, table) in content.relations.iter().filter(|(_, table)| table.kind == Kind::Unlogged) {
            unlogged.insert(*oid, kept_rows(client, &table.name, &properties.encoding).await?);
        }
        let more = "select oid from pg_class where relkind = 'm' and not relispopulated; \
                    select 1 from pg_largeobject_metadata limit 1";
        let mut more = ask(client, more).await.map_err(trouble("look at views and large objects"))?;
        let unfilled = more.next().iter().map(|row| number(row, 0)).collect();
        let is_bare = content.relations.is_empty() && structure.is_bare() && more.next().is_empty();
        let original = match known {
            Some(known) => Arc::clone(&known.original),
            None if is_bare => Arc::new(Original::fresh()),
            None => {
                inner.n_copies += 1;
                let copy = format!("{OUR_DATABASES}kept_{}", inner.n_copies);
                let ground =
                    original::Ground { server: &self.server, places: &self.places, admin: inner.admin() };
                Arc::new(ground.copy(oid, &copy, &self.doomed).await?)
            }
        };
        inner.watched.know(name, oid, content.clone());
        Ok(KeptDatabase { original, structure, content, sequences, unlogged, unfilled, properties })
    }

    async fn restore_all(&self, inner: &mut Inner, kept: &Arc<KeptState>) -> Result<Restored, StateError> {
        let mut restored = Restored::default();
        inner.open(&self.server).await?;
        inner.watched.begin();
        let look = self.make_quiet(inner, &mut restored.held_open).await?;
        if !inner.watched.is_untouched(&look) {
            inner.catch_up(&self.server).await?;
        }
        for (name, _) in &look.databases {
            if kept.databases.contains_key(name) {
                inner.session(&self.server, name).await?;
            } else {
                inner.watched.lose_count();
                inner.sessions.remove(name);
                rebuild::drop_database(inner.admin(), name).await?;
                restored.changed.push(format!("the database {name}, which was new"));
            }
        }
        let there = look.databases.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        let restoring = kept.databases.iter().enumerate().map(|(nth, (name, database))| Restoring {
            server: &self.server,
            admin: inner.admin(),
            client: inner.sessions.get(name).filter(|_| there.contains(&name.as_str())),
            name,
            kept: database,
            dirty: kept.dirty().get(name).cloned().unwrap_or_default(),
            nth,
        });
        let outcomes = futures_util::future::join_all(restoring.map(Restoring::run)).await;
        for (name, outcome) in kept.databases.keys().zip(outcomes) {
            inner.note(name, kept, outcome?, &mut restored);
        }
        restore_roles(inner, kept, &mut restored).await?;
        inner.clean(kept).await?;
        let after = Look::take(inner.admin()).await?;
        inner.watched.finish(&look, &after);
        Ok(restored)
    }

    /// Ends open transactions, and tells whose they were.
    async fn make_quiet(&self, inner: &mut Inner, held_open: &mut Vec<HeldOpen>) -> Result<Look, StateError> {
        let quiet = sessions::make_quiet(inner.admin()).await?;
        held_open.extend(quiet.ended);
        for (database, name) in &quiet.prepared {
            let client = inner.session(&self.server, database).await?;
            let statement = format!("rollback prepared {}", literal(name));
            ask(client, &statement).await.map_err(trouble("end a prepared transaction"))?;
        }
        Ok(quiet.look)
    }

    /// Drops copies that nobody needs any more.
    async fn drop_doomed(&self, admin: &Client) -> Result<(), StateError> {
        let doomed = std::mem::take(&mut *self.doomed.lock().unwrap_or_else(PoisonError::into_inner));
        for name in doomed {
            rebuild::drop_database(admin, &name).await?;
        }
        Ok(())
    }
}

impl Inner {
    /// Signs in anew where the server was started anew.
    async fn open(&mut self, server: &Server) -> Result<(), StateError> {
        if self.admin.as_ref().is_none_or(Client::is_closed) {
            self.sessions.clear();
            self.admin = Some(sign_in(server, "postgres").await?);
        }
        Ok(())
    }

    fn admin(&self) -> &Client {
        self.admin.as_ref().expect("it was opened before anything else")
    }

    /// Our session in a database.
    async fn session(&mut self, server: &Server, name: &str) -> Result<&Client, StateError> {
        if self.sessions.get(name).is_none_or(Client::is_closed) {
            self.sessions.insert(name.to_owned(), sign_in(server, name).await?);
        }
        Ok(&self.sessions[name])
    }

    /// Reads on in the log of changes, and notes what was written to. Was anything?
    async fn catch_up(&mut self, server: &Server) -> Result<bool, StateError> {
        let admin = self.admin.as_ref().expect("it was opened before anything else");
        let found = self.watched.read_on(server, admin).await?;
        let mut written = false;
        for (name, mut dirty) in found {
            written |= dirty.is_written();
            if dirty.structure {
                // Tables that were emptied or written anew lie in other files.
                let known = self.watched.known(&name).cloned();
                if let (Some((oid, before)), Ok(client)) = (known, self.session(server, &name).await) {
                    let now = Content::read(client).await?;
                    dirty.relations.extend(before.moved(&now));
                    self.watched.know(&name, oid, now);
                }
            }
            self.watched.note(&name, &dirty);
        }
        Ok(written)
    }

    /// Notes what restoring a database has come to.
    fn note(&mut self, name: &str, kept: &Arc<KeptState>, outcome: Outcome, restored: &mut Restored) {
        restored.changed.extend(outcome.changed.iter().map(|what| format!("{name}.{what}")));
        restored.notes.extend(outcome.notes);
        restored.held_open.extend(outcome.held_open);
        self.watched.count(&outcome.wrote);
        self.watched.restored(name, kept, outcome.rebuilt.is_some());
        let dead = self.dead.entry(name.to_owned()).or_default();
        for (oid, n_deleted) in outcome.deleted {
            let counts = dead.entry(oid).or_default();
            *counts = (n_deleted, counts.1 + n_deleted);
        }
        let oid = outcome.rebuilt.as_ref().map(|(oid, _)| *oid);
        let oid = oid.or_else(|| self.watched.known(name).map(|(oid, _)| *oid));
        if let (Some(oid), Some(content)) = (oid, outcome.content) {
            self.watched.know(name, oid, content);
        }
        if let Some((_, client)) = outcome.rebuilt {
            self.sessions.insert(name.to_owned(), client);
            self.dead.remove(name);
        }
    }

    /// Cleans tables in which restoring has left much.
    async fn clean(&mut self, kept: &KeptState) -> Result<(), StateError> {
        for (name, dead) in &mut self.dead {
            if let (Some(client), Some(database)) = (self.sessions.get(name), kept.databases.get(name)) {
                rows::clean(client, &database.content, dead).await?;
            }
        }
        Ok(())
    }

    /// After an error nothing is certain any more: sessions may be amidst something.
    fn forget(&mut self) {
        self.admin = None;
        self.sessions.clear();
        self.watched.forget();
    }
}

async fn properties(client: &Client) -> Result<Properties, StateError> {
    let question = "select pg_encoding_to_char(encoding), pg_get_userbyid(datdba), datacl::text, datconnlimit \
                    from pg_database where datname = current_database()";
    let rows = ask(client, question).await.map_err(trouble("look at a database"))?.next();
    let Some(row) = rows.first() else { return Ok(Properties::default()) };
    let rights = row.get(2).map(str::to_owned);
    Ok(Properties { encoding: text(row, 0), owner: text(row, 1), rights, limit: number(row, 3) })
}

async fn kept_rows(client: &Client, table: &str, encoding: &str) -> Result<KeptRows, StateError> {
    let wrong = || trouble(format!("keep {table}"));
    let sum = ask(client, &rows::sum_of(table)).await.map_err(wrong())?.value();
    let out = format!("copy {table} to stdout with (encoding {})", literal(encoding));
    Ok(KeptRows { sum, rows: fetch(client, &out).await.map_err(wrong())? })
}

/// Users and groups with what is known of each.
async fn roles(admin: &Client) -> Result<BTreeMap<String, String>, StateError> {
    let question = "select rolname, md5(to_jsonb(r)::text) from pg_authid r where oid >= 16384";
    let rows = ask(admin, question).await.map_err(trouble("look at the roles"))?.next();
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

/// Drops roles that a test has made, and tells which others it has changed.
async fn restore_roles(
    inner: &mut Inner,
    kept: &KeptState,
    restored: &mut Restored,
) -> Result<(), StateError> {
    let now = roles(inner.admin()).await?;
    for name in now.keys().filter(|name| !kept.roles.contains_key(*name)) {
        inner.watched.lose_count();
        match ask(inner.admin(), &format!("drop role {}", quoted(name))).await {
            Ok(_) => restored.changed.push(format!("the role {name}, which was new")),
            Err(error) => {
                restored.notes.push(format!("the role {name} stays: {}", super::server::reason(&error)));
            }
        }
    }
    for (name, content) in &kept.roles {
        match now.get(name) {
            None => restored.notes.push(format!("the role {name} was dropped and is not put back")),
            Some(found) if found != content => {
                restored.notes.push(format!("the role {name} was changed and stays so"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
