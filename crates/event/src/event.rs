//! One thing that happened, and the kinds of things that can.

use crate::id::{ComponentId, RunId, SeamId, TestId};
use crate::interaction::Interaction;
use crate::notice::Notice;
use seam_diag::Span;
use seam_value::Value;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// One thing that happened, with its place in the order of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the run, from 1; a stored run has gaps only where events were lost or passed over.
    pub seq: u64,
    /// When, since the run began, on a clock that never goes back.
    #[serde(with = "crate::nanos")]
    pub at: Duration,
    /// Which test and step it belongs to.
    #[serde(default)]
    pub scope: Scope,
    /// The event that led to it, by number, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// What happened.
    pub what: What,
}

/// Which test, attempt and step something belongs to; all empty for what belongs to the run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestId>,
    /// Which attempt of it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The step, as the way to it, counted from 0: `3`, `3.together.0`, `finally.1`, `needs.customer.2`,
    /// `cleanup.customer.0`, `settled.0`, `invariant.Who was charged has an order.0`. [`Scope::part`] reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// A place in one of the files that the run's head lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, as its index in [`What::Plan`]'s files.
    pub file: u32,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// A kind of event with what it carries. A reader passes over kinds that it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The first event: what is going to be run.
    Plan {
        /// The run.
        run: RunId,
        /// The version of `seam` that ran.
        version: String,
        /// The seed of all chance.
        seed: u64,
        /// When the run began, RFC 3339 in UTC: the only wall-clock time in a History.
        began: String,
        /// The system's name.
        system: String,
        /// The files that were read, with their texts by content hash.
        files: Vec<StoredFile>,
        /// The tests in their order.
        tests: Vec<TestPlan>,
        /// The seams that references declare.
        seams: Vec<SeamId>,
        /// The command line that runs the same again, without the program's path.
        command: Vec<String>,
    },
    /// A component changed its state.
    Component {
        /// Which.
        component: ComponentId,
        /// To what.
        state: ComponentState,
        /// What there is to say: the program and its version, the exit code, the last lines.
        detail: String,
    },
    /// A component said a line.
    Line {
        /// Which.
        component: ComponentId,
        /// Was it on standard error?
        error: bool,
        /// Its number in the component's log, from 1.
        number: u64,
        /// The line without its end, cut at 8 KiB.
        text: String,
    },
    /// A connection opened or closed on a seam.
    Connection {
        /// The seam.
        seam: SeamId,
        /// Its number in the run.
        connection: u64,
        /// `opened`, `closed`, `reset`, `refused`.
        state: String,
        /// Who holds it, where another than the declared consumer does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<ComponentId>,
    },
    /// One request with its reply, or one message, passed a seam.
    Interaction(Interaction),
    /// A seam is watched as plain bytes from here on, because its decoder was surprised.
    Degraded {
        /// The seam.
        seam: SeamId,
        /// The connection, where it is one only.
        connection: u64,
        /// What surprised it.
        reason: String,
    },
    /// Something could not be kept; counts over it are inconclusive.
    Lost {
        /// What: `interactions`, `lines`, `events`.
        of: String,
        /// On which seam, where it is a seam's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seam: Option<SeamId>,
        /// How many.
        count: u64,
        /// The number of the last event before the first of them: what began after this, or lasted then, may miss
        /// some. Zero: the whole run so far.
        #[serde(default)]
        since: u64,
    },
    /// State was kept or restored.
    State {
        /// The component whose state it is.
        component: ComponentId,
        /// `kept`, `restored`, `reset`, `held open`.
        action: String,
        /// How long that took.
        #[serde(with = "crate::nanos")]
        took: Duration,
        /// What there is to say: who still holds a transaction open.
        detail: String,
    },
    /// A fixture was set up or cleaned up.
    Fixture {
        /// Its name.
        name: String,
        /// Began or ended.
        phase: Phase,
        /// Set-up or clean-up.
        cleanup: bool,
    },
    /// A test began or ended.
    Test {
        /// Began or ended.
        phase: Phase,
    },
    /// A step began, was tried, ended or was left out.
    Step {
        /// What it is called: its name, or its action as written.
        name: String,
        /// Its action, as key and subject: `http: POST gateway/orders`, `seam: orders -> pg.orders`.
        #[serde(default)]
        action: String,
        /// Where it stands.
        place: Place,
        /// Began, ended (with what kept it from its result), or left out.
        stage: StageOf,
    },
    /// An expectation was judged.
    Judged(Judged),
    /// A fault struck, or was put on a seam or taken away; or a stub was put there or taken away.
    Fault {
        /// The seam.
        seam: SeamId,
        /// The fault as written.
        fault: String,
        /// `put`, `struck`, `taken away`.
        action: String,
        /// Is it a stub?
        #[serde(default, skip_serializing_if = "is_false")]
        is_stub: bool,
        /// The interaction that it struck.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interaction: Option<u64>,
    },
    /// A secret was seen in something and masked.
    Secret {
        /// Its stable name: `ann_password`, `bearer 1`.
        name: String,
        /// Where: a seam and a field, a component's log.
        where_seen: String,
    },
    /// Something to tell that no expectation stands for: a warning, a component that was found dead, what kept
    /// the machine from doing its work. It is about the test of its scope, or else about the whole run.
    Notice(Notice),
    /// The last event: the run came to its end. Without it a run was interrupted.
    Finished {
        /// `done`, `interrupted`, or why it could not go on.
        reason: String,
    },
}

/// What a component is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// Its process is being started.
    Starting,
    /// It answers.
    Ready,
    /// It ended by itself as it should (a job), or was stopped.
    Stopped,
    /// It ended by itself and should not have.
    Died,
    /// It never became ready.
    Unready,
    /// It is paused.
    Paused,
}

/// Began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It began.
    Began,
    /// It ended.
    Ended,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageOf {
    /// It began.
    Began,
    /// It ended and had a result.
    Ended,
    /// It was left out, and why.
    LeftOut(String),
    /// Seamwork or the machine could not do it, and why: the test is errored.
    Errored(String),
    /// What it waited for did not come: the test is inconclusive.
    Inconclusive(String),
}

/// One expectation with what came of it.
///
/// Where a step is tried again, or a count is judged again once all is quiet, the same expectation may be judged
/// several times: the last judgement with the same attempt, step, place, path and matcher is the one that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The path in the result: `body.total`.
    pub path: String,
    /// The matcher: `equals`, `contains`.
    pub matcher: String,
    /// Did it hold?
    pub outcome: Outcome,
    /// Was it written by the user (only those count as a check), or expected unsaid?
    pub written: bool,
    /// Does the test go on although it failed?
    #[serde(default)]
    pub soft: bool,
    /// What was expected, as far as that is a value.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
    pub expected: Option<Value>,
    /// What was there; none where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
    pub actual: Option<Value>,
    /// One line on what is wrong, to stand beneath the caret; empty where it held.
    pub message: String,
    /// Further lines: a difference, the nearest path that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Where the expectation stands.
    pub place: Place,
}

/// What came of one expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It held.
    Held,
    /// It did not.
    Failed,
    /// It could not be judged.
    Inconclusive,
}

/// One of the files that a run was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its path, relative to the project.
    pub path: String,
    /// The hash of its text, which is kept among the bodies.
    pub hash: String,
}

/// One test as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestPlan {
    /// Its id.
    pub id: TestId,
    /// Its name as people read it, with the case.
    pub name: String,
    /// The file it stands in, without folder and endings, by which it is grouped.
    pub suite: String,
    /// Where its name stands.
    pub place: Place,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why it is skipped, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    /// Why it is known to fail, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// Does it fail only sometimes?
    #[serde(default)]
    pub fails_sometimes: bool,
}

impl What {
    /// The names of all kinds, as they stand in stored runs. A kind that is missing here is passed over by readers.
    pub const KINDS: &'static [&'static str] = &[
        "plan",
        "component",
        "line",
        "connection",
        "interaction",
        "degraded",
        "lost",
        "state",
        "fixture",
        "test",
        "step",
        "judged",
        "fault",
        "secret",
        "notice",
        "finished",
    ];

    /// The name of its kind, as it stands in stored runs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Component { .. } => "component",
            Self::Line { .. } => "line",
            Self::Connection { .. } => "connection",
            Self::Interaction(_) => "interaction",
            Self::Degraded { .. } => "degraded",
            Self::Lost { .. } => "lost",
            Self::State { .. } => "state",
            Self::Fixture { .. } => "fixture",
            Self::Test { .. } => "test",
            Self::Step { .. } => "step",
            Self::Judged(_) => "judged",
            Self::Fault { .. } => "fault",
            Self::Secret { .. } => "secret",
            Self::Notice(_) => "notice",
            Self::Finished { .. } => "finished",
        }
    }
}

impl Place {
    /// The place as a span of the sources that the run was read from.
    pub fn span(self) -> Span {
        Span { file: seam_diag::FileId(self.file), start: self.start, end: self.end }
    }
}

impl From<Span> for Place {
    fn from(span: Span) -> Self {
        Self { file: span.file.0, start: span.start, end: span.end }
    }
}

/// A value that stands there, null too: serde would take that for nothing at all.
fn there<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// What is false is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_short_line() {
        let event = Event {
            seq: 7,
            at: Duration::from_micros(1_500),
            scope: Scope { test: Some("a::b".into()), ..Scope::default() },
            cause: None,
            what: What::Test { phase: Phase::Began },
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"seq":7,"at":1500000,"scope":{"test":"a::b"},"what":{"test":{"phase":"began"}}}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        assert!(What::KINDS.contains(&event.what.kind()));
    }
}
