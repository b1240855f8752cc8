//! The JSON form is what its own documentation says: every field that is there is documented, and every documented
//! one that must be there is.

use crate::shop;
use seam_history::History;
use seam_judge::verdict;
use seam_model::{Field, FieldNeed, Shape};
use seam_report::Options;
use seam_value::Value;

/// All that is wrong with a value, as paths.
pub(crate) fn mistakes(value: &Value, fields: &[Field]) -> Vec<String> {
    let mut found = Vec::new();
    map(value, fields, "", &mut found);
    found
}

fn map(value: &Value, fields: &[Field], at: &str, found: &mut Vec<String>) {
    let Value::Map(map) = value else { return found.push(format!("{at}: no map")) };
    for field in fields {
        match map.get(field.name) {
            Some(value) => check(value, field.shape, &format!("{at}.{}", field.name), found),
            None if field.need == FieldNeed::Required => found.push(format!("{at}.{}: missing", field.name)),
            None => {}
        }
    }
    let is_known = |key: &str| fields.iter().any(|field| field.name == key);
    found.extend(map.keys().filter(|key| !is_known(key)).map(|key| format!("{at}.{key}: not documented")));
}

fn check(value: &Value, shape: Shape, at: &str, found: &mut Vec<String>) {
    let holds = match shape {
        Shape::Any => true,
        Shape::Nothing => *value == Value::Null,
        Shape::Text => value.as_text().is_some(),
        Shape::Integer => value.as_i64().is_some(),
        Shape::Number => matches!(value, Value::Number(_)),
        Shape::Boolean => matches!(value, Value::Bool(_)),
        Shape::OneOf(texts) => value.as_text().is_some_and(|text| texts.contains(&text)),
        Shape::Fields(fields) => return map(value, fields, at, found),
        Shape::List(of) => {
            let Some(list) = value.as_list() else { return found.push(format!("{at}: no list")) };
            list.iter()
                .zip(0..)
                .for_each(|(value, index)| check(value, *of, &format!("{at}.{index}"), found));
            return;
        }
        Shape::Either(shapes) => shapes.iter().any(|shape| {
            let mut within = Vec::new();
            check(value, *shape, at, &mut within);
            within.is_empty()
        }),
        other => panic!("no such shape in a report: {other:?}"),
    };
    if !holds {
        found.push(format!("{at}: {value} is no {shape:?}"));
    }
}

#[test]
fn json_is_as_documented() {
    let report = seam_report::find("json").unwrap();
    let shop = History { sources: shop::sources(), ..History::of(shop::events(Vec::new())) };
    for history in [shop, History::of(Vec::new())] {
        let text = (report.write)(&history, &verdict(&history.events), &Options::default());
        let value = seam_value::parse(&text).unwrap();
        assert_eq!(mistakes(&value, report.word.results), [""; 0]);
        assert_eq!(value.get("format"), Some(&Value::from(1_u64)));
    }
}

#[test]
fn a_report_that_differs_from_its_documentation_is_found() {
    let report = seam_report::find("json").unwrap();
    let history = History { sources: shop::sources(), ..History::of(shop::events(Vec::new())) };
    let text = (report.write)(&history, &verdict(&history.events), &Options::default());
    for (from, to, mistake) in [
        ("\"seed\":", "\"sed\":", ".seed: missing"),
        ("\"format\": 1", "\"format\": \"1\"", ".format: \"1\" is no Integer"),
        ("\"flaky\": false", "\"flakey\": false", ".tests.0.flakey: not documented"),
    ] {
        let value = seam_value::parse(&text.replace(from, to)).unwrap();
        let found = mistakes(&value, report.word.results);
        assert!(found.iter().any(|found| found == mistake), "{mistake}: {found:?}");
    }
}
