//! Random values: `uuid()`, `random(1, 6)`, `pick(['a', 'b'])`. All come from the run's seed.

use super::{Arguments, Function};
use crate::decimal::Decimal;
use crate::expression::item::{Item, Problem};
use seam_model::{Field, Shape, Word};

pub(super) const UUID: Function = Function {
    word: Word {
        text: "A version 4 identifier. Like everything random it comes from the run's seed.",
        example: "${uuid()}",
        ..Word::new("uuid", "a random identifier")
    },
    run: |called| {
        let id = uuid::Builder::from_random_bytes(called.names.chance().bytes()).into_uuid();
        Ok(Item::from(id.to_string()))
    },
};

pub(super) const RANDOM: Function = Function {
    word: Word {
        text: "A number between two others, both included. Where one of them has places after the point, so has \
               the result: `random(1.00, 2.00)` may be `1.37`.",
        fields: &[
            Field::required("low", Shape::Number, "the least that may come"),
            Field::required("high", Shape::Number, "the most that may come"),
        ],
        example: "${random(1, 6)}\n${random(0.50, 9.99)}",
        ..Word::new("random", "a random number between two others")
    },
    run: random,
};

pub(super) const PICK: Function = Function {
    word: Word {
        fields: &[Field::required("list", Shape::List(&Shape::Any), "what to choose from")],
        example: "${pick(['red', 'green', 'blue'])}",
        ..Word::new("pick", "one element of a list, at random")
    },
    run: |called| {
        let picked = called.names.chance().pick(called.list(0)?);
        picked
            .map(|value| Item::from(value.clone()))
            .ok_or_else(|| Problem::new("the list is empty, so there is nothing to pick").of_argument(0))
    },
};

fn random<'a>(called: &Arguments<'_, 'a>) -> Result<Item<'a>, Problem> {
    let (low, high) = (Decimal::of(called.number(0)?)?, Decimal::of(called.number(1)?)?);
    let places = low.places().max(high.places());
    let too_large = || Problem::new("the numbers are too large to choose between");
    let (low, high) = (low.units(places).ok_or_else(too_large)?, high.units(places).ok_or_else(too_large)?);
    if low > high {
        return Err(
            Problem::new("the first number is greater than the second").hint("write `random(low, high)`")
        );
    }
    let drawn = called.names.chance().between(low, high);
    Ok(Item::number(Decimal::of_units(drawn, places).to_number()))
}
