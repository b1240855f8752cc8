//! The system as it is going to be raised: every component read by its kind, every reference resolved to an
//! endpoint, and the seams that these references declare.

use crate::plan::environment::Environment;
use crate::plan::order::waits_for;
use crate::plan::references::{Reach, reach};
use crate::plan::secure::{PlannedTls, read_descriptors};
use crate::plan::settings::Known;
use crate::plan::waits::{PlannedWait, check_seam, read_where, waits};
use indexmap::IndexMap;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_event::{ComponentId, Endpoint, SeamId};
use seam_expr::{ReferenceText, Target};
use seam_launch::{CommandLine, Raise, Ready, RuntimeKind, read_ready, runtime};
use seam_matcher::Statement;
use seam_model::{Component, Spanned, System};
use seam_services::Declared;
use seam_steps::DeclaredSystem;
use seam_wire::grpc::Descriptors;
use seam_wire::{Protocol, protocol, protocol_of};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long nothing may pass before a test counts as settled, where nothing is said.
const QUIET: Duration = Duration::from_millis(50);

/// How long a command of `prepare` may take, where nothing is said.
const PREPARE_WITHIN: Duration = Duration::from_mins(10);

/// The system, ready to be raised.
pub struct SystemPlan {
    /// Its name.
    pub name: String,
    /// The folder of `seam.yaml`.
    pub root: PathBuf,
    /// How long nothing may pass before a test counts as settled.
    pub quiet: Duration,
    /// One try's deadline, where neither the step nor its file says one.
    pub(crate) step_within: Option<Duration>,
    /// Commands run once before the start.
    pub(crate) prepare: Vec<PlannedPrepare>,
    /// Secrets with their values.
    pub(crate) secrets: BTreeMap<String, String>,
    /// The names of all secrets, with and without a value.
    pub(crate) declared_secrets: BTreeSet<String>,
    /// What `${env.NAME}` gives.
    pub(crate) environment: Environment,
    /// Components in the written order.
    pub components: IndexMap<String, PlannedComponent>,
    /// The seams that references declare, consumer by consumer.
    pub seams: Vec<PlannedSeam>,
    /// For each component those that must be ready before it starts.
    pub(crate) waits_for: BTreeMap<String, BTreeSet<String>>,
    /// Calls that are open while they wait for something to happen.
    pub(crate) waits: Vec<PlannedWait>,
}

/// A command run once before the start.
pub(crate) struct PlannedPrepare {
    pub(crate) command: CommandLine,
    pub(crate) within: Duration,
    pub(crate) span: Span,
}

/// A component, read by its kind.
pub struct PlannedComponent {
    /// What was declared.
    pub declared: Component,
    /// What it is made of.
    pub(crate) made: Made,
    /// Where it can be reached.
    pub endpoints: Vec<EndpointPlan>,
    /// Its environment.
    pub(crate) env: Vec<(String, ReferenceText)>,
    /// The words of its command line.
    pub(crate) texts: Vec<ReferenceText>,
    /// Files rendered for it: target, template, and the template's text.
    pub(crate) files: Vec<PlannedFile>,
    /// How it is known to be ready.
    pub(crate) ready: Option<Arc<dyn Ready>>,
    /// References inside that.
    pub(crate) ready_texts: Vec<ReferenceText>,
    /// Which interactions its readiness waits for, where it waits for one.
    pub(crate) ready_where: Vec<Statement>,
    /// How it listens with TLS, where it does.
    pub(crate) tls: Option<PlannedTls>,
    /// What describes the messages of its gRPC endpoints.
    pub(crate) descriptors: Option<Arc<Descriptors>>,
}

/// A file rendered for a component.
pub(crate) struct PlannedFile {
    pub(crate) target: ReferenceText,
    pub(crate) template: PathBuf,
    pub(crate) text: ReferenceText,
}

/// What a component is made of.
pub(crate) enum Made {
    /// A ready-made service.
    Service(Arc<dyn Declared>),
    /// A runtime: a process, somebody else's.
    Runtime(Arc<dyn Raise>, &'static RuntimeKind),
}

/// A place where a component can be reached.
#[derive(Clone)]
pub struct EndpointPlan {
    /// Its name; empty for the one without a name.
    pub name: String,
    /// What is spoken there.
    pub protocol: &'static dyn Protocol,
}

/// A seam that a reference declares.
#[derive(Clone)]
pub struct PlannedSeam {
    /// The seam.
    pub id: SeamId,
    /// What is spoken there.
    pub protocol: &'static dyn Protocol,
    /// Where it is declared.
    pub span: Span,
}

impl SystemPlan {
    /// The declared secrets with their values, to be masked.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Components that do something once and have ended when they are ready.
    pub fn jobs(&self) -> impl Iterator<Item = &str> {
        let jobs = self.components.iter().filter(|(_, component)| component.is_job());
        jobs.map(|(name, _)| name.as_str())
    }

    /// Reads all components and resolves all references; mistakes go to `found`.
    pub(crate) fn read(
        system: &System,
        root: &Path,
        environment: Environment,
        found: &mut Diagnostics,
    ) -> Self {
        let secrets = secrets(system, &environment, found);
        let declared_secrets = system.secrets.keys().cloned().collect();
        let known = Known { environment: &environment, secrets: &secrets, declared: &declared_secrets };
        let mut components = IndexMap::new();
        for (name, component) in &system.components {
            let mut component = component.clone();
            component.ready_within = component.ready_within.or(system.deadlines.ready);
            component.stop_within = component.stop_within.or(system.deadlines.stop);
            if let Some(planned) = PlannedComponent::read(&component, root, &known, found) {
                components.insert(name.clone(), planned);
            }
        }
        let mut plan = Self {
            name: system.name.value.clone(),
            root: root.to_owned(),
            quiet: system.quiet.unwrap_or(QUIET),
            step_within: system.deadlines.step,
            prepare: prepare(system, found),
            secrets,
            declared_secrets,
            environment,
            components,
            seams: Vec::new(),
            waits_for: BTreeMap::new(),
            waits: Vec::new(),
        };
        // A component that could not be read is told already; what refers to it is not told again.
        let declared: BTreeSet<&str> = system.components.keys().map(String::as_str).collect();
        plan.resolve(&declared, found);
        plan.waits = waits(&system.waits, &declared, &plan, found);
        plan
    }

    /// Resolves every reference of every component: seams, order, and what can't be found.
    fn resolve(&mut self, declared: &BTreeSet<&str>, found: &mut Diagnostics) {
        let mut seams: Vec<PlannedSeam> = Vec::new();
        let mut refers_to: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, component) in &self.components {
            let others = refers_to.entry(name.clone()).or_default();
            for reference in component.references() {
                match reach(self, name, reference, declared, found) {
                    Reach::Dials { component: provider, endpoint, protocol } => {
                        others.insert(provider.clone());
                        let id = seam(name, &provider, &endpoint);
                        if !seams.iter().any(|seam| seam.id == id) {
                            seams.push(PlannedSeam { id, protocol, span: reference.span });
                        }
                    }
                    Reach::Mentions { component } => {
                        others.insert(component);
                    }
                    Reach::Nobody => {}
                }
            }
            for other in &component.declared.needs {
                if self.known(other, declared, found) {
                    others.insert(other.value.clone());
                }
            }
            for callee in &component.declared.calls {
                self.known(callee, declared, found);
            }
            if let Some(seam) = component.ready.as_ref().and_then(|ready| ready.seam()) {
                check_seam(seam, declared, &*self, found);
            }
        }
        // `calls` shows a seam, but no order of starting.
        self.waits_for = waits_for(&refers_to);
        for (name, component) in &self.components {
            for callee in &component.declared.calls {
                let Some(provider) = self.components.get(&callee.value) else { continue };
                let id = seam(name, callee, "");
                if !seams.iter().any(|seam| seam.id == id) {
                    seams.push(PlannedSeam { id, protocol: provider.main_protocol(), span: callee.span });
                }
            }
        }
        self.seams = seams;
    }

    fn known(&self, name: &Spanned<String>, declared: &BTreeSet<&str>, found: &mut Diagnostics) -> bool {
        if declared.contains(name.value.as_str()) {
            return self.components.contains_key(&name.value);
        }
        let title = format!("there is no component `{}`", name.value);
        found.push(Diagnostic::error(title).at(name.span, "").suggest(name, declared.iter().copied()));
        false
    }

    /// The protocol of a component's endpoint.
    pub fn protocol_of(&self, component: &str, endpoint: &str) -> Option<&'static dyn Protocol> {
        let component = self.components.get(component)?;
        component.endpoints.iter().find(|one| one.name == endpoint).map(|one| one.protocol)
    }
}

impl PlannedComponent {
    fn read(component: &Component, root: &Path, known: &Known<'_>, found: &mut Diagnostics) -> Option<Self> {
        let made = match component.origin.value.as_str() {
            "service" => {
                let name = component.subject.as_text().unwrap_or_default();
                // One that is not there is told by the crate that reads the files.
                let service = seam_services::find(name)?;
                let settings = known.resolved(&component.settings, found);
                let component = Component { settings, ..component.clone() };
                Made::Service(service.read(&component, root, found)?.into())
            }
            origin => {
                let kind = runtime(origin)?;
                Made::Runtime((kind.read)(component, found)?.into(), kind)
            }
        };
        let ready = component.ready.as_ref().and_then(|node| read_ready(node, found)).map(Arc::from);
        let raised_with = match &made {
            Made::Runtime(raise, _) => texts(raise.templates(), found),
            Made::Service(_) => Vec::new(),
        };
        let ready_where =
            ready.as_ref().map(|ready: &Arc<dyn Ready>| read_where(ready.seam(), found)).unwrap_or_default();
        let ready_texts = ready.as_ref().map(|ready: &Arc<dyn Ready>| texts(ready.templates(), found));
        let endpoints = endpoints(component, &made, found);
        Some(Self {
            tls: PlannedTls::read(component, &endpoints, found),
            descriptors: read_descriptors(component, root, &endpoints, found),
            endpoints,
            env: component
                .env
                .iter()
                .map(|(name, node)| (name.value.clone(), ReferenceText::read(node, found)))
                .collect(),
            texts: raised_with,
            files: files(component, root, found),
            ready,
            ready_texts: ready_texts.unwrap_or_default(),
            ready_where,
            declared: component.clone(),
            made,
        })
    }

    /// All references that stand anywhere in it.
    fn references(&self) -> impl Iterator<Item = &seam_expr::Reference> {
        let env = self.env.iter().map(|(_, text)| text);
        let files = self.files.iter().flat_map(|file| [&file.target, &file.text]);
        let tls = self.tls.iter().flat_map(PlannedTls::texts);
        let texts = env.chain(&self.texts).chain(files).chain(&self.ready_texts).chain(tls);
        texts.flat_map(ReferenceText::references)
    }

    /// Does it say where one of its endpoints is to listen?
    pub(crate) fn binds(&self, endpoint: &str) -> bool {
        self.references().any(|reference| match &reference.target {
            Target::Own { endpoint: own, property } => {
                own.as_deref().unwrap_or("") == endpoint && property != "dir" && property != "public"
            }
            Target::Component { .. } | Target::Env(_) | Target::Secret(_) => false,
        })
    }

    /// Is it a job: ready when it has ended as it should?
    pub(crate) fn is_job(&self) -> bool {
        self.declared.ready.as_ref().is_some_and(|node| node.get("exit").is_some())
    }

    /// The code that it ends with when it has done its work, if it is a job.
    pub(crate) fn job_code(&self) -> Option<i32> {
        self.declared.ready.as_ref()?.get("exit")?.scalar_text()?.parse().ok()
    }

    /// Somebody else's address, where it is that.
    pub(crate) fn external_address(&self) -> Option<&ReferenceText> {
        let Made::Runtime(raise, _) = &self.made else { return None };
        raise.external().and_then(|_| self.texts.first())
    }

    fn main_protocol(&self) -> &'static dyn Protocol {
        self.endpoints.first().map_or_else(http, |endpoint| endpoint.protocol)
    }
}

impl DeclaredSystem for SystemPlan {
    fn components(&self) -> Vec<&str> {
        self.components.keys().map(String::as_str).collect()
    }

    fn endpoints(&self, component: &str) -> Vec<&str> {
        let component = self.components.get(component);
        component.into_iter().flat_map(|one| &one.endpoints).map(|endpoint| endpoint.name.as_str()).collect()
    }

    fn protocol(&self, component: &str, endpoint: &str) -> Option<&str> {
        self.protocol_of(component, endpoint).map(Protocol::name)
    }

    fn descriptors(&self, component: &str) -> Option<Arc<Descriptors>> {
        self.components.get(component)?.descriptors.clone()
    }

    fn service(&self, component: &str) -> Option<&str> {
        let component = &self.components.get(component)?.declared;
        (component.origin.value == "service").then(|| component.subject.as_text()).flatten()
    }

    fn seams(&self) -> Vec<(&str, &str, &str)> {
        let seams = self.seams.iter().map(|planned| &planned.id);
        seams.map(|id| (id.consumer.as_str(), id.provider.as_str(), id.endpoint.as_str())).collect()
    }

    fn root(&self) -> &Path {
        &self.root
    }
}

/// A seam by the names of its ends.
pub(crate) fn seam(consumer: &str, provider: &str, endpoint: &str) -> SeamId {
    SeamId {
        consumer: ComponentId::from(consumer),
        provider: ComponentId::from(provider),
        endpoint: Endpoint::from(endpoint),
    }
}

fn http() -> &'static dyn Protocol {
    protocol("http").expect("http stands in the table of protocols")
}

fn texts(templates: &[Spanned<String>], found: &mut Diagnostics) -> Vec<ReferenceText> {
    templates.iter().map(|text| ReferenceText::parse(text, text.span, &|_, _| text.span, found)).collect()
}

fn endpoints(component: &Component, made: &Made, found: &mut Diagnostics) -> Vec<EndpointPlan> {
    let mut known = |name: &Spanned<String>| {
        let known = protocol(&name.value);
        if known.is_none() {
            let names = seam_wire::PROTOCOLS.iter().map(|protocol| protocol.name());
            let title = format!("there is no protocol `{}`", name.value);
            found.push(Diagnostic::error(title).at(name.span, "").suggest(name, names));
        }
        known
    };
    if let Made::Service(service) = made {
        let infos = service.endpoints().into_iter();
        return infos
            .filter_map(|info| Some(EndpointPlan { name: info.name, protocol: protocol(info.protocol)? }))
            .collect();
    }
    let main = component.protocol.as_ref().map_or_else(|| Some(spoken(component)), &mut known);
    let further = component
        .endpoints
        .iter()
        .filter_map(|(name, protocol)| Some(EndpointPlan { name: name.clone(), protocol: known(protocol)? }));
    let main = main.map(|protocol| EndpointPlan { name: String::new(), protocol });
    main.into_iter().chain(further).collect()
}

/// What a component speaks that does not say so: what its address says, where it is somebody else's.
fn spoken(component: &Component) -> &'static dyn Protocol {
    let address = component.subject.as_text().filter(|_| component.origin.value == "external");
    let scheme = address.and_then(|address| address.split_once("://")).map(|(scheme, _)| scheme);
    scheme.and_then(protocol_of).unwrap_or_else(http)
}

fn files(component: &Component, root: &Path, found: &mut Diagnostics) -> Vec<PlannedFile> {
    let mut files = Vec::new();
    for (target, template) in &component.files {
        if let Some(warning) = astray(component, target) {
            found.push(warning);
        }
        let path = root.join(&template.value);
        match std::fs::read_to_string(&path) {
            Ok(text) => files.push(PlannedFile {
                target: ReferenceText::parse(&target.value, target.span, &|_, _| target.span, found),
                template: PathBuf::from(&template.value),
                text: ReferenceText::parse(&text, template.span, &|_, _| template.span, found),
            }),
            Err(error) => {
                let title = format!("the template `{}` can't be read", template.value);
                found.push(Diagnostic::error(title).at(template.span, error.to_string()));
            }
        }
    }
    files
}

/// A file is rendered to where it is said from the project's folder, and a component that is started in a folder of its own
/// looks for it there.
fn astray(component: &Component, target: &Spanned<String>) -> Option<Diagnostic> {
    let plain = |path: &str| -> PathBuf {
        let parts = Path::new(path).components().filter(|part| *part != std::path::Component::CurDir);
        parts.collect()
    };
    let dir = component.dir.as_ref()?;
    let (folder, path) = (plain(&dir.value), plain(&target.value));
    // Who is told its path looks for it there.
    let is_told = component
        .env
        .iter()
        .any(|(_, value)| value.as_text().is_some_and(|text| text.contains(&target.value)));
    let is_known =
        !is_told && !path.is_absolute() && !target.value.contains("${") && !dir.value.contains("${");
    if !is_known || folder.is_absolute() || path.starts_with(&folder) {
        return None;
    }
    let title =
        format!("this file lies outside of `{}`, where `{}` is started", dir.value, component.name.value);
    let warning = Diagnostic::warning(title).at(target.span, "a path from the folder of seam.yaml");
    Some(warning.hint(format!("write `{}` where it is meant to lie there", folder.join(path).display())))
}

fn prepare(system: &System, found: &mut Diagnostics) -> Vec<PlannedPrepare> {
    let commands = system.prepare.iter().filter_map(|prepare| {
        let command = CommandLine::read(&prepare.command, "`prepare`", found)?;
        Some(PlannedPrepare {
            command,
            within: prepare.timeout.or(system.deadlines.prepare).unwrap_or(PREPARE_WITHIN),
            span: prepare.command.span,
        })
    });
    commands.collect()
}

fn secrets(system: &System, environment: &Environment, found: &mut Diagnostics) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, secret) in &system.secrets {
        let from_env = secret.env.as_ref().and_then(|variable| environment.get(&variable.value));
        if let Some(value) = from_env.or_else(|| secret.default.as_ref().map(|default| default.value.clone()))
        {
            values.insert(name.clone(), value);
            continue;
        }
        let variable = secret.env.as_ref().map_or("", |variable| variable.value.as_str());
        found.push(
            Diagnostic::error(format!("the secret `{name}` has no value"))
                .at(secret.span, format!("the environment variable `{variable}` is not set"))
                .hint(format!("set {variable} in the environment or in `.env`, or give a `default`")),
        );
    }
    values
}
