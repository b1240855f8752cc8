//! What WireMock's clients ask of `/__admin`, as plain functions: JSON in, JSON out, the way WireMock says it.
//!
//! Which route and method each of them stands behind is said with it; whoever serves HTTP only has to hand bodies over.

mod recordings;
mod requests;

pub use requests::EventFilter;

use crate::wiremock::delays::Settings;
use crate::wiremock::loose_json;
use crate::wiremock::mapping::Mapping;
use crate::wiremock::pattern::Pattern;
use crate::wiremock::place::Place;
use crate::wiremock::server::{WireMock, lock};
use crate::wiremock::wrong::Wrong;
use seam_value::{Map, Value};
use std::sync::{Arc, PoisonError};

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// At most so many.
    pub limit: Option<usize>,
    /// Without so many at the beginning.
    pub offset: usize,
}

/// Reads the body of a request as JSON; comments are left out, as in WireMock.
pub fn read_json(text: &str) -> Result<Value, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::at("/", "No content to map due to end-of-input"));
    }
    loose_json::read(text).map_err(|wrong| {
        let (line, column) = loose_json::line_and_column(text, wrong.offset);
        let what = match text.get(wrong.offset..).and_then(|rest| rest.chars().next()) {
            None => format!("Unexpected end-of-input: {}", wrong.reason),
            Some(letter) => {
                format!("Unexpected character ('{letter}' (code {})): {}", u32::from(letter), wrong.reason)
            }
        };
        let column = column + 1;
        let place = format!(" at [Source: (String)\"{text}\"; line: {line}, column: {column}]");
        Wrong::at("/", format!("{what}\n{place}"))
    })
}

impl WireMock {
    /// `GET /mappings`
    pub fn mappings(&self, page: Page) -> Value {
        listed(&self.ordered(), page)
    }

    /// `GET /mappings/{id}`
    pub fn mapping(&self, id: &str) -> Result<Value, Wrong> {
        let id = checked_id(id)?;
        lock(&self.store).get(&id).map(|mapping| (*mapping.shown).clone()).ok_or_else(Wrong::missing)
    }

    /// `POST /mappings`: what was added, with its id.
    pub fn add_mapping(&self, json: &Value) -> Result<Value, Wrong> {
        let mapping = self.read_mapping(&Place::whole(json))?;
        let shown = (*mapping.shown).clone();
        let mut store = lock(&self.store);
        if store.get(&mapping.id).is_some() {
            let detail = format!(
                "ID of the provided stub mapping '{}' is already taken by another stub mapping",
                mapping.id
            );
            return Err(Wrong::detailed(422, 109, "Duplicate stub mapping ID", detail));
        }
        store.add(mapping);
        self.changed();
        Ok(shown)
    }

    /// `PUT /mappings/{id}`: what stands there now.
    pub fn update_mapping(&self, id: &str, json: &Value) -> Result<Value, Wrong> {
        let id = checked_id(id)?;
        if lock(&self.store).get(&id).is_none() {
            return Err(Wrong::missing());
        }
        // The id of the address counts, whatever the body says.
        let mut json = json.clone();
        if let Value::Map(map) = &mut json {
            map.shift_remove("uuid");
            map.insert("id".to_owned(), Value::text(&id));
        }
        let mapping = self.read_mapping(&Place::whole(&json))?;
        let shown = (*mapping.shown).clone();
        lock(&self.store).replace(mapping);
        self.changed();
        self.forget_states();
        Ok(shown)
    }

    /// `DELETE /mappings/{id}`
    pub fn remove_mapping(&self, id: &str) -> Result<(), Wrong> {
        let id = checked_id(id)?;
        let mut store = lock(&self.store);
        if store.get(&id).is_none() {
            return Err(Wrong::missing());
        }
        store.remove(|mapping| mapping.id == id);
        drop(store);
        self.changed();
        self.forget_states();
        Ok(())
    }

    /// `POST /mappings/remove`: the one with the id of this mapping, else those that ask the same.
    pub fn remove_matching(&self, json: &Value) -> Result<(), Wrong> {
        let mapping = self.read_mapping(&Place::whole(json))?;
        let mut store = lock(&self.store);
        if store.get(&mapping.id).is_some() {
            store.remove(|one| one.id == mapping.id);
        } else {
            store.remove(|one| one.request.shown == mapping.request.shown);
        }
        drop(store);
        self.changed();
        self.forget_states();
        Ok(())
    }

    /// `DELETE /mappings`
    pub fn remove_mappings(&self) {
        lock(&self.store).remove(|_| true);
        lock(&self.scenarios).reset();
        self.changed();
    }

    /// `POST /mappings/reset`: those of the files again, and those that were kept in files since; the journal is emptied too.
    pub fn reset_mappings(&self) {
        let mut store = lock(&self.store);
        let kept: Vec<Arc<Mapping>> = store
            .list
            .iter()
            .map(|(_, mapping)| mapping)
            .filter(|mapping| mapping.is_persistent())
            .cloned()
            .collect();
        let defaults = std::mem::take(&mut store.defaults);
        store.remove(|_| true);
        for mapping in &defaults {
            if !kept.iter().any(|one| one.id == mapping.id) {
                store.add(Arc::clone(mapping));
            }
        }
        for mapping in kept {
            store.add(mapping);
        }
        store.defaults = defaults;
        drop(store);
        self.begin_anew();
    }

    /// Nothing was asked yet, and no scenario has gone on.
    pub(crate) fn begin_anew(&self) {
        lock(&self.scenarios).reset();
        lock(&self.journal).clear();
        self.changed();
    }

    /// `POST /reset`: mappings, journal and scenarios as at the start.
    pub fn reset(&self) {
        self.reset_mappings();
    }

    /// `POST /mappings/save`: all mappings are to be kept in files.
    pub fn save_mappings(&self) {
        let mut store = lock(&self.store);
        let all: Vec<Arc<Mapping>> =
            store.list.iter().map(|(_, mapping)| Arc::new(mapping.persistent())).collect();
        for mapping in all {
            store.replace(mapping);
        }
        drop(store);
        self.changed();
    }

    /// What is to be kept in files: the id of each mapping, the name of its file, and what stands in it.
    pub fn kept_mappings(&self) -> Vec<(String, String, Value)> {
        let store = lock(&self.store);
        let kept = store.list.iter().filter(|(_, mapping)| mapping.is_persistent());
        kept.map(|(number, mapping)| {
            let mut shown = (*mapping.shown).clone();
            if let Value::Map(map) = &mut shown {
                map.insert(
                    "insertionIndex".to_owned(),
                    Value::from(i64::try_from(*number).unwrap_or_default()),
                );
            }
            (mapping.id.clone(), file_name(mapping), shown)
        })
        .collect()
    }

    /// `POST /mappings/import`
    pub fn import(&self, json: &Value) -> Result<(), Wrong> {
        let place = Place::whole(json);
        place.object(
            "com.github.tomakehurst.wiremock.stubbing.StubImport",
            &["mappings", "importOptions", "meta"],
        )?;
        // WireMock fails with 500 where they are missing.
        let all = place.field("mappings").ok_or_else(|| Wrong::at("/mappings", "mappings are missing"))?;
        let all = all.elements("java.util.ArrayList")?;
        let (overwrites, removes_others) = import_options(&place)?;
        // None is half taken: all are read before the first is added.
        let read = all.iter().map(|one| self.read_mapping(one)).collect::<Result<Vec<_>, _>>()?;
        let mut store = lock(&self.store);
        for mapping in read.iter().rev() {
            if store.get(&mapping.id).is_none() {
                store.add(Arc::clone(mapping));
            } else if overwrites {
                store.replace(Arc::clone(mapping));
            }
        }
        if removes_others {
            store.remove(|mapping| !read.iter().any(|one| one.id == mapping.id));
        }
        drop(store);
        self.changed();
        self.forget_states();
        Ok(())
    }

    /// `POST /mappings/find-by-metadata`
    pub fn find_by_metadata(&self, json: &Value) -> Result<Value, Wrong> {
        let found = self.with_metadata(json)?;
        Ok(listed(&found, Page::default()))
    }

    /// `POST /mappings/remove-by-metadata`
    pub fn remove_by_metadata(&self, json: &Value) -> Result<(), Wrong> {
        let found = self.with_metadata(json)?;
        lock(&self.store).remove(|mapping| found.iter().any(|one| one.id == mapping.id));
        self.changed();
        self.forget_states();
        Ok(())
    }

    fn with_metadata(&self, json: &Value) -> Result<Vec<Arc<Mapping>>, Wrong> {
        let pattern = Pattern::read(&Place::whole(json))?;
        let now = (self.surroundings().now)();
        let mut all = self.ordered();
        all.retain(|mapping| {
            let metadata = mapping.metadata.as_ref().map_or_else(|| "null".to_owned(), ToString::to_string);
            pattern.matches(Some(&metadata), now)
        });
        Ok(all)
    }

    /// `GET /mappings/unmatched`: those that no request in the journal has matched.
    pub fn unmatched_mappings(&self) -> Value {
        listed(&self.never_matched(), Page::default())
    }

    /// `DELETE /mappings/unmatched`
    pub fn remove_unmatched_mappings(&self) {
        let never = self.never_matched();
        lock(&self.store).remove(|mapping| never.iter().any(|one| one.id == mapping.id));
        self.changed();
        self.forget_states();
    }

    fn never_matched(&self) -> Vec<Arc<Mapping>> {
        let served: std::collections::HashSet<String> = lock(&self.journal)
            .events()
            .filter_map(|event| event.mapping.as_ref().map(|mapping| mapping.id.clone()))
            .collect();
        let mut all = self.ordered();
        all.retain(|mapping| !served.contains(&mapping.id));
        all
    }

    /// `GET /scenarios`
    pub fn scenarios(&self) -> Value {
        let mappings = self.ordered();
        lock(&self.scenarios).to_value(&mappings)
    }

    /// `POST /scenarios/reset`
    pub fn reset_scenarios(&self) {
        lock(&self.scenarios).reset();
    }

    /// `PUT /scenarios/{name}/state`: `{ "state": … }`, or nothing for the first.
    pub fn set_scenario(&self, name: &str, json: Option<&Value>) -> Result<(), Wrong> {
        let state = match json.map(Place::whole) {
            None => None,
            Some(place) => {
                place.map("com.github.tomakehurst.wiremock.admin.model.ScenarioState")?;
                let Some(state) = place.field("state") else {
                    return Err(Wrong::titled(
                        422,
                        11,
                        format!("Scenario {name} does not support state null"),
                    ));
                };
                Some(state.text()?)
            }
        };
        let mappings = self.ordered();
        lock(&self.scenarios).set(name, state.as_deref(), &mappings)
    }

    /// `GET /settings`
    pub fn settings(&self) -> Value {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        Value::map([("settings", settings.shown.clone())])
    }

    /// `POST /settings`, `PUT /settings`
    pub fn set_settings(&self, json: &Value) -> Result<(), Wrong> {
        let read = Settings::read(&Place::whole(json))?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(())
    }

    /// `PATCH /settings/extended`
    pub fn patch_extended(&self, json: &Value) -> Result<(), Wrong> {
        let place = Place::whole(json);
        place.object("ExtendedSettingsWrapper", &["extended"])?;
        let Some(extended) = place.field("extended") else {
            return Err(Wrong::at("/extended", "extended is missing"));
        };
        let new = extended.map("java.util.Map")?;
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = (**settings).clone();
        if let Value::Map(shown) = &mut changed.shown {
            let known = shown.entry("extended".to_owned()).or_insert_with(|| Value::Map(Map::default()));
            if let Value::Map(known) = known {
                known.extend(new.clone());
            }
        }
        *settings = Arc::new(changed);
        Ok(())
    }

    fn read_mapping(&self, place: &Place<'_>) -> Result<Arc<Mapping>, Wrong> {
        Mapping::read(place, || self.new_id()).map(Arc::new)
    }

    fn forget_states(&self) {
        let mappings = self.ordered();
        lock(&self.scenarios).keep(&mappings);
    }
}

/// An id, or what is wrong with it.
fn checked_id(id: &str) -> Result<String, Wrong> {
    let read = uuid::Uuid::try_parse(id).map(|id| id.hyphenated().to_string());
    read.map_err(|_| Wrong::titled(400, 10, format!("{id} is not a valid UUID")))
}

/// The name of a mapping's file as WireMock makes it: of its name, or of method and address.
fn file_name(mapping: &Mapping) -> String {
    let request = &mapping.request.shown;
    let text = |name: &str| request.get(name).map(Value::to_plain_text);
    let url =
        ["url", "urlPath", "urlPattern", "urlPathPattern", "urlPathTemplate"].into_iter().find_map(text);
    let stem = mapping.name.clone().unwrap_or_else(|| {
        let method = text("method").unwrap_or_else(|| "ANY".to_owned());
        format!("{method}-{}", url.unwrap_or_else(|| "always".to_owned()))
    });
    let plain: String = stem
        .chars()
        .map(|letter| if letter.is_whitespace() { '-' } else { letter.to_ascii_lowercase() })
        .filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
        .collect();
    format!("{plain}-{}.json", mapping.id)
}

fn listed(all: &[Arc<Mapping>], page: Page) -> Value {
    let shown = all.iter().skip(page.offset).take(page.limit.unwrap_or(usize::MAX));
    Value::map([
        ("mappings", Value::List(shown.map(|mapping| (*mapping.shown).clone()).collect())),
        ("meta", Value::map([("total", Value::from(all.len()))])),
    ])
}

fn import_options(place: &Place<'_>) -> Result<(bool, bool), Wrong> {
    let Some(options) = place.field("importOptions") else { return Ok((true, false)) };
    let class = "com.github.tomakehurst.wiremock.stubbing.StubImport$Options";
    options.object(class, &["duplicatePolicy", "deleteAllNotInImport"])?;
    let policy = options.field("duplicatePolicy");
    let policy =
        policy.map(|policy| policy.word(&format!("{class}$DuplicatePolicy"), &["IGNORE", "OVERWRITE"]));
    let removes = options.field("deleteAllNotInImport").map(|flag| flag.boolean()).transpose()?;
    Ok((policy.transpose()?.as_deref() != Some("IGNORE"), removes.unwrap_or_default()))
}
