//! One session of SMTP, for one mail: what a client says there. What the server says is read by the decoder that watches
//! seams (`crate::heard`), so that a step's result has the fields of an interaction.
//!
//! TLS is spoken with the test's own seam, and by it with the provider, whose certificate it judges: here nothing is to be
//! judged.

use super::mime::Envelope;
use crate::heard::{Heard, Unread};
use crate::login::Login;
use crate::socket::seen;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use seam_event::InteractionError;
use seam_proxy::ProviderTls;
use seam_value::Value;
use seam_wire::Direction;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// The most that one reply may have, in bytes.
const MOST: usize = 64 * 1024;

/// The only reply that lets somebody in (RFC 4954, 4).
const SIGNED_IN: u16 = 235;

/// How long a server may take to say goodbye, once everything is done.
const GOODBYE: Duration = Duration::from_millis(500);

/// Why no mail was sent.
#[derive(Debug)]
pub(super) enum Halt {
    /// The connection failed.
    Lost(InteractionError),
    /// What came is no SMTP.
    Malformed,
    /// The server can't be signed in with.
    NoWay,
    /// TLS is wanted, and came to nothing.
    NoTls(String),
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Before anything else.
    First,
    /// By STARTTLS.
    Asked,
    /// By STARTTLS, where nobody can sign in without it.
    IfNeeded,
    /// Never.
    Unwanted,
}

/// A connection, over TLS or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Lost(seen(&error))
    }
}

impl From<Unread> for Halt {
    fn from(_: Unread) -> Self {
        Self::Malformed
    }
}

/// What the server said last of all that counts.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: Value,
    pub(super) text: Value,
    /// The command that was refused; null where it was the mail, or nothing.
    pub(super) command: Value,
}

/// An open session; dropping it closes the connection.
pub(super) struct Session {
    stream: Box<dyn Stream>,
    heard: Heard,
    /// Is the decoder told? It is not of STARTTLS, behind which nothing would be legible.
    is_heard: bool,
    input: BytesMut,
}

/// One reply: its digits, and all its lines.
struct Reply {
    status: u16,
    text: String,
}

impl Reply {
    /// Was it done? 334 and 354 want more first.
    fn is_good(&self) -> bool {
        self.status < 300
    }

    /// Is this among the abilities that it tells?
    fn offers(&self, ability: &str) -> bool {
        let words = self.text.lines().filter_map(|line| line.split([' ', '=']).next());
        words.into_iter().any(|word| word.eq_ignore_ascii_case(ability))
    }
}

/// Sends one mail, whose content stands as it is, without the dots of SMTP. The session is still to be left.
pub(super) async fn send(
    (login, encryption): (&Login, Encryption),
    envelope: &Envelope,
    content: &[u8],
) -> Result<(Answer, Session), Halt> {
    let stream = TcpStream::connect(login.socket).await?;
    stream.set_nodelay(true)?;
    let heard = Heard::new("smtp", None);
    let mut session = Session { stream: Box::new(stream), heard, is_heard: true, input: BytesMut::new() };
    if encryption == Encryption::First {
        session.encrypt().await?;
    }
    let (last, command) = session.talk((login, encryption), envelope, content).await?;
    let mut answer = Answer {
        status: Value::from(u64::from(last.status)),
        text: Value::Text(last.text.clone()),
        command: command.map_or(Value::Null, Value::text),
    };
    if let Some(told) = session.heard.told()?.into_iter().rfind(|told| told.parts.reply != Value::Null) {
        let reply = &told.parts.reply;
        answer.text = reply.get("text").cloned().unwrap_or(answer.text);
    }
    Ok((answer, session))
}

impl Session {
    /// Takes leave, for which a server gets little time, and none beyond this. What was answered counts, and not how it does that.
    pub(super) async fn leave(mut self, deadline: Instant) {
        let _ = timeout_at(deadline.min(Instant::now() + GOODBYE), self.ask("QUIT")).await;
    }

    /// Puts TLS on the connection.
    async fn encrypt(&mut self) -> Result<(), Halt> {
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let encrypted = ProviderTls::of_anybody().over(plain).await;
        // What is about TLS alone comes as data that are invalid; all else befell the connection.
        let lost = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidData => Halt::NoTls(error.to_string()),
            _ => Halt::Lost(seen(&error)),
        };
        self.stream = Box::new(encrypted.map_err(lost)?);
        Ok(())
    }

    /// Asks for TLS: the reply, where it is none that begins it.
    async fn start_tls(&mut self) -> Result<Option<Reply>, Halt> {
        self.is_heard = false;
        let reply = self.ask("STARTTLS").await?;
        self.is_heard = true;
        if !reply.is_good() {
            return Ok(Some(reply));
        }
        // What was said before it is nobody's word behind it.
        if !self.input.is_empty() {
            return Err(Halt::Malformed);
        }
        self.encrypt().await?;
        Ok(None)
    }

    /// Up to the reply that decides, with the command that it refuses; none for the mail itself.
    async fn talk(
        &mut self,
        (login, encryption): (&Login, Encryption),
        envelope: &Envelope,
        content: &[u8],
    ) -> Result<(Reply, Option<&'static str>), Halt> {
        let greeting = self.reply().await?;
        if !greeting.is_good() {
            return Ok((greeting, Some("CONNECT")));
        }
        let mut able = self.ask("EHLO localhost").await?;
        if !able.is_good() {
            able = self.ask("HELO localhost").await?;
            if !able.is_good() {
                return Ok((able, Some("HELO")));
            }
        }
        let wants_tls = match encryption {
            Encryption::First | Encryption::Unwanted => false,
            Encryption::Asked => true,
            Encryption::IfNeeded => login.user.is_some() && !able.offers("AUTH") && able.offers("STARTTLS"),
        };
        if wants_tls {
            if !able.offers("STARTTLS") {
                return Err(Halt::NoTls("the server offers no STARTTLS".to_owned()));
            }
            if let Some(refused) = self.start_tls().await? {
                return Ok((refused, Some("STARTTLS")));
            }
            able = self.ask("EHLO localhost").await?;
            if !able.is_good() {
                return Ok((able, Some("HELO")));
            }
        }
        let abilities = able.text.to_ascii_uppercase();
        if let (Some(user), Some(password)) = (&login.user, &login.password) {
            let reply = self.sign_in(&abilities, user, password).await?;
            if reply.status != SIGNED_IN {
                return Ok((reply, Some("AUTH")));
            }
        }
        let is_plain = envelope.addresses().all(str::is_ascii);
        let more = if is_plain || !abilities.contains("SMTPUTF8") { "" } else { " SMTPUTF8" };
        let reply = self.ask(&format!("MAIL FROM:<{}>{more}", envelope.sender)).await?;
        if !reply.is_good() {
            return Ok((reply, Some("MAIL")));
        }
        for recipient in &envelope.recipients {
            let reply = self.ask(&format!("RCPT TO:<{recipient}>")).await?;
            if !reply.is_good() {
                return Ok((reply, Some("RCPT")));
            }
        }
        let reply = self.ask("DATA").await?;
        if reply.status != 354 {
            return Ok((reply, Some("DATA")));
        }
        Ok((self.say(&dotted(content)).await?, None))
    }

    async fn sign_in(&mut self, abilities: &str, user: &str, password: &str) -> Result<Reply, Halt> {
        let ways: Vec<&str> = abilities
            .lines()
            .filter_map(|line| line.strip_prefix("AUTH"))
            .flat_map(|ways| ways.split([' ', '=']))
            .collect();
        if ways.contains(&"PLAIN") {
            let word = STANDARD.encode(format!("\0{user}\0{password}"));
            return self.ask(&format!("AUTH PLAIN {word}")).await;
        }
        if !ways.contains(&"LOGIN") {
            return Err(Halt::NoWay);
        }
        let mut reply = self.ask("AUTH LOGIN").await?;
        for word in [user, password] {
            if reply.status != 334 {
                break;
            }
            reply = self.ask(&STANDARD.encode(word)).await?;
        }
        Ok(reply)
    }

    async fn ask(&mut self, command: &str) -> Result<Reply, Halt> {
        self.say(format!("{command}\r\n").as_bytes()).await
    }

    /// Says this, and hears what is replied.
    async fn say(&mut self, bytes: &[u8]) -> Result<Reply, Halt> {
        if self.is_heard {
            self.heard.hear(Direction::ToProvider, bytes)?;
        }
        // TLS keeps back what the socket does not take, and reading does not send it.
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let written = written.await;
        match self.reply().await {
            // A server that closes while it is spoken to may have said why.
            Ok(reply) if reply.status >= 400 => Ok(reply),
            other => written.map_err(Halt::from).and(other),
        }
    }

    async fn reply(&mut self) -> Result<Reply, Halt> {
        let mut text = String::new();
        loop {
            let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
                let before = self.input.len();
                if before > MOST {
                    return Err(Halt::Malformed);
                }
                if self.stream.read_buf(&mut self.input).await? == 0 {
                    return Err(Halt::Lost(InteractionError::Closed));
                }
                if self.is_heard {
                    self.heard.hear(Direction::ToConsumer, &self.input[before..])?;
                }
                continue;
            };
            let line = self.input.split_to(end + 1);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let (digits, rest) = line.split_at_checked(3).ok_or(Halt::Malformed)?;
            let status = digits.parse().ok().filter(|status| (200..600).contains(status));
            let status = status.ok_or(Halt::Malformed)?;
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(rest.get(1..).unwrap_or_default());
            if text.len() > MOST {
                return Err(Halt::Malformed);
            }
            if !rest.starts_with('-') {
                return Ok(Reply { status, text });
            }
        }
    }
}

/// With what SMTP adds: a second dot where a line begins with one, and the line that ends it all.
fn dotted(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 8);
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}
