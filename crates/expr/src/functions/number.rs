//! Rounding and sizes of numbers, exactly.

use super::Function;
use crate::decimal::Decimal;
use crate::expression::item::{Item, Problem};
use seam_model::{Field, Shape, Word};

const NUMBER: Field = Field::required("number", Shape::Number, "the number");

pub(super) const ROUND: Function = Function {
    word: Word {
        text: "Halves go away from zero, as on an invoice.",
        fields: &[
            NUMBER,
            Field::optional("places", Shape::Integer, "how many places after the point stay; else none"),
        ],
        example: "${round(2.5)}  # 3\n${round(19.995, 2)}  # 20.00",
        ..Word::new("round", "a number rounded")
    },
    run: |called| {
        let places = if called.has(1) { called.integer(1)? } else { 0 };
        let places = u32::try_from(places).ok().filter(|places| *places <= 30);
        let places = places.ok_or_else(|| Problem::new("there are 0 to 30 places").of_argument(1))?;
        Ok(Item::number(Decimal::of(called.number(0)?)?.rounded(places)?.to_number()))
    },
};

pub(super) const FLOOR: Function = Function {
    word: Word {
        fields: &[NUMBER],
        example: "${floor(2.9)}  # 2\n${floor(-2.1)}  # -3",
        ..Word::new("floor", "the greatest whole number that is not greater")
    },
    run: |called| Ok(Item::number(Decimal::of(called.number(0)?)?.floor()?.to_number())),
};

pub(super) const CEIL: Function = Function {
    word: Word {
        fields: &[NUMBER],
        example: "${ceil(2.1)}  # 3",
        ..Word::new("ceil", "the least whole number that is not less")
    },
    run: |called| Ok(Item::number(Decimal::of(called.number(0)?)?.negate()?.floor()?.negate()?.to_number())),
};

pub(super) const ABS: Function = Function {
    word: Word {
        fields: &[NUMBER],
        example: "${abs(-1.5)}  # 1.5",
        ..Word::new("abs", "a number without its sign")
    },
    run: |called| {
        let number = Decimal::of(called.number(0)?)?;
        Ok(Item::number(if number.is_negative() { number.negate()? } else { number }.to_number()))
    },
};
