//! Publishing to AMQP 0-9-1, under confirms: the broker says of each message whether it has taken it. Calls that are no
//! publications (`queue.declare`, `basic.get`) are asked the same way.
//!
//! ```text
//! AMQP 0 0 9 1 ───▶  ◀─── start   start-ok ───▶  ◀─── tune   tune-ok, open ───▶  ◀─── open-ok
//! channel 1    channel.open ───▶  ◀─── open-ok   confirm.select ───▶  ◀─── select-ok
//!              basic.consume amq.rabbitmq.reply-to ───▶  ◀─── consume-ok         only where answers are waited for
//!              basic.publish, header, body ───▶  ◀─── basic.ack, or basic.nack; before it basic.return of what reached nobody
//!                                        ◀─── basic.deliver, header, body        an answer
//!              basic.cancel ───▶  ◀─── cancel-ok                                what is published there later is not ours
//! ```

use super::content::{Content, encode};
use super::frame::{self, BODY, HEADER, METHOD};
use super::method::{
    self, ACK, CANCEL, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN, CHANNEL_OPEN_OK, CLOSE, CLOSE_OK,
    CONFIRM_SELECT, CONSUME, CONSUME_OK, DELIVER, NACK, OPEN, OPEN_OK, PUBLISH, RETURN, START, START_OK,
    TUNE, TUNE_OK,
};
use super::value::{Reader, put_arguments};
use crate::conversation::Surprise;
use crate::pending::Pending;
use crate::publishing::{Came, MOST, Publication, Publisher, SignIn, answer};
use crate::splitter::Unanswerable;
use seam_value::{Map, Value};

/// What a publication may have besides its topic and its payload.
pub(super) const FIELDS: &[&str] = &["headers", "properties", "exchange", "mandatory", "reply_to"];

/// How RabbitMQ calls the answers to whoever asks, without a queue.
const DIRECT: &str = "amq.rabbitmq.reply-to";

/// basic.cancel-ok.
const CANCEL_OK: u32 = CANCEL + 1;
/// confirm.select-ok.
const CONFIRM_SELECT_OK: u32 = CONFIRM_SELECT + 1;

/// The one channel on which all is said.
const CHANNEL: u16 = 1;

/// The most bytes that a short text has.
const SHORT: usize = 255;

/// The most that a frame has, where the broker leaves that open.
const FRAME: usize = 131_072;

/// One connection.
pub(super) struct Publishing {
    sign_in: SignIn,
    pending: Pending,
    most_frame: usize,
    stage: Stage,
    /// What comes in several frames.
    coming: Option<Content>,
    /// As whom answers are heard, while some are waited for.
    consumer: Option<String>,
    n_consumers: u64,
    /// What waits until answers are heard.
    waiting: Vec<u8>,
    n_awaited: usize,
    answers: Vec<Value>,
    came: Option<Came>,
}

/// How far the last thing that was done has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Opening,
    Free,
    Listening,
    Published,
    Confirmed,
    /// All is there; answers are heard no longer.
    Leaving,
}

impl Publishing {
    pub(super) fn new(sign_in: SignIn) -> Self {
        Self {
            sign_in,
            pending: Pending::default(),
            most_frame: FRAME,
            stage: Stage::Opening,
            coming: None,
            consumer: None,
            n_consumers: 0,
            waiting: Vec::new(),
            n_awaited: 0,
            answers: Vec::new(),
            came: None,
        }
    }

    /// The next frame, once it is whole.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Surprise> {
        let held = self.pending.unseen();
        if held.starts_with(b"AMQP") {
            return Err(Surprise::new("the broker speaks another version of AMQP"));
        }
        let Some(head) = frame::Head::read(held) else { return Ok(None) };
        if head.length > MOST {
            return Err(Surprise::new("a frame that is longer than 256 MiB"));
        }
        if held.len() < head.whole() {
            return Ok(None);
        }
        self.pending.see(head.whole());
        Ok(Some(self.pending.take()))
    }

    fn frame(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        let Some(head) = frame::Head::read(bytes) else { return Ok(()) };
        let payload = frame::payload(bytes)?;
        match head.kind {
            METHOD => self.method(payload, out)?,
            HEADER => {
                if let (Some(content), Some(length)) = (&mut self.coming, payload.get(4..12)) {
                    content.header = payload.to_vec();
                    content.length = length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                }
            }
            BODY => {
                if let Some(content) = &mut self.coming {
                    content.body.extend_from_slice(payload);
                    if content.body.len() > MOST {
                        return Err(Surprise::new("a message that is longer than 256 MiB"));
                    }
                }
            }
            _ => {}
        }
        let is_whole =
            |content: &mut Content| !content.header.is_empty() && content.body.len() as u64 >= content.length;
        if let Some(content) = self.coming.take_if(is_whole) {
            let value = content.to_value(&mut false);
            if value.get("method") == Some(&Value::text("basic.deliver")) {
                // What an earlier question was answered late is no answer to this one.
                let to = value.get("consumer").and_then(Value::as_text);
                if to.is_some() && to == self.consumer.as_deref() {
                    self.answers.push(answer(&value));
                }
            } else if let Some(error) = value.get("error") {
                // It is confirmed all the same.
                self.refuse(error);
            }
        }
        if self.stage == Stage::Confirmed && self.answers.len() >= self.n_awaited {
            if let Some(tag) = self.consumer.take() {
                said(CHANNEL, CANCEL, [("consumer_tag", Value::Text(tag))], out);
                self.stage = Stage::Leaving;
            } else {
                self.done();
            }
        }
        Ok(())
    }

    fn method(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        let Some(method) = frame::method_id(payload).and_then(method::method) else { return Ok(()) };
        let mut arguments = Map::new();
        if !Reader(&payload[4..]).arguments(method.arguments, &mut arguments) {
            return Err(Surprise::new("a method whose arguments can't be read"));
        }
        match method.id {
            START => self.start(&arguments, out),
            TUNE => {
                let frame = arguments.get("frame_max").and_then(Value::as_i64).unwrap_or_default();
                self.most_frame =
                    usize::try_from(frame).ok().filter(|most| *most > 64).unwrap_or(FRAME).min(FRAME);
                let most = Value::from(self.most_frame);
                said(
                    0,
                    TUNE_OK,
                    [("channel_max", Value::from(u64::from(CHANNEL))), ("frame_max", most)],
                    out,
                );
                said(0, OPEN, [("virtual_host", Value::text(self.place()))], out);
            }
            OPEN_OK => said(CHANNEL, CHANNEL_OPEN, [], out),
            CHANNEL_OPEN_OK => said(CHANNEL, CONFIRM_SELECT, [], out),
            CONFIRM_SELECT_OK if self.stage == Stage::Opening => {
                self.stage = Stage::Free;
                self.came = Some(Came::Open);
            }
            CONSUME_OK if self.stage == Stage::Listening => {
                self.stage = Stage::Published;
                out.append(&mut self.waiting);
            }
            DELIVER | RETURN => {
                self.coming = Some(Content { method: payload.to_vec(), ..Content::default() });
            }
            CANCEL_OK if self.stage == Stage::Leaving => self.done(),
            ACK if self.stage == Stage::Published => self.stage = Stage::Confirmed,
            NACK => self.refuse(&Value::map([
                ("code", Value::text("nack")),
                ("text", Value::text("the broker could not take it")),
            ])),
            CLOSE | CHANNEL_CLOSE => {
                let field = |name: &str| arguments.get(name).cloned().unwrap_or_default();
                self.refuse(&Value::map([("code", field("reply_code")), ("text", field("reply_text"))]));
                let (channel, reply) =
                    if method.id == CLOSE { (0, CLOSE_OK) } else { (CHANNEL, CHANNEL_CLOSE_OK) };
                said(channel, reply, [], out);
            }
            _ => {}
        }
        Ok(())
    }

    fn done(&mut self) {
        self.stage = Stage::Free;
        self.came.get_or_insert(Came::Done);
    }

    fn start(&self, arguments: &Map, out: &mut Vec<u8>) {
        let SignIn { user, password, name, .. } = &self.sign_in;
        let (user, password) = (user.as_deref().unwrap_or("guest"), password.as_deref().unwrap_or("guest"));
        let yes = || Value::Bool(true);
        // One who is not let in is told so, and not only left.
        let capabilities =
            Value::map([("authentication_failure_close", yes()), ("publisher_confirms", yes())]);
        let about = Value::map([
            ("product", Value::text("Seamwork")),
            ("connection_name", Value::text(name)),
            ("capabilities", capabilities),
        ]);
        let locales = arguments.get("locales").map(Value::to_plain_text).unwrap_or_default();
        let is_sayable = |locale: &&str| (1..=SHORT).contains(&locale.len());
        let locale = locales.split(' ').find(is_sayable).unwrap_or("en_US");
        let fields = [
            ("client_properties", about),
            ("mechanism", Value::text("PLAIN")),
            ("response", Value::Text(format!("\0{user}\0{password}"))),
            ("locale", Value::text(locale)),
        ];
        said(0, START_OK, fields, out);
    }

    /// The virtual host: that of the address, or the one that is there from the beginning.
    fn place(&self) -> &str {
        if self.sign_in.place.is_empty() { "/" } else { &self.sign_in.place }
    }

    fn refuse(&mut self, error: &Value) {
        let field = |name: &str| error.get(name).cloned().unwrap_or_default();
        let message = field("text").to_plain_text();
        self.came = Some(Came::Refused { code: field("code"), message });
    }
}

/// Writes a method of ours, whose fields fit.
fn said<const N: usize>(channel: u16, id: u32, fields: [(&str, Value); N], out: &mut Vec<u8>) {
    let map: Map = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let method = method::method(id).expect("it is in the table");
    let mut arguments = Vec::new();
    put_arguments(method.arguments, &map, &mut arguments).expect("these fields fit");
    frame::put_method(channel, id, &arguments, out);
}

impl Publisher for Publishing {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        if self.place().len() > SHORT {
            return Err(Unanswerable::new("a virtual host has at most 255 bytes"));
        }
        out.extend_from_slice(frame::PROTOCOL);
        Ok(())
    }

    fn publish(&mut self, publication: &Publication, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let Publication { topic, fields, body, n_answers } = publication;
        let field = |name: &str| fields.get(name).filter(|value| **value != Value::Null);
        let mut said_so = fields.clone();
        let mut properties = match field("properties") {
            None => Map::new(),
            Some(Value::Map(map)) => map.clone(),
            Some(other) => return Err(Unanswerable::new(format!("properties is a map, not {other}"))),
        };
        let reply_to = field("reply_to").or_else(|| properties.get("reply_to")).map(Value::to_plain_text);
        // Answers come without a queue, or to a queue that is there.
        let source = reply_to.clone().unwrap_or_else(|| DIRECT.to_owned());
        if source.len() > SHORT {
            return Err(Unanswerable::new("reply_to has at most 255 bytes"));
        }
        if *n_answers > 0 || reply_to.is_some() {
            properties.insert("reply_to".to_owned(), Value::text(source.as_str()));
        }
        said_so.insert("properties".to_owned(), Value::Map(properties));
        let (properties, _) = encode(&said_so)?;
        let method = method::method(PUBLISH).expect("it is in the table");
        let mut map = Map::new();
        map.insert("routing_key".to_owned(), Value::text(topic));
        for name in ["exchange", "mandatory"] {
            map.insert(name.to_owned(), field(name).cloned().unwrap_or_default());
        }
        let mut arguments = Vec::new();
        put_arguments(method.arguments, &map, &mut arguments)?;
        let mut bytes = Vec::new();
        frame::put_method(CHANNEL, PUBLISH, &arguments, &mut bytes);
        frame::put_content(
            CHANNEL,
            &properties,
            body.as_deref().unwrap_or_default(),
            self.most_frame,
            &mut bytes,
        );
        self.answers.clear();
        self.n_awaited = *n_answers;
        if *n_answers > 0 {
            self.n_consumers += 1;
            let tag = format!("seam-{}", self.n_consumers);
            let consume = [
                ("queue", Value::Text(source)),
                ("consumer_tag", Value::text(&tag)),
                ("no_ack", Value::Bool(true)),
            ];
            said(CHANNEL, CONSUME, consume, out);
            self.consumer = Some(tag);
            (self.stage, self.waiting) = (Stage::Listening, bytes);
        } else {
            self.stage = Stage::Published;
            out.append(&mut bytes);
        }
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        self.pending.push(bytes);
        while let Some(frame) = self.next()? {
            self.frame(&frame, out)?;
        }
        Ok(())
    }

    fn came(&mut self) -> Option<Came> {
        self.came.take()
    }

    fn told(&mut self) -> Map {
        Map::from_iter([("messages".to_owned(), Value::List(std::mem::take(&mut self.answers)))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publishing(place: &str) -> Publishing {
        Publishing::new(SignIn { place: place.to_owned(), ..SignIn::default() })
    }

    fn said_by<const N: usize>(channel: u16, id: u32, fields: [(&str, Value); N]) -> Vec<u8> {
        let mut bytes = Vec::new();
        said(channel, id, fields, &mut bytes);
        bytes
    }

    fn delivery(tag: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = said_by(CHANNEL, DELIVER, [("consumer_tag", Value::text(tag))]);
        frame::put_content(CHANNEL, &[0, 0], body, FRAME, &mut bytes);
        bytes
    }

    /// Hears this, and gives the methods that were said to it.
    fn hear(publishing: &mut Publishing, bytes: &[u8]) -> Vec<&'static str> {
        let mut out = Vec::new();
        publishing.hear(bytes, &mut out).unwrap();
        methods(&out)
    }

    fn methods(mut bytes: &[u8]) -> Vec<&'static str> {
        let mut names = Vec::new();
        while let Some(head) = frame::Head::read(bytes) {
            let (one, rest) = bytes.split_at(head.whole());
            if head.kind == METHOD {
                let id = frame::method_id(frame::payload(one).unwrap()).unwrap();
                names.push(method::method(id).unwrap().name);
            }
            bytes = rest;
        }
        names
    }

    #[test]
    fn whatever_a_broker_says_of_its_languages_one_is_said() {
        for (locales, expect) in [
            ("de_DE en_US".to_owned(), "de_DE"),
            (String::new(), "en_US"),
            ("x".repeat(300), "en_US"),
            (format!("{} de_DE", "x".repeat(300)), "de_DE"),
        ] {
            let mut publishing = publishing("");
            let start = said_by(0, START, [("locales", Value::text(&locales))]);
            let mut out = Vec::new();
            publishing.hear(&start, &mut out).unwrap();
            assert_eq!(methods(&out), ["connection.start-ok"]);
            let last = [&[5][..], expect.as_bytes(), &[0xCE]].concat();
            assert!(out.ends_with(&last), "{locales}");
        }
    }

    #[test]
    fn what_is_too_long_to_be_said_is_no_panic() {
        let long = "x".repeat(256);
        let wrong = publishing(&long).begin(&mut Vec::new()).unwrap_err();
        assert_eq!(wrong.reason, "a virtual host has at most 255 bytes");
        let fields = Map::from_iter([("reply_to".to_owned(), Value::text(&long))]);
        let publication = Publication { fields, n_answers: 1, ..Publication::default() };
        let wrong = publishing("").publish(&publication, &mut Vec::new()).unwrap_err();
        assert_eq!(wrong.reason, "reply_to has at most 255 bytes");
    }

    /// Each question has a consumer of its own, who is no longer one once it is answered.
    #[test]
    fn a_queue_is_listened_to_only_while_its_answers_are_waited_for() {
        let mut publishing = publishing("");
        publishing.stage = Stage::Free;
        for (tag, late) in [("seam-1", "seam-0"), ("seam-2", "seam-1")] {
            let fields = Map::from_iter([("reply_to".to_owned(), Value::text("q"))]);
            let publication = Publication { fields, n_answers: 1, ..Publication::default() };
            let mut out = Vec::new();
            publishing.publish(&publication, &mut out).unwrap();
            assert_eq!(methods(&out), ["basic.consume"]);
            assert_eq!(hear(&mut publishing, &said_by(CHANNEL, CONSUME_OK, [])), ["basic.publish"]);
            assert!(hear(&mut publishing, &said_by(CHANNEL, ACK, [])).is_empty());
            assert!(hear(&mut publishing, &delivery(late, b"late")).is_empty());
            assert_eq!(publishing.came(), None);
            assert_eq!(hear(&mut publishing, &delivery(tag, b"now")), ["basic.cancel"]);
            assert!(hear(&mut publishing, &delivery(tag, b"one more")).is_empty());
            assert_eq!(publishing.came(), None);
            assert!(hear(&mut publishing, &said_by(CHANNEL, CANCEL_OK, [])).is_empty());
            assert_eq!(publishing.came(), Some(Came::Done));
            let told = publishing.told();
            let messages = told["messages"].as_list().unwrap();
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].get("text"), Some(&Value::text("now")));
        }
        let mut out = Vec::new();
        publishing.publish(&Publication::default(), &mut out).unwrap();
        assert_eq!(methods(&out), ["basic.publish"]);
        assert!(hear(&mut publishing, &said_by(CHANNEL, ACK, [])).is_empty());
        assert_eq!(publishing.came(), Some(Came::Done));
    }
}
