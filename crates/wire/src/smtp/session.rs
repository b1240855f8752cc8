//! What SMTP's lines mean: the mail that grows from command to command, and what each reply says about it.

use super::connection::Mode;
use super::reading::SmtpExchange;
use crate::conversation::{Direction, End, Exchange, Limits, Surprise, why_unfinished};
use crate::kept::Room;
use seam_event::InteractionError;
use std::collections::VecDeque;
use std::time::Duration;

/// One session.
pub(super) struct Session {
    limits: Limits,
    room: Room,
    /// What the server owes, in order.
    awaited: VecDeque<Entry>,
    /// The mail that the server knows of, from MAIL to the end of its content.
    mail: Option<Mail>,
    /// The content that is passing.
    content: Content,
    /// Lines of the reply that is passing, if it has several.
    reply: Vec<u8>,
    consumer_ended: bool,
}

struct Entry {
    began: Duration,
    awaited: Awaited,
}

/// What one reply is the answer to.
enum Awaited {
    Greeting,
    Mail(Vec<u8>),
    Recipient(Vec<u8>),
    Data,
    /// The content of a mail, up to its dot.
    Content(Content),
    /// BDAT and its content. Is it the last chunk?
    Chunk {
        content: Content,
        is_last: bool,
    },
    /// What forgets the mail: RSET, HELO, EHLO.
    Resets(Vec<u8>),
    Auth,
    StartTls,
    Other(Vec<u8>),
}

/// A mail that was announced.
struct Mail {
    began: Duration,
    sender: Vec<u8>,
    recipients: Vec<Vec<u8>>,
    content: Content,
}

/// What is kept of a mail's content.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) length: u64,
    /// Lines that begin with a dot have another before it.
    pub(super) has_dots: bool,
}

/// Addresses and words of replies are kept up to here.
const MOST_TEXT: usize = 1024;
/// So many recipients of one mail are kept.
const MOST_RECIPIENTS: usize = 1000;

impl Content {
    pub(super) fn is_cut(&self) -> bool {
        self.length > self.bytes.len() as u64
    }
}

impl Session {
    pub(super) fn new(limits: Limits) -> Self {
        let greeting = Entry { began: Duration::ZERO, awaited: Awaited::Greeting };
        Self {
            limits,
            room: Room::new(limits),
            awaited: VecDeque::from([greeting]),
            mail: None,
            content: Content::default(),
            reply: Vec::new(),
            consumer_ended: false,
        }
    }

    /// Has the server greeted?
    pub(super) fn is_greeted(&self) -> bool {
        !self.awaited.iter().any(|entry| matches!(entry.awaited, Awaited::Greeting))
    }

    /// Calls that are open: a mail from its announcement to its last reply, and each other command.
    pub(super) fn n_open(&self) -> usize {
        self.awaited.len().max(usize::from(self.mail.is_some()))
    }

    fn push(&mut self, began: Duration, awaited: Awaited) -> Result<(), Surprise> {
        if self.awaited.len() >= self.limits.n_open {
            return Err(Surprise::new("too many commands without a reply"));
        }
        self.awaited.push_back(Entry { began, awaited });
        Ok(())
    }

    fn keep(&mut self, text: &[u8]) -> Vec<u8> {
        let mut kept = Vec::new();
        self.room.keep_body(&mut kept, text, MOST_TEXT);
        kept
    }

    /// A command. Says what the consumer's bytes are after it.
    pub(super) fn asked(&mut self, line: &[u8], began: Duration) -> Result<Mode, Surprise> {
        let (word, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
        let mut name = [0; 8];
        let name = match name.get_mut(..word.len()) {
            Some(name) => {
                name.copy_from_slice(word);
                name.make_ascii_uppercase();
                &*name
            }
            None => word,
        };
        let mut mode = Mode::Commands;
        let awaited = match name {
            b"MAIL" => Awaited::Mail(self.keep(address(rest))),
            b"RCPT" => Awaited::Recipient(self.keep(address(rest))),
            b"DATA" => {
                mode = Mode::Waits;
                Awaited::Data
            }
            b"BDAT" => {
                let (length, is_last) = chunk(rest).ok_or_else(|| Surprise::new("BDAT without a length"))?;
                self.content = Content::default();
                if length > 0 {
                    mode = Mode::Chunk(length);
                }
                Awaited::Chunk { content: Content::default(), is_last }
            }
            b"AUTH" => {
                mode = Mode::Waits;
                Awaited::Auth
            }
            b"STARTTLS" => {
                mode = Mode::Waits;
                Awaited::StartTls
            }
            b"HELO" | b"EHLO" | b"LHLO" | b"RSET" => Awaited::Resets(self.keep(name)),
            _ => Awaited::Other(self.keep(name)),
        };
        self.push(began, awaited)?;
        Ok(mode)
    }

    pub(super) fn keep_content(&mut self, bytes: &[u8]) {
        // A chunk belongs to the BDAT that was sent last.
        let content = match self.awaited.back_mut() {
            Some(Entry { awaited: Awaited::Chunk { content, .. }, .. }) => content,
            _ => &mut self.content,
        };
        if !content.is_cut() {
            self.room.keep_body(&mut content.bytes, bytes, self.limits.kept_body);
        }
        content.length += bytes.len() as u64;
    }

    pub(super) fn content_is_full(&self) -> bool {
        match self.awaited.back() {
            Some(Entry { awaited: Awaited::Chunk { content, .. }, .. }) => {
                content.bytes.len() >= self.limits.kept_body
            }
            _ => false,
        }
    }

    pub(super) fn pass_content(&mut self, n_bytes: u64) {
        if let Some(Entry { awaited: Awaited::Chunk { content, .. }, .. }) = self.awaited.back_mut() {
            content.length += n_bytes;
        }
    }

    /// The line with the dot has passed.
    pub(super) fn content_ended(&mut self, at: Duration) -> Result<(), Surprise> {
        let mut content = std::mem::take(&mut self.content);
        content.has_dots = true;
        self.push(at, Awaited::Content(content))
    }

    /// A line of a reply. Where it is the last one, the consumer's bytes may be something else from then on.
    pub(super) fn answered(
        &mut self,
        line: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<Option<Mode>, Surprise> {
        let status = match line {
            [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
                let status =
                    [a, b, c].into_iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
                let goes_on = rest.first() == Some(&b'-');
                if self.reply.len() < 4 * MOST_TEXT {
                    let words = rest.get(1..).unwrap_or_default();
                    self.reply.extend_from_slice(&words[..words.len().min(MOST_TEXT)]);
                    self.reply.push(b'\n');
                }
                if goes_on {
                    return Ok(None);
                }
                status
            }
            _ => return Err(Surprise::new("a reply without a status")),
        };
        let text = std::mem::take(&mut self.reply).trim_ascii_end().to_vec();
        self.replied(status, text, at, out)
    }

    fn replied(
        &mut self,
        status: u16,
        text: Vec<u8>,
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<Option<Mode>, Surprise> {
        let is_refused = status >= 400;
        let reply = Some((status, text));
        let Some(Entry { began, awaited }) = self.awaited.pop_front() else {
            // A server may say unasked that it goes away.
            if !is_refused {
                return Err(Surprise::new("a reply that nobody asked for"));
            }
            self.tell((at, Some(at)), SmtpExchange { reply, ..SmtpExchange::default() }, None, out);
            return Ok(None);
        };
        let times = (began, Some(at));
        let mut mode = None;
        let mut refused = SmtpExchange { reply: reply.clone(), ..self.envelope() };
        match awaited {
            Awaited::Mail(sender) if !is_refused => {
                self.forget_mail();
                self.mail = Some(Mail { began, sender, recipients: Vec::new(), content: Content::default() });
                return Ok(None);
            }
            Awaited::Recipient(recipient) if !is_refused => {
                match &mut self.mail {
                    Some(mail) if mail.recipients.len() < MOST_RECIPIENTS => mail.recipients.push(recipient),
                    _ => self.room.give_back(recipient.len()),
                }
                return Ok(None);
            }
            Awaited::Content(content) => {
                self.tell_mail(&content, reply, at, out);
                return Ok(None);
            }
            Awaited::Chunk { content, is_last } => {
                if is_refused || is_last {
                    self.tell_mail(&content, reply, at, out);
                } else {
                    self.add_content(&content);
                }
                return Ok(None);
            }
            Awaited::Data if status == 354 => return Ok(Some(Mode::Content(2))),
            Awaited::Auth if status == 334 => {
                self.awaited.push_front(Entry { began, awaited: Awaited::Auth });
                return Ok(Some(Mode::Secret));
            }
            Awaited::StartTls if !is_refused => return Err(Surprise::new("TLS from here on")),
            Awaited::Greeting => {}
            Awaited::Mail(sender) => (refused.command, refused.sender) = (b"MAIL".to_vec(), sender),
            Awaited::Recipient(recipient) => {
                (refused.command, refused.recipients) = (b"RCPT".to_vec(), vec![recipient]);
            }
            Awaited::Data => (refused.command, mode) = (b"DATA".to_vec(), Some(Mode::Commands)),
            Awaited::Auth => (refused.command, mode) = (b"AUTH".to_vec(), Some(Mode::Commands)),
            Awaited::StartTls => (refused.command, mode) = (b"STARTTLS".to_vec(), Some(Mode::Commands)),
            Awaited::Resets(name) => {
                self.forget_mail();
                refused.command = name;
            }
            Awaited::Other(name) => refused.command = name,
        }
        if is_refused {
            self.tell(times, refused, None, out);
        } else {
            self.room.give_back(refused.n_own());
        }
        Ok(mode)
    }

    /// The sender of the mail that was announced: what a refused command is about.
    fn envelope(&self) -> SmtpExchange {
        let sender = self.mail.as_ref().map(|mail| mail.sender.clone()).unwrap_or_default();
        SmtpExchange { sender, ..SmtpExchange::default() }
    }

    fn add_content(&mut self, more: &Content) {
        let Some(mail) = &mut self.mail else {
            self.room.give_back(more.bytes.len());
            return;
        };
        let fits = mail.content.bytes.len() + more.bytes.len() <= self.limits.kept_body;
        if !mail.content.is_cut() && fits {
            mail.content.bytes.extend_from_slice(&more.bytes);
        } else {
            self.room.give_back(more.bytes.len());
        }
        mail.content.length += more.length;
        mail.content.has_dots |= more.has_dots;
    }

    fn forget_mail(&mut self) {
        if let Some(mail) = self.mail.take() {
            self.room.give_back(mail.n_kept());
        }
    }

    fn tell_mail(
        &mut self,
        content: &Content,
        reply: Option<(u16, Vec<u8>)>,
        at: Duration,
        out: &mut Vec<Exchange>,
    ) {
        self.add_content(content);
        match self.mail.take() {
            Some(mail) => {
                self.tell((mail.began, Some(at)), SmtpExchange { reply, ..mail.into_exchange() }, None, out);
            }
            // Nobody announced a mail.
            None if reply.as_ref().is_some_and(|(status, _)| *status >= 400) => {
                let refused = SmtpExchange { command: b"DATA".to_vec(), reply, ..SmtpExchange::default() };
                self.tell((at, Some(at)), refused, None, out);
            }
            None => {}
        }
    }

    fn tell(
        &mut self,
        (began, ended): (Duration, Option<Duration>),
        exchange: SmtpExchange,
        error: Option<InteractionError>,
        out: &mut Vec<Exchange>,
    ) {
        self.room.give_back(exchange.n_own());
        let cut = exchange.content.is_cut();
        out.push(Exchange { call: None, began, ended, error, cut, captured: Box::new(exchange) });
    }

    /// A direction ended. `in_content` says that a mail was on its way.
    pub(super) fn end(&mut self, direction: Direction, how: End, in_content: bool, out: &mut Vec<Exchange>) {
        if direction == Direction::ToProvider && how == End::Fin {
            self.consumer_ended = true;
            return;
        }
        let waited = self.consumer_ended && !in_content;
        let error = why_unfinished(how, waited);
        let awaited = std::mem::take(&mut self.awaited);
        let greeting_missed = matches!(awaited.front(), Some(Entry { awaited: Awaited::Greeting, .. }));
        let goes_on = awaited.iter().any(|entry| {
            matches!(
                entry.awaited,
                Awaited::Mail(_)
                    | Awaited::Recipient(_)
                    | Awaited::Data
                    | Awaited::Content(_)
                    | Awaited::Chunk { .. }
            )
        });
        for entry in awaited {
            match entry.awaited {
                Awaited::Mail(sender) => {
                    self.forget_mail();
                    let (recipients, content) = (Vec::new(), Content::default());
                    self.mail = Some(Mail { began: entry.began, sender, recipients, content });
                }
                Awaited::Recipient(recipient) => {
                    if let Some(mail) = &mut self.mail {
                        mail.recipients.push(recipient);
                    }
                }
                Awaited::Content(content) | Awaited::Chunk { content, .. } => self.add_content(&content),
                _ => {}
            }
        }
        if in_content || goes_on {
            let mut content = std::mem::take(&mut self.content);
            content.has_dots = true;
            self.add_content(&content);
            if let Some(mail) = self.mail.take() {
                let began = mail.began;
                self.tell((began, None), mail.into_exchange(), error, out);
                if let Some(exchange) = out.last_mut() {
                    exchange.cut |= in_content;
                }
            }
        } else if greeting_missed && !self.consumer_ended && how != End::Stopped {
            self.tell((Duration::ZERO, None), SmtpExchange::default(), error, out);
        }
    }
}

impl Mail {
    fn n_kept(&self) -> usize {
        self.sender.len() + self.recipients.iter().map(Vec::len).sum::<usize>() + self.content.bytes.len()
    }

    fn into_exchange(self) -> SmtpExchange {
        SmtpExchange {
            sender: self.sender,
            recipients: self.recipients,
            content: self.content,
            ..SmtpExchange::default()
        }
    }
}

/// The address in ` FROM:<ann@x.test> SIZE=10`.
pub(super) fn address(rest: &[u8]) -> &[u8] {
    let begin = memchr::memchr(b':', rest).map_or(0, |colon| colon + 1);
    let rest = rest[begin..].trim_ascii();
    match rest.strip_prefix(b"<") {
        Some(inner) => &inner[..memchr::memchr(b'>', inner).unwrap_or(inner.len())],
        None => &rest[..rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len())],
    }
}

/// ` 1000 LAST`: how many bytes come, and whether they are the last.
pub(super) fn chunk(rest: &[u8]) -> Option<(u64, bool)> {
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let length = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    Some((length, words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"LAST"))))
}
