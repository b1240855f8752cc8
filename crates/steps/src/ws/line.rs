//! One WebSocket from the side of the one who opens it. What comes is read by the seam's own decoder; here stands only what
//! a client has to say.

use crate::heard::{Heard, Unread};
use crate::message::Said;
use crate::socket::{is_silent, seen, until_spoken};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use seam_event::InteractionError;
use seam_value::{Map, Value};
use seam_wire::Direction;
use sha1::{Digest as _, Sha1};
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

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

/// So much is taken in while no step waits; more stays with whoever sends it.
const MOST_UNASKED: usize = 8 * 1024 * 1024;

/// What is hashed behind the key (RFC 6455, 1.3).
const ACCEPTED: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

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
    /// How many bytes came since a step last waited, or since none does.
    n_unasked: usize,
    has_closed: bool,
    is_closed: bool,
    /// Why nothing more comes, where a step is still to hear of that.
    broken: Option<Broken>,
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
            n_unasked: 0,
            has_closed: false,
            is_closed: false,
            broken: None,
        }
    }

    /// Opens it, where it is not open already. With the key of the handshake an answer is expected that is made of it.
    pub(super) async fn open(&mut self, head: &[u8], key: Option<&str>) -> Result<(), Broken> {
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
        if self.has_changed_over() && !key.is_none_or(|key| changes_over(&self.shake, key)) {
            (self.is_closed, self.has_closed) = (true, true);
            return Err(Broken::Malformed);
        }
        Ok(())
    }

    /// What was answered to the handshake.
    pub(super) fn shake(&self) -> &Value {
        &self.shake
    }

    /// Is there anything left for a further step: a connection, messages, or how it ended?
    pub(super) fn has_more(&self) -> bool {
        let is_open = !self.is_closed && !self.has_closed;
        self.has_changed_over() && (is_open || !self.messages.is_empty() || self.broken.is_some())
    }

    fn has_changed_over(&self) -> bool {
        self.shake.get("status").and_then(Value::as_i64) == Some(101)
    }

    /// Says a message, where WebSocket is spoken.
    pub(super) async fn say(&mut self, said: &Said) -> Result<(), Broken> {
        self.still()?;
        match said {
            _ if !self.has_changed_over() => Ok(()),
            Said::Text(text) => self.write_frame(TEXT, text.as_bytes()).await,
            Said::Bytes(bytes) => self.write_frame(BINARY, bytes).await,
        }
    }

    /// Waits until so many messages are there.
    pub(super) async fn wait(&mut self, n_messages: usize) -> Result<(), Broken> {
        self.n_unasked = 0;
        while self.has_changed_over() && self.messages.len() < n_messages {
            if self.is_closed {
                return Err(self.why());
            }
            self.read().await?;
        }
        Ok(())
    }

    /// Is it open, as who says something expects, and who neither says nor awaits anything?
    pub(super) fn still(&mut self) -> Result<(), Broken> {
        if self.has_changed_over() && self.is_closed { Err(self.why()) } else { Ok(()) }
    }

    fn why(&mut self) -> Broken {
        self.broken.take().unwrap_or(Broken::Seen(InteractionError::Closed))
    }

    /// Takes in what comes while no step does, so that pings are answered and the end is known: until somebody wants the
    /// connection, it has ended, or so much has come that the rest is left to whoever sends it.
    pub(super) async fn tend(&mut self, wanted: &mut oneshot::Receiver<()>) {
        // What came while a step waited was asked for.
        self.n_unasked = 0;
        while !self.is_closed && !self.has_closed && self.n_unasked < MOST_UNASKED {
            let Some(stream) = &self.stream else { return };
            tokio::select! {
                biased;
                _ = &mut *wanted => return,
                is_spoken_on = until_spoken(stream) => if is_spoken_on.is_err() { return },
            }
            self.take_in().await;
        }
    }

    /// Takes in what is there already.
    pub(super) async fn take_in(&mut self) {
        while !self.is_closed && self.n_unasked < MOST_UNASKED {
            if self.stream.as_ref().is_none_or(is_silent) {
                return;
            }
            if let Err(broken) = self.read().await {
                (self.is_closed, self.broken) = (true, Some(broken));
            }
        }
    }

    /// Closes it, and waits for the other side to do so.
    pub(super) async fn close(&mut self, code: u16) -> Result<(), Broken> {
        if !self.has_changed_over() || self.has_closed {
            return Ok(());
        }
        self.still()?;
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
        stream.read_buf(&mut self.input).await?;
        self.came(before).await
    }

    /// What came stands behind so many bytes; where nothing does, it is the end.
    async fn came(&mut self, before: usize) -> Result<(), Broken> {
        if self.input.len() == before {
            self.is_closed = true;
            let is_orderly = self.has_closed && self.has_changed_over();
            return if is_orderly { Ok(()) } else { Err(Broken::Seen(InteractionError::Closed)) };
        }
        let came = self.input.split_off(before);
        self.n_unasked += came.len();
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

/// Does the component say what a client must see before it goes on (RFC 6455, 4.1)?
fn changes_over(shake: &Value, key: &str) -> bool {
    let header = |name: &str| {
        let value = shake.get("headers").and_then(|headers| headers.get(name)).map(Value::to_plain_text);
        value.unwrap_or_default()
    };
    let has =
        |name: &str, word: &str| header(name).split(',').any(|one| one.trim().eq_ignore_ascii_case(word));
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(ACCEPTED);
    has("upgrade", "websocket")
        && has("connection", "upgrade")
        && header("sec-websocket-accept").trim() == STANDARD.encode(hash.finalize())
}

fn as_result(message: &Map) -> Map {
    let fields = ["type", "body", "text", "code", "reason"];
    let field = |name: &str| message.get(name).cloned().unwrap_or_default();
    fields.into_iter().map(|name| (name.to_owned(), field(name))).collect()
}
