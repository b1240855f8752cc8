//! `noop`: passes everything on as it came. Toxiproxy has it for tests of its clients, which make one.

use super::{Around, Passing, Shaper, Step, ToxicKind};
use std::collections::VecDeque;

pub(super) static KIND: ToxicKind =
    ToxicKind { name: "noop", structure: "NoopToxic", attributes: &[], room: 1, shaper: || Box::new(Noop) };

struct Noop;

impl Shaper for Noop {
    fn step(&mut self, input: &mut VecDeque<Passing>, _: &Around<'_>) -> Step {
        if input.is_empty() { Step::Wait } else { super::first(input) }
    }
}
