//! Values in which variables stand: `$order.id`, `order $order`, `${name}.pdf`, `${ random(1, 6) }`.
//!
//! A variable alone keeps its type; inside text it becomes text; `$$` is a dollar, and a `$` before anything but a
//! letter or `{` is itself. Keys of maps are never templates. Where a value goes into something that has a grammar
//! (a query, a command, an address), the step takes the [`Piece`]s instead of the text and passes each value.

use crate::expression::Expression;
use crate::find::Found;
use crate::names::{EvalError, NameUse, Names, Way};
use crate::path::Path;
use crate::scan::{Part, parts};
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Node, NodeKind, Spanned};
use seam_value::{Map, Value};

/// How many `${ … }` one text may hold. Reading one takes a tenth of a millisecond.
const MAX_EXPRESSIONS: usize = 1000;

/// A value in which variables may stand.
#[derive(Clone, Debug)]
pub struct Template {
    span: Span,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    /// Nothing stands in it, at any depth.
    Literal(Value),
    Text(Vec<Piece>),
    List(Vec<Template>),
    Map(Vec<(Spanned<String>, Template)>),
}

/// A part of a text in which variables stand.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// `$name`, `$name.path`
    Name {
        /// The variable's name and what follows it.
        path: Path,
        /// From the `$` to the last name.
        span: Span,
    },
    /// `${ … }`
    Expression(Expression),
}

impl Template {
    /// Reads a node. Mistakes in expressions are told; what stands there is then null.
    pub fn read(node: &Node, found: &mut Diagnostics) -> Self {
        let body = match &node.kind {
            NodeKind::Text { text, .. } if text.contains('$') => read_text(text, node, found),
            NodeKind::List(list) => {
                let elements: Vec<Self> = list.iter().map(|element| Self::read(element, found)).collect();
                // Not the node's own value: in that `$$` is still two dollars.
                match elements.iter().map(|element| element.as_literal().cloned()).collect() {
                    Some(literals) => Body::Literal(Value::List(literals)),
                    None => Body::List(elements),
                }
            }
            NodeKind::Map(entries) => {
                let pairs: Vec<(Spanned<String>, Self)> =
                    entries.iter().map(|entry| (entry.key.clone(), Self::read(&entry.node, found))).collect();
                let literal = |(key, value): &(Spanned<String>, Self)| {
                    value.as_literal().map(|value| (key.value.clone(), value.clone()))
                };
                match pairs.iter().map(literal).collect() {
                    Some(literals) => Body::Literal(Value::Map(literals)),
                    None => Body::Map(pairs),
                }
            }
            _ => Body::Literal(node.to_value()),
        };
        Self { span: node.span, body }
    }

    /// A value in which nothing stands, dollars included.
    pub fn literal(value: Value, span: Span) -> Self {
        Self { span, body: Body::Literal(value) }
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The value, where no variable and no expression stands in it.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.body {
            Body::Literal(value) => Some(value),
            // `$$` alone makes a text of pieces with nothing to ask for.
            Body::Text(_) | Body::List(_) | Body::Map(_) => None,
        }
    }

    /// The pieces of a text in which variables stand; none for anything else, a plain text included.
    pub fn pieces(&self) -> Option<&[Piece]> {
        if let Body::Text(pieces) = &self.body { Some(pieces) } else { None }
    }

    /// The one piece that is all of it (`$order`), which keeps its type.
    pub fn alone(&self) -> Option<&Piece> {
        match self.pieces()? {
            [piece @ (Piece::Name { .. } | Piece::Expression(_))] => Some(piece),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn elements(&self) -> Option<Vec<Self>> {
        match &self.body {
            Body::List(elements) => Some(elements.clone()),
            Body::Literal(Value::List(list)) => {
                Some(list.iter().map(|value| Self::literal(value.clone(), self.span)).collect())
            }
            Body::Literal(_) | Body::Text(_) | Body::Map(_) => None,
        }
    }

    /// Works it out.
    pub fn render(&self, names: &dyn Names) -> Result<Value, EvalError> {
        match &self.body {
            Body::Literal(value) => Ok(value.clone()),
            Body::Text(pieces) => {
                if let Some(piece) = self.alone() {
                    return piece.render(names);
                }
                let mut text = String::new();
                for piece in pieces {
                    text.push_str(&piece.render(names)?.to_plain_text());
                }
                Ok(Value::Text(text))
            }
            Body::List(elements) => elements
                .iter()
                .map(|element| element.render(names))
                .collect::<Result<_, _>>()
                .map(Value::List),
            Body::Map(pairs) => pairs
                .iter()
                .map(|(key, value)| Ok((key.value.clone(), value.render(names)?)))
                .collect::<Result<Map, _>>()
                .map(Value::Map),
        }
    }

    /// Works it out as a text: what is no text becomes one. Lists and maps are errors, for they have no form that
    /// everybody would expect.
    pub fn render_text(&self, names: &dyn Names) -> Result<String, EvalError> {
        match self.render(names)? {
            Value::Text(text) => Ok(text),
            value @ (Value::List(_) | Value::Map(_)) => {
                let kind = crate::expression::item::kind_name(&value);
                Err(EvalError::new(self.span, format!("a text is needed here, this is {kind}")))
            }
            scalar => Ok(scalar.to_plain_text()),
        }
    }

    /// All names that it mentions, those in its expressions included.
    pub fn names(&self) -> Vec<NameUse> {
        let mut out = Vec::new();
        self.visit(&mut |piece| match piece {
            Piece::Text(_) => {}
            Piece::Name { path, span } => {
                let rest = path.rest().map(|rest| rest.to_string()).unwrap_or_default();
                out.push(NameUse {
                    name: path.first().to_owned(),
                    path: rest,
                    span: *span,
                    way: Way::Dollar,
                });
            }
            Piece::Expression(expression) => out.extend(expression.names(Way::Expression)),
        });
        out
    }

    /// All functions that its expressions call, with their places.
    pub fn functions(&self) -> Vec<(&'static str, Span)> {
        let mut out = Vec::new();
        self.visit(&mut |piece| {
            if let Piece::Expression(expression) = piece {
                out.extend(expression.functions());
            }
        });
        out
    }

    fn visit(&self, look: &mut impl FnMut(&Piece)) {
        match &self.body {
            Body::Literal(_) => {}
            Body::Text(pieces) => pieces.iter().for_each(look),
            Body::List(elements) => elements.iter().for_each(|element| element.visit(look)),
            Body::Map(pairs) => pairs.iter().for_each(|(_, value)| value.visit(look)),
        }
    }
}

impl Piece {
    /// The value of this piece, with its type.
    pub fn render(&self, names: &dyn Names) -> Result<Value, EvalError> {
        match self {
            Self::Text(text) => Ok(Value::text(text)),
            Self::Name { path, span } => variable(path, *span, names),
            Self::Expression(expression) => expression.evaluate(names),
        }
    }
}

/// The value of `$name.path`.
fn variable(path: &Path, span: Span, names: &dyn Names) -> Result<Value, EvalError> {
    let name = path.first();
    let Some(value) = names.get(name) else {
        return Err(EvalError::new(span, format!("`${name}` has no value yet")));
    };
    let Some(rest) = path.rest() else { return Ok(value) };
    match rest.find(&value) {
        Found::Missing(missing) => {
            let at = if missing.nearest.is_empty() {
                format!("${name}")
            } else {
                format!("${name}.{}", missing.nearest)
            };
            let message = match missing.message.split_once(' ') {
                _ if missing.nearest.is_empty() => match &value {
                    Value::Map(_) => format!("`{at}` has no `{}`", rest.first()),
                    Value::List(_) => format!("`{at}` is a list without `{}`", rest.first()),
                    other => {
                        format!("`{at}` is {} and has no parts", crate::expression::item::kind_name(other))
                    }
                },
                Some((_, said)) => format!("`{at}` {said}"),
                None => missing.message.clone(),
            };
            let ends =
                format!("`${path}` is a path; to end the name before the dot, write `${{{name}}}.{rest}`");
            let hint = match (&missing.near_name, &value) {
                (Some(near), _) => format!("did you mean `{at}.{near}`?"),
                (None, Value::Map(_) | Value::List(_)) if !missing.there.is_empty() => {
                    format!("{ends}; below it there is {}", missing.there.join(", "))
                }
                _ => ends,
            };
            Err(EvalError::new(span, message).hint(hint))
        }
        found => Ok(found.to_value().unwrap_or_default()),
    }
}

fn read_text(text: &str, node: &Node, found: &mut Diagnostics) -> Body {
    let name = |rest: &str| Path::parse_beginning(rest).map(|(_, length)| length);
    let mut pieces = Vec::new();
    let parts = parts(text, name);
    if parts.iter().filter(|part| matches!(part, Part::Braces { .. })).count() > MAX_EXPRESSIONS {
        let title = format!("there are more than {MAX_EXPRESSIONS} expressions in one text");
        found.push(Diagnostic::error(title).at(node.span, ""));
        return Body::Literal(Value::Null);
    }
    for part in parts {
        match part {
            Part::Text(text) => pieces.push(Piece::Text(text)),
            Part::Dollar { offset, rest } => {
                let (path, length) = Path::parse_beginning(rest).expect("the scanner saw a name here");
                pieces.push(Piece::Name { path, span: node.part(offset, length + 1) });
            }
            Part::Braces { offset, inner } => {
                let place = |from: usize, length: usize| node.part(offset + 2 + from, length);
                match Expression::parse(inner, &place) {
                    Ok(expression) => pieces.push(Piece::Expression(expression)),
                    Err(diagnostic) => {
                        found.push(*diagnostic);
                        return Body::Literal(Value::Null);
                    }
                }
            }
            Part::Unclosed { offset } => {
                found.push(
                    Diagnostic::error("`${` is never closed")
                        .at(node.part(offset, 2), "")
                        .hint("write `}` behind the expression, or `$$` for a plain dollar"),
                );
                return Body::Literal(Value::Null);
            }
        }
    }
    match pieces.as_slice() {
        // Dollars that are only dollars: the text is what it is.
        [Piece::Text(text)] => Body::Literal(Value::text(text)),
        _ => Body::Text(pieces),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answers, yaml};

    fn read(text: &str) -> (Template, Diagnostics) {
        let mut found = Diagnostics::default();
        let template = Template::read(&yaml(text), &mut found);
        (template, found)
    }

    fn rendered(text: &str) -> Result<Value, EvalError> {
        let (template, found) = read(text);
        assert!(found.is_empty(), "{text}: {found:?}");
        template.render(&Answers::default())
    }

    #[test]
    fn variables_become_values() {
        for (text, expect) in [
            ("plain", "\"plain\""),
            ("5", "5"),
            ("19.90", "19.90"),
            ("$order", r#"{"id":17,"total":19.90,"items":[{"sku":"A1"}],"note":null}"#),
            ("$order.id", "17"),
            ("$order.total", "19.90"),
            ("$order.note", "null"),
            ("$order.items.0.sku", "\"A1\""),
            ("\"$order.items[0].sku\"", "\"A1\""),
            ("$order.items.*.sku", "[\"A1\"]"),
            ("order $order.id", "\"order 17\""),
            ("order $order.id.", "\"order 17.\""),
            ("$name-$name", "\"ann-ann\""),
            ("\"${name}.pdf\"", "\"ann.pdf\""),
            ("${order.id + 1}", "18"),
            ("'${order.total * 2}'", "39.80"),
            ("total ${order.total * 2}", "\"total 39.80\""),
            ("costs 5$ or $$name", "\"costs 5$ or $name\""),
            ("$$", "\"$\""),
            ("[$$5, { a: costs $$ }]", r#"["$5",{"a":"costs $"}]"#),
            ("$5", "\"$5\""),
            ("{ a: $order.id, \"$name\": [$name, 1] }", r#"{"a":17,"$name":["ann",1]}"#),
            ("note: $order.note!", r#"{"note":"null!"}"#),
            ("${api.url}/x", "\"http://127.0.0.1:4000/x\""),
            ("'${stock-import.url}'", "\"http://127.0.0.1:4001\""),
            ("['${[1, 2].map(i, i * order.id)}']", "[[17,34]]"),
        ] {
            assert_eq!(
                rendered(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string(),
                expect,
                "{text}"
            );
        }
    }

    #[test]
    fn what_can_not_be_rendered_says_why() {
        for (text, message, hint) in [
            ("$nobody", "`$nobody` has no value yet", ""),
            (
                "$name.json",
                "`$name` is a text and has no parts",
                "`$name.json` is a path; to end the name before the dot, write `${name}.json`",
            ),
            ("$order.totl", "`$order` has no `totl`", "did you mean `$order.total`?"),
            (
                "$order.pdf",
                "`$order` has no `pdf`",
                "`$order.pdf` is a path; to end the name before the dot, write `${order}.pdf`; \
                 below it there is id, total, items, note",
            ),
            (
                "x $order.items.3.sku",
                "`$order.items` has no element 3, only one in all",
                "`$order.items.3.sku` is a path; \
              to end the name before the dot, write `${order}.items.3.sku`",
            ),
            ("'${nobody}'", "nothing is known as `nobody`", ""),
            ("'${order.totl}'", "`order` has no `totl`", "did you mean `total`?"),
        ] {
            let error = rendered(text).expect_err(text);
            assert_eq!(
                (error.message.as_str(), error.hint.as_deref().unwrap_or_default()),
                (message, hint),
                "{text}"
            );
        }
    }

    #[test]
    fn names_and_places_are_known_before_anything_runs() {
        let text = "[$order.id, 'x ${name + string(order.total)} $later', '${xs.map(x, x + y)}']";
        let (template, found) = read(text);
        assert!(found.is_empty());
        let names: Vec<String> = template
            .names()
            .iter()
            .map(|used| {
                format!(
                    "{}|{}|{}",
                    used.name,
                    used.path,
                    &text[used.span.start as usize..used.span.end as usize]
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                "order|id|$order.id",
                "name||name",
                "order|total|order.total",
                "later||$later",
                "xs||xs",
                "y||y"
            ]
        );
        assert_eq!(template.functions().iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["string"]);
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        for (text, place, title, hint) in [
            (
                "'${order.'",
                "${",
                "`${` is never closed",
                "write `}` behind the expression, or `$$` for a plain dollar",
            ),
            ("'a ${uuidd()}'", "uuidd", "unknown function `uuidd`", "did you mean `uuid()`?"),
            ("'${random(1)}'", "random(1)", "`random` takes 2 arguments, not 1", "write `random(low, high)`"),
            ("'${a = 1}'", "=", "`=` was not expected here", "compare with `==`"),
            ("'${}'", "", "an expression is missing here", ""),
        ] {
            let (template, found) = read(text);
            let found: Vec<_> = found.into_iter().collect();
            let (span, _) = found[0].place.clone().unwrap();
            assert_eq!(&text[span.start as usize..span.end as usize], place, "{text}");
            assert_eq!(
                (found[0].title.as_str(), found[0].hint.as_deref().unwrap_or_default()),
                (title, hint)
            );
            assert_eq!(template.as_literal(), Some(&Value::Null));
        }
    }

    #[test]
    fn pieces_keep_what_is_text_and_what_is_value() {
        let (template, _) = read("select * from orders where id = $order.id and name = ${name}");
        let shown: Vec<String> = template
            .pieces()
            .unwrap()
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Name { path, .. } => format!("<{path}>"),
                Piece::Expression(expression) => format!("<<{}>>", expression.text()),
            })
            .collect();
        assert_eq!(shown, ["select * from orders where id = ", "<order.id>", " and name = ", "<<name>>"]);
        assert!(read("plain").0.pieces().is_none());
        assert!(read("$order").0.alone().is_some());
        assert!(read("$order!").0.alone().is_none());
    }
}
