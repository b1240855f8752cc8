//! Puts rows, sequences, materialized views and large objects of one database back, in one transaction.
//!
//! Tables are emptied by DELETE and filled by COPY: no lock that a reader would meet, and no change of structure, so
//! that statements that components have prepared stay good. Foreign keys, triggers and rules rest meanwhile
//! (`session_replication_role`), which is right, since what is written is what they once let through.

use super::ask::{ask, flag, number, pipe, send, text, trouble};
use super::kept::{KeptDatabase, KeptRows};
use super::sessions;
use super::structure::{Content, Kind};
use crate::postgres::server::Server;
use crate::state::{HeldOpen, StateError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

/// How long we wait for a lock before its holders are ended.
const LOCK_LIMIT: Duration = Duration::from_millis(500);

/// How often holders of locks are ended before we give up.
const TRIES: u32 = 5;

/// From how many dead rows on a table is cleaned; and not before they are twice as many as the living ones.
const MANY_DEAD: u64 = 200;

/// What is to be put back in a database.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Tables and materialized views.
    pub(super) relations: BTreeSet<u32>,
    pub(super) sequences: BTreeSet<u32>,
    pub(super) large_objects: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The transaction that wrote.
    pub(super) transaction: Option<u64>,
    /// How many rows each table lost: they lie dead in it.
    pub(super) deleted: BTreeMap<u32, u64>,
    pub(super) held_open: Vec<HeldOpen>,
}

/// What stopped the work: an error of the session that writes, or one of another.
enum Stopped {
    Here(Error),
    Elsewhere(StateError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

impl From<StateError> for Stopped {
    fn from(error: StateError) -> Self {
        Self::Elsewhere(error)
    }
}

/// Puts things back in one database.
pub(super) struct Restorer<'r> {
    pub(super) server: &'r Server,
    pub(super) client: &'r Client,
    pub(super) name: &'r str,
    pub(super) kept: &'r KeptDatabase,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.relations.is_empty() && self.sequences.is_empty() && !self.large_objects
    }
}

/// A number of all rows' contents: the same rows give the same.
pub(super) fn sum_of(relation: &str) -> String {
    format!(
        "select count(*) || ' ' || coalesce(sum(hashtextextended((seam_row.*)::text, 0)), 0) \
         from only {relation} seam_row"
    )
}

/// Values of sequences and whether they were given out, by the sequence's number.
pub(super) async fn sequences(
    client: &Client,
    content: &Content,
) -> Result<BTreeMap<u32, (i64, bool)>, StateError> {
    let parts = content
        .sequences
        .iter()
        .map(|(oid, sequence)| format!("select {oid}, last_value, is_called from {}", sequence.name));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut answers = ask(client, &parts.join(" union all ")).await.map_err(trouble("read the sequences"))?;
    let value = |row: &_| (number(row, 0), (number(row, 1), flag(row, 2)));
    Ok(answers.next().iter().map(value).collect())
}

impl Restorer<'_> {
    /// Does the work; who holds locks in its way is ended.
    pub(super) async fn restore(&self, work: &Work) -> Result<Done, StateError> {
        let mut held_open = Vec::new();
        for _ in 0..TRIES {
            let error = match self.transaction(work).await {
                Ok(done) => return Ok(Done { held_open, ..done }),
                Err(Stopped::Elsewhere(error)) => return Err(error),
                Err(Stopped::Here(error)) => error,
            };
            let in_the_way = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
            if !error.code().is_some_and(|code| in_the_way.contains(code)) {
                return Err(trouble(format!("restore {}", self.name))(error));
            }
            ask(self.client, "rollback").await.map_err(trouble(format!("restore {}", self.name)))?;
            let relations: Vec<u32> = work.relations.iter().copied().collect();
            let holders = sessions::holders(self.client, &relations).await?;
            sessions::end(self.client, holders.iter().map(|held| held.session)).await?;
            held_open.extend(holders);
        }
        Err(StateError::Late {
            what: format!("waiting for locks in {}", self.name),
            limit: LOCK_LIMIT * TRIES,
        })
    }

    async fn transaction(&self, work: &Work) -> Result<Done, Stopped> {
        let of_kind = |view: bool| {
            let relations =
                work.relations.iter().filter_map(|oid| Some((oid, self.kept.content.relations.get(oid)?)));
            relations.filter(move |(_, relation)| (relation.kind == Kind::View) == view)
        };
        let tables: Vec<_> = of_kind(false).collect();
        let always = if tables.is_empty() { Vec::new() } else { self.always(work).await? };
        let mut begin = format!(
            "begin; set local lock_timeout = {}; set local synchronous_commit = off; select txid_current();",
            LOCK_LIMIT.as_millis()
        );
        for (off, _) in &always {
            let _ = write!(begin, "{off};");
        }
        let n_before = 4 + always.len();
        for (_, table) in &tables {
            let _ = write!(begin, "delete from only {};", table.name);
        }
        let mut answers = ask(self.client, &begin).await?;
        let mut done = Done::default();
        for nth in 0..n_before {
            match nth {
                3 => done.transaction = answers.value().parse().ok(),
                _ => drop(answers.next()),
            }
        }
        for (oid, _) in &tables {
            done.deleted.insert(**oid, answers.count());
        }
        for (oid, table) in &tables {
            self.fill(**oid, &table.name).await?;
        }
        if work.large_objects {
            self.large_objects().await?;
        }
        let mut finish = String::new();
        for oid in &work.sequences {
            self.set_sequence(*oid, &mut finish);
        }
        for (oid, view) in of_kind(true) {
            let data = if self.kept.unfilled.contains(oid) { "with no data" } else { "" };
            let _ = write!(finish, "refresh materialized view {} {data};", view.name);
        }
        for (_, on) in &always {
            let _ = write!(finish, "{on};");
        }
        ask(self.client, &format!("{finish} commit")).await?;
        Ok(done)
    }

    /// Triggers and rules that work even while rows are put back: how each is switched off, and on again.
    async fn always(&self, work: &Work) -> Result<Vec<(String, String)>, Error> {
        let tables: Vec<String> = work.relations.iter().map(u32::to_string).collect();
        let list = tables.join(",");
        let question = format!(
            "select tgrelid::regclass, 'trigger ' || quote_ident(tgname), tgenabled from pg_trigger \
                  where not tgisinternal and tgenabled in ('A', 'R') and tgrelid in ({list}) \
                 union all \
                 select ev_class::regclass, 'rule ' || quote_ident(rulename), ev_enabled from pg_rewrite \
                  where ev_enabled in ('A', 'R') and ev_class in ({list})"
        );
        let rows = ask(self.client, &question).await?.next();
        let switch = |row: &_| {
            let (table, what) = (text(row, 0), text(row, 1));
            let how = if text(row, 2) == "A" { "always" } else { "replica" };
            (
                format!("alter table {table} disable {what}"),
                format!("alter table {table} enable {how} {what}"),
            )
        };
        Ok(rows.iter().map(switch).collect())
    }

    /// Fills an empty table with its rows.
    async fn fill(&self, oid: u32, table: &str) -> Result<(), Stopped> {
        let into = format!("copy {table} from stdin with (encoding {})", self.kept.encoding());
        if let Some(KeptRows { rows, .. }) = self.kept.unlogged.get(&oid) {
            return Ok(send(rows, self.client, &into).await?);
        }
        let session = self.kept.original.session(self.server).await?;
        let Some(original) = session.as_ref() else { return Ok(()) };
        let out = format!("copy {table} to stdout with (encoding {})", self.kept.encoding());
        Ok(pipe(original, &out, self.client, &into).await?)
    }

    fn set_sequence(&self, oid: u32, finish: &mut String) {
        let known = self.kept.content.sequences.get(&oid).zip(self.kept.sequences.get(&oid));
        let Some((sequence, (value, called))) = known else { return };
        if sequence.stocked {
            // Sessions forget the numbers they keep in stock when the sequence gets a new file.
            let _ = write!(finish, "alter sequence {} restart with {value};", sequence.name);
        }
        let _ = write!(finish, "select setval({oid}::regclass, {value}, {called});");
    }

    /// Large objects are rows of the catalogue; which ones there are goes through PostgreSQL's own functions, so
    /// that it knows who owns them.
    async fn large_objects(&self) -> Result<(), Stopped> {
        const LIST: &str = "select oid, lomowner, coalesce(lomacl::text, '') from pg_largeobject_metadata";
        let now = ask(self.client, LIST).await?.next();
        let now: BTreeSet<u32> = now.iter().map(|row| number(row, 0)).collect();
        let mut work = String::new();
        let mut kept = BTreeMap::new();
        let session = if self.kept.original.is_fresh() {
            None
        } else {
            Some(self.kept.original.session(self.server).await?)
        };
        let original = session.as_ref().and_then(|session| session.as_ref());
        if let Some(original) = original {
            for row in ask(original, LIST).await?.next() {
                kept.insert(number::<u32>(&row, 0), (text(&row, 1), text(&row, 2)));
            }
        }
        for oid in now.iter().filter(|oid| !kept.contains_key(oid)) {
            let _ = write!(work, "select lo_unlink({oid});");
        }
        for (oid, (owner, rights)) in &kept {
            if !now.contains(oid) {
                let _ = write!(work, "select lo_create({oid});");
            }
            let rights = if rights.is_empty() {
                "null".to_owned()
            } else {
                format!("'{}'", rights.replace('\'', "''"))
            };
            let _ = write!(
                work,
                "update pg_largeobject_metadata set lomowner = {owner}, lomacl = {rights} where oid = {oid} \
                   and (lomowner, lomacl::text) is distinct from ({owner}::oid, {rights});"
            );
        }
        ask(self.client, &format!("{work} delete from pg_largeobject")).await?;
        if let Some(original) = original {
            pipe(original, "copy pg_largeobject to stdout", self.client, "copy pg_largeobject from stdin")
                .await?;
        }
        Ok(())
    }
}

/// Cleans tables in which restoring has left many dead rows, which makes reading them slow. `dead` is what lies in
/// each, of which what was cleaned is taken off.
pub(super) async fn clean(
    client: &Client,
    content: &Content,
    dead: &mut BTreeMap<u32, (u64, u64)>,
) -> Result<(), StateError> {
    let many = |(now, all): (u64, u64)| all >= MANY_DEAD && all >= now.saturating_mul(2);
    let full: Vec<u32> = dead.iter().filter(|(_, counts)| many(**counts)).map(|(oid, _)| *oid).collect();
    let names: Vec<&str> =
        full.iter().filter_map(|oid| Some(content.relations.get(oid)?.name.as_str())).collect();
    if !names.is_empty() {
        let statement = format!("vacuum (skip_locked) {}", names.join(", "));
        ask(client, &statement).await.map_err(trouble("clean tables"))?;
    }
    for oid in full {
        dead.remove(&oid);
    }
    Ok(())
}
