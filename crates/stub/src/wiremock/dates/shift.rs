//! `3 days`, `now -5 hours`, `first day of month`: how WireMock moves moments.

use jiff::{Span, Zoned};

/// How far a moment is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset {
    amount: i64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
    Months,
    Years,
}

/// To what a moment is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truncation {
    SecondOfMinute,
    MinuteOfHour,
    HourOfDay,
    FirstOfMonth,
    FirstOfNextMonth,
    LastOfMonth,
    FirstOfYear,
    FirstOfNextYear,
    LastOfYear,
}

impl Offset {
    /// By an amount of a unit: `days`.
    pub(crate) fn new(amount: i64, unit: &str) -> Result<Self, String> {
        let unit = match unit.to_ascii_lowercase().as_str() {
            "seconds" => Unit::Seconds,
            "minutes" => Unit::Minutes,
            "hours" => Unit::Hours,
            "days" => Unit::Days,
            "months" => Unit::Months,
            "years" => Unit::Years,
            _ => {
                return Err(format!(
                    "No enum constant com.github.tomakehurst.wiremock.common.DateTimeUnit.{}",
                    unit.to_uppercase()
                ));
            }
        };
        Ok(Self { amount, unit })
    }

    /// Reads `8 seconds`, `now +5 years` or `now`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("now") {
            return Ok(Self { amount: 0, unit: Unit::Seconds });
        }
        let parts: Vec<&str> = text.split(' ').collect();
        let ([amount, unit] | [_, amount, unit]) = parts.as_slice() else {
            return Err("Offset can be of the short form <amount> <unit> e.g. 8 seconds or long form now +/-<amount> \
                        <unit> e.g. now +5 years"
                .to_owned());
        };
        let number = amount.strip_prefix('+').unwrap_or(amount);
        Self::new(number.parse().map_err(|_| format!("For input string: \"{amount}\""))?, unit)
    }

    /// Moves a moment; one that leaves the calendar stays.
    pub(crate) fn shift(self, at: &Zoned) -> Zoned {
        let span = match self.unit {
            Unit::Seconds => Span::new().try_seconds(self.amount),
            Unit::Minutes => Span::new().try_minutes(self.amount),
            Unit::Hours => Span::new().try_hours(self.amount),
            Unit::Days => Span::new().try_days(self.amount),
            Unit::Months => Span::new().try_months(self.amount),
            Unit::Years => Span::new().try_years(self.amount),
        };
        span.and_then(|span| at.checked_add(span)).unwrap_or_else(|_| at.clone())
    }
}

impl Truncation {
    /// Reads `first day of month`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_uppercase().replace(' ', "_");
        Ok(match name.as_str() {
            "FIRST_SECOND_OF_MINUTE" => Self::SecondOfMinute,
            "FIRST_MINUTE_OF_HOUR" => Self::MinuteOfHour,
            "FIRST_HOUR_OF_DAY" => Self::HourOfDay,
            "FIRST_DAY_OF_MONTH" => Self::FirstOfMonth,
            "FIRST_DAY_OF_NEXT_MONTH" => Self::FirstOfNextMonth,
            "LAST_DAY_OF_MONTH" => Self::LastOfMonth,
            "FIRST_DAY_OF_YEAR" => Self::FirstOfYear,
            "FIRST_DAY_OF_NEXT_YEAR" => Self::FirstOfNextYear,
            "LAST_DAY_OF_YEAR" => Self::LastOfYear,
            _ => {
                return Err(format!(
                    "No enum constant com.github.tomakehurst.wiremock.common.DateTimeTruncation.{name}"
                ));
            }
        })
    }

    /// Cuts a moment.
    pub(crate) fn truncate(self, at: &Zoned) -> Zoned {
        let day = |date: jiff::civil::Date| date.to_zoned(at.time_zone().clone());
        let cut = match self {
            Self::SecondOfMinute => at.with().second(0).subsec_nanosecond(0).build(),
            Self::MinuteOfHour => at.with().minute(0).second(0).subsec_nanosecond(0).build(),
            Self::HourOfDay => at.start_of_day(),
            Self::FirstOfMonth => day(at.date().first_of_month()),
            Self::LastOfMonth => day(at.date().last_of_month()),
            Self::FirstOfYear => day(at.date().first_of_year()),
            Self::LastOfYear => day(at.date().last_of_year()),
            Self::FirstOfNextMonth => {
                at.date().first_of_month().checked_add(Span::new().months(1)).and_then(day)
            }
            Self::FirstOfNextYear => {
                at.date().first_of_year().checked_add(Span::new().years(1)).and_then(day)
            }
        };
        cut.unwrap_or_else(|_| at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    fn moments_move_as_they_are_told() {
        let at = "2021-06-14T12:13:14.5Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        for (offset, expect) in [
            ("3 days", "2021-06-17T12:13:14.5Z"),
            ("-1 months", "2021-05-14T12:13:14.5Z"),
            ("now +5 years", "2026-06-14T12:13:14.5Z"),
            ("now -2 hours", "2021-06-14T10:13:14.5Z"),
            ("now", "2021-06-14T12:13:14.5Z"),
        ] {
            assert_eq!(Offset::parse(offset).unwrap().shift(&at).timestamp().to_string(), expect, "{offset}");
        }
        for (cut, expect) in [
            ("first second of minute", "2021-06-14T12:13:00Z"),
            ("first minute of hour", "2021-06-14T12:00:00Z"),
            ("first hour of day", "2021-06-14T00:00:00Z"),
            ("first day of month", "2021-06-01T00:00:00Z"),
            ("first day of next month", "2021-07-01T00:00:00Z"),
            ("last day of month", "2021-06-30T00:00:00Z"),
            ("first day of year", "2021-01-01T00:00:00Z"),
            ("first day of next year", "2022-01-01T00:00:00Z"),
            ("LAST_DAY_OF_YEAR", "2021-12-31T00:00:00Z"),
        ] {
            assert_eq!(
                Truncation::parse(cut).unwrap().truncate(&at).timestamp().to_string(),
                expect,
                "{cut}"
            );
        }
        assert!(
            Offset::parse("3 parsecs").is_err()
                && Offset::parse("x days").is_err()
                && Truncation::parse("x").is_err()
        );
    }
}
