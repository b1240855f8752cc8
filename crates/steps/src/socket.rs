//! What sockets tell: whether an idle one is still alive, and why one has failed.

use seam_event::InteractionError;
use std::io;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Has the other side neither closed an idle connection nor said anything unasked? The kernel knows at once, where the
/// runtime may not have looked yet.
pub(crate) fn is_silent(stream: &TcpStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    let mut one = [0; 1];
    let peeked = recv(stream, &mut one[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(peeked, Err(rustix::io::Errno::WOULDBLOCK))
}

/// Waits until the other side says something or closes. The runtime remembers that something was there until somebody finds
/// nothing through it, so whoever waited for its word alone and then looked past it would turn without end.
pub(crate) async fn until_spoken(stream: &TcpStream) -> io::Result<()> {
    let look = || if is_silent(stream) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) };
    stream.async_io(Interest::READABLE, look).await
}

/// An error of a socket in the words that tests use.
pub(crate) fn seen(error: &io::Error) -> InteractionError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => InteractionError::Refused,
        io::ErrorKind::TimedOut => InteractionError::Timeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            InteractionError::Reset
        }
        _ => InteractionError::Closed,
    }
}
