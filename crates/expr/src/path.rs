//! A path into a result: `body.items.0.sku`, `rows.*.state`, `headers."x.y"`.
//!
//! Names are joined by dots, an index is a name (`-1` is the last), `*` is every element, and a name in which a
//! dot stands is quoted. `items[0].sku` is read too. Whether `0` is an index or a key shows only when the
//! path meets a list or a map, so a path knows nothing of what it will be used on.

use std::fmt;

/// A path that has been read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A name in a map, or an index in a list.
    Name(String),
    /// `*`: every element of a list, every value of a map.
    Every,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PathError {
    /// Where in the text, in bytes.
    pub offset: usize,
    /// How many bytes are wrong; 0 where something is missing.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Path {
    /// Reads a path; all of the text must belong to it.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(error(0, 0, "a path is missing here"));
        }
        let mut reader = Reader { text, at: 0 };
        let mut segments = vec![reader.segment()?];
        while reader.at < text.len() {
            segments.push(reader.next()?);
        }
        Ok(Self { segments })
    }

    /// Reads as much of the text as can belong to a path that begins with a plain name, as after the `$` of a
    /// variable; gives the path and the bytes that it took. What cannot go on the path stays text:
    /// `$order.` ends before the full stop of the sentence.
    pub(crate) fn parse_beginning(text: &str) -> Option<(Self, usize)> {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let first_length = text.find(|character: char| !is_part(character)).unwrap_or(text.len());
        if !text.starts_with(char::is_alphabetic) {
            return None;
        }
        let mut segments = vec![Segment::Name(text[..first_length].to_owned())];
        let mut at = first_length;
        loop {
            let rest = &text[at..];
            let Some((segment, length)) = continuation(rest, is_part) else { break };
            segments.push(segment);
            at += length;
        }
        Some((Self { segments }, at))
    }

    /// A path of plain names.
    pub fn of_names<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { segments: names.into_iter().map(|name| Segment::Name(name.into())).collect() }
    }

    /// Its steps; at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The name that it begins with; `*` where it begins with that.
    pub fn first(&self) -> &str {
        match self.segments.first() {
            Some(Segment::Name(name)) => name,
            Some(Segment::Every) | None => "*",
        }
    }

    /// What comes after the first step; none where there is nothing.
    pub fn rest(&self) -> Option<Self> {
        (self.segments.len() > 1).then(|| Self { segments: self.segments[1..].to_vec() })
    }

    /// Does a `*` stand in it, so that it gives a list?
    pub fn is_many(&self) -> bool {
        self.segments.contains(&Segment::Every)
    }

    /// The last name, if it is one.
    pub fn last_name(&self) -> Option<&str> {
        match self.segments.last() {
            Some(Segment::Name(name)) => Some(name),
            Some(Segment::Every) | None => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join(&self.segments))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Name(name) if is_bare(name) => f.write_str(name),
            Self::Name(name) if name.contains('"') => write!(f, "['{name}']"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

/// Segments as a path is written.
pub(crate) fn join(segments: &[Segment]) -> String {
    segments.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// One more name below a path, as it is written: `body` and `x.y` give `body."x.y"`.
pub fn below(path: &str, name: &str) -> String {
    let segment = Segment::Name(name.to_owned());
    if path.is_empty() { segment.to_string() } else { format!("{path}.{segment}") }
}

/// Can a name stand without quotes?
fn is_bare(name: &str) -> bool {
    !name.is_empty() && name != "*" && !name.contains(is_special)
}

fn is_special(character: char) -> bool {
    matches!(character, '.' | '[' | ']' | '"') || character.is_whitespace()
}

fn error(offset: usize, length: usize, message: impl Into<String>) -> PathError {
    PathError { offset, length, message: message.into(), hint: None }
}

/// What may follow the name of a variable inside a text, with the bytes that it takes.
fn continuation(rest: &str, is_part: impl Fn(char) -> bool) -> Option<(Segment, usize)> {
    if let Some(inside) = rest.strip_prefix('[') {
        let length = inside.find(']')?;
        let index = &inside[..length];
        let digits = index.strip_prefix('-').unwrap_or(index);
        let is_index = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return match index {
            "*" => Some((Segment::Every, length + 2)),
            _ if is_index => Some((Segment::Name(index.to_owned()), length + 2)),
            _ => None,
        };
    }
    let inside = rest.strip_prefix('.')?;
    if inside.starts_with('*') {
        return Some((Segment::Every, 2));
    }
    if let Some(quoted) = inside.strip_prefix('"') {
        let length = quoted.find('"')?;
        return (length > 0).then(|| (Segment::Name(quoted[..length].to_owned()), length + 3));
    }
    let sign = usize::from(inside.starts_with('-') && inside[1..].starts_with(|c: char| c.is_ascii_digit()));
    let length = sign + inside[sign..].find(|character| !is_part(character)).unwrap_or(inside.len() - sign);
    (length > sign).then(|| (Segment::Name(inside[..length].to_owned()), length + 1))
}

/// Goes through the text of a path.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Segment, PathError> {
        let rest = &self.text[self.at..];
        if rest.starts_with('[') {
            return self.bracket();
        }
        if rest.starts_with('.') {
            self.at += 1;
            return self.segment();
        }
        let length = rest.chars().next().map_or(0, char::len_utf8);
        Err(error(self.at, length, "a dot is missing here"))
    }

    /// A name, quoted or not, or `*`.
    fn segment(&mut self) -> Result<Segment, PathError> {
        let (start, rest) = (self.at, &self.text[self.at..]);
        if rest.starts_with('[') {
            return self.bracket();
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some(length) = quoted.find('"') else {
                return Err(error(start, rest.len(), "this name has no closing quote"));
            };
            self.at += length + 2;
            return Ok(Segment::Name(quoted[..length].to_owned()));
        }
        let length = rest.find(is_special).unwrap_or(rest.len());
        let name = &rest[..length];
        if name.is_empty() {
            let message = if start == self.text.len() {
                "a path can't end with a dot"
            } else {
                "a name is missing here"
            };
            return Err(error(start.saturating_sub(1), 1, message));
        }
        self.at += length;
        if self.text[self.at..].starts_with(char::is_whitespace) {
            let whole = self.text[start..].split(['.', '[']).next().unwrap_or_default().trim_end();
            let hint = format!("a name with spaces is quoted: \"{whole}\"");
            return Err(PathError { hint: Some(hint), ..error(self.at, 1, "a path has no spaces") });
        }
        Ok(if name == "*" { Segment::Every } else { Segment::Name(name.to_owned()) })
    }

    /// `[0]`, `[-1]`, `[*]`, `["x.y"]`.
    fn bracket(&mut self) -> Result<Segment, PathError> {
        let (start, rest) = (self.at, &self.text[self.at..]);
        let Some(length) = rest.find(']') else {
            return Err(error(start, rest.len(), "`[` has no closing `]`"));
        };
        let inside = rest[1..length].trim();
        self.at += length + 1;
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| inside.strip_prefix(*quote).and_then(|name| name.strip_suffix(*quote)));
        if let Some(name) = quoted {
            return Ok(Segment::Name(name.to_owned()));
        }
        if inside == "*" {
            return Ok(Segment::Every);
        }
        if inside.parse::<i64>().is_err() {
            let hint = Some("inside brackets stands a number, `*`, or a name in quotes".to_owned());
            let message = format!("`{inside}` is no index");
            return Err(PathError { hint, ..error(start, length + 1, message) });
        }
        Ok(Segment::Name(inside.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_and_show_the_same() {
        for (text, shown) in [
            ("status", "status"),
            ("body.items.0.sku", "body.items.0.sku"),
            ("items[0].sku", "items.0.sku"),
            ("items[-1]", "items.-1"),
            ("items.-1", "items.-1"),
            ("results.*.status", "results.*.status"),
            ("results[*]", "results.*"),
            ("headers.\"x.y\"", "headers.\"x.y\""),
            ("body[\"a b\"].c", "body.\"a b\".c"),
            ("body['a.b']", "body.\"a.b\""),
            ("headers.content-type", "headers.content-type"),
            ("body.\"*\"", "body.\"*\""),
            ("body.größe", "body.größe"),
            ("body.\"\"", "body.\"\""),
            ("body.@id", "body.@id"),
            ("body['say \"x\"'].a", "body.['say \"x\"'].a"),
            ("['a b'].c", "\"a b\".c"),
        ] {
            let path = Path::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(path.to_string(), shown);
            assert_eq!(Path::parse(shown).unwrap(), path, "{shown}");
        }
    }

    #[test]
    fn what_is_no_path_is_pointed_at() {
        for (text, offset, length, message) in [
            ("", 0, 0, "a path is missing here"),
            ("a.", 1, 1, "a path can't end with a dot"),
            ("a..b", 1, 1, "a name is missing here"),
            (".a", 0, 1, "a name is missing here"),
            ("a.\"b", 2, 2, "this name has no closing quote"),
            ("a[0", 1, 2, "`[` has no closing `]`"),
            ("a[x]", 1, 3, "`x` is no index"),
            ("a[0]b", 4, 1, "a dot is missing here"),
            ("a b", 1, 1, "a path has no spaces"),
        ] {
            let error = Path::parse(text).expect_err(text);
            assert_eq!(
                (error.offset, error.length, error.message.as_str()),
                (offset, length, message),
                "{text}"
            );
        }
        let hint = Path::parse("body.first name.x").unwrap_err().hint;
        assert_eq!(hint.as_deref(), Some("a name with spaces is quoted: \"first name\""));
    }

    #[test]
    fn a_variable_takes_what_can_be_its_path() {
        for (text, shown, length) in [
            ("order", "order", 5),
            ("order.", "order", 5),
            ("order.id, please", "order.id", 8),
            ("order-1", "order", 5),
            ("badge.json", "badge.json", 10),
            ("items[0].sku!", "items.0.sku", 12),
            ("items.-1.x", "items.-1.x", 10),
            ("items.*.x", "items.*.x", 9),
            ("h.\"x.y\".", "h.\"x.y\"", 7),
            ("a[b]", "a", 1),
            ("a. b", "a", 1),
            ("a.-b", "a", 1),
        ] {
            let (path, taken) = Path::parse_beginning(text).unwrap();
            assert_eq!((path.to_string().as_str(), taken), (shown, length), "{text}");
        }
        assert!(Path::parse_beginning("1").is_none());
        assert!(Path::parse_beginning("").is_none());
    }
}
