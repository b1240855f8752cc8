//! What is said in PostgreSQL's place: an answer's fields to messages.

use super::kept::message;
use crate::postgres::awaited::{Portal, Statement};
use crate::postgres::control::first_words;
use crate::postgres::frames::Fields;
use crate::postgres::names::kind_named;
use crate::postgres::rows;
use crate::postgres::value::Format;
use crate::postgres::writing::{holds, kind_of, length_of, write};
use crate::splitter::Unanswerable;
use crate::unmatched::unmatched;
use seam_value::Value;

/// An answer.
#[derive(Debug)]
pub(super) enum Said<'a> {
    Refused(Refusal),
    Result(Answered<'a>),
}

/// An error, in the server's own fields.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    /// The session ends with it.
    pub(super) is_fatal: bool,
    fields: Vec<(u8, String)>,
}

/// A result.
#[derive(Debug)]
pub(super) struct Answered<'a> {
    rows: &'a [Value],
    columns: Vec<&'a str>,
    /// The types of those that were said.
    kinds: Vec<(&'a str, u32)>,
    /// The types that the statement takes, as far as they were said.
    takes: Vec<u32>,
    tag: Option<&'a str>,
    count: Option<i64>,
    affected: Option<i64>,
    copied: Option<&'a str>,
    is_suspended: bool,
}

/// A column as it is said.
struct Column {
    name: String,
    kind: u32,
}

/// The fields that an answer may have.
const FIELDS: [&str; 9] =
    ["columns", "parameters", "rows", "count", "affected", "tag", "copied", "suspended", "error"];

/// Reads an answer's fields.
pub(super) fn read(answer: &Value) -> Result<Said<'_>, Unanswerable> {
    if let Some(words) = unmatched(answer) {
        return Ok(Said::Refused(Refusal::of("XX000", words)));
    }
    let Some(map) = answer.as_map() else {
        return Err(Unanswerable::new(format!(
            "an answer of postgres is a map with rows, affected or error, not {answer}"
        )));
    };
    if let Some(other) = map.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return Err(Unanswerable::new(format!(
            "postgres has no {other}; its answers have {}",
            FIELDS.join(", ")
        )));
    }
    let field = |name: &str| map.get(name).filter(|value| **value != Value::Null);
    if let Some(error) = field("error") {
        return refusal(error).map(Said::Refused);
    }
    let rows = match field("rows") {
        None => &[],
        Some(Value::List(rows)) => rows.as_slice(),
        Some(other) => return Err(Unanswerable::new(format!("rows is a list, not {other}"))),
    };
    let kinds = field("columns").map(read_columns).transpose()?.unwrap_or_default();
    let takes = field("parameters").map(read_types).transpose()?.unwrap_or_default();
    let mut columns: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
    for row in rows {
        let Some(row) = row.as_map() else {
            return Err(Unanswerable::new(format!("a row is a map of columns, not {row}")));
        };
        for name in row.keys() {
            if columns.last() != Some(&name.as_str()) && !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
    }
    let number = |name: &str| match field(name) {
        None => Ok(None),
        Some(value) => value
            .as_i64()
            .filter(|number| *number >= 0)
            .map(Some)
            .ok_or_else(|| Unanswerable::new(format!("{name} is a whole number, not {value}"))),
    };
    Ok(Said::Result(Answered {
        rows,
        columns,
        kinds,
        takes,
        tag: field("tag").and_then(Value::as_text),
        count: number("count")?,
        affected: number("affected")?,
        copied: field("copied").and_then(Value::as_text),
        is_suspended: field("suspended") == Some(&Value::Bool(true)),
    }))
}

/// `[id int4, made timestamptz]`
fn read_columns(columns: &Value) -> Result<Vec<(&str, u32)>, Unanswerable> {
    let wrong = |what: &Value| {
        Unanswerable::new(format!("columns is a list of names with their types, `[id int4]`, not {what}"))
    };
    let mut kinds = Vec::new();
    for column in columns.as_list().ok_or_else(|| wrong(columns))? {
        let (name, kind) =
            column.as_text().and_then(|text| text.rsplit_once(' ')).ok_or_else(|| wrong(column))?;
        let kind =
            kind_named(kind).ok_or_else(|| Unanswerable::new(format!("postgres has no type `{kind}`")))?;
        kinds.push((name, kind));
    }
    Ok(kinds)
}

/// `[int4, text]`
fn read_types(types: &Value) -> Result<Vec<u32>, Unanswerable> {
    let wrong = |what: &Value| {
        Unanswerable::new(format!("parameters is a list of types, `[int4, text]`, not {what}"))
    };
    let list = types.as_list().ok_or_else(|| wrong(types))?;
    let kind = |one: &Value| {
        let name = one.as_text().ok_or_else(|| wrong(one))?;
        kind_named(name).ok_or_else(|| Unanswerable::new(format!("postgres has no type `{name}`")))
    };
    list.iter().map(kind).collect()
}

/// `"40001"`, or a map of its fields.
fn refusal(error: &Value) -> Result<Refusal, Unanswerable> {
    const NAMES: [(&str, u8); 9] = [
        ("severity", b'V'),
        ("code", b'C'),
        ("message", b'M'),
        ("detail", b'D'),
        ("hint", b'H'),
        ("schema", b's'),
        ("table", b't'),
        ("column", b'c'),
        ("constraint", b'n'),
    ];
    let mut said: Vec<(&str, u8, String)> = Vec::new();
    match error {
        Value::Text(_) | Value::Number(_) => said.push(("code", b'C', error.to_plain_text())),
        Value::Map(map) => {
            for (key, value) in map {
                let Some((name, letter)) = NAMES.iter().find(|(name, _)| name == key) else {
                    return Err(Unanswerable::new(format!("an error of postgres has no {key}")));
                };
                if *value != Value::Null {
                    said.push((name, *letter, value.to_plain_text().replace('\0', "")));
                }
            }
        }
        other => return Err(Unanswerable::new(format!("error is an SQLSTATE (`\"40001\"`), not {other}"))),
    }
    let find = |name: &str| said.iter().find(|(other, ..)| *other == name).map(|(.., text)| text.clone());
    let code = find("code").unwrap_or_else(|| "XX000".to_owned()).to_uppercase();
    if code.len() != 5 || !code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return Err(Unanswerable::new(format!("`{code}` is no SQLSTATE: these are five digits or capitals")));
    }
    let severity = find("severity").unwrap_or_else(|| severity_of(&code).to_owned());
    let words = find("message").unwrap_or_else(|| message_of(&code, find("constraint").as_deref()));
    let mut fields =
        vec![(b'S', severity.clone()), (b'V', severity.clone()), (b'C', code.clone()), (b'M', words)];
    let others = said.into_iter().filter(|(name, ..)| !matches!(*name, "severity" | "code" | "message"));
    fields.extend(others.map(|(_, letter, text)| (letter, text)));
    Ok(Refusal { code, is_fatal: matches!(severity.as_str(), "FATAL" | "PANIC"), fields })
}

/// The server ends the session with some errors.
fn severity_of(code: &str) -> &'static str {
    match code {
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300" | "28000" | "28P01" | "3D000" => "FATAL",
        _ => "ERROR",
    }
}

/// The server's own words for an error.
fn message_of(code: &str, constraint: Option<&str>) -> String {
    let constraint = constraint.unwrap_or("injected");
    match code {
        "40001" => "could not serialize access due to concurrent update".to_owned(),
        "40P01" => "deadlock detected".to_owned(),
        "23505" => format!("duplicate key value violates unique constraint \"{constraint}\""),
        "23503" => format!("insert or update violates foreign key constraint \"{constraint}\""),
        "23514" => format!("new row violates check constraint \"{constraint}\""),
        "23502" => "null value violates not-null constraint".to_owned(),
        "55P03" => "could not obtain lock on row".to_owned(),
        "57014" => "canceling statement due to statement timeout".to_owned(),
        "57P01" => "terminating connection due to administrator command".to_owned(),
        "57P03" => "the database system is starting up".to_owned(),
        "53300" => "sorry, too many clients already".to_owned(),
        "53100" => "could not extend file: No space left on device".to_owned(),
        "53200" => "out of memory".to_owned(),
        "25006" => "cannot execute statement in a read-only transaction".to_owned(),
        "28P01" => "password authentication failed".to_owned(),
        "42501" => "permission denied".to_owned(),
        "42601" => "syntax error".to_owned(),
        "42703" => "column does not exist".to_owned(),
        "42P01" => "relation does not exist".to_owned(),
        _ => format!("injected by seamwork: SQLSTATE {code}"),
    }
}

impl Refusal {
    /// With a code and words of our own.
    pub(super) fn of(code: &str, words: &str) -> Self {
        let severity = "ERROR".to_owned();
        let fields = vec![
            (b'S', severity.clone()),
            (b'V', severity),
            (b'C', code.to_owned()),
            (b'M', words.to_owned()),
        ];
        Self { code: code.to_owned(), is_fatal: false, fields }
    }

    /// The ErrorResponse.
    pub(super) fn to_message(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for (letter, text) in &self.fields {
            payload.push(*letter);
            payload.extend_from_slice(text.as_bytes());
            payload.push(0);
        }
        payload.push(0);
        message(b'E', &payload)
    }
}

impl Answered<'_> {
    /// What the statement takes, for a driver that asks.
    pub(super) fn parameter_description(&self, statement: &Statement, sql: &str) -> Vec<u8> {
        parameter_description(statement, sql, &self.takes)
    }

    /// A row description, where the statement has one: as the server described it, or made of what is said.
    pub(super) fn description(
        &self,
        sql: &str,
        described: Option<&[u8]>,
        formats: &[u16],
    ) -> Option<Vec<u8>> {
        if let Some(described) = described {
            return Some(with_formats(described, formats));
        }
        if self.copied.is_some() || (self.columns.is_empty() && !has_rows(sql)) {
            return None;
        }
        let mut payload = Vec::new();
        let columns = self.made_columns();
        payload.extend_from_slice(&u16::try_from(columns.len()).unwrap_or(u16::MAX).to_be_bytes());
        for column in &columns {
            payload.extend_from_slice(column.name.replace('\0', "").as_bytes());
            payload.extend_from_slice(&[0; 7]);
            payload.extend_from_slice(&column.kind.to_be_bytes());
            payload.extend_from_slice(&length_of(column.kind).to_be_bytes());
            payload.extend_from_slice(&(-1_i32).to_be_bytes());
            payload.extend_from_slice(&[0; 2]);
        }
        Some(with_formats(&payload, formats))
    }

    fn made_columns(&self) -> Vec<Column> {
        let kind = |name: &str| {
            let values = || self.rows.iter().filter_map(|row| row.get(name));
            let said = self.kinds.iter().find(|(own, _)| *own == name).map(|(_, kind)| *kind);
            // Who puts another type's value in wants consumers to see that.
            said.filter(|kind| values().all(|value| holds(*kind, value))).unwrap_or_else(|| kind_of(values()))
        };
        self.columns.iter().map(|name| Column { name: (*name).to_owned(), kind: kind(name) }).collect()
    }

    /// The rows, and what ends them.
    pub(super) fn result(
        &self,
        sql: &str,
        described: Option<&[u8]>,
        formats: &[u16],
    ) -> Result<Vec<u8>, Unanswerable> {
        let mut out = Vec::new();
        let words = first_words(sql, 1);
        let verb = words.first().map(String::as_str).unwrap_or_default();
        if verb == "COPY" {
            self.copy(&mut out);
        } else {
            let columns = match described {
                Some(described) => rows::columns(described, None)
                    .into_iter()
                    .map(|column| Column { name: column.name, kind: column.kind })
                    .collect(),
                None => self.made_columns(),
            };
            self.write_rows(&columns, formats, &mut out)?;
        }
        if self.is_suspended {
            out.extend_from_slice(&message(b's', &[]));
        } else if sql.trim().is_empty() {
            out.extend_from_slice(&message(b'I', &[]));
        } else {
            let tag = self.tag.map_or_else(|| self.made_tag(sql, verb), str::to_owned);
            out.extend_from_slice(&message(b'C', &[tag.replace('\0', "").as_bytes(), b"\0"].concat()));
        }
        Ok(out)
    }

    fn write_rows(&self, columns: &[Column], formats: &[u16], out: &mut Vec<u8>) -> Result<(), Unanswerable> {
        let known = |name: &&&str| columns.iter().all(|column| column.name != **name);
        if let Some(unknown) = self.columns.iter().find(known) {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return Err(Unanswerable::new(format!(
                "the statement has no column {unknown}; it has {}",
                names.join(", ")
            )));
        }
        for row in self.rows {
            let mut payload = u16::try_from(columns.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
            for (index, column) in columns.iter().enumerate() {
                let value = row.get(&column.name).unwrap_or(&Value::Null);
                let format = Format::at(formats, index);
                let written = write(column.kind, format, value, &mut payload);
                written.ok_or_else(|| {
                    let (name, kind) = (&column.name, column.kind);
                    Unanswerable::new(format!("column {name} (type {kind}) can't be {value}"))
                })?;
            }
            out.extend_from_slice(&message(b'D', &payload));
        }
        Ok(())
    }

    fn copy(&self, out: &mut Vec<u8>) {
        if let Some(copied) = self.copied {
            out.extend_from_slice(&message(b'H', &[0, 0, 0]));
            out.extend_from_slice(&message(b'd', copied.as_bytes()));
            out.extend_from_slice(&message(b'c', &[]));
        }
    }

    /// The server's word for a statement that has succeeded.
    fn made_tag(&self, sql: &str, verb: &str) -> String {
        let n_rows = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        let n_affected = self.affected.or(self.count).unwrap_or(n_rows);
        match verb {
            "INSERT" => format!("INSERT 0 {n_affected}"),
            "UPDATE" | "DELETE" | "MERGE" | "COPY" => format!("{verb} {n_affected}"),
            "SELECT" | "VALUES" | "TABLE" => format!("SELECT {n_rows}"),
            "WITH" => match self.affected {
                Some(n_affected) => format!("INSERT 0 {n_affected}"),
                None => format!("SELECT {n_rows}"),
            },
            "FETCH" | "MOVE" => format!("{verb} {n_rows}"),
            "START" => "START TRANSACTION".to_owned(),
            "END" => "COMMIT".to_owned(),
            "ABORT" => "ROLLBACK".to_owned(),
            "CREATE" | "DROP" | "ALTER" | "TRUNCATE" | "DISCARD" | "LOCK" => first_words(sql, 2).join(" "),
            other => other.to_owned(),
        }
    }
}

/// Does a statement ask the consumer for data?
pub(super) fn takes_data(sql: &str) -> bool {
    let words = first_words_all(sql);
    words.first().is_some_and(|word| word == "COPY") && words.windows(2).any(|pair| pair == ["FROM", "STDIN"])
}

/// Does a statement have rows, even if there are none?
fn has_rows(sql: &str) -> bool {
    let words = first_words(sql, 1);
    let verb = words.first().map(String::as_str).unwrap_or_default();
    matches!(verb, "SELECT" | "WITH" | "VALUES" | "TABLE" | "SHOW" | "FETCH" | "EXPLAIN")
        || first_words_all(sql).iter().any(|word| word == "RETURNING")
}

/// All words of a statement in capitals, roughly: texts in quotes count as words.
fn first_words_all(sql: &str) -> Vec<String> {
    sql.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_uppercase)
        .collect()
}

/// A row description with the formats that were bound.
fn with_formats(description: &[u8], formats: &[u16]) -> Vec<u8> {
    let mut payload = description.to_vec();
    let mut at = 2;
    let mut index = 0;
    while let Some(end) = payload.get(at..).and_then(|rest| memchr::memchr(0, rest)) {
        let format_at = at + end + 1 + 16;
        let code: u16 = u16::from(Format::at(formats, index) == Format::Binary);
        let Some(place) = payload.get_mut(format_at..format_at + 2) else { break };
        place.copy_from_slice(&code.to_be_bytes());
        (at, index) = (format_at + 2, index + 1);
    }
    message(b'T', &payload)
}

/// The formats in which a portal's results are wanted.
pub(super) fn result_formats(portal: &Portal) -> Vec<u16> {
    let mut fields = Fields::new(&portal.bind);
    let (_, _) = (fields.text(), fields.text());
    let n_formats = fields.u16().unwrap_or_default();
    let _ = fields.bytes(2 * usize::from(n_formats));
    for _ in 0..fields.u16().unwrap_or_default() {
        if fields.value().is_none() {
            return Vec::new();
        }
    }
    let n_results = fields.u16().unwrap_or_default();
    (0..n_results).map_while(|_| fields.u16()).collect()
}

/// The types of a statement's parameters: as the server described them, or as far as the consumer, the statement's own
/// casts or an answer say; text for others.
pub(super) fn parameter_description(statement: &Statement, sql: &str, takes: &[u32]) -> Vec<u8> {
    if let Some(types) = statement.types.get() {
        return message(b't', types);
    }
    let mut fields = Fields::new(&statement.parse);
    let (_, _) = (fields.text(), fields.text());
    let n_said = fields.u16().unwrap_or_default();
    let mut kinds: Vec<u32> = (0..n_said).map_while(|_| fields.u32()).collect();
    for (number, cast) in parameters(sql) {
        if kinds.len() < number {
            kinds.resize(number, 0);
        }
        let kind = &mut kinds[number - 1];
        if *kind == 0 {
            *kind = cast;
        }
    }
    kinds.resize(kinds.len().max(takes.len()), 0);
    for (kind, said) in kinds.iter_mut().zip(takes).filter(|(kind, _)| **kind == 0) {
        *kind = *said;
    }
    let mut payload = u16::try_from(kinds.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    for kind in kinds {
        payload.extend_from_slice(&if kind == 0 { 25 } else { kind }.to_be_bytes());
    }
    message(b't', &payload)
}

/// The parameters in a statement by their numbers, with the type to which each is cast; 0 where to none.
fn parameters(sql: &str) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    for part in sql.split('$').skip(1) {
        let end = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
        let Some(number) = part[..end].parse().ok().filter(|number| (1..=1600).contains(number)) else {
            continue;
        };
        let cast = part[end..].trim_start().strip_prefix("::").map(|cast| {
            let end = cast.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(cast.len());
            let is_list = cast[end..].starts_with("[]");
            kind_named(&format!("{}{}", cast[..end].to_lowercase(), if is_list { "[]" } else { "" }))
        });
        found.push((number, cast.flatten().unwrap_or_default()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_value::parse;

    #[test]
    fn refusals() {
        for (error, expect) in [
            (
                r#""40001""#,
                "SERROR\0VERROR\0C40001\0Mcould not serialize access due to concurrent update\0\0",
            ),
            ("40001", "SERROR\0VERROR\0C40001\0Mcould not serialize access due to concurrent update\0\0"),
            (
                r#"{"code":"23505","message":"no","constraint":"c","detail":null}"#,
                "SERROR\0VERROR\0C23505\0Mno\0nc\0\0",
            ),
            (r#"{"code":"57P01","message":"bye"}"#, "SFATAL\0VFATAL\0C57P01\0Mbye\0\0"),
        ] {
            let bytes = refusal(&parse(error).unwrap()).unwrap().to_message();
            assert_eq!(String::from_utf8_lossy(&bytes[5..]), expect);
        }
        for answer in [
            r#"{"status":503}"#,
            r#"{"error":"serious"}"#,
            r#"{"error":{"sqlstate":1}}"#,
            r#"{"rows":[1]}"#,
            "1",
        ] {
            read(&parse(answer).unwrap()).unwrap_err();
        }
    }

    #[test]
    fn tags() {
        for (answer, sql, expect) in [
            (r#"{"rows":[{"a":1}]}"#, "select 1", "SELECT 1"),
            (r#"{"rows":[]}"#, "with a as (select 1) select * from a", "SELECT 0"),
            (r#"{"affected":3}"#, "insert into t values (1)", "INSERT 0 3"),
            (r#"{"count":2}"#, "/* x */ update t set a = 1", "UPDATE 2"),
            ("{}", "create table t ()", "CREATE TABLE"),
            (r#"{"tag":"X 1"}"#, "delete from t", "X 1"),
            ("{}", "end", "COMMIT"),
        ] {
            let answer = parse(answer).unwrap();
            let Said::Result(answered) = read(&answer).unwrap() else { panic!("a result") };
            let bytes = answered.result(sql, None, &[]).unwrap();
            assert!(bytes.ends_with(format!("{expect}\0").as_bytes()), "{sql}: {bytes:?}");
        }
    }

    #[test]
    fn parameters_by_number() {
        assert_eq!(parameters("a = $1::int4 and b = $2 or c = $12 :: x"), [(1, 23), (2, 0), (12, 0)]);
    }
}
