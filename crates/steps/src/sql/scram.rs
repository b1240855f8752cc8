//! Signing in with SCRAM-SHA-256 (RFC 5802, RFC 7677), the costly part of which is done once for each password.
//!
//! The thousands of rounds of hashing that make a stored password hard to guess depend on nothing but the password and
//! what the server has stored with it. A run opens a session for each test, and with these rounds done again every time
//! they would be most of what an `sql` step costs. Everything else of the exchange is done anew each time.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

/// The mechanism's name, as servers offer it.
pub(super) const MECHANISM: &str = "SCRAM-SHA-256";

/// The most passwords that are remembered; a run knows a handful.
const MOST_REMEMBERED: usize = 64;

/// The most rounds that a server may ask for; the usual number is 4096.
const MOST_ROUNDS: u32 = 10_000_000;

/// We bind to no TLS channel.
const HEADER: &str = "n,,";

type Key = [u8; 32];

/// One exchange, from the client's side.
pub(super) struct Exchange {
    nonce: String,
    /// What the server must answer with, once that is known.
    signature: Option<Key>,
}

/// A password with what a server has stored with it, and what comes of them.
struct Salted {
    password: String,
    salt: Vec<u8>,
    n_rounds: u32,
    key: Key,
}

static REMEMBERED: Mutex<Vec<Salted>> = Mutex::new(Vec::new());

impl Exchange {
    pub(super) fn begin() -> Self {
        // The seeds are the system's own chance, which is all that keeps one exchange from being taken for another.
        let seeds = [(); 3].map(|()| RandomState::new().hash_one(0_u8).to_le_bytes());
        Self::with_nonce(BASE64_STANDARD.encode(seeds.as_flattened()))
    }

    fn with_nonce(nonce: String) -> Self {
        Self { nonce, signature: None }
    }

    /// What is sent first. PostgreSQL knows the user already.
    pub(super) fn first(&self) -> String {
        format!("{HEADER}{}", self.bare())
    }

    fn bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// What is sent to the server's challenge; none where that is none.
    pub(super) fn answer(&mut self, password: &str, challenge: &[u8]) -> Option<String> {
        let challenge = std::str::from_utf8(challenge).ok()?;
        let mut parts = challenge.split(',');
        let nonce = parts.next()?.strip_prefix("r=").filter(|nonce| nonce.starts_with(&self.nonce))?;
        let salt = BASE64_STANDARD.decode(parts.next()?.strip_prefix("s=")?).ok()?;
        let n_rounds =
            parts.next()?.strip_prefix("i=")?.parse().ok().filter(|n| (1..=MOST_ROUNDS).contains(n))?;
        let key = salted(password, &salt, n_rounds);
        let unproven = format!("c={},r={nonce}", BASE64_STANDARD.encode(HEADER));
        let whole = format!("{},{challenge},{unproven}", self.bare());
        let mut proof = mac(&key, b"Client Key");
        let signature = mac(&Sha256::digest(proof).into(), whole.as_bytes());
        for (byte, other) in proof.iter_mut().zip(signature) {
            *byte ^= other;
        }
        self.signature = Some(mac(&mac(&key, b"Server Key"), whole.as_bytes()));
        Some(format!("{unproven},p={}", BASE64_STANDARD.encode(proof)))
    }

    /// Does the server know the password too?
    pub(super) fn is_proven(&self, last: &[u8]) -> bool {
        let proof = last.strip_prefix(b"v=").and_then(|proof| BASE64_STANDARD.decode(proof).ok());
        self.signature.is_some_and(|signature| proof.is_some_and(|proof| proof == signature))
    }
}

/// The password after all rounds, worked out once.
fn salted(password: &str, salt: &[u8], n_rounds: u32) -> Key {
    let is_same = |one: &&Salted| one.password == password && one.salt == salt && one.n_rounds == n_rounds;
    // A list of whole entries is whole at any moment, also after a panic.
    let remembered = || REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = remembered().iter().find(is_same) {
        return known.key;
    }
    let prepared = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
    let key = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(prepared.as_bytes(), salt, n_rounds);
    let mut list = remembered();
    if list.len() == MOST_REMEMBERED {
        list.remove(0);
    }
    list.push(Salted { password: password.to_owned(), salt: salt.to_owned(), n_rounds, key });
    key
}

fn mac(key: &Key, text: &[u8]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, but for the user, whom PostgreSQL wants empty.
    #[test]
    fn an_exchange_is_proven_on_both_sides() {
        let mut exchange = Exchange::with_nonce("rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(exchange.first(), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
        let challenge =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        for _ in 0..2 {
            let answer = exchange.answer("pencil", challenge.as_bytes()).unwrap();
            let (unproven, proof) = answer.rsplit_once(",p=").unwrap();
            assert_eq!(unproven, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
            // The server's side: from what it has stored it finds the client's key in the proof.
            let key = salted("pencil", &BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096);
            let client = mac(&key, b"Client Key");
            let whole = format!("n=,r=rOprNGfwEbeRWgbNEkqO,{challenge},{unproven}");
            let signature = mac(&Sha256::digest(client).into(), whole.as_bytes());
            let found: Vec<u8> =
                BASE64_STANDARD.decode(proof).unwrap().iter().zip(signature).map(|(a, b)| a ^ b).collect();
            assert_eq!(found, client);
            let last = BASE64_STANDARD.encode(mac(&mac(&key, b"Server Key"), whole.as_bytes()));
            assert!(exchange.is_proven(format!("v={last}").as_bytes()));
            assert!(!exchange.is_proven(b"v=AAAA") && !exchange.is_proven(b"e=other"));
        }
    }

    /// RFC 7914, section 11, by its first half: one round and many.
    #[test]
    fn rounds_are_those_of_the_standard() {
        let hex = |key: Key| key.map(|byte| format!("{byte:02x}")).concat();
        let one = salted("passwd", b"salt", 1);
        assert_eq!(hex(one), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
        let many = salted("Password", b"NaCl", 80_000);
        assert_eq!(hex(many), "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
    }

    #[test]
    fn what_is_no_challenge_is_not_answered() {
        for challenge in [
            "",
            "r=other,s=AAAA,i=4096",
            "r=mine,s=?,i=4096",
            "r=mine,s=AAAA,i=0",
            "r=mine,s=AAAA,i=99999999999",
            "r=mine,s=AAAA",
        ] {
            let mut exchange = Exchange::with_nonce("mine".to_owned());
            assert_eq!(exchange.answer("x", challenge.as_bytes()), None, "{challenge}");
        }
        assert_ne!(Exchange::begin().nonce, Exchange::begin().nonce);
    }
}
