//! Java's patterns for dates: both kinds, which agree in nearly all that people use.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use std::fmt::Write as _;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// How many optional parts a pattern may have: each doubles the ways to read it.
const MAX_OPTIONAL: usize = 5;

/// A pattern that has been read, or one of the two that are numbers.
#[derive(Clone, Debug)]
pub(crate) enum JavaFormat {
    /// Milliseconds since 1970.
    Epoch,
    /// Seconds since 1970.
    Unix,
    /// The pieces, in each way in which optional parts may be there; the fullest first.
    Pattern(Vec<Vec<Piece>>),
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    /// A letter, so many times.
    Field(char, usize),
}

/// What was read of a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) year: Option<i16>,
    pub(crate) month: Option<i8>,
    pub(crate) day: Option<i8>,
    day_of_year: Option<i16>,
    hour: Option<i8>,
    half_hour: Option<i8>,
    is_afternoon: Option<bool>,
    minute: i8,
    second: i8,
    nano: i32,
    zone: Option<TimeZone>,
    instant: Option<Timestamp>,
}

impl JavaFormat {
    /// Reads a pattern; the error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("epoch") {
            return Ok(Self::Epoch);
        }
        if text.eq_ignore_ascii_case("unix") {
            return Ok(Self::Unix);
        }
        Ok(Self::Pattern(variants(text)?))
    }

    /// Writes a moment.
    pub(crate) fn format(&self, at: &Zoned) -> String {
        match self {
            Self::Epoch => at.timestamp().as_millisecond().to_string(),
            Self::Unix => at.timestamp().as_second().to_string(),
            Self::Pattern(variants) => {
                let mut out = String::new();
                for piece in variants.first().into_iter().flatten() {
                    match piece {
                        Piece::Literal(text) => out.push_str(text),
                        Piece::Field(letter, n) => write_field(*letter, *n, at, &mut out),
                    }
                }
                out
            }
        }
    }

    /// Reads a text; none where it is not of this form.
    pub(crate) fn read(&self, text: &str) -> Option<Parsed> {
        let of = |instant: Option<Timestamp>| Some(Parsed { instant: Some(instant?), ..Parsed::default() });
        match self {
            Self::Epoch => of(Timestamp::from_millisecond(text.trim().parse().ok()?).ok()),
            Self::Unix => of(Timestamp::from_second(text.trim().parse().ok()?).ok()),
            Self::Pattern(variants) => variants.iter().find_map(|pieces| read_pieces(pieces, text)),
        }
    }
}

impl Parsed {
    /// The moment, where an offset or a zone was said.
    pub(crate) fn zoned(&self) -> Option<Zoned> {
        if let Some(instant) = self.instant {
            return Some(instant.to_zoned(TimeZone::UTC));
        }
        self.local()?.to_zoned(self.zone.clone()?).ok()
    }

    /// Date and time as they stand; what is missing begins at its first.
    pub(crate) fn local(&self) -> Option<DateTime> {
        if let Some(instant) = self.instant {
            return Some(instant.to_zoned(TimeZone::UTC).datetime());
        }
        let date = match self.day_of_year {
            Some(day) => {
                Date::new(self.year?, 1, 1).ok()?.checked_add(jiff::Span::new().days(day - 1)).ok()?
            }
            None => Date::new(self.year?, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?,
        };
        let half =
            self.half_hour.map(|hour| hour % 12 + if self.is_afternoon == Some(true) { 12 } else { 0 });
        let hour = self.hour.or(half).unwrap_or(0);
        Some(date.to_datetime(Time::new(hour % 24, self.minute, self.second, self.nano).ok()?))
    }

    /// The zone that was said.
    pub(crate) fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }
}

/// All ways to read a pattern whose optional parts stand in brackets.
fn variants(text: &str) -> Result<Vec<Vec<Piece>>, String> {
    let mut all: Vec<Vec<Piece>> = vec![Vec::new()];
    // For each open bracket: what the ways were before it.
    let mut open: Vec<Vec<Vec<Piece>>> = Vec::new();
    let mut n_optional = 0;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let piece = match letter {
            '\'' => {
                let mut literal = String::new();
                loop {
                    match letters.next() {
                        Some('\'') if letters.peek() == Some(&'\'') => {
                            letters.next();
                            literal.push('\'');
                        }
                        Some('\'') => break,
                        Some(other) => literal.push(other),
                        None => {
                            return Err(format!("Pattern ends with an incomplete string literal: {text}"));
                        }
                    }
                }
                Piece::Literal(if literal.is_empty() { "'".to_owned() } else { literal })
            }
            '[' => {
                n_optional += 1;
                if n_optional > MAX_OPTIONAL {
                    return Err("too many optional parts".to_owned());
                }
                open.push(all.clone());
                continue;
            }
            ']' => {
                let before = open.pop().ok_or("Pattern invalid as it contains ] without previous [")?;
                all.extend(before);
                continue;
            }
            letter if letter.is_ascii_alphabetic() => {
                if !"GyYuMLdDEeaHhKkmsSnzZXxVOwWFq".contains(letter) {
                    return Err(format!("Unknown pattern letter: {letter}"));
                }
                let mut n = 1;
                while letters.next_if_eq(&letter).is_some() {
                    n += 1;
                }
                Piece::Field(letter, n)
            }
            other => Piece::Literal(other.to_string()),
        };
        for way in &mut all {
            way.push(piece.clone());
        }
    }
    // What an open bracket began may be missing too.
    all.extend(open.into_iter().flatten());
    Ok(all)
}

fn write_field(letter: char, n: usize, at: &Zoned, out: &mut String) {
    let padded = |out: &mut String, number: i64, width: usize| {
        let _ = write!(out, "{number:0width$}");
    };
    let name = |names: &[&str], index: usize| {
        let name = names.get(index).copied().unwrap_or_default();
        if n >= 4 { name.to_owned() } else { name[..3.min(name.len())].to_owned() }
    };
    match letter {
        'G' => out.push_str("AD"),
        'y' | 'Y' | 'u' if n == 2 => padded(out, i64::from(at.year()) % 100, 2),
        'y' | 'Y' | 'u' => padded(out, i64::from(at.year()), n),
        'M' | 'L' if n >= 3 => out.push_str(&name(&MONTHS, usize::from(at.month().unsigned_abs()) - 1)),
        'M' | 'L' => padded(out, i64::from(at.month()), n),
        'q' => padded(out, (i64::from(at.month()) + 2) / 3, n),
        'd' => padded(out, i64::from(at.day()), n),
        'D' => padded(out, i64::from(at.day_of_year()), n),
        'E' => out.push_str(&name(&DAYS, usize::from(at.weekday().to_monday_zero_offset().unsigned_abs()))),
        'e' => padded(out, i64::from(at.weekday().to_sunday_one_offset()), n),
        'w' => padded(out, i64::from(at.date().iso_week_date().week()), n),
        'W' | 'F' => padded(out, (i64::from(at.day()) - 1) / 7 + 1, n),
        'a' => out.push_str(if at.hour() < 12 { "AM" } else { "PM" }),
        'H' => padded(out, i64::from(at.hour()), n),
        'k' => padded(out, if at.hour() == 0 { 24 } else { i64::from(at.hour()) }, n),
        'K' => padded(out, i64::from(at.hour() % 12), n),
        'h' => padded(out, if at.hour() % 12 == 0 { 12 } else { i64::from(at.hour() % 12) }, n),
        'm' => padded(out, i64::from(at.minute()), n),
        's' => padded(out, i64::from(at.second()), n),
        // One and two letters mean milliseconds in one kind of pattern, digits in the other; three mean both.
        'S' if n <= 3 => padded(out, i64::from(at.subsec_nanosecond() / 1_000_000), n),
        'S' => {
            let digits = format!("{:09}", at.subsec_nanosecond());
            out.extend(digits.chars().chain(std::iter::repeat('0')).take(n));
        }
        'n' => padded(out, i64::from(at.subsec_nanosecond()), n),
        'z' => out.push_str(&abbreviation(at)),
        'V' => out.push_str(at.time_zone().iana_name().unwrap_or("Z")),
        'Z' if n >= 4 => {
            let _ = write!(out, "GMT{}", offset(at.offset(), ":", false));
        }
        'Z' => out.push_str(&offset(at.offset(), "", false)),
        'X' if at.offset().is_zero() => out.push('Z'),
        'X' | 'x' if n == 1 && at.offset().seconds() % 3600 == 0 => {
            out.push_str(&offset(at.offset(), "", true));
        }
        'X' | 'x' => out.push_str(&offset(at.offset(), if n >= 3 { ":" } else { "" }, false)),
        'O' => {
            let _ = write!(
                out,
                "GMT{}",
                if at.offset().is_zero() { String::new() } else { offset(at.offset(), ":", false) }
            );
        }
        _ => {}
    }
}

fn abbreviation(at: &Zoned) -> String {
    if at.time_zone().iana_name() == Some("UTC") || at.time_zone() == &TimeZone::UTC {
        return "UTC".to_owned();
    }
    at.time_zone().to_offset_info(at.timestamp()).abbreviation().to_owned()
}

fn offset(offset: Offset, separator: &str, hours_only: bool) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    if hours_only { format!("{sign}{hours:02}") } else { format!("{sign}{hours:02}{separator}{minutes:02}") }
}

fn read_pieces(pieces: &[Piece], text: &str) -> Option<Parsed> {
    let mut parsed = Parsed::default();
    let mut rest = text;
    for (index, piece) in pieces.iter().enumerate() {
        rest = match piece {
            Piece::Literal(literal) => rest.strip_prefix(literal.as_str())?,
            Piece::Field(letter, n) => {
                let is_number =
                    |piece: &Piece| matches!(piece, Piece::Field(letter, n) if is_numeric(*letter, *n));
                let is_tight = pieces.get(index + 1).is_some_and(is_number);
                read_field(*letter, *n, is_tight, rest, &mut parsed)?
            }
        };
    }
    rest.is_empty().then_some(parsed)
}

fn is_numeric(letter: char, n: usize) -> bool {
    match letter {
        'M' | 'L' => n < 3,
        _ => "yYudDHhKkmsSnwWFe".contains(letter),
    }
}

/// Reads one field; gives what is left of the text.
fn read_field<'t>(
    letter: char,
    n: usize,
    is_tight: bool,
    text: &'t str,
    parsed: &mut Parsed,
) -> Option<&'t str> {
    if is_numeric(letter, n) {
        let most = match (letter, n) {
            _ if is_tight => n,
            ('S', _) => n,
            ('y' | 'Y' | 'u', 2) => 2,
            ('y' | 'Y' | 'u', _) => 9,
            (_, 1) => 19,
            _ => n,
        };
        let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()).min(most);
        let least = if letter == 'S' || n == 2 || is_tight { n } else { 1 };
        if length < least.min(4) || length == 0 {
            return None;
        }
        let (digits, rest) = text.split_at(length);
        set(letter, n, digits, parsed)?;
        return Some(rest);
    }
    match letter {
        'M' | 'L' => {
            let (index, rest) = read_name(&MONTHS, n, text)?;
            parsed.month = i8::try_from(index + 1).ok();
            Some(rest)
        }
        'E' => read_name(&DAYS, n, text).map(|(_, rest)| rest),
        'a' => {
            let head = text.get(..2)?;
            parsed.is_afternoon = Some(head.eq_ignore_ascii_case("pm"));
            head.to_ascii_lowercase().ends_with('m').then_some(&text[2..])
        }
        'G' => text.strip_prefix("AD"),
        'Z' | 'X' | 'x' | 'O' => read_offset(text.strip_prefix("GMT").unwrap_or(text), parsed),
        'z' | 'V' => read_zone(text, parsed),
        _ => None,
    }
}

fn set(letter: char, n: usize, digits: &str, parsed: &mut Parsed) -> Option<()> {
    let number: i64 = digits.parse().ok()?;
    let small = i8::try_from(number).ok();
    match letter {
        'y' | 'Y' | 'u' => {
            parsed.year = Some(i16::try_from(if n == 2 { number + 2000 } else { number }).ok()?);
        }
        'M' | 'L' => parsed.month = Some(small?),
        'd' => parsed.day = Some(small?),
        'D' => parsed.day_of_year = Some(i16::try_from(number).ok()?),
        'H' => parsed.hour = Some(small?),
        'k' => parsed.hour = Some(small? % 24),
        'h' | 'K' => parsed.half_hour = Some(small?),
        'm' => parsed.minute = small?,
        's' => parsed.second = small?,
        'S' => parsed.nano = format!("{digits:0<9}").get(..9)?.parse().ok()?,
        'n' => parsed.nano = i32::try_from(number).ok()?,
        _ => {}
    }
    Some(())
}

fn read_name<'t>(names: &[&str], n: usize, text: &'t str) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if n >= 4 { name } else { &name[..3] };
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| (index, &text[name.len()..]))
    })
}

fn read_offset<'t>(text: &'t str, parsed: &mut Parsed) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix('Z') {
        parsed.zone = Some(TimeZone::UTC);
        return Some(rest);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let rest = &text[1..];
    let hours: i32 = rest.get(..2)?.parse().ok()?;
    let rest = &rest[2..];
    let minutes = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest): (i32, &str) = match minutes.get(..2).and_then(|digits| digits.parse().ok()) {
        Some(number) => (number, &minutes[2..]),
        None => (0, rest),
    };
    parsed.zone = Some(TimeZone::fixed(Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?));
    Some(rest)
}

fn read_zone<'t>(text: &'t str, parsed: &mut Parsed) -> Option<&'t str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+' | ':');
    let length = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
    let name = &text[..length];
    parsed.zone = Some(match name {
        "Z" | "GMT" | "UTC" | "UT" => TimeZone::UTC,
        _ => match TimeZone::get(name) {
            Ok(zone) => zone,
            Err(_) => return read_offset(name, parsed).map(|_| &text[length..]),
        },
    });
    Some(&text[length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_as_java_does() {
        let at: Timestamp = "2021-06-04T03:02:01.123456789Z".parse().unwrap();
        let utc = at.to_zoned(TimeZone::UTC);
        let sydney = at.to_zoned(TimeZone::get("Australia/Sydney").unwrap());
        for (pattern, zoned, expect) in [
            ("yyyy-MM-dd'T'HH:mm:ssZ", &utc, "2021-06-04T03:02:01+0000"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", &sydney, "2021-06-04T13:02:01.123+10:00"),
            ("yyyy-MM-dd'T'HH:mm:ssX", &utc, "2021-06-04T03:02:01Z"),
            ("yy/M/d h:mm a", &sydney, "21/6/4 1:02 PM"),
            ("EEE, dd MMM yyyy HH:mm:ss z", &utc, "Fri, 04 Jun 2021 03:02:01 UTC"),
            ("EEEE MMMM d", &utc, "Friday June 4"),
            ("HH 'o''clock'", &utc, "03 o'clock"),
            ("epoch", &utc, "1622775721123"),
            ("unix", &utc, "1622775721"),
            ("D", &utc, "155"),
        ] {
            assert_eq!(JavaFormat::parse(pattern).unwrap().format(zoned), expect, "{pattern}");
        }
        for (pattern, text, zoned, local) in [
            (
                "yyyy-MM-dd'T'HH:mm:ssZ",
                "2021-06-04T03:02:01+0100",
                Some("2021-06-04T02:02:01Z"),
                "2021-06-04T03:02:01",
            ),
            ("dd/MM/yyyy", "04/06/2021", None, "2021-06-04T00:00:00"),
            ("d/M/yyyy", "4/6/2021", None, "2021-06-04T00:00:00"),
            ("yyyyMMddHHmm", "202106040302", None, "2021-06-04T03:02:00"),
            ("MMM d, yyyy h:mm a", "Jun 4, 2021 3:02 PM", None, "2021-06-04T15:02:00"),
            ("yyyy-MM[-dd]", "2021-06", None, "2021-06-01T00:00:00"),
            (
                "yyyy-MM-dd HH:mm z",
                "2021-06-04 03:02 Europe/Berlin",
                Some("2021-06-04T01:02:00Z"),
                "2021-06-04T03:02:00",
            ),
            ("unix", "1622775721", Some("2021-06-04T03:02:01Z"), "2021-06-04T03:02:01"),
        ] {
            let parsed =
                JavaFormat::parse(pattern).unwrap().read(text).unwrap_or_else(|| panic!("{pattern} {text}"));
            let instant = parsed.zoned().map(|zoned| zoned.timestamp().to_string());
            assert_eq!(instant.as_deref(), zoned, "{pattern} {text}");
            assert_eq!(parsed.local().unwrap().to_string(), local, "{pattern} {text}");
        }
        for (pattern, text) in
            [("yyyy-MM-dd", "2021-6-4"), ("yyyy-MM-dd", "2021-06-04x"), ("dd MMM", "04 Xyz")]
        {
            assert!(JavaFormat::parse(pattern).unwrap().read(text).is_none(), "{pattern} {text}");
        }
        for pattern in ["'abc", "b", "]"] {
            assert!(JavaFormat::parse(pattern).is_err(), "{pattern}");
        }
    }
}
