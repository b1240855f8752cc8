//! Makes one database what it was.

use super::ask::{ask, sign_in, trouble};
use super::kept::{Dirty, KeptDatabase};
use super::rebuild;
use super::rows::{self, Restorer, Work};
use super::structure::{self, Content, Kind, Structure};
use crate::postgres::server::Server;
use crate::state::{HeldOpen, StateError};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// A database that is to be what it was.
pub(super) struct Restoring<'r> {
    pub(super) server: &'r Server,
    pub(super) admin: &'r Client,
    /// Our session in it; none where it is gone.
    pub(super) client: Option<&'r Client>,
    pub(super) name: &'r str,
    pub(super) kept: &'r KeptDatabase,
    pub(super) dirty: Dirty,
    /// Its place among those that are restored at once.
    pub(super) nth: usize,
}

/// Our own transactions, which are no changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrote {
    /// Those whose writing is to be passed over.
    pub(super) transactions: Vec<u64>,
    /// There were others besides.
    pub(super) more: bool,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) changed: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) held_open: Vec<HeldOpen>,
    /// The transactions in which we wrote.
    pub(super) wrote: Wrote,
    /// How many rows each table lost.
    pub(super) deleted: BTreeMap<u32, u64>,
    /// What is in it now, where that is in other files than before.
    pub(super) content: Option<Content>,
    /// It was made anew: its number, and a session in it.
    pub(super) rebuilt: Option<(u32, Client)>,
}

impl Restoring<'_> {
    pub(super) async fn run(mut self) -> Result<Outcome, StateError> {
        let mut outcome = Outcome::default();
        let Some(client) = self.client else {
            outcome.notes.push(format!("the database {} was gone and was made anew", self.name));
            return self.rebuild(outcome).await;
        };
        if (self.dirty.structure || self.dirty.unknown) && !self.structure(client, &mut outcome).await? {
            return self.rebuild(outcome).await;
        }
        let work = self.work(client).await?;
        if work.is_empty() {
            return Ok(outcome);
        }
        self.put_back(client, &work, &mut outcome).await?;
        let is_view =
            |oid: &&u32| self.kept.content.relations.get(oid).is_some_and(|found| found.kind == Kind::View);
        let views: Vec<u32> = work.relations.iter().filter(is_view).copied().collect();
        if views.is_empty() {
            return Ok(outcome);
        }
        // What was refreshed lies in other files; and it may have been stale when it was kept.
        outcome.content = Some(Content::read(client).await?);
        for view in views {
            if let Some(view) = self.differs(client, view).await? {
                let note = "a materialized view that was not up to date";
                outcome.notes.push(format!("{} was made anew because of {view}, {note}", self.name));
                return self.rebuild(outcome).await;
            }
        }
        Ok(outcome)
    }

    /// Is the structure as it was, or could it be made so in place?
    async fn structure(&mut self, client: &Client, outcome: &mut Outcome) -> Result<bool, StateError> {
        let now = Structure::read(client).await?;
        let (added, missing) = self.kept.structure.differences(&now);
        if !added.is_empty() || !missing.is_empty() {
            outcome.wrote.more = true;
            let in_place = missing.is_empty() && rebuild::drop_added(client, &added).await?;
            let parts: Vec<_> = added.into_iter().chain(missing).collect();
            let parts = structure::parts(&parts).join(", ");
            if !in_place || Structure::read(client).await? != self.kept.structure {
                outcome.notes.push(format!(
                    "the structure of {} was changed ({parts}): it was made anew, and its connections were ended",
                    self.name
                ));
                return Ok(false);
            }
            outcome.changed.push(format!("what was added ({parts})"));
        }
        Ok(true)
    }

    async fn rebuild(mut self, mut outcome: Outcome) -> Result<Outcome, StateError> {
        let oid = rebuild::rebuild(self.server, self.admin, self.name, self.kept, self.nth).await?;
        let client = sign_in(self.server, self.name).await?;
        outcome.wrote.more = true;
        outcome.content = Some(Content::read(&client).await?);
        outcome.deleted.clear();
        // Its rows are those of the copy, but for tables that a crash has emptied there.
        self.dirty = Dirty { unlogged: true, ..Dirty::default() };
        let work = self.work(&client).await?;
        self.put_back(&client, &work, &mut outcome).await?;
        outcome.rebuilt = Some((oid, client));
        Ok(outcome)
    }

    async fn put_back(&self, client: &Client, work: &Work, outcome: &mut Outcome) -> Result<(), StateError> {
        if work.is_empty() {
            return Ok(());
        }
        let restorer = Restorer { server: self.server, client, name: self.name, kept: self.kept };
        let done = restorer.restore(work).await?;
        let content = &self.kept.content;
        outcome.changed.extend(work.relations.iter().map(|oid| content.relations[oid].shown.clone()));
        outcome.changed.extend(work.sequences.iter().map(|oid| content.sequences[oid].shown.clone()));
        if work.large_objects {
            outcome.changed.push("large objects".to_owned());
        }
        outcome.held_open.extend(done.held_open);
        outcome.deleted = done.deleted;
        outcome.wrote.transactions.extend(done.transaction);
        Ok(())
    }

    /// What is to be put back.
    async fn work(&self, client: &Client) -> Result<Work, StateError> {
        let large_objects = if self.dirty.unknown {
            self.large_objects_differ(client).await?
        } else {
            self.dirty.large_objects
        };
        let mut work = Work { large_objects, ..Work::default() };
        for (oid, relation) in &self.kept.content.relations {
            let differs = match relation.kind {
                Kind::Unlogged if self.dirty.unlogged => self.differs(client, *oid).await?.is_some(),
                Kind::Unlogged => false,
                _ if self.dirty.unknown => self.differs(client, *oid).await?.is_some(),
                _ => self.dirty.relations.contains(oid),
            };
            if differs {
                work.relations.insert(*oid);
            }
        }
        let values = rows::sequences(client, &self.kept.content).await?;
        let changed = values.into_iter().filter(|(oid, value)| self.kept.sequences.get(oid) != Some(value));
        work.sequences = changed.map(|(oid, _)| oid).collect();
        Ok(work)
    }

    async fn large_objects_differ(&self, client: &Client) -> Result<bool, StateError> {
        let wrong = || trouble("compare large objects");
        let rows = [rows::sum_of("pg_largeobject"), rows::sum_of("pg_largeobject_metadata")];
        let question = format!("select ({}) || ' ' || ({})", rows[0], rows[1]);
        let now = ask(client, &question).await.map_err(wrong())?.value();
        if self.kept.original.is_fresh() {
            return Ok(now != "0 0 0 0");
        }
        let session = self.kept.original.session(self.server).await?;
        let Some(original) = session.as_ref() else { return Ok(false) };
        Ok(now != ask(original, &question).await.map_err(wrong())?.value())
    }

    /// The name of a relation, if it holds other rows than it did.
    async fn differs(&self, client: &Client, oid: u32) -> Result<Option<&str>, StateError> {
        let Some(relation) = self.kept.content.relations.get(&oid) else { return Ok(None) };
        let wrong = || trouble(format!("compare {}", relation.shown));
        let question = rows::sum_of(&relation.name);
        if relation.kind == Kind::View {
            let filled = format!("select relispopulated from pg_class where oid = {oid}");
            let filled = ask(client, &filled).await.map_err(wrong())?.value() == "t";
            if !filled || self.kept.unfilled.contains(&oid) {
                let same = filled != self.kept.unfilled.contains(&oid);
                return Ok((!same).then_some(relation.shown.as_str()));
            }
        }
        let now = ask(client, &question).await.map_err(wrong())?.value();
        let was = if let Some(kept) = self.kept.unlogged.get(&oid) {
            kept.sum.clone()
        } else {
            let session = self.kept.original.session(self.server).await?;
            let Some(original) = session.as_ref() else { return Ok(None) };
            ask(original, &question).await.map_err(wrong())?.value()
        };
        Ok((now != was).then_some(relation.shown.as_str()))
    }
}
