//! `before`, `after` and `equalToDateTime`.

use super::format::JavaFormat;
use super::shift::{Offset, Truncation};
use crate::wiremock::place::Place;
use crate::wiremock::wrong::Wrong;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::cmp::Ordering;

/// How a moment has to stand to what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Before,
    After,
    Equal,
}

/// One of the three matchers.
#[derive(Clone, Debug)]
pub(crate) struct DateMatcher {
    how: How,
    expected: Expected,
    actual_format: Option<JavaFormat>,
    truncate_expected: Option<Truncation>,
    truncate_actual: Option<Truncation>,
    truncates_last: bool,
}

#[derive(Clone, Debug)]
enum Expected {
    Now(Offset),
    Zoned(Zoned),
    Local(DateTime),
}

impl DateMatcher {
    /// Reads what stands beside the operand.
    pub(crate) fn read(how: How, operand: &Place<'_>, whole: &Place<'_>) -> Result<Self, Wrong> {
        let text = operand.text()?;
        let told = |wrong: String| whole.wrong(wrong);
        let word = |name: &str| whole.field(name).map(|place| place.text()).transpose();
        let cut = |name: &str| word(name)?.map(|text| Truncation::parse(&text).map_err(told)).transpose();
        let expected = if is_from_now(&text) {
            let amount = whole.field("expectedOffset").map(|place| place.integer()).transpose()?;
            let unit = word("expectedOffsetUnit")?;
            Expected::Now(match (amount, unit) {
                (Some(amount), Some(unit)) => Offset::new(amount, &unit).map_err(told)?,
                _ => Offset::parse(&text).map_err(told)?,
            })
        } else if let Some(zoned) = read_zoned(&text) {
            Expected::Zoned(zoned)
        } else if let Some(local) = read_local(&text) {
            Expected::Local(local)
        } else {
            // WireMock keeps such a stub, which then never matches.
            return Err(operand.wrong(format!("'{text}' is neither a date nor an offset from now")));
        };
        Ok(Self {
            how,
            expected,
            actual_format: word("actualFormat")?
                .map(|text| JavaFormat::parse(&text).map_err(told))
                .transpose()?,
            truncate_expected: cut("truncateExpected")?,
            truncate_actual: cut("truncateActual")?,
            truncates_last: whole
                .field("applyTruncationLast")
                .is_some_and(|place| place.boolean() == Ok(true)),
        })
    }

    /// Does a text hold?
    pub(crate) fn matches(&self, text: &str, now: Timestamp) -> bool {
        let order = match (self.expected(now), self.actual_zoned(text)) {
            (Moment::Zoned(expected), Some(actual)) => actual.timestamp().cmp(&expected.timestamp()),
            (Moment::Local(expected), zoned) => match (self.actual_local(text), zoned) {
                (Some(actual), _) => actual.cmp(&expected),
                (None, Some(actual)) => actual.datetime().cmp(&expected),
                (None, None) => return false,
            },
            (Moment::Zoned(expected), None) => {
                let Some(actual) =
                    self.actual_local(text).and_then(|local| local.to_zoned(TimeZone::UTC).ok())
                else {
                    return false;
                };
                actual.timestamp().cmp(&expected.timestamp())
            }
        };
        match self.how {
            How::Before => order == Ordering::Less,
            How::After => order == Ordering::Greater,
            How::Equal => order == Ordering::Equal,
        }
    }

    fn expected(&self, now: Timestamp) -> Moment {
        let cut = |at: &Zoned| self.truncate_expected.map_or_else(|| at.clone(), |cut| cut.truncate(at));
        match &self.expected {
            Expected::Zoned(zoned) => Moment::Zoned(zoned.clone()),
            Expected::Local(local) => Moment::Local(*local),
            Expected::Now(offset) => {
                let now = now.to_zoned(TimeZone::UTC);
                Moment::Zoned(if self.truncates_last {
                    cut(&offset.shift(&now))
                } else {
                    offset.shift(&cut(&now))
                })
            }
        }
    }

    fn actual_zoned(&self, text: &str) -> Option<Zoned> {
        let zoned = match &self.actual_format {
            Some(format) => format.read(text)?.zoned(),
            None => read_zoned(text),
        }?;
        Some(self.truncate_actual.map_or_else(|| zoned.clone(), |cut| cut.truncate(&zoned)))
    }

    fn actual_local(&self, text: &str) -> Option<DateTime> {
        match &self.actual_format {
            Some(format) => format.read(text)?.local(),
            None => read_local(text),
        }
    }
}

enum Moment {
    Zoned(Zoned),
    Local(DateTime),
}

/// `now`, `now +3 days`, `15 days`
fn is_from_now(text: &str) -> bool {
    let lower = text.to_lowercase();
    let rest = lower.strip_prefix("now ").unwrap_or(&lower);
    let Some((amount, unit)) = rest.split_once(' ') else { return lower == "now" };
    let digits = amount.trim_start_matches(['+', '-']);
    !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit())
        && !unit.is_empty()
        && unit.chars().all(|c| c.is_ascii_alphabetic())
}

/// A moment in one of the forms that say an offset.
fn read_zoned(text: &str) -> Option<Zoned> {
    const FORMS: [&str; 5] = [
        "EEE, d MMM yyyy HH:mm:ss z",
        "EEE, d MMM yyyy HH:mm:ss Z",
        "EEEE, dd-MMM-yy HH:mm:ss zzz",
        "EEE MMM dd HH:mm:ss yyyy",
        "EEE MMM  d HH:mm:ss yyyy",
    ];
    if let Some(iso) = read_iso(text) {
        return Some(iso);
    }
    FORMS.iter().find_map(|form| {
        let parsed = JavaFormat::parse(form).ok()?.read(text)?;
        // The last two say no zone and mean GMT.
        parsed.zoned().or_else(|| parsed.local()?.to_zoned(TimeZone::UTC).ok())
    })
}

fn read_iso(text: &str) -> Option<Zoned> {
    if !text.contains(['T', 't']) {
        return None;
    }
    let pieces = Pieces::parse(text).ok()?;
    let offset =
        pieces.to_numeric_offset().or_else(|| text.contains(['Z', 'z']).then_some(jiff::tz::Offset::UTC))?;
    let zone = match pieces.time_zone_annotation() {
        Some(_) => pieces.to_time_zone().ok().flatten().unwrap_or_else(|| TimeZone::fixed(offset)),
        None => TimeZone::fixed(offset),
    };
    let local = pieces.date().to_datetime(pieces.time()?);
    Some(offset.to_timestamp(local).ok()?.to_zoned(zone))
}

/// A date and time without an offset, or only the first parts of one.
fn read_local(text: &str) -> Option<DateTime> {
    const FORMS: [&str; 5] =
        ["yyyy-MM-dd'T'HH:mm[:ss]", "yyyy-MM-dd'T'HH:mm:ss.SSS", "yyyy-MM-dd", "yyyy-MM", "yyyy"];
    let read = FORMS.iter().find_map(|form| JavaFormat::parse(form).ok()?.read(text)?.local());
    read.or_else(|| {
        let pieces = Pieces::parse(text).ok()?;
        let says_more = pieces.offset().is_some() || pieces.time_zone_annotation().is_some();
        (!says_more && text.contains('T'))
            .then(|| pieces.time().map(|time| pieces.date().to_datetime(time)))?
    })
}

/// A moment without a form: what `parseDate` reads.
pub(crate) fn read_moment(text: &str) -> Option<Zoned> {
    read_zoned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn moments_are_compared() {
        let now: Timestamp = "2021-06-14T12:13:14Z".parse().unwrap();
        for (how, matcher, text, expect) in [
            (How::Before, r#"{"v":"2021-06-14T00:00:00Z"}"#, "2021-06-13T23:00:00Z", true),
            (How::Before, r#"{"v":"2021-06-14T00:00:00Z"}"#, "2021-06-14T00:30:00+01:00", true),
            (How::After, r#"{"v":"2021-06-14T00:00:00"}"#, "2021-06-14", false),
            (How::After, r#"{"v":"2021-06-14"}"#, "2021-06-14T10:00:00", true),
            (How::Equal, r#"{"v":"2021-06-14T12:00:00Z"}"#, "Mon, 14 Jun 2021 12:00:00 GMT", true),
            (How::Equal, r#"{"v":"2021-06-14T12:00:00Z"}"#, "Mon Jun 14 12:00:00 2021", true),
            (How::Equal, r#"{"v":"2021-06-14","actualFormat":"dd/MM/yyyy"}"#, "14/06/2021", true),
            (How::Equal, r#"{"v":"2021-06-14T12:13:14Z","actualFormat":"unix"}"#, "1623672794", true),
            (How::Before, r#"{"v":"now"}"#, "2021-06-14T12:13:13Z", true),
            (How::After, r#"{"v":"now +3 days"}"#, "2021-06-17T12:13:15Z", true),
            (How::After, r#"{"v":"now +3 days"}"#, "2021-06-17T12:13:13Z", false),
            (
                How::Equal,
                r#"{"v":"now","truncateExpected":"first day of month"}"#,
                "2021-06-01T00:00:00Z",
                true,
            ),
            (
                How::Equal,
                r#"{"v":"now","truncateExpected":"first hour of day","truncateActual":"first hour of day"}"#,
                "2021-06-14T20:00:00Z",
                true,
            ),
            (
                How::Equal,
                r#"{"v":"now","expectedOffset":2,"expectedOffsetUnit":"hours"}"#,
                "2021-06-14T14:13:14Z",
                true,
            ),
            (How::Equal, r#"{"v":"2021-06-14T12:00:00Z"}"#, "nonsense", false),
        ] {
            let value = parse(matcher).unwrap();
            let whole = Place::whole(&value);
            let read = DateMatcher::read(how, &whole.field("v").unwrap(), &whole).unwrap();
            assert_eq!(read.matches(text, now), expect, "{how:?} {matcher} {text}");
        }
    }
}
