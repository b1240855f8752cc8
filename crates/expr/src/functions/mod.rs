//! The functions that expressions may call: one line in [`FUNCTIONS`] each, with the words that document it.
//!
//! `x.f(y)` and `f(x, y)` are the same, as in CEL. A function gets its arguments worked out, and asks for chance, the
//! clock and files through [`Names`], so that the same seed gives the same values again.

mod chance;
mod convert;
mod encode;
mod fake;
mod list;
mod number;
mod outside;
mod text;
mod time;

use crate::expression::item::{Item, Problem};
use crate::names::Names;
use seam_model::{FieldNeed, Word};
use seam_value::{Number, Value};

/// One function.
#[derive(Debug)]
pub struct Function {
    /// Its documentation; the fields are its arguments, in order.
    pub word: Word,
    /// What it does.
    pub(crate) run: for<'c, 'a> fn(&Arguments<'c, 'a>) -> Result<Item<'a>, Problem>,
}

/// Every function that an expression may call.
pub static FUNCTIONS: &[Function] = &[
    chance::UUID,
    chance::RANDOM,
    chance::PICK,
    time::NOW,
    time::TODAY,
    time::TIMESTAMP,
    time::DURATION,
    time::SECONDS,
    time::FORMAT,
    encode::BASE64,
    encode::SHA256,
    encode::HMAC,
    encode::JWT,
    encode::URL,
    encode::JSON,
    outside::FILE,
    outside::ENV,
    convert::STRING,
    convert::INT,
    convert::DOUBLE,
    convert::BOOL,
    convert::TYPE,
    text::SIZE,
    text::CONTAINS,
    text::STARTS_WITH,
    text::ENDS_WITH,
    text::MATCHES,
    text::LOWER,
    text::UPPER,
    text::TRIM,
    text::REPLACE,
    text::SPLIT,
    text::SUBSTRING,
    text::INDEX_OF,
    list::JOIN,
    list::SUM,
    list::MIN,
    list::MAX,
    list::SORT,
    list::DISTINCT,
    list::KEYS,
    list::OR_VALUE,
    list::HAS_VALUE,
    number::ROUND,
    number::FLOOR,
    number::CEIL,
    number::ABS,
    fake::NAME,
    fake::FIRST_NAME,
    fake::LAST_NAME,
    fake::EMAIL,
    fake::USERNAME,
    fake::PASSWORD,
    fake::PHONE,
    fake::STREET,
    fake::CITY,
    fake::ZIP,
    fake::COUNTRY,
    fake::COUNTRY_CODE,
    fake::COMPANY,
    fake::JOB,
    fake::PRODUCT,
    fake::PRICE,
    fake::CURRENCY,
    fake::COLOR,
    fake::WORD,
    fake::WORDS,
    fake::SENTENCE,
    fake::PARAGRAPH,
    fake::IBAN,
    fake::CARD,
    fake::ISBN,
    fake::DOMAIN,
    fake::URL,
    fake::IPV4,
    fake::DATE,
];

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.word.name == name)
}

/// All their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.word.name)
}

impl Function {
    /// Can it be called with so many arguments?
    pub(crate) fn takes(&self, n: usize) -> bool {
        (self.n_required()..=self.word.fields.len()).contains(&n)
    }

    fn n_required(&self) -> usize {
        self.word.fields.iter().filter(|field| field.need == FieldNeed::Required).count()
    }

    /// How many arguments it takes, in words.
    pub(crate) fn arity(&self) -> String {
        match (self.n_required(), self.word.fields.len()) {
            (_, 0) => "no argument".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        }
    }

    /// How it is called: `jwt(claims, key, header)`, those in brackets may be left out.
    pub fn signature(&self) -> String {
        let arguments = self.word.fields.iter().map(|field| match field.need {
            FieldNeed::Required => field.name.to_owned(),
            FieldNeed::Optional => format!("[{}]", field.name),
        });
        format!("{}({})", self.word.name, arguments.collect::<Vec<_>>().join(", "))
    }
}

/// What a function is called with.
pub(crate) struct Arguments<'c, 'a> {
    pub(crate) function: &'static Function,
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) names: &'c dyn Names,
}

impl<'a> Arguments<'_, 'a> {
    /// Was this argument given?
    fn has(&self, index: usize) -> bool {
        index < self.items.len()
    }

    /// An argument as it is; only for one that must be there.
    fn item(&self, index: usize) -> Result<&Item<'a>, Problem> {
        self.items.get(index).ok_or_else(|| Problem::new(format!("write `{}`", self.function.signature())))
    }

    fn wrong(&self, index: usize, expected: &str) -> Problem {
        let name = self.function.word.name;
        let kind = self.items.get(index).map_or("nothing", Item::kind_name);
        Problem::new(format!("`{name}` takes {expected} here, this is {kind}")).of_argument(index)
    }

    fn text(&self, index: usize) -> Result<&str, Problem> {
        self.item(index)?.as_text().ok_or_else(|| self.wrong(index, "a text"))
    }

    /// A text, or a number or boolean as it would stand in a text.
    fn plain_text(&self, index: usize) -> Result<String, Problem> {
        match self.item(index)? {
            Item::Plain(value) if matches!(**value, Value::Null | Value::List(_) | Value::Map(_)) => {
                Err(self.wrong(index, "a text"))
            }
            item => Ok(item.clone().into_value().to_plain_text()),
        }
    }

    fn list(&self, index: usize) -> Result<&[Value], Problem> {
        self.item(index)?.as_value().and_then(Value::as_list).ok_or_else(|| self.wrong(index, "a list"))
    }

    fn number(&self, index: usize) -> Result<&Number, Problem> {
        match self.item(index)?.as_value() {
            Some(Value::Number(number)) => Ok(number),
            _ => Err(self.wrong(index, "a number")),
        }
    }

    fn integer(&self, index: usize) -> Result<i64, Problem> {
        self.number(index)?.as_i64().ok_or_else(|| self.wrong(index, "a whole number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answers, evaluate};

    #[test]
    fn every_function_is_documented_and_its_example_runs() {
        let answers = Answers::default();
        for function in FUNCTIONS {
            let word = &function.word;
            assert!(!word.line.is_empty() && !word.line.ends_with('.'), "{}", word.name);
            assert!(!word.example.is_empty(), "{} has no example", word.name);
            for line in word.example.lines() {
                let (expression, expect) = line.split_once("  # ").unwrap_or((line, ""));
                let inner = expression.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
                let inner = inner.unwrap_or_else(|| panic!("{}: {line}", word.name)).trim();
                let value = evaluate(inner, &answers).unwrap_or_else(|error| panic!("{line}: {error}"));
                if !expect.is_empty() {
                    assert_eq!(value.to_string(), expect, "{line}");
                }
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let all: std::collections::BTreeSet<_> = names().collect();
        assert_eq!(all.len(), FUNCTIONS.len());
    }
}
