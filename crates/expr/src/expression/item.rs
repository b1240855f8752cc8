//! What an expression works with: plain values, and times and durations, which become texts when they leave it.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use seam_value::{Kind, Number, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// One value inside an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item<'a> {
    /// A value as tests know it.
    Plain(Cow<'a, Value>),
    /// An instant: `now()`, `timestamp('…')`.
    Time(Timestamp),
    /// A day: `today()`.
    Day(Date),
    /// A length of time: `duration('5m')`.
    Length(SignedDuration),
    /// What `a.?b` gives: a value or nothing.
    Maybe(Option<Box<Item<'a>>>),
}

/// Why an operation could not be done; its place is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The argument that it is about, if it is about one.
    pub(crate) argument: Option<usize>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, argument: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn of_argument(self, index: usize) -> Self {
        Self { argument: Some(index), ..self }
    }
}

impl<'a> Item<'a> {
    pub(crate) fn borrowed(value: &'a Value) -> Self {
        Self::Plain(Cow::Borrowed(value))
    }

    pub(crate) fn number(number: Number) -> Self {
        Self::Plain(Cow::Owned(Value::Number(number)))
    }

    /// As it leaves the expression: times as RFC 3339 in UTC, days as `2026-01-31`, durations as `90s`.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Plain(value) => value.into_owned(),
            Self::Time(time) => Value::text(time.to_string()),
            Self::Day(day) => Value::text(day.to_string()),
            Self::Length(length) => Value::text(length_text(length)),
            Self::Maybe(inner) => inner.map_or(Value::Null, |inner| inner.into_value()),
        }
    }

    /// What it is, for messages: `the text "a"` is too long, so only `a text`.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Plain(value) => kind_name(value),
            Self::Time(_) => "a time",
            Self::Day(_) => "a day",
            Self::Length(_) => "a duration",
            Self::Maybe(_) => "an optional value",
        }
    }

    pub(crate) fn as_value(&self) -> Option<&Value> {
        if let Self::Plain(value) = self { Some(value) } else { None }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        self.as_value()?.as_text()
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Some(Value::Bool(flag)) = self.as_value() { Some(*flag) } else { None }
    }

    /// The instant that it is, or that its text says.
    pub(crate) fn as_time(&self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(*time),
            other => other.as_text().and_then(instant),
        }
    }

    /// The length of time that it is, or that its text says.
    pub(crate) fn as_length(&self) -> Option<SignedDuration> {
        match self {
            Self::Length(length) => Some(*length),
            other => other.as_text().and_then(length),
        }
    }
}

impl<T: Into<Value>> From<T> for Item<'_> {
    fn from(value: T) -> Self {
        Self::Plain(Cow::Owned(value.into()))
    }
}

/// What a value is, in the words that messages use.
pub fn kind_name(value: &Value) -> &'static str {
    match value.kind() {
        Kind::Null => "null",
        Kind::Boolean => "a boolean",
        Kind::Integer | Kind::Number => "a number",
        Kind::String => "a text",
        Kind::Array => "a list",
        Kind::Object => "a map",
    }
}

/// The instant that a text says: RFC 3339 with an offset (`2026-01-01T00:00Z`, `2026-01-01 01:00:00+01:00`), or
/// the form of HTTP and mail (`Thu, 01 Jan 2026 00:00:00 GMT`). A time without an offset is no instant.
pub fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let mail = jiff::fmt::rfc2822::DateTimeParser::new();
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            .then(|| mail.parse_timestamp(text).ok())
            .flatten()
    })
}

/// The length of time that a text says: `10s`, `1m30s`, `-5m`.
pub fn length(text: &str) -> Option<SignedDuration> {
    let (negative, positive) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let duration = SignedDuration::try_from(seam_model::duration(positive).ok()?).ok()?;
    Some(if negative { -duration } else { duration })
}

/// A length of time as tests write it: `1h30m`, `250ms`, `0s`.
pub fn length_text(length: SignedDuration) -> String {
    let mut rest = length.unsigned_abs().as_nanos();
    let mut text = String::from(if length.is_negative() { "-" } else { "" });
    for (unit, nanos) in [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ] {
        if rest >= nanos {
            let _ = write!(text, "{}{unit}", rest / nanos);
            rest %= nanos;
        }
    }
    if text.is_empty() || text == "-" { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_an_offset() {
        for (text, expect) in [
            ("2026-01-01T00:00Z", Some("2026-01-01T00:00:00Z")),
            ("2026-01-01T00:00:00.250+02:00", Some("2025-12-31T22:00:00.25Z")),
            ("2026-01-01 00:00:00+00", Some("2026-01-01T00:00:00Z")),
            ("Thu, 01 Jan 2026 00:00:00 GMT", Some("2026-01-01T00:00:00Z")),
            ("1 Jan 2026 00:00:00 +0100", Some("2025-12-31T23:00:00Z")),
            ("2026-01-01T00:00", None),
            ("2026-01-01", None),
            ("01/02/2026", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(instant(text).map(|time| time.to_string()).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn durations_read_as_they_are_written() {
        for text in ["1h30m", "250ms", "-5m", "1s500ms", "12us", "25h"] {
            assert_eq!(length_text(length(text).unwrap()), text);
        }
        assert_eq!(length("0s").map(length_text).as_deref(), Some("0s"));
        assert_eq!(length("1d").map(length_text).as_deref(), Some("24h"));
        assert_eq!(length("5"), None);
    }
}
