//! What works on lists.

use super::Helper;
use crate::wiremock::template::item::Item;
use crate::wiremock::template::render::{Called, error};

/// The longest list that a range makes.
const MOST: i64 = 100_000;

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("array", |called| {
        let mut all = Vec::new();
        if called.has_context && called.context != Item::Nothing {
            all.push(called.context.clone());
            all.extend(called.rest.iter().cloned());
        }
        Ok(Item::List(all))
    }),
    ("arrayAdd", |called| {
        let Some(mut list) = called.context.elements() else { return Ok(Item::List(Vec::new())) };
        let Some(item) = called.rest.first().cloned() else {
            return error("Missing required parameter: additional value to add to list");
        };
        match position(&called) {
            Err(()) => error("position must be 'start', 'end' or an integer"),
            Ok(None) => {
                list.push(item);
                Ok(Item::List(list))
            }
            Ok(Some(at)) => match usize::try_from(at).ok().filter(|at| *at <= list.len()) {
                Some(at) => {
                    list.insert(at, item);
                    Ok(Item::List(list))
                }
                None => error(
                    "position must be greater than or equal to 0 and less than or equal to the size of the list",
                ),
            },
        }
    }),
    ("arrayRemove", |called| {
        let mut list = called.context.elements().unwrap_or_default();
        match position(&called) {
            Err(()) => error("position must be 'start', 'end' or an integer"),
            Ok(None) => {
                list.pop();
                Ok(Item::List(list))
            }
            Ok(Some(at)) => match usize::try_from(at).ok().filter(|at| *at < list.len()) {
                Some(at) => {
                    list.remove(at);
                    Ok(Item::List(list))
                }
                None => error(
                    "position must be greater than or equal to 0 and less than or equal to the size of the list",
                ),
            },
        }
    }),
    ("arrayJoin", array_join),
    ("range", |called| {
        let bounds = called.context.as_integer().zip(called.parameter(0).and_then(Item::as_integer));
        let Some((from, to)) = bounds else {
            return error("The range helper requires both lower and upper bounds as integer parameters");
        };
        if to.saturating_sub(from) > MOST {
            return error(format!("a range of more than {MOST} numbers is too long"));
        }
        Ok(Item::List((from..=to).map(Item::integer).collect()))
    }),
    ("size", |called| {
        called.needs_something()?;
        let length = match &called.context {
            Item::Value(seam_value::Value::Text(text)) => Some(text.chars().count()),
            other => other.entries().map(|all| all.len()).or_else(|| other.elements().map(|all| all.len())),
        };
        Ok(length.and_then(|length| i64::try_from(length).ok()).map_or(Item::Nothing, Item::integer))
    }),
];

/// Where to add or remove: none is the end.
fn position(called: &Called<'_, '_>) -> Result<Option<i64>, ()> {
    let Some(given) = called.named("position") else { return Ok(None) };
    let text = given.print();
    match text.to_lowercase().as_str() {
        "start" => Ok(Some(0)),
        "end" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| ()),
    }
}

fn array_join(called: Called<'_, '_>) -> Result<Item, String> {
    let Some(separator) = called.context.as_text().map(str::to_owned) else {
        return error("Separator parameter must be a String");
    };
    let Some(first) = called.parameter(0).cloned() else { return error("The parameter must be list") };
    let list = first.elements().unwrap_or_else(|| called.rest.clone());
    let mut texts = Vec::new();
    match called.block {
        Some(block) => {
            for item in list {
                let named = block.names.first().map(|name| (name.clone(), item.clone()));
                texts.push(called.machine.inside(&block.body, item, named.into_iter().collect())?);
            }
        }
        None => texts.extend(list.iter().map(Item::print)),
    }
    if texts.is_empty() {
        return Ok(Item::text(""));
    }
    let around = |name: &str| called.named_text(name).unwrap_or_default();
    Ok(Item::text(format!("{}{}{}", around("prefix"), texts.join(&separator), around("suffix"))))
}
