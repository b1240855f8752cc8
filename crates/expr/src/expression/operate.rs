//! What the operators do. Numbers are exact, times compare as instants, and what a tester can't have meant (a text
//! against a number) is an error instead of a quiet `false`.

use crate::decimal::{Decimal, DecimalError};
use crate::expression::budget::fits;
use crate::expression::item::{Item, Problem, instant, length};
use crate::expression::tree::Operator;
use seam_value::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Does one operator on two values.
pub(crate) fn operate<'a>(operator: Operator, left: Item<'a>, right: Item<'a>) -> Result<Item<'a>, Problem> {
    match operator {
        Operator::Add => add(left, right),
        Operator::Subtract => subtract(&left, &right),
        Operator::Multiply | Operator::Divide | Operator::Remainder => multiply(operator, &left, &right),
        Operator::Equal => equal(&left, &right).map(Item::from),
        Operator::NotEqual => equal(&left, &right).map(|same| Item::from(!same)),
        Operator::Less => compare(operator, &left, &right).map(|order| order.is_lt().into()),
        Operator::LessEqual => compare(operator, &left, &right).map(|order| order.is_le().into()),
        Operator::Greater => compare(operator, &left, &right).map(|order| order.is_gt().into()),
        Operator::GreaterEqual => compare(operator, &left, &right).map(|order| order.is_ge().into()),
        Operator::In => is_in(&left, &right).map(Item::from),
    }
}

/// `-x`
pub(crate) fn negate<'a>(of: &Item<'_>) -> Result<Item<'a>, Problem> {
    match of {
        Item::Length(length) => Ok(Item::Length(-*length)),
        Item::Plain(value) => match &**value {
            Value::Number(number) => Decimal::of(number)
                .and_then(Decimal::negate)
                .map(|number| Item::number(number.to_number()))
                .map_err(Problem::from),
            _ => Err(Problem::new(format!("`-` takes a number, this is {}", of.kind_name()))),
        },
        _ => Err(Problem::new(format!("`-` takes a number, this is {}", of.kind_name()))),
    }
}

impl From<DecimalError> for Problem {
    fn from(error: DecimalError) -> Self {
        Self::new(error.to_string())
    }
}

fn numbers(left: &Item<'_>, right: &Item<'_>) -> Option<Result<(Decimal, Decimal), DecimalError>> {
    match (left.as_value()?, right.as_value()?) {
        (Value::Number(left), Value::Number(right)) => {
            Some(Decimal::of(left).and_then(|left| Ok((left, Decimal::of(right)?))))
        }
        _ => None,
    }
}

fn exact<'a>(
    both: Result<(Decimal, Decimal), DecimalError>,
    operation: fn(Decimal, Decimal) -> Result<Decimal, DecimalError>,
) -> Result<Item<'a>, Problem> {
    let (left, right) = both?;
    Ok(Item::number(operation(left, right)?.to_number()))
}

/// How two things that don't go together are told.
fn unfit(operator: Operator, left: &Item<'_>, right: &Item<'_>) -> Problem {
    let symbol = operator.symbol();
    let problem =
        Problem::new(format!("`{symbol}` can't take {} and {}", left.kind_name(), right.kind_name()));
    match (left.as_value(), right.as_value()) {
        (Some(Value::Text(_)), Some(Value::Number(_) | Value::Bool(_))) if operator == Operator::Add => {
            problem.hint("to join texts, write `string(…)` around the other one")
        }
        (Some(Value::Number(_)), Some(Value::Text(_))) | (Some(Value::Text(_)), Some(Value::Number(_))) => {
            problem.hint("write `int(…)`, `double(…)` or `string(…)` around one of them")
        }
        _ => problem,
    }
}

fn add<'a>(left: Item<'a>, right: Item<'a>) -> Result<Item<'a>, Problem> {
    if let Some(both) = numbers(&left, &right) {
        return exact(both, Decimal::add);
    }
    let too_far = || Problem::new("the time is too far away");
    match (left, right) {
        (Item::Plain(left), Item::Plain(right)) => match (left.into_owned(), right.into_owned()) {
            (Value::Text(left), Value::Text(right)) => {
                fits(left.len().checked_add(right.len()))?;
                Ok(Item::from(left + &right))
            }
            (Value::List(mut left), Value::List(right)) => {
                left.extend(right);
                Ok(Item::Plain(Cow::Owned(Value::List(left))))
            }
            (left, right) => Err(unfit(Operator::Add, &left.into(), &right.into())),
        },
        (Item::Length(left), Item::Length(right)) => {
            left.checked_add(right).map(Item::Length).ok_or_else(too_far)
        }
        (Item::Time(time), Item::Length(length)) | (Item::Length(length), Item::Time(time)) => {
            time.checked_add(length).map(Item::Time).map_err(|_| too_far())
        }
        (Item::Day(day), Item::Length(length)) | (Item::Length(length), Item::Day(day)) => {
            day.checked_add(length).map(Item::Day).map_err(|_| too_far())
        }
        (left, right) => Err(unfit(Operator::Add, &left, &right)),
    }
}

fn subtract<'a>(left: &Item<'_>, right: &Item<'_>) -> Result<Item<'a>, Problem> {
    if let Some(both) = numbers(left, right) {
        return exact(both, Decimal::subtract);
    }
    let too_far = || Problem::new("the time is too far away");
    match (left, right) {
        (Item::Length(left), Item::Length(right)) => {
            left.checked_sub(*right).map(Item::Length).ok_or_else(too_far)
        }
        (Item::Time(time), Item::Length(length)) => {
            time.checked_sub(*length).map(Item::Time).map_err(|_| too_far())
        }
        (Item::Time(left), Item::Time(right)) => Ok(Item::Length(left.duration_since(*right))),
        (Item::Day(day), Item::Length(length)) => {
            day.checked_sub(*length).map(Item::Day).map_err(|_| too_far())
        }
        (Item::Day(left), Item::Day(right)) => Ok(Item::Length(left.duration_since(*right))),
        (Item::Time(left), other) if other.as_time().is_some() => {
            Ok(Item::Length(left.duration_since(other.as_time().unwrap_or(*left))))
        }
        _ => Err(unfit(Operator::Subtract, left, right)),
    }
}

fn multiply<'a>(operator: Operator, left: &Item<'_>, right: &Item<'_>) -> Result<Item<'a>, Problem> {
    let operation = match operator {
        Operator::Divide => Decimal::divide,
        Operator::Remainder => Decimal::remainder,
        _ => Decimal::multiply,
    };
    match numbers(left, right) {
        Some(both) => exact(both, operation),
        None => Err(unfit(operator, left, right)),
    }
}

/// Are they equal? Values of different kinds can't be compared, but anything can be compared with null. Inside
/// lists and maps equality is plain: exact, type included.
pub(crate) fn equal(left: &Item<'_>, right: &Item<'_>) -> Result<bool, Problem> {
    match (left, right) {
        (Item::Plain(left_value), Item::Plain(right_value)) => {
            let same_kind = std::mem::discriminant(&**left_value) == std::mem::discriminant(&**right_value);
            let with_null = matches!(**left_value, Value::Null) || matches!(**right_value, Value::Null);
            if same_kind || with_null {
                Ok(left_value == right_value)
            } else {
                Err(unfit(Operator::Equal, left, right))
            }
        }
        (Item::Maybe(left), Item::Maybe(right)) => Ok(left == right),
        (Item::Plain(value), _) | (_, Item::Plain(value)) if matches!(**value, Value::Null) => Ok(false),
        _ => compare(Operator::Equal, left, right).map(Ordering::is_eq),
    }
}

fn compare(operator: Operator, left: &Item<'_>, right: &Item<'_>) -> Result<Ordering, Problem> {
    let unfit = || unfit(operator, left, right);
    match (left, right) {
        (Item::Plain(left), Item::Plain(right)) => match (&**left, &**right) {
            (Value::Number(left), Value::Number(right)) => Ok(left.cmp(right)),
            (Value::Text(left), Value::Text(right)) => Ok(compare_texts(left, right)),
            (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(right)),
            _ => Err(unfit()),
        },
        (Item::Time(time), other) => other.as_time().map(|other| time.cmp(&other)).ok_or_else(unfit),
        (other, Item::Time(time)) => other.as_time().map(|other| other.cmp(time)).ok_or_else(unfit),
        (Item::Length(length), other) => other.as_length().map(|other| length.cmp(&other)).ok_or_else(unfit),
        (other, Item::Length(length)) => other.as_length().map(|other| other.cmp(length)).ok_or_else(unfit),
        (Item::Day(left), Item::Day(right)) => Ok(left.cmp(right)),
        (Item::Day(day), other) => day_of(other).map(|other| day.cmp(&other)).ok_or_else(unfit),
        (other, Item::Day(day)) => day_of(other).map(|other| other.cmp(day)).ok_or_else(unfit),
        _ => Err(unfit()),
    }
}

/// Texts by code point; two instants or two durations as what they say, so that `elapsed < '500ms'` means that.
fn compare_texts(left: &str, right: &str) -> Ordering {
    let both = |(left, right)| Some((left?, right?));
    if let Some((left, right)) = both((length(left), length(right))) {
        return left.cmp(&right);
    }
    match (instant(left), instant(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

fn day_of(item: &Item<'_>) -> Option<jiff::civil::Date> {
    item.as_text()?.parse().ok()
}

/// Is it an element of the list, a key of the map, a part of the text?
fn is_in(left: &Item<'_>, right: &Item<'_>) -> Result<bool, Problem> {
    match right.as_value() {
        Some(Value::List(list)) => {
            // Where nothing in the list could be compared at all, `false` would hide a slip.
            let (mut comparable, mut problem) = (false, None);
            for element in list {
                match equal(left, &Item::borrowed(element)) {
                    Ok(true) => return Ok(true),
                    Ok(false) => comparable = true,
                    Err(_) => problem = Some(unfit(Operator::In, left, &Item::borrowed(element))),
                }
            }
            problem.filter(|_| !comparable).map_or(Ok(false), Err)
        }
        Some(Value::Map(map)) if left.as_text().is_some() => {
            Ok(left.as_text().is_some_and(|key| map.contains_key(key)))
        }
        Some(Value::Text(text)) if left.as_text().is_some() => {
            Ok(left.as_text().is_some_and(|part| text.contains(part)))
        }
        _ => Err(unfit(Operator::In, left, right)),
    }
}
