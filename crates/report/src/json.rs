//! The verdict as JSON, for programs of one's own: documented, with a version of its own.

use crate::Report;
use crate::place::spot;
use crate::time::seconds;
use seam_diag::{Look, Sources};
use seam_event::{Notice, Place, SeamId};
use seam_history::History;
use seam_judge::{Attempt, Finding, Found, TestOutcome, TestVerdict, Verdict};
use seam_model::{Field, Shape, Word};
use seam_value::{Number, Value};
use std::time::Duration;

/// It grows by fields; the number changes only when a field changes its meaning or goes.
const VERSION: u64 = 1;

/// The form for programs.
pub(crate) const REPORT: Report = Report {
    word: Word {
        text: "One object. Durations are in seconds with six decimals, lines and columns count from 1, values that \
               were expected or found are masked as everywhere. Programs should pass over fields that they don't \
               know; `version` changes only when a field changes its meaning or goes.",
        results: RESULTS,
        example: "seam run --report json=report.json",
        ..Word::new("json", "the whole verdict as JSON, for programs of one's own")
    },
    write: report,
};

const RESULTS: &[Field] = &[
    Field::required("format", Shape::OneOf(&["seamwork-report"]), "always this text"),
    Field::required("version", Shape::Integer, "the version of this form"),
    Field::required("run", Shape::Text, "the run's id; null where its plan was never recorded"),
    Field::required("system", Shape::Text, "the system's name"),
    Field::required("seam", Shape::Text, "the version of seam that ran"),
    Field::required("seed", Shape::Integer, "the seed of all chance"),
    Field::required("began", Shape::Text, "when the run began, RFC 3339 in UTC"),
    Field::required("outcome", OUTCOME, "the worst of all"),
    Field::required("exit", Shape::Integer, "the exit code"),
    Field::required("interrupted", Shape::Boolean, "did the run never come to its end"),
    Field::required("reasons", Shape::List(&Shape::Text), "why it came out so, as far as no test says it"),
    Field::required(
        "counts",
        Shape::MapOf(&Shape::Integer),
        "how many tests came out how, and how many were flaky",
    ),
    Field::required("seconds", Shape::MapOf(&Shape::Number), "prepare, start, tests, stop and all"),
    Field::required(
        "findings",
        Shape::List(&Shape::Fields(FINDING)),
        "what belongs to no test and is not as it should be",
    ),
    Field::required("warnings", Shape::List(&Shape::Text), "what is worth a look and belongs to no test"),
    Field::required(
        "invariants",
        Shape::List(&Shape::Any),
        "name, after how many tests judged, and the tests that broke it",
    ),
    Field::required("lost", Shape::List(&Shape::Any), "what could not be kept: of, seam, count"),
    Field::required("tests", Shape::List(&Shape::Fields(TEST)), "the tests in the planned order"),
];

const OUTCOME: Shape = Shape::OneOf(&["passed", "inconclusive", "failed", "errored"]);

const TEST: &[Field] = &[
    Field::required("id", Shape::Text, "file, `::`, name, and the case in brackets"),
    Field::required("name", Shape::Text, "its name with the case"),
    Field::required("suite", Shape::Text, "the file without folder and endings"),
    Field::required("file", Shape::Text, "the file"),
    Field::required("line", Shape::Integer, "the line of its name"),
    Field::required("tags", Shape::List(&Shape::Text), "its tags"),
    Field::required(
        "outcome",
        Shape::Text,
        "passed, failed, errored, inconclusive, known failure, skipped, not run",
    ),
    Field::required("reason", Shape::Text, "why, where no finding says it; else null"),
    Field::required("flaky", Shape::Boolean, "did it pass after an attempt that did not"),
    Field::required("seconds", Shape::Number, "all attempts together"),
    Field::required(
        "attempts",
        Shape::List(&Shape::Any),
        "number, outcome, seconds, checks, findings, warnings, suspects",
    ),
];

const FINDING: &[Field] = &[
    Field::required("event", Shape::Integer, "the number of the event that says so"),
    Field::required("grade", OUTCOME, "how much it weighs"),
    Field::required("message", Shape::Text, "what, in one line"),
    Field::optional("details", Shape::List(&Shape::Text), "further lines"),
    Field::optional("step", Shape::Fields(&[]), "path, name and action of the step"),
    Field::optional("invariant", Shape::Text, "the invariant"),
    Field::optional("path", Shape::Text, "the path in the result"),
    Field::optional("matcher", Shape::Text, "the matcher"),
    Field::optional("expected", Shape::Any, "what was expected"),
    Field::optional("actual", Shape::Any, "what was there"),
    Field::optional("file", Shape::Text, "the file; with line and column"),
];

fn report(history: &History, verdict: &Verdict, _: Look) -> String {
    let sources = &history.sources;
    let counts = verdict.counts();
    let by_outcome =
        TestOutcome::ALL.map(|outcome| (outcome.word().replace(' ', "_"), Value::from(counts.of(outcome))));
    let times = &verdict.times;
    let value = Value::map([
        ("format", Value::text("seamwork-report")),
        ("version", VERSION.into()),
        ("run", verdict.run.as_ref().map(|run| run.as_str().to_owned()).into()),
        ("system", verdict.system.as_str().into()),
        ("seam", verdict.version.as_str().into()),
        ("seed", verdict.seed.into()),
        ("began", verdict.began.as_str().into()),
        ("outcome", verdict.outcome.word().into()),
        ("exit", i64::from(verdict.exit().code()).into()),
        ("interrupted", verdict.interrupted.into()),
        ("reasons", verdict.reasons.clone().into()),
        ("counts", Value::map(by_outcome.into_iter().chain([("flaky".to_owned(), counts.flaky.into())]))),
        (
            "seconds",
            Value::map([
                ("prepare", time(times.prepare)),
                ("start", time(times.start)),
                ("tests", time(times.tests)),
                ("stop", time(times.stop)),
                ("all", time(times.whole)),
            ]),
        ),
        ("findings", list(&verdict.findings, |one| finding(one, sources))),
        ("warnings", list(&verdict.warnings, warning)),
        (
            "invariants",
            list(&verdict.invariants, |one| {
                Value::map([
                    ("name", Value::text(&one.name)),
                    ("judged", one.judged.into()),
                    ("broken_by", list(&one.broken_by, |id| id.as_str().into())),
                ])
            }),
        ),
        (
            "lost",
            list(&verdict.lost, |(of, on, count)| {
                Value::map([("of", Value::text(of)), ("seam", seam(on.as_ref())), ("count", (*count).into())])
            }),
        ),
        ("tests", list(&verdict.tests, |one| test(one, sources))),
    ]);
    value.to_pretty() + "\n"
}

fn test(test: &TestVerdict, sources: &Sources) -> Value {
    let mut fields = vec![
        ("id", Value::text(test.id.as_str())),
        ("name", Value::text(&test.name)),
        ("suite", Value::text(&test.suite)),
    ];
    fields.extend(place(Some(test.place), sources));
    fields.extend([
        ("tags", test.tags.clone().into()),
        ("outcome", test.outcome.word().into()),
        ("reason", test.reason.clone().into()),
        ("flaky", test.flaky.into()),
        ("seconds", time(test.took())),
        ("attempts", list(&test.attempts, |one| attempt(one, sources))),
    ]);
    Value::map(fields)
}

fn attempt(attempt: &Attempt, sources: &Sources) -> Value {
    let suspects = list(&attempt.suspects, |suspect| {
        Value::map([
            ("component", Value::text(suspect.component.as_str())),
            ("seam", seam(suspect.seam.as_ref())),
            ("reason", Value::text(&suspect.reason)),
            ("evidence", suspect.evidence.clone().into()),
        ])
    });
    Value::map([
        ("number", i64::from(attempt.number).into()),
        ("outcome", attempt.outcome.word().into()),
        ("reason", attempt.reason.clone().into()),
        ("seconds", time(attempt.took)),
        ("checks", attempt.checks.into()),
        ("findings", list(&attempt.findings, |one| finding(one, sources))),
        ("warnings", list(&attempt.warnings, warning)),
        ("suspects", suspects),
    ])
}

fn finding(finding: &Finding, sources: &Sources) -> Value {
    let mut fields = vec![
        ("event", finding.seq.into()),
        ("grade", finding.grade.word().into()),
        ("message", Value::text(finding.message())),
    ];
    if let Some(step) = &finding.step {
        let of = [("path", &step.path), ("name", &step.name), ("action", &step.action)];
        fields.push(("step", Value::map(of.map(|(key, text)| (key, Value::text(text))))));
    }
    fields.extend(finding.invariant.as_ref().map(|name| ("invariant", Value::text(name))));
    match &finding.found {
        Found::Judged(judged) => {
            fields.push(("path", Value::text(&judged.path)));
            fields.push(("matcher", Value::text(&judged.matcher)));
            fields.extend(judged.expected.clone().map(|value| ("expected", value)));
            fields.extend(judged.actual.clone().map(|value| ("actual", value)));
            fields.push(("details", judged.details.clone().into()));
        }
        Found::Notice(notice) => {
            let details: Vec<String> =
                notice.notes.iter().map(|(name, text)| format!("{name}: {text}")).collect();
            fields.push(("details", details.into()));
        }
        Found::Step(_) => {}
    }
    fields.extend(place(finding.place(), sources));
    Value::map(fields)
}

fn place(place: Option<Place>, sources: &Sources) -> Vec<(&'static str, Value)> {
    let Some(spot) = place.and_then(|place| spot(sources, place)) else { return Vec::new() };
    vec![("file", spot.path.into()), ("line", spot.line.into()), ("column", spot.column.into())]
}

fn warning(notice: &Notice) -> Value {
    Value::text(&notice.text)
}

fn seam(seam: Option<&SeamId>) -> Value {
    seam.map(ToString::to_string).into()
}

fn time(duration: Duration) -> Value {
    Number::parse(&seconds(duration)).map_or(Value::Null, Value::Number)
}

fn list<T>(items: &[T], each: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(each).collect())
}
