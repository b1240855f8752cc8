//! `tcp`: it accepts connections.

use super::{NotReady, ReadinessKind, Ready, ReadyContext};
use futures_util::future::BoxFuture;
use seam_model::{Shape, Word};
use std::net::SocketAddr;
use tokio::net::TcpStream;

pub(super) const KIND: ReadinessKind = ReadinessKind {
    word: Word {
        text: "Ready when its endpoint accepts a connection. This is also how a component with a port is ready that \
               says nothing about it.",
        subject: Shape::Nothing,
        example: "system: example\n\
                  components:\n\
                  \x20 web:\n\
                  \x20   run: python3 -m http.server --bind 127.0.0.1 ${self.port}\n\
                  \x20   ready: tcp\n",
        ..Word::new("tcp", "ready when it accepts connections")
    },
    is_text: |text| text == "tcp",
    read: |_, _, _| Some(Box::new(Tcp)),
};

/// It accepts connections.
#[derive(Debug)]
pub(super) struct Tcp;

impl Ready for Tcp {
    fn look<'a>(&'a self, cx: &'a ReadyContext<'a>) -> BoxFuture<'a, Result<(), NotReady>> {
        Box::pin(async move { connect(address(cx)?).await.map(|_| ()) })
    }
}

/// Where the component listens; without a port it can never be reached.
pub(super) fn address(cx: &ReadyContext<'_>) -> Result<SocketAddr, NotReady> {
    let reason = "nothing in it says where to listen: bind `${self.address}` or `${self.port}`";
    cx.address.ok_or_else(|| NotReady::Never(reason.to_owned()))
}

/// Connects once.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, NotReady> {
    TcpStream::connect(address).await.map_err(|error| NotReady::NotYet(words(&error)))
}

/// A network error in a few words, without the machine's number for it.
pub(super) fn words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "the connection was reset".to_owned(),
        ErrorKind::TimedOut => "timed out".to_owned(),
        ErrorKind::UnexpectedEof => "the connection was closed without an answer".to_owned(),
        _ => error.to_string(),
    }
}
