//! Signing in with SCRAM-SHA-256 or SCRAM-SHA-512 (RFC 5802, RFC 7677), the costly part of which is done once for each
//! password.
//!
//! The thousands of rounds of hashing that make a stored password hard to guess depend on nothing but the password and
//! what the server has stored with it. A run opens a session for each test, and with these rounds done again every time
//! they would be most of what an `sql` step costs. Everything else of the exchange is done anew each time.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

/// The most passwords that are remembered; a run knows a handful.
const MOST_REMEMBERED: usize = 64;

/// The most rounds that a server may ask for, which are a second's work; the usual number is 4096.
const MOST_ROUNDS: u32 = 1_000_000;

/// We bind to no TLS channel.
const HEADER: &str = "n,,";

type Key = Vec<u8>;

/// By which hash, which is half of the mechanism's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl Hash {
    /// The mechanism's name, as servers offer it.
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn of(self, text: &[u8]) -> Key {
        match self {
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Key {
        const ANY: &str = "a key of any length will do";
        match self {
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .expect(ANY)
                .chain_update(text)
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Sha512 => Hmac::<Sha512>::new_from_slice(key)
                .expect(ANY)
                .chain_update(text)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    fn rounds(self, password: &[u8], salt: &[u8], n_rounds: u32) -> Key {
        match self {
            Self::Sha256 => pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, n_rounds).to_vec(),
            Self::Sha512 => pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, n_rounds).to_vec(),
        }
    }
}

/// One exchange, from the client's side.
pub struct Exchange {
    hash: Hash,
    /// As the exchange has it: prepared, and without what would end it.
    user: String,
    nonce: String,
    /// What the server must answer with, once that is known.
    signature: Option<Key>,
}

/// A password with what a server has stored with it, and what comes of them.
struct Salted {
    hash: Hash,
    password: String,
    salt: Vec<u8>,
    n_rounds: u32,
    key: Key,
}

static REMEMBERED: Mutex<Vec<Salted>> = Mutex::new(Vec::new());

impl Exchange {
    /// `nonce` is chance, made for this exchange alone, which is all that keeps it from being taken for another; it has no
    /// comma. PostgreSQL knows the user already: there it is empty.
    pub fn begin(hash: Hash, user: &str, nonce: String) -> Self {
        let user = stringprep::saslprep(user).unwrap_or(Cow::Borrowed(user));
        Self { hash, user: user.replace('=', "=3D").replace(',', "=2C"), nonce, signature: None }
    }

    /// What is sent first.
    pub fn first(&self) -> String {
        format!("{HEADER}{}", self.bare())
    }

    fn bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    /// What is sent to the server's challenge; none where that is none.
    pub fn answer(&mut self, password: &str, challenge: &[u8]) -> Option<String> {
        let challenge = std::str::from_utf8(challenge).ok()?;
        let mut parts = challenge.split(',');
        let nonce = parts
            .next()?
            .strip_prefix("r=")
            .filter(|nonce| nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce))?;
        let salt = BASE64_STANDARD.decode(parts.next()?.strip_prefix("s=")?).ok()?;
        let n_rounds =
            parts.next()?.strip_prefix("i=")?.parse().ok().filter(|n| (1..=MOST_ROUNDS).contains(n))?;
        let key = salted(self.hash, password, &salt, n_rounds);
        let unproven = format!("c={},r={nonce}", BASE64_STANDARD.encode(HEADER));
        let whole = format!("{},{challenge},{unproven}", self.bare());
        let mut proof = self.hash.mac(&key, b"Client Key");
        let signature = self.hash.mac(&self.hash.of(&proof), whole.as_bytes());
        for (byte, other) in proof.iter_mut().zip(signature) {
            *byte ^= other;
        }
        self.signature = Some(self.hash.mac(&self.hash.mac(&key, b"Server Key"), whole.as_bytes()));
        Some(format!("{unproven},p={}", BASE64_STANDARD.encode(proof)))
    }

    /// Does the server know the password too?
    pub fn is_proven(&self, last: &[u8]) -> bool {
        let proof = last.strip_prefix(b"v=").and_then(|proof| BASE64_STANDARD.decode(proof).ok());
        self.signature.is_some() && proof == self.signature
    }
}

/// The password after all rounds, worked out once.
fn salted(hash: Hash, password: &str, salt: &[u8], n_rounds: u32) -> Key {
    let is_same = |one: &&Salted| {
        one.hash == hash && one.password == password && one.salt == salt && one.n_rounds == n_rounds
    };
    // A list of whole entries is whole at any moment, also after a panic.
    let remembered = || REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = remembered().iter().find(is_same) {
        return known.key.clone();
    }
    let prepared = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
    let key = hash.rounds(prepared.as_bytes(), salt, n_rounds);
    let mut list = remembered();
    if list.len() == MOST_REMEMBERED {
        list.remove(0);
    }
    list.push(Salted {
        hash,
        password: password.to_owned(),
        salt: salt.to_owned(),
        n_rounds,
        key: key.clone(),
    });
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The example of RFC 7677.
    #[test]
    fn the_example_of_the_standard() {
        let mut exchange = Exchange::begin(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer = exchange.answer("pencil", CHALLENGE.as_bytes()).unwrap();
        assert_eq!(
            answer,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(exchange.is_proven(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!exchange.is_proven(b"v=AAAA") && !exchange.is_proven(b"e=other"));
    }

    /// Of the server's side, which finds the client's key in the proof by what it has stored.
    #[test]
    fn an_exchange_is_proven_on_both_sides() {
        for hash in [Hash::Sha256, Hash::Sha512] {
            let mut exchange = Exchange::begin(hash, "a=b,c", "rOprNGfwEbeRWgbNEkqO".to_owned());
            assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO");
            assert!(!exchange.is_proven(b"v="));
            for _ in 0..2 {
                let answer = exchange.answer("pencil", CHALLENGE.as_bytes()).unwrap();
                let (unproven, proof) = answer.rsplit_once(",p=").unwrap();
                let key = salted(
                    hash,
                    "pencil",
                    &BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(),
                    4096,
                );
                let client = hash.mac(&key, b"Client Key");
                let whole = format!("n=a=3Db=2Cc,r=rOprNGfwEbeRWgbNEkqO,{CHALLENGE},{unproven}");
                let signature = hash.mac(&hash.of(&client), whole.as_bytes());
                let proof = BASE64_STANDARD.decode(proof).unwrap();
                let found: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
                assert_eq!(found, client);
                let last = BASE64_STANDARD.encode(hash.mac(&hash.mac(&key, b"Server Key"), whole.as_bytes()));
                assert!(exchange.is_proven(format!("v={last}").as_bytes()));
            }
        }
    }

    /// RFC 7914, section 11, by its first half: one round and many.
    #[test]
    fn rounds_are_those_of_the_standard() {
        let hex = |key: Key| key.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let one = salted(Hash::Sha256, "passwd", b"salt", 1);
        assert_eq!(hex(one), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
        let many = salted(Hash::Sha256, "Password", b"NaCl", 80_000);
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
            let mut exchange = Exchange::begin(Hash::Sha256, "", "mine".to_owned());
            assert_eq!(exchange.answer("x", challenge.as_bytes()), None, "{challenge}");
        }
    }
}
