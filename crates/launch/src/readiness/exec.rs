//! `{ exec: [program, argument] }`: a command of the user's own ends well.

use super::{NotReady, ReadinessKind, Ready, ReadyContext};
use crate::command::CommandLine;
use crate::environment::path_of;
use crate::program::find_program;
use crate::watcher::{Death, Running, Spawn, SpawnError, WatcherGone};
use futures_util::future::BoxFuture;
use seam_diag::Diagnostics;
use seam_event::ComponentId;
use seam_model::{Fields, Node, Shape, Spanned, Word};

pub(super) const KIND: ReadinessKind = ReadinessKind {
    word: Word {
        text: "Ready when this command ends with code 0. It runs in the component's folder with the component's \
               environment; references may stand in it; no shell runs.",
        subject: Shape::Either(&[Shape::List(&Shape::Text), Shape::Text]),
        example: "system: example\n\
                  components:\n\
                  \x20 web:\n\
                  \x20   run: python3 -m http.server --bind 127.0.0.1 ${self.port}\n\
                  \x20   ready: { exec: [python3, -c, \"import socket; socket.create_connection(('127.0.0.1', ${self.port}))\"] }\n",
        ..Word::new("exec", "ready when a command ends well")
    },
    is_text: |_| false,
    read,
};

/// A command that ends well when the component is ready.
#[derive(Debug)]
struct Exec {
    command: CommandLine,
}

fn read(node: &Node, _fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Box<dyn Ready>> {
    let command = CommandLine::read(node, "`exec`", found)?;
    Some(Box::new(Exec { command }))
}

impl Ready for Exec {
    fn templates(&self) -> &[Spanned<String>] {
        &self.command.words
    }

    fn look<'a>(&'a self, cx: &'a ReadyContext<'a>) -> BoxFuture<'a, Result<(), NotReady>> {
        Box::pin(async move {
            let mut words = self.command.rendered(cx.texts).into_iter();
            let program = words.next().unwrap_or_default();
            let program = find_program(&program, cx.project, path_of(cx.env))
                .map_err(|error| NotReady::Never(error.to_string()))?;
            let component = ComponentId::from(format!("{}.ready", cx.component));
            let spawn = Spawn {
                arguments: words.collect(),
                env: cx.env.to_vec(),
                ..Spawn::new(component, program, cx.dir)
            };
            let running = cx.watcher.spawn(spawn).await.map_err(|error| refused(&error))?;
            let gone = |_: WatcherGone| NotReady::Never("the watcher is gone".to_owned());
            let death = match tokio::time::timeout(cx.look_within * 9 / 10, running.died()).await {
                Ok(death) => death.map_err(gone)?,
                Err(_) => return Err(too_slow(&running).await),
            };
            // Whatever it left running must not outlive this look.
            running.kill().await.map_err(gone)?;
            if death.exit.is_success() { Ok(()) } else { Err(NotReady::NotYet(told(&death))) }
        })
    }
}

async fn too_slow(running: &Running) -> NotReady {
    // Where even this fails the watcher is gone, which the next look finds out.
    let _ = running.kill().await;
    NotReady::NotYet("the command did not end".to_owned())
}

fn refused(error: &SpawnError) -> NotReady {
    NotReady::Never(error.to_string())
}

/// `exited with code 2: no response`
fn told(death: &Death) -> String {
    match death.lines.last() {
        Some(line) => format!("{}: {}", death.exit, line.text.trim()),
        None => death.exit.to_string(),
    }
}
