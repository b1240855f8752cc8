//! Plain values to MySQL's packets: what is said in a server's place.

use super::packets::{can, put_bytes, put_length, put_packet, status};
use super::reading::Column;
use super::value::{BINARY, Type, UTF8, holds, kinds, to_binary, to_bits, to_text, type_of};
use super::walk::Kind;
use crate::splitter::Unanswerable;
use crate::unmatched::unmatched;
use seam_value::{Map, Value};

/// The error after which a transaction is gone.
pub(super) const DEADLOCK: u16 = 1213;

/// To whom it is said, and behind what.
#[derive(Clone, Debug)]
pub(super) struct To<'a> {
    pub(super) can: u64,
    pub(super) status: u16,
    /// The number of the first packet.
    pub(super) seq: u8,
    pub(super) kind: Kind,
    /// The columns that the server described, where it did.
    pub(super) columns: &'a [Column],
}

/// What is said, read from the fields of a reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said<'a> {
    Error { code: u16, state: String, message: String },
    Rows { rows: &'a [Value], columns: Vec<Column> },
    Changed { affected: u64, id: u64, warnings: u16 },
}

const FIELDS: [&str; 8] = ["columns", "rows", "count", "affected", "insert_id", "warnings", "error", "more"];

/// Reads an answer: its first result, and those behind it.
pub(super) fn read(answer: &Value) -> Result<Vec<Said<'_>>, Unanswerable> {
    if let Some(words) = unmatched(answer) {
        let message = words.to_owned();
        return Ok(vec![Said::Error { code: 1105, state: "HY000".to_owned(), message }]);
    }
    let mut said = vec![read_one(answer)?];
    match answer.get("more") {
        None | Some(Value::Null) => {}
        Some(Value::List(more)) => {
            for each in more {
                said.push(read_one(each)?);
            }
        }
        Some(other) => return Err(Unanswerable::new(format!("more is a list of results, not {other}"))),
    }
    Ok(said)
}

fn read_one(answer: &Value) -> Result<Said<'_>, Unanswerable> {
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new(format!(
            "an answer of mysql is a map with rows, affected or error, not {answer}"
        )));
    };
    if let Some(other) = map.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(Unanswerable::new(format!(
            "mysql has no {other}; its answers have rows, affected or error"
        )));
    }
    let field = |name: &str| map.get(name).filter(|value| **value != Value::Null);
    if let Some(error) = field("error") {
        return read_error(error);
    }
    let number = |name: &str| match field(name) {
        None => Ok(0),
        Some(value) => value
            .as_i64()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| Unanswerable::new(format!("{name} is a number, not {value}"))),
    };
    match (field("rows"), field("affected")) {
        (Some(Value::List(rows)), None) => {
            if let Some(row) = rows.iter().find(|row| row.as_map().is_none()) {
                return Err(Unanswerable::new(format!("a row is a map of columns, not {row}")));
            }
            let columns = field("columns").map(read_columns).transpose()?.unwrap_or_default();
            Ok(Said::Rows { rows, columns })
        }
        (Some(Value::List(rows)), Some(_)) if !rows.is_empty() => {
            Err(Unanswerable::new("rows, or affected: not both"))
        }
        (Some(Value::List(_)) | None, _) => {
            let warnings = u16::try_from(number("warnings")?).unwrap_or(u16::MAX);
            Ok(Said::Changed { affected: number("affected")?, id: number("insert_id")?, warnings })
        }
        (Some(other), _) => Err(Unanswerable::new(format!("rows is a list, not {other}"))),
    }
}

/// `[id bigint, price decimal(2)]`
fn read_columns(columns: &Value) -> Result<Vec<Column>, Unanswerable> {
    let wrong = |what: &Value| {
        Unanswerable::new(format!(
            "columns is a list of names with their types, `[id bigint, price decimal(2)]`, not {what}"
        ))
    };
    let column = |column: &Value| column.as_text().and_then(super::names::read).ok_or_else(|| wrong(column));
    columns.as_list().ok_or_else(|| wrong(columns))?.iter().map(column).collect()
}

fn read_error(error: &Value) -> Result<Said<'_>, Unanswerable> {
    let code = error.get("code").unwrap_or(error);
    let number = match code {
        Value::Text(text) => text.parse().ok(),
        other => other.as_i64().and_then(|code| u16::try_from(code).ok()),
    };
    let number = number.filter(|code| *code > 0).ok_or_else(|| {
        Unanswerable::new(format!(
            "error is MySQL's number (1213), or a map with code, state and message, not {error}"
        ))
    })?;
    let (state, message) = known(number);
    let text = |name: &str, other: &str| {
        error.get(name).and_then(Value::as_text).map_or_else(|| other.to_owned(), str::to_owned)
    };
    let state = text("state", state);
    if state.len() != 5 || !state.is_ascii() {
        return Err(Unanswerable::new(format!("{state:?} is no SQLSTATE: five characters")));
    }
    Ok(Said::Error { code: number, state, message: text("message", message) })
}

/// The state and the words that belong to an error.
fn known(code: u16) -> (&'static str, &'static str) {
    match code {
        1040 => ("08004", "Too many connections"),
        1044 => ("42000", "Access denied to database"),
        1045 => ("28000", "Access denied"),
        1048 => ("23000", "Column cannot be null"),
        1053 => ("08S01", "Server shutdown in progress"),
        1054 => ("42S22", "Unknown column"),
        1062 => ("23000", "Duplicate entry"),
        1064 => ("42000", "You have an error in your SQL syntax"),
        1105 => ("HY000", "Unknown error"),
        1146 => ("42S02", "Table doesn't exist"),
        1205 => ("HY000", "Lock wait timeout exceeded; try restarting transaction"),
        DEADLOCK => ("40001", "Deadlock found when trying to get lock; try restarting transaction"),
        1264 => ("22003", "Out of range value"),
        1290 => ("HY000", "The server is running with an option so it cannot execute this statement"),
        1317 => ("70100", "Query execution was interrupted"),
        1406 => ("22001", "Data too long"),
        1451 => ("23000", "Cannot delete or update a parent row: a foreign key constraint fails"),
        1452 => ("23000", "Cannot add or update a child row: a foreign key constraint fails"),
        1836 => ("HY000", "Running in read-only mode"),
        3024 => ("HY000", "Query execution was interrupted, maximum statement execution time exceeded"),
        _ => ("HY000", "put in on purpose"),
    }
}

/// Says all of it.
pub(super) fn say(said: &[Said<'_>], to: &To<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut seq = to.seq;
    for (index, each) in said.iter().enumerate() {
        let has_more = index + 1 < said.len();
        let status = if has_more { to.status | status::MORE_RESULTS } else { to.status };
        match each {
            Said::Error { code, state, message } => {
                put_packet(&mut out, &mut seq, &error(*code, state, message));
                return out;
            }
            Said::Changed { affected, id, warnings } => {
                put_packet(&mut out, &mut seq, &ok(0, (*affected, *id), status, *warnings));
            }
            Said::Rows { rows, columns: said } => {
                let columns = columns(rows, if index == 0 { to.columns } else { &[] }, said);
                say_rows((rows, &columns), (to, status), &mut seq, &mut out);
            }
        }
    }
    out
}

fn say_rows(
    (rows, columns): (&[Value], &[Column]),
    (to, status): (&To<'_>, u16),
    seq: &mut u8,
    out: &mut Vec<u8>,
) {
    let has_eof = to.can & can::DEPRECATE_EOF == 0;
    if to.kind != Kind::Fetch {
        let mut count = Vec::new();
        if to.can & can::OPTIONAL_METADATA != 0 {
            count.push(1);
        }
        put_length(&mut count, columns.len() as u64);
        if to.can & can::CACHE_METADATA != 0 {
            count.push(1);
        }
        put_packet(out, seq, &count);
        for column in columns {
            put_packet(out, seq, &definition(column, to.can));
        }
        if has_eof {
            put_packet(out, seq, &eof(status & !status::MORE_RESULTS));
        }
    }
    for row in rows {
        let empty = Map::default();
        let row = row.as_map().unwrap_or(&empty);
        let cells = columns.iter().map(|column| (column.kind, row.get(&column.name).unwrap_or(&Value::Null)));
        let payload = if to.kind == Kind::Query { text_row(cells) } else { binary_row(columns.len(), cells) };
        put_packet(out, seq, &payload);
    }
    let end = if has_eof { eof(status) } else { ok(0xfe, (0, 0), status, 0) };
    put_packet(out, seq, &end);
}

/// The columns of these rows: those that the server described, or else that the answer says, where they can hold the
/// values.
fn columns(rows: &[Value], described: &[Column], said: &[Column]) -> Vec<Column> {
    if rows.is_empty() && !(described.is_empty() && said.is_empty()) {
        return if described.is_empty() { said } else { described }.to_vec();
    }
    let mut columns: Vec<Column> = Vec::new();
    let names = rows.iter().filter_map(Value::as_map).flat_map(Map::keys);
    for name in said.iter().map(|column| &column.name).chain(names) {
        if columns.iter().any(|column| column.name == *name) {
            continue;
        }
        let values = || rows.iter().filter_map(|row| row.get(name));
        let mut known = described.iter().chain(said).filter(|column| column.name == *name);
        let known = known.find(|column| values().all(|value| holds(column.kind, value)));
        columns
            .push(known.cloned().unwrap_or_else(|| Column { name: name.clone(), kind: type_of(values()) }));
    }
    if columns.is_empty() {
        // A result has at least one.
        let kind = Type { kind: kinds::VAR_STRING, is_unsigned: false, charset: UTF8, decimals: 0 };
        columns.push(Column { name: "result".to_owned(), kind });
    }
    columns
}

fn text_row<'v>(cells: impl Iterator<Item = (Type, &'v Value)>) -> Vec<u8> {
    let mut payload = Vec::new();
    for (kind, value) in cells {
        match value {
            Value::Null => payload.push(0xfb),
            value @ Value::Number(_) if kind.kind == kinds::BIT => put_bytes(&mut payload, &to_bits(value)),
            value => put_bytes(&mut payload, &to_text(value)),
        }
    }
    payload
}

fn binary_row<'v>(n_columns: usize, cells: impl Iterator<Item = (Type, &'v Value)>) -> Vec<u8> {
    let mut payload = vec![0; 1 + (n_columns + 9) / 8];
    for (index, (kind, value)) in cells.enumerate() {
        if *value == Value::Null {
            payload[1 + (index + 2) / 8] |= 1 << ((index + 2) % 8);
        } else {
            to_binary(kind, value, &mut payload);
        }
    }
    payload
}

fn definition(column: &Column, can: u64) -> Vec<u8> {
    let mut payload = Vec::new();
    put_bytes(&mut payload, b"def");
    for _ in 0..3 {
        put_bytes(&mut payload, b"");
    }
    put_bytes(&mut payload, column.name.as_bytes());
    put_bytes(&mut payload, column.name.as_bytes());
    if can & can::EXTENDED_METADATA != 0 {
        put_bytes(&mut payload, b"");
    }
    payload.push(12);
    payload.extend_from_slice(&column.kind.charset.to_le_bytes());
    payload.extend_from_slice(&0x4000_u32.to_le_bytes());
    payload.push(column.kind.kind);
    let mut flags = if column.kind.is_unsigned { 0x20_u16 } else { 0 };
    if column.kind.charset == BINARY {
        flags |= 0x80;
    }
    payload.extend_from_slice(&flags.to_le_bytes());
    payload.push(column.kind.decimals);
    payload.extend_from_slice(&[0, 0]);
    payload
}

/// An OK packet; with 0xfe as its head it ends rows.
pub(super) fn ok(head: u8, (affected, id): (u64, u64), status: u16, warnings: u16) -> Vec<u8> {
    let mut payload = vec![head];
    put_length(&mut payload, affected);
    put_length(&mut payload, id);
    payload.extend_from_slice(&status.to_le_bytes());
    payload.extend_from_slice(&warnings.to_le_bytes());
    payload
}

pub(super) fn eof(status: u16) -> Vec<u8> {
    let mut payload = vec![0xfe, 0, 0];
    payload.extend_from_slice(&status.to_le_bytes());
    payload
}

/// An ERR packet.
pub(super) fn error(code: u16, state: &str, message: &str) -> Vec<u8> {
    let mut payload = vec![0xff];
    payload.extend_from_slice(&code.to_le_bytes());
    payload.push(b'#');
    payload.extend_from_slice(state.as_bytes());
    payload.extend_from_slice(message.as_bytes());
    payload
}

/// The description of a parameter, of which nothing is known.
pub(super) fn parameter() -> Vec<u8> {
    let kind = Type { kind: kinds::VAR_STRING, is_unsigned: false, charset: UTF8, decimals: 0 };
    definition(&Column { name: "?".to_owned(), kind }, 0)
}
