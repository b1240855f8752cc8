//! Words in a schema that JSON Schema does not know but nearly does.
//!
//! It passes over whatever it does not know, so that `requird: [id]` would hold for ever. Only what is near to a word that
//! it knows is told: further keys are common and mean no harm.

use super::read::Mistake;
use seam_diag::{Severity, did_you_mean};
use seam_value::{Map, Value};

/// What stands under a keyword.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Values, not schemas.
    Plain,
    /// A schema, or a list of them.
    Schema,
    /// Schemas by name.
    Schemas,
}

use Holds::{Plain, Schema, Schemas};

const KEYWORDS: &[(&str, Holds)] = &[
    ("$anchor", Plain),
    ("$comment", Plain),
    ("$defs", Schemas),
    ("$dynamicAnchor", Plain),
    ("$dynamicRef", Plain),
    ("$id", Plain),
    ("$recursiveAnchor", Plain),
    ("$recursiveRef", Plain),
    ("$ref", Plain),
    ("$schema", Plain),
    ("$vocabulary", Plain),
    ("additionalItems", Schema),
    ("additionalProperties", Schema),
    ("allOf", Schema),
    ("anyOf", Schema),
    ("const", Plain),
    ("contains", Schema),
    ("contentEncoding", Plain),
    ("contentMediaType", Plain),
    ("contentSchema", Schema),
    ("default", Plain),
    ("definitions", Schemas),
    ("dependencies", Schemas),
    ("dependentRequired", Plain),
    ("dependentSchemas", Schemas),
    ("deprecated", Plain),
    ("description", Plain),
    ("else", Schema),
    ("enum", Plain),
    ("example", Plain),
    ("examples", Plain),
    ("exclusiveMaximum", Plain),
    ("exclusiveMinimum", Plain),
    ("format", Plain),
    ("id", Plain),
    ("if", Schema),
    ("items", Schema),
    ("maxContains", Plain),
    ("maxItems", Plain),
    ("maxLength", Plain),
    ("maxProperties", Plain),
    ("maximum", Plain),
    ("minContains", Plain),
    ("minItems", Plain),
    ("minLength", Plain),
    ("minProperties", Plain),
    ("minimum", Plain),
    ("multipleOf", Plain),
    ("not", Schema),
    ("nullable", Plain),
    ("oneOf", Schema),
    ("pattern", Plain),
    ("patternProperties", Schemas),
    ("prefixItems", Schema),
    ("properties", Schemas),
    ("propertyNames", Schema),
    ("readOnly", Plain),
    ("required", Plain),
    ("then", Schema),
    ("title", Plain),
    ("type", Plain),
    ("unevaluatedItems", Schema),
    ("unevaluatedProperties", Schema),
    ("uniqueItems", Plain),
    ("writeOnly", Plain),
];

/// All words at any depth that are nearly keywords, as warnings.
pub(super) fn unknown(schema: &Value) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    look(schema, &mut Vec::new(), &mut mistakes);
    mistakes
}

fn look(schema: &Value, path: &mut Vec<String>, mistakes: &mut Vec<Mistake>) {
    match schema {
        Value::Map(map) => look_at_keys(map, path, mistakes),
        Value::List(list) => {
            for (index, element) in list.iter().enumerate() {
                inside(&index.to_string(), path, |path| look(element, path, mistakes));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
    }
}

fn look_at_keys(map: &Map, path: &mut Vec<String>, mistakes: &mut Vec<Mistake>) {
    for (key, value) in map {
        let holds = KEYWORDS.iter().find(|(name, _)| name == key).map(|(_, holds)| *holds);
        inside(key, path, |path| match (holds, value) {
            (Some(Schema), _) => look(value, path, mistakes),
            (Some(Schemas), Value::Map(schemas)) => {
                for (name, schema) in schemas {
                    inside(name, path, |path| look(schema, path, mistakes));
                }
            }
            (Some(Schemas | Plain), _) => {}
            (None, _) if key.starts_with("x-") => {}
            (None, _) => {
                if let Some(near) = did_you_mean(key, KEYWORDS.iter().map(|(name, _)| *name)) {
                    mistakes.push(Mistake {
                        severity: Severity::Warning,
                        path: path.clone(),
                        is_key: true,
                        label: format!("nothing is asked by `{key}`"),
                        hint: Some(format!("did you mean `{near}`?")),
                    });
                }
            }
        });
    }
}

fn inside(name: &str, path: &mut Vec<String>, look: impl FnOnce(&mut Vec<String>)) {
    path.push(name.to_owned());
    look(path);
    path.pop();
}
