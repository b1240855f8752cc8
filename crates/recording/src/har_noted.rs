//! What an archive of HTTP does not hold, in a line for whoever answers from it.

use std::fmt;

/// The most numbers of entries that a line names.
const MOST: usize = 8;

/// What is odd about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// It says no method, or no address of HTTP.
    NoRequest,
    /// It was blocked, cancelled or lost.
    NoResponse,
    /// Of what was said only the beginning was kept.
    Beginning,
    /// Something was sent, and not kept.
    UnknownRequest,
    /// What was answered was not kept.
    UnknownResponse,
    /// What was answered was no text, and was kept as if it were.
    SpoiledResponse,
    /// What it keeps beside the archive can't be read; of several the first reason.
    NoFile(String),
    /// What it says to keep beside itself would lie elsewhere; of several the first path.
    Elsewhere(String),
    /// A WebSocket of which no messages were kept.
    SilentSocket,
}

/// Entries of an archive that lack the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    note: Note,
    /// Their numbers, from 1.
    pub entries: Vec<u64>,
}

impl Noted {
    /// Does nothing answer in these entries' place?
    pub fn is_passed_over(&self) -> bool {
        matches!(self.note, Note::NoRequest | Note::NoResponse | Note::Beginning)
    }
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.entries.iter().take(MOST).map(u64::to_string).collect();
        let more = self.entries.len().saturating_sub(MOST);
        let (is, opens) = if let [only] = self.entries.as_slice() {
            write!(f, "entry {only} ")?;
            ("is", "opens")
        } else {
            write!(f, "entries {} ", numbers.join(", "))?;
            ("are", "open")
        };
        if more > 0 {
            write!(f, "and {more} more ")?;
        }
        match &self.note {
            Note::NoRequest => write!(f, "{is} passed over: no method and address of HTTP is said"),
            Note::NoResponse => write!(f, "{is} passed over: no answer came"),
            Note::Beginning => write!(f, "{is} passed over: the archive holds only the beginning of a body"),
            Note::UnknownRequest => {
                write!(f, "{is} answered whatever is sent: the archive does not hold what was")
            }
            Note::UnknownResponse => write!(f, "{is} answered without a body: the archive does not hold it"),
            Note::SpoiledResponse => {
                write!(f, "{is} answered with a spoilt body: it is no text, and the archive holds it as text")
            }
            Note::NoFile(reason) => {
                write!(f, "{is} answered without a body that lies beside the archive: {reason}")
            }
            Note::Elsewhere(path) => {
                write!(f, "{is} answered without a body: `{path}` is no path below the archive's own folder")
            }
            Note::SilentSocket => {
                write!(f, "{opens} a WebSocket on which nothing is said: the archive does not hold it")
            }
        }
    }
}

/// Gathers notes, the same ones together.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    list: Vec<Noted>,
}

impl Notes {
    pub(crate) fn add(&mut self, number: u64, notes: Vec<Note>) {
        for note in notes {
            let kind = std::mem::discriminant(&note);
            match self.list.iter_mut().find(|noted| std::mem::discriminant(&noted.note) == kind) {
                Some(noted) if noted.entries.last() == Some(&number) => {}
                Some(noted) => noted.entries.push(number),
                None => self.list.push(Noted { note, entries: vec![number] }),
            }
        }
    }

    /// By the first entry of each.
    pub(crate) fn in_order(mut self) -> Vec<Noted> {
        self.list.sort_by_key(|noted| noted.entries.first().copied());
        self.list
    }
}
