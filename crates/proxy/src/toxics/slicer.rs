//! `slicer`: chunks arrive in small pieces, with so many microseconds between them.

use super::{Around, Passing, Shaper, Step, ToxicKind};
use seam_expr::Chance;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

pub(super) static KIND: ToxicKind = ToxicKind {
    name: "slicer",
    structure: "SlicerToxic",
    attributes: &["average_size", "size_variation", "delay"],
    room: 1,
    shaper: || Box::new(Slicer::default()),
};

#[derive(Default)]
struct Slicer {
    /// What is left of a chunk, in pieces.
    pieces: VecDeque<Vec<u8>>,
    at: Option<Instant>,
    /// When the next piece may pass.
    due: Option<Instant>,
}

impl Shaper for Slicer {
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step {
        if let Some(due) = self.due.filter(|due| *due > around.now) {
            return Step::Until(due);
        }
        self.due = None;
        if self.pieces.is_empty() {
            match input.pop_front() {
                None => return Step::Wait,
                Some(Passing::End(ending)) => return Step::Give(Passing::End(ending)),
                Some(Passing::Bytes(bytes, at)) => {
                    self.at = Some(at);
                    self.pieces = sliced(&bytes, around);
                }
            }
        }
        let Some(piece) = self.pieces.pop_front() else { return Step::Again };
        let delay = around.attributes.get(2).and_then(|delay| u64::try_from(*delay).ok()).unwrap_or(0);
        self.due = (delay > 0).then(|| around.now + Duration::from_micros(delay));
        Step::Give(Passing::Bytes(piece, self.at.unwrap_or(around.now)))
    }

    fn let_go(&mut self) -> Option<Passing> {
        self.due = None;
        let rest: Vec<u8> = self.pieces.drain(..).flatten().collect();
        let at = self.at.take()?;
        (!rest.is_empty()).then_some(Passing::Bytes(rest, at))
    }
}

fn sliced(bytes: &[u8], around: &Around<'_>) -> VecDeque<Vec<u8>> {
    let size =
        |index: usize| around.attributes.get(index).and_then(|size| usize::try_from(*size).ok()).unwrap_or(0);
    // Slices of nothing would never come to an end.
    let (average, variation) = (size(0).max(1), size(1));
    let mut cuts = Vec::new();
    cut((0, bytes.len()), (average, variation), around.chance, &mut cuts);
    let mut from = 0;
    let pieces = cuts.into_iter().map(|to| {
        let piece = bytes[from..to].to_vec();
        from = to;
        piece
    });
    pieces.filter(|piece| !piece.is_empty()).collect()
}

/// Halves a stretch, give or take the variation, until the parts are small enough. Gives where each part ends.
fn cut(
    (from, to): (usize, usize),
    (average, variation): (usize, usize),
    chance: &Chance,
    cuts: &mut Vec<usize>,
) {
    let length = to - from;
    if length <= average.saturating_add(variation) {
        cuts.push(to);
        return;
    }
    let mut middle = from + length / 2;
    if variation > 0 {
        let drawn = chance.below(variation as u64 * 2);
        middle = (middle + usize::try_from(drawn).unwrap_or(0)).saturating_sub(variation);
    }
    // A part must be smaller than the whole, however much it varies.
    let middle = middle.clamp(from + 1, to - 1);
    cut((from, middle), (average, variation), chance, cuts);
    cut((middle, to), (average, variation), chance, cuts);
}
