//! Durations and sizes as people write them, always with a unit: `10s`, `1m30s`, `250ms`, `64KiB`.

use std::time::Duration;

/// Reads a duration: numbers with the units `us ms s m h d`, largest first, without spaces. The error says what
/// is wrong, to stand beneath a caret.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parts = parts(text).ok_or_else(|| needs_unit(text, "10s, 1m30s or 250ms"))?;
    let mut total = Duration::ZERO;
    let mut last = u128::MAX;
    for (number, unit) in parts {
        let nanos: u128 = match unit {
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return Err(format!("`{unit}` is no unit of time; there are us, ms, s, m, h, d")),
        };
        if nanos >= last {
            return Err("units go from the largest to the smallest, each once".to_owned());
        }
        last = nanos;
        let seconds = scaled(number, nanos).ok_or_else(|| "longer than can be waited for".to_owned())?;
        total = total.checked_add(seconds).ok_or_else(|| "longer than can be waited for".to_owned())?;
    }
    // A year: more is a slip, and deadlines must stay addable.
    if total > Duration::from_hours(366 * 24) {
        return Err("longer than a year".to_owned());
    }
    Ok(total)
}

/// Reads a size in bytes: a number with one of the units `B KB MB GB KiB MiB GiB`.
pub fn size(text: &str) -> Result<u64, String> {
    let parts = parts(text).ok_or_else(|| needs_unit(text, "64KiB, 10MB or 512B"))?;
    let [(number, unit)] = parts.as_slice() else { return Err("one number with one unit".to_owned()) };
    let bytes: u64 = match *unit {
        "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("`{unit}` is no unit of size; there are B, KB, MB, GB, KiB, MiB, GiB")),
    };
    let whole: u64 = number.parse().map_err(|_| format!("`{number}` is no whole number"))?;
    whole.checked_mul(bytes).ok_or_else(|| "larger than can be kept".to_owned())
}

fn needs_unit(text: &str, examples: &str) -> String {
    if text.parse::<f64>().is_ok() {
        format!("needs a unit: {examples}")
    } else {
        format!("expected a number with its unit, without spaces: {examples}")
    }
}

/// `1m30s` to `[(1, m), (30, s)]`; none if it is not of that form.
fn parts(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut list = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return None;
        }
        list.push((number, unit));
        rest = after;
    }
    (!list.is_empty()).then_some(list)
}

/// `1.5` of a unit of so many nanoseconds.
fn scaled(number: &str, nanos: u128) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || fraction.len() > 9 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let total = whole.checked_mul(nanos)?.checked_add(part * nanos / scale)?;
    Some(Duration::new(
        u64::try_from(total / 1_000_000_000).ok()?,
        u32::try_from(total % 1_000_000_000).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in [
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("1.5s", 1_500),
            ("2h", 7_200_000),
            ("0s", 0),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "10",
            "",
            "s",
            "10 s",
            "30s1m",
            "1s1s",
            "10x",
            "-1s",
            "1..5s",
            "1.5.5s",
            "99999999999999999999d",
            "400d",
        ] {
            assert!(duration(text).is_err(), "{text:?}");
        }
        assert_eq!(duration("10"), Err("needs a unit: 10s, 1m30s or 250ms".to_owned()));
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("64KiB", 65_536), ("10MB", 10_000_000), ("512B", 512), ("1GiB", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["64", "1.5MB", "KiB", "1KiB1B", "99999999999999999999GB", "1XB"] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }
}
