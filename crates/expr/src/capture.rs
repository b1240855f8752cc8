//! What a step saves of its result: `save: { order: body.id }`, or a part of a text, or the answer to a question.

use crate::expression::Expression;
use crate::find::Found;
use crate::names::{EvalError, NameUse, Names, Way};
use crate::path::Path;
use crate::query::{Language, Query};
use crate::template::Template;
use regex::Regex;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Fields, Node, NodeKind};
use seam_value::Value;

/// Which part of a result is saved.
#[derive(Clone, Debug)]
pub struct Capture {
    span: Span,
    source: Source,
    /// The first group of the first match, or all of it where it has no group.
    matches: Option<(Regex, Span)>,
    default: Option<Template>,
}

#[derive(Clone, Debug)]
enum Source {
    Path(Path),
    Query {
        of: Option<Path>,
        query: Query,
    },
    Expression(Expression),
    /// A mistake was told.
    Nothing,
}

impl Capture {
    /// Reads what stands right of a name in `save`: a path, `${ an expression about the result }`, or a map with
    /// `from`, one of `matches jsonpath xpath css`, and `default`.
    pub fn read(node: &Node, found: &mut Diagnostics) -> Self {
        let nothing = Self { span: node.span, source: Source::Nothing, matches: None, default: None };
        match &node.kind {
            NodeKind::Text { text, .. } if text.trim_start().starts_with("${") => {
                let source =
                    Expression::read(node, "save", found).map_or(Source::Nothing, Source::Expression);
                Self { source, ..nothing }
            }
            NodeKind::Text { .. } | NodeKind::Number(_) => {
                Self { source: read_path(node, found).map_or(Source::Nothing, Source::Path), ..nothing }
            }
            NodeKind::Map(_) => Self::read_map(node, found),
            _ => {
                let label = format!("this is {}", node.kind_name());
                found.push(
                    Diagnostic::error("`save` takes a path")
                        .at(node.span, label)
                        .hint("write `body.id`, or `{ from: body.text, matches: '…' }`"),
                );
                nothing
            }
        }
    }

    fn read_map(node: &Node, found: &mut Diagnostics) -> Self {
        let mut fields = Fields::of(node, "`save`", found);
        let from = fields.take("from");
        let matches = fields.take("matches");
        let default = fields.take("default").map(|node| Template::read(node, found));
        let asked = Language::ALL.map(|language| (language, fields.take(language.key())));
        fields.finish(found);
        let path = from.and_then(|node| read_path(node, found));
        let mut questions = asked.into_iter().filter_map(|(language, node)| Some((language, node?)));
        let source = match (questions.next(), path) {
            (Some((language, question)), of) => {
                if let Some((_, second)) = questions.next() {
                    found.push(Diagnostic::error("only one question at a time").at(second.span, ""));
                }
                read_query(language, question, found)
                    .map_or(Source::Nothing, |query| Source::Query { of, query })
            }
            (None, Some(path)) => Source::Path(path),
            (None, None) => {
                if from.is_none() {
                    found.push(
                        Diagnostic::error("`save` needs `from`")
                            .at(node.span, "")
                            .hint("`from` is the path whose value is saved"),
                    );
                }
                Source::Nothing
            }
        };
        let matches = matches.and_then(|node| read_regex(node, found));
        Self { span: node.span, source, matches, default }
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The names that it mentions.
    pub fn names(&self) -> Vec<NameUse> {
        let mut names = self.default.as_ref().map(Template::names).unwrap_or_default();
        if let Source::Expression(expression) = &self.source {
            names.extend(expression.names(Way::Result));
        }
        names
    }

    /// Is there a value whatever the result is?
    pub fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// What is saved where the step was left out; none without `default`.
    pub fn otherwise(&self, names: &dyn Names) -> Option<Result<Value, EvalError>> {
        self.default.as_ref().map(|default| default.render(names))
    }

    /// Takes the value out of a result.
    pub fn take(&self, result: &Value, names: &dyn Names) -> Result<Value, EvalError> {
        let taken = self.found(result, names).and_then(|value| match &self.matches {
            Some((regex, span)) => self.matched(regex, *span, &value),
            None => Ok(value),
        });
        match (taken, &self.default) {
            (Err(_), Some(default)) => default.render(names),
            (taken, _) => taken,
        }
    }

    fn found(&self, result: &Value, names: &dyn Names) -> Result<Value, EvalError> {
        match &self.source {
            Source::Path(path) => at(path, result, self.span),
            Source::Query { of, query } => {
                let part;
                let subject = match of {
                    Some(path) => {
                        part = at(path, result, self.span)?;
                        &part
                    }
                    None => query.language().subject(result),
                };
                match query.find(subject) {
                    Ok(Some(value)) => Ok(value),
                    Ok(None) => {
                        let message = format!("`{}` finds nothing", query.text());
                        let missing = query.missing(subject);
                        let error = EvalError::new(self.span, message);
                        Err(match missing.hint() {
                            Some(hint) => error.hint(format!("{}; {hint}", missing.message)),
                            None => error,
                        })
                    }
                    Err(reason) => Err(EvalError::new(self.span, reason)),
                }
            }
            Source::Expression(expression) => expression.evaluate_about(result, names),
            Source::Nothing => Err(EvalError::new(self.span, "there is nothing to save")),
        }
    }

    fn matched(&self, regex: &Regex, span: Span, value: &Value) -> Result<Value, EvalError> {
        let text = match value {
            Value::Text(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_plain_text(),
            other => {
                let kind = crate::expression::item::kind_name(other);
                return Err(EvalError::new(
                    self.span,
                    format!("`matches` looks into a text, this is {kind}"),
                ));
            }
        };
        let Some(captures) = regex.captures(&text) else {
            let begin: String = text.chars().take(120).collect();
            let dots = if begin.len() < text.len() { " …" } else { "" };
            return Err(
                EvalError::new(span, "this matches nothing").hint(format!("the text is: {begin}{dots}"))
            );
        };
        let group = captures.get(1).or_else(|| captures.get(0)).map(|group| group.as_str());
        Ok(Value::text(group.unwrap_or_default()))
    }
}

/// The value at a path of a result.
fn at(path: &Path, result: &Value, span: Span) -> Result<Value, EvalError> {
    match path.find(result) {
        Found::Missing(missing) => {
            let error = EvalError::new(span, missing.message.clone());
            Err(match missing.hint() {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
        found => Ok(found.to_value().unwrap_or_default()),
    }
}

fn read_path(node: &Node, found: &mut Diagnostics) -> Option<Path> {
    let Some(text) = node.scalar_text() else {
        let label = format!("this is {}", node.kind_name());
        found.push(Diagnostic::error("a path is needed here").at(node.span, label));
        return None;
    };
    if let Some(name) = text.strip_prefix('$') {
        found.push(
            Diagnostic::error("a path names a field of the result, not a variable")
                .at(node.span, "")
                .hint(format!("write `{name}`, or `${{{name}}}` for the variable")),
        );
        return None;
    }
    match Path::parse(&text) {
        Ok(path) => Some(path),
        Err(error) => {
            let diagnostic = Diagnostic::error(error.message).at(node.part(error.offset, error.length), "");
            found.push(match error.hint {
                Some(hint) => diagnostic.hint(hint),
                None => diagnostic,
            });
            None
        }
    }
}

fn read_query(language: Language, node: &Node, found: &mut Diagnostics) -> Option<Query> {
    let Some(text) = node.as_text() else {
        let label = format!("this is {}", node.kind_name());
        found.push(Diagnostic::error(format!("`{}` takes a text", language.key())).at(node.span, label));
        return None;
    };
    Query::parse(language, text, &|from, length| node.part(from, length))
        .map_err(|error| found.push(*error))
        .ok()
}

fn read_regex(node: &Node, found: &mut Diagnostics) -> Option<(Regex, Span)> {
    let Some(text) = node.as_text() else {
        let label = format!("this is {}", node.kind_name());
        found.push(Diagnostic::error("`matches` takes a regular expression").at(node.span, label));
        return None;
    };
    match Regex::new(text) {
        Ok(regex) => Some((regex, node.span)),
        Err(error) => {
            found.push(regex_error(&error, node));
            None
        }
    }
}

/// What is wrong with a regular expression, in one line.
pub fn regex_error(error: &regex::Error, node: &Node) -> Diagnostic {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Diagnostic::error("this is no regular expression").at(node.span, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answers, yaml};

    fn result() -> Value {
        seam_value::parse(
            r#"{"status":200,"body":{"id":17,"items":[{"sku":"A1"},{"sku":"B2"}]},
                "text":"<a href='/c'>go</a>","mails":[{"text":"See https://shop.test/c/9f for 2 items"}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn takes_what_is_there() {
        for (node, expect) in [
            ("body.id", "17"),
            ("body.items.*.sku", "[\"A1\",\"B2\"]"),
            ("body", "{\"id\":17,\"items\":[{\"sku\":\"A1\"},{\"sku\":\"B2\"}]}"),
            ("{ from: mails.0.text, matches: 'https?://\\S+' }", "\"https://shop.test/c/9f\""),
            ("{ from: mails.0.text, matches: '/c/(\\w+)' }", "\"9f\""),
            ("{ from: body.id, matches: '^1' }", "\"1\""),
            ("{ jsonpath: '$.items[?@.sku == \"B2\"].sku' }", "[\"B2\"]"),
            ("{ css: a@href }", "\"/c\""),
            ("{ from: text, xpath: //a }", "\"go\""),
            ("{ from: body.nothing, default: $order.id }", "17"),
            ("{ from: mails.0.text, matches: 'none(.)', default: null }", "null"),
            ("'${body.id + status}'", "217"),
        ] {
            let mut found = Diagnostics::default();
            let capture = Capture::read(&yaml(node), &mut found);
            assert!(found.is_empty(), "{node}: {found:?}");
            let taken = capture.take(&result(), &Answers::default());
            assert_eq!(taken.map(|value| value.to_string()).as_deref(), Ok(expect), "{node}");
        }
    }

    #[test]
    fn what_can_not_be_taken_says_why() {
        for (node, message, hint) in [
            ("body.idd", "`body` has no `idd`", "did you mean `body.id`?"),
            (
                "{ from: mails.0.text, matches: 'x(y)' }",
                "this matches nothing",
                "the text is: See https://shop.test/c/9f for 2 items",
            ),
            ("{ from: body, matches: a }", "`matches` looks into a text, this is a map", ""),
            (
                "{ jsonpath: '$.items[0].skuu' }",
                "`$.items[0].skuu` finds nothing",
                "`items.0` has no `skuu`; did you mean `items.0.sku`?",
            ),
            ("{ css: p }", "`p` finds nothing", ""),
        ] {
            let capture = Capture::read(&yaml(node), &mut Diagnostics::default());
            let error = capture.take(&result(), &Answers::default()).expect_err(node);
            assert_eq!((error.message.as_str(), error.hint.as_deref().unwrap_or_default()), (message, hint));
        }
    }

    #[test]
    fn mistakes_are_told_when_it_is_read() {
        for (node, title) in [
            ("body..id", "a name is missing here"),
            ("$order", "a path names a field of the result, not a variable"),
            ("[1]", "`save` takes a path"),
            ("{ matches: a }", "`save` needs `from`"),
            ("{ from: body, matches: '(' }", "this is no regular expression"),
            ("{ from: body, machtes: a }", "unknown key `machtes` in `save`"),
            ("{ xpath: '//[' }", "this is no xpath"),
            ("{ xpath: a, css: a }", "only one question at a time"),
        ] {
            let mut found = Diagnostics::default();
            Capture::read(&yaml(node), &mut found);
            let titles: Vec<String> = found.into_iter().map(|diagnostic| diagnostic.title).collect();
            assert_eq!(titles, [title], "{node}");
        }
    }
}
