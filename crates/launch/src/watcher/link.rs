//! `seam`'s end of the socket: one task writes, one reads, and whoever asked gets their answer.

use super::inbox::N_DESCRIPTORS;
use super::message::{Exit, Over, Report, Request};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown};
use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that wait to be written.
const WAITING: usize = 64;

/// Something to send.
pub(super) enum Outgoing {
    /// A request, with the descriptors that go beside it.
    Line(Request, Vec<OwnedFd>),
    /// Close our half: the watcher ends everything.
    Close,
}

/// How the watcher is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Living,
    /// It has done all and ended.
    Over(Over),
    /// It died without a word.
    Lost,
}

/// Who waits for what.
pub(super) struct Board {
    /// By the number of the request; taken as one with the ids of spawns.
    asks: Mutex<HashMap<u64, oneshot::Sender<Report>>>,
    exits: Mutex<HashMap<u64, watch::Sender<Option<Exit>>>>,
    pub(super) state: watch::Sender<State>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { asks: Mutex::default(), exits: Mutex::default(), state: watch::Sender::new(State::Living) }
    }

    /// Where the answer to a request will come; it ends without one if the watcher does.
    pub(super) fn expect(&self, number: u64) -> oneshot::Receiver<Report> {
        let (sender, receiver) = oneshot::channel();
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).insert(number, sender);
        receiver
    }

    /// Where the exit of a process will come. To be called before it is spawned.
    pub(super) fn expect_exit(&self, id: u64) -> watch::Receiver<Option<Exit>> {
        let (sender, receiver) = watch::channel(None);
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        receiver
    }

    fn deliver(&self, report: Report) {
        match report {
            Report::Exited { id, exit } => {
                let sender = self.exits.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                if let Some(sender) = sender {
                    sender.send_replace(Some(exit));
                }
            }
            Report::Over(over) => {
                self.state.send_replace(State::Over(over));
            }
            Report::Began { .. } | Report::Unfit { .. } => self.answer(0, report),
            Report::Started { id, .. } | Report::Refused { id, .. } => self.answer(id, report),
            Report::Gone { ask, .. } | Report::Done { ask } | Report::Pids { ask, .. } => {
                self.answer(ask, report);
            }
        }
    }

    fn answer(&self, number: u64, report: Report) {
        let sender = self.asks.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        if let Some(sender) = sender {
            // Whoever asked may have stopped waiting.
            let _ = sender.send(report);
        }
    }

    /// Nothing will come any more: all who wait are let go.
    pub(super) fn close(&self) {
        self.state.send_if_modified(|state| {
            let was_living = *state == State::Living;
            if was_living {
                *state = State::Lost;
            }
            was_living
        });
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Begins to write and read. The writer ends, and with it the run, when the last sender is dropped.
pub(super) fn connect(
    socket: std::os::unix::net::UnixStream,
    board: &Arc<Board>,
) -> io::Result<(mpsc::Sender<Outgoing>, tokio::task::JoinHandle<()>)> {
    socket.set_nonblocking(true)?;
    let socket = Arc::new(UnixStream::from_std(socket)?);
    let (sender, outgoing) = mpsc::channel(WAITING);
    tokio::spawn(write(Arc::clone(&socket), outgoing));
    let reader = tokio::spawn(read(socket, Arc::clone(board)));
    Ok((sender, reader))
}

async fn write(socket: Arc<UnixStream>, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(Outgoing::Line(request, descriptors)) = outgoing.recv().await {
        // An error means that the watcher is dead; the reader sees it, too, and tells everybody.
        if send(&socket, &request, &descriptors).await.is_err() {
            break;
        }
    }
    // It may be closed already.
    let _ = rustix::net::shutdown(&*socket, Shutdown::Write);
}

async fn send(socket: &UnixStream, request: &Request, descriptors: &[OwnedFd]) -> io::Result<()> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    let mut sent = 0;
    while sent < line.len() {
        sent += socket
            .async_io(Interest::WRITABLE, || {
                let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(N_DESCRIPTORS))];
                let mut beside = SendAncillaryBuffer::new(&mut space);
                if sent == 0 && !borrowed.is_empty() {
                    beside.push(SendAncillaryMessage::ScmRights(&borrowed));
                }
                rustix::net::sendmsg(socket, &[IoSlice::new(&line[sent..])], &mut beside, SendFlags::NOSIGNAL)
                    .map_err(io::Error::from)
            })
            .await?;
    }
    Ok(())
}

async fn read(socket: Arc<UnixStream>, board: Arc<Board>) {
    let mut bytes = Vec::new();
    loop {
        if socket.readable().await.is_err() {
            break;
        }
        match socket.try_read_buf(&mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => break,
        }
        while let Some(end) = memchr::memchr(b'\n', &bytes) {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            // The watcher is this same program; a line that it cannot have written is passed over.
            if let Ok(report) = serde_json::from_slice(&line) {
                board.deliver(report);
            }
        }
    }
}
