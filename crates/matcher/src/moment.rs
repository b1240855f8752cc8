//! An instant as tests write it: `2026-01-01T00:00Z`, `now`, `now - 5m`, `$created + 1h`.

use jiff::Timestamp;
use seam_expr::{instant, length};

/// Reads an instant; the error is one line to stand beneath a caret.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let trimmed = text.trim();
    let base = |text: &str| match text.trim() {
        "now" => Ok(now),
        text => instant(text).ok_or_else(|| no_instant(text)),
    };
    if let Ok(time) = base(trimmed) {
        return Ok(time);
    }
    let sign =
        trimmed.char_indices().skip(1).filter(|(_, sign)| matches!(sign, '+' | '-')).map(|(at, _)| at).last();
    let Some(at) = sign else { return base(trimmed) };
    let (before, offset) = (&trimmed[..at], trimmed[at + 1..].trim());
    let Some(length) = length(offset).filter(|_| !offset.starts_with('-')) else {
        return Err(if base(before).is_ok() {
            format!("`{offset}` is no duration such as 5m or 1h30m")
        } else {
            no_instant(trimmed)
        });
    };
    let time = base(before)?;
    let moved =
        if trimmed[at..].starts_with('-') { time.checked_sub(length) } else { time.checked_add(length) };
    moved.map_err(|_| "the time is too far away".to_owned())
}

/// Why a text is no instant.
pub(crate) fn no_instant(text: &str) -> String {
    let without_offset = text.parse::<jiff::civil::DateTime>().is_ok();
    if text.parse::<jiff::civil::Date>().is_ok() && !text.contains(['T', ' ', 't']) {
        format!("`{text}` is a day, not an instant: it has no time and no offset")
    } else if without_offset {
        format!("`{text}` has no offset: write `Z` or `+01:00` behind it")
    } else {
        format!("`{text}` is no instant such as 2026-01-31T12:00:00Z or now - 5m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_offsets() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, expect) in [
            ("now", Ok("2026-01-31T12:00:00Z")),
            ("now - 5m", Ok("2026-01-31T11:55:00Z")),
            ("now-5m", Ok("2026-01-31T11:55:00Z")),
            ("now + 1h30m", Ok("2026-01-31T13:30:00Z")),
            ("2026-01-01T00:00Z", Ok("2026-01-01T00:00:00Z")),
            ("2026-01-01T00:00:00+01:00", Ok("2025-12-31T23:00:00Z")),
            ("2026-01-01T00:00:00-01:00 + 1s", Ok("2026-01-01T01:00:01Z")),
            ("2026-01-01T00:00:00Z - 1d", Ok("2025-12-31T00:00:00Z")),
            ("now - 5", Err("`5` is no duration such as 5m or 1h30m")),
            ("2026-01-01", Err("`2026-01-01` is a day, not an instant: it has no time and no offset")),
            ("2026-01-01T00:00", Err("`2026-01-01T00:00` has no offset: write `Z` or `+01:00` behind it")),
            ("soon", Err("`soon` is no instant such as 2026-01-31T12:00:00Z or now - 5m")),
            ("", Err("`` is no instant such as 2026-01-31T12:00:00Z or now - 5m")),
            ("01/31/2026", Err("`01/31/2026` is no instant such as 2026-01-31T12:00:00Z or now - 5m")),
        ] {
            assert_eq!(
                moment(text, now).map(|time| time.to_string()),
                expect.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
    }
}
