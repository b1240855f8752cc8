//! A connection that speaks TLS, or may come to it, with the same few ways to use it as a plain socket has: waiting for
//! it to be readable or writable, and trying.
//!
//! ```text
//! the seam ── inward ◀── Upgrade ◀── TLS, once it has begun ◀── early, then the socket
//!          ──────────▶── Upgrade ──▶ unsent ──▶ TLS ──▶ raw ──▶ the socket
//! ```
//! The handshake happens by itself while somebody waits or tries.

use super::meeting::{Hello, Trouble};
use rustls::{Connection, ServerConnection};
use seam_wire::{NoTls, Turn, Upgrade};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Plain bytes that may wait to be encrypted and sent.
const BUFFER: usize = 64 * 1024;

/// How long what is left is written out for somebody who takes none of it.
const LINGER: Duration = Duration::from_secs(30);

/// One end of a connection, over TLS or with the chance of it.
pub(crate) struct TlsSocket(Arc<Inner>);

struct Inner {
    stream: TcpStream,
    state: Mutex<State>,
    /// Is it a plain socket for good, with nothing waiting? Looked at without the lock.
    is_plain: AtomicBool,
    /// Something has come that may let more be written.
    progress: Notify,
}

/// What TLS begins with, when it does.
pub(super) type Begin = Box<dyn Fn(&Turn) -> Result<Connection, rustls::Error> + Send>;

struct State {
    tls: Option<Connection>,
    begin: Option<Begin>,
    upgrade: Option<Box<dyn Upgrade>>,
    /// Bytes that came before it was known what they are.
    early: Vec<u8>,
    /// What goes on within the seam and was not read yet.
    inward: Vec<u8>,
    /// Plain bytes that TLS has not taken yet.
    unsent: Vec<u8>,
    /// Bytes to be sent as they are, before anything of TLS.
    raw: Vec<u8>,
    /// Is somebody writing out already what the kernel did not take at once?
    is_flushing: bool,
    ending: Ending,
    /// It has ended, or what came is no TLS.
    has_failed: bool,
    /// It has ended, and TLS has not.
    is_cut_off: bool,
    trouble: Trouble,
}

/// How far the end of what is written has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    No,
    /// Nothing more is to be written.
    Wanted,
    /// The other side was told so over TLS, or is not to be told.
    Said,
    /// And so was its kernel.
    Over,
}

impl TlsSocket {
    /// As a server, to a consumer whose first words have been read.
    pub(super) fn accept(stream: TcpStream, tls: ServerConnection) -> Self {
        Self::new(stream, State::new(Trouble::default()).with(tls.into()))
    }

    /// As a client, to a provider.
    pub(super) fn connect(stream: TcpStream, tls: Connection, trouble: Trouble) -> Self {
        Self::new(stream, State::new(trouble).with(tls))
    }

    /// Plain until the upgrade says otherwise.
    pub(super) fn until(
        stream: TcpStream,
        upgrade: Box<dyn Upgrade>,
        begin: Begin,
        trouble: Trouble,
    ) -> Self {
        let state = State { upgrade: Some(upgrade), begin: Some(begin), ..State::new(trouble) };
        Self::new(stream, state)
    }

    fn new(stream: TcpStream, state: State) -> Self {
        let (state, progress) = (Mutex::new(state), Notify::new());
        let socket = Self(Arc::new(Inner { stream, state, is_plain: AtomicBool::new(false), progress }));
        // What TLS begins with.
        socket.flush();
        socket
    }

    /// The plain socket, where that is all that it is.
    pub(crate) fn plain(&self) -> Option<&TcpStream> {
        self.0.is_plain.load(Ordering::SeqCst).then_some(&self.0.stream)
    }

    /// The socket beneath.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.0.stream
    }

    /// Waits until plain bytes may have come.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.has_something() { Poll::Ready(Ok(())) } else { self.0.stream.poll_read_ready(cx) }
    }

    /// Waits until something can be written.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        // Only what comes ends the time in which nothing more is taken; whoever reads sees to that.
        while lock(&self.0.state).is_full() {
            self.0.progress.notified().await;
        }
        self.0.stream.writable().await
    }

    /// Reads plain bytes. `WouldBlock` where none are there.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer);
        // What there is to say (the handshake, an alert) is said in either case.
        self.flush();
        self.0.progress.notify_waiters();
        read
    }

    /// Writes what fits. `WouldBlock` where nothing does.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let n_taken = lock(&self.0.state).write(&self.0.stream, bytes)?;
        self.flush();
        if n_taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(n_taken)
    }

    /// Tells the other side that nothing more comes.
    pub(crate) fn end_writing(&self) {
        let mut state = lock(&self.0.state);
        if state.ending == Ending::No {
            state.ending = Ending::Wanted;
        }
        drop(state);
        self.flush();
    }

    /// Did the other side end it without saying so?
    pub(crate) fn is_cut_off(&self) -> bool {
        lock(&self.0.state).is_cut_off
    }

    /// Tells the other side nothing more, and not that it was all.
    pub(crate) fn cut_off(&self) {
        let mut state = lock(&self.0.state);
        if state.ending == Ending::No {
            state.ending = Ending::Said;
        }
        drop(state);
        self.flush();
    }

    /// Makes closing this socket a reset (RST).
    pub(crate) fn reset_on_close(&self) {
        lock(&self.0.state).ending = Ending::Over;
        let _ = SockRef::from(&self.0.stream).set_linger(Some(Duration::ZERO));
    }

    /// Has the handshake come about? Then with which name for what is spoken.
    pub(super) fn hello(&self) -> Hello {
        let state = lock(&self.0.state);
        match &state.tls {
            Some(tls) if !tls.is_handshaking() => Hello::Said(tls.alpn_protocol().map(<[u8]>::to_vec)),
            _ => Hello::Unsaid,
        }
    }

    /// Waits for more of the handshake.
    pub(super) async fn shake(&self) -> io::Result<()> {
        self.flush();
        self.0.stream.readable().await?;
        let mut state = lock(&self.0.state);
        let State { tls: Some(tls), trouble, .. } = &mut *state else { return Ok(()) };
        let read = match tls.read_tls(&mut Tries(&self.0.stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            read => read?,
        };
        let processed = tls.process_new_packets();
        if let Err(error) = &processed {
            trouble.failed(error);
        }
        let ended = read == 0 && tls.is_handshaking();
        if ended {
            trouble.ended_early();
        }
        let failed = processed.map(drop).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        drop(state);
        self.flush();
        if ended { Err(io::ErrorKind::UnexpectedEof.into()) } else { failed }
    }

    /// Begins TLS now, where it was to begin with the first word.
    pub(super) fn begin(&self, tls: Connection) {
        let mut state = lock(&self.0.state);
        state.upgrade = None;
        state.tls = Some(tls);
        drop(state);
        self.flush();
    }

    /// Sends what is there, now or as soon as the kernel takes it. An error shows where somebody reads or writes.
    fn flush(&self) {
        if !self.0.sends_later() {
            return;
        }
        let inner = Arc::clone(&self.0);
        // A proxy that is being taken down writes nothing out any more.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            loop {
                let writable = tokio::time::timeout(LINGER, inner.stream.writable()).await;
                // Nobody holds the connection any more, and whoever is on its other side takes nothing.
                let is_left = writable.is_err() && Arc::strong_count(&inner) == 1;
                if is_left || matches!(writable, Ok(Err(_))) || inner.has_sent() {
                    inner.progress.notify_waiters();
                    return;
                }
            }
        });
    }
}

impl Drop for TlsSocket {
    /// A connection that is closed says so, or its end would count as one that somebody cut off.
    fn drop(&mut self) {
        self.end_writing();
    }
}

impl Inner {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = lock(&self.state);
        loop {
            if !state.inward.is_empty() {
                let n_read = state.inward.len().min(buffer.len());
                buffer[..n_read].copy_from_slice(&state.inward[..n_read]);
                state.inward.drain(..n_read);
                self.is_plain.store(state.is_plain(), Ordering::SeqCst);
                return Ok(n_read);
            }
            let n_read = state.take_in(&self.stream, buffer)?;
            if n_read == 0 {
                state.left();
            }
            if n_read == 0 || state.upgrade.is_none() {
                self.is_plain.store(state.is_plain(), Ordering::SeqCst);
                return Ok(n_read);
            }
            state.came(&buffer[..n_read])?;
        }
    }

    /// Is there something to read without waiting?
    fn has_something(&self) -> bool {
        let mut state = lock(&self.state);
        if !state.inward.is_empty() || !state.early.is_empty() {
            return true;
        }
        let Some(tls) = &mut state.tls else { return false };
        tls.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }

    /// Sends what the kernel takes. True where the rest is to be sent by a task, which is not there yet.
    fn sends_later(&self) -> bool {
        let mut state = lock(&self.state);
        let is_left = matches!(state.send(&self.stream), Ok(false));
        is_left && !std::mem::replace(&mut state.is_flushing, true)
    }

    /// Has all been sent that was there?
    fn has_sent(&self) -> bool {
        let mut state = lock(&self.state);
        let has_sent = !matches!(state.send(&self.stream), Ok(false));
        state.is_flushing = !has_sent;
        has_sent
    }
}

impl State {
    fn new(trouble: Trouble) -> Self {
        Self {
            tls: None,
            begin: None,
            upgrade: None,
            early: Vec::new(),
            inward: Vec::new(),
            unsent: Vec::new(),
            raw: Vec::new(),
            is_flushing: false,
            ending: Ending::No,
            has_failed: false,
            is_cut_off: false,
            trouble,
        }
    }

    fn with(mut self, mut tls: Connection) -> Self {
        tls.set_buffer_limit(Some(BUFFER));
        self.tls = Some(tls);
        self
    }

    fn is_plain(&self) -> bool {
        let nothing_waits = self.early.is_empty() && self.inward.is_empty() && self.raw.is_empty();
        self.tls.is_none() && self.upgrade.is_none() && nothing_waits && self.unsent.is_empty()
    }

    fn is_full(&self) -> bool {
        self.unsent.len() >= BUFFER
    }

    /// Reads plain bytes, or bytes as they come before there is TLS.
    fn take_in(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            if self.early.is_empty() {
                return stream.try_read(buffer);
            }
            let n_read = self.early.len().min(buffer.len());
            buffer[..n_read].copy_from_slice(&self.early[..n_read]);
            self.early.drain(..n_read);
            return Ok(n_read);
        };
        loop {
            match tls.reader().read(buffer) {
                Ok(n_read) => return Ok(n_read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It ended without saying so, which many do.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.is_cut_off = true;
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
            if self.has_failed {
                return Ok(0);
            }
            let n_read = if self.early.is_empty() {
                tls.read_tls(&mut Tries(stream))?
            } else {
                let n_read = tls.read_tls(&mut self.early.as_slice())?;
                self.early.drain(..n_read);
                n_read
            };
            match tls.process_new_packets() {
                Ok(processed) if n_read == 0 && processed.plaintext_bytes_to_read() == 0 => {
                    if tls.is_handshaking() {
                        self.trouble.ended_early();
                    }
                    self.is_cut_off = !processed.peer_has_closed();
                    return Ok(0);
                }
                Ok(_) => {}
                Err(error) => {
                    self.has_failed = true;
                    self.trouble.failed(&error);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }

    /// Bytes came that the upgrade has to see.
    fn came(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(upgrade) = &mut self.upgrade else { return Ok(()) };
        let mut turn = Turn::default();
        let came = upgrade.came(bytes, &mut turn);
        self.takes(turn, came)
    }

    /// The side has ended.
    fn left(&mut self) {
        if let Some(no_tls) = self.upgrade.as_mut().and_then(|upgrade| upgrade.left()) {
            self.trouble.there_is_none(&no_tls);
        }
    }

    fn takes(&mut self, turn: Turn, result: Result<(), NoTls>) -> io::Result<()> {
        if let Err(no_tls) = result {
            self.trouble.there_is_none(&no_tls);
            return Err(io::Error::new(io::ErrorKind::InvalidData, no_tls));
        }
        if let Some(foreseen) = &turn.foreseen {
            self.trouble.there_is_none(foreseen);
        }
        self.inward.extend_from_slice(&turn.inward);
        if self.tls.is_some() {
            self.unsent.extend_from_slice(&turn.outward);
        } else {
            self.raw.append(&mut self.unsent);
            self.raw.extend_from_slice(&turn.outward);
        }
        if turn.encrypts
            && let Some(begin) = self.begin.take()
        {
            let mut tls = begin(&turn).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            tls.set_buffer_limit(Some(BUFFER));
            self.tls = Some(tls);
            self.early.splice(..0, turn.early);
            self.unsent.extend_from_slice(&turn.secret);
        }
        if self.upgrade.as_ref().is_some_and(|upgrade| upgrade.is_over()) {
            self.upgrade = None;
        }
        Ok(())
    }

    /// Takes bytes to be sent. Says how many.
    fn write(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        if self.has_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.send(stream)?;
        if self.is_full() {
            return Ok(0);
        }
        if let Some(upgrade) = &mut self.upgrade {
            let mut turn = Turn::default();
            let goes = upgrade.goes(bytes, &mut turn);
            self.takes(turn, goes)?;
            return Ok(bytes.len());
        }
        if !self.unsent.is_empty() || !self.raw.is_empty() {
            let n_taken = bytes.len().min(BUFFER - self.unsent.len());
            self.unsent.extend_from_slice(&bytes[..n_taken]);
            return Ok(n_taken);
        }
        match &mut self.tls {
            None => stream.try_write(bytes),
            Some(tls) if tls.is_handshaking() => {
                let n_taken = bytes.len().min(BUFFER);
                self.unsent.extend_from_slice(&bytes[..n_taken]);
                Ok(n_taken)
            }
            Some(tls) => {
                if tls.wants_write() {
                    return Ok(0);
                }
                tls.writer().write(bytes)
            }
        }
    }

    /// Sends what is there; false if the kernel does not take all of it now.
    fn send(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while !self.raw.is_empty() {
            match stream.try_write(&self.raw) {
                Ok(n_written) => drop(self.raw.drain(..n_written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let Some(tls) = &mut self.tls else {
            self.raw.append(&mut self.unsent);
            return if self.raw.is_empty() { Ok(self.end(stream)) } else { self.send(stream) };
        };
        loop {
            while tls.wants_write() {
                match tls.write_tls(&mut Tries(stream)) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            // What waits for the handshake is sent when something has come.
            if tls.is_handshaking() && !self.unsent.is_empty() {
                return Ok(true);
            }
            if self.unsent.is_empty() {
                if self.ending != Ending::Wanted {
                    return Ok(self.end(stream));
                }
                tls.send_close_notify();
                self.ending = Ending::Said;
                continue;
            }
            let n_taken = tls.writer().write(&self.unsent)?;
            self.unsent.drain(..n_taken);
        }
    }

    /// All is sent: ends the direction where that is wanted. Nothing is left to send then.
    fn end(&mut self, stream: &TcpStream) -> bool {
        if matches!(self.ending, Ending::Wanted | Ending::Said) {
            self.ending = Ending::Over;
            // The other side may have gone already, which is as well.
            let _ = SockRef::from(stream).shutdown(Shutdown::Write);
        }
        true
    }
}

/// What is inside is whole after every single change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket's tries as reading and writing.
struct Tries<'a>(&'a TcpStream);

impl Read for Tries<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Tries<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
