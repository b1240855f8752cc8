//! Tests: what stands in mapping files that people have written, and how they are asked. Each row was met in a public
//! collection, and told against WireMock 3.13.2.

use super::{Request, WireMock};
use crate::surroundings::testing;
use seam_value::{Value, parse};

fn wiremock() -> WireMock {
    WireMock::new(testing(), Box::new(|_: &str| Err("there is no such file".to_owned())))
}

fn loaded(text: &str) -> (WireMock, Vec<String>) {
    let wiremock = wiremock();
    let files = [("m.json".to_owned(), text.to_owned())];
    let warnings = wiremock.load(&files).unwrap_or_else(|wrong| panic!("{text}: {}", wrong[0]));
    (wiremock, warnings)
}

fn answers(wiremock: &WireMock, url: &str, media: &str, body: &str) -> bool {
    let headers =
        vec![("Host".to_owned(), "localhost".to_owned()), ("Content-Type".to_owned(), media.to_owned())];
    wiremock.serve(Request::new("POST", url, headers, body.into())).answering.is_some()
}

#[test]
fn files_that_say_too_much_are_served_and_told() {
    for (text, told) in [
        (
            "{\"request\":{\"url\":\"/a\"}}\n}\n",
            "m.json: what stands behind the end of its JSON does not count",
        ),
        ("\u{feff}{'request':{'url':'/a'}} // fine", ""),
        (
            r#"{"request":{"url":"/a","bodyPatterns":[{"matchesJsonPath":"$.a","contains":"never"}]}}"#,
            "m.json: /request/bodyPatterns/0: of matchesJsonPath and contains only the first counts; join them with and",
        ),
        (
            r#"{"mappings":[{"request":{"url":"/a","urlPathPattern":"/b"}}]}"#,
            "m.json: /mappings/0/request/urlPathPattern: there is url, too, and only that counts",
        ),
        (
            r#"{"request":{"url":"/a","bodyPatterns":[{"equalToJson":"{'a':'x'}","jsonCompareMode":"LENIENT"}]}}"#,
            "m.json: /request/bodyPatterns/0/jsonCompareMode: nothing knows this beside equalToJson",
        ),
    ] {
        let (wiremock, warnings) = loaded(text);
        assert_eq!(warnings, told.split_terminator('|').collect::<Vec<_>>(), "{text}");
        assert!(answers(&wiremock, "/a", "application/json", r#"{"a":"x"}"#), "{text}");
        assert!(!answers(&wiremock, "/b", "application/json", r#"{"a":"x"}"#), "{text}");
    }
}

#[test]
fn whoever_posts_it_is_told_that_it_is_wrong() {
    for (mapping, pointer) in [
        (r#"{"request":{"headers":{"A":{"contains":"x","matches":"y"}}}}"#, "/request/headers/A"),
        (r#"{"request":{"headers":{"A":{"hasExactly":[],"contains":"x"}}}}"#, "/request/headers/A/contains"),
        (r#"{"request":{},"response":{"headers":{"X Y":"a"}}}"#, "/response/headers"),
        (r#"{"request":{"queryParameters":{"A":{"includes":[],"x":1}}}}"#, "/request/queryParameters/A/x"),
    ] {
        let wrong = wiremock().add_mapping(&parse(mapping).unwrap()).expect_err(mapping);
        assert_eq!(wrong.errors[0].pointer.as_deref(), Some(pointer), "{mapping}");
    }
}

#[test]
fn one_id_is_one_mapping() {
    let id = r#""id":"11111111-1111-1111-1111-111111111111""#;
    let (wiremock, warnings) = loaded(&format!(
        r#"{{"mappings":[{{{id},"request":{{"url":"/a"}}}},{{{id},"request":{{"url":"/b"}}}}]}}"#
    ));
    assert_eq!(
        warnings,
        ["of the mappings with the id 11111111-1111-1111-1111-111111111111 in m.json only the last answers"]
    );
    assert!(!answers(&wiremock, "/a", "text/plain", "") && answers(&wiremock, "/b", "text/plain", ""));
}

#[test]
fn a_file_that_is_no_json_says_where() {
    let files = [("m.json".to_owned(), "{\n  \"request\": {\n    \"url\": \"/a\",\n  }\n}".to_owned())];
    let wrong = wiremock().load(&files).unwrap_err();
    assert_eq!(wrong[0].to_string(), "m.json: line 4, column 3: string expected");
}

#[test]
fn bodies_and_media_types_as_they_come() {
    for (asks, media, body, holds) in [
        (r#""bodyPatterns":[{"equalToJson":{"a":1}}]"#, "text/plain", "{'a':1}", true),
        (r#""bodyPatterns":[{"equalToJson":{"a":1}}]"#, "text/plain", "{\"a\":1}}", true),
        (r#""bodyPatterns":[{"matchesJsonPath":"$.a"}]"#, "text/plain", "{'a':1} x", true),
        (
            r#""bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","equalTo":"1"}}]"#,
            "text/plain",
            "{'a':1}",
            true,
        ),
        (r#""bodyPatterns":[{"equalToXml":"<a/>"}]"#, "text/xml", "<?xml version=\"1.0\"?><a/>", true),
        (r#""bodyPatterns":[{"equalToXml":"<a/>"}]"#, "text/xml", "\n<a/>\n", true),
        (r#""bodyPatterns":[{"equalToXml":"<a/>"}]"#, "text/xml", "\n<?xml version=\"1.0\"?><a/>", false),
        (r#""bodyPatterns":[{"matchesXPath":"/a"}]"#, "text/xml", "\u{feff}<a/>", false),
        (
            r#""headers":{"Content-Type":{"equalTo":"application/json; charset=UTF-8"}}"#,
            "application/json; charset=utf-8",
            "",
            true,
        ),
        (
            r#""headers":{"Content-Type":{"equalTo":"application/json; charset=utf-8"}}"#,
            "application/json; charset=utf-8",
            "",
            true,
        ),
        (r#""headers":{"Content-Type":{"equalTo":"application/pdf"}}"#, "Application/PDF", "", false),
    ] {
        let (wiremock, _) = loaded(&format!(r#"{{"request":{{"url":"/a",{asks}}}}}"#));
        assert_eq!(answers(&wiremock, "/a", media, body), holds, "{asks} {body}");
    }
}

#[test]
fn a_body_is_read_in_the_letters_that_are_said() {
    let (wiremock, _) = loaded(r#"{"request":{"url":"/a","bodyPatterns":[{"equalTo":"é"}]}}"#);
    for (media, body, holds) in [
        ("text/plain; charset=ISO-8859-1", &b"\xe9"[..], true),
        ("text/plain;charset=\"windows-1252\"", b"\xe9", true),
        ("text/plain; charset=UTF-16LE", b"\xe9\0", true),
        ("text/plain; charset=utf-8", "é".as_bytes(), true),
        ("text/plain; charset=nonsense", "é".as_bytes(), true),
        ("text/plain", b"\xe9", false),
    ] {
        let headers = vec![("Content-Type".to_owned(), media.to_owned())];
        let served = wiremock.serve(Request::new("POST", "/a", headers, body.to_vec()));
        assert_eq!(served.answering.is_some(), holds, "{media}");
    }
}

#[test]
fn get_or_head_is_either() {
    let (wiremock, _) = loaded(r#"{"request":{"url":"/a","method":"GET_OR_HEAD"}}"#);
    for (method, holds) in [("GET", true), ("HEAD", true), ("POST", false), ("GET_OR_HEAD", false)] {
        let served = wiremock.serve(Request::new(method, "/a", Vec::new(), Vec::new()));
        assert_eq!(served.answering.is_some(), holds, "{method}");
    }
}

#[test]
fn an_address_that_asks_nothing_has_no_question_mark() {
    let (wiremock, _) = loaded(r#"{"request":{"url":"/a"}}"#);
    assert!(answers(&wiremock, "/a?", "text/plain", ""));
}

#[test]
fn headers_have_one_line_each() {
    let (wiremock, _) = loaded(
        r#"{"request":{"url":"/a"},"response":{"headers":{"X":["a\r\nb","c"],"Y":"{{request.body}}","":"z"},
            "statusMessage":"so\nso","transformers":["response-template"]}}"#,
    );
    let headers = vec![("Host".to_owned(), "localhost".to_owned())];
    let answering = wiremock.serve(Request::new("POST", "/a", headers, b"1\n2".to_vec())).answering.unwrap();
    let seam_wire::Say::Answer(answer) = answering.say else { panic!("it answers") };
    let headers = answer.get("headers").unwrap();
    assert_eq!(headers.get("X").unwrap().to_string(), r#"["a  b","c"]"#);
    assert_eq!(headers.get("Y"), Some(&Value::text("1 2")));
    assert_eq!((headers.get(""), answer.get("reason")), (None, Some(&Value::text("so so"))));
}

#[test]
fn what_is_listed_has_the_types_that_are_meant() {
    let (wiremock, _) = loaded(
        r#"{"id":"","priority":"1","persistent":"false","request":{"url":"/a"},
            "response":{"fixedDelayMilliseconds":"20","body":12,"status":"201","headers":{"A":["x"],"B":["x","y"],"C":"z"}}}"#,
    );
    let listed = wiremock.mappings(super::Page::default());
    let mapping = &listed.get("mappings").and_then(Value::as_list).unwrap()[0];
    assert_eq!(
        mapping.get("response").unwrap().to_string(),
        r#"{"status":201,"body":"12","headers":{"A":"x","B":["x","y"],"C":"z"},"fixedDelayMilliseconds":20}"#
    );
    assert_eq!(mapping.get("id").and_then(Value::as_text).map(str::len), Some(36));
    assert_eq!(mapping.get("priority"), Some(&Value::from(1_i64)));
    assert_eq!(mapping.get("persistent"), Some(&Value::Bool(false)));
}
