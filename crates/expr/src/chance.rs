//! Chance that can be had again: every random value of a run comes from one printed seed.
//!
//! Each test has a stream of its own, derived from the seed and the test's id, and each branch of it (a step of
//! `together`) one derived from that. So neither the order of tests nor what runs side by side changes a value.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};

/// A stream of random numbers. The same seed and labels give the same numbers on every machine.
#[derive(Debug)]
pub struct Chance {
    key: [u8; 32],
    stream: Mutex<ChaCha8Rng>,
}

impl Chance {
    /// The stream of a run's seed for one purpose: a test's id, a fixture's name.
    pub fn new(seed: u64, label: &str) -> Self {
        Self::of_key(derive(&seed.to_le_bytes(), label))
    }

    /// A stream of its own for a part of what this one is for. It depends on the labels only, not on what was
    /// drawn before.
    #[must_use]
    pub fn branch(&self, label: &str) -> Self {
        Self::of_key(derive(&self.key, label))
    }

    fn of_key(key: [u8; 32]) -> Self {
        Self { key, stream: Mutex::new(ChaCha8Rng::from_seed(key)) }
    }

    /// The next number, all 64 bits alike.
    pub fn next(&self) -> u64 {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    /// A number from 0 to below `bound`, each as likely as any other; 0 for a bound of 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        // Draws from the uneven rest at the top are drawn again, so that no value is favoured.
        let rest = (u64::MAX % bound + 1) % bound;
        loop {
            let drawn = self.next();
            if drawn <= u64::MAX - rest {
                return drawn % bound;
            }
        }
    }

    /// An integer from `low` to `high`, both included; `low` where they are the wrong way round.
    pub fn between(&self, low: i64, high: i64) -> i64 {
        match high.checked_sub(low).map(u64::try_from) {
            Some(Ok(width)) => low.wrapping_add_unsigned(self.below(width.saturating_add(1))),
            Some(Err(_)) => low,
            // The width does not fit an i64: every second draw or more falls into the range.
            None => loop {
                let drawn = self.next().cast_signed();
                if (low..=high).contains(&drawn) {
                    return drawn;
                }
            },
        }
    }

    /// One element of a list that has some.
    pub fn pick<'a, T>(&self, list: &'a [T]) -> Option<&'a T> {
        list.get(usize::try_from(self.below(list.len() as u64)).ok()?)
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }
}

fn derive(key: &[u8], label: &str) -> [u8; 32] {
    Sha256::new().chain_update(key).chain_update([0]).chain_update(label).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(chance: &Chance) -> Vec<u64> {
        (0..4).map(|_| chance.below(1000)).collect()
    }

    #[test]
    fn the_same_seed_and_label_give_the_same_numbers() {
        let first = draws(&Chance::new(7, "a"));
        assert_eq!(first, draws(&Chance::new(7, "a")));
        assert_ne!(first, draws(&Chance::new(8, "a")));
        assert_ne!(first, draws(&Chance::new(7, "b")));
        // These numbers stand in printed seeds of old runs: they must not change with a version.
        assert_eq!(first, [380, 5, 4, 781]);
    }

    #[test]
    fn a_branch_does_not_depend_on_what_was_drawn() {
        let chance = Chance::new(7, "a");
        let before = draws(&chance.branch("x"));
        chance.next();
        assert_eq!(before, draws(&chance.branch("x")));
        assert_ne!(before, draws(&chance.branch("y")));
    }

    #[test]
    fn bounds_are_kept() {
        let chance = Chance::new(1, "");
        for (low, high) in
            [(0, 0), (1, 6), (-3, 3), (i64::MIN, i64::MAX), (i64::MAX - 1, i64::MAX), (-5, i64::MAX)]
        {
            for _ in 0..50 {
                assert!((low..=high).contains(&chance.between(low, high)));
            }
        }
        assert_eq!(chance.between(5, 1), 5);
        assert_eq!(chance.pick::<u8>(&[]), None);
        let seen: std::collections::BTreeSet<i64> = (0..200).map(|_| chance.between(1, 6)).collect();
        assert_eq!(seen.len(), 6);
    }
}
