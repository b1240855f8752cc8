//! A Redis connection in pieces: each command, each reply and each message that is pushed by itself.
//!
//! ```text
//! GET a  INCR b  MULTI … ─▶ Request 1, Request 2, …          in `due` until their replies have come
//! $1 v   :2      +OK     ◀─ Reply 1,   Reply 2, …            the oldest first; an answered one is passed over
//! >3 message …           ◀─ Message
//! ```
//! What is said in the server's place stands in `stand_in.rs`.

use super::alone::Then;
use super::answer::Shape;
use super::command::{Feed, Kind, Replies, Words, kind_of};
use super::connection::{Mode, Push, Subscribed, is_monitored, last_number, push_kind};
use super::feeds::Feeds;
use super::framing::{Sender, Values};
use super::reading::{Kept, Part};
use crate::conversation::{Direction, Limits, Surprise};
use crate::pending::Pending;
use crate::splitter::{Behind, Call, Of, Piece, Splitting};
use std::collections::VecDeque;

/// Cuts one connection.
pub(super) struct Cutter {
    pub(super) limits: Limits,
    pub(super) behind: Behind,
    pub(super) n_calls: Call,
    pub(super) commands: Lane,
    pub(super) replies: Lane,
    /// Commands without their reply, the oldest first.
    pub(super) due: VecDeque<Due>,
    /// Commands whose reply has just come, which may be answered all the same.
    pub(super) past: Vec<(Call, Shape)>,
    pub(super) mode: Mode,
    /// Inside MULTI, as far as was asked.
    pub(super) in_multi: bool,
    pub(super) subscribed: Subscribed,
    pub(super) feeds: Feeds,
    wanted: Replies,
    /// What the queued commands of a transaction were answered, where nobody is behind; none for one that was refused.
    pub(super) results: Vec<(Call, Option<Vec<u8>>)>,
    /// What is to be told with the next bytes.
    pub(super) loose: Vec<Piece>,
}

/// One direction.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) pending: Pending,
    values: Values,
    /// What becomes of the rest of a value that is too large to be gathered.
    passing: Passing,
}

impl Lane {
    /// Is nothing kept, in the middle of nothing?
    pub(super) fn is_empty(&self) -> bool {
        self.passing == Passing::Gathered
            && !self.values.is_within()
            && self.pending.seen().is_empty()
            && self.pending.unseen().is_empty()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Passing {
    /// Nothing has come out of it.
    #[default]
    Gathered,
    Call(Call),
    Rest,
    /// Nobody sees it.
    Unseen,
}

/// A command without its reply.
pub(super) struct Due {
    pub(super) call: Option<Call>,
    pub(super) kind: Kind,
    pub(super) shape: Shape,
    pub(super) fate: Fate,
    /// It was sent inside MULTI.
    pub(super) queued: bool,
    /// Confirmations that came so far; or the answer that was said here, while its turn has not come.
    pub(super) gathered: Vec<u8>,
    /// Some of them were told.
    has_begun: bool,
    /// What is to be said once it is answered, where nobody is behind.
    pub(super) then: Vec<Then>,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is told as a reply to its call.
    Told,
    /// It belongs to what was asked before the splitter began.
    Rest,
    /// Nobody sees it.
    Unseen,
    /// There is none: the command was answered in the server's place.
    None,
}

impl Cutter {
    /// Begins with what commands made of the connection so far. `n_waiting` commands of `kinds` still wait.
    pub(super) fn new(
        splitting: Splitting,
        mode: Mode,
        (subscribed, mut feeds): (Subscribed, Feeds),
        wanted: Replies,
        waiting: impl Iterator<Item = Kind>,
    ) -> Self {
        let due = waiting.map(|kind| Due { fate: Fate::Rest, ..Due::new(None, kind) });
        feeds.are_at_least(subscribed.n_all());
        Self {
            limits: splitting.limits,
            behind: splitting.behind,
            n_calls: 0,
            commands: Lane::default(),
            replies: Lane::default(),
            due: due.collect(),
            past: Vec::new(),
            in_multi: mode.in_transaction,
            mode,
            subscribed,
            feeds,
            wanted,
            results: Vec::new(),
            loose: Vec::new(),
        }
    }

    pub(super) fn commands(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        while !self.commands.pending.unseen().is_empty() {
            let lane = &mut self.commands;
            let (n_taken, is_whole) =
                lane.values.advance(lane.pending.unseen(), Sender::Client, self.limits)?;
            lane.pending.see(n_taken);
            if !is_whole && lane.pending.seen().len() <= self.limits.kept_body {
                continue;
            }
            let to = Direction::ToProvider;
            match lane.passing {
                Passing::Gathered => self.asked(is_whole, out)?,
                Passing::Call(call) => {
                    out.push(Piece {
                        to,
                        bytes: lane.pending.take(),
                        of: Of::More { call, whole: is_whole },
                    });
                }
                Passing::Rest | Passing::Unseen => {
                    out.push(Piece { to, bytes: lane.pending.take(), of: Of::Rest });
                }
            }
            if is_whole {
                self.commands.passing = Passing::Gathered;
            }
        }
        Ok(())
    }

    /// A command is whole, or as much of it as is gathered.
    fn asked(&mut self, is_whole: bool, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let seen = self.commands.pending.seen();
        let mut kind = kind_of(seen);
        let shape = Shape::of(Words::new(seen).next().unwrap_or_default());
        let to = Direction::ToProvider;
        match kind {
            Kind::Nothing => {
                out.push(Piece { to, bytes: self.commands.pending.take(), of: Of::Rest });
                return Ok(());
            }
            Kind::Replicates => return Err(Surprise::new("replication")),
            _ => {}
        }
        if self.due.len() >= self.limits.n_open {
            return Err(Surprise::new("too many commands without a reply"));
        }
        let has_reply = self.has_reply(kind);
        let bytes = self.commands.pending.take();
        if self.behind == Behind::Nobody
            && is_whole
            && let Some(then) = self.alone(kind, &bytes)
        {
            out.push(Piece { to, bytes, of: Of::Rest });
            if has_reply {
                self.say(then, out);
            }
            return Ok(());
        }
        let queued = self.in_multi && !matches!(kind, Kind::BeginsTransaction | Kind::EndsTransaction);
        match kind {
            Kind::BeginsTransaction => self.in_multi = true,
            Kind::EndsTransaction | Kind::Resets => self.in_multi = false,
            // Inside a transaction each has one reply at once.
            Kind::Waits | Kind::Subscribes(_) | Kind::Unsubscribes(..) if queued => kind = Kind::Call,
            _ => {}
        }
        let call = self.next_call();
        let awaited = has_reply && !matches!(kind, Kind::Waits) && !is_about_subscriptions(kind);
        let read = Box::new(Kept::new(Part::Request, &bytes, self.limits, is_whole));
        out.push(Piece { to, bytes, of: Of::Request { call, whole: is_whole, awaited, read } });
        if !is_whole {
            self.commands.passing = Passing::Call(call);
        }
        if has_reply {
            if queued && self.behind == Behind::Nobody {
                self.results.push((call, None));
            }
            self.due.push_back(Due { shape, queued, ..Due::new(Some(call), kind) });
        } else {
            self.ended(call, shape);
            let read = Box::new(Kept::new(Part::Reply(shape), &[], self.limits, true));
            let of = Of::Reply { call, whole: true, awaited: false, read };
            out.push(Piece { to: Direction::ToConsumer, bytes: Vec::new(), of });
        }
        Ok(())
    }

    /// Has the consumer got a part of something?
    pub(super) fn is_within_reply(&self) -> bool {
        matches!(self.replies.passing, Passing::Call(_) | Passing::Rest)
    }

    fn next_call(&mut self) -> Call {
        self.n_calls += 1;
        self.n_calls
    }

    /// Does a command have replies, as CLIENT REPLY says?
    fn has_reply(&mut self, kind: Kind) -> bool {
        let wanted = self.wanted;
        if let Kind::Replies(replies) = kind {
            self.wanted = replies;
            return replies == Replies::On;
        }
        if wanted == Replies::Skip {
            self.wanted = Replies::On;
        }
        wanted == Replies::On
    }

    pub(super) fn replies(&mut self, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        while !self.replies.pending.unseen().is_empty() {
            let lane = &mut self.replies;
            let (n_taken, is_whole) =
                lane.values.advance(lane.pending.unseen(), Sender::Server, self.limits)?;
            lane.pending.see(n_taken);
            if is_whole || lane.pending.seen().len() > self.limits.kept_body {
                self.value(is_whole, out)?;
            }
        }
        Ok(())
    }

    /// A value is whole, or as much of it as is gathered.
    fn value(&mut self, is_whole: bool, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let to = Direction::ToConsumer;
        match self.replies.passing {
            Passing::Gathered => self.answered(is_whole, out)?,
            Passing::Call(call) => {
                let bytes = self.replies.pending.take();
                out.push(Piece { to, bytes, of: Of::More { call, whole: is_whole } });
            }
            Passing::Rest => out.push(Piece { to, bytes: self.replies.pending.take(), of: Of::Rest }),
            Passing::Unseen => drop(self.replies.pending.take()),
        }
        if is_whole {
            self.replies.passing = Passing::Gathered;
            self.pass_gone(out);
        }
        Ok(())
    }

    /// The beginning of a value: a push, a confirmation, or the reply to the oldest command.
    fn answered(&mut self, is_whole: bool, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.pass_gone(out);
        let value = self.replies.pending.seen();
        let first = value.first().copied().unwrap_or_default();
        let confirms = self.due.front().is_some_and(|due| is_about_subscriptions(due.kind));
        let push = match first {
            b'>' => Some(push_kind(value)),
            b'*' if !self.mode.is_resp3 && (confirms || self.subscribed.n_all() > 0) => {
                Some(push_kind(value))
            }
            b'+' if self.mode.monitors && is_monitored(value) => Some(Push::Other),
            _ => None,
        };
        match push {
            None => self.replied(is_whole, out),
            // An array in RESP2 that is none of these is a reply.
            Some(Push::Other) if first == b'*' => self.replied(is_whole, out),
            Some(Push::Confirmation(feed)) if confirms && is_whole => {
                self.confirmed(feed, out);
                Ok(())
            }
            Some(_) => {
                self.pushed(is_whole, out);
                Ok(())
            }
        }
    }

    /// A message is told whole. One that is too large to be gathered passes as it is.
    fn pushed(&mut self, is_whole: bool, out: &mut Vec<Piece>) {
        if !is_whole && self.replies.pending.seen().len() < self.limits.kept_open {
            return;
        }
        self.let_out_confirmations(out);
        let bytes = self.replies.pending.take();
        let of = if is_whole {
            let read = Box::new(Kept::new(Part::Push, &bytes, self.limits, true));
            Of::Message { call: None, read }
        } else {
            self.replies.passing = Passing::Rest;
            Of::Rest
        };
        out.push(Piece { to: Direction::ToConsumer, bytes, of });
    }

    fn replied(&mut self, is_whole: bool, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let is_error = matches!(self.replies.pending.seen().first(), Some(b'-' | b'!'));
        let Some(mut due) = self.due.pop_front() else {
            if !is_error || !is_whole {
                return Err(Surprise::new("a reply that nobody asked for"));
            }
            // A server that refuses the connection says so unasked.
            let bytes = self.replies.pending.take();
            out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
            return Ok(());
        };
        self.changed(due.kind, is_error);
        let mut bytes = std::mem::take(&mut due.gathered);
        bytes.append(&mut self.replies.pending.take());
        self.tell(&due, bytes, is_whole, out);
        if is_whole {
            self.pass_gone(out);
        }
        Ok(())
    }

    /// Passes over what was answered here. Where that had to wait for its turn, it is said now.
    fn pass_gone(&mut self, out: &mut Vec<Piece>) {
        while self.due.front().is_some_and(|due| due.fate == Fate::None) {
            let held = self.due.pop_front().map(|due| due.gathered).unwrap_or_default();
            if !held.is_empty() {
                out.push(Piece { to: Direction::ToConsumer, bytes: held, of: Of::Rest });
            }
        }
    }

    /// What a command changed on the connection.
    pub(super) fn changed(&mut self, kind: Kind, is_error: bool) {
        match kind {
            Kind::BeginsTransaction if is_error && !self.mode.in_transaction => {
                // What follows is executed one by one.
                self.in_multi = false;
                let in_it = self.due.iter_mut().take_while(|due| due.kind != Kind::EndsTransaction);
                in_it.for_each(|due| due.queued = false);
            }
            Kind::EndsTransaction => self.mode.in_transaction = false,
            _ if is_error => {}
            Kind::BeginsTransaction => self.mode.in_transaction = true,
            Kind::Hello(Some(version)) => self.mode.is_resp3 = version >= 3,
            Kind::Monitors => self.mode.monitors = true,
            Kind::Resets => {
                (self.mode, self.subscribed) = (Mode::default(), Subscribed::default());
                self.feeds.clear();
            }
            _ => {}
        }
    }

    /// One of the confirmations that the oldest command asked for.
    fn confirmed(&mut self, feed: Feed, out: &mut Vec<Piece>) {
        let value = self.replies.pending.take();
        self.note(feed, &value);
        let n_left = self.subscribed.of(feed);
        let Some(due) = self.due.front_mut() else { return };
        due.gathered.extend_from_slice(&value);
        let goes_on = match &mut due.kind {
            Kind::Subscribes(n_due) | Kind::Unsubscribes(_, n_due) if *n_due > 0 => {
                *n_due -= 1;
                *n_due > 0
            }
            _ => n_left > 0,
        };
        if !goes_on {
            let bytes = std::mem::take(&mut due.gathered);
            if let Some(due) = self.due.pop_front() {
                self.tell(&due, bytes, true, out);
                self.pass_gone(out);
            }
        } else if due.gathered.len() > self.limits.kept_body {
            self.let_out_confirmations(out);
        }
    }

    /// The confirmations that came so far are told, and the rest follows: there are very many, or something else is said
    /// in between.
    fn let_out_confirmations(&mut self, out: &mut Vec<Piece>) {
        let Some(due) = self.due.front_mut() else { return };
        if due.gathered.is_empty() || due.fate == Fate::None {
            return;
        }
        let bytes = std::mem::take(&mut due.gathered);
        if let Some(due) = self.due.pop_front() {
            self.tell(&due, bytes, false, out);
            self.due.push_front(Due { has_begun: true, ..due });
        }
    }

    /// Remembers what a confirmation says.
    pub(super) fn note(&mut self, feed: Feed, value: &[u8]) {
        // The third field counts what there is then: channels and patterns together, shards by themselves.
        if let Some(count) = last_number(value) {
            self.subscribed.now(feed, count);
        }
        self.feeds.note(feed, value);
    }

    /// A reply, or its beginning.
    fn tell(&mut self, due: &Due, bytes: Vec<u8>, is_whole: bool, out: &mut Vec<Piece>) {
        let is_confirmed = is_about_subscriptions(due.kind);
        let of = match (due.fate, due.call) {
            (Fate::Told, Some(call)) if due.has_begun => Of::More { call, whole: is_whole },
            (Fate::Told, Some(call)) => {
                self.ended(call, due.shape);
                let part = Part::Reply(due.shape);
                let read = Box::new(Kept::new(part, &bytes, self.limits, is_whole));
                Of::Reply { call, whole: is_whole, awaited: true, read }
            }
            (Fate::Rest, _) | (Fate::Told, None) => Of::Rest,
            (Fate::Unseen | Fate::None, _) => {
                if !is_whole && !is_confirmed {
                    self.replies.passing = Passing::Unseen;
                }
                return;
            }
        };
        if !is_whole && !is_confirmed {
            self.replies.passing = due.call.map_or(Passing::Rest, Passing::Call);
        }
        out.push(Piece { to: Direction::ToConsumer, bytes, of });
    }

    fn ended(&mut self, call: Call, shape: Shape) {
        self.past.push((call, shape));
    }

    /// Says something behind the answers that are still owed.
    pub(super) fn say(&mut self, then: Then, out: &mut Vec<Piece>) {
        if let Some(last) = self.due.back_mut() {
            last.then.push(then);
            return;
        }
        let mut bytes = Vec::new();
        self.say_now(vec![then], None, &mut bytes);
        out.push(Piece { to: Direction::ToConsumer, bytes, of: Of::Rest });
    }
}

impl Due {
    /// A command of ours, whose reply nobody sees.
    pub(super) fn unseen() -> Self {
        Self { fate: Fate::Unseen, ..Self::new(None, Kind::Call) }
    }

    fn new(call: Option<Call>, kind: Kind) -> Self {
        let (gathered, then) = (Vec::new(), Vec::new());
        let fate = Fate::Told;
        Self { call, kind, shape: Shape::Any, fate, queued: false, gathered, has_begun: false, then }
    }
}

pub(super) fn is_about_subscriptions(kind: Kind) -> bool {
    matches!(kind, Kind::Subscribes(_) | Kind::Unsubscribes(..))
}
