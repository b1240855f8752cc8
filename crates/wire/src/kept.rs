//! How much one connection may remember: the first bytes of each body, and not too much in all.

use crate::conversation::Limits;

/// The bytes that one connection still may keep for what is not finished.
#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    for_heads: usize,
}

impl Room {
    /// All that the limits allow.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { left: limits.kept_open, for_heads: limits.kept_open / 8 }
    }

    /// Appends as much of the bytes as may be kept: at most so that `kept` has `most`. Says how many.
    pub(crate) fn keep(&mut self, kept: &mut Vec<u8>, bytes: &[u8], most: usize) -> usize {
        let n_kept = bytes.len().min(most.saturating_sub(kept.len())).min(self.left);
        kept.extend_from_slice(&bytes[..n_kept]);
        self.left -= n_kept;
        n_kept
    }

    /// The same for a body, which leaves an eighth of all room to the heads of what comes behind it.
    pub(crate) fn keep_body(&mut self, kept: &mut Vec<u8>, bytes: &[u8], most: usize) -> usize {
        let for_bodies = self.left.saturating_sub(self.for_heads);
        let most = most.min(kept.len().saturating_add(for_bodies));
        self.keep(kept, bytes, most)
    }

    /// Takes room for something that is kept whole or not at all.
    pub(crate) fn take(&mut self, n_bytes: usize) -> bool {
        let fits = n_bytes <= self.left.saturating_sub(self.for_heads);
        if fits {
            self.left -= n_bytes;
        }
        fits
    }

    /// What was kept has left the connection.
    pub(crate) fn give_back(&mut self, n_bytes: usize) {
        self.left += n_bytes;
    }
}
