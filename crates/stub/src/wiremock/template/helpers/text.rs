//! What works on texts.

use super::Helper;
use crate::wiremock::regex::JavaRegex;
use crate::wiremock::request::unescape;
use crate::wiremock::template::item::Item;
use crate::wiremock::template::render::{Called, error};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::fmt::Write as _;

/// The longest text that filling up makes.
const MOST: usize = 100_000;

/// Those of Handlebars itself: where they are given nothing, an empty text, 0 or false, they say their next parameter.
pub(super) const OF_HANDLEBARS: &[(&str, Helper)] = &[
    ("upper", |called| Ok(Item::text(called.context.print().to_uppercase()))),
    ("lower", |called| Ok(Item::text(called.context.print().to_lowercase()))),
    ("capitalize", |called| {
        let fully = called.named("fully").is_some_and(Item::is_true);
        let words = called.context.print();
        let mut out = String::new();
        let mut begins = true;
        for letter in words.chars() {
            match (begins, fully) {
                (true, _) => out.extend(letter.to_uppercase()),
                (false, true) => out.extend(letter.to_lowercase()),
                (false, false) => out.push(letter),
            }
            begins = letter.is_whitespace();
        }
        Ok(Item::text(out))
    }),
    ("capitalizeFirst", |called| {
        let text = called.context.print();
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        Ok(Item::text(first + letters.as_str()))
    }),
    ("replace", |called| {
        let text = |index| called.parameter(index).map(Item::print).unwrap_or_default();
        Ok(Item::text(called.context.print().replace(&text(0), &text(1))))
    }),
    ("substring", |called| {
        let letters: Vec<char> = called.context.print().chars().collect();
        let at = |index: usize, otherwise: usize| {
            let given = called.parameter(index).and_then(Item::as_integer);
            given.and_then(|at| usize::try_from(at).ok()).unwrap_or(otherwise).min(letters.len())
        };
        let (from, to) = (at(0, 0), at(1, letters.len()));
        Ok(Item::text(letters.get(from..to).unwrap_or_default().iter().collect::<String>()))
    }),
    ("abbreviate", |called| {
        let text = called.context.print();
        let width =
            called.parameter(0).and_then(Item::as_integer).and_then(|width| usize::try_from(width).ok());
        let width = width.unwrap_or(usize::MAX).max(4);
        if text.chars().count() <= width {
            return Ok(Item::text(text));
        }
        Ok(Item::text(text.chars().take(width - 3).collect::<String>() + "..."))
    }),
    ("center", |called| filled(&called, Side::Both)),
    ("ljust", |called| filled(&called, Side::Right)),
    ("rjust", |called| filled(&called, Side::Left)),
    ("slugify", |called| {
        let text = called.context.print();
        let letters = text.trim().chars().filter_map(|letter| match letter {
            letter if letter.is_whitespace() => Some("-".to_owned()),
            letter if letter.is_alphabetic() => Some(letter.to_lowercase().to_string()),
            _ => None,
        });
        Ok(Item::text(letters.collect::<String>()))
    }),
    ("stripTags", |called| {
        let regex = JavaRegex::parse("<[^>]*>")?;
        Ok(Item::text(regex.replace_all(&called.context.print(), "")))
    }),
    ("wordWrap", |called| {
        let width =
            called.parameter(0).and_then(Item::as_integer).and_then(|width| usize::try_from(width).ok());
        Ok(Item::text(wrapped(&called.context.print(), width.unwrap_or(80))))
    }),
    ("stringFormat", |called| Ok(Item::text(java_format(&called.context.print(), &called.rest)))),
];

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("cut", |called| {
        if !called.context.is_true() {
            return Ok(Item::text(""));
        }
        let part = called.parameter(0).map_or_else(|| " ".to_owned(), Item::print);
        Ok(Item::text(called.context.print().replace(&part, "")))
    }),
    ("trim", |mut called| Ok(Item::text(called.subject()?.trim()))),
    ("defaultIfEmpty", |called| {
        let otherwise = called.parameter(0).cloned().unwrap_or(Item::text(""));
        Ok(if called.context.is_true() { called.context.clone() } else { otherwise })
    }),
    ("join", |called| {
        if !called.context.is_true() {
            return Ok(Item::text(""));
        }
        let Some((separator, others)) = called.rest.split_last() else {
            return Err("found 'null', expected 'separator' at param[-1]".to_owned());
        };
        let separator = separator.print();
        // Beside a list nothing further is joined.
        let all = called.context.elements().unwrap_or_else(|| {
            std::iter::once(called.context.clone()).chain(others.iter().cloned()).collect()
        });
        let joined = all.iter().map(Item::print).collect::<Vec<_>>().join(&separator);
        let around = |name: &str| called.named_text(name).unwrap_or_default();
        Ok(Item::text(format!("{}{joined}{}", around("prefix"), around("suffix"))))
    }),
    ("yesno", |called| {
        let word = match &called.context {
            Item::Nothing => called.named_text("maybe").unwrap_or_else(|| "maybe".to_owned()),
            item if item.is_true() => called.named_text("yes").unwrap_or_else(|| "yes".to_owned()),
            _ => called.named_text("no").unwrap_or_else(|| "no".to_owned()),
        };
        Ok(Item::text(word))
    }),
    ("base64", |mut called| {
        let text = called.subject()?;
        let is = |name: &str, flag: bool| called.named(name) == Some(&Item::flag(flag));
        if is("decode", true) {
            let bytes = STANDARD.decode(text.trim()).or_else(|_| STANDARD_NO_PAD.decode(text.trim()));
            return Ok(Item::text(String::from_utf8_lossy(&bytes.unwrap_or_default())));
        }
        Ok(Item::text(if is("padding", false) {
            STANDARD_NO_PAD.encode(text)
        } else {
            STANDARD.encode(text)
        }))
    }),
    ("urlEncode", |called| {
        called.needs_something()?;
        let text = called.context.print();
        if called.named("decode") == Some(&Item::flag(true)) {
            return Ok(Item::text(unescape(&text)));
        }
        Ok(Item::text(url_encoded(&text)))
    }),
    ("regexExtract", regex_extract),
    ("formData", |called| {
        called.needs_something()?;
        let decodes = called.named("urlDecode") == Some(&Item::flag(true));
        let text = called.context.print();
        let mut all: Vec<(String, Vec<Item>)> = Vec::new();
        for pair in text.split('&') {
            let Some((name, value)) = pair.split_once('=').filter(|(_, value)| !value.is_empty()) else {
                continue;
            };
            let value = if decodes { unescape(value.trim()) } else { value.trim().to_owned() };
            match all.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => values.push(Item::text(value)),
                None => all.push((name.to_owned(), vec![Item::text(value)])),
            }
        }
        let form = Item::Map(all.into_iter().map(|(name, values)| (name, Item::Many(values))).collect());
        match called.parameter(0).map(Item::print) {
            Some(name) => {
                called.machine.keep(&name, form);
                Ok(Item::Nothing)
            }
            None => Ok(form),
        }
    }),
    ("hostname", |called| Ok(Item::text(&called.machine.world.surroundings.hostname))),
    ("systemValue", |called| {
        let key = called.named_text("key").unwrap_or_default();
        if key.is_empty() {
            return error("The key cannot be empty");
        }
        // As in WireMock, nothing of the environment is given away but what is named for it.
        if !key.to_lowercase().starts_with("wiremock") {
            return error(format!("Access to {key} is denied"));
        }
        let is_environment = called.named_text("type").is_none_or(|kind| kind == "ENVIRONMENT");
        let value = if is_environment { (called.machine.world.surroundings.env)(&key) } else { None };
        Ok(value.map(Item::text).or_else(|| called.named("default").cloned()).unwrap_or(Item::Nothing))
    }),
];

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
    Both,
}

fn filled(called: &Called<'_, '_>, side: Side) -> Result<Item, String> {
    let text = called.context.print();
    let size = called.named("size").and_then(Item::as_integer).and_then(|size| usize::try_from(size).ok());
    let missing = size.unwrap_or(0).min(MOST).saturating_sub(text.chars().count());
    let pad = called.named_text("pad").filter(|pad| !pad.is_empty()).unwrap_or_else(|| " ".to_owned());
    let fill = |n: usize| pad.chars().cycle().take(n).collect::<String>();
    Ok(Item::text(match side {
        Side::Left => fill(missing) + &text,
        Side::Right => text + &fill(missing),
        Side::Both => {
            let left = missing / 2;
            format!("{}{text}{}", fill(left), fill(missing - left))
        }
    }))
}

fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// What Java's `URLEncoder` leaves as it is.
pub(super) fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// `Hello %s %d`: the forms of Java's `String.format` that people use.
fn java_format(text: &str, given: &[Item]) -> String {
    let mut out = String::new();
    let mut given = given.iter();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let length = rest.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(rest.len());
        let flags = &rest[..length];
        let Some(kind) = rest[length..].chars().next() else { break };
        rest = &rest[length + 1..];
        match kind {
            '%' => out.push('%'),
            'n' => out.push('\n'),
            _ => out.push_str(&formatted(kind, flags, given.next().unwrap_or(&Item::Nothing))),
        }
    }
    out.push_str(rest);
    out
}

fn formatted(kind: char, flags: &str, item: &Item) -> String {
    let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
    let number = item.as_number().map_or(0.0, |number| number.as_f64());
    let text = match kind {
        'f' => format!("{number:.*}", precision.parse::<usize>().unwrap_or(6).min(100)),
        'x' | 'X' => {
            let hex = format!("{:x}", item.as_integer().unwrap_or(0));
            if kind == 'X' { hex.to_uppercase() } else { hex }
        }
        'S' => item.print().to_uppercase(),
        _ => item.print(),
    };
    let digits = width.trim_start_matches(['-', '0', '+', ' ', ',']);
    let size = digits.parse::<usize>().unwrap_or(0).min(MOST);
    let missing = size.saturating_sub(text.chars().count());
    if width.starts_with('-') {
        text + &" ".repeat(missing)
    } else if width.starts_with('0') {
        "0".repeat(missing) + &text
    } else {
        " ".repeat(missing) + &text
    }
}

fn regex_extract(called: Called<'_, '_>) -> Result<Item, String> {
    called.needs_something()?;
    let pattern = called.parameter(0).map(Item::print).unwrap_or_default();
    let Ok(regex) = JavaRegex::parse(&pattern) else {
        return error(format!("Invalid regex string {pattern}"));
    };
    let found = regex.find_all(&called.context.print());
    let Some(name) = called.parameter(1).map(Item::print) else {
        return match found.first().and_then(|groups| groups.first().cloned().flatten()) {
            Some(whole) => Ok(Item::text(whole)),
            None => missing(&called, &pattern),
        };
    };
    let groups: Vec<Item> = found
        .into_iter()
        .flat_map(|groups| groups.into_iter().skip(1))
        .map(|group| group.map_or(Item::Nothing, Item::text))
        .collect();
    if groups.is_empty() {
        return missing(&called, &pattern);
    }
    called.machine.keep(&name, Item::Many(groups));
    Ok(Item::Nothing)
}

fn missing(called: &Called<'_, '_>, pattern: &str) -> Result<Item, String> {
    match called.named("default") {
        Some(item) => Ok(item.clone()),
        None => error(format!("Nothing matched {pattern}")),
    }
}
