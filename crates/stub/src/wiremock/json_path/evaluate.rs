//! Follows a path.

use super::{Condition, Found, Function, JsonPath, Key, Operand, Step};
use crate::wiremock::regex::JavaRegex;
use seam_value::{Number, Value};

/// How many places one path may lead to: `$..*..*` of a large document has very many.
const MOST: usize = 100_000;

pub(super) fn find(path: &JsonPath, from: &Value, root: &Value) -> Found {
    found(path, from, root, Missing::IsNothing)
}

pub(super) fn find_or_null(path: &JsonPath, root: &Value) -> Found {
    found(path, root, root, Missing::IsNull)
}

/// What a field is that a map does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsNothing,
    IsNull,
}

fn found(path: &JsonPath, from: &Value, root: &Value, missing: Missing) -> Found {
    let merged: Vec<Value>;
    let values: Vec<&Value> = match path.steps.split_last() {
        Some((Step::Names(names), before)) if names.len() > 1 => {
            // One map is shown without what is null.
            let missing = if path.is_definite() { Missing::IsNothing } else { missing };
            let maps = follow(before, from, root).into_iter();
            merged = maps.filter_map(|(_, map)| some_of(names, map, missing)).collect();
            merged.iter().collect()
        }
        Some((Step::Names(names), before)) if missing == Missing::IsNull => {
            let maps = follow(before, from, root).into_iter().filter_map(|(_, value)| value.as_map());
            maps.map(|map| names.first().and_then(|name| map.get(name)).unwrap_or(&Value::Null)).collect()
        }
        _ => follow(&path.steps, from, root).into_iter().map(|(_, value)| value).collect(),
    };
    match &path.function {
        Some(function) => apply(function, path, &values, from, root),
        None if path.is_definite() => {
            values.first().map_or(Found::Nothing, |value| Found::One((*value).clone()))
        }
        None => Found::Many(values.into_iter().cloned().collect()),
    }
}

/// A map of those of its fields that are asked for.
fn some_of(names: &[String], map: &Value, missing: Missing) -> Option<Value> {
    let map = map.as_map()?;
    let fields = names.iter().filter_map(|name| match map.get(name) {
        None if missing == Missing::IsNothing => None,
        value => Some((name.clone(), value.cloned().unwrap_or(Value::Null))),
    });
    Some(Value::Map(fields.collect()))
}

pub(super) fn places(path: &JsonPath, root: &Value) -> Vec<Vec<Key>> {
    follow(&path.steps, root, root).into_iter().map(|(place, _)| place).collect()
}

type Placed<'v> = (Vec<Key>, &'v Value);

fn follow<'v>(steps: &[Step], from: &'v Value, root: &'v Value) -> Vec<Placed<'v>> {
    let mut here: Vec<Placed<'v>> = vec![(Vec::new(), from)];
    for step in steps {
        let mut next = Vec::new();
        for (place, value) in here {
            take(step, &place, value, root, &mut next);
            if next.len() > MOST {
                return Vec::new();
            }
        }
        here = next;
    }
    here
}

fn with(place: &[Key], key: Key) -> Vec<Key> {
    let mut longer = place.to_vec();
    longer.push(key);
    longer
}

fn take<'v>(step: &Step, place: &[Key], value: &'v Value, root: &'v Value, out: &mut Vec<Placed<'v>>) {
    match (step, value) {
        (Step::Names(names), Value::Map(map)) => {
            let found =
                names.iter().filter_map(|name| Some((with(place, Key::Name(name.clone())), map.get(name)?)));
            out.extend(found);
        }
        (Step::Indexes(indexes), Value::List(list)) => {
            for index in indexes.iter().filter_map(|index| from_start(*index, list.len())) {
                if let Some(element) = list.get(index) {
                    out.push((with(place, Key::Index(index)), element));
                }
            }
        }
        (Step::Slice(from, to), Value::List(list)) => {
            let bound = |bound: Option<i64>, otherwise: usize| {
                bound.map_or(otherwise, |bound| from_start(bound, list.len()).unwrap_or(0).min(list.len()))
            };
            let (from, to) = (bound(*from, 0), bound(*to, list.len()));
            for (index, element) in list.iter().enumerate().take(to).skip(from) {
                out.push((with(place, Key::Index(index)), element));
            }
        }
        (Step::Every, _) => out.extend(children(place, value)),
        (Step::Deep, _) => deep(place.to_vec(), value, out),
        (Step::Filter(condition), Value::List(list)) => {
            let held = list.iter().enumerate().filter(|(_, element)| holds(condition, element, root));
            out.extend(held.map(|(index, element)| (with(place, Key::Index(index)), element)));
        }
        (Step::Filter(condition), Value::Map(_)) if holds(condition, value, root) => {
            out.push((place.to_vec(), value));
        }
        _ => {}
    }
}

fn children<'v>(place: &[Key], value: &'v Value) -> Vec<Placed<'v>> {
    match value {
        Value::List(list) => {
            list.iter().enumerate().map(|(index, one)| (with(place, Key::Index(index)), one)).collect()
        }
        Value::Map(map) => map.iter().map(|(key, one)| (with(place, Key::Name(key.clone())), one)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => Vec::new(),
    }
}

fn deep<'v>(place: Vec<Key>, value: &'v Value, out: &mut Vec<Placed<'v>>) {
    let below = children(&place, value);
    out.push((place, value));
    for (place, value) in below {
        if out.len() > MOST {
            return;
        }
        deep(place, value, out);
    }
}

fn from_start(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if index < 0 { length + index } else { index }).ok()
}

fn holds(condition: &Condition, here: &Value, root: &Value) -> bool {
    match condition {
        Condition::Any(all) => all.iter().any(|one| holds(one, here, root)),
        Condition::All(all) => all.iter().all(|one| holds(one, here, root)),
        Condition::Not(one) => !holds(one, here, root),
        Condition::Exists(operand) => match operand {
            Operand::Path { path, from_root } => {
                match find(path, if *from_root { root } else { here }, root) {
                    Found::Nothing => false,
                    Found::One(_) => true,
                    Found::Many(list) => !list.is_empty(),
                }
            }
            Operand::Literal(value) => *value == Value::Bool(true),
            Operand::Pattern(_) => false,
        },
        Condition::Compare(left, operator, right) => compare(left, operator, right, here, root),
    }
}

fn value_of(operand: &Operand, here: &Value, root: &Value) -> Option<Value> {
    match operand {
        Operand::Literal(value) => Some(value.clone()),
        Operand::Pattern(pattern) => Some(Value::text(pattern)),
        Operand::Path { from_root, path } => match find(path, if *from_root { root } else { here }, root) {
            Found::Nothing => None,
            Found::One(value) => Some(value),
            Found::Many(list) => Some(Value::List(list)),
        },
    }
}

fn compare(left: &Operand, operator: &str, right: &Operand, here: &Value, root: &Value) -> bool {
    let (a, b) = (value_of(left, here, root), value_of(right, here, root));
    match operator {
        "==" => equal(a.as_ref(), b.as_ref()),
        "===" => a.is_some() && b.is_some() && a == b,
        "!=" => !equal(a.as_ref(), b.as_ref()),
        "!==" => a != b,
        "=~" => match (left, right) {
            (_, Operand::Pattern(pattern)) => matches_pattern(a.as_ref(), pattern),
            (Operand::Pattern(pattern), _) => matches_pattern(b.as_ref(), pattern),
            _ => false,
        },
        _ => {
            let (Some(a), Some(b)) = (a, b) else { return operator == "nin" };
            related(&a, operator, &b)
        }
    }
}

fn related(a: &Value, operator: &str, b: &Value) -> bool {
    let is_in = |one: &Value, list: &Value| {
        list.as_list().is_some_and(|list| list.iter().any(|other| equal(Some(one), Some(other))))
    };
    let elements = |value: &Value| value.as_list().map(<[Value]>::to_vec).unwrap_or_default();
    match operator {
        "in" => is_in(a, b),
        "nin" => !is_in(a, b),
        "subsetof" => a.as_list().is_some() && elements(a).iter().all(|one| is_in(one, b)),
        "anyof" => elements(a).iter().any(|one| is_in(one, b)),
        "noneof" => a.as_list().is_some() && !elements(a).iter().any(|one| is_in(one, b)),
        "all" => elements(b).iter().all(|one| is_in(one, a)),
        "contains" => match (a, b) {
            (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
            (list, one) => is_in(one, list),
        },
        // Maps have neither a size here nor are they empty.
        "size" | "empty" if matches!(a, Value::Map(_)) => false,
        "size" => length(a).is_some_and(|length| b.as_i64() == i64::try_from(length).ok()),
        "empty" => length(a).is_some_and(|length| *b == Value::Bool(length == 0)),
        _ => match order(a, b) {
            Some(order) => match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            },
            None => false,
        },
    }
}

/// Equal, where a text of digits is as good as a number.
fn equal(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        // What is not there equals nothing, not even null.
        (None, _) | (_, None) => false,
        (Some(Value::Number(number)), Some(Value::Text(text)))
        | (Some(Value::Text(text)), Some(Value::Number(number))) => {
            Number::parse(text).is_some_and(|other| other == *number)
        }
        (Some(a), Some(b)) => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn matches_pattern(value: Option<&Value>, pattern: &str) -> bool {
    let Ok(regex) = JavaRegex::parse(pattern) else { return false };
    // What is no text, number or truth is looked at as if it were empty, and so is what isn't there.
    let input = |value: &Value| match value {
        Value::Null | Value::Map(_) | Value::List(_) => String::new(),
        other => other.to_plain_text(),
    };
    match value {
        Some(Value::List(list)) => {
            // With lists and maps in lists the library fails.
            let is_flat = list.iter().all(|one| !matches!(one, Value::Map(_) | Value::List(_)));
            is_flat && list.iter().any(|one| regex.matches(&input(one)))
        }
        Some(value) => regex.matches(&input(value)),
        None => regex.matches(""),
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Text(text) => Some(text.chars().count()),
        Value::List(list) => Some(list.len()),
        Value::Map(map) => Some(map.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn apply(function: &Function, path: &JsonPath, values: &[&Value], here: &Value, root: &Value) -> Found {
    let one = if path.is_definite() { values.first().copied() } else { None };
    let list: Vec<Value> = match one {
        Some(Value::List(list)) => list.clone(),
        Some(other) => vec![other.clone()],
        None => values.iter().map(|value| (*value).clone()).collect(),
    };
    let given = |operands: &[Operand]| -> Vec<Value> {
        operands.iter().filter_map(|operand| value_of(operand, here, root)).collect()
    };
    let found = match function {
        Function::Length if path.is_definite() => {
            one.filter(|value| value.as_text().is_none()).and_then(length).map(Value::from)
        }
        Function::Length => Some(Value::from(list.len())),
        Function::Keys => one
            .and_then(Value::as_map)
            .map(|map| Value::List(map.keys().map(|key| Value::text(key.as_str())).collect())),
        Function::First => list.first().cloned(),
        Function::Last => list.last().cloned(),
        Function::Index(index) => from_start(*index, list.len()).and_then(|index| list.get(index).cloned()),
        Function::Concat(operands) => {
            let texts = list.iter().filter(|value| value.as_text().is_some()).cloned().chain(given(operands));
            Some(Value::Text(texts.map(|value| value.to_plain_text()).collect()))
        }
        Function::Append(operands) => Some(Value::List(list.into_iter().chain(given(operands)).collect())),
        // A single number has no sum.
        Function::Sum | Function::Min | Function::Max | Function::Average
            if one.is_some_and(|one| one.as_list().is_none()) =>
        {
            None
        }
        Function::Sum | Function::Min | Function::Max | Function::Average => summary(function, &list),
    };
    found.map_or(Found::Nothing, Found::One)
}

#[expect(clippy::cast_precision_loss, reason = "an average is a float anyway")]
fn summary(function: &Function, list: &[Value]) -> Option<Value> {
    let numbers: Vec<f64> = list
        .iter()
        .filter_map(|value| if let Value::Number(number) = value { Some(number.as_f64()) } else { None })
        .collect();
    if numbers.is_empty() {
        return None;
    }
    let sum: f64 = numbers.iter().sum();
    let result = match function {
        Function::Sum => sum,
        Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        _ => sum / numbers.len() as f64,
    };
    // Written as Java writes a double.
    let text = if result.fract() == 0.0 { format!("{result:.1}") } else { result.to_string() };
    Number::parse(&text).map(Value::Number)
}
