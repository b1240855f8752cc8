//! Which number of the receiver stands for which of the sender, while contents are lost and doubled between them.
//!
//! ```text
//! the broker delivers   1  2  3     4         2 is lost, 3 comes twice
//! the consumer counts   1     2  3  4
//! it acknowledges 2 ─▶ 3 goes on;  3 ─▶ goes nowhere;  all up to 4 ─▶ 1, 3 and 4 one by one, for 2 is not meant
//! ```
//! Published contents under confirms are the same, the other way round.

use std::collections::BTreeMap;

/// The contents that passed one way on one channel, as far as they are not settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// How many the receiver got.
    n_handed: u64,
    /// Has a number ever been another one for the receiver?
    diverged: bool,
    /// By the receiver's number that of the sender; none for what nobody sent.
    open: BTreeMap<u64, Option<u64>>,
    /// Settled in a transaction that is not committed.
    unsure: Option<Vec<(u64, Option<u64>)>>,
}

/// What is to be settled, by the sender's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) number: u64,
    /// And all before it?
    pub(super) multiple: bool,
}

/// So many are remembered at most; who leaves more unsettled has the oldest forgotten.
const MOST_OPEN: usize = 256 * 1024;

/// A number that no sender ever gives.
const NEVER: u64 = u64::MAX >> 1;

impl Ledger {
    /// A content goes to the receiver, who has to settle it or not. Says which number it has there.
    pub(super) fn hand_on(&mut self, number: Option<u64>, is_to_be_settled: bool) -> u64 {
        self.n_handed += 1;
        self.diverged |= number != Some(self.n_handed);
        if is_to_be_settled {
            self.open.insert(self.n_handed, number);
            if self.open.len() > MOST_OPEN {
                self.open.pop_first();
            }
        }
        self.n_handed
    }

    /// The receiver settles one, or all up to it; 0 with `multiple` is all there are. `n_sent` is how many the sender has
    /// sent so far.
    pub(super) fn settle(&mut self, number: u64, multiple: bool, n_sent: u64) -> Vec<Settled> {
        let is_all = multiple && number == 0;
        let as_it_is = vec![Settled { number, multiple }];
        if !multiple {
            let settled = self.open.remove(&number);
            if let Some(sent) = settled {
                self.remember(number, sent);
            }
            return match settled {
                Some(Some(number)) => vec![Settled { number, multiple }],
                Some(None) => Vec::new(),
                None if self.diverged => vec![Settled { number: NEVER, multiple }],
                None => as_it_is,
            };
        }
        let later = if is_all { BTreeMap::new() } else { self.open.split_off(&number.saturating_add(1)) };
        let settled = std::mem::replace(&mut self.open, later);
        let is_same = !(self.diverged || is_all && n_sent > self.n_handed);
        let mut out = Vec::new();
        for (number, sent) in settled {
            self.remember(number, sent);
            out.extend(sent.filter(|_| !is_same).map(|number| Settled { number, multiple: false }));
        }
        if is_same { as_it_is } else { out }
    }

    fn remember(&mut self, number: u64, sent: Option<u64>) {
        if let Some(unsure) = &mut self.unsure {
            unsure.push((number, sent));
            if unsure.len() > MOST_OPEN {
                unsure.clear();
            }
        }
    }

    /// From here on what is settled counts only when it is committed.
    pub(super) fn begin_transactions(&mut self) {
        self.unsure.get_or_insert_default();
    }

    /// What was settled since the last time counts, or does not.
    pub(super) fn end_transaction(&mut self, counts: bool) {
        let Some(unsure) = self.unsure.as_mut().map(std::mem::take) else { return };
        if !counts {
            self.open.extend(unsure);
        }
    }

    /// Nothing that was handed on is to be settled any more.
    pub(super) fn forget(&mut self) {
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(ledger: &mut Ledger, number: u64, multiple: bool) -> Vec<(u64, bool)> {
        ledger.settle(number, multiple, 9).iter().map(|one| (one.number, one.multiple)).collect()
    }

    fn handed(numbers: &[Option<u64>]) -> Ledger {
        let mut ledger = Ledger::default();
        for number in numbers {
            ledger.hand_on(*number, true);
        }
        ledger
    }

    #[test]
    fn nothing_changes_where_nothing_was_changed() {
        let mut ledger = handed(&[Some(1), Some(2), Some(3)]);
        assert_eq!(settled(&mut ledger, 2, true), [(2, true)]);
        assert_eq!(settled(&mut ledger, 3, false), [(3, false)]);
        assert_eq!(settled(&mut ledger, 3, false), [(3, false)], "the broker says what is wrong with it");
    }

    #[test]
    fn lost_and_doubled() {
        let numbers = [Some(1), Some(3), None, Some(4)];
        assert_eq!(settled(&mut handed(&numbers), 2, false), [(3, false)]);
        assert_eq!(settled(&mut handed(&numbers), 3, false), []);
        assert_eq!(settled(&mut handed(&numbers), 4, true), [(1, false), (3, false), (4, false)]);
        assert_eq!(settled(&mut handed(&numbers), 0, true), [(1, false), (3, false), (4, false)]);
        let mut ledger = handed(&numbers);
        assert_eq!(settled(&mut ledger, 2, false), [(3, false)]);
        assert_eq!(settled(&mut ledger, 3, true), [(1, false)]);
        assert_eq!(settled(&mut ledger, 2, false), [(NEVER, false)]);
    }

    #[test]
    fn all_is_not_what_was_never_handed_on() {
        let mut ledger = handed(&[Some(1), Some(2)]);
        assert_eq!(settled(&mut ledger, 0, true), [(1, false), (2, false)]);
        let mut ledger = handed(&[Some(1), Some(2)]);
        assert_eq!(ledger.settle(0, true, 2), [Settled { number: 0, multiple: true }]);
    }

    #[test]
    fn a_transaction_that_is_rolled_back() {
        let mut ledger = handed(&[Some(2)]);
        ledger.begin_transactions();
        assert_eq!(settled(&mut ledger, 1, false), [(2, false)]);
        ledger.end_transaction(false);
        assert_eq!(settled(&mut ledger, 1, false), [(2, false)]);
        ledger.end_transaction(true);
        assert_eq!(settled(&mut ledger, 1, false), [(NEVER, false)]);
    }
}
