//! One connection to a broker: the socket of somebody who publishes, whose words are the protocol's own (`seam_wire`).

use crate::action::Trouble;
use crate::answered::{MALFORMED, words};
use crate::socket::{is_silent, seen};
use bytes::BytesMut;
use seam_event::InteractionError;
use seam_value::{Map, Value};
use seam_wire::{Came, Protocol, Publication, Publisher, SignIn, Surprise, Unanswerable};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Why nothing was published.
#[derive(Debug)]
pub(super) enum Halt {
    /// The connection failed.
    Lost(InteractionError),
    /// What came is not what the protocol allows.
    Malformed(Surprise),
    /// It can't be said in this protocol.
    Unsayable(Unanswerable),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Lost(seen(&error))
    }
}

impl From<Surprise> for Halt {
    fn from(surprise: Surprise) -> Self {
        Self::Malformed(surprise)
    }
}

impl From<Unanswerable> for Halt {
    fn from(unsayable: Unanswerable) -> Self {
        Self::Unsayable(unsayable)
    }
}

/// What has been put off: is it said again already?
#[derive(Clone, Copy)]
enum Again {
    NotYet,
    Said,
}

/// An open connection; dropping it closes it.
pub(crate) struct Line {
    stream: TcpStream,
    publisher: Box<dyn Publisher>,
    input: BytesMut,
    /// For what the broker has put off what is published just now, and whether it was asked again since.
    put_off: Option<(Value, String, Again)>,
}

impl Line {
    /// Connects; who signs in is said by [`sign_in`](Self::sign_in).
    pub(super) async fn dial(
        socket: SocketAddr,
        protocol: &dyn Protocol,
        sign_in: SignIn,
    ) -> Result<Self, Halt> {
        let stream = TcpStream::connect(socket).await?;
        stream.set_nodelay(true)?;
        let publisher =
            protocol.publisher(sign_in).expect("a step publishes where something can be published");
        Ok(Self { stream, publisher, input: BytesMut::new(), put_off: None })
    }

    /// Signs in.
    pub(super) async fn sign_in(&mut self) -> Result<Came, Halt> {
        let mut out = Vec::new();
        self.publisher.begin(&mut out)?;
        self.say(&out).await
    }

    /// Declares what has to be there, and waits until it is.
    pub(super) async fn declare(&mut self, calls: &[Value]) -> Result<Came, Halt> {
        let mut out = Vec::new();
        self.publisher.declare(calls, &mut out)?;
        self.say(&out).await
    }

    /// Publishes one message, and waits until it was taken and its answers are there.
    pub(super) async fn publish(&mut self, publication: &Publication) -> Result<Came, Halt> {
        self.put_off = None;
        loop {
            let mut out = Vec::new();
            self.publisher.publish(publication, &mut out)?;
            match self.say(&out).await? {
                Came::Later { pause, code, message } => {
                    self.put_off = Some((code, message, Again::NotYet));
                    tokio::time::sleep(pause).await;
                    self.put_off.iter_mut().for_each(|(.., again)| *again = Again::Said);
                }
                came => return Ok(came),
            }
        }
    }

    /// Can it be used again?
    pub(super) fn is_fresh(&self) -> bool {
        is_silent(&self.stream)
    }

    /// Why the last publication still was not taken when its time was over, where the broker has put it off before.
    pub(super) fn put_off(&mut self) -> Option<(Value, String)> {
        self.put_off.take().map(|(code, message, again)| match again {
            Again::NotYet => (code, message),
            Again::Said => {
                let why = InteractionError::Timeout;
                let message = format!("{}; it had been put off before: {message}", words(why));
                (Value::text(why.name()), message)
            }
        })
    }

    /// What the broker told of the last publication.
    pub(super) fn told(&mut self) -> Map {
        self.publisher.told()
    }

    /// Says this, and waits for what comes of it.
    async fn say(&mut self, bytes: &[u8]) -> Result<Came, Halt> {
        let written = self.stream.write_all(bytes).await;
        let came = self.listen().await;
        // A broker that closes while it is spoken to may have said why.
        match came {
            Ok(Came::Refused { .. }) => came,
            other => written.map_err(Halt::from).and(other),
        }
    }

    async fn listen(&mut self) -> Result<Came, Halt> {
        loop {
            if let Some(came) = self.publisher.came() {
                return Ok(came);
            }
            self.input.clear();
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Halt::Lost(InteractionError::Closed));
            }
            let mut out = Vec::new();
            self.publisher.hear(&self.input, &mut out)?;
            let written = self.stream.write_all(&out).await;
            // What was heard counts, also where the broker has gone before it was answered.
            if let Some(came) = self.publisher.came() {
                return Ok(came);
            }
            written?;
        }
    }
}

/// Why nothing was published, where that is no result.
pub(super) fn trouble(halt: Halt) -> Result<(&'static str, String), Trouble> {
    Ok(match halt {
        Halt::Lost(why) => (why.name(), words(why).to_owned()),
        Halt::Malformed(surprise) => {
            (MALFORMED, format!("what came is not what the protocol allows: {surprise}"))
        }
        Halt::Unsayable(unsayable) => return Err(Trouble::failed(unsayable.reason.into_owned())),
    })
}
