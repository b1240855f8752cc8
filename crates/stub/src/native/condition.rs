//! What a stub asks of one part of a request, and what of it can be looked up instead of tried.

use seam_diag::{Diagnostics, Span};
use seam_expr::{KeyCase, NameUse, Names, Path, Segment};
use seam_matcher::{Judgement, NoSnapshots, Statement};
use seam_model::{Node, NodeKind, Spanned};
use seam_value::Value;

/// One entry of `request`.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// The path as written.
    pub(super) path: Spanned<String>,
    pub(super) statement: Statement,
    /// What it comes to, where that is simple.
    pub(super) known: Known,
    /// The field of the request that it looks at, where it looks at one.
    field: Option<String>,
}

/// What is known of a condition before any request has come.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// The part is this text. Then this is all of the condition.
    Text(Path, String),
    /// The part is a text that begins like this, and there is more to the condition.
    Beginning(Path, String),
    /// Nothing.
    Nothing,
}

impl Condition {
    pub(super) fn read(path: &Spanned<String>, expected: &Node, found: &mut Diagnostics) -> Self {
        let statement = Statement::read(path, expected, found);
        let field = Path::parse(&path.value).ok().map(|path| path.first().to_owned());
        Self { path: path.clone(), statement, known: Known::read(&path.value, expected), field }
    }

    /// The text that it asks a field to be, where it asks for that.
    pub(super) fn text_of(&self, field: &str) -> Option<&str> {
        let Known::Text(path, text) = &self.known else { return None };
        match path.segments() {
            [Segment::Name(name)] if name == field => Some(text),
            _ => None,
        }
    }

    /// A part of the request is a text: for short forms.
    pub(super) fn is_text(path: &str, text: &str, span: Span, found: &mut Diagnostics) -> Self {
        Self::read(&Spanned::new(path.to_owned(), span), &Node::text(text, span), found)
    }

    /// Does it hold?
    pub(super) fn holds(&self, request: &Value, names: &dyn Names) -> bool {
        match &self.known {
            Known::Text(path, text) => locate(path, request).and_then(Value::as_text) == Some(text),
            Known::Beginning(..) | Known::Nothing => self.statement.holds(request, names, &NoSnapshots),
        }
    }

    /// Does it hold, given a request without all that depends on what is still to come of it? None where it may look at
    /// that.
    pub(super) fn holds_by_head(&self, head: &Value, names: &dyn Names) -> Option<bool> {
        let is_known = self.field.as_ref().is_some_and(|field| head.get(field).is_some());
        is_known.then(|| self.holds(head, names))
    }

    /// What of it does not hold, and why.
    pub(super) fn misses(&self, request: &Value, names: &dyn Names) -> Vec<Judgement> {
        let mut judged = self.statement.judge(request, names, &NoSnapshots);
        judged.retain(|one| !one.holds());
        judged
    }

    pub(super) fn names(&self) -> Vec<NameUse> {
        self.statement.names()
    }
}

impl Known {
    fn read(path: &str, expected: &Node) -> Self {
        let Ok(path) = Path::parse(path) else { return Self::Nothing };
        if path.is_many() {
            return Self::Nothing;
        }
        let plain = |node: &Node| node.as_text().filter(|text| !text.contains('$')).map(str::to_owned);
        let NodeKind::Map(entries) = &expected.kind else {
            return plain(expected).map_or(Self::Nothing, |text| Self::Text(path, text));
        };
        for entry in entries {
            let beginning = match entry.key.value.as_str() {
                "starts_with" => plain(&entry.node),
                "equals" if entries.len() == 1 => {
                    return plain(&entry.node).map_or(Self::Nothing, |text| Self::Text(path, text));
                }
                "matches" => entry.node.as_text().and_then(beginning_of_pattern),
                _ => None,
            };
            if let Some(beginning) = beginning.filter(|text| !text.is_empty()) {
                return Self::Beginning(path, beginning);
            }
        }
        Self::Nothing
    }
}

/// The text with which everything begins that an anchored pattern matches.
fn beginning_of_pattern(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix('^')?;
    // A bar anywhere may make another way to begin, and a flag may change what letters mean.
    if rest.contains(['|', '$']) || rest.contains("(?") {
        return None;
    }
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | ' ')))
        .unwrap_or(rest.len());
    let repeats = rest[end..].starts_with(['*', '?', '{', '+']);
    // What may be repeated may be missing too.
    Some(rest[..end - usize::from(repeats && end > 0)].to_owned())
}

/// What a path without `*` leads to, as [`Path::find`] says, without saying why not.
pub(super) fn locate<'v>(path: &Path, value: &'v Value) -> Option<&'v Value> {
    let (mut at, mut case) = (value, KeyCase::Exact);
    for segment in path.segments() {
        let Segment::Name(name) = segment else { return None };
        at = match at {
            Value::Map(map) => case.get(map, name)?,
            Value::List(list) => {
                let index: i64 = name.parse().ok()?;
                let from_start =
                    if index < 0 { i64::try_from(list.len()).ok()?.checked_add(index)? } else { index };
                list.get(usize::try_from(from_start).ok()?)?
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => return None,
        };
        case = case.below(name);
    }
    Some(at)
}
