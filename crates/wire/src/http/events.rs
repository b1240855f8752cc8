//! Server-sent events: where each ends in a body, and what it says (WHATWG HTML, 9.2).
//!
//! ```text
//! event: paid ↵ id: 7 ↵ data: {"order":7} ↵ ↵        one event; a line that begins with `:` keeps a connection awake
//! ```

use crate::anew::only;
use crate::splitter::{Anew, Unanswerable};
use seam_value::{Map, Value, parse};

/// Finds where events end in a body that comes bit by bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    /// So many bytes of what is pending have no end in them: whole lines.
    n_searched: usize,
    /// So many have no line end behind those.
    n_looked: usize,
}

impl Events {
    /// How many of the pending bytes are the first event with its empty line, and whether it says anything: what only
    /// keeps the connection awake does not. None where it has not ended yet. The bytes are to be taken off then.
    pub(crate) fn next(&mut self, pending: &[u8]) -> Option<(usize, bool)> {
        let (mut at, mut from) = (self.n_searched, self.n_looked);
        while let Some((n_text, n_line)) = line(&pending[from..]) {
            let is_empty = from + n_text == at;
            at = from + n_line;
            from = at;
            if is_empty {
                *self = Self::default();
                return Some((at, lines(&pending[..at]).any(|line| line.starts_with(b"data"))));
            }
        }
        // What may be half of a line's end is looked at again.
        let n_looked = pending.len() - usize::from(pending.ends_with(b"\r"));
        *self = Self { n_searched: at, n_looked: n_looked.max(from) };
        None
    }
}

/// All events of a body, as [`read`] has them.
pub fn events_of(body: &[u8]) -> Vec<Value> {
    let (mut events, mut rest, mut all) = (Events::default(), body, Vec::new());
    while let Some((n_bytes, says_something)) = events.next(rest) {
        let (event, behind) = rest.split_at(n_bytes);
        if says_something {
            all.push(Value::Map(read(event)));
        }
        rest = behind;
    }
    all
}

/// What an event says: `event`, `id`, `data` (decoded where it is JSON), `text` (the data as it stands), `retry`.
pub(crate) fn read(event: &[u8]) -> Map {
    let (mut name, mut id, mut retry) = (Value::text("message"), Value::Null, Value::Null);
    let mut data: Option<String> = None;
    for line in lines(event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event)) {
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" if !value.is_empty() => name = Value::text(value),
            "id" => id = Value::text(value),
            "retry" => retry = value.parse::<u64>().map_or(Value::Null, Value::from),
            "data" => match &mut data {
                Some(data) => data.extend(["\n", value]),
                None => data = Some(value.to_owned()),
            },
            _ => {}
        }
    }
    let text = data.unwrap_or_default();
    let data = parse(&text).unwrap_or_else(|_| Value::text(text.clone()));
    let fields = [("event", name), ("id", id), ("data", data), ("text", Value::Text(text)), ("retry", retry)];
    fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

/// An event as it is sent. `data` that is no text is written as JSON; where there is none, `text` stands for it.
pub(crate) fn write(event: &Value) -> Vec<u8> {
    let mut text = String::new();
    for field in ["event", "id", "retry"] {
        match event.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Text(name)) if field == "event" && name == "message" => {}
            Some(value) => text.extend([field, ": ", &one_line(&value.to_plain_text()), "\n"]),
        }
    }
    let data = match (event.get("text"), event.get("data")) {
        // What was read stays as it was written.
        (Some(Value::Text(text)), Some(data)) if parse(text).ok().as_ref() == Some(data) => text.clone(),
        (Some(text), None | Some(Value::Null)) => text.to_plain_text(),
        (_, Some(Value::Text(text))) => text.clone(),
        (_, data) => data.map(ToString::to_string).unwrap_or_default(),
    };
    for line in data.split('\n') {
        text.extend(["data: ", line, "\n"]);
    }
    text.push('\n');
    text.into_bytes()
}

/// An event, given its bytes, that says something else: its content is its data.
pub(crate) fn anew(event: &[u8], anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
    let now = match anew {
        Anew::Fields(before, now) => {
            only(before, now, &["event", "id", "retry"])?;
            return Ok(write(now));
        }
        Anew::Content(change) => {
            let mut said = read(event);
            let text = said.get("text").map(Value::to_plain_text).unwrap_or_default();
            let mut content = text.into_bytes();
            change(&mut content);
            said.shift_remove("data");
            said.insert("text".to_owned(), Value::text(String::from_utf8_lossy(&content)));
            said
        }
    };
    Ok(write(&Value::Map(now)))
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// How many bytes the first line's text has, and how many with its end. None where it has not ended.
fn line(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = memchr::memchr2(b'\r', b'\n', bytes)?;
    match (bytes[end], bytes.get(end + 1)) {
        (b'\n', _) => Some((end, end + 1)),
        (_, Some(b'\n')) => Some((end, end + 2)),
        (_, Some(_)) => Some((end, end + 1)),
        // A line feed may follow that belongs to the line.
        (_, None) => None,
    }
}

fn lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (n_text, n_line) = line(bytes)?;
        let text = &bytes[..n_text];
        bytes = &bytes[n_line..];
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a body in JSON, one a line, however the body is cut.
    fn all(body: &[u8], n_bytes: usize) -> Vec<String> {
        let (mut events, mut pending, mut told) = (Events::default(), Vec::new(), Vec::new());
        for chunk in body.chunks(n_bytes) {
            pending.extend_from_slice(chunk);
            while let Some((n_event, says_something)) = events.next(&pending) {
                let event: Vec<u8> = pending.drain(..n_event).collect();
                if says_something {
                    told.push(Value::Map(read(&event)).to_string());
                }
            }
        }
        told
    }

    #[test]
    fn events_of_bodies() {
        for (body, expect) in [
            (
                "event: paid\nid: 7\ndata: {\"a\":1.50}\n\n: awake\n\ndata: x\ndata:  y\n\n",
                &[
                    r#"{"event":"paid","id":"7","data":{"a":1.50},"text":"{\"a\":1.50}","retry":null}"#,
                    r#"{"event":"message","id":null,"data":"x\n y","text":"x\n y","retry":null}"#,
                ][..],
            ),
            (
                "data: 1\r\nretry: 20\r\n\r\ndata\r\n\r\nid: 3\r\n\r\n",
                &[
                    r#"{"event":"message","id":null,"data":1,"text":"1","retry":20}"#,
                    r#"{"event":"message","id":null,"data":"","text":"","retry":null}"#,
                ],
            ),
            (
                "data: a\r\rdata: b\r\rdata: c\n\n",
                &[
                    r#"{"event":"message","id":null,"data":"a","text":"a","retry":null}"#,
                    r#"{"event":"message","id":null,"data":"b","text":"b","retry":null}"#,
                    r#"{"event":"message","id":null,"data":"c","text":"c","retry":null}"#,
                ],
            ),
            ("data: never ended\n", &[]),
        ] {
            for n_bytes in [1, 2, 3, 1000] {
                assert_eq!(all(body.as_bytes(), n_bytes), expect, "{body:?} in pieces of {n_bytes}");
            }
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let body = b"data: 1\n\n: awake\n\nevent: x\ndata: 2\n\ndata: never ended\n";
        let texts: Vec<String> =
            events_of(body).iter().map(|event| event.get("text").unwrap().to_plain_text()).collect();
        assert_eq!(texts, ["1", "2"]);
        for event in [
            r#"{"event":"paid","id":"7","data":{"a":1.50},"text":"{ \"a\": 1.50 }","retry":null}"#,
            r#"{"event":"message","id":null,"data":"x\n y","text":"x\n y","retry":5}"#,
            r#"{"event":"message","id":null,"data":1,"text":"1","retry":null}"#,
        ] {
            let value = parse(event).unwrap();
            assert_eq!(Value::Map(read(&write(&value))).to_string(), event);
        }
        let short = parse(r#"{"data":{"a":[1]}}"#).unwrap();
        assert_eq!(write(&short), b"data: {\"a\":[1]}\n\n");
    }
}
