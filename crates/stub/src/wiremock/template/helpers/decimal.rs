//! Numbers as Java's `DecimalFormat` writes them: patterns, rounding, and what is usual in which country.

use seam_value::Number;

/// How one country writes numbers: its name, the point, what stands between thousands, around an amount (with the
/// digits behind its point), and around a percentage.
type Usage = (
    &'static str,
    &'static str,
    &'static str,
    (&'static str, &'static str, usize),
    (&'static str, &'static str),
);

/// Where no country is named, an amount has no currency.
const PLAIN: Usage = ("en", ".", ",", ("\u{a4}", "", 2), ("", "%"));

/// As the Java of WireMock's own image has it.
const USAGES: &[Usage] = &[
    ("en_US", ".", ",", ("$", "", 2), ("", "%")),
    ("en_GB", ".", ",", ("£", "", 2), ("", "%")),
    ("en_CA", ".", ",", ("$", "", 2), ("", "%")),
    ("en_AU", ".", ",", ("$", "", 2), ("", "%")),
    ("en_IE", ".", ",", ("€", "", 2), ("", "%")),
    ("en_NZ", ".", ",", ("$", "", 2), ("", "%")),
    ("en_IN", ".", ",", ("₹", "", 2), ("", "%")),
    ("de", ",", ".", ("", "\u{a0}\u{a4}", 2), ("", "\u{a0}%")),
    ("de_DE", ",", ".", ("", "\u{a0}€", 2), ("", "\u{a0}%")),
    ("de_CH", ".", "\u{2019}", ("CHF\u{a0}", "", 2), ("", "%")),
    ("fr", ",", "\u{202f}", ("", "\u{a0}\u{a4}", 2), ("", "\u{a0}%")),
    ("fr_FR", ",", "\u{202f}", ("", "\u{a0}€", 2), ("", "\u{a0}%")),
    ("fr_CA", ",", "\u{a0}", ("", "\u{a0}$\u{a0}CA", 2), ("", "\u{a0}%")),
    ("fr_BE", ",", "\u{202f}", ("", "\u{a0}€", 2), ("", "\u{a0}%")),
    ("es", ",", ".", ("", "\u{a0}\u{a4}", 2), ("", "\u{a0}%")),
    ("es_ES", ",", ".", ("", "\u{a0}€", 2), ("", "\u{a0}%")),
    ("es_MX", ".", ",", ("$", "", 2), ("", "\u{a0}%")),
    ("it", ",", ".", ("", "\u{a0}\u{a4}", 2), ("", "%")),
    ("it_IT", ",", ".", ("", "\u{a0}€", 2), ("", "%")),
    ("nl", ",", ".", ("\u{a4}\u{a0}", "", 2), ("", "%")),
    ("nl_NL", ",", ".", ("€\u{a0}", "", 2), ("", "%")),
    ("nl_BE", ",", ".", ("€\u{a0}", "", 2), ("", "%")),
    ("pt_BR", ",", ".", ("R$\u{a0}", "", 2), ("", "%")),
    ("pt_PT", ",", "\u{a0}", ("", "\u{a0}€", 2), ("", "%")),
    ("pl_PL", ",", "\u{a0}", ("", "\u{a0}zł", 2), ("", "%")),
    ("da_DK", ",", ".", ("", "\u{a0}kr.", 2), ("", "\u{a0}%")),
    ("cs_CZ", ",", "\u{a0}", ("", "\u{a0}Kč", 2), ("", "\u{a0}%")),
    ("hu_HU", ",", "\u{a0}", ("", "\u{a0}Ft", 2), ("", "%")),
    ("ro_RO", ",", ".", ("", "\u{a0}RON", 2), ("", "\u{a0}%")),
    ("ru_RU", ",", "\u{a0}", ("", "\u{a0}₽", 2), ("", "\u{a0}%")),
    ("uk_UA", ",", "\u{a0}", ("", "\u{a0}₴", 2), ("", "%")),
    ("tr_TR", ",", ".", ("₺", "", 2), ("%", "")),
    ("ja_JP", ".", ",", ("￥", "", 0), ("", "%")),
    ("zh_CN", ".", ",", ("¥", "", 2), ("", "%")),
    ("zh_TW", ".", ",", ("$", "", 2), ("", "%")),
    ("ko_KR", ".", ",", ("₩", "", 0), ("", "%")),
];

/// How a number is to be written.
#[derive(Clone, Debug)]
pub(super) struct DecimalFormat {
    usage: &'static Usage,
    around: (String, String),
    /// Around a negative number, where a pattern says so.
    around_negative: Option<(String, String)>,
    /// By how many powers of ten the number is moved: two for a percentage.
    shift: usize,
    /// So many digits stand together; none where all do.
    pub(super) group: Option<usize>,
    pub(super) whole: Bounds,
    pub(super) fraction: Bounds,
    pub(super) rounding: Rounding,
}

/// At least and at most so many digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    least: usize,
    most: usize,
}

impl Bounds {
    pub(super) fn at_least(&mut self, n: usize) {
        *self = Self { least: n, most: self.most.max(n) };
    }

    pub(super) fn at_most(&mut self, n: usize) {
        *self = Self { least: self.least.min(n), most: n };
    }
}

/// What happens to the digits that are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    Up,
    Down,
    Ceiling,
    Floor,
    HalfUp,
    HalfDown,
    HalfEven,
}

impl Rounding {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name.trim().to_uppercase().as_str() {
            "UP" => Self::Up,
            "DOWN" => Self::Down,
            "CEILING" => Self::Ceiling,
            "FLOOR" => Self::Floor,
            "HALF_UP" => Self::HalfUp,
            "HALF_DOWN" => Self::HalfDown,
            "HALF_EVEN" => Self::HalfEven,
            _ => return None,
        })
    }
}

impl DecimalFormat {
    /// `integer`, `percent`, `currency`, or a pattern such as `#,##0.00`; nothing is the usual form.
    pub(super) fn of(form: &str, locale: &str) -> Self {
        let usage = usage(locale);
        let plain = Self {
            usage,
            around: (String::new(), String::new()),
            around_negative: None,
            shift: 0,
            group: Some(3),
            whole: Bounds { least: 1, most: usize::MAX },
            fraction: Bounds { least: 0, most: 3 },
            rounding: Rounding::HalfEven,
        };
        let owned = |before: &str, after: &str| (before.to_owned(), after.to_owned());
        match form.trim().to_lowercase().as_str() {
            "" => plain,
            "integer" => Self { fraction: Bounds { least: 0, most: 0 }, ..plain },
            "percent" => {
                let around = owned(usage.4.0, usage.4.1);
                Self { around, shift: 2, fraction: Bounds { least: 0, most: 0 }, ..plain }
            }
            "currency" => {
                let (before, after, digits) = usage.3;
                Self {
                    around: owned(before, after),
                    fraction: Bounds { least: digits, most: digits },
                    ..plain
                }
            }
            _ => Self::pattern(form, plain),
        }
    }

    fn pattern(form: &str, plain: Self) -> Self {
        let (positive, negative) =
            form.split_once(';').map_or((form, None), |(one, other)| (one, Some(other)));
        let (before, digits, after) = apart(positive);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let n = |text: &str, wanted: char| text.chars().filter(|letter| *letter == wanted).count();
        let mut least = n(whole, '0');
        if least == 0 && digits.contains('.') && !whole.is_empty() && n(fraction, '0') == 0 {
            // `#.##` has a nought before its point.
            least = 1;
        }
        let shift = match positive {
            _ if before.contains('%') || after.contains('%') => 2,
            _ if before.contains('\u{2030}') || after.contains('\u{2030}') => 3,
            _ => 0,
        };
        let symbol = |text: &str| {
            let (before, after, _) = plain.usage.3;
            let currency = if before.is_empty() { after.trim_start_matches('\u{a0}') } else { before };
            unquoted(text).replace('\u{a4}', currency.trim_end_matches('\u{a0}'))
        };
        let (n_least, n_most) = (n(fraction, '0'), n(fraction, '0') + n(fraction, '#'));
        Self {
            around: (symbol(before), symbol(after)),
            around_negative: negative.map(apart).map(|(before, _, after)| (symbol(before), symbol(after))),
            shift,
            group: whole.rsplit_once(',').map(|(_, last)| last.len()).filter(|n| *n > 0),
            whole: Bounds { least, ..plain.whole },
            fraction: Bounds { least: n_least, most: n_most },
            ..plain
        }
    }

    /// Writes a number.
    pub(super) fn write(&self, number: &Number) -> String {
        let text = digits_of(number);
        let is_negative = text.starts_with('-');
        let (whole, fraction) = moved(text.trim_start_matches('-'), self.shift);
        let exact = || moved(&exactly(number), self.shift).1;
        let (mut whole, mut fraction) =
            if fraction.len() > self.fraction.most && self.goes_up(is_negative, &whole, &fraction, &exact) {
                one_more(&whole, &fraction[..self.fraction.most])
            } else {
                let end = fraction.len().min(self.fraction.most);
                (whole, fraction[..end].to_owned())
            };
        while fraction.len() > self.fraction.least && fraction.ends_with('0') {
            fraction.pop();
        }
        fraction.extend(std::iter::repeat_n('0', self.fraction.least.saturating_sub(fraction.len())));
        whole = whole.trim_start_matches('0').to_owned();
        if whole.len() > self.whole.most {
            whole = whole[whole.len() - self.whole.most..].to_owned();
        }
        let missing = self.whole.least.saturating_sub(whole.len());
        let mut whole = "0".repeat(missing) + &whole;
        if whole.is_empty() && fraction.is_empty() {
            "0".clone_into(&mut whole);
        }
        let mut out = self.grouped(&whole);
        if !fraction.is_empty() {
            out = format!("{out}{}{fraction}", self.usage.1);
        }
        match (&self.around_negative, is_negative) {
            (Some((before, after)), true) => format!("{before}{out}{after}"),
            // The sign of the Netherlands stands behind the currency.
            (None, true) if self.usage.0.starts_with("nl") => {
                format!("{}-{out}{}", self.around.0, self.around.1)
            }
            (None, true) => format!("-{}{out}{}", self.around.0, self.around.1),
            (_, false) => format!("{}{out}{}", self.around.0, self.around.1),
        }
    }

    /// Is the last digit that stays one more than it was?
    fn goes_up(&self, is_negative: bool, whole: &str, fraction: &str, exact: &dyn Fn() -> String) -> bool {
        let (kept, cut) = fraction.split_at(self.fraction.most);
        let is_something = cut.bytes().any(|digit| digit != b'0');
        let above_half = || {
            let is_tie = cut.starts_with('5') && cut[1..].bytes().all(|digit| digit == b'0');
            if !is_tie {
                return cut.as_bytes()[0].cmp(&b'5').then(std::cmp::Ordering::Greater);
            }
            // A double that is written as a half may be a little more or less.
            let exact = exact();
            let rest = exact.get(kept.len()..).unwrap_or_default();
            let half = format!("{:0<width$}", "5", width = rest.len().max(1));
            rest.cmp(half.as_str())
        };
        match self.rounding {
            Rounding::Up => is_something,
            Rounding::Down => false,
            Rounding::Ceiling => is_something && !is_negative,
            Rounding::Floor => is_something && is_negative,
            Rounding::HalfUp => above_half().is_ge(),
            Rounding::HalfDown => above_half().is_gt(),
            Rounding::HalfEven => {
                let last = kept.bytes().last().or(whole.bytes().last()).unwrap_or(b'0');
                let order = above_half();
                order.is_gt() || order.is_eq() && (last - b'0') % 2 == 1
            }
        }
    }

    fn grouped(&self, whole: &str) -> String {
        let Some(size) = self.group else { return whole.to_owned() };
        let mut out = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(size) {
                out.push_str(self.usage.2);
            }
            out.push(digit);
        }
        out
    }
}

/// What stands around the digits of a pattern, and these.
fn apart(pattern: &str) -> (&str, &str, &str) {
    let is_digit = |letter: char| matches!(letter, '#' | '0' | ',' | '.');
    let from = pattern.find(is_digit).unwrap_or(pattern.len());
    let length = pattern[from..].find(|letter| !is_digit(letter)).unwrap_or(pattern.len() - from);
    (&pattern[..from], &pattern[from..from + length], &pattern[from + length..])
}

fn unquoted(text: &str) -> String {
    text.replace("''", "\u{0}").replace('\'', "").replace('\u{0}', "'")
}

fn usage(locale: &str) -> &'static Usage {
    let found = |name: &str| USAGES.iter().find(|usage| usage.0 == name);
    let language = locale.split('_').next().unwrap_or_default();
    found(locale).or_else(|| found(language)).unwrap_or(&PLAIN)
}

/// The digits of a number without an exponent, as short as they may be.
fn digits_of(number: &Number) -> String {
    if number.is_written_as_integer() { number.to_string() } else { number.as_f64().to_string() }
}

/// All digits that a double has.
fn exactly(number: &Number) -> String {
    if number.is_written_as_integer() { number.to_string() } else { format!("{:.400}", number.as_f64()) }
        .trim_start_matches('-')
        .to_owned()
}

/// The digits before and behind the point, which is moved to the right.
fn moved(text: &str, shift: usize) -> (String, String) {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = format!("{fraction:0<shift$}");
    let (more, fraction) = fraction.split_at(shift);
    (format!("{whole}{more}"), fraction.to_owned())
}

/// The number whose last digit is one more.
fn one_more(whole: &str, fraction: &str) -> (String, String) {
    let mut digits: Vec<u8> = format!("0{whole}{fraction}").into_bytes();
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            break;
        }
        *digit = b'0';
    }
    let text: String = digits.into_iter().map(char::from).collect();
    let (whole, fraction) = text.split_at(text.len() - fraction.len());
    (whole.to_owned(), fraction.to_owned())
}
