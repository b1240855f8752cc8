//! `stub: …`, `seam: orders -> paygate`: answers in a provider's place from now until the test's end.

use super::Disturbance;
use super::fault::Puts;
use super::narrowing::OFTEN;
use crate::action::Action;
use crate::files::file_meant;
use crate::kind::{Kind, Reading};
use seam_diag::Diagnostic;
use seam_model::{Fields, Node, Shape, Step, Word};
use seam_stub::Stubs;

/// The kind.
pub(crate) struct StubStep;

static WORD: Word = Word {
    text: "Answers in a provider's place, from now until the test's last step has ended: one stub, a list of them, or the \
           path of a file of stubs (`seam explain stub` has all that they can say). It stands above what stood there \
           before; what it does not match goes on as before.",
    subject: Shape::Any,
    fields: OFTEN,
    example: "\
- stub: { request: POST /charge, reply: { status: 201, json: { id: ch-1 } } }
  seam: orders -> paygate
- http: POST gateway/checkout
  json: { cart: c-1 }
  expect: { status: 201 }
",
    ..Word::new("stub", "answers in a provider's place")
};

impl Kind for StubStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `stub` step");
        let disturbance = Disturbance::of_stub(&step.subject, &mut fields, step.span, reading);
        fields.finish(reading.found);
        Some(Box::new(Puts(disturbance?)))
    }
}

/// Reads stubs as they stand in a file, for this provider's endpoint: themselves, or the path of their file.
pub fn read_stub(
    node: &Node,
    (provider, endpoint): (&str, &str),
    reading: &mut Reading<'_>,
) -> Option<Stubs> {
    let protocol = reading.system.protocol(provider, endpoint).and_then(seam_wire::protocol)?;
    let root = reading.system.root().to_owned();
    let folder = reading.folder.to_owned();
    let read_bytes = |path: &str| {
        let path = file_meant(path, &root, &folder);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    // Variables are checked with the step's.
    let stub_reading = seam_stub::Reading { protocol, knows: &|_| true, read_file: &read_bytes };
    let Some(path) = node.as_text() else {
        return seam_stub::read_stubs(node, &stub_reading, reading.found);
    };
    let text = match read_bytes(path).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            reading.found.push(Diagnostic::error("this file is no UTF-8").at(node.span, ""));
            return None;
        }
        Err(reason) => {
            reading.found.push(Diagnostic::error("these stubs can't be read").at(node.span, reason));
            return None;
        }
    };
    let file = reading.sources.borrow_mut().add(path, text.clone());
    seam_recording::read_stub_file((path, file, &text), &stub_reading, reading.found)
}
