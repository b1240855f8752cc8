//! Components as JSON Schema: one variant for each kind of origin, and for each service.

use super::shape::{either, fields_schema, object, of_shape, of_word, reference, types};
use super::{of_field, property_of, put_property};
use crate::system::COMPONENT_KEYS;
use crate::vocabulary::{SERVICE, Vocabulary};
use seam_model::{Field, Shape, Word};
use seam_value::{Map, Value};

/// Says where components stand at the top of the file.
pub(super) fn put(top: &mut Value) {
    put_property(top, "components", by_name(reference("component")));
    // A layer need not be whole: it is laid over or under something else.
    let layers = by_name(object([("type", types(&["object", "null"]))]));
    put_property(
        top,
        "defaults",
        object([
            ("type", types(&["object", "null"])),
            ("properties", object([("components", reference("layer"))])),
            ("additionalProperties", false.into()),
        ]),
    );
    put_property(
        top,
        "profiles",
        by_name(object([
            ("type", types(&["object", "null"])),
            ("properties", object([("components", layers)])),
        ])),
    );
}

/// Defines a component.
pub(super) fn define(vocabulary: &Vocabulary<'_>, definitions: &mut Map) {
    let mut keys = fields_schema(COMPONENT_KEYS);
    put_property(&mut keys, "ready", ready(vocabulary));
    definitions.insert("component_keys".to_owned(), keys);
    let mut variants = Vec::new();
    for origin in vocabulary.origins {
        if origin.name == SERVICE && !vocabulary.services.is_empty() {
            variants.extend(vocabulary.services.iter().map(|service| of_service(origin, service)));
        } else {
            variants.push(variant(origin.name, (origin.name, of_word(origin)), &[origin.fields], false));
        }
    }
    // What is like another has its settings, too.
    variants.push(variant("like another", ("like", property_of("component_keys", "like")), &[], true));
    definitions.insert("component".to_owned(), either(variants));
    let every: Vec<&[Field]> =
        vocabulary.origins.iter().chain(vocabulary.services).map(|word| word.fields).collect();
    let mut layer = variant("layer", ("like", property_of("component_keys", "like")), &every, true);
    if let Value::Map(layer) = &mut layer {
        layer.shift_remove("required");
    }
    definitions.insert("layer".to_owned(), layer);
}

fn by_name(component: Value) -> Value {
    object([("type", types(&["object", "null"])), ("additionalProperties", component)])
}

fn of_service(origin: &Word, service: &Word) -> Value {
    let name = object([("description", service.line.into()), ("const", service.name.into())]);
    variant(service.name, (origin.name, name), &[origin.fields, service.fields], false)
}

fn variant(title: &str, (key, subject): (&str, Value), settings: &[&[Field]], is_open: bool) -> Value {
    let mut properties = Map::default();
    properties.insert(key.to_owned(), subject);
    for field in settings.iter().flat_map(|fields| fields.iter()) {
        properties.entry(field.name.to_owned()).or_insert_with(|| of_field(field));
    }
    for field in COMPONENT_KEYS {
        properties.entry(field.name.to_owned()).or_insert_with(|| property_of("component_keys", field.name));
    }
    object([
        ("title", title.into()),
        ("type", "object".into()),
        ("required", Value::List(vec![key.into()])),
        ("properties", Value::Map(properties)),
        ("additionalProperties", is_open.into()),
    ])
}

/// The ways to see that a component is ready: a text, or a map of one of them.
fn ready(vocabulary: &Vocabulary<'_>) -> Value {
    if vocabulary.readiness.is_empty() {
        return object([]);
    }
    let mut properties = Map::default();
    for word in vocabulary.readiness {
        properties.insert(word.name.to_owned(), of_word(word));
        for field in word.fields {
            properties.entry(field.name.to_owned()).or_insert_with(|| of_field(field));
        }
    }
    let within = Field::optional("within", Shape::Duration, "how long that may take");
    properties.entry(within.name.to_owned()).or_insert_with(|| of_field(&within));
    let map = object([
        ("type", "object".into()),
        ("properties", Value::Map(properties)),
        ("additionalProperties", false.into()),
    ]);
    either([of_shape(&Shape::Text), object([("type", "null".into())]), map])
}
