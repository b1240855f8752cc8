//! How a held connection comes to be only watched again: both sides have to stand where they would stand if their bytes had
//! always passed as they came.
//!
//! ```text
//! tables    what a side's headers refer to, the other has never got: both are asked for headers without a table
//!           (SETTINGS_HEADER_TABLE_SIZE 0), and have said that they have heard it
//! credit    what we have let in of our own accord is left to run out, until a sender believes in what its receiver gave
//! numbers   the provider's newest stream is none that the consumer has still to open: where a request has overtaken
//!           another, while it was held, the connection stays held
//! ```
//! What a receiver's table holds besides is older than anything that comes, and harms nobody. So from then on headers are
//! longer, and all else is as before.

use super::connection::{Http2, Mode, rest};
use super::frame;
use super::writing::FIRST_WINDOW;
use crate::conversation::Direction;
use crate::splitter::Piece;
use std::collections::VecDeque;

/// The setting that says how large a table of headers may be.
const TABLE_SIZE: u16 = 1;

/// So many settings may wait for their receipt; with more a connection stays held.
const MOST_SENT: usize = 64;

/// How far a connection has come.
#[derive(Clone, Debug)]
pub(super) struct Level {
    /// Are there no rules?
    pub(super) is_free: bool,
    /// Has there been no provider at first, so that what both sides have set is not each other's?
    pub(super) was_alone: bool,
    has_asked: bool,
    /// Of each side, in the order of [`index`]: the sender of what goes to the provider, and to the consumer.
    sides: [Side; 2],
}

/// One sender.
#[derive(Clone, Debug)]
struct Side {
    /// Settings that it was told and has not confirmed, the oldest first: are they ours?
    told: VecDeque<bool>,
    /// It has confirmed that its headers have no table.
    is_plain: bool,
    /// And it has sent headers since.
    has_spoken: bool,
    /// What it believes its receiver has room for, on all of the connection.
    window: i64,
}

fn index(from: Direction) -> usize {
    usize::from(from == Direction::ToConsumer)
}

impl Level {
    pub(super) fn new(was_alone: bool) -> Self {
        let side = Side { told: VecDeque::new(), is_plain: false, has_spoken: false, window: FIRST_WINDOW };
        Self { is_free: false, was_alone, has_asked: false, sides: [side.clone(), side] }
    }

    /// For a connection that is held from here on, as it was seen to stand. Its windows are those of the receivers.
    pub(super) fn resumed(&self, windows: [i64; 2]) -> Self {
        let mut level = Self::new(false);
        for (at, window) in windows.into_iter().enumerate() {
            level.sides[at].told.clone_from(&self.sides[at].told);
            level.sides[at].window = window;
        }
        level
    }

    fn side(&mut self, from: Direction) -> &mut Side {
        &mut self.sides[index(from)]
    }

    /// Settings are told to the sender of this direction.
    pub(super) fn told(&mut self, from: Direction, is_ours: bool) {
        let told = &mut self.side(from).told;
        if told.len() < MOST_SENT {
            told.push_back(is_ours);
        } else {
            // Which is confirmed is not known any more.
            self.was_alone = true;
        }
    }

    /// The sender of this direction confirms settings. Says whether they are ours.
    pub(super) fn confirmed(&mut self, from: Direction) -> bool {
        let side = self.side(from);
        let is_ours = side.told.pop_front() == Some(true);
        if is_ours {
            (side.is_plain, side.has_spoken) = (true, false);
        }
        is_ours
    }

    /// Headers came.
    pub(super) fn spoke(&mut self, from: Direction) {
        self.side(from).has_spoken = true;
    }

    /// So much of the sender's window is used up, or given to it.
    pub(super) fn window(&mut self, from: Direction, by: i64) {
        self.side(from).window += by;
    }
}

impl Http2 {
    /// What of a receiver's credit its sender gets itself, where nobody stands in between for good.
    pub(super) fn pass_credit(&mut self, to: Direction, by: u32, out: &mut Vec<Piece>) {
        if self.level.is_free && self.mode == Mode::Held {
            let lacks = self.writing.window(to) - self.level.side(to).window;
            let gets = lacks.clamp(0, i64::from(by));
            self.credit(to, 0, u32::try_from(gets).unwrap_or_default(), out);
        }
    }

    /// Brings both sides nearer to where they would be.
    pub(super) fn come_level(&mut self, out: &mut Vec<Piece>) {
        // Before the first call nobody has said yet what they are.
        if !self.level.is_free || self.mode != Mode::Held || self.level.was_alone || self.newest == 0 {
            return;
        }
        if !std::mem::replace(&mut self.level.has_asked, true) {
            let mut setting = Vec::new();
            frame::write(
                frame::SETTINGS,
                0,
                0,
                &[&TABLE_SIZE.to_be_bytes()[..], &[0; 4]].concat(),
                &mut setting,
            );
            for to in [Direction::ToProvider, Direction::ToConsumer] {
                self.level.told(to.opposite(), true);
                out.push(rest(to, setting.clone()));
            }
        }
        for to in [Direction::ToProvider, Direction::ToConsumer] {
            // What was left out on the way has taken its sender's credit for nothing.
            let lacks = self.writing.window(to) - self.level.side(to).window;
            self.credit(to, 0, u32::try_from(lacks).unwrap_or_default(), out);
        }
    }

    /// Do both sides stand where they would be?
    pub(super) fn is_level(&self) -> bool {
        let is_plain = |from: Direction| {
            let side = &self.level.sides[index(from)];
            let has_no_table = !side.has_spoken || self.has_no_table(from);
            side.is_plain && has_no_table && side.window == self.writing.window(from)
        };
        self.mode == Mode::Held
            && !self.level.was_alone
            && self.streams.is_empty()
            && self.broken.is_empty()
            && is_plain(Direction::ToProvider)
            && is_plain(Direction::ToConsumer)
            && self.writing.is_level(self.newest)
    }
}
