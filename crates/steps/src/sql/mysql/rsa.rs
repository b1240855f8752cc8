//! A password sealed by a server's public key, as `caching_sha2_password` wants it where there is no TLS: RSA with OAEP
//! (RFC 8017, 7.1).
//!
//! Nothing secret depends on how long this takes: it computes with a public key, and once for each session at most.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use std::hash::{BuildHasher as _, RandomState};

/// The bytes of the hash.
const HASH: usize = 20;

/// A server's key.
#[derive(Debug)]
pub(super) struct PublicKey {
    modulus: Number,
    exponent: Number,
    /// The bytes of the modulus.
    length: usize,
}

/// A number, its lowest bits first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Number(Vec<u32>);

impl PublicKey {
    /// Reads a key as servers send it, in PEM.
    pub(super) fn read(pem: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(pem).ok()?;
        let lines = text.lines().filter(|line| !line.starts_with("-----") && !line.trim().is_empty());
        let der = STANDARD.decode(lines.map(str::trim).collect::<String>()).ok()?;
        // SEQUENCE { SEQUENCE { the algorithm }, BIT STRING { SEQUENCE { modulus, exponent } } }
        let (whole, _) = element(0x30, &der)?;
        let (_, rest) = element(0x30, whole)?;
        let (bits, _) = element(3, rest)?;
        let (pair, _) = element(0x30, bits.get(1..)?)?;
        let (modulus, rest) = element(2, pair)?;
        let (exponent, _) = element(2, rest)?;
        let modulus = &modulus[modulus.iter().take_while(|byte| **byte == 0).count()..];
        // Neither a toy nor a burden: nobody waits meanwhile, and a log-in has a deadline.
        if !(128..=512).contains(&modulus.len()) || exponent.len() > 4 {
            return None;
        }
        Some(Self { length: modulus.len(), modulus: Number::of(modulus), exponent: Number::of(exponent) })
    }

    /// A secret that only the server can open; none where it is too long for the key.
    pub(super) fn seal(&self, secret: &[u8]) -> Option<Vec<u8>> {
        // The system's own chance.
        let seeds = [(); 3].map(|()| RandomState::new().hash_one(0_u8).to_le_bytes());
        let mut seed = [0; HASH];
        seed.copy_from_slice(&seeds.as_flattened()[..HASH]);
        let padded = padded(secret, self.length, seed)?;
        let sealed = Number::of(&padded).power(&self.exponent, &self.modulus);
        Some(sealed.bytes(self.length))
    }
}

/// Takes an element of this tag, and gives what it holds and what follows.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (own, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (*own == tag).then(|| rest.split_at_checked(length)).flatten()
}

/// `0 ‖ masked seed ‖ masked (hash of no label ‖ zeros ‖ 1 ‖ secret)`
fn padded(secret: &[u8], length: usize, mut seed: [u8; HASH]) -> Option<Vec<u8>> {
    let n_zeros = length.checked_sub(2 * HASH + 2 + secret.len())?;
    let mut data = Sha1::digest(b"").to_vec();
    data.resize(HASH + n_zeros, 0);
    data.push(1);
    data.extend_from_slice(secret);
    mask(&mut data, &seed);
    mask(&mut seed, &data);
    Some([&[0][..], &seed, &data].concat())
}

/// Masks bytes with what is drawn from others (MGF1).
fn mask(bytes: &mut [u8], from: &[u8]) {
    for (counter, chunk) in (0_u32..).zip(bytes.chunks_mut(HASH)) {
        let drawn = Sha1::new().chain_update(from).chain_update(counter.to_be_bytes()).finalize();
        chunk.iter_mut().zip(drawn).for_each(|(byte, other)| *byte ^= other);
    }
}

impl Number {
    fn of(bytes: &[u8]) -> Self {
        let chunks = bytes.rchunks(4);
        Self(chunks.map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte))).collect())
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        let all = self.0.iter().flat_map(|word| word.to_le_bytes());
        let mut bytes: Vec<u8> = all.chain(std::iter::repeat(0)).take(length).collect();
        bytes.reverse();
        bytes
    }

    /// Its bits, the highest first.
    fn bits(&self) -> impl Iterator<Item = bool> + '_ {
        self.0.iter().rev().flat_map(|word| (0..32).rev().map(move |bit| word >> bit & 1 == 1))
    }

    /// The sum, of which the modulus is taken away where it is reached.
    fn plus(&self, other: &Self, modulus: &Self) -> Self {
        let n_words = modulus.0.len() + 1;
        let word = |number: &Self, index: usize| u64::from(number.0.get(index).copied().unwrap_or_default());
        let mut sum = Vec::with_capacity(n_words);
        let mut carry = 0;
        for index in 0..n_words {
            let total = word(self, index) + word(other, index) + carry;
            sum.push(low(total));
            carry = total >> 32;
        }
        let sum = Self(sum);
        let mut less = Vec::with_capacity(n_words);
        let mut borrowed = 0;
        for index in 0..n_words {
            let difference =
                (word(&sum, index) + (1 << 32)).wrapping_sub(word(modulus, index)).wrapping_sub(borrowed);
            less.push(low(difference));
            borrowed = u64::from(difference >> 32 == 0);
        }
        if borrowed == 1 { sum } else { Self(less) }
    }

    fn times(&self, other: &Self, modulus: &Self) -> Self {
        let mut product = Self(Vec::new());
        for bit in other.bits() {
            product = product.plus(&product, modulus);
            if bit {
                product = product.plus(self, modulus);
            }
        }
        product
    }

    /// This number to that power, by the modulus. It must be smaller than the modulus.
    fn power(&self, exponent: &Self, modulus: &Self) -> Self {
        let mut power = Self(vec![1]);
        let bits = exponent.bits().skip_while(|bit| !bit);
        for bit in bits {
            power = power.times(&power, modulus);
            if bit {
                power = power.times(self, modulus);
            }
        }
        power
    }
}

/// The lower half.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of 1024 bits made for this test, with its secret exponent.
    const PEM: &str = include_str!("test_key.pem");
    const SECRET: &str = include_str!("test_key.secret");

    #[test]
    fn what_was_sealed_opens_with_the_secret_key() {
        let key = PublicKey::read(PEM.as_bytes()).unwrap();
        let sealed = key.seal(b"s3cret\0").unwrap();
        assert_eq!(sealed.len(), key.length);
        let secret: Vec<u8> = (0..SECRET.trim().len() / 2)
            .map(|index| u8::from_str_radix(&SECRET[2 * index..2 * index + 2], 16).unwrap())
            .collect();
        let opened = Number::of(&sealed).power(&Number::of(&secret), &key.modulus).bytes(key.length);
        let (mut seed, mut data) = ([0; HASH], opened[1 + HASH..].to_vec());
        seed.copy_from_slice(&opened[1..=HASH]);
        mask(&mut seed, &data);
        mask(&mut data, &seed);
        assert_eq!(opened[0], 0);
        assert_eq!(data[..HASH], Sha1::digest(b"")[..]);
        assert!(data.ends_with(b"\0\x01s3cret\0"), "{data:?}");
        assert!(key.seal(&[1; 87]).is_none());
    }

    #[test]
    fn a_key_that_would_take_long_is_none() {
        let key = |n_modulus: usize, n_exponent: usize| {
            let element = |tag: u8, content: &[u8]| {
                let length = u16::try_from(content.len()).unwrap().to_be_bytes();
                [&[tag, 0x82, length[0], length[1]][..], content].concat()
            };
            let pair = [element(2, &vec![0x7f; n_modulus]), element(2, &vec![1; n_exponent])].concat();
            let bits = element(3, &[&[0][..], &element(0x30, &pair)].concat());
            let der = element(0x30, &[element(0x30, &[]), bits].concat());
            PublicKey::read(STANDARD.encode(der).as_bytes())
        };
        for (n_modulus, n_exponent, is_taken) in
            [(128, 3, true), (512, 4, true), (127, 3, false), (513, 3, false), (512, 5, false)]
        {
            assert_eq!(key(n_modulus, n_exponent).is_some(), is_taken, "{n_modulus} {n_exponent}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for pem in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n", "MAA=", "no\u{e9}"] {
            assert!(PublicKey::read(pem.as_bytes()).is_none(), "{pem}");
        }
    }
}
