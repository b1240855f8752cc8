//! What works on numbers.

use super::Helper;
use crate::wiremock::template::item::{Item, double};
use crate::wiremock::template::render::{Called, error};
use seam_value::{Number, Value};

pub(super) const HELPERS: &[(&str, Helper)] = &[
    ("math", math),
    ("isEven", |called| parity(&called, true)),
    ("isOdd", |called| parity(&called, false)),
    ("stripes", |called| {
        let is_even = called.context.as_integer().is_some_and(|number| number % 2 == 0);
        Ok(called.parameter(usize::from(!is_even)).cloned().unwrap_or(Item::Nothing))
    }),
    ("numberFormat", |called| {
        let Item::Value(Value::Number(number)) = &called.context else { return Ok(Item::Nothing) };
        let form = called.parameter(0).map(Item::print).unwrap_or_default();
        Ok(Item::text(format_number(number.as_f64(), &form)))
    }),
];

fn parity(called: &Called<'_, '_>, wants_even: bool) -> Result<Item, String> {
    let is_even = called.context.as_integer().is_some_and(|number| number % 2 == 0);
    let word =
        called.parameter(0).cloned().unwrap_or_else(|| Item::text(if wants_even { "even" } else { "odd" }));
    Ok(if is_even == wants_even { word } else { Item::text("") })
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

/// `integer`, `percent`, `currency`, or a pattern such as `#,##0.00`.
fn format_number(number: f64, form: &str) -> String {
    match form {
        "" => grouped(number, 0, 3, true),
        "integer" => grouped(number, 0, 0, true),
        "percent" => grouped(number * 100.0, 0, 0, true) + "%",
        "currency" => format!("\u{a4}{}", grouped(number, 2, 2, true)),
        pattern => {
            let digits = pattern.trim_start_matches(|c| !matches!(c, '#' | '0' | ',' | '.'));
            let before = &pattern[..pattern.len() - digits.len()];
            let end = digits.rfind(['#', '0']).map_or(0, |at| at + 1);
            let (digits, after) = digits.split_at(end);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let least = fraction.matches('0').count();
            let text = grouped(number, least, fraction.len(), whole.contains(','));
            let n_whole = text.trim_start_matches('-').find('.').unwrap_or(text.len());
            let missing = whole.matches('0').count().saturating_sub(n_whole);
            format!("{before}{}{text}{after}", "0".repeat(missing))
        }
    }
}

/// With at least and at most so many digits behind the point, thousands apart.
fn grouped(number: f64, least: usize, most: usize, groups: bool) -> String {
    let text = format!("{:.*}", most.min(20), number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut fraction = fraction.to_owned();
    while fraction.len() > least && fraction.ends_with('0') {
        fraction.pop();
    }
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if groups && index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    let sign = if number < 0.0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{out}") } else { format!("{sign}{out}.{fraction}") }
}
