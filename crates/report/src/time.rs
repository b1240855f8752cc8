//! Durations as people read them.

use std::time::Duration;

/// `84 ms`, `1.24 s`, `2 min 03 s`: three digits that matter, no more.
pub fn human(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
        _ => format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}

/// `8.4 s`, `2 min 03 s`: for times that are still counting, so that only what changes slowly stands there.
pub(crate) fn ticking(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// Seconds with six decimals, as machines read them.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{}.{:06}", duration.as_secs(), duration.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (micros, text) in [
            (0, "0.0 ms"),
            (740, "0.7 ms"),
            (9_999, "9.9 ms"),
            (84_321, "84 ms"),
            (1_240_000, "1.24 s"),
            (59_999_999, "59.99 s"),
            (123_000_000, "2 min 03 s"),
        ] {
            assert_eq!(human(Duration::from_micros(micros)), text);
        }
        assert_eq!(seconds(Duration::from_micros(1_000_042)), "1.000042");
    }
}
