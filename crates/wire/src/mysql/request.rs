//! What a client says: its log-in, its commands, and the values bound to a prepared statement.

use super::packets::{Fields, can};
use super::value::{Type, kinds, of_binary, of_text};
use super::walk::Kind;
use crate::body::{in_base64, text_or_base64};
use seam_value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The first byte of each command that is looked at.
pub(super) mod command {
    pub(in crate::mysql) const QUIT: u8 = 0x01;
    pub(in crate::mysql) const INIT_DB: u8 = 0x02;
    pub(in crate::mysql) const QUERY: u8 = 0x03;
    pub(in crate::mysql) const STATISTICS: u8 = 0x09;
    pub(in crate::mysql) const CHANGE_USER: u8 = 0x11;
    pub(in crate::mysql) const PREPARE: u8 = 0x16;
    pub(in crate::mysql) const EXECUTE: u8 = 0x17;
    pub(in crate::mysql) const LONG_DATA: u8 = 0x18;
    pub(in crate::mysql) const CLOSE: u8 = 0x19;
    pub(in crate::mysql) const RESET: u8 = 0x1a;
    pub(in crate::mysql) const FETCH: u8 = 0x1c;
    pub(in crate::mysql) const RESET_CONNECTION: u8 = 0x1f;
    pub(in crate::mysql) const BULK: u8 = 0xfa;
}

/// A command without its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// It is told as a request.
    Call(Kind),
    /// Nothing that rules are about.
    Rest(Kind),
    /// There is no reply to it.
    Silent,
    /// What comes from here on is not commands.
    Replicates,
    Unknown,
}

pub(super) fn read_command(first: u8) -> Command {
    match first {
        command::QUERY => Command::Call(Kind::Query),
        command::EXECUTE | command::BULK => Command::Call(Kind::Execute),
        command::FETCH => Command::Call(Kind::Fetch),
        command::PREPARE => Command::Rest(Kind::Prepare),
        command::CHANGE_USER => Command::Rest(Kind::LogIn),
        0x04 => Command::Rest(Kind::FieldList),
        0x0a => Command::Rest(Kind::Query),
        command::INIT_DB
        | 0x05..=0x09
        | 0x0b..=0x0e
        | 0x15
        | command::RESET
        | 0x1b
        | command::RESET_CONNECTION => Command::Rest(Kind::One),
        command::QUIT | command::LONG_DATA | command::CLOSE => Command::Silent,
        0x12 | 0x13 | 0x1e => Command::Replicates,
        _ => Command::Unknown,
    }
}

/// What a client says first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogIn {
    pub(super) can: u64,
    pub(super) user: String,
    pub(super) database: Option<String>,
    /// How it wants to prove who it is.
    pub(super) plugin: Option<String>,
    pub(super) has_proof: bool,
}

/// Reads the client's first packet; none where it is none.
pub(super) fn read_log_in(payload: &[u8]) -> Option<LogIn> {
    let mut fields = Fields(payload);
    let mut can = u64::from(fields.u32()?);
    fields.take(4 + 1)?;
    let reserved = fields.take(23)?;
    // A client of MySQL's own leaves the room where MariaDB's says more to zeros.
    if can & 1 == 0 {
        can |= Fields(&reserved[19..]).number(4)? << 32;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let user = text(fields.until_zero()?);
    let proof = if can & can::AUTH_WITH_LENGTH != 0 {
        fields.bytes()?
    } else {
        let length = fields.u8()?;
        fields.take(usize::from(length))?
    };
    let database = if can & can::CONNECT_WITH_DB != 0 { fields.until_zero().map(text) } else { None };
    let plugin = if can & can::PLUGIN_AUTH != 0 { fields.until_zero().map(text) } else { None };
    Some(LogIn { can, user, database, plugin, has_proof: !proof.is_empty() })
}

/// What the server's greeting says that it can do; none where it is no greeting.
pub(super) fn read_greeting(payload: &[u8]) -> Option<u64> {
    let mut fields = Fields(payload);
    if fields.u8()? != 10 {
        return None;
    }
    fields.until_zero()?;
    fields.take(4 + 8 + 1)?;
    let low = fields.number(2)?;
    fields.take(1 + 2)?;
    let high = fields.number(2)?;
    fields.take(1 + 6)?;
    let more = fields.number(4)?;
    let can = low | high << 16;
    // Only a server that is not MySQL's own says more.
    Some(if can & 1 == 0 { can | more << 32 } else { can })
}

/// A prepared statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Prepared {
    pub(super) statement: Arc<str>,
    /// The types that were bound last.
    pub(super) types: Arc<[Type]>,
    /// What was sent ahead of the execution, by parameter.
    pub(super) ahead: BTreeMap<u16, Vec<u8>>,
    pub(super) n_parameters: u16,
    /// The columns of its last result, as packets.
    pub(super) columns: Arc<[u8]>,
}

/// The SQL of COM_QUERY, and what is bound to it by name.
pub(super) fn statement(payload: &[u8], can: u64) -> (&[u8], Vec<Value>) {
    let mut fields = Fields(payload.get(1..).unwrap_or_default());
    let plain = fields.0;
    if can & can::QUERY_ATTRIBUTES == 0 {
        return (plain, Vec::new());
    }
    let parse = |fields: &mut Fields<'_>| {
        let n_values = usize::try_from(fields.length()?).ok()?;
        fields.length()?;
        if n_values > 0 {
            attributes(fields, n_values)?;
        }
        Some(())
    };
    if parse(&mut fields).is_some() { (fields.0, Vec::new()) } else { (plain, Vec::new()) }
}

/// Passes over the attributes of a query, which are values with names.
fn attributes(fields: &mut Fields<'_>, n_values: usize) -> Option<()> {
    let nulls = fields.take(n_values.div_ceil(8))?;
    fields.u8()?;
    let mut types = Vec::new();
    for _ in 0..n_values {
        types.push(Type::bound(fields.u8()?, fields.u8()?));
        fields.bytes()?;
    }
    for (index, kind) in types.into_iter().enumerate() {
        if nulls[index / 8] & (1 << (index % 8)) == 0 {
            of_binary(kind, fields)?;
        }
    }
    Some(())
}

/// The number of the statement that a command is about.
pub(super) fn statement_id(payload: &[u8]) -> Option<u32> {
    Fields(payload.get(1..)?).u32()
}

/// The types bound with an execution; none where those of before hold.
pub(super) fn types(payload: &[u8], prepared: &Prepared, can: u64) -> Option<Arc<[Type]>> {
    let (types, _, _) = bound(payload, prepared, can)?;
    Some(types)
}

/// Types, nulls, and the values behind them.
type Bound<'a> = (Arc<[Type]>, &'a [u8], Fields<'a>);

fn bound<'a>(payload: &'a [u8], prepared: &Prepared, can: u64) -> Option<Bound<'a>> {
    let mut fields = Fields(payload.get(1 + 4..)?);
    let flags = fields.u8()?;
    fields.take(4)?;
    let mut n_parameters = usize::from(prepared.n_parameters);
    let has_names = can & can::QUERY_ATTRIBUTES != 0;
    if has_names && (n_parameters > 0 || flags & 8 != 0) {
        n_parameters = usize::try_from(fields.length()?).ok()?;
    }
    if n_parameters == 0 || n_parameters > 1 << 16 {
        return None;
    }
    let nulls = fields.take(n_parameters.div_ceil(8))?;
    if fields.u8()? == 0 {
        return Some((Arc::clone(&prepared.types), nulls, fields));
    }
    let mut types = Vec::new();
    for _ in 0..n_parameters {
        types.push(Type::bound(fields.u8()?, fields.u8()?));
        if has_names {
            fields.bytes()?;
        }
    }
    Some((types.into(), nulls, fields))
}

/// The values that are bound with an execution, as far as the bytes go.
pub(super) fn parameters(payload: &[u8], prepared: &Prepared, can: u64) -> Vec<Value> {
    if payload.first() == Some(&command::BULK) {
        return bulk(payload, prepared);
    }
    let Some((types, nulls, mut fields)) = bound(payload, prepared, can) else { return Vec::new() };
    let mut values = Vec::new();
    for (index, kind) in types.iter().enumerate() {
        let is_null = nulls.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0);
        let ahead = u16::try_from(index).ok().and_then(|index| prepared.ahead.get(&index));
        let value = match ahead {
            Some(bytes) => Some(parameter(*kind, bytes)),
            None if is_null => Some(Value::Null),
            None => bound_value(*kind, &mut fields),
        };
        let Some(value) = value else { break };
        values.push(value);
    }
    values
}

/// Texts and bytes can't be told apart by their types.
fn parameter(kind: Type, bytes: &[u8]) -> Value {
    match kind.kind {
        15 | 247..=255 => text_or_base64(bytes, false).0,
        _ => of_text(kind, bytes),
    }
}

fn bound_value(kind: Type, fields: &mut Fields<'_>) -> Option<Value> {
    match kind.kind {
        15 | 247..=255 => fields.bytes().map(|bytes| parameter(kind, bytes)),
        kinds::BIT => fields.bytes().map(in_base64),
        _ => of_binary(kind, fields),
    }
}

/// MariaDB's execution with many rows at once: one list for each.
fn bulk(payload: &[u8], prepared: &Prepared) -> Vec<Value> {
    let mut fields = Fields(payload.get(1 + 4..).unwrap_or_default());
    let flags = fields.u16().unwrap_or_default();
    let mut types: Vec<Type> = prepared.types.to_vec();
    if flags & 128 != 0 {
        types.clear();
        for _ in 0..prepared.n_parameters {
            let Some((kind, flags)) = fields.u8().zip(fields.u8()) else { return Vec::new() };
            types.push(Type::bound(kind, flags));
        }
    }
    let mut rows = Vec::new();
    while !fields.0.is_empty() && !types.is_empty() {
        let mut row = Vec::new();
        for kind in &types {
            let value = match fields.u8() {
                Some(0) => bound_value(*kind, &mut fields),
                Some(_) => Some(Value::Null),
                None => None,
            };
            let Some(value) = value else { return rows };
            row.push(value);
        }
        rows.push(Value::List(row));
    }
    rows
}
