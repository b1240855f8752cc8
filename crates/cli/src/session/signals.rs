//! Whoever wants us to stop: Ctrl-C, SIGTERM, a terminal that was closed.
//!
//! The first time everything is ended in its order, and what is known so far is told. The second time we are gone at
//! once; what was started is ended by the watcher all the same.

use seam_judge::Exit;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// What was heard so far.
#[derive(Clone)]
pub(crate) struct Interrupts {
    /// Turns true when somebody asks to stop.
    pub(crate) asked: watch::Receiver<bool>,
    was_asked: Arc<AtomicBool>,
}

/// One for the whole program: a command may run tests several times, and who asks between two runs means all of them.
static LISTENING: Mutex<Option<Interrupts>> = Mutex::new(None);

impl Interrupts {
    /// Begins to listen, or goes on.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut listening = LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(interrupts) = &*listening {
            return Ok(interrupts.clone());
        }
        // A thread of its own, which outlives the runtimes of single runs.
        let (ask, asked) = watch::channel(false);
        let was_asked = Arc::new(AtomicBool::new(false));
        let (heard, (began, has_begun)) = (Arc::clone(&was_asked), std::sync::mpsc::sync_channel(1));
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let begun = begin();
            let _ = began.send(begun.as_ref().map(|_| ()).map_err(io::Error::kind));
            if let Ok((runtime, signals)) = begun {
                runtime.block_on(hear(signals, ask, heard));
            }
        })?;
        has_begun.recv().map_err(io::Error::other)??;
        let interrupts = Self { asked, was_asked };
        *listening = Some(interrupts.clone());
        Ok(interrupts)
    }

    /// Has somebody asked to stop?
    pub(crate) fn were_heard(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }
}

fn begin() -> io::Result<(Runtime, [Signal; 3])> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let signals = runtime.block_on(async {
        let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = signals.map(signal);
        io::Result::Ok([interrupt?, terminate?, hangup?])
    })?;
    Ok((runtime, signals))
}

async fn hear(
    [mut interrupt, mut terminate, mut hangup]: [Signal; 3],
    ask: watch::Sender<bool>,
    was_asked: Arc<AtomicBool>,
) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        if was_asked.swap(true, Ordering::Relaxed) {
            at_once();
        }
        ask.send_replace(true);
    }
}

#[expect(clippy::exit, reason = "the second time nothing is waited for; the watcher ends what was started")]
fn at_once() -> ! {
    std::process::exit(Exit::Interrupted.code().into())
}
