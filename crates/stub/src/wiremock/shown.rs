//! What a mapping asks of a request, as WireMock shows it to its clients.

use super::request_pattern::KNOWN;
use seam_value::{Map, Value};

/// In its order, with the method.
pub(super) fn shown(value: &Value) -> Value {
    let mut out = Map::default();
    for name in KNOWN {
        let field = value.get(name).filter(|field| **field != Value::Null);
        match (*name, field) {
            ("method", None) => {
                out.insert("method".to_owned(), Value::text("ANY"));
            }
            ("basicAuth", Some(field)) => {
                out.insert("basicAuthCredentials".to_owned(), field.clone());
            }
            (name, Some(field @ (Value::Number(_) | Value::Bool(_)))) if name.starts_with("url") => {
                out.insert(name.to_owned(), Value::Text(field.to_plain_text()));
            }
            ("multipartPatterns", Some(Value::List(all))) => {
                let all = all.iter().map(|one| name_first(without_nulls(one))).collect();
                out.insert((*name).to_owned(), Value::List(all));
            }
            (_, Some(field)) => {
                out.insert((*name).to_owned(), without_nulls(field));
            }
            (_, None) => {}
        }
    }
    Value::Map(out)
}

/// A pattern for parts begins with the name of the part.
fn name_first(pattern: Value) -> Value {
    let Value::Map(mut map) = pattern else { return pattern };
    let mut out = Map::default();
    if let Some(name) = map.shift_remove("name") {
        out.insert("name".to_owned(), name);
    }
    out.extend(map);
    Value::Map(out)
}

/// A pattern without what is null; what is expected stays as it is.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let is_now = map.values().any(|value| value.as_text() == Some("now"));
            let kept = map.iter().filter(|(key, value)| {
                **value != Value::Null && !(is_now && key.starts_with("expectedOffset"))
            });
            let mut shown: Map = kept
                .map(|(key, value)| {
                    // WireMock shows a schema as the text that it keeps.
                    if key == "matchesJsonSchema" && value.as_text().is_none() {
                        return (key.clone(), Value::Text(super::template::jackson(value)));
                    }
                    match key.as_str() {
                        "anything" => return (key.clone(), Value::text("anything")),
                        // Whatever is said of it.
                        "absent" => return (key.clone(), Value::Bool(true)),
                        "before" | "after" | "equalToDateTime" if value.as_text() == Some("now") => {
                            let told = super::described::moment(&Value::Map(map.clone()), "now");
                            return (key.clone(), Value::Text(told));
                        }
                        _ => {}
                    }
                    let literal = matches!(key.as_str(), "equalToJson" | "matchesJsonSchema" | "parameters");
                    (key.clone(), if literal { value.clone() } else { without_nulls(value) })
                })
                .collect();
            if shown.contains_key("matchesJsonSchema") && !shown.contains_key("schemaVersion") {
                shown.insert("schemaVersion".to_owned(), Value::text("V202012"));
            }
            Value::Map(shown)
        }
        Value::List(list) => Value::List(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
