//! What works on dates.

use super::Helper;
use crate::wiremock::dates::{JavaFormat, Offset, Truncation, read_moment};
use crate::wiremock::template::item::{Date, Item};
use crate::wiremock::template::render::{Called, error};
use jiff::tz::TimeZone;

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("now", |called| date(&called, None)),
    ("date", |called| {
        let given = if let Item::Date(date) = &called.context { Some(date.clone()) } else { None };
        date(&called, given)
    }),
    ("dateFormat", |called| {
        let given = if let Item::Date(date) = &called.context { Some(date.clone()) } else { None };
        date(&called, given)
    }),
    ("parseDate", |called| {
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
        let Some(kind) = called.parameter(0).map(Item::print) else {
            return error("Truncation type must be specified as the first parameter to truncateDate");
        };
        let Item::Date(date) = &called.context else {
            return error("A date object must be passed to the truncateDate helper");
        };
        let cut = Truncation::parse(&kind)?.truncate(&date.zoned());
        Ok(Item::Date(Date { at: cut.timestamp(), format: None, zone: date.zone.clone() }))
    }),
];

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
