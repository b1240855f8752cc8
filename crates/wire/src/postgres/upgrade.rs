//! PostgreSQL over TLS, towards the server: asked for before anything else, answered by a single letter.
//!
//! A sign-in bound to the TLS connection (SCRAM-SHA-256-PLUS) is not offered on: the consumer's connection is another,
//! unless it was shown the server's own certificate.

use super::frames::SSL_REQUEST;
use crate::upgrade::{Gathered, NoTls, Turn, Upgrade, Urge};

const BOUND: &[u8] = b"SCRAM-SHA-256-PLUS\0";

/// How a sign-in begins whose client knows how to bind it, and believes that the server does not.
const UNDECEIVED: &[u8] = b"y,,n=";

/// Asks the server for TLS.
pub(super) struct Asks {
    urge: Urge,
    stage: Stage,
    /// What the client says meanwhile.
    held: Gathered,
    /// What the server says until the client has signed in.
    messages: Gathered,
    /// Did the server offer a sign-in that was not offered on?
    is_unbound: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fresh,
    Asked,
    SigningIn,
    Over,
}

impl Asks {
    pub(super) fn new(urge: Urge) -> Self {
        let (held, messages) = (Gathered::default(), Gathered::default());
        Self { urge, stage: Stage::Fresh, held, messages, is_unbound: false }
    }

    fn sign_in(&mut self, bytes: &[u8], turn: &mut Turn) {
        let fits = self.messages.add(bytes);
        while self.stage == Stage::SigningIn
            && let Some(message) = take_message(&mut self.messages)
        {
            if message.first() != Some(&b'R') || message.get(5..9) == Some(&[0; 4]) {
                self.stage = Stage::Over;
            }
            let n_bytes = message.len();
            let message = if self.urge.binds() { message } else { unbound(message) };
            self.is_unbound |= message.len() < n_bytes;
            turn.inward.extend(message);
        }
        if !fits || self.stage == Stage::Over {
            self.stage = Stage::Over;
            turn.inward.append(&mut self.messages.take());
        }
    }
}

impl Upgrade for Asks {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        match (self.stage, bytes) {
            (Stage::Asked, []) => {}
            (Stage::Asked, [b'S', rest @ ..]) => {
                self.stage = Stage::SigningIn;
                turn.encrypts = true;
                turn.early.extend_from_slice(rest);
                turn.secret.append(&mut self.held.take());
            }
            (Stage::Asked, [b'N', ..]) => {
                return Err(NoTls::new("does without TLS: its `ssl` is off"));
            }
            (Stage::Asked, _) => return Err(NoTls::new("knows nothing of TLS")),
            (Stage::SigningIn, _) => self.sign_in(bytes, turn),
            (Stage::Fresh | Stage::Over, _) => turn.inward.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        match self.stage {
            Stage::Fresh => {
                self.stage = Stage::Asked;
                self.held.add(bytes);
                turn.outward.extend_from_slice(&SSL_REQUEST);
            }
            Stage::Asked => {
                if !self.held.add(bytes) {
                    return Err(NoTls::new("is told too much before it has answered"));
                }
            }
            Stage::SigningIn | Stage::Over => {
                let is_undeceived = self.is_unbound && bytes.windows(5).any(|window| window == UNDECEIVED);
                turn.foreseen = is_undeceived.then(|| NoTls {
                    reason: "takes no sign-in from a driver that could bind it to TLS, and is kept from that: the seam \
                        shows another certificate"
                        .into(),
                    hint: "name the server's own `certificate` and `key` in `tls`, or let the driver say channel_binding=disable",
                });
                turn.outward.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }
}

/// One message, if it is there.
fn take_message(messages: &mut Gathered) -> Option<Vec<u8>> {
    let [_, a, b, c, d, ..] = messages.0[..] else { return None };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let end = length.max(4).checked_add(1)?;
    (messages.0.len() >= end).then(|| messages.take_first(end))
}

/// A list of ways to sign in, without the one that is bound to the TLS connection.
fn unbound(mut message: Vec<u8>) -> Vec<u8> {
    let is_list = message.first() == Some(&b'R') && message.get(5..9) == Some(&[0, 0, 0, 10]);
    let bound = message.windows(BOUND.len()).position(|window| window == BOUND).filter(|_| is_list);
    if let Some(begin) = bound {
        message.drain(begin..begin + BOUND.len());
        let length = u32::try_from(message.len() - 1).unwrap_or(u32::MAX);
        message[1..5].copy_from_slice(&length.to_be_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_asked_and_offers_no_bound_sign_in() {
        let list = b"R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        let without = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
        let ok = b"R\0\0\0\x08\0\0\0\0";
        let said = [&list[..], ok, b"S\0\0"].concat();
        for cut in 0..said.len() {
            let mut asks = Asks::new(Urge::Declared);
            let mut turn = Turn::default();
            asks.goes(b"start", &mut turn).unwrap();
            asks.goes(b"up", &mut turn).unwrap();
            assert_eq!(turn.outward, SSL_REQUEST);
            asks.came(b"S", &mut turn).unwrap();
            assert_eq!((turn.encrypts, turn.secret.as_slice()), (true, &b"startup"[..]));
            let mut turn = Turn::default();
            asks.came(&said[..cut], &mut turn).unwrap();
            asks.came(&said[cut..], &mut turn).unwrap();
            assert_eq!(turn.inward, [&without[..], ok, b"S\0\0"].concat());
            assert!(asks.is_over());
        }
    }

    #[test]
    fn one_without_tls_says_so() {
        let mut asks = Asks::new(Urge::Declared);
        asks.goes(b"startup", &mut Turn::default()).unwrap();
        assert!(asks.came(b"N", &mut Turn::default()).unwrap_err().reason.contains("does without"));
    }
}
