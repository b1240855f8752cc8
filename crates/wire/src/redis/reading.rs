//! The kept bytes of one Redis exchange to the fields that tests name.

use super::answer::Shape;
use super::command::Words;
use super::value::{Reader, pairs_to_map, text_of};
use crate::body;
use crate::conversation::{Captured, Limits, Parts};
use seam_value::{Map, Value};

/// One exchange, as kept: the command's bytes, and behind them those of its replies.
#[derive(Clone, Debug, Default)]
pub(super) struct RedisExchange {
    pub(super) bytes: Vec<u8>,
    pub(super) request_end: usize,
    /// Did more pass than was kept?
    pub(super) cut: bool,
    pub(super) is_push: bool,
}

impl RedisExchange {
    pub(super) fn request(&self) -> &[u8] {
        &self.bytes[..self.request_end]
    }

    pub(super) fn reply(&self) -> &[u8] {
        &self.bytes[self.request_end..]
    }
}

impl Captured for RedisExchange {
    fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        if self.is_push {
            return Parts { message: read_push(&self.bytes), ..Parts::default() };
        }
        let (request, command) = read_request(self.request());
        let (reply, cut) = read_reply(self.reply(), command == "HGETALL");
        Parts { request, reply, message: Value::Null, cut: cut || self.cut }
    }
}

/// One part of an exchange by itself, as a splitter has it.
#[derive(Debug)]
pub(super) struct Kept {
    part: Part,
    bytes: Vec<u8>,
    cut: bool,
}

/// Which part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Request,
    /// The reply to a command with replies of this form.
    Reply(Shape),
    Push,
}

impl Kept {
    /// As much of the bytes as is kept. `is_whole` says that no more of it comes.
    pub(super) fn new(part: Part, bytes: &[u8], limits: Limits, is_whole: bool) -> Self {
        let n_kept = bytes.len().min(limits.kept_body);
        Self { part, bytes: bytes[..n_kept].to_vec(), cut: n_kept < bytes.len() || !is_whole }
    }
}

impl Captured for Kept {
    fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut parts = Parts { cut: self.cut, ..Parts::default() };
        match self.part {
            Part::Request => parts.request = read_request(&self.bytes).0,
            Part::Reply(shape) => {
                let (reply, cut) = read_reply(&self.bytes, shape == Shape::Hash);
                (parts.reply, parts.cut) = (reply, parts.cut || cut);
            }
            Part::Push => parts.message = read_push(&self.bytes),
        }
        parts
    }
}

fn read_request(bytes: &[u8]) -> (Value, String) {
    let mut words: Vec<&[u8]> = Words::new(bytes).collect();
    if words.is_empty() {
        return (Value::Null, String::new());
    }
    let command = String::from_utf8_lossy(words.remove(0)).to_uppercase();
    let hidden = hidden(&command, &words);
    let args = words.iter().zip(hidden);
    let args = args.map(|(word, is_hidden)| if is_hidden { Value::text(HIDDEN) } else { text_of(word) });
    let args = Value::List(args.collect());
    (Value::map([("command", Value::text(command.clone())), ("args", args)]), command)
}

/// What stands in the place of a password.
const HIDDEN: &str = "«password»";

/// Which arguments are passwords.
fn hidden(command: &str, args: &[&[u8]]) -> Vec<bool> {
    let is = |index: usize, word: &str| {
        args.get(index).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    let follows = |index: usize, distance: usize, words: &[&str]| {
        index.checked_sub(distance).is_some_and(|index| words.iter().any(|word| is(index, word)))
    };
    let is_hidden = |index: usize| match command {
        "AUTH" => index + 1 == args.len(),
        "HELLO" => follows(index, 2, &["AUTH"]),
        "MIGRATE" => follows(index, 1, &["AUTH"]) || follows(index, 2, &["AUTH2"]),
        "CONFIG" => follows(index, 1, &["requirepass", "masterauth", "tls-key-file-pass"]),
        "ACL" => is(0, "SETUSER") && args[index].first().is_some_and(|first| b"><#!".contains(first)),
        _ => false,
    };
    (0..args.len()).map(is_hidden).collect()
}

fn read_reply(bytes: &[u8], is_hash: bool) -> (Value, bool) {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::new();
    let mut error = Value::Null;
    while let Some(reply) = reader.reply() {
        match reply.error {
            Some(text) => error = Value::Text(text),
            None => values.push(reply.value),
        }
    }
    let cut = reader.cut;
    if values.is_empty() && error == Value::Null {
        return (Value::Null, cut);
    }
    // Only a subscription has several, one for each channel.
    let value = if values.len() > 1 { Value::List(values) } else { values.pop().unwrap_or_default() };
    let value = if is_hash { pairs_to_map(value) } else { value };
    (Value::map([("value", value), ("error", error)]), cut)
}

/// A push: `message channel payload`, `pmessage pattern channel payload`, or of another kind; or a line of
/// MONITOR.
fn read_push(bytes: &[u8]) -> Value {
    let pushed = Reader::new(bytes).reply().map(|reply| reply.value).unwrap_or_default();
    let Value::List(values) = pushed else {
        return Value::map([("topic", Value::text("monitor")), ("body", pushed.clone()), ("text", pushed)]);
    };
    let mut map = Map::default();
    let field = |index: usize| values.get(index).cloned().unwrap_or_default();
    let payload = match values.first().and_then(Value::as_text) {
        Some("message" | "smessage") => {
            map.insert("topic".to_owned(), field(1));
            field(2)
        }
        Some("pmessage") => {
            map.insert("topic".to_owned(), field(2));
            map.insert("pattern".to_owned(), field(1));
            field(3)
        }
        _ => {
            map.insert("topic".to_owned(), field(0));
            map.insert("body".to_owned(), Value::List(values.iter().skip(1).cloned().collect()));
            return Value::Map(map);
        }
    };
    let (body, text) = match &payload {
        Value::Text(text) => {
            let decoded = body::decode(None, None, text.as_bytes(), body::MAX_UNPACKED);
            (decoded.value, payload)
        }
        _ => (payload, Value::Null),
    };
    map.insert("body".to_owned(), body);
    map.insert("text".to_owned(), text);
    Value::Map(map)
}
