//! Publishing to AMQP 0-9-1, under confirms: the broker says of each message whether it has taken it. Calls that are no
//! publications (`queue.declare`, `basic.get`) are asked the same way.
//!
//! ```text
//! AMQP 0 0 9 1 ───▶  ◀─── start   start-ok ───▶  ◀─── tune   tune-ok, open ───▶  ◀─── open-ok
//! channel 1    channel.open ───▶  ◀─── open-ok   confirm.select ───▶  ◀─── select-ok
//!              basic.consume amq.rabbitmq.reply-to ───▶  ◀─── consume-ok         only where answers are waited for
//!              basic.publish, header, body ───▶  ◀─── basic.ack, or basic.nack; before it basic.return of what reached nobody
//!                                        ◀─── basic.deliver, header, body        an answer
//! ```

use super::content::{Content, encode};
use super::frame::{self, BODY, HEADER, METHOD};
use super::method::{
    self, ACK, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN, CHANNEL_OPEN_OK, CLOSE, CLOSE_OK,
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

/// confirm.select-ok.
const CONFIRM_SELECT_OK: u32 = CONFIRM_SELECT + 1;

/// The one channel on which all is said.
const CHANNEL: u16 = 1;

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
    /// Where answers are heard.
    listening: Vec<String>,
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
}

impl Publishing {
    pub(super) fn new(sign_in: SignIn) -> Self {
        Self {
            sign_in,
            pending: Pending::default(),
            most_frame: FRAME,
            stage: Stage::Opening,
            coming: None,
            listening: Vec::new(),
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
                self.answers.push(answer(&value));
            } else if let Some(error) = value.get("error") {
                // It is confirmed all the same.
                self.refuse(error);
            }
        }
        if self.stage == Stage::Confirmed && self.answers.len() >= self.n_awaited {
            self.stage = Stage::Free;
            self.came.get_or_insert(Came::Done);
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
        let fields = [
            ("client_properties", about),
            ("mechanism", Value::text("PLAIN")),
            ("response", Value::Text(format!("\0{user}\0{password}"))),
            ("locale", Value::text(locales.split(' ').next().unwrap_or("en_US"))),
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
        frame::put_content(CHANNEL, &properties, body, self.most_frame, &mut bytes);
        self.answers.clear();
        self.n_awaited = *n_answers;
        if *n_answers > 0 && !self.listening.contains(&source) {
            let consume = [("queue", Value::text(source.as_str())), ("no_ack", Value::Bool(true))];
            said(CHANNEL, CONSUME, consume, out);
            self.listening.push(source);
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
