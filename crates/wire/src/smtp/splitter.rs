//! An SMTP connection in pieces: one request for each mail, once its content has come.
//!
//! ```text
//! consumer                here                              provider
//! MAIL, RCPT     ──────────────────────────────────────▶    250, 250
//! DATA           ◀── 354
//! content ↵.↵         Request: DATA, held, let go  ─────▶    354
//!                              More: the content   ─────▶    250
//!                ◀────────────────────── Reply ─────────
//! ```
//! A server that was told DATA can only be given a mail: so it is told when the mail is there and let go. Where it has
//! taken no recipient, and with BDAT, everything passes as it is.

use super::connection::{END, Mode, find_end};
use super::reading::SmtpExchange;
use super::session::{Content, address, chunk};
use crate::conversation::{Direction, Limits, Surprise};
use crate::pending::Pending;
use crate::splitter::{Behind, Call, Of, Piece, Splitting};
use std::collections::VecDeque;

/// Cuts one connection.
pub(super) struct Cutter {
    pub(super) limits: Limits,
    pub(super) behind: Behind,
    pub(super) commands: Pending,
    pub(super) replies: Pending,
    /// So many of the bytes of replies that were not looked at have no line end in them.
    pub(super) n_without_end: usize,
    /// What the consumer's bytes are.
    pub(super) mode: Mode,
    pub(super) n_calls: Call,
    /// What the server owes, in order.
    pub(super) due: VecDeque<Due>,
    pub(super) envelope: Option<Envelope>,
    pub(super) mail: Option<Mail>,
    /// Once it was taken it is sent again.
    pub(super) twice: Option<Twice>,
    /// The last call that was told, and whether its reply has come.
    pub(super) last: Option<(Call, bool)>,
    /// The command that announced the content which is coming, as it came.
    announcement: Vec<u8>,
    /// The content that is passing is a mail of its own, not one that passes as it is.
    pub(super) gathers: bool,
    /// The content so far, and how much of it there was, where nobody is behind.
    pub(super) kept: Vec<u8>,
    pub(super) n_passed: usize,
    /// What is said once the mail is answered, where nobody is behind.
    pub(super) owed: Vec<u8>,
    /// What is to be told with the next bytes.
    pub(super) loose: Vec<Piece>,
    /// Was all that the consumer has said passed on as it is? Then nobody knows what replies belong to.
    pub(super) is_left: bool,
}

/// A mail that was announced.
#[derive(Clone, Debug, Default)]
pub(super) struct Envelope {
    pub(super) sender: Vec<u8>,
    pub(super) recipients: Vec<Vec<u8>>,
    /// The commands that announced it, to say them again.
    pub(super) lines: Vec<Vec<u8>>,
}

/// A mail that is to be sent a second time.
pub(super) struct Twice {
    pub(super) call: Call,
    pub(super) lines: Vec<Vec<u8>>,
    pub(super) content: Vec<u8>,
}

/// A mail whose content waits for the server's leave.
pub(super) struct Mail {
    pub(super) call: Call,
    pub(super) content: Vec<u8>,
    /// All of the content has come.
    pub(super) is_whole: bool,
    /// It goes nowhere.
    pub(super) is_dropped: bool,
    /// The server has given leave.
    pub(super) may_pass: bool,
}

/// What one reply is the answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Greeting,
    Mail(Vec<u8>, Vec<u8>),
    Recipient(Vec<u8>, Vec<u8>),
    /// DATA, to which we give leave ourselves once its turn has come.
    OurData,
    /// DATA that passed as it is.
    Data,
    /// DATA that is passed on for a mail.
    DataOf(Call),
    /// The content of a mail.
    ContentOf(Call),
    /// DATA of a mail that its consumer left in the middle of: leave to send it was given here.
    DataLeft,
    /// Content, or a chunk, that passed as it is; is it the last?
    Content(bool),
    Resets,
    Auth,
    StartTls,
    Other,
    /// Something of ours: RSET for a mail that is answered here, the envelope of one that is sent again.
    Unseen,
    /// DATA of a mail that is sent again.
    DataAgain,
    /// What ends one that was sent again.
    EndAgain,
    /// Nothing: the mail is answered here.
    Nothing(Call),
}

/// So many recipients of one mail are told.
pub(super) const MOST_RECIPIENTS: usize = 1000;

const TO_PROVIDER: Direction = Direction::ToProvider;
const TO_CONSUMER: Direction = Direction::ToConsumer;

/// How we give leave to send a mail.
pub(super) const LEAVE: &[u8] = b"354 End data with <CR><LF>.<CR><LF>\r\n";

impl Cutter {
    /// Begins between two commands; the server may not have greeted yet.
    pub(super) fn new(splitting: Splitting, is_greeted: bool) -> Self {
        let owes_greeting = splitting.behind == Behind::Provider && !is_greeted;
        Self {
            limits: splitting.limits,
            behind: splitting.behind,
            commands: Pending::default(),
            replies: Pending::default(),
            n_without_end: 0,
            mode: Mode::Commands,
            n_calls: 0,
            due: owes_greeting.then_some(Due::Greeting).into_iter().collect(),
            envelope: None,
            mail: None,
            twice: None,
            last: None,
            announcement: Vec::new(),
            gathers: false,
            kept: Vec::new(),
            n_passed: 0,
            owed: Vec::new(),
            loose: Vec::new(),
            is_left: false,
        }
    }

    pub(super) fn cut_bytes(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        out.append(&mut self.loose);
        match direction {
            Direction::ToProvider => self.commands.push(bytes),
            Direction::ToConsumer => {
                self.replies.push(bytes);
                self.cut_replies(out)?;
            }
        }
        // Also after a reply: what stands behind a mail waits until that is on its way.
        self.cut_commands(out)
    }

    /// Is no mail under way, and nothing kept?
    pub(super) fn owes_nothing(&self) -> bool {
        let is_empty = |pending: &Pending| pending.seen().is_empty() && pending.unseen().is_empty();
        self.due.is_empty()
            && self.envelope.is_none()
            && self.mail.is_none()
            && self.twice.is_none()
            && self.owed.is_empty()
            && self.loose.is_empty()
            && is_empty(&self.commands)
            && is_empty(&self.replies)
    }

    pub(super) fn rest_of(&mut self, direction: Direction) -> Vec<u8> {
        match direction {
            Direction::ToProvider => {
                let mut rest = Vec::new();
                // The server has not heard of a mail whose content we only gather.
                let is_unannounced = self.gathers && self.mail.is_none() && self.behind == Behind::Provider;
                let is_ours = self.due.contains(&Due::OurData);
                if is_unannounced || is_ours {
                    rest.append(&mut self.announcement);
                    self.due.retain(|due| *due != Due::OurData);
                    self.due.push_back(if is_ours { Due::Data } else { Due::DataLeft });
                }
                (self.gathers, self.is_left) = (false, true);
                let mail = self.mail.take().filter(|mail| !mail.is_dropped);
                rest.append(&mut mail.map(|mail| mail.content).unwrap_or_default());
                rest.append(&mut self.commands.take_all());
                rest
            }
            Direction::ToConsumer => {
                let loose = std::mem::take(&mut self.loose).into_iter().flat_map(|piece| piece.bytes);
                loose.chain(self.replies.take_all()).collect()
            }
        }
    }

    pub(super) fn pass(&mut self, to: Direction, bytes: Vec<u8>, out: &mut Vec<Piece>) {
        let goes_nowhere = to == TO_PROVIDER && self.behind == Behind::Nobody;
        if !bytes.is_empty() && !goes_nowhere {
            out.push(Piece { to, bytes, of: Of::Rest });
        }
    }

    /// Is a mail on its way to the server, so that what stands behind it has to wait?
    fn is_held(&self) -> bool {
        let is_on_its_way = self.twice.is_some() || self.mail.as_ref().is_some_and(|mail| mail.is_whole);
        self.behind == Behind::Provider && is_on_its_way
    }

    fn cut_commands(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        while !self.commands.unseen().is_empty() && !self.is_held() {
            match self.mode {
                Mode::Commands => {
                    if !self.take_line()? {
                        return Ok(());
                    }
                    self.command(out)?;
                }
                Mode::Secret => {
                    if !self.take_line()? {
                        return Ok(());
                    }
                    self.mode = Mode::Waits;
                    let line = self.commands.take();
                    self.pass(TO_PROVIDER, line, out);
                    self.secret_alone(out);
                }
                Mode::Content(n_matched) => self.content(n_matched, out)?,
                Mode::Chunk(left) => {
                    let n_unseen = self.commands.unseen().len();
                    let n_now = usize::try_from(left).map_or(n_unseen, |left| left.min(n_unseen));
                    self.commands.see(n_now);
                    let bytes = self.commands.take();
                    self.pass(TO_PROVIDER, bytes, out);
                    let left = left - n_now as u64;
                    self.mode = if left == 0 { Mode::Commands } else { Mode::Chunk(left) };
                }
                Mode::Waits => return Err(Surprise::new("bytes before the server gave leave")),
            }
        }
        // What waits behind a mail is not endless.
        if self.commands.unseen().len() > self.limits.kept_open {
            return Err(Surprise::new("too much behind a mail"));
        }
        Ok(())
    }

    /// Looks for the end of a line.
    fn take_line(&mut self) -> Result<bool, Surprise> {
        let unseen = self.commands.unseen();
        let line_end = memchr::memchr(b'\n', unseen);
        let n_taken = line_end.map_or(unseen.len(), |line_end| line_end + 1);
        self.commands.see(n_taken);
        if self.commands.seen().len() > self.limits.head {
            return Err(Surprise::new("a line that is too long"));
        }
        Ok(line_end.is_some())
    }

    /// A command is whole.
    fn command(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let line = self.commands.seen().trim_ascii_end();
        let (word, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
        let name = word.to_ascii_uppercase();
        let (rest, word) = (rest.to_vec(), name);
        if self.due.len() >= self.limits.n_open {
            return Err(Surprise::new("too many commands without a reply"));
        }
        if self.behind == Behind::Nobody {
            self.commands.take();
            self.command_alone(&word, &rest, out);
            return Ok(());
        }
        let due = match word.as_slice() {
            b"MAIL" => Due::Mail(short(address(&rest)), self.commands.seen().to_vec()),
            b"RCPT" => Due::Recipient(short(address(&rest)), self.commands.seen().to_vec()),
            b"DATA" => {
                self.mode = Mode::Waits;
                self.announcement = self.commands.take();
                self.due.push_back(Due::OurData);
                self.give_leave(out);
                return Ok(());
            }
            b"BDAT" => {
                let (length, is_last) = chunk(&rest).ok_or_else(|| Surprise::new("BDAT without a length"))?;
                if length > 0 {
                    self.mode = Mode::Chunk(length);
                }
                Due::Content(is_last)
            }
            b"AUTH" => {
                self.mode = Mode::Waits;
                Due::Auth
            }
            b"STARTTLS" => {
                self.mode = Mode::Waits;
                Due::StartTls
            }
            b"HELO" | b"EHLO" | b"LHLO" | b"RSET" => Due::Resets,
            _ => Due::Other,
        };
        let bytes = self.commands.take();
        self.pass(TO_PROVIDER, bytes, out);
        self.due.push_back(due);
        Ok(())
    }

    /// DATA's turn has come: whoever has recipients may send the mail.
    pub(super) fn give_leave(&mut self, out: &mut Vec<Piece>) {
        if self.due.front() != Some(&Due::OurData) {
            return;
        }
        self.due.pop_front();
        if self.envelope.as_ref().is_some_and(|envelope| !envelope.recipients.is_empty()) {
            self.pass(TO_CONSUMER, LEAVE.to_vec(), out);
            self.begin_content();
        } else {
            let announcement = std::mem::take(&mut self.announcement);
            self.pass(TO_PROVIDER, announcement, out);
            self.due.push_front(Due::Data);
        }
    }

    /// A mail's content follows.
    pub(super) fn begin_content(&mut self) {
        (self.mode, self.gathers) = (Mode::Content(2), true);
    }

    /// Content that is passing.
    fn content(&mut self, n_matched: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let (n_taken, n_matched) = find_end(self.commands.unseen(), n_matched);
        self.commands.see(n_taken);
        let is_whole = usize::from(n_matched) == END.len();
        self.mode = if is_whole { Mode::Commands } else { Mode::Content(n_matched) };
        if !self.gathers {
            let bytes = self.commands.take();
            self.pass(TO_PROVIDER, bytes, out);
            if is_whole {
                self.due.push_back(Due::Content(true));
            }
            return Ok(());
        }
        let is_much = self.commands.seen().len() > self.limits.kept_body;
        if !is_whole && !is_much && self.mail.is_none() {
            return Ok(());
        }
        let bytes = self.commands.take();
        self.gathers = !is_whole;
        if self.behind == Behind::Nobody {
            self.content_alone(&bytes, is_whole, out);
            return Ok(());
        }
        match &mut self.mail {
            None => self.offer(bytes, is_whole, out),
            Some(mail) => {
                mail.is_whole = is_whole;
                if mail.may_pass && !mail.is_dropped {
                    let of = Of::More { call: mail.call, whole: is_whole };
                    out.push(Piece { to: TO_PROVIDER, bytes, of });
                } else if !mail.is_dropped {
                    mail.content.extend_from_slice(&bytes);
                    if mail.content.len() > self.limits.kept_open {
                        return Err(Surprise::new("too much of a mail that may not pass yet"));
                    }
                }
                let is_done = mail.is_dropped || mail.may_pass;
                if is_whole && is_done {
                    self.mail = None;
                }
            }
        }
        Ok(())
    }

    /// A mail is there, or as much of it as is gathered.
    fn offer(&mut self, content: Vec<u8>, is_whole: bool, out: &mut Vec<Piece>) {
        self.n_calls += 1;
        let call = self.n_calls;
        let read = Box::new(self.told_mail(&content, is_whole));
        let of = Of::Request { call, whole: is_whole, awaited: true, read };
        out.push(Piece { to: TO_PROVIDER, bytes: std::mem::take(&mut self.announcement), of });
        self.last = Some((call, false));
        self.due.push_back(Due::DataOf(call));
        self.mail = Some(Mail { call, content, is_whole, is_dropped: false, may_pass: false });
    }

    pub(super) fn told_mail(&self, content: &[u8], is_whole: bool) -> SmtpExchange {
        let Envelope { sender, recipients, .. } = self.envelope.clone().unwrap_or_default();
        let n_kept = content.len().min(self.limits.kept_body);
        // What is not there counts as one byte at least.
        let length = content.len() as u64 + u64::from(!is_whole);
        let content = Content { bytes: content[..n_kept].to_vec(), length, has_dots: true };
        SmtpExchange { sender, recipients, content, ..SmtpExchange::default() }
    }
}

/// As much of an address as is told.
pub(super) fn short(address: &[u8]) -> Vec<u8> {
    address[..address.len().min(1024)].to_vec()
}
