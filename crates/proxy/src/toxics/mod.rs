//! Bytes shaped on their way, as Toxiproxy's users know it: the table of toxics, one file and one line each.
//!
//! ```text
//! bytes in ─▶ first toxic ─▶ second toxic ─▶ … ─▶ bytes out        each direction of a connection has its own chain
//! ```
//!
//! Toxics know no protocol: they see chunks as they were read. Each says of the chunk before it what passes on and when
//! ([`Shaper`]); the [`chain`] carries chunks from one to the next and lets toxics come and go while a connection is
//! open; [`stand`] listens. A connection without toxics is only copied.

mod bandwidth;
mod chain;
mod latency;
mod limit_data;
mod noop;
mod pass;
mod reset_peer;
mod slicer;
mod slow_close;
mod stand;
#[cfg(test)]
mod tests;
mod timeout;

pub use chain::{Chains, Left, Toxic};
pub use stand::{Counters, ToxicStand};

use seam_expr::Chance;
use std::collections::VecDeque;
use std::fmt;
use tokio::time::Instant;

/// All toxics.
pub static TOXICS: &[&ToxicKind] = &[
    &latency::KIND,
    &bandwidth::KIND,
    &slow_close::KIND,
    &timeout::KIND,
    &reset_peer::KIND,
    &slicer::KIND,
    &limit_data::KIND,
    &noop::KIND,
];

/// One kind of toxic.
pub struct ToxicKind {
    /// Its name, as in `type`.
    pub name: &'static str,
    /// What Toxiproxy calls it in its error texts.
    pub structure: &'static str,
    /// Its attributes in the order in which they are told; all are integers, 0 where nothing is said.
    pub attributes: &'static [&'static str],
    /// How many chunks may wait before it.
    room: usize,
    /// Makes one for one direction of one connection.
    shaper: fn() -> Box<dyn Shaper>,
}

impl fmt::Debug for ToxicKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The kind of this name, if there is one.
pub fn toxic_kind(name: &str) -> Option<&'static ToxicKind> {
    TOXICS.iter().copied().find(|kind| kind.name == name)
}

/// What passes a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Passing {
    /// Bytes, with the moment from which delays count.
    Bytes(Vec<u8>, Instant),
    /// Nothing more comes.
    End(Ending),
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Its sender has closed it in order; the other direction lives on.
    Fin,
    /// The whole connection is closed.
    Close,
    /// The whole connection is reset.
    Reset,
}

/// What a toxic does next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// This passes on.
    Give(Passing),
    /// Something was swallowed; ask again.
    Again,
    /// Nothing before this moment, unless more comes.
    Until(Instant),
    /// Nothing, unless more comes.
    Wait,
}

/// What a toxic knows when it is asked.
struct Around<'a> {
    attributes: &'a [i64],
    now: Instant,
    chance: &'a Chance,
}

/// One toxic at work on one direction of one connection.
trait Shaper: Send {
    /// Takes of what waits before it, and says what passes on.
    fn step(&mut self, input: &mut VecDeque<Passing>, around: &Around<'_>) -> Step;

    /// It is changed or taken away: what it holds back in the middle of something passes on at once.
    fn let_go(&mut self) -> Option<Passing> {
        None
    }

    /// How the connection ends when the toxic is taken away, where something of it is missing for good.
    fn ending_when_taken(&self) -> Option<Ending> {
        None
    }
}

/// Milliseconds as they stand in attributes; less than nothing is nothing.
fn millis(millis: i64) -> std::time::Duration {
    // A century is as good as for ever, and can still be added to a moment.
    const MOST: u64 = 100 * 365 * 24 * 3_600_000;
    std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0).min(MOST))
}

/// The first of what waits passes as it is.
fn first(input: &mut VecDeque<Passing>) -> Step {
    input.pop_front().map_or(Step::Wait, Step::Give)
}
