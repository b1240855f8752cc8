//! `/__admin/recordings`: begun, stopped, and what was seen made into mappings; exchanges that others have kept, too.

use crate::wiremock::journal::Event;
use crate::wiremock::mapping::Mapping;
use crate::wiremock::place::Place;
use crate::wiremock::recording::{BodyFile, Spec, State};
use crate::wiremock::request::Request;
use crate::wiremock::server::{WireMock, lock};
use crate::wiremock::wrong::Wrong;
use jiff::Timestamp;
use seam_value::Value;
use std::sync::Arc;
use std::time::Duration;

impl WireMock {
    /// `POST /recordings/snapshot`: mappings of what the journal holds, which are added.
    pub fn snapshot(&self, json: &Value) -> Result<(Value, Vec<BodyFile>), Wrong> {
        let spec = Spec::read(&Place::whole(json))?;
        let events = self.journalled();
        Ok(self.recorded(&spec, &events))
    }

    /// `POST /recordings/start`. Until it is stopped, a mapping above all others passes everything on to the address that is
    /// recorded, where one is named, and the journal hears what came back.
    pub fn start_recording(&self, json: &Value) -> Result<(), Wrong> {
        let spec = Spec::read(&Place::whole(json))?;
        let known = self.journalled().iter().map(|event| event.id.clone()).collect();
        let mut recording = lock(&self.recording);
        if recording.state == State::Recording {
            return Ok(());
        }
        let proxy = spec.target.as_deref().map(|target| self.passing_on(target)).transpose()?;
        recording.begin(json.clone(), proxy.as_ref().map(|proxy| proxy.id.clone()), known);
        self.add_all(proxy.as_slice());
        Ok(())
    }

    fn passing_on(&self, target: &str) -> Result<Mapping, Wrong> {
        let response = Value::map([("proxyBaseUrl", Value::text(target))]);
        let request = Value::map([("method", Value::text("ANY"))]);
        let mapping = Value::map([("request", request), ("response", response)]);
        Mapping::read(&Place::whole(&mapping), || self.new_id())
    }

    /// `POST /recordings/stop`
    pub fn stop_recording(&self) -> Result<(Value, Vec<BodyFile>), Wrong> {
        let (spec, known, proxy) = {
            let mut recording = lock(&self.recording);
            if recording.state != State::Recording {
                return Err(Wrong::titled(400, 30, "Not currently recording."));
            }
            recording.state = State::Stopped;
            let recording = &mut *recording;
            (
                std::mem::take(&mut recording.spec),
                std::mem::take(&mut recording.known),
                recording.proxy.take(),
            )
        };
        if let Some(proxy) = proxy {
            lock(&self.store).remove(|mapping| mapping.id == proxy);
        }
        let mut events = self.journalled();
        let known: std::collections::HashSet<String> = known.into_iter().collect();
        events.retain(|event| !known.contains(&event.id));
        Ok(self.recorded(&Spec::read(&Place::whole(&spec))?, &events))
    }

    /// `GET /recordings/status`
    pub fn recording_status(&self) -> Value {
        Value::map([("status", Value::text(lock(&self.recording).state.name()))])
    }

    /// What somebody else has kept, as mappings that answer it again: requests and replies in HTTP's fields. Gives their
    /// ids; those of several answers to one request come in their order.
    pub fn add_exchanges(&self, exchanges: &[(Value, Value)]) -> Result<Vec<String>, Wrong> {
        let spec = Spec::read(&Place::whole(&Value::map([("persist", Value::Bool(false))])))?;
        let events: Vec<Event> = exchanges
            .iter()
            .map(|(request, reply)| Event {
                id: self.new_id(),
                request: Arc::new(Request::of_fields(request)),
                mapping: None,
                response: Some(Arc::new(reply.clone())),
                delay: Duration::ZERO,
                report: None,
                misread: Vec::new(),
                is_proxied: true,
            })
            .collect();
        let (made, _) = spec.mappings(&events, &self.surroundings().chance);
        self.add_all(&made);
        Ok(made.into_iter().map(|mapping| mapping.id).collect())
    }

    /// What mappings have answered, oldest first: when it was asked, request and reply in HTTP's fields, and the delay.
    pub fn exchanges(&self) -> Vec<(Timestamp, Value, Value, Duration)> {
        let answered = self.journalled();
        let answered = answered.iter().filter_map(|event| {
            let reply = Value::clone(event.response.as_deref()?);
            Some((event.request.at, event.request.to_fields(), reply, event.delay))
        });
        answered.collect()
    }

    fn add_all(&self, mappings: &[Mapping]) {
        let mut store = lock(&self.store);
        // The newest of what was seen is added first, as WireMock does it, and so listed last.
        for mapping in mappings.iter().rev() {
            store.add(Arc::new(mapping.clone()));
        }
        drop(store);
        self.changed();
    }

    /// What was made, and the files that it names, which must be there before anybody asks for them.
    fn recorded(&self, spec: &Spec, events: &[Event]) -> (Value, Vec<BodyFile>) {
        let (made, files) = spec.mappings(events, &self.surroundings().chance);
        self.add_all(&made);
        if spec.is_ids_only {
            let ids = made.iter().rev().map(|mapping| Value::text(&mapping.id)).collect();
            return (Value::map([("ids", Value::List(ids))]), files);
        }
        // The newest first, as the journal lists what they were made of.
        let made = made.iter().rev().map(|mapping| (*mapping.shown).clone()).collect();
        (Value::map([("mappings", Value::List(made))]), files)
    }
}
