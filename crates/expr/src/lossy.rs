//! A value as serde_json has it, for the libraries that know nothing else (JSONPath, JSON Schema).
//!
//! Their numbers are 64-bit integers and floats: digits beyond that are lost here, and only here.

use seam_value::Value;
use serde_json::{Number, Value as Theirs};

/// Converts a value. What comes back from such a library must never replace the value itself.
pub fn to_lossy_json(value: &Value) -> Theirs {
    match value {
        Value::Null => Theirs::Null,
        Value::Bool(flag) => Theirs::Bool(*flag),
        Value::Number(number) => {
            let small = || number.as_i64().filter(|_| number.is_written_as_integer()).map(Number::from);
            let large = || number.to_string().parse::<u64>().ok().map(Number::from);
            // Beyond the largest float is the largest float: null would be another kind of thing.
            let float = || Number::from_f64(number.as_f64().clamp(f64::MIN, f64::MAX));
            small().or_else(large).or_else(float).map_or(Theirs::Null, Theirs::Number)
        }
        Value::Text(text) => Theirs::String(text.clone()),
        Value::List(list) => Theirs::Array(list.iter().map(to_lossy_json).collect()),
        Value::Map(map) => {
            Theirs::Object(map.iter().map(|(key, value)| (key.clone(), to_lossy_json(value))).collect())
        }
    }
}
