//! The language's own examples are read without a word.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod words;

use seam_diag::{Diagnostics, Look, Sources, render};
use seam_manifest::{
    COMPONENT_KEYS, FIXTURE_KEYS, FLOW_KEYS, PARTS, STEP_KEYS, SYSTEM_KEYS, TEST_FILE_KEYS, TEST_KEYS,
    TestFiles, from_bytes, read_system,
};
use seam_model::{Each, Field, NodeKind, Scope, System, TestFile};
use std::path::Path;
use std::time::Duration;

fn told(found: Diagnostics, sources: &Sources) -> String {
    found.into_iter().map(|diagnostic| render(&diagnostic, sources, Look::default())).collect()
}

fn system(text: &str, profile: Option<&str>) -> System {
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let file = from_bytes(text.as_bytes(), Path::new("seam.yaml"), &mut sources, &mut found).unwrap();
    let system = read_system(file, profile, &words::WORDS, &sources, &mut found);
    assert_eq!(told(found, &sources), "");
    system.unwrap()
}

fn tests(text: &str) -> TestFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tests/a.seam.yaml");
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    std::fs::write(&path, text).unwrap();
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let tests = TestFiles::new(folder.path(), &words::WORDS).read(&path, &mut sources, &mut found);
    assert_eq!(told(found, &sources), "");
    tests.unwrap()
}

const SYSTEM: &str = include_str!("language/seam.yaml");
const TESTS: &str = include_str!("language/a.seam.yaml");

#[test]
fn the_system_is_read_whole() {
    let system = system(SYSTEM, None);
    assert_eq!(system.name.value, "bookstore");
    assert_eq!(system.quiet, Some(Duration::from_millis(50)));
    assert_eq!(system.prepare.len(), 1);
    assert_eq!(system.secrets["ann_password"].default.as_deref(), Some("s3cret"));
    let names: Vec<&str> = system.components.keys().map(String::as_str).collect();
    assert_eq!(names, ["pg", "mail", "paygate", "inventory", "orders", "shipping", "stock-import"]);
    let orders = &system.components["orders"];
    assert_eq!(orders.origin.value, "run");
    assert_eq!(orders.endpoints["rpc"].value, "grpc");
    assert_eq!(orders.env.len(), 6);
    assert_eq!(orders.needs[0].value, "stock-import");
    assert_eq!(
        orders.ready.as_ref().and_then(|node| node.as_text()),
        Some("GET /health"),
        "from the defaults"
    );
    assert!(system.components["pg"].ready.is_none(), "a service has a readiness of its own");
    assert_eq!(system.components["pg"].settings.len(), 2);
    assert!(system.components["stock-import"].ready.as_ref().unwrap().get("exit").is_some());
    assert_eq!((system.settled.len(), system.invariants.len()), (1, 1));
    assert_eq!(system.profiles, ["staging"]);
}

#[test]
fn a_profile_replaces_what_makes_a_component() {
    let system = system(SYSTEM, Some("staging"));
    let inventory = &system.components["inventory"];
    assert_eq!(inventory.origin.value, "external");
    assert_eq!(inventory.subject.as_text(), Some("https://inventory.staging.example"));
    assert!(inventory.env.is_empty(), "somebody else's program has no environment of ours");
    assert_eq!(system.components["orders"].origin.value, "run");
}

#[test]
fn the_tests_are_read_whole() {
    let file = tests(TESTS);
    assert_eq!(file.path, "tests/a.seam.yaml");
    assert_eq!(file.vars.len(), 1);
    assert_eq!(file.defaults.timeout, Some(Duration::from_secs(10)));
    assert_eq!(file.defaults.inputs[0].key.value, "headers");
    assert_eq!(file.fixtures[0].scope, Scope::File);
    assert!(file.fixtures[0].takes[0].default.is_some());
    assert_eq!(file.flows[0].takes.len(), 2);
    let test = &file.tests[0];
    assert_eq!(test.needs[1].alias.as_deref(), Some("ann"));
    assert_eq!(test.needs[2].with[0].0.value, "email");
    assert_eq!(test.steps[0].children.len(), 2);
    assert_eq!(test.steps[0].children[0].actor.as_deref(), Some("ann"));
    assert_eq!(test.steps[0].children[0].inputs[0].key.value, "json");
    assert_eq!(test.steps[0].expect[0].path.value, "results.*.status");
    assert!(matches!(test.steps[1].expect[0].expected.kind, NodeKind::List(_)));
    assert!(matches!(&file.tests[1].each, Some(Each::Rows(rows)) if rows.len() == 3));
}

#[test]
fn the_examples_of_the_parts_are_read() {
    for part in PARTS {
        if part.example.starts_with("system:") {
            system(part.example, None);
        } else {
            tests(part.example);
        }
    }
}

/// Every key of a table, put where `KEY` stands, is known to the code that reads there.
#[test]
fn every_key_of_the_tables_is_read() {
    let tables: [(&[Field], &str); 7] = [
        (SYSTEM_KEYS, "KEY: ~"),
        (COMPONENT_KEYS, "components: { a: { run: a, KEY: ~ } }"),
        (TEST_FILE_KEYS, "KEY: ~"),
        (TEST_KEYS, "tests: [{ KEY: ~ }]"),
        (STEP_KEYS, "tests: [{ steps: [{ http: a, KEY: ~ }] }]"),
        (FIXTURE_KEYS, "fixtures: { a: { KEY: ~ } }"),
        (FLOW_KEYS, "flows: { a: { KEY: ~ } }"),
    ];
    for (table, text) in tables {
        let is_system = std::ptr::eq(table, SYSTEM_KEYS) || std::ptr::eq(table, COMPONENT_KEYS);
        for key in table.iter().map(|field| field.name).chain(["nobody_reads_this"]) {
            let text = text.replace("KEY", key);
            let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
            let path = Path::new("/nowhere/a.seam.yaml");
            let file = from_bytes(text.as_bytes(), path, &mut sources, &mut found).unwrap();
            if is_system {
                read_system(file, None, &words::WORDS, &sources, &mut found);
            } else {
                TestFiles::new(Path::new("/nowhere"), &words::WORDS).read_source(
                    path,
                    file,
                    &mut sources,
                    &mut found,
                );
            }
            let is_unknown = found.into_iter().any(|diagnostic| diagnostic.title.contains("unknown key"));
            assert_eq!(is_unknown, key == "nobody_reads_this", "{text}");
        }
    }
}
