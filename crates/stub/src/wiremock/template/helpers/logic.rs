//! What decides: conditions, comparisons, loops, and what is kept under a name.

use super::Helper;
use crate::wiremock::regex::JavaRegex;
use crate::wiremock::template::item::Item;
use crate::wiremock::template::render::{Called, error};
use seam_value::Value;
use std::cmp::Ordering;
use std::collections::HashMap;

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("if", |mut called| {
        let holds = called.context.is_true();
        branch(&mut called, holds)
    }),
    ("unless", |mut called| {
        let holds = !called.context.is_true();
        branch(&mut called, holds)
    }),
    ("each", each),
    ("with", |mut called| {
        if !called.context.is_true() {
            return called.otherwise().map(Item::text);
        }
        let Some(block) = called.block else { return Ok(Item::Nothing) };
        let data = block.names.first().map(|name| (name.clone(), called.context.clone()));
        let context = called.context.clone();
        called.machine.inside(&block.body, context, data.into_iter().collect()).map(Item::text)
    }),
    ("lookup", |called| {
        let name = called.parameter(0).map(Item::print).unwrap_or_default();
        // What has no such part is given as it is.
        Ok(called.context.child(&name).filter(|part| *part != Item::Nothing).unwrap_or(called.context))
    }),
    ("log", |_| Ok(Item::Nothing)),
    ("eq", |mut called| {
        let holds = is_same(&called);
        called.decide(holds)
    }),
    ("neq", |mut called| {
        let holds = !is_same(&called);
        called.decide(holds)
    }),
    ("gt", |called| compare(called, &[Ordering::Greater])),
    ("gte", |called| compare(called, &[Ordering::Greater, Ordering::Equal])),
    ("lt", |called| compare(called, &[Ordering::Less])),
    ("lte", |called| compare(called, &[Ordering::Less, Ordering::Equal])),
    ("and", |mut called| {
        let holds = called.context.is_true() && called.rest.iter().all(Item::is_true);
        called.decide(holds)
    }),
    ("or", |mut called| {
        let holds = called.context.is_true() || called.rest.iter().any(Item::is_true);
        called.decide(holds)
    }),
    ("not", |mut called| {
        let holds = !called.context.is_true();
        called.decide(holds)
    }),
    ("assign", |mut called| {
        let value = called.body()?;
        let name = called.context.print();
        called.machine.keep(&name, Item::text(value));
        Ok(Item::Nothing)
    }),
    ("val", |called| {
        let otherwise = called.named("or").or_else(|| called.named("default")).cloned();
        let value = if called.context == Item::Nothing {
            otherwise.unwrap_or(Item::Nothing)
        } else {
            called.context.clone()
        };
        match called.named_text("assign") {
            Some(name) => {
                called.machine.keep(&name, value);
                Ok(Item::Nothing)
            }
            None => Ok(value),
        }
    }),
    ("matches", |mut called| {
        called.needs_something()?;
        let Some(pattern) = called.parameter(0).map(Item::print) else {
            return error("You must specify the string to be matched and the regular expression");
        };
        let regex = JavaRegex::parse(&pattern)?;
        let holds = regex.matches(&called.context.print());
        section(&mut called, holds)
    }),
    ("contains", |mut called| {
        if called.rest.is_empty() {
            return error("You must specify the string or array to be matched and the regular expression");
        }
        let part = called.parameter(0).map(Item::print);
        let holds = match (&called.context, part) {
            (Item::Nothing, _) | (_, None) => false,
            (context, Some(part)) => match context.elements() {
                Some(list) if !matches!(context, Item::Path { .. }) => {
                    list.iter().any(|one| one.print() == part)
                }
                _ => context.print().contains(&part),
            },
        };
        section(&mut called, holds)
    }),
];

/// One side of its block; alone it says nothing.
fn branch(called: &mut Called<'_, '_>, holds: bool) -> Result<Item, String> {
    if holds { called.body().map(Item::text) } else { called.otherwise().map(Item::text) }
}

/// As a block what stands in it or nothing; alone true or false.
fn section(called: &mut Called<'_, '_>, holds: bool) -> Result<Item, String> {
    match (called.block.is_some(), holds) {
        (true, true) => called.body().map(Item::text),
        // What stands behind `else` is not looked at.
        (true, false) => Ok(Item::text("")),
        (false, holds) => Ok(Item::flag(holds)),
    }
}

fn is_same(called: &Called<'_, '_>) -> bool {
    let nothing = Item::Nothing;
    let (left, right) = (&called.context, called.rest.first().unwrap_or(&nothing));
    match (left, right) {
        (Item::Many(_) | Item::Path { .. }, Item::Value(_))
        | (Item::Value(_), Item::Many(_) | Item::Path { .. }) => left.print() == right.print(),
        _ => left == right,
    }
}

fn compare(mut called: Called<'_, '_>, wanted: &[Ordering]) -> Result<Item, String> {
    let right = called.rest.first().cloned().unwrap_or(Item::Nothing);
    let order = match (&called.context, &right) {
        (Item::Value(Value::Number(left)), Item::Value(Value::Number(right))) => left.cmp(right),
        _ => called.context.print().cmp(&right.print()),
    };
    let holds = wanted.contains(&order);
    called.decide(holds)
}

fn each(mut called: Called<'_, '_>) -> Result<Item, String> {
    let Some(block) = called.block else { return Ok(Item::Nothing) };
    let list: Vec<(Option<String>, Item)> = match (called.context.entries(), called.context.elements()) {
        (Some(entries), _) => entries.into_iter().map(|(key, item)| (Some(key), item)).collect(),
        (None, Some(list)) => list.into_iter().map(|item| (None, item)).collect(),
        (None, None) => Vec::new(),
    };
    if list.is_empty() {
        return called.otherwise().map(Item::text);
    }
    let n = list.len();
    let mut out = String::new();
    for (index, (key, item)) in list.into_iter().enumerate() {
        let number = Item::integer(i64::try_from(index).unwrap_or(i64::MAX));
        let key = key.map_or(number.clone(), Item::text);
        let mut data = HashMap::from([
            ("@index".to_owned(), number),
            ("@index_1".to_owned(), Item::integer(i64::try_from(index + 1).unwrap_or(i64::MAX))),
            ("@key".to_owned(), key.clone()),
            // Java's texts that are empty where it is not so.
            ("@first".to_owned(), Item::text(if index == 0 { "first" } else { "" })),
            ("@last".to_owned(), Item::text(if index + 1 == n { "last" } else { "" })),
            ("@odd".to_owned(), Item::text(if index % 2 == 0 { "" } else { "odd" })),
            ("@even".to_owned(), Item::text(if index % 2 == 0 { "even" } else { "" })),
        ]);
        for (name, value) in block.names.iter().zip([item.clone(), key]) {
            data.insert(name.clone(), value);
        }
        out.push_str(&called.machine.inside(&block.body, item, data)?);
    }
    Ok(Item::text(out))
}
