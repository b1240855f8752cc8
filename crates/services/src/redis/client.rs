//! Our own session with a Redis: commands in batches, replies as bytes, and the names of keys that others change.
//!
//! ```text
//! CLIENT TRACKING ON BCAST ───▶
//!                          ◀─── > invalidate [cart:7]     whenever anybody changes a key: into `changed`
//! DUMP cart:7              ───▶
//!                          ◀─── $ …                       a reply
//! ```
//!
//! The server tells of changes in RESP3 only, which is since Redis 6; an older one is compared key by key.

use bytes::Bytes;
use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many replies may wait for whoever asked.
const WAITING: usize = 1024;

/// How many commands are sent before their replies are taken.
const BATCH: usize = 512;

/// The longest line and the longest value that we take: Redis's own limit for values.
const LONGEST_LINE: u64 = 64 * 1024;
const LONGEST_VALUE: usize = 512 << 20;

/// How deep lists may nest.
const DEEPEST: u32 = 16;

/// What a server says to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Bytes(Bytes),
    Number(i64),
    Nothing,
    List(Vec<Reply>),
    Error(String),
}

/// Why a command has no reply, or not the one that there should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The connection is of no use any more.
    #[error("the connection was lost")]
    Lost(#[from] io::Error),
    /// The server refused a command.
    #[error("{command}: {said}")]
    Refused { command: String, said: String },
}

/// Keys that others have changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) names: BTreeSet<Bytes>,
    /// Any of them: all were thrown away, or it is not known.
    pub(super) any: bool,
}

/// A session. Dropping it ends it.
pub(super) struct Client {
    writer: OwnedWriteHalf,
    replies: mpsc::Receiver<io::Result<Reply>>,
    changed: Arc<Mutex<Changed>>,
    reader: JoinHandle<()>,
    /// Does the server tell of changes?
    pub(super) is_told: bool,
}

/// A command as its words.
pub(super) type Command = Vec<Bytes>;

/// A command of words.
pub(super) fn command(words: &[&str]) -> Command {
    words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

impl Client {
    /// Connects and signs in.
    pub(super) async fn open(socket: &Path, password: Option<&str>) -> Result<Self, AskError> {
        let (reader, writer) = UnixStream::connect(socket).await?.into_split();
        let (sender, replies) = mpsc::channel(WAITING);
        let changed = Arc::new(Mutex::default());
        let reader = tokio::spawn(read(BufReader::new(reader), sender, Arc::clone(&changed)));
        let mut client = Self { writer, replies, changed, reader, is_told: false };
        if let Some(password) = password {
            client.ask(&["AUTH", password]).await?;
        }
        Ok(client)
    }

    /// Has the server tell which keys others change from now on. It may be too old for that.
    pub(super) async fn track(&mut self) -> Result<(), AskError> {
        let asked = [command(&["HELLO", "3"]), command(&["CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP"])];
        let replies = self.ask_all(&asked).await?;
        self.is_told = !replies.iter().any(|reply| matches!(reply, Reply::Error(_)));
        Ok(())
    }

    /// Takes what was told of changes so far.
    pub(super) fn take_changed(&self) -> Changed {
        std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Is the connection of no use any more?
    pub(super) fn is_lost(&self) -> bool {
        self.reader.is_finished()
    }

    /// One command; an error of the server's is one.
    pub(super) async fn ask(&mut self, words: &[&str]) -> Result<Reply, AskError> {
        let asked = command(words);
        let reply = self.ask_all(std::slice::from_ref(&asked)).await?.pop().unwrap_or(Reply::Nothing);
        sound(&asked, reply)
    }

    /// Commands one after the other without waiting for each; errors stand among the replies.
    pub(super) async fn ask_all(&mut self, commands: &[Command]) -> Result<Vec<Reply>, AskError> {
        let mut replies = Vec::with_capacity(commands.len());
        for batch in commands.chunks(BATCH) {
            let mut bytes = Vec::new();
            for words in batch {
                bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
                for word in words {
                    bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                    bytes.extend_from_slice(word);
                    bytes.extend_from_slice(b"\r\n");
                }
            }
            self.writer.write_all(&bytes).await?;
            for _ in batch {
                let reply = self.replies.recv().await;
                replies.push(reply.unwrap_or_else(|| Err(io::ErrorKind::ConnectionAborted.into()))?);
            }
        }
        Ok(replies)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A reply that must be no error.
pub(super) fn sound(command: &Command, reply: Reply) -> Result<Reply, AskError> {
    match reply {
        Reply::Error(said) => {
            let words = command.iter().take(2).map(|word| String::from_utf8_lossy(word).into_owned());
            Err(AskError::Refused { command: words.collect::<Vec<_>>().join(" "), said })
        }
        reply => Ok(reply),
    }
}

impl Reply {
    /// A text or number as text; empty for anything else.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Number(number) => number.to_string(),
            _ => String::new(),
        }
    }

    /// The elements of a list; none for anything else.
    pub(super) fn list(self) -> Vec<Self> {
        match self {
            Self::List(list) => list,
            _ => Vec::new(),
        }
    }

    pub(super) fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads replies until the connection ends, and puts what is told of changes aside.
async fn read(
    mut from: BufReader<OwnedReadHalf>,
    replies: mpsc::Sender<io::Result<Reply>>,
    changed: Arc<Mutex<Changed>>,
) {
    loop {
        let read = frame(&mut from, 0).await;
        match read {
            Ok((b'>', told)) => note(told, &mut changed.lock().unwrap_or_else(PoisonError::into_inner)),
            Ok((_, reply)) => {
                if replies.send(Ok(reply)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                changed.lock().unwrap_or_else(PoisonError::into_inner).any = true;
                // Whoever waits is told; nobody may be waiting.
                let _ = replies.try_send(Err(error));
                return;
            }
        }
    }
}

fn note(told: Reply, changed: &mut Changed) {
    let mut words = told.list().into_iter();
    if words.next().is_none_or(|kind| kind.text() != "invalidate") {
        return;
    }
    match words.next() {
        Some(Reply::List(names)) => changed.names.extend(names.into_iter().filter_map(Reply::bytes)),
        // All keys at once: FLUSHALL.
        _ => changed.any = true,
    }
}

type Framed<'f> = Pin<Box<dyn Future<Output = io::Result<(u8, Reply)>> + Send + 'f>>;

/// One value with its sign.
fn frame(from: &mut BufReader<OwnedReadHalf>, depth: u32) -> Framed<'_> {
    Box::pin(async move {
        let mut line = Vec::new();
        (&mut *from).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (Some(rest), Some(sign)) =
            (line.strip_suffix(b"\r\n").and_then(|line| line.get(1..)), line.first())
        else {
            return Err(malformed());
        };
        let rest = String::from_utf8_lossy(rest).into_owned();
        let number = || rest.parse::<i64>().map_err(|_| malformed());
        let reply = match sign {
            b'+' | b',' | b'(' | b'#' => Reply::Bytes(Bytes::from(rest)),
            b'-' => Reply::Error(rest),
            b':' => Reply::Number(number()?),
            b'_' => Reply::Nothing,
            b'$' | b'=' | b'!' => match usize::try_from(number()?) {
                Err(_) => Reply::Nothing,
                Ok(length) if length > LONGEST_VALUE => return Err(malformed()),
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    from.read_exact(&mut bytes).await?;
                    bytes.truncate(length);
                    match sign {
                        b'!' => Reply::Error(String::from_utf8_lossy(&bytes).into_owned()),
                        // Four bytes say what kind of text it is.
                        b'=' => Reply::Bytes(Bytes::from(bytes).slice(4.min(length)..)),
                        _ => Reply::Bytes(Bytes::from(bytes)),
                    }
                }
            },
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let each = if matches!(sign, b'%' | b'|') { 2 } else { 1 };
                let Ok(length) = u32::try_from(number()?) else { return Ok((*sign, Reply::Nothing)) };
                if depth == DEEPEST {
                    return Err(malformed());
                }
                let mut list = Vec::new();
                for _ in 0..u64::from(length) * each {
                    list.push(frame(from, depth + 1).await?.1);
                }
                if *sign == b'|' {
                    // Attributes stand before the value that they are about.
                    return frame(from, depth + 1).await;
                }
                Reply::List(list)
            }
            _ => return Err(malformed()),
        };
        Ok((*sign, reply))
    })
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not Redis's protocol")
}
