//! A folder of mappings (`mappings/*.json`), read as WireMock reads it.

use super::kept;
use super::loose_json;
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
        let loaded = self.read_named(files)?;
        Ok(self.take_in(loaded))
    }

    /// Loads files as [`WireMock::load`] does, in the place of all mappings that there were; the journal is emptied, and
    /// scenarios begin anew. Nothing is changed where a file is wrong.
    pub fn reload(&self, files: &[(String, String)]) -> Result<Reloaded, Vec<WrongFile>> {
        let loaded = self.read_named(files)?;
        let mut n_in = vec![0_usize; files.len()];
        for (index, _) in &loaded.list {
            n_in[*index] += 1;
        }
        let alone = loaded.list.iter().filter(|(index, _)| n_in[*index] == 1);
        let alone = alone.map(|(index, mapping)| Alone {
            path: files[*index].0.clone(),
            id: mapping.id.clone(),
            is_persistent: mapping.is_persistent(),
        });
        let alone = alone.collect();
        let mut store = lock(&self.store);
        store.remove(|_| true);
        store.defaults.clear();
        drop(store);
        let warnings = self.take_in(loaded);
        self.begin_anew();
        Ok(Reloaded { warnings, alone })
    }

    fn read_named(&self, files: &[(String, String)]) -> Result<Loaded, Vec<WrongFile>> {
        let texts: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        self.read_files(&texts).map_err(|wrong| {
            let of = |(index, wrong): (usize, Wrong)| WrongFile { path: files[index].0.clone(), wrong };
            wrong.into_iter().map(of).collect::<Vec<_>>()
        })
    }

    /// Reads files of mappings, the path of each with its text, in the order of the paths. What is wrong comes with the
    /// number of its file.
    pub(crate) fn read_files(&self, files: &[(&str, &str)]) -> Result<Loaded, Vec<(usize, Wrong)>> {
        let mut order: Vec<usize> = (0..files.len()).collect();
        order.sort_by_key(|index| files[*index]);
        let (mut list, mut wrong, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
        for index in order {
            let (path, text) = files[index];
            match self.read_file(text) {
                Ok((mappings, told)) => {
                    warnings.extend(told.into_iter().map(|told| format!("{path}: {told}")));
                    list.extend(mappings.into_iter().map(|mapping| (index, mapping)));
                }
                Err(one) => wrong.push((index, one)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let read: Vec<(&str, &Mapping)> =
            list.iter().map(|(index, mapping)| (files[*index].0, &**mapping)).collect();
        warnings.extend(told_twice(&read));
        Ok(Loaded { list, warnings })
    }

    /// Takes in what was read; gives the warnings.
    pub(crate) fn take_in(&self, loaded: Loaded) -> Vec<String> {
        let mut store = lock(&self.store);
        for (_, mapping) in loaded.list {
            if !store.replace(Arc::clone(&mapping)) {
                store.add(Arc::clone(&mapping));
            }
            store.defaults.retain(|one| one.id != mapping.id);
            store.defaults.push(mapping);
        }
        drop(store);
        self.changed();
        loaded.warnings
    }

    /// The mappings of a file, and what of it does not count.
    fn read_file(&self, text: &str) -> Result<(Vec<Arc<Mapping>>, Vec<String>), Wrong> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut json, is_more) = loose_json::read_first(text).map_err(|wrong| {
            let (line, column) = loose_json::line_and_column(text, wrong.offset);
            Wrong::titled(422, 10, format!("line {line}, column {column}: {}", wrong.reason))
        })?;
        let mut told = Vec::new();
        if is_more {
            told.push("what stands behind the end of its JSON does not count".to_owned());
        }
        match &mut json {
            Value::Map(map) if matches!(map.get("mappings"), Some(Value::List(_))) => {
                for (index, one) in
                    map.get_mut("mappings").and_then(as_list_mut).into_iter().flatten().enumerate()
                {
                    told.extend(kept::keep(one, &format!("/mappings/{index}")));
                }
            }
            one => told.extend(kept::keep(one, "")),
        }
        Ok((self.read_mappings(&json)?, told))
    }

    fn read_mappings(&self, json: &Value) -> Result<Vec<Arc<Mapping>>, Wrong> {
        let place = Place::whole(json);
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

/// What was loaded in the place of what there was.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// As those of [`WireMock::load`].
    pub warnings: Vec<String>,
    /// Mappings that stand alone in their files, where they can be kept again.
    pub alone: Vec<Alone>,
}

/// A mapping that stands alone in its file.
#[derive(Clone, Debug)]
pub struct Alone {
    /// The file's path as it was given.
    pub path: String,
    /// The mapping's id, also where it was given one just now.
    pub id: String,
    /// Is it marked to be kept?
    pub is_persistent: bool,
}

/// Mappings that were read and serve nowhere yet.
pub(crate) struct Loaded {
    /// Each with the number of its file, in the order in which they are taken in.
    pub(crate) list: Vec<(usize, Arc<Mapping>)>,
    /// What of the files does not count.
    pub(crate) warnings: Vec<String>,
}

fn as_list_mut(value: &mut Value) -> Option<&mut Vec<Value>> {
    match value {
        Value::List(list) => Some(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Map(_) => None,
    }
}

/// Tells files that ask the same, of which only one can answer.
fn told_twice(read: &[(&str, &Mapping)]) -> Vec<String> {
    let mut first: HashMap<(String, i64, Option<String>), &str> = HashMap::new();
    let mut ids: HashMap<&str, &str> = HashMap::new();
    let mut warnings = Vec::new();
    for (path, mapping) in read {
        if let Some(before) = ids.insert(&mapping.id, path) {
            let id = &mapping.id;
            let files = if before == *path { (*path).to_owned() } else { format!("{before} and {path}") };
            warnings.push(format!("of the mappings with the id {id} in {files} only the last answers"));
            continue;
        }
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
