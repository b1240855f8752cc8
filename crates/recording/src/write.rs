//! A recording as files: one that people read, and beside it what is too long for that, each under the hash of its content.

use crate::recording::{Recorded, Recording, VERSION};
use crate::volatile::Volatile;
use crate::yaml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_value::{Map, Value};
use std::time::Duration;

/// Fields longer than this, as JSON, go into a file of their own.
const LONG: usize = 4096;

/// The files of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The recording itself.
    pub text: String,
    /// Files beside it, by their names from there (`web-api/3f2a….json`).
    pub beside: Vec<(String, Vec<u8>)>,
}

/// Writes a recording.
pub fn write(recording: &Recording) -> Written {
    let mut written = Written::default();
    let out = &mut written.text;
    out.push_str(
        "# Recorded by Seamwork. What stands under `volatile` varies from run to run; «…» was a secret.\n",
    );
    yaml::entry("recording", &Value::from(VERSION), 0, out);
    yaml::entry("seam", &Value::text(recording.seam.to_string()), 0, out);
    yaml::entry("protocol", &Value::text(&recording.protocol), 0, out);
    if !recording.volatile.is_empty() {
        out.push_str("volatile:\n");
        for one in &recording.volatile {
            yaml::element(&Value::text(one.to_string()), 2, out);
        }
    }
    out.push_str("interactions:\n");
    let stem = recording.stem();
    for recorded in &recording.interactions {
        let value = Value::Map(to_map(recorded, &stem, &mut written.beside));
        yaml::element(&value, 2, &mut written.text);
    }
    written
}

fn to_map(recorded: &Recorded, stem: &str, beside: &mut Vec<(String, Vec<u8>)>) -> Map {
    let mut map = Map::default();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    add("test", recorded.test.clone().map(Value::Text));
    add("connection", recorded.connection.map(Value::from));
    let volatile = recorded.volatile.iter().map(Volatile::to_string).map(Value::Text);
    add("volatile", (!recorded.volatile.is_empty()).then(|| Value::List(volatile.collect())));
    for (name, part) in
        [("request", &recorded.request), ("reply", &recorded.reply), ("message", &recorded.message)]
    {
        add(name, (*part != Value::Null).then(|| with_long_aside(part, stem, beside)));
    }
    add("error", recorded.error.clone().map(Value::Text));
    add("elapsed", recorded.elapsed.map(|elapsed| Value::Text(shown(elapsed))));
    map
}

/// A time that is short to read; the last digits of it say nothing.
fn shown(elapsed: Duration) -> String {
    let micros = elapsed.as_micros();
    if micros < 1000 { format!("{micros}us") } else { format!("{}ms", micros / 1000) }
}

/// A part with its long fields in files: `body_file: web-api/3f2a….json` stands for `body`.
fn with_long_aside(part: &Value, stem: &str, beside: &mut Vec<(String, Vec<u8>)>) -> Value {
    let Value::Map(map) = part else { return part.clone() };
    let entries = map.iter().map(|(name, value)| {
        let json = value.to_string();
        if json.len() <= LONG {
            return (name.clone(), value.clone());
        }
        let (ending, content) = content(value, json);
        let hash = blake3::hash(&content).to_hex();
        let file = format!("{stem}/{}.{ending}", &hash[..16]);
        if !beside.iter().any(|(name, _)| *name == file) {
            beside.push((file.clone(), content));
        }
        (format!("{name}_file"), Value::Text(file))
    });
    Value::map(entries.collect::<Vec<_>>())
}

fn content(value: &Value, json: String) -> (&'static str, Vec<u8>) {
    if let Value::Text(text) = value {
        return ("txt", text.clone().into_bytes());
    }
    let packed = value.as_map().filter(|map| map.len() == 1).and_then(|map| map.get("base64"));
    match packed.and_then(Value::as_text).map(|text| STANDARD.decode(text)) {
        Some(Ok(bytes)) => ("bin", bytes),
        _ => ("json", json.into_bytes()),
    }
}
