//! What is drawn: all of it from the run's seed.

use super::Helper;
use crate::delay::unit;
use crate::wiremock::template::item::{Item, double};
use crate::wiremock::template::render::error;
use seam_value::{Number, Value};

/// The longest text that is drawn.
const MOST: i64 = 100_000;

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("randomValue", |called| {
        let chance = &called.machine.world.surroundings.chance;
        let length = called.named("length").and_then(Item::as_integer).unwrap_or(36).clamp(0, MOST);
        let letters: Vec<char> = match called.named_text("type").as_deref() {
            Some("UUID") => {
                let id =
                    uuid::Builder::from_random_bytes(chance.bytes()).into_uuid().hyphenated().to_string();
                return Ok(Item::text(cased(&id, called.named("uppercase").is_some_and(Item::is_true))));
            }
            None | Some("ALPHANUMERIC") => ('a'..='z').chain('0'..='9').collect(),
            Some("ALPHABETIC") => ('a'..='z').collect(),
            Some("NUMERIC") => ('0'..='9').collect(),
            Some("HEXADECIMAL") => ('a'..='f').chain('0'..='9').collect(),
            Some("ALPHANUMERIC_AND_SYMBOLS") => ('!'..='}').collect(),
            Some(_) => (' '..='~').collect(),
        };
        let drawn: String = (0..length).filter_map(|_| chance.pick(&letters)).collect();
        Ok(Item::text(cased(&drawn, called.named("uppercase").is_some_and(Item::is_true))))
    }),
    ("randomInt", |called| {
        let bound =
            |name: &str, otherwise: i64| called.named(name).and_then(Item::as_integer).unwrap_or(otherwise);
        let (lower, upper) = (bound("lower", i64::from(i32::MIN)), bound("upper", i64::from(i32::MAX)));
        if upper <= lower {
            return Err("bound must be greater than origin".to_owned());
        }
        Ok(Item::integer(called.machine.world.surroundings.chance.between(lower, upper - 1)))
    }),
    ("randomDecimal", |called| {
        let bound = |name: &str, otherwise: f64| {
            called.named(name).and_then(Item::as_number).map_or(otherwise, |number| number.as_f64())
        };
        let (lower, upper) = (bound("lower", f64::MIN_POSITIVE), bound("upper", f64::MAX));
        if upper <= lower {
            return Err("bound must be greater than origin".to_owned());
        }
        let drawn = lower + (upper - lower) * unit(&called.machine.world.surroundings.chance);
        Ok(Number::parse(&double(drawn)).map_or(Item::Nothing, |number| Item::Value(Value::Number(number))))
    }),
    ("pickRandom", |called| {
        if called.context == Item::Nothing || !called.has_context {
            return error("Must specify either a single list argument or a set of single value arguments.");
        }
        let mut all = match called.context.elements() {
            Some(list) => list,
            None => std::iter::once(called.context.clone()).chain(called.rest.iter().cloned()).collect(),
        };
        let chance = &called.machine.world.surroundings.chance;
        let count =
            called.named("count").and_then(Item::as_integer).and_then(|count| usize::try_from(count).ok());
        match count.filter(|count| *count > 0) {
            Some(count) => {
                let mut picked = Vec::new();
                while picked.len() < count && !all.is_empty() {
                    let at = usize::try_from(chance.below(all.len() as u64)).unwrap_or(0);
                    picked.push(all.swap_remove(at));
                }
                Ok(Item::List(picked))
            }
            None => Ok(chance.pick(&all).cloned().unwrap_or(Item::Nothing)),
        }
    }),
];

fn cased(text: &str, upper: bool) -> String {
    if upper { text.to_uppercase() } else { text.to_lowercase() }
}
