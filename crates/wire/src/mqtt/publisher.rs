//! Publishing to MQTT, of 5, 3.1.1 or 3.1. What is published with QoS 0 is acknowledged by nobody; there a PINGREQ goes behind it,
//! whose answer says that the server has read it.
//!
//! ```text
//! CONNECT                     ───▶  CONNACK
//! SUBSCRIBE to where answers come ▶  SUBACK              only where some are waited for
//! PUBLISH                     ───▶  PUBACK               with QoS 2: PUBREC, PUBREL, PUBCOMP
//!                             ◀───  PUBLISH              an answer
//! ```

use super::packets::{Publish, head, kinds, packet, put_bytes, put_length};
use super::reading::Kept;
use super::saying::{acknowledgement, properties, words_of};
use crate::conversation::{Captured as _, Surprise};
use crate::pending::Pending;
use crate::publishing::{Came, Publication, Publisher, SignIn, answer, limits, next};
use crate::splitter::Unanswerable;
use seam_value::{Map, Value};

/// What a publication may have besides its topic and its payload.
pub(super) const FIELDS: &[&str] = &["headers", "properties", "qos", "retain", "reply_to", "version"];

/// Codes from here on refuse.
const REFUSED: u8 = 0x80;

/// How long a text may be.
const LONGEST: usize = u16::MAX as usize;

/// With what is subscribed: QoS 1, and with MQTT 5 nothing that is retained.
const SUBSCRIBED: u8 = 1;
const WITHOUT_RETAINED: u8 = 0x20;

/// The only things that are ever under way at once: one subscription, one publication.
const SUBSCRIPTION: u16 = 1;
const PUBLICATION: u16 = 2;

/// One connection.
pub(super) struct Publishing {
    sign_in: SignIn,
    version: u8,
    pending: Pending,
    stage: Stage,
    n_inboxes: u64,
    /// Where answers are heard, and how many are waited for.
    inbox: Option<(String, usize)>,
    answers: Vec<Value>,
    refused: Option<Came>,
}

/// How far the last thing that was done has come.
#[derive(Debug, PartialEq)]
enum Stage {
    Opening,
    /// It is open, and nobody was told so.
    Opened,
    Free,
    /// Where answers come has to be heard first; then this is published.
    Subscribing(Vec<u8>),
    /// The kind of packet is waited for by which it is taken; then only answers are.
    Published(Option<u8>),
    /// All is there; answers are heard no longer.
    Leaving,
    /// It is done, and nobody was told so.
    Done,
}

impl Publishing {
    pub(super) fn new(sign_in: SignIn) -> Self {
        Self {
            sign_in,
            version: 5,
            pending: Pending::default(),
            stage: Stage::Opening,
            n_inboxes: 0,
            inbox: None,
            answers: Vec::new(),
            refused: None,
        }
    }

    /// The next packet, once it is whole.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Surprise> {
        let whole = |held: &[u8]| Ok(head(held)?.map(|(_, n_head, length)| n_head + length));
        next(&mut self.pending, whole, "a packet")
    }

    fn packet(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        let Some((first, n_head, _)) = head(bytes)? else { return Ok(()) };
        let rest = &bytes[n_head..];
        let kind = first >> 4;
        match kind {
            kinds::CONNACK => match rest.get(1) {
                Some(0) if self.stage == Stage::Opening => self.stage = Stage::Opened,
                Some(code) => self.refuse(*code),
                None => return Err(Surprise::new("a CONNACK without a code")),
            },
            kinds::DISCONNECT => self.refuse(rest.first().copied().unwrap_or(REFUSED)),
            kinds::SUBACK => {
                let code = rest.last().copied().unwrap_or(REFUSED);
                let stage = std::mem::replace(&mut self.stage, Stage::Free);
                match stage {
                    _ if code >= REFUSED => self.refuse(code),
                    Stage::Subscribing(publish) => self.say(&publish, out),
                    other => self.stage = other,
                }
            }
            kinds::PUBLISH => {
                let Some(publish) = Publish::read(bytes, self.version) else {
                    return Err(Surprise::new("a delivery that can't be read"));
                };
                if let Some(id) = publish.id {
                    out.extend_from_slice(&acknowledgement(kinds::PUBACK, id, None));
                }
                // What comes to another topic was on its way when that was heard no longer; and what is retained, or
                // there before anything was asked, answers nothing.
                let is_asked = !publish.retain && matches!(self.stage, Stage::Published(_));
                if is_asked && self.inbox.as_ref().is_some_and(|(inbox, _)| inbox.as_bytes() == publish.topic)
                {
                    let kept = Kept::new(bytes, (true, self.version), limits());
                    self.answers.push(answer(&Box::new(kept).read().message));
                }
            }
            kinds::UNSUBACK if self.stage == Stage::Leaving => self.stage = Stage::Done,
            kinds::PUBACK | kinds::PUBREC | kinds::PUBCOMP | kinds::PINGRESP => {
                if let Some(code) = rest.get(2).filter(|code| **code >= REFUSED) {
                    self.refuse(*code);
                } else if kind == kinds::PUBREC {
                    out.extend_from_slice(&acknowledgement(kinds::PUBREL, PUBLICATION, None));
                } else if let Stage::Published(taken_by) = &mut self.stage {
                    taken_by.take_if(|taken_by| *taken_by == kind);
                }
            }
            _ => {}
        }
        self.look(out);
        Ok(())
    }

    /// Is that all that was waited for?
    fn look(&mut self, out: &mut Vec<u8>) {
        if self.stage != Stage::Published(None) {
            return;
        }
        let is_there = self.inbox.as_ref().is_none_or(|(_, n_answers)| self.answers.len() >= *n_answers);
        if !is_there {
            return;
        }
        self.stage = match self.inbox.take() {
            None => Stage::Done,
            Some((inbox, _)) => {
                self.about(kinds::UNSUBSCRIBE, &inbox, out);
                Stage::Leaving
            }
        };
    }

    /// SUBSCRIBE or UNSUBSCRIBE.
    fn about(&self, kind: u8, inbox: &str, out: &mut Vec<u8>) {
        let mut rest = SUBSCRIPTION.to_be_bytes().to_vec();
        if self.version >= 5 {
            put_length(&mut rest, 0);
        }
        put_bytes(&mut rest, inbox.as_bytes());
        if kind == kinds::SUBSCRIBE {
            rest.push(if self.version >= 5 { SUBSCRIBED | WITHOUT_RETAINED } else { SUBSCRIBED });
        }
        out.extend_from_slice(&packet(kind << 4 | 2, &rest));
    }

    fn refuse(&mut self, code: u8) {
        let message = words_of(code, self.version).to_owned();
        self.refused = Some(Came::Refused { code: Value::from(u64::from(code)), message });
    }

    fn say(&mut self, publish: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(publish);
        let taken_by = match Publish::read(publish, self.version).map_or(0, |publish| publish.qos) {
            0 => {
                out.extend_from_slice(&packet(kinds::PINGREQ << 4, &[]));
                kinds::PINGRESP
            }
            1 => kinds::PUBACK,
            _ => kinds::PUBCOMP,
        };
        self.stage = Stage::Published(Some(taken_by));
    }

    /// The properties of a publication, none before MQTT 5.
    fn properties(&self, fields: &Map, reply_to: Option<&String>) -> Result<Vec<u8>, Unanswerable> {
        let is_there = |name: &&str| {
            let map = fields.get(*name).and_then(Value::as_map);
            map.is_some_and(|map| !map.is_empty())
        };
        if self.version < 5 {
            return match ["headers", "properties"].iter().find(|name| is_there(name)) {
                Some(name) => Err(Unanswerable::new(format!("there are no {name} before MQTT 5"))),
                None => Ok(Vec::new()),
            };
        }
        let mut all = fields.get("properties").and_then(Value::as_map).cloned().unwrap_or_default();
        if let Some(reply_to) = reply_to {
            all.insert("response_topic".to_owned(), Value::text(reply_to));
        }
        let headers = fields.get("headers").cloned().unwrap_or_default();
        properties(&Value::map([("properties", Value::Map(all)), ("headers", headers)]))
    }
}

impl Publisher for Publishing {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let SignIn { user, password, name, version, .. } = &self.sign_in;
        self.version = match version.as_deref() {
            None | Some("5") => 5,
            Some("3.1.1") => 4,
            Some("3.1") => 3,
            Some(other) => {
                return Err(Unanswerable::new(format!("version is `5`, `3.1.1` or `3.1`, not {other}")));
            }
        };
        if [user, password].into_iter().flatten().any(|said| said.len() > LONGEST) {
            return Err(Unanswerable::new("user and password have at most 65,535 bytes"));
        }
        let mut rest = Vec::new();
        put_bytes(&mut rest, if self.version < 4 { b"MQIsdp" } else { b"MQTT" });
        let flags = 2 | u8::from(user.is_some()) << 7 | u8::from(password.is_some()) << 6;
        rest.extend_from_slice(&[self.version, flags, 0, 0]);
        if self.version >= 5 {
            put_length(&mut rest, 0);
        }
        for said in [Some(name), user.as_ref(), password.as_ref()].into_iter().flatten() {
            put_bytes(&mut rest, said.as_bytes());
        }
        out.extend_from_slice(&packet(kinds::CONNECT << 4, &rest));
        Ok(())
    }

    fn publish(&mut self, publication: &Publication, out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let Publication { topic, fields, body, n_answers } = publication;
        let is_topic =
            |topic: &str| !topic.is_empty() && topic.len() <= LONGEST && !topic.contains(['+', '#', '\0']);
        let field = |name: &str| fields.get(name).filter(|value| **value != Value::Null);
        let mut reply_to = field("reply_to").map(Value::to_plain_text);
        if *n_answers > 0 && reply_to.is_none() {
            if self.version < 5 {
                let reason =
                    "before MQTT 5 nothing says where an answer goes; `reply_to` says where it is heard";
                return Err(Unanswerable::new(reason));
            }
            self.n_inboxes += 1;
            reply_to = Some(format!("seam/answers/{}/{}", self.sign_in.name, self.n_inboxes));
        }
        if let Some(wrong) = [Some(topic), reply_to.as_ref()].into_iter().flatten().find(|one| !is_topic(one))
        {
            return Err(Unanswerable::new(format!("{wrong:?} is no topic")));
        }
        let qos = match field("qos").map(Value::as_i64) {
            None => 1,
            Some(Some(qos @ 0..=2)) => u8::try_from(qos).unwrap_or(0),
            Some(_) => return Err(Unanswerable::new("qos is 0, 1 or 2")),
        };
        let properties = self.properties(fields, reply_to.as_ref())?;
        let publish = Publish {
            is_again: false,
            qos,
            retain: field("retain") == Some(&Value::Bool(true)),
            topic: topic.as_bytes(),
            id: (qos > 0).then_some(PUBLICATION),
            properties: &properties,
            payload: body.as_deref().unwrap_or_default(),
        };
        let publish = publish.write(self.version);
        self.inbox = reply_to.filter(|_| *n_answers > 0).map(|inbox| (inbox, *n_answers));
        match &self.inbox {
            None => self.say(&publish, out),
            Some((inbox, _)) => {
                self.about(kinds::SUBSCRIBE, inbox, out);
                self.stage = Stage::Subscribing(publish);
            }
        }
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Surprise> {
        self.pending.push(bytes);
        while let Some(packet) = self.next()? {
            self.packet(&packet, out)?;
        }
        Ok(())
    }

    fn came(&mut self) -> Option<Came> {
        if let Some(refused) = self.refused.take() {
            return Some(refused);
        }
        let came = match &self.stage {
            Stage::Opened => Came::Open,
            Stage::Done => Came::Done,
            _ => return None,
        };
        self.stage = Stage::Free;
        Some(came)
    }

    fn told(&mut self) -> Map {
        Map::from_iter([("messages".to_owned(), Value::List(std::mem::take(&mut self.answers)))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(retain: bool, payload: &[u8], version: u8) -> Vec<u8> {
        let publish =
            Publish { is_again: false, qos: 0, retain, topic: b"state", id: None, properties: &[], payload };
        publish.write(version)
    }

    /// What is retained where the answer goes, and what was published there before, is none.
    #[test]
    fn what_was_there_before_is_no_answer() {
        for (version, number, options) in [("5", 5, 0x21), ("3.1.1", 4, 1)] {
            let sign_in = SignIn { version: Some(version.to_owned()), ..SignIn::default() };
            let mut publishing = Publishing::new(sign_in);
            publishing.begin(&mut Vec::new()).unwrap();
            publishing.stage = Stage::Free;
            let fields = Map::from_iter([("reply_to".to_owned(), Value::text("state"))]);
            let publication =
                Publication { topic: "ask".to_owned(), fields, n_answers: 1, ..Publication::default() };
            let mut out = Vec::new();
            publishing.publish(&publication, &mut out).unwrap();
            assert_eq!(out.last(), Some(&options), "{version}");
            let no_properties: &[u8] = if number == 5 { &[0] } else { &[] };
            let suback = [&SUBSCRIPTION.to_be_bytes()[..], no_properties, &[1]].concat();
            for heard in [
                delivery(true, b"yesterday", number),
                delivery(false, b"just before", number),
                packet(kinds::SUBACK << 4, &suback),
                delivery(true, b"yesterday", number),
                packet(kinds::PUBACK << 4, &PUBLICATION.to_be_bytes()),
            ] {
                publishing.hear(&heard, &mut out).unwrap();
                assert_eq!((publishing.came(), publishing.answers.len()), (None, 0), "{version}");
            }
            publishing.hear(&delivery(false, b"now", number), &mut out).unwrap();
            publishing.hear(&packet(kinds::UNSUBACK << 4, &suback), &mut out).unwrap();
            assert_eq!(publishing.came(), Some(Came::Done), "{version}");
            let told = publishing.told();
            assert_eq!(told["messages"].as_list().unwrap()[0].get("text"), Some(&Value::text("now")));
        }
    }

    #[test]
    fn what_is_too_long_is_not_cut() {
        let long = "x".repeat(LONGEST + 1);
        let mut publishing = Publishing::new(SignIn { password: Some(long.clone()), ..SignIn::default() });
        assert!(publishing.begin(&mut Vec::new()).is_err());
        let publication = Publication { topic: long, ..Publication::default() };
        assert!(publishing.publish(&publication, &mut Vec::new()).is_err());
    }
}
