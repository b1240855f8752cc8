//! What the tests of this crate (and of `matcher`) share: YAML as nodes, and fixed answers to what templates ask.

use granit_parser::{Event, Parser, ScalarStyle};
use seam_diag::{FileId, Span};
use seam_expr::{Chance, EvalError, Expression, Names};
use seam_model::{Entry, Form, Node, NodeKind, Spanned};
use seam_value::{Number, Value};
use std::collections::BTreeMap;

/// Reads YAML as the real reader does, without its care for mistakes.
pub(crate) fn yaml(text: &str) -> Node {
    let mut events = Parser::new_from_str(text).filter_map(|event| {
        let (event, span) = event.unwrap_or_else(|error| panic!("{text}: {error}"));
        let range = span.byte_range().unwrap();
        let span = Span {
            file: FileId(0),
            start: u32::try_from(range.start).unwrap(),
            end: u32::try_from(range.end).unwrap(),
        };
        let is_content = matches!(
            event,
            Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::MappingStart(..)
                | Event::SequenceEnd
                | Event::MappingEnd
        );
        is_content.then_some((event, span))
    });
    next(&mut events).unwrap_or(Node { span: Span::at_start(FileId(0)), kind: NodeKind::Null })
}

/// The next node; where a list or map ends, the place of its end.
fn next<'t>(events: &mut impl Iterator<Item = (Event<'t>, Span)>) -> Result<Node, Span> {
    let Some((event, span)) = events.next() else { return Err(Span::at_start(FileId(0))) };
    // A bracket ends at itself; without brackets the end is that of the last part.
    let ended = |end: Span, last: Option<Span>| match last {
        Some(last) if end.start == end.end => Span { end: last.end, ..span },
        _ => Span { end: end.end, ..span },
    };
    match event {
        Event::Scalar(text, style, ..) => Ok(Node { span, kind: scalar(&text, style, span) }),
        Event::SequenceStart(..) => {
            let mut list: Vec<Node> = Vec::new();
            loop {
                match next(events) {
                    Ok(node) => list.push(node),
                    Err(end) => {
                        let span = ended(end, list.last().map(|node| node.span));
                        return Ok(Node { span, kind: NodeKind::List(list) });
                    }
                }
            }
        }
        Event::MappingStart(..) => {
            let mut entries: Vec<Entry> = Vec::new();
            loop {
                match next(events) {
                    Ok(key) => {
                        let node = next(events).unwrap();
                        entries.push(Entry { key: Spanned::new(key.scalar_text().unwrap(), key.span), node });
                    }
                    Err(end) => {
                        let span = ended(end, entries.last().map(|entry| entry.node.span));
                        return Ok(Node { span, kind: NodeKind::Map(entries) });
                    }
                }
            }
        }
        _ => Err(span),
    }
}

fn scalar(text: &str, style: ScalarStyle, span: Span) -> NodeKind {
    let plain = style == ScalarStyle::Plain;
    match text {
        "null" | "~" | "" if plain => NodeKind::Null,
        "true" | "false" if plain => NodeKind::Bool(text == "true"),
        _ => match Number::parse(text) {
            Some(number) if plain => NodeKind::Number(number),
            _ => {
                let form = match (span.end - span.start) as usize - text.len() {
                    0 => Form::Plain,
                    2 => Form::Quoted,
                    _ => Form::Pieces(Box::new([])),
                };
                NodeKind::Text { text: text.to_owned(), form }
            }
        },
    }
}

/// Answers that never change.
pub(crate) struct Answers {
    pub(crate) values: BTreeMap<&'static str, Value>,
    pub(crate) chance: Chance,
}

impl Default for Answers {
    fn default() -> Self {
        let order = r#"{"id":17,"total":19.90,"items":[{"sku":"A1"}],"note":null}"#;
        let values = [
            ("order", seam_value::parse(order).unwrap()),
            ("name", Value::text("ann")),
            ("price", seam_value::parse("19.90").unwrap()),
            ("xs", seam_value::parse("[1,2,3]").unwrap()),
            ("paid", Value::Bool(true)),
            ("package", Value::text("small")),
        ];
        Self { values: values.into(), chance: Chance::new(7, "test") }
    }
}

impl Names for Answers {
    fn get(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned()
    }

    fn component(&self, path: &str) -> Option<String> {
        match path {
            "api.url" => Some("http://127.0.0.1:4000".to_owned()),
            "stock-import.url" => Some("http://127.0.0.1:4001".to_owned()),
            _ => None,
        }
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }

    fn now(&self) -> jiff::Timestamp {
        "2026-01-31T12:00:00.250123Z".parse().unwrap()
    }

    fn env(&self, name: &str) -> Option<String> {
        (name == "STAGE").then(|| "local".to_owned())
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "data/note.txt" => Ok(b"a note".to_vec()),
            "schemas/order.json" => Ok(br#"{"type":"object","required":["id"]}"#.to_vec()),
            _ => Err("there is no such file".to_owned()),
        }
    }
}

/// Works out an expression that has no mistakes.
#[allow(dead_code, reason = "the tests of `matcher` only need the rest")]
pub(crate) fn evaluate(text: &str, names: &dyn Names) -> Result<Value, EvalError> {
    let place = |from: usize, length: usize| Span {
        file: FileId(0),
        start: u32::try_from(from).unwrap(),
        end: u32::try_from(from + length).unwrap(),
    };
    match Expression::parse(text, &place) {
        Ok(expression) => expression.evaluate(names),
        Err(diagnostic) => panic!("{text}: {}", diagnostic.title),
    }
}
