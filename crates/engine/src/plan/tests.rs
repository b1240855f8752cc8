//! Reads the project's files and plans its tests: fixtures, flows, cases, and every variable where it is used.

use crate::plan::cases::{Case, cases};
use crate::plan::environment::Environment;
use crate::plan::live;
use crate::plan::names::{Known, Used};
use crate::plan::pacing::{self, tell_circles};
use crate::plan::steps::{StepReading, templates};
use crate::plan::system::SystemPlan;
use crate::plan::test::{
    PlannedFixture, PlannedFlow, PlannedInvariant, PlannedNeed, PlannedStep, PlannedTest, TestBody,
};
use crate::plan::vocabulary::Words;
use crate::plan::{Checked, FilePlan, Plan, Request};
use seam_diag::{Diagnostic, Diagnostics, FileId, Sources, Span};
use seam_event::{TestId, TestPlan};
use seam_expr::Template;
use seam_manifest::{Project, TestFiles, find_project, load, read_system, shown};
use seam_model::{Fixture, Flow, Need, Node, Spanned, Step, System, Take, Test, TestDefaults, TestFile};
use seam_steps::Disturbance;
use seam_stub::Source;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A test's deadline where nothing is said.
const TEST_WITHIN: Duration = Duration::from_mins(1);

/// Reads and checks everything, and plans it where there is no mistake.
pub(crate) fn plan(request: &Request) -> Checked {
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let project = match find_project(&request.paths) {
        Ok(project) => project,
        Err(error) => {
            found.push(error.diagnostic());
            return Checked { root: PathBuf::new(), sources, found, plan: None };
        }
    };
    let root = project.root.clone();
    let plan = read(&project, request, &mut sources, &mut found);
    let plan = plan.filter(|_| !found.has_errors());
    Checked { root, sources, found, plan }
}

fn read(
    project: &Project,
    request: &Request,
    sources: &mut Sources,
    found: &mut Diagnostics,
) -> Option<Plan> {
    let words = Words::gather();
    let vocabulary = words.vocabulary();
    let file = load(&project.system, &shown(&project.system), sources, found);
    let system =
        file.and_then(|file| read_system(file, request.profile.as_deref(), &vocabulary, sources, found));
    let mut reader = TestFiles::new(&project.root, &vocabulary);
    let files: Vec<TestFile> =
        project.tests.iter().filter_map(|path| reader.read(path, sources, found)).collect();
    // Without a system there is nothing to check the tests against; what is wrong in their form is told already.
    let system = system?;
    let environment = Environment::of_project(&project.root);
    let planned = SystemPlan::read(&system, &project.root, environment, found);
    let shared = RefCell::new(std::mem::take(sources));
    let mut planning = Planning::new(&system, &planned, project, &shared, found);
    let (invariants, settled) = planning.always();
    let mut tests = Vec::new();
    for file in &files {
        planning.file(file, &mut tests);
    }
    let stubs = planning.stubs();
    let (files, n_tests_in_all) = (planning.files, tests.len());
    *sources = shared.into_inner();
    let unasked = live::unasked(&planned, &tests);
    tests.retain(|test| request.selection.takes(test));
    let system = Arc::new(planned);
    Some(Plan {
        system,
        files,
        tests,
        invariants,
        settled,
        stubs,
        seed: request.seed,
        n_tests_in_all,
        unasked,
    })
}

/// Everything that planning tests looks at, and what it has planned so far.
struct Planning<'a> {
    system: &'a System,
    planned: &'a SystemPlan,
    project: &'a Project,
    sources: &'a RefCell<Sources>,
    found: &'a mut Diagnostics,
    secrets: Rc<BTreeSet<String>>,
    files: Vec<FilePlan>,
    /// The index of each file in `files`.
    indexes: HashMap<FileId, usize>,
    /// Fixtures and flows that were planned, by the place of their names: what several files include is one.
    fixtures: HashMap<Span, Arc<PlannedFixture>>,
    flows: HashMap<Span, Arc<PlannedFlow>>,
    /// Fixtures that are being planned, to notice a circle.
    open: Vec<Span>,
}

/// One file of tests with what it can see.
#[derive(Clone, Copy)]
struct InFile<'a> {
    index: usize,
    file: &'a TestFile,
    /// Variables that the steps see: the file's own, or those of the file that a fixture came from.
    vars: &'a [(Spanned<String>, Node)],
    defaults: &'a TestDefaults,
}

impl<'a> Planning<'a> {
    fn new(
        system: &'a System,
        planned: &'a SystemPlan,
        project: &'a Project,
        sources: &'a RefCell<Sources>,
        found: &'a mut Diagnostics,
    ) -> Self {
        let secrets = Rc::new(system.secrets.keys().cloned().collect());
        let (files, indexes) = (Vec::new(), HashMap::new());
        let (fixtures, flows, open) = (HashMap::new(), HashMap::new(), Vec::new());
        Self { system, planned, project, sources, found, secrets, files, indexes, fixtures, flows, open }
    }

    /// What stands in for components that are not there.
    fn stubs(&mut self) -> HashMap<String, Source> {
        let defaults = TestDefaults::default();
        let components = self.planned.components.iter();
        let declared: Vec<(String, Node)> = components
            .filter_map(|(name, component)| Some((name.clone(), component.declared.stub.clone()?)))
            .collect();
        declared
            .into_iter()
            .filter_map(|(name, node)| {
                let mut reading = self.reading(None, &defaults, &[]);
                Some((name.clone(), reading.stub(&node, &name)?))
            })
            .collect()
    }

    /// Invariants and `settled`, which know no variables.
    fn always(&mut self) -> (Vec<PlannedInvariant>, Vec<PlannedStep>) {
        let (defaults, system) = (TestDefaults::default(), self.system);
        let mut plain = |steps: &[Step]| {
            let mut reading = self.reading(None, &defaults, &[]);
            let planned = reading.steps(steps);
            let mut known = Known::nothing(self.planned, &self.secrets, &Used::default());
            known.check_steps(&planned, self.found);
            planned
        };
        let settled = plain(&system.settled);
        let invariants = system.invariants.iter();
        let invariants = invariants
            .map(|invariant| PlannedInvariant {
                name: invariant.name.value.clone(),
                steps: plain(&invariant.steps),
            })
            .collect();
        (invariants, settled)
    }

    /// What the steps of a file are read with; those of `seam.yaml` where there is none.
    fn reading<'b>(
        &'b mut self,
        file: Option<usize>,
        defaults: &'b TestDefaults,
        flows: &'b [Flow],
    ) -> StepReading<'b> {
        let folder = file.map_or(self.project.root.as_path(), |index| &self.files[index].folder).to_owned();
        let (system, sources, found) = (self.planned, self.sources, &mut *self.found);
        let (not_there_yet, targets) = (None, Vec::new());
        StepReading { system, defaults, flows, folder, sources, found, not_there_yet, targets }
    }

    /// Plans all of one file.
    fn file(&mut self, file: &TestFile, tests: &mut Vec<PlannedTest>) {
        let used = Used::default();
        let index = self.file_plan(file.file, &file.vars);
        for included in &file.included {
            self.file_plan(included.file, &included.vars);
        }
        let own = InFile { index, file, vars: &file.vars, defaults: &file.defaults };
        let known = self.known(&file.vars, &used);
        if tell_circles(&file.flows, self.found) {
            return;
        }
        let mut flows = HashMap::new();
        for flow in &file.flows {
            flows.insert(flow.name.value.clone(), self.flow(flow, own, &used));
        }
        for flow in flows.values() {
            pacing::check(&flow.steps, &flows, self.found);
        }
        self.files[index].flows = Arc::new(flows);
        for fixture in &file.fixtures {
            self.fixture(fixture, own, &used);
        }
        for test in &file.tests {
            self.test(test, own, &known, tests);
        }
        self.warn_unused(file, &used.borrow());
    }

    /// The plan of a file's variables, made once.
    fn file_plan(&mut self, id: FileId, vars: &[(Spanned<String>, Node)]) -> usize {
        if let Some(index) = self.indexes.get(&id) {
            return *index;
        }
        let path = self.sources.borrow().file(id).map(|file| file.path.clone()).unwrap_or_default();
        let absolute = std::path::absolute(&path).unwrap_or(path);
        let folder = absolute.parent().map(PathBuf::from).unwrap_or_default();
        let shown = absolute.strip_prefix(&self.project.root).unwrap_or(&absolute).display().to_string();
        let index = self.files.len();
        self.indexes.insert(id, index);
        let vars = templates(vars, self.found);
        self.files.push(FilePlan { path: shown, folder, vars, flows: Arc::default() });
        index
    }

    /// What is known to everything in a file: its variables, each to those after it.
    fn known(&mut self, vars: &[(Spanned<String>, Node)], used: &Used) -> Known<'a> {
        let mut known = Known::nothing(self.planned, &self.secrets, used);
        for (name, node) in vars {
            // Mistakes inside were told when the template was read.
            let template = Template::read(node, &mut Diagnostics::default());
            known.check(&template, self.found);
            known.declare(name, name.span, self.found);
        }
        known
    }

    /// Where a fixture or flow of this name stands: the file's own view, or that of the file it came from.
    fn home<'b>(&self, span: Span, own: InFile<'b>) -> InFile<'b> {
        let Some(included) = own.file.included.iter().find(|included| included.file == span.file) else {
            return own;
        };
        let index = self.indexes.get(&included.file).copied().unwrap_or(own.index);
        InFile { index, vars: &included.vars, defaults: &included.defaults, ..own }
    }

    fn flow(&mut self, flow: &Flow, own: InFile<'_>, used: &Used) -> Arc<PlannedFlow> {
        if let Some(planned) = self.flows.get(&flow.name.span) {
            return Arc::clone(planned);
        }
        let home = self.home(flow.name.span, own);
        let mut known = self.known(home.vars, used);
        let takes = self.takes(&flow.takes, &mut known);
        let mut reading = self.reading(Some(home.index), home.defaults, &own.file.flows);
        let steps = reading.steps(&flow.steps);
        known.check_steps(&steps, self.found);
        let gives = templates(&flow.gives, self.found);
        for (_, template) in &gives {
            known.check(template, self.found);
        }
        let planned =
            Arc::new(PlannedFlow { name: flow.name.value.clone(), file: home.index, takes, steps, gives });
        self.flows.insert(flow.name.span, Arc::clone(&planned));
        planned
    }

    fn takes(&mut self, takes: &[Take], known: &mut Known<'_>) -> Vec<(String, Option<Template>)> {
        let mut planned = Vec::new();
        for take in takes {
            let default = take.default.as_ref().map(|node| Template::read(node, self.found));
            if let Some(default) = &default {
                known.check(default, self.found);
            }
            known.declare(&take.name, take.name.span, self.found);
            planned.push((take.name.value.clone(), default));
        }
        planned
    }

    /// Plans a fixture with those that it needs; none for one in a circle, which is told.
    fn fixture(&mut self, fixture: &Fixture, own: InFile<'_>, used: &Used) -> Option<Arc<PlannedFixture>> {
        let span = fixture.name.span;
        if let Some(planned) = self.fixtures.get(&span) {
            return Some(Arc::clone(planned));
        }
        if self.open.contains(&span) {
            // The circle itself is told by the crate that reads the files.
            return None;
        }
        self.open.push(span);
        let home = self.home(span, own);
        let mut known = self.known(home.vars, used);
        self.takes(&fixture.takes, &mut known);
        let needs = self.needs(&fixture.needs, own, &mut known, used);
        let mut reading = self.reading(Some(home.index), home.defaults, &own.file.flows);
        let (steps, cleanup) = (reading.steps(&fixture.steps), reading.steps(&fixture.cleanup));
        let signs_in = fixture.signs_in.as_ref().map(|node| Template::read(node, self.found));
        let gives = templates(&fixture.gives, self.found);
        known.check_steps(&steps, self.found);
        self.check_pacing(own, [&steps, &cleanup]);
        gives
            .iter()
            .map(|(_, template)| template)
            .chain(&signs_in)
            .for_each(|template| known.check(template, self.found));
        known.check_steps(&cleanup, self.found);
        let name = fixture.name.value.clone();
        let planned = Arc::new(PlannedFixture {
            name,
            scope: fixture.scope,
            file: home.index,
            needs,
            steps,
            gives,
            signs_in,
            cleanup,
        });
        self.open.pop();
        self.fixtures.insert(span, Arc::clone(&planned));
        Some(planned)
    }

    /// Plans needs; the values that come from them are known from here on.
    fn needs(
        &mut self,
        needs: &[Need],
        own: InFile<'_>,
        known: &mut Known<'_>,
        used: &Used,
    ) -> Vec<PlannedNeed> {
        let mut planned = Vec::new();
        for need in needs {
            // A fixture that is not there is told by the crate that reads the files.
            let Some(fixture) = own.file.fixtures.iter().find(|one| one.name.value == need.fixture.value)
            else {
                continue;
            };
            let mut with = Vec::new();
            for take in &fixture.takes {
                let given = need.with.iter().find(|(name, _)| name.value == take.name.value);
                let Some(node) = given.map(|(_, node)| node).or(take.default.as_ref()) else {
                    let title = format!("the fixture `{}` needs `{}`", fixture.name.value, take.name.value);
                    self.found.push(Diagnostic::error(title).at(need.fixture.span, ""));
                    continue;
                };
                let template = Template::read(node, self.found);
                if given.is_some() {
                    known.check(&template, self.found);
                }
                with.push((take.name.value.clone(), template));
            }
            for (name, _) in &need.with {
                if !fixture.takes.iter().any(|take| take.name.value == name.value) {
                    let takes = fixture.takes.iter().map(|take| take.name.value.as_str());
                    let title = format!("the fixture `{}` takes no `{}`", fixture.name.value, name.value);
                    self.found.push(Diagnostic::error(title).at(name.span, "").suggest(name, takes));
                }
            }
            let Some(fixture) = self.fixture(fixture, own, used) else { continue };
            match &need.alias {
                // Two of one name are told by the crate that reads the files.
                Some(alias)
                    if planned.iter().any(|one: &PlannedNeed| one.alias.as_ref() == Some(&alias.value)) => {}
                Some(alias) => known.declare(alias, alias.span, self.found),
                None => known.add(&need.fixture),
            }
            let alias = need.alias.as_ref().map(|alias| alias.value.clone());
            planned.push(PlannedNeed { fixture, alias, with });
        }
        planned
    }

    /// Plans a test: one for each case and repetition.
    fn test(&mut self, test: &Test, own: InFile<'_>, known: &Known<'a>, tests: &mut Vec<PlannedTest>) {
        let mut known = known.clone();
        let used = known.used();
        let cases = test
            .each
            .as_ref()
            .map(|each| cases(each, (&self.project.root, &self.files[own.index].folder), self.found));
        self.declare_cases(test, cases.as_deref(), &mut known);
        let needs = self.needs(&test.needs, own, &mut known, &used);
        for (_, template) in cases.iter().flatten().flat_map(|case| &case.values) {
            known.check(template, self.found);
        }
        let vars = templates(&test.vars, self.found);
        for ((name, _), (_, template)) in test.vars.iter().zip(&vars) {
            known.check(template, self.found);
            known.declare(name, name.span, self.found);
        }
        let mut reading = self.reading(Some(own.index), own.defaults, &own.file.flows);
        let under = reading.under(&test.under);
        let (steps, finally) = (reading.steps(&test.steps), reading.steps(&test.finally));
        let not_there_yet = reading.not_there_yet.take();
        let uses: Vec<_> = under.iter().flat_map(Disturbance::uses).collect();
        known.check_uses(&uses, self.found);
        known.check_steps(&steps, self.found);
        // What was never saved is left out when it runs: `finally` runs whatever happened.
        known.check_steps(&finally, self.found);
        self.check_pacing(own, [&steps, &finally]);
        let body = Arc::new(TestBody {
            needs,
            vars,
            under,
            steps,
            finally,
            timeout: test.timeout.or(self.system.deadlines.test).unwrap_or(TEST_WITHIN),
            quiet: test.quiet.unwrap_or(self.planned.quiet),
            without: test.without.iter().map(|name| name.value.clone()).collect(),
            live: test
                .live
                .as_ref()
                .map(|node| live::read(node, self.planned, self.found))
                .unwrap_or_default(),
            not_there_yet,
            span: test.name.span,
        });
        for name in &test.without {
            self.check_invariant(name);
        }
        let blank = [Case { name: String::new(), values: Vec::new() }];
        for case in cases.as_deref().unwrap_or(&blank) {
            for repetition in 1..=test.repeat.unwrap_or(1) {
                let name = full_name(test, cases.is_some().then_some(case.name.as_str()), repetition);
                let told = told(test, &name, own.file);
                tests.push(PlannedTest {
                    told,
                    file: own.index,
                    body: Arc::clone(&body),
                    case: case.values.clone(),
                });
            }
        }
    }

    fn check_pacing(&mut self, own: InFile<'_>, lists: [&[PlannedStep]; 2]) {
        let flows = Arc::clone(&self.files[own.index].flows);
        for steps in lists {
            pacing::check(steps, &flows, self.found);
        }
    }

    /// The names of a case are known; all cases must have the same.
    fn declare_cases(&mut self, test: &Test, cases: Option<&[Case]>, known: &mut Known<'_>) {
        let Some(cases) = cases else { return };
        let mut seen = HashSet::new();
        let names: BTreeSet<&String> =
            cases.iter().flat_map(|case| &case.values).map(|(name, _)| name).collect();
        for name in &names {
            known.declare(name, test.name.span, self.found);
        }
        for case in cases {
            if let Some(missing) = names
                .iter()
                .find(|name| !case.values.iter().any(|(own, _)| own == **name) && name.as_str() != "case")
            {
                let title = format!("the case `{}` of `{}` has no `{missing}`", case.name, test.name.value);
                let hint = "all cases have the same names; null is a value, too";
                self.found.push(Diagnostic::error(title).at(test.name.span, "").hint(hint));
            }
            // Those that stand in the file are told by the crate that reads it, with their own place.
            let is_written = matches!(test.each, Some(seam_model::Each::Rows(_)));
            if !seen.insert(&case.name) && !is_written {
                let title = format!("two cases of `{}` are called `{}`", test.name.value, case.name);
                self.found.push(Diagnostic::error(title).at(test.name.span, ""));
            }
        }
    }

    fn check_invariant(&mut self, name: &Spanned<String>) {
        let mut invariants = self.system.invariants.iter().map(|invariant| invariant.name.value.as_str());
        if !invariants.clone().any(|known| known == name.value) {
            let title = format!("there is no invariant `{}`", name.value);
            self.found.push(Diagnostic::error(title).at(name.span, "").suggest(name, invariants.by_ref()));
        }
    }

    fn warn_unused(&mut self, file: &TestFile, used: &BTreeSet<String>) {
        for (name, _) in &file.vars {
            if !used.contains(&name.value) {
                let title = format!("the variable `{}` is never used", name.value);
                self.found.push(Diagnostic::warning(title).at(name.span, ""));
            }
        }
        let of_fixtures =
            file.fixtures.iter().flat_map(|fixture| fixture.steps.iter().chain(&fixture.cleanup));
        let of_flows = file.flows.iter().flat_map(|flow| &flow.steps);
        let of_tests = file.tests.iter().flat_map(|test| test.steps.iter().chain(&test.finally));
        // What is included from another file may be used by others.
        for step in of_fixtures.chain(of_flows).chain(of_tests).filter(|step| step.span.file == file.file) {
            self.warn_unused_saves(step, used);
        }
    }

    fn warn_unused_saves(&mut self, step: &Step, used: &BTreeSet<String>) {
        for save in &step.save {
            if !used.contains(&save.name.value) {
                let title = format!("`{}` is saved and never used", save.name.value);
                self.found.push(Diagnostic::warning(title).at(save.name.span, ""));
            }
        }
        for child in &step.children {
            self.warn_unused_saves(child, used);
        }
    }
}

/// `name [case]`, and `#3` where it is repeated.
fn full_name(test: &Test, case: Option<&str>, repetition: u64) -> String {
    let mut name = test.name.value.clone();
    if let Some(case) = case {
        name = format!("{name} [{case}]");
    }
    if test.repeat.is_some() {
        name = format!("{name} #{repetition}");
    }
    name
}

fn told(test: &Test, name: &str, file: &TestFile) -> TestPlan {
    let suite = file.path.rsplit('/').next().unwrap_or(&file.path).trim_end_matches(".seam.yaml");
    TestPlan {
        id: TestId::from(format!("{}::{name}", file.path)),
        name: name.to_owned(),
        suite: suite.to_owned(),
        place: test.name.span.into(),
        tags: test.tags.iter().map(|tag| tag.value.clone()).collect(),
        skip: test.skip.as_ref().map(|why| why.value.clone()),
        fails: test.fails.as_ref().map(|fails| fails.why.value.clone()),
        fails_sometimes: test.fails.as_ref().is_some_and(|fails| fails.sometimes),
    }
}
