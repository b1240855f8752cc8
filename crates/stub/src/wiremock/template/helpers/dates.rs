//! What works on dates.

use super::Helper;
use crate::wiremock::dates::{JavaFormat, Offset, Truncation, read_moment};
use crate::wiremock::template::item::{Date, Item};
use crate::wiremock::template::render::{Called, error};
use jiff::tz::TimeZone;

/// How dates and times are written in English, from the longest on.
const DATES: &[(&str, &str)] = &[
    ("full", "EEEE, MMMM d, yyyy"),
    ("long", "MMMM d, yyyy"),
    ("medium", "MMM d, yyyy"),
    ("short", "M/d/yy"),
];
const TIMES: &[(&str, &str)] =
    &[("full", "h:mm:ss a zzzz"), ("long", "h:mm:ss a z"), ("medium", "h:mm:ss a"), ("short", "h:mm a")];

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("now", |called| date(&called, None)),
    ("date", |called| {
        let given = if let Item::Date(date) = &called.context { Some(date.clone()) } else { None };
        date(&called, given)
    }),
    ("dateFormat", date_format),
    ("parseDate", |called| {
        called.needs_something()?;
        let text = called.context.print();
        let zoned = match called.named_text("format") {
            None => read_moment(&text),
            Some(format) => JavaFormat::parse(&format)?
                .read(text.trim())
                .and_then(|parsed| parsed.zoned().or_else(|| parsed.local()?.to_zoned(TimeZone::UTC).ok())),
        };
        let Some(zoned) = zoned else { return Ok(Item::Nothing) };
        let zone = zoned.time_zone().clone();
        Ok(Item::Date(Date { at: zoned.timestamp(), format: None, zone: Some(zone) }))
    }),
    ("truncateDate", |called| {
        let Some(kind) = called.rest.first().map(Item::print) else {
            return error("Truncation type must be specified as the first parameter to truncateDate");
        };
        let Item::Date(date) = &called.context else {
            return error("A date object must be passed to the truncateDate helper");
        };
        let cut = Truncation::parse(&kind)?.truncate(&date.zoned());
        Ok(Item::Date(Date { at: cut.timestamp(), format: None, zone: date.zone.clone() }))
    }),
];

/// A date as people write it, in one of four styles or by a pattern; nothing but a date is written.
fn date_format(called: Called<'_, '_>) -> Result<Item, String> {
    let Item::Date(date) = &called.context else {
        if called.context.is_true() {
            return Err(format!("found '{}', expected: 'date'", called.context.print()));
        }
        return Ok(called.parameter(0).map_or(Item::Nothing, |item| Item::text(item.print())));
    };
    let form = called.parameter(0).map(Item::print).or_else(|| called.named_text("format"));
    let form = form.unwrap_or_else(|| "medium".to_owned());
    let style = |styles: &[(&str, &str)], name: &str| {
        styles.iter().find(|(known, _)| *known == name).map(|(_, pattern)| (*pattern).to_owned())
    };
    let time = called.named_text("time").and_then(|name| style(TIMES, &name));
    let pattern = match (style(DATES, &form), time) {
        (None, _) => form,
        (Some(date), None) => date,
        (Some(date), Some(time)) if matches!(form.as_str(), "full" | "long") => format!("{date} 'at' {time}"),
        (Some(date), Some(time)) => format!("{date}, {time}"),
    };
    let zone = called.named_text("tz").map_or(Ok(TimeZone::UTC), |name| zone(&name))?;
    Ok(Item::text(JavaFormat::parse(&pattern)?.format(&date.at.to_zoned(zone))))
}

/// The date that was given, or now, moved and to be written as asked.
fn date(called: &Called<'_, '_>, given: Option<Date>) -> Result<Item, String> {
    let zone = match (&given, called.named_text("timezone")) {
        (Some(date), _) => date.zone.clone(),
        (None, None) => None,
        (None, Some(name)) => Some(zone(&name)?),
    };
    let mut at = given.map_or(called.machine.world.now, |date| date.at);
    if let Some(offset) = called.named_text("offset") {
        at = Offset::parse(&offset)?.shift(&at.to_zoned(TimeZone::UTC)).timestamp();
    }
    let format = called.named_text("format");
    if let Some(format) = &format {
        JavaFormat::parse(format)?;
    }
    Ok(Item::Date(Date { at, format, zone }))
}

fn zone(name: &str) -> Result<TimeZone, String> {
    match name {
        "Z" | "UTC" | "GMT" => Ok(TimeZone::UTC),
        _ => JavaFormat::parse("z")
            .ok()
            .and_then(|format| format.read(name))
            .and_then(|parsed| parsed.zone().cloned())
            .ok_or_else(|| format!("Unknown time-zone ID: {name}")),
    }
}
