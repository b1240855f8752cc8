//! Medians, percentiles, and figures as people read them.

use std::time::Duration;

/// The median; zero of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(values, 0.5)
}

/// The value below which this part of all lie; zero of nothing.
pub(crate) fn percentile(values: impl IntoIterator<Item = f64>, part: f64) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let exact = part * count(last);
    let below = sorted[index(exact.floor()).min(last)];
    let above = sorted[index(exact.ceil()).min(last)];
    below + (above - below) * exact.fract()
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "nothing is counted here that comes near 2^52")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was an index before")]
fn index(number: f64) -> usize {
    number as usize
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A figure with about three digits.
pub(crate) fn readable(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_lie_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([1.0, 2.0]) - 1.5).abs() < 1e-9);
        assert!(median([]).abs() < 1e-9);
        let hundred = (0..=100).map(count);
        assert!((percentile(hundred, 0.99) - 99.0).abs() < 1e-9);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([1234.5, 12.34, 1.234].map(readable), ["1234", "12.3", "1.23"]);
    }
}
