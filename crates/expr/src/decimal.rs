//! Exact arithmetic on decimal numbers: `19.90 * 3` is `59.70`, never `59.699999999999996`.
//!
//! A number is an integer of up to 38 digits and how many of them stand after the point. Sums and products are
//! exact or an error; a quotient that never ends is rounded to 28 digits. Integers stay integers, also when
//! divided (`7 / 2` is `3`, as CEL has it); where one side has a point, the result has one.

use seam_value::Number;

/// How many digits a quotient gets at most.
const QUOTIENT_DIGITS: u32 = 28;

/// How many places there can be after the point.
const MAX_SCALE: u32 = 60;

/// An exact decimal: `coefficient * 10^-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    coefficient: i128,
    scale: u32,
    /// Was it written as an integer, without point and exponent?
    integer: bool,
}

/// Why a number could not be worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecimalError {
    #[error("the number has more digits than can be kept exactly (38)")]
    TooLong,
    #[error("division by zero")]
    Zero,
}

use DecimalError::{TooLong, Zero};

impl Decimal {
    pub(crate) fn of(number: &Number) -> Result<Self, DecimalError> {
        if let (true, Some(integer)) = (number.is_written_as_integer(), number.as_i64()) {
            return Ok(Self { coefficient: integer.into(), scale: 0, integer: true });
        }
        let text = number.to_string();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        let coefficient: i128 = format!("{whole}{fraction}").parse().map_err(|_| TooLong)?;
        let exponent: i64 = exponent.parse().map_err(|_| TooLong)?;
        let written_scale = text.split_once('.').map_or(0, |_| mantissa.len() - whole.len() - 1);
        let scale = i64::try_from(fraction.len())
            .ok()
            .and_then(|places| places.checked_sub(exponent))
            .ok_or(TooLong)?;
        let integer = number.is_written_as_integer();
        let exact = if let Ok(scale) = u32::try_from(scale) {
            if scale > MAX_SCALE {
                return Err(TooLong);
            }
            Self { coefficient, scale, integer }
        } else {
            let zeros = u32::try_from(scale.unsigned_abs()).map_err(|_| TooLong)?;
            let factor = 10_i128.checked_pow(zeros).ok_or(TooLong)?;
            Self { coefficient: coefficient.checked_mul(factor).ok_or(TooLong)?, scale: 0, integer }
        };
        // `1.50` keeps its two places, as far as they fit.
        let places = u32::try_from(written_scale).unwrap_or(0);
        Ok(if exponent == 0 { exact.with_scale(places).unwrap_or(exact) } else { exact })
    }

    pub(crate) fn to_number(self) -> Number {
        if self.integer {
            return i64::try_from(self.coefficient)
                .map_or_else(|_| Number::parse(&self.coefficient.to_string()), |small| Some(small.into()))
                .expect("digits are a number");
        }
        let scale = self.scale.max(1) as usize;
        let coefficient =
            if self.scale == 0 { format!("{}0", self.coefficient) } else { self.coefficient.to_string() };
        let (sign, digits) =
            coefficient.strip_prefix('-').map_or(("", coefficient.as_str()), |rest| ("-", rest));
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        Number::parse(&format!("{sign}{whole}.{fraction}")).expect("digits with a point are a number")
    }

    pub(crate) fn is_zero(self) -> bool {
        self.coefficient == 0
    }

    pub(crate) fn add(self, other: Self) -> Result<Self, DecimalError> {
        let (a, b) = aligned(self, other)?;
        let coefficient = a.coefficient.checked_add(b.coefficient).ok_or(TooLong)?;
        Ok(Self { coefficient, scale: a.scale, integer: a.integer && b.integer })
    }

    pub(crate) fn subtract(self, other: Self) -> Result<Self, DecimalError> {
        self.add(other.negate()?)
    }

    pub(crate) fn negate(self) -> Result<Self, DecimalError> {
        Ok(Self { coefficient: self.coefficient.checked_neg().ok_or(TooLong)?, ..self })
    }

    pub(crate) fn multiply(self, other: Self) -> Result<Self, DecimalError> {
        let integer = self.integer && other.integer;
        let fits = self.scale + other.scale <= MAX_SCALE;
        if let Some(coefficient) = self.coefficient.checked_mul(other.coefficient).filter(|_| fits) {
            return Ok(Self { coefficient, scale: self.scale + other.scale, integer });
        }
        let (a, b) = (self.short(), other.short());
        let coefficient = a.coefficient.checked_mul(b.coefficient).ok_or(TooLong)?;
        let scale = a.scale + b.scale;
        if scale > MAX_SCALE { Err(TooLong) } else { Ok(Self { coefficient, scale, integer }) }
    }

    pub(crate) fn divide(self, other: Self) -> Result<Self, DecimalError> {
        if other.is_zero() {
            return Err(Zero);
        }
        if self.integer && other.integer {
            let coefficient = self.coefficient.checked_div(other.coefficient).ok_or(TooLong)?;
            return Ok(Self { coefficient, scale: 0, integer: true });
        }
        let (a, b) = aligned(self.short(), other.short())?;
        let negative = (a.coefficient < 0) != (b.coefficient < 0);
        let divisor = b.coefficient.unsigned_abs();
        let mut quotient = a.coefficient.unsigned_abs() / divisor;
        let mut rest = a.coefficient.unsigned_abs() % divisor;
        let mut scale = 0;
        while rest != 0 && digits(quotient) < QUOTIENT_DIGITS && scale < MAX_SCALE {
            rest = rest.checked_mul(10).ok_or(TooLong)?;
            quotient = quotient * 10 + rest / divisor;
            rest %= divisor;
            scale += 1;
        }
        if rest.checked_mul(2).is_none_or(|twice| twice >= divisor) {
            quotient += 1;
        }
        let coefficient = i128::try_from(quotient).map_err(|_| TooLong)?;
        Ok(Self { coefficient: if negative { -coefficient } else { coefficient }, scale, integer: false })
    }

    pub(crate) fn remainder(self, other: Self) -> Result<Self, DecimalError> {
        if other.is_zero() {
            return Err(Zero);
        }
        let (a, b) = aligned(self, other)?;
        let coefficient = a.coefficient.checked_rem(b.coefficient).ok_or(TooLong)?;
        Ok(Self { coefficient, scale: a.scale, integer: a.integer && b.integer })
    }

    /// With so many places after the point, halves away from zero; an integer where that is none.
    pub(crate) fn rounded(self, places: u32) -> Result<Self, DecimalError> {
        let integer = places == 0;
        if self.scale <= places {
            return Ok(Self { integer, ..self.with_scale(places).ok_or(TooLong)? });
        }
        let factor = 10_i128.checked_pow(self.scale - places).ok_or(TooLong)?;
        let (quotient, rest) = (self.coefficient / factor, self.coefficient % factor);
        let away = rest.unsigned_abs() * 2 >= factor.unsigned_abs();
        let coefficient = quotient + if away { self.coefficient.signum() } else { 0 };
        Ok(Self { coefficient, scale: places, integer })
    }

    /// The integer part, towards zero.
    pub(crate) fn truncated(self) -> Self {
        let factor = 10_i128.checked_pow(self.scale).unwrap_or(i128::MAX);
        Self { coefficient: self.coefficient / factor, scale: 0, integer: true }
    }

    /// The greatest integer that is not greater.
    pub(crate) fn floor(self) -> Result<Self, DecimalError> {
        let whole = self.truncated();
        let one_less = self.coefficient < 0 && whole.subtract(self)?.coefficient != 0;
        Ok(Self { coefficient: whole.coefficient - i128::from(one_less), ..whole })
    }

    pub(crate) fn is_negative(self) -> bool {
        self.coefficient < 0
    }

    pub(crate) fn places(self) -> u32 {
        self.scale
    }

    /// The coefficient when written with so many places.
    pub(crate) fn units(self, places: u32) -> Option<i64> {
        self.with_scale(places).and_then(|scaled| i64::try_from(scaled.coefficient).ok())
    }

    pub(crate) fn of_units(units: i64, places: u32) -> Self {
        Self { coefficient: units.into(), scale: places, integer: places == 0 }
    }

    pub(crate) fn as_decimal(self) -> Self {
        Self { integer: false, ..self }
    }

    /// The same value with more places.
    fn with_scale(self, scale: u32) -> Option<Self> {
        let factor = 10_i128.checked_pow(scale.checked_sub(self.scale)?)?;
        Some(Self { coefficient: self.coefficient.checked_mul(factor)?, scale, ..self })
    }

    /// Without zeros at the end of its places.
    fn short(self) -> Self {
        let mut short = self;
        while short.scale > 0 && short.coefficient % 10 == 0 {
            short = Self { coefficient: short.coefficient / 10, scale: short.scale - 1, ..short };
        }
        short
    }
}

/// The exact sum of two numbers; none where it has more than 38 digits.
pub fn add(left: &Number, right: &Number) -> Option<Number> {
    Decimal::of(left).ok()?.add(Decimal::of(right).ok()?).ok().map(Decimal::to_number)
}

/// The exact difference of two numbers; none where it has more than 38 digits.
pub fn subtract(left: &Number, right: &Number) -> Option<Number> {
    Decimal::of(left).ok()?.subtract(Decimal::of(right).ok()?).ok().map(Decimal::to_number)
}

/// Both with the same number of places.
fn aligned(a: Decimal, b: Decimal) -> Result<(Decimal, Decimal), DecimalError> {
    let at = |scale: u32| Some((a.with_scale(scale)?, b.with_scale(scale)?));
    let (short_a, short_b) = (a.short(), b.short());
    let shorter = || {
        let scale = short_a.scale.max(short_b.scale);
        Some((short_a.with_scale(scale)?, short_b.with_scale(scale)?))
    };
    at(a.scale.max(b.scale)).or_else(shorter).ok_or(TooLong)
}

fn digits(number: u128) -> u32 {
    number.checked_ilog10().map_or(0, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Operation = fn(Decimal, Decimal) -> Result<Decimal, DecimalError>;

    fn decimal(text: &str) -> Decimal {
        Decimal::of(&Number::parse(text).unwrap()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn arithmetic_is_exact() {
        let add: Operation = Decimal::add;
        for (operation, left, right, expect) in [
            (add, "0.1", "0.2", "0.3"),
            (add, "1", "2", "3"),
            (add, "19.90", "0.10", "20.00"),
            (add, "1e2", "1", "101.0"),
            (add, "9223372036854775807", "1", "9223372036854775808"),
            (Decimal::subtract, "1", "0.9", "0.1"),
            (Decimal::subtract, "0.25", "1", "-0.75"),
            (Decimal::multiply, "19.5", "2", "39.0"),
            (Decimal::multiply, "19.99", "3", "59.97"),
            (Decimal::multiply, "-0.5", "0.5", "-0.25"),
            (Decimal::multiply, "1.000000000000000000000", "1.000000000000000000000", "1.0"),
            (Decimal::divide, "7", "2", "3"),
            (Decimal::divide, "-7", "2", "-3"),
            (Decimal::divide, "7.0", "2", "3.5"),
            (Decimal::divide, "1", "3.0", "0.3333333333333333333333333333"),
            (Decimal::divide, "2", "3.0", "0.6666666666666666666666666667"),
            (Decimal::divide, "39.90", "2", "19.95"),
            (Decimal::remainder, "7", "2", "1"),
            (Decimal::remainder, "7.5", "2", "1.5"),
        ] {
            let result =
                operation(decimal(left), decimal(right)).map(|result| result.to_number().to_string());
            assert_eq!(result.as_deref(), Ok(expect), "{left} and {right}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for text in [
            "1e99",
            "1e-99",
            "1e-9223372036854775808",
            "1e9223372036854775807",
            "123456789012345678901234567890123456789012345",
            "1e99999999999999999999",
        ] {
            assert_eq!(Decimal::of(&Number::parse(text).unwrap()), Err(TooLong), "{text}");
        }
        let large = decimal("99999999999999999999999999999999999999");
        assert_eq!(large.multiply(large), Err(TooLong));
        assert_eq!(decimal("1").divide(decimal("0")), Err(Zero));
        assert_eq!(decimal("1.0").divide(decimal("0.00")), Err(Zero));
        assert_eq!(decimal("1").remainder(decimal("0")), Err(Zero));
    }

    #[test]
    fn rounds_as_people_do() {
        for (text, places, expect) in [
            ("2.5", 0, "3"),
            ("-2.5", 0, "-3"),
            ("2.49", 0, "2"),
            ("1.005", 2, "1.01"),
            ("1", 2, "1.00"),
            ("39.900", 2, "39.90"),
        ] {
            assert_eq!(decimal(text).rounded(places).unwrap().to_number().to_string(), expect, "{text}");
        }
        for (text, floor, truncated) in
            [("2.7", "2", "2"), ("-2.1", "-3", "-2"), ("-2.0", "-2", "-2"), ("5", "5", "5")]
        {
            assert_eq!(decimal(text).floor().unwrap().to_number().to_string(), floor);
            assert_eq!(decimal(text).truncated().to_number().to_string(), truncated);
        }
    }
}
