//! One component: what makes it, what it is given, and when it is ready.

use crate::unknown;
use crate::vocabulary::{SERVICE, Vocabulary, word};
use indexmap::IndexMap;
use seam_diag::{Diagnostic, Diagnostics, did_you_mean};
use seam_model::{Component, Entry, Field, Fields, Node, NodeKind, Shape, Spanned, Word};
use std::time::Duration;

/// The keys that every component has, beside the one that says what makes it and that one's settings.
pub const COMPONENT_KEYS: &[Field] = &[
    Field::optional("like", Shape::Component, "takes all of another component; own keys are laid over it"),
    Field::optional(
        "env",
        Shape::MapOf(&Shape::Text),
        "its environment; `${other.url}` is where to dial, and declares a seam",
    ),
    Field::optional(
        "files",
        Shape::MapOf(&Shape::Text),
        "files rendered for it: target, and template with references; both from the project's folder",
    ),
    Field::optional(
        "dir",
        Shape::Text,
        "where its process starts; the folder of seam.yaml where nothing is said",
    ),
    Field::optional("source", TEXTS, "folders whose change can affect it"),
    Field::optional("endpoints", Shape::MapOf(&Shape::Text), "further endpoints with their protocols"),
    Field::optional(
        "protocol",
        Shape::Text,
        "the protocol of its first endpoint; where nothing is said that of an `external` address's scheme (`nats://…`), else http",
    ),
    Field::optional(
        "ready",
        Shape::Any,
        "when it is ready: `GET /health`, `tcp`, `{ log: text }`, `{ exit: 0 }`, `{ exec: [program] }`",
    ),
    Field::optional("ready_within", Shape::Duration, "how long that may take; 30s where nothing is said"),
    Field::optional(
        "needs",
        TEXTS,
        "components that must be ready before it starts, although no address shows it",
    ),
    Field::optional("calls", TEXTS, "components that it calls, although no address shows it"),
    Field::optional(
        "reset",
        Shape::Text,
        "a request that makes it forget what it keeps in memory: `POST /test/reset`",
    ),
    Field::optional("restart", Shape::OneOf(&["each test"]), "`each test`: it is started anew before each"),
    Field::optional(
        "stop_within",
        Shape::Duration,
        "how long it may take to stop before it is made to; 5s where nothing is said",
    ),
    Field::optional("stub", Shape::Any, "what stands in for it"),
    Field::optional("tls", Shape::Either(&[Shape::Boolean, Shape::Fields(TLS)]), TLS_TEXT),
    Field::optional(
        "descriptors",
        TEXTS,
        "`.proto` files, or one compiled set, that describe what its gRPC endpoints say; from the project's folder",
    ),
];

const TLS_TEXT: &str = "it listens with TLS: `true`, or how. Its seams speak TLS to it, and its `url` says so (`https`), while \
    they themselves show a certificate of the run's own authority, and stay legible. Its certificate is judged only \
    where `ca` names who signs it";

/// The keys of `tls`.
const TLS: &[Field] = &[
    Field::optional("ca", Shape::Text, "a file (PEM) with the authorities that its certificate is judged by"),
    Field::optional(
        "name",
        Shape::Text,
        "the name that its certificate is for; localhost, 127.0.0.1 or its own where nothing is said",
    ),
    Field::optional(
        "certificate",
        Shape::Text,
        "its own certificate (PEM), which its seams then show in its place, for consumers that trust no other; needs `key`",
    ),
    Field::optional("key", Shape::Text, "the file (PEM) with the key of `certificate`"),
    Field::optional(
        "client",
        Shape::Fields(TLS_CLIENT),
        "what it is shown where it asks for a certificate: the same for all consumers, whatever they show themselves",
    ),
    Field::optional(
        "endpoints",
        Shape::List(&Shape::Text),
        "the names of the endpoints that have TLS, \"\" for the one without a name; all where nothing is said",
    ),
];

const TLS_CLIENT: &[Field] = &[
    Field::required("certificate", Shape::Text, "the file (PEM) with the certificate"),
    Field::required("key", Shape::Text, "the file (PEM) with its key"),
];

const TEXTS: Shape = Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);

/// Reads one component, all layers laid over each other already, beside the `others` of these names; none where nothing says what makes it.
pub(super) fn read_component(
    name: &Spanned<String>,
    node: &Node,
    (vocabulary, others): (&Vocabulary<'_>, &[String]),
    found: &mut Diagnostics,
) -> Option<Component> {
    let mut fields = Fields::of(node, format!("the component `{}`", name.value), found);
    if !fields.is_map() {
        return None;
    }
    // Followed already; only its place here is of interest.
    fields.take("like");
    let origin = find_origin(name, node, (vocabulary, others), found);
    let (ready, ready_inside) = read_ready(fields.take("ready"), found);
    let component = Component {
        name: name.clone(),
        origin: Spanned::new(String::new(), name.span),
        subject: Node { span: name.span, kind: NodeKind::Null },
        settings: Vec::new(),
        env: read_env(fields.map("env", found), found),
        files: read_files(fields.map("files", found), found),
        dir: fields.text("dir", found),
        source: fields.texts("source", found),
        endpoints: read_endpoints(fields.map("endpoints", found), vocabulary, found),
        protocol: fields.text("protocol", found),
        ready,
        ready_within: fields.duration("ready_within", found).or(ready_inside),
        needs: fields.texts("needs", found),
        calls: fields.texts("calls", found),
        reset: fields.text("reset", found),
        restart_each_test: read_restart(&mut fields, found),
        stop_within: fields.duration("stop_within", found),
        stub: fields.take("stub").filter(|node| !node.is_null()).cloned(),
        tls: fields.take("tls").filter(|node| !node.is_null()).cloned(),
        descriptors: fields.texts("descriptors", found),
    };
    check_protocol(component.protocol.as_ref(), vocabulary, found);
    let word = origin?;
    let entry = fields.take_entry(word.name)?;
    if entry.node.is_null() && !matches!(word.subject, Shape::Nothing) {
        let title = format!("`{}` of the component `{}` says nothing", word.name, name.value);
        found.push(Diagnostic::error(title).at(entry.key.span, ""));
    }
    let service = find_service(word, &entry.node, vocabulary, found);
    let settings = read_settings(&mut fields, name, (word, service), found);
    Some(Component { origin: entry.key.clone(), subject: entry.node.clone(), settings, ..component })
}

/// The one key that says what makes the component.
fn find_origin(
    name: &Spanned<String>,
    node: &Node,
    (vocabulary, others): (&Vocabulary<'_>, &[String]),
    found: &mut Diagnostics,
) -> Option<&'static Word> {
    let entries = node.as_map().unwrap_or_default();
    let named: Vec<(&Entry, &'static Word)> = entries
        .iter()
        .filter_map(|entry| Some((entry, word(vocabulary.origins, &entry.key.value)?)))
        .collect();
    match named.as_slice() {
        [(_, word)] => Some(word),
        [] => {
            tell_no_origin(name, entries, (vocabulary, others), found);
            None
        }
        [(first, a), rest @ ..] => {
            let others: Vec<String> = rest.iter().map(|(_, word)| format!("`{}`", word.name)).collect();
            let title = format!(
                "the component `{}` is two things: `{}` and {}",
                name.value,
                a.name,
                others.join(" and ")
            );
            let mut diagnostic = Diagnostic::error(title).at(first.key.span, "");
            for (entry, _) in rest {
                diagnostic = diagnostic.also(entry.key.span, "");
            }
            found.push(diagnostic.hint("keep one of them"));
            None
        }
    }
}

/// Nothing says what a component is: a slip in the key that should, or in its own name.
fn tell_no_origin(
    name: &Spanned<String>,
    entries: &[Entry],
    (vocabulary, others): (&Vocabulary<'_>, &[String]),
    found: &mut Diagnostics,
) {
    let names = || vocabulary.origins.iter().map(|word| word.name);
    let is_common = |key: &str| COMPONENT_KEYS.iter().any(|field| field.name == key);
    let misspelt = entries
        .iter()
        .find(|entry| !is_common(&entry.key.value) && did_you_mean(&entry.key.value, names()).is_some());
    if let Some(entry) = misspelt {
        let title = format!("unknown key `{}` in the component `{}`", entry.key.value, name.value);
        let diagnostic = Diagnostic::error(title).at(entry.key.span, "");
        found.push(diagnostic.suggest(&entry.key.value, names()));
        return;
    }
    // What it is like says it, or was told itself.
    if entries.iter().any(|entry| entry.key.value == "like") {
        return;
    }
    let diagnostic = Diagnostic::error(format!("nothing says what the component `{}` is", name.value))
        .at(name.span, "")
        .note("one of", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "));
    let others = others.iter().map(String::as_str).filter(|other| *other != name.value);
    found.push(match did_you_mean(&name.value, others) {
        Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
        None => diagnostic,
    });
}

fn find_service(
    origin: &Word,
    subject: &Node,
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Option<&'static Word> {
    if origin.name != SERVICE || subject.is_null() {
        return None;
    }
    let name = subject.scalar_text();
    let service = vocabulary.service(origin.name, name.as_deref());
    if service.is_none() && !vocabulary.services.is_empty() {
        let name = name.unwrap_or_default();
        found.push(
            Diagnostic::error(format!("there is no service `{name}`"))
                .at(subject.span, "")
                .suggest(&name, vocabulary.services.iter().map(|word| word.name)),
        );
    }
    service
}

/// What is left are settings, which the kind itself reads; here only their names are judged.
fn read_settings(
    fields: &mut Fields<'_>,
    name: &Spanned<String>,
    (origin, service): (&'static Word, Option<&'static Word>),
    found: &mut Diagnostics,
) -> Vec<Entry> {
    let of_service = service.map(|word| word.fields).unwrap_or_default();
    let mut settings = Vec::new();
    for entry in fields.rest() {
        let key = entry.key.value.as_str();
        // A service that there is not was told; what it might have taken cannot be known.
        let unknown_service = origin.name == SERVICE && service.is_none();
        if unknown_service || origin.field(key).is_some() || of_service.iter().any(|field| field.name == key)
        {
            settings.push(entry.clone());
            continue;
        }
        let owner = format!("the component `{}`", name.value);
        unknown::tell_keys([entry], &owner, &[COMPONENT_KEYS, origin.fields, of_service], found);
    }
    settings
}

fn read_env(entries: &[Entry], found: &mut Diagnostics) -> Vec<(Spanned<String>, Node)> {
    let mut env = Vec::new();
    for entry in entries {
        let name = entry.key.value.as_str();
        if name.is_empty() || name.contains(['=', '\0']) {
            let title = format!("`{name}` cannot be the name of a variable of the environment");
            found.push(Diagnostic::error(title).at(entry.key.span, ""));
        } else if entry.node.scalar_text().is_some() {
            env.push((entry.key.clone(), entry.node.clone()));
        } else {
            let diagnostic = Diagnostic::error(format!("`{name}` must be a text"))
                .at(entry.node.span, format!("this is {}", entry.node.kind_name()));
            found.push(if entry.node.is_null() {
                diagnostic.hint("for an empty one write \"\"")
            } else {
                diagnostic
            });
        }
    }
    env
}

fn read_files(entries: &[Entry], found: &mut Diagnostics) -> Vec<(Spanned<String>, Spanned<String>)> {
    let mut files = Vec::new();
    for entry in entries {
        match entry.node.as_text() {
            Some(template) => {
                files.push((entry.key.clone(), Spanned::new(template.to_owned(), entry.node.span)));
            }
            None => found.push(
                Diagnostic::error(format!("`{}` needs the path of its template", entry.key.value))
                    .at(entry.node.span, format!("this is {}", entry.node.kind_name())),
            ),
        }
    }
    files
}

fn read_endpoints(
    entries: &[Entry],
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> IndexMap<String, Spanned<String>> {
    let mut endpoints = IndexMap::new();
    for entry in entries {
        crate::names::check_component(&entry.key, found);
        match entry.node.as_text() {
            Some(protocol) => {
                let protocol = Spanned::new(protocol.to_owned(), entry.node.span);
                check_protocol(Some(&protocol), vocabulary, found);
                endpoints.insert(entry.key.value.clone(), protocol);
            }
            None => found.push(
                Diagnostic::error(format!("the endpoint `{}` needs its protocol", entry.key.value))
                    .at(entry.node.span, format!("this is {}", entry.node.kind_name()))
                    .hint(format!("such as `{}: http`", entry.key.value)),
            ),
        }
    }
    endpoints
}

fn check_protocol(protocol: Option<&Spanned<String>>, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) {
    let Some(protocol) = protocol else { return };
    if !vocabulary.protocols.is_empty() && word(vocabulary.protocols, &protocol.value).is_none() {
        found.push(
            Diagnostic::error(format!("there is no protocol `{}`", protocol.value))
                .at(protocol.span, "")
                .suggest(&protocol.value, vocabulary.protocols.iter().map(|word| word.name)),
        );
    }
}

/// How the component is ready; a `within` in its map says how long that may take.
fn read_ready(node: Option<&Node>, found: &mut Diagnostics) -> (Option<Node>, Option<Duration>) {
    let Some(node) = node.filter(|node| !node.is_null()) else { return (None, None) };
    let NodeKind::Map(entries) = &node.kind else { return (Some(node.clone()), None) };
    let (within, rest): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.key.value == "within");
    let within: Vec<Entry> = within.into_iter().cloned().collect();
    let within = Fields::over(&within, node.span, "`ready`").duration("within", found);
    let rest: Vec<Entry> = rest.into_iter().cloned().collect();
    let ready = (!rest.is_empty()).then_some(Node { span: node.span, kind: NodeKind::Map(rest) });
    (ready, within)
}

fn read_restart(fields: &mut Fields<'_>, found: &mut Diagnostics) -> bool {
    let Some(restart) = fields.text("restart", found) else { return false };
    if restart.value == "each test" {
        return true;
    }
    found.push(
        Diagnostic::error(format!("`restart` cannot be `{}`", restart.value))
            .at(restart.span, "")
            .hint("write `restart: each test`, or leave it out"),
    );
    false
}
