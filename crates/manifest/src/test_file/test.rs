//! One test: its steps, what it needs, its cases, and how it is run and judged.

use super::fixture::{NEEDS, pairs, read_needs};
use crate::names::check_variable;
use crate::step::{UNDER, read_steps, read_under};
use crate::unknown;
use crate::vocabulary::Vocabulary;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Each, Fails, Field, Fields, Node, NodeKind, Shape, Spanned, Step, Test};
use std::collections::HashMap;

/// The keys of a test.
pub const TEST_KEYS: &[Field] = &[
    Field::required("name", Shape::Text, "its name, unique in the file"),
    Field::optional("tags", TEXTS, "tags to choose it by"),
    Field::optional("tier", Shape::OneOf(TIERS), "when it is run at the latest"),
    Field::optional("needs", NEEDS, "fixtures that it needs"),
    Field::optional("each", EACH, "cases: one test is made of each"),
    Field::optional("repeat", Shape::Integer, "how often the test is made"),
    Field::optional("vars", Shape::MapOf(&Shape::Any), "its own variables"),
    Field::required("steps", Shape::Steps, "its steps"),
    Field::optional("finally", Shape::Steps, "steps that run whatever happened"),
    Field::optional(
        "timeout",
        Shape::Duration,
        "how long the whole test may take; 60s where nothing is said",
    ),
    Field::optional("quiet", Shape::Duration, "how long nothing may pass before it counts as settled"),
    Field::optional("skip", Shape::Text, "why it is not run"),
    Field::optional("fails", FAILS, "why it is known to fail"),
    Field::optional("without", TEXTS, "invariants that it is excused from"),
    Field::optional("lock", Shape::Text, "not side by side with others that hold it"),
    Field::optional("under", UNDER, "faults and stubs on seams for the whole test"),
    Field::optional(
        "live",
        LIVE,
        "which of somebody else's components may be asked for real, and what of them",
    ),
];

const TIERS: &[&str] = &["commit", "merge", "nightly", "release"];

const TEXTS: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

const LIVE: Shape = Shape::Either(&[
    Shape::Boolean,
    Shape::Text,
    Shape::List(&Shape::Text),
    Shape::MapOf(&Shape::Either(&[
        Shape::Boolean,
        Shape::Fields(&[
            Field::optional("budget", Shape::Integer, "how many requests the test may send there"),
            Field::optional(
                "operations",
                Shape::List(&Shape::Text),
                "what may be asked: `GET /rates/{currency}`",
            ),
        ]),
    ])),
]);

const EACH: Shape = Shape::Either(&[
    Shape::List(&Shape::MapOf(&Shape::Any)),
    Shape::Fields(&[
        Field::optional(
            "csv",
            Shape::Text,
            "a table with a head; `quantity:number` in the head makes numbers",
        ),
        Field::optional("json", Shape::Text, "a list of maps"),
    ]),
]);

const FAILS: Shape = Shape::Either(&[Shape::Text, Shape::Fields(FAILS_KEYS)]);

const FAILS_KEYS: &[Field] = &[
    Field::required("why", Shape::Text, "why"),
    Field::optional("sometimes", Shape::Boolean, "is it one of chance?"),
];

/// Reads one test; none where it has no name to speak of it by.
pub(super) fn read_test(node: &Node, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) -> Option<Test> {
    let written = node.get("name").and_then(Node::scalar_text);
    let owner = written.map_or_else(|| "the test".to_owned(), |name| format!("the test `{name}`"));
    let mut fields = Fields::of(node, owner.clone(), found);
    let name = match node.as_map() {
        Some(_) => fields.require("name", found).and_then(|_| fields.text("name", found)),
        None => None,
    };
    if let Some(name) = &name
        && name.value.trim().is_empty()
    {
        found.push(Diagnostic::error("the name of a test cannot be empty").at(name.span, ""));
    }
    let test = Test {
        name: name.clone().unwrap_or_else(|| Spanned::new(String::new(), node.span)),
        tags: fields.texts("tags", found),
        tier: read_tier(&mut fields, found),
        needs: read_needs(&mut fields, found),
        each: read_each(&mut fields, found),
        repeat: read_repeat(&mut fields, found),
        vars: pairs(fields.map("vars", found), found),
        steps: read_required_steps(&mut fields, &owner, vocabulary, found),
        finally: read_steps(fields.list("finally", found), vocabulary, found),
        timeout: fields.duration("timeout", found),
        quiet: fields.duration("quiet", found),
        skip: read_reason(&mut fields, "skip", found),
        fails: read_fails(&mut fields, found),
        without: fields.texts("without", found),
        lock: fields.text("lock", found),
        under: read_under(fields.take("under"), vocabulary, found),
        live: fields.take("live").cloned(),
    };
    unknown::tell_keys(fields.rest(), &owner, &[TEST_KEYS], found);
    name.map(|_| test)
}

fn read_required_steps(
    fields: &mut Fields<'_>,
    owner: &str,
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Vec<Step> {
    let span = fields.span();
    match fields.take_entry("steps") {
        None => {
            // A test that is no map at all was told already.
            if fields.is_map() {
                found.push(Diagnostic::error(format!("{owner} needs `steps`")).at(span, ""));
            }
            Vec::new()
        }
        Some(entry) if entry.node.is_null() || entry.node.as_list().is_some_and(<[Node]>::is_empty) => {
            found.push(Diagnostic::error(format!("{owner} has no steps")).at(entry.key.span, ""));
            Vec::new()
        }
        Some(_) => read_steps(fields.list("steps", found), vocabulary, found),
    }
}

fn read_tier(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Spanned<String>> {
    let tier = fields.text("tier", found)?;
    if TIERS.contains(&tier.value.as_str()) {
        return Some(tier);
    }
    found.push(
        Diagnostic::error(format!("there is no tier `{}`", tier.value))
            .at(tier.span, "")
            .suggest(&tier.value, TIERS.iter().copied()),
    );
    None
}

fn read_repeat(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<u64> {
    let span = fields.take("repeat")?.span;
    let repeat = fields.integer("repeat", found)?;
    if repeat == 0 {
        found.push(
            Diagnostic::error("`repeat` must be at least 1")
                .at(span, "")
                .hint("a test that is not to be run has `skip: why`"),
        );
    }
    Some(repeat)
}

/// A text that says why; `true` says nothing.
fn read_reason(
    fields: &mut Fields<'_>,
    key: &'static str,
    found: &mut Diagnostics,
) -> Option<Spanned<String>> {
    let node = fields.take(key)?;
    match node.as_text() {
        Some(text) if !text.trim().is_empty() => Some(Spanned::new(text.to_owned(), node.span)),
        _ => {
            found.push(
                Diagnostic::error(format!("`{key}` needs its reason"))
                    .at(node.span, format!("this is {}", node.kind_name()))
                    .hint(format!("such as `{key}: the provider answers in March`")),
            );
            None
        }
    }
}

fn read_fails(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Fails> {
    let node = fields.take("fails")?;
    if node.as_map().is_none() {
        return read_reason(fields, "fails", found).map(|why| Fails { why, sometimes: false });
    }
    let mut inner = Fields::of(node, "`fails`", found);
    let has_why = inner.require("why", found).is_some();
    let why = if has_why { read_reason(&mut inner, "why", found) } else { None };
    let sometimes = inner.boolean("sometimes", found).unwrap_or(false);
    inner.finish(found);
    why.map(|why| Fails { why, sometimes })
}

fn read_each(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Each> {
    let node = fields.take("each")?;
    match &node.kind {
        NodeKind::List(rows) => {
            if rows.is_empty() {
                found.push(Diagnostic::error("`each` has no cases").at(node.span, ""));
            }
            check_rows(rows, found);
            Some(Each::Rows(rows.clone()))
        }
        NodeKind::Map(_) => {
            let mut inner = Fields::of(node, "`each`", found);
            let csv = inner.text("csv", found);
            let json = inner.text("json", found);
            inner.finish(found);
            match (csv, json) {
                (Some(path), None) => Some(Each::Csv(path)),
                (None, Some(path)) => Some(Each::Json(path)),
                _ => {
                    found.push(Diagnostic::error("`each` needs one of `csv` and `json`").at(node.span, ""));
                    None
                }
            }
        }
        _ => {
            found.push(
                Diagnostic::error("`each` must be a list of cases")
                    .at(node.span, format!("this is {}", node.kind_name()))
                    .hint("each a map such as `{ case: none, quantity: 0 }`; or `{ csv: data/cases.csv }`"),
            );
            None
        }
    }
}

/// Every case is a map of variables; no two have one name.
fn check_rows(rows: &[Node], found: &mut Diagnostics) {
    let mut named: HashMap<String, Span> = HashMap::new();
    for row in rows {
        let Some(entries) = row.as_map() else {
            found.push(
                Diagnostic::error("a case must be a map")
                    .at(row.span, format!("this is {}", row.kind_name()))
                    .hint("such as `{ case: none, quantity: 0 }`"),
            );
            continue;
        };
        for entry in entries {
            check_variable(&entry.key, found);
        }
        let Some(case) = row.get("case") else { continue };
        let Some(name) = case.scalar_text() else {
            let title = "the name of a case must be a text";
            found.push(Diagnostic::error(title).at(case.span, format!("this is {}", case.kind_name())));
            continue;
        };
        if let Some(first) = named.get(&name) {
            found.push(
                Diagnostic::error(format!("two cases are named `{name}`"))
                    .at(case.span, "")
                    .also(*first, "first here"),
            );
        } else {
            named.insert(name, case.span);
        }
    }
}
