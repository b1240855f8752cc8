//! What the tests of this crate share: steps from YAML as the program reads them, a small system, and a testbed that
//! knows what it is told.

pub(crate) mod brokers;
mod cost;
mod examples;
pub(crate) mod live;
pub(crate) mod rpc;
pub(crate) mod servers;
pub(crate) mod smtp;

use crate::action::{Action, Inner, StepContext, Trouble, Unsaid};
use crate::actor::Actor;
use crate::bench::{Act, Address, Awaited, Bench, SaidLine, SeamFilter};
use crate::disturb::{Disturbance, Placed};
use crate::kind::{DeclaredSystem, Reading, STEPS, kind};
use crate::paths::check_paths;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics, Sources};
use seam_event::Interaction;
use seam_expr::{Chance, Names};
use seam_launch::Watcher;
use seam_manifest::{TestFiles, Vocabulary};
use seam_model::{TestFile, Word};
use seam_proxy::FAULTS;
use seam_value::{Map, Value};
use seam_wire::grpc::Descriptors;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Nothing here takes this long unless it is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Serves whoever comes by what this makes of a connection: where it listens, and how many came.
pub(crate) async fn serving<F>(
    serve: impl Fn(TcpStream, SocketAddr) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let n_connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream, at));
        }
    });
    (at, n_connections)
}

/// The system that the steps of the tests are about.
pub(crate) struct Small;

const COMPONENTS: &[(&str, &[(&str, &str)])] = &[
    ("gateway", &[("", "http"), ("admin", "http"), ("rpc", "grpc")]),
    ("bare", &[("", "grpc")]),
    ("orders", &[("", "http")]),
    ("paygate", &[("", "http")]),
    ("notify", &[("", "http")]),
    ("pg", &[("", "postgres"), ("orders", "postgres")]),
    ("maria", &[("", "mysql")]),
    ("redis", &[("", "redis"), ("11", "redis")]),
    ("mail", &[("", "smtp")]),
    ("relay", &[("", "smtps")]),
    ("bus", &[("", "nats")]),
    ("mqtt", &[("", "mqtt")]),
    ("rabbit", &[("", "amqp")]),
    ("kafka", &[("", "kafka")]),
];

impl DeclaredSystem for Small {
    fn components(&self) -> Vec<&str> {
        COMPONENTS.iter().map(|(name, _)| *name).collect()
    }

    fn endpoints(&self, component: &str) -> Vec<&str> {
        let found = COMPONENTS.iter().find(|(name, _)| *name == component);
        found.into_iter().flat_map(|(_, endpoints)| endpoints.iter().map(|(name, _)| *name)).collect()
    }

    fn protocol(&self, component: &str, endpoint: &str) -> Option<&str> {
        let (_, endpoints) = COMPONENTS.iter().find(|(name, _)| *name == component)?;
        endpoints.iter().find(|(name, _)| *name == endpoint).map(|(_, protocol)| *protocol)
    }

    fn descriptors(&self, component: &str) -> Option<Arc<Descriptors>> {
        (component == "gateway").then(rpc::descriptors)
    }

    fn service(&self, component: &str) -> Option<&str> {
        match component {
            "pg" => Some("postgres"),
            "redis" => Some("redis"),
            "mail" => Some("mailbox"),
            _ => None,
        }
    }

    fn seams(&self) -> Vec<(&str, &str, &str)> {
        vec![("orders", "paygate", ""), ("orders", "pg", "orders"), ("gateway", "orders", "")]
    }

    fn root(&self) -> &Path {
        Path::new("/project")
    }
}

/// Reads a whole file of tests, and the steps of its first test; the mistakes where there are any.
pub(crate) fn read_file(text: &str) -> Result<Vec<Box<dyn Action>>, Vec<String>> {
    read_with(text).map(|(_, actions)| actions)
}

/// Reads a whole file of tests; the mistakes where there are any.
pub(crate) fn steps_of(text: &str) -> Result<TestFile, Vec<String>> {
    read_with(text).map(|(file, _)| file)
}

type Read = (TestFile, Vec<Box<dyn Action>>);

fn read_with(text: &str) -> Result<Read, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.seam.yaml");
    std::fs::write(&path, text).unwrap();
    let words: Vec<&'static Word> = STEPS.iter().map(|kind| kind.word()).collect();
    let later: Vec<&'static str> =
        STEPS.iter().filter(|kind| kind.is_later()).map(|kind| kind.word().name).collect();
    let faults: Vec<&'static Word> = FAULTS.iter().map(|kind| &kind.word).collect();
    let vocabulary = Vocabulary { steps: &words, later: &later, faults: &faults, ..Vocabulary::default() };
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let file = TestFiles::new(folder.path(), &vocabulary).read(&path, &mut sources, &mut found);
    let mut actions = Vec::new();
    if let Some(file) = &file {
        actions = read_steps(file, &RefCell::new(sources), &mut found);
    }
    if let (Some(file), true) = (file, found.is_empty()) {
        let sound = |action: Option<Box<dyn Action>>| action.expect("without a mistake there is an action");
        return Ok((file, actions.into_iter().map(sound).collect()));
    }
    Err(found.in_order().into_iter().map(|diagnostic| shown(diagnostic, text)).collect())
}

fn read_steps(
    file: &TestFile,
    sources: &RefCell<Sources>,
    found: &mut Diagnostics,
) -> Vec<Option<Box<dyn Action>>> {
    let steps = file.tests.first().map(|test| test.steps.as_slice()).unwrap_or_default();
    steps
        .iter()
        .map(|step| {
            let mut reading = Reading {
                system: &Small,
                defaults: &file.defaults,
                flows: &file.flows,
                folder: Path::new("/project/tests"),
                sources,
                found,
            };
            let kind = kind(&step.action.value).unwrap();
            check_paths(step, kind, &mut reading);
            for entry in &step.under {
                let _ = Disturbance::read(entry, &mut reading);
            }
            kind.read(step, &mut reading)
        })
        .collect()
}

/// Reads a list of steps.
pub(crate) fn read(steps: &str) -> Result<Vec<Box<dyn Action>>, Vec<String>> {
    read_file(&in_a_file(steps))
}

/// A list of steps as the one test of a file.
pub(crate) fn in_a_file(steps: &str) -> String {
    let indented: Vec<String> = steps.lines().map(|line| format!("      {line}")).collect();
    format!("tests:\n  - name: a test\n    steps:\n{}\n", indented.join("\n"))
}

/// One step that has no mistakes.
pub(crate) fn step(text: &str) -> Box<dyn Action> {
    let mut steps = read(text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:#?}"));
    assert_eq!(steps.len(), 1, "{text}");
    steps.remove(0)
}

/// Checks a table of steps with one mistake each.
pub(crate) fn mistakes(table: &[(&str, &str)]) {
    for (text, expect) in table {
        let told = read(text).err().unwrap_or_default();
        assert_eq!(told.join("\n"), *expect, "{text}");
    }
}

/// `title [what the caret marks: label] {hint}`
fn shown(diagnostic: &Diagnostic, text: &str) -> String {
    let mut shown = diagnostic.title.clone();
    if let Some((span, label)) = &diagnostic.place {
        let marked = &text[span.start as usize..span.end as usize];
        let label = if label.is_empty() { String::new() } else { format!(": {label}") };
        let _ = write!(shown, " [{marked}{label}]");
    }
    for note in &diagnostic.notes {
        let _ = write!(shown, " ({}: {})", note.0, note.1);
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = write!(shown, " {{{hint}}}");
    }
    shown
}

/// Variables with fixed values.
pub(crate) struct Variables {
    values: Mutex<Map>,
    chance: Chance,
}

impl Variables {
    pub(crate) fn of(json: &str) -> Self {
        let Ok(Value::Map(map)) = seam_value::parse(json) else { panic!("{json} is no map") };
        Self { values: Mutex::new(map), chance: Chance::new(7, "test") }
    }

    /// Gives a name a value.
    pub(crate) fn set(&self, name: &str, value: Value) {
        self.values.lock().unwrap().insert(name.to_owned(), value);
    }
}

impl Names for Variables {
    fn get(&self, name: &str) -> Option<Value> {
        self.values.lock().unwrap().get(name).cloned()
    }

    fn component(&self, path: &str) -> Option<String> {
        let known = self.values.lock().unwrap().get(path).cloned();
        known.map(|value| value.to_plain_text())
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("there is no such file".to_owned())
    }
}

/// A testbed that knows what it is told.
#[derive(Default)]
pub(crate) struct Bed {
    pub(crate) root: PathBuf,
    pub(crate) addresses: HashMap<String, SocketAddr>,
    pub(crate) properties: HashMap<String, String>,
    pub(crate) interactions: Vec<Arc<Interaction>>,
    pub(crate) lines: Vec<SaidLine>,
    pub(crate) mails: Vec<Value>,
    pub(crate) watcher: Option<Watcher>,
    /// What was asked of it, in order.
    pub(crate) asked: Mutex<Vec<String>>,
    /// What `together` and `use` give.
    pub(crate) inside: Vec<Value>,
    /// How many further interactions there will be.
    pub(crate) further: u64,
}

impl Bed {
    /// A testbed in which these are listening.
    pub(crate) fn with(addresses: &[(&str, SocketAddr)]) -> Self {
        let addresses = addresses.iter().map(|(name, socket)| ((*name).to_owned(), *socket)).collect();
        Self { addresses, ..Self::default() }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl Bench for Bed {
    fn address(&self, component: &str, endpoint: &str) -> Result<Address, Trouble> {
        let name = if endpoint.is_empty() { component.to_owned() } else { format!("{component}.{endpoint}") };
        let found = self.addresses.get(&name);
        let socket = *found.ok_or_else(|| Trouble::errored(format!("there is no `{name}`")))?;
        Ok(Address { socket, host: "127.0.0.1".into(), base: "".into() })
    }

    fn owner(&self, authority: &str) -> Option<(String, String)> {
        let socket: SocketAddr = authority.replace("localhost", "127.0.0.1").parse().ok()?;
        let (name, _) = self.addresses.iter().find(|(_, known)| **known == socket)?;
        let (component, endpoint) = name.split_once('.').unwrap_or((name, ""));
        Some((component.to_owned(), endpoint.to_owned()))
    }

    fn property(&self, reference: &str) -> Option<String> {
        self.properties.get(reference).cloned()
    }

    fn interactions<'a>(
        &'a self,
        seam: &'a SeamFilter,
    ) -> BoxFuture<'a, Result<Vec<Arc<Interaction>>, Trouble>> {
        self.note(format!("interactions {seam}"));
        let fitting = self.interactions.iter().filter(|interaction| seam.takes(interaction));
        let fitting = fitting.cloned().collect();
        Box::pin(async move { Ok(fitting) })
    }

    fn quiet(&self, _: Instant) -> BoxFuture<'_, Result<(), Trouble>> {
        self.note("quiet".to_owned());
        Box::pin(async { Ok(()) })
    }

    fn further<'a>(
        &'a self,
        seam: &'a SeamFilter,
        more: u64,
        _: Instant,
    ) -> BoxFuture<'a, Result<Awaited, Trouble>> {
        self.note(format!("{more} more on {seam}"));
        Box::pin(async move { Ok(Awaited { count: self.further }) })
    }

    fn lines(&self, _: &str) -> Result<Vec<SaidLine>, Trouble> {
        Ok(self.lines.clone())
    }

    fn mails(&self, _: &str) -> Result<Vec<Value>, Trouble> {
        Ok(self.mails.clone())
    }

    fn control<'a>(&'a self, component: &'a str, act: Act, _: Instant) -> BoxFuture<'a, Result<(), Trouble>> {
        self.note(format!("{act:?} {component}"));
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(&'a self, placed: &'a Placed) -> BoxFuture<'a, Result<(), Trouble>> {
        self.note(format!("put {} on {}", placed.rule.name(), placed.seam));
        Box::pin(async { Ok(()) })
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn folders(&self) -> Vec<PathBuf> {
        vec![self.root.clone()]
    }

    fn watcher(&self) -> Option<&Watcher> {
        self.watcher.as_ref()
    }

    fn environment(&self) -> Vec<(String, String)> {
        vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())]
    }
}

impl Inner for Bed {
    fn together(&self) -> BoxFuture<'_, Result<Vec<Value>, Trouble>> {
        Box::pin(async { Ok(self.inside.clone()) })
    }

    fn flow<'a>(&'a self, name: &'a str, with: Map) -> BoxFuture<'a, Result<Map, Trouble>> {
        self.note(format!("flow {name} {}", Value::Map(with)));
        Box::pin(async { Ok(Map::from_iter([("order".to_owned(), Value::from(7_i64))])) })
    }
}

/// These fields of a result, one after the other.
pub(crate) fn told(result: &Value, names: &[&str]) -> String {
    let part = |name: &&str| result.get(name).unwrap_or_else(|| panic!("no {name} in {result}")).to_string();
    names.iter().map(part).collect::<Vec<_>>().join(" ")
}

/// Runs a step for an actor.
pub(crate) async fn run_as(
    action: &dyn Action,
    actor: &Actor,
    bed: &Bed,
    variables: &str,
    limit: Duration,
) -> Result<Value, Trouble> {
    let names = Variables::of(variables);
    let cx = StepContext {
        names: &names,
        actor,
        bench: bed,
        inner: bed,
        deadline: Instant::now() + limit,
        settle: true,
    };
    action.run(&cx).await
}

/// Runs a step that has a result.
pub(crate) async fn run(text: &str, actor: &Actor, bed: &Bed, variables: &str) -> Value {
    let done = run_as(step(text).as_ref(), actor, bed, variables, LIMIT).await;
    done.unwrap_or_else(|trouble| panic!("{text}: {trouble:?}"))
}

/// What is expected unsaid of a result, as `path: message`.
pub(crate) fn unsaid(action: &dyn Action, result: &Value) -> Vec<String> {
    let line = |Unsaid { path, message, .. }: &Unsaid| format!("{path}: {message}");
    action.unsaid(result).iter().map(line).collect()
}
