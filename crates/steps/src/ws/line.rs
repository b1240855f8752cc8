//! One WebSocket from the side of the one who opens it. What comes is read by the seam's own decoder; here stands only what
//! a client has to say.

use crate::heard::{Heard, Unread};
use crate::message::Said;
use crate::socket::seen;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use seam_event::InteractionError;
use seam_value::{Map, Value};
use seam_wire::Direction;
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The bit of a frame whose payload is masked, as all of a client's are.
const MASKED: u8 = 0x80;
/// The length that says that a length of two bytes follows; smaller ones are meant as they are.
const SHORT: u8 = 126;
/// The length that says that one of eight bytes follows.
const LONG: u8 = 127;

/// What a control frame may have at most (RFC 6455, 5.5).
const MOST_CONTROL: usize = 125;

/// Why something did not come.
#[derive(Debug)]
pub(super) enum Broken {
    Seen(InteractionError),
    Malformed,
    TooLong,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Seen(seen(&error))
    }
}

impl From<Unread> for Broken {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Surprise(_) => Self::Malformed,
            Unread::TooLong => Self::TooLong,
        }
    }
}

/// An open connection; dropping it closes it.
pub(crate) struct Line {
    socket: SocketAddr,
    stream: Option<TcpStream>,
    heard: Heard,
    /// What was answered to the handshake; null before.
    shake: Value,
    /// What came and nobody has waited for.
    messages: VecDeque<Value>,
    /// Bytes of frames that are not whole, as far as a client must look at them; of long ones only so many are to come.
    input: BytesMut,
    n_to_pass: u64,
    has_closed: bool,
    is_closed: bool,
}

/// A key for a handshake, which only has to be another one each time.
pub(super) fn key() -> String {
    let seeds = [(); 2].map(|()| RandomState::new().hash_one(0_u8).to_le_bytes());
    STANDARD.encode(seeds.as_flattened())
}

impl Line {
    pub(super) fn new(socket: SocketAddr) -> Self {
        Self {
            socket,
            stream: None,
            heard: Heard::new("http", None),
            shake: Value::Null,
            messages: VecDeque::new(),
            input: BytesMut::new(),
            n_to_pass: 0,
            has_closed: false,
            is_closed: false,
        }
    }

    /// Opens it, where it is not open already.
    pub(super) async fn open(&mut self, head: &[u8]) -> Result<(), Broken> {
        if self.stream.is_some() {
            return Ok(());
        }
        let stream = TcpStream::connect(self.socket).await?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        self.write(head).await?;
        while self.shake == Value::Null {
            self.read().await?;
        }
        Ok(())
    }

    /// What was answered to the handshake.
    pub(super) fn shake(&self) -> &Value {
        &self.shake
    }

    /// Can the next step go on with it?
    pub(super) fn is_open(&self) -> bool {
        self.has_changed_over() && !self.is_closed && !self.has_closed
    }

    fn has_changed_over(&self) -> bool {
        self.shake.get("status").and_then(Value::as_i64) == Some(101)
    }

    /// Says a message, where WebSocket is spoken.
    pub(super) async fn say(&mut self, said: &Said) -> Result<(), Broken> {
        match said {
            _ if !self.has_changed_over() => Ok(()),
            Said::Text(text) => self.write_frame(TEXT, text.as_bytes()).await,
            Said::Bytes(bytes) => self.write_frame(BINARY, bytes).await,
        }
    }

    /// Waits until so many messages are there.
    pub(super) async fn wait(&mut self, n_messages: usize) -> Result<(), Broken> {
        while self.has_changed_over() && self.messages.len() < n_messages {
            if self.is_closed {
                return Err(Broken::Seen(InteractionError::Closed));
            }
            self.read().await?;
        }
        Ok(())
    }

    /// Closes it, and waits for the other side to do so.
    pub(super) async fn close(&mut self, code: u16) -> Result<(), Broken> {
        if !self.has_changed_over() || self.has_closed {
            return Ok(());
        }
        self.has_closed = true;
        self.write_frame(CLOSE, &code.to_be_bytes()).await?;
        while !self.is_closed {
            self.read().await?;
        }
        Ok(())
    }

    /// Takes so many of the messages that came, or all of them.
    pub(super) fn take(&mut self, n_messages: usize) -> Vec<Value> {
        let n_messages = n_messages.min(self.messages.len());
        self.messages.drain(..n_messages).collect()
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.heard.hear(Direction::ToProvider, bytes)?;
        self.listen()?;
        let Some(stream) = &mut self.stream else { return Err(Broken::Seen(InteractionError::Closed)) };
        Ok(stream.write_all(bytes).await?)
    }

    async fn write_frame(&mut self, opcode: u8, payload: &[u8]) -> Result<(), Broken> {
        let mut bytes = vec![0x80 | opcode];
        let length = payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ ..SHORT), _) => bytes.push(MASKED | length),
            (_, Ok(length)) => {
                bytes.push(MASKED | SHORT);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | LONG);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        let seed = RandomState::new().hash_one(0_u8).to_le_bytes();
        bytes.extend_from_slice(&seed[..4]);
        bytes.extend(payload.iter().zip(seed[..4].iter().cycle()).map(|(byte, key)| byte ^ key));
        self.write(&bytes).await
    }

    /// Reads what comes next, and answers what wants to be answered.
    async fn read(&mut self) -> Result<(), Broken> {
        let Some(stream) = &mut self.stream else { return Err(Broken::Seen(InteractionError::Closed)) };
        let before = self.input.len();
        if stream.read_buf(&mut self.input).await? == 0 {
            self.is_closed = true;
            let is_orderly = self.has_closed && self.has_changed_over();
            return if is_orderly { Ok(()) } else { Err(Broken::Seen(InteractionError::Closed)) };
        }
        let came = self.input.split_off(before);
        self.heard.hear(Direction::ToConsumer, &came)?;
        let was_head = self.shake == Value::Null;
        self.input.unsplit(came);
        self.listen()?;
        if was_head {
            // Behind the empty line begin the frames.
            let end = self.input.windows(4).position(|window| window == b"\r\n\r\n");
            match end {
                Some(end) if self.has_changed_over() => drop(self.input.split_to(end + 4)),
                _ => return Ok(()),
            }
        }
        while let Some((opcode, payload)) = self.next_frame() {
            match opcode {
                PING => self.write_frame(PONG, &payload).await?,
                CLOSE => {
                    self.is_closed = true;
                    if !self.has_closed {
                        self.has_closed = true;
                        self.write_frame(CLOSE, payload.get(..2).unwrap_or_default()).await?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The next frame's opcode, with its payload where it is a control frame's.
    fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let n_now = usize::try_from(self.n_to_pass).unwrap_or(usize::MAX).min(self.input.len());
        drop(self.input.split_to(n_now));
        self.n_to_pass -= n_now as u64;
        let [first, second, rest @ ..] = &self.input[..] else { return None };
        if self.n_to_pass > 0 {
            return None;
        }
        let (length, n_head) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        let opcode = first & 0x0f;
        if opcode < CLOSE {
            drop(self.input.split_to(n_head));
            self.n_to_pass = length;
            return Some((opcode, Vec::new()));
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= MOST_CONTROL)?;
        if self.input.len() < n_head + length {
            return None;
        }
        let frame = self.input.split_to(n_head + length);
        Some((opcode, frame[n_head..].to_vec()))
    }

    /// Keeps what the decoder has made of it.
    fn listen(&mut self) -> Result<(), Broken> {
        for told in self.heard.told()? {
            if told.parts.reply != Value::Null {
                self.shake = told.parts.reply;
            } else if let Value::Map(message) = told.parts.message
                && message.get("from").and_then(Value::as_text) == Some("provider")
            {
                self.messages.push_back(Value::Map(as_result(&message)));
            }
        }
        Ok(())
    }
}

fn as_result(message: &Map) -> Map {
    let fields = ["type", "body", "text", "code", "reason"];
    let field = |name: &str| message.get(name).cloned().unwrap_or_default();
    fields.into_iter().map(|name| (name.to_owned(), field(name))).collect()
}
