//! The kept bytes of one PostgreSQL exchange to the fields that tests name.

use super::awaited::{Awaited, Portal, Statement};
use super::frames::Fields;
use super::names::name_of;
use super::rows;
use super::split::statement_at;
use super::value::Format;
use crate::body;
use crate::conversation::{Captured, Direction, Parts};
use seam_value::{Map, Value};
use std::sync::Arc;

/// One exchange, as kept.
pub(super) struct PostgresExchange {
    pub(super) asked: Asked,
    pub(super) reply: Reply,
}

/// What was asked.
pub(super) enum Asked {
    /// A connection.
    Startup(Vec<u8>),
    /// One statement of a text that may hold several.
    Query { text: Arc<Vec<u8>>, index: usize },
    /// A statement that was only prepared.
    Statement(Arc<Statement>),
    /// A statement with its parameters.
    Portal(Arc<Portal>),
    /// A function by number.
    Function(u32),
    /// The end of another connection's statement.
    Cancel,
    /// Nothing: the server notifies.
    Notification(Vec<u8>),
    /// Nothing: the server ends the connection.
    Nothing,
}

/// What came back.
#[derive(Default)]
pub(super) struct Reply {
    /// Did anything come that ends it?
    pub(super) answered: bool,
    pub(super) columns: Option<Vec<u8>>,
    /// Whole rows, each with its length before it.
    pub(super) rows: Vec<u8>,
    pub(super) n_rows: u64,
    pub(super) rows_left_out: bool,
    pub(super) tag: Vec<u8>,
    pub(super) suspended: bool,
    pub(super) error: Option<Vec<u8>>,
    pub(super) copied_in: Copied,
    pub(super) copied_out: Copied,
}

/// Data of COPY.
#[derive(Default)]
pub(super) struct Copied {
    pub(super) first: Vec<u8>,
    pub(super) n_bytes: u64,
}

impl From<&Awaited> for Asked {
    fn from(awaited: &Awaited) -> Self {
        match awaited {
            Awaited::Startup(parameters) => Self::Startup(parameters.clone()),
            Awaited::Query { text, index, .. } => Self::Query { text: Arc::clone(text), index: *index },
            Awaited::Parse(statement) | Awaited::DescribeStatement(statement) => {
                Self::Statement(Arc::clone(statement))
            }
            Awaited::Bind(portal) | Awaited::DescribePortal(portal) | Awaited::Execute(portal) => {
                Self::Portal(Arc::clone(portal))
            }
            Awaited::Function(function) => Self::Function(*function),
            Awaited::Close | Awaited::Sync | Awaited::CopyEnd => Self::Nothing,
        }
    }
}

impl Asked {
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Startup(bytes) | Self::Notification(bytes) => bytes.capacity(),
            Self::Query { text, .. } => text.capacity(),
            Self::Statement(statement) => statement.parse.capacity(),
            Self::Portal(portal) => portal.bind.capacity(),
            Self::Function(_) | Self::Cancel | Self::Nothing => 0,
        }
    }
}

impl Copied {
    pub(super) fn is_cut(&self) -> bool {
        self.n_bytes > self.first.len() as u64
    }

    fn read(&self) -> Value {
        body::text_or_base64(&self.first, self.is_cut()).0
    }
}

impl Reply {
    /// The data of COPY in a direction.
    pub(super) fn copied(&mut self, direction: Direction) -> &mut Copied {
        match direction {
            Direction::ToProvider => &mut self.copied_in,
            Direction::ToConsumer => &mut self.copied_out,
        }
    }

    /// The bytes of the connection's room that it holds.
    pub(super) fn n_kept(&self) -> usize {
        self.rows.len() + self.copied_in.first.len() + self.copied_out.first.len()
    }

    /// The reply's fields. `described` are columns that were known before, with the formats that were bound.
    fn read(&self, described: Option<&[u8]>, formats: Option<&[u8]>, cut: &mut bool) -> Value {
        if !self.answered && self.n_rows == 0 {
            return Value::Null;
        }
        let mut map = Map::default();
        if let Some(error) = &self.error {
            map.insert("error".to_owned(), read_error(error));
            return Value::Map(map);
        }
        let columns = rows::columns(self.columns.as_deref().or(described).unwrap_or_default(), formats);
        let (rows, is_cut) = rows::rows(&self.rows, &columns);
        *cut |= is_cut;
        if !columns.is_empty() {
            map.insert("columns".to_owned(), rows::named(&columns));
        }
        map.insert("rows".to_owned(), Value::List(rows));
        map.insert("count".to_owned(), Value::from(self.n_rows));
        map.insert("affected".to_owned(), affected(&self.tag));
        map.insert("tag".to_owned(), Value::Text(lossy(&self.tag)));
        if self.copied_out.n_bytes > 0 {
            map.insert("copied".to_owned(), self.copied_out.read());
        }
        if self.suspended {
            map.insert("suspended".to_owned(), Value::Bool(true));
        }
        map.insert("error".to_owned(), Value::Null);
        Value::Map(map)
    }
}

impl Captured for PostgresExchange {
    fn size(&self) -> usize {
        self.asked.size()
            + self.reply.rows.capacity()
            + self.reply.copied_in.first.capacity()
            + self.reply.copied_out.first.capacity()
    }

    fn read(self: Box<Self>) -> Parts {
        let mut parts = Parts::default();
        let mut cut = false;
        let reply = &self.reply;
        match &self.asked {
            Asked::Startup(parameters) => {
                parts.request = read_startup(parameters);
                parts.reply = reply.read(None, None, &mut cut);
            }
            Asked::Query { text, index } => {
                let whole = text.strip_suffix(b"\0");
                cut |= whole.is_none();
                let text = lossy(whole.unwrap_or(text));
                let statement = statement_at(&text, *index).to_owned();
                parts.request = request(Value::Text(statement), Vec::new(), &reply.copied_in);
                parts.reply = reply.read(None, None, &mut cut);
            }
            Asked::Statement(statement) => {
                let sql = sql_of(statement, &mut cut);
                parts.request = request(sql, Vec::new(), &reply.copied_in);
                parts.reply = reply.read(None, None, &mut cut);
            }
            Asked::Portal(portal) => read_portal(portal, reply, &mut parts, &mut cut),
            Asked::Function(function) => {
                parts.request = Value::map([("function", Value::from(u64::from(*function)))]);
                parts.reply = reply.read(None, None, &mut cut);
            }
            Asked::Cancel => parts.request = Value::map([("cancel", Value::Bool(true))]),
            Asked::Notification(payload) => parts.message = read_notification(payload),
            Asked::Nothing => parts.message = reply.read(None, None, &mut cut),
        }
        parts.cut = cut;
        parts
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn request(statement: Value, parameters: Vec<Value>, copied: &Copied) -> Value {
    let mut map = Map::default();
    map.insert("statement".to_owned(), statement);
    map.insert("parameters".to_owned(), Value::List(parameters));
    if copied.n_bytes > 0 {
        map.insert("copied".to_owned(), copied.read());
    }
    Value::Map(map)
}

/// The SQL of a statement, as far as it was kept.
pub(super) fn sql_text(statement: &Statement) -> String {
    let mut fields = Fields::new(&statement.parse);
    fields.text().and_then(|_| fields.text()).map(lossy).unwrap_or_default()
}

/// The SQL of a Parse message; null where it was not kept.
fn sql_of(statement: &Statement, cut: &mut bool) -> Value {
    let mut fields = Fields::new(&statement.parse);
    let sql = fields.text().and_then(|_| fields.text());
    *cut |= sql.is_none();
    sql.map_or(Value::Null, |sql| Value::Text(lossy(sql)))
}

/// The types of a statement's parameters: those that the consumer said, and where it said none those that the
/// server found.
fn parameter_types(statement: &Statement) -> Vec<u32> {
    let mut fields = Fields::new(&statement.parse);
    let (_, _) = (fields.text(), fields.text());
    let mut types = types_in(fields);
    let found = statement.types.get().map(|found| types_in(Fields::new(found))).unwrap_or_default();
    for (index, found) in found.into_iter().enumerate() {
        match types.get_mut(index) {
            Some(0) => types[index] = found,
            Some(_) => {}
            None => types.push(found),
        }
    }
    types
}

/// A list of types behind their number.
fn types_in(mut fields: Fields<'_>) -> Vec<u32> {
    let n_types = fields.u16().unwrap_or_default();
    (0..n_types).map_while(|_| fields.u32()).collect()
}

fn read_portal(portal: &Portal, reply: &Reply, parts: &mut Parts, cut: &mut bool) {
    let sql = sql_of(&portal.statement, cut);
    let types = parameter_types(&portal.statement);
    let mut fields = Fields::new(&portal.bind);
    let (_, _) = (fields.text(), fields.text());
    let n_formats = fields.u16().unwrap_or_default();
    let formats: Vec<u16> = (0..n_formats).map_while(|_| fields.u16()).collect();
    let n_parameters = fields.u16();
    let mut parameters = Vec::new();
    for index in 0..usize::from(n_parameters.unwrap_or_default()) {
        let Some(cell) = fields.value() else { break };
        let format = Format::at(&formats, index);
        let kind = types.get(index).copied().unwrap_or_default();
        parameters.push(rows::cell_value(kind, format, cell));
    }
    *cut |= n_parameters.is_none_or(|n_parameters| usize::from(n_parameters) != parameters.len());
    parts.request = request(sql, parameters, &reply.copied_in);
    let n_results = fields.u16().unwrap_or_default();
    let result_formats = fields.bytes(2 * usize::from(n_results));
    let described = portal.columns.get().or_else(|| portal.statement.columns.get());
    parts.reply = reply.read(described.map(Vec::as_slice), result_formats, cut);
    if let Some(found) = portal.statement.types.get().filter(|_| reply.error.is_none())
        && let Value::Map(map) = &mut parts.reply
    {
        let types = types_in(Fields::new(found));
        if !types.is_empty() {
            let types = types.into_iter().map(|kind| Value::Text(name_of(kind)));
            map.insert("parameters".to_owned(), Value::List(types.collect()));
        }
    }
}

fn read_startup(parameters: &[u8]) -> Value {
    let mut fields = Fields::new(parameters);
    let _version = fields.u32();
    let mut map = Map::from_iter([("user".to_owned(), Value::Null), ("database".to_owned(), Value::Null)]);
    while let (Some(name), Some(value)) = (fields.text().filter(|name| !name.is_empty()), fields.text()) {
        if let Some(field) = map.get_mut(lossy(name).as_str()) {
            *field = Value::Text(lossy(value));
        }
    }
    if map["database"] == Value::Null {
        let user = map["user"].clone();
        map.insert("database".to_owned(), user);
    }
    Value::Map(map)
}

fn read_notification(payload: &[u8]) -> Value {
    let mut fields = Fields::new(payload);
    let _process = fields.u32();
    let topic = lossy(fields.text().unwrap_or_default());
    let decoded = body::decode(None, None, fields.text().unwrap_or_default(), body::MAX_UNPACKED);
    Value::map([("topic", Value::Text(topic)), ("body", decoded.value), ("text", decoded.text)])
}

/// An ErrorResponse's fields by their names.
fn read_error(payload: &[u8]) -> Value {
    let mut map = Map::default();
    let mut localized = Value::Null;
    let mut fields = Fields::new(payload);
    while let (Some(kind), Some(text)) = (fields.byte().filter(|kind| *kind != 0), fields.text()) {
        let name = match kind {
            b'C' => "code",
            b'M' => "message",
            b'V' => "severity",
            b'D' => "detail",
            b'H' => "hint",
            b's' => "schema",
            b't' => "table",
            b'c' => "column",
            b'n' => "constraint",
            b'S' => {
                localized = Value::Text(lossy(text));
                continue;
            }
            _ => continue,
        };
        map.insert(name.to_owned(), Value::Text(lossy(text)));
    }
    map.entry("severity".to_owned()).or_insert(localized);
    Value::Map(map)
}

/// `UPDATE 3`, `INSERT 0 3`, `COPY 3`: how many rows a statement changed, where it is one that does.
fn affected(tag: &[u8]) -> Value {
    let tag = String::from_utf8_lossy(tag);
    let mut words = tag.split(' ');
    match words.next() {
        Some("INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY") => {
            words.next_back().and_then(|count| count.parse::<u64>().ok()).into()
        }
        _ => Value::Null,
    }
}
