//! `limit_data`: after so many bytes the connection is closed.

use super::{Around, Ending, Passing, Shaper, Step, ToxicKind};
use std::collections::VecDeque;

pub(super) static KIND: ToxicKind = ToxicKind {
    name: "limit_data",
    structure: "LimitDataToxic",
    attributes: &["bytes"],
    room: 1,
    shaper: || Box::new(LimitData::default()),
};

#[derive(Default)]
struct LimitData {
    /// How many bytes have passed; kept while the toxic is changed.
    n_passed: u64,
    /// Is the limit reached?
    is_over: bool,
}

impl Shaper for LimitData {
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step {
        if self.is_over {
            return Step::Give(Passing::End(Ending::Close));
        }
        let limit = around.attributes.first().and_then(|limit| u64::try_from(*limit).ok()).unwrap_or(0);
        match input.pop_front() {
            None => Step::Wait,
            Some(Passing::End(ending)) => Step::Give(Passing::End(ending)),
            Some(Passing::Bytes(mut bytes, at)) => {
                let left = usize::try_from(limit.saturating_sub(self.n_passed)).unwrap_or(usize::MAX);
                bytes.truncate(left);
                self.n_passed += bytes.len() as u64;
                self.is_over = self.n_passed >= limit;
                if bytes.is_empty() { Step::Again } else { Step::Give(Passing::Bytes(bytes, at)) }
            }
        }
    }

    fn let_go(&mut self) -> Option<Passing> {
        self.is_over = false;
        None
    }
}
