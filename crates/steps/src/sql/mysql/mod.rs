//! One session with MySQL or MariaDB.
//!
//! The client's half is written here; what the server says is read by the decoder that watches seams (`crate::heard`), so
//! rows have the same values and types in a step and in an interaction. A client library would bring three dozen crates, an
//! API with types of its own, and another opinion of what a value is.
//!
//! ```text
//! PREPARE ─▶ ◀─ number      EXECUTE with the values ─▶ ◀─ rows in binary form      CLOSE ─▶      with variables
//! QUERY ─▶ ◀─ results                                                                            without any
//! ```

mod rsa;
mod sign_in;

use super::session::{Bound, Code, Halt, Outcome, ServerError};
use crate::heard::{Heard, Unread};
use crate::login::Login;
use bytes::{Buf as _, BytesMut};
use seam_event::InteractionError;
use seam_value::{Map, Value};
use seam_wire::Direction;
use seam_wire::mysql::put_length;
use seam_wire::mysql::text::first_words;
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A payload of this length goes on in the next packet.
const FULL: usize = 0xff_ffff;

mod command {
    pub(super) const QUIT: u8 = 1;
    pub(super) const QUERY: u8 = 3;
    pub(super) const PREPARE: u8 = 0x16;
    pub(super) const EXECUTE: u8 = 0x17;
    pub(super) const CLOSE: u8 = 0x19;
}

/// Types of bound values.
mod kinds {
    pub(super) const NULL: u8 = 6;
    pub(super) const LONGLONG: u8 = 8;
    pub(super) const NEWDECIMAL: u8 = 246;
    pub(super) const BLOB: u8 = 252;
    pub(super) const VAR_STRING: u8 = 253;
    /// In the byte behind the type.
    pub(super) const UNSIGNED: u8 = 0x80;
}

/// Statements with which somebody keeps transactions by himself.
const OWN_WAYS: [&str; 9] =
    ["begin", "start", "commit", "rollback", "savepoint", "set", "lock", "unlock", "use"];

/// An open session; dropping it ends it.
pub(crate) struct Session {
    stream: TcpStream,
    heard: Heard,
    input: BytesMut,
    /// The server's own number for the session.
    id: u32,
}

impl From<Unread> for Halt {
    fn from(unread: Unread) -> Self {
        Self::Unusable(unread.to_string())
    }
}

impl Session {
    /// Connects and logs in.
    pub(super) async fn open(login: &Login) -> Result<Self, Halt> {
        let stream = TcpStream::connect(login.socket).await?;
        stream.set_nodelay(true)?;
        let mut session = Self { stream, heard: Heard::new("mysql", None), input: BytesMut::new(), id: 0 };
        session.log_in(login).await?;
        Ok(session)
    }

    /// Can it be used again? One in a transaction must be, so that losing it is seen.
    pub(super) fn is_fresh(&self) -> bool {
        self.heard.holds_transaction() || (self.input.is_empty() && crate::socket::is_silent(&self.stream))
    }

    /// Runs statements in order, and gives what each gave.
    pub(super) async fn run(&mut self, statements: &[Bound]) -> Result<Vec<Outcome>, Halt> {
        let words: Vec<String> = statements.iter().flat_map(|one| first_words(&one.text)).collect();
        let is_own_way = words.iter().any(|word| OWN_WAYS.contains(&word.as_str()));
        let is_together = words.len() > 1 && !self.heard.holds_transaction() && !is_own_way;
        if is_together {
            self.query("start transaction").await?;
        }
        let done = self.run_each(statements).await;
        match &done {
            Ok(_) if is_together => drop(self.query("commit").await?),
            Err(Halt::Server(_)) if is_together => drop(self.query("rollback").await?),
            _ => {}
        }
        done
    }

    async fn run_each(&mut self, statements: &[Bound]) -> Result<Vec<Outcome>, Halt> {
        let mut outcomes = Vec::new();
        for statement in statements {
            outcomes.extend(match statement.values.as_slice() {
                [] => self.query(&statement.text).await?,
                values => self.execute(&statement.text, values).await?,
            });
        }
        Ok(outcomes)
    }

    /// Ends what the server is doing for this session, from another one.
    pub(super) async fn cancel(&mut self, login: &Login) -> io::Result<()> {
        let lost = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
        let mut other = Box::pin(Self::open(login)).await.map_err(lost)?;
        other.query(&format!("kill query {}", self.id)).await.map(drop).map_err(lost)
    }

    async fn query(&mut self, text: &str) -> Result<Vec<Outcome>, Halt> {
        self.send(0, &[&[command::QUERY], text.as_bytes()].concat()).await?;
        self.answer().await
    }

    async fn execute(&mut self, text: &str, values: &[Value]) -> Result<Vec<Outcome>, Halt> {
        self.send(0, &[&[command::PREPARE], text.as_bytes()].concat()).await?;
        let head = self.packet().await?;
        if head.first() == Some(&0xff) {
            return outcomes(self.heard.told()?);
        }
        let [_, a, b, c, d, columns, columns_high, parameters, parameters_high, ..] = head[..] else {
            return Err(unexpected());
        };
        let id = [a, b, c, d];
        let n_parameters = u16::from_le_bytes([parameters, parameters_high]);
        for count in [n_parameters, u16::from_le_bytes([columns, columns_high])] {
            // Each with a packet that ends the list.
            for _ in 0..if count == 0 { 0 } else { u32::from(count) + 1 } {
                self.packet().await?;
            }
        }
        if usize::from(n_parameters) != values.len() {
            let reason =
                format!("the server finds {n_parameters} values to bind, and there are {}", values.len());
            return Err(Halt::Unusable(reason));
        }
        self.send(0, &execution(id, values)).await?;
        let done = self.answer().await;
        if !matches!(done, Err(Halt::Lost(_))) {
            self.send(0, &[&[command::CLOSE][..], &id].concat()).await?;
        }
        done
    }

    /// Writes one command, or an answer within the log-in, whose packets are numbered from here on.
    async fn send(&mut self, mut number: u8, payload: &[u8]) -> Result<(), Halt> {
        let mut output = Vec::with_capacity(payload.len() + 8);
        let mut rest = payload;
        loop {
            let (now, later) = rest.split_at(rest.len().min(FULL));
            let length = u32::try_from(now.len()).unwrap_or_default().to_le_bytes();
            output.extend_from_slice(&[length[0], length[1], length[2], number]);
            output.extend_from_slice(now);
            number = number.wrapping_add(1);
            rest = later;
            if now.len() < FULL {
                break;
            }
        }
        self.heard.hear(Direction::ToProvider, &output)?;
        self.stream.write_all(&output).await?;
        Ok(())
    }

    /// The payload of the next packet, without its head.
    async fn packet(&mut self) -> Result<Vec<u8>, Halt> {
        loop {
            if let Some((head, rest)) = self.input.split_first_chunk::<4>() {
                let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
                if rest.len() >= length {
                    let packet = self.input.split_to(4 + length);
                    self.heard.hear(Direction::ToConsumer, &packet)?;
                    return Ok(packet[4..].to_vec());
                }
            }
            self.read().await?;
        }
    }

    /// The whole answer to what was asked.
    async fn answer(&mut self) -> Result<Vec<Outcome>, Halt> {
        loop {
            let came = self.input.split();
            self.heard.hear(Direction::ToConsumer, &came)?;
            if self.heard.has_told() {
                return outcomes(self.heard.told()?);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Halt> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(Halt::Lost(InteractionError::Closed)),
            _ => Ok(()),
        }
    }
}

/// Tells the server that this is no accident.
impl Drop for Session {
    fn drop(&mut self) {
        // Where the socket is full or gone the server notices by itself.
        let _ = self.stream.try_write(&[1, 0, 0, 0, command::QUIT]);
        self.input.advance(self.input.len());
    }
}

/// An execution of a prepared statement, its values bound.
fn execution(id: [u8; 4], values: &[Value]) -> Vec<u8> {
    let mut payload = vec![command::EXECUTE];
    payload.extend_from_slice(&id);
    // No cursor, and once.
    payload.extend_from_slice(&[0, 1, 0, 0, 0]);
    let mut nulls = vec![0_u8; values.len().div_ceil(8)];
    let (mut types, mut bytes) = (Vec::new(), Vec::new());
    for (index, value) in values.iter().enumerate() {
        if *value == Value::Null {
            nulls[index / 8] |= 1 << (index % 8);
        }
        types.extend_from_slice(&bound(value, &mut bytes));
    }
    payload.extend(nulls);
    payload.push(1);
    payload.extend(types);
    payload.extend(bytes);
    payload
}

/// Writes a value, and gives its type. A text fits whatever the column is; where a number has to stand (`limit`) none does.
fn bound(value: &Value, out: &mut Vec<u8>) -> [u8; 2] {
    let text = |text: &[u8], kind: u8, out: &mut Vec<u8>| {
        put_length(out, text.len() as u64);
        out.extend_from_slice(text);
        [kind, 0]
    };
    match value {
        Value::Null => [kinds::NULL, 0],
        Value::Bool(is_true) => {
            out.extend_from_slice(&i64::from(*is_true).to_le_bytes());
            [kinds::LONGLONG, 0]
        }
        Value::Number(number) if number.is_written_as_integer() => {
            let written = number.to_string();
            if let Ok(signed) = written.parse::<i64>() {
                out.extend_from_slice(&signed.to_le_bytes());
                [kinds::LONGLONG, 0]
            } else if let Ok(unsigned) = written.parse::<u64>() {
                out.extend_from_slice(&unsigned.to_le_bytes());
                [kinds::LONGLONG, kinds::UNSIGNED]
            } else {
                text(written.as_bytes(), kinds::NEWDECIMAL, out)
            }
        }
        Value::Number(number) => text(number.to_string().as_bytes(), kinds::NEWDECIMAL, out),
        Value::Text(written) => text(written.as_bytes(), kinds::VAR_STRING, out),
        Value::List(_) | Value::Map(_) => match seam_wire::body::from_base64(value) {
            Some(bytes) => text(&bytes, kinds::BLOB, out),
            None => text(value.to_string().as_bytes(), kinds::VAR_STRING, out),
        },
    }
}

/// The results of what was told, in their order.
fn outcomes(told: Vec<crate::heard::Told>) -> Result<Vec<Outcome>, Halt> {
    let mut outcomes = Vec::new();
    for one in told {
        if let Some(error) = one.error {
            return Err(Halt::Lost(error));
        }
        let mut reply = one.reply();
        let more = match &mut reply {
            Value::Map(reply) => reply.shift_remove("more"),
            _ => None,
        };
        let more = more.and_then(|more| more.as_list().map(<[Value]>::to_vec)).unwrap_or_default();
        for result in std::iter::once(reply).chain(more) {
            outcomes.push(outcome(result)?);
        }
    }
    Ok(outcomes)
}

fn outcome(mut result: Value) -> Result<Outcome, Halt> {
    if let Some(error) = result.get("error").filter(|error| **error != Value::Null) {
        return Err(Halt::Server(Box::new(server_error(error))));
    }
    let number = |name: &str| result.get(name).and_then(Value::as_i64).and_then(|n| u64::try_from(n).ok());
    let (affected, insert_id) = (number("affected").unwrap_or_default(), number("insert_id"));
    let gives_rows = result.get("columns").is_some();
    let rows = match &mut result {
        Value::Map(map) => take_list(map, "rows"),
        _ => Vec::new(),
    };
    Ok(Outcome { rows: gives_rows.then_some(rows), affected, insert_id: insert_id.filter(|id| *id > 0) })
}

fn take_list(map: &mut Map, name: &str) -> Vec<Value> {
    match map.shift_remove(name) {
        Some(Value::List(list)) => list,
        _ => Vec::new(),
    }
}

fn server_error(error: &Value) -> ServerError {
    let text = |name: &str| error.get(name).and_then(Value::as_text).map(str::to_owned);
    let code = error.get("code").and_then(Value::as_i64).and_then(|code| u64::try_from(code).ok());
    ServerError {
        code: Code::Number(code.unwrap_or_default()),
        state: text("state"),
        message: text("message").unwrap_or_default(),
        ..ServerError::default()
    }
}

/// Why the server lets nobody in, from its packet.
fn session_error(packet: &[u8]) -> Halt {
    let Some((code, rest)) = packet.get(1..).and_then(<[u8]>::split_first_chunk::<2>) else {
        return unexpected();
    };
    let (state, message) = match rest {
        [b'#', rest @ ..] if rest.len() >= 5 => (Some(&rest[..5]), &rest[5..]),
        rest => (None, rest),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Halt::Server(Box::new(ServerError {
        code: Code::Number(u64::from(u16::from_le_bytes(*code))),
        state: state.map(text),
        message: text(message),
        ..ServerError::default()
    }))
}

fn unexpected() -> Halt {
    Halt::Unusable("the server answered to a question that was not asked".to_owned())
}

#[cfg(test)]
mod tests;
