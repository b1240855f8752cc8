//! Whom a step addresses: `pg.orders`, `orders -> paygate`, checked against what is declared.

use crate::action::Target;
use crate::kind::{DeclaredSystem, Reading};
use seam_diag::{Diagnostic, Span};
use seam_model::Node;
use seam_wire::Protocol;

/// A component and one of its endpoints; empty for the one without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) component: String,
    pub(crate) endpoint: String,
    pub(crate) span: Span,
}

impl Subject {
    /// Whom the step dials.
    pub(crate) fn target(&self) -> Target {
        let Self { component, endpoint, span } = self.clone();
        Target::Endpoint { component, endpoint, span }
    }

    /// As people write it: `pg.orders`.
    pub(crate) fn name(&self) -> String {
        if self.endpoint.is_empty() {
            self.component.clone()
        } else {
            format!("{}.{}", self.component, self.endpoint)
        }
    }
}

/// The text right of an action's key; tells if it is none. `example` shows what to write.
pub(crate) fn text<'a>(node: &'a Node, example: &str, reading: &mut Reading<'_>) -> Option<&'a str> {
    let text = node.as_text().map(str::trim).filter(|text| !text.is_empty());
    if text.is_none() {
        let place = format!("this is {}", node.kind_name());
        reading.found.push(Diagnostic::error(format!("expected `{example}`")).at(node.span, place));
    }
    text
}

/// A component that is declared.
pub(crate) fn component(name: &str, span: Span, reading: &mut Reading<'_>) -> Option<String> {
    let known = reading.system.components();
    if known.contains(&name) {
        return Some(name.to_owned());
    }
    let error =
        Diagnostic::error(format!("there is no component `{name}`")).at(span, "").suggest(name, known);
    reading.found.push(error);
    None
}

/// A component, or a component's endpoint or database after a dot.
pub(crate) fn endpoint(text: &str, span: Span, reading: &mut Reading<'_>) -> Option<Subject> {
    let (name, endpoint) = text.split_once('.').unwrap_or((text, ""));
    let component = component(name, span.part(0, name.len()), reading)?;
    if reading.system.protocol(&component, endpoint).is_some() {
        return Some(Subject { component, endpoint: endpoint.to_owned(), span });
    }
    let known: Vec<&str> =
        reading.system.endpoints(&component).into_iter().filter(|name| !name.is_empty()).collect();
    let error = if endpoint.is_empty() {
        Diagnostic::error(format!("`{component}` has no endpoint without a name")).at(span, "")
    } else {
        let place = span.part(name.len() + 1, endpoint.len());
        Diagnostic::error(format!("`{component}` has no endpoint or database `{endpoint}`")).at(place, "")
    };
    reading.found.push(error.suggest(endpoint, known));
    None
}

/// An endpoint that speaks a protocol, for a step that speaks nothing else.
pub(crate) fn speaking(protocol: &str, text: &str, span: Span, reading: &mut Reading<'_>) -> Option<Subject> {
    speaking_one_of(&[protocol], text, span, reading)
}

/// The same, for a step that speaks several.
pub(crate) fn speaking_one_of(
    protocols: &[&str],
    text: &str,
    span: Span,
    reading: &mut Reading<'_>,
) -> Option<Subject> {
    let subject = endpoint(text, span, reading)?;
    let spoken = reading.system.protocol(&subject.component, &subject.endpoint)?;
    if protocols.contains(&spoken) {
        return Some(subject);
    }
    let label = format!("this speaks {spoken}");
    let (name, asked) = (subject.name(), protocols.join(" or "));
    let error = Diagnostic::error(format!("`{name}` does not speak {asked}")).at(span, label);
    reading.found.push(match declared(protocols, &subject, reading.system) {
        Some(hint) => error.hint(hint),
        None => error,
    });
    None
}

/// What to write so that a component's endpoint is known to speak one of these; nothing about a service, which speaks what
/// it speaks.
fn declared(protocols: &[&str], subject: &Subject, system: &dyn DeclaredSystem) -> Option<String> {
    let Subject { component, endpoint, .. } = subject;
    let others = system.endpoints(component);
    let speaks =
        |other: &&str| system.protocol(component, other).is_some_and(|spoken| protocols.contains(&spoken));
    if let Some(other) = others.into_iter().find(speaks) {
        let other = Subject { endpoint: other.to_owned(), ..subject.clone() };
        return Some(format!("`{}` does", other.name()));
    }
    if system.service(component).is_some() {
        return None;
    }
    let protocol = protocols.first()?;
    let ways: Vec<String> = protocols.iter().map(|protocol| format!("`protocol: {protocol}`")).collect();
    Some(if endpoint.is_empty() {
        format!(
            "declare what it speaks: {} at `{component}`, or a further endpoint: `endpoints: {{ name: \
             {protocol} }}`, which is `{component}.name` here",
            ways.join(" or ")
        )
    } else {
        format!("declare what it speaks: `endpoints: {{ {endpoint}: {protocol} }}` at `{component}`")
    })
}

/// Both ends of a seam: `orders -> paygate`, `orders -> pg.orders`. The tests themselves are `test`.
pub(crate) struct Ends {
    pub(crate) consumer: String,
    pub(crate) provider: String,
    /// None where all of the provider's endpoints are meant.
    pub(crate) endpoint: Option<String>,
    pub(crate) span: Span,
}

impl Ends {
    /// What may be spoken there: the protocols of the provider's endpoint, or of all that it has. None of them for the tests
    /// themselves.
    pub(crate) fn protocols(&self, system: &dyn DeclaredSystem) -> Vec<&'static dyn Protocol> {
        protocols_of((&self.provider, self.endpoint.as_deref()), system)
    }
}

/// What a provider may speak: at this endpoint, or at all that it has.
pub(crate) fn protocols_of(
    (provider, endpoint): (&str, Option<&str>),
    system: &dyn DeclaredSystem,
) -> Vec<&'static dyn Protocol> {
    let endpoints = endpoint.map_or_else(|| system.endpoints(provider), |endpoint| vec![endpoint]);
    let names = endpoints.into_iter().filter_map(|endpoint| system.protocol(provider, endpoint));
    let mut spoken: Vec<&'static dyn Protocol> = names.filter_map(seam_wire::protocol).collect();
    spoken.sort_by_key(|protocol| protocol.name());
    spoken.dedup_by_key(|protocol| protocol.name());
    spoken
}

/// Reads both ends of a seam.
pub(crate) fn seam(node: &Node, reading: &mut Reading<'_>) -> Option<Ends> {
    let text = text(node, "orders -> paygate", reading)?;
    let Some((consumer, provider)) = text.split_once("->") else {
        reading.found.push(
            Diagnostic::error("this names no seam")
                .at(node.span, "")
                .hint("write who asks and who is asked: `orders -> paygate`"),
        );
        return None;
    };
    let place = |part: &str| {
        let trimmed = part.trim();
        let inside = node.as_text().unwrap_or_default();
        let from = trimmed.as_ptr().addr().saturating_sub(inside.as_ptr().addr());
        (trimmed.to_owned(), node.part(from, trimmed.len()))
    };
    let ((consumer, consumer_span), (provider, provider_span)) = (place(consumer), place(provider));
    let known_consumer = consumer == "test" || component(&consumer, consumer_span, reading).is_some();
    let (provider_name, endpoint_name) = match provider.split_once('.') {
        Some((name, endpoint)) => (name.to_owned(), Some(endpoint.to_owned())),
        None => (provider.clone(), None),
    };
    let known_provider = match endpoint_name {
        Some(_) => endpoint(&provider, provider_span, reading).is_some(),
        None => provider == "test" || component(&provider_name, provider_span, reading).is_some(),
    };
    let span = node.span;
    (known_consumer && known_provider).then_some(Ends {
        consumer,
        provider: provider_name,
        endpoint: endpoint_name,
        span,
    })
}
