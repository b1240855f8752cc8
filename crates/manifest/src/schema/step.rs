//! Steps as JSON Schema: one variant for each kind, so that an editor offers only the inputs of that kind.

use super::shape::{either, fields_schema, object, of_word};
use super::{of_field, property_of, put_property};
use crate::step::STEP_KEYS;
use crate::vocabulary::Vocabulary;
use seam_model::{Field, FieldNeed, Shape, Word};
use seam_value::{Map, Value};

/// Defines what every step has, and a step.
pub(super) fn define(vocabulary: &Vocabulary<'_>, definitions: &mut Map) {
    definitions.insert("step_keys".to_owned(), fields_schema(STEP_KEYS));
    let variants: Vec<Value> =
        vocabulary.steps.iter().map(|word| variant(word, vocabulary.later.contains(&word.name))).collect();
    let step = if variants.is_empty() { object([("type", "object".into())]) } else { either(variants) };
    definitions.insert("step".to_owned(), step);
}

/// One kind of step: its key, its inputs, and what every step has.
fn variant(word: &Word, is_later: bool) -> Value {
    let mut properties = Map::default();
    properties.insert(word.name.to_owned(), of_word(word));
    for field in word.fields {
        properties.insert(field.name.to_owned(), of_field(field));
    }
    for field in STEP_KEYS {
        properties.entry(field.name.to_owned()).or_insert_with(|| property_of("step_keys", field.name));
    }
    let mut schema = Map::default();
    schema.insert("title".to_owned(), word.name.into());
    schema.insert("type".to_owned(), "object".into());
    let needed = word.fields.iter().filter(|field| field.need == FieldNeed::Required);
    let required = std::iter::once(word.name).chain(needed.map(|field| field.name));
    schema.insert("required".to_owned(), Value::List(required.map(Value::from).collect()));
    schema.insert("properties".to_owned(), Value::Map(properties));
    // What a later version brings is not judged by this one.
    schema.insert("additionalProperties".to_owned(), is_later.into());
    Value::Map(schema)
}

/// The inputs that a file of tests may give to all its steps.
pub(super) fn put_defaults(vocabulary: &Vocabulary<'_>, top: &mut Value) {
    let timeout = Field::optional("timeout", Shape::Duration, "how long one try of a step may take");
    let mut properties = Map::default();
    properties.insert(timeout.name.to_owned(), of_field(&timeout));
    for field in vocabulary.steps.iter().flat_map(|word| word.fields) {
        properties.entry(field.name.to_owned()).or_insert_with(|| of_field(field));
    }
    let defaults = object([
        ("type", "object".into()),
        ("properties", Value::Map(properties)),
        ("additionalProperties", false.into()),
    ]);
    put_property(top, "defaults", defaults);
}
