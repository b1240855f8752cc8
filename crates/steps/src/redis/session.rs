//! One session with Redis: a command out, one reply back, in RESP3 where the server speaks it.
//!
//! RESP3 says which replies are maps, so that a hash is one. An old server that does not know it is talked to in
//! RESP2, where the few commands that mean a map are known by name.

use super::commands;
use crate::login::Login;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seam_event::InteractionError;
use seam_value::{Map, Number, Value};
use std::io;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// How deep replies may nest.
const MAX_DEPTH: usize = 32;

/// The most elements or bytes of one reply.
const MOST: i64 = 256 * 1024 * 1024;

/// Why a command has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The server said so: `WRONGTYPE Operation against a key …`.
    Server(String),
    /// The connection failed, and the session is of no use any more.
    Lost(InteractionError),
    /// What came back is not RESP.
    Malformed(String),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Lost(crate::socket::seen(&error))
    }
}

/// An open session; dropping it closes the connection.
pub(crate) struct Session {
    stream: BufReader<TcpStream>,
    has_maps: bool,
}

impl Session {
    /// Connects, logs in and chooses the database.
    pub(crate) async fn open(login: &Login) -> Result<Self, Halt> {
        let stream = TcpStream::connect(login.socket).await?;
        stream.set_nodelay(true)?;
        let mut session = Self { stream: BufReader::new(stream), has_maps: true };
        let user = login.user.as_deref().unwrap_or("default");
        let mut hello = vec!["HELLO", "3"];
        if let Some(password) = &login.password {
            hello.extend(["AUTH", user, password]);
        }
        match session.ask(&hello).await {
            Ok(_) => {}
            Err(Halt::Server(message)) if message.starts_with("ERR") || message.starts_with("NOPROTO") => {
                session.has_maps = false;
                match (&login.user, &login.password) {
                    (Some(user), Some(password)) => drop(session.ask(&["AUTH", user, password]).await?),
                    (None, Some(password)) => drop(session.ask(&["AUTH", password]).await?),
                    (_, None) => {}
                }
            }
            Err(other) => return Err(other),
        }
        if !matches!(login.database.as_str(), "" | "0") {
            session.ask(&["SELECT", &login.database]).await?;
        }
        Ok(session)
    }

    /// Can it be used again?
    pub(crate) fn is_fresh(&self) -> bool {
        self.stream.buffer().is_empty() && crate::socket::is_silent(self.stream.get_ref())
    }

    /// Sends one command and gives its reply.
    pub(crate) async fn ask<S: AsRef<str>>(&mut self, words: &[S]) -> Result<Value, Halt> {
        let mut output = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            output.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            output.extend_from_slice(word.as_bytes());
            output.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&output).await?;
        let reply = self.reply().await?;
        let is_map = !self.has_maps
            && words.first().is_some_and(|word| {
                commands::gives_map(word.as_ref(), words.get(1).map(AsRef::as_ref).unwrap_or_default())
            });
        Ok(if is_map { paired(reply) } else { reply })
    }

    /// The next reply that is one: what the server pushes in between is not.
    async fn reply(&mut self) -> Result<Value, Halt> {
        loop {
            let line = self.line().await?;
            let is_push = line.starts_with('>');
            let value = self.value(line, 0).await?;
            if !is_push {
                return value.map_err(Halt::Server);
            }
        }
    }

    /// The value that a line begins. An error inside a list (a command of a transaction) stays there as `{ error: … }`.
    async fn value(&mut self, line: String, depth: usize) -> Result<Result<Value, String>, Halt> {
        let Some((sign, rest)) = line.split_at_checked(1) else { return Err(malformed(&line)) };
        let value = match sign {
            "+" => Value::text(rest),
            "-" => return Ok(Err(rest.to_owned())),
            ":" | "(" => Number::parse(rest).map_or_else(|| Value::text(rest), Value::Number),
            "," => double(rest),
            "#" => Value::Bool(rest == "t"),
            "_" => Value::Null,
            "$" | "=" | "!" => {
                let Some(bytes) = self.bulk(&line).await? else { return Ok(Ok(Value::Null)) };
                match sign {
                    "!" => return Ok(Err(String::from_utf8_lossy(&bytes).into_owned())),
                    // A verbatim text says in its first four bytes what it is.
                    "=" => text(bytes.get(4..).unwrap_or_default()),
                    _ => text(&bytes),
                }
            }
            "*" | "~" | ">" | "%" | "|" => {
                if depth == MAX_DEPTH {
                    return Err(malformed("lists nested too deeply"));
                }
                let list = Box::pin(self.elements(&line, depth)).await?;
                match (sign, list) {
                    (_, None) => Value::Null,
                    ("%", Some(list)) => paired(Value::List(list)),
                    ("|", Some(_)) => {
                        // Attributes stand before the value that they are about.
                        let line = self.line().await?;
                        return Box::pin(self.value(line, depth + 1)).await;
                    }
                    (_, Some(list)) => Value::List(list),
                }
            }
            _ => return Err(malformed(&line)),
        };
        Ok(Ok(value))
    }

    async fn elements(&mut self, line: &str, depth: usize) -> Result<Option<Vec<Value>>, Halt> {
        let Some(length) = length(line)? else { return Ok(None) };
        let length = if line.starts_with(['%', '|']) { length * 2 } else { length };
        let mut list = Vec::new();
        for _ in 0..length {
            let line = self.line().await?;
            list.push(match self.value(line, depth + 1).await? {
                Ok(value) => value,
                Err(message) => Value::map([("error", Value::Text(message))]),
            });
        }
        Ok(Some(list))
    }

    async fn bulk(&mut self, line: &str) -> Result<Option<Vec<u8>>, Halt> {
        let Some(length) = length(line)? else { return Ok(None) };
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok(Some(bytes))
    }

    async fn line(&mut self) -> Result<String, Halt> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.stream).take(64 * 1024);
        limited.read_until(b'\n', &mut bytes).await?;
        match bytes.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None if bytes.is_empty() => Err(Halt::Lost(InteractionError::Closed)),
            None => Err(malformed(&String::from_utf8_lossy(&bytes))),
        }
    }
}

/// A length after the sign of a line; none for the null of RESP2.
fn length(line: &str) -> Result<Option<usize>, Halt> {
    match line[1..].parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(length) if (0..MOST).contains(&length) => Ok(usize::try_from(length).ok()),
        _ => Err(malformed(line)),
    }
}

fn malformed(line: &str) -> Halt {
    Halt::Malformed(line.chars().take(80).collect())
}

fn double(text: &str) -> Value {
    Number::parse(text).map_or_else(|| Value::text(text), Value::Number)
}

/// Text where it is some, as the seams show it too.
fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes)
        .map_or_else(|_| Value::map([("base64", Value::Text(STANDARD.encode(bytes)))]), Value::text)
}

/// Keys and values in turn, as a map; anything else as it is.
fn paired(reply: Value) -> Value {
    match reply {
        Value::List(list) if list.len() % 2 == 0 => {
            let mut elements = list.into_iter();
            let mut map = Map::default();
            while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
                map.insert(key.to_plain_text(), value);
            }
            Value::Map(map)
        }
        other => other,
    }
}
