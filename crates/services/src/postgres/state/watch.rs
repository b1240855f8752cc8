//! What has happened since states were kept: which of them may differ in what from what is there now.
//!
//! Each kept state has a list of what is dirty against it. Whatever the log of changes tells is added to all lists;
//! restoring one state clears its list, and adds it to the others', for which its writing is writing too.

use super::ask::{ask, number, text, trouble};
use super::database::Wrote;
use super::kept::{Dirty, KeptState};
use super::sessions::Look;
use super::structure::{Content, Held};
use super::wal::{self, Log, Touched};
use crate::postgres::server::Server;
use crate::state::StateError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use tokio_postgres::Client;

/// What has happened, as far as we have looked.
#[derive(Default)]
pub(super) struct Watched {
    /// Up to where the log of changes was read.
    read_to: Option<u64>,
    /// Transactions of ours since then, which put things back and are no changes.
    own: BTreeSet<u32>,
    /// How the server stood after we had looked or written last: the next transaction's number, and when it was
    /// started. None where somebody else may have written meanwhile.
    rest: Option<(u64, String)>,
    /// How many transactions we had ourselves since the last look; none where they were not counted.
    n_own: Option<u64>,
    /// The databases that are kept: their number and content.
    databases: BTreeMap<String, (u32, Content)>,
    kept: Vec<Weak<KeptState>>,
}

/// What is asked before reading the log: everything up to here must be in its files.
const MARK: &str = "\
    set synchronous_commit = on; select pg_logical_emit_message(true, 'seamwork', ''); \
    select left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), current_setting('server_version_num'), \
           (select setting from pg_settings where name = 'wal_segment_size'), \
           (select unit from pg_settings where name = 'wal_segment_size'), current_setting('wal_block_size')";

impl Watched {
    /// Has certainly nobody written since we looked last?
    pub(super) fn is_untouched(&self, look: &Look) -> bool {
        self.rest.as_ref().is_some_and(|(next, started)| *next == look.next && *started == look.started)
    }

    /// Adds a state that was kept just now.
    pub(super) fn add(&mut self, state: &Arc<KeptState>) {
        self.kept.retain(|kept| kept.strong_count() > 0);
        self.kept.push(Arc::downgrade(state));
    }

    /// A living state in which the database stands as it is there now, but for sequences and unlogged tables.
    pub(super) fn unchanged(&self, name: &str) -> Option<Arc<KeptState>> {
        let same = |state: &Arc<KeptState>| {
            let dirty = state.dirty().get(name).cloned().unwrap_or_default();
            state.databases.contains_key(name) && Dirty { unlogged: false, ..dirty } == Dirty::default()
        };
        self.living().into_iter().rev().find(same)
    }

    /// Notes what a database is.
    pub(super) fn know(&mut self, name: &str, oid: u32, content: Content) {
        self.databases.insert(name.to_owned(), (oid, content));
    }

    /// The number and content of a database.
    pub(super) fn known(&self, name: &str) -> Option<&(u32, Content)> {
        self.databases.get(name)
    }

    /// Begins to count our own transactions.
    pub(super) fn begin(&mut self) {
        self.n_own = Some(0);
    }

    /// Counts our own transactions.
    pub(super) fn count(&mut self, wrote: &Wrote) {
        // The log has the lower half of a number.
        let short = |number: &u64| u32::try_from(number & 0xffff_ffff).unwrap_or_default();
        self.own.extend(wrote.transactions.iter().map(short));
        let n = wrote.transactions.len() as u64;
        self.n_own = self.n_own.filter(|_| !wrote.more).map(|before| before + n);
    }

    /// Notes that we had transactions which we cannot count.
    pub(super) fn lose_count(&mut self) {
        self.n_own = None;
    }

    /// Remembers how the server stands when we are done, if nobody else had a transaction meanwhile.
    pub(super) fn finish(&mut self, before: &Look, after: &Look) {
        let expected = self.n_own.map(|n| before.next + n);
        let alone = expected == Some(after.next) && before.started == after.started;
        self.rest = alone.then(|| (after.next, after.started.clone()));
    }

    /// What is dirty against one state is so against the others when it is put back.
    pub(super) fn restored(&mut self, name: &str, state: &Arc<KeptState>, rebuilt: bool) {
        let dirty = state.dirty().remove(name).unwrap_or_default();
        let dirty = if rebuilt { Dirty::unknown() } else { dirty };
        for other in self.living().iter().filter(|other| !Arc::ptr_eq(other, state)) {
            other.dirty().entry(name.to_owned()).or_default().add(&dirty);
        }
    }

    /// Reads on in the log of changes. Gives, by database, what was written to.
    pub(super) async fn read_on(
        &mut self,
        server: &Server,
        admin: &Client,
    ) -> Result<BTreeMap<String, Dirty>, StateError> {
        let mut answers = ask(admin, MARK).await.map_err(trouble("read the log of changes"))?;
        self.n_own = self.n_own.map(|n| n + 1);
        answers.next();
        let here = wal::place(&answers.value());
        let told = answers.next();
        let log = told.first().and_then(|row| {
            let unit = if text(row, 3) == "MB" { 1 << 20 } else { 1 };
            (number::<u64>(row, 4) == 8192).then(|| Log {
                folder: server.data.join("pg_wal"),
                segment: number::<u64>(row, 2) * unit,
                timeline: text(row, 0),
                major: number::<u32>(row, 1) / 10000,
            })
        });
        let from = std::mem::replace(&mut self.read_to, here);
        let own = std::mem::take(&mut self.own);
        let touched = match (log, from, here) {
            // Nothing was kept before.
            (_, None, _) => Some(Touched::default()),
            (Some(log), Some(from), Some(here)) => {
                let read = tokio::task::spawn_blocking(move || log.read(from, here, &own));
                read.await.ok().flatten()
            }
            _ => None,
        };
        let all = self.databases.iter();
        Ok(all.map(|(name, (oid, content))| (name.clone(), dirty(*oid, content, touched.as_ref()))).collect())
    }

    /// Adds to all kept states what was written to.
    pub(super) fn note(&mut self, name: &str, dirty: &Dirty) {
        for state in self.living() {
            state.dirty().entry(name.to_owned()).or_default().add(dirty);
        }
    }

    /// We lost track: everything must be compared.
    pub(super) fn forget(&mut self) {
        self.rest = None;
        self.n_own = None;
        let names: Vec<String> = self.databases.keys().cloned().collect();
        for name in names {
            self.note(&name, &Dirty::unknown());
        }
    }

    fn living(&self) -> Vec<Arc<KeptState>> {
        self.kept.iter().filter_map(Weak::upgrade).collect()
    }
}

/// What of a database was written to.
fn dirty(oid: u32, content: &Content, touched: Option<&Touched>) -> Dirty {
    let Some(touched) = touched else { return Dirty::unknown() };
    let mut dirty = Dirty { unlogged: true, structure: touched.remapped.contains(&oid), ..Dirty::default() };
    for (_, file) in touched.files.range((oid, 0)..=(oid, u32::MAX)) {
        match content.held(*file) {
            Some(Held::Rows(relation)) => drop(dirty.relations.insert(relation)),
            Some(Held::LargeObjects) => dirty.large_objects = true,
            Some(Held::Nothing) => {}
            // A part of the catalogue, or a file that was not there when we looked.
            None => dirty.structure = true,
        }
    }
    dirty
}
