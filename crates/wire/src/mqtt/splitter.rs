//! An MQTT connection in pieces: each publication, each delivery and each subscription by itself.
//!
//! ```text
//! PUBLISH id ─▶        ◀─ PUBACK id                 a doubled one is acknowledged twice, and one of them is taken out
//! PUBLISH id ─▶        ◀─ PUBREC, PUBREL ─▶ ◀─ PUBCOMP
//! ```
//! A message that is lost on the way is not acknowledged to its sender, who sends it again when it connects anew: so it is
//! with a network. Who abbreviates topics by numbers has them written out, because the message that said what the number
//! stands for may be lost.

use super::packets::{Fields, Publish, Wanted, fits, head, kinds, wanted};
use super::reading::{Kept, error};
use super::saying;
use crate::conversation::{Direction, Limits, Parts, Surprise};
use crate::pending::Pending;
use crate::splitter::{Anew, Behind, Call, Of, Piece, Read, Splitter, Splitting, Unanswerable, Underway};
use crate::watching::Resumed;
use seam_value::Value;
use std::collections::{BTreeMap, VecDeque};

/// Cuts one connection.
pub(super) struct Cutter {
    limits: Limits,
    behind: Behind,
    /// Is somebody deciding about the pieces? Then messages are gathered as far as can be; who only watches needs their
    /// beginning.
    is_held: bool,
    n_calls: Call,
    up: Lane,
    down: Lane,
    /// 3, 4 or 5; 0 before the client has said it.
    version: u8,
    /// Who logs in, for a refusal.
    who: Value,
    /// SUBSCRIBE and UNSUBSCRIBE without their answer, by id.
    asked: BTreeMap<u16, Asked>,
    /// Those whose answer has come, which may be replaced all the same.
    past: VecDeque<(u16, Asked)>,
    /// What the client has subscribed to, for what is pushed.
    subscribed: Vec<Wanted>,
    /// Topics by the numbers that stand for them: the client's, and the server's.
    aliases: [BTreeMap<u16, String>; 2],
    /// Messages that were delivered twice, and are acknowledged twice.
    doubled: Vec<Doubled>,
    /// The ids of messages that were pushed, of which the server knows nothing.
    pushed: BTreeMap<u16, u8>,
    /// Where the bytes went that were cut last.
    last: Direction,
}

#[derive(Clone, Debug)]
struct Asked {
    call: Call,
    kind: u8,
    wanted: Vec<Wanted>,
}

/// A message that was delivered twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubled {
    /// Where its acknowledgements go.
    to: Direction,
    kind: u8,
    id: u16,
    /// Was it acknowledged once?
    is_acknowledged: bool,
}

#[derive(Default)]
struct Lane {
    pending: Pending,
    /// So many bytes are to come of a message that was too large to be gathered.
    passing: usize,
}

/// The first byte of TLS, which no connection begins with.
const TLS: u8 = 0x16;
/// So many messages that were doubled or pushed may wait for their acknowledgement.
const MOST_WAITING: usize = 1024;

impl Cutter {
    /// For who only watches.
    pub(super) fn watching(limits: Limits) -> Self {
        Self {
            limits,
            behind: Behind::Provider,
            is_held: false,
            n_calls: 0,
            up: Lane::default(),
            down: Lane::default(),
            version: 0,
            who: Value::Null,
            asked: BTreeMap::new(),
            past: VecDeque::new(),
            subscribed: Vec::new(),
            aliases: [BTreeMap::new(), BTreeMap::new()],
            doubled: Vec::new(),
            pushed: BTreeMap::new(),
            last: Direction::ToProvider,
        }
    }

    fn lane_of(&self, to: Direction) -> &Lane {
        match to {
            Direction::ToProvider => &self.up,
            Direction::ToConsumer => &self.down,
        }
    }

    fn lane(&mut self, to: Direction) -> &mut Lane {
        match to {
            Direction::ToProvider => &mut self.up,
            Direction::ToConsumer => &mut self.down,
        }
    }

    /// Looks at the next packet. False when it is not there yet.
    fn advance(&mut self, to: Direction, out: &mut Vec<Piece>) -> Result<bool, Surprise> {
        let is_fresh = self.version == 0;
        let Limits { kept_body, kept_open, head: most_head, .. } = self.limits;
        let most = if self.is_held { kept_open.max(most_head) } else { kept_body.saturating_add(most_head) };
        let lane = self.lane(to);
        let n_unseen = lane.pending.unseen().len();
        if n_unseen == 0 {
            return Ok(false);
        }
        if lane.passing > 0 {
            let n_now = lane.passing.min(n_unseen);
            lane.pending.see(n_now);
            lane.passing -= n_now;
            self.rest(to, out);
            return Ok(true);
        }
        if is_fresh && lane.pending.unseen().first() == Some(&TLS) {
            return Err(Surprise::new("TLS begins"));
        }
        let Some((first, n_head, length)) = head(lane.pending.unseen())? else { return Ok(false) };
        let whole = n_head + length;
        let kind = first >> 4;
        if n_unseen >= whole {
            lane.pending.see(whole);
            self.packet(to, kind, out)?;
            return Ok(true);
        }
        if n_unseen <= most {
            return Ok(false);
        }
        if kind != kinds::PUBLISH {
            return Err(Surprise::new("a packet that is too large"));
        }
        lane.pending.see(n_unseen);
        lane.passing = whole - n_unseen;
        if self.is_held {
            self.note_alias(to);
            self.rest(to, out);
        } else {
            self.message(to, out)?;
        }
        Ok(true)
    }

    /// A packet is whole.
    fn packet(&mut self, to: Direction, kind: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        use kinds::{
            AUTH, CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL,
            SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE,
        };
        let is_up = to == Direction::ToProvider;
        if (self.version == 0) != (is_up && kind == CONNECT) {
            return Err(Surprise::new("no connection of MQTT"));
        }
        match (kind, is_up) {
            (CONNECT, true) => self.connect(out),
            (PUBLISH, _) => self.message(to, out),
            (PUBACK | PUBREC | PUBCOMP, _) => {
                self.acknowledged(to, kind, out);
                Ok(())
            }
            (SUBSCRIBE | UNSUBSCRIBE, true) => self.subscribe(kind, out),
            (SUBACK | UNSUBACK, false) => {
                self.granted(out);
                Ok(())
            }
            (CONNACK, false) => {
                self.let_in(out);
                Ok(())
            }
            (DISCONNECT, false) => {
                let has_code = self.down.pending.seen().get(2).is_some_and(|code| *code >= 0x80);
                if has_code {
                    self.tell(to, out);
                } else {
                    self.rest(to, out);
                }
                Ok(())
            }
            (PUBREL, true) if self.behind == Behind::Nobody => {
                let id = self.id(to);
                self.rest(to, out);
                out.push(say(saying::acknowledgement(PUBCOMP, id, None)));
                Ok(())
            }
            (PINGREQ, true) if self.behind == Behind::Nobody => {
                self.rest(to, out);
                out.push(say(vec![PINGRESP << 4, 0]));
                Ok(())
            }
            (PUBREL | AUTH, _) | (PINGREQ | DISCONNECT, true) | (PINGRESP, false) => {
                self.rest(to, out);
                Ok(())
            }
            _ => Err(Surprise::new("a packet that MQTT does not have here")),
        }
    }

    /// The id of the packet that has just been seen, where it stands in front.
    fn id(&mut self, to: Direction) -> u16 {
        let seen = self.lane(to).pending.seen();
        let n_head = head(seen).ok().flatten().map_or(0, |(_, n_head, _)| n_head);
        Fields(seen.get(n_head..).unwrap_or_default()).u16().unwrap_or_default()
    }

    fn connect(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let read = |packet: &[u8]| {
            let (_, n_head, _) = head(packet).ok()??;
            let mut fields = Fields(&packet[n_head..]);
            let name = fields.text()?;
            let version = fields.u8()?;
            let flags = fields.u8()?;
            fields.u16()?;
            let is_known = matches!((name.as_str(), version), ("MQTT", 4 | 5) | ("MQIsdp", 3));
            if version >= 5 {
                fields.properties()?;
            }
            let client = fields.text()?;
            if flags & 4 != 0 {
                if version >= 5 {
                    fields.properties()?;
                }
                fields.bytes()?;
                fields.bytes()?;
            }
            let user = if flags & 0x80 != 0 { Value::Text(fields.text()?) } else { Value::Null };
            is_known.then_some((version, client, user))
        };
        let (version, client, user) =
            read(self.up.pending.seen()).ok_or_else(|| Surprise::new("a log-in that can't be read"))?;
        self.version = version;
        let has_name = !client.is_empty();
        self.who = Value::map([
            ("command", Value::text("CONNECT")),
            ("client", Value::Text(client)),
            ("user", user),
        ]);
        self.rest(Direction::ToProvider, out);
        if self.behind == Behind::Nobody {
            out.push(say(saying::welcome(version, has_name)));
        }
        Ok(())
    }

    /// CONNACK: a refusal is told.
    fn let_in(&mut self, out: &mut Vec<Piece>) {
        let code = self.down.pending.seen().get(3).copied().unwrap_or_default();
        if code == 0 {
            self.rest(Direction::ToConsumer, out);
            return;
        }
        let reply = Value::map([("error", error(code, self.version))]);
        let parts = Parts { request: self.who.clone(), reply, ..Parts::default() };
        let bytes = self.down.pending.take();
        let of = Of::Message { call: None, read: Box::new(Read(parts)) };
        out.push(Piece { to: Direction::ToConsumer, bytes, of });
    }

    /// A publication or a delivery, as far as it was gathered.
    fn message(&mut self, to: Direction, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let (version, is_held, limits) = (self.version, self.is_held, self.limits);
        if Publish::read(self.lane(to).pending.seen(), version).is_none() {
            return Err(Surprise::new("a message that can't be read"));
        }
        let mut bytes = self.lane(to).pending.take();
        let Some(publish) = Publish::read(&bytes, version) else { return Ok(()) };
        let (id, qos) = (publish.id, publish.qos);
        let mut about = None;
        if let Some(alias) = publish.alias() {
            let aliases = &mut self.aliases[usize::from(to == Direction::ToConsumer)];
            if publish.topic.is_empty() {
                about = aliases.get(&alias).cloned();
                if let Some(topic) = about.as_ref().filter(|_| is_held) {
                    bytes = Publish { topic: topic.as_bytes(), ..publish }.write(version);
                }
            } else {
                note_alias(aliases, (alias, publish.topic), limits);
            }
        }
        let read = Kept::new(&bytes, (to == Direction::ToConsumer, version), limits).about(about);
        let is_up = to == Direction::ToProvider;
        let bytes = if is_up && self.behind == Behind::Nobody { Vec::new() } else { bytes };
        out.push(Piece { to, bytes, of: Of::Message { call: None, read: Box::new(read) } });
        if let (Behind::Nobody, true, Some(id)) = (self.behind, is_up, id) {
            let kind = if qos == 1 { kinds::PUBACK } else { kinds::PUBREC };
            out.push(say(saying::acknowledgement(kind, id, None)));
        }
        Ok(())
    }

    /// A message that is too large to be gathered may say what a number stands for all the same.
    fn note_alias(&mut self, to: Direction) {
        let (version, limits) = (self.version, self.limits);
        let lane = if to == Direction::ToProvider { &self.up } else { &self.down };
        let Some(publish) = Publish::read(lane.pending.seen(), version) else { return };
        if let Some(alias) = publish.alias().filter(|_| !publish.topic.is_empty()) {
            note_alias(
                &mut self.aliases[usize::from(to == Direction::ToConsumer)],
                (alias, publish.topic),
                limits,
            );
        }
    }

    /// PUBACK, PUBREC or PUBCOMP: passed on, told where it refuses, or taken out.
    fn acknowledged(&mut self, to: Direction, kind: u8, out: &mut Vec<Piece>) {
        let id = self.id(to);
        if to == Direction::ToProvider && self.pushed.contains_key(&id) {
            drop(self.up.pending.take());
            if kind == kinds::PUBREC {
                out.push(say(saying::acknowledgement(kinds::PUBREL, id, None)));
            } else {
                self.pushed.remove(&id);
            }
            return;
        }
        let doubled =
            self.doubled.iter().position(|doubled| (doubled.to, doubled.kind, doubled.id) == (to, kind, id));
        if let Some(index) = doubled {
            if self.doubled[index].is_acknowledged {
                self.doubled.remove(index);
                drop(self.lane(to).pending.take());
                return;
            }
            self.doubled[index].is_acknowledged = true;
        }
        let refuses = self.lane(to).pending.seen().get(4).is_some_and(|code| *code >= 0x80);
        if refuses && kind != kinds::PUBCOMP { self.tell(to, out) } else { self.rest(to, out) }
    }

    /// SUBSCRIBE or UNSUBSCRIBE.
    fn subscribe(&mut self, kind: u8, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let has_more = kind == kinds::SUBSCRIBE && self.subscribed.len() >= self.limits.n_open;
        if self.asked.len() >= self.limits.n_open || has_more {
            return Err(Surprise::new("too many subscriptions"));
        }
        let read = wanted(self.up.pending.seen(), self.version);
        let (id, wanted) = read.ok_or_else(|| Surprise::new("a subscription that can't be read"))?;
        self.subscribed.retain(|other| wanted.iter().all(|wanted| wanted.filter != other.filter));
        if kind == kinds::SUBSCRIBE {
            self.subscribed.extend(wanted.iter().cloned());
        }
        if self.behind == Behind::Nobody {
            drop(self.up.pending.take());
            let codes: Vec<u8> = wanted.iter().map(|wanted| wanted.qos).collect();
            out.push(say(saying::granted(kind + 1, id, self.version, &codes)));
            return Ok(());
        }
        self.n_calls += 1;
        let call = self.n_calls;
        let bytes = self.up.pending.take();
        let read = Box::new(Kept::new(&bytes, (false, self.version), self.limits));
        self.asked.insert(id, Asked { call, kind, wanted });
        let of = Of::Request { call, whole: true, awaited: true, read };
        out.push(Piece { to: Direction::ToProvider, bytes, of });
        Ok(())
    }

    /// SUBACK or UNSUBACK.
    fn granted(&mut self, out: &mut Vec<Piece>) {
        let to = Direction::ToConsumer;
        let id = self.id(to);
        let Some(asked) = self.asked.remove(&id) else { return self.rest(to, out) };
        let call = asked.call;
        if self.past.len() >= 64 {
            self.past.pop_front();
        }
        self.past.push_back((id, asked));
        let bytes = self.down.pending.take();
        let read = Box::new(Kept::new(&bytes, (true, self.version), self.limits));
        out.push(Piece { to, bytes, of: Of::Reply { call, whole: true, awaited: true, read } });
    }

    /// A packet that says what is wrong.
    fn tell(&mut self, to: Direction, out: &mut Vec<Piece>) {
        let bytes = self.lane(to).pending.take();
        let read = Box::new(Kept::new(&bytes, (to == Direction::ToConsumer, self.version), self.limits));
        out.push(Piece { to, bytes, of: Of::Message { call: None, read } });
    }

    fn rest(&mut self, to: Direction, out: &mut Vec<Piece>) {
        let bytes = self.lane(to).pending.take();
        if to == Direction::ToConsumer || self.behind == Behind::Provider {
            out.push(Piece { to, bytes, of: Of::Rest });
        }
    }
}

/// What is said to the client in the server's place, which no rule is about.
fn say(bytes: Vec<u8>) -> Piece {
    Piece { to: Direction::ToConsumer, bytes, of: Of::Rest }
}

impl Splitter for Cutter {
    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.last = direction;
        self.lane(direction).pending.push(bytes);
        while self.advance(direction, out)? {}
        Ok(())
    }

    fn lets_go(&self, untouched: bool) -> bool {
        untouched
            && self.asked.is_empty()
            && !self.is_within(Direction::ToProvider)
            && !self.is_within(Direction::ToConsumer)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        self.lane(direction).pending.take_all()
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let open = self.asked.iter().find(|(_, asked)| asked.call == call).map(|(id, _)| *id);
        let (id, asked) = match open {
            Some(id) => (id, self.asked.get(&id).cloned()),
            None => match self.past.iter().find(|(_, asked)| asked.call == call) {
                Some((id, asked)) => (*id, Some(asked.clone())),
                None => (0, None),
            },
        };
        let asked = asked.ok_or_else(|| Unanswerable::new("this was answered already"))?;
        let codes = saying::codes(answer, asked.wanted.len())?;
        let codes = codes.unwrap_or_else(|| asked.wanted.iter().map(|wanted| wanted.qos).collect());
        if open.is_some() {
            self.asked.remove(&id);
        }
        Ok(saying::granted(asked.kind + 1, id, self.version, &codes))
    }

    fn forget(&mut self, call: Call) {
        self.asked.retain(|_, asked| asked.call != call);
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let publish = Publish::read(message, self.version)?;
        let is_whole =
            head(message).ok()?.is_some_and(|(_, n_head, length)| n_head + length == message.len());
        if !is_whole || self.doubled.len() >= MOST_WAITING {
            return None;
        }
        if let Some(id) = publish.id {
            let to = self.last.opposite();
            let kind = if publish.qos == 1 { kinds::PUBACK } else { kinds::PUBREC };
            self.doubled.push(Doubled { to, kind, id, is_acknowledged: false });
        }
        Some(Publish { is_again: publish.qos > 0, ..publish }.write(self.version))
    }

    fn refuse(&mut self, message: &[u8], answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let error = answer.get("error").filter(|error| **error != Value::Null);
        let error = error.ok_or_else(|| Unanswerable::new("a message of mqtt is refused by an error"))?;
        let code = saying::refusal(error)?;
        let publish = Publish::read(message, self.version);
        match publish.and_then(|publish| Some((publish.qos, publish.id?))) {
            Some((qos, id)) if self.version >= 5 => {
                let kind = if qos == 1 { kinds::PUBACK } else { kinds::PUBREC };
                Ok(saying::acknowledgement(kind, id, Some(code)))
            }
            _ => Err(Unanswerable::new(
                "before MQTT 5, and with QoS 0, no message is refused; use reply_lost or reset",
            )),
        }
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let publish = Publish::read(message.bytes, self.version).ok_or_else(|| {
            Unanswerable::new("only what is published and delivered can say something else")
        })?;
        let payload = anew.content(publish.payload)?;
        Ok(Publish { payload: &payload, ..publish }.write(self.version))
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        let topic = message.get("topic").and_then(Value::as_text);
        let topic = topic.ok_or_else(|| Unanswerable::new("a message of mqtt needs its topic"))?;
        let fitting = self.subscribed.iter().rev().find(|wanted| fits(&wanted.filter, topic));
        let Some(fitting) = fitting else {
            return Err(Unanswerable::for_nobody(format!("nobody has subscribed to {topic} here")));
        };
        if self.down.passing > 0 {
            return Err(Unanswerable::within());
        }
        // Servers count their ids from below.
        let id = (1..=u16::MAX).rev().find(|id| !self.pushed.contains_key(id)).unwrap_or(u16::MAX);
        if self.pushed.len() >= MOST_WAITING {
            return Err(Unanswerable::new("too many pushed messages were not acknowledged"));
        }
        let bytes = saying::delivery(topic, message, (self.version, fitting.qos, id))?;
        if let Some(publish) = Publish::read(&bytes, self.version).filter(|publish| publish.qos > 0) {
            self.pushed.insert(id, publish.qos);
        }
        Ok(bytes)
    }
}

/// From here on a number stands for this topic; for none that is known, where there is no room to remember it.
fn note_alias(aliases: &mut BTreeMap<u16, String>, (alias, topic): (u16, &[u8]), limits: Limits) {
    if topic.len() > limits.head || (aliases.len() >= limits.n_open && !aliases.contains_key(&alias)) {
        aliases.remove(&alias);
    } else {
        aliases.insert(alias, String::from_utf8_lossy(topic).into_owned());
    }
}

impl Resumed for Cutter {
    fn resume(&self, splitting: Splitting) -> Self {
        Self {
            behind: splitting.behind,
            is_held: true,
            version: self.version,
            who: self.who.clone(),
            subscribed: self.subscribed.clone(),
            aliases: self.aliases.clone(),
            ..Self::watching(splitting.limits)
        }
    }

    fn n_to_divide(&self, direction: Direction) -> Option<usize> {
        let lane = self.lane_of(direction);
        let unseen = lane.pending.unseen();
        let n_packet = match head(unseen) {
            Ok(Some((_, n_head, length))) if !unseen.is_empty() => {
                (n_head + length).saturating_sub(unseen.len())
            }
            _ => lane.passing,
        };
        self.is_within(direction).then(|| n_packet.max(1))
    }

    fn is_within(&self, direction: Direction) -> bool {
        let lane = self.lane_of(direction);
        lane.passing > 0 || !lane.pending.seen().is_empty() || !lane.pending.unseen().is_empty()
    }
}
