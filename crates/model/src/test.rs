//! What a `*.seam.yaml` file says: tests, and the fixtures and flows that they use.

use crate::node::{Entry, Node, Spanned};
use seam_diag::{FileId, Span};
use std::time::Duration;

/// One file of tests.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The file.
    pub file: FileId,
    /// Its path, relative to the project's folder, with `/`.
    pub path: String,
    /// Variables of the whole file, in order.
    pub vars: Vec<(Spanned<String>, Node)>,
    /// What its steps share.
    pub defaults: TestDefaults,
    /// Fixtures, its own and those of included files.
    pub fixtures: Vec<Fixture>,
    /// Flows, its own and those of included files.
    pub flows: Vec<Flow>,
    /// Tests in the written order.
    pub tests: Vec<Test>,
    /// Variables of the included files, which their fixtures and flows see instead of this file's.
    pub included: Vec<Included>,
}

/// A file whose fixtures and flows were brought in.
#[derive(Clone, Debug)]
pub struct Included {
    /// The file.
    pub file: FileId,
    /// Its variables, in order.
    pub vars: Vec<(Spanned<String>, Node)>,
    /// What its steps share.
    pub defaults: TestDefaults,
}

/// What the steps of a file share.
#[derive(Clone, Debug, Default)]
pub struct TestDefaults {
    /// One try's deadline.
    pub timeout: Option<Duration>,
    /// Inputs that every step takes over whose kind has them (`headers`).
    pub inputs: Vec<Entry>,
}

/// A named story.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name.
    pub name: Spanned<String>,
    /// Tags to choose it by.
    pub tags: Vec<Spanned<String>>,
    /// Its tier: `commit`, `merge`, `nightly`, `release`.
    pub tier: Option<Spanned<String>>,
    /// Fixtures that it needs.
    pub needs: Vec<Need>,
    /// Cases: one test is made of each.
    pub each: Option<Each>,
    /// How often the test is made.
    pub repeat: Option<u64>,
    /// Its own variables.
    pub vars: Vec<(Spanned<String>, Node)>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Steps that run whatever happened.
    pub finally: Vec<Step>,
    /// The deadline of the whole test; 60 s if it has none.
    pub timeout: Option<Duration>,
    /// Its own `quiet`.
    pub quiet: Option<Duration>,
    /// Why it is skipped.
    pub skip: Option<Spanned<String>>,
    /// Why it is known to fail.
    pub fails: Option<Fails>,
    /// Invariants that it is excused from.
    pub without: Vec<Spanned<String>>,
    /// Tests with the same lock never run side by side.
    pub lock: Option<Spanned<String>>,
    /// Faults and stubs on seams for the whole test.
    pub under: Vec<Node>,
    /// Does it allow its externals to be asked (with what budget and operations)?
    pub live: Option<Node>,
}

/// A known failure.
#[derive(Clone, Debug)]
pub struct Fails {
    /// Why.
    pub why: Spanned<String>,
    /// Is it one of chance?
    pub sometimes: bool,
}

/// Where the cases of a test come from.
#[derive(Clone, Debug)]
pub enum Each {
    /// Written in the file, each a map.
    Rows(Vec<Node>),
    /// A table with a head; cells are text unless the head says `quantity:number`.
    Csv(Spanned<String>),
    /// A list of maps.
    Json(Spanned<String>),
}

/// A fixture that something needs.
#[derive(Clone, Debug)]
pub struct Need {
    /// The fixture's name.
    pub fixture: Spanned<String>,
    /// Under which name its values come, and who its actor is.
    pub alias: Option<Spanned<String>>,
    /// Values for what it takes.
    pub with: Vec<(Spanned<String>, Node)>,
}

/// How long a fixture lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// For one test.
    Test,
    /// For all tests of a file.
    File,
    /// For the whole run.
    Run,
}

/// What a test needs before it, with a clean-up.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Its name.
    pub name: Spanned<String>,
    /// How long it lives.
    pub scope: Scope,
    /// What it takes.
    pub takes: Vec<Take>,
    /// Fixtures that it needs itself.
    pub needs: Vec<Need>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// The only names that come out of it, with the values they get.
    pub gives: Vec<(Spanned<String>, Node)>,
    /// What its actor sends from then on: `headers`, `bearer`, `basic`, `cookies`.
    pub signs_in: Option<Node>,
    /// Steps that run when it is no longer needed, whatever happened.
    pub cleanup: Vec<Step>,
}

/// Steps used in several places.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its name.
    pub name: Spanned<String>,
    /// What it takes.
    pub takes: Vec<Take>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// The only names that come out of it, with the values they get.
    pub gives: Vec<(Spanned<String>, Node)>,
}

/// A name that a fixture or a flow takes.
#[derive(Clone, Debug)]
pub struct Take {
    /// The name.
    pub name: Spanned<String>,
    /// Its value where none is given; a name without one is needed.
    pub default: Option<Node>,
}

/// One action with its inputs, what to expect and what to save.
#[derive(Clone, Debug)]
pub struct Step {
    /// The whole step.
    pub span: Span,
    /// Its name, for people.
    pub name: Option<Spanned<String>>,
    /// The action's key: `http`, `sql`.
    pub action: Spanned<String>,
    /// What stands right of it.
    pub subject: Node,
    /// The action's own fields, which its kind reads.
    pub inputs: Vec<Entry>,
    /// Steps inside it (`together`), where the action's kind holds steps.
    pub children: Vec<Step>,
    /// Who does it.
    pub actor: Option<Spanned<String>>,
    /// Left out where this is false.
    pub when: Option<Node>,
    /// What is expected at which path.
    pub expect: Vec<Expectation>,
    /// Was an `expect` written, empty or not?
    pub has_expect: bool,
    /// What is saved under which name.
    pub save: Vec<Save>,
    /// How it is tried and for how long.
    pub pacing: Pacing,
    /// Does the test go on although it failed?
    pub soft: bool,
    /// Faults and stubs for this step.
    pub under: Vec<Node>,
    /// What its actor sends from then on.
    pub signs_in: Option<Node>,
}

/// One path of a result with what is expected there.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The path as written; `jsonpath`, `xpath`, `css` and `that` are keys of their own kind.
    pub path: Spanned<String>,
    /// A plain value, or a map of matchers.
    pub expected: Node,
}

/// A name with where its value comes from.
#[derive(Clone, Debug)]
pub struct Save {
    /// The name.
    pub name: Spanned<String>,
    /// A path, or a map that says more (`{ from: …, matches: … }`).
    pub from: Node,
}

/// How a step is tried and for how long.
#[derive(Clone, Debug, Default)]
pub struct Pacing {
    /// Tries again until the expectations hold, for so long in all.
    pub within: Option<Duration>,
    /// The pause between two tries.
    pub every: Option<Duration>,
    /// Fails at once where one of these holds.
    pub unless: Vec<Expectation>,
    /// One try's deadline.
    pub timeout: Option<Duration>,
    /// The expectations must hold now and for so long.
    pub holds_for: Option<Duration>,
    /// May it be repeated although it writes?
    pub repeatable: bool,
}
