//! What is said and done in a Redis server's place, so that both sides stay in step.
//!
//! Inside MULTI a command that is refused here has to spoil the server's transaction as well; a MULTI that is answered
//! here has to begin there; and an EXEC that is answered here has to end it.

use super::alone::Then;
use super::answer::{self, Said, Shape};
use super::command::{Feed, Kind, Words};
use super::connection::{Push, push_kind};
use super::splitter::{Cutter, Due, Fate, is_about_subscriptions};
use super::value::encode;
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Anew, Behind, Call, NOBODY, Of, Piece, Splitter, Unanswerable, Underway};
use seam_value::Value;

/// An unknown command, which makes a transaction fail as a whole.
const SPOILS: &str = "SEAMWORK.FAULT";

impl Splitter for Cutter {
    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        out.append(&mut self.loose);
        // Whoever decides about a reply does so before more bytes are cut.
        self.past.clear();
        let cut = match direction {
            Direction::ToProvider => {
                self.commands.pending.push(bytes);
                self.commands(out)
            }
            Direction::ToConsumer => {
                self.replies.pending.push(bytes);
                self.replies(out)
            }
        };
        if self.behind == Behind::Nobody {
            // Nobody is there who could get it.
            out.retain(|piece| !matches!((&piece.of, piece.to), (Of::Rest, Direction::ToProvider)));
        }
        cut
    }

    fn lets_go(&self, untouched: bool) -> bool {
        (untouched || !self.in_multi)
            && self.due.is_empty()
            && self.loose.is_empty()
            && self.commands.is_empty()
            && self.replies.is_empty()
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        match direction {
            Direction::ToProvider => self.commands.pending.take_all(),
            Direction::ToConsumer => {
                let loose = std::mem::take(&mut self.loose).into_iter().map(|piece| piece.bytes);
                let gathered = self.due.iter_mut().map(|due| std::mem::take(&mut due.gathered));
                let mut rest: Vec<u8> = loose.chain(gathered).flatten().collect();
                rest.append(&mut self.replies.pending.take_all());
                rest
            }
        }
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let said = answer::read(answer)?;
        if let Some((_, shape)) = self.past.iter().rev().find(|(other, _)| *other == call) {
            // The server's reply is replaced.
            return Ok(match said {
                Said::Error(line) => answer::error(&line),
                Said::Value(value) => answer::encode(value, *shape, self.mode.is_resp3),
            });
        }
        let is_queued = self.due.iter().any(|due| due.call == Some(call) && due.queued);
        if is_queued
            && self.behind == Behind::Provider
            && let Said::Value(value) = said
            && *value != Value::text("QUEUED")
        {
            return Err(Unanswerable::new(
                "inside MULTI a command is answered QUEUED or with an error; give its value to EXEC",
            ));
        }
        let waits = self.has_to_wait(call);
        let Some(taken) = self.take_out(call) else {
            return Err(Unanswerable::new("this command has no reply"));
        };
        let mut bytes = self.say_instead(call, &taken, &said);
        self.say_now(taken.then, Some(call), &mut bytes);
        if waits && let Some(due) = self.due.iter_mut().find(|due| due.call == Some(call)) {
            due.gathered = bytes;
            return Ok(Vec::new());
        }
        Ok(bytes)
    }

    fn instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        if self.behind == Behind::Nobody {
            // Answered in bytes of somebody's own.
            self.forget(call);
            return Vec::new();
        }
        let Some(due) = self.due.iter_mut().find(|due| due.call == Some(call)) else { return Vec::new() };
        due.fate = Fate::None;
        let is_error = matches!(answer::read(answer), Ok(Said::Error(_)));
        let version;
        let words: &[&str] = match due.kind {
            _ if due.queued => {
                if !is_error {
                    return Vec::new();
                }
                &[SPOILS]
            }
            Kind::EndsTransaction => &["DISCARD"],
            Kind::BeginsTransaction if !is_error => &["MULTI"],
            Kind::Resets if !is_error => &["RESET"],
            Kind::Hello(Some(number)) if !is_error => {
                version = number.to_string();
                &["HELLO", &version]
            }
            _ => return Vec::new(),
        };
        let index = self.behind(call);
        self.due.insert(index, Due::unseen());
        encode(words)
    }

    fn forget(&mut self, call: Call) {
        let Some(taken) = self.take_out(call) else { return };
        self.changed(taken.kind, true);
        let mut bytes = Vec::new();
        self.say_now(taken.then, Some(call), &mut bytes);
        if !bytes.is_empty() {
            self.loose.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
        }
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        if self.behind == Behind::Nobody {
            return Err(Unanswerable::new(NOBODY));
        }
        let due = self.due.iter().find(|due| due.call == Some(call) && due.kind == Kind::Call);
        if due.is_none_or(|due| due.queued) || !request.ends_with(b"\n") {
            return Err(Unanswerable::new(
                "a command with one reply, outside of a transaction, that changes nothing on its connection can be sent twice",
            ));
        }
        let index = self.behind(call);
        self.due.insert(index, Due::unseen());
        Ok(request.to_vec())
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let is_message = matches!(message.first(), Some(b'>' | b'*'));
        (is_message && matches!(push_kind(message), Push::Message)).then(|| message.to_vec())
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let as_array = memchr::memchr(b'\n', message.bytes).map_or(&[][..], |end| &message.bytes[end + 1..]);
        let words: Vec<&[u8]> = Words::of_bulks(as_array).collect();
        match (push_kind(message.bytes), words.split_first(), words.split_last()) {
            (Push::Message, Some((kind, fields)), Some((payload, _))) if !fields.is_empty() => {
                let payload = anew.content(payload)?;
                let (_, around) = fields.split_last().unwrap_or((kind, &[]));
                let fields = [around, &[payload.as_slice()]].concat();
                Ok(answer::published(kind, &fields, message.bytes.first() == Some(&b'>')))
            }
            _ => Err(Unanswerable::new("only what is published to a channel can say something else")),
        }
    }

    fn with_body(&self, _: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let mut changed = reply.to_vec();
        // Who has subscribed knows by its first word what comes.
        if matches!(push_kind(reply), Push::Confirmation(_)) {
            return Some(changed);
        }
        for range in super::framing::contents(reply) {
            change(&mut changed[range]);
        }
        Some(changed)
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        let topic = message.get("topic").filter(|topic| **topic != Value::Null);
        let topic = topic.ok_or_else(|| Unanswerable::new("a message of redis needs its topic"))?;
        if self.is_within_reply() {
            return Err(Unanswerable::within());
        }
        let channel = answer::bytes_of(topic);
        let text = message.get("text").filter(|text| **text != Value::Null);
        let payload = answer::bytes_of(text.or_else(|| message.get("body")).unwrap_or(&Value::Null));
        let is_resp3 = self.mode.is_resp3;
        if let Some(pattern) = message.get("pattern").and_then(Value::as_text) {
            let fields = [pattern.as_bytes(), &channel, &payload];
            return Ok(answer::published(b"pmessage", &fields, is_resp3));
        }
        if self.feeds.has(Feed::Channels, &channel) || self.feeds.has_others {
            return Ok(answer::published(b"message", &[&channel, &payload], is_resp3));
        }
        if self.feeds.has(Feed::Shards, &channel) {
            return Ok(answer::published(b"smessage", &[&channel, &payload], is_resp3));
        }
        if let Some(pattern) = self.feeds.pattern_for(&channel) {
            return Ok(answer::published(b"pmessage", &[pattern, &channel, &payload], is_resp3));
        }
        Err(Unanswerable::for_nobody(format!("nobody has subscribed to {} here", topic.to_plain_text())))
    }
}

impl Cutter {
    /// Is something owed before the answer to a call that nobody counts as an open call: a subscription's
    /// confirmation, a blocking pop?
    fn has_to_wait(&self, call: Call) -> bool {
        let before = self.due.iter().take_while(|due| due.call != Some(call));
        before.into_iter().any(|due| match due.fate {
            Fate::Told | Fate::Rest => due.kind == Kind::Waits || is_about_subscriptions(due.kind),
            Fate::None => !due.gathered.is_empty(),
            Fate::Unseen => false,
        })
    }

    /// The command of a call is not passed on.
    fn take_out(&mut self, call: Call) -> Option<Taken> {
        let index = self.due.iter().position(|due| due.call == Some(call) && due.fate == Fate::Told)?;
        let due = &mut self.due[index];
        due.fate = Fate::None;
        let taken = Taken {
            kind: due.kind,
            shape: due.shape,
            queued: due.queued,
            then: std::mem::take(&mut due.then),
        };
        if self.behind == Behind::Nobody {
            self.due.remove(index);
        }
        Some(taken)
    }

    /// What is said to a command that never reached a server.
    fn say_instead(&mut self, call: Call, taken: &Taken, said: &Said<'_>) -> Vec<u8> {
        self.changed(taken.kind, matches!(said, Said::Error(_)));
        let is_resp3 = self.mode.is_resp3;
        let reply = match said {
            Said::Error(line) => answer::error(line),
            Said::Value(value) if is_about_subscriptions(taken.kind) => self.confirm(value),
            Said::Value(value) => answer::encode(value, taken.shape, is_resp3),
        };
        if !taken.queued || self.behind == Behind::Provider {
            return reply;
        }
        let is_error = matches!(said, Said::Error(_));
        if let Some((_, result)) = self.results.iter_mut().find(|(other, _)| *other == call) {
            *result = (!is_error).then(|| reply.clone());
        }
        if is_error { reply } else { b"+QUEUED\r\n".to_vec() }
    }

    /// The confirmations that are said: as given (`["subscribe", "a", 1]`, or several of these).
    fn confirm(&mut self, value: &Value) -> Vec<u8> {
        let one = std::slice::from_ref(value);
        let mut bytes = Vec::new();
        for each in answer::are_several(value).unwrap_or(one) {
            let mut confirmation = answer::encode(each, Shape::Any, self.mode.is_resp3);
            if self.mode.is_resp3 && confirmation.first() == Some(&b'*') {
                confirmation[0] = b'>';
            }
            if let Push::Confirmation(feed) = push_kind(&confirmation) {
                self.note(feed, &confirmation);
            }
            bytes.extend_from_slice(&confirmation);
        }
        bytes
    }

    /// Where something belongs that is sent directly behind the command of a call.
    fn behind(&self, call: Call) -> usize {
        let later = |due: &Due| due.call.is_some_and(|other| other > call);
        match self.due.iter().position(|due| due.call == Some(call)) {
            Some(index) => index + 1,
            None => self.due.iter().position(later).unwrap_or(self.due.len()),
        }
    }
}

/// A command that is answered in the server's place.
struct Taken {
    kind: Kind,
    shape: Shape,
    queued: bool,
    then: Vec<Then>,
}
