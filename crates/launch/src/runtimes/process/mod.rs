//! `run`: a component that is a process on this machine.

use super::{Ground, Live, Raise, RaiseError, RuntimeKind, There};
use crate::command::CommandLine;
use crate::environment::path_of;
use crate::program::find_program;
use crate::watcher::Spawn;
use futures_util::future::BoxFuture;
use seam_diag::Diagnostics;
use seam_model::{Component, Fields, Shape, Spanned, Word};

pub(super) const KIND: RuntimeKind = RuntimeKind {
    word: Word {
        text: "The command line is split like a shell would (quotes, backslashes), but no shell runs: `|`, `>` and \
               `$HOME` mean nothing. A list is taken as it is. References may stand in it, and what one gives is \
               one word; a word that becomes empty is left out. A program with a slash is looked up from the folder \
               of `seam.yaml`, any other on PATH. The process starts in `dir`, with PATH, HOME, LANG, TZ, TMPDIR \
               and what `env` names, and nothing else. It is ended with everything that it has started.",
        subject: Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
        example: "system: example\n\
                  components:\n\
                  \x20 web:\n\
                  \x20   run: python3 -m http.server --bind 127.0.0.1 ${self.port}\n\
                  \x20   ready: GET /\n",
        ..Word::new("run", "a process on this machine")
    },
    read,
    there: There::Now,
};

/// A process as declared.
#[derive(Clone, Debug)]
pub struct Process {
    command: CommandLine,
}

fn read(component: &Component, found: &mut Diagnostics) -> Option<Box<dyn Raise>> {
    let owner = format!("`run` of `{}`", component.name.value);
    let command = CommandLine::read(&component.subject, &owner, found);
    let owner = format!("the component `{}`", component.name.value);
    Fields::over(&component.settings, component.name.span, owner).finish(found);
    Some(Box::new(Process { command: command? }))
}

impl Raise for Process {
    fn templates(&self) -> &[Spanned<String>] {
        &self.command.words
    }

    fn raise<'a>(&'a self, ground: &'a Ground<'a>) -> BoxFuture<'a, Result<Box<dyn Live>, RaiseError>> {
        Box::pin(async move {
            let mut words = self.command.rendered(ground.texts).into_iter();
            let program = words.next().unwrap_or_default();
            let program = find_program(&program, ground.project, path_of(ground.env))
                .map_err(|source| RaiseError::Program { component: ground.component.clone(), source })?;
            let spawn = Spawn {
                arguments: words.collect(),
                env: ground.env.to_vec(),
                lines: ground.lines.cloned(),
                awaited: ground.awaited.map(str::to_owned),
                ..Spawn::new(ground.component.clone(), program, ground.dir)
            };
            let running: Box<dyn Live> = Box::new(ground.watcher.spawn(spawn).await?);
            Ok(running)
        })
    }
}
