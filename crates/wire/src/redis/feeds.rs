//! To what a connection is subscribed, by name: who a published message is for.

use super::command::{Feed, Words};
use std::collections::BTreeSet;

/// The names, of channels, patterns and shards.
#[derive(Clone, Debug, Default)]
pub(super) struct Feeds {
    names: BTreeSet<(u8, Vec<u8>)>,
    /// There are more than these: those from before, or too many.
    pub(super) has_others: bool,
}

/// So many names are remembered.
const MOST_NAMES: usize = 4096;

fn letter(feed: Feed) -> u8 {
    match feed {
        Feed::Channels => b'c',
        Feed::Patterns => b'p',
        Feed::Shards => b's',
    }
}

impl Feeds {
    /// There are so many, whether or not all of them were seen.
    pub(super) fn are_at_least(&mut self, count: i64) {
        self.has_others |= i64::try_from(self.names.len()).is_ok_and(|known| known < count);
    }

    /// Remembers what a confirmation says.
    pub(super) fn note(&mut self, feed: Feed, value: &[u8]) {
        let as_array = memchr::memchr(b'\n', value).map_or(&[][..], |end| &value[end + 1..]);
        let mut words = Words::of_bulks(as_array);
        let (Some(kind), Some(name)) = (words.next(), words.next()) else { return };
        if kind.ends_with(b"unsubscribe") {
            self.remove(feed, name);
        } else {
            self.add(feed, name);
        }
    }

    pub(super) fn add(&mut self, feed: Feed, name: &[u8]) {
        if self.names.len() < MOST_NAMES {
            self.names.insert((letter(feed), name.to_vec()));
        } else {
            self.has_others = true;
        }
    }

    pub(super) fn remove(&mut self, feed: Feed, name: &[u8]) {
        self.names.remove(&(letter(feed), name.to_vec()));
    }

    /// How many there are that are counted together: channels with patterns, shards by themselves.
    pub(super) fn count(&self, feed: Feed) -> usize {
        let is_shard = feed == Feed::Shards;
        self.names.iter().filter(|(letter, _)| (*letter == b's') == is_shard).count()
    }

    pub(super) fn of(&self, feed: Feed) -> impl Iterator<Item = &[u8]> {
        let wanted = letter(feed);
        self.names.iter().filter(move |(letter, _)| *letter == wanted).map(|(_, name)| name.as_slice())
    }

    pub(super) fn has(&self, feed: Feed, name: &[u8]) -> bool {
        self.names.contains(&(letter(feed), name.to_vec()))
    }

    /// A pattern that was subscribed to and fits the channel.
    pub(super) fn pattern_for(&self, channel: &[u8]) -> Option<&[u8]> {
        self.of(Feed::Patterns).find(|pattern| fits(pattern, channel))
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.has_others = false;
    }
}

/// Does a pattern with `*`, `?`, `[a-z]` and `\` fit a name? As the server's own `PSUBSCRIBE` reads it.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    // Where to go on when what follows the last star does not fit: one further in the name.
    let (mut pattern, mut name) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            (retry, pattern) = (Some((rest, name)), rest);
            continue;
        }
        let Some((first, name_rest)) = name.split_first() else { return pattern.is_empty() };
        if let Some(rest) = fits_one(pattern, *first) {
            (pattern, name) = (rest, name_rest);
            continue;
        }
        let Some((after_star, [_, behind @ ..])) = retry else { return false };
        retry = Some((after_star, behind));
        (pattern, name) = (after_star, behind);
    }
}

/// The rest of a pattern whose beginning fits a byte.
fn fits_one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => {
            let end = memchr::memchr(b']', rest)?;
            let (set, rest) = (&rest[..end], &rest[end + 1..]);
            let (set, is_not) = set.strip_prefix(b"^").map_or((set, false), |set| (set, true));
            (is_in(set, byte) != is_not).then_some(rest)
        }
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
    }
}

fn is_in(mut set: &[u8], byte: u8) -> bool {
    loop {
        match set {
            [] => return false,
            [from, b'-', to, rest @ ..] => {
                if (*from..=*to).contains(&byte) || (*to..=*from).contains(&byte) {
                    return true;
                }
                set = rest;
            }
            [one, rest @ ..] => {
                if *one == byte {
                    return true;
                }
                set = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expect) in [
            ("news.*", "news.sport", true),
            ("news.*", "new", false),
            ("*", "", true),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("a*b*c", "axxbxxbxc", true),
            ("a*b*c", "axxbxxbx", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[", "[", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expect, "{pattern} {name}");
        }
    }
}
