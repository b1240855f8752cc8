//! What works on JSON.

use super::Helper;
use crate::wiremock::json_path::{Found, JsonPath, Key, at_mut};
use crate::wiremock::loose_json;
use crate::wiremock::template::item::{Item, jackson};
use crate::wiremock::template::render::{Called, error};
use seam_value::{Map, Value, parse};
use std::cmp::Ordering;

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("jsonPath", json_path),
    ("parseJson", parse_json),
    ("toJson", |called| {
        Ok(match &called.context {
            Item::Nothing => Item::text(""),
            item => Item::text(jackson(&without_nulls(item.to_value()))),
        })
    }),
    ("formatJson", format_json),
    ("jsonMerge", json_merge),
    ("jsonRemove", json_remove),
    ("jsonArrayAdd", json_array_add),
    ("jsonSort", json_sort),
];

/// What is null is not written.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Map(map) => {
            let kept = map.into_iter().filter(|(_, value)| *value != Value::Null);
            Value::Map(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::List(list) => Value::List(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn json_path(called: Called<'_, '_>) -> Result<Item, String> {
    if called.context == Item::Nothing || called.context.as_text() == Some("") {
        return Ok(Item::text(""));
    }
    let Some(path) = called.parameter(0).map(Item::print) else {
        return error("The JSONPath cannot be empty");
    };
    let document = match &called.context {
        Item::Value(Value::Text(text)) => match loose_json::read_first(text) {
            Ok((value, _)) => value,
            // What doesn't begin as JSON is a text.
            Err(_) if !text.trim_start().starts_with(['{', '[', '"', '\'']) => Value::text(text.trim()),
            Err(_) => return error(format!("{text} is not valid JSON")),
        },
        other => other.to_value(),
    };
    let Ok(read) = JsonPath::parse(&path) else {
        return error(format!("{path} is not a valid JSONPath expression"));
    };
    let otherwise = || called.named("default").cloned().unwrap_or(Item::text(""));
    Ok(match read.find_or_null(&document) {
        Found::Nothing | Found::One(Value::Null) => otherwise(),
        Found::One(value @ (Value::Map(_) | Value::List(_))) => Item::Json(value),
        Found::One(value) => Item::found(value),
        Found::Many(list) => Item::Json(Value::List(list)),
    })
}

fn parse_json(mut called: Called<'_, '_>) -> Result<Item, String> {
    let is_block = called.block.is_some();
    if !is_block && !called.has_context {
        return error("Missing required JSON string parameter");
    }
    if !is_block && called.context == Item::Nothing {
        return Ok(Item::Value(Value::Map(Map::default())));
    }
    let text = if is_block { called.body()? } else { called.context.print() };
    let name = if is_block {
        called.has_context.then(|| called.context.print())
    } else {
        called.parameter(0).map(Item::print)
    };
    let text = text.trim();
    let value = if text.is_empty() {
        Value::Map(Map::default())
    } else {
        parse(text).map_err(|wrong| wrong.to_string())?
    };
    match name {
        Some(name) => {
            called.machine.keep(&name, Item::Value(value));
            Ok(Item::Nothing)
        }
        None => Ok(Item::Value(value)),
    }
}

fn format_json(mut called: Called<'_, '_>) -> Result<Item, String> {
    let text = if called.block.is_some() {
        called.body()?
    } else {
        called.context.as_text().unwrap_or_default().to_owned()
    };
    if text.trim().is_empty() {
        return error(
            "formatJson should take a block of JSON to format or a single parameter of type String",
        );
    }
    let is_pretty = match called.named_text("format").as_deref() {
        None | Some("pretty") => true,
        Some("compact") => false,
        Some(other) => {
            return error(format!("formatJson: format [{other}] should be one of [pretty, compact]"));
        }
    };
    let Ok(value) = parse(text.trim()) else {
        return error("There was an error parsing the json. Please make sure the json is valid");
    };
    Ok(Item::text(if is_pretty { jackson(&value) } else { value.to_string() }))
}

/// What is given besides: the text of the block, or the first further parameter.
fn besides(called: &mut Called<'_, '_>) -> Result<Option<String>, String> {
    if called.block.is_some() {
        return called.body().map(Some);
    }
    Ok(called.parameter(0).and_then(Item::as_text).map(str::to_owned))
}

fn json_merge(mut called: Called<'_, '_>) -> Result<Item, String> {
    let Some(base) = called.context.as_text().map(str::to_owned) else {
        return error("Base JSON parameter must be a string");
    };
    let Ok(mut merged) = parse(&base) else {
        return error(format!("Base JSON is not valid JSON ('{base}')"));
    };
    if merged.as_map().is_none() {
        return error(format!("Base JSON is not a JSON object ('{base}')"));
    }
    let Some(other) = besides(&mut called)? else { return error("JSON to merge must be a string") };
    let Ok(read) = parse(&other) else {
        return error(format!("JSON to merge is not valid JSON ('{other}')"));
    };
    let Value::Map(read) = read else {
        return error(format!("JSON to merge is not a JSON object ('{other}')"));
    };
    let removes_nulls = called.named("removeNulls").is_some_and(Item::is_true);
    merge(&mut merged, &read, removes_nulls);
    Ok(Item::text(merged.to_string()))
}

fn merge(base: &mut Value, other: &Map, removes_nulls: bool) {
    let Value::Map(base) = base else { return };
    for (name, value) in other {
        match (base.get_mut(name), value) {
            (Some(inner @ Value::Map(_)), Value::Map(value)) => merge(inner, value, removes_nulls),
            (_, Value::Null) if removes_nulls => {
                base.shift_remove(name);
            }
            _ => {
                base.insert(name.clone(), value.clone());
            }
        }
    }
}

fn json_remove(called: Called<'_, '_>) -> Result<Item, String> {
    let Some(text) = called.context.as_text() else { return error("Input JSON must be a string") };
    if text == "null" {
        return Ok(called.context.clone());
    }
    let path = match called.rest.as_slice() {
        [Item::Value(Value::Text(path))] => path,
        [_] => return error("JSONPath parameter must be a string"),
        _ => return error("A single JSONPath expression parameter must be supplied"),
    };
    let Ok(mut document) = parse(text) else {
        return error(format!("Input JSON string is not valid JSON ('{text}')"));
    };
    let Ok(read) = JsonPath::parse(path) else {
        return error(format!("JSONPath parameter is not a valid JSONPath expression ('{path}')"));
    };
    let mut places = read.places(&document);
    if places.is_empty() {
        return Ok(called.context.clone());
    }
    if places.iter().any(Vec::is_empty) {
        return error(format!("Delete operation cannot be applied to JSONPath expression ('{path}')"));
    }
    // From the end, so that what is taken out moves nothing that is still to be.
    places.sort();
    for place in places.iter().rev() {
        let Some((last, above)) = place.split_last() else { continue };
        match (at_mut(&mut document, above), last) {
            (Some(Value::Map(map)), Key::Name(name)) => {
                map.shift_remove(name);
            }
            (Some(Value::List(list)), Key::Index(index)) if *index < list.len() => {
                list.remove(*index);
            }
            _ => {}
        }
    }
    Ok(Item::text(document.to_string()))
}

fn json_array_add(mut called: Called<'_, '_>) -> Result<Item, String> {
    let Some(text) = called.context.as_text().map(str::to_owned) else {
        return error("Base JSON must be a string");
    };
    let Ok(mut document) = parse(&text) else {
        return error(format!("Base JSON is not valid JSON ('{text}')"));
    };
    let path = called.named_text("jsonPath");
    let place = match &path {
        None => Some(Vec::new()),
        Some(path) => match JsonPath::parse(path) {
            Ok(read) => read.places(&document).into_iter().next(),
            Err(_) => return error(format!("jsonPath option is not valid JSONPath expression ('{path}')")),
        },
    };
    let detail = path
        .as_ref()
        .map_or_else(|| format!("'{text}'"), |path| format!("root: '{text}', jsonPath: '{path}'"));
    let Some(added) = besides(&mut called)? else { return error("Item-to-add JSON must be a string") };
    let Ok(added_value) = parse(&added) else {
        return error(format!("Item-to-add JSON is not valid JSON ('{added}')"));
    };
    let flattens = called.named("flatten").is_some_and(Item::is_true);
    let most = called.named("maxItems").map(Item::as_integer);
    let Some(Value::List(list)) = place.and_then(|place| at_mut(&mut document, &place)) else {
        return error(format!("Target JSON is not a JSON array ({detail})"));
    };
    match added_value {
        Value::List(all) if flattens => list.extend(all),
        one => list.push(one),
    }
    match most {
        None => {}
        Some(None) => return error("maxItems option must be an integer"),
        Some(Some(most)) => match usize::try_from(most) {
            Ok(most) => drop(list.drain(..list.len().saturating_sub(most))),
            Err(_) => return error("maxItems option integer must be positive"),
        },
    }
    Ok(Item::text(document.to_string()))
}

/// Sorts the list at the path before `[*]` by what follows it.
fn json_sort(mut called: Called<'_, '_>) -> Result<Item, String> {
    let text = called.subject()?;
    let Ok(mut document) = parse(&text) else {
        return error(format!("Input JSON string is not valid JSON ('{text}')"));
    };
    let given = if called.block.is_some() {
        Some(called.context.print())
    } else {
        called.parameter(0).map(Item::print)
    };
    let Some(path) = given else { return error("A single JSONPath expression parameter must be supplied") };
    let (list_path, key) = path.split_once("[*]").unwrap_or((&path, ""));
    let (Ok(list_path), Ok(key)) = (JsonPath::parse(list_path), JsonPath::parse(&format!("${key}"))) else {
        return error(format!("JSONPath parameter is not a valid JSONPath expression ('{path}')"));
    };
    let descends = called.named_text("order").is_some_and(|order| order.eq_ignore_ascii_case("desc"));
    let place = list_path.places(&document).into_iter().next();
    let Some(Value::List(list)) = place.and_then(|place| at_mut(&mut document, &place)) else {
        return error(format!("Target JSON is not a JSON array ('{path}')"));
    };
    list.sort_by(|left, right| {
        let order = order(&key.find(left), &key.find(right));
        if descends { order.reverse() } else { order }
    });
    Ok(Item::text(document.to_string()))
}

fn order(left: &Found, right: &Found) -> Ordering {
    match (left, right) {
        (Found::One(Value::Number(left)), Found::One(Value::Number(right))) => left.cmp(right),
        (Found::One(left), Found::One(right)) => left.to_plain_text().cmp(&right.to_plain_text()),
        _ => Ordering::Equal,
    }
}
