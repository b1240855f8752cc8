//! What came of one direction and has not come out as a piece: the bytes that a splitter still holds.
//!
//! ```text
//! taken before │ seen: belongs to the message that is passing │ not looked at yet
//!            begin                                           seen
//! ```
//! Nothing is lost to a surprise: whatever was not taken can be had by [`take_all`](Pending::take_all).

/// The bytes of one direction.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: Vec<u8>,
    begin: usize,
    seen: usize,
}

impl Pending {
    /// Bytes came.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What was not looked at yet.
    pub(crate) fn unseen(&self) -> &[u8] {
        &self.bytes[self.seen..]
    }

    /// So many bytes were looked at.
    pub(crate) fn see(&mut self, n_bytes: usize) {
        self.seen = self.seen.saturating_add(n_bytes).min(self.bytes.len());
    }

    /// What was looked at and not taken.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.bytes[self.begin..self.seen]
    }

    /// Takes what was looked at.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let taken = if self.begin == 0 && self.seen == self.bytes.len() {
            std::mem::take(&mut self.bytes)
        } else {
            let taken = self.seen().to_vec();
            self.begin = self.seen;
            taken
        };
        self.settle();
        taken
    }

    /// What was taken last is not what it should be: it stands in front again, as if nobody had looked at it.
    pub(crate) fn give_back(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(&self.bytes[self.begin..]);
        (self.bytes, self.begin, self.seen) = (bytes, 0, 0);
    }

    /// Takes everything, looked at or not.
    pub(crate) fn take_all(&mut self) -> Vec<u8> {
        let mut taken = std::mem::take(&mut self.bytes);
        taken.drain(..self.begin);
        (self.begin, self.seen) = (0, 0);
        taken
    }

    /// Gives back the room of what was taken, once it is more than what is left: so each byte is moved once.
    fn settle(&mut self) {
        if self.bytes.is_empty() {
            (self.begin, self.seen) = (0, 0);
        } else if self.begin > self.bytes.len() / 2 {
            self.bytes.drain(..self.begin);
            self.seen -= self.begin;
            self.begin = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seen_and_taken() {
        let mut pending = Pending::default();
        pending.push(b"abc");
        pending.see(1);
        assert_eq!((pending.seen(), pending.unseen()), (&b"a"[..], &b"bc"[..]));
        assert_eq!(pending.take(), b"a");
        pending.push(b"de");
        pending.see(2);
        assert_eq!(pending.take(), b"bc");
        assert_eq!(pending.unseen(), b"de");
        pending.see(99);
        assert_eq!(pending.take(), b"de");
        pending.push(b"fg");
        pending.see(1);
        assert_eq!(pending.take_all(), b"fg");
        assert_eq!(pending.take_all(), b"");
        pending.push(b"hijk");
        pending.see(1);
        pending.take();
        pending.see(2);
        let taken = pending.take();
        pending.push(b"l");
        pending.give_back(taken);
        assert_eq!((pending.seen(), pending.unseen()), (&b""[..], &b"ijkl"[..]));
        assert_eq!(pending.take_all(), b"ijkl");
    }
}
