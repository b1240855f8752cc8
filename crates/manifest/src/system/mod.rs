//! `seam.yaml`: the system, its components, and what must hold in it always.

mod component;
mod compose;
mod layers;

pub use component::COMPONENT_KEYS;

use crate::names::check_variable;
use crate::step::read_steps;
use crate::vocabulary::Vocabulary;
use crate::yaml;
use indexmap::IndexMap;
use seam_diag::{Diagnostic, Diagnostics, FileId, Sources, Span, did_you_mean};
use seam_model::{
    Deadlines, Entry, Field, Fields, Invariant, Node, NodeKind, Prepare, Secret, Shape, Spanned, System,
};

/// The keys at the top of `seam.yaml`.
pub const SYSTEM_KEYS: &[Field] = &[
    Field::required("system", Shape::Text, "its name"),
    Field::optional(
        "quiet",
        Shape::Duration,
        "how long nothing may pass before a test counts as settled; 50ms where nothing is said",
    ),
    Field::optional(
        "deadlines",
        Shape::Fields(DEADLINE_KEYS),
        "how long things may take, where nothing nearer says it",
    ),
    Field::optional("prepare", PREPARE, "commands run once before the start, in order"),
    Field::optional("defaults", Shape::Any, "what components share"),
    Field::optional(
        "secrets",
        Shape::MapOf(&Shape::Fields(SECRET_KEYS)),
        "values that are masked wherever they show",
    ),
    Field::optional("components", Shape::Any, "the components, by name"),
    Field::optional(
        "settled",
        Shape::Steps,
        "what must hold, besides quiet, before counts and invariants are judged",
    ),
    Field::optional(
        "waits",
        Shape::List(&Shape::Fields(WAITS_KEYS)),
        "calls that wait for something to happen (long polls): while they are open the system is quiet all the same",
    ),
    Field::optional(
        "invariants",
        Shape::List(&Shape::Fields(INVARIANT_KEYS)),
        "what must hold after every test",
    ),
    Field::optional("profiles", Shape::Any, "layers by name, chosen with `--profile`"),
];

const DEADLINE_KEYS: &[Field] = &[
    Field::optional("ready", Shape::Duration, "until a component is ready; 30s"),
    Field::optional("prepare", Shape::Duration, "one command of `prepare`; 10m"),
    Field::optional("step", Shape::Duration, "one try of a step; 10s"),
    Field::optional("test", Shape::Duration, "a whole test; 60s"),
    Field::optional("stop", Shape::Duration, "until a component has stopped, and is then made to; 5s"),
];

const SECRET_KEYS: &[Field] = &[
    Field::optional("env", Shape::Text, "the variable of the environment that holds it"),
    Field::optional("default", Shape::Text, "what it is where the variable is not set"),
];

const INVARIANT_KEYS: &[Field] = &[
    Field::required("name", Shape::Text, "its name"),
    Field::required("steps", Shape::Steps, "the steps whose expectations say it"),
];

/// The keys of an entry of `waits`, which the plan reads: it knows the seams.
const WAITS_KEYS: &[Field] = &[
    Field::required("seam", Shape::Seam, "who asks and who is asked"),
    Field::optional("where", Shape::Expectations, "which calls; all of the seam where nothing is said"),
];

const PREPARE: Shape = Shape::Either(&[
    Shape::Text,
    Shape::List(&Shape::Either(&[
        Shape::Text,
        Shape::List(&Shape::Text),
        Shape::Fields(&[
            Field::required("run", Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]), "the command"),
            Field::optional("timeout", Shape::Duration, "how long it may take; 10m where nothing is said"),
        ]),
    ])),
]);

/// Reads `seam.yaml` with a profile laid over it; none where nothing of it can be known, which was told. The other
/// profiles are checked as well.
pub fn read_system(
    file: FileId,
    profile: Option<&str>,
    vocabulary: &Vocabulary<'_>,
    sources: &Sources,
    found: &mut Diagnostics,
) -> Option<System> {
    let text = &sources.file(file)?.text;
    let node = yaml::parse(file, text, found)?;
    if node.is_null() {
        found.push(
            Diagnostic::error("the file is empty")
                .at(Span::at_start(file), "")
                .hint("it begins with `system: name` and `components:`"),
        );
        return None;
    }
    let profiles = node.get("profiles").and_then(Node::as_map).unwrap_or_default();
    let chosen = match profile {
        None => None,
        Some(name) => {
            let entry = profiles.iter().find(|entry| entry.key.value == name);
            if entry.is_none() {
                tell_no_profile(name, profiles, found);
            }
            entry
        }
    };
    for entry in profiles {
        let is_chosen = chosen.is_some_and(|chosen| chosen.key.value == entry.key.value);
        check_profile(entry, (&node, is_chosen), vocabulary, found);
    }
    match chosen {
        Some(entry) => read_node(&layers::lay_profile(&node, &entry.node, vocabulary), vocabulary, found),
        None => read_node(&node, vocabulary, found),
    }
}

fn tell_no_profile(name: &str, profiles: &[Entry], found: &mut Diagnostics) {
    let diagnostic = Diagnostic::error(format!("there is no profile `{name}`"));
    found.push(if profiles.is_empty() {
        diagnostic.hint("profiles stand under `profiles:` in seam.yaml")
    } else {
        diagnostic.suggest(name, profiles.iter().map(|entry| entry.key.value.as_str()))
    });
}

/// Tells what is wrong in a profile. One that was not chosen is laid over the file all the same, and what is wrong
/// then inside it is told.
fn check_profile(
    entry: &Entry,
    (node, is_chosen): (&Node, bool),
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) {
    let span = entry.node.span;
    let mut fields = Fields::of(&entry.node, format!("the profile `{}`", entry.key.value), found);
    for key in ["system", "profiles"] {
        if let Some(entry) = fields.take_entry(key) {
            let title = format!("a profile cannot change `{key}`");
            found.push(Diagnostic::error(title).at(entry.key.span, ""));
        }
    }
    if is_chosen || !fields.is_map() || entry.node.is_null() {
        return;
    }
    let mut told = Diagnostics::default();
    read_node(&layers::lay_profile(node, &entry.node, vocabulary), vocabulary, &mut told);
    for diagnostic in told {
        let place = diagnostic.place.as_ref().map(|(span, _)| *span);
        if place.is_some_and(|place| span.start <= place.start && place.start < span.end) {
            found.push(diagnostic);
        }
    }
}

/// Reads the whole file as one tree.
fn read_node(node: &Node, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) -> Option<System> {
    let mut fields = Fields::of(node, "seam.yaml", found);
    if !fields.is_map() {
        return None;
    }
    let name = fields.require("system", found).and_then(|_| fields.text("system", found));
    let defaults = read_defaults(fields.take("defaults"), found);
    let composed = compose::compose(fields.map("components", found), defaults, vocabulary, found);
    let profiles = fields.map("profiles", found).iter().map(|entry| entry.key.value.clone()).collect();
    let mut system = System {
        name: name.unwrap_or_else(|| Spanned::new(String::new(), node.span)),
        quiet: fields.duration("quiet", found),
        prepare: read_prepare(fields.take("prepare"), found),
        secrets: read_secrets(fields.map("secrets", found), found),
        components: compose::read(composed, vocabulary, found),
        settled: read_steps(fields.list("settled", found), vocabulary, found),
        waits: fields.list("waits", found).to_vec(),
        invariants: read_invariants(fields.list("invariants", found), vocabulary, found),
        deadlines: read_deadlines(fields.take("deadlines"), found),
        profiles,
        further: Vec::new(),
    };
    for field in vocabulary.further {
        system.further.extend(fields.take_entry(field.name).cloned());
    }
    fields.finish(found);
    if has_no_components(node) {
        found.push(
            Diagnostic::error("the system has no components")
                .at(system.name.span, "")
                .hint("write them under `components:`"),
        );
    }
    Some(system)
}

/// Does the file declare none, not even under a misspelt key?
fn has_no_components(node: &Node) -> bool {
    let keys = node.as_map().unwrap_or_default().iter().map(|entry| entry.key.value.as_str());
    match node.get("components").map(|node| &node.kind) {
        None => did_you_mean("components", keys).is_none(),
        Some(NodeKind::Null) => true,
        Some(NodeKind::Map(entries)) => entries.is_empty(),
        Some(_) => false,
    }
}

fn read_defaults<'a>(node: Option<&'a Node>, found: &mut Diagnostics) -> Option<&'a Node> {
    let node = node?;
    let mut fields = Fields::of(node, "`defaults`", found);
    let components = fields.take("components");
    fields.finish(found);
    components
}

fn read_deadlines(node: Option<&Node>, found: &mut Diagnostics) -> Deadlines {
    let Some(node) = node else { return Deadlines::default() };
    let mut fields = Fields::of(node, "`deadlines`", found);
    let deadlines = Deadlines {
        ready: fields.duration("ready", found),
        prepare: fields.duration("prepare", found),
        step: fields.duration("step", found),
        test: fields.duration("test", found),
        stop: fields.duration("stop", found),
    };
    fields.finish(found);
    deadlines
}

fn read_prepare(node: Option<&Node>, found: &mut Diagnostics) -> Vec<Prepare> {
    let Some(node) = node else { return Vec::new() };
    let commands = match &node.kind {
        NodeKind::List(list) => list.as_slice(),
        NodeKind::Null => &[],
        _ => std::slice::from_ref(node),
    };
    let mut prepare = Vec::new();
    for node in commands {
        match &node.kind {
            NodeKind::Text { .. } | NodeKind::List(_) => {
                prepare.push(Prepare { command: node.clone(), timeout: None });
            }
            NodeKind::Map(_) => {
                let mut fields = Fields::of(node, "the command of `prepare`", found);
                let command = fields.require("run", found).cloned();
                let timeout = fields.duration("timeout", found);
                fields.finish(found);
                prepare.extend(command.map(|command| Prepare { command, timeout }));
            }
            _ => found.push(
                Diagnostic::error("`prepare` holds commands")
                    .at(node.span, format!("this is {}", node.kind_name()))
                    .hint("such as `cargo build -q`"),
            ),
        }
    }
    prepare
}

fn read_secrets(entries: &[Entry], found: &mut Diagnostics) -> IndexMap<String, Secret> {
    let mut secrets = IndexMap::new();
    for entry in entries {
        let name = &entry.key.value;
        check_variable(&entry.key, found);
        if matches!(entry.node.kind, NodeKind::Text { .. } | NodeKind::Number(_)) {
            found.push(
                Diagnostic::error(format!("the secret `{name}` stands in the file"))
                    .at(entry.node.span, "")
                    .hint(format!("write `{{ env: {} }}` and set that variable", name.to_uppercase())),
            );
            continue;
        }
        let mut fields = Fields::of(&entry.node, format!("the secret `{name}`"), found);
        let secret = Secret {
            span: entry.key.span,
            env: fields.text("env", found),
            default: fields.text("default", found),
        };
        if fields.is_map() && secret.env.is_none() && secret.default.is_none() {
            found.push(
                Diagnostic::error(format!("nothing says where the secret `{name}` comes from"))
                    .at(entry.key.span, "")
                    .hint(format!("write `{{ env: {} }}`", name.to_uppercase())),
            );
        }
        fields.finish(found);
        secrets.insert(name.clone(), secret);
    }
    secrets
}

fn read_invariants(list: &[Node], vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) -> Vec<Invariant> {
    let mut invariants: Vec<Invariant> = Vec::new();
    for node in list {
        let mut fields = Fields::of(node, "the invariant", found);
        let name = fields.require("name", found).and_then(|_| fields.text("name", found));
        let steps = match fields.require("steps", found) {
            Some(_) => read_steps(fields.list("steps", found), vocabulary, found),
            None => Vec::new(),
        };
        fields.finish(found);
        let Some(name) = name else { continue };
        if let Some(first) = invariants.iter().find(|other| other.name.value == name.value) {
            found.push(
                Diagnostic::error(format!("two invariants are named `{}`", name.value))
                    .at(name.span, "")
                    .also(first.name.span, "first here"),
            );
        }
        invariants.push(Invariant { name, steps });
    }
    invariants
}
