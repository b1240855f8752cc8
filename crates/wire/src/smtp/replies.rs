//! What an SMTP server says: each reply belongs to what it owes first.

use super::connection::Mode;
use super::reading::SmtpExchange;
use super::splitter::{Cutter, Due, Envelope, MOST_RECIPIENTS};
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Call, Of, Piece};

const TO_PROVIDER: Direction = Direction::ToProvider;
const TO_CONSUMER: Direction = Direction::ToConsumer;

impl Cutter {
    /// Looks at what the server has said, line by line.
    pub(super) fn cut_replies(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        loop {
            let unseen = self.replies.unseen();
            let from = self.n_without_end.min(unseen.len());
            let line_end = memchr::memchr(b'\n', &unseen[from..]).map(|line_end| from + line_end);
            self.n_without_end = if line_end.is_some() { 0 } else { unseen.len() };
            let Some(line_end) = line_end else {
                let n_unseen = unseen.len();
                if self.replies.seen().len() + n_unseen > self.limits.head.max(self.limits.kept_body) {
                    return Err(Surprise::new("a line that is too long"));
                }
                return Ok(());
            };
            let (status, goes_on) = match &unseen[..line_end] {
                [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
                    let status =
                        [a, b, c].into_iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
                    (status, rest.first() == Some(&b'-'))
                }
                _ => return Err(Surprise::new("a reply without a status")),
            };
            self.replies.see(line_end + 1);
            if self.replies.seen().len() > self.limits.head.max(self.limits.kept_body) {
                return Err(Surprise::new("a reply that is too long"));
            }
            if !goes_on {
                self.replied(status, out)?;
                self.give_leave(out);
            }
        }
    }

    /// A reply is whole.
    fn replied(&mut self, status: u16, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        while matches!(self.due.front(), Some(Due::Nothing(_))) {
            self.due.pop_front();
        }
        let is_refused = status >= 400;
        let due = self.due.pop_front();
        if due.is_none() && !is_refused && !self.is_left {
            return Err(Surprise::new("a reply that nobody asked for"));
        }
        let bytes = self.replies.take();
        match due {
            Some(Due::Unseen) => return Ok(()),
            // The consumer has heard it from us.
            Some(Due::DataLeft) if status == 354 => return Ok(()),
            Some(Due::DataAgain) => {
                self.send_content_again(status, out);
                return Ok(());
            }
            Some(Due::EndAgain) => {
                self.twice = None;
                return Ok(());
            }
            Some(Due::DataOf(call)) => {
                self.data_replied(call, status, bytes, out);
                return Ok(());
            }
            Some(Due::ContentOf(call)) => {
                self.envelope = None;
                self.tell_reply(call, bytes, out);
                self.send_again(call, is_refused, out);
                return Ok(());
            }
            _ => {}
        }
        self.pass(TO_CONSUMER, bytes, out);
        match due {
            Some(Due::Mail(sender, line)) if !is_refused => {
                self.envelope = Some(Envelope { sender, recipients: Vec::new(), lines: vec![line] });
            }
            Some(Due::Recipient(recipient, line)) if !is_refused => {
                if let Some(envelope) = &mut self.envelope
                    && envelope.recipients.len() < MOST_RECIPIENTS
                {
                    envelope.recipients.push(recipient);
                    envelope.lines.push(line);
                }
            }
            Some(Due::Data) if status == 354 => (self.mode, self.gathers) = (Mode::Content(2), false),
            Some(Due::Auth) if status == 334 => {
                self.due.push_front(Due::Auth);
                self.mode = Mode::Secret;
            }
            Some(Due::StartTls) if !is_refused => return Err(Surprise::new("TLS from here on")),
            Some(Due::Data | Due::Auth | Due::StartTls) => self.mode = Mode::Commands,
            Some(Due::Resets | Due::Content(true)) => self.envelope = None,
            _ => {}
        }
        Ok(())
    }

    /// The server gives leave for a mail that is let go, or does not.
    fn data_replied(&mut self, call: Call, status: u16, bytes: Vec<u8>, out: &mut Vec<Piece>) {
        if status != 354 {
            self.twice = None;
            if let Some(mail) = &mut self.mail {
                (mail.is_dropped, mail.content) = (true, Vec::new());
            }
            self.mail.take_if(|mail| mail.is_whole);
            self.tell_reply(call, bytes, out);
            return;
        }
        self.due.push_front(Due::ContentOf(call));
        let Some(mail) = &mut self.mail else { return };
        mail.may_pass = true;
        let content = std::mem::take(&mut mail.content);
        let of = Of::More { call, whole: mail.is_whole };
        out.push(Piece { to: TO_PROVIDER, bytes: content, of });
        self.mail.take_if(|mail| mail.is_whole);
    }

    /// A mail was taken. Is it to be sent again?
    fn send_again(&mut self, call: Call, is_refused: bool, out: &mut Vec<Piece>) {
        let Some(twice) = self.twice.as_mut().filter(|twice| twice.call == call) else { return };
        if is_refused {
            self.twice = None;
            return;
        }
        let lines = std::mem::take(&mut twice.lines);
        self.due.extend(lines.iter().map(|_| Due::Unseen));
        self.due.push_back(Due::DataAgain);
        let mut bytes = lines.concat();
        bytes.extend_from_slice(b"DATA\r\n");
        self.pass(TO_PROVIDER, bytes, out);
    }

    /// The server gives leave to send it again, or does not.
    fn send_content_again(&mut self, status: u16, out: &mut Vec<Piece>) {
        let content = self.twice.as_mut().map(|twice| std::mem::take(&mut twice.content));
        let bytes = if status == 354 { content.unwrap_or_default() } else { b"RSET\r\n".to_vec() };
        self.due.push_front(Due::EndAgain);
        self.pass(TO_PROVIDER, bytes, out);
    }

    pub(super) fn tell_reply(&mut self, call: Call, bytes: Vec<u8>, out: &mut Vec<Piece>) {
        let read = Box::new(SmtpExchange { reply: Some(read_reply(&bytes)), ..SmtpExchange::default() });
        if let Some((last, has_reply)) = &mut self.last
            && *last == call
        {
            *has_reply = true;
        }
        let of = Of::Reply { call, whole: true, awaited: true, read };
        out.push(Piece { to: TO_CONSUMER, bytes, of });
    }
}

/// The status and the words of a reply's lines.
fn read_reply(bytes: &[u8]) -> (u16, Vec<u8>) {
    let mut words = Vec::new();
    let mut status = 0;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| line.len() > 3) {
        status =
            std::str::from_utf8(&line[..3]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(status);
        words.extend_from_slice(line.get(4..).unwrap_or_default().trim_ascii_end());
        words.push(b'\n');
    }
    (status, words.trim_ascii_end().to_vec())
}
