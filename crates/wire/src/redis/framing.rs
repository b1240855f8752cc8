//! Where a value of RESP ends, without reading it: types, lengths, and how many values are still to come.

use crate::conversation::{Limits, Surprise};

/// One value that is passing, with all the values in it.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// Values that are to come until the outermost is whole.
    n_due: u64,
    /// Bytes of a bulk that are to come, with its line end.
    bulk_left: u64,
    /// A line that came in pieces.
    line: Vec<u8>,
    /// Inside a value.
    within: bool,
    /// Its first line has passed.
    has_begun: bool,
}

/// Who sends the value: a client may also send a plain line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
}

impl Values {
    pub(super) fn is_within(&self) -> bool {
        self.within
    }

    /// Bytes that surely are a bulk's. Its line end is looked at.
    pub(super) fn bulk_left(&self) -> u64 {
        self.bulk_left.saturating_sub(2)
    }

    pub(super) fn pass(&mut self, n_bytes: u64) {
        self.bulk_left = self.bulk_left.saturating_sub(n_bytes).max(2);
    }

    /// Looks at bytes of one value. Says how many belong to it, and whether it is whole with them.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        sender: Sender,
        limits: Limits,
    ) -> Result<(usize, bool), Surprise> {
        let mut at = 0;
        if !self.within {
            (self.within, self.has_begun, self.n_due) = (true, false, 1);
        }
        while at < bytes.len() {
            if self.bulk_left > 0 {
                let rest = bytes.len() - at;
                let n_bytes = usize::try_from(self.bulk_left).map_or(rest, |left| left.min(rest));
                at += n_bytes;
                self.bulk_left -= n_bytes as u64;
            } else if let Some(line_end) = memchr::memchr(b'\n', &bytes[at..]) {
                let line = &bytes[at..at + line_end];
                at += line_end + 1;
                if self.line.is_empty() {
                    self.line(line, sender)?;
                } else {
                    self.keep_line(line, limits)?;
                    let line = std::mem::take(&mut self.line);
                    self.line(&line, sender)?;
                }
            } else {
                self.keep_line(&bytes[at..], limits)?;
                at = bytes.len();
            }
            if self.n_due == 0 && self.bulk_left == 0 {
                self.within = false;
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn keep_line(&mut self, bytes: &[u8], limits: Limits) -> Result<(), Surprise> {
        if self.line.len() + bytes.len() > limits.head {
            return Err(Surprise::new("a line that is too long"));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// One line without its end.
    fn line(&mut self, line: &[u8], sender: Sender) -> Result<(), Surprise> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.n_due -= 1;
        let begun = std::mem::replace(&mut self.has_begun, true);
        let (kind, rest) = match (sender, line) {
            (Sender::Client, [b'*', rest @ ..]) if !begun => (b'*', rest),
            (Sender::Client, [b'$', rest @ ..]) if begun => (b'$', rest),
            // A plain line is a whole command.
            (Sender::Client, _) if !begun => return Ok(()),
            (Sender::Server, [kind, rest @ ..]) => (*kind, rest),
            _ => return Err(Surprise::new("no RESP")),
        };
        match kind {
            b'$' | b'!' | b'=' => {
                if let Some(length) = length(rest)? {
                    self.bulk_left = length + 2;
                }
            }
            b'*' | b'~' | b'>' => self.expect(length(rest)?.unwrap_or_default())?,
            b'%' => self.expect(length(rest)?.unwrap_or_default().saturating_mul(2))?,
            // An attribute stands before the value that it is about.
            b'|' => self.expect(length(rest)?.unwrap_or_default().saturating_mul(2).saturating_add(1))?,
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {}
            _ => return Err(Surprise::new("no RESP")),
        }
        Ok(())
    }

    fn expect(&mut self, n_values: u64) -> Result<(), Surprise> {
        self.n_due = self
            .n_due
            .checked_add(n_values)
            .filter(|n_due| *n_due < 1 << 40)
            .ok_or_else(|| Surprise::new("a collection of impossible size"))?;
        Ok(())
    }
}

/// Where the contents of values stand: the bytes of bulks, and lines that are texts. Lengths, numbers and errors are none.
pub(super) fn contents(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut at, mut ranges) = (0, Vec::new());
    while let Some(end) = memchr::memchr(b'\n', &bytes[at..]) {
        let line = bytes[at..at + end].strip_suffix(b"\r").unwrap_or(&bytes[at..at + end]);
        let (begins, behind) = (at + 1, at + end + 1);
        at = behind;
        match line.split_first() {
            Some((b'+', text)) => ranges.push(begins..begins + text.len()),
            Some((kind @ (b'$' | b'='), digits)) => {
                let Ok(Some(length)) = length(digits) else { continue };
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                // A verbatim text has three letters for its form before it.
                let n_form = if *kind == b'=' { 4 } else { 0 };
                let end = behind.saturating_add(length).min(bytes.len());
                ranges.push((behind + n_form).min(end)..end);
                at = end.saturating_add(2).min(bytes.len());
            }
            _ => {}
        }
    }
    ranges
}

/// A length; `None` is -1, which stands for nothing at all.
fn length(digits: &[u8]) -> Result<Option<u64>, Surprise> {
    if digits == b"-1" {
        return Ok(None);
    }
    let is_length = !digits.is_empty() && digits.len() <= 12 && digits.iter().all(u8::is_ascii_digit);
    if !is_length {
        return Err(Surprise::new("a length that is no number"));
    }
    Ok(Some(digits.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0'))))
}
