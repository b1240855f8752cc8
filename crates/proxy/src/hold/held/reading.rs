//! What comes from either side: read, cut into pieces, and each given to whoever decides about its kind.

use super::{Ended, Held};
use crate::faults::{Effect, Moment};
use crate::hold::fates::Fate;
use crate::hold::lane::Act;
use crate::hold::rule::{By, Rule};
use crate::hold::verdict::{About, Case, Verdict, WHOLE, What, decide};
use crate::observer::Seen;
use crate::relay::Over;
use crate::stand::Upstream;
use crate::tap::Opening;
use seam_wire::{Call, Captured, Direction, Of, Piece, Rest, Splitter};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Room for so many pieces is kept.
const MOST_SPARE: usize = 16;

impl Held {
    /// Reads what one side sends, and decides about it. Gives what has come of TLS where its consumer begins to speak it.
    pub(super) fn read(&mut self, direction: Direction) -> Result<Option<Vec<u8>>, Ended> {
        // What was put on the seam before these bytes were sent strikes them.
        if self.with.state.has_changed().unwrap_or(false) {
            self.apply_state()?;
        }
        if direction == Direction::ToProvider && self.order.is_empty() && !self.provider_ended {
            // A provider who is leaving has left before anything more is asked.
            match self.take(Direction::ToConsumer)? {
                Some(bytes) if bytes.is_empty() => self.side_ended(Direction::ToConsumer)?,
                Some(bytes) => self.cut(Direction::ToConsumer, &bytes)?,
                None => {}
            }
        }
        let Some(bytes) = self.take(direction)? else { return Ok(None) };
        if bytes.is_empty() {
            return self.side_ended(direction).map(|()| None);
        }
        for rule in std::mem::take(&mut self.unstruck) {
            rule.struck();
            self.tell_struck(&rule);
        }
        if direction == Direction::ToProvider {
            let opening = self.with.tap.borrow_mut().opening(direction, &bytes);
            match opening {
                None => {}
                Some(Opening::Say(answer)) => {
                    let _ = self.with.consumer.try_write(answer);
                    return Ok(None);
                }
                Some(Opening::Encrypt(answer)) => {
                    let _ = self.with.consumer.try_write(answer);
                    return Ok(Some(if answer.is_empty() { bytes } else { Vec::new() }));
                }
            }
            self.with.tap.borrow_mut().saw(direction, &bytes);
        }
        self.cut(direction, &bytes).map(|()| None)
    }

    /// What one side has sent by now; nothing of it at its end, none where nothing has come.
    fn take(&mut self, direction: Direction) -> Result<Option<Vec<u8>>, Ended> {
        let mut buffer = self.with.scratch.borrow_mut();
        let from = match direction {
            Direction::ToProvider => Some(&self.with.consumer),
            Direction::ToConsumer => self.with.provider.as_ref(),
        };
        match from.map(|from| from.try_read(&mut buffer)) {
            None => Ok(None),
            Some(Ok(n_read)) => Ok(Some(buffer[..n_read].to_vec())),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Some(Err(_)) => {
                self.with.tap.borrow_mut().reset_by(direction);
                Err(Ended(Over::Reset))
            }
        }
    }

    /// May calls overtake each other? Known once bytes have passed.
    pub(super) fn multiplexes(&self) -> bool {
        self.with.splitter.as_ref().is_some_and(|splitter| splitter.multiplexes())
    }

    pub(super) fn cut(&mut self, direction: Direction, bytes: &[u8]) -> Result<(), Ended> {
        let Some(splitter) = &mut self.with.splitter else {
            return self.pass_bytes(direction, bytes.to_vec());
        };
        let mut pieces = std::mem::take(&mut self.spare);
        let cut = splitter.cut(direction, bytes, &mut pieces);
        if splitter.multiplexes() {
            self.up.lose_order();
            self.down.lose_order();
        }
        self.take_in(pieces)?;
        let Err(surprise) = cut else { return Ok(()) };
        let Some(mut splitter) = self.with.splitter.take() else { return Ok(()) };
        let (seam, connection) = (self.with.seam.0, self.with.connection);
        let reason = surprise.reason.into_owned();
        self.with.observer.tell(Seen::Degraded { seam, connection, reason });
        self.up.keep_order();
        self.down.keep_order();
        for direction in [Direction::ToProvider, Direction::ToConsumer] {
            self.push_rest(&mut *splitter, direction);
        }
        Ok(())
    }

    /// What a splitter still keeps of a direction goes out behind all pieces that it has told.
    fn push_rest(&mut self, splitter: &mut dyn Splitter, direction: Direction) {
        let lane = self.lane(direction);
        lane.see_off_all(|bytes| splitter.passes(direction, bytes));
        lane.push_seen_off(splitter.take_rest(direction), Instant::now());
    }

    /// Bytes of which nothing is known: rules that need no more than that strike them.
    pub(super) fn pass_bytes(&mut self, direction: Direction, bytes: Vec<u8>) -> Result<(), Ended> {
        let mut due = Instant::now();
        if direction == Direction::ToProvider {
            let read: Box<dyn Captured> = Box::new(seam_wire::Read(seam_wire::Parts::default()));
            let verdict = self.decide(&bytes, Moment::Request, WHOLE, read);
            due += verdict.wait;
            if let Some((What::Fault(effect), rule)) = verdict.what {
                match effect {
                    Effect::Hang => {
                        self.hung.push(None, rule, seam_wire::Passed::Nowhere);
                        return Ok(());
                    }
                    Effect::Reset(_) | Effect::ResetAfter(_) | Effect::LoseReply(_) => {
                        self.with.tap.borrow_mut().reset_by_fault();
                        return Err(Ended(Over::Reset));
                    }
                    Effect::Cut(time) => {
                        self.cut_seam(direction, time, &rule);
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
        if self.hung.is_empty() {
            self.lane(direction).push(Act::Bytes(bytes, 0), due, None);
        }
        Ok(())
    }

    pub(super) fn take_in(&mut self, mut pieces: Vec<Piece>) -> Result<(), Ended> {
        for piece in pieces.drain(..) {
            // Nothing that was said behind a cut passes.
            if self.is_cut || (!self.hung.is_empty() && !self.multiplexes()) {
                continue;
            }
            self.take_in_one(piece)?;
        }
        if pieces.capacity() <= MOST_SPARE {
            self.spare = pieces;
        }
        Ok(())
    }

    /// The seam is cut, this connection with all others, once what was said in that direction before is written.
    pub(super) fn cut_seam(&mut self, to: Direction, time: Duration, rule: &Arc<Rule>) {
        self.with.leads.cut(&self.with.seam.1, time, rule);
        self.lane(to).push(Act::Reset, Instant::now(), Some(By::Fault(Arc::clone(rule))));
        self.is_cut = true;
    }

    pub(super) fn take_in_one(&mut self, piece: Piece) -> Result<(), Ended> {
        if piece.to == Direction::ToProvider && self.streams.parks() && !self.multiplexes() {
            self.streams.park(piece);
            return Ok(());
        }
        let Piece { to, bytes, of } = piece;
        // Mostly nobody wants to know it.
        let now = Instant::now;
        match of {
            // Where nobody hears it no rule has anything to strike, either.
            Of::Begun { call, .. } if self.is_left && to == Direction::ToProvider => {
                self.goes_on((to, call), Rest::Passes)
            }
            Of::Request { .. } if self.is_left => {
                self.up.push(Act::Bytes(bytes, 0), now(), None);
                Ok(())
            }
            Of::Rest => {
                self.lane(to).push(Act::Bytes(bytes, 0), now(), None);
                Ok(())
            }
            Of::Request { call, whole, awaited, read } => {
                if awaited {
                    self.order.push_back(call);
                }
                self.request(call, bytes, whole, read)
            }
            Of::Reply { call, whole, awaited, read } => self.reply(call, bytes, (whole, awaited), read),
            Of::Begun { call, read } if to == Direction::ToProvider => self.request_begins(call, read),
            Of::Begun { call, read } => self.reply_begins(call, read),
            Of::Told { call, read } => {
                self.told(call, read);
                Ok(())
            }
            Of::Message { call, read } => self.message(to, call, bytes, read),
            Of::More { call, whole } => self.more(to, call, bytes, whole),
            Of::UnderWay { call, whole, awaited, read } => {
                self.under_way(call, (whole, awaited), read);
                Ok(())
            }
            Of::Broken { call, .. } => {
                let goes_on = self.fates.of(call) != Some(Fate::Dropped);
                if goes_on || to == Direction::ToConsumer {
                    self.lane(to).push(Act::Bytes(bytes, 0), now(), None);
                }
                self.decided.remove(&call);
                self.unmet.remove(&call);
                self.ready.remove(&call);
                self.streams.forget(call);
                self.hung.forget(call);
                self.answered(call);
                Ok(())
            }
        }
    }

    /// A call is under way whose request has passed: no rule strikes that any more, but what still comes of it.
    fn under_way(&mut self, call: Call, (whole, awaited): (bool, bool), read: Option<Box<dyn Captured>>) {
        if awaited {
            self.order.push_back(call);
        }
        let looks_at_replies = self.with.state.borrow().looks_at_replies();
        let asked = read.filter(|_| looks_at_replies).map(|read| read.read().request);
        self.fates.begin(call, whole, asked);
    }

    pub(super) fn decide(
        &mut self,
        bytes: &[u8],
        moment: Moment,
        about: About<'_>,
        read: Box<dyn Captured>,
    ) -> Verdict {
        let rules = Arc::clone(&self.with.state.borrow().rules);
        let verdict = decide(&rules, &self.case(bytes, moment, about), read);
        let is_changed = !verdict.changes.is_empty() || !verdict.carried.is_empty();
        let is_let_be = verdict.what.is_none() && verdict.after.is_none() && !is_changed;
        self.is_touched |= !is_let_be || verdict.twice.is_some();
        for rule in &verdict.struck {
            self.strikes(rule);
        }
        verdict
    }

    /// What is to be decided about.
    pub(super) fn case<'a>(&'a self, bytes: &'a [u8], moment: Moment, about: About<'a>) -> Case<'a> {
        let leads_somewhere = self.with.state.borrow().upstream != Upstream::Nowhere;
        Case {
            seam: &self.with.seam.1,
            protocol: self.with.protocol.name(),
            says_texts: self.with.protocol.says_texts(),
            at: self.with.observer.pulse().now(),
            bytes,
            moment,
            about,
            is_bytes: self.with.splitter.is_none(),
            has_provider: self.with.provider.is_some() || leads_somewhere,
        }
    }

    pub(super) fn strikes(&self, rule: &Arc<Rule>) {
        self.tell_struck(rule);
        self.with.tap.borrow_mut().harmed(By::Fault(Arc::clone(rule)));
    }

    pub(super) fn tell_struck(&self, rule: &Arc<Rule>) {
        self.with.observer.tell(Seen::Struck { seam: self.with.seam.0, rule: Arc::clone(rule) });
    }

    pub(super) fn side_ended(&mut self, direction: Direction) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.ended(direction, &mut pieces);
        }
        self.take_in(pieces)?;
        if let Some(mut splitter) = self.with.splitter.take() {
            self.push_rest(&mut *splitter, direction);
            self.with.splitter = Some(splitter);
        }
        match direction {
            Direction::ToProvider => {
                self.consumer_ended = true;
                self.with.tap.borrow_mut().ended_in_order(direction);
                self.up.push(Act::End, Instant::now() + self.close_after, None);
                if self.provider_ended && self.may_end() {
                    self.end_to_consumer();
                }
            }
            Direction::ToConsumer => {
                self.provider_ended = true;
                // What somebody else is asked for is still to be said, and what a stub says bit by bit.
                if self.may_end() {
                    self.end_to_consumer();
                }
            }
        }
        Ok(())
    }

    /// Nothing more is said to the consumer.
    pub(super) fn end_to_consumer(&mut self) {
        self.is_left = true;
        if self.hung.is_empty() {
            self.down.push(Act::End, Instant::now() + self.close_after, None);
        }
    }
}
