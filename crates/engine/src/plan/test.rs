//! What a test is once it is planned: everything read, checked and resolved, nothing done yet.

use crate::plan::live::Allowed;
use seam_diag::Span;
use seam_event::{TestId, TestPlan};
use seam_expr::{Capture, Expression, NameUse, Template};
use seam_matcher::Statement;
use seam_model::{Pacing, Scope};
use seam_steps::{Action, Disturbance};
use std::sync::Arc;
use std::time::Duration;

/// One test, ready to be run. Cases and repetitions of one test share its body.
#[derive(Clone)]
pub struct PlannedTest {
    /// Its id, name, place, tags and what is known of it.
    pub told: TestPlan,
    /// The file it stands in, by index.
    pub file: usize,
    /// What it does.
    pub body: Arc<TestBody>,
    /// The values of its case.
    pub case: Vec<(String, Template)>,
}

impl PlannedTest {
    /// Its id.
    pub fn id(&self) -> &TestId {
        &self.told.id
    }
}

/// What the cases of a test share.
pub struct TestBody {
    /// Fixtures, in the order of setting them up.
    pub needs: Vec<PlannedNeed>,
    /// Its own variables, in order.
    pub vars: Vec<(String, Template)>,
    /// What is put on seams while its steps run.
    pub under: Vec<Disturbance>,
    /// Its steps.
    pub steps: Vec<PlannedStep>,
    /// Steps that run whatever happened.
    pub finally: Vec<PlannedStep>,
    /// The deadline of the whole test.
    pub timeout: Duration,
    /// How long nothing may pass before it counts as settled.
    pub quiet: Duration,
    /// Invariants that it is excused from.
    pub without: Vec<String>,
    /// Which of somebody else's components it may ask.
    pub(crate) live: Vec<Allowed>,
    /// Why this version can't run it, if it can't.
    pub not_there_yet: Option<String>,
    /// Where its name stands.
    pub span: Span,
}

impl TestBody {
    /// May it ask this external?
    pub(crate) fn allows(&self, external: &str) -> bool {
        self.live.iter().any(|allowed| allowed.component == external)
    }
}

/// A fixture with the values it is to be made with.
pub struct PlannedNeed {
    /// The fixture.
    pub fixture: Arc<PlannedFixture>,
    /// The name under which its values come, and of its actor.
    pub alias: Option<String>,
    /// Values for what it takes, defaults included, in the order of taking.
    pub with: Vec<(String, Template)>,
}

/// A fixture, ready to be set up.
pub struct PlannedFixture {
    /// Its name.
    pub name: String,
    /// How long it lives.
    pub scope: Scope,
    /// The file whose variables it sees, by index.
    pub file: usize,
    /// Fixtures that it needs itself.
    pub needs: Vec<PlannedNeed>,
    /// Its steps.
    pub steps: Vec<PlannedStep>,
    /// What comes out of it.
    pub gives: Vec<(String, Template)>,
    /// What its actor sends from then on.
    pub signs_in: Option<Template>,
    /// Steps that run when it is no longer needed.
    pub cleanup: Vec<PlannedStep>,
}

/// A flow, ready to be used.
pub struct PlannedFlow {
    /// Its name.
    pub name: String,
    /// The file whose variables it sees, by index.
    pub file: usize,
    /// What it takes, with defaults.
    pub takes: Vec<(String, Option<Template>)>,
    /// Its steps.
    pub steps: Vec<PlannedStep>,
    /// What comes out of it.
    pub gives: Vec<(String, Template)>,
}

/// What must hold after every test.
pub struct PlannedInvariant {
    /// Its name.
    pub name: String,
    /// The steps whose expectations say it.
    pub steps: Vec<PlannedStep>,
}

/// One step, ready to be run as often as needed.
pub struct PlannedStep {
    /// What people call it: its name, or its action as written.
    pub title: String,
    /// Its action as key and subject.
    pub action_text: String,
    /// The whole step.
    pub span: Span,
    /// Where its action's key stands.
    pub action_span: Span,
    /// What it does.
    pub action: Box<dyn Action>,
    /// The variables that it uses, for what runs whatever happened.
    pub uses: Vec<NameUse>,
    /// The flow that it uses, if it uses one.
    pub flow: Option<String>,
    /// Steps inside it.
    pub children: Vec<PlannedStep>,
    /// Who does it; the one around it where nothing is said.
    pub actor: Option<String>,
    /// What is put on seams while it runs.
    pub under: Vec<Disturbance>,
    /// Left out where this is false.
    pub when: Option<Expression>,
    /// What is expected.
    pub expect: Vec<Statement>,
    /// Has it an `expect` of its own, empty or not?
    pub has_expect: bool,
    /// Fails at once where one of these holds.
    pub unless: Vec<Statement>,
    /// What is saved under which name.
    pub save: Vec<(String, Capture)>,
    /// How it is tried and for how long.
    pub pacing: Pacing,
    /// Does the test go on although it failed?
    pub soft: bool,
    /// What its actor sends from then on.
    pub signs_in: Option<Template>,
}
