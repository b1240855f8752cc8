//! Do the paths of a step's `expect`, `unless` and `save` begin with what such a step gives? Told before anything starts.
//!
//! How far that is known stands in the kind's table of results: `stauts` of an `http` step is a slip of the pen, what a
//! body holds is anybody's guess. With `exists: false` a path that leads to nothing would hold for ever.

use crate::kind::{DeclaredSystem, Kind, Reading};
use crate::subject::protocols_of;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::{Language, Path, Segment};
use seam_model::{Entry, Field, Flow, Node, NodeKind, Shape, Step};
use seam_wire::Protocol;

/// Tells every path of a step that leads to nothing that its kind gives.
pub fn check_paths(step: &Step, kind: &dyn Kind, reading: &mut Reading<'_>) {
    let word = kind.word();
    let is_flow = word.name == "use";
    let flow = reading.flows.iter().find(|flow| step.subject.as_text() == Some(flow.name.value.as_str()));
    if (word.results.is_empty() && !is_flow) || (is_flow && flow.is_none()) {
        return;
    }
    let given = flow.filter(|_| is_flow).map_or(Given::Fields(word.results), Given::Flow);
    let expected = step.expect.iter().chain(&step.pacing.unless).map(|entry| &entry.path);
    for path in expected {
        let is_question = Language::ALL.iter().any(|language| language.key() == path.value);
        if !is_question && path.value != "that" {
            if is_mended(reading, path.span, &path.value) {
                continue;
            }
            let is_as_written = (path.span.end - path.span.start) as usize == path.value.len();
            let place = |from, length| if is_as_written { path.span.part(from, length) } else { path.span };
            given.check(&path.value, word.name, place, reading.found);
        }
    }
    for save in &step.save {
        if let Some(node) = saved_path(&save.from)
            && let Some(text) = node.scalar_text()
            && !is_mended(reading, node.span, &text)
        {
            given.check(&text, word.name, |from, length| node.part(from, length), reading.found);
        }
    }
}

/// Is it a row of `x` that nobody wrote, which stands where YAML forbids what is there? That was told already.
fn is_mended(reading: &Reading<'_>, place: Span, text: &str) -> bool {
    let first = text.split('.').next().unwrap_or_default();
    first.bytes().all(|byte| byte == b'x') && !reading.sources.borrow().text(place).contains(first)
}

/// The path from which something is saved, where it is one.
fn saved_path(from: &Node) -> Option<&Node> {
    match &from.kind {
        NodeKind::Text { text, .. } => (!text.trim_start().starts_with("${")).then_some(from),
        NodeKind::Number(_) => Some(from),
        NodeKind::Map(entries) => {
            entries.iter().find(|entry| entry.key.value == "from").map(|entry| &entry.node)
        }
        _ => None,
    }
}

/// What a step gives.
#[derive(Clone, Copy)]
enum Given<'a> {
    Fields(&'static [Field]),
    Flow(&'a Flow),
}

impl Given<'_> {
    fn check(self, text: &str, kind: &str, place: impl Fn(usize, usize) -> Span, found: &mut Diagnostics) {
        // One that is no path at all is told by whoever reads it for use.
        let Ok(path) = Path::parse(text) else { return };
        let (title, name, known) = match self {
            Self::Flow(flow) => {
                let known: Vec<&str> = flow.gives.iter().map(|(name, _)| name.value.as_str()).collect();
                let name = path.first();
                if known.contains(&name) {
                    return;
                }
                (format!("the flow `{}` gives no `{name}`", flow.name.value), name, known)
            }
            Self::Fields(fields) => {
                let Some((above, name, fields)) = unknown(fields, path.segments()) else { return };
                let above: Vec<String> = above.iter().map(ToString::to_string).collect();
                let title = match above.join(".").as_str() {
                    "" => format!("`{kind}` steps give no `{name}`"),
                    above => format!("`{above}` of `{kind}` steps has no `{name}`"),
                };
                (title, name, fields.iter().map(|field| field.name).collect())
            }
        };
        let from = text.find(name).unwrap_or_default();
        found.push(Diagnostic::error(title).at(place(from, name.len()), "").suggest(name, known));
    }
}

/// The first name of a path that is not there, with what stands above it, and the names that are there.
fn unknown<'p>(
    fields: &'static [Field],
    path: &'p [Segment],
) -> Option<(&'p [Segment], &'p str, &'static [Field])> {
    let mut shape = Shape::Fields(fields);
    for (depth, segment) in path.iter().enumerate() {
        shape = match (shape, segment) {
            (Shape::Fields(fields), Segment::Name(name)) => {
                match fields.iter().find(|field| field.name == name) {
                    Some(field) => field.shape,
                    None => return Some((&path[..depth], name, fields)),
                }
            }
            (Shape::List(element), _) => *element,
            _ => return None,
        };
    }
    None
}

/// Tells paths of a `where` that no interaction has: they would hold for none, and a count of none would pass. `fields` are
/// what is seen of an interaction there; what stands in its parts is known by the protocols that may pass, all of them
/// where none is given.
pub(crate) fn check_where(
    entries: &[Entry],
    fields: &'static [Field],
    protocols: &[&'static dyn Protocol],
    found: &mut Diagnostics,
) {
    // `that` asks about the interaction as a whole.
    for entry in entries.iter().filter(|entry| entry.key.value != "that") {
        let Ok(path) = Path::parse(&entry.key.value) else { continue };
        let Some((name, known)) = stray(path.segments(), fields, protocols) else {
            if let Some(warning) = of_grpc(entry, protocols) {
                found.push(warning);
            }
            continue;
        };
        let spoken: Vec<String> = protocols.iter().map(|protocol| format!("`{}`", protocol.name())).collect();
        let of = if spoken.is_empty() { String::new() } else { format!(" of {}", spoken.join(" or ")) };
        let error = match INTERACTION.iter().find(|field| field.name == name) {
            Some(_) if path.segments().len() == 1 => {
                Diagnostic::error(format!("`{name}` is not known yet when this is asked"))
                    .at(entry.key.span, "known only of what has passed")
            }
            _ => Diagnostic::error(format!("no interaction{of} has `{}`", entry.key.value))
                .at(entry.key.span, ""),
        };
        found.push(error.suggest(name, known));
    }
}

/// A call of gRPC that is asked for by its path, which it does not have: what passes there and is none may have one.
fn of_grpc(entry: &Entry, protocols: &[&'static dyn Protocol]) -> Option<Diagnostic> {
    let is_grpc = !protocols.is_empty() && protocols.iter().all(|protocol| protocol.name() == "grpc");
    let path = entry.node.as_text().filter(|_| is_grpc && entry.key.value == "request.path")?;
    let (service, method) =
        path.strip_prefix('/')?.split_once('/').filter(|(_, method)| !method.contains('/'))?;
    // What passes there besides, such as gRPC-Web, may have one.
    let warning = Diagnostic::warning("a call of gRPC has no `request.path`").at(entry.key.span, "");
    Some(warning.hint(format!("it has `request.service: {service}` and `request.method: {method}`")))
}

/// The same for what is waited for on the way to a provider: its endpoint, or all that it has.
pub fn check_awaited(
    entries: &[Entry],
    provider: (&str, Option<&str>),
    system: &dyn DeclaredSystem,
    found: &mut Diagnostics,
) {
    check_where(entries, INTERACTION, &protocols_of(provider, system), found);
}

/// The first name of a path that no interaction has, and the names that there are in its place.
fn stray<'p>(
    path: &'p [Segment],
    fields: &'static [Field],
    protocols: &[&'static dyn Protocol],
) -> Option<(&'p str, Vec<&'static str>)> {
    let names = |fields: &[&'static Field]| fields.iter().map(|field| field.name).collect();
    let (Segment::Name(part), below) = path.split_first()? else { return None };
    let first = fields.iter().find(|field| field.name == part);
    if first.is_none() || !PARTS.contains(&part.as_str()) {
        return first.is_none().then(|| (part.as_str(), names(&fields.iter().collect::<Vec<_>>())));
    }
    let all = if protocols.is_empty() { seam_wire::PROTOCOLS } else { protocols };
    let of_part: Vec<&'static Field> = all.iter().flat_map(|protocol| protocol.fields_of(part)).collect();
    let Some((Segment::Name(name), below)) = below.split_first() else {
        let there = || PARTS.iter().filter(|part| all.iter().any(|one| !one.fields_of(part).is_empty()));
        return of_part.is_empty().then(|| (part.as_str(), there().copied().collect()));
    };
    let named: Vec<&'static Field> = of_part.iter().copied().filter(|field| field.name == name).collect();
    if named.is_empty() {
        return Some((name, names(&of_part)));
    }
    // What one protocol leaves open may hold anything.
    let deeper = named.iter().map(|field| match field.shape {
        Shape::Fields(fields) => unknown(fields, below),
        _ => None,
    });
    let deeper: Option<Vec<_>> = deeper.collect();
    let (_, name, fields) = deeper?.into_iter().next()?;
    Some((name, names(&fields.iter().collect::<Vec<_>>())))
}

/// The parts of an interaction that its protocol has words for.
const PARTS: &[&str] = &["request", "reply", "message"];

/// What an interaction has.
pub(crate) const INTERACTION: &[Field] = &[
    Field::optional("from", Shape::Text, "who asked"),
    Field::optional("to", Shape::Text, "who was asked"),
    Field::optional("via", Shape::Text, "the broker in between; null where there is none"),
    Field::optional("seam", Shape::Text, "the seam that it passed: `orders -> pg.stock`"),
    Field::optional("at", Shape::Text, "when it began: time since the run began"),
    Field::optional("elapsed", Shape::Text, "how long it took; null where it never ended"),
    Field::optional(
        "error",
        Shape::OneOf(&["refused", "reset", "closed", "timeout"]),
        "why it came to no proper end; else null",
    ),
    Field::optional("request", Shape::Any, "what was asked, as its protocol says"),
    Field::optional("reply", Shape::Any, "what was answered, as its protocol says; null where nothing was"),
    Field::optional("message", Shape::Any, "what was pushed or published; else null"),
    Field::optional(
        "answered_by",
        Shape::Text,
        "the stub or fault that answered in the provider's place; null where the provider did",
    ),
];

#[cfg(test)]
mod tests {
    use crate::testing::{in_a_file, read, read_file};

    /// Checks a table of steps with one mistake each, or none.
    #[test]
    fn paths_that_lead_nowhere_are_told() {
        for (step, expect) in [
            (
                "- http: GET gateway/x\n  expect: { stauts: 200 }",
                "`http` steps give no `stauts` [stauts] {did you mean `status`?}",
            ),
            (
                "- seam: orders -> bare\n  where: { request.path: /shop.Orders/Place }\n  expect: { count: 0 }",
                "a call of gRPC has no `request.path` [request.path] \
                 {it has `request.service: shop.Orders` and `request.method: Place`}",
            ),
            ("- seam: orders -> bare\n  where: { request.path: /health }\n  expect: { count: 0 }", ""),
            (
                "- http: GET gateway/x\n  save: { id: boddy.id }",
                "`http` steps give no `boddy` [boddy] {did you mean `body`?}",
            ),
            (
                "- http: GET gateway/x\n  save: { id: { from: texd, matches: a } }",
                "`http` steps give no `texd` [texd] {did you mean `text`?}",
            ),
            (
                "- http: GET gateway/x\n  expect: { \"stauts\": 200 }",
                "`http` steps give no `stauts` [\"stauts\"] {did you mean `status`?}",
            ),
            (
                "- sql: pg.orders\n  query: select 1\n  expect: { error.cod: '1' }",
                "`error` of `sql` steps has no `cod` [cod] {did you mean `code`?}",
            ),
            (
                "- mail: mail\n  expect: { mails.*.attachments.0.nam: a }",
                "`mails.*.attachments.0` of `mail` steps has no `nam` [nam] {did you mean `name`?}",
            ),
            (
                "- seam: orders -> pg\n  unless: { interactions.0.rquest.body: 1 }\n  within: 1s",
                "`interactions.0` of `seam` steps has no `rquest` [rquest] {did you mean `request`?}",
            ),
            (
                "- seam: orders -> pg\n  save: { id: 5 }",
                "`seam` steps give no `5` [5] (known: `count`, `interactions`)",
            ),
            (
                "- http: GET gateway/x\n  expect: { items[0].sku: 1 }",
                "`[` in an unquoted text inside { } [items[0].sku] {write the index with dots: `items.0.sku`, or quote it: \"items[0].sku\"}",
            ),
            (
                "- http: GET gateway/x\n  expect: { x: { exists: false } }",
                "`http` steps give no `x` [x] (known: `status`, `headers`, `cookies`, `body`, `text`, `trailers`, `elapsed`, `url`, `error`)",
            ),
            (
                "- use: buy\n  save: { a: ordr }",
                "the flow `buy` gives no `ordr` [ordr] {did you mean `order`?}",
            ),
            ("- use: buy\n  save: { a: order.id }", ""),
            (
                "- http: GET gateway/x\n  expect: { body.stauts: 1, headers.x: 1, that: ['status > 1'], jsonpath: { $.a: 1 } }",
                "",
            ),
            ("- http: GET gateway/x\n  save: { a: '${ body.x }' }", ""),
            (
                "- sql: pg.orders\n  query: select 1 as a\n  expect: { rows.0.a: 1, error: null, rows.*.a: [1] }",
                "",
            ),
            ("- component: stop orders\n  expect: { done: stop }", ""),
        ] {
            let flow =
                "flows:\n  buy: { takes: [], steps: [{ http: GET gateway/x }], gives: { order: 1 } }\n";
            let told = read_file(&format!("{flow}{}", in_a_file(step))).err().unwrap_or_default();
            assert_eq!(told.join("\n"), expect, "{step}");
        }
        assert!(read("- http: GET gateway/x\n  expect: { status: 200 }").is_ok());
    }
}
