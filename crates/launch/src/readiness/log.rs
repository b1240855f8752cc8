//! `{ log: text }`: it has said a line with this text.

use super::{NotReady, ReadinessKind, Ready, ReadyContext};
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Fields, Node, Shape, Word};

pub(super) const KIND: ReadinessKind = ReadinessKind {
    word: Word {
        text: "Ready when a line with this text has come out of it, on standard output or standard error.",
        subject: Shape::Text,
        example: "system: example\n\
                  components:\n\
                  \x20 worker:\n\
                  \x20   run: [sh, -c, \"echo waiting for work; exec sleep 60\"]\n\
                  \x20   ready: { log: waiting for work }\n",
        ..Word::new("log", "ready when it has said a line")
    },
    is_text: |_| false,
    read,
};

/// A text that shows in a line when the component is ready.
#[derive(Debug)]
struct Log {
    text: String,
}

fn read(node: &Node, _fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Box<dyn Ready>> {
    let text = node.scalar_text().filter(|text| !text.is_empty());
    if text.is_none() {
        found.push(Diagnostic::error("`log` must be a text that shows in a line").at(node.span, ""));
    }
    Some(Box::new(Log { text: text? }))
}

impl Ready for Log {
    fn look<'a>(&'a self, cx: &'a ReadyContext<'a>) -> BoxFuture<'a, Result<(), NotReady>> {
        let said = cx.live.has_said_it();
        Box::pin(async move {
            if said { Ok(()) } else { Err(NotReady::NotYet(format!("no line with `{}`", self.text))) }
        })
    }

    fn awaited(&self) -> Option<&str> {
        Some(&self.text)
    }
}
