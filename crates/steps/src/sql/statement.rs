//! The text of a query: which variables are bound where, where its statements end, and whether it only reads.
//!
//! A variable is never pasted into a statement; it becomes `$1` and its value is sent beside it. Inside quotes that is
//! not possible, and there a person means something else, so it is a mistake with the right way to write it.

use super::Dialect;
use super::scan::{Inside, Scanner, Token, keep_dollar_quotes};
use super::session::Bound;
use crate::action::{StepContext, Trouble};
use crate::input::{Part, Piece, pieces};
use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_expr::NameUse;
use seam_model::{Node, NodeKind};
use std::fmt::Write as _;

/// A query that has been read.
#[derive(Debug)]
pub(super) struct Query {
    statements: Vec<Statement>,
    only_reads: bool,
}

#[derive(Debug, Default)]
struct Statement {
    text: String,
    values: Vec<Part>,
}

impl Query {
    /// Reads a query; tells every variable that stands where none can.
    pub(super) fn read(node: &Node, dialect: Dialect, found: &mut Diagnostics) -> Option<Self> {
        let text = node.as_text()?;
        let kept = match dialect {
            Dialect::Postgres => keep_dollar_quotes(text),
            Dialect::Mysql => text.to_owned(),
        };
        let is_as_written = kept == text;
        let pieces = if is_as_written {
            pieces(node, found)?
        } else {
            let NodeKind::Text { form, .. } = &node.kind else { return None };
            pieces(&Node { span: node.span, kind: NodeKind::Text { text: kept, form: form.clone() } }, found)?
        };
        let mut reader = Reader { scanner: Scanner::of(dialect), ..Reader::default() };
        for piece in pieces {
            match piece {
                Piece::Fixed { text, offset } => reader.fixed(&text, |place, length| {
                    // Where dollars were doubled the places have moved.
                    if is_as_written { node.part(offset + place, length) } else { node.span }
                }),
                Piece::Part(part) => reader.variable(part),
            }
        }
        reader.end_statement();
        let is_sound = reader.mistakes.is_empty();
        reader.mistakes.into_iter().for_each(|mistake| found.push(mistake));
        if is_sound && reader.statements.is_empty() {
            found.push(Diagnostic::error("there is no statement in this query").at(node.span, ""));
            return None;
        }
        is_sound.then_some(Self { statements: reader.statements, only_reads: !reader.writes })
    }

    /// May it be repeated without changing anything?
    pub(super) fn only_reads(&self) -> bool {
        self.only_reads
    }

    /// The variables in it.
    pub(super) fn uses(&self, into: &mut Vec<NameUse>) {
        for part in self.statements.iter().flat_map(|statement| &statement.values) {
            part.uses(into);
        }
    }

    /// The statements with the values of now. Where nothing is bound, all of the text goes as one.
    pub(super) fn bound(&self, cx: &StepContext<'_>) -> Result<Vec<Bound>, Trouble> {
        if self.statements.iter().all(|statement| statement.values.is_empty()) {
            let texts: Vec<&str> = self.statements.iter().map(|statement| statement.text.as_str()).collect();
            return Ok(vec![Bound { text: texts.join(";"), values: Vec::new() }]);
        }
        let bind = |statement: &Statement| {
            let values =
                statement.values.iter().map(|part| part.value(cx.names)).collect::<Result<_, _>>()?;
            Ok(Bound { text: statement.text.clone(), values })
        };
        self.statements.iter().map(bind).collect()
    }
}

/// Goes through the pieces of a query.
#[derive(Default)]
struct Reader {
    scanner: Scanner,
    statements: Vec<Statement>,
    current: Statement,
    /// Words of the current statement, in small letters.
    words: Vec<String>,
    writes: bool,
    /// The quoted text that is being read, for the hint how to write it.
    quoted: Option<Quoted>,
    mistakes: Vec<Diagnostic>,
}

#[derive(Default)]
struct Quoted {
    /// What it would be without quotes: `'%'`, `$name`.
    parts: Vec<String>,
    text: String,
    variable: Option<(String, Span)>,
}

impl Reader {
    fn fixed(&mut self, text: &str, place: impl Fn(usize, usize) -> Span) {
        let mut rest = text;
        while !rest.is_empty() {
            let is_plain = self.scanner.inside == Inside::Plain;
            let (token, left) = self.scanner.step(rest);
            if is_plain && token == Token::Other("$") {
                self.check_number(left, |length| place(text.len() - rest.len(), length));
            }
            if is_plain && token == Token::Other("?") && self.scanner.dialect == Dialect::Mysql {
                self.mistakes.push(
                    Diagnostic::error("`?` is no variable")
                        .at(place(text.len() - rest.len(), 1), "")
                        .hint("write a name where the value stands: `where id = $order`"),
                );
            }
            let passed = &rest[..rest.len() - left.len()];
            match token {
                Token::Semicolon => {
                    self.end_statement();
                    rest = left;
                    continue;
                }
                Token::Word(word) => self.words.push(word.to_ascii_lowercase()),
                Token::Opens => self.quoted = Some(Quoted::default()),
                Token::Closes => self.end_quoted(),
                Token::Other(text) => {
                    if let Some(quoted) = &mut self.quoted {
                        quoted.text.push_str(text);
                    }
                }
            }
            self.current.text.push_str(passed);
            rest = left;
        }
    }

    /// `$1` is what drivers write; here it would be taken for the first variable. In what is prepared it is SQL's own.
    fn check_number(&mut self, after: &str, place: impl Fn(usize) -> Span) {
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        let is_own = self.words.first().is_some_and(|word| matches!(word.as_str(), "prepare" | "create"));
        if length > 0 && !is_own {
            let number = &after[..length];
            self.mistakes.push(
                Diagnostic::error(format!("`${number}` is no variable"))
                    .at(place(1 + length), "")
                    .hint("write a name where the value stands: `where id = $order`"),
            );
        }
    }

    fn variable(&mut self, part: Part) {
        let written = part.written();
        match self.scanner.inside {
            Inside::Plain => {
                self.current.values.push(part);
                let number = self.current.values.len();
                // Writing to a text can't fail.
                let _ = match self.scanner.dialect {
                    Dialect::Postgres => write!(self.current.text, "${number}"),
                    Dialect::Mysql => write!(self.current.text, "?"),
                };
            }
            Inside::Text { .. } => {
                let quoted = self.quoted.get_or_insert_default();
                quoted.end_text();
                quoted.variable.get_or_insert((written.clone(), part.span()));
                quoted.parts.push(written);
            }
            Inside::Name(_) => self.mistakes.push(
                Diagnostic::error("the name of a table or column can't be a variable").at(part.span(), ""),
            ),
            // In a comment it is only text.
            Inside::Line | Inside::Block(_) | Inside::Dollars(_) => self.current.text.push_str(&written),
        }
    }

    /// A text has ended; if a variable stood in it, it is told with the way to write it.
    fn end_quoted(&mut self) {
        let Some(mut quoted) = self.quoted.take() else { return };
        quoted.end_text();
        if let Some((written, span)) = quoted.variable {
            let way = match (self.scanner.dialect, quoted.parts.as_slice()) {
                (Dialect::Postgres, parts) => parts.join(" || "),
                (Dialect::Mysql, [only]) => only.clone(),
                (Dialect::Mysql, parts) => format!("concat({})", parts.join(", ")),
            };
            self.mistakes.push(
                Diagnostic::error(format!("`{written}` stands in quotes, where no value can be passed"))
                    .at(span, "")
                    .hint(format!("write {way}")),
            );
        }
    }

    fn end_statement(&mut self) {
        let statement = std::mem::take(&mut self.current);
        let words = std::mem::take(&mut self.words);
        if statement.text.trim().is_empty() || (words.is_empty() && statement.values.is_empty()) {
            return;
        }
        self.writes |= !only_reads(&words);
        self.statements.push(statement);
    }
}

impl Quoted {
    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(format!("'{}'", std::mem::take(&mut self.text)));
        }
    }
}

/// Does a statement with these words change nothing? A function that it calls may all the same; nobody can see that.
fn only_reads(words: &[String]) -> bool {
    const BEGINNINGS: [&str; 8] =
        ["select", "with", "values", "table", "show", "explain", "describe", "desc"];
    const WRITES: [&str; 5] = ["insert", "update", "delete", "merge", "into"];
    let Some(first) = words.first() else { return false };
    let mut last = "";
    for word in words {
        // `for update` and `for no key update` lock, and write nothing.
        if WRITES.contains(&word.as_str()) && !(word == "update" && matches!(last, "for" | "key")) {
            return false;
        }
        last = word;
    }
    BEGINNINGS.contains(&first.as_str())
}
