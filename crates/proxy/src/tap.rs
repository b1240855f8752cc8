//! What looks at one connection's bytes once they have passed, and says what of its beginning is not to pass.

use crate::hold::By;
use crate::observer::{Observer, Seen};
use crate::pulse::Pulse;
use crate::tls::Meeting;
use seam_wire::grpc::Descriptors;
use seam_wire::{
    Call, Conversation, Direction, End, Exchange, Limits, Position, Protocol, Splitter, Splitting,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// By what a call is known again that was told while it was open. Several may have begun at once, in what was read at once.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Told {
    began: Duration,
    call: Option<Call>,
}

impl Told {
    fn of(exchange: &Exchange) -> Self {
        Self { began: exchange.began, call: exchange.call }
    }
}

/// What looks at one connection's bytes.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that is known of the connection")]
pub(crate) struct Tap {
    /// The connection's number in the run.
    pub(crate) connection: u64,
    /// The seam's number with the observer.
    pub(crate) seam: usize,
    protocol: &'static dyn Protocol,
    /// Is it a connection of the tests themselves?
    of_test: bool,
    /// Has nothing been passed to the provider yet?
    unopened: bool,
    /// None once its decoder was surprised: plain bytes from then on.
    conversation: Option<Box<dyn Conversation>>,
    /// Has the provider left?
    is_over: bool,
    /// Does nothing pass unseen?
    copies_all: bool,
    /// Calls open at the last look, to keep the pulse's sum.
    n_open: usize,
    exchanges: Vec<Exchange>,
    /// The calls that were told while they were open, and under which number of this connection's.
    told_open: Vec<(Told, u64)>,
    n_told_open: u64,
    /// How TLS stands on it.
    meeting: Meeting,
    /// Does the consumer speak TLS?
    is_encrypted: bool,
    /// Is the consumer known to want nothing but TLS?
    insists: bool,
    /// Was TLS declined?
    declined: bool,
    /// Who says what passes now, where that is not the provider.
    by: Option<By>,
    /// Whose doing it is if what is open now goes wrong.
    harm: Option<By>,
    pulse: Arc<Pulse>,
    observer: Arc<Observer>,
}

impl Tap {
    pub(crate) fn new(
        connection: u64,
        seam: usize,
        (protocol, limits): (&'static dyn Protocol, Limits),
        meeting: Meeting,
        observer: &Arc<Observer>,
    ) -> Self {
        let of_test = observer.is_of_test(seam);
        let pulse = Arc::clone(observer.pulse());
        pulse.connection_opened();
        Self {
            connection,
            seam,
            protocol,
            of_test,
            conversation: Some(protocol.begin(limits)),
            unopened: true,
            is_over: false,
            copies_all: false,
            n_open: 0,
            exchanges: Vec::new(),
            told_open: Vec::new(),
            n_told_open: 0,
            meeting,
            is_encrypted: false,
            insists: false,
            declined: false,
            by: None,
            harm: None,
            pulse,
            observer: Arc::clone(observer),
        }
    }

    /// What to do about the bytes with which a consumer opens, instead of passing them on. PostgreSQL's request for
    /// TLS gets its `S` where it can be had: whoever insists on it would fail without. Where TLS is declared behind the
    /// seam it gets its `N` until the consumer is known to insist, because a sign-in that could be bound to TLS is refused
    /// where only the server knows that it can be.
    pub(crate) fn opening(&mut self, direction: Direction, bytes: &[u8]) -> Option<Opening> {
        if direction != Direction::ToProvider || !self.unopened {
            return None;
        }
        let wanted = self
            .protocol
            .wants_tls(bytes)
            .filter(|answer| answer.is_empty() || self.insists || !self.meeting.binds_otherwise());
        if let Some(answer) = wanted.filter(|_| self.meeting.can_encrypt() && !self.is_encrypted) {
            self.is_encrypted = true;
            return Some(Opening::Encrypt(answer));
        }
        let answer = self.protocol.declines(bytes);
        self.unopened = answer.is_some();
        self.declined |= answer.is_some();
        answer.map(Opening::Say)
    }

    /// What is spoken, by name.
    pub(crate) fn protocol_name(&self) -> &'static str {
        self.protocol.name()
    }

    /// Was TLS declined, and did the consumer leave without another word? Then it insists on it.
    pub(crate) fn left_for_want_of_tls(&self) -> bool {
        self.declined && self.unopened
    }

    /// What is spoken is described; said before anything has passed.
    pub(crate) fn is_described_by(&mut self, descriptors: &Arc<Descriptors>, limits: Limits) {
        self.conversation = Some(self.protocol.begin_described(limits, descriptors));
    }

    /// Whether the consumer is known to insist on TLS.
    pub(crate) fn insists_on_tls(&mut self, insists: bool) {
        self.insists = insists;
    }

    /// The consumer speaks TLS from here on.
    pub(crate) fn is_encrypted(&mut self) {
        self.is_encrypted = true;
    }

    /// How TLS stands on the connection.
    pub(crate) fn meeting(&self) -> Meeting {
        self.meeting.clone()
    }

    /// Bytes went to the consumer; `by` somebody else than the provider.
    pub(crate) fn said(&mut self, bytes: &[u8], by: Option<By>) {
        self.by = by;
        self.saw(Direction::ToConsumer, bytes);
        self.by = None;
    }

    /// A fault has struck what is open, or the connection as a whole, or a stub could not say what it was to say.
    pub(crate) fn harmed(&mut self, by: By) {
        self.harm = Some(by);
    }

    /// A fault has reset the connection.
    pub(crate) fn reset_by_fault(&mut self) {
        self.ended(Direction::ToConsumer, End::Reset);
    }

    /// One side has reset the connection.
    pub(crate) fn reset_by(&mut self, sender: Direction) {
        self.ended(sender, End::Reset);
    }

    /// A direction was ended in order.
    pub(crate) fn ended_in_order(&mut self, direction: Direction) {
        self.ended(direction, End::Fin);
    }

    /// A splitter that begins where the connection stands; none where there are only bytes.
    pub(crate) fn split(&self, splitting: Splitting) -> Option<Box<dyn Splitter>> {
        self.conversation.as_ref().and_then(|conversation| conversation.split(splitting))
    }

    /// May this direction be handed over here?
    pub(crate) fn may_split(&self, direction: Direction) -> bool {
        self.conversation.as_ref().is_none_or(|conversation| conversation.may_split(direction))
    }

    /// So many bytes lead to where it may.
    pub(crate) fn n_to_split(&self, direction: Direction) -> Option<usize> {
        self.conversation.as_ref().and_then(|conversation| conversation.n_to_split(direction))
    }

    /// Is this direction, and what it belongs to, in the middle of nothing?
    fn rests(&self, direction: Direction) -> bool {
        let Some(conversation) = &self.conversation else { return true };
        let between = conversation.position(direction) == Position::Between;
        match direction {
            Direction::ToProvider => between,
            Direction::ToConsumer => between && conversation.n_open() == 0,
        }
    }

    /// Is nothing in the middle of anything, either way?
    pub(crate) fn is_between(&self) -> bool {
        self.rests(Direction::ToProvider) && self.rests(Direction::ToConsumer)
    }

    /// Looks at bytes that have passed.
    pub(crate) fn saw(&mut self, direction: Direction, bytes: &[u8]) {
        let at = self.pulse.now();
        self.pulse.beat(at, self.of_test);
        if self.is_over {
            // Nobody is there who could hear it.
            return;
        }
        let Some(conversation) = &mut self.conversation else { return };
        let exchanges = &mut self.exchanges;
        // A decoder's mistake must never stop the traffic, and a panic is only a mistake that we did not foresee.
        let looked = catch_unwind(AssertUnwindSafe(|| conversation.feed(direction, bytes, at, exchanges)));
        let surprise = match looked {
            Ok(Ok(())) => None,
            Ok(Err(surprise)) => Some(surprise.reason.into_owned()),
            Err(_) => Some("the decoder panicked: a bug of Seamwork".to_owned()),
        };
        if let Some(reason) = surprise {
            self.degrade(reason);
        }
        self.tell();
    }

    /// How many coming bytes nobody needs to look at.
    pub(crate) fn passable(&self, direction: Direction) -> u64 {
        if self.copies_all {
            return 0;
        }
        self.conversation.as_ref().map_or(u64::MAX, |conversation| conversation.passable(direction))
    }

    /// Nothing passes unseen from here on.
    pub(crate) fn copies_all(&mut self) {
        self.copies_all = true;
    }

    /// So many of them have passed.
    pub(crate) fn passed_unseen(&mut self, direction: Direction, n_bytes: usize) {
        let at = self.pulse.now();
        self.pulse.beat(at, self.of_test);
        self.pulse.passed_uncopied(n_bytes);
        if self.is_over {
            return;
        }
        if let Some(conversation) = &mut self.conversation {
            let (n_bytes, exchanges) = (n_bytes as u64, &mut self.exchanges);
            let looked =
                catch_unwind(AssertUnwindSafe(|| conversation.pass(direction, n_bytes, at, exchanges)));
            if looked.is_err() {
                self.degrade("the decoder panicked: a bug of Seamwork".to_owned());
            }
        }
        self.tell();
    }

    /// Is a reply under way of which this was not the end? Many a server (all of Python's `http.server`) writes its head
    /// and its body one by one, and its kernel holds the body back until the head is acknowledged, for which ours would
    /// take 40 ms.
    pub(crate) fn awaits_more_of(&self, direction: Direction) -> bool {
        direction == Direction::ToConsumer && self.n_open > 0
    }

    /// A direction has ended.
    pub(crate) fn ended(&mut self, direction: Direction, how: End) {
        self.is_over |= direction == Direction::ToConsumer || how == End::Reset;
        let at = self.pulse.now();
        if let Some(conversation) = &mut self.conversation {
            let exchanges = &mut self.exchanges;
            let looked = catch_unwind(AssertUnwindSafe(|| conversation.end(direction, how, at, exchanges)));
            if looked.is_err() {
                self.degrade("the decoder panicked: a bug of Seamwork".to_owned());
            }
        }
        self.tell();
    }

    /// Tells what is open, as far as it has come. What was told before is told anew.
    pub(crate) fn tell_open(&mut self) {
        let unfinished = self.conversation.as_ref().map(|conversation| conversation.unfinished());
        let mut before = std::mem::take(&mut self.told_open);
        for exchange in unfinished.into_iter().flatten() {
            let known = before.iter().position(|(told, _)| *told == Told::of(&exchange));
            let number = if let Some(index) = known {
                before.remove(index).1
            } else {
                self.n_told_open += 1;
                self.n_told_open
            };
            self.told_open.push((Told::of(&exchange), number));
            let (seam, connection, by) = (self.seam, self.connection, self.harm.clone());
            self.observer.tell(Seen::Open { seam, connection, exchange, by, number });
        }
    }

    /// How many calls are open, and those of them that are asked to their end.
    pub(crate) fn calls(&self) -> (usize, Vec<Exchange>) {
        (self.n_open, self.conversation.as_ref().map(|conversation| conversation.calls()).unwrap_or_default())
    }

    /// The server's own number for the session.
    pub(crate) fn session(&self) -> Option<u32> {
        self.conversation.as_ref().and_then(|conversation| conversation.session())
    }

    fn degrade(&mut self, reason: String) {
        if let Some(mut conversation) = self.conversation.take() {
            let at = self.pulse.now();
            let exchanges = &mut self.exchanges;
            let _ = catch_unwind(AssertUnwindSafe(|| {
                conversation.end(Direction::ToProvider, End::Stopped, at, exchanges);
            }));
        }
        self.observer.tell(Seen::Degraded { seam: self.seam, connection: self.connection, reason });
    }

    /// Hands over what is finished, and keeps the pulse's count of open calls.
    fn tell(&mut self) {
        let n_open = self.conversation.as_ref().map_or(0, |conversation| conversation.n_open());
        self.pulse.open_calls_changed(self.n_open, n_open);
        self.n_open = n_open;
        for exchange in self.exchanges.drain(..) {
            let (seam, connection) = (self.seam, self.connection);
            let by = self.by.clone().or_else(|| self.harm.clone().filter(|_| exchange.error.is_some()));
            let told = self.told_open.iter().position(|(told, _)| *told == Told::of(&exchange));
            self.observer.tell(match told.map(|index| self.told_open.remove(index).1) {
                None => Seen::Exchange { seam, connection, exchange, by },
                Some(number) => Seen::Open { seam, connection, exchange, by, number },
            });
        }
        if n_open == 0 {
            self.harm = None;
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.pulse.open_calls_changed(self.n_open, 0);
        self.pulse.connection_closed();
    }
}

/// What to do about the bytes with which a consumer opens.
pub(crate) enum Opening {
    /// This is answered, and the bytes are forgotten.
    Say(&'static [u8]),
    /// TLS is spoken from here on, after this answer. Where it is empty the bytes are the handshake's.
    Encrypt(&'static [u8]),
}
