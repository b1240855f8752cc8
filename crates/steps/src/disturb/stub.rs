//! `stub: …`, `seam: orders -> paygate`: answers in a provider's place from now until the test's end.

use super::Disturbance;
use super::fault::Puts;
use super::mappings::{self, Written};
use super::narrowing::OFTEN;
use crate::action::Action;
use crate::files::{self, file_meant};
use crate::kind::{Kind, Reading};
use seam_diag::Diagnostic;
use seam_expr::NameUse;
use seam_model::{Fields, Node, Shape, Step, Word};
use seam_recording::Around;
use seam_stub::Source;
use seam_stub::wiremock::is_mapping;
use std::path::Path;

/// The kind.
pub(crate) struct StubStep;

static WORD: Word = Word {
    text: "Answers in a provider's place, from now until the test's last step has ended: one stub, a list of them, or the \
           path of a file of stubs (`seam explain stub` has all that they can say), of a recording, a HAR, or a folder or file \
           of WireMock's mappings. It stands above what stood there \
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
        let disturbance = Disturbance::of_stub(&step.subject, &mut fields, Some(step.span), reading);
        fields.finish(reading.found);
        Some(Box::new(Puts(disturbance?)))
    }
}

/// Reads what stands in the place of this provider's endpoint in a test: stubs themselves, or the path of their file, of a
/// recording, an archive, or a folder or file of WireMock's. Whether there are the variables in it is checked with the
/// test's.
pub(super) fn read_stub(node: &Node, of: (&str, &str), reading: &mut Reading<'_>) -> Option<Source> {
    read(node, of, &|_| true, reading)
}

/// The same for what stands there as long as the system does, and knows nothing of any test's variables.
pub fn read_stand_in(node: &Node, of: (&str, &str), reading: &mut Reading<'_>) -> Option<Source> {
    read(node, of, &|_| false, reading)
}

fn read(
    node: &Node,
    (provider, endpoint): (&str, &str),
    knows: &dyn Fn(&NameUse) -> bool,
    reading: &mut Reading<'_>,
) -> Option<Source> {
    let protocol = reading.system.protocol(provider, endpoint).and_then(seam_wire::protocol)?;
    let root = reading.system.root().to_owned();
    let folder = reading.folder.to_owned();
    let read_bytes = |path: &str| {
        let path = file_meant(path, &root, &folder);
        std::fs::read(&path).map_err(|error| format!("{}: {}", path.display(), files::reason(&error)))
    };
    let described = reading.system.descriptors(provider);
    let stub_reading =
        seam_stub::Reading { protocol, descriptors: described.as_deref(), knows, read_file: &read_bytes };
    let Some(path) = node.as_text() else {
        return seam_stub::read_stubs(node, &stub_reading, reading.found).map(Source::Own);
    };
    let meant = file_meant(path, &root, &folder);
    let written = Written { path, meant: &meant, span: node.span };
    if meant.is_dir() {
        return mappings::read_folder(&written, protocol, reading);
    }
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
    if is_json(&meant) && is_mapping(&text) {
        return mappings::read_one(&written, text, protocol, reading);
    }
    let file = reading.sources.borrow_mut().add(path, text.clone());
    let below = meant.parent().unwrap_or(&root);
    let around = Around { read_file: &|path| files::read_below(below, path) };
    seam_recording::read_stub_file((path, file, &text), &stub_reading, &around, reading.found)
        .map(Source::Own)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}
