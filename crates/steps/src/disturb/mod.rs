//! Faults and stubs on seams: the steps `fault` and `stub`, and the entries of `under`, which are read alike.
//!
//! What is put on a seam outlives the step that put it, so it takes the variables along as they stand.

mod fault;
mod live;
mod mappings;
mod names;
mod narrowing;
mod stub;

pub(crate) use fault::FaultStep;
pub use live::{Live, Spoken, read_live};
pub(crate) use stub::StubStep;
pub use stub::read_stand_in;
use stub::read_stub;

use crate::action::{Target, Trouble};
use crate::bench::{Bench, SeamFilter};
use crate::input::Input;
use crate::kind::Reading;
use crate::subject::{self, Ends};
use futures_util::future::BoxFuture;
use names::Fixed;
use narrowing::Narrowing;
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::{NameUse, Names};
use seam_model::{Fields, Node, NodeKind};
use seam_proxy::{FAULTS, Fault, Kind, Rule, read_fault};
use seam_stub::{Source, Standing, Surroundings};
use seam_value::Value;
use seam_wire::Protocol;
use std::sync::Arc;

/// A fault or a stub, to be put on a seam.
pub struct Disturbance {
    ends: Ends,
    what: What,
    narrowing: Narrowing,
    /// As written, on one line.
    title: String,
}

enum What {
    Fault(Input),
    Stub(Source),
}

/// What is put on a seam.
#[derive(Clone)]
pub struct Placed {
    /// The seam.
    pub seam: SeamFilter,
    /// The fault or stub.
    pub rule: Arc<Rule>,
    /// What answers there, where it is a stub.
    pub standing: Option<Arc<dyn Standing>>,
    /// Where it stands.
    pub span: Span,
}

impl Disturbance {
    /// Reads an entry of `under`, whose keys are known to be right.
    pub fn read(entry: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let entries = entry.as_map().unwrap_or_default();
        let mut fields = Fields::over(entries, entry.span, "the entry of `under`");
        let disturbance = match (fields.take("fault"), fields.take("stub")) {
            // A fault that there is not was told by whoever read the entry, and a seam that is missing too.
            (Some(fault), None) if unknown(fault).is_some() => return None,
            (Some(fault), None) => Self::of_fault(fault, &mut fields, None, reading),
            (None, Some(stub)) => Self::of_stub(stub, &mut fields, None, reading),
            // Told already.
            _ => return None,
        };
        fields.finish(reading.found);
        disturbance
    }

    /// `span` is where a seam that is missing is told.
    fn of_fault(
        fault: &Node,
        fields: &mut Fields<'_>,
        span: Option<Span>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let input = Input::read(fault, reading.found);
        let read = input.fixed().map(|value| told(fault, value, reading.found));
        let title = shown(fault, reading);
        let spoken = spoken(fields, reading);
        let narrowing = Narrowing::read(fields, &spoken, reading.found);
        if let (Some(Some(read)), [protocol]) = (&read, spoken.as_slice()) {
            check_words(fault, (&**read, &narrowing), *protocol, reading.found);
        }
        let ends = seam_of(fields, span, reading)?;
        if let Some(Some(fault)) = &read {
            narrowing.check(&**fault, reading.found);
        }
        Some(Self { ends, what: What::Fault(input), narrowing, title })
    }

    fn of_stub(
        stub: &Node,
        fields: &mut Fields<'_>,
        span: Option<Span>,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let ends = seam_of(fields, span, reading)?;
        let endpoint = ends.endpoint.as_deref().unwrap_or_default();
        let stubs = read_stub(stub, (&ends.provider, endpoint), reading)?;
        let named = stub.get("name").and_then(Node::scalar_text);
        let title = named.unwrap_or_else(|| shown(stub, reading));
        let narrowing = Narrowing::read(fields, &ends.protocols(reading.system), reading.found);
        Some(Self { ends, what: What::Stub(stubs), narrowing, title })
    }

    /// The variables in it.
    pub fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.narrowing.uses(&mut uses);
        match &self.what {
            What::Fault(input) => input.uses(&mut uses),
            What::Stub(stubs) => uses.extend(stubs.names()),
        }
        uses
    }

    /// Whom it is about.
    pub fn target(&self) -> Target {
        self.ends.target()
    }

    /// Puts it on its seam; it stays until the bench takes it away.
    pub fn put<'a>(
        &'a self,
        names: &'a (dyn Names + Sync),
        bench: &'a dyn Bench,
    ) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let fixed: Arc<dyn Names + Send + Sync> = Arc::new(Fixed::of(&self.uses(), names, &self.title));
            let mut name = self.title.clone();
            let mut at = self.ends.span;
            let mut standing = None;
            let kind = match &self.what {
                What::Fault(input) => {
                    let value = input.value(names)?;
                    if input.fixed().is_none() {
                        name = shortened(value.to_plain_text());
                    }
                    at = input.span();
                    Kind::Fault(read_fault(&value).map_err(|reason| Trouble::errored(reason).at(at))?)
                }
                What::Stub(stubs) => {
                    let stands = stubs.stand(&fixed, || around(names, &self.title));
                    standing = Some(Arc::clone(&stands));
                    Kind::Stub(stands)
                }
            };
            let chance = names.chance().branch(&self.title);
            let rule = self.narrowing.rule((name, kind), &fixed, chance);
            let rule = rule.map_err(|reason| Trouble::errored(reason).at(at))?;
            let (seam, span) = (self.ends.filter(), self.ends.span);
            let placed = Placed { seam, rule: Arc::new(rule), standing, span };
            bench.put(&placed).await
        })
    }
}

/// A fault as it is written; tells why it is none.
fn told(node: &Node, value: &Value, found: &mut Diagnostics) -> Option<Arc<dyn Fault>> {
    if let Some((name, span)) = unknown(node) {
        let error = Diagnostic::error(format!("there is no fault `{name}`")).at(span, "");
        found.push(error.suggest(name, FAULTS.iter().map(|kind| kind.word.name)));
        return None;
    }
    read_fault(value)
        .map_err(|reason| {
            let at = match &node.kind {
                NodeKind::Map(entries) if entries.len() == 1 => entries[0].node.span,
                // Of several the reason names the one that it is about.
                NodeKind::Map(entries) => entries
                    .iter()
                    .find(|entry| reason.starts_with(&format!("`{}`", entry.key.value)))
                    .map_or(node.span, |entry| entry.node.span),
                _ => node.span,
            };
            found.push(Diagnostic::error(reason).at(at, ""));
        })
        .ok()
}

/// What may be spoken on the seam that is named beside a fault, as far as that is known.
fn spoken(fields: &mut Fields<'_>, reading: &Reading<'_>) -> Vec<&'static dyn Protocol> {
    let seam = fields.take("seam").and_then(Node::as_text).and_then(|seam| seam.split_once("->"));
    let Some((_, provider)) = seam else { return Vec::new() };
    let (component, endpoint) = match provider.trim().split_once('.') {
        Some((component, endpoint)) => (component, Some(endpoint)),
        None => (provider.trim(), None),
    };
    subject::protocols_of((component, endpoint), reading.system)
}

/// Tells what a fault says or does and its seam's protocol has no word for.
fn check_words(
    node: &Node,
    (fault, narrowing): (&dyn Fault, &Narrowing),
    protocol: &dyn Protocol,
    found: &mut Diagnostics,
) {
    if let Some(reason) = narrowing.lacks(fault, protocol) {
        found.push(Diagnostic::error(reason).at(node.span, ""));
        return;
    }
    let Some(answer) = fault.says().filter(|_| !protocol.word().fields.is_empty()) else { return };
    let names = || protocol.word().fields.iter().map(|field| field.name);
    let stray: Vec<&str> = answer.as_map().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let stray: Vec<&str> = stray.into_iter().filter(|key| names().all(|name| name != *key)).collect();
    for key in &stray {
        let title = format!("an answer of `{}` has no `{key}`", protocol.name());
        // What a fault says by itself stands nowhere.
        let written = node.as_map().into_iter().flatten().find(|entry| entry.key.value == *key);
        let error = Diagnostic::error(title).at(written.map_or(node.span, |entry| entry.key.span), "");
        // Two words for one thing: HTTP and gRPC have the one, databases and Redis the other.
        let other = [("error", "status"), ("status", "error")].into_iter().find(|(one, _)| one == key);
        found.push(match other.filter(|(_, other)| names().any(|name| name == *other)) {
            Some((_, other)) => error.hint(format!("its `{other}` says what went wrong")),
            None => error.suggest(key, names()),
        });
    }
    if let Some(misfit) = protocol.misfit(&answer).filter(|_| stray.is_empty()) {
        let said =
            node.as_map().and_then(|entries| entries.first()).map_or(node.span, |entry| entry.node.span);
        found.push(Diagnostic::error(misfit.reason).at(said, ""));
    }
}

/// The world of WireMock's mappings in a test.
fn around(names: &dyn Names, label: &str) -> Surroundings {
    Surroundings {
        chance: names.chance().branch(label),
        now: jiff::Timestamp::now,
        env: Box::new(|_| None),
        file: Box::new(|path| Err(format!("`{path}` can't be read while something passes a seam"))),
        hostname: "localhost".to_owned(),
    }
}

/// The first word of what is no fault at all, and its place.
fn unknown(fault: &Node) -> Option<(&str, Span)> {
    let (name, span) = match &fault.kind {
        NodeKind::Text { text, .. } => (text.as_str(), fault.span),
        NodeKind::Map(entries) => {
            let first = entries.first()?;
            (first.key.value.as_str(), first.key.span)
        }
        _ => return None,
    };
    let is_fault = |name: &str| FAULTS.iter().any(|kind| kind.word.name == name);
    let is_none = match &fault.kind {
        NodeKind::Map(entries) => !entries.iter().any(|entry| is_fault(&entry.key.value)),
        _ => !is_fault(name),
    };
    (is_none && !name.starts_with('$')).then_some((name, span))
}

fn seam_of(fields: &mut Fields<'_>, span: Option<Span>, reading: &mut Reading<'_>) -> Option<Ends> {
    let Some(seam) = fields.take("seam") else {
        if let Some(span) = span {
            let error = Diagnostic::error("on which seam?").at(span, "");
            reading.found.push(error.hint("write `seam: orders -> paygate` beside it"));
        }
        return None;
    };
    let ends = subject::seam(seam, reading)?;
    let declared = reading.system.seams();
    let is_there = |(consumer, provider, endpoint): &(&str, &str, &str)| {
        *consumer == ends.consumer
            && *provider == ends.provider
            && ends.endpoint.as_ref().is_none_or(|wanted| wanted == endpoint)
    };
    if ends.consumer != "test" && !declared.iter().any(is_there) {
        let hint = format!(
            "what `{}` is handed an address of stands in its `env`, `files` or `calls` in seam.yaml",
            ends.consumer
        );
        let error = Diagnostic::error(format!("`{}` has no seam to `{}`", ends.consumer, ends.provider));
        reading.found.push(error.at(seam.span, "nothing passes here").hint(hint));
        return None;
    }
    Some(ends)
}

/// A node as it was written, on one line, shortened.
fn shown(node: &Node, reading: &Reading<'_>) -> String {
    let sources = reading.sources.borrow();
    let text = sources.text(node.span).split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(if text.is_empty() { node.to_value().to_string() } else { text })
}

/// The value of a node on one line, shortened, for what stands in no file.
fn value_of(node: &Node) -> String {
    shortened(node.scalar_text().unwrap_or_else(|| node.to_value().to_string()))
}

fn shortened(text: String) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod words_tests;

#[cfg(test)]
mod tests {
    use crate::actor::Actor;
    use crate::testing::{Bed, LIMIT, read, run_as, step as one};

    #[test]
    fn mistakes_are_told_at_their_place() {
        for (text, expected) in [
            (
                "- fault: refused\n  seam: orders -> paygate",
                "there is no fault `refused` [refused] {did you mean `refuse`?}",
            ),
            (
                "- fault: { latncy: 2s }\n  seam: orders -> paygate",
                "there is no fault `latncy` [latncy] {did you mean `latency`?}",
            ),
            (
                "- fault: { latency: 2 }\n  seam: orders -> paygate",
                "`latency` takes a duration, such as 2s [2]",
            ),
            (
                "- fault: { mistype: body.id, as: integer }\n  seam: orders -> paygate",
                "`as` is one of null, absent, text, number, boolean, list, map, empty, date [integer]",
            ),
            (
                "- fault: cut\n  seam: orders -> paygate\n  times: 2",
                "what strikes at once strikes once [times] {`where`, `nth` or `probability` choose what it strikes}",
            ),
            ("- fault: cut", "on which seam?"),
            (
                "- fault: cut\n  seam: paygate -> orders",
                "`paygate` has no seam to `orders` [paygate -> orders",
            ),
            ("- fault: reset\n  seam: orders -> paygate\n  nth: 0", "`nth` is a number from 1 [0]"),
            (
                "- fault: reset\n  seam: orders -> paygate\n  probability: 2",
                "`probability` is a number from 0 to 1 [2]",
            ),
            (
                "- fault: refuse\n  seam: orders -> paygate\n  where: { request.path: /x }",
                "nothing can be chosen with `where` [where]",
            ),
            (
                "- fault: { bandwidth: 1KiB }\n  seam: orders -> paygate\n  nth: 2",
                "nothing can be chosen with `nth` [nth]",
            ),
            (
                "- fault: { slow_close: 1s }\n  seam: orders -> paygate\n  times: 2",
                "nothing can be chosen with `times` [times]",
            ),
            (
                "- fault: refuse\n  seam: orders -> paygate\n  probability: 0.5",
                "nothing can be chosen with `probability` [probability]",
            ),
            (
                "- fault: { status: 99 }\n  seam: orders -> paygate",
                "a status is a number from 100 to 999 [99]",
            ),
            (
                "- fault: { status: 101 }\n  seam: orders -> paygate",
                "an answer's status is a number from 200 to 999 [101]",
            ),
            (
                "- fault: { error: '40001' }\n  seam: orders -> paygate",
                "an answer of `http` has no `error` [error] {its `status` says what went wrong}",
            ),
            (
                "- fault: { error: UNAVAILABLE }\n  seam: orders -> bare",
                "an answer of `grpc` has no `error` [error] {its `status` says what went wrong}",
            ),
            (
                "- fault: { rate_limit: 0 }\n  seam: orders -> pg",
                "an answer of `postgres` has no `status` [{ rate_limit",
            ),
            ("- fault: { error: 400 }\n  seam: orders -> pg", "SQLSTATE"),
            ("- stub: { request: POST /charge, replay: {} }\n  seam: orders -> paygate", "replay"),
            (
                "- stub: stubs/none.yaml\n  seam: orders -> paygate",
                "these stubs can't be read [stubs/none.yaml",
            ),
        ] {
            let told = read(text).err().unwrap_or_default().join("\n");
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    /// Whoever reads an entry has told some of it already.
    #[test]
    fn mistakes_of_an_entry_are_told_once() {
        for (entry, expected) in [
            ("{ fault: reset }", &["the entry of `under` needs `seam`"][..]),
            ("{ seam: orders -> paygate, fault: }", &["a fault is a word or a map of one kind"]),
            ("{ seam: orders -> paygate, fault: rest }", &["there is no fault `rest`"]),
            (
                "{ fault: { latency: 2 } }",
                &["the entry of `under` needs `seam`", "`latency` takes a duration"],
            ),
        ] {
            let text = format!("- http: GET gateway/x\n  under: [{entry}]");
            let told = read(&text).err().unwrap_or_default();
            assert_eq!(told.len(), expected.len(), "{entry}: {told:?}");
            for (told, expected) in told.iter().zip(expected) {
                assert!(told.starts_with(expected), "{entry}: {told}");
            }
        }
    }

    #[tokio::test]
    async fn a_step_puts_what_it_says_on_its_seam() {
        let bed = Bed::default();
        let step = one("- fault: { latency: $wait }\n  seam: orders -> paygate");
        let done = run_as(step.as_ref(), &Actor::new(""), &bed, r#"{"wait":"5ms"}"#, LIMIT).await;
        assert_eq!(done, Ok(seam_value::Value::Null));
        assert_eq!(bed.asked(), [r#"put {"latency":"5ms"} on orders -> paygate"#]);
        let wrong = run_as(step.as_ref(), &Actor::new(""), &bed, r#"{"wait":5}"#, LIMIT).await;
        assert!(format!("{wrong:?}").contains("takes a duration"), "{wrong:?}");
        let chosen = one("- fault: $what\n  seam: orders -> paygate\n  nth: 2");
        let wrong = run_as(chosen.as_ref(), &Actor::new(""), &bed, r#"{"what":"refuse"}"#, LIMIT).await;
        assert!(format!("{wrong:?}").contains("nothing can be chosen with `nth`"), "{wrong:?}");
    }
}
