//! What was kept of methods and contents, read to values.

use super::content::{Content, of_method};
use super::frame;
use super::method::{self, CHANNEL_CLOSE, CLOSE};
use super::value::Reader;
use crate::conversation::{Captured, Parts};
use seam_value::{Map, Value};

/// Which part of an interaction something is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Request,
    Reply,
    Message,
}

/// A method, or as much of it as is kept.
pub(super) struct Told {
    part: Part,
    payload: Vec<u8>,
    cut: bool,
}

impl Told {
    pub(super) fn new(part: Part, payload: &[u8], most: usize) -> Self {
        let n_kept = payload.len().min(most);
        Self { part, payload: payload[..n_kept].to_vec(), cut: n_kept < payload.len() }
    }
}

impl Captured for Told {
    fn size(&self) -> usize {
        self.payload.len()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut cut = self.cut;
        let value = match self.part {
            Part::Message => of_method(&self.payload, &mut cut),
            part => of_call(part, &self.payload),
        };
        part_of(self.part, value, cut)
    }
}

/// A request or its reply. One without bytes is of a method that wants no reply.
fn of_call(part: Part, payload: &[u8]) -> Value {
    let Some(method) = frame::method_id(payload).and_then(method::method) else { return Value::Null };
    let mut arguments = Map::default();
    Reader(&payload[4..]).arguments(method.arguments, &mut arguments);
    arguments.shift_remove("nowait");
    let mut map = Map::default();
    map.insert("method".to_owned(), Value::text(method.name));
    if matches!(method.id, CHANNEL_CLOSE | CLOSE) {
        let field = |name: &str| arguments.get(name).cloned().unwrap_or_default();
        let error = Value::map([("code", field("reply_code")), ("text", field("reply_text"))]);
        map.insert("error".to_owned(), error);
        return Value::Map(map);
    }
    map.extend(arguments);
    if matches!(part, Part::Reply) {
        map.insert("error".to_owned(), Value::Null);
    }
    Value::Map(map)
}

fn part_of(part: Part, value: Value, cut: bool) -> Parts {
    let mut parts = Parts { cut, ..Parts::default() };
    match part {
        Part::Request => parts.request = value,
        Part::Reply => parts.reply = value,
        Part::Message => parts.message = value,
    }
    parts
}

impl Captured for (Part, Content) {
    fn size(&self) -> usize {
        self.1.method.len() + self.1.header.len() + self.1.body.len()
    }

    fn read(self: Box<Self>) -> Parts {
        let (part, content) = *self;
        let mut cut = false;
        let mut value = content.to_value(&mut cut);
        if let (Part::Reply, Value::Map(map)) = (part, &mut value) {
            map.insert("error".to_owned(), Value::Null);
        }
        part_of(part, value, cut)
    }
}
