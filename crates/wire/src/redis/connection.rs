//! One Redis connection: commands queue up, replies go to the oldest, pushes to nobody.

use super::command::{Feed, Kind, Replies, Words, kind_of};
use super::feeds::Feeds;
use super::framing::{Sender, Values};
use super::reading::RedisExchange;
use super::splitter::Cutter;
use crate::conversation::{
    Conversation, Direction, End, Exchange, Limits, Position, Surprise, why_unfinished,
};
use crate::kept::Room;
use crate::splitter::{Splitter, Splitting};
use seam_event::InteractionError;
use std::collections::VecDeque;
use std::time::Duration;

/// One connection while it passes.
pub(super) struct Connection {
    limits: Limits,
    room: Room,
    commands: Values,
    replies: Values,
    /// The command that is passing.
    command: Open,
    /// Commands without their reply, the oldest first.
    awaited: VecDeque<Open>,
    /// How many of them somebody waits for.
    n_calls: usize,
    value: Passing,
    subscribed: Subscribed,
    feeds: Feeds,
    mode: Mode,
    wanted: Replies,
    consumer_ended: bool,
}

/// A command with what there is of its replies.
struct Open {
    began: Duration,
    kind: Kind,
    kept: RedisExchange,
}

/// The value that is passing from the server, until it is known what it is.
#[derive(Default)]
struct Passing {
    began: Duration,
    bytes: Vec<u8>,
    is_cut: bool,
}

/// What commands made of the connection, until RESET.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    /// RESP3, in which a push can be told from a reply.
    pub(super) is_resp3: bool,
    pub(super) monitors: bool,
    pub(super) in_transaction: bool,
}

/// How many subscriptions there are of each sort.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subscribed {
    channels: i64,
    patterns: i64,
    shards: i64,
}

impl Connection {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            room: Room::new(limits),
            commands: Values::default(),
            replies: Values::default(),
            command: Open::new(Duration::ZERO),
            awaited: VecDeque::new(),
            n_calls: 0,
            value: Passing::default(),
            subscribed: Subscribed::default(),
            feeds: Feeds::default(),
            mode: Mode::default(),
            wanted: Replies::On,
            consumer_ended: false,
        }
    }

    fn values(&self, direction: Direction) -> &Values {
        match direction {
            Direction::ToProvider => &self.commands,
            Direction::ToConsumer => &self.replies,
        }
    }

    fn command_bytes(
        &mut self,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        if !self.commands.is_within() {
            self.command = Open::new(at);
        }
        let (n_taken, is_whole) = self.commands.advance(bytes, Sender::Client, self.limits)?;
        let kept = &mut self.command.kept;
        let n_kept = self.room.keep_body(&mut kept.bytes, &bytes[..n_taken], self.limits.kept_body);
        kept.cut |= n_kept < n_taken;
        if is_whole {
            kept.request_end = kept.bytes.len();
            let command = std::mem::replace(&mut self.command, Open::new(at));
            self.asked(command, at, out)?;
        }
        Ok(n_taken)
    }

    /// A command is whole.
    fn asked(&mut self, mut command: Open, at: Duration, out: &mut Vec<Exchange>) -> Result<(), Surprise> {
        command.kind = kind_of(command.kept.request());
        let wanted = self.wanted;
        match command.kind {
            Kind::Nothing => {
                self.room.give_back(command.kept.bytes.len());
                return Ok(());
            }
            Kind::Replicates => return Err(Surprise::new("replication")),
            Kind::Replies(replies) => self.wanted = replies,
            _ if wanted == Replies::Skip => self.wanted = Replies::On,
            _ => {}
        }
        let has_reply = match command.kind {
            Kind::Replies(replies) => replies == Replies::On,
            _ => wanted == Replies::On,
        };
        if !has_reply {
            self.tell(command, Some(at), None, out);
            return Ok(());
        }
        if self.awaited.len() >= self.limits.n_open {
            return Err(Surprise::new("too many commands without a reply"));
        }
        self.n_calls += usize::from(command.is_call());
        self.awaited.push_back(command);
        Ok(())
    }

    fn pop(&mut self) -> Option<Open> {
        let command = self.awaited.pop_front()?;
        self.n_calls -= usize::from(command.is_call());
        Some(command)
    }

    fn reply_bytes(
        &mut self,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        if !self.replies.is_within() {
            (self.value.began, self.value.is_cut) = (at, false);
        }
        let (n_taken, is_whole) = self.replies.advance(bytes, Sender::Server, self.limits)?;
        let bytes = &bytes[..n_taken];
        if is_whole && self.value.bytes.is_empty() {
            // As nearly always: the value is all here, and is kept where it belongs without a detour.
            self.answered(bytes, at, out)?;
        } else {
            let n_kept = self.room.keep_body(&mut self.value.bytes, bytes, self.limits.kept_body);
            self.value.is_cut |= n_kept < bytes.len();
            if is_whole {
                let value = std::mem::take(&mut self.value.bytes);
                self.room.give_back(value.len());
                self.answered(&value, at, out)?;
            }
        }
        Ok(n_taken)
    }

    /// A value is whole: a push, a confirmation, or the reply to the oldest command.
    fn answered(&mut self, value: &[u8], at: Duration, out: &mut Vec<Exchange>) -> Result<(), Surprise> {
        let kind = value.first().copied().unwrap_or_default();
        let push = match kind {
            b'>' => Some(push_kind(value)),
            b'*' if !self.mode.is_resp3 && self.may_be_pushed() => Some(push_kind(value)),
            b'+' if self.mode.monitors && is_monitored(value) => Some(Push::Other),
            _ => None,
        };
        let confirms = self.awaited.front().is_some_and(Open::is_about_subscriptions);
        match push {
            Some(Push::Confirmation(feed)) if confirms => {
                self.confirmed(feed, value, at, out);
                Ok(())
            }
            // An array in RESP2 that is none of these is a reply.
            Some(Push::Other) if kind == b'*' => self.replied(value, at, out),
            Some(Push::Confirmation(_) | Push::Message | Push::Other) => {
                let mut push = Open::new(self.value.began);
                push.kept.is_push = true;
                self.keep_reply(&mut push, value);
                self.tell(push, Some(at), None, out);
                Ok(())
            }
            None => self.replied(value, at, out),
        }
    }

    fn may_be_pushed(&self) -> bool {
        self.subscribed.n_all() > 0 || self.awaited.front().is_some_and(Open::is_about_subscriptions)
    }

    fn replied(&mut self, value: &[u8], at: Duration, out: &mut Vec<Exchange>) -> Result<(), Surprise> {
        let is_error = matches!(value.first(), Some(b'-' | b'!'));
        let mut command = match self.pop() {
            Some(command) => command,
            // A server that refuses the connection says so unasked.
            None if is_error => Open::new(self.value.began),
            None => return Err(Surprise::new("a reply that nobody asked for")),
        };
        match command.kind {
            _ if is_error && command.kind != Kind::EndsTransaction => {}
            Kind::BeginsTransaction => self.mode.in_transaction = true,
            Kind::EndsTransaction => self.mode.in_transaction = false,
            Kind::Hello(Some(version)) => self.mode.is_resp3 = version >= 3,
            Kind::Monitors => self.mode.monitors = true,
            Kind::Resets => {
                (self.mode, self.subscribed) = (Mode::default(), Subscribed::default());
                self.feeds.clear();
            }
            _ => {}
        }
        self.keep_reply(&mut command, value);
        self.tell(command, Some(at), None, out);
        Ok(())
    }

    /// One of the confirmations that the oldest command asked for.
    fn confirmed(&mut self, feed: Feed, value: &[u8], at: Duration, out: &mut Vec<Exchange>) {
        // The third field counts what there is then: channels and patterns together, shards by themselves.
        if let Some(count) = last_number(value) {
            self.subscribed.now(feed, count);
        }
        self.feeds.note(feed, value);
        let n_left = self.subscribed.of(feed);
        let Some(mut command) = self.pop() else { return };
        self.keep_reply(&mut command, value);
        let goes_on = match &mut command.kind {
            Kind::Subscribes(n_due) | Kind::Unsubscribes(_, n_due) if *n_due > 0 => {
                *n_due -= 1;
                *n_due > 0
            }
            _ => n_left > 0,
        };
        if goes_on {
            self.n_calls += usize::from(command.is_call());
            self.awaited.push_front(command);
        } else {
            self.tell(command, Some(at), None, out);
        }
    }

    fn keep_reply(&mut self, command: &mut Open, value: &[u8]) {
        let kept = &mut command.kept;
        let most = kept.request_end.saturating_add(self.limits.kept_body);
        let n_kept = self.room.keep_body(&mut kept.bytes, value, most);
        kept.cut |= n_kept < value.len() || self.value.is_cut;
    }

    fn tell(
        &mut self,
        command: Open,
        ended: Option<Duration>,
        error: Option<InteractionError>,
        out: &mut Vec<Exchange>,
    ) {
        self.room.give_back(command.kept.bytes.len());
        out.push(Exchange {
            call: None,
            began: command.began,
            ended,
            error,
            cut: command.kept.cut,
            captured: Box::new(command.kept),
        });
    }
}

impl Conversation for Connection {
    fn step(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        out: &mut Vec<Exchange>,
    ) -> Result<usize, Surprise> {
        match direction {
            Direction::ToProvider => self.command_bytes(bytes, at, out),
            Direction::ToConsumer => self.reply_bytes(bytes, at, out),
        }
    }

    fn end(&mut self, direction: Direction, how: End, _at: Duration, out: &mut Vec<Exchange>) {
        if direction == Direction::ToProvider && how == End::Fin {
            self.consumer_ended = true;
            return;
        }
        let error = why_unfinished(how, self.consumer_ended && !self.commands.is_within());
        if self.commands.is_within() {
            let mut command = std::mem::replace(&mut self.command, Open::new(Duration::ZERO));
            command.kept.request_end = command.kept.bytes.len();
            command.kept.cut = true;
            self.commands = Values::default();
            self.awaited.push_back(command);
        }
        self.room.give_back(std::mem::take(&mut self.value.bytes).len());
        for command in std::mem::take(&mut self.awaited) {
            // Who only waited for something to come has missed nothing.
            let error = if command.is_call() { error } else { None };
            self.tell(command, None, error, out);
        }
        self.n_calls = 0;
    }

    fn unfinished(&self) -> Vec<Exchange> {
        let calls = self.awaited.iter().filter(|command| command.is_call());
        let told = calls.map(|Open { began, kept, .. }| Exchange {
            call: None,
            began: *began,
            ended: None,
            error: None,
            cut: kept.cut,
            captured: Box::new(kept.clone()),
        });
        told.collect()
    }

    fn n_open(&self) -> usize {
        self.n_calls + usize::from(self.commands.is_within())
    }

    fn n_to_split(&self, direction: Direction) -> Option<usize> {
        let values = self.values(direction);
        values.is_within().then(|| usize::try_from(values.bulk_left()).unwrap_or(usize::MAX).max(1))
    }

    fn position(&self, direction: Direction) -> Position {
        let values = self.values(direction);
        if values.is_within() { Position::Body } else { Position::Between }
    }

    fn passable(&self, direction: Direction) -> u64 {
        let (values, n_kept) = match direction {
            Direction::ToProvider => (&self.commands, self.command.kept.bytes.len()),
            Direction::ToConsumer => (&self.replies, self.value.bytes.len()),
        };
        if n_kept >= self.limits.kept_body { values.bulk_left() } else { 0 }
    }

    fn pass(&mut self, direction: Direction, n_bytes: u64, _at: Duration, _out: &mut Vec<Exchange>) {
        match direction {
            Direction::ToProvider => {
                self.command.kept.cut = true;
                self.commands.pass(n_bytes);
            }
            Direction::ToConsumer => {
                self.value.is_cut = true;
                self.replies.pass(n_bytes);
            }
        }
    }

    fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        let waiting = self.awaited.iter().map(|command| command.kind);
        Some(Box::new(Cutter::new(
            splitting,
            self.mode,
            (self.subscribed, self.feeds.clone()),
            self.wanted,
            waiting,
        )))
    }

    fn holds_transaction(&self) -> Option<bool> {
        Some(self.mode.in_transaction)
    }
}

impl Open {
    fn new(began: Duration) -> Self {
        Self { began, kind: Kind::Call, kept: RedisExchange::default() }
    }

    fn is_call(&self) -> bool {
        self.kind != Kind::Waits
    }

    fn is_about_subscriptions(&self) -> bool {
        matches!(self.kind, Kind::Subscribes(_) | Kind::Unsubscribes(..))
    }
}

impl Subscribed {
    pub(super) fn n_all(&self) -> i64 {
        self.channels + self.patterns + self.shards
    }

    pub(super) fn of(&self, feed: Feed) -> i64 {
        match feed {
            Feed::Channels => self.channels,
            Feed::Patterns => self.patterns,
            Feed::Shards => self.shards,
        }
    }

    pub(super) fn now(&mut self, feed: Feed, count: i64) {
        match feed {
            Feed::Channels => self.channels = (count - self.patterns).max(0),
            Feed::Patterns => self.patterns = (count - self.channels).max(0),
            Feed::Shards => self.shards = count,
        }
    }
}

/// What something that may be a push is.
pub(super) enum Push {
    Message,
    Confirmation(Feed),
    Other,
}

pub(super) fn push_kind(value: &[u8]) -> Push {
    // An array of bulks reads as a command does.
    let as_array = memchr::memchr(b'\n', value).map_or(&[][..], |end| &value[end + 1..]);
    let first = Words::of_bulks(as_array).next().unwrap_or_default();
    match first {
        b"message" | b"pmessage" | b"smessage" => Push::Message,
        b"subscribe" | b"unsubscribe" => Push::Confirmation(Feed::Channels),
        b"psubscribe" | b"punsubscribe" => Push::Confirmation(Feed::Patterns),
        b"ssubscribe" | b"sunsubscribe" => Push::Confirmation(Feed::Shards),
        _ => Push::Other,
    }
}

/// The integer that ends a confirmation.
pub(super) fn last_number(value: &[u8]) -> Option<i64> {
    let line = value.strip_suffix(b"\r\n")?;
    let begin = memchr::memrchr(b':', line)?;
    std::str::from_utf8(&line[begin + 1..]).ok()?.parse().ok()
}

/// `+1795265052.636211 [0 127.0.0.1:44400] "SET" …`
pub(super) fn is_monitored(value: &[u8]) -> bool {
    value.get(1).is_some_and(u8::is_ascii_digit) && memchr::memmem::find(value, b" [").is_some()
}
