//! A schema of JSON in a mapping, read as the library reads it that WireMock uses.
//!
//! That library looks at single words and never at the whole: what is no schema is passed over, and what it can't make sense
//! of matches nothing. Whoever posts such a schema is told; in a file what does not count is taken out, and told, too.

use super::super::place::Place;
use super::super::wrong::Wrong;
use jsonschema::{Draft, Validator};
use seam_value::Value;
use serde_json::Value as Json;

/// Words whose value is a schema, or a list of such.
const ONE: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Words whose value holds schemas by names.
const NAMED: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// More mistakes than this in one schema are not taken out.
const MOST_MISTAKES: usize = 100;

/// Reads the schema of a pattern.
pub(super) fn read(operand: &Place<'_>, place: &Place<'_>) -> Result<Validator, Wrong> {
    let mut json = parse(operand.value).map_err(|wrong| place.wrong(wrong))?;
    let version = place.field("schemaVersion").map(|version| version.text()).transpose()?;
    let draft = draft_of(&json, version.as_deref()).map_err(|wrong| match wrong {
        Unknown::Version => {
            place.wrong("schemaVersion must be one of [ \"V4\", \"V6\", \"V7\", \"V201909\", \"V202012\" ]")
        }
        Unknown::Schema(uri) => operand.wrong(format!(
            "Invalid JSON Schema: nobody knows the $schema `{uri}`, and WireMock matches nothing with it"
        )),
    })?;
    let mut stray = Vec::new();
    walk(&mut json, "", &mut |schema, at| stray.extend(stray_ids(schema, at, draft)));
    if let Some((at, reason)) = stray.first() {
        return Err(
            operand.wrong(format!("Invalid JSON Schema: {at}: {reason}, and WireMock matches nothing then"))
        );
    }
    walk(&mut json, "", &mut |schema, _| allow_null(schema));
    jsonschema::options()
        .with_draft(draft)
        .build(&json)
        .map_err(|wrong| operand.wrong(format!("Invalid JSON Schema: {wrong}")))
}

/// Takes out of a schema in a file what does not count there; gives the places, with why.
pub(in crate::wiremock) fn keep(operand: &mut Value, version: Option<&str>) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let Ok(mut json) = parse(operand) else { return told };
    if let Err(Unknown::Schema(uri)) = draft_of(&json, version)
        && let Some(schema) = json.as_object_mut()
    {
        schema.remove("$schema");
        told.push(("/$schema".to_owned(), format!("nobody knows `{uri}`")));
    }
    let Ok(draft) = draft_of(&json, version) else { return told };
    let mut stray = Vec::new();
    walk(&mut json, "", &mut |schema, at| stray.extend(stray_ids(schema, at, draft)));
    for (at, reason) in stray {
        take_out(&mut json, &at);
        told.push((at, reason));
    }
    let meta = match draft {
        Draft::Draft4 => jsonschema::draft4::meta::validator(),
        Draft::Draft6 => jsonschema::draft6::meta::validator(),
        Draft::Draft7 => jsonschema::draft7::meta::validator(),
        Draft::Draft201909 => jsonschema::draft201909::meta::validator(),
        _ => jsonschema::draft202012::meta::validator(),
    };
    while told.len() < MOST_MISTAKES {
        let Err(wrong) = meta.validate(&json) else { break };
        let (at, reason) = (wrong.instance_path().to_string(), wrong.to_string());
        drop(wrong);
        // What is no schema at all has nothing that could be taken out.
        if at.is_empty() || !take_out(&mut json, &at) {
            break;
        }
        told.push((at, reason));
    }
    if !told.is_empty()
        && let Ok(kept) = seam_value::parse(&json.to_string())
    {
        *operand = kept;
    }
    told
}

enum Unknown {
    Version,
    Schema(String),
}

fn parse(value: &Value) -> Result<Json, String> {
    let parsed = match value {
        Value::Text(text) => serde_json::from_str(text),
        other => serde_json::from_str(&other.to_string()),
    };
    parsed.map_err(|wrong| wrong.to_string())
}

/// The draft that a schema names itself, or that the mapping names.
fn draft_of(json: &Json, version: Option<&str>) -> Result<Draft, Unknown> {
    if let Some(uri) = json.get("$schema").and_then(Json::as_str) {
        let path = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")).unwrap_or_default();
        return Ok(match path.strip_prefix("json-schema.org/").unwrap_or_default().trim_end_matches('#') {
            "draft-04/schema" => Draft::Draft4,
            "draft-06/schema" => Draft::Draft6,
            "draft-07/schema" => Draft::Draft7,
            "draft/2019-09/schema" => Draft::Draft201909,
            "draft/2020-12/schema" => Draft::Draft202012,
            _ => return Err(Unknown::Schema(uri.to_owned())),
        });
    }
    Ok(match version {
        None | Some("V202012") => Draft::Draft202012,
        Some("V4") => Draft::Draft4,
        Some("V6") => Draft::Draft6,
        Some("V7") => Draft::Draft7,
        Some("V201909") => Draft::Draft201909,
        Some(_) => return Err(Unknown::Version),
    })
}

/// Shows a schema and all that it holds, each with where it is.
fn walk(schema: &mut Json, at: &str, see: &mut dyn FnMut(&mut serde_json::Map<String, Json>, &str)) {
    match schema {
        Json::Object(map) => {
            see(map, at);
            for name in ONE {
                if let Some(inner) = map.get_mut(*name) {
                    walk(inner, &format!("{at}/{name}"), see);
                }
            }
            for name in NAMED {
                for (key, inner) in map.get_mut(*name).and_then(Json::as_object_mut).into_iter().flatten() {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    walk(inner, &format!("{at}/{name}/{key}"), see);
                }
            }
        }
        Json::Array(all) => {
            for (index, inner) in all.iter_mut().enumerate() {
                walk(inner, &format!("{at}/{index}"), see);
            }
        }
        _ => {}
    }
}

/// Names of a schema that are none in its draft.
fn stray_ids(schema: &serde_json::Map<String, Json>, at: &str, draft: Draft) -> Vec<(String, String)> {
    let mut stray = Vec::new();
    if draft != Draft::Draft4 && schema.contains_key("id") {
        stray.push((format!("{at}/id"), "a schema has an id only in draft 4, and later a $id".to_owned()));
    }
    let is_relative = |id: &&str| !id.starts_with('#') && !id.contains(':');
    if let Some(id) = schema.get("$id").and_then(Json::as_str).filter(is_relative)
        && at.is_empty()
    {
        stray.push((format!("{at}/$id"), format!("the $id `{id}` is no whole address")));
    }
    stray
}

/// What `OpenAPI` calls nullable may be null.
fn allow_null(schema: &mut serde_json::Map<String, Json>) {
    if schema.get("nullable") != Some(&Json::Bool(true)) {
        return;
    }
    if let Some(kind @ Json::String(_)) = schema.get_mut("type") {
        *kind = Json::Array(vec![kind.take(), Json::from("null")]);
    }
    if let Some(Json::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Json::Null)
    {
        values.push(Json::Null);
    }
}

/// Takes out what a pointer means.
fn take_out(json: &mut Json, pointer: &str) -> bool {
    let Some((around, name)) = pointer.rsplit_once('/') else { return false };
    let name = name.replace("~1", "/").replace("~0", "~");
    match json.pointer_mut(around) {
        Some(Json::Object(map)) => map.remove(&name).is_some(),
        Some(Json::Array(all)) => match name.parse::<usize>() {
            Ok(index) if index < all.len() => {
                all.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_count_is_taken_out_of_a_file() {
        for (schema, version, kept, places) in [
            (r#"{"type":"object","required":["a"]}"#, None, r#"{"type":"object","required":["a"]}"#, vec![]),
            (r#"{"id":"http://a/b","type":"object"}"#, None, r#"{"type":"object"}"#, vec!["/id"]),
            (
                r#"{"id":"http://a/b","type":"object"}"#,
                Some("V4"),
                r#"{"id":"http://a/b","type":"object"}"#,
                vec![],
            ),
            (
                r#"{"properties":{"id":{"id":"x","type":"integer","required":true}}}"#,
                None,
                r#"{"properties":{"id":{"type":"integer"}}}"#,
                vec!["/properties/id/id", "/properties/id/required"],
            ),
            (r#"{"$schema":"draft-07","$id":"a.json"}"#, None, "{}", vec!["/$schema", "/$id"]),
            (
                r#"{"$schema":"http://json-schema.org/draft-04/schema#","exclusiveMinimum":true,"minimum":0}"#,
                None,
                r#"{"$schema":"http://json-schema.org/draft-04/schema#","exclusiveMinimum":true,"minimum":0}"#,
                vec![],
            ),
            ("\"nonsense\"", None, "\"nonsense\"", vec![]),
        ] {
            let mut operand = seam_value::parse(schema).unwrap();
            let told = keep(&mut operand, version);
            let at: Vec<&str> = told.iter().map(|(at, _)| at.as_str()).collect();
            assert_eq!((operand, at), (seam_value::parse(kept).unwrap(), places), "{schema}");
        }
    }
}
