//! Fixtures and flows, and what needs them.

use crate::names::check_variable;
use crate::step::{SIGN_IN_KEYS, read_signs_in, read_steps};
use crate::unknown;
use crate::vocabulary::Vocabulary;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Entry, Field, Fields, Fixture, Flow, Need, Node, NodeKind, Scope, Shape, Spanned, Take};

/// The keys of a fixture.
pub const FIXTURE_KEYS: &[Field] = &[
    Field::optional("scope", Shape::OneOf(SCOPES), "how long it lives; `test` where nothing is said"),
    Field::optional("takes", TAKES, "names that it takes, with defaults"),
    Field::optional("needs", NEEDS, "fixtures that it needs itself"),
    Field::optional("steps", Shape::Steps, "what sets it up"),
    Field::optional(
        "gives",
        Shape::MapOf(&Shape::Any),
        "the only names that come out of it, with their values",
    ),
    Field::optional("signs_in", Shape::Fields(SIGN_IN_KEYS), "what its actor sends from then on"),
    Field::optional("cleanup", Shape::Steps, "steps that run when it is no longer needed, whatever happened"),
];

/// The keys of a flow.
pub const FLOW_KEYS: &[Field] = &[
    Field::optional("takes", TAKES, "names that it takes, with defaults"),
    Field::required("steps", Shape::Steps, "its steps"),
    Field::optional(
        "gives",
        Shape::MapOf(&Shape::Any),
        "the only names that come out of it, with their values",
    ),
];

const SCOPES: &[&str] = &["test", "file", "run"];

/// Names, some with defaults.
const TAKES: Shape = Shape::List(&Shape::Either(&[Shape::Text, Shape::MapOf(&Shape::Any)]));

/// Names of fixtures, some with values for what they take.
pub(crate) const NEEDS: Shape = Shape::List(&Shape::Either(&[Shape::Text, Shape::MapOf(&Shape::Any)]));

/// Reads the fixtures of a file.
pub(super) fn read_fixtures(
    entries: &[Entry],
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Vec<Fixture> {
    let read = |entry: &Entry, found: &mut Diagnostics| {
        let name = entry.key.clone();
        let owner = format!("the fixture `{}`", name.value);
        let mut fields = Fields::of(&entry.node, owner.as_str(), found);
        let fixture = Fixture {
            name,
            scope: read_scope(&mut fields, found),
            takes: read_takes(fields.take("takes"), found),
            needs: read_needs(&mut fields, found),
            steps: read_steps(fields.list("steps", found), vocabulary, found),
            gives: pairs(fields.map("gives", found), found),
            signs_in: read_signs_in(fields.take("signs_in"), found),
            cleanup: read_steps(fields.list("cleanup", found), vocabulary, found),
        };
        unknown::tell_keys(fields.rest(), &owner, &[FIXTURE_KEYS], found);
        fixture
    };
    entries.iter().map(|entry| read(entry, found)).collect()
}

/// Reads the flows of a file.
pub(super) fn read_flows(
    entries: &[Entry],
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Vec<Flow> {
    let read = |entry: &Entry, found: &mut Diagnostics| {
        let name = entry.key.clone();
        let mut fields = Fields::of(&entry.node, format!("the flow `{}`", name.value), found);
        let takes = read_takes(fields.take("takes"), found);
        let steps = match fields.require("steps", found) {
            Some(_) => read_steps(fields.list("steps", found), vocabulary, found),
            None => Vec::new(),
        };
        let gives = pairs(fields.map("gives", found), found);
        fields.finish(found);
        Flow { name, takes, steps, gives }
    };
    entries.iter().map(|entry| read(entry, found)).collect()
}

/// Variables with their values, in order.
pub(super) fn pairs(entries: &[Entry], found: &mut Diagnostics) -> Vec<(Spanned<String>, Node)> {
    entries
        .iter()
        .map(|entry| {
            check_variable(&entry.key, found);
            (entry.key.clone(), entry.node.clone())
        })
        .collect()
}

fn read_scope(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Scope {
    let Some(scope) = fields.text("scope", found) else { return Scope::Test };
    match scope.value.as_str() {
        "test" => Scope::Test,
        "file" => Scope::File,
        "run" => Scope::Run,
        other => {
            found.push(
                Diagnostic::error(format!("there is no scope `{other}`"))
                    .at(scope.span, "")
                    .suggest(other, SCOPES.iter().copied()),
            );
            Scope::Test
        }
    }
}

/// `[book, { quantity: 1 }]`, or a map of names to defaults.
fn read_takes(node: Option<&Node>, found: &mut Diagnostics) -> Vec<Take> {
    let mut takes: Vec<Take> = Vec::new();
    let Some(node) = node else { return takes };
    let elements = match &node.kind {
        NodeKind::List(list) => list.as_slice(),
        NodeKind::Null => &[],
        _ => std::slice::from_ref(node),
    };
    for element in elements {
        match &element.kind {
            NodeKind::Text { text, .. } => {
                takes.push(Take { name: Spanned::new(text.clone(), element.span), default: None });
            }
            NodeKind::Map(entries) => takes.extend(
                entries
                    .iter()
                    .map(|entry| Take { name: entry.key.clone(), default: Some(entry.node.clone()) }),
            ),
            _ => found.push(
                Diagnostic::error("`takes` holds names and `{ name: default }`")
                    .at(element.span, format!("this is {}", element.kind_name())),
            ),
        }
    }
    for (index, take) in takes.iter().enumerate() {
        check_variable(&take.name, found);
        if take.name.value == "as" {
            found.push(Diagnostic::error("`as` names the actor and cannot be taken").at(take.name.span, ""));
        }
        if let Some(first) = takes[..index].iter().find(|other| other.name.value == take.name.value) {
            found.push(
                Diagnostic::error(format!("`{}` is taken twice", take.name.value))
                    .at(take.name.span, "")
                    .also(first.name.span, "first here"),
            );
        }
    }
    takes
}

/// `one copy in stock`, or `{ customer: { as: ann, email: … } }`.
pub(super) fn read_needs(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Vec<Need> {
    let Some(node) = fields.take("needs") else { return Vec::new() };
    let elements = match &node.kind {
        NodeKind::List(list) => list.as_slice(),
        NodeKind::Null => &[],
        _ => std::slice::from_ref(node),
    };
    let mut needs = Vec::new();
    for element in elements {
        match &element.kind {
            NodeKind::Map(entries) => {
                needs.extend(entries.iter().map(|entry| read_need(entry, found)));
            }
            _ => match element.scalar_text() {
                Some(text) => {
                    let fixture = Spanned::new(text, element.span);
                    needs.push(Need { fixture, alias: None, with: Vec::new() });
                }
                None => found.push(
                    Diagnostic::error("`needs` holds names of fixtures")
                        .at(element.span, format!("this is {}", element.kind_name()))
                        .hint("such as `customer`, or `{ customer: { as: ann } }`"),
                ),
            },
        }
    }
    needs
}

fn read_need(entry: &Entry, found: &mut Diagnostics) -> Need {
    let owner = format!("what `{}` is given", entry.key.value);
    let mut fields = Fields::of(&entry.node, owner, found);
    let alias = fields.text("as", found);
    if let Some(alias) = &alias {
        check_variable(alias, found);
    }
    let with = fields.rest().into_iter().map(|entry| (entry.key.clone(), entry.node.clone())).collect();
    Need { fixture: entry.key.clone(), alias, with }
}
