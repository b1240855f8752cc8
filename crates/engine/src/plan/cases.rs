//! The cases of a test: rows written in the file, of a CSV table, or of a JSON list.

use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::Template;
use seam_model::{Each, Entry, Node, NodeKind, Spanned};
use seam_value::{Map, Number, Value, parse};
use std::path::Path;

/// One case: its name and its values.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) values: Vec<(String, Template)>,
}

/// All cases, in order. Mistakes go to `found`.
pub(crate) fn cases(each: &Each, (root, folder): (&Path, &Path), found: &mut Diagnostics) -> Vec<Case> {
    match each {
        Each::Rows(rows) => {
            let rows = rows.iter().enumerate();
            rows.filter_map(|(index, row)| written_row(index, row, found)).collect()
        }
        Each::Csv(path) => from_file(path, (root, folder), found, csv_rows),
        Each::Json(path) => from_file(path, (root, folder), found, json_rows),
    }
}

/// A case of which nothing is a variable.
fn literal((index, values): (usize, Map), span: Span) -> Case {
    let name = name(index, &values);
    let literal = |(name, value)| (name, Template::literal(value, span));
    Case { name, values: values.into_iter().map(literal).collect() }
}

/// What a case is called: its `case`, or its number from 1.
fn name(index: usize, values: &Map) -> String {
    match values.get("case") {
        Some(name) => name.to_plain_text(),
        None => (index + 1).to_string(),
    }
}

fn written_row(index: usize, row: &Node, found: &mut Diagnostics) -> Option<Case> {
    if let (NodeKind::Map(entries), Value::Map(values)) = (&row.kind, row.to_value()) {
        let template = |entry: &Entry| (entry.key.value.clone(), Template::read(&entry.node, found));
        return Some(Case { name: name(index, &values), values: entries.iter().map(template).collect() });
    }
    found.push(
        Diagnostic::error("a case must be a map of names and values")
            .at(row.span, format!("this is {}", row.kind_name())),
    );
    None
}

fn from_file(
    path: &Spanned<String>,
    (root, folder): (&Path, &Path),
    found: &mut Diagnostics,
    rows: fn(&str) -> Result<Vec<Map>, String>,
) -> Vec<Case> {
    let file = seam_steps::file_meant(&path.value, root, folder);
    let read = std::fs::read_to_string(&file).map_err(|error| error.to_string()).and_then(|text| rows(&text));
    match read {
        Ok(rows) if rows.is_empty() => {
            found.push(Diagnostic::error("no cases").at(path.span, "there is no row in this file"));
            Vec::new()
        }
        Ok(rows) => rows.into_iter().enumerate().map(|row| literal(row, path.span)).collect(),
        Err(reason) => {
            found.push(
                Diagnostic::error(format!("cases can't be read from `{}`", path.value)).at(path.span, reason),
            );
            Vec::new()
        }
    }
}

/// Rows of a table with a head; cells are text unless the head says `quantity:number`.
fn csv_rows(text: &str) -> Result<Vec<Map>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let head: Vec<(String, String)> = reader
        .headers()
        .map_err(|error| error.to_string())?
        .iter()
        .map(|cell| match cell.rsplit_once(':') {
            Some((name, kind)) => (name.trim().to_owned(), kind.trim().to_owned()),
            None => (cell.trim().to_owned(), "text".to_owned()),
        })
        .collect();
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let mut row = Map::default();
        for ((name, kind), cell) in head.iter().zip(&record) {
            let value =
                typed(cell, kind).map_err(|reason| format!("row {}, `{name}`: {reason}", index + 1))?;
            row.insert(name.clone(), value);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn typed(cell: &str, kind: &str) -> Result<Value, String> {
    match kind {
        "text" | "string" => Ok(Value::text(cell)),
        _ if cell.is_empty() => Ok(Value::Null),
        "number" | "integer" => {
            Number::parse(cell).map(Value::Number).ok_or_else(|| format!("`{cell}` is no number"))
        }
        "boolean" => match cell {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(format!("`{cell}` is neither `true` nor `false`")),
        },
        "json" => parse(cell).map_err(|error| error.to_string()),
        _ => Err(format!("unknown type `{kind}`; there are text, number, boolean, json")),
    }
}

fn json_rows(text: &str) -> Result<Vec<Map>, String> {
    let Value::List(list) = parse(text).map_err(|error| error.to_string())? else {
        return Err("a list of objects is expected".to_owned());
    };
    list.into_iter()
        .map(|row| if let Value::Map(row) = row { Ok(row) } else { Err(format!("{row} is no object")) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_are_text_unless_the_head_says_otherwise() {
        let rows =
            csv_rows("case,quantity:number,ok:boolean,isbn\nnone,0,true,0123\n\"a, b\",1.50,,\n").unwrap();
        assert_eq!(rows[0]["quantity"], Value::from(0_i64));
        assert_eq!(rows[0]["isbn"], Value::text("0123"));
        assert_eq!(rows[1]["case"], Value::text("a, b"));
        assert_eq!(rows[1]["quantity"].to_string(), "1.50");
        assert_eq!(rows[1]["ok"], Value::Null);
        assert_eq!(rows[1]["isbn"], Value::text(""));
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_row() {
        assert_eq!(csv_rows("n:number\n1\nx\n"), Err("row 2, `n`: `x` is no number".to_owned()));
        assert!(csv_rows("a,b\n1\n").is_err());
        assert!(csv_rows("a:colour\nred\n").is_err());
        assert_eq!(json_rows("[1]"), Err("1 is no object".to_owned()));
    }
}
