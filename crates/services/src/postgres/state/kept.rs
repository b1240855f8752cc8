//! A kept state: what each database held at one moment, and what has become dirty since.

use super::original::Original;
use super::structure::{Content, Structure};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The state of a server at one moment.
pub(super) struct KeptState {
    /// Whose it is: each server has a mark of its own.
    pub(super) owner: Arc<()>,
    pub(super) databases: BTreeMap<String, KeptDatabase>,
    /// Users and groups, by name.
    pub(super) roles: BTreeMap<String, String>,
    /// What may differ from it by now, by database.
    dirty: Mutex<BTreeMap<String, Dirty>>,
}

/// A database at that moment.
pub(super) struct KeptDatabase {
    pub(super) original: Arc<Original>,
    pub(super) structure: Structure,
    pub(super) content: Content,
    /// Last value of each sequence, and whether it was given out.
    pub(super) sequences: BTreeMap<u32, (i64, bool)>,
    /// Rows of tables that a crash empties, also in the copy.
    pub(super) unlogged: BTreeMap<u32, KeptRows>,
    /// Materialized views that were never filled.
    pub(super) unfilled: BTreeSet<u32>,
    /// How to make it anew: owner, rights, limit of connections.
    pub(super) properties: Properties,
}

/// Rows as the server writes them, and a number of their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptRows {
    pub(super) sum: String,
    pub(super) rows: Vec<Bytes>,
}

/// What the server knows about a database besides its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) encoding: String,
    pub(super) owner: String,
    /// Rights, as PostgreSQL writes them; none for those of old.
    pub(super) rights: Option<String>,
    pub(super) limit: i32,
}

/// What may differ from a kept state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are found out apart and go together in any way")]
pub(super) struct Dirty {
    /// It is not known what differs: everything is compared.
    pub(super) unknown: bool,
    /// The catalogue was written to: the structure is compared.
    pub(super) structure: bool,
    pub(super) relations: BTreeSet<u32>,
    /// Something was written, so perhaps in tables that the log of changes does not know.
    pub(super) unlogged: bool,
    pub(super) large_objects: bool,
}

impl KeptState {
    pub(super) fn new(
        owner: &Arc<()>,
        databases: BTreeMap<String, KeptDatabase>,
        roles: BTreeMap<String, String>,
    ) -> Self {
        Self { owner: Arc::clone(owner), databases, roles, dirty: Mutex::default() }
    }

    pub(super) fn dirty(&self) -> MutexGuard<'_, BTreeMap<String, Dirty>> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptDatabase {
    /// The encoding as COPY takes it: its own, so that nothing is converted.
    pub(super) fn encoding(&self) -> String {
        crate::postgres::seed::literal(&self.properties.encoding)
    }
}

impl Dirty {
    /// Everything may differ.
    pub(super) fn unknown() -> Self {
        Self { unknown: true, structure: true, unlogged: true, large_objects: true, ..Self::default() }
    }

    /// Was anything written to that we know of?
    pub(super) fn is_written(&self) -> bool {
        self.unknown || self.structure || self.large_objects || !self.relations.is_empty()
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.unknown |= other.unknown;
        self.structure |= other.structure;
        self.unlogged |= other.unlogged;
        self.large_objects |= other.large_objects;
        self.relations.extend(&other.relations);
    }
}
