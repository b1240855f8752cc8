//! Lists, and what may not be there: `sum min max sort distinct keys join orValue hasValue`.

use super::{Arguments, Function};
use crate::decimal::Decimal;
use crate::expression::budget::fits;
use crate::expression::item;
use crate::expression::item::{Item, Problem};
use crate::lookup::Lookup;
use seam_model::{Field, Shape, Word};
use seam_value::Value;
use std::cmp::Ordering;

const LIST: Field = Field::required("list", Shape::List(&Shape::Any), "the list");

pub(super) const JOIN: Function = Function {
    word: Word {
        fields: &[LIST, Field::optional("by", Shape::Text, "what stands between the elements; else nothing")],
        example: "${['a', 'b'].join(', ')}  # \"a, b\"",
        ..Word::new("join", "the elements of a list as one text")
    },
    run: |called| {
        let by = if called.has(1) { called.text(1)? } else { "" };
        let texts: Vec<String> = called.list(0)?.iter().map(Value::to_plain_text).collect();
        let between = by.len().checked_mul(texts.len());
        let lengths = texts.iter().map(String::len);
        fits(between.and_then(|between| lengths.clone().try_fold(between, usize::checked_add)))?;
        Ok(Item::from(texts.join(by)))
    },
};

pub(super) const SUM: Function = Function {
    word: Word {
        fields: &[LIST],
        example: "${[19.90, 0.10].sum()}  # 20.00\n${[].sum()}  # 0",
        ..Word::new("sum", "the sum of a list of numbers")
    },
    run: |called| {
        let mut sum = Decimal::of_units(0, 0);
        for value in called.list(0)? {
            let Value::Number(number) = value else {
                return Err(element(called, value, "a list of numbers"));
            };
            sum = sum.add(Decimal::of(number)?)?;
        }
        Ok(Item::number(sum.to_number()))
    },
};

pub(super) const MIN: Function = Function {
    word: Word {
        fields: &[LIST],
        example: "${[3, 1.5, 2].min()}  # 1.5",
        ..Word::new("min", "the least element of a list")
    },
    run: |called| extreme(called, Ordering::Less),
};

pub(super) const MAX: Function = Function {
    word: Word {
        fields: &[LIST],
        example: "${['a', 'c', 'b'].max()}  # \"c\"",
        ..Word::new("max", "the greatest element of a list")
    },
    run: |called| extreme(called, Ordering::Greater),
};

pub(super) const SORT: Function = Function {
    word: Word {
        fields: &[LIST],
        example: "${[3, 1, 2].sort()}  # [1,2,3]",
        ..Word::new("sort", "a list of numbers or texts in ascending order")
    },
    run: |called| {
        let mut list = called.list(0)?.to_vec();
        if let Some(odd) = list.iter().find(|value| order(value, &list[0]).is_none()) {
            return Err(element(called, odd, "numbers, or texts, but not both"));
        }
        list.sort_by(|left, right| order(left, right).unwrap_or(Ordering::Equal));
        Ok(Item::from(Value::List(list)))
    },
};

pub(super) const DISTINCT: Function = Function {
    word: Word {
        fields: &[LIST],
        example: "${[1, 2, 1.0].distinct()}  # [1,2]",
        ..Word::new("distinct", "a list with each element once")
    },
    run: |called| {
        let (mut seen, mut kept) = (Lookup::new(), Vec::new());
        for (index, value) in called.list(0)?.iter().enumerate() {
            if seen.find(value).is_none() {
                seen.add(index, value);
                kept.push(value.clone());
            }
        }
        Ok(Item::from(Value::List(kept)))
    },
};

pub(super) const KEYS: Function = Function {
    word: Word {
        fields: &[Field::required("map", Shape::MapOf(&Shape::Any), "the map")],
        example: "${{'a': 1, 'b': 2}.keys()}  # [\"a\",\"b\"]",
        ..Word::new("keys", "the keys of a map, as a list")
    },
    run: |called| match called.item(0)?.as_value() {
        Some(Value::Map(map)) => Ok(Item::from(map.keys().map(String::as_str).collect::<Vec<_>>())),
        _ => Err(called.wrong(0, "a map")),
    },
};

pub(super) const OR_VALUE: Function = Function {
    word: Word {
        text: "Behind a path with `.?`: `order.?note.orValue('')`.",
        fields: &[
            Field::required("optional", Shape::Any, "what may not be there"),
            Field::required("otherwise", Shape::Any, "what it is then"),
        ],
        example: "${{'a': 1}.?b.orValue(0)}  # 0",
        ..Word::new("orValue", "a value that may not be there, or another one")
    },
    run: |called| match called.item(0)? {
        Item::Maybe(Some(inner)) => Ok((**inner).clone()),
        Item::Maybe(None) => called.item(1).cloned(),
        item => Ok(item.clone()),
    },
};

pub(super) const HAS_VALUE: Function = Function {
    word: Word {
        fields: &[Field::required("optional", Shape::Any, "what may not be there")],
        example: "${{'a': 1}.?b.hasValue()}  # false",
        ..Word::new("hasValue", "is a value there that may not be?")
    },
    run: |called| Ok((!matches!(called.item(0)?, Item::Maybe(None))).into()),
};

fn element(called: &Arguments<'_, '_>, value: &Value, expected: &str) -> Problem {
    let name = called.function.word.name;
    Problem::new(format!("`{name}` takes {expected}, one element is {}", item::kind_name(value)))
        .of_argument(0)
}

fn extreme<'a>(called: &Arguments<'_, 'a>, wanted: Ordering) -> Result<Item<'a>, Problem> {
    let list = called.list(0)?;
    let Some(mut best) = list.first() else { return Err(Problem::new("the list is empty").of_argument(0)) };
    for value in list {
        match order(value, best) {
            Some(order) if order == wanted => best = value,
            Some(_) => {}
            None => return Err(element(called, value, "numbers, or texts, but not both")),
        }
    }
    Ok(Item::from(best.clone()))
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
