//! The lines of NATS: what each is, and how long a payload comes behind it.

use crate::conversation::Surprise;

/// One line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `INFO {…}`, of the server.
    Info(&'a [u8]),
    /// `CONNECT {…}`.
    Connect(&'a [u8]),
    Ping,
    Pong,
    /// `+OK`.
    Ok,
    /// `-ERR '…'`: the words between the quotes.
    Error(&'a [u8]),
    Subscribe {
        subject: &'a [u8],
        queue: Option<&'a [u8]>,
        sid: &'a [u8],
    },
    Unsubscribe {
        sid: &'a [u8],
        /// It stays for so many messages.
        has_most: bool,
    },
    /// A publication or delivery, whose payload follows.
    Message(Head<'a>),
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) subject: &'a [u8],
    /// Of a delivery.
    pub(super) sid: Option<&'a [u8]>,
    pub(super) reply_to: Option<&'a [u8]>,
    /// So many bytes of the payload are headers.
    pub(super) n_headers: usize,
    /// All of the payload, headers included.
    pub(super) n_bytes: usize,
}

impl Head<'_> {
    /// A whole message with this head, but other lengths.
    pub(super) fn write(&self, of_server: bool, headers: &[u8], content: &[u8]) -> Vec<u8> {
        let name: &[u8] = match (of_server, headers.is_empty()) {
            (true, true) => b"MSG",
            (true, false) => b"HMSG",
            (false, true) => b"PUB",
            (false, false) => b"HPUB",
        };
        let n_headers = (!headers.is_empty()).then(|| headers.len().to_string());
        let n_bytes = (headers.len() + content.len()).to_string();
        let lengths = n_headers.iter().chain([&n_bytes]).map(String::as_bytes);
        let words = [Some(name), Some(self.subject), self.sid, self.reply_to].into_iter().flatten();
        let line: Vec<&[u8]> = words.chain(lengths).collect();
        [&line.join(&b' ')[..], b"\r\n", headers, content, b"\r\n"].concat()
    }
}

/// A payload above this can't be meant.
const MOST: usize = 1 << 40;

/// Reads a line of the client, or of the server, with or without its end.
pub(super) fn read(line: &[u8], of_server: bool) -> Result<Line<'_>, Surprise> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let end = line.iter().position(|byte| is_space(*byte)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let said = match (name.to_ascii_uppercase().as_slice(), of_server) {
        (b"PING", _) => Some(Line::Ping),
        (b"PONG", _) => Some(Line::Pong),
        (b"INFO", true) => Some(Line::Info(rest.trim_ascii())),
        (b"+OK", true) => Some(Line::Ok),
        (b"-ERR", true) => Some(Line::Error(unquoted(rest.trim_ascii()))),
        (b"MSG", true) => delivery(rest, false),
        (b"HMSG", true) => delivery(rest, true),
        (b"CONNECT", false) => Some(Line::Connect(rest.trim_ascii())),
        (b"PUB", false) => publication(rest, false),
        (b"HPUB", false) => publication(rest, true),
        (b"SUB", false) => match words(rest)? {
            ([subject, sid, ..], 2) => Some(Line::Subscribe { subject, queue: None, sid }),
            ([subject, queue, sid, ..], 3) => Some(Line::Subscribe { subject, queue: Some(queue), sid }),
            _ => None,
        },
        (b"UNSUB", false) => match words(rest)? {
            ([sid, ..], n_words @ 1..=2) => Some(Line::Unsubscribe { sid, has_most: n_words == 2 }),
            _ => None,
        },
        _ => None,
    };
    said.ok_or_else(|| Surprise::new("no line of NATS"))
}

fn publication(rest: &[u8], has_headers: bool) -> Option<Line<'_>> {
    let (words, n_words) = words(rest).ok()?;
    let (words, n_headers, n_bytes) = lengths(&words, n_words, has_headers)?;
    match *words {
        [subject] => Some(Line::Message(Head { subject, sid: None, reply_to: None, n_headers, n_bytes })),
        [subject, reply_to] => {
            Some(Line::Message(Head { subject, sid: None, reply_to: Some(reply_to), n_headers, n_bytes }))
        }
        _ => None,
    }
}

fn delivery(rest: &[u8], has_headers: bool) -> Option<Line<'_>> {
    let (words, n_words) = words(rest).ok()?;
    let (words, n_headers, n_bytes) = lengths(&words, n_words, has_headers)?;
    let (&subject, rest) = words.split_first()?;
    let (&sid, rest) = rest.split_first()?;
    let reply_to = match *rest {
        [] => None,
        [reply_to] => Some(reply_to),
        _ => return None,
    };
    Some(Line::Message(Head { subject, sid: Some(sid), reply_to, n_headers, n_bytes }))
}

/// Takes the lengths off the end.
fn lengths<'w, 'a>(
    words: &'w [&'a [u8]; MOST_WORDS],
    n_words: usize,
    has_headers: bool,
) -> Option<(&'w [&'a [u8]], usize, usize)> {
    let (&n_bytes, words) = words[..n_words].split_last()?;
    let n_bytes = length(n_bytes)?;
    if !has_headers {
        return Some((words, 0, n_bytes));
    }
    let (&n_headers, words) = words.split_last()?;
    let n_headers = length(n_headers).filter(|n_headers| *n_headers <= n_bytes)?;
    Some((words, n_headers, n_bytes))
}

const MOST_WORDS: usize = 5;

/// The words of a line, and how many there are.
fn words(line: &[u8]) -> Result<([&[u8]; MOST_WORDS], usize), Surprise> {
    let mut found: [&[u8]; MOST_WORDS] = [&[]; MOST_WORDS];
    let mut n_words = 0;
    for word in line.split(|byte| is_space(*byte)).filter(|word| !word.is_empty()) {
        let place = found.get_mut(n_words).ok_or_else(|| Surprise::new("a line of too many words"))?;
        *place = word;
        n_words += 1;
    }
    Ok((found, n_words))
}

fn length(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|length| *length <= MOST)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn unquoted(words: &[u8]) -> &[u8] {
    let inner = words.strip_prefix(b"'").and_then(|words| words.strip_suffix(b"'"));
    inner.unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let head = |subject: &'static [u8], n_bytes| Head {
            subject,
            sid: None,
            reply_to: None,
            n_headers: 0,
            n_bytes,
        };
        for (line, of_server, expect) in [
            (&b"PUB a.b  9\r\n"[..], false, Some(Line::Message(head(b"a.b", 9)))),
            (b"pub a\tr 0", false, Some(Line::Message(Head { reply_to: Some(b"r"), ..head(b"a", 0) }))),
            (b"HPUB a 12 20\r\n", false, Some(Line::Message(Head { n_headers: 12, ..head(b"a", 20) }))),
            (b"HPUB a 21 20\r\n", false, None),
            (
                b"MSG a 7 r 3\r\n",
                true,
                Some(Line::Message(Head { sid: Some(b"7"), reply_to: Some(b"r"), ..head(b"a", 3) })),
            ),
            (b"MSG a 3\r\n", true, None),
            (b"SUB a.> 1\r\n", false, Some(Line::Subscribe { subject: b"a.>", queue: None, sid: b"1" })),
            (b"UNSUB 1 5\r\n", false, Some(Line::Unsubscribe { sid: b"1", has_most: true })),
            (b"-ERR 'No'\r\n", true, Some(Line::Error(b"No"))),
            (b"-ERR 'No'\r\n", false, None),
            (b"PUB a -1\r\n", false, None),
            (b"GET / HTTP/1.1\r\n", false, None),
            (b"\r\n", false, None),
        ] {
            assert_eq!(read(line, of_server).ok(), expect, "{}", String::from_utf8_lossy(line));
        }
    }
}
