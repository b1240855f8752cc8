//! How a connection comes to TLS in the middle of what is said on it: MySQL after its greeting, NATS after INFO, SMTP
//! after STARTTLS, PostgreSQL after asking.
//!
//! ```text
//!               offers                                  asks
//! consumer ══▶ Upgrade ── plain, as without TLS ──▶ Upgrade ══▶ provider
//! ```
//! One stands on each side that may come to TLS, so what lies between them (watched, held, answered) is always the
//! protocol without it: no offers of TLS, no requests for it, and packets numbered as if there were none.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Brings one side of one connection to TLS, or finds out that nobody wants it.
///
/// No bytes in any chunking may make it panic, and what it keeps is bounded.
pub trait Upgrade: Send {
    /// Bytes came from that side: as they came before TLS began, in clear behind that.
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls>;

    /// Bytes are to go to that side.
    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls>;

    /// The side has ended its direction here: why that may be for want of TLS, where it looks like it.
    fn left(&mut self) -> Option<NoTls> {
        None
    }

    /// Is there nothing left to do? Bytes pass as they are from then on.
    fn is_over(&self) -> bool;
}

/// What is to be done about bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// These go on within the seam.
    pub inward: Vec<u8>,
    /// These go to the side itself: before TLS begins, where it begins now.
    pub outward: Vec<u8>,
    /// TLS begins here.
    pub encrypts: bool,
    /// These came, and belong to TLS already.
    pub early: Vec<u8>,
    /// These go to the side over TLS, once it has begun.
    pub secret: Vec<u8>,
    /// All goes on, and the other side will refuse to because of this.
    pub foreseen: Option<NoTls>,
}

/// Who wants TLS towards a provider.
#[derive(Clone, Debug)]
pub enum Urge {
    /// Whoever declared the system.
    Declared,
    /// The same; and the consumer, if this is true because it speaks TLS to the seam, is shown the provider's own certificate
    /// there. What a sign-in is bound to is then the same on both sides.
    Presented(Arc<AtomicBool>),
    /// The consumer, if this is true by the time that it matters: it speaks TLS to the seam.
    Consumer(Arc<AtomicBool>),
}

impl Urge {
    /// Is TLS wanted, as far as is known now?
    pub fn is_there(&self) -> bool {
        match self {
            Self::Declared | Self::Presented(_) => true,
            Self::Consumer(speaks) => speaks.load(Ordering::SeqCst),
        }
    }

    /// Is a sign-in that is bound to TLS on one side bound on the other, too?
    pub fn binds(&self) -> bool {
        matches!(self, Self::Presented(speaks) if speaks.load(Ordering::SeqCst))
    }

    /// May it be left where the provider does without?
    pub fn is_lenient(&self) -> bool {
        matches!(self, Self::Consumer(_))
    }
}

/// Why there is no TLS although it is wanted: read after the provider's name, `offers no TLS`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoTls {
    /// Why.
    pub reason: Cow<'static, str>,
    /// How that is mended.
    pub hint: &'static str,
}

impl NoTls {
    /// With its reason.
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        let hint = "take `tls` away where it is declared, or let it speak TLS";
        Self { reason: reason.into(), hint }
    }
}

/// Bytes that are gathered until they are whole, up to a bound.
#[derive(Default)]
pub(crate) struct Gathered(pub(crate) Vec<u8>);

impl Gathered {
    /// Nothing that is said before TLS is larger.
    pub(crate) const MOST: usize = 64 * 1024;

    /// Adds bytes. False where they are too many to be what they should.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        self.0.len() <= Self::MOST
    }

    /// All of it, and nothing is left.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// So much of it.
    pub(crate) fn take_first(&mut self, n_bytes: usize) -> Vec<u8> {
        let rest = self.0.split_off(n_bytes.min(self.0.len()));
        std::mem::replace(&mut self.0, rest)
    }

    /// One line with its end, if it is there.
    pub(crate) fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = memchr::memchr(b'\n', &self.0)?;
        Some(self.take_first(end + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PROTOCOLS;
    use proptest::prelude::*;

    /// Bytes that are likely to mean something.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let said = |bytes: &'static [u8]| Just(bytes.to_vec());
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            said(b"\0\0\0\0\x0a"),
            said(b"\x4a\0\0\0\x0a5.5\0"),
            said(b"\x20\0\0\x01\0\x08"),
            said(b"INFO {\"tls_required\":true}\r\n"),
            said(b"220 a\r\n250-b\r\n250 STARTTLS\r\n"),
            said(b"EHLO a\r\nSTARTTLS\r\n"),
            said(b"SR\0\0\0\x08\0\0\0\x0a"),
            said(b"\x16\x03\x01"),
        ]
    }

    proptest! {
        #[test]
        fn no_bytes_make_one_panic(
            said in proptest::collection::vec((any::<bool>(), bytes()), 0..20),
            speaks in any::<bool>(),
        ) {
            let urges = [Urge::Declared, Urge::Consumer(Arc::new(AtomicBool::new(speaks)))];
            for protocol in PROTOCOLS {
                let asking = urges.iter().filter_map(|urge| protocol.asks_for_tls(urge.clone()));
                for mut upgrade in protocol.offers_tls().into_iter().chain(asking) {
                    for (goes, bytes) in &said {
                        let mut turn = Turn::default();
                        let done = if *goes { upgrade.goes(bytes, &mut turn) } else { upgrade.came(bytes, &mut turn) };
                        // Nobody asks it any more.
                        if done.is_err() || upgrade.is_over() {
                            break;
                        }
                    }
                }
            }
        }
    }
}
