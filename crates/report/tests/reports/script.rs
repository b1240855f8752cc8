//! What happens in a run, told in order: tests, steps, what passes, what is judged.

use seam_event::{
    Caller, ComponentState, Endpoint, Event, Interaction, Judged, Outcome, Phase, Place, Scope, SeamId,
    StageOf, What,
};
use seam_value::Value;
use std::time::Duration;

/// The file that all tests stand in.
pub(crate) const TESTS: &str = "tests/checkout.seam.yaml";

/// The script of a run: what happens, at which millisecond, in which test, attempt and step.
pub(crate) struct Script {
    pub(crate) events: Vec<Event>,
    pub(crate) scope: Scope,
    pub(crate) at: u64,
    /// The text of the file, in which places are looked for.
    text: &'static str,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { events: Vec::new(), scope: Scope::default(), at: 0, text }
    }

    /// Where a text stands in the file.
    pub(crate) fn place(&self, of: &str) -> Place {
        place(self.text, of)
    }

    pub(crate) fn tell(&mut self, what: What) {
        let scope = match &what {
            What::Component { .. } | What::Lost { .. } => Scope::default(),
            What::Test { .. } => Scope { step: None, ..self.scope.clone() },
            _ => self.scope.clone(),
        };
        let seq = self.events.len() as u64 + 1;
        self.events.push(Event { seq, at: Duration::from_millis(self.at), scope, cause: None, what });
        self.at += 1;
    }

    pub(crate) fn test(&mut self, name: &str, attempt: u32, body: impl FnOnce(&mut Self)) {
        self.scope =
            Scope { test: Some(format!("{TESTS}::{name}").into()), attempt: Some(attempt), step: None };
        self.tell(What::Test { phase: Phase::Began });
        body(self);
        self.tell(What::Test { phase: Phase::Ended });
        self.scope = Scope::default();
    }

    pub(crate) fn step(&mut self, path: &str, (name, action): (&str, &str), body: impl FnOnce(&mut Self)) {
        self.scope.step = Some(path.into());
        let place = self.place(action);
        let stage = |stage| What::Step { name: name.into(), action: action.into(), place, stage };
        self.tell(stage(StageOf::Began));
        body(self);
        self.tell(stage(StageOf::Ended));
        self.scope.step = None;
    }

    pub(crate) fn pass(&mut self, id: u64, on: &str, (at, took): (u64, u64), (request, reply): (&str, &str)) {
        let of = seam(on);
        self.at = self.at.max(at + took);
        let protocol = if of.provider.as_str() == "pg" { "postgres" } else { "http" };
        self.tell(What::Interaction(Interaction {
            id,
            from: of.consumer.clone(),
            to: of.provider.clone(),
            seam: of,
            via: None,
            caller: Caller::Known,
            protocol: protocol.into(),
            connection: 1,
            at: Duration::from_millis(at),
            elapsed: Some(Duration::from_millis(took)),
            error: None,
            request: seam_value::parse(request).unwrap(),
            reply: seam_value::parse(reply).unwrap(),
            message: Value::Null,
            cut: false,
            answered_by: None,
        }));
    }

    pub(crate) fn judged(
        &mut self,
        path: &str,
        outcome: Outcome,
        sides: (&str, &str),
        told: (&str, &[&str], &str),
    ) {
        let value = |text: &str| (!text.is_empty()).then(|| seam_value::parse(text).unwrap());
        self.tell(What::Judged(Judged {
            path: path.into(),
            matcher: "equals".into(),
            outcome,
            written: true,
            soft: false,
            expected: value(sides.0),
            actual: value(sides.1),
            message: told.0.into(),
            details: told.1.iter().map(|line| (*line).to_owned()).collect(),
            place: self.place(told.2),
        }));
    }

    pub(crate) fn line(&mut self, component: &str, number: u64, text: &str) {
        self.tell(What::Line { component: component.into(), error: true, number, text: text.into() });
    }

    pub(crate) fn component(&mut self, component: &str, state: ComponentState, detail: &str) {
        self.tell(What::Component { component: component.into(), state, detail: detail.into() });
    }
}

/// Where a part stands in a text; its beginning where it does not.
pub(crate) fn place(text: &str, of: &str) -> Place {
    let start = u32::try_from(text.find(of).unwrap_or_default()).unwrap();
    let end = (start + u32::try_from(of.len()).unwrap()).min(u32::try_from(text.len()).unwrap());
    Place { file: 0, start, end }
}

pub(crate) fn seam(text: &str) -> SeamId {
    let (consumer, provider) = text.split_once(" -> ").unwrap();
    let (provider, endpoint) = provider.split_once('.').unwrap_or((provider, ""));
    SeamId { consumer: consumer.into(), provider: provider.into(), endpoint: Endpoint::from(endpoint) }
}
