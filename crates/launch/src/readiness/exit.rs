//! `{ exit: 0 }`: a job, ready when it has ended with this code.

use super::{NotReady, OnExit, ReadinessKind, Ready, ReadyContext};
use crate::watcher::Exit;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Fields, Node, Shape, Word};

pub(super) const KIND: ReadinessKind = ReadinessKind {
    word: Word {
        text: "A job (a migration, an import): ready when it has ended with this code. Its end is no death then.",
        subject: Shape::Integer,
        example: "system: example\n\
                  components:\n\
                  \x20 import: { run: [sh, -c, \"echo imported\"], ready: { exit: 0 } }\n",
        ..Word::new("exit", "a job: ready when it has ended with this code")
    },
    is_text: |_| false,
    read,
};

/// The code that a job ends with.
#[derive(Debug)]
struct Job {
    code: u8,
}

fn read(node: &Node, _fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Box<dyn Ready>> {
    let code = node.scalar_text().and_then(|text| text.parse::<u8>().ok());
    if code.is_none() {
        found.push(Diagnostic::error("`exit` must be an exit code, from 0 to 255").at(node.span, ""));
    }
    Some(Box::new(Job { code: code? }))
}

impl Ready for Job {
    fn look<'a>(&'a self, cx: &'a ReadyContext<'a>) -> BoxFuture<'a, Result<(), NotReady>> {
        let ready = cx.live.exit().is_some_and(|exit| self.on_exit(exit) == OnExit::Ready);
        Box::pin(
            async move { if ready { Ok(()) } else { Err(NotReady::NotYet("it still runs".to_owned())) } },
        )
    }

    fn on_exit(&self, exit: Exit) -> OnExit {
        if exit == Exit::Code(self.code.into()) { OnExit::Ready } else { OnExit::Died }
    }
}
