//! The variables as they stand when something is put on a seam, for as long as it stays there.

use jiff::Timestamp;
use seam_expr::{Chance, NameUse, Names};
use seam_value::{Map, Value};
use std::collections::BTreeMap;

/// The names that something uses, with their values of that moment.
pub(super) struct Fixed {
    values: Map,
    components: BTreeMap<String, String>,
    chance: Chance,
}

impl Fixed {
    /// Takes down what is used.
    pub(super) fn of(uses: &[NameUse], names: &dyn Names, label: &str) -> Self {
        let mut values = Map::default();
        let mut components = BTreeMap::new();
        for used in uses {
            if let Some(value) = names.get(&used.name) {
                values.insert(used.name.clone(), value);
            } else {
                let path = format!("{}.{}", used.name, used.path);
                if let Some(property) = names.component(&path) {
                    components.insert(path, property);
                }
            }
        }
        // Stubs that were made of a recording ask which test it is.
        if let Some(test) = names.get("test") {
            values.insert("test".to_owned(), test);
        }
        Self { values, components, chance: names.chance().branch(label) }
    }
}

impl Names for Fixed {
    fn get(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned()
    }

    fn component(&self, path: &str) -> Option<String> {
        self.components.get(path).cloned()
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("`{path}` can't be read while something passes a seam"))
    }
}
