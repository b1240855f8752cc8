//! What works on numbers.

use super::Helper;
use super::decimal::{DecimalFormat, Rounding};
use crate::wiremock::template::item::{Item, double};
use crate::wiremock::template::render::{Called, error};
use seam_value::{Number, Value};

/// So many digits are written at most.
const MOST_DIGITS: usize = 400;

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("math", math),
    ("isEven", |called| parity(&called, true)),
    ("isOdd", |called| parity(&called, false)),
    ("stripes", |called| {
        let Some(is_even) = is_even(&called.context) else { return Ok(Item::Nothing) };
        let (at, otherwise) = if is_even { (0, "even") } else { (1, "odd") };
        Ok(called.parameter(at).cloned().unwrap_or_else(|| Item::text(otherwise)))
    }),
    ("numberFormat", |called| {
        let (Item::Value(Value::Number(number)) | Item::Json(Value::Number(number))) = &called.context else {
            return Ok(called.parameter(0).map_or(Item::Nothing, |item| Item::text(item.print())));
        };
        Ok(Item::text(decimal_format(&called)?.write(number)))
    }),
];

/// None where it is no number.
fn is_even(item: &Item) -> Option<bool> {
    let (Item::Value(Value::Number(number)) | Item::Json(Value::Number(number))) = item else { return None };
    let text = plain(number);
    let whole = text.split('.').next().unwrap_or_default();
    Some(whole.bytes().last().is_some_and(|digit| digit % 2 == 0))
}

fn parity(called: &Called<'_, '_>, wants_even: bool) -> Result<Item, String> {
    let Some(is_even) = is_even(&called.context) else { return Ok(Item::Nothing) };
    let word =
        called.parameter(0).cloned().unwrap_or_else(|| Item::text(if wants_even { "even" } else { "odd" }));
    Ok(if is_even == wants_even { word } else { Item::text("") })
}

/// The form that is asked for, with what is said of it besides.
fn decimal_format(called: &Called<'_, '_>) -> Result<DecimalFormat, String> {
    let text = |index| called.parameter(index).map(Item::print).unwrap_or_default();
    let mut format = DecimalFormat::of(&text(0), &text(1));
    let digits = |name: &str| {
        let given = called.named(name).and_then(Item::as_integer);
        given.map(|n| usize::try_from(n).unwrap_or(0).min(MOST_DIGITS))
    };
    if called.named("groupingUsed") == Some(&Item::flag(false)) {
        format.group = None;
    }
    if let Some(n) = digits("maximumFractionDigits") {
        format.fraction.at_most(n);
    }
    if let Some(n) = digits("maximumIntegerDigits") {
        format.whole.at_most(n);
    }
    if let Some(n) = digits("minimumFractionDigits") {
        format.fraction.at_least(n);
    }
    if let Some(n) = digits("minimumIntegerDigits") {
        format.whole.at_least(n);
    }
    if let Some(name) = called.named_text("roundingMode") {
        format.rounding = Rounding::parse(&name)
            .ok_or_else(|| format!("No enum constant java.math.RoundingMode.{}", name.to_uppercase()))?;
    }
    Ok(format)
}

/// A decimal: digits and how many of them stand behind the point.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    fn of(item: &Item) -> Self {
        let text = item.as_number().map_or_else(|| "0".to_owned(), |number| plain(&number));
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let scale = u32::try_from(fraction.len()).unwrap_or(0).min(18);
        let digits = format!("{whole}{}", &fraction[..scale as usize]).parse().unwrap_or(0);
        Self { digits, scale }
    }

    fn at_scale(self, scale: u32) -> i128 {
        self.digits.saturating_mul(10_i128.saturating_pow(scale - self.scale))
    }

    fn to_item(self) -> Item {
        if self.scale == 0 {
            return i64::try_from(self.digits).map_or(Item::Nothing, Item::integer);
        }
        #[expect(clippy::cast_precision_loss, reason = "WireMock makes a double of it too")]
        let float = self.digits as f64 / 10_f64.powi(i32::try_from(self.scale).unwrap_or(0));
        Number::parse(&double(float)).map_or(Item::Nothing, |number| Item::Value(Value::Number(number)))
    }
}

/// Digits without an exponent.
fn plain(number: &Number) -> String {
    let text = number.to_string();
    if text.contains(['e', 'E']) { format!("{}", number.as_f64()) } else { text }
}

fn math(called: Called<'_, '_>) -> Result<Item, String> {
    let [operator, right] = called.rest.as_slice() else {
        return error("All maths functions require two operands and an operator as parameters e.g. 3 '+' 2");
    };
    let (left, right, operator) = (Decimal::of(&called.context), Decimal::of(right), operator.print());
    let scale = left.scale.max(right.scale);
    let (a, b) = (left.at_scale(scale), right.at_scale(scale));
    let result = match operator.as_str() {
        "+" => Decimal { digits: a.saturating_add(b), scale },
        "-" => Decimal { digits: a.saturating_sub(b), scale },
        "*" | "x" => {
            Decimal { digits: left.digits.saturating_mul(right.digits), scale: left.scale + right.scale }
        }
        "/" | "%" if b == 0 => return Err("Division by zero".to_owned()),
        // The quotient keeps the digits of the left side, rounded half up, as Java's does.
        "/" => {
            let top = left.digits.saturating_mul(10_i128.saturating_pow(right.scale));
            let quotient = top.checked_div(right.digits).unwrap_or(i128::MAX);
            let rest = top.checked_rem(right.digits).unwrap_or(0);
            let up = rest.saturating_mul(2).unsigned_abs() >= right.digits.unsigned_abs() && rest != 0;
            let sign = if (top < 0) == (right.digits < 0) { 1 } else { -1 };
            Decimal { digits: quotient.saturating_add(if up { sign } else { 0 }), scale: left.scale }
        }
        "%" => Decimal { digits: a.checked_rem(b).unwrap_or(0), scale },
        _ => return error(format!("{operator} is not a valid mathematical operator")),
    };
    Ok(result.to_item())
}
