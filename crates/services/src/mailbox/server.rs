//! Serves the mailbox's socket: reads lines and mails within limits, and hangs up on who says nothing for long.

use super::session::{Answer, Rules, Session};
use super::store::Store;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long a client may say nothing: what RFC 5321 wants servers to bear.
const IDLE: Duration = Duration::from_mins(5);

/// The longest line that is no part of a mail: signing in with tokens needs such lengths.
const LINE: u64 = 16 * 1024;

/// How many clients are served at once; a thousand connections at once is what a seam carries.
const CLIENTS: usize = 2048;

/// Serves until it is dropped; all conversations end with it.
pub(super) async fn serve(listener: UnixListener, rules: Rules, store: Arc<Store>) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    let mut conversations = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        // Those that ended are let go of, or they would pile up.
        while conversations.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            // No descriptors left: there will be some when a conversation ends.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (rules, store) = (rules.clone(), Arc::clone(&store));
        let place = Arc::clone(&places).try_acquire_owned();
        conversations.spawn(async move {
            let mut conversation = Conversation::new(stream, rules, store);
            let ended = match place {
                Ok(_place) => conversation.hold().await,
                Err(_) => conversation.say("421 4.3.2 Too many clients").await,
            };
            // How a client leaves is its own affair; what it handed over is kept already.
            drop(ended);
        });
    }
}

struct Conversation {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    session: Session,
    store: Arc<Store>,
    line: Vec<u8>,
}

impl Conversation {
    fn new(stream: UnixStream, rules: Rules, store: Arc<Store>) -> Self {
        let (reader, writer) = stream.into_split();
        let reader = BufReader::with_capacity(16 * 1024, reader);
        Self { reader, writer, session: Session::new(rules), store, line: Vec::new() }
    }

    async fn hold(&mut self) -> io::Result<()> {
        self.say(Session::greeting()).await?;
        loop {
            match tokio::time::timeout(IDLE, self.turn()).await {
                Ok(Ok(true)) => {}
                Ok(ended) => return ended.map(|_| ()),
                Err(_) => return self.say("421 4.4.2 Nothing was said for long").await,
            }
        }
    }

    /// One line and its answer. Is there more to come?
    async fn turn(&mut self) -> io::Result<bool> {
        self.line.clear();
        let n = (&mut self.reader).take(LINE).read_until(b'\n', &mut self.line).await?;
        if n == 0 {
            return Ok(false);
        }
        if self.line.last() != Some(&b'\n') {
            return self.skip_line().await;
        }
        let line = String::from_utf8_lossy(&self.line);
        match self.session.line(line.trim_end_matches(['\r', '\n'])) {
            Answer::Say(text) => self.say(&text).await?,
            Answer::Quit(text) => {
                self.say(&text).await?;
                return Ok(false);
            }
            Answer::Data(text) => {
                self.say(&text).await?;
                let Some(mail) = self.read_to_dot().await? else { return Ok(false) };
                self.take_in(mail).await?;
            }
            Answer::Chunk { length, last } => {
                let Some(piece) = self.read_chunk(length).await? else { return Ok(false) };
                let (mail, text) = self.session.chunk(piece.as_deref(), last);
                match mail {
                    Some(mail) => self.take_in(Some(mail)).await?,
                    None => self.say(text).await?,
                }
            }
        }
        Ok(true)
    }

    /// Reads on to the end of a line that is too long. Is there more to come?
    async fn skip_line(&mut self) -> io::Result<bool> {
        loop {
            self.line.clear();
            let n = (&mut self.reader).take(LINE).read_until(b'\n', &mut self.line).await?;
            if n == 0 {
                return Ok(false);
            }
            if self.line.ends_with(b"\n") {
                self.say("500 5.5.2 The line is too long").await?;
                return Ok(true);
            }
        }
    }

    /// Keeps a mail and says so; none was too large.
    async fn take_in(&mut self, mail: Option<Vec<u8>>) -> io::Result<()> {
        let Some(envelope) = self.session.accept() else { return Ok(()) };
        let Some(mail) = mail else { return self.say("552 5.3.4 The mail is too large").await };
        let number = self.store.add(envelope, Bytes::from(mail));
        self.say(&format!("250 2.0.0 Kept as mail {number}")).await
    }

    /// Reads a mail up to the line with a dot alone. `None` outside: the client left. `None` inside: too large.
    ///
    /// The dot counts only between two ends of line of the kind that the mail began with, so that no other mail
    /// can be smuggled in one (a dot between bare line feeds).
    async fn read_to_dot(&mut self) -> io::Result<Option<Option<Vec<u8>>>> {
        let limit = self.session.size();
        let mut mail = Vec::new();
        let mut too_large = false;
        let mut bare = None;
        let mut begins = true;
        loop {
            self.line.clear();
            let n = (&mut self.reader).take(LINE).read_until(b'\n', &mut self.line).await?;
            if n == 0 {
                return Ok(None);
            }
            let ends_bare = self.line.ends_with(b"\n") && !self.line.ends_with(b"\r\n");
            let ends_well = self.line.ends_with(b"\n") && *bare.get_or_insert(ends_bare) == ends_bare;
            if begins && ends_well && matches!(self.line.as_slice(), b".\r\n" | b".\n") {
                return Ok(Some((!too_large).then_some(mail)));
            }
            let piece = if begins && self.line[0] == b'.' { &self.line[1..] } else { &self.line[..] };
            if (mail.len() + piece.len()) as u64 <= limit {
                mail.extend_from_slice(piece);
            } else {
                (too_large, mail) = (true, Vec::new());
            }
            begins = ends_well;
        }
    }

    /// Reads so many bytes. `None` outside: the client left. `None` inside: more than can be kept.
    async fn read_chunk(&mut self, length: u64) -> io::Result<Option<Option<Vec<u8>>>> {
        let mut piece = (&mut self.reader).take(length);
        if length > self.session.size() {
            let n = tokio::io::copy_buf(&mut piece, &mut tokio::io::sink()).await?;
            return Ok((n == length).then_some(None));
        }
        let mut bytes = Vec::new();
        piece.read_to_end(&mut bytes).await?;
        Ok((bytes.len() as u64 == length).then_some(Some(bytes)))
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(format!("{text}\r\n").as_bytes()).await
    }
}
