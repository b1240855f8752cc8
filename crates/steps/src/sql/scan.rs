//! Goes through the text of a statement: what is quoted, what is a comment, where words and statements end.
//!
//! No grammar of SQL is needed for what a step has to know, and none would know every extension of the server.

use super::Dialect;
use seam_wire::mysql::text::Apart;

/// Where a scanner is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Inside {
    /// In the statement itself.
    #[default]
    Plain,
    /// In a text, `'…'`, or in MySQL also `"…"`.
    Text {
        /// With which it ends.
        quote: char,
        /// Does a backslash mean something, as in `e'…'` and in MySQL?
        escapes: bool,
    },
    /// In a name, `"…"`, or MySQL's with this at both ends.
    Name(char),
    /// In a comment that ends with its line.
    Line,
    /// In a comment `/* … */`, so many deep.
    Block(u32),
    /// In a text between `$tag$` and the same again.
    Dollars(String),
}

/// What was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A word of the statement itself.
    Word(&'t str),
    /// The end of a statement.
    Semicolon,
    /// The quote that begins a text.
    Opens,
    /// The quote that ends a text.
    Closes,
    /// Anything else.
    Other(&'t str),
}

impl Token<'_> {
    fn length(self) -> usize {
        match self {
            Self::Word(text) | Self::Other(text) => text.len(),
            Self::Semicolon | Self::Opens | Self::Closes => 1,
        }
    }
}

/// Goes through a text that may come in several parts.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    pub(super) inside: Inside,
    pub(super) dialect: Dialect,
    /// Was the last thing the word `e`, with which a text with escapes begins?
    after_e: bool,
}

impl Scanner {
    /// At the beginning of a text.
    pub(super) fn of(dialect: Dialect) -> Self {
        Self { dialect, ..Self::default() }
    }

    /// Passes the next token of a text that is not empty; gives it and what is left.
    pub(super) fn step<'t>(&mut self, text: &'t str) -> (Token<'t>, &'t str) {
        let token = match self.inside.clone() {
            Inside::Plain => self.plain(text),
            Inside::Text { quote, escapes } => self.text(text, quote, escapes),
            Inside::Name(quote) => {
                let token = one(text);
                if text.starts_with(quote) {
                    self.inside = Inside::Plain;
                }
                token
            }
            Inside::Line => {
                let end = text.find('\n').map_or(text.len(), |end| end + 1);
                if text[..end].ends_with('\n') {
                    self.inside = Inside::Plain;
                }
                Token::Other(&text[..end])
            }
            Inside::Block(depth) => match text {
                _ if text.starts_with("/*") && self.dialect == Dialect::Mysql => one(text),
                _ if text.starts_with("/*") => self.to(Inside::Block(depth + 1), &text[..2]),
                _ if text.starts_with("*/") && depth > 1 => self.to(Inside::Block(depth - 1), &text[..2]),
                _ if text.starts_with("*/") => self.to(Inside::Plain, &text[..2]),
                _ => one(text),
            },
            Inside::Dollars(tag) => match text.find(&tag) {
                Some(end) => self.to(Inside::Plain, &text[..end + tag.len()]),
                None => Token::Other(text),
            },
        };
        self.after_e = matches!(token, Token::Word("e" | "E"));
        (token, &text[token.length()..])
    }

    fn plain<'t>(&mut self, text: &'t str) -> Token<'t> {
        let first = text.chars().next().unwrap_or_default();
        // At the end of a part a variable follows, and so no comment has begun.
        if self.dialect == Dialect::Mysql
            && text != "--"
            && let Some((apart, n_opening)) = seam_wire::mysql::text::opens(text)
        {
            return self.apart(apart, &text[..n_opening]);
        }
        match first {
            ';' => Token::Semicolon,
            '\'' => {
                self.inside = Inside::Text { quote: first, escapes: self.after_e };
                Token::Opens
            }
            '"' => self.to(Inside::Name(first), &text[..1]),
            '-' if text.starts_with("--") && self.dialect == Dialect::Postgres => {
                self.to(Inside::Line, &text[..2])
            }
            '/' if text.starts_with("/*") && self.dialect == Dialect::Postgres => {
                self.to(Inside::Block(1), &text[..2])
            }
            '$' if self.dialect == Dialect::Mysql => Token::Other(braces(text)),
            '$' => match dollar_tag(text) {
                Some(tag) if text[tag.len()..].contains(tag) => self.to(Inside::Dollars(tag.to_owned()), tag),
                Some(tag) => Token::Other(tag),
                None => Token::Other(braces(text)),
            },
            _ if first.is_alphabetic() || first == '_' => {
                let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
                Token::Word(&text[..end])
            }
            _ => one(text),
        }
    }

    /// In MySQL begins what is no code.
    fn apart<'t>(&mut self, apart: Apart, passed: &'t str) -> Token<'t> {
        let inside = match apart {
            Apart::Quoted('`') => Inside::Name('`'),
            Apart::Quoted(quote) => {
                self.inside = Inside::Text { quote, escapes: true };
                return Token::Opens;
            }
            Apart::Line => Inside::Line,
            Apart::Block => Inside::Block(1),
        };
        self.to(inside, passed)
    }

    fn text<'t>(&mut self, text: &'t str, quote: char, escapes: bool) -> Token<'t> {
        match text {
            _ if text.starts_with([quote; 2].iter().collect::<String>().as_str()) => Token::Other(&text[..2]),
            _ if text.starts_with(quote) => {
                self.inside = Inside::Plain;
                Token::Closes
            }
            _ if escapes && text.starts_with('\\') => {
                let length = text.chars().take(2).map(char::len_utf8).sum();
                Token::Other(&text[..length])
            }
            _ => one(text),
        }
    }

    fn to<'t>(&mut self, inside: Inside, passed: &'t str) -> Token<'t> {
        self.inside = inside;
        Token::Other(passed)
    }
}

/// Doubles the dollars of texts between `$tag$`, so that they are what SQL means by them and not variables.
pub(super) fn keep_dollar_quotes(text: &str) -> String {
    let mut scanner = Scanner::default();
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let was_inside = matches!(scanner.inside, Inside::Dollars(_));
        let (token, left) = scanner.step(rest);
        let passed = &rest[..token.length()];
        if was_inside || matches!(scanner.inside, Inside::Dollars(_)) {
            kept.push_str(&passed.replace('$', "$$"));
        } else {
            kept.push_str(passed);
        }
        rest = left;
    }
    kept
}

fn one(text: &str) -> Token<'_> {
    let length = text.chars().next().map_or(0, char::len_utf8);
    Token::Other(&text[..length])
}

/// `$$` or `$tag$` at the beginning of a text.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = &text[1..];
    let end = inner.find('$')?;
    let tag = &inner[..end];
    let is_tag = !tag.starts_with(|c: char| c.is_ascii_digit())
        && tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_tag.then(|| &text[..end + 2])
}

/// `${ … }` with the braces inside it, or the dollar alone.
fn braces(text: &str) -> &str {
    if !text.starts_with("${") {
        return &text[..1];
    }
    let mut depth = 0;
    for (place, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[..=place],
            '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_between_tags_are_sqls_own() {
        for (text, expect) in [
            ("select $a", "select $a"),
            ("do $$ begin perform $1; end $$; select $b", "do $$$$ begin perform $$1; end $$$$; select $b"),
            ("do $fn$ a $$ b $fn$", "do $$fn$$ a $$$$ b $$fn$$"),
            ("select '$$5', $a", "select '$$5', $a"),
            ("select 'it''s $$' || $a || '$$'", "select 'it''s $$' || $a || '$$'"),
            ("select $a -- $$ a\n, $b /* $$ */", "select $a -- $$ a\n, $b /* $$ */"),
            ("select ${ a + '$$' } and '$$'", "select ${ a + '$$' } and '$$'"),
            ("select $$", "select $$"),
            ("select e'\\'$$' || $$x$$", "select e'\\'$$' || $$$$x$$$$"),
            ("select \"a$$b\" from \"$$\"", "select \"a$$b\" from \"$$\""),
        ] {
            assert_eq!(keep_dollar_quotes(text), expect, "{text}");
        }
    }
}
