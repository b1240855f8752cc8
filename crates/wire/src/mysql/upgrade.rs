//! MySQL over TLS: the client asks for it with the beginning of its log-in, and packets are counted on from there.
//!
//! ```text
//! greeting 0 ◀─   SSLRequest 1 ─▶  (TLS)  log-in 2 ─▶  ◀─ 3 … OK       with TLS
//! greeting 0 ◀─                           log-in 1 ─▶  ◀─ 2 … OK       without
//! ```
//! So until the log-in has ended, packets are numbered anew, and the bit that speaks of TLS is set or taken out.
//!
//! Some passwords are said in clear over TLS, and a server that speaks none does not take them so: where one without TLS
//! signs in like that by custom, its clients are offered none, and say them encrypted by themselves.

use crate::upgrade::{Gathered, NoTls, Turn, Upgrade, Urge};

/// The bit of the capabilities that speaks of TLS, in their second byte.
const SSL: u8 = 0x08;

/// Of how many bytes the beginning of a log-in is, which asks for TLS when it stands alone.
const BEGINNING: usize = 32;

const HEAD: usize = 4;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    /// The client has not said anything.
    Greeted,
    LogIn,
    Over,
}

/// Towards clients: they may come to TLS.
pub(super) struct Offers {
    phase: Phase,
    /// Was TLS kept from a client, because its password would be said in clear over it?
    is_kept_back: bool,
    kept: Gathered,
    up: Numbers,
    down: Numbers,
}

impl Default for Offers {
    fn default() -> Self {
        let (up, down) = (Numbers::new(-1, First::Clears), Numbers::new(1, First::Ends));
        Self { phase: Phase::Greeting, is_kept_back: false, kept: Gathered::default(), up, down }
    }
}

impl Upgrade for Offers {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        match self.phase {
            Phase::Greeted => {}
            Phase::LogIn => {
                self.up.pass(bytes, &mut turn.inward);
                return Ok(());
            }
            Phase::Greeting | Phase::Over => {
                turn.inward.extend_from_slice(bytes);
                return Ok(());
            }
        }
        self.kept.add(bytes);
        let kept = &self.kept.0;
        let [a, b, c, _, _, can, ..] = kept[..] else { return Ok(()) };
        if [a, b, c] != [32, 0, 0] || can & SSL == 0 {
            self.phase = Phase::Over;
            turn.inward.append(&mut self.kept.take());
        } else if kept.len() >= HEAD + BEGINNING {
            self.kept.take_first(HEAD + BEGINNING);
            self.phase = Phase::LogIn;
            turn.encrypts = true;
            turn.early.append(&mut self.kept.take());
        }
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        match self.phase {
            Phase::Greeting => {
                if let Some((greeting, rest)) = greeting(&mut self.kept, bytes, Offer::IfTaken) {
                    self.phase = if greeting.offers.is_some() { Phase::Greeted } else { Phase::Over };
                    self.is_kept_back = greeting.is_kept_back;
                    turn.outward.extend(greeting.bytes);
                    turn.outward.extend(rest);
                }
            }
            Phase::LogIn => {
                if self.down.pass(bytes, &mut turn.outward) {
                    self.phase = Phase::Over;
                }
            }
            Phase::Greeted | Phase::Over => turn.outward.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn left(&mut self) -> Option<NoTls> {
        let is_sudden = self.phase == Phase::Greeted && self.kept.0.is_empty();
        (is_sudden && self.is_kept_back).then(|| NoTls {
            reason: "speaks no TLS and signs in by caching_sha2_password, so its client is offered none either, and has \
                left without a word, as one does that insists on TLS"
                .into(),
            hint: "let the server speak TLS, let the account sign in by mysql_native_password, or let the driver do without TLS",
        })
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }
}

/// Towards the server.
pub(super) struct Asks {
    urge: Urge,
    phase: Phase,
    kept: Gathered,
    is_offered: bool,
    up: Numbers,
    down: Numbers,
}

impl Asks {
    pub(super) fn new(urge: Urge) -> Self {
        let (up, down) = (Numbers::new(1, First::Sets), Numbers::new(-1, First::Ends));
        Self { urge, phase: Phase::Greeting, kept: Gathered::default(), is_offered: false, up, down }
    }
}

impl Upgrade for Asks {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        match self.phase {
            Phase::Greeting => {
                let Some((greeting, rest)) = greeting(&mut self.kept, bytes, Offer::AsItIs) else {
                    return Ok(());
                };
                self.is_offered = greeting.offers == Some(true);
                self.phase = if greeting.offers.is_some() { Phase::Greeted } else { Phase::Over };
                if greeting.offers == Some(false) && !self.urge.is_lenient() {
                    return Err(NoTls::new("offers no TLS: its greeting does not speak of it"));
                }
                turn.inward.extend(greeting.bytes);
                turn.inward.extend(rest);
            }
            Phase::LogIn => {
                if self.down.pass(bytes, &mut turn.inward) {
                    self.phase = Phase::Over;
                }
            }
            Phase::Greeted | Phase::Over => turn.inward.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        match self.phase {
            Phase::Greeted if self.is_offered && self.urge.is_there() => {}
            Phase::LogIn => {
                self.up.pass(bytes, &mut turn.outward);
                return Ok(());
            }
            Phase::Greeted => {
                self.phase = Phase::Over;
                turn.outward.extend_from_slice(bytes);
                return Ok(());
            }
            Phase::Greeting | Phase::Over => {
                turn.outward.extend_from_slice(bytes);
                return Ok(());
            }
        }
        self.kept.add(bytes);
        let kept = &self.kept.0;
        if kept.len() < HEAD + BEGINNING {
            return Ok(());
        }
        self.phase = Phase::LogIn;
        turn.outward.extend([32, 0, 0, 1]);
        turn.outward.extend(&kept[HEAD..HEAD + BEGINNING]);
        turn.outward[HEAD + 1] |= SSL;
        turn.encrypts = true;
        let log_in = self.kept.take();
        self.up.pass(&log_in, &mut turn.secret);
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }
}

/// The server's first packet.
struct Greeting {
    bytes: Vec<u8>,
    /// Does it offer TLS? None where it is no greeting.
    offers: Option<bool>,
    /// Is it made to offer none, although it could?
    is_kept_back: bool,
}

/// What becomes of a greeting's offer of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    AsItIs,
    /// It is made where a client that takes it could sign in.
    IfTaken,
}

/// How passwords are said in clear over TLS.
const CLEAR: [&[u8]; 2] = [b"caching_sha2_password", b"sha256_password"];

/// Gathers the greeting, and lets it offer TLS or not. With what came behind it.
fn greeting(kept: &mut Gathered, bytes: &[u8], offer: Offer) -> Option<(Greeting, Vec<u8>)> {
    let fits = kept.add(bytes);
    let [a, b, c, _, version, ..] = kept.0[..] else { return None };
    let end = HEAD + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16);
    if version != 10 || !fits || end > Gathered::MOST {
        return Some((Greeting { bytes: kept.take(), offers: None, is_kept_back: false }, Vec::new()));
    }
    if kept.0.len() < end {
        return None;
    }
    let mut bytes = kept.take_first(end);
    // Behind the server's version: its number for the connection, and the first part of its challenge.
    let can = memchr::memchr(0, bytes.get(HEAD + 1..).unwrap_or_default())
        .map(|nul| HEAD + 1 + nul + 1 + 4 + 8 + 1 + 1);
    let is_clear = CLEAR.iter().any(|plugin| bytes.windows(plugin.len()).any(|window| window == *plugin));
    let offers = can.and_then(|can| bytes.get_mut(can)).map(|can| {
        let offers = *can & SSL != 0;
        if offer == Offer::IfTaken && !is_clear {
            *can |= SSL;
        }
        offers
    });
    let is_kept_back = is_clear && offers == Some(false);
    Some((Greeting { bytes, offers, is_kept_back }, kept.take()))
}

/// What the first byte of a packet, or of the first packet, is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// The first packet's capabilities speak of TLS.
    Sets,
    /// They don't.
    Clears,
    /// An OK or an error ends the log-in.
    Ends,
}

/// Numbers one direction's packets anew for as long as the log-in lasts.
struct Numbers {
    by: i8,
    first: First,
    head: [u8; HEAD],
    n_head: usize,
    /// So much of the packet is to come.
    n_left: usize,
    /// So much of its payload has come.
    n_payload: usize,
    is_first: bool,
    ends: bool,
}

impl Numbers {
    fn new(by: i8, first: First) -> Self {
        Self { by, first, head: [0; HEAD], n_head: 0, n_left: 0, n_payload: 0, is_first: true, ends: false }
    }

    /// True once the log-in has ended; what stands behind that is as it was.
    fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        for (index, byte) in bytes.iter().enumerate() {
            if self.ends && self.n_left == 0 && self.n_head == 0 {
                out.extend_from_slice(&bytes[index..]);
                return true;
            }
            if self.n_head < HEAD {
                self.head[self.n_head] = *byte;
                self.n_head += 1;
                if self.n_head == HEAD {
                    let [a, b, c, seq] = self.head;
                    self.n_left = usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16);
                    self.n_payload = 0;
                    // A command that is sent before the log-in has ended counts from zero, as it does without TLS.
                    let seq = if seq == 0 { 0 } else { seq.wrapping_add_signed(self.by) };
                    out.extend([a, b, c, seq]);
                    self.packet_ends();
                }
                continue;
            }
            out.push(self.looked_at(*byte));
            self.n_payload += 1;
            self.n_left -= 1;
            self.packet_ends();
        }
        self.ends && self.n_left == 0 && self.n_head == 0
    }

    fn packet_ends(&mut self) {
        if self.n_left == 0 {
            self.n_head = 0;
            self.is_first = false;
        }
    }

    fn looked_at(&mut self, byte: u8) -> u8 {
        match (self.first, self.n_payload) {
            (First::Sets, 1) if self.is_first => byte | SSL,
            (First::Clears, 1) if self.is_first => byte & !SSL,
            (First::Ends, 0) => {
                self.ends |= matches!(byte, 0 | 0xff);
                byte
            }
            _ => byte,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::alone;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[length, 0, 0, seq], payload].concat()
    }

    /// A log-in's payload; does it speak of TLS?
    fn log_in(ssl: bool) -> Vec<u8> {
        let mut payload = vec![0x85, if ssl { 0xa6 | SSL } else { 0xa6 & !SSL }];
        payload.extend([7; 30]);
        payload.extend(b"ann\0");
        payload
    }

    /// Feeds bytes cut at one place.
    fn twice(cut: usize, bytes: &[u8], mut feed: impl FnMut(&[u8])) {
        let cut = cut.min(bytes.len());
        for part in [&bytes[..cut], &bytes[cut..]] {
            if !part.is_empty() {
                feed(part);
            }
        }
    }

    #[test]
    fn what_lies_between_is_as_without_tls() {
        let greeted = alone::greeting();
        let with_tls = {
            let mut kept = Gathered::default();
            greeting(&mut kept, &greeted, Offer::IfTaken).unwrap().0.bytes
        };
        assert_ne!(greeted, with_tls);
        let (outer_in, inner_in) = (packet(2, &log_in(true)), packet(1, &log_in(false)));
        let (outer_more, inner_more) = (packet(3, b"\xfeswitch\0"), packet(2, b"\xfeswitch\0"));
        let (outer_proof, inner_proof) = (packet(4, b"proof"), packet(3, b"proof"));
        let (mut outer_end, mut inner_end) = (packet(5, b"\0ok"), packet(4, b"\0ok"));
        outer_end.extend(packet(1, b"more"));
        inner_end.extend(packet(1, b"more"));
        for cut in 0..80 {
            let mut offers = Offers::default();
            let mut turn = Turn::default();
            twice(cut, &greeted, |part| offers.goes(part, &mut turn).unwrap());
            assert_eq!(turn.outward, with_tls);
            let mut turn = Turn::default();
            let request = [&packet(1, &log_in(true)[..32]), &[0x16, 3][..]].concat();
            twice(cut, &request, |part| {
                if turn.encrypts {
                    turn.early.extend_from_slice(part);
                } else {
                    offers.came(part, &mut turn).unwrap();
                }
            });
            assert_eq!((turn.encrypts, turn.early.as_slice()), (true, &[0x16, 3][..]));
            let mut turn = Turn::default();
            twice(cut, &outer_in, |part| offers.came(part, &mut turn).unwrap());
            twice(cut, &inner_more, |part| offers.goes(part, &mut turn).unwrap());
            twice(cut, &outer_proof, |part| offers.came(part, &mut turn).unwrap());
            twice(cut, &inner_end, |part| offers.goes(part, &mut turn).unwrap());
            assert_eq!(turn.inward, [inner_in.clone(), inner_proof.clone()].concat());
            assert_eq!(turn.outward, [outer_more.clone(), outer_end.clone()].concat());
            assert!(offers.is_over());

            let mut asks = Asks::new(Urge::Declared);
            let mut turn = Turn::default();
            twice(cut, &with_tls, |part| asks.came(part, &mut turn).unwrap());
            assert_eq!(turn.inward, with_tls);
            let mut turn = Turn::default();
            let mut secret = Vec::new();
            twice(cut, &inner_in, |part| {
                let began = turn.encrypts;
                asks.goes(part, &mut turn).unwrap();
                if began {
                    // From then on all of it is.
                    secret.extend(turn.outward.split_off(36));
                }
            });
            assert_eq!(turn.outward, packet(1, &log_in(true)[..32]));
            turn.secret.extend(secret);
            assert_eq!(turn.secret, outer_in);
            let mut turn = Turn::default();
            twice(cut, &outer_more, |part| asks.came(part, &mut turn).unwrap());
            twice(cut, &inner_proof, |part| asks.goes(part, &mut turn).unwrap());
            twice(cut, &outer_end, |part| asks.came(part, &mut turn).unwrap());
            assert_eq!(turn.inward, [inner_more.clone(), inner_end.clone()].concat());
            assert_eq!(turn.outward, outer_proof);
            assert!(asks.is_over());
        }
    }

    #[test]
    fn who_wants_none_gets_none() {
        let mut offers = Offers::default();
        let mut turn = Turn::default();
        offers.goes(&alone::greeting(), &mut turn).unwrap();
        offers.came(&packet(1, &log_in(false)), &mut turn).unwrap();
        assert_eq!(turn.inward, packet(1, &log_in(false)));
        assert!(offers.is_over() && !turn.encrypts);
        for (urge, speaks) in
            [(Urge::Declared, None), (Urge::Consumer(Arc::new(AtomicBool::new(true))), Some(()))]
        {
            let mut asks = Asks::new(urge);
            let mut turn = Turn::default();
            assert_eq!(asks.came(&alone::greeting(), &mut turn).ok(), speaks);
            if speaks.is_some() {
                asks.goes(&packet(1, &log_in(false)), &mut turn).unwrap();
                assert_eq!(turn.outward, packet(1, &log_in(false)));
                assert!(asks.is_over());
            }
        }
    }

    #[test]
    fn passwords_in_clear_are_not_asked_for_by_a_server_without_tls() {
        let native: &[u8] = b"mysql_native_password";
        let mut greeted = alone::greeting();
        let at = greeted.windows(native.len()).position(|window| window == native).unwrap();
        greeted[at..at + native.len()].copy_from_slice(b"caching_sha2_password");
        let mut offers = Offers::default();
        let mut turn = Turn::default();
        offers.goes(&greeted, &mut turn).unwrap();
        assert_eq!(turn.outward, greeted);
    }
}
