//! A TLS connection with the same few ways to use it as a plain socket has: waiting for it to be readable or writable,
//! and trying.
//!
//! The handshake happens by itself while somebody waits or tries.

use rustls::{ServerConfig, ServerConnection};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// Plain bytes that may wait inside the connection to be encrypted and sent.
const BUFFER: usize = 64 * 1024;

/// One end of a connection, over TLS.
pub(crate) struct TlsSocket(Arc<Inner>);

struct Inner {
    stream: TcpStream,
    tls: Mutex<ServerConnection>,
    /// Bytes that were read before it was known that they are TLS.
    early: Mutex<Vec<u8>>,
    /// Is somebody writing out already what the kernel did not take at once?
    flushing: AtomicBool,
}

impl TlsSocket {
    /// As a server, to a consumer who has sent these bytes already.
    pub(crate) fn accept(
        stream: TcpStream,
        config: &Arc<ServerConfig>,
        early: Vec<u8>,
    ) -> Result<Self, rustls::Error> {
        let mut tls = ServerConnection::new(Arc::clone(config))?;
        tls.set_buffer_limit(Some(BUFFER));
        let (tls, early) = (Mutex::new(tls), Mutex::new(early));
        Ok(Self(Arc::new(Inner { stream, tls, early, flushing: AtomicBool::new(false) })))
    }

    /// Waits until plain bytes may have come.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        if self.0.has_plain() || !lock(&self.0.early).is_empty() {
            return Ok(());
        }
        self.0.stream.readable().await
    }

    /// Waits until something can be written.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.0.stream.writable().await
    }

    /// Reads plain bytes. `WouldBlock` where none are there.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let inner = &self.0;
        loop {
            let mut tls = lock(&inner.tls);
            match tls.reader().read(buffer) {
                Ok(n_read) => return Ok(n_read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It ended without saying so, which many do.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            let mut early = lock(&inner.early);
            let n_read = if early.is_empty() {
                tls.read_tls(&mut Tries(&inner.stream))?
            } else {
                let n_read = tls.read_tls(&mut early.as_slice())?;
                early.drain(..n_read);
                n_read
            };
            drop(early);
            let processed = tls.process_new_packets().map(drop);
            drop(tls);
            // What there is to say (the handshake, an alert) is said in either case.
            inner.flush();
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if n_read == 0 && !inner.has_plain() {
                return Ok(0);
            }
        }
    }

    /// Writes what fits. `WouldBlock` where nothing does.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let inner = &self.0;
        if !inner.send()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n_written = lock(&inner.tls).writer().write(bytes)?;
        inner.flush();
        if n_written == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(n_written)
    }

    /// Tells the other side that nothing more comes.
    pub(crate) fn end_writing(&self) {
        let inner = &self.0;
        lock(&inner.tls).send_close_notify();
        inner.flush();
        if !inner.flushing.load(Ordering::SeqCst) {
            let _ = SockRef::from(&inner.stream).shutdown(Shutdown::Write);
        }
    }

    /// Makes closing this socket a reset (RST).
    pub(crate) fn reset_on_close(&self) {
        let _ = SockRef::from(&self.0.stream).set_linger(Some(Duration::ZERO));
    }
}

impl Inner {
    /// Is there something to read without waiting?
    fn has_plain(&self) -> bool {
        let mut tls = lock(&self.tls);
        tls.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }

    /// Sends what is encrypted; false if the kernel does not take all of it now.
    fn send(&self) -> io::Result<bool> {
        let mut tls = lock(&self.tls);
        while tls.wants_write() {
            match tls.write_tls(&mut Tries(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// What is inside is whole after every single change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

trait Flush {
    fn flush(&self);
}

impl Flush for Arc<Inner> {
    /// Sends what is encrypted, now or as soon as the kernel takes it.
    fn flush(&self) {
        // An error shows where somebody reads or writes.
        if !matches!(self.send(), Ok(false)) || self.flushing.swap(true, Ordering::SeqCst) {
            return;
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            while inner.stream.writable().await.is_ok() && matches!(inner.send(), Ok(false)) {}
            inner.flushing.store(false, Ordering::SeqCst);
        });
    }
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
