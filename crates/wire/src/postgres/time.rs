//! Dates and times of PostgreSQL: microseconds and days since 2000 to texts, and instants to UTC.

use std::fmt::Write as _;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// An instant with its offset as the server writes it (`2026-01-01 12:00:00.5+05:30`), in UTC as RFC 3339.
/// `None` for what RFC 3339 can't say (`infinity`, years before Christ) and for other styles of dates.
pub(super) fn utc_from_text(text: &str) -> Option<String> {
    let (date, rest) = text.split_once(' ')?;
    let (clock, offset) = rest.split_at(rest.find(['+', '-'])?);
    let micros = micros_of_day(clock)? - offset_seconds(offset)? * 1_000_000;
    let days = days_of_date(date)?;
    utc_from_micros((days - EPOCH_DAYS) * MICROS_PER_DAY + micros)
}

/// An instant in microseconds since 2000, in UTC as RFC 3339.
pub(super) fn utc_from_micros(micros: i64) -> Option<String> {
    let (year, text) = date_text(micros.div_euclid(MICROS_PER_DAY))?;
    (1..=9999).contains(&year).then(|| format!("{text}T{}Z", clock_text(micros.rem_euclid(MICROS_PER_DAY))))
}

/// A timestamp without an offset, as the server writes it.
pub(super) fn timestamp_text(micros: i64) -> Option<String> {
    match micros {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let (year, text) = date_text(micros.div_euclid(MICROS_PER_DAY))?;
    (year > 0).then(|| format!("{text} {}", clock_text(micros.rem_euclid(MICROS_PER_DAY))))
}

/// A date in days since 2000, as the server writes it.
pub(super) fn date_only_text(days: i32) -> Option<String> {
    match days {
        i32::MAX => return Some("infinity".to_owned()),
        i32::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let (year, text) = date_text(i64::from(days))?;
    (year > 0).then_some(text)
}

/// Microseconds of a day as `12:00:00.5`.
pub(super) fn clock_text(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction > 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    text
}

/// An offset in seconds east of Greenwich as `+05:30`.
pub(super) fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let mut text = format!("{sign}{:02}", seconds / 3600);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    if minutes + seconds > 0 {
        let _ = write!(text, ":{minutes:02}");
    }
    if seconds > 0 {
        let _ = write!(text, ":{seconds:02}");
    }
    text
}

/// A date as days since 2000.
pub(super) fn days(text: &str) -> Option<i32> {
    match text {
        "infinity" => Some(i32::MAX),
        "-infinity" => Some(i32::MIN),
        text => i32::try_from(days_of_date(text)? - EPOCH_DAYS).ok(),
    }
}

/// A moment, with an offset or without, as microseconds since 2000.
pub(super) fn micros(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (date, rest) = text.split_once([' ', 'T'])?;
    let (clock, offset) = match rest.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => match rest.find(['+', '-']) {
            Some(at) => (&rest[..at], offset_seconds(&rest[at..])?),
            None => (rest, 0),
        },
    };
    Some((days_of_date(date)? - EPOCH_DAYS) * MICROS_PER_DAY + micros_of_day(clock)? - offset * 1_000_000)
}

/// `+05:30` in seconds.
pub(super) fn offset_seconds(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut parts = text[1..].split(':').map(two_digits);
    let mut seconds = 0;
    for unit in [3600, 60, 1] {
        seconds += match parts.next() {
            Some(part) => part? * unit,
            None => 0,
        };
    }
    parts.next().is_none().then_some(sign * seconds)
}

/// `1 year 2 mons 3 days 04:05:06.5` as months, days and microseconds.
pub(super) fn interval(text: &str) -> Option<(i32, i32, i64)> {
    let (mut months, mut days, mut micros) = (0_i32, 0_i32, 0_i64);
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (sign, clock) = match word.strip_prefix('-') {
                Some(clock) => (-1, clock),
                None => (1, word.strip_prefix('+').unwrap_or(word)),
            };
            micros = sign * micros_of_day(clock)?;
            continue;
        }
        let count: i32 = word.parse().ok()?;
        match words.next()?.trim_end_matches('s') {
            "year" => months = months.checked_add(count.checked_mul(12)?)?,
            "mon" => months = months.checked_add(count)?,
            "day" => days = days.checked_add(count)?,
            _ => return None,
        }
    }
    Some((months, days, micros))
}

fn two_digits(text: &str) -> Option<i64> {
    (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

pub(super) fn micros_of_day(clock: &str) -> Option<i64> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':').map(two_digits);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros)
}

fn days_of_date(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(4..=6).contains(&year.len()) {
        return None;
    }
    let (year, month, day) = (year.parse::<i64>().ok()?, two_digits(month)?, two_digits(day)?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| days_from_civil(year, month, day))
}

/// Days since 1970 of a date in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
/// algorithms"): years begin in March, so that the leap day is their last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The year and the text of a day since 2000: the inverse of the above.
fn date_text(days: i64) -> Option<(i64, String)> {
    let days = days.checked_add(EPOCH_DAYS + 719_468)?;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some((year, format!("{year:04}-{month:02}-{day:02}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_in_utc() {
        for (text, expect) in [
            ("2026-01-01 12:00:00+01", Some("2026-01-01T11:00:00Z")),
            ("2026-01-01 00:30:00.25+05:30", Some("2025-12-31T19:00:00.25Z")),
            ("1999-12-31 23:59:59.999999-08", Some("2000-01-01T07:59:59.999999Z")),
            ("2024-02-29 00:00:00+00", Some("2024-02-29T00:00:00Z")),
            ("1850-06-01 12:00:00+00:53:28", Some("1850-06-01T11:06:32Z")),
            ("0001-01-01 00:00:00+00", Some("0001-01-01T00:00:00Z")),
            ("infinity", None),
            ("0001-01-01 00:00:00+00 BC", None),
            ("01/02/2026 12:00:00 CET", None),
            ("2026-01-01 12:00:00", None),
            ("12026-01-01 12:00:00+00", None),
        ] {
            assert_eq!(utc_from_text(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn there_and_back() {
        for days in (-800_000i64..800_000).step_by(97) {
            let (_, text) = date_text(days - EPOCH_DAYS).unwrap();
            if !text.starts_with('-') && text.len() == 10 {
                assert_eq!(days_of_date(&text), Some(days), "{text}");
            }
        }
        assert_eq!(utc_from_micros(i64::MIN), None);
        assert_eq!(timestamp_text(i64::MAX).unwrap(), "infinity");
        assert_eq!(date_only_text(-1).unwrap(), "1999-12-31");
    }

    #[test]
    fn offsets() {
        for (seconds, expect) in
            [(0, "+00"), (19_800, "+05:30"), (-3600, "-01"), (3208, "+00:53:28"), (3601, "+01:00:01")]
        {
            assert_eq!(offset_text(seconds), expect);
        }
    }
}
