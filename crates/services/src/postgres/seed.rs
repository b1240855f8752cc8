//! Applies seeds to a database: SQL as psql would, CSV by COPY. What the server refuses is pointed at in the file.

use super::declared::{Database, SeedFile};
use super::script::{self, Piece};
use crate::service::SeedError;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use seam_event::ComponentId;
use std::ops::Range;
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// How many statements may be on their way to the server at once.
const AHEAD: usize = 64;

/// How much of a file is sent at once.
const PIECE: usize = 64 * 1024;

/// A seed's file with its text.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    pub(super) file: SeedFile,
    pub(super) text: String,
}

/// Applies one seed to a database, on a fresh session that runs as the database's owner.
pub(super) struct Sower<'a> {
    pub(super) component: &'a ComponentId,
    pub(super) database: &'a Database,
    pub(super) client: &'a Client,
}

/// What is wrong, and where in the file.
struct Trouble {
    range: Range<usize>,
    message: String,
    code: String,
    notes: Vec<(String, String)>,
}

impl Sower<'_> {
    pub(super) async fn sow(&self, seed: &Seed) -> Result<(), Box<SeedError>> {
        let sown = match seed.file.path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => self.load(seed).await,
            _ => self.run(&seed.text).await,
        };
        sown.map_err(|trouble| Box::new(self.error(seed, trouble)))
    }

    async fn run(&self, text: &str) -> Result<(), Trouble> {
        let mut waiting = Vec::new();
        for piece in script::cut(text) {
            match piece {
                Piece::Statement(range) => waiting.push(range),
                Piece::Copy { statement, data } => {
                    self.run_all(text, std::mem::take(&mut waiting)).await?;
                    self.copy(text, statement, data).await?;
                }
                Piece::Command(range) if is_harmless(&text[range.clone()]) => {}
                Piece::Command(range) => {
                    return Err(Trouble::plain(range, "commands of psql itself cannot stand in a seed"));
                }
            }
        }
        self.run_all(text, waiting).await
    }

    /// Sends statement after statement without waiting for each answer; the first mistake counts.
    async fn run_all(&self, text: &str, ranges: Vec<Range<usize>>) -> Result<(), Trouble> {
        let statements = ranges.into_iter().map(|range| async {
            let ran = self.client.batch_execute(&text[range.clone()]).await;
            ran.map_err(|error| Trouble::of(&error, range, text))
        });
        stream::iter(statements).buffered(AHEAD).try_for_each(|()| std::future::ready(Ok(()))).await
    }

    async fn copy(&self, text: &str, statement: Range<usize>, data: Range<usize>) -> Result<(), Trouble> {
        let copied = self.send(&text[statement.clone()], &text[data.clone()]).await;
        copied.map(|_| ()).map_err(|error| {
            // Where the server names a line of the data, that line is the place.
            let line = data_line(&error).and_then(|line| nth_line(text, &data, line));
            Trouble::of(&error, line.unwrap_or(statement), text)
        })
    }

    async fn send(&self, statement: &str, data: &str) -> Result<u64, Error> {
        let sink = self.client.copy_in::<_, Bytes>(statement).await?;
        let mut sink = std::pin::pin!(sink);
        for piece in data.as_bytes().chunks(PIECE) {
            sink.send(Bytes::copy_from_slice(piece)).await?;
        }
        sink.finish().await
    }

    /// A CSV goes into the table of the file's name; its first line names the columns.
    async fn load(&self, seed: &Seed) -> Result<(), Trouble> {
        let text = seed.text.strip_prefix('\u{feff}').unwrap_or(&seed.text);
        let skipped = seed.text.len() - text.len();
        let head = skipped..skipped + text.lines().next().unwrap_or_default().len();
        let columns = head_of(&seed.text[head.clone()]);
        if columns.iter().any(String::is_empty) {
            return Err(Trouble::plain(head, "the first line must name the columns"));
        }
        let stem = seed.file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let table: Vec<String> = stem.splitn(2, '.').map(quoted).collect();
        let table = table.join(".");
        let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let statement =
            format!("copy {table} ({}) from stdin with (format csv, header true)", list.join(", "));
        self.send(&statement, text).await.map_err(|error| {
            let line = data_line(&error).and_then(|line| nth_line(&seed.text, &(0..seed.text.len()), line));
            Trouble::of(&error, line.unwrap_or(head.clone()), "")
        })?;
        for column in &columns {
            self.continue_sequence(&table, column)
                .await
                .map_err(|error| Trouble::of(&error, head.clone(), ""))?;
        }
        Ok(())
    }

    /// Rows that bring their own numbers do not move the sequence that numbers the next ones; here it goes on after
    /// the highest.
    async fn continue_sequence(&self, table: &str, column: &str) -> Result<(), Error> {
        let (name, text) = (quoted(column), literal(column));
        let found = self
            .client
            .simple_query(&format!("select pg_get_serial_sequence({}, {text})", literal(table)))
            .await?;
        let sequence = found.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(literal),
            _ => None,
        });
        let Some(sequence) = sequence else { return Ok(()) };
        let set =
            format!("select setval({sequence}, max({name})) from {table} having max({name}) is not null");
        self.client.batch_execute(&set).await
    }

    fn error(&self, seed: &Seed, trouble: Trouble) -> SeedError {
        let Trouble { range, message, code, mut notes } = trouble;
        if code == "42501" {
            let hint = format!(
                "the seeds of `{}` run as its owner; after `reset role;` the rest of the file may do everything",
                self.database.name
            );
            notes.push(("note".to_owned(), hint));
        }
        let before = &seed.text[..range.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        SeedError {
            component: self.component.clone(),
            database: self.database.name.clone(),
            path: seed.file.shown.clone(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            text: seed.text.clone(),
            from: range.start,
            to: range.end,
            message,
            code,
            notes,
        }
    }
}

impl Trouble {
    fn plain(range: Range<usize>, message: &str) -> Self {
        Self { range, message: message.to_owned(), code: String::new(), notes: Vec::new() }
    }

    /// What the server said of the statement at `range` of `text`; where it names a character, that is the place.
    fn of(error: &Error, range: Range<usize>, text: &str) -> Self {
        let Some(refused) = error.as_db_error() else {
            return Self::plain(range, &format!("the server cannot be reached: {error}"));
        };
        let notes = [("detail", refused.detail()), ("hint", refused.hint()), ("where", refused.where_())];
        let notes = notes.into_iter().filter_map(|(name, note)| Some((name.to_owned(), note?.to_owned())));
        Self {
            range: place(refused, &range, text).unwrap_or(range),
            message: refused.message().to_owned(),
            code: refused.code().code().to_owned(),
            notes: notes.collect(),
        }
    }
}

/// From the character that the server names to the end of that word.
fn place(refused: &DbError, range: &Range<usize>, text: &str) -> Option<Range<usize>> {
    let Some(ErrorPosition::Original(position)) = refused.position() else { return None };
    let statement = text.get(range.clone())?;
    let nth = usize::try_from(*position).ok()?.checked_sub(1)?;
    let (offset, _) = statement.char_indices().nth(nth)?;
    let word = &statement[offset..];
    let length = word.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(word.len());
    Some(range.start + offset..range.start + offset + length.max(1))
}

/// `COPY books, line 3, column price: "x"`: 3.
fn data_line(error: &Error) -> Option<usize> {
    let context = error.as_db_error()?.where_()?;
    let (_, rest) = context.split_once(", line ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Where the line of a number stands within a part of a text.
fn nth_line(text: &str, part: &Range<usize>, number: usize) -> Option<Range<usize>> {
    let mut start = part.start;
    for line in text[part.clone()].split_inclusive('\n').take(number.checked_sub(1)?) {
        start += line.len();
    }
    let line = text[start..part.end].lines().next()?;
    Some(start..start + line.len())
}

/// What `pg_dump` writes around its statements, and what only prints.
fn is_harmless(command: &str) -> bool {
    let word = command.split_whitespace().next().unwrap_or_default();
    matches!(word, "\\restrict" | "\\unrestrict" | "\\echo" | "\\qecho" | "\\timing" | "\\pset" | "\\.")
}

/// The names in the first line of a CSV.
fn head_of(line: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut within = false;
    for c in line.trim_end().chars() {
        match c {
            '"' => within = !within,
            ',' if !within => names.push(String::new()),
            _ => {
                if let Some(name) = names.last_mut() {
                    name.push(c);
                }
            }
        }
    }
    for name in &mut names {
        *name = name.trim().to_owned();
    }
    names
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as it stands in SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_csv_names_columns() {
        assert_eq!(head_of("isbn, \"the, title\",price\r"), ["isbn", "the, title", "price"]);
        assert_eq!(head_of(""), [""]);
    }

    #[test]
    fn lines_of_data_are_found() {
        let text = "copy t from stdin;\na\nbc\n\\.\n";
        assert_eq!(nth_line(text, &(19..24), 2), Some(21..23));
        assert_eq!(nth_line(text, &(19..24), 9), None);
    }
}
