//! What counts of a mapping in a file that says more than is looked at.
//!
//! Whoever posts such a mapping is told what is wrong with it. A file of others, which WireMock has served for years, is
//! served here as it is there: the first operator counts, one way of saying the address counts, what nobody knows beside
//! an operator does not. Each such place is told.

use super::pattern::{BESIDE, OPERATORS, schema};
use seam_value::{Map, Value};

/// How the address can be said, the one that counts before others first.
const ADDRESSES: &[&str] = &["url", "urlPattern", "urlPath", "urlPathPattern", "urlPathTemplate"];
/// Where names stand with what is asked of their values.
const NAMED: &[&str] = &["headers", "pathParameters", "queryParameters", "formParameters", "cookies"];

/// Takes out of a mapping what does not count, and tells it.
pub(crate) fn keep(mapping: &mut Value, pointer: &str) -> Vec<String> {
    let mut told = Vec::new();
    let Value::Map(map) = mapping else { return told };
    if !map.get("scenarioName").is_some_and(|name| *name != Value::Null) {
        for state in ["requiredScenarioState", "newScenarioState"] {
            if map.shift_remove(state).is_some() {
                told.push(format!("{pointer}/{state}: a state counts only with a scenarioName"));
            }
        }
    }
    for name in ["request", "newRequest"] {
        if let Some(Value::Map(request)) = map.get_mut(name) {
            of_request(request, &format!("{pointer}/{name}"), &mut told);
        }
    }
    told
}

fn of_request(request: &mut Map, pointer: &str, told: &mut Vec<String>) {
    let said = |request: &Map, name: &str| request.get(name).is_some_and(|value| *value != Value::Null);
    if let Some(first) = ADDRESSES.iter().find(|name| said(request, name)) {
        for other in ADDRESSES.iter().filter(|other| *other != first) {
            if said(request, other) {
                told.push(format!("{pointer}/{other}: there is {first}, too, and only that counts"));
            }
            request.shift_remove(*other);
        }
    }
    for name in ["host", "clientIp"] {
        if let Some(pattern) = request.get_mut(name) {
            of_pattern(pattern, &format!("{pointer}/{name}"), told);
        }
    }
    of_parts(request, pointer, told);
    if let Some(Value::List(all)) = request.get_mut("multipartPatterns") {
        for (index, one) in all.iter_mut().enumerate() {
            if let Value::Map(one) = one {
                of_parts(one, &format!("{pointer}/multipartPatterns/{index}"), told);
            }
        }
    }
}

fn of_parts(asked: &mut Map, pointer: &str, told: &mut Vec<String>) {
    for part in NAMED {
        if let Some(Value::Map(patterns)) = asked.get_mut(*part) {
            for (name, pattern) in patterns.iter_mut() {
                of_pattern(pattern, &format!("{pointer}/{part}/{name}"), told);
            }
        }
    }
    if let Some(Value::List(patterns)) = asked.get_mut("bodyPatterns") {
        for (index, pattern) in patterns.iter_mut().enumerate() {
            of_pattern(pattern, &format!("{pointer}/bodyPatterns/{index}"), told);
        }
    }
}

fn of_pattern(pattern: &mut Value, pointer: &str, told: &mut Vec<String>) {
    let Value::Map(map) = pattern else { return };
    let Some(first) = map.keys().find(|key| OPERATORS.contains(&key.as_str())).cloned() else { return };
    if map.contains_key("hasExactly") || map.contains_key("includes") {
        return;
    }
    let stray = |key: &&String| **key != first && !BESIDE.contains(&key.as_str());
    let others: Vec<String> = map.keys().filter(stray).cloned().collect();
    for other in others {
        map.shift_remove(&other);
        told.push(if OPERATORS.contains(&other.as_str()) {
            format!("{pointer}: of {first} and {other} only the first counts; join them with and")
        } else {
            format!("{pointer}/{other}: nothing knows this beside {first}")
        });
    }
    let version = map.get("schemaVersion").and_then(Value::as_text).map(str::to_owned);
    match map.get_mut(&first) {
        Some(of_schema) if first == "matchesJsonSchema" => {
            let taken = schema::keep(of_schema, version.as_deref());
            let tell = |(at, reason)| format!("{pointer}/{first}{at}: {reason}, and it does not count");
            told.extend(taken.into_iter().map(tell));
        }
        Some(Value::List(all)) if first == "and" || first == "or" => {
            for (index, one) in all.iter_mut().enumerate() {
                of_pattern(one, &format!("{pointer}/{first}/{index}"), told);
            }
        }
        Some(inner @ Value::Map(_))
            if matches!(first.as_str(), "not" | "matchesJsonPath" | "matchesXPath") =>
        {
            of_pattern(inner, &format!("{pointer}/{first}"), told);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn what_counts_and_what_is_told() {
        for (mapping, kept, said) in [
            (r#"{"request":{"url":"/a"}}"#, r#"{"request":{"url":"/a"}}"#, vec![]),
            (
                r#"{"requiredScenarioState":"X","request":{}}"#,
                r#"{"request":{}}"#,
                vec!["/requiredScenarioState: a state counts only with a scenarioName"],
            ),
            (
                r#"{"request":{"urlPath":"/a","urlPattern":"/b","url":null}}"#,
                r#"{"request":{"urlPattern":"/b"}}"#,
                vec!["/request/urlPath: there is urlPattern, too, and only that counts"],
            ),
            (
                r#"{"request":{"headers":{"A":{"contains":"x","matches":"y","caseInsensitive":true}}}}"#,
                r#"{"request":{"headers":{"A":{"contains":"x","caseInsensitive":true}}}}"#,
                vec!["/request/headers/A: of contains and matches only the first counts; join them with and"],
            ),
            (
                r#"{"request":{"bodyPatterns":[{"and":[{"equalToJson":"{}","jsonCompareMode":"LENIENT"}]}]}}"#,
                r#"{"request":{"bodyPatterns":[{"and":[{"equalToJson":"{}"}]}]}}"#,
                vec!["/request/bodyPatterns/0/and/0/jsonCompareMode: nothing knows this beside equalToJson"],
            ),
            (
                r#"{"request":{"bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","contains":"x"}}]}}"#,
                r#"{"request":{"bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","contains":"x"}}]}}"#,
                vec![],
            ),
        ] {
            let mut value = parse(mapping).unwrap();
            let told = keep(&mut value, "");
            assert_eq!(
                (value.to_string().as_str(), told),
                (kept, said.iter().map(|said| (*said).to_owned()).collect())
            );
        }
    }
}
