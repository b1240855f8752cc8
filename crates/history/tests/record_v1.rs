//! Writes `tests/runs/v1` anew: run by hand (`cargo test -p seam-history --test record_v1 -- --ignored`) when the
//! format's first version grows, never after it was released.
#![expect(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use seam_diag::Sources;
use seam_event::{
    Caller, ComponentState, Interaction, Judged, Level, Notice, Outcome, Phase, Place, Scope, SeamId,
    StageOf, TestPlan, What,
};
use seam_history::{RunFolder, Writer};
use seam_value::{Value, parse};
use std::path::Path;
use std::time::Duration;

const FILE: &str = "tests:
  - name: The greeting is friendly
    steps:
      - http: GET hello/
        expect: { text: { contains: Hello } }
";

fn seam() -> SeamId {
    SeamId { consumer: "test".into(), provider: "hello".into(), endpoint: "".into() }
}

fn place(of: &str) -> Place {
    let start = u32::try_from(FILE.find(of).unwrap()).unwrap();
    Place { file: 0, start, end: start + u32::try_from(of.len()).unwrap() }
}

#[test]
#[ignore = "writes into the repository"]
fn record() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/v1");
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(path.join("bodies")).unwrap();
    let folder = RunFolder { id: "1xak400-2yc".into(), path };
    let writer = Writer::start(&folder, &[]).unwrap();
    let mut sources = Sources::default();
    sources.add("tests/hello.seam.yaml", FILE);
    let (files, _) = writer.keep_files(&sources).unwrap();
    let recorder = writer.recorder();
    for what in before(files) {
        recorder.note(what);
    }
    for (step, what) in during() {
        let scope = Scope {
            test: Some("tests/hello.seam.yaml::The greeting is friendly".into()),
            attempt: Some(1),
            step: step.map(str::to_owned),
        };
        recorder.record(scope, what);
    }
    recorder.note(What::Lost { of: "lines".into(), seam: None, count: 2, since: 9 });
    assert_eq!(writer.finish("done").trouble, None);
}

fn before(files: Vec<seam_event::StoredFile>) -> Vec<What> {
    let component =
        |state, detail: &str| What::Component { component: "hello".into(), state, detail: detail.into() };
    vec![
        What::Plan {
            run: "1xak400-2yc".into(),
            version: "0.1.0".into(),
            seed: 42,
            began: "2026-01-01T00:00:00Z".into(),
            system: "hello".into(),
            files,
            tests: vec![TestPlan {
                id: "tests/hello.seam.yaml::The greeting is friendly".into(),
                name: "The greeting is friendly".into(),
                suite: "hello".into(),
                place: place("The greeting is friendly"),
                tags: vec!["first".into()],
                skip: None,
                fails: None,
                fails_sometimes: false,
            }],
            seams: vec![seam()],
            command: vec!["run".into(), "--seed".into(), "42".into()],
        },
        component(ComponentState::Starting, "python3 hello.py"),
        component(ComponentState::Ready, "GET / 200 after 41 ms"),
        What::State {
            component: "hello".into(),
            action: "kept".into(),
            took: Duration::from_micros(830),
            detail: String::new(),
        },
        What::Degraded { seam: seam(), connection: 1, reason: "an HTTP head without end".into() },
    ]
}

fn during() -> Vec<(Option<&'static str>, What)> {
    let step = |stage| What::Step {
        name: "http: GET hello/".into(),
        action: "http: GET hello/".into(),
        place: place("http: GET hello/"),
        stage,
    };
    let connection =
        |state: &str| What::Connection { seam: seam(), connection: 2, state: state.into(), caller: None };
    let fault = What::Fault {
        seam: seam(),
        fault: "latency: 1ms".into(),
        action: "struck".into(),
        is_stub: false,
        interaction: Some(1),
    };
    vec![
        (None, What::Test { phase: Phase::Began }),
        (None, What::Fixture { name: "nobody".into(), phase: Phase::Began, cleanup: false }),
        (Some("0"), step(StageOf::Began)),
        (Some("0"), connection("opened")),
        (None, What::Line { component: "hello".into(), error: true, number: 1, text: "GET / 200".into() }),
        (Some("0"), What::Interaction(interaction())),
        (Some("0"), fault),
        (Some("0"), What::Judged(judged())),
        (Some("0"), step(StageOf::Ended)),
        (None, What::Notice(Notice::new(Level::Warning, "`hello` never connected to anything"))),
        (None, What::Test { phase: Phase::Ended }),
    ]
}

fn interaction() -> Interaction {
    let request = r#"{"method":"GET","path":"/","headers":{"authorization":"Bearer abc-123-def-456"}}"#;
    let text = format!("Hello{}", ", world".repeat(1_000));
    Interaction {
        id: 1,
        seam: seam(),
        from: "test".into(),
        to: "hello".into(),
        via: None,
        caller: Caller::Known,
        protocol: "http".into(),
        connection: 2,
        at: Duration::from_millis(52),
        elapsed: Some(Duration::from_micros(713)),
        error: None,
        request: parse(request).unwrap(),
        reply: Value::map([("status", Value::from(200_i64)), ("text", Value::text(text))]),
        message: Value::Null,
        cut: false,
        answered_by: None,
    }
}

fn judged() -> Judged {
    Judged {
        path: "text".into(),
        matcher: "contains".into(),
        outcome: Outcome::Held,
        written: true,
        soft: false,
        expected: Some(Value::text("Hello")),
        actual: None,
        message: String::new(),
        details: Vec::new(),
        place: place("Hello"),
    }
}
