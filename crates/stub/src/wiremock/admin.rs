//! What WireMock's clients ask of `/__admin`, as plain functions: JSON in, JSON out, the way WireMock says it.
//!
//! Which route and method each of them stands behind is said with it; whoever serves HTTP only has to hand bodies over.

use super::delays::Settings;
use super::journal::Event;
use super::mapping::Mapping;
use super::near;
use super::pattern::Pattern;
use super::place::Place;
use super::recording::{Spec, State};
use super::request::Request;
use super::request_pattern::RequestPattern;
use super::server::{WireMock, lock};
use super::wrong::Wrong;
use seam_value::{Map, Value};
use std::sync::{Arc, PoisonError};

/// How many requests are compared with mappings for one answer: more would take minutes.
const MOST_COMPARED: usize = 1_000_000;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// At most so many.
    pub limit: Option<usize>,
    /// Without so many at the beginning.
    pub offset: usize,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// At most so many, the newest.
    pub limit: Option<usize>,
    /// Only those since then (RFC 3339).
    pub since: Option<String>,
    /// Only what nothing matched.
    pub only_unmatched: bool,
    /// Only what this mapping matched.
    pub stub: Option<String>,
}

/// Reads the body of a request as JSON; comments are left out, as in WireMock.
pub fn read_json(text: &str) -> Result<Value, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::at("/", "No content to map due to end-of-input"));
    }
    seam_value::parse(text).or_else(|wrong| {
        let plain = without_comments(text);
        seam_value::parse(&plain).map_err(|_| {
            let before = text.get(..wrong.offset).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Wrong::at("/", format!("{}; line: {line}, column: {column}", wrong.reason))
        })
    })
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_text) = (text, false);
    while let Some(letter) = rest.chars().next() {
        if !in_text && rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
            continue;
        }
        if !in_text && rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |at| &rest[at + 2..]);
            continue;
        }
        let length = if in_text && letter == '\\' {
            1 + rest[1..].chars().next().map_or(0, char::len_utf8)
        } else {
            letter.len_utf8()
        };
        in_text ^= letter == '"';
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
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

    /// `POST /mappings/reset`: those of the files again, and no others; the journal is emptied too.
    pub fn reset_mappings(&self) {
        let mut store = lock(&self.store);
        store.remove(|_| true);
        for mapping in store.defaults.clone() {
            store.add(mapping);
        }
        drop(store);
        lock(&self.scenarios).reset();
        lock(&self.journal).clear();
        self.changed();
    }

    /// `POST /reset`: mappings, journal and scenarios as at the start.
    pub fn reset(&self) {
        self.reset_mappings();
    }

    /// `POST /mappings/save`: gives all mappings with a file name each, for whoever writes them.
    pub fn save_mappings(&self) -> Vec<(String, Value)> {
        let mut store = lock(&self.store);
        let all: Vec<Arc<Mapping>> =
            store.list.iter().map(|(_, mapping)| Arc::new(mapping.persistent())).collect();
        for mapping in &all {
            store.replace(Arc::clone(mapping));
        }
        drop(store);
        self.changed();
        let named = |mapping: &Arc<Mapping>| {
            let name: String = mapping
                .name
                .as_deref()
                .unwrap_or("mapping")
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
                .collect();
            (format!("{name}-{}.json", mapping.id), (*mapping.shown).clone())
        };
        all.iter().map(named).collect()
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
                place.field("state").map(|state| state.text()).transpose()?
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
            let known = shown.entry("extended".to_owned()).or_insert_with(|| Value::Map(Map::new()));
            if let Value::Map(known) = known {
                known.extend(new.clone());
            }
        }
        *settings = Arc::new(changed);
        Ok(())
    }

    /// `GET /requests`
    pub fn events(&self, filter: &EventFilter) -> Result<Value, Wrong> {
        let since = match &filter.since {
            None => None,
            Some(text) => Some(text.parse::<jiff::Timestamp>().map_err(|_| {
                Wrong::detailed(
                    400,
                    10,
                    "Invalid since parameter",
                    format!("{text} is not a valid ISO 8601 date"),
                )
            })?),
        };
        let all = self.journalled();
        let wanted = |event: &&Event| {
            since.is_none_or(|since| event.request.at > since)
                && (!filter.only_unmatched || event.mapping.is_none())
                && filter
                    .stub
                    .as_ref()
                    .is_none_or(|id| event.mapping.as_ref().is_some_and(|mapping| mapping.id == *id))
        };
        let wanted: Vec<&Event> = all.iter().rev().filter(wanted).collect();
        let total = wanted.len();
        let n_shown = total.min(filter.limit.unwrap_or(usize::MAX));
        let shown = wanted.into_iter().take(n_shown).map(|event| self.shown(event, n_shown));
        Ok(Value::map([
            ("requests", Value::List(shown.collect())),
            ("meta", Value::map([("total", Value::from(total))])),
            ("requestJournalDisabled", Value::Bool(false)),
        ]))
    }

    /// `GET /requests/{id}`
    pub fn event(&self, id: &str) -> Result<Value, Wrong> {
        let id = checked_id(id)?;
        let found = lock(&self.journal).events().find(|event| event.id == id).cloned();
        found.map(|event| self.shown(&event, 1)).ok_or_else(Wrong::missing)
    }

    /// `DELETE /requests/{id}`
    pub fn remove_event(&self, id: &str) -> Result<(), Wrong> {
        let id = checked_id(id)?;
        lock(&self.journal).take(|event| event.id == id);
        Ok(())
    }

    /// `DELETE /requests`
    pub fn remove_events(&self) {
        lock(&self.journal).clear();
    }

    /// `POST /requests/count`
    pub fn count(&self, json: &Value) -> Result<Value, Wrong> {
        let n = self.matching(json)?.len();
        Ok(Value::map([("count", Value::from(n)), ("requestJournalDisabled", Value::Bool(false))]))
    }

    /// `POST /requests/find`
    pub fn find_requests(&self, json: &Value) -> Result<Value, Wrong> {
        Ok(requests(self.matching(json)?.iter()))
    }

    /// `GET /requests/unmatched`
    pub fn unmatched_requests(&self) -> Value {
        let all = self.journalled();
        requests(all.iter().rev().filter(|event| event.mapping.is_none()))
    }

    /// `POST /requests/remove`
    pub fn remove_requests(&self, json: &Value) -> Result<Value, Wrong> {
        let pattern = RequestPattern::read(&Place::whole(json))?;
        let taken = lock(&self.journal).take(|event| pattern.matches(&event.request));
        Ok(self.taken(&taken))
    }

    /// `POST /requests/remove-by-metadata`
    pub fn remove_requests_by_metadata(&self, json: &Value) -> Result<Value, Wrong> {
        let pattern = Pattern::read(&Place::whole(json))?;
        let now = (self.surroundings().now)();
        let holds = |event: &Event| {
            let metadata = event.mapping.as_ref().and_then(|mapping| mapping.metadata.as_ref());
            metadata.is_some_and(|metadata| pattern.matches(Some(&metadata.to_string()), now))
        };
        let taken = lock(&self.journal).take(holds);
        Ok(self.taken(&taken))
    }

    /// `GET /requests/unmatched/near-misses`
    pub fn near_misses(&self) -> Value {
        let mappings = self.ordered();
        let all = self.journalled();
        let most = (MOST_COMPARED / mappings.len().max(1)).max(1);
        let unmatched = all.iter().rev().filter(|event| event.mapping.is_none()).take(most);
        let misses: Vec<Value> = unmatched
            .flat_map(|event| Self::misses(&mappings, &event.request, &event.request.to_value()))
            .collect();
        Value::map([("nearMisses", Value::List(misses))])
    }

    /// `POST /near-misses/request`
    pub fn near_misses_of_request(&self, json: &Value) -> Result<Value, Wrong> {
        let place = Place::whole(json);
        place.map("com.github.tomakehurst.wiremock.verification.LoggedRequest")?;
        let request = Request::of_json(json);
        let mut shown = json.clone();
        if let Value::Map(map) = &mut shown {
            map.entry("browserProxyRequest".to_owned()).or_insert(Value::Bool(false));
            map.entry("queryParams".to_owned()).or_insert(Value::Map(Map::new()));
            map.entry("formParams".to_owned()).or_insert(Value::Map(Map::new()));
        }
        Ok(Value::map([("nearMisses", Value::List(Self::misses(&self.ordered(), &request, &shown)))]))
    }

    /// `POST /near-misses/request-pattern`
    pub fn near_misses_of_pattern(&self, json: &Value) -> Result<Value, Wrong> {
        let pattern = RequestPattern::read(&Place::whole(json))?;
        let all = self.journalled();
        let mut measured: Vec<(&Event, f64)> =
            all.iter().rev().map(|event| (event, pattern.distance(&event.request))).collect();
        measured.sort_by(|(_, left), (_, right)| left.total_cmp(right));
        measured.truncate(3);
        let misses = measured.into_iter().map(|(event, distance)| {
            near::to_value(event.request.to_value(), "requestPattern", (*pattern.shown).clone(), distance)
        });
        Ok(Value::map([("nearMisses", Value::List(misses.collect()))]))
    }

    fn misses(mappings: &[Arc<Mapping>], request: &Request, shown: &Value) -> Vec<Value> {
        let miss = |(mapping, distance): (Arc<Mapping>, f64)| {
            near::to_value(shown.clone(), "stubMapping", (*mapping.shown).clone(), distance)
        };
        near::nearest(mappings, request).into_iter().map(miss).collect()
    }

    /// `POST /recordings/snapshot`: mappings of what the journal holds, which are added.
    pub fn snapshot(&self, json: &Value) -> Result<Value, Wrong> {
        let spec = Spec::read(&Place::whole(json))?;
        let events = self.journalled();
        Ok(self.recorded(&spec, &events))
    }

    /// `POST /recordings/start`. Until it is stopped, what nothing matches is for the address that it names
    /// ([`recording_target`](Self::recording_target)), and [`answered`](Self::answered) is told what came back.
    pub fn start_recording(&self, json: &Value) -> Result<(), Wrong> {
        let spec = Spec::read(&Place::whole(json))?;
        let Some(target) = spec.target.filter(|target| target.contains("://")) else {
            // WireMock begins to record, and fails when it is asked.
            return Err(Wrong::at("/targetBaseUrl", "the address to record is missing"));
        };
        let known = self.journalled().iter().map(|event| event.id.clone()).collect();
        let mut recording = lock(&self.recording);
        if recording.state == State::Recording {
            return Err(Wrong::titled(422, 31, "Already recording."));
        }
        recording.begin(json.clone(), target, known);
        Ok(())
    }

    /// `POST /recordings/stop`
    pub fn stop_recording(&self) -> Result<Value, Wrong> {
        let (spec, known) = {
            let mut recording = lock(&self.recording);
            if recording.state != State::Recording {
                return Err(Wrong::titled(400, 30, "Not currently recording."));
            }
            recording.state = State::Stopped;
            (std::mem::take(&mut recording.spec), std::mem::take(&mut recording.known))
        };
        let mut events = self.journalled();
        let known: std::collections::HashSet<String> = known.into_iter().collect();
        events.retain(|event| !known.contains(&event.id));
        Ok(self.recorded(&Spec::read(&Place::whole(&spec))?, &events))
    }

    /// `GET /recordings/status`
    pub fn recording_status(&self) -> Value {
        Value::map([("status", Value::text(lock(&self.recording).state.name()))])
    }

    /// Who is to be asked what nothing matches, while it is recorded.
    pub fn recording_target(&self) -> Option<String> {
        lock(&self.recording).target().map(str::to_owned)
    }

    /// Mappings of exchanges that somebody else has kept: requests and replies in HTTP's fields.
    pub fn mappings_of(&self, exchanges: &[(Value, Value)], json: &Value) -> Result<Value, Wrong> {
        let spec = Spec::read(&Place::whole(json))?;
        let events: Vec<Event> = exchanges
            .iter()
            .map(|(request, reply)| Event {
                id: self.new_id(),
                request: Arc::new(Request::of_fields(request)),
                mapping: None,
                response: Some(Arc::new(reply.clone())),
                delay: std::time::Duration::ZERO,
                report: None,
                is_proxied: true,
            })
            .collect();
        let made = spec.mappings(&events, &self.surroundings().chance);
        let made = made.iter().map(|mapping| (*mapping.shown).clone()).collect();
        Ok(Value::map([("mappings", Value::List(made))]))
    }

    fn recorded(&self, spec: &Spec, events: &[Event]) -> Value {
        let made = spec.mappings(events, &self.surroundings().chance);
        let mut store = lock(&self.store);
        for mapping in &made {
            store.add(Arc::new(mapping.clone()));
        }
        drop(store);
        self.changed();
        if spec.is_ids_only {
            let ids = made.iter().rev().map(|mapping| Value::text(&mapping.id)).collect();
            return Value::map([("ids", Value::List(ids))]);
        }
        // The newest first, as the journal lists what they were made of.
        let made = made.iter().rev().map(|mapping| (*mapping.shown).clone()).collect();
        Value::map([("mappings", Value::List(made))])
    }

    fn read_mapping(&self, place: &Place<'_>) -> Result<Arc<Mapping>, Wrong> {
        Mapping::read(place, || self.new_id()).map(Arc::new)
    }

    fn forget_states(&self) {
        let mappings = self.ordered();
        lock(&self.scenarios).keep(&mappings);
    }

    fn journalled(&self) -> Vec<Event> {
        lock(&self.journal).events().cloned().collect()
    }

    fn matching(&self, json: &Value) -> Result<Vec<Event>, Wrong> {
        let pattern = RequestPattern::read(&Place::whole(json))?;
        let mut all = self.journalled();
        all.retain(|event| pattern.matches(&event.request));
        Ok(all)
    }

    /// An event with the report of what did not match, as long as that is no work for minutes.
    fn shown(&self, event: &Event, n_others: usize) -> Value {
        let n_mappings = lock(&self.store).list.len();
        if event.mapping.is_some() || n_mappings.saturating_mul(n_others) > MOST_COMPARED {
            return event.to_value();
        }
        Event { report: Some(self.not_matched(&event.request)), ..event.clone() }.to_value()
    }

    fn taken(&self, events: &[Event]) -> Value {
        let shown = events.iter().rev().map(|event| self.shown(event, events.len())).collect();
        Value::map([("serveEvents", Value::List(shown))])
    }
}

/// An id, or what is wrong with it.
fn checked_id(id: &str) -> Result<String, Wrong> {
    let read = uuid::Uuid::try_parse(id).map(|id| id.hyphenated().to_string());
    read.map_err(|_| Wrong::titled(400, 10, format!("{id} is not a valid UUID")))
}

fn listed(all: &[Arc<Mapping>], page: Page) -> Value {
    let shown = all.iter().skip(page.offset).take(page.limit.unwrap_or(usize::MAX));
    Value::map([
        ("mappings", Value::List(shown.map(|mapping| (*mapping.shown).clone()).collect())),
        ("meta", Value::map([("total", Value::from(all.len()))])),
    ])
}

fn requests<'e>(events: impl Iterator<Item = &'e Event>) -> Value {
    let shown = events.map(|event| event.request.to_value()).collect();
    Value::map([("requests", Value::List(shown)), ("requestJournalDisabled", Value::Bool(false))])
}

fn import_options(place: &Place<'_>) -> Result<(bool, bool), Wrong> {
    let Some(options) = place.field("importOptions") else { return Ok((true, false)) };
    let class = "com.github.tomakehurst.wiremock.stubbing.StubImport$Options";
    options.object(class, &["duplicatePolicy", "deleteAllNotInImport"])?;
    let policy = options.field("duplicatePolicy");
    let policy =
        policy.map(|policy| policy.word(&format!("{class}$DuplicatePolicy"), &["OVERWRITE", "IGNORE"]));
    let removes = options.field("deleteAllNotInImport").map(|flag| flag.boolean()).transpose()?;
    Ok((policy.transpose()?.as_deref() != Some("IGNORE"), removes.unwrap_or_default()))
}
