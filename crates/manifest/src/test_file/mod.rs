//! `*.seam.yaml`: tests, with the fixtures and flows that they use.

mod fixture;
mod include;
mod resolve;
mod test;

pub use fixture::{FIXTURE_KEYS, FLOW_KEYS};
pub use include::TestFiles;
pub use test::TEST_KEYS;

use crate::vocabulary::Vocabulary;
use crate::yaml;
use fixture::{pairs, read_fixtures, read_flows};
use seam_diag::{Diagnostic, Diagnostics, FileId, Span};
use seam_model::{Field, Fields, Fixture, Flow, Node, Shape, Spanned, Test, TestDefaults};
use std::collections::HashMap;

/// The keys at the top of a file of tests.
pub const TEST_FILE_KEYS: &[Field] = &[
    Field::optional("vars", Shape::MapOf(&Shape::Any), "variables of the whole file"),
    Field::optional(
        "defaults",
        Shape::Any,
        "what the steps of the file share: `timeout`, and inputs such as `headers`",
    ),
    Field::optional(
        "include",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
        "files whose fixtures and flows are brought in",
    ),
    Field::optional(
        "fixtures",
        Shape::MapOf(&Shape::Fields(FIXTURE_KEYS)),
        "what tests need before them, by name",
    ),
    Field::optional(
        "flows",
        Shape::MapOf(&Shape::Fields(FLOW_KEYS)),
        "steps used in several places, by name",
    ),
    Field::optional("tests", Shape::List(&Shape::Fields(TEST_KEYS)), "the tests"),
];

/// What stands in one file, before others are brought in.
pub(crate) struct Written {
    file: FileId,
    vars: Vec<(Spanned<String>, Node)>,
    defaults: TestDefaults,
    include: Vec<Spanned<String>>,
    fixtures: Vec<Fixture>,
    flows: Vec<Flow>,
    tests: Vec<Test>,
}

/// Reads what stands in one file; none where it cannot be known, which was told.
pub(crate) fn read_written(
    file: FileId,
    text: &str,
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Option<Written> {
    let node = yaml::parse(file, text, found)?;
    if node.is_null() {
        found.push(
            Diagnostic::error("the file is empty")
                .at(Span::at_start(file), "")
                .hint("it begins with `tests:` and a list of tests"),
        );
        return None;
    }
    let mut fields = Fields::of(&node, "a file of tests", found);
    if !fields.is_map() {
        return None;
    }
    let written = Written {
        file,
        vars: pairs(fields.map("vars", found), found),
        defaults: read_defaults(fields.take("defaults"), vocabulary, found),
        include: fields.texts("include", found),
        fixtures: read_fixtures(fields.map("fixtures", found), vocabulary, found),
        flows: read_flows(fields.map("flows", found), vocabulary, found),
        tests: fields
            .list("tests", found)
            .iter()
            .filter_map(|node| test::read_test(node, vocabulary, found))
            .collect(),
    };
    fields.finish(found);
    tell_equal_names(&written.tests, found);
    Some(written)
}

fn read_defaults(node: Option<&Node>, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) -> TestDefaults {
    let Some(node) = node else { return TestDefaults::default() };
    let mut fields = Fields::of(node, "`defaults`", found);
    let timeout = fields.duration("timeout", found);
    let mut inputs = Vec::new();
    for entry in fields.rest() {
        let key = entry.key.value.as_str();
        if vocabulary.steps.iter().any(|word| word.field(key).is_some()) {
            inputs.push(entry.clone());
            continue;
        }
        let known = vocabulary.steps.iter().flat_map(|word| word.fields).map(|field| field.name);
        found.push(
            Diagnostic::error(format!("unknown key `{key}` in `defaults`"))
                .at(entry.key.span, "no kind of step takes it")
                .suggest(key, known.chain(["timeout"])),
        );
    }
    TestDefaults { timeout, inputs }
}

fn tell_equal_names(tests: &[Test], found: &mut Diagnostics) {
    let mut first: HashMap<&str, Span> = HashMap::new();
    for test in tests {
        let name = test.name.value.as_str();
        if let Some(earlier) = first.get(name) {
            found.push(
                Diagnostic::error(format!("two tests are named `{name}`"))
                    .at(test.name.span, "")
                    .also(*earlier, "first here"),
            );
        } else {
            first.insert(name, test.name.span);
        }
    }
}
