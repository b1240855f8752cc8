//! One connection of one seam: bytes both ways, looked at after they were written.
//!
//! Both directions are one task on one thread. A direction waits until it can read, reads into a buffer that
//! all connections share, writes at once, and only what the receiver would not take is copied and waited for.
//! While it waits nothing more is read: that is the backpressure, and the reason why no memory grows.

use crate::hold::By;
use crate::observer::{Observer, Seen};
use crate::pulse::Pulse;
use crate::socket::Socket;
use crate::switch::{Stance, Switch};
use crate::tls::Meeting;
use seam_wire::grpc::Descriptors;
use seam_wire::{Conversation, Direction, End, Exchange, Limits, Position, Protocol, Splitter, Splitting};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// Bytes read at once. One buffer of this size serves all connections of the thread.
const CHUNK: usize = 64 * 1024;

/// Larger pieces fill segments, which no kernel holds back.
const SMALL: usize = 16 * 1024;

/// The buffer that all connections of the proxy's thread read into.
pub(crate) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// Makes that buffer.
pub(crate) fn scratch() -> Scratch {
    Rc::new(RefCell::new(vec![0; CHUNK].into_boxed_slice()))
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
    /// Calls open at the last look, to keep the pulse's sum.
    n_open: usize,
    exchanges: Vec<Exchange>,
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
            n_open: 0,
            exchanges: Vec::new(),
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

    /// Is a reply under way of which this was not the end? Many a server (all of Python's `http.server`) writes its head
    /// and its body one by one, and its kernel holds the body back until the head is acknowledged, for which ours would
    /// take 40 ms.
    fn awaits_more_of(&self, direction: Direction) -> bool {
        direction == Direction::ToConsumer && self.n_open > 0
    }

    /// A direction has ended.
    fn ended(&mut self, direction: Direction, how: End) {
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

    /// Tells what is open, as far as it has come.
    pub(crate) fn tell_open(&self) {
        let unfinished = self.conversation.as_ref().map(|conversation| conversation.unfinished());
        for exchange in unfinished.into_iter().flatten() {
            let (seam, connection, by) = (self.seam, self.connection, self.harm.clone());
            self.observer.tell(Seen::Exchange { seam, connection, exchange, by });
        }
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
            self.observer.tell(Seen::Exchange { seam, connection, exchange, by });
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

/// How a whole connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Both sides closed in order.
    Closed,
    /// One side reset it, and the other was reset too.
    Reset,
}

/// What was left of passing bytes when the connection came to be held: of each direction, the consumer's first.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// What was read and seen, and has not been written.
    pub(crate) unwritten: [Vec<u8>; 2],
    /// Has its sender ended it, and was that passed on?
    pub(crate) has_ended: [bool; 2],
}

/// What became of passing bytes both ways.
pub(crate) enum Passed {
    /// The connection is over.
    Over(Over),
    /// It is to be held from here on.
    ToBeHeld(Left),
    /// The consumer speaks TLS from here on, and has sent these bytes of it.
    ToBeEncrypted(Vec<u8>),
}

/// Passes bytes both ways until both directions have ended, one side resets the connection, or it is to be held.
pub(crate) async fn relay(
    (consumer, provider): (&Socket, &Socket),
    tap: &RefCell<Tap>,
    scratch: &Scratch,
    switch: &Switch,
) -> Passed {
    let up = pass(Direction::ToProvider, (consumer, provider), (tap, switch), scratch);
    let down = pass(Direction::ToConsumer, (provider, consumer), (tap, switch), scratch);
    match tokio::try_join!(up, down) {
        Ok((Done::Ended, Done::Ended)) => Passed::Over(Over::Closed),
        Ok((up, down)) => {
            let has_ended = [&up, &down].map(|done| matches!(done, Done::Ended));
            let unwritten = [up, down].map(|done| match done {
                Done::Ended => Vec::new(),
                Done::Paused(unwritten) => unwritten,
            });
            Passed::ToBeHeld(Left { unwritten, has_ended })
        }
        Err(Stop::Encrypt(early)) => Passed::ToBeEncrypted(early),
        Err(Stop::Reset) => {
            consumer.reset_on_close();
            provider.reset_on_close();
            Passed::Over(Over::Reset)
        }
    }
}

/// How a direction stopped passing.
enum Done {
    /// Its sender has ended it.
    Ended,
    /// It is to be held. These bytes were read and seen, and not written.
    Paused(Vec<u8>),
}

/// Why there is no other direction any more.
enum Stop {
    /// One side reset the connection.
    Reset,
    /// The consumer speaks TLS, and has sent these bytes of it.
    Encrypt(Vec<u8>),
}

/// Passes one direction until its sender ends it.
async fn pass(
    direction: Direction,
    (from, to): (&Socket, &Socket),
    (tap, switch): (&RefCell<Tap>, &Switch),
    scratch: &Scratch,
) -> Result<Done, Stop> {
    loop {
        let stance = switch.stance(direction, &tap.borrow());
        match stance {
            Stance::Pass(_) => {}
            Stance::Stop => return Ok(Done::Paused(Vec::new())),
            Stance::Wait(until) => {
                tokio::select! {
                    () = switch.changed() => {}
                    () = tokio::time::sleep_until(until) => {}
                    () = from.broken() => return reset(direction, tap),
                }
                continue;
            }
        }
        match readable(from, switch).await {
            Some(Ok(())) => {}
            Some(Err(_)) => return reset(direction, tap),
            None => continue,
        }
        let Stance::Pass(most) = switch.stance(direction, &tap.borrow()) else { continue };
        let rest = {
            let mut buffer = scratch.borrow_mut();
            let n_read = match from.try_read(&mut buffer[..most.min(CHUNK)]) {
                Ok(0) => {
                    tap.borrow_mut().ended(direction, End::Fin);
                    to.end_writing();
                    return Ok(Done::Ended);
                }
                Ok(n_read) => n_read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => return reset(direction, tap),
            };
            let opening = tap.borrow_mut().opening(direction, &buffer[..n_read]);
            match opening {
                None => {}
                // A few bytes into a fresh connection always fit.
                Some(Opening::Say(answer)) => {
                    let _ = from.try_write(answer);
                    continue;
                }
                Some(Opening::Encrypt(answer)) => {
                    let _ = from.try_write(answer);
                    let early = if answer.is_empty() { buffer[..n_read].to_vec() } else { Vec::new() };
                    return Err(Stop::Encrypt(early));
                }
            }
            let n_written = match to.try_write(&buffer[..n_read]) {
                Ok(n_written) => n_written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                // The receiver is gone. What was read never arrived, so it has not passed.
                Err(_) => {
                    if direction == Direction::ToProvider {
                        last_words((from, to), (tap, switch), &mut buffer);
                    }
                    return reset(direction.opposite(), tap);
                }
            };
            tap.borrow_mut().saw(direction, &buffer[..n_read]);
            if n_read < SMALL && tap.borrow().awaits_more_of(direction) {
                from.acknowledge();
            }
            buffer[n_written..n_read].to_vec()
        };
        if rest.is_empty() {
            continue;
        }
        match pass_rest(direction, (from, to), switch, rest).await {
            Ok(unwritten) if unwritten.is_empty() => {}
            Ok(unwritten) => return Ok(Done::Paused(unwritten)),
            Err(sender) => {
                if (direction, sender) == (Direction::ToProvider, Direction::ToConsumer) {
                    last_words((from, to), (tap, switch), &mut scratch.borrow_mut());
                }
                return reset(sender, tap);
            }
        }
    }
}

/// Waits until something can be read; none where there is to be looked first at what is to be done.
async fn readable(from: &Socket, switch: &Switch) -> Option<io::Result<()>> {
    let n_seen = switch.n_changes();
    poll_fn(|cx| match from.poll_readable(cx) {
        Poll::Ready(readable) => Poll::Ready(Some(readable)),
        Poll::Pending => switch.poll_changed(n_seen, cx).map(|()| None),
    })
    .await
}

/// Waits until what the receiver did not take at once is written, or the connection is to be held: gives what was not. The
/// error is the direction whose sender has reset the connection.
async fn pass_rest(
    direction: Direction,
    (from, to): (&Socket, &Socket),
    switch: &Switch,
    mut rest: Vec<u8>,
) -> Result<Vec<u8>, Direction> {
    let is_down = direction == Direction::ToConsumer;
    switch.is_behind().set(is_down || switch.is_behind().get());
    let mut n_written = 0;
    let is_there = tokio::select! {
        biased;
        is_there = write_rest(to, &rest, &mut n_written) => is_there,
        () = switch.goes_over() => true,
        // Who has reset the connection wants nothing more of it, however long the provider may take to read.
        () = from.broken(), if !is_down => return Err(direction),
    };
    if is_down {
        switch.is_behind().set(false);
    }
    if is_there { Ok(rest.split_off(n_written)) } else { Err(direction.opposite()) }
}

/// The provider is gone: what it said before is passed on as far as it is there and the consumer takes it. A server that
/// refuses a long request says so and leaves.
fn last_words(
    (consumer, provider): (&Socket, &Socket),
    (tap, switch): (&RefCell<Tap>, &Switch),
    buffer: &mut [u8],
) {
    if switch.is_behind().get() {
        return;
    }
    while let Ok(n_read @ 1..) = provider.read_now(buffer) {
        let Ok(n_written) = consumer.try_write(&buffer[..n_read]) else { return };
        tap.borrow_mut().saw(Direction::ToConsumer, &buffer[..n_written]);
        if n_written < n_read {
            return;
        }
    }
}

/// Waits until all of it is written, and says how much is; false if the receiver is gone.
async fn write_rest(to: &Socket, rest: &[u8], n_written: &mut usize) -> bool {
    while *n_written < rest.len() {
        if to.writable().await.is_err() {
            return false;
        }
        match to.try_write(&rest[*n_written..]) {
            Ok(n_now) => *n_written += n_now,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
    true
}

fn reset(sender: Direction, tap: &RefCell<Tap>) -> Result<Done, Stop> {
    tap.borrow_mut().ended(sender, End::Reset);
    Err(Stop::Reset)
}
