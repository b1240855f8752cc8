//! What is said in the broker's place: answers to calls, deliveries that nobody published, and what a broker says by itself.

use super::channel::Asked;
use super::content;
use super::frame;
use super::method::{
    self, CANCEL, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN, CHANNEL_OPEN_OK, CLOSE, CLOSE_OK, CONSUME,
    DELIVER, GET, GET_EMPTY, GET_OK, Method, NACK, OPEN, OPEN_OK, PUBLISH, QUEUE_DECLARE, REJECT, SECURE_OK,
    START, START_OK, TUNE, TX_SELECT, UPDATE_SECRET, UPDATE_SECRET_OK,
};
use super::passing::{OURS, SETTLED_BY_US, delivery_tag, doubled, published_number};
use super::splitter::{Cutter, index, rest};
use super::value::{Reader, bytes_of, integer, put_arguments, put_short_text};
use crate::conversation::{Direction, Surprise};
use crate::splitter::{
    Anew, Behind, BrokenOff, Call, NOBODY, Passed, Piece, Splitter, Unanswerable, Underway,
};
use crate::watching::Resumed;
use seam_value::{Map, Value};

impl Splitter for Cutter {
    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.take(direction, bytes, out)
    }

    fn lets_go(&self, untouched: bool) -> bool {
        untouched
            && self.n_due == 0
            && self.follows.is_empty()
            && !self.is_within(Direction::ToProvider)
            && !self.is_within(Direction::ToConsumer)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        self.take_kept(direction)
    }

    fn passes(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        self.passing(to, bytes)
    }

    fn follow(&mut self, out: &mut Vec<Piece>) {
        out.append(&mut self.follows);
    }

    fn multiplexes(&self) -> bool {
        true
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let Some(asked) = self.asked.get(&call) else {
            return Err(Unanswerable::new("the call is over"));
        };
        let Some(map) = answer.as_map() else {
            return Err(Unanswerable::new(format!("an answer of amqp is a map, not {answer}")));
        };
        let failure = failure(map)?;
        let bytes = match &failure {
            Some(failure) => failure.encode(asked),
            None => self.reply(asked, map)?,
        };
        let (channel, method, is_replied) = (asked.channel, asked.method, asked.is_replied);
        match failure {
            Some(failure) if failure.closes_connection() => self.is_closed = true,
            Some(_) => {
                if is_replied && self.behind == Behind::Provider {
                    let closed = close(channel, 200, "", 0);
                    self.follows.push(rest(Direction::ToProvider, closed));
                }
                self.close_here(channel);
            }
            None => {
                self.take_out(call);
                if method.id == CONSUME && !is_replied {
                    let tag = self.consumer_tag(call, map);
                    self.name_consumer(channel, &tag);
                }
            }
        }
        Ok(bytes)
    }

    fn instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        let fails = answer.as_map().and_then(|map| failure(map).ok().flatten());
        let Some(asked) = self.asked.get(&call).filter(|_| self.behind == Behind::Provider) else {
            self.take_out(call);
            return Vec::new();
        };
        let channel = asked.channel;
        self.take_out(call);
        match fails {
            Some(failure) if !failure.closes_connection() => close(channel, 200, "", 0),
            _ => Vec::new(),
        }
    }

    /// A channel is what breaks alone: with one call all of its channel's are over.
    fn break_off(&mut self, call: Call, _: Passed) -> Option<BrokenOff> {
        let asked = self.asked.get(&call)?;
        let (channel, method) = (asked.channel, asked.method.id);
        self.take_out(call);
        Some(self.break_channel(channel, method))
    }

    fn break_off_message(&mut self, message: &[u8]) -> Option<BrokenOff> {
        let (head, _) = frame::first(message)?;
        let id = frame::method_id(&message[frame::HEAD..])?;
        Some(self.break_channel(head.channel, id))
    }

    fn forget(&mut self, call: Call) {
        self.take_out(call);
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        if self.behind == Behind::Nobody {
            return Err(Unanswerable::new(NOBODY));
        }
        let over = || Unanswerable::new("the call is over");
        let asked = self.asked.get(&call).filter(|asked| !asked.is_replied).ok_or_else(over)?;
        if matches!(asked.method.id, CONSUME | TX_SELECT) {
            return Err(Unanswerable::new("what sets a channel up can't be said twice"));
        }
        self.repeat(call).ok_or_else(over)?;
        Ok(request.to_vec())
    }

    fn with_body(&self, _: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let mut changed = reply.to_vec();
        let mut at = 0;
        while let Some((head, _)) = frame::first(&reply[at..]) {
            if head.kind == frame::BODY {
                change(&mut changed[at + frame::HEAD..at + head.whole() - 1]);
            }
            at += head.whole();
        }
        Some(changed)
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let none = || Unanswerable::new("only what is published and delivered can say something else");
        let (method, _) = frame::first(message.bytes).ok_or_else(none)?;
        let n_method = method.whole();
        let (mut header, mut body, mut rest) = (&[][..], Vec::new(), &message.bytes[n_method..]);
        while let Some((head, frame)) = frame::first(rest) {
            let payload = &frame[frame::HEAD..frame.len() - 1];
            match head.kind {
                frame::HEADER => header = payload,
                frame::BODY => body.extend_from_slice(payload),
                _ => {}
            }
            rest = &rest[head.whole()..];
        }
        let properties = header.get(12..).ok_or_else(none)?;
        let (properties, body) = match anew {
            Anew::Fields(before, now) => content::anew(before, now, properties)?,
            change @ Anew::Content(_) => (properties.to_vec(), change.content(&body)?),
        };
        let mut bytes = message.bytes[..n_method].to_vec();
        frame::put_content(method.channel, &properties, &body, self.most_frame, &mut bytes);
        Ok(bytes)
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        doubled(message)
    }

    fn refuse(&mut self, message: &[u8], answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let map =
            answer.as_map().ok_or_else(|| Unanswerable::new("a refusal of amqp is a map with error"))?;
        let no_message = || Unanswerable::new("no message can be refused here");
        let (head, _) = frame::first(message).ok_or_else(no_message)?;
        let payload = &message[frame::HEAD..head.whole() - 1];
        match frame::method_id(payload) {
            Some(PUBLISH) => self.refuse_published(head.channel, payload, map),
            Some(DELIVER) => self.refuse_delivered(head.channel, payload, map),
            _ => Err(no_message()),
        }
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        let Some(map) = message.as_map() else {
            return Err(Unanswerable::new(format!("a message of amqp is a map, not {message}")));
        };
        let topic = map.get("topic").map(bytes_of).unwrap_or_default();
        let named = |name: &str| map.get(name).filter(|value| **value != Value::Null).map(bytes_of);
        let (tag, queue) = (named("consumer"), named("queue"));
        let fits = |one: &&super::channel::Consumer| {
            tag.as_ref().is_none_or(|tag| one.tag == *tag)
                && queue.as_ref().is_none_or(|queue| one.queue == *queue)
        };
        let of_topic = self.consumers.iter().rev().filter(fits).find(|one| one.queue == topic);
        let Some(consumer) = of_topic.or_else(|| self.consumers.iter().rev().find(fits)) else {
            return Err(Unanswerable::for_nobody("nobody consumes on this connection"));
        };
        let coming = self.channels.get(&consumer.channel);
        let coming = coming.and_then(|channel| channel.coming[index(Direction::ToConsumer)].as_ref());
        if coming.is_some_and(|coming| coming.passes) {
            return Err(Unanswerable::within());
        }
        let mut arguments = Vec::new();
        put_short_text(&consumer.tag, &mut arguments);
        arguments.extend_from_slice(&OURS.to_be_bytes());
        arguments.push(u8::from(map.get("redelivered") == Some(&Value::Bool(true))));
        put_short_text(&named("exchange").unwrap_or_default(), &mut arguments);
        put_short_text(&topic, &mut arguments);
        let (properties, body) = content::encode(map)?;
        let mut bytes = frame::method(consumer.channel, DELIVER, &arguments);
        frame::put_content(consumer.channel, &properties, &body, self.most_frame, &mut bytes);
        Ok(bytes)
    }
}

/// The code with which a channel breaks that was reset: `PRECONDITION_FAILED`, with which brokers end channels that they have
/// lost patience with. Those of inner errors end connections.
const BROKEN: u16 = 406;

/// Why a call fails.
struct Failure {
    code: u16,
    text: String,
}

impl Failure {
    fn closes_connection(&self) -> bool {
        method::closes_connection(self.code)
    }

    fn encode(&self, asked: &Asked) -> Vec<u8> {
        if self.closes_connection() {
            return closed((0, CLOSE), self.code, &self.text, asked.method.id);
        }
        close(asked.channel, self.code, &self.text, asked.method.id)
    }
}

/// What closes a channel.
fn close(channel: u16, code: u16, text: &str, of: u32) -> Vec<u8> {
    closed((channel, CHANNEL_CLOSE), code, text, of)
}

fn closed((channel, id): (u16, u32), code: u16, text: &str, of: u32) -> Vec<u8> {
    let mut arguments = code.to_be_bytes().to_vec();
    put_short_text(text.as_bytes(), &mut arguments);
    arguments.extend_from_slice(&of.to_be_bytes());
    frame::method(channel, id, &arguments)
}

/// The failure that an answer says, if it says one.
fn failure(answer: &Map) -> Result<Option<Failure>, Unanswerable> {
    // Where no stub answers that is said as the status 404, whatever the protocol.
    let unknown = answer.get("status").filter(|status| status.as_i64() == Some(404));
    let said = answer.get("error").filter(|error| **error != Value::Null).or(unknown);
    let Some(said) = said else { return Ok(None) };
    let text = |map: &Map| map.get("text").and_then(Value::as_text).map(|text| text.trim_end().to_owned());
    let of_code = |code: u16, text: Option<String>| {
        let reason = method::reason(code).unwrap_or("ERROR");
        Failure { code, text: text.unwrap_or_else(|| reason.to_owned()) }
    };
    let failure = match said {
        Value::Map(map) => {
            of_code(integer("error.code", map.get("code").unwrap_or(&Value::Null))?, text(map))
        }
        Value::Text(line) => {
            let (first, behind) = line.split_once([' ', ':']).unwrap_or((line, ""));
            let behind = behind.trim_start_matches(['-', ' ']);
            match first.parse().ok() {
                Some(code) if behind.is_empty() => of_code(code, text(answer)),
                Some(code) => of_code(code, Some(behind.to_owned())),
                None => of_code(method::code(first).unwrap_or_default(), Some(line.clone())),
            }
        }
        other => of_code(integer("error", other)?, text(answer)),
    };
    if failure.code < 200 {
        let reason = format!("error is a code (404), its name (NOT_FOUND), or code and text, not {said}");
        return Err(Unanswerable::new(reason));
    }
    Ok(Some(failure))
}

impl Cutter {
    /// A channel is closed in the broker's place: what its two sides say on it goes nowhere until each has said that it
    /// knows.
    fn close_here(&mut self, channel: u16) {
        self.forget_channel(channel);
        let known = self.channels.entry(channel).or_default();
        known.consumer_owes = true;
        known.provider_owes = self.behind == Behind::Provider;
    }

    /// A channel breaks: as when its process in the broker has come to grief.
    fn break_channel(&mut self, channel: u16, of: u32) -> BrokenOff {
        let to_consumer = close(channel, BROKEN, "the channel was reset", of);
        let to_provider = match self.behind {
            Behind::Provider => close(channel, 200, "", 0),
            Behind::Nobody => Vec::new(),
        };
        self.close_here(channel);
        BrokenOff { to_consumer, to_provider }
    }

    /// To a publisher, what the broker has against its message: it is not confirmed, or the channel is closed.
    fn refuse_published(
        &mut self,
        channel: u16,
        payload: &[u8],
        answer: &Map,
    ) -> Result<Vec<u8>, Unanswerable> {
        let is_nack = answer.get("error").and_then(Value::as_text) == Some("nack");
        if is_nack {
            let n_published = self.channels.get(&channel).map_or(0, |known| known.n_published);
            let number = published_number(payload, n_published);
            let number = number.ok_or_else(|| Unanswerable::new("the channel has no confirms"))?;
            let arguments = [&number.to_be_bytes()[..], &[SETTLED_BY_US]].concat();
            return Ok(frame::method(channel, NACK, &arguments));
        }
        let none =
            || Unanswerable::new("a message is refused by an error: `nack`, or the code of a channel's end");
        let failure = failure(answer)?.ok_or_else(none)?;
        if failure.closes_connection() {
            self.is_closed = true;
            return Ok(closed((0, CLOSE), failure.code, &failure.text, PUBLISH));
        }
        if self.behind == Behind::Provider {
            self.follows.push(rest(Direction::ToProvider, close(channel, 200, "", 0)));
        }
        self.close_here(channel);
        Ok(close(channel, failure.code, &failure.text, PUBLISH))
    }

    /// To the broker, that its consumer does not want a delivery.
    fn refuse_delivered(
        &mut self,
        channel: u16,
        payload: &[u8],
        answer: &Map,
    ) -> Result<Vec<u8>, Unanswerable> {
        let tag = Reader(&payload[4..]).short_text().unwrap_or_default();
        let mut consumers = self.consumers.iter().rev();
        let consumer = consumers.find(|one| one.channel == channel && one.tag == tag);
        let number = delivery_tag(DELIVER, payload).filter(|tag| tag & OURS == 0);
        let Some(number) = number.filter(|_| consumer.is_none_or(|one| !one.is_unacknowledged)) else {
            return Err(Unanswerable::new("what need not be acknowledged can't be rejected"));
        };
        let requeue = u8::from(answer.get("requeue") == Some(&Value::Bool(true)));
        let arguments = [&number.to_be_bytes()[..], &[requeue | SETTLED_BY_US]].concat();
        Ok(frame::method(channel, REJECT, &arguments))
    }

    /// The reply to a call that goes well.
    fn reply(&self, asked: &Asked, answer: &Map) -> Result<Vec<u8>, Unanswerable> {
        let Asked { channel, method: of, arguments, delivery, .. } = asked;
        let method = reply_method(of, answer)?;
        if method.id == GET_OK {
            return self.got(*channel, delivery.unwrap_or(OURS), answer);
        }
        let mut fields = answer.clone();
        for name in ["method", "error"] {
            fields.shift_remove(name);
        }
        let is_known = |name: &String| method.arguments.iter().any(|(other, _)| other == name);
        if let Some(other) = fields.keys().find(|name| !is_known(name)) {
            let known: Vec<&str> = method.arguments.iter().map(|(name, _)| *name).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            return Err(Unanswerable::new(format!(
                "{} has no {other}; it has {known}, or error",
                method.name
            )));
        }
        for name in ["queue", "consumer_tag"] {
            let said = arguments.get(name).filter(|_| is_known(&name.to_owned()));
            if let Some(said) = said.filter(|_| !fields.contains_key(name)) {
                fields.insert(name.to_owned(), said.clone());
            }
        }
        let mut written = Vec::new();
        put_arguments(method.arguments, &fields, &mut written)?;
        Ok(frame::method(*channel, method.id, &written))
    }

    /// A message that was asked for.
    fn got(&self, channel: u16, tag: u64, answer: &Map) -> Result<Vec<u8>, Unanswerable> {
        let field = |name: &str| answer.get(name).unwrap_or(&Value::Null);
        let mut arguments = tag.to_be_bytes().to_vec();
        arguments.push(u8::from(*field("redelivered") == Value::Bool(true)));
        put_short_text(&bytes_of(field("exchange")), &mut arguments);
        put_short_text(&bytes_of(field("topic")), &mut arguments);
        arguments.extend_from_slice(&integer::<u32>("message_count", field("message_count"))?.to_be_bytes());
        let (properties, body) = content::encode(answer)?;
        let mut bytes = frame::method(channel, GET_OK, &arguments);
        frame::put_content(channel, &properties, &body, self.most_frame, &mut bytes);
        Ok(bytes)
    }

    fn consumer_tag(&self, call: Call, answer: &Map) -> Vec<u8> {
        let asked = self.asked.get(&call).and_then(|asked| asked.arguments.get("consumer_tag"));
        answer.get("consumer_tag").or(asked).map(bytes_of).unwrap_or_default()
    }

    /// What a broker says by itself on a channel; none where it says nothing, or a stub is to be asked.
    pub(super) fn alone(&mut self, channel: u16, id: u32, arguments: &Map) -> Option<Vec<u8>> {
        match id {
            CHANNEL_OPEN => return Some(written(channel, CHANNEL_OPEN_OK, [])),
            CHANNEL_CLOSE => {
                self.forget_channel(channel);
                return Some(written(channel, CHANNEL_CLOSE_OK, []));
            }
            _ => {}
        }
        let said = |name: &str| arguments.get(name).cloned().unwrap_or_default();
        let is_unnamed = |value: &Value| value.as_text().is_some_and(str::is_empty);
        let reply = method::method(*method::method(id)?.replies.first()?)?;
        Some(match id {
            QUEUE_DECLARE => {
                let mut queue = said("queue");
                if is_unnamed(&queue) {
                    self.n_names += 1;
                    queue = Value::Text(format!("amq.gen-seam-{}", self.n_names));
                }
                written(channel, reply.id, [("queue", queue)])
            }
            CONSUME => {
                let mut tag = said("consumer_tag");
                if is_unnamed(&tag) {
                    self.n_names += 1;
                    tag = Value::Text(format!("amq.ctag-seam-{}", self.n_names));
                    let (queue, no_ack) = (bytes_of(&said("queue")), said("no_ack") == Value::Bool(true));
                    self.consumers.push(super::channel::Consumer {
                        channel,
                        tag: bytes_of(&tag),
                        queue,
                        is_unacknowledged: no_ack,
                    });
                }
                written(channel, reply.id, [("consumer_tag", tag)])
            }
            CANCEL => written(channel, reply.id, [("consumer_tag", said("consumer_tag"))]),
            _ => written(channel, reply.id, []),
        })
    }
}

/// What a broker says first, once it knows that both speak the same.
pub(super) fn greeting() -> Vec<u8> {
    let yes = || Value::Bool(true);
    let capabilities = Value::map([
        ("publisher_confirms", yes()),
        ("exchange_exchange_bindings", yes()),
        ("basic.nack", yes()),
        ("consumer_cancel_notify", yes()),
        ("connection.blocked", yes()),
        ("authentication_failure_close", yes()),
    ]);
    let about = Value::map([
        ("product", Value::text("Seamwork")),
        ("version", Value::text(env!("CARGO_PKG_VERSION"))),
        ("platform", Value::text("a stub")),
        ("capabilities", capabilities),
    ]);
    let fields = [
        ("version_major", Value::from(0_u64)),
        ("version_minor", Value::from(9_u64)),
        ("server_properties", about),
        ("mechanisms", Value::text("PLAIN AMQPLAIN")),
        ("locales", Value::text("en_US")),
    ];
    written(0, START, fields)
}

/// What a broker says by itself about the connection.
pub(super) fn on_connection_alone(id: u32) -> Option<Vec<u8>> {
    match id {
        START_OK | SECURE_OK => {
            // No heartbeats: nobody here has a clock.
            let fields = [("channel_max", Value::from(2047_u64)), ("frame_max", Value::from(131_072_u64))];
            Some(written(0, TUNE, fields))
        }
        OPEN => Some(written(0, OPEN_OK, [])),
        CLOSE => Some(written(0, CLOSE_OK, [])),
        UPDATE_SECRET => Some(written(0, UPDATE_SECRET_OK, [])),
        _ => None,
    }
}

/// By which method a call is answered.
fn reply_method(of: &'static Method, answer: &Map) -> Result<&'static Method, Unanswerable> {
    let replies = of.replies.iter().filter_map(|id| method::method(*id));
    match answer.get("method").filter(|name| **name != Value::Null) {
        Some(name) => {
            let mut replies = replies;
            let found = replies.find(|reply| name.as_text() == Some(reply.name));
            found.ok_or_else(|| Unanswerable::new(format!("{} is not answered by {name}", of.name)))
        }
        None if of.id == GET && !["body", "text", "topic"].iter().any(|name| answer.contains_key(*name)) => {
            method::method(GET_EMPTY).ok_or_else(|| Unanswerable::new("no such method"))
        }
        None => {
            let mut replies = replies;
            replies.next().ok_or_else(|| Unanswerable::new(format!("{} has no reply", of.name)))
        }
    }
}

/// A method of ours, whose fields fit.
fn written<const N: usize>(channel: u16, id: u32, fields: [(&str, Value); N]) -> Vec<u8> {
    let fields: Map = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut arguments = Vec::new();
    let known = method::method(id).map_or(&[][..], |method| method.arguments);
    // A name of the consumer's that is too long was cut off when it came.
    let _ = put_arguments(known, &fields, &mut arguments);
    frame::method(channel, id, &arguments)
}
