//! Works an expression out. Every error has the place of the smallest part that it is about.

use crate::expression::budget::{self, Budget};
use crate::expression::item::{Item, Problem};
use crate::expression::operate::{negate, operate};
use crate::expression::tree::{Fold, Kind, Operator, Tree};
use crate::functions::Arguments;
use crate::names::{EvalError, Names, Way};
use seam_diag::{Span, did_you_mean};
use seam_value::{Map, Value};
use std::borrow::Cow;

/// What an expression can see.
pub(crate) struct Scope<'a> {
    /// Variables, components, chance and the clock.
    pub(crate) names: &'a dyn Names,
    /// The result that the expression is about: its fields are names, and `it` is all of it.
    pub(crate) result: Option<&'a Value>,
    /// Its variables, asked for once: a loop must not copy a long list for each of its elements.
    pub(crate) known: &'a [(String, Value)],
    budget: Budget,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(names: &'a dyn Names, result: Option<&'a Value>, known: &'a [(String, Value)]) -> Self {
        Self { names, result, known, budget: Budget::new() }
    }
}

/// The variables that an expression mentions, as far as they have values.
pub(crate) fn known(tree: &Tree, names: &dyn Names) -> Vec<(String, Value)> {
    let mut mentioned = Vec::new();
    tree.names(Way::Expression, &mut Vec::new(), &mut mentioned);
    let mut known: Vec<(String, Value)> = Vec::new();
    for used in mentioned {
        if !known.iter().any(|(name, _)| *name == used.name)
            && let Some(value) = names.get(&used.name)
        {
            known.push((used.name, value));
        }
    }
    known
}

/// Names that a loop brings, the innermost first.
#[derive(Clone, Copy)]
struct Frame<'f, 'a> {
    name: &'f str,
    item: &'f Item<'a>,
    outer: Option<&'f Frame<'f, 'a>>,
}

/// One turn of a loop: its element, and what can be seen from outside it.
#[derive(Clone, Copy)]
struct Turn<'f, 'a> {
    fold: &'a Fold,
    item: &'f Item<'a>,
    outer: Option<&'f Frame<'f, 'a>>,
}

type Evaluated<'a> = Result<Item<'a>, EvalError>;

/// Works a whole expression out.
pub(crate) fn evaluate<'a>(tree: &'a Tree, scope: &Scope<'a>) -> Evaluated<'a> {
    Run { scope }.value(tree, None)
}

struct Run<'s, 'a> {
    scope: &'s Scope<'a>,
}

fn located(span: Span) -> impl Fn(Problem) -> EvalError {
    move |problem| EvalError { span, message: problem.message, hint: problem.hint }
}

impl<'a> Run<'_, 'a> {
    fn value(&self, tree: &'a Tree, frame: Option<&Frame<'_, 'a>>) -> Evaluated<'a> {
        match &tree.kind {
            Kind::Literal(value) => Ok(Item::borrowed(value)),
            Kind::Name { .. } => self.chain(tree, frame),
            Kind::Select { of, field, optional } => {
                if !optional && tree.chain().is_some() {
                    return self.chain(tree, frame);
                }
                let of = self.value(of, frame)?;
                if *optional || matches!(of, Item::Maybe(_)) {
                    return Ok(maybe(of, |of| select(of, field).ok()));
                }
                select(of, field).map_err(located(tree.span))
            }
            Kind::Has { of, field } => match self.value(of, frame)? {
                Item::Plain(value) if matches!(*value, Value::Map(_)) => {
                    Ok(value.get(field).is_some().into())
                }
                other => Err(EvalError::new(
                    of.span,
                    format!("`has` looks into a map, this is {}", other.kind_name()),
                )),
            },
            Kind::Index { of, index, optional } => {
                let item = self.value(of, frame)?;
                let key = self.value(index, frame)?;
                if *optional || matches!(item, Item::Maybe(_)) {
                    return Ok(maybe(item, |item| element(item, &key).ok()));
                }
                element(item, &key).map_err(located(tree.span))
            }
            Kind::Call { function, arguments } => {
                let items: Vec<Item<'a>> =
                    arguments.iter().map(|argument| self.value(argument, frame)).collect::<Result<_, _>>()?;
                self.scope.budget.work(&items).map_err(located(tree.span))?;
                let called = Arguments { function, items, names: self.scope.names };
                let made = (function.run)(&called).and_then(|made| {
                    budget::fits(made.as_text().map(str::len).or(Some(0)))?;
                    Ok(made)
                });
                made.map_err(|problem| {
                    let at = problem
                        .argument
                        .and_then(|index| arguments.get(index))
                        .map_or(tree.span, |part| part.span);
                    located(at)(problem)
                })
            }
            Kind::Not(of) => Ok((!self.boolean(of, frame, "!")?).into()),
            Kind::Negate(of) => negate(&self.value(of, frame)?).map_err(located(tree.span)),
            Kind::Binary { operator, left, right } => self.binary(tree, *operator, (left, right), frame),
            Kind::And(left, right) => self.decide(false, (left, right), frame),
            Kind::Or(left, right) => self.decide(true, (left, right), frame),
            Kind::If { condition, then, otherwise } => {
                self.value(if self.boolean(condition, frame, "?")? { then } else { otherwise }, frame)
            }
            Kind::List(elements) => {
                let list = elements.iter().map(|element| self.kept(element, frame));
                Ok(Item::Plain(Cow::Owned(Value::List(list.collect::<Result<_, EvalError>>()?))))
            }
            Kind::Map(entries) => self.map(entries, frame),
            Kind::Fold(fold) => self.fold(fold, frame),
            Kind::NotStrictlyFalse(of) => {
                Ok(self.value(of, frame).map_or(true, |item| item.as_bool() != Some(false)).into())
            }
        }
    }

    /// A value that goes into a list or a map.
    fn kept(&self, tree: &'a Tree, frame: Option<&Frame<'_, 'a>>) -> Result<Value, EvalError> {
        let value = self.value(tree, frame)?.into_value();
        self.scope.budget.keep(&value).map_err(located(tree.span))?;
        Ok(value)
    }

    fn binary(
        &self,
        tree: &'a Tree,
        operator: Operator,
        (left, right): (&'a Tree, &'a Tree),
        frame: Option<&Frame<'_, 'a>>,
    ) -> Evaluated<'a> {
        let (left, right) = (self.value(left, frame)?, self.value(right, frame)?);
        let both = [left, right];
        if matches!(operator, Operator::Add | Operator::In | Operator::Equal | Operator::NotEqual) {
            self.scope.budget.work(&both).map_err(located(tree.span))?;
        }
        let [left, right] = both;
        operate(operator, left, right).map_err(located(tree.span))
    }

    fn boolean(&self, tree: &'a Tree, frame: Option<&Frame<'_, 'a>>, asker: &str) -> Result<bool, EvalError> {
        let item = self.value(tree, frame)?;
        item.as_bool().ok_or_else(|| {
            EvalError::new(tree.span, format!("`{asker}` takes true or false, this is {}", item.kind_name()))
        })
    }

    /// `||` is decided by a true side, `&&` by a false one, also where the other side is an error (CEL).
    fn decide(
        &self,
        deciding: bool,
        sides: (&'a Tree, &'a Tree),
        frame: Option<&Frame<'_, 'a>>,
    ) -> Evaluated<'a> {
        let asker = if deciding { "||" } else { "&&" };
        let left = self.boolean(sides.0, frame, asker);
        if left == Ok(deciding) {
            return Ok(deciding.into());
        }
        match self.boolean(sides.1, frame, asker) {
            Ok(right) if right == deciding => Ok(deciding.into()),
            Ok(_) => left.map(Item::from),
            Err(error) => Err(left.err().unwrap_or(error)),
        }
    }

    fn map(&self, entries: &'a [(Tree, Tree)], frame: Option<&Frame<'_, 'a>>) -> Evaluated<'a> {
        let mut map = Map::default();
        for (key, value) in entries {
            let item = self.value(key, frame)?;
            let Some(name) = item.as_text() else {
                return Err(EvalError::new(
                    key.span,
                    format!("the key of a map is a text, this is {}", item.kind_name()),
                ));
            };
            let name = name.to_owned();
            if map.contains_key(&name) {
                return Err(EvalError::new(key.span, format!("`{name}` stands twice in this map")));
            }
            map.insert(name, self.kept(value, frame)?);
        }
        Ok(Item::Plain(Cow::Owned(Value::Map(map))))
    }

    /// `a`, `a.b.c`: a name of a loop, a field of the result, a variable, or a property of a component.
    fn chain(&self, tree: &'a Tree, frame: Option<&Frame<'_, 'a>>) -> Evaluated<'a> {
        let Some((name, dollar, fields)) = tree.chain() else {
            return Err(EvalError::new(tree.span, "this is no name"));
        };
        let Some(root) = self.root(name, dollar, frame).map_err(located(tree.span))? else {
            return self.component(tree, name, &fields);
        };
        let mut item = root;
        let mut so_far = name.to_owned();
        for field in fields {
            item = match item {
                Item::Maybe(_) => maybe(item, |item| select(item, field).ok()),
                item => select(item, field).map_err(|problem| {
                    let message = problem.message.replacen("this map", &format!("`{so_far}`"), 1);
                    located(tree.span)(Problem { message, ..problem })
                })?,
            };
            so_far = format!("{so_far}.{field}");
        }
        Ok(item)
    }

    fn root(
        &self,
        name: &str,
        dollar: bool,
        frame: Option<&Frame<'_, 'a>>,
    ) -> Result<Option<Item<'a>>, Problem> {
        if !dollar {
            let bound = std::iter::successors(frame, |frame| frame.outer).find(|frame| frame.name == name);
            if let Some(bound) = bound {
                if let Item::Plain(Cow::Owned(value)) = bound.item {
                    self.scope.budget.copy(value)?;
                }
                return Ok(Some(bound.item.clone()));
            }
            if let Some(result) = self.scope.result {
                let field = if name == "it" { Some(result) } else { result.get(name) };
                if let Some(field) = field {
                    return Ok(Some(Item::borrowed(field)));
                }
            }
        }
        let known = self.scope.known.iter().find(|(known, _)| known == name);
        Ok(known.map(|(_, value)| Item::borrowed(value)))
    }

    fn component(&self, tree: &Tree, name: &str, fields: &[&str]) -> Evaluated<'a> {
        let path = std::iter::once(&name).chain(fields).copied().collect::<Vec<_>>().join(".");
        if let Some(address) = self.scope.names.component(&path) {
            return Ok(Item::from(address));
        }
        let error = EvalError::new(tree.span, format!("nothing is known as `{path}`"));
        let there = self.scope.result.and_then(Value::as_map);
        match there.and_then(|map| did_you_mean(name, map.keys().map(String::as_str))) {
            Some(near) => Err(error.hint(format!("did you mean `{near}`?"))),
            None => Err(error),
        }
    }

    fn fold(&self, fold: &'a Fold, frame: Option<&Frame<'_, 'a>>) -> Evaluated<'a> {
        let over = self.value(&fold.over, frame)?;
        let elements = elements(over).map_err(located(fold.over.span))?;
        let mut carried = self.value(&fold.begin, frame)?;
        for item in elements {
            self.scope.budget.step().map_err(located(fold.over.span))?;
            let go_on = {
                let carried = Frame { name: &fold.carried, item: &carried, outer: frame };
                let element = Frame { name: &fold.element, item: &item, outer: Some(&carried) };
                self.value(&fold.go_on, Some(&element)).map_or(true, |go_on| go_on.as_bool() != Some(false))
            };
            if !go_on {
                break;
            }
            carried = self.step(&fold.step, carried, Turn { fold, item: &item, outer: frame })?;
        }
        let carried = Frame { name: &fold.carried, item: &carried, outer: frame };
        self.value(&fold.result, Some(&carried))
    }

    /// One step of a loop. What `map` and `filter` make, `carried + [x]`, is appended in place: copying the list
    /// for each element would make them quadratic.
    fn step(&self, step: &'a Tree, carried: Item<'a>, turn: Turn<'_, 'a>) -> Evaluated<'a> {
        let is_carried =
            |tree: &Tree| matches!(&tree.kind, Kind::Name { name, .. } if *name == turn.fold.carried);
        let element = Frame { name: &turn.fold.element, item: turn.item, outer: turn.outer };
        match &step.kind {
            Kind::Name { .. } if is_carried(step) => Ok(carried),
            Kind::If { condition, then, otherwise } => {
                let holds = self.boolean(condition, Some(&element), "filter")?;
                self.step(if holds { then } else { otherwise }, carried, turn)
            }
            Kind::Binary { operator: Operator::Add, left, right } if is_carried(left) => {
                let added = self.value(right, Some(&element))?;
                operate(Operator::Add, carried, added).map_err(located(step.span))
            }
            _ => {
                let carried = Frame { name: &turn.fold.carried, item: &carried, outer: turn.outer };
                self.value(step, Some(&Frame { outer: Some(&carried), ..element }))
            }
        }
    }
}

/// Looks into an optional value, or into a plain one as if it were optional.
fn maybe<'a>(item: Item<'a>, look: impl FnOnce(Item<'a>) -> Option<Item<'a>>) -> Item<'a> {
    match item {
        Item::Maybe(None) => Item::Maybe(None),
        Item::Maybe(Some(inner)) => Item::Maybe(look(*inner).map(Box::new)),
        plain => Item::Maybe(look(plain).map(Box::new)),
    }
}

/// The elements of a list, the keys of a map.
fn elements(item: Item<'_>) -> Result<Vec<Item<'_>>, Problem> {
    match item {
        Item::Plain(Cow::Borrowed(Value::List(list))) => Ok(list.iter().map(Item::borrowed).collect()),
        Item::Plain(Cow::Owned(Value::List(list))) => Ok(list.into_iter().map(Item::from).collect()),
        Item::Plain(Cow::Borrowed(Value::Map(map))) => {
            Ok(map.keys().map(|key| Item::from(key.as_str())).collect())
        }
        Item::Plain(Cow::Owned(Value::Map(map))) => Ok(map.into_keys().map(Item::from).collect()),
        other => {
            Err(Problem::new(format!("only lists and maps have elements, this is {}", other.kind_name())))
        }
    }
}

/// The field of a map.
fn select<'a>(item: Item<'a>, field: &str) -> Result<Item<'a>, Problem> {
    match item {
        Item::Plain(Cow::Borrowed(value @ Value::Map(map))) => {
            map.get(field).map(Item::borrowed).ok_or_else(|| missing_field(&Item::borrowed(value), field))
        }
        Item::Plain(Cow::Owned(Value::Map(mut map))) => match map.swap_remove(field) {
            Some(value) => Ok(Item::from(value)),
            None => Err(missing_field(&Item::from(Value::Map(map)), field)),
        },
        other => Err(missing_field(&other, field)),
    }
}

fn missing_field(item: &Item<'_>, field: &str) -> Problem {
    match item.as_value() {
        Some(Value::Map(map)) => {
            let problem = Problem::new(format!("this map has no `{field}`"));
            match did_you_mean(field, map.keys().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None if map.is_empty() => problem,
                None => {
                    let there = map.keys().take(24).map(String::as_str).collect::<Vec<_>>().join(", ");
                    problem.hint(format!("there is {there}"))
                }
            }
        }
        Some(Value::List(_)) => {
            Problem::new(format!("a list has no `{field}`")).hint("an element is reached by `[0]`")
        }
        _ => Problem::new(format!("{} has no `{field}`", item.kind_name())),
    }
}

/// `list[0]`, `map['key']`; a list counts from its end below zero.
fn element<'a>(item: Item<'a>, key: &Item<'_>) -> Result<Item<'a>, Problem> {
    match (item.as_value(), key.as_value()) {
        (Some(Value::Map(_)), Some(Value::Text(name))) => select(item, name),
        (Some(Value::List(list)), Some(number @ Value::Number(_))) => {
            let n = list.len();
            let index = number.as_i64().and_then(|index| {
                let from_start = if index < 0 { i64::try_from(n).ok()?.checked_add(index)? } else { index };
                usize::try_from(from_start).ok().filter(|index| *index < n)
            });
            let Some(index) = index else {
                let there = match n {
                    0 => "it is empty".to_owned(),
                    1 => "it has one".to_owned(),
                    n => format!("it has {n}"),
                };
                return Err(Problem::new(format!("the list has no element {number}: {there}")));
            };
            Ok(match item {
                Item::Plain(Cow::Borrowed(Value::List(list))) => Item::borrowed(&list[index]),
                Item::Plain(Cow::Owned(Value::List(mut list))) => Item::from(list.swap_remove(index)),
                other => other,
            })
        }
        _ => Err(Problem::new(format!("{} can't be looked up in {}", key.kind_name(), item.kind_name()))),
    }
}
