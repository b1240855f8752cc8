//! The verdict as JSON, for programs of one's own: documented, with a version of its own.

use crate::Options;
use crate::Report;
use crate::place::Files;
use crate::time::seconds;
use seam_event::{Notice, Place, SeamId};
use seam_history::History;
use seam_judge::{Attempt, Finding, Found, TestOutcome, TestVerdict, Verdict};
use seam_model::{Field, Shape, Word};
use seam_value::{Number, Value};
use std::time::Duration;

/// It grows by fields; the number changes only when a field changes its meaning or goes.
const FORMAT: u64 = 1;

/// The form for programs.
pub(crate) const REPORT: Report = Report {
    word: Word {
        text: "One object. Durations are in seconds with six decimals, lines and columns count from 1, values that \
               were expected or found are masked as everywhere. Programs should pass over fields that they don't \
               know; `format` changes only when a field changes its meaning or goes.",
        results: RESULTS,
        example: "seam run --report json=report.json",
        ..Word::new("json", "the whole verdict as JSON, for programs of one's own")
    },
    write: report,
};

const RESULTS: &[Field] = &[
    Field::required("format", Shape::Integer, "the version of this form: 1"),
    Field::required("run", TEXT_OR_NULL, "the run's id; null where its plan was never recorded"),
    Field::required("system", Shape::Text, "the system's name"),
    Field::required("seam", Shape::Text, "the version of seam that ran"),
    Field::required("seed", Shape::Integer, "the seed of all chance"),
    Field::required("began", Shape::Text, "when the run began, RFC 3339 in UTC"),
    Field::required("outcome", OUTCOME, "the worst of all"),
    Field::required("exit", Shape::Integer, "the exit code"),
    Field::required("interrupted", Shape::Boolean, "did the run never come to its end"),
    Field::required("reasons", Shape::List(&Shape::Text), "why it came out so, as far as no test says it"),
    Field::required("counts", Shape::Fields(COUNTS), "how many tests came out how, and how many were flaky"),
    Field::required("seconds", Shape::Fields(SECONDS), "how long each part took"),
    Field::required(
        "findings",
        Shape::List(&Shape::Fields(FINDING)),
        "what belongs to no test and is not as it should be",
    ),
    Field::required("warnings", Shape::List(&Shape::Text), "what is worth a look and belongs to no test"),
    Field::required("invariants", Shape::List(&Shape::Fields(INVARIANT)), "the invariants that were judged"),
    Field::required(
        "lost",
        Shape::List(&Shape::Fields(LOST)),
        "what could not be kept; what counts it is inconclusive",
    ),
    Field::required("tests", Shape::List(&Shape::Fields(TEST)), "the tests in the planned order"),
];

const OUTCOME: Shape = Shape::OneOf(&["passed", "inconclusive", "failed", "errored"]);

const TEST_OUTCOME: Shape =
    Shape::OneOf(&["passed", "failed", "errored", "inconclusive", "known failure", "skipped", "not run"]);

const TEXT_OR_NULL: Shape = Shape::Either(&[Shape::Text, Shape::Nothing]);

const TEST: &[Field] = &[
    Field::required("id", Shape::Text, "file, `::`, name, and the case in brackets"),
    Field::required("name", Shape::Text, "its name with the case"),
    Field::required("suite", Shape::Text, "the file without folder and endings"),
    Field::optional("file", Shape::Text, "the file, as seen from the repository's root"),
    Field::optional("line", Shape::Integer, "the line of its name"),
    Field::optional("column", Shape::Integer, "the column of its name, in characters"),
    Field::required("tags", Shape::List(&Shape::Text), "its tags"),
    Field::required("outcome", TEST_OUTCOME, "how it came out"),
    Field::required("reason", TEXT_OR_NULL, "why, where no finding says it; else null"),
    Field::required("flaky", Shape::Boolean, "did it pass after an attempt that did not"),
    Field::required("seconds", Shape::Number, "all attempts together"),
    Field::required("attempts", Shape::List(&Shape::Fields(ATTEMPT)), "each time that it ran"),
];

const FINDING: &[Field] = &[
    Field::required("event", Shape::Integer, "the number of the event that says so"),
    Field::required("grade", OUTCOME, "how much it weighs"),
    Field::required("message", Shape::Text, "what, in one line"),
    Field::optional("details", Shape::List(&Shape::Text), "further lines"),
    Field::optional("step", Shape::Fields(STEP), "the step"),
    Field::optional("invariant", Shape::Text, "the invariant"),
    Field::optional("path", Shape::Text, "the path in the result"),
    Field::optional("matcher", Shape::Text, "the matcher"),
    Field::optional("expected", Shape::Any, "what was expected"),
    Field::optional("actual", Shape::Any, "what was there"),
    Field::optional("file", Shape::Text, "where it points: the file, as seen from the repository's root"),
    Field::optional("line", Shape::Integer, "the line"),
    Field::optional("column", Shape::Integer, "the column, in characters"),
];

const STEP: &[Field] = &[
    Field::required("path", Shape::Text, "the way to it: `3`, `finally.1`, `invariant.NAME.0`"),
    Field::required("name", Shape::Text, "its name"),
    Field::required("action", Shape::Text, "its action as written"),
];

const ATTEMPT: &[Field] = &[
    Field::required("number", Shape::Integer, "its number, from 1"),
    Field::required("outcome", TEST_OUTCOME, "how it came out"),
    Field::required("reason", TEXT_OR_NULL, "why, where no finding says it; else null"),
    Field::required("seconds", Shape::Number, "how long it took"),
    Field::required("checks", Shape::Integer, "how many written expectations were judged"),
    Field::required("findings", Shape::List(&Shape::Fields(FINDING)), "what kept it from passing, in order"),
    Field::required("warnings", Shape::List(&Shape::Text), "what is worth a look"),
    Field::required(
        "suspects",
        Shape::List(&Shape::Fields(SUSPECT)),
        "whom the evidence points at, the likeliest first",
    ),
];

const SUSPECT: &[Field] = &[
    Field::required("component", Shape::Text, "who"),
    Field::required("seam", TEXT_OR_NULL, "on which seam, where it is seen on one; else null"),
    Field::required("reason", Shape::Text, "why, to be read after the name"),
    Field::required("evidence", Shape::List(&Shape::Integer), "the numbers of the events that say so"),
];

const INVARIANT: &[Field] = &[
    Field::required("name", Shape::Text, "its name"),
    Field::required("judged", Shape::Integer, "after how many tests it was judged"),
    Field::required(
        "broken_by",
        Shape::List(&Shape::Text),
        "the ids of the tests after which it did not hold",
    ),
];

const LOST: &[Field] = &[
    Field::required("of", Shape::Text, "what: interactions, lines, events"),
    Field::required("seam", TEXT_OR_NULL, "on which seam, where it is a seam's; else null"),
    Field::required("count", Shape::Integer, "how many"),
];

const SECONDS: &[Field] = &[
    Field::required("plan", Shape::Number, "until the plan was known"),
    Field::required("prepare", Shape::Number, "until the first component was started"),
    Field::required("start", Shape::Number, "until the first test began"),
    Field::required("tests", Shape::Number, "until the last test ended"),
    Field::required("stop", Shape::Number, "until nothing ran any more"),
    Field::required("all", Shape::Number, "all of it"),
];

const COUNTS: &[Field] = &[
    Field::required("passed", Shape::Integer, "all that they checked held"),
    Field::required("failed", Shape::Integer, "something did not hold"),
    Field::required("errored", Shape::Integer, "could not be carried out"),
    Field::required("inconclusive", Shape::Integer, "could not be judged"),
    Field::required("known_failure", Shape::Integer, "fail, as is known"),
    Field::required("skipped", Shape::Integer, "their authors say to skip them"),
    Field::required("not_run", Shape::Integer, "the run ended before they began"),
    Field::required("flaky", Shape::Integer, "of those that passed, after an attempt that did not"),
];

fn report(history: &History, verdict: &Verdict, options: &Options) -> String {
    let files = Files::of(history, options);
    let counts = verdict.counts();
    let by_outcome =
        TestOutcome::ALL.map(|outcome| (outcome.word().replace(' ', "_"), Value::from(counts.of(outcome))));
    let value = Value::map([
        ("format", FORMAT.into()),
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
        ("seconds", Value::map(verdict.times.parts().map(|(name, part)| (name, time(part))))),
        ("findings", list(&verdict.findings, |one| finding(one, files))),
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
        ("tests", list(&verdict.tests, |one| test(one, files))),
    ]);
    value.to_pretty() + "\n"
}

fn test(test: &TestVerdict, files: Files<'_>) -> Value {
    let mut fields = vec![
        ("id", Value::text(test.id.as_str())),
        ("name", Value::text(&test.name)),
        ("suite", Value::text(&test.suite)),
    ];
    fields.extend(place(Some(test.place), files));
    fields.extend([
        ("tags", test.tags.clone().into()),
        ("outcome", test.outcome.word().into()),
        ("reason", test.reason.clone().into()),
        ("flaky", test.flaky.into()),
        ("seconds", time(test.took())),
        ("attempts", list(&test.attempts, |one| attempt(one, files))),
    ]);
    Value::map(fields)
}

fn attempt(attempt: &Attempt, files: Files<'_>) -> Value {
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
        ("findings", list(&attempt.findings, |one| finding(one, files))),
        ("warnings", list(&attempt.warnings, warning)),
        ("suspects", suspects),
    ])
}

fn finding(finding: &Finding, files: Files<'_>) -> Value {
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
    fields.extend(place(finding.place(), files));
    Value::map(fields)
}

fn place(place: Option<Place>, files: Files<'_>) -> Vec<(&'static str, Value)> {
    let Some(spot) = place.and_then(|place| files.spot(place)) else { return Vec::new() };
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
