//! Money is integer cents everywhere; these are the few places where it is written and read.

use crate::bug::{Bug, on};
use serde_json::{Value, json};

/// An amount as pricing writes it into an answer.
pub fn written(cents: i64) -> Value {
    if on(Bug::B01) { json!(euros(cents)) } else { json!(cents) }
}

/// An amount as the gateway shows it to a customer.
pub fn shown(amount: &Value) -> Option<i64> {
    amount.as_i64().or_else(|| rounded(amount))
}

/// An amount as orders takes it into its books.
pub fn booked(amount: &Value) -> Option<i64> {
    amount.as_i64().or_else(|| cut(amount))
}

/// `1999` as `19.99`, for people.
pub fn readable(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

/// `amount * by / of` in whole cents, half up, for amounts of a few millions.
pub fn share(amount: i64, by: i64, of: i64) -> i64 {
    (2 * amount * by + of) / (2 * of)
}

#[expect(clippy::cast_precision_loss, reason = "amounts of a shop are far below 2^53")]
fn euros(cents: i64) -> f64 {
    cents as f64 / 100.0
}

#[expect(clippy::cast_possible_truncation, reason = "amounts of a shop are far below 2^53")]
fn rounded(amount: &Value) -> Option<i64> {
    on(Bug::B01).then(|| amount.as_f64().map(|euros| (euros * 100.0).round() as i64))?
}

#[expect(clippy::cast_possible_truncation, reason = "amounts of a shop are far below 2^53")]
fn cut(amount: &Value) -> Option<i64> {
    on(Bug::B01).then(|| amount.as_f64().map(|euros| (euros * 100.0) as i64))?
}

#[cfg(test)]
mod tests {
    use super::{readable, share};

    #[test]
    fn shares_round_half_up() {
        let table = [((1999, 7, 107), 131), ((1, 1, 2), 1), ((0, 7, 107), 0), ((150, 10, 100), 15)];
        for ((amount, by, of), expected) in table {
            assert_eq!(share(amount, by, of), expected, "{amount} * {by} / {of}");
        }
    }

    #[test]
    fn cents_are_written_with_two_digits() {
        let table = [(1999, "19.99"), (5, "0.05"), (0, "0.00"), (-250, "-2.50"), (9_999_999, "99999.99")];
        for (cents, expected) in table {
            assert_eq!(readable(cents), expected);
        }
    }
}
