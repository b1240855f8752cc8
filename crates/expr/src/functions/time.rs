//! Times and durations: `now() - duration('5m')`, `today() + duration('1d')`.
//!
//! The clock is asked through [`Names`](crate::Names), to the millisecond: what a test sends must come back from a
//! store that keeps no more.

use super::{Arguments, Function};
use crate::expression::item::{Item, Problem, instant, length};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use seam_model::{Field, Shape, Word};

pub(super) const NOW: Function = Function {
    word: Word {
        text: "The present time in UTC, to the millisecond: `2026-01-31T12:00:00.25Z` as a text. Add and subtract \
               durations; compare with other times, also where they are texts.",
        example: "${now()}\n${now() - duration('5m')}\n${now() > timestamp('2020-01-01T00:00Z')}  # true",
        ..Word::new("now", "the present time")
    },
    run: |called| Ok(Item::Time(present(called))),
};

pub(super) const TODAY: Function = Function {
    word: Word {
        text: "The present day in UTC, `2026-01-31` as a text. `today() + duration('1d')` is tomorrow.",
        example: "${today()}\n${today() + duration('1d') > today()}  # true",
        ..Word::new("today", "the present day")
    },
    run: |called| Ok(Item::Day(present(called).to_zoned(TimeZone::UTC).date())),
};

pub(super) const TIMESTAMP: Function = Function {
    word: Word {
        fields: &[Field::required("text", Shape::Text, "an instant with its offset, or seconds since 1970")],
        example: "${timestamp('2026-01-01T01:00+01:00')}  # \"2026-01-01T00:00:00Z\"\n\
                  ${timestamp(1767225600)}  # \"2026-01-01T00:00:00Z\"",
        ..Word::new("timestamp", "the time that a text says, or a number of seconds since 1970")
    },
    run: timestamp,
};

pub(super) const DURATION: Function = Function {
    word: Word {
        fields: &[Field::required("text", Shape::Duration, "numbers with units: `1m30s`, `-5m`, `2d`")],
        example: "${duration('90s')}  # \"1m30s\"",
        ..Word::new("duration", "a length of time, to add to times and to compare")
    },
    run: |called| {
        let text = called.text(0)?;
        length(text).map(Item::Length).ok_or_else(|| {
            Problem::new(format!("`{text}` is no duration")).hint("write 10s, 1m30s or 250ms").of_argument(0)
        })
    },
};

pub(super) const SECONDS: Function = Function {
    word: Word {
        text: "For a time the seconds since 1970 (as `exp` in a token has them), for a duration its seconds.",
        fields: &[Field::required("time", Shape::Any, "a time or a duration, also as a text")],
        example: "${seconds(timestamp('2026-01-01T00:00Z'))}  # 1767225600\n${seconds('1m30s')}  # 90",
        ..Word::new("seconds", "a time or a duration as a number of whole seconds")
    },
    run: |called| {
        let item = called.item(0)?;
        let seconds = item
            .as_time()
            .map(Timestamp::as_second)
            .or_else(|| item.as_length().map(|length| length.as_secs()));
        seconds.map(Item::from).ok_or_else(|| called.wrong(0, "a time or a duration"))
    },
};

pub(super) const FORMAT: Function = Function {
    word: Word {
        text: "Writes a time (in UTC) or a day in another form, by the usual signs: `%Y` year, `%m` month, `%d` day, \
               `%H` hour, `%M` minute, `%S` second, `%a` weekday, `%b` month's name.",
        fields: &[
            Field::required("time", Shape::Any, "a time or a day"),
            Field::required("pattern", Shape::Text, "the form"),
        ],
        example: "${format(timestamp('2026-01-31T12:00Z'), '%m/%d/%Y')}  # \"01/31/2026\"",
        ..Word::new("format", "a time or a day in another form")
    },
    run: format,
};

fn present(called: &Arguments<'_, '_>) -> Timestamp {
    let now = called.names.now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

fn timestamp<'a>(called: &Arguments<'_, 'a>) -> Result<Item<'a>, Problem> {
    let item = called.item(0)?;
    if let Item::Time(time) = item {
        return Ok(Item::Time(*time));
    }
    if let Ok(seconds) = called.integer(0) {
        return Timestamp::from_second(seconds)
            .map(Item::Time)
            .map_err(|_| Problem::new("the time is too far away").of_argument(0));
    }
    let text = called.text(0)?;
    instant(text).map(Item::Time).ok_or_else(|| {
        Problem::new(format!("`{text}` is no instant"))
            .hint("an instant has a day, a time and an offset: 2026-01-31T12:00:00Z")
            .of_argument(0)
    })
}

fn format<'a>(called: &Arguments<'_, 'a>) -> Result<Item<'a>, Problem> {
    let pattern = called.text(1)?;
    let day = |text: &str| text.parse::<jiff::civil::Date>().ok();
    let zoned = match called.item(0)? {
        Item::Day(day) => day.to_zoned(TimeZone::UTC).ok(),
        item => item
            .as_time()
            .map(|time| time.to_zoned(TimeZone::UTC))
            .or_else(|| item.as_text().and_then(day).and_then(|day| day.to_zoned(TimeZone::UTC).ok())),
    };
    let zoned = zoned.ok_or_else(|| called.wrong(0, "a time or a day"))?;
    jiff::fmt::strtime::format(pattern, &zoned)
        .map(Item::from)
        .map_err(|error| Problem::new(format!("`{pattern}` is no form for times: {error}")).of_argument(1))
}
