//! One entry of an `expect`: a path with what is expected there, or a special key with many of them.

use crate::kind::{Finding, Scene};
use crate::matchers::that::That;
use crate::rule::{Check, Rule};
use crate::snapshots::Snapshots;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_event::{Judged, Outcome};
use seam_expr::{Found, KeyCase, Language, Missing, NameUse, Names, Path, Query};
use seam_model::{Expectation, Node, NodeKind, Spanned};
use seam_value::Value;
use std::sync::Arc;

/// A statement about a result, to be judged as often as is wanted.
#[derive(Clone, Debug)]
pub struct Statement {
    parts: Vec<Part>,
}

/// A place in the result with what is expected there.
#[derive(Clone, Debug)]
struct Part {
    /// The place as written: `body.total`, `jsonpath $.total`.
    path: String,
    subject: Subject,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Subject {
    Path(Path),
    Query(Query),
    /// The result itself.
    Whole,
}

/// What came of one matcher at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The path as written.
    pub path: String,
    /// The matcher's name; a plain value is `equals`.
    pub matcher: &'static str,
    /// Did it hold?
    pub outcome: Outcome,
    /// What was expected, as far as that is a value.
    pub expected: Option<Value>,
    /// What was there; none where nothing was.
    pub actual: Option<Value>,
    /// One line to stand beneath the caret; empty where it held.
    pub message: String,
    /// Further lines: a difference, the nearest path that is there.
    pub details: Vec<String>,
    /// Where the caret belongs.
    pub span: Span,
}

impl Judgement {
    /// Did it hold?
    pub fn holds(&self) -> bool {
        self.outcome == Outcome::Held
    }

    /// As it goes into the History. `written` by the user, or expected unsaid; `soft`: the test goes on.
    pub fn into_judged(self, written: bool, soft: bool) -> Judged {
        Judged {
            path: self.path,
            matcher: self.matcher.to_owned(),
            outcome: self.outcome,
            written,
            soft,
            expected: self.expected,
            actual: self.actual,
            message: self.message,
            details: self.details,
            place: self.span.into(),
        }
    }
}

impl Statement {
    /// Reads one expectation of a step.
    pub fn of(expectation: &Expectation, found: &mut Diagnostics) -> Self {
        Self::read(&expectation.path, &expectation.expected, found)
    }

    /// Reads a path (or `jsonpath`, `xpath`, `css`, `that`) and what stands right of it.
    pub fn read(path: &Spanned<String>, expected: &Node, found: &mut Diagnostics) -> Self {
        if let Some(language) = Language::ALL.into_iter().find(|language| language.key() == path.value) {
            return Self { parts: read_queries(language, expected, found) };
        }
        if path.value == "that" {
            let matcher = That::read(expected, found).map(|that| Arc::new(that) as Arc<_>);
            let check = |matcher| Check { name: "that", span: expected.span, matcher };
            let rule = Rule { checks: matcher.map(check).into_iter().collect() };
            return Self { parts: vec![Part { path: "that".to_owned(), subject: Subject::Whole, rule }] };
        }
        let rule = Rule::read(expected, &path.value, found);
        match Path::parse(&path.value) {
            Ok(read) => {
                Self { parts: vec![Part { path: path.value.clone(), subject: Subject::Path(read), rule }] }
            }
            Err(error) => {
                let length = u32::try_from(path.value.len()).unwrap_or(u32::MAX);
                // The key's bytes are those of the file unless it was quoted; then all of it is pointed at.
                let exact = path.span.end - path.span.start == length;
                let span = if exact { path.span.part(error.offset, error.length) } else { path.span };
                let diagnostic = Diagnostic::error(error.message).at(span, "");
                found.push(match error.hint {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                });
                Self { parts: Vec::new() }
            }
        }
    }

    /// The first names of its paths, for whoever checks that the step's result has such fields.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match &part.subject {
            Subject::Path(path) => Some(path.first()),
            Subject::Query(_) | Subject::Whole => None,
        })
    }

    /// All names that it mentions.
    pub fn names(&self) -> Vec<NameUse> {
        self.parts.iter().flat_map(|part| part.rule.names()).collect()
    }

    /// Tells what is wrong in the files that it will read (the schemas): they are missing, or are none. `read` gives a
    /// file by its path as written, or one line that says why it can't be read.
    pub fn check_files(&self, read: &dyn Fn(&str) -> Result<Vec<u8>, String>, found: &mut Diagnostics) {
        self.parts.iter().for_each(|part| part.rule.check_files(read, found));
    }

    /// The files that it will read, with the places where they are named.
    pub fn files(&self) -> Vec<(String, Span)> {
        self.parts.iter().flat_map(|part| part.rule.files()).collect()
    }

    /// Judges a result: one judgement for each matcher at each path. Never panics, whatever the value is.
    pub fn judge(&self, result: &Value, names: &dyn Names, snapshots: &dyn Snapshots) -> Vec<Judgement> {
        self.parts.iter().flat_map(|part| part.judge(result, names, snapshots)).collect()
    }

    /// Does all of it hold?
    pub fn holds(&self, result: &Value, names: &dyn Names, snapshots: &dyn Snapshots) -> bool {
        self.judge(result, names, snapshots).iter().all(Judgement::holds)
    }
}

impl Part {
    fn judge(&self, result: &Value, names: &dyn Names, snapshots: &dyn Snapshots) -> Vec<Judgement> {
        let (case, is_many) = match &self.subject {
            Subject::Path(path) => (KeyCase::of(path.segments()), path.is_many()),
            Subject::Query(query) => (KeyCase::Payload, query.is_many()),
            Subject::Whole => (KeyCase::Exact, false),
        };
        let scene = Scene { names, snapshots, path: &self.path, case, is_many };
        let (actual, judged) = match self.subject.find(result) {
            Ok(actual) => {
                let judged = self.rule.judge(&actual, &scene);
                (Some(actual), judged)
            }
            Err(missing) => (None, self.rule.judge_missing(&missing)),
        };
        let judgement = |(check, finding): (&Check, Finding)| Judgement {
            path: self.path.clone(),
            matcher: check.name,
            outcome: finding.outcome,
            expected: finding.expected,
            actual: actual.clone(),
            message: finding.message,
            details: finding.details,
            span: finding.at.unwrap_or(check.span),
        };
        judged.into_iter().map(judgement).collect()
    }
}

impl Subject {
    fn find(&self, result: &Value) -> Result<Value, Missing> {
        match self {
            Self::Whole => Ok(result.clone()),
            Self::Path(path) => match path.find(result) {
                Found::Missing(missing) => Err(missing),
                found => Ok(found.to_value().unwrap_or_default()),
            },
            Self::Query(query) => {
                let subject = query.language().subject(result);
                match query.find(subject) {
                    Ok(Some(value)) => Ok(value),
                    Ok(None) => Err(query.missing(subject)),
                    Err(reason) => Err(Missing::nowhere(reason)),
                }
            }
        }
    }
}

/// Reads a map of questions with what is expected of their answers.
fn read_queries(language: Language, node: &Node, found: &mut Diagnostics) -> Vec<Part> {
    let key = language.key();
    let NodeKind::Map(entries) = &node.kind else {
        let label = format!("this is {}", node.kind_name());
        found.push(
            Diagnostic::error(format!("`{key}` takes a map of questions with what is expected"))
                .at(node.span, label)
                .hint(format!("write `{key}: {{ \"…\": value }}`")),
        );
        return Vec::new();
    };
    let mut parts = Vec::new();
    for entry in entries {
        let span = entry.key.span;
        let exact = (span.end - span.start) as usize == entry.key.value.len();
        let place = |from: usize, length: usize| if exact { span.part(from, length) } else { span };
        let path = format!("{key} {}", entry.key.value);
        let rule = Rule::read(&entry.node, &path, found);
        match Query::parse(language, &entry.key.value, &place) {
            Ok(query) => parts.push(Part { path, subject: Subject::Query(query), rule }),
            Err(diagnostic) => found.push(*diagnostic),
        }
    }
    parts
}
