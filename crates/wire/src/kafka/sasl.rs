//! Signing in behind the oldest handshake: tokens that are no requests, each with nothing but its length before it. Nothing
//! of them is kept.
//!
//! ```text
//! SaslHandshake 0 ───▶  ◀─── the mechanisms      later handshakes are followed by SaslAuthenticate, a request like others
//! length, token   ───▶  ◀─── length, token       once, twice or oftener, as the mechanism wants it
//! any request     ───▶
//! ```

use super::api::SASL_AUTHENTICATE;
use super::bytes::{Reader, Writer};
use super::calls::Head;
use crate::conversation::Direction;

/// Where the signing in stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    /// So many of the consumer's tokens are still to come, whatever they look like.
    n_left: usize,
    /// So many have no answer yet.
    n_owed: usize,
}

impl Tokens {
    /// Of a handshake of the oldest version, given its body.
    pub(super) fn wanted(mut handshake: Reader<'_>) -> Self {
        let n_left = match handshake.text() {
            Some(b"PLAIN" | b"OAUTHBEARER") => 1,
            Some(mechanism) if mechanism.starts_with(b"SCRAM-") => 2,
            // None of them looks like a request.
            _ => 0,
        };
        Self { n_left, n_owed: 0 }
    }

    /// Is what comes a token, given what is behind its length? None where that can't be known yet.
    pub(super) fn come(&self, to: Direction, length: usize, bytes: &[u8]) -> Option<bool> {
        match to {
            Direction::ToConsumer => Some(self.n_owed > 0),
            Direction::ToProvider if self.n_left > 0 || length == 0 => Some(true),
            // The number of a request begins with a zero.
            Direction::ToProvider => bytes.first().map(|first| *first != 0),
        }
    }

    /// One has come.
    pub(super) fn pass(&mut self, to: Direction) {
        match to {
            Direction::ToConsumer => self.n_owed -= 1,
            Direction::ToProvider => {
                self.n_left = self.n_left.saturating_sub(1);
                self.n_owed += 1;
            }
        }
    }
}

/// What is said to a handshake, or to what follows it, where nobody is behind: whoever says all at once is let in. What wants
/// the broker to know something can't be stood in for.
pub(super) fn alone(writer: &mut Writer, head: Head, mut reader: Reader<'_>) -> Option<()> {
    const ALL_AT_ONCE: [&[u8]; 2] = [b"PLAIN", b"OAUTHBEARER"];
    const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
    if head.api == SASL_AUTHENTICATE {
        writer.i16(0);
        writer.null_text();
        writer.bytes(b"");
        if head.version >= 1 {
            writer.i64(0);
        }
        return Some(());
    }
    let is_known = ALL_AT_ONCE.contains(&reader.text()?);
    writer.i16(if is_known { 0 } else { UNSUPPORTED_SASL_MECHANISM });
    writer.count(ALL_AT_ONCE.len());
    for mechanism in ALL_AT_ONCE {
        writer.text(mechanism);
    }
    Some(())
}
