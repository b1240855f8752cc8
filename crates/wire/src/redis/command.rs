//! What a Redis command means for the replies to it: most have one; some wait, some have many, some none.

/// What sort of command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has one reply, soon.
    Call,
    /// It has one reply, when there is something.
    Waits,
    /// So many confirmations come.
    Subscribes(usize),
    /// So many confirmations come; 0 means one for each subscription of this sort that there is.
    Unsubscribes(Feed, usize),
    /// MULTI.
    BeginsTransaction,
    /// EXEC or DISCARD.
    EndsTransaction,
    /// RESET: as if newly connected.
    Resets,
    /// HELLO with this version.
    Hello(Option<u8>),
    /// MONITOR: all commands of others follow.
    Monitors,
    /// CLIENT REPLY.
    Replies(Replies),
    /// The connection becomes a replica's.
    Replicates,
    /// An empty line, which is passed over.
    Nothing,
}

/// The sorts of subscriptions, which are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    Channels,
    Patterns,
    Shards,
}

/// What CLIENT REPLY says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Replies {
    #[default]
    On,
    Off,
    /// None for the next command.
    Skip,
}

/// The longest command that means something special.
const LONGEST: usize = 12;

/// Reads a command from the kept bytes of a request.
pub(super) fn kind_of(request: &[u8]) -> Kind {
    let mut words = Words::new(request);
    let Some(first) = words.next() else { return Kind::Nothing };
    let mut name = [0; LONGEST];
    let Some(name) = name.get_mut(..first.len()) else { return Kind::Call };
    name.copy_from_slice(first);
    name.make_ascii_uppercase();
    match &*name {
        b"BLPOP" | b"BRPOP" | b"BRPOPLPUSH" | b"BLMOVE" | b"BLMPOP" | b"BZPOPMIN" | b"BZPOPMAX"
        | b"BZMPOP" => Kind::Waits,
        b"XREAD" | b"XREADGROUP" => {
            // `BLOCK 100` stands among the first options, before the keys.
            let blocks = words.take(8).any(|word| word.eq_ignore_ascii_case(b"BLOCK"));
            if blocks { Kind::Waits } else { Kind::Call }
        }
        b"SUBSCRIBE" | b"PSUBSCRIBE" | b"SSUBSCRIBE" => match words.n_left() {
            0 => Kind::Call,
            n_names => Kind::Subscribes(n_names),
        },
        b"UNSUBSCRIBE" => Kind::Unsubscribes(Feed::Channels, words.n_left()),
        b"PUNSUBSCRIBE" => Kind::Unsubscribes(Feed::Patterns, words.n_left()),
        b"SUNSUBSCRIBE" => Kind::Unsubscribes(Feed::Shards, words.n_left()),
        b"MULTI" => Kind::BeginsTransaction,
        b"EXEC" | b"DISCARD" => Kind::EndsTransaction,
        b"RESET" => Kind::Resets,
        b"MONITOR" => Kind::Monitors,
        b"SYNC" | b"PSYNC" => Kind::Replicates,
        b"HELLO" => Kind::Hello(words.next().and_then(|version| match version {
            [digit @ b'0'..=b'9'] => Some(digit - b'0'),
            _ => None,
        })),
        b"CLIENT" if words.next().is_some_and(|word| word.eq_ignore_ascii_case(b"REPLY")) => {
            match words.next().map(<[u8]>::to_ascii_uppercase).as_deref() {
                Some(b"ON") => Kind::Replies(Replies::On),
                Some(b"OFF") => Kind::Replies(Replies::Off),
                Some(b"SKIP") => Kind::Replies(Replies::Skip),
                _ => Kind::Call,
            }
        }
        _ => Kind::Call,
    }
}

/// The words of a request: the bulks of its array, or those of a plain line.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    rest: &'a [u8],
    /// Words that its array says are to come; none for a plain line.
    n_due: Option<usize>,
}

impl<'a> Words<'a> {
    pub(super) fn new(request: &'a [u8]) -> Self {
        match request.strip_prefix(b"*") {
            Some(rest) => match line(rest) {
                Some((length, rest)) => Self { rest, n_due: Some(number(length).unwrap_or_default()) },
                None => Self { rest: &[], n_due: Some(0) },
            },
            None => Self { rest: request.trim_ascii_end(), n_due: None },
        }
    }

    /// The bulks at the beginning of these bytes.
    pub(super) fn of_bulks(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, n_due: Some(usize::MAX) }
    }

    /// How many words are to come, those included that were not kept.
    pub(super) fn n_left(&self) -> usize {
        self.n_due.unwrap_or_else(|| self.clone().count())
    }

    /// A word of a plain line, as `redis-cli` would have it: in quotes it may hold spaces.
    fn plain(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        let first = *self.rest.first()?;
        if first == b'"' || first == b'\'' {
            let inner = &self.rest[1..];
            let end = memchr::memchr(first, inner).unwrap_or(inner.len());
            self.rest = inner.get(end + 1..).unwrap_or_default();
            return Some(&inner[..end]);
        }
        let end = self.rest.iter().position(u8::is_ascii_whitespace).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    /// The next word; of one that was not kept whole, its beginning.
    fn next(&mut self) -> Option<&'a [u8]> {
        let Some(n_due) = &mut self.n_due else { return self.plain() };
        if *n_due == 0 {
            return None;
        }
        let (length, rest) = line(self.rest.strip_prefix(b"$")?)?;
        let length = number(length)?;
        *n_due -= 1;
        let word = &rest[..length.min(rest.len())];
        self.rest = rest.get(length.saturating_add(2)..).unwrap_or_default();
        Some(word)
    }
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (request, expect) in [
            (&b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"[..], Kind::Call),
            (b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n$1\r\nb\r\n", Kind::Subscribes(2)),
            (b"UNSUBSCRIBE\r\n", Kind::Unsubscribes(Feed::Channels, 0)),
            (b"*4\r\n$5\r\nXREAD\r\n$5\r\nblock\r\n$1\r\n0\r\n$7\r\nSTREAMS\r\n", Kind::Waits),
            (b"xread STREAMS a 0\r\n", Kind::Call),
            (b"HELLO 3 AUTH a b\n", Kind::Hello(Some(3))),
            (b"client reply skip\r\n", Kind::Replies(Replies::Skip)),
            (b"CLIENT LIST\r\n", Kind::Call),
            (b"\r\n", Kind::Nothing),
            (b"*0\r\n", Kind::Nothing),
            (b"*1\r\n$30\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ1234\r\n", Kind::Call),
        ] {
            assert_eq!(kind_of(request), expect, "{:?}", String::from_utf8_lossy(request));
        }
    }

    #[test]
    fn words() {
        let words: Vec<&[u8]> = Words::new(b"set  a \"x y\" 'z'\r\n").collect();
        assert_eq!(words, [&b"set"[..], b"a", b"x y", b"z"]);
        let broken: Vec<&[u8]> = Words::new(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9\r\nab").collect();
        assert_eq!(broken, [&b"SET"[..], b"a", b"ab"]);
        assert_eq!(Words::new(b"*9\r\n$99999999999999999999\r\n").count(), 0);
    }
}
