//! JSON Schema of both kinds of file, so that editors complete and check while people write.
//!
//! Made from the same tables that reading uses: the words of the vocabulary, and the keys beside the code that
//! reads them. A schema can't say everything that `seam check` says; it never refuses what that accepts.

mod component;
mod shape;
mod step;

use crate::system::SYSTEM_KEYS;
use crate::test_file::TEST_FILE_KEYS;
use crate::vocabulary::Vocabulary;
use seam_model::Field;
use seam_value::{Map, Value};
use shape::{fields_schema, of_shape, reference};

/// The dialect, as editors know it.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of `seam.yaml`.
pub fn system_schema(vocabulary: &Vocabulary<'_>) -> Value {
    let keys: Vec<Field> = SYSTEM_KEYS.iter().chain(vocabulary.further).copied().collect();
    let mut top = fields_schema(&keys);
    component::put(&mut top);
    let mut definitions = shared(vocabulary);
    component::define(vocabulary, &mut definitions);
    whole("A system of Seamwork: seam.yaml", top, definitions)
}

/// The schema of `*.seam.yaml`.
pub fn tests_schema(vocabulary: &Vocabulary<'_>) -> Value {
    let mut top = fields_schema(TEST_FILE_KEYS);
    step::put_defaults(vocabulary, &mut top);
    whole("Tests of Seamwork: *.seam.yaml", top, shared(vocabulary))
}

/// What both files refer to.
fn shared(vocabulary: &Vocabulary<'_>) -> Map {
    let mut definitions = Map::default();
    shape::define(vocabulary, &mut definitions);
    step::define(vocabulary, &mut definitions);
    definitions
}

fn whole(title: &str, top: Value, definitions: Map) -> Value {
    let mut schema = Map::default();
    schema.insert("$schema".to_owned(), DIALECT.into());
    schema.insert("title".to_owned(), title.into());
    if let Value::Map(top) = top {
        schema.extend(top);
    }
    schema.insert("$defs".to_owned(), Value::Map(definitions));
    Value::Map(schema)
}

/// Replaces the schema of one property, but for its description.
fn put_property(object: &mut Value, name: &str, schema: Value) {
    let Value::Map(object) = object else { return };
    let Some(Value::Map(properties)) = object.get_mut("properties") else { return };
    let description = properties.get(name).and_then(|old| old.get("description").cloned());
    let described = match (schema, description) {
        (Value::Map(mut schema), Some(description)) => {
            schema.insert("description".to_owned(), description);
            Value::Map(schema)
        }
        (schema, _) => schema,
    };
    properties.insert(name.to_owned(), described);
}

/// A property of a definition, for those who share it.
fn property_of(definition: &str, name: &str) -> Value {
    reference(&format!("{definition}/properties/{name}"))
}

/// The schema of a field, with its description.
fn of_field(field: &Field) -> Value {
    let mut schema = Map::default();
    schema.insert("description".to_owned(), field.line.into());
    if let Value::Map(shape) = of_shape(&field.shape) {
        schema.extend(shape);
    }
    Value::Map(schema)
}
