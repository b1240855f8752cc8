//! Mappings at work: what is served, what clients are told, what is refused.

use super::{EventFilter, Page, Request, WireMock, read_json};
use crate::surroundings::testing;
use seam_event::{ComponentId, Endpoint, SeamId};
use seam_value::{Value, parse};
use seam_wire::{Answers as _, Asked, Glance, Say, Then};
use std::sync::Arc;
use std::time::Duration;

pub(super) fn wiremock() -> WireMock {
    let files = |name: &str| match name {
        "hello.txt" => Ok(b"hello {{request.query.q}}".to_vec()),
        "raw.bin" => Ok(vec![0xff, 0]),
        _ => Err("there is no such file".to_owned()),
    };
    WireMock::new(testing(), Box::new(files))
}

pub(super) fn json(text: &str) -> Value {
    parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
}

pub(super) fn with(mappings: &[&str]) -> WireMock {
    let wiremock = wiremock();
    for mapping in mappings {
        wiremock.add_mapping(&json(mapping)).unwrap_or_else(|wrong| panic!("{mapping}: {wrong}"));
    }
    wiremock
}

pub(super) fn asked(wiremock: &WireMock, method: &str, url: &str, body: &str) -> Option<Say> {
    let headers = vec![("Host".to_owned(), "localhost:8080".to_owned())];
    let served = wiremock.serve(Request::new(method, url, headers, body.into()));
    served.answering.map(|answering| answering.say)
}

/// Status and body, in short.
pub(super) fn said(wiremock: &WireMock, method: &str, url: &str) -> String {
    match asked(wiremock, method, url, "") {
        None => "404".to_owned(),
        Some(Say::Answer(value)) => {
            let body =
                value.get("text").or_else(|| value.get("body")).map(Value::to_plain_text).unwrap_or_default();
            format!("{} {body}", value.get("status").unwrap())
        }
        Some(other) => format!("{other:?}"),
    }
}

#[test]
fn a_template_of_nothing_but_text_is_worked_out() {
    let template = |body: &str| {
        let body = Value::text(body);
        let response = format!(r#"{{"body":{body},"transformers":["response-template"]}}"#);
        format!(r#"{{"request":{{"url":"/t"}},"response":{response}}}"#)
    };
    for (body, expect) in [("{{!-- c --}}z", "z"), ("plain", "plain"), ("{{! c }}", ""), ("\\{x}", "\\{x}")] {
        assert_eq!(said(&with(&[&template(body)]), "GET", "/t"), format!("200 {expect}"), "{body}");
    }
}

#[test]
fn actions_and_what_is_told_with_a_mapping_are_told_without_nulls() {
    let mapping = r#"{"request":{},"response":{"transformers":[],"transformerParameters":{}},
        "postServeActions":{"webhook":{"url":"http://a","json":{"a":null,"b":[null,{"c":null}]}}},
        "metadata":{"a":null,"b":{"c":null}}}"#;
    let added = wiremock().add_mapping(&parse(mapping).unwrap()).unwrap();
    let shown = |name: &str| added.get(name).unwrap().to_string();
    assert_eq!(
        shown("postServeActions"),
        r#"[{"name":"webhook","parameters":{"url":"http://a","json":{"b":[null,{}]}}}]"#
    );
    assert_eq!(
        (shown("metadata"), shown("response")),
        (r#"{"b":{}}"#.to_owned(), r#"{"status":200}"#.to_owned())
    );
}

#[test]
fn the_newest_of_the_first_priority_answers() {
    let wiremock = with(&[
        r#"{"request":{"urlPath":"/o"},"response":{"body":"1"}}"#,
        r#"{"priority":1,"request":{"urlPath":"/o"},"response":{"body":"2"}}"#,
        r#"{"priority":1,"request":{"url":"/o"},"response":{"body":"3"}}"#,
        r#"{"priority":2,"request":{"urlPattern":"/o.*"},"response":{"body":"4"}}"#,
        r#"{"priority":10,"response":{"body":"5"}}"#,
    ]);
    assert_eq!(said(&wiremock, "GET", "/o"), "200 3");
    assert_eq!(said(&wiremock, "GET", "/o?x"), "200 2");
    assert_eq!(said(&wiremock, "GET", "/x"), "200 5");
}

#[test]
fn texts_are_sent_in_utf8_whatever_the_type_says() {
    let wiremock = with(&[
        r#"{"request":{"url":"/l"},"response":{"headers":{"Content-Type":"text/plain; charset=iso-8859-1"},"body":"ß"}}"#,
        r#"{"request":{"url":"/u"},"response":{"headers":{"Content-Type":"text/plain; charset=utf-8"},"body":"ß"}}"#,
    ]);
    assert_eq!(said(&wiremock, "GET", "/l"), r#"200 {"base64":"w58="}"#);
    assert_eq!(said(&wiremock, "GET", "/u"), "200 ß");
}

#[test]
fn within_a_file_the_last_counts_and_in_an_import_the_first() {
    let two = r#"{"mappings":[{"request":{"url":"/i"},"response":{"body":"first"}},{"request":{"url":"/i"},"response":{"body":"second"}}]}"#;
    let wiremock = wiremock();
    let same = r#"{"request":{"url":"/j"},"response":{"body":"NAME"}}"#;
    let files = [
        ("b.json", same.replace("NAME", "b")),
        ("a.json", same.replace("NAME", "a")),
        ("c.json", two.to_owned()),
    ];
    let files: Vec<(String, String)> =
        files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
    let warnings = wiremock.load(&files).unwrap();
    assert_eq!(
        warnings,
        [
            "a.json and b.json have a mapping for the same request with the same priority; the one of b.json answers"
        ]
    );
    assert_eq!(said(&wiremock, "GET", "/i"), "200 second");
    assert_eq!(said(&wiremock, "GET", "/j"), "200 b");
    wiremock.remove_mappings();
    assert_eq!(said(&wiremock, "GET", "/i"), "404");
    wiremock.import(&json(two)).unwrap();
    assert_eq!(said(&wiremock, "GET", "/i"), "200 first");
    wiremock.reset();
    assert_eq!(said(&wiremock, "GET", "/i"), "200 second");
    assert_eq!(
        wiremock.events(&EventFilter::default()).unwrap().get("meta").unwrap().to_string(),
        r#"{"total":1}"#
    );
}

#[test]
fn a_mistake_in_one_file_loads_none() {
    let wiremock = wiremock();
    let files = [("a.json", r#"{"request":{"url":"/a"}}"#), ("b.json", r#"{"requst":{}}"#), ("c.json", "{")];
    let files: Vec<(String, String)> =
        files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    let wrong = wiremock.load(&files).unwrap_err();
    assert_eq!(wrong.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["b.json", "c.json"]);
    assert_eq!(said(&wiremock, "GET", "/a"), "404");
}

#[test]
fn scenarios_go_from_state_to_state() {
    let wiremock = with(&[
        r#"{"scenarioName":"s","requiredScenarioState":"Started","newScenarioState":"b","request":{"urlPath":"/s"},"response":{"body":"1"}}"#,
        r#"{"scenarioName":"s","requiredScenarioState":"b","newScenarioState":"Started","request":{"urlPath":"/s"},"response":{"body":"2"}}"#,
    ]);
    for expect in ["200 1", "200 2", "200 1"] {
        assert_eq!(said(&wiremock, "GET", "/s"), expect);
    }
    assert_eq!(
        wiremock.scenarios().get("scenarios").unwrap().as_list().unwrap()[0].get("state").unwrap(),
        &Value::text("b")
    );
    wiremock.set_scenario("s", Some(&json(r#"{"state":"Started"}"#))).unwrap();
    assert_eq!(said(&wiremock, "GET", "/s"), "200 1");
    wiremock.reset_scenarios();
    assert_eq!(said(&wiremock, "GET", "/s"), "200 1");
    let wrong = wiremock.set_scenario("s", Some(&json(r#"{"state":"x"}"#))).unwrap_err();
    assert_eq!((wrong.status, wrong.errors[0].title.as_str()), (422, "Scenario s does not support state x"));
    assert_eq!(wiremock.set_scenario("t", None).unwrap_err().status, 404);
}

#[test]
fn answers_have_what_the_mapping_says() {
    let wiremock = with(&[
        r#"{"id":"11111111-1111-1111-1111-111111111111","name":"n","request":{"url":"/a"},"response":{"status":201,"statusMessage":"Odd","headers":{"A":["1","2"]},"jsonBody":{"a":1.50}}}"#,
        r#"{"request":{"urlPath":"/file"},"response":{"bodyFileName":"hello.txt","transformers":["response-template"]}}"#,
        r#"{"request":{"urlPath":"/raw"},"response":{"bodyFileName":"raw.bin"}}"#,
        r#"{"request":{"urlPath":"/none"},"response":{"bodyFileName":"none.bin"}}"#,
        r#"{"request":{"urlPathTemplate":"/t/{id}"},"response":{"body":"{{request.path.id}} {{request.method}}","headers":{"X":"{{request.path.id}}"},"transformers":["response-template"]}}"#,
    ]);
    let Some(Say::Answer(value)) = asked(&wiremock, "GET", "/a", "") else { panic!("it answers") };
    assert_eq!(
        value.to_string(),
        r#"{"status":201,"reason":"Odd","headers":{"A":["1","2"],"Matched-Stub-Id":"11111111-1111-1111-1111-111111111111","Matched-Stub-Name":"n","Content-Type":[],"Transfer-Encoding":"chunked"},"text":"{\"a\":1.50}"}"#
    );
    assert_eq!(said(&wiremock, "GET", "/file?q=you"), "200 hello you");
    assert_eq!(said(&wiremock, "GET", "/raw"), r#"200 {"base64":"/wA="}"#);
    assert_eq!(said(&wiremock, "GET", "/none"), "500 none.bin: there is no such file");
    let Some(Say::Answer(value)) = asked(&wiremock, "PUT", "/t/7", "") else { panic!("it answers") };
    assert_eq!(value.get("text"), Some(&Value::text("7 PUT")));
    assert_eq!(value.get("headers").unwrap().get("X"), Some(&Value::text("7")));
}

#[test]
fn faults_delays_proxies_and_webhooks() {
    let wiremock = with(&[
        r#"{"request":{"url":"/reset"},"response":{"fault":"CONNECTION_RESET_BY_PEER"}}"#,
        r#"{"request":{"url":"/empty"},"response":{"fault":"EMPTY_RESPONSE"}}"#,
        r#"{"request":{"url":"/random"},"response":{"fault":"RANDOM_DATA_THEN_CLOSE"}}"#,
        r#"{"request":{"url":"/broken"},"response":{"fault":"MALFORMED_RESPONSE_CHUNK"}}"#,
        r#"{"request":{"urlPath":"/slow"},"response":{"fixedDelayMilliseconds":20,"delayDistribution":{"type":"fixed","milliseconds":5},"chunkedDribbleDelay":{"numberOfChunks":3,"totalDuration":90}}}"#,
        r#"{"request":{"urlPath":"/p"},"response":{"proxyBaseUrl":"http://up:1/{{request.query.q}}","transformers":["response-template"],"proxyUrlPrefixToRemove":"/p","additionalProxyRequestHeaders":{"A":"1"},"removeProxyRequestHeaders":["Cookie"],"headers":{"B":"2"}}}"#,
        r#"{"request":{"urlPath":"/hook"},"response":{},"serveEventListeners":[{"name":"webhook","parameters":{"method":"POST","url":"{{jsonPath originalRequest.body '$.to'}}","headers":{"X":"{{parameters.v}}"},"body":"{{originalRequest.url}}","v":"w","delay":{"type":"fixed","milliseconds":30}}}]}"#,
    ]);
    let bytes = |url: &str| match asked(&wiremock, "GET", url, "") {
        Some(Say::Bytes(bytes, then)) => (bytes.len(), bytes.starts_with(b"HTTP/1.1 200 OK\r\n"), then),
        other => panic!("{url}: {other:?}"),
    };
    assert_eq!(bytes("/reset"), (0, false, Then::Reset));
    assert_eq!(bytes("/empty"), (0, false, Then::Close));
    assert_eq!(bytes("/random"), (36, false, Then::Close));
    assert_eq!(bytes("/broken"), (47 + 36, true, Then::Close));
    let answering = |url: &str, body: &str| {
        wiremock.serve(Request::new("POST", url, Vec::new(), body.into())).answering.unwrap()
    };
    let slow = answering("/slow", "");
    assert_eq!((slow.after, slow.dribble), (Duration::from_millis(25), Some((3, Duration::from_millis(90)))));
    let Say::Elsewhere(proxy) = answering("/p?q=x", "").say else { panic!("it is asked elsewhere") };
    assert_eq!((proxy.base.as_str(), proxy.without_prefix.as_str()), ("http://up:1/x", "/p"));
    assert_eq!(proxy.headers, [("A".to_owned(), "1".to_owned())]);
    assert_eq!((&proxy.without_headers[..], proxy.reply_headers.len()), (&["cookie".to_owned()][..], 1));
    let hooks = answering("/hook", r#"{"to":"http://shop/paid"}"#).afterwards;
    let shown = |hook: &seam_wire::Callback| {
        format!(
            "{:?} {} {} {:?} {}",
            hook.after,
            hook.method,
            hook.url,
            hook.headers,
            String::from_utf8_lossy(&hook.body)
        )
    };
    assert_eq!(
        hooks.iter().map(shown).collect::<Vec<_>>(),
        [r#"30ms POST http://shop/paid [("X", "w")] /hook"#]
    );
    wiremock.set_settings(&json(r#"{"fixedDelay":7}"#)).unwrap();
    assert_eq!(answering("/hook", "{}").after, Duration::from_millis(7));
    assert_eq!(answering("/slow", "").after, Duration::from_millis(25));
    assert_eq!(wiremock.settings().to_string(), r#"{"settings":{"fixedDelay":7,"proxyPassThrough":false}}"#);
}

#[test]
fn mappings_are_added_changed_found_and_removed() {
    let wiremock = wiremock();
    let added = wiremock
        .add_mapping(&json(r#"{"request":{"url":"/a"},"response":{"body":"1"},"metadata":{"k":"v"}}"#))
        .unwrap();
    let id = added.get("id").unwrap().to_plain_text();
    assert_eq!(
        added.to_string(),
        format!(
            r#"{{"id":"{id}","request":{{"url":"/a","method":"ANY"}},"response":{{"status":200,"body":"1"}},"uuid":"{id}","metadata":{{"k":"v"}}}}"#
        )
    );
    assert_eq!(wiremock.mapping(&id).unwrap(), added);
    wiremock
        .update_mapping(
            &id,
            &json(r#"{"request":{"url":"/a"},"response":{"body":"2"},"metadata":{"k":"w"}}"#),
        )
        .unwrap();
    assert_eq!(said(&wiremock, "GET", "/a"), "200 2");
    let total = |value: &Value| value.get("meta").unwrap().get("total").unwrap().as_i64().unwrap();
    let by =
        |value: &str| json(&format!(r#"{{"matchesJsonPath":{{"expression":"$.k","equalTo":"{value}"}}}}"#));
    assert_eq!(total(&wiremock.find_by_metadata(&by("w")).unwrap()), 1);
    assert_eq!(total(&wiremock.find_by_metadata(&by("v")).unwrap()), 0);
    assert_eq!(total(&wiremock.unmatched_mappings()), 0);
    wiremock.add_mapping(&json(r#"{"request":{"url":"/never"}}"#)).unwrap();
    assert_eq!(total(&wiremock.unmatched_mappings()), 1);
    assert_eq!(total(&wiremock.mappings(Page { limit: Some(1), offset: 1 })), 2);
    wiremock.remove_by_metadata(&by("w")).unwrap();
    assert_eq!(total(&wiremock.mappings(Page::default())), 1);
    wiremock.remove_matching(&json(r#"{"request":{"url":"/never"}}"#)).unwrap();
    assert_eq!(total(&wiremock.mappings(Page::default())), 0);
    assert_eq!(wiremock.mapping(&id).unwrap_err().status, 404);
    assert_eq!(wiremock.remove_mapping(&id).unwrap_err().status, 404);
    assert_eq!(wiremock.mapping("x").unwrap_err().errors[0].title, "x is not a valid UUID");
    let twice = r#"{"id":"11111111-1111-1111-1111-111111111111"}"#;
    wiremock.add_mapping(&json(twice)).unwrap();
    let wrong = wiremock.add_mapping(&json(twice)).unwrap_err();
    assert_eq!(
        (wrong.status, wrong.errors[0].code, wrong.errors[0].title.as_str()),
        (422, 109, "Duplicate stub mapping ID")
    );
}

#[test]
fn mistakes_are_told_with_their_place() {
    let wiremock = wiremock();
    for (mapping, pointer) in [
        ("[]", "/"),
        (r#"{"requst":{}}"#, "/requst"),
        (r#"{"request":{"methd":"GET"}}"#, "/request/methd"),
        (r#"{"request":{"urlPathPattern":"["}}"#, "/request"),
        (r#"{"request":{"headers":{"a":{"eqalTo":"x"}}}}"#, "/request/headers/a"),
        (r#"{"request":{"headers":{"a":{"equalTo":5}}}}"#, "/request/headers/a"),
        (r#"{"request":{"headers":[]}}"#, "/request/headers"),
        (r#"{"request":{"bodyPatterns":[{"equalToJson":"{x"}]}}"#, "/request/bodyPatterns/0"),
        (r#"{"response":{"status":"x"}}"#, "/response/status"),
        (r#"{"response":{"fault":"NOPE"}}"#, "/response/fault"),
        (r#"{"response":{"delayDistribution":{"type":"nope"}}}"#, "/response/delayDistribution"),
        (
            r#"{"response":{"delayDistribution":{"type":"uniform","lower":"a"}}}"#,
            "/response/delayDistribution/lower",
        ),
        (
            r#"{"response":{"chunkedDribbleDelay":{"numberOfChunks":"x"}}}"#,
            "/response/chunkedDribbleDelay/numberOfChunks",
        ),
        (r#"{"response":{"headers":{"a":5}}}"#, "/response/headers"),
        (r#"{"priority":"x"}"#, "/priority"),
        (r#"{"id":"nouuid"}"#, "/id"),
        (r#"{"request":{"method":5}}"#, "/request/method"),
        (
            r#"{"request":{"multipartPatterns":[{"matchingType":"SOME"}]}}"#,
            "/request/multipartPatterns/0/matchingType",
        ),
        (r#"{"serveEventListeners":[{"nam":"webhook"}]}"#, "/serveEventListeners"),
        (r#"{"metadata":5}"#, "/metadata"),
        (r#"{"request":{"headers":{"b":{"includes":[{"x":1}]}}}}"#, "/request/headers/b/includes/0"),
        // What WireMock keeps, and what then never matches or fails when it is asked.
        (r#"{"request":{"bodyPatterns":[{"matchesXPath":"//["}]}}"#, "/request/bodyPatterns/0"),
        (r#"{"request":{"bodyPatterns":[{"before":"nonsense"}]}}"#, "/request/bodyPatterns/0/before"),
        (r#"{"request":{"url":"/a","urlPath":"/b"}}"#, "/request/urlPath"),
        (r#"{"request":{"basicAuth":{"username":"a"}}}"#, "/request/basicAuth"),
        (r#"{"request":{"pathParameters":{"b":{"equalTo":"1"}}}}"#, "/request/pathParameters/b"),
        (r#"{"request":{"headers":{"a":{"equalTo":"x","extra":1}}}}"#, "/request/headers/a/extra"),
        (r#"{"response":{"status":99}}"#, "/response/status"),
        (r#"{"response":{"proxyBaseUrl":"nonsense"}}"#, "/response/proxyBaseUrl"),
        (r#"{"response":{"body":"{{#if","transformers":["response-template"]}}"#, "/response/body"),
        (r#"{"newScenarioState":"x"}"#, "/newScenarioState"),
    ] {
        let wrong = wiremock.add_mapping(&json(mapping)).expect_err(mapping);
        assert_eq!((wrong.status, wrong.errors[0].title.as_str()), (422, "Error parsing JSON"), "{mapping}");
        assert_eq!(wrong.errors[0].pointer.as_deref(), Some(pointer), "{mapping}");
    }
    assert_eq!(wiremock.mappings(Page::default()).get("mappings"), Some(&Value::List(Vec::new())));
    for text in ["", "{", "nonsense"] {
        let wrong = read_json(text).unwrap_err();
        assert_eq!((wrong.status, wrong.errors[0].pointer.as_deref()), (422, Some("/")), "{text}");
    }
    assert_eq!(read_json("{ // why\n \"a\": \"//\" /* x */ }").unwrap().to_string(), r#"{"a":"//"}"#);
}

#[test]
fn the_journal_counts_and_finds() {
    let wiremock = with(&[r#"{"request":{"urlPath":"/a"},"response":{"body":"1"},"metadata":{"k":1}}"#]);
    for url in ["/a?x=1", "/a", "/b"] {
        said(&wiremock, "GET", url);
    }
    let count =
        |pattern: &str| wiremock.count(&json(pattern)).unwrap().get("count").unwrap().as_i64().unwrap();
    assert_eq!((count("{}"), count(r#"{"urlPath":"/a"}"#), count(r#"{"method":"PUT"}"#)), (3, 2, 0));
    let urls = |value: &Value| -> Vec<String> {
        let all = value.get("requests").unwrap().as_list().unwrap().to_vec();
        all.iter()
            .map(|one| one.get("url").or_else(|| one.get("request")?.get("url")).unwrap().to_plain_text())
            .collect()
    };
    assert_eq!(urls(&wiremock.find_requests(&json("{}")).unwrap()), ["/a?x=1", "/a", "/b"]);
    assert_eq!(urls(&wiremock.unmatched_requests()), ["/b"]);
    let newest = EventFilter { limit: Some(1), ..EventFilter::default() };
    assert_eq!(urls(&wiremock.events(&newest).unwrap()), ["/b"]);
    let unmatched = EventFilter { only_unmatched: true, ..EventFilter::default() };
    let events = wiremock.events(&unmatched).unwrap();
    let event = &events.get("requests").unwrap().as_list().unwrap()[0];
    let id = event.get("id").unwrap().to_plain_text();
    assert_eq!(wiremock.event(&id).unwrap(), *event);
    let report = event.get("subEvents").unwrap().as_list().unwrap()[0]
        .get("data")
        .unwrap()
        .get("report")
        .unwrap()
        .to_plain_text();
    assert!(report.contains("[path] /a") && report.contains("<<<<< URL does not match"), "{report}");
    let near = wiremock.near_misses();
    let near = &near.get("nearMisses").unwrap().as_list().unwrap()[0];
    // One of two letters differs, in the one of six parts that weighs ten of 39.
    assert_eq!(
        near.get("matchResult").unwrap().get("distance").unwrap().to_plain_text(),
        "0.1282051282051282"
    );
    wiremock.near_misses_of_pattern(&json(r#"{"url":"/c"}"#)).unwrap();
    wiremock.near_misses_of_request(&json(r#"{"url":"/c","method":"GET"}"#)).unwrap();
    wiremock.remove_requests_by_metadata(&json(r#"{"matchesJsonPath":"$.k"}"#)).unwrap();
    assert_eq!(count("{}"), 1);
    wiremock.remove_requests(&json(r#"{"url":"/b"}"#)).unwrap();
    assert_eq!(count("{}"), 0);
}

#[test]
fn what_was_recorded_becomes_mappings() {
    let wiremock = wiremock();
    assert_eq!(wiremock.stop_recording().unwrap_err().errors[0].title, "Not currently recording.");
    wiremock
        .start_recording(&json(r#"{"targetBaseUrl":"http://up:1","captureHeaders":{"Accept":{}}}"#))
        .unwrap();
    for (url, body, answer) in [("/a?q=1", "", "one"), ("/a?q=1", "", "two"), ("/b", r#"{"x":1}"#, "three")] {
        let headers = [("Accept", "x"), ("Content-Type", "application/json")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let served = wiremock.serve(Request::new("POST", url, headers, body.into()));
        let Say::Elsewhere(elsewhere) = served.answering.unwrap().say else { panic!("it is not passed on") };
        assert_eq!(elsewhere.base, "http://up:1");
        let reply = format!(
            r#"{{"status":200,"headers":{{"content-type":"text/plain","content-length":"3"}},"text":"{answer}"}}"#
        );
        elsewhere.heard_by.as_ref().unwrap().hear(&json(&reply));
    }
    let (made, files) = wiremock.stop_recording().unwrap();
    assert!(files.is_empty());
    let mut made = made.get("mappings").unwrap().as_list().unwrap().to_vec();
    made.reverse();
    let shown: Vec<String> = made
        .iter()
        .map(|one| {
            format!(
                "{} {} {}",
                one.get("request").unwrap(),
                one.get("response").unwrap(),
                one.get("requiredScenarioState").unwrap_or(&Value::Null)
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"{"urlPath":"/a","method":"POST","headers":{"Accept":{"equalTo":"x"}},"queryParameters":{"q":{"hasExactly":[{"equalTo":"1"}]}}} {"status":200,"body":"one","headers":{"content-type":"text/plain"}} "Started""#,
            r#"{"urlPath":"/a","method":"POST","headers":{"Accept":{"equalTo":"x"}},"queryParameters":{"q":{"hasExactly":[{"equalTo":"1"}]}}} {"status":200,"body":"two","headers":{"content-type":"text/plain"}} "scenario-1-a-2""#,
            r#"{"url":"/b","method":"POST","headers":{"Accept":{"equalTo":"x"}},"bodyPatterns":[{"equalToJson":"{\"x\":1}","ignoreArrayOrder":true,"ignoreExtraElements":true}]} {"status":200,"body":"three","headers":{"content-type":"text/plain"}} null"#,
        ]
    );
    assert_eq!(wiremock.recording_status().to_string(), r#"{"status":"Stopped"}"#);
    let headers = vec![("Accept".to_owned(), "x".to_owned())];
    let again = wiremock.serve(Request::new("POST", "/a?q=1", headers, Vec::new())).answering.unwrap();
    assert!(matches!(again.say, Say::Answer(value) if value.get("text") == Some(&Value::text("one"))));
}

#[test]
fn long_bodies_go_into_files() {
    let wiremock = wiremock();
    let exchange = |path: &str, kind: &str, text: &str| {
        let request = format!(r#"{{"method":"GET","path":"{path}"}}"#);
        let reply = format!(r#"{{"status":200,"headers":{{"Content-Type":"{kind}"}},"text":"{text}"}}"#);
        (json(&request), json(&reply))
    };
    wiremock.start_recording(&json(r#"{"targetBaseUrl":"http://up:1"}"#)).unwrap();
    for (request, reply) in
        [exchange("/a/long", "application/json", "123456"), exchange("/short", "text/plain", "12345")]
    {
        let Say::Elsewhere(to) = wiremock.serve(Request::of_fields(&request)).answering.unwrap().say else {
            panic!("no")
        };
        to.heard_by.as_ref().unwrap().hear(&reply);
    }
    let spec = json(
        r#"{"persist":false,"extractBodyCriteria":{"textSizeThreshold":"5","binarySizeThreshold":"1 kb"}}"#,
    );
    let (made, files) = wiremock.snapshot(&spec).unwrap();
    let [(name, bytes)] = files.as_slice() else { panic!("{files:?}") };
    let (stem, ending) = name.rsplit_once('.').unwrap();
    assert!(stem.starts_with("a_long-") && ending == "json" && bytes == b"123456", "{name}");
    let responses: Vec<String> = made
        .get("mappings")
        .and_then(Value::as_list)
        .unwrap()
        .iter()
        .map(|one| {
            let response = one.get("response").unwrap();
            format!(
                "{:?} {:?}",
                response.get("body").map(Value::to_plain_text),
                response.get("bodyFileName").is_some()
            )
        })
        .collect();
    assert_eq!(responses, [r#"Some("12345") false"#, "None true"]);
}

/// The index of paths leaves out nothing: the same mapping answers as when all are tried.
#[test]
fn the_index_finds_what_trying_all_finds() {
    let chance = seam_expr::Chance::new(5, "index");
    let paths = ["/a", "/a/b", "/c", "/c?x=1"];
    for _ in 0..40 {
        let wiremock = wiremock();
        for number in 0..12 {
            let path = chance.pick(&paths).unwrap();
            let request = match chance.below(5) {
                0 => format!(r#"{{"url":"{path}"}}"#),
                1 => format!(r#"{{"urlPath":"{path}"}}"#),
                2 => r#"{"urlPattern":"/a.*"}"#.to_owned(),
                3 => r#"{"urlPathTemplate":"/a/{x}"}"#.to_owned(),
                _ => r#"{"method":"GET"}"#.to_owned(),
            };
            let mapping = format!(
                r#"{{"request":{request},"priority":{},"response":{{"body":"{number}"}}}}"#,
                1 + chance.below(3)
            );
            wiremock.add_mapping(&json(&mapping)).unwrap();
        }
        for path in paths {
            let request = Request::new("POST", path, Vec::new(), Vec::new());
            let all = wiremock.ordered();
            let first = all
                .iter()
                .find(|mapping| mapping.request.matches(&request))
                .map(|mapping| mapping.id.clone());
            let answered = wiremock
                .serve(Request::new("POST", path, Vec::new(), Vec::new()))
                .answering
                .map(|one| one.by.to_string());
            assert_eq!(answered, first, "{path}");
        }
    }
}

#[test]
fn it_answers_on_a_seam() {
    let wiremock = with(&[
        r#"{"request":{"method":"POST","url":"/a?q=a%20b","headers":{"X-A":{"equalTo":"1"}},"bodyPatterns":[{"equalTo":"body"}]}}"#,
    ]);
    let seam = SeamId {
        consumer: ComponentId::from("a"),
        provider: ComponentId::from("b"),
        endpoint: Endpoint::main(),
    };
    let request =
        json(r#"{"method":"POST","path":"/a","query":{"q":"a b"},"headers":{"x-a":"1"},"text":"body"}"#);
    let plain = b"POST /a?q=a%20b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nbody";
    let chunked = b"POST /a?q=a%20b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
    for bytes in [&plain[..], chunked, b""] {
        let asked = Asked { seam: &seam, protocol: "http", at: Duration::ZERO, request: &request, bytes };
        assert!(wiremock.answer(&asked).is_some(), "{bytes:?}");
    }
    let layers = crate::Layers::new(vec![Arc::new(wiremock)]);
    let unmatched = b"POST /b HTTP/1.1\r\nHost: x\r\n\r\n";
    // What is in chunks is put together first, and what has not come, or nothing matches, must be read too.
    for (bytes, answers) in
        [(Some(&plain[..]), true), (Some(&chunked[..]), false), (Some(&unmatched[..]), false), (None, false)]
    {
        let glanced = layers.at_a_glance(Glance { seam: &seam, method: "POST", path: "/a", bytes });
        assert_eq!(glanced.is_some(), answers, "{bytes:?}");
    }
    let other = json(r#"{"method":"GET","path":"/other"}"#);
    let asked = Asked { seam: &seam, protocol: "http", at: Duration::ZERO, request: &other, bytes: b"" };
    assert!(layers.answer(&asked).is_none());
}

/// What the answer of 404 says, row by row as WireMock 3.13.2 says it.
#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn the_report_tells_what_did_not_match() {
    let get = |url: &str| Request::new("GET", url, vec![("A".to_owned(), "y".to_owned())], Vec::new());
    let post = |body: &str| Request::new("POST", "/x", Vec::new(), body.as_bytes().to_vec());
    for (asked, request, rows) in [
        (r#"{"url":"/a"}"#, get("/b"), &["/a | /b <<<<< URL does not match"][..]),
        (
            r#"{"urlPathPattern":"x.?"}"#,
            get("/b"),
            &[
                r#"[path regex] x.? | /b <<<<< URL does not match. When using a regex, "?" should be "\?". URLs must start with a /"#,
            ],
        ),
        (r#"{"method":"PUT"}"#, get("/b"), &["PUT | GET <<<<< HTTP method does not match", "(always) | /b"]),
        (
            r#"{"urlPath":"/x","headers":{"A":{"matches":"x"},"B":{"absent":true},"C":{"equalTo":"1"}}}"#,
            get("/x"),
            &[
                "A [matches] : x | A: y <<<<< Header does not match",
                "B [absent] : (absent) | <<<<< Header is not present",
                "C: 1 | <<<<< Header is not present",
            ],
        ),
        (
            r#"{"urlPath":"/x","queryParameters":{"a":{"hasExactly":[{"equalTo":"1"},{"contains":"2"}]}}}"#,
            get("/x?a=1&a=2&a=3"),
            &[
                "Query: a exactly [equalTo 1 AND contains 2] | a: 1 <<<<< Query does not match",
                "| a: 2",
                "| a: 3",
            ],
        ),
        (
            r#"{"urlPathTemplate":"/a/{id}","pathParameters":{"id":{"matches":"[0-9]+"}}}"#,
            get("/a/z"),
            &["Path parameter: id [matches] [0-9]+ | z <<<<< Path parameter does not match"],
        ),
        (
            r#"{"urlPath":"/x","bodyPatterns":[{"equalToJson":"{\"a\":1}"}]}"#,
            post(r#"{"a":2}"#),
            &["[equalToJson] | <<<<< Body does not match", "{ | {", "\"a\" : 1 | \"a\" : 2", "} | }"],
        ),
        (
            r#"{"urlPath":"/x","bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","equalTo":"3"}}]}"#,
            post(r#"{"a":2}"#),
            &["$.a [equalTo] 3 | 2 <<<<< Body does not match"],
        ),
        (
            r#"{"urlPath":"/x","bodyPatterns":[{"and":[{"contains":"z"},{"not":{"equalTo":"q"}}]}]}"#,
            post("some words that go on and on so that the line is too long to fit"),
            &[
                "[and] | some words that go on and on so that the line is too<<<<< Body does not match",
                "contains z AND not q | long to fit",
            ],
        ),
        (
            r#"{"urlPath":"/x","multipartPatterns":[{"name":"a"}]}"#,
            post("z"),
            &["[Multipart request body] | <<<<< [Multipart request body] is not present"],
        ),
        (
            r#"{"urlPath":"/x","basicAuth":{"username":"a","password":"b"},"headers":{"Accept":{"contains":"x"}}}"#,
            get("/x"),
            &[
                "Accept [contains] : x | <<<<< Header is not present",
                "Authorization [prefix] : Basic YTpi | <<<<< Header is not present",
            ],
        ),
        (
            r#"{"urlPath":"/x","clientIp":{"equalTo":"127.0.0.1"}}"#,
            get("/x"),
            &["equalTo 127.0.0.1 | <<<<< ClientIp is not present"],
        ),
    ] {
        let wiremock = wiremock();
        wiremock.add_mapping(&json(&format!(r#"{{"request":{asked}}}"#))).unwrap();
        let report = wiremock.not_matched(&request);
        let shown: Vec<String> =
            report.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for row in rows {
            assert!(shown.iter().any(|line| line == row), "{row} is not in\n{}", shown.join("\n"));
        }
    }
}
