//! From one kind of value to another: `string(5)`, `int('5')`, `type(x)`.

use super::{Arguments, Function};
use crate::decimal::Decimal;
use crate::expression::item::{Item, Problem};
use seam_model::{Field, Shape, Word};
use seam_value::{Number, Value};

const VALUE: &[Field] = &[Field::required("value", Shape::Any, "what is converted")];

pub(super) const STRING: Function = Function {
    word: Word {
        fields: VALUE,
        example: "${'order ' + string(17)}  # \"order 17\"",
        ..Word::new("string", "a value as a text")
    },
    run: |called| Ok(Item::from(called.item(0)?.clone().into_value().to_plain_text())),
};

pub(super) const INT: Function = Function {
    word: Word {
        fields: VALUE,
        text: "Places after the point are cut off; `round` rounds.",
        example: "${int('17')}  # 17\n${int(9.99)}  # 9",
        ..Word::new("int", "a number, or the number that a text says, without places after the point")
    },
    run: |called| Ok(Item::number(decimal(called)?.truncated().to_number())),
};

pub(super) const DOUBLE: Function = Function {
    word: Word {
        fields: VALUE,
        text: "In other CELs this is a float; here it is exact like every number.",
        example: "${double('19.90') * 2}  # 39.80\n${double(7) / 2}  # 3.5",
        ..Word::new("double", "a number, or the number that a text says, with places after the point")
    },
    run: |called| Ok(Item::number(decimal(called)?.as_decimal().to_number())),
};

pub(super) const BOOL: Function = Function {
    word: Word {
        fields: VALUE,
        example: "${bool('true')}  # true",
        ..Word::new("bool", "true or false from the text that says so")
    },
    run: |called| match called.item(0)? {
        item if item.as_bool().is_some() => Ok(item.clone()),
        item => match item.as_text() {
            Some("true") => Ok(true.into()),
            Some("false") => Ok(false.into()),
            _ => Err(called.wrong(0, "`true` or `false`")),
        },
    },
};

pub(super) const TYPE: Function = Function {
    word: Word {
        fields: VALUE,
        text: "One of `null boolean integer number string array object`, the words of the matcher `type`.",
        example: "${type(1.0)}  # \"number\"\n${type([])}  # \"array\"",
        ..Word::new("type", "the kind of a value, as a text")
    },
    run: |called| Ok(Item::from(called.item(0)?.clone().into_value().kind().name())),
};

/// The number that an argument is or says.
fn decimal(called: &Arguments<'_, '_>) -> Result<Decimal, Problem> {
    match called.item(0)?.as_value() {
        Some(Value::Number(number)) => Ok(Decimal::of(number)?),
        Some(Value::Text(text)) => {
            let number = Number::parse(text.trim())
                .ok_or_else(|| Problem::new(format!("`{text}` is no number")).of_argument(0))?;
            Ok(Decimal::of(&number)?)
        }
        _ => Err(called.wrong(0, "a number, or a text that says one")),
    }
}
