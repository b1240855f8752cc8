//! Publishing to AMQP 0-9-1, under confirms: the broker says of each message whether it has taken it. Queues and exchanges
//! may be declared before.
//!
//! ```text
//! AMQP 0 0 9 1 ───▶  ◀─── start   start-ok ───▶  ◀─── tune   tune-ok, open ───▶  ◀─── open-ok
//! channel 1    channel.open ───▶  ◀─── open-ok   confirm.select ───▶  ◀─── select-ok
//!              basic.consume amq.rabbitmq.reply-to ───▶  ◀─── consume-ok         only where answers are waited for
//!              of a queue: basic.qos 1 before it, so that no more is taken than is waited for
//!              queue.declare, queue.bind … ───▶  ◀─── declare-ok, bind-ok              only where something is declared
//!              basic.publish, header, body ───▶  ◀─── basic.ack, or basic.nack; before it basic.return of what reached nobody
//!                                        ◀─── basic.deliver, header, body        an answer; of a queue: basic.ack ───▶
//!              basic.cancel ───▶  ◀─── cancel-ok                                what is published there later is not ours
//! ```

use super::content::{Content, encode};
use super::frame::{self, BODY, HEADER, METHOD};
use super::method::{
    self, ACK, CANCEL, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN, CHANNEL_OPEN_OK, CLOSE, CLOSE_OK,
    CONFIRM_SELECT, CONSUME, CONSUME_OK, DELIVER, NACK, OPEN, OPEN_OK, PUBLISH, QOS, RETURN, START, START_OK,
    TUNE, TUNE_OK,
};
use super::value::{Reader, put_arguments};
use crate::conversation::Surprise;
use crate::pending::Pending;
use crate::publishing::{Came, MOST, Publication, Publisher, SignIn, answer, next};
use crate::splitter::Unanswerable;
use seam_value::{Map, Value};

/// What a publication may have besides its topic and its payload.
pub(super) const FIELDS: &[&str] = &["headers", "properties", "exchange", "mandatory", "reply_to", "declare"];

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
    /// The number of what is being delivered; none where the broker wants to hear no more of it.
    delivered: Option<Value>,
    /// Does the broker want to hear what was taken?
    acknowledges: bool,
    /// The last answer is acknowledged when nothing more can come: before, the next would be taken, too.
    last: Option<Value>,
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
    /// So many declarations are to be answered.
    Declaring(usize),
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
            delivered: None,
            acknowledges: false,
            last: None,
            waiting: Vec::new(),
            n_awaited: 0,
            answers: Vec::new(),
            came: None,
        }
    }

    /// The next frame, once it is whole.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Surprise> {
        let whole = |held: &[u8]| {
            if held.starts_with(b"AMQP") {
                return Err(Surprise::new("the broker speaks another version of AMQP"));
            }
            Ok(frame::Head::read(held).map(frame::Head::whole))
        };
        next(&mut self.pending, whole, "a frame")
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
                    self.answered(&value, out);
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
        let mut arguments = Map::default();
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
            id if is_about_queues(id) => {
                if let Stage::Declaring(n_missing) = &mut self.stage {
                    *n_missing -= 1;
                    if *n_missing == 0 {
                        self.done();
                    }
                }
            }
            CONSUME_OK if self.stage == Stage::Listening => {
                self.stage = Stage::Published;
                out.append(&mut self.waiting);
            }
            DELIVER | RETURN => {
                self.delivered = arguments.get("delivery_tag").cloned();
                self.coming = Some(Content { method: payload.to_vec(), ..Content::default() });
            }
            CANCEL_OK if self.stage == Stage::Leaving => {
                if let Some(tag) = self.last.take() {
                    said(CHANNEL, ACK, [("delivery_tag", tag)], out);
                }
                self.done();
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

    fn answered(&mut self, message: &Value, out: &mut Vec<u8>) {
        let tag = self.delivered.take().filter(|_| self.acknowledges);
        let n_missing = self.n_awaited.saturating_sub(self.answers.len());
        if n_missing > 0 {
            self.answers.push(answer(message));
        }
        let Some(tag) = tag else { return };
        match n_missing {
            0 => said(CHANNEL, NACK, [("delivery_tag", tag), ("requeue", Value::Bool(true))], out),
            1 => self.last = Some(tag),
            _ => said(CHANNEL, ACK, [("delivery_tag", tag)], out),
        }
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

/// Is this a method of the classes `exchange` and `queue`?
fn is_about_queues(id: u32) -> bool {
    matches!(id >> 16, 40 | 50)
}

/// Writes one call about queues or exchanges, by the fields that an interaction has. It is always answered: whoever is not
/// told does not know when it is done.
fn put_call(call: &Value, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
    let name = call.get("method").and_then(Value::as_text).unwrap_or_default();
    let is_it = |method: &&method::Method| {
        method.name == name && is_about_queues(method.id) && !method.replies.is_empty()
    };
    let method = method::METHODS.iter().find(is_it).ok_or_else(|| {
        Unanswerable::new(format!(
            "`{call}` declares nothing: its `method` is `queue.declare`, `exchange.declare`, `queue.bind` or such a one"
        ))
    })?;
    let mut fields = call.as_map().cloned().unwrap_or_default();
    fields.shift_remove("method");
    fields.shift_remove("nowait");
    let is_known = |key: &&String| method.arguments.iter().any(|(name, _)| *name == key.as_str());
    if let Some(stray) = fields.keys().find(|key| !is_known(key)) {
        return Err(Unanswerable::new(format!("{name} has no {stray}")));
    }
    let mut arguments = Vec::new();
    put_arguments(method.arguments, &fields, &mut arguments)?;
    frame::put_method(CHANNEL, method.id, &arguments, out);
    Ok(())
}

impl Publisher for Publishing {
    fn declare(&mut self, calls: &[Value], out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let mut bytes = Vec::new();
        calls.iter().try_for_each(|call| put_call(call, &mut bytes))?;
        self.stage = Stage::Declaring(calls.len());
        if calls.is_empty() {
            self.done();
        }
        out.append(&mut bytes);
        Ok(())
    }

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
            None => Map::default(),
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
        let mut map = Map::default();
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
            // Answers without a queue can't be acknowledged.
            self.acknowledges = source != DIRECT;
            if self.acknowledges {
                said(CHANNEL, QOS, [("prefetch_count", Value::from(1_u64))], out);
            }
            let consume = [
                ("queue", Value::Text(source)),
                ("consumer_tag", Value::text(&tag)),
                ("no_ack", Value::Bool(!self.acknowledges)),
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
        let fields = [("consumer_tag", Value::text(tag)), ("delivery_tag", Value::from(7_u64))];
        let mut bytes = said_by(CHANNEL, DELIVER, fields);
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
        let wrong = publishing("").publish(&asking(&long, 1), &mut Vec::new()).unwrap_err();
        assert_eq!(wrong.reason, "reply_to has at most 255 bytes");
    }

    fn asking(reply_to: &str, n_answers: usize) -> Publication {
        let fields = Map::from_iter([("reply_to".to_owned(), Value::text(reply_to))]);
        Publication { fields, n_answers, ..Publication::default() }
    }

    /// All is asked at once, and it is done when all is answered.
    #[test]
    fn what_is_declared_is_waited_for() {
        let calls = |text: &str| seam_value::parse(text).unwrap().as_list().unwrap().to_vec();
        let mut publishing = publishing("");
        publishing.stage = Stage::Free;
        let mut out = Vec::new();
        let two = calls(
            r#"[{"method":"queue.declare","queue":"q","durable":true,"nowait":true,"arguments":{"x-max-length":5}},
                {"method":"queue.bind","queue":"q","exchange":"amq.topic","routing_key":"a.*"}]"#,
        );
        publishing.declare(&two, &mut out).unwrap();
        assert_eq!(methods(&out), ["queue.declare", "queue.bind"]);
        let named = |name: &str| method::METHODS.iter().find(|method| method.name == name).unwrap().id;
        hear(&mut publishing, &said_by(CHANNEL, named("queue.declare-ok"), []));
        assert_eq!(publishing.came(), None);
        hear(&mut publishing, &said_by(CHANNEL, named("queue.bind-ok"), []));
        assert_eq!(publishing.came(), Some(Came::Done));
        for (text, expect) in [
            (r#"[{"method":"basic.get","queue":"q"}]"#, "declares nothing"),
            (r#"["q"]"#, "declares nothing"),
            (r#"[{"method":"queue.declare","name":"q"}]"#, "queue.declare has no name"),
        ] {
            let mut out = Vec::new();
            let wrong = publishing.declare(&calls(text), &mut out).unwrap_err();
            assert!(wrong.reason.contains(expect) && out.is_empty(), "{}", wrong.reason);
        }
    }

    /// A queue gives as many as are waited for, however many there are; what a broker gives beyond them goes back.
    #[test]
    fn no_more_is_taken_than_is_waited_for() {
        let mut publishing = publishing("");
        publishing.stage = Stage::Free;
        publishing.publish(&asking("q", 2), &mut Vec::new()).unwrap();
        assert_eq!(hear(&mut publishing, &said_by(CHANNEL, CONSUME_OK, [])), ["basic.publish"]);
        let mut come = |body: &[u8]| hear(&mut publishing, &delivery("seam-1", body));
        assert_eq!(come(b"one"), ["basic.ack"]);
        assert!(come(b"two").is_empty(), "or the next would come");
        assert_eq!(come(b"three"), ["basic.nack"]);
        assert_eq!(hear(&mut publishing, &said_by(CHANNEL, ACK, [])), ["basic.cancel"]);
        assert_eq!(hear(&mut publishing, &said_by(CHANNEL, CANCEL_OK, [])), ["basic.ack"]);
        assert_eq!(publishing.came(), Some(Came::Done));
        let told = publishing.told();
        let texts =
            told["messages"].as_list().unwrap().iter().map(|one| one.get("text").unwrap().to_plain_text());
        assert_eq!(texts.collect::<Vec<_>>(), ["one", "two"]);
        // Answers without a queue are not acknowledged.
        let mut out = Vec::new();
        let publication = Publication { n_answers: 1, ..Publication::default() };
        publishing.publish(&publication, &mut out).unwrap();
        assert_eq!(methods(&out), ["basic.consume"]);
        hear(&mut publishing, &[said_by(CHANNEL, CONSUME_OK, []), said_by(CHANNEL, ACK, [])].concat());
        assert_eq!(hear(&mut publishing, &delivery("seam-2", b"here")), ["basic.cancel"]);
        assert!(hear(&mut publishing, &said_by(CHANNEL, CANCEL_OK, [])).is_empty());
    }

    /// Each question has a consumer of its own, who is no longer one once it is answered.
    #[test]
    fn a_queue_is_listened_to_only_while_its_answers_are_waited_for() {
        let mut publishing = publishing("");
        publishing.stage = Stage::Free;
        for (tag, late) in [("seam-1", "seam-0"), ("seam-2", "seam-1")] {
            let publication = asking("q", 1);
            let mut out = Vec::new();
            publishing.publish(&publication, &mut out).unwrap();
            assert_eq!(methods(&out), ["basic.qos", "basic.consume"]);
            assert_eq!(hear(&mut publishing, &said_by(CHANNEL, CONSUME_OK, [])), ["basic.publish"]);
            assert!(hear(&mut publishing, &said_by(CHANNEL, ACK, [])).is_empty());
            assert!(hear(&mut publishing, &delivery(late, b"late")).is_empty());
            assert_eq!(publishing.came(), None);
            assert_eq!(hear(&mut publishing, &delivery(tag, b"now")), ["basic.cancel"]);
            assert!(hear(&mut publishing, &delivery(tag, b"one more")).is_empty());
            assert_eq!(publishing.came(), None);
            assert_eq!(hear(&mut publishing, &said_by(CHANNEL, CANCEL_OK, [])), ["basic.ack"]);
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
