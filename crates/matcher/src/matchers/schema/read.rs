//! From a value to a compiled JSON Schema, with every mistake at its place in it.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use seam_diag::{Diagnostic, Severity, Span, did_you_mean};
use seam_expr::{below, to_lossy_json};
use seam_model::{Node, NodeKind};
use seam_value::Value;

/// The types that JSON Schema knows.
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Something that is wrong in a schema.
#[derive(Clone, Debug)]
pub(super) struct Mistake {
    pub(super) severity: Severity,
    /// The names that lead to it.
    pub(super) path: Vec<String>,
    /// Is it the last name itself?
    pub(super) is_key: bool,
    /// What is wrong, to stand beneath a caret.
    pub(super) label: String,
    pub(super) hint: Option<String>,
}

impl Mistake {
    /// Without its place.
    pub(super) fn diagnostic(&self, title: &str) -> Diagnostic {
        let diagnostic = match self.severity {
            Severity::Error => Diagnostic::error(title),
            Severity::Warning => Diagnostic::warning("a word that JSON Schema does not know"),
        };
        match &self.hint {
            Some(hint) => diagnostic.hint(hint.as_str()),
            None => diagnostic,
        }
    }

    /// In one line, where no caret can stand in the schema.
    pub(super) fn line(&self) -> String {
        let path = self.path.iter().fold(String::new(), |path, name| below(&path, name));
        if path.is_empty() { self.label.clone() } else { format!("{path}: {}", self.label) }
    }
}

/// Compiles a schema. Without a validator there is at least one mistake.
pub(super) fn compile(schema: &Value) -> (Option<Validator>, Vec<Mistake>) {
    let theirs = to_lossy_json(schema);
    let mut mistakes = Vec::new();
    if let Ok(meta) = jsonschema::meta::validator_for(&theirs) {
        mistakes.extend(meta.iter_errors(&theirs).map(|error| mistake(&error)));
    }
    if !mistakes.is_empty() {
        return (None, mistakes);
    }
    match jsonschema::options().should_validate_formats(true).build(&theirs) {
        Ok(validator) => (Some(validator), mistakes),
        Err(error) => (None, vec![mistake(&error)]),
    }
}

fn mistake(error: &ValidationError<'_>) -> Mistake {
    let mut path = names(error);
    let instance = error.instance();
    let is_wrong = |name: &str| !TYPES.contains(&name);
    let several = instance.as_array().into_iter().flatten().enumerate();
    let wrong = match path.iter().rev().take(2).position(|name| name == "type") {
        None => None,
        Some(_) => instance.as_str().filter(|name| is_wrong(name)).map(|name| (None, name)).or_else(|| {
            let mut several = several.filter_map(|(index, name)| Some((Some(index), name.as_str()?)));
            several.find(|(_, name)| is_wrong(name))
        }),
    };
    let Some((index, name)) = wrong else {
        let label = message(error, 160);
        return Mistake { severity: Severity::Error, path, is_key: false, label, hint: None };
    };
    path.extend(index.map(|index| index.to_string()));
    let hint = match did_you_mean(name, TYPES) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there is {}", TYPES.join(", ")),
    };
    let label = format!("`{name}` is no type");
    Mistake { severity: Severity::Error, path, is_key: false, label, hint: Some(hint) }
}

/// What is wrong, in one line.
pub(super) fn message(error: &ValidationError<'_>, most: usize) -> String {
    let text = match error.kind() {
        ValidationErrorKind::Referencing(error) => reference(&error.to_string()),
        ValidationErrorKind::Required { property } => {
            format!("`{}` is missing", property.as_str().unwrap_or_default())
        }
        _ => error.to_string(),
    };
    let text = text.lines().next().unwrap_or_default();
    let short: String = text.chars().take(most).collect();
    if short.len() < text.len() { format!("{short} …") } else { short }
}

/// What is wrong with a `$ref` or `$schema`, shorter than the library says it.
fn reference(text: &str) -> String {
    let quoted = text.split('\'').nth(1).unwrap_or_default();
    if text.starts_with("Resource") {
        format!("`{quoted}` is another file; references to other files are not followed")
    } else if text.starts_with("Unknown meta-schema") {
        format!("`{quoted}` is no draft of JSON Schema that is known")
    } else {
        format!("a reference leads nowhere: {text}")
    }
}

/// The names that lead to what an error is about.
pub(super) fn names(error: &ValidationError<'_>) -> Vec<String> {
    let pointer = error.instance_path().to_string();
    pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
}

/// Where a part of a written schema stands.
pub(super) fn place_of(node: &Node, path: &[String], is_key: bool) -> Span {
    let mut place = node.span;
    let mut node = node;
    for (index, name) in path.iter().enumerate() {
        let next = match &node.kind {
            NodeKind::Map(entries) => {
                let entry = entries.iter().find(|entry| entry.key.value == *name);
                let is_last = index + 1 == path.len();
                entry.map(|entry| {
                    (&entry.node, if is_key && is_last { entry.key.span } else { entry.node.span })
                })
            }
            NodeKind::List(list) => {
                let element = name.parse().ok().and_then(|index: usize| list.get(index));
                element.map(|element| (element, element.span))
            }
            _ => None,
        };
        let Some((inner, span)) = next else { break };
        (node, place) = (inner, span);
    }
    place
}
