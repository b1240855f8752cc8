//! `/__admin/requests` and `/__admin/near-misses`: what was asked, counted, found and compared with what there is.

use super::checked_id;
use crate::wiremock::journal::Event;
use crate::wiremock::mapping::Mapping;
use crate::wiremock::near;
use crate::wiremock::pattern::Pattern;
use crate::wiremock::place::Place;
use crate::wiremock::request::Request;
use crate::wiremock::request_pattern::RequestPattern;
use crate::wiremock::server::{WireMock, lock};
use crate::wiremock::wrong::Wrong;
use seam_value::{Map, Value};
use std::sync::Arc;

/// How many requests are compared with mappings for one answer: more would take minutes.
const MOST_COMPARED: usize = 1_000_000;

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

impl WireMock {
    /// `GET /requests`
    pub fn events(&self, filter: &EventFilter) -> Result<Value, Wrong> {
        let since = match &filter.since {
            None => None,
            Some(text) => Some(text.parse::<jiff::Timestamp>().map_err(|_| {
                Wrong::pointed(400, 10, "since", format!("{text} is not a valid ISO8601 date"))
            })?),
        };
        if let Some(id) = &filter.stub
            && checked_id(id).is_err()
        {
            let title = format!("Query parameter matchingStub value '{id}' is not a valid UUID");
            return Err(Wrong::titled(400, 15, title));
        }
        let all = self.journalled();
        let wanted = |event: &&Event| {
            (!filter.only_unmatched || event.mapping.is_none())
                && filter
                    .stub
                    .as_ref()
                    .is_none_or(|id| event.mapping.as_ref().is_some_and(|mapping| mapping.id == *id))
        };
        let mut wanted: Vec<&Event> = all.iter().rev().filter(wanted).collect();
        // All of them are counted, also those that are not asked for.
        let n_all = wanted.len();
        wanted.retain(|event| since.is_none_or(|since| event.request.at > since));
        let total = wanted.len();
        let n_shown = total.min(filter.limit.unwrap_or(usize::MAX));
        let shown = wanted.into_iter().take(n_shown).map(|event| self.shown(event, n_shown));
        Ok(Value::map([
            ("requests", Value::List(shown.collect())),
            ("meta", Value::map([("total", Value::from(n_all))])),
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
            if !request.host.is_empty() && map.contains_key("absoluteUrl") {
                map.entry("scheme".to_owned()).or_insert_with(|| Value::text(&*request.scheme));
                map.entry("host".to_owned()).or_insert_with(|| Value::text(&request.host));
            }
            map.entry("port".to_owned()).or_insert_with(|| Value::from(i64::from(request.port)));
            map.entry("browserProxyRequest".to_owned()).or_insert(Value::Bool(false));
            map.entry("queryParams".to_owned()).or_insert(Value::Map(Map::default()));
            map.entry("formParams".to_owned()).or_insert(Value::Map(Map::default()));
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

    pub(super) fn journalled(&self) -> Vec<Event> {
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
            return event.to_value(self.nobody());
        }
        let mut misread = Vec::new();
        for one in self.ordered().iter().filter_map(|mapping| mapping.request.misread(&event.request)) {
            // Told once, however many mappings have met it.
            if !misread.contains(&one) {
                misread.push(one);
            }
        }
        let report = Some(self.not_matched(&event.request));
        Event { report, misread, ..event.clone() }.to_value(self.nobody())
    }

    fn taken(&self, events: &[Event]) -> Value {
        let shown = events.iter().rev().map(|event| self.shown(event, events.len())).collect();
        Value::map([("serveEvents", Value::List(shown))])
    }
}

fn requests<'e>(events: impl Iterator<Item = &'e Event>) -> Value {
    let shown = events.map(|event| event.request.to_value()).collect();
    Value::map([("requests", Value::List(shown)), ("requestJournalDisabled", Value::Bool(false))])
}
