//! The table of everything that a step can do, and how a kind of step is read before anything starts.

use crate::action::Action;
use crate::later;
use seam_diag::{Diagnostics, Sources};
use seam_model::{Flow, Step, TestDefaults, Word};
use seam_wire::grpc::Descriptors;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// All kinds, in the order in which the reference lists them.
pub static STEPS: &[&dyn Kind] = &[
    &crate::http::HttpStep,
    &crate::grpc::GrpcStep,
    &crate::ws::WsStep,
    &crate::sql::SqlStep,
    &crate::redis::RedisStep,
    &crate::publish::PublishStep,
    &crate::send::SendStep,
    &crate::mail::MailStep,
    &crate::exec::ExecStep,
    &crate::file::FileStep,
    &crate::seam::SeamStep,
    &crate::log::LogStep,
    &crate::component::ComponentStep,
    &crate::disturb::FaultStep,
    &crate::disturb::StubStep,
    &crate::wait::WaitStep,
    &crate::together::TogetherStep,
    &crate::flow::UseStep,
    &later::GRAPHQL,
    &later::SSE,
    &later::RECEIVE,
    &later::BROWSER,
    &later::FOR_EACH,
];

/// The kind whose key this is, if there is one.
pub fn kind(word: &str) -> Option<&'static dyn Kind> {
    STEPS.iter().copied().find(|kind| kind.word().name == word)
}

/// One kind of step: `http`, `sql`.
pub trait Kind: Sync {
    /// Its key, fields, results and example.
    fn word(&self) -> &'static Word;

    /// Reads the step's subject and its own fields; pushes every mistake; none if it cannot be run.
    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>>;

    /// Does it stand in the language but not yet in this version? Such a step is read only as far as its key.
    fn is_later(&self) -> bool {
        false
    }
}

/// What a kind is given to read with, and where it tells its mistakes.
pub struct Reading<'a> {
    /// The system that the step is about.
    pub system: &'a dyn DeclaredSystem,
    /// What the steps of the file share.
    pub defaults: &'a TestDefaults,
    /// The flows that the file knows.
    pub flows: &'a [Flow],
    /// The folder of the file in which the step stands, where paths with `./` begin.
    pub folder: &'a Path,
    /// The files that were read, for those that a step names.
    pub sources: &'a RefCell<Sources>,
    /// The mistakes found so far.
    pub found: &'a mut Diagnostics,
}

/// What reading may ask about the declared system. The engine implements it.
pub trait DeclaredSystem {
    /// The names of all components, in the written order.
    fn components(&self) -> Vec<&str>;

    /// The names of a component's endpoints and databases; the endpoint without a name is the empty text.
    fn endpoints(&self, component: &str) -> Vec<&str>;

    /// The protocol of an endpoint (the empty text for the one without a name); none where there is no such endpoint.
    fn protocol(&self, component: &str, endpoint: &str) -> Option<&str>;

    /// What describes the messages of a component, where something does.
    fn descriptors(&self, component: &str) -> Option<Arc<Descriptors>> {
        let _ = component;
        None
    }

    /// The service that a component is, if it is one: `postgres`, `mailbox`.
    fn service(&self, component: &str) -> Option<&str>;

    /// The seams that references declare: consumer, provider and endpoint.
    fn seams(&self) -> Vec<(&str, &str, &str)>;

    /// The folder of `seam.yaml`.
    fn root(&self) -> &Path;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{in_a_file, read_file};

    #[test]
    fn every_kind_says_what_it_is_and_its_example_has_no_mistakes() {
        for kind in STEPS.iter().filter(|kind| !kind.is_later()) {
            let word = kind.word();
            assert!(!word.line.is_empty() && !word.text.is_empty(), "{}", word.name);
            assert!(!word.line.ends_with('.') && word.text.ends_with('.'), "{}", word.name);
            let flow =
                "flows:\n  buy: { takes: [book], steps: [{ http: GET gateway/x }], gives: { order: 1 } }\n";
            let file = format!("vars: {{ isbn: a }}\n{flow}{}", in_a_file(word.example));
            let read = read_file(&file);
            let n_steps = read.as_ref().map_or(0, Vec::len);
            assert!(n_steps > 0, "{}: {:#?}", word.name, read.err());
            let begins = format!("{}:", word.name);
            assert!(word.example.lines().any(|line| line.contains(&begins)), "{}", word.name);
        }
    }
}
