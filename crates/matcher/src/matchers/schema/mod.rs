//! `schema: schemas/order.json`: the value fits a JSON Schema.

mod keywords;
mod read;

use crate::kind::{Finding, Kind, Matcher, ReadFile, Scene, wrong};
use jsonschema::Validator;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::{EvalError, NameUse, Template, below, to_lossy_json};
use seam_model::{Node, NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "A file of JSON (relative to the folder of `seam.yaml`), or the schema itself as a map, in which everything is \
               literal, `$ref` included. Drafts 4 to 2020-12 are known, without `$schema` it is 2020-12; `format` is \
               checked. References to other files are not followed. As JSON Schema has it `1.0` is an integer here. \
               Numbers of more than 64 bits are looked at as floats.",
        subject: Shape::Either(&[Shape::Text, Shape::MapOf(&Shape::Any)]),
        example: "# body: {\"id\": 17, \"state\": \"paid\"}\n\
                  expect:\n  body:\n    schema:\n      type: object\n      required: [id, state]\n      \
                  properties: { id: { type: integer }, state: { enum: [open, paid] } }\n",
        ..Word::new("schema", "the value fits a JSON Schema")
    },
    read,
};

/// How many errors are shown.
const MAX_SHOWN: usize = 10;
/// How many characters of an error are shown.
const MAX_LENGTH: usize = 200;

#[derive(Debug)]
enum Schema {
    Written(Box<Validator>),
    Named(Named),
}

/// The path of a file, or a variable whose value is a schema.
#[derive(Debug)]
struct Named {
    template: Template,
    /// The schema that was compiled last: most often it is the same for each of a thousand tests.
    last: Mutex<Option<(Value, Arc<Validator>)>>,
}

fn read(node: &Node, found: &mut Diagnostics) -> Option<Arc<dyn Matcher>> {
    match &node.kind {
        NodeKind::Map(_) => {
            let schema = node.to_value();
            let (validator, mistakes) = read::compile(&schema);
            for mistake in mistakes.into_iter().chain(keywords::unknown(&schema)) {
                let place = read::place_of(node, &mistake.path, mistake.is_key);
                found.push(mistake.diagnostic("this is no JSON Schema").at(place, mistake.label.clone()));
            }
            Some(Arc::new(Schema::Written(Box::new(validator?))))
        }
        NodeKind::Text { .. } => {
            let template = Template::read(node, found);
            Some(Arc::new(Schema::Named(Named { template, last: Mutex::new(None) })))
        }
        _ => {
            found.push(wrong("schema", "a file, or a schema as a map", node));
            None
        }
    }
}

impl Named {
    /// The schema as it is now, compiled.
    fn validator(&self, scene: &Scene<'_>) -> Result<Arc<Validator>, EvalError> {
        let failed = |message: String| EvalError { span: self.template.span(), message, hint: None };
        let schema = match self.template.render(scene.names)? {
            Value::Text(path) => {
                let bytes = scene
                    .names
                    .file(&path)
                    .map_err(|reason| failed(format!("`{path}` can't be read: {reason}")))?;
                parse(&bytes).map_err(|reason| failed(format!("`{path}` {reason}")))?
            }
            schema => schema,
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, validator)) = last.as_ref().filter(|(known, _)| *known == schema) {
            return Ok(Arc::clone(validator));
        }
        match read::compile(&schema) {
            (Some(validator), _) => {
                let validator = Arc::new(validator);
                *last = Some((schema, Arc::clone(&validator)));
                Ok(validator)
            }
            (None, mistakes) => {
                let reason = mistakes.first().map(read::Mistake::line).unwrap_or_default();
                Err(failed(format!("this is no JSON Schema: {reason}")))
            }
        }
    }

    /// The path of the file, where no variable stands in it.
    fn path(&self) -> Option<&str> {
        self.template.as_literal().and_then(Value::as_text)
    }
}

/// Reads a file's bytes; the error follows the file's name.
fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is no text".to_owned())?;
    seam_value::parse(text.trim_start_matches('\u{feff}')).map_err(|error| format!("is no JSON: {error}"))
}

impl Matcher for Schema {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let named;
        let validator = match self {
            Self::Written(validator) => &**validator,
            Self::Named(schema) => match schema.validator(scene) {
                Ok(validator) => {
                    named = validator;
                    &*named
                }
                Err(error) => return error.into(),
            },
        };
        let instance = to_lossy_json(actual);
        let (mut errors, mut n) = (Vec::new(), 0);
        for error in validator.iter_errors(&instance) {
            n += 1;
            if n <= MAX_SHOWN {
                let path =
                    read::names(&error).iter().fold(scene.path.to_owned(), |path, name| below(&path, name));
                errors.push(format!("{path}: {}", read::message(&error, MAX_LENGTH)));
            }
        }
        if n > MAX_SHOWN {
            errors.push(format!("… and {} more", n - MAX_SHOWN));
        }
        Finding::when(n == 0, || match n {
            1 => "does not fit the schema".to_owned(),
            n => format!("does not fit the schema in {n} places"),
        })
        .detailed(|| errors)
    }

    fn names(&self) -> Vec<NameUse> {
        match self {
            Self::Written(_) => Vec::new(),
            Self::Named(schema) => schema.template.names(),
        }
    }

    fn check_files(&self, read: ReadFile<'_>, found: &mut Diagnostics) {
        let Self::Named(schema) = self else { return };
        let Some(path) = schema.path() else { return };
        let wrong = |reason: String| {
            Diagnostic::error(format!("the schema `{path}` can't be used")).at(schema.template.span(), reason)
        };
        match read(path).and_then(|bytes| parse(&bytes)) {
            Err(reason) => found.push(wrong(reason)),
            Ok(value) => {
                let (_, mistakes) = read::compile(&value);
                for mistake in mistakes.into_iter().chain(keywords::unknown(&value)) {
                    let title = format!("the schema `{path}` can't be used");
                    found.push(mistake.diagnostic(&title).at(schema.template.span(), mistake.line()));
                }
            }
        }
    }

    fn files(&self) -> Vec<(String, Span)> {
        match self {
            Self::Named(schema) => {
                schema.path().map(|path| (path.to_owned(), schema.template.span())).into_iter().collect()
            }
            Self::Written(_) => Vec::new(),
        }
    }
}
