//! What the relay needs of a socket, alike for TCP and Unix sockets.
//!
//! All methods take `&self`, so that both directions can use both sockets without locks, and reading waits
//! before it needs a buffer, so that an idle connection holds none.

use crate::tls::TlsSocket;
use rustix::net::RecvFlags;
use rustls::ServerConfig;
use socket2::SockRef;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// One end of a connection.
pub(crate) enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TLS, over TCP.
    Tls(TlsSocket),
    /// None any more: it is just becoming another kind.
    Gone,
}

impl Socket {
    /// Waits until something can be read (or the other side has ended).
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
            Self::Tls(socket) => socket.readable().await,
            Self::Gone => Err(gone()),
        }
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
            Self::Tls(socket) => socket.try_read(buffer),
            Self::Gone => Err(gone()),
        }
    }

    /// Writes what fits. `WouldBlock` where nothing does.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
            Self::Tls(socket) => socket.try_write(bytes),
            Self::Gone => Err(gone()),
        }
    }

    /// Tells the sender at once that its bytes have come, where the kernel would wait for something to say along with
    /// it. Only Linux lets one ask.
    pub(crate) fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Self::Tcp(stream) = self {
            let _ = SockRef::from(stream).set_tcp_quickack(true);
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

    /// Makes closing this socket a reset (RST), as far as its kind has such a thing.
    pub(crate) fn reset_on_close(&self) {
        match self {
            Self::Tcp(stream) => drop(SockRef::from(stream).set_linger(Some(Duration::ZERO))),
            Self::Tls(socket) => socket.reset_on_close(),
            Self::Unix(_) | Self::Gone => {}
        }
    }

    /// Speaks TLS from here on, as a server, with who has sent these bytes already. False where that can't be.
    pub(crate) fn encrypt(&mut self, config: &Arc<ServerConfig>, early: Vec<u8>) -> bool {
        let Self::Tcp(stream) = std::mem::replace(self, Self::Gone) else { return false };
        match TlsSocket::accept(stream, config, early) {
            Ok(socket) => *self = Self::Tls(socket),
            Err(_) => return false,
        }
        true
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
        n_read = rustix::net::recv(&socket, &mut *buffer, RecvFlags::empty())?.0;
        if n_read > 0 && n_read < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match read {
        Err(_) if n_read > 0 => Ok(n_read),
        read => read.map(|()| n_read),
    }
}
