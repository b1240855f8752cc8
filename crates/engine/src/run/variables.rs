//! The variables of one test (or fixture, or flow) as they stand, and its answers to what templates ask.
//!
//! One flat map: a name that shadows another is an error before the start, so there are no layers to look
//! through. Reading and saving are safe from the steps of `together`.

use crate::testbed::Testbed;
use jiff::Timestamp;
use seam_expr::{Chance, Names};
use seam_value::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Variables by name.
pub(crate) struct Variables {
    values: Mutex<Map>,
    chance: Chance,
    bed: Arc<Testbed>,
    /// The folder of the file that they belong to, for `./x`.
    folder: PathBuf,
}

impl Variables {
    /// Variables with these values.
    pub(crate) fn new(values: Map, chance: Chance, bed: &Arc<Testbed>, folder: &Path) -> Self {
        Self { values: Mutex::new(values), chance, bed: Arc::clone(bed), folder: folder.to_owned() }
    }

    /// Gives a name a value.
    pub(crate) fn set(&self, name: &str, value: Value) {
        self.lock().insert(name.to_owned(), value);
    }

    /// Takes over values.
    pub(crate) fn extend(&self, values: Map) {
        self.lock().extend(values);
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        // A map of values is whole after every single change.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names for Variables {
    fn get(&self, name: &str) -> Option<Value> {
        if name == "secrets" {
            return Some(self.bed.secrets());
        }
        self.lock().get(name).cloned()
    }

    fn component(&self, path: &str) -> Option<String> {
        self.bed.property_for_test(path)
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }

    fn now(&self) -> Timestamp {
        self.bed.wall_clock()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.bed.environment(name)
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = seam_steps::file_meant(path, self.bed.root(), &self.folder);
        std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }
}
