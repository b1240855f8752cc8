//! Compares JSON as WireMock's `equalToJson` does: with placeholders, in any order of lists where asked for, passing over
//! what is more where asked for.

use super::regex::JavaRegex;
use seam_value::Value;

/// In longer lists each element simply takes the first that is equal and free.
const MOST_MATCHED: usize = 200;

/// How strictly.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leniency {
    pub(crate) ignore_array_order: bool,
    pub(crate) ignore_extra_elements: bool,
}

/// Is it what was expected?
pub(crate) fn is_equal(expected: &Value, actual: &Value, how: Leniency) -> bool {
    if let Value::Text(text) = expected
        && let Some(is_equal) = placeholder(text, actual)
    {
        return is_equal;
    }
    match (expected, actual) {
        (Value::List(expected), Value::List(actual)) => lists_are_equal(expected, actual, how),
        (Value::Map(expected), Value::Map(actual)) => {
            let all = expected.iter().all(|(key, value)| match actual.get(key) {
                Some(actual) => is_equal(value, actual, how),
                None => is_optional(value),
            });
            all && (how.ignore_extra_elements || actual.keys().all(|key| expected.contains_key(key)))
        }
        (expected, actual) => expected == actual,
    }
}

fn lists_are_equal(expected: &[Value], actual: &[Value], how: Leniency) -> bool {
    let more_is_fine = how.ignore_extra_elements && how.ignore_array_order;
    if actual.len() < expected.len() || (actual.len() > expected.len() && !how.ignore_extra_elements) {
        return false;
    }
    if !how.ignore_array_order {
        return expected.iter().zip(actual).all(|(expected, actual)| is_equal(expected, actual, how));
    }
    debug_assert!(more_is_fine || actual.len() == expected.len(), "checked above");
    if expected.len() > MOST_MATCHED {
        let mut free: Vec<bool> = vec![true; actual.len()];
        return expected.iter().all(|expected| {
            let at = (0..actual.len()).find(|at| free[*at] && is_equal(expected, &actual[*at], how));
            at.is_some_and(|at| std::mem::replace(&mut free[at], false))
        });
    }
    // Each expected element takes the first that is equal and still free. Placeholders may want another one than the first,
    // so elements without choice go first.
    let mut choices: Vec<Vec<usize>> = expected
        .iter()
        .map(|expected| {
            let equal = actual.iter().enumerate().filter(|(_, actual)| is_equal(expected, actual, how));
            equal.map(|(index, _)| index).collect()
        })
        .collect();
    choices.sort_by_key(Vec::len);
    let mut taken = vec![None; actual.len()];
    (0..choices.len()).all(|one| assign(one, &choices, &mut taken, &mut vec![false; actual.len()]))
}

/// Finds an element for one expected element, moving others where need be.
fn assign(one: usize, choices: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &choice in &choices[one] {
        if std::mem::replace(&mut seen[choice], true) {
            continue;
        }
        let is_free = match taken[choice] {
            None => true,
            Some(other) => assign(other, choices, taken, seen),
        };
        if is_free {
            taken[choice] = Some(one);
            return true;
        }
    }
    false
}

/// `${json-unit.any-string}` and its like; none for any other text.
fn placeholder(text: &str, actual: &Value) -> Option<bool> {
    let inner = text
        .strip_prefix("${json-unit.")
        .or_else(|| text.strip_prefix("#{json-unit."))
        .and_then(|rest| rest.split_once('}'))?;
    let (word, argument) = inner;
    Some(match word {
        "ignore" | "ignore-element" => true,
        "any-string" => matches!(actual, Value::Text(_)),
        "any-number" => matches!(actual, Value::Number(_)),
        "any-boolean" => matches!(actual, Value::Bool(_)),
        "regex" => JavaRegex::parse(argument)
            .is_ok_and(|regex| actual.as_text().is_some_and(|text| regex.matches(text))),
        _ => return None,
    })
}

fn is_optional(expected: &Value) -> bool {
    expected.as_text().is_some_and(|text| text.ends_with("json-unit.ignore-element}"))
}

/// How far apart they are, from 0 to 1: how many of their values differ.
pub(crate) fn distance(expected: &Value, actual: &Value, how: Leniency) -> f64 {
    let most = size(expected).max(size(actual)).max(1);
    ratio(differing(expected, actual, how), most)
}

fn differing(expected: &Value, actual: &Value, how: Leniency) -> usize {
    if is_equal(expected, actual, how) {
        return 0;
    }
    match (expected, actual) {
        (Value::Map(expected), Value::Map(actual)) => {
            let missing = expected.iter().map(|(key, value)| match actual.get(key) {
                Some(actual) => differing(value, actual, how),
                None => size(value),
            });
            let extra =
                actual.iter().filter(|(key, _)| !expected.contains_key(*key)).map(|(_, value)| size(value));
            missing.sum::<usize>() + if how.ignore_extra_elements { 0 } else { extra.sum() }
        }
        (Value::List(expected), Value::List(actual)) => {
            let both = expected.iter().zip(actual).map(|(expected, actual)| differing(expected, actual, how));
            both.sum::<usize>() + expected.len().abs_diff(actual.len())
        }
        _ => size(expected).max(size(actual)),
    }
}

fn size(value: &Value) -> usize {
    let of =
        |value: &Value| if matches!(value, Value::List(_) | Value::Map(_)) { size(value) + 1 } else { 1 };
    1 + match value {
        Value::List(list) => list.iter().map(of).sum(),
        Value::Map(map) => map.values().map(of).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a measure, not a count")]
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    (part as f64 / whole as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn json_is_compared_as_leniently_as_asked_for() {
        let strict = Leniency::default();
        let order = Leniency { ignore_array_order: true, ..strict };
        let extra = Leniency { ignore_extra_elements: true, ..strict };
        let both = Leniency { ignore_array_order: true, ignore_extra_elements: true };
        for (expected, actual, how, expect) in [
            (r#"{"a":1,"b":2}"#, r#"{"b":2.0,"a":1}"#, strict, true),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, strict, false),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, strict, false),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, extra, true),
            (r#"{"a":{"x":1}}"#, r#"{"a":{"x":1,"y":2}}"#, extra, true),
            ("[1,2]", "[2,1]", strict, false),
            ("[1,2]", "[2,1]", order, true),
            ("[1,1,2]", "[1,2,2]", order, false),
            ("[1,2]", "[1,2,3]", extra, true),
            ("[2,1]", "[1,3,2]", both, true),
            (r#"["${json-unit.any-number}",1]"#, "[1,5]", order, true),
            (r#"{"a":"${json-unit.any-string}"}"#, r#"{"a":"x"}"#, strict, true),
            (r#"{"a":"${json-unit.any-string}"}"#, r#"{"a":5}"#, strict, false),
            (r#"{"a":"${json-unit.regex}[A-Z]+"}"#, r#"{"a":"ABC"}"#, strict, true),
            (r#"{"a":"${json-unit.regex}[A-Z]+"}"#, r#"{"a":"ABc"}"#, strict, false),
            (r#"{"a":"${json-unit.ignore}"}"#, r#"{"a":[1]}"#, strict, true),
            (r#"{"a":"${json-unit.ignore}"}"#, "{}", strict, false),
            (r#"{"a":"${json-unit.ignore-element}"}"#, "{}", strict, true),
            (r#"{"a":null}"#, "{}", strict, false),
        ] {
            let (left, right) = (parse(expected).unwrap(), parse(actual).unwrap());
            assert_eq!(is_equal(&left, &right, how), expect, "{expected} {actual} {how:?}");
            assert_eq!(distance(&left, &right, how) == 0.0, expect, "{expected} {actual} {how:?}");
        }
    }
}
