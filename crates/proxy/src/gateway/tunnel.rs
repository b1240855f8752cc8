//! Passes bytes both ways as they are: for protocols of others over TLS, and after an upgrade (WebSocket).

use super::Far;
use super::fate::{ConsumerSocket, Fate};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;

/// Bytes held for each direction.
const CHUNK: usize = 32 * 1024;

/// Serves one connection of a consumer with one of the external's.
pub(super) async fn serve(stream: TcpStream, far: Arc<Far>) {
    let fate = Fate::default();
    let consumer = ConsumerSocket::new(stream, fate.clone());
    match far.dialler.dial().await {
        Ok(external) => join(consumer, external.stream, &fate).await,
        Err(error) => {
            fate.follow(&error);
            (far.told)(&error);
        }
    }
}

/// Passes bytes until both directions have ended, or one side has broken off. How long that takes is for the two of
/// them to say; one that is gone without a word is found out by the kernel.
pub(super) async fn join(
    mut consumer: impl AsyncRead + AsyncWrite + Unpin,
    mut external: impl AsyncRead + AsyncWrite + Unpin,
    fate: &Fate,
) {
    let passed = copy_bidirectional_with_sizes(&mut consumer, &mut external, CHUNK, CHUNK).await;
    if passed.is_err_and(|error| error.kind() != io::ErrorKind::UnexpectedEof) {
        fate.reset();
    }
}
