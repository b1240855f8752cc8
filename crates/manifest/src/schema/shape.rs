//! What may stand in a place of a file, as JSON Schema.

use super::of_field;
use crate::vocabulary::Vocabulary;
use seam_model::{Field, FieldNeed, Shape, Word};
use seam_value::{Map, Value};

/// A schema from pairs.
pub(super) fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::map(pairs)
}

/// A reference to a definition.
pub(super) fn reference(definition: &str) -> Value {
    object([("$ref", format!("#/$defs/{definition}").into())])
}

/// The schema of a shape.
pub(super) fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Nothing => object([("type", "null".into())]),
        Shape::Any => object([]),
        Shape::Text | Shape::Component => reference("text"),
        Shape::Integer => reference("integer"),
        Shape::Number => reference("number"),
        Shape::Boolean => reference("boolean"),
        Shape::Duration => reference("duration"),
        Shape::Size => reference("size"),
        Shape::OneOf(texts) => either([
            object([("enum", Value::List(texts.iter().map(|text| (*text).into()).collect()))]),
            reference("variable"),
        ]),
        Shape::List(element) => object([("type", "array".into()), ("items", of_shape(element))]),
        Shape::MapOf(value) => {
            object([("type", types(&["object", "null"])), ("additionalProperties", of_shape(value))])
        }
        Shape::Fields(fields) => fields_schema(fields),
        Shape::Either(shapes) => either(shapes.iter().map(of_shape)),
        Shape::Steps => object([("type", types(&["array", "null"])), ("items", reference("step"))]),
        Shape::Seam => reference("seam"),
        Shape::Expectations => reference("expectations"),
        Shape::Matchers => reference("matchers"),
    }
}

/// A map with these fields and no others.
pub(super) fn fields_schema(fields: &[Field]) -> Value {
    let properties: Map = fields.iter().map(|field| (field.name.to_owned(), of_field(field))).collect();
    let required: Vec<Value> = fields
        .iter()
        .filter(|field| field.need == FieldNeed::Required)
        .map(|field| field.name.into())
        .collect();
    let mut schema = Map::default();
    // Where nothing is needed, nothing may stand.
    let kinds = if required.is_empty() { types(&["object", "null"]) } else { "object".into() };
    schema.insert("type".to_owned(), kinds);
    schema.insert("properties".to_owned(), Value::Map(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::List(required));
    }
    schema.insert("additionalProperties".to_owned(), false.into());
    Value::Map(schema)
}

/// Any of several schemas.
pub(super) fn either(schemas: impl IntoIterator<Item = Value>) -> Value {
    object([("anyOf", Value::List(schemas.into_iter().collect()))])
}

pub(super) fn types(names: &[&str]) -> Value {
    Value::List(names.iter().map(|name| (*name).into()).collect())
}

/// A word's subject, described by its line and text.
pub(super) fn of_word(word: &Word) -> Value {
    let mut schema = Map::default();
    schema.insert("description".to_owned(), word.line.into());
    if let Value::Map(shape) = of_shape(&word.subject) {
        schema.extend(shape);
    }
    Value::Map(schema)
}

/// Defines the small shapes.
pub(super) fn define(vocabulary: &Vocabulary<'_>, definitions: &mut Map) {
    let mut add = |name: &str, schema: Value| definitions.insert(name.to_owned(), schema);
    let text = |pattern: &str| object([("type", "string".into()), ("pattern", pattern.into())]);
    let or_variable = |kind: &str| either([object([("type", kind.into())]), reference("variable")]);
    add("variable", text("\\$"));
    // A number or boolean where a text is expected is the text that it is written as.
    add("text", object([("type", types(&["string", "number", "boolean"]))]));
    add("integer", or_variable("integer"));
    add("number", or_variable("number"));
    add("boolean", or_variable("boolean"));
    add("duration", text("\\$|^([0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d))+$"));
    add("size", text("\\$|^[0-9]+(B|kB|KB|MB|GB|KiB|MiB|GiB)$"));
    add("seam", text("\\$|->"));
    add("matchers", matchers(vocabulary));
    add("expectations", expectations());
}

/// A plain value, a list, or a map of matchers.
fn matchers(vocabulary: &Vocabulary<'_>) -> Value {
    if vocabulary.matchers.is_empty() {
        return object([]);
    }
    let properties: Map =
        vocabulary.matchers.iter().map(|word| (word.name.to_owned(), of_word(word))).collect();
    object([
        ("properties", Value::Map(properties)),
        // A key that begins with a dot is a path in an element.
        ("patternProperties", object([("^\\.", reference("matchers"))])),
        ("additionalProperties", false.into()),
    ])
}

/// Paths with what is expected there, and the keys of their own kind.
fn expectations() -> Value {
    let other = |line: &str| {
        object([
            ("description", line.into()),
            ("type", "object".into()),
            ("additionalProperties", reference("matchers")),
        ])
    };
    let that = object([
        ("description", "expressions about the result, for what is left".into()),
        ("type", types(&["array", "string"])),
    ]);
    object([
        ("type", types(&["object", "null"])),
        (
            "properties",
            object([
                ("jsonpath", other("JSONPath expressions with what is expected there")),
                ("xpath", other("XPath expressions into XML with what is expected there")),
                ("css", other("CSS selectors into HTML with what is expected there")),
                ("that", that),
            ]),
        ),
        ("additionalProperties", reference("matchers")),
    ])
}
