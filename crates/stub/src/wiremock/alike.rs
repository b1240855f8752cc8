//! What WireMock's own tests ask of it that nothing else here does.

use super::tests::{asked, json, said, wiremock, with};
use super::{EventFilter, Request};
use seam_value::Value;

#[test]
fn reloading_puts_what_stands_in_the_folder_in_the_place_of_all() {
    let wiremock = with(&[r#"{"request":{"url":"/posted"}}"#]);
    let one = r#"{"id":"7a0d8375-6e0e-4c9c-9686-5ef20cde1a84","persistent":true,"request":{"url":"/one"}}"#;
    let two = r#"{"mappings":[{"request":{"url":"/two"}},{"request":{"url":"/three"}}]}"#;
    let files = [("mappings/a/one.json", one), ("mappings/two.json", two)];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let read = wiremock.reload(&files).unwrap();
    let alone: Vec<_> = read.alone.iter().map(|one| (one.path.as_str(), one.is_persistent)).collect();
    assert_eq!(alone, [("mappings/a/one.json", true)]);
    for (path, expect) in [("/posted", "404"), ("/one", "200 "), ("/two", "200 "), ("/three", "200 ")] {
        assert_eq!(said(&wiremock, "GET", path), expect, "{path}");
    }
    assert!(wiremock.reload(&[("mappings/a.json".to_owned(), "{".to_owned())]).is_err());
    assert_eq!(said(&wiremock, "GET", "/one"), "200 ");
    wiremock.reload(&[]).unwrap();
    assert_eq!(said(&wiremock, "GET", "/one"), "404");
}

#[test]
fn settings_come_back_as_they_were_told() {
    let wiremock = wiremock();
    wiremock.set_settings(&json(r#"{"fixedDelay":5,"extended":{"one":1}}"#)).unwrap();
    let told = wiremock.settings();
    wiremock.set_settings(&json("{}")).unwrap();
    wiremock.set_settings(&told).unwrap();
    assert_eq!(wiremock.settings(), told);
    assert!(wiremock.set_settings(&json(r#"{"settings":{"fixedDelay":"x"}}"#)).is_err());
}

#[test]
fn bodies_that_could_not_be_read_are_told_once_with_the_request() {
    let wiremock = with(&[
        r#"{"request":{"url":"/j","bodyPatterns":[{"equalToJson":"{\"a\":1}"}]}}"#,
        r#"{"request":{"url":"/j","bodyPatterns":[{"equalToJson":"{\"a\":2}"}]}}"#,
        r#"{"request":{"url":"/p","bodyPatterns":[{"matchesJsonPath":"$.a"}]}}"#,
        r#"{"request":{"url":"/q","bodyPatterns":[{"matchesXPath":"//a"}]}}"#,
        r#"{"request":{"url":"/q","headers":{"A":{"equalTo":"b"}},"bodyPatterns":[{"equalToXml":"<a/>"}]}}"#,
    ]);
    for (url, body, expect) in [
        (
            "/j",
            "{\"a\":",
            "JSON_ERROR Unexpected end-of-input within/between Object entries\n at [Source: (String)\"{\"a\":\"; line: 1, column: 6]",
        ),
        (
            "/j",
            "<w/>",
            "JSON_ERROR Unexpected character ('<' (code 60)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"<w/>\"; line: 1, column: 1]",
        ),
        (
            "/p",
            "<w/>",
            "WARNING Warning: JSON path expression failed to match document '<w/>' because it's not JSON but probably XML",
        ),
        ("/q", "x", "WARNING Warning: failed to parse the XML document\nXML: x"),
    ] {
        asked(&wiremock, "POST", url, body);
        let filter = EventFilter { limit: Some(1), ..EventFilter::default() };
        let events = wiremock.events(&filter).unwrap();
        let events = events.get("requests").unwrap().as_list().unwrap()[0].get("subEvents").unwrap().clone();
        let told: Vec<String> = events
            .as_list()
            .unwrap()
            .iter()
            .map(|event| {
                let data = event.get("data").unwrap();
                let error =
                    data.get("errors").map(|errors| errors.as_list().unwrap()[0].get("detail").unwrap());
                let what = error.or(data.get("message")).map_or_else(String::new, Value::to_plain_text);
                format!("{} {what}", event.get("type").unwrap().to_plain_text())
            })
            .collect();
        assert_eq!(told, [expect.to_owned(), "REQUEST_NOT_MATCHED ".to_owned()], "{url} {body}");
    }
}

#[test]
fn what_nothing_matched_is_recorded_where_that_is_asked_for() {
    let wiremock = with(&[r#"{"request":{"url":"/a"},"response":{"body":"plain"}}"#]);
    said(&wiremock, "GET", "/a");
    said(&wiremock, "GET", "/b");
    let (made, _) = wiremock.snapshot(&json(r#"{"filters":{"allowNonProxied":true}}"#)).unwrap();
    let made = made.get("mappings").unwrap().as_list().unwrap().to_vec();
    let responses: Vec<String> = made.iter().map(|one| one.get("response").unwrap().to_string()).collect();
    // A body of no known type is bytes, as in WireMock.
    assert_eq!(responses, [r#"{"status":404}"#, r#"{"status":200,"base64Body":"cGxhaW4="}"#]);
}

#[test]
fn the_page_of_what_did_not_match_is_as_wide_as_is_asked_for() {
    let wiremock = with(&[r#"{"request":{"url":"/a"}}"#]);
    for (width, expect) in [("69", 69), ("", 119), ("0", 40), ("999999999", 1_000)] {
        let request = Request::of_json(&json(&format!(
            r#"{{"method":"GET","url":"/b","headers":{{"X-WireMock-Console-Width":"{width}"}}}}"#
        )));
        let page = wiremock.not_matched(&request);
        assert_eq!(
            page.lines().filter(|line| line.starts_with("--")).map(str::len).max(),
            Some(expect),
            "{page}"
        );
    }
}

#[test]
fn what_is_wrong_is_told_in_the_words_of_java() {
    let wiremock = wiremock();
    for (request, detail) in [
        (r#"{"urlPattern":"a[b"}"#, "Unclosed character class near index 2\na[b\n  ^"),
        (r#"{"urlPattern":"a(b"}"#, "Unclosed group near index 3\na(b"),
        (r#"{"urlPattern":"*a"}"#, "Dangling meta character '*' near index 0\n*a\n^"),
        (
            r#"{"bodyPatterns":[{"equalToJson":"(x"}]}"#,
            "Unexpected character ('(' (code 40)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"(x\"; line: 1, column: 1]",
        ),
        (
            r#"{"bodyPatterns":[{"equalToJson":"{\"a\" 1}"}]}"#,
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value\n at [Source: (String)\"{\"a\" 1}\"; line: 1, column: 6]",
        ),
    ] {
        let wrong = wiremock.add_mapping(&json(&format!(r#"{{"request":{request}}}"#))).unwrap_err();
        assert_eq!(wrong.errors[0].detail.as_deref(), Some(detail), "{request}");
    }
}

#[test]
fn how_bodies_are_recorded_is_said_by_either_name() {
    for name in ["requestBodyPattern", "requestBodyPatternFactory"] {
        let wiremock = with(&[r#"{"request":{"url":"/a"}}"#]);
        asked(&wiremock, "POST", "/a", "text");
        let spec = format!(
            r#"{{"filters":{{"allowNonProxied":true}},"{name}":{{"matcher":"equalTo","caseInsensitive":true}}}}"#
        );
        let (made, _) = wiremock.snapshot(&json(&spec)).unwrap();
        let request = made.get("mappings").unwrap().as_list().unwrap()[0].get("request").unwrap();
        let bodies = request.get("bodyPatterns").unwrap().to_string();
        assert_eq!(bodies, r#"[{"equalTo":"text","caseInsensitive":true}]"#, "{name}");
    }
}

#[test]
fn recorded_mappings_and_their_files_have_the_names_that_wiremock_gives() {
    for (url, headers, body, name, ending) in [
        ("/a%20b/%C5%83ame%3F_x-/", "{}", "[1, 2]", "a-b_name_x-", "json"),
        ("/img/My.image.png?x=1", "{}", "bytes", "img_my.image.png", "png"),
        ("/a", r#"{"Content-Type":"text/html"}"#, "<a/>", "a", "txt"),
        ("/b", r#"{"Content-Type":"image/gif"}"#, "bytes", "b", "gif"),
        ("/c", "{}", "<a/>", "c", "xml"),
        ("/d", "{}", "bytes", "d", "txt"),
    ] {
        let stub = format!(r#"{{"request":{{}},"response":{{"headers":{headers},"body":"{body}"}}}}"#);
        let wiremock = with(&[&stub]);
        said(&wiremock, "GET", url);
        let spec = r#"{"filters":{"allowNonProxied":true},"extractBodyCriteria":{"textSizeThreshold":"0","binarySizeThreshold":"0"}}"#;
        let (made, files) = wiremock.snapshot(&json(spec)).unwrap();
        let made = &made.get("mappings").unwrap().as_list().unwrap()[0];
        assert_eq!(made.get("name").unwrap().to_plain_text(), name, "{url}");
        let id = made.get("id").unwrap().to_plain_text();
        assert_eq!(files, [(format!("{name}-{id}.{ending}"), body.as_bytes().to_vec())], "{url}");
    }
}
