//! One step: its action, the keys that all steps have, and the action's own inputs.
//!
//! A step's action is the one key that the vocabulary knows as a kind of step. Whether an input's value is right,
//! the kind itself judges; that there is such an input at all is judged here, so that one pass tells all.

use crate::names::check_variable;
use crate::unknown;
use crate::vocabulary::{Vocabulary, word};
use seam_diag::{Diagnostic, Diagnostics, did_you_mean};
use seam_model::{
    Entry, Expectation, Field, Fields, Node, NodeKind, Pacing, Save, Shape, Spanned, Step, Word,
};

/// The keys that every step has.
pub const STEP_KEYS: &[Field] = &[
    Field::optional("name", Shape::Text, "what people read of it"),
    Field::optional("as", Shape::Text, "the actor who does it: cookies and sign-in of its own"),
    Field::optional("when", Shape::Any, "an expression or `$name`; false leaves the step out"),
    Field::optional("expect", Shape::Expectations, "what must hold of its result, by path"),
    Field::optional("save", Shape::MapOf(&SAVED), "names for parts of its result"),
    Field::optional("within", Shape::Duration, "tries again until the expectations hold, for so long"),
    Field::optional("every", Shape::Duration, "the pause between two tries of `within`"),
    Field::optional("unless", Shape::Expectations, "fails at once where one of these holds"),
    Field::optional("holds_for", Shape::Duration, "the expectations hold now and for so long"),
    Field::optional("repeatable", Shape::Boolean, "may be tried again although it writes"),
    Field::optional("soft", Shape::Boolean, "when it fails the test goes on, and fails at its end"),
    Field::optional("timeout", Shape::Duration, "how long one try may take"),
    Field::optional("under", UNDER, "faults and stubs on seams while this step runs"),
    Field::optional("signs_in", Shape::Fields(SIGN_IN_KEYS), "what its actor sends from then on"),
];

/// What may stand right of a name in `save`.
const SAVED: Shape = Shape::Either(&[
    Shape::Text,
    Shape::Fields(&[
        Field::optional("from", Shape::Text, "the path"),
        Field::optional(
            "matches",
            Shape::Text,
            "a regular expression whose first group, or all of it, is saved",
        ),
        Field::optional(
            "default",
            Shape::Any,
            "the value where the path is not there, or the step was left out",
        ),
        Field::optional("jsonpath", Shape::Text, "a JSONPath instead of a path"),
        Field::optional("xpath", Shape::Text, "an XPath into XML"),
        Field::optional("css", Shape::Text, "a CSS selector into HTML"),
    ]),
]);

/// Faults and stubs on seams.
pub(crate) const UNDER: Shape = Shape::List(&Shape::Fields(UNDER_KEYS));

/// The keys of one entry of `under`.
const UNDER_KEYS: &[Field] = &[
    Field::required("seam", Shape::Seam, "the seam"),
    Field::optional("fault", Shape::Any, "the fault: a word, or a map of one kind to its argument"),
    Field::optional("stub", Shape::Any, "what answers instead of the provider"),
    Field::optional("where", Shape::Expectations, "which interactions, by path"),
    Field::optional("times", Shape::Integer, "how often"),
    Field::optional("nth", Shape::Integer, "only the one of this number, from 1"),
    Field::optional("for", Shape::Duration, "for how long"),
    Field::optional("probability", Shape::Number, "how likely, from 0 to 1"),
];

/// The keys of `signs_in`.
pub(crate) const SIGN_IN_KEYS: &[Field] = &[
    Field::optional("headers", Shape::MapOf(&Shape::Text), "headers"),
    Field::optional("bearer", Shape::Text, "a bearer token"),
    Field::optional("basic", Shape::Any, "user and password"),
    Field::optional("cookies", Shape::MapOf(&Shape::Text), "cookies"),
];

/// Reads a list of steps.
pub(crate) fn read_steps(list: &[Node], vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) -> Vec<Step> {
    list.iter().filter_map(|node| read_step(node, vocabulary, found)).collect()
}

/// Reads one step; none where it has no action that could be known.
fn read_step(node: &Node, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) -> Option<Step> {
    let NodeKind::Map(entries) = &node.kind else {
        found.push(
            Diagnostic::error("a step must be a map")
                .at(node.span, format!("this is {}", node.kind_name()))
                .hint("such as `- http: GET web/health`"),
        );
        return None;
    };
    let action = find_action(entries, node, vocabulary, found);
    let owner = action.map_or_else(|| "the step".to_owned(), |word| format!("the step `{}`", word.name));
    let mut fields = Fields::over(entries, node.span, owner);
    let mut step = Step {
        span: node.span,
        name: fields.text("name", found),
        action: Spanned::new(String::new(), node.span),
        subject: Node { span: node.span, kind: NodeKind::Null },
        inputs: Vec::new(),
        children: Vec::new(),
        actor: fields.text("as", found),
        when: fields.take("when").cloned(),
        has_expect: entries.iter().any(|entry| entry.key.value == "expect"),
        expect: expectations(fields.map("expect", found)),
        save: read_save(fields.map("save", found), found),
        pacing: read_pacing(&mut fields, found),
        soft: fields.boolean("soft", found).unwrap_or(false),
        under: read_under(fields.take("under"), vocabulary, found),
        signs_in: read_signs_in(fields.take("signs_in"), found),
    };
    let word = action?;
    if let Some(entry) = fields.take_entry(word.name) {
        step.action = entry.key.clone();
        step.subject = entry.node.clone();
    }
    if matches!(word.subject, Shape::Steps) {
        step.children = read_children(&step, vocabulary, found);
    }
    let is_later = vocabulary.later.contains(&word.name);
    for entry in fields.rest() {
        if is_later || word.field(&entry.key.value).is_some() {
            step.inputs.push(entry.clone());
        } else {
            let owner = format!("the step `{}`", word.name);
            unknown::tell_keys([entry], &owner, &[word.fields, STEP_KEYS], found);
        }
    }
    Some(step)
}

/// The one key that names a kind of step. A key that is an input of another one present (`seam` of `fault`) is no
/// action of its own.
fn find_action(
    entries: &[Entry],
    step: &Node,
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Option<&'static Word> {
    let named: Vec<(&Entry, &'static Word)> =
        entries.iter().filter_map(|entry| Some((entry, word(vocabulary.steps, &entry.key.value)?))).collect();
    let is_input =
        |name: &str| named.iter().any(|(_, other)| other.name != name && other.field(name).is_some());
    let actions: Vec<_> = named.iter().filter(|(_, word)| !is_input(word.name)).collect();
    match actions.as_slice() {
        [(_, word)] => Some(word),
        [] => {
            if let Some((_, word)) = named.first() {
                return Some(word);
            }
            tell_no_action(entries, step, vocabulary, found);
            None
        }
        [(first, a), rest @ ..] => {
            let names: Vec<String> = rest.iter().map(|(_, word)| format!("`{}`", word.name)).collect();
            let title = format!("this step does two things: `{}` and {}", a.name, names.join(" and "));
            let mut diagnostic = Diagnostic::error(title).at(first.key.span, "");
            for (entry, _) in rest {
                diagnostic = diagnostic.also(entry.key.span, "");
            }
            found.push(diagnostic.hint("write a step for each"));
            None
        }
    }
}

fn tell_no_action(entries: &[Entry], step: &Node, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) {
    let names = || vocabulary.steps.iter().map(|word| word.name);
    let is_known = |key: &str| {
        STEP_KEYS.iter().any(|field| field.name == key)
            || vocabulary.steps.iter().any(|word| word.field(key).is_some())
    };
    let mut unknown = entries.iter().filter(|entry| !is_known(&entry.key.value)).peekable();
    let misspelt = unknown
        .clone()
        .find(|entry| did_you_mean(&entry.key.value, names()).is_some())
        .or_else(|| unknown.peek().copied());
    let diagnostic = if let Some(entry) = misspelt {
        let title = format!("there is no step `{}`", entry.key.value);
        unknown::suggest(Diagnostic::error(title).at(entry.key.span, ""), &entry.key.value, names())
    } else {
        let place = entries.first().map_or(step.span, |entry| entry.key.span);
        Diagnostic::error("this step does nothing").at(place, "it has no action").suggest("", names())
    };
    found.push(diagnostic);
}

fn read_children(step: &Step, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) -> Vec<Step> {
    match step.subject.as_list() {
        Some([]) => {
            let title = format!("`{}` has no steps", step.action.value);
            found.push(Diagnostic::error(title).at(step.subject.span, ""));
            Vec::new()
        }
        Some(list) => read_steps(list, vocabulary, found),
        None => {
            let title = format!("`{}` must be a list of steps", step.action.value);
            found.push(
                Diagnostic::error(title)
                    .at(step.subject.span, format!("this is {}", step.subject.kind_name())),
            );
            Vec::new()
        }
    }
}

/// Paths with what is expected there.
pub(crate) fn expectations(entries: &[Entry]) -> Vec<Expectation> {
    entries
        .iter()
        .map(|entry| Expectation { path: entry.key.clone(), expected: entry.node.clone() })
        .collect()
}

fn read_save(entries: &[Entry], found: &mut Diagnostics) -> Vec<Save> {
    entries
        .iter()
        .map(|entry| {
            check_variable(&entry.key, found);
            Save { name: entry.key.clone(), from: entry.node.clone() }
        })
        .collect()
}

fn read_pacing(fields: &mut Fields<'_>, found: &mut Diagnostics) -> Pacing {
    let every = fields.take("every").map(|node| node.span);
    let pacing = Pacing {
        within: fields.duration("within", found),
        every: fields.duration("every", found),
        unless: expectations(fields.map("unless", found)),
        timeout: fields.duration("timeout", found),
        holds_for: fields.duration("holds_for", found),
        repeatable: fields.boolean("repeatable", found).unwrap_or(false),
    };
    if let Some(span) = every
        && fields.take("within").is_none()
        && fields.take("holds_for").is_none()
    {
        found.push(
            Diagnostic::warning("`every` says nothing without `within`")
                .at(span, "")
                .hint("`within` says for how long the step is tried again"),
        );
    }
    pacing
}

/// Reads faults and stubs on seams. What a fault's argument is, its kind judges.
pub(crate) fn read_under(
    node: Option<&Node>,
    vocabulary: &Vocabulary<'_>,
    found: &mut Diagnostics,
) -> Vec<Node> {
    let Some(node) = node else { return Vec::new() };
    let list = match &node.kind {
        NodeKind::List(list) => list.as_slice(),
        NodeKind::Null => &[],
        _ => std::slice::from_ref(node),
    };
    for entry in list {
        let mut fields = Fields::of(entry, "the entry of `under`", found);
        let is_map = entry.as_map().is_some();
        for field in UNDER_KEYS {
            fields.take(field.name);
        }
        let has = |key: &str| entry.get(key).is_some();
        if is_map && !has("seam") {
            found.push(
                Diagnostic::error("the entry of `under` needs `seam`")
                    .at(entry.span, "")
                    .hint("such as `{ seam: web -> db, fault: refuse }`"),
            );
        }
        if is_map && has("fault") == has("stub") {
            let title = "the entry of `under` needs one of `fault` and `stub`";
            found.push(Diagnostic::error(title).at(entry.span, ""));
        }
        check_fault(entry.get("fault"), vocabulary, found);
        fields.finish(found);
    }
    list.to_vec()
}

/// Tells a fault that there is not.
fn check_fault(node: Option<&Node>, vocabulary: &Vocabulary<'_>, found: &mut Diagnostics) {
    let Some(node) = node else { return };
    if vocabulary.faults.is_empty() {
        return;
    }
    let (name, span) = match &node.kind {
        NodeKind::Text { text, .. } => (text.as_str(), node.span),
        NodeKind::Map(entries) if !entries.is_empty() => (entries[0].key.value.as_str(), entries[0].key.span),
        // What is no fault at all is told by whoever reads faults.
        _ => return,
    };
    if word(vocabulary.faults, name).is_none() && !name.starts_with('$') {
        found.push(
            Diagnostic::error(format!("there is no fault `{name}`"))
                .at(span, "")
                .suggest(name, vocabulary.faults.iter().map(|word| word.name)),
        );
    }
}

/// Reads what an actor sends from then on; its values are read by who sends it.
pub(crate) fn read_signs_in(node: Option<&Node>, found: &mut Diagnostics) -> Option<Node> {
    let node = node?;
    let mut fields = Fields::of(node, "`signs_in`", found);
    for field in SIGN_IN_KEYS {
        fields.take(field.name);
    }
    fields.finish(found);
    Some(node.clone())
}
