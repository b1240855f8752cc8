//! A number as it was written, compared by its exact decimal value.
//!
//! `1`, `1.0` and `1e0` are equal; `0.1` never becomes `0.1000000000000000055`. Comparing works on the digits
//! themselves and never expands an exponent, so `1e999999999` costs no more than `1`.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A decimal number of any size, with the form in which it was written.
#[derive(Clone)]
pub struct Number(Repr);

/// Nearly all numbers on wires are small integers: those need no allocation.
#[derive(Clone)]
enum Repr {
    /// An integer written without point, exponent or leading zero.
    Integer(i64),
    /// Anything else, as written (JSON's grammar for numbers).
    Written(Box<str>),
}

/// Sign, significant digits without zeros at either end, and the power of ten of the first digit.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    magnitude: i64,
}

impl Number {
    /// Reads a number in JSON's grammar (RFC 8259, section 6); `None` if the text is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        is_json_number(text).then(|| Self::of_token(text, true))
    }

    /// The number of a text that is known to be one; `may_be_integer` unless it has a point or an exponent.
    pub(crate) fn of_token(text: &str, may_be_integer: bool) -> Self {
        let integer = if may_be_integer && text != "-0" { text.parse().ok() } else { None };
        Self(integer.map_or_else(|| Repr::Written(text.into()), Repr::Integer))
    }

    /// The number of a float, in the shortest form that reads back as the same float; `None` for NaN and infinities.
    pub fn from_f64(float: f64) -> Option<Self> {
        float.is_finite().then(|| Self::parse(&format!("{float:?}"))).flatten()
    }

    /// The value as an `i64`, where it is one exactly (`1.0` and `1e2` are).
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Integer(integer) => Some(*integer),
            Repr::Written(text) => decimal(text).to_i64(),
        }
    }

    /// The nearest float. For arithmetic only: comparing goes through the exact value.
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            #[expect(clippy::cast_precision_loss, reason = "the nearest float is what is asked for")]
            Repr::Integer(integer) => *integer as f64,
            Repr::Written(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// Was it written as an integer: no point, no exponent?
    pub fn is_written_as_integer(&self) -> bool {
        match &self.0 {
            Repr::Integer(_) => true,
            Repr::Written(text) => !text.contains(['.', 'e', 'E']),
        }
    }

    fn decimal(&self) -> Decimal {
        match &self.0 {
            Repr::Integer(integer) => decimal(&integer.to_string()),
            Repr::Written(text) => decimal(text),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Integer(integer) => write!(f, "{integer}"),
            Repr::Written(text) => f.write_str(text),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Integer(integer) => serializer.serialize_i64(*integer),
            // No digit may be lost, so it passes as the text that it is.
            Repr::Written(text) => RawValue::from_string(text.clone().into())
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self(Repr::Integer(integer))
    }
}

impl From<u64> for Number {
    fn from(integer: u64) -> Self {
        i64::try_from(integer).map_or_else(
            |_| Self(Repr::Written(integer.to_string().into())),
            |small| Self(Repr::Integer(small)),
        )
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Integer(a), Repr::Integer(b)) => a.cmp(b),
            _ => self.decimal().compare(&other.decimal()),
        }
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let decimal = self.decimal();
        // Zero is equal to itself whatever its sign and exponent.
        let (negative, magnitude) =
            if decimal.is_zero() { (false, 0) } else { (decimal.negative, decimal.magnitude) };
        (negative, decimal.digits, magnitude).hash(state);
    }
}

impl Decimal {
    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return if other.negative { Ordering::Greater } else { Ordering::Less },
            (false, true) => return if self.negative { Ordering::Less } else { Ordering::Greater },
            (false, false) => {}
        }
        if self.negative != other.negative {
            return if self.negative { Ordering::Less } else { Ordering::Greater };
        }
        let by_size = self.magnitude.cmp(&other.magnitude).then_with(|| self.digits.cmp(&other.digits));
        if self.negative { by_size.reverse() } else { by_size }
    }

    fn to_i64(&self) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        let n_integer_digits = self.magnitude.checked_add(1)?;
        let n_digits = i64::try_from(self.digits.len()).ok()?;
        if n_integer_digits < n_digits || n_integer_digits > 19 {
            return None;
        }
        let mut text = String::from(if self.negative { "-" } else { "" });
        text.extend(self.digits.iter().map(|digit| char::from(b'0' + digit)));
        text.extend(std::iter::repeat_n('0', usize::try_from(n_integer_digits - n_digits).ok()?));
        text.parse().ok()
    }
}

/// Takes the written form apart. The text has passed [`is_json_number`].
fn decimal(text: &str) -> Decimal {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    // An exponent beyond i64 is saturated: such numbers still order correctly against all others.
    let exponent =
        exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
    let n_leading = all.iter().take_while(|digit| **digit == 0).count();
    let mut digits = all[n_leading..].to_vec();
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let shift =
        i64::try_from(whole.len()).unwrap_or(i64::MAX / 4) - 1 - i64::try_from(n_leading).unwrap_or(0);
    Decimal { negative, digits, magnitude: exponent.saturating_add(shift) }
}

fn is_json_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(all_digits)
        && exponent.is_none_or(|exponent| all_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn equal_by_value_whatever_the_form() {
        for (left, right, expect) in [
            ("1", "1.0", Ordering::Equal),
            ("1", "1e0", Ordering::Equal),
            ("100", "1e2", Ordering::Equal),
            ("-0", "0", Ordering::Equal),
            ("0.0", "0e9", Ordering::Equal),
            ("0.1", "0.10", Ordering::Equal),
            ("0.1", "0.1000000000000000055511151231257827", Ordering::Less),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("9007199254740993", "9007199254740993.0", Ordering::Equal),
            ("-2", "1", Ordering::Less),
            ("-2", "-1.5", Ordering::Less),
            ("0", "-0.001", Ordering::Greater),
            ("1e999999999", "1e999999998", Ordering::Greater),
            ("1e99999999999999999999", "1", Ordering::Greater),
            ("1e99999999999999999999", "1e9000000000000000000", Ordering::Greater),
            ("-1e-99999999999999999999", "-1e-9000000000000000000", Ordering::Greater),
            ("1e-99999999999999999999", "1", Ordering::Less),
            ("19.99", "20", Ordering::Less),
            ("123", "13", Ordering::Greater),
        ] {
            assert_eq!(number(left).cmp(&number(right)), expect, "{left} against {right}");
        }
    }

    #[test]
    fn what_is_equal_has_one_hash() {
        let hash = |text: &str| {
            let mut state = std::hash::DefaultHasher::new();
            number(text).hash(&mut state);
            state.finish()
        };
        for (left, right) in [("1", "1.0"), ("100", "1e2"), ("-0", "0"), ("0.0", "0e9"), ("0.10", "1e-1")] {
            assert_eq!(hash(left), hash(right), "{left} and {right}");
        }
    }

    #[test]
    fn only_json_numbers_are_numbers() {
        for text in ["", "-", "01", "1.", ".5", "+1", "1e", "0x1F", "NaN", "1_000", " 1", "--1", "1e5.0"] {
            assert!(Number::parse(text).is_none(), "{text:?} is none");
        }
    }

    #[test]
    fn the_written_form_stays() {
        for text in ["1.50", "1E+2", "-0", "123456789012345678901234567890.123"] {
            assert_eq!(number(text).to_string(), text);
        }
        assert!(number("12345678901234567890").is_written_as_integer());
        assert!(!number("1.0").is_written_as_integer());
    }

    #[test]
    fn integers_come_out_only_when_exact() {
        for (text, expect) in [
            ("1.0", Some(1)),
            ("12e2", Some(1200)),
            ("1.5", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("0.0", Some(0)),
        ] {
            assert_eq!(number(text).as_i64(), expect, "{text}");
        }
    }
}
