//! The schema for editors accepts what is right, and refuses what it can know to be wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod words;

use seam_diag::{Diagnostics, Sources};
use seam_manifest::{Vocabulary, parse, system_schema, tests_schema};
use std::path::Path;

type Json = serde_json::Value;

fn json(value: &seam_value::Value) -> Json {
    serde_json::from_str(&value.to_string()).unwrap()
}

fn yaml(text: &str) -> Json {
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let file = sources.add("a.yaml", text);
    json(&parse(file, text, &mut found).unwrap().to_value())
}

fn mistakes(schema: &Json, text: &str) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    validator.iter_errors(&yaml(text)).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schemas_are_schemas() {
    for vocabulary in [&words::WORDS, &Vocabulary::default()] {
        for schema in [system_schema(vocabulary), tests_schema(vocabulary)] {
            let schema = json(&schema);
            assert!(jsonschema::draft202012::meta::is_valid(&schema));
            assert!(jsonschema::draft202012::new(&schema).is_ok(), "every reference leads somewhere");
        }
    }
}

#[test]
fn what_is_right_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(mistakes(&json(&system_schema(&words::WORDS)), &read("seam.yaml")), [""; 0]);
    // Of the matchers, the vocabulary of these tests has only some.
    let all = Vocabulary { matchers: &[], ..words::WORDS };
    assert_eq!(mistakes(&json(&tests_schema(&all)), &read("a.seam.yaml")), [""; 0]);
}

#[test]
fn what_is_wrong_is_refused() {
    let system = json(&system_schema(&words::WORDS));
    for text in [
        "components: {}",
        "system: a\nquite: 1s",
        "system: a\nquiet: 50",
        "system: a\ncomponents: { web: { rum: ./web } }",
        "system: a\ncomponents: { web: { run: ./web, redy: tcp } }",
        "system: a\ncomponents: { db: { service: postgresql } }",
        "system: a\ncomponents: { db: { service: redis, databases: {} } }",
        "system: a\nsecrets: { a: hunter2 }",
        "system: a\ninvariants: [{ name: a }]",
        "system: a\nsettled: [{ htpp: GET web/a }]",
    ] {
        assert_ne!(mistakes(&system, text), [""; 0], "{text}");
    }
    let tests = json(&tests_schema(&words::WORDS));
    for text in [
        "test: []",
        "tests: [{ name: a }]",
        "tests: [{ steps: [] }]",
        "tests: [{ name: a, steps: [{ name: b }] }]",
        "tests: [{ name: a, steps: [{ http: GET a, jsn: 1 }] }]",
        "tests: [{ name: a, steps: [{ http: GET a, within: 10 }] }]",
        "tests: [{ name: a, steps: [{ sql: pg }] }]",
        "tests: [{ name: a, steps: [{ http: GET a, expect: 200 }] }]",
        "tests: [{ name: a, steps: [{ http: GET a, expect: { status: { contanis: 2 } } }] }]",
        "tests: [{ name: a, tier: comit, steps: [] }]",
        "tests: [{ name: a, repeat: 1.5, steps: [] }]",
        "tests: [{ name: a, steps: [{ together: [{ htp: GET a }] }] }]",
        "fixtures: { a: { scope: suite } }",
        "flows: { a: { takes: [x] } }",
        "defaults: { header: {} }",
    ] {
        assert_ne!(mistakes(&tests, text), [""; 0], "{text}");
    }
}

#[test]
fn variables_stand_where_numbers_do() {
    let tests = json(&tests_schema(&words::WORDS));
    for text in [
        "tests: [{ name: a, repeat: $n, steps: [{ http: GET a, expect: { status: $status } }] }]",
        "tests: [{ name: a, steps: [{ http: GET a, follow: $follow, expect: { a: { type: $type } } }] }]",
        "tests: [{ name: a, steps: [{ graphql: web, what: ever }] }]",
    ] {
        assert_eq!(mistakes(&tests, text), [""; 0], "{text}");
    }
}
