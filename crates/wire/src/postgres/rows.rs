//! Columns and rows of a result.

use super::frames::{Cell, Fields};
use super::names::name_of;
use super::value::{Format, to_value};
use seam_value::{Map, Value};

/// One column.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: u32,
    format: Format,
}

/// Reads a RowDescription. `formats` are those that were bound, two bytes each: a description of a statement
/// doesn't know them yet.
pub(super) fn columns(description: &[u8], formats: Option<&[u8]>) -> Vec<Column> {
    let bound: Option<Vec<u16>> = formats
        .map(|formats| formats.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect());
    let mut fields = Fields::new(description);
    let n_columns = fields.u16().unwrap_or_default();
    let mut columns: Vec<Column> = Vec::new();
    for index in 0..usize::from(n_columns) {
        let Some((name, kind, format)) = column(&mut fields) else { break };
        let format = bound.as_ref().map_or(format, |bound| Format::at(bound, index));
        let name = unused(String::from_utf8_lossy(name).into_owned(), &columns);
        columns.push(Column { name, kind, format });
    }
    columns
}

fn column<'a>(fields: &mut Fields<'a>) -> Option<(&'a [u8], u32, Format)> {
    let name = fields.text()?;
    let (_table, _attribute) = (fields.u32()?, fields.u16()?);
    let kind = fields.u32()?;
    let (_size, _modifier) = (fields.u16()?, fields.u32()?);
    Some((name, kind, Format::from(fields.u16()?)))
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

/// The columns as an interaction names them: `id int4`.
pub(super) fn named(columns: &[Column]) -> Value {
    let named = |column: &Column| Value::Text(format!("{} {}", column.name, name_of(column.kind)));
    Value::List(columns.iter().map(named).collect())
}

/// Reads the kept rows; the flag says that the last one is incomplete.
pub(super) fn rows(mut kept: &[u8], columns: &[Column]) -> (Vec<Value>, bool) {
    let mut rows = Vec::new();
    while let Some((length, rest)) = kept.split_at_checked(4) {
        let length = Fields::new(length).u32().unwrap_or_default() as usize;
        let Some((row, rest)) = rest.split_at_checked(length) else { return (rows, true) };
        rows.push(read_row(row, columns));
        kept = rest;
    }
    (rows, !kept.is_empty())
}

/// A value that may be null.
pub(super) fn cell_value(kind: u32, format: Format, cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Value(bytes) => to_value(kind, format, bytes),
    }
}

fn read_row(row: &[u8], columns: &[Column]) -> Value {
    let mut fields = Fields::new(row);
    let n_values = fields.u16().unwrap_or_default();
    let mut map = Map::default();
    for index in 0..usize::from(n_values) {
        let Some(cell) = fields.value() else { break };
        // A portal that was never described has columns without names; their text is at hand all the same.
        let column = columns.get(index);
        let name = column.map_or_else(|| format!("column_{}", index + 1), |column| column.name.clone());
        let (kind, format) = column.map_or((0, Format::Text), |column| (column.kind, column.format));
        map.insert(name, cell_value(kind, format, cell));
    }
    Value::Map(map)
}
