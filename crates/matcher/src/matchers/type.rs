//! `type: integer`: the kind of a value.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use crate::show::short;
use seam_diag::{Diagnostic, Diagnostics, did_you_mean};
use seam_model::{Node, NodeKind, Shape, Word};
use seam_value::{Kind as ValueKind, Value};
use std::sync::Arc;

const NAMES: &[&str] = &["null", "boolean", "integer", "number", "string", "array", "object"];

/// All words that may be written.
const WORDS: &[&str] =
    &["null", "boolean", "integer", "number", "string", "array", "object", "text", "list", "map"];

/// What these files call a value elsewhere, and what JSON Schema calls it.
const SAME: &[(&str, &str)] = &[("text", "string"), ("list", "array"), ("map", "object")];

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "One of `null boolean integer number string array object`, or a list of those that will do. `integer` looks \
               at the written form: `1.0` is a `number` and no `integer`; an integer is a `number` too. `text`, `list` and \
               `map` are other words for `string`, `array` and `object`.",
        subject: Shape::Either(&[Shape::OneOf(WORDS), Shape::List(&Shape::OneOf(WORDS))]),
        example: "# body: {\"id\": 17, \"total\": 19.90, \"note\": null}\n\
                  expect:\n  body.id: { type: integer }\n  body.total: { type: number }\n  body.note: { type: [string, \"null\"] }\n",
        ..Word::new("type", "the kind of the value: integer, string, array …")
    },
    read,
};

#[derive(Debug)]
struct Type {
    names: Vec<&'static str>,
}

fn read(node: &Node, found: &mut Diagnostics) -> Option<Arc<dyn Matcher>> {
    let nodes = match &node.kind {
        NodeKind::List(list) if !list.is_empty() => list.iter().collect(),
        _ => vec![node],
    };
    let names: Option<Vec<&'static str>> = nodes.into_iter().map(|node| read_name(node, found)).collect();
    Some(Arc::new(Type { names: names? }))
}

fn read_name(node: &Node, found: &mut Diagnostics) -> Option<&'static str> {
    if matches!(node.kind, NodeKind::List(_) | NodeKind::Map(_)) {
        found.push(wrong("type", "the name of a type, or a list of names", node));
        return None;
    }
    let text = if node.is_null() { "null".to_owned() } else { node.scalar_text().unwrap_or_default() };
    let same = SAME.iter().find(|(name, _)| *name == text).map_or(text.as_str(), |(_, meant)| meant);
    let known = NAMES.iter().find(|name| **name == same).copied();
    if known.is_none() {
        let meant = match text.as_str() {
            "str" => Some("string"),
            "dict" => Some("object"),
            "bool" => Some("boolean"),
            "int" => Some("integer"),
            "float" | "double" | "decimal" => Some("number"),
            other => did_you_mean(other, NAMES.iter().copied()),
        };
        let diagnostic = Diagnostic::error(format!("`{text}` is no type")).at(node.span, "");
        found.push(match meant {
            Some(meant) => diagnostic.hint(format!("did you mean `{meant}`?")),
            None => diagnostic.hint(format!("there is {}", NAMES.join(", "))),
        });
    }
    known
}

impl Matcher for Type {
    fn judge(&self, actual: &Value, _: &Scene<'_>) -> Finding {
        let kind = actual.kind();
        let fits = |name: &&str| *name == kind.name() || (*name == "number" && kind == ValueKind::Integer);
        let expected = match self.names.as_slice() {
            [only] => Value::text(*only),
            several => Value::from(several.to_vec()),
        };
        Finding::when(self.names.iter().any(fits), || format!("actual: {} ({})", kind.name(), short(actual)))
            .expecting(expected)
    }
}
