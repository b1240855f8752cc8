//! The consumer's end of a gateway, and how it is to end: closed in order, or reset as the external did it.
//!
//! What speaks HTTP on it owns it and can only drop it. How that looks on the wire is decided beforehand, by whoever
//! knows what became of the external.

use crate::reach::ExternalError;
use bytes::Bytes;
use socket2::SockRef;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How a consumer's connection is to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    resets: Arc<AtomicBool>,
}

impl Fate {
    /// It ends as the external's did: one that closed its connection closes this one, all else resets it.
    pub(super) fn follow(&self, error: &ExternalError) {
        if !matches!(error, ExternalError::Closed { .. }) {
            self.reset();
        }
    }

    /// It is reset.
    pub(super) fn reset(&self) {
        self.resets.store(true, Ordering::Relaxed);
    }
}

/// The socket of a consumer's connection, which ends as its fate says.
pub(super) struct ConsumerSocket {
    stream: TcpStream,
    fate: Fate,
    /// What was read of it to look at it.
    ahead: Bytes,
}

impl ConsumerSocket {
    pub(super) fn new(stream: TcpStream, fate: Fate) -> Self {
        Self { stream, fate, ahead: Bytes::new() }
    }

    /// These were read and are to be read again, before all else.
    pub(super) fn put_back(&mut self, ahead: Vec<u8>) {
        self.ahead = Bytes::from(ahead);
    }
}

impl Drop for ConsumerSocket {
    fn drop(&mut self) {
        if self.fate.resets.load(Ordering::Relaxed) {
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for ConsumerSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let n_bytes = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(n_bytes));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ConsumerSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
