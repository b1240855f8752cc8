//! `schema: schemas/order.json`: the value fits a JSON Schema.

use crate::kind::{Finding, Kind, Matcher, Scene, wrong};
use jsonschema::Validator;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::{EvalError, NameUse, Template, to_lossy_json};
use seam_model::{Node, NodeKind, Shape, Word};
use seam_value::Value;
use std::sync::Arc;

pub(crate) const KIND: Kind = Kind {
    word: Word {
        text: "A file (relative to the folder of `seam.yaml`), or the schema itself as a map, in which everything is \
               literal, `$ref` included. Drafts 4 to 2020-12 are known; `format` is checked. References to other files \
               are not followed. Numbers are looked at as floats where they have more than 64 bits.",
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

#[derive(Debug)]
enum Schema {
    Written(Box<Validator>),
    /// The path of a file, or a variable whose value is a schema.
    Named(Template),
}

fn read(node: &Node, found: &mut Diagnostics) -> Option<Arc<dyn Matcher>> {
    match &node.kind {
        NodeKind::Map(_) => match compile(&node.to_value()) {
            Ok(validator) => Some(Arc::new(Schema::Written(Box::new(validator)))),
            Err(reason) => {
                found.push(Diagnostic::error("this is no JSON Schema").at(node.span, reason));
                None
            }
        },
        NodeKind::Text { .. } => Some(Arc::new(Schema::Named(Template::read(node, found)))),
        _ => {
            found.push(wrong("schema", "a file, or a schema as a map", node));
            None
        }
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    let schema = to_lossy_json(schema);
    jsonschema::options().should_validate_formats(true).build(&schema).map_err(|error| error.to_string())
}

impl Schema {
    /// The schema as it is now, compiled.
    fn named(template: &Template, scene: &Scene<'_>) -> Result<Validator, EvalError> {
        let failed = |message: String| EvalError { span: template.span(), message, hint: None };
        let schema = match template.render(scene.names)? {
            Value::Text(path) => {
                let bytes = scene
                    .names
                    .file(&path)
                    .map_err(|reason| failed(format!("`{path}` can't be read: {reason}")))?;
                let text = String::from_utf8(bytes).map_err(|_| failed(format!("`{path}` is no text")))?;
                seam_value::parse(&text).map_err(|error| failed(format!("`{path}` is no JSON: {error}")))?
            }
            schema => schema,
        };
        compile(&schema).map_err(|reason| failed(format!("this is no JSON Schema: {reason}")))
    }
}

impl Matcher for Schema {
    fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Finding {
        let named;
        let validator = match self {
            Self::Written(validator) => validator,
            Self::Named(template) => match Self::named(template, scene) {
                Ok(validator) => {
                    named = validator;
                    &named
                }
                Err(error) => return error.into(),
            },
        };
        let instance = to_lossy_json(actual);
        let mut errors: Vec<String> = validator
            .iter_errors(&instance)
            .map(|error| {
                let pointer = error.instance_path().to_string().replace('/', ".");
                let message = error.to_string();
                format!("{}{pointer}: {}", scene.path, message.chars().take(200).collect::<String>())
            })
            .collect();
        let n = errors.len();
        errors.truncate(MAX_SHOWN);
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
            Self::Named(template) => template.names(),
        }
    }

    fn files(&self) -> Vec<(String, Span)> {
        match self {
            Self::Named(template) => {
                let path = template.as_literal().and_then(Value::as_text);
                path.map(|path| (path.to_owned(), template.span())).into_iter().collect()
            }
            Self::Written(_) => Vec::new(),
        }
    }
}
