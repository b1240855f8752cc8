//! Operators hold where they hold in WireMock, and what is none is told with its place.

use super::*;
use seam_value::parse;

fn pattern(text: &str) -> Result<Pattern, Wrong> {
    let value = parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
    Pattern::read(&Place::whole(&value))
}

#[test]
fn operators_hold_where_they_hold_in_wiremock() {
    let now: Timestamp = "2021-06-14T12:13:14Z".parse().unwrap();
    for (text, value, expect) in [
        (r#"{"equalTo":"a"}"#, Some("a"), true),
        (r#"{"equalTo":"a"}"#, Some("A"), false),
        (r#"{"equalTo":"a","caseInsensitive":true}"#, Some("A"), true),
        (r#"{"equalTo":"a"}"#, None, false),
        (r#"{"equalToNumber":5}"#, Some("5.0"), true),
        (r#"{"greaterThanNumber":5}"#, Some("5"), false),
        (r#"{"lessThanEqualNumber":"5"}"#, Some("5"), true),
        (r#"{"equalToJson":"{\"a\":1}"}"#, Some(r#"{"a":1.0}"#), true),
        (r#"{"equalToJson":{"a":[1,2]},"ignoreArrayOrder":true}"#, Some(r#"{"a":[2,1]}"#), true),
        (r#"{"equalToJson":{"a":1}}"#, Some("nonsense"), false),
        (r#"{"matchesJsonPath":"$.a"}"#, Some(r#"{"a":1}"#), true),
        (r#"{"matchesJsonPath":"$.a"}"#, Some(r#"{"a":null}"#), false),
        (r#"{"matchesJsonPath":"$.a[?(@.b == 1)]"}"#, Some(r#"{"a":[{"b":1}]}"#), true),
        (r#"{"matchesJsonPath":{"expression":"$.a","contains":"x"}}"#, Some(r#"{"a":"xy"}"#), true),
        (
            r#"{"matchesJsonPath":{"expression":"$['a','b']","equalToJson":"{\"a\":1}"}}"#,
            Some(r#"{"a":1}"#),
            true,
        ),
        (r#"{"matchesJsonPath":"$.a.sum()"}"#, Some(r#"{"a":1}"#), false),
        (r#"{"matchesJsonPath":"$.a.sum()"}"#, Some(r#"{"a":[1,2]}"#), true),
        (r#"{"matchesJsonSchema":{"type":"object","required":["a"]}}"#, Some("{'a':1}"), true),
        (r#"{"matchesJsonPath":{"expression":"$.a","absent":true}}"#, Some("{}"), true),
        (r#"{"matchesJsonPath":{"expression":"$..b","equalTo":"2"}}"#, Some(r#"[{"b":1},{"b":2}]"#), true),
        (r#"{"matchesJsonPath":{"expression":"$.a","equalToJson":[1]}}"#, Some(r#"{"a":[1]}"#), true),
        (r#"{"matchesJsonSchema":{"type":"object","required":["a"]}}"#, Some(r#"{"a":1}"#), true),
        (r#"{"matchesJsonSchema":{"type":"object","required":["a"]}}"#, Some("{}"), false),
        (r#"{"matchesJsonSchema":{"type":"string","minLength":2}}"#, Some("ab"), true),
        (r#"{"equalToXml":"<a><b/></a>"}"#, Some("<a> <b></b></a>"), true),
        (r#"{"matchesXPath":"//b"}"#, Some("<a><b/></a>"), true),
        (r#"{"matchesXPath":"//c"}"#, Some("<a><b/></a>"), false),
        (r#"{"matchesXPath":{"expression":"//b/text()","equalTo":"1"}}"#, Some("<a><b>1</b></a>"), true),
        (r#"{"matchesXPath":"//x:b","xPathNamespaces":{"x":"u"}}"#, Some("<a><b xmlns='u'/></a>"), true),
        (r#"{"contains":"b"}"#, Some("abc"), true),
        (r#"{"doesNotContain":"b"}"#, None, true),
        (r#"{"matches":"a.c"}"#, Some("abc"), true),
        (r#"{"matches":"b"}"#, Some("abc"), false),
        (r#"{"doesNotMatch":"b"}"#, Some("abc"), true),
        (r#"{"before":"now"}"#, Some("2021-06-14T00:00:00Z"), true),
        (r#"{"anything":"(always)"}"#, None, true),
        (r#"{"absent":true}"#, None, true),
        (r#"{"absent":true}"#, Some(""), false),
        (r#"{"and":[{"contains":"a"},{"contains":"b"}]}"#, Some("ab"), true),
        (r#"{"or":[{"contains":"x"},{"absent":true}]}"#, None, true),
        (r#"{"not":{"equalTo":"a"}}"#, Some("b"), true),
        (r#"{"matchesPathTemplate":"/a/{b}"}"#, Some("/a/1"), true),
    ] {
        let read = pattern(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
        assert_eq!(read.matches(value, now), expect, "{text} {value:?}");
        if !matches!(read, Pattern::EqualTo { .. }) {
            assert_eq!(read.distance(value, now) == 0.0, expect, "{text} {value:?}");
        }
    }
    assert!(pattern(r#"{"binaryEqualTo":"AQI="}"#).unwrap().matches_bytes(&[1, 2], "", now));
}

#[test]
fn what_is_no_operator_is_told_with_its_place() {
    for (text, pointer, detail) in [
        (r#"{"eqalTo":"x"}"#, "/", r#"{"eqalTo":"x"} is not a valid match operation"#),
        (r#""x""#, "/", r#""x" is not a valid match operation"#),
        (r#"{"equalTo":5}"#, "/", "equalTo operand must be a non-null string"),
        (r#"{"or":[{"contains":"x"}]}"#, "/", "Must be constructed with at least two matchers"),
        (r#"{"and":[{"contains":"x"},{"x":1}]}"#, "/and/1", "not a valid match operation"),
        (r#"{"matchesXPath":"//["}"#, "/", ""),
        (r#"{"matchesJsonSchema":"{\"type\": 5}"}"#, "/matchesJsonSchema", "Invalid JSON Schema"),
        (r#"{"before":"nonsense"}"#, "/before", "neither a date"),
        (r#"{"matches":"("}"#, "/", ""),
        (r#"{"matchesJsonPath":"$.["}"#, "/", ""),
        (
            r#"{"matchesJsonPath":{"equalTo":"x"}}"#,
            "/",
            "expression is required in the advanced matchesJsonPath form",
        ),
        (r#"{"equalTo":"x","contains":"y"}"#, "/", "join them with and"),
        (r#"{"equalTo":"x","extra":1}"#, "/extra", "Unrecognized field"),
        (r#"{"equalToXml":"<a/>","exemptedComparisons":["NOPE"]}"#, "/", "No enum constant"),
        (r#"{"binaryEqualTo":"!!"}"#, "/", "Illegal base64"),
    ] {
        let wrong = pattern(text).expect_err(text);
        assert_eq!(wrong.errors[0].pointer.as_deref(), Some(pointer), "{text}");
        assert!(wrong.errors[0].detail.as_ref().unwrap().contains(detail), "{text}: {wrong}");
    }
}

#[test]
fn a_schema_is_of_the_draft_that_it_names() {
    let now = Timestamp::UNIX_EPOCH;
    for (text, value, expect) in [
        (
            r#"{"matchesJsonSchema":{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://a/b",
                "properties":{"a":{"minimum":0,"exclusiveMinimum":true}}}}"#,
            r#"{"a":0}"#,
            false,
        ),
        (
            r#"{"schemaVersion":"V4","matchesJsonSchema":{"$schema":"http://json-schema.org/draft-07/schema#",
                "items":[{"type":"integer"}]}}"#,
            "[\"x\"]",
            false,
        ),
        (
            r#"{"matchesJsonSchema":{"$schema":"https://json-schema.org/draft-07/schema","const":1}}"#,
            "1",
            true,
        ),
        (r#"{"matchesJsonSchema":{"properties":{"id":{"type":"integer"}}}}"#, r#"{"id":1}"#, true),
        // What OpenAPI calls nullable.
        (
            r#"{"matchesJsonSchema":{"properties":{"a":{"type":"integer","nullable":true}}}}"#,
            r#"{"a":null}"#,
            true,
        ),
        (r#"{"matchesJsonSchema":{"properties":{"a":{"type":"integer"}}}}"#, r#"{"a":null}"#, false),
    ] {
        assert_eq!(pattern(text).unwrap().matches(Some(value), now), expect, "{text} {value}");
    }
    // WireMock matches nothing with these.
    for text in [
        r#"{"matchesJsonSchema":{"id":1,"name":"alice"}}"#,
        r#"{"matchesJsonSchema":{"properties":{"a":{"id":"x"}}}}"#,
        r#"{"matchesJsonSchema":{"$id":"a.json"}}"#,
        r#"{"matchesJsonSchema":{"$schema":"draft-07"}}"#,
    ] {
        let wrong = pattern(text).expect_err(text);
        assert_eq!(wrong.errors[0].pointer.as_deref(), Some("/matchesJsonSchema"), "{text}");
    }
}
