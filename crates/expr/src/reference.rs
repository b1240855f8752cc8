//! Texts of `seam.yaml` in which addresses stand: `${pg.orders.url}`, `${self.address}`, `${env.LOG:-info}`.
//!
//! These are references, never expressions: where one points is known before anything starts, and a seam is read
//! off from it. `$$` is a dollar; a `$` before anything but `{` is itself, so that templates of other programs' files
//! keep theirs.

use crate::scan::{Part, parts};
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Node, NodeKind};

/// A text in which references may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceText {
    /// Where it stands.
    pub span: Span,
    /// Its parts in order; none where it is empty.
    pub pieces: Vec<ReferencePiece>,
}

/// A part of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferencePiece {
    /// Text as it is.
    Text(String),
    /// `${ … }`
    Reference(Reference),
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What it points to.
    pub target: Target,
    /// What stands there where the target is not set or empty: `:-info`.
    pub default: Option<String>,
    /// From the `$` to the `}`.
    pub span: Span,
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `${pg.orders.url}`: a property of a component, or of one of its endpoints or databases.
    Component {
        /// The component's name.
        component: String,
        /// The endpoint or database; none for the endpoint without a name.
        endpoint: Option<String>,
        /// `url`, `address`, `port` …
        property: String,
    },
    /// `${self.rpc.address}`: a property of the component in which it stands.
    Own {
        /// The endpoint; none for the one without a name.
        endpoint: Option<String>,
        /// `url`, `address`, `port` …
        property: String,
    },
    /// `${env.HOME}`: a variable of the environment of `seam` itself, or of `.env`.
    Env(String),
    /// `${secret.paygate_key}`: a secret that `seam.yaml` declares.
    Secret(String),
}

impl ReferenceText {
    /// Reads a node, which must be a text, a number or a boolean; nothing at all is an empty text.
    pub fn read(node: &Node, found: &mut Diagnostics) -> Self {
        let text = match &node.kind {
            NodeKind::Null => String::new(),
            _ => node.scalar_text().unwrap_or_else(|| {
                let label = format!("this is {}", node.kind_name());
                found.push(Diagnostic::error("a text is needed here").at(node.span, label));
                String::new()
            }),
        };
        Self::parse(&text, node.span, &|from, length| node.part(from, length), found)
    }

    /// Reads the text of a file that is rendered with references; `place` says where its parts stand.
    pub fn parse(
        text: &str,
        span: Span,
        place: &dyn Fn(usize, usize) -> Span,
        found: &mut Diagnostics,
    ) -> Self {
        let mut pieces = Vec::new();
        for part in parts(text, |_| None) {
            match part {
                Part::Text(text) => pieces.push(ReferencePiece::Text(text)),
                Part::Braces { offset, inner } => match Reference::parse(inner) {
                    Ok((target, default)) => {
                        let span = place(offset, inner.len() + 3);
                        pieces.push(ReferencePiece::Reference(Reference { target, default, span }));
                    }
                    Err((title, hint)) => {
                        found
                            .push(Diagnostic::error(title).at(place(offset, inner.len() + 3), "").hint(hint));
                    }
                },
                Part::Unclosed { offset } => found.push(
                    Diagnostic::error("`${` is never closed")
                        .at(place(offset, 2), "")
                        .hint("write `}` behind the reference, or `$$` for a plain dollar"),
                ),
                Part::Dollar { .. } => {}
            }
        }
        Self { span, pieces }
    }

    /// Its references.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.pieces.iter().filter_map(|piece| match piece {
            ReferencePiece::Text(_) => None,
            ReferencePiece::Reference(reference) => Some(reference),
        })
    }

    /// The text, where no reference stands in it.
    pub fn as_literal(&self) -> Option<String> {
        self.resolve(|_| None).ok()
    }

    /// Puts the text together. `look` gives the value of a reference, or none where there is none; a default stands
    /// in for none and for an empty value. The error is the first reference that has neither.
    pub fn resolve(&self, look: impl Fn(&Reference) -> Option<String>) -> Result<String, &Reference> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                ReferencePiece::Text(piece) => text.push_str(piece),
                ReferencePiece::Reference(reference) => {
                    let value = match (look(reference), &reference.default) {
                        (Some(value), None) => value,
                        (Some(value), Some(_)) if !value.is_empty() => value,
                        (_, Some(default)) => default.clone(),
                        (None, None) => return Err(reference),
                    };
                    text.push_str(&value);
                }
            }
        }
        Ok(text)
    }
}

impl Reference {
    /// Reads what stands between the braces. The error is a title and a hint.
    fn parse(inner: &str) -> Result<(Target, Option<String>), (String, String)> {
        const FORM: &str =
            "a reference names a component and one of its properties: `${pg.url}`, `${pg.orders.port}`";
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name.trim(), Some(default.to_owned())),
            None => (inner.trim(), None),
        };
        let is_name = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let names: Vec<&str> = name.split('.').collect();
        if !names.iter().all(is_name) {
            let title = if name.is_empty() {
                "a reference is missing here".to_owned()
            } else {
                format!("`{name}` is no reference")
            };
            return Err((title, format!("{FORM}; expressions stand in tests only")));
        }
        let some = |name: &str| Some(name.to_owned());
        let target = match *names.as_slice() {
            ["env", variable] => Target::Env(variable.to_owned()),
            ["secret", secret] => Target::Secret(secret.to_owned()),
            ["secrets", secret] => {
                return Err((
                    "`secrets` is called `secret` here".to_owned(),
                    format!("write `${{secret.{secret}}}`"),
                ));
            }
            ["env" | "secret", ..] => {
                return Err((
                    format!("`{name}` has too many parts"),
                    "write `${env.NAME}` or `${secret.NAME}`".to_owned(),
                ));
            }
            ["self", property] => Target::Own { endpoint: None, property: property.to_owned() },
            ["self", endpoint, property] => {
                Target::Own { endpoint: some(endpoint), property: property.to_owned() }
            }
            [component, property] => Target::Component {
                component: component.to_owned(),
                endpoint: None,
                property: property.to_owned(),
            },
            [component, endpoint, property] => Target::Component {
                component: component.to_owned(),
                endpoint: some(endpoint),
                property: property.to_owned(),
            },
            [variable] if variable.bytes().all(|byte| !byte.is_ascii_lowercase()) => {
                let hint = format!("a variable of the environment is `${{env.{variable}}}`");
                return Err((format!("`{variable}` is no reference"), hint));
            }
            [only] => return Err((format!("`{only}` says no property"), FORM.to_owned())),
            _ => return Err((format!("`{name}` has too many parts"), FORM.to_owned())),
        };
        Ok((target, default))
    }
}

/// As it stands between the braces, without a default.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Component { component, endpoint: Some(endpoint), property } => {
                write!(f, "{component}.{endpoint}.{property}")
            }
            Self::Component { component, endpoint: None, property } => write!(f, "{component}.{property}"),
            Self::Own { endpoint: Some(endpoint), property } => write!(f, "self.{endpoint}.{property}"),
            Self::Own { endpoint: None, property } => write!(f, "self.{property}"),
            Self::Env(name) => write!(f, "env.{name}"),
            Self::Secret(name) => write!(f, "secret.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::yaml;

    fn read(text: &str) -> (ReferenceText, Vec<Diagnostic>) {
        let mut found = Diagnostics::default();
        let read = ReferenceText::read(&yaml(text), &mut found);
        (read, found.into_iter().collect())
    }

    #[test]
    fn references_point_to_what_they_name() {
        for (text, expect) in [
            ("plain", "plain"),
            ("5432", "5432"),
            ("", ""),
            ("${pg.url}", "<pg.url>"),
            ("postgresql://${pg.orders.address}/x", "postgresql://<pg.orders.address>/x"),
            ("'${stock-import.address}'", "<stock-import.address>"),
            ("${self.rpc.address}", "<self.rpc.address>"),
            ("${env.LOG:-info}", "info"),
            ("${env.LOG:-}", ""),
            ("${env.EMPTY:-it's}", "it's"),
            ("${env.HOME:-x}", "<env.HOME>"),
            ("'${secret.paygate_key}'", "<secret.paygate_key>"),
            ("$HOME costs 5$ or $$1", "$HOME costs 5$ or $1"),
            ("a$${b}", "a${b}"),
        ] {
            let (read, found) = read(text);
            assert!(found.is_empty(), "{text}: {found:?}");
            let resolved = read.resolve(|reference| match &reference.target {
                Target::Env(name) if name == "LOG" => None,
                Target::Env(name) if name == "EMPTY" => Some(String::new()),
                target => Some(format!("<{target}>")),
            });
            assert_eq!(resolved, Ok(expect.to_owned()), "{text}");
        }
        let (text, _) = read("${a.url} ${b.url}");
        let missing = text.resolve(|reference| (reference.target.to_string() == "a.url").then(String::new));
        assert_eq!(missing.unwrap_err().target.to_string(), "b.url");
    }

    #[test]
    fn what_is_no_reference_is_told() {
        for (text, place, title, hint) in [
            ("x ${pg}", "${pg}", "`pg` says no property", "a reference names a component"),
            ("${a.b.c.d}", "${a.b.c.d}", "`a.b.c.d` has too many parts", "a reference names a component"),
            ("${LOG}", "${LOG}", "`LOG` is no reference", "a variable of the environment is `${env.LOG}`"),
            ("${secrets.x}", "${secrets.x}", "`secrets` is called `secret` here", "write `${secret.x}`"),
            (
                "'${pg.port + 1}'",
                "${pg.port + 1}",
                "`pg.port + 1` is no reference",
                "a reference names a component",
            ),
            ("${}", "${}", "a reference is missing here", "a reference names a component"),
            ("a ${b.c", "${", "`${` is never closed", "write `}`"),
            ("[1]", "[1]", "a text is needed here", ""),
        ] {
            let (_, found) = read(text);
            let (span, _) = found[0].place.clone().unwrap();
            assert_eq!(&text[span.start as usize..span.end as usize], place, "{text}");
            assert_eq!(found[0].title, title);
            assert!(
                found[0].hint.clone().unwrap_or_default().starts_with(hint),
                "{text}: {:?}",
                found[0].hint
            );
        }
    }
}
