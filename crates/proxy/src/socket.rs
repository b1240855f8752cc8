//! What the relay needs of a socket, alike for TCP and Unix sockets.
//!
//! All methods take `&self`, so that both directions can use both sockets without locks, and reading waits
//! before it needs a buffer, so that an idle connection holds none.

use crate::tls::TlsSocket;
use rustix::net::{RecvFlags, recv};
use seam_wire::End;
use socket2::SockRef;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// One end of a connection.
pub(crate) enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TLS, over TCP, or with the chance of it.
    Tls(TlsSocket),
    /// None any more: it is just becoming another kind.
    Gone,
}

impl Socket {
    /// Waits until something can be read (or the other side has ended).
    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// The same, to be asked at each turn of the one task that reads: the runtime remembers only who asked last, which
    /// costs far less than a place in its list of those who wait.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Tls(socket) => socket.poll_readable(cx),
            Self::Gone => Poll::Ready(Err(gone())),
        }
    }

    /// Waits until the other side has reset the connection, whatever may still be read.
    pub(crate) async fn broken(&self) {
        let ready = match self {
            Self::Tcp(stream) => stream.ready(Interest::ERROR).await,
            Self::Tls(socket) => socket.stream().ready(Interest::ERROR).await,
            Self::Unix(stream) => stream.ready(Interest::ERROR).await,
            Self::Gone => return,
        };
        // Without a runtime nothing is ever heard of again.
        drop(ready);
    }

    /// Waits until something can be written.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await,
            Self::Unix(stream) => stream.writable().await,
            Self::Tls(socket) => socket.writable().await,
            Self::Gone => Err(gone()),
        }
    }

    /// Reads what is there. `WouldBlock` where nothing is.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => read(stream, buffer, |reading| stream.try_io(Interest::READABLE, reading)),
            Self::Unix(stream) => read(stream, buffer, |reading| stream.try_io(Interest::READABLE, reading)),
            Self::Tls(socket) => match socket.plain() {
                Some(stream) => read(stream, buffer, |reading| stream.try_io(Interest::READABLE, reading)),
                None => socket.try_read(buffer),
            },
            Self::Gone => Err(gone()),
        }
    }

    /// The same of what the runtime has not heard of yet.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => Ok(rustix::net::recv(stream, buffer, RecvFlags::DONTWAIT)?.0),
            Self::Unix(stream) => Ok(rustix::net::recv(stream, buffer, RecvFlags::DONTWAIT)?.0),
            Self::Tls(_) | Self::Gone => self.try_read(buffer),
        }
    }

    /// Writes what fits. `WouldBlock` where nothing does.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tls(socket) => match socket.plain() {
                Some(stream) => stream.try_write(bytes),
                None => socket.try_write(bytes),
            },
            Self::Gone => Err(gone()),
        }
    }

    /// The TCP socket, where bytes go over it as they are.
    pub(crate) fn plain(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(socket) => socket.plain(),
            Self::Unix(_) | Self::Gone => None,
        }
    }

    /// Tells the sender at once that its bytes have come, where the kernel would wait for something to say along with
    /// it. Only Linux lets one ask.
    pub(crate) fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        {
            if let Some(stream) = self.plain() {
                let _ = SockRef::from(stream).set_tcp_quickack(true);
            }
        }
    }

    /// Tells the other side that nothing more comes; what it still sends is read.
    pub(crate) fn end_writing(&self) {
        // The other side may have gone already, which is as well.
        let _ = match self {
            Self::Tcp(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
            Self::Unix(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
            Self::Tls(socket) => {
                socket.end_writing();
                Ok(())
            }
            Self::Gone => Ok(()),
        };
    }

    /// Did its other side end it without saying so over TLS?
    pub(crate) fn is_cut_off(&self) -> bool {
        matches!(self, Self::Tls(socket) if socket.is_cut_off())
    }

    /// Tells the other side that nothing more comes, as it was told here: over TLS not at all where nobody said so.
    pub(crate) fn end_writing_as(&self, how: End) {
        match self {
            Self::Tls(socket) if how == End::CutOff => socket.cut_off(),
            _ => self.end_writing(),
        }
    }

    /// Makes closing this socket a reset (RST), as far as its kind has such a thing.
    pub(crate) fn reset_on_close(&self) {
        match self {
            Self::Tcp(stream) => drop(SockRef::from(stream).set_linger(Some(Duration::ZERO))),
            Self::Tls(socket) => socket.reset_on_close(),
            Self::Unix(_) | Self::Gone => {}
        }
    }

    /// Waits until something comes, and leaves it unread. False where that was the end.
    pub(crate) async fn is_spoken_on(&self) -> bool {
        loop {
            if self.readable().await.is_err() {
                return false;
            }
            let mut first = [0];
            let mut peek = |socket: BorrowedFd<'_>| Ok(recv(socket, &mut first[..], RecvFlags::PEEK)?.1);
            // A fresh connection may be said to be readable without being so: the runtime learns of that here.
            let peeked = match self {
                Self::Tcp(stream) => stream.try_io(Interest::READABLE, || peek(stream.as_fd())),
                Self::Unix(stream) => stream.try_io(Interest::READABLE, || peek(stream.as_fd())),
                Self::Tls(socket) => {
                    let stream = socket.stream();
                    stream.try_io(Interest::READABLE, || peek(stream.as_fd()))
                }
                Self::Gone => return false,
            };
            match peeked {
                Ok(n_peeked) => return n_peeked > 0,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
    }

    /// Takes the connection out, to become another kind.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Gone)
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// Reads once. Where less came than there was room for, nothing more is there: the runtime is told so, and the next
/// wait costs no read that would only find that out.
fn read(
    socket: impl AsFd,
    buffer: &mut [u8],
    try_io: impl FnOnce(&mut dyn FnMut() -> io::Result<()>) -> io::Result<()>,
) -> io::Result<usize> {
    let room = buffer.len();
    let mut n_read = 0;
    let read = try_io(&mut || {
        n_read = recv(&socket, &mut *buffer, RecvFlags::empty())?.0;
        if n_read > 0 && n_read < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match read {
        Err(_) if n_read > 0 => Ok(n_read),
        read => read.map(|()| n_read),
    }
}
