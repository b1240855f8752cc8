//! Reads both pipes of one component until they end.

use super::lines::{Lines, RawLine};
use super::logs::Log;
use seam_event::ComponentId;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, watch};

/// How many lines are kept in memory for messages.
const REMEMBERED: usize = 100;

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// A line that a component said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who said it.
    pub component: ComponentId,
    /// Was it on standard error?
    pub error: bool,
    /// Its number in the component's log, from 1, over all its starts.
    pub number: u64,
    /// The line without its end: at most 8 KiB and a mark, bytes that are no UTF-8 as `\xff`. Control characters
    /// are still in it.
    pub text: String,
    /// When it was read.
    pub at: Instant,
}

/// What one start of a component has said so far.
#[derive(Debug)]
pub(crate) struct Output {
    last: Mutex<VecDeque<Line>>,
    n_lost: AtomicU64,
    /// Has the awaited text come? Stands apart, because its line may be long gone from the last ones.
    heard: watch::Sender<bool>,
    ended: watch::Sender<bool>,
}

/// Moves what comes out of two pipes to where it is wanted.
pub(crate) struct Pump {
    pub(crate) component: ComponentId,
    pub(crate) stdout: Receiver,
    pub(crate) stderr: Receiver,
    pub(crate) log: Arc<Log>,
    pub(crate) listener: Option<mpsc::Sender<Line>>,
    /// A text to listen for, from the first line on.
    pub(crate) awaited: Option<String>,
    pub(crate) output: Arc<Output>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            last: Mutex::default(),
            n_lost: AtomicU64::new(0),
            heard: watch::Sender::new(false),
            ended: watch::Sender::new(false),
        }
    }

    /// The last lines, the oldest first.
    pub(crate) fn last_lines(&self) -> Vec<Line> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many lines the listener was too slow for.
    pub(crate) fn n_lost(&self) -> u64 {
        self.n_lost.load(Ordering::Relaxed)
    }

    /// Has the awaited text come?
    pub(crate) fn heard(&self) -> bool {
        *self.heard.borrow()
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Comes back when both pipes have ended: nobody is left who could say anything.
    pub(crate) async fn ended(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

impl Pump {
    /// Reads until both pipes have ended.
    pub(crate) async fn run(mut self) {
        let mut streams = [Lines::default(), Lines::default()];
        let mut buffers = [vec![0; PIECE], vec![0; PIECE]];
        let mut open = [true, true];
        while open != [false, false] {
            let [for_stdout, for_stderr] = &mut buffers;
            let (index, got) = tokio::select! {
                got = self.stdout.read(for_stdout), if open[0] => (0, got),
                got = self.stderr.read(for_stderr), if open[1] => (1, got),
            };
            match got {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A pipe that cannot be read is as good as ended.
                Ok(0) | Err(_) => {
                    open[index] = false;
                    self.take(index == 1, |each| streams[index].finish(each));
                }
                Ok(length) => {
                    let piece = &buffers[index][..length];
                    self.take(index == 1, |each| streams[index].push(piece, each));
                }
            }
        }
        self.output.end();
    }

    /// Numbers the lines that `cut` gives, and hands them on.
    fn take(&self, error: bool, cut: impl FnOnce(&mut dyn FnMut(RawLine<'_>))) {
        let at = Instant::now();
        let mut entry = self.log.entry();
        let mut last = self.output.last.lock().unwrap_or_else(PoisonError::into_inner);
        cut(&mut |raw| {
            let number = entry.line(raw.bytes, raw.n_dropped);
            let line = Line { component: self.component.clone(), error, number, text: raw.text(), at };
            if self.awaited.as_ref().is_some_and(|awaited| line.text.contains(awaited)) {
                self.output.heard.send_replace(true);
            }
            if last.len() == REMEMBERED {
                last.pop_front();
            }
            last.push_back(line.clone());
            if let Some(listener) = &self.listener
                && listener.try_send(line).is_err()
            {
                self.output.n_lost.fetch_add(1, Ordering::Relaxed);
            }
        });
        drop(last);
        entry.write();
    }
}
