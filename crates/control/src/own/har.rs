//! `/seam/har`: what was seen as an archive of HTTP, and such an archive in the place of providers.
//!
//! An archive that we wrote says on which seam each request passed, and stands there again; what names no seam that there
//! is becomes mappings of the control address itself, which answers them on every path that is not an interface's.

use super::house::House;
use super::rules::{Rules, named};
use crate::answer::{Answer, Asked};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use seam_diag::{Diagnostics, Sources, Span};
use seam_event::{Caller, ComponentId, Endpoint, Interaction, SeamId};
use seam_proxy::{Kind, Often, Rule, RuleSpec};
use seam_recording::{Archive, Around, Noted, Recorded, Recording, archive, as_stubs, from_har};
use seam_stub::wiremock::WireMock;
use seam_stub::{Reading, StubSet};
use seam_value::Value as Plain;
use seam_wire::body::in_charset;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

/// What is shown of the control address's own exchanges: nobody's seam, but a seam's form.
const CONSUMER: &str = "client";
const PROVIDER: &str = "control";

/// What the least archive looks like.
const EXAMPLE: &str = r#"such as {"log": {"entries": [{"request": {"method": "GET", "url": "http://pay.example/"}, "response": {"status": 200}}]}}"#;

/// Headers of an answer that say how it was sent, not what.
const OF_SENDING: &[&str] = &["content-length", "transfer-encoding", "content-encoding", "connection"];

/// All HTTP that was seen, on the seams and at the control address itself; or on one seam.
pub(super) async fn tell(house: &dyn House, wiremock: &WireMock, asked: &Asked) -> Answer {
    let views = house.seams();
    let only = match asked.queried("seam").map(|written| named(&views, &written)) {
        None => None,
        Some(Ok(seams)) => Some(seams.into_iter().map(|seam| seam.id.clone()).collect::<Vec<_>>()),
        Some(Err(error)) => return error.answer(),
    };
    let began = house.began();
    let mut passed: Vec<Interaction> = house.interactions().await.iter().map(|one| (**one).clone()).collect();
    match only {
        Some(only) => passed.retain(|one| only.contains(&one.seam)),
        None => passed.extend(own_exchanges(wiremock, began)),
    }
    let masker = house.masker();
    for one in &mut passed {
        masker.interaction(one);
    }
    let har = archive(passed.iter().map(|one| (one, None)), began, env!("CARGO_PKG_VERSION"));
    let mut text = har.to_pretty();
    text.push('\n');
    Answer::of(StatusCode::OK, "application/json", text)
}

/// What mappings have answered at the control address.
fn own_exchanges(wiremock: &WireMock, began: Timestamp) -> Vec<Interaction> {
    let exchanges = wiremock.exchanges().into_iter().zip(1..);
    let told = exchanges.map(|((at, request, reply, delay), id)| Interaction {
        id,
        seam: SeamId {
            consumer: ComponentId::from(CONSUMER),
            provider: ComponentId::from(PROVIDER),
            endpoint: Endpoint::main(),
        },
        from: ComponentId::from(CONSUMER),
        to: ComponentId::from(PROVIDER),
        via: None,
        caller: Caller::Assumed,
        protocol: "http".to_owned(),
        connection: 0,
        error: None,
        message: Plain::Null,
        cut: false,
        at: Duration::try_from(at.duration_since(began).max(SignedDuration::ZERO)).unwrap_or_default(),
        elapsed: Some(delay),
        request,
        reply,
        answered_by: Some("stubs".to_owned()),
    });
    told.collect()
}

/// Lets an archive answer: on one seam where the query names it; else on the seams that the archive names, and for the
/// rest at the control address.
pub(super) async fn put(house: &dyn House, (rules, wiremock): (&Rules, &WireMock), asked: &Asked) -> Answer {
    let text = String::from_utf8_lossy(&asked.body);
    let beside = |path: &str| Err(format!("`{path}` did not come with it"));
    let Archive { recordings, noted } = match from_har(&text, &Around { read_file: &beside }) {
        Ok(archive) => archive,
        Err(error) => {
            let message = format!("the body is no HAR: {error}");
            return Answer::error(StatusCode::BAD_REQUEST, &message, "send {\"log\": {\"entries\": […]}}");
        }
    };
    let all_on = asked.queried("seam");
    if let Some(written) = &all_on
        && let Err(error) = named(&house.seams(), written)
    {
        return error.answer();
    }
    // All of it is read before any of it answers.
    let (mut ready, mut rest) = (Vec::new(), Vec::new());
    for recording in recordings {
        let on = all_on.clone().or_else(|| {
            let written = recording.seam.to_string();
            named(&house.seams(), &written).is_ok().then_some(written)
        });
        match on.map(|seam| rule(house, &seam, &recording)) {
            Some(Ok(rule)) => ready.push(rule),
            Some(Err(answer)) => return answer,
            None => rest.push(recording),
        }
    }
    let mut told = Vec::new();
    for (seams, rule, written) in ready {
        match rules.stand(house, (seams, rule), written).await {
            Ok(rule) => told.push(rule),
            Err(answer) => return answer,
        }
    }
    let mut warnings: Vec<String> = noted.iter().map(Noted::to_string).collect();
    let mut mapped = Vec::new();
    for recording in rest {
        let sockets = recording.interactions.iter().filter(|one| is_change_over(one));
        warnings.extend(sockets.map(|one| {
            format!("entry {} is passed over: a mapping answers no WebSocket; name a `seam`", one.number)
        }));
        match map(wiremock, &recording) {
            Ok(ids) => mapped.extend(ids),
            Err(answer) => return answer,
        }
    }
    if told.is_empty() && mapped.is_empty() {
        let reasons: Vec<String> = warnings.iter().map(|warning| format!(": {warning}")).collect();
        let message = format!("nothing in the archive can be answered{}", reasons.concat());
        return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &message, EXAMPLE);
    }
    Answer::json(StatusCode::CREATED, &json!({ "rules": told, "mappings": mapped, "warnings": warnings }))
}

/// A recording in the place of a seam's provider.
fn rule(
    house: &dyn House,
    written: &str,
    recording: &Recording,
) -> Result<(Vec<SeamId>, Arc<Rule>, Value), Answer> {
    let views = house.seams();
    let wrong = |message: String| Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &message, "");
    let seams = named(&views, written).map_err(|error| error.answer())?;
    let Some(protocol) = seams.first().map(|seam| seam.protocol) else {
        return Err(wrong(format!("there is no seam `{written}`")));
    };
    if !protocol.name().starts_with("http") {
        return Err(wrong(format!("`{written}` speaks {}, and a HAR holds HTTP", protocol.name())));
    }
    let names = house.names();
    let read_file = |path: &str| names.file(path);
    let reading = Reading { protocol, descriptors: None, knows: &|_| false, read_file: &read_file };
    let mut found = Diagnostics::default();
    let file = Sources::default().add("the archive", String::new());
    let stubs = as_stubs(recording, Span::at_start(file), &reading, &mut found).ok_or_else(|| {
        let first = found.in_order().first().map(|diagnostic| diagnostic.title.clone());
        wrong(first.unwrap_or_else(|| "nothing in the archive can be answered".to_owned()))
    })?;
    let set = Arc::new(StubSet::new());
    set.put(stubs, &names);
    let rule = Arc::new(Rule::new(RuleSpec {
        name: "archive".to_owned(),
        kind: Kind::Stub(set as _),
        filter: None,
        filters_replies: false,
        often: Often::default(),
        chance: names.chance().branch("archive"),
    }));
    let seams = seams.into_iter().map(|seam| seam.id.clone()).collect();
    Ok((seams, rule, json!({ "seam": written, "stub": "archive" })))
}

/// A recording as mappings of the control address; gives their ids.
fn map(wiremock: &WireMock, recording: &Recording) -> Result<Vec<String>, Answer> {
    let is_answered = |one: &&Recorded| one.reply != Plain::Null && !is_change_over(one);
    let answered = recording.interactions.iter().filter(is_answered);
    let mut exchanges: Vec<_> =
        answered.map(|one| (one.request.clone(), as_sent(without(&one.reply, OF_SENDING)))).collect();
    // A mapping is content with a query that says more than it asks, so those that ask more come first.
    let n_asked =
        |request: &Plain| request.get("query").and_then(Plain::as_map).map_or(0, seam_value::Map::len);
    exchanges.sort_by_key(|(request, _)| Reverse(n_asked(request)));
    wiremock
        .add_exchanges(&exchanges)
        .map_err(|wrong| Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &wrong.to_string(), ""))
}

/// Does the connection speak WebSocket from here on?
fn is_change_over(one: &Recorded) -> bool {
    one.reply.get("status").and_then(Plain::as_i64) == Some(101)
}

/// A reply whose text has the bytes that its type says: mappings send text in UTF-8.
fn as_sent(mut reply: Plain) -> Plain {
    let Plain::Map(map) = &mut reply else { return reply };
    let written = map.get("text").or_else(|| map.get("body")).and_then(Plain::as_text);
    let media = map.get("headers").and_then(|headers| headers.get("content-type")).and_then(Plain::as_text);
    let Some(bytes) = written.map(|text| in_charset(text, media)) else { return reply };
    if std::str::from_utf8(&bytes).ok() != written {
        let packed = Plain::map([("base64", Plain::Text(STANDARD.encode(&bytes)))]);
        map.shift_remove("text");
        map.insert("body".to_owned(), packed);
    }
    reply
}

/// A reply without some headers.
fn without(reply: &Plain, names: &[&str]) -> Plain {
    let mut reply = reply.clone();
    if let Plain::Map(map) = &mut reply
        && let Some(Plain::Map(headers)) = map.get_mut("headers")
    {
        headers.retain(|name, _| !names.contains(&name.to_ascii_lowercase().as_str()));
    }
    reply
}
