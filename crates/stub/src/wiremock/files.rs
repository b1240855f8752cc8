//! A folder of mappings (`mappings/*.json`), read as WireMock reads it.

use super::admin::read_json;
use super::mapping::Mapping;
use super::place::Place;
use super::server::{WireMock, lock};
use super::wrong::Wrong;
use seam_value::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What is wrong with a file of mappings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {wrong}")]
pub struct WrongFile {
    /// The file's path as it was given.
    pub path: String,
    /// What is wrong in it.
    pub wrong: Wrong,
}

impl WireMock {
    /// Loads files of mappings: the path of each with its text. `reset` goes back to them. None is loaded where one is
    /// wrong. Gives warnings: two files that ask the same with the same priority, of which the last path counts.
    ///
    /// Within a file the last mapping counts, as in WireMock; between files WireMock takes them in the order in which the
    /// file system gives them, here it is that of their paths.
    pub fn load(&self, files: &[(String, String)]) -> Result<Vec<String>, Vec<WrongFile>> {
        let mut sorted: Vec<&(String, String)> = files.iter().collect();
        sorted.sort();
        let (mut read, mut wrong) = (Vec::new(), Vec::new());
        for (path, text) in sorted {
            match self.read_file(text) {
                Ok(mappings) => read.extend(mappings.into_iter().map(|mapping| (path.as_str(), mapping))),
                Err(one) => wrong.push(WrongFile { path: path.clone(), wrong: one }),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let warnings = told_twice(&read);
        let mut store = lock(&self.store);
        for (_, mapping) in read {
            if !store.replace(Arc::clone(&mapping)) {
                store.add(Arc::clone(&mapping));
            }
            store.defaults.retain(|one| one.id != mapping.id);
            store.defaults.push(mapping);
        }
        drop(store);
        self.changed();
        Ok(warnings)
    }

    fn read_file(&self, text: &str) -> Result<Vec<Arc<Mapping>>, Wrong> {
        let json = read_json(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let place = Place::whole(&json);
        let read = |place: &Place<'_>| Mapping::read(place, || self.new_id()).map(Arc::new);
        match json.get("mappings") {
            Some(Value::List(_)) => {
                let class = "com.github.tomakehurst.wiremock.stubbing.StubMappingCollection";
                place.object(class, &["mappings", "meta", "$schema", "importOptions"])?;
                let all =
                    place.field("mappings").map_or(Ok(Vec::new()), |all| all.elements("java.util.List"))?;
                all.iter().map(read).collect()
            }
            _ => Ok(vec![read(&place)?]),
        }
    }
}

/// Tells files that ask the same, of which only one can answer.
fn told_twice(read: &[(&str, Arc<Mapping>)]) -> Vec<String> {
    let mut first: HashMap<(String, i64, Option<String>), &str> = HashMap::new();
    let mut warnings = Vec::new();
    for (path, mapping) in read {
        let key = (mapping.request.shown.to_string(), mapping.priority, mapping.required_state.clone());
        match first.insert(key, path) {
            Some(before) if before != *path => warnings.push(format!(
                "{before} and {path} have a mapping for the same request with the same priority; the one of {path} answers"
            )),
            _ => {}
        }
    }
    warnings
}
