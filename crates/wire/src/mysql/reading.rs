//! The kept bytes of a statement and of its reply to the fields that tests name.

use super::names;
use super::packets::{Cell, Fields, Packet, Payloads};
use super::request::{Prepared, command, parameters, statement};
use super::value::{Type, of_binary, of_text};
use super::walk::{Kind, Walk, What};
use crate::body::text_or_base64;
use crate::conversation::{Captured, Parts};
use seam_value::{Map, Value};
use std::sync::Arc;

/// A request, as kept.
#[derive(Debug)]
pub(super) struct KeptRequest {
    pub(super) bytes: Vec<u8>,
    pub(super) cut: bool,
    pub(super) can: u64,
    /// What it executes, or fetches from.
    pub(super) prepared: Option<Box<Prepared>>,
}

impl Captured for KeptRequest {
    fn size(&self) -> usize {
        let ahead = |prepared: &Prepared| prepared.ahead.values().map(Vec::capacity).sum::<usize>();
        self.bytes.capacity() + self.prepared.as_deref().map_or(0, ahead)
    }

    fn read(self: Box<Self>) -> Parts {
        let payload = Payloads(&self.bytes).next().map(|payload| payload.bytes).unwrap_or_default();
        let (name, sql, values) = match (payload.first(), &self.prepared) {
            (Some(&command::QUERY), _) => {
                let (sql, values) = statement(&payload, self.can);
                ("query", text_or_base64(sql, self.cut).0, values)
            }
            (Some(&command::FETCH), prepared) => ("fetch", prepared_text(prepared.as_deref()), Vec::new()),
            (_, prepared) => {
                let values = prepared
                    .as_ref()
                    .map(|prepared| parameters(&payload, prepared, self.can))
                    .unwrap_or_default();
                ("execute", prepared_text(prepared.as_deref()), values)
            }
        };
        let request = Value::map([
            ("command", Value::text(name)),
            ("statement", sql),
            ("parameters", Value::List(values)),
        ]);
        Parts { request, cut: self.cut, ..Parts::default() }
    }
}

fn prepared_text(prepared: Option<&Prepared>) -> Value {
    prepared.map_or(Value::Null, |prepared| Value::text(&*prepared.statement))
}

/// A reply, as kept.
#[derive(Debug)]
pub(super) struct KeptReply {
    pub(super) bytes: Vec<u8>,
    pub(super) cut: bool,
    pub(super) can: u64,
    pub(super) kind: Kind,
    /// The columns of an earlier reply, as packets, where this one has none.
    pub(super) columns: Arc<[u8]>,
}

impl Captured for KeptReply {
    fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let (reply, cut) = self.to_value();
        Parts { reply, cut: self.cut || cut, ..Parts::default() }
    }
}

impl KeptReply {
    fn to_value(&self) -> (Value, bool) {
        let is_binary = self.kind != Kind::Query;
        let mut results = Results { is_binary, ..Results::default() };
        if self.kind == Kind::Fetch {
            results.begin(&self.columns);
        }
        let mut walk = Walk::new(self.kind, self.can, 0);
        let mut cut = false;
        for payload in Payloads(&self.bytes) {
            let packet = Packet {
                first: payload.bytes.first().copied().unwrap_or_default(),
                length: payload.bytes.len(),
                payload: &payload.bytes,
            };
            if !payload.is_whole {
                cut = true;
                break;
            }
            let Ok((what, ends)) = walk.step(&packet) else { break };
            results.take(what, &payload.bytes, (&walk, &self.columns));
            if ends {
                break;
            }
        }
        (results.into_value(), cut)
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Type,
}

/// Reads columns out of their packets.
pub(super) fn columns(packets: &[u8], can: u64) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for payload in Payloads(packets) {
        let Some(mut column) = column(&payload.bytes, can) else { break };
        column.name = unused(column.name, &columns);
        columns.push(column);
    }
    columns
}

pub(super) fn column(payload: &[u8], can: u64) -> Option<Column> {
    let mut fields = Fields(payload);
    for _ in 0..4 {
        fields.bytes()?;
    }
    let name = String::from_utf8_lossy(fields.bytes()?).into_owned();
    fields.bytes()?;
    if can & super::packets::can::EXTENDED_METADATA != 0 {
        fields.bytes()?;
    }
    fields.length()?;
    let charset = fields.u16()?;
    fields.take(4)?;
    let kind = fields.u8()?;
    let flags = fields.u16()?;
    let decimals = fields.u8()?;
    Some(Column { name, kind: Type { kind, is_unsigned: flags & 0x20 != 0, charset, decimals } })
}

/// A second column of one name is `name_2`, so that none is lost.
fn unused(name: String, columns: &[Column]) -> String {
    if columns.iter().all(|column| column.name != name) {
        return name;
    }
    (2..=columns.len() + 2)
        .map(|number| format!("{name}_{number}"))
        .find(|candidate| columns.iter().all(|column| column.name != *candidate))
        .unwrap_or(name)
}

/// What a reply says, result by result.
#[derive(Default)]
struct Results {
    is_binary: bool,
    columns: Vec<Column>,
    /// Inside a result's columns.
    has_begun: bool,
    rows: Vec<Value>,
    done: Vec<Value>,
}

impl Results {
    fn begin(&mut self, columns: &[u8]) {
        self.columns = self::columns(columns, 0);
        self.has_begun = true;
    }

    fn take(&mut self, what: What, payload: &[u8], (walk, known): (&Walk, &[u8])) {
        match what {
            What::Count => {
                self.columns.clear();
                self.rows.clear();
                self.has_begun = true;
            }
            What::Column => {
                let column = column(payload, walk.can());
                if let Some(mut column) = column {
                    column.name = unused(column.name, &self.columns);
                    self.columns.push(column);
                }
            }
            What::Row => {
                if self.columns.is_empty() {
                    self.begin(known);
                }
                let row = if self.is_binary { self.binary(payload) } else { self.text(payload) };
                self.rows.push(row);
            }
            What::End if walk.is_between_results() && self.has_begun => self.result(),
            What::End if walk.has_cursor() => self.result(),
            What::Ok => {
                let mut fields = Fields(payload.get(1..).unwrap_or_default());
                let (affected, id) = (fields.length(), fields.length());
                let (_, warnings) = (fields.u16(), fields.u16());
                let number = |number: Option<u64>| number.map_or(Value::Null, Value::from);
                self.done.push(Value::map([
                    ("rows", Value::List(Vec::new())),
                    ("count", Value::from(0_u64)),
                    ("affected", number(affected)),
                    ("insert_id", number(id)),
                    ("warnings", number(warnings.map(u64::from))),
                    ("error", Value::Null),
                ]));
            }
            What::Error => {
                self.done.push(Value::map([
                    ("rows", Value::List(std::mem::take(&mut self.rows))),
                    ("count", Value::from(0_u64)),
                    ("affected", Value::Null),
                    ("insert_id", Value::Null),
                    ("warnings", Value::Null),
                    ("error", error(payload)),
                ]));
                self.has_begun = false;
            }
            _ => {}
        }
    }

    fn result(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        self.has_begun = false;
        let columns = self.columns.iter().map(|column| Value::Text(names::said(column))).collect();
        self.done.push(Value::map([
            ("count", Value::from(rows.len())),
            ("columns", Value::List(columns)),
            ("rows", Value::List(rows)),
            ("affected", Value::Null),
            ("insert_id", Value::Null),
            ("warnings", Value::Null),
            ("error", Value::Null),
        ]));
    }

    fn into_value(mut self) -> Value {
        if self.has_begun {
            self.result();
        }
        let mut done = self.done.into_iter();
        let Some(Value::Map(mut reply)) = done.next() else { return Value::Null };
        let more: Vec<Value> = done.collect();
        if !more.is_empty() {
            reply.insert("more".to_owned(), Value::List(more));
        }
        Value::Map(reply)
    }

    fn text(&self, payload: &[u8]) -> Value {
        let mut fields = Fields(payload);
        let mut row = Map::default();
        for column in &self.columns {
            let Some(cell) = fields.cell() else { break };
            let value = match cell {
                Cell::Null => Value::Null,
                Cell::Value(bytes) => of_text(column.kind, bytes),
            };
            row.insert(column.name.clone(), value);
        }
        Value::Map(row)
    }

    fn binary(&self, payload: &[u8]) -> Value {
        let mut fields = Fields(payload.get(1..).unwrap_or_default());
        let mut row = Map::default();
        let Some(nulls) = fields.take((self.columns.len() + 9) / 8) else { return Value::Map(row) };
        for (index, column) in self.columns.iter().enumerate() {
            let is_null = nulls[(index + 2) / 8] & (1 << ((index + 2) % 8)) != 0;
            let value = if is_null { Some(Value::Null) } else { of_binary(column.kind, &mut fields) };
            let Some(value) = value else { break };
            row.insert(column.name.clone(), value);
        }
        Value::Map(row)
    }
}

/// An ERR packet.
pub(super) fn error(payload: &[u8]) -> Value {
    let mut fields = Fields(payload.get(1..).unwrap_or_default());
    let code = fields.u16().unwrap_or_default();
    let text = |bytes: &[u8]| Value::text(String::from_utf8_lossy(bytes));
    let (state, message) = match fields.0 {
        [b'#', rest @ ..] if rest.len() >= 5 => (text(&rest[..5]), text(&rest[5..])),
        rest => (Value::Null, text(rest)),
    };
    Value::map([("code", Value::from(code)), ("state", state), ("message", message)])
}
