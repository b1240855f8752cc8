//! One connection cut into pieces that can be held, let go, dropped, repeated or answered: what everything that
//! changes traffic (faults, stubs, replay) is built on.
//!
//! ```text
//! bytes of one side ─▶ Splitter ─▶ Piece, Piece, Piece ─▶ held, decided about ─▶ written, or not
//!                         ▲                                     │
//!                         └──── answer(call, what to say) ◀─────┘   in the provider's place
//! ```
//!
//! A splitter knows the protocol and nothing of rules; whoever holds the pieces knows rules and nothing of the
//! protocol. No sockets, no clock. Where nobody is behind the seam ([`Behind::Nobody`]) the splitter also says what a
//! provider would say that no rule is about: greetings, log-ins, acknowledgements.

use crate::conversation::{Captured, Direction, Limits, Parts, Surprise};
use seam_event::InteractionError;
use seam_value::Value;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

/// Numbers a call within its connection.
pub type Call = u64;

/// Is there a provider behind the seam?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// There is one: what no rule is about is passed on to it.
    Provider,
    /// There is none: the splitter greets, logs in and acknowledges in its place.
    Nobody,
}

/// A run of bytes that belong together.
pub struct Piece {
    /// Where the bytes go.
    pub to: Direction,
    /// The bytes, as they came, unless the splitter has to change them to keep both sides in step.
    pub bytes: Vec<u8>,
    /// What they are.
    pub of: Of,
}

/// What a piece is.
pub enum Of {
    /// Nothing that a rule is about: a greeting, a handshake, an acknowledgement, an upgrade's bytes. It is passed on
    /// in its place, and never dropped.
    Rest,
    /// A request, from its first byte. `whole` says that it ends with this piece; otherwise [`More`](Self::More) follows.
    Request {
        /// The call, new with this piece.
        call: Call,
        /// Does it end here?
        whole: bool,
        /// Does the consumer wait for the answer? A subscription or a blocking pop is asked, and not awaited.
        awaited: bool,
        /// What it asks, as far as the piece goes.
        read: Box<dyn Captured>,
    },
    /// The reply to a call, from its first byte.
    Reply {
        /// The call.
        call: Call,
        /// Does it end here?
        whole: bool,
        /// Does the consumer wait for its end? Not for that of a stream of events.
        awaited: bool,
        /// What it answers, as far as the piece goes.
        read: Box<dyn Captured>,
    },
    /// A request has begun, or a reply that would be gathered, and more of it is still to come: what its head says. It has
    /// no bytes, and is told once, to whoever [wants to know](Splitter::tell_beginnings), who says what becomes of it
    /// ([`goes_on`](Splitter::goes_on)).
    Begun {
        /// The call: the one of the [`Request`](Self::Request) or [`Reply`](Self::Reply) that follows.
        call: Call,
        /// What its head says, without what depends on what is still to come.
        read: Box<dyn Captured>,
    },
    /// A request that was told before it was whole is whole now: all of it, as far as it is kept. It has no bytes. Told
    /// where that was [wanted](Rest::IsTold), right before the request ends.
    Told {
        /// The call.
        call: Call,
        /// What it asks.
        read: Box<dyn Captured>,
    },
    /// One message that nobody answers, or that is acknowledged at most: published, delivered, pushed, one event of a
    /// stream.
    Message {
        /// The call to which it belongs, where it does: the subscription, the stream.
        call: Option<Call>,
        /// What it says.
        read: Box<dyn Captured>,
    },
    /// More of a request or reply that began with an earlier piece. It shares the fate of its beginning.
    More {
        /// The call.
        call: Call,
        /// Does it end here?
        whole: bool,
    },
    /// A call that was under way when the connection began to be cut, told at the [beginning](Splitter::begin), the oldest
    /// first. Its request has passed, all of it or the beginning; what still comes of it is told as of any other. It has
    /// no bytes.
    UnderWay {
        /// The call.
        call: Call,
        /// Has its request passed to the end?
        whole: bool,
        /// Is an answer owed to the consumer, which answers to what it asks behind it have to wait for?
        awaited: bool,
        /// What it asks, as far as it has passed; none where its reply has begun.
        read: Option<Box<dyn Captured>>,
    },
    /// A call is over before its proper end, and its connection goes on: a side has reset its stream, or has given up
    /// waiting. Nothing more comes for it from either side. The piece is passed on where the request was.
    Broken {
        /// The call.
        call: Call,
        /// How it counts: what the consumer gave up is a timeout.
        error: InteractionError,
    },
}

/// What becomes of a request or reply that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is gathered, and told when it is whole. Who waits to be asked for it is asked.
    IsGathered,
    /// It is told now, and its rest as it comes.
    Passes,
    /// The same, and when it is whole all of it is [told](Of::Told); requests only.
    IsTold,
}

/// Has something been passed on, or will it be in a moment?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It is on its way, or was.
    On,
    /// It goes nowhere.
    Nowhere,
}

/// What goes on where a call was answered in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InPart {
    /// These bytes instead of those that came. Where they are a request's, the reply is told with the answers in it.
    On(Vec<u8>),
    /// Nothing is left of the request: this is said to the consumer.
    Answered(Vec<u8>),
}

/// The ways on which a seam's consumers come to those of whom its provider tells them: other brokers of its cluster.
pub trait Ways: Send + Sync {
    /// Where the consumer of this connection came to.
    fn here(&self) -> SocketAddr;

    /// The provider of this connection tells this address as its own: whoever is told it comes here, unless another way
    /// leads there already.
    fn is_here(&self, host: &str, port: u16);

    /// Where a consumer has to come to be led there. None where nothing can be led there: whoever stands on the seam tells
    /// that, and the consumer is left with the address as it is.
    fn to(&self, host: &str, port: u16) -> Option<SocketAddr>;
}

/// What both sides are told of a call that is broken off alone. Nothing more is told as a piece of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokenOff {
    /// For the consumer.
    pub to_consumer: Vec<u8>,
    /// For the provider, behind the request.
    pub to_provider: Vec<u8>,
}

/// A message that is held.
#[derive(Clone, Copy, Debug)]
pub struct Underway<'a> {
    /// Where it goes.
    pub to: Direction,
    /// The call to which it belongs, where it does.
    pub call: Option<Call>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What a message is to say instead of what it says.
pub enum Anew<'a> {
    /// Its fields as an interaction tells them, of which some are others than they were: before and now.
    Fields(&'a Value, &'a Value),
    /// Its content, without all that is around it.
    Content(&'a mut dyn FnMut(&mut Vec<u8>)),
}

/// What becomes of one of the messages that a call carries: of those that are told of it
/// [apart](crate::Captured::apart), with a message.
pub struct Carried<'a> {
    /// Where it stands, as that says.
    pub place: usize,
    /// How manieth it is among those of its place, from 0.
    pub message: usize,
    /// What it is to say; none where it is left out.
    pub anew: Option<Anew<'a>>,
}

/// Some of the messages that a call carries say something else now.
#[derive(Debug, Default)]
pub struct SaidAnew {
    /// The request or reply around them.
    pub bytes: Vec<u8>,
    /// Of which, by their index, nothing has become, and why; no reason where they would be the same.
    pub refused: Vec<(usize, Option<Unanswerable>)>,
}

/// Why nothing arrives twice where nobody is behind.
pub(crate) const NOBODY: &str = "nobody is there who could get it twice";

/// These bytes, of which a part ends with each of these places.
pub(crate) fn cut_at(bytes: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
    let begins = std::iter::once(&0).chain(ends);
    begins.zip(ends).map(|(begin, end)| bytes.get(*begin..*end).unwrap_or_default().to_vec()).collect()
}

/// Why a call can't be answered like that: an answer that the protocol can't say, a field that it doesn't know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unanswerable {
    /// What is wrong, one line: `redis has no status; its answers have value or error`.
    pub reason: Cow<'static, str>,
    /// Nothing is wrong with it, only nobody is there to hear it: no subscription fits.
    pub is_for_nobody: bool,
}

impl Unanswerable {
    /// With its reason.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), is_for_nobody: false }
    }

    /// Something passes in parts that is too long to be gathered, and nothing else is said in its middle.
    pub(crate) fn within() -> Self {
        Self::new("something longer is passing, and nothing can be said in its middle")
    }

    /// A message that nobody hears.
    pub fn for_nobody(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { is_for_nobody: true, ..Self::new(reason) }
    }
}

/// With what a splitter is begun.
#[derive(Clone, Copy, Debug)]
pub struct Splitting {
    /// How much of a message is gathered before it is told as a piece that isn't whole (`kept_body`), and what else
    /// bounds memory.
    pub limits: Limits,
    /// Is there a provider?
    pub behind: Behind,
}

/// Cuts one connection. It begins at the connection's beginning, or where a [`Conversation`](crate::Conversation) stands.
///
/// No bytes in any chunking may make it panic, and what it keeps stays within its limits. After a [`Surprise`] the
/// connection goes on as plain bytes: [`take_rest`](Self::take_rest) gives what has not come out, the bytes that
/// surprised and all behind them included. Whatever surprises: every byte that came in goes out once, in order.
pub trait Splitter: Send {
    /// What is to be said before anybody has said anything: a greeting, where nobody is behind. And which calls are under
    /// way, where the connection has come some way already.
    fn begin(&mut self, out: &mut Vec<Piece>) {
        let _ = out;
    }

    /// Where consumers have to come to, for a protocol whose providers say how they and others can be reached. Told right
    /// at the beginning.
    fn stands_at(&mut self, ways: Arc<dyn Ways>) {
        let _ = ways;
    }

    /// Takes the next bytes of a direction and pushes the pieces that are whole with them, in order. What is not whole
    /// yet is kept.
    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise>;

    /// The sender of a direction has ended it: what only that could end is whole now.
    fn ended(&mut self, direction: Direction, out: &mut Vec<Piece>) {
        let _ = (direction, out);
    }

    /// Must replies be told whole, as far as the limits go, because rules look into them? Otherwise a reply may be told
    /// as soon as it is known what it is, so that nothing waits for its end. Not, at the beginning.
    fn gather_replies(&mut self, gather: bool) {
        let _ = gather;
    }

    /// Are there rules at all? Otherwise nothing need be told whole but what is changed anyway, and the connection is on its
    /// way to [go on without being cut](Self::lets_go). There are, at the beginning.
    fn is_ruled(&mut self, is_ruled: bool) {
        let _ = is_ruled;
    }

    /// From here on [beginnings](Of::Begun) are told of what would be gathered and whose rest is still to come.
    fn tell_beginnings(&mut self) {}

    /// What becomes of a request or reply whose beginning was told, by where it goes. By now it may have been told, or may
    /// be over: then nothing.
    fn goes_on(&mut self, of: (Direction, Call), rest: Rest, out: &mut Vec<Piece>) {
        let _ = (of, rest, out);
    }

    /// What was kept of a direction and has not come out as a piece. It is ready to be written: it goes out behind all
    /// pieces of its direction, once [`passes`](Self::passes) has seen these off, and is not itself seen off.
    fn take_rest(&mut self, direction: Direction) -> Vec<u8>;

    /// The bytes of a piece, or of an answer, are about to be written: gives those to write now. Called once for each
    /// run of bytes, in the order of writing, and right before it, also for pieces without bytes. For a protocol in
    /// which calls may overtake each other, or whose receivers say how much they have room for: here it numbers
    /// streams anew, and keeps back what there is no room for yet, which then goes out with later pieces.
    fn passes(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        let _ = to;
        bytes
    }

    /// What is to be said because of bytes that were written: to a publisher, in the place of a provider that isn't there,
    /// that its message has arrived. Asked after each writing to the provider.
    fn follow(&mut self, out: &mut Vec<Piece>) {
        let _ = out;
    }

    /// Does this connection carry several calls at once, whose replies may come in any order? Known once bytes have
    /// passed: HTTP's connections may turn out to be HTTP/2.
    fn multiplexes(&self) -> bool {
        false
    }

    /// What is to be said to both sides before they stand where they would stand without all that was done here. Asked as
    /// long as there are no rules, between calls, where everything that came out was written.
    fn level(&mut self, out: &mut Vec<Piece>) {
        let _ = out;
    }

    /// May the connection go on without being cut? It may where nothing is kept and nothing is owed here, and both sides
    /// stand where they would stand if their bytes had always been passed on as they came. Asked between calls, where
    /// everything that came out was written; `untouched` says that nothing was ever answered, dropped, repeated or said
    /// here in a side's place. Mostly not, where bytes are written anew, such as Kafka's addresses.
    fn lets_go(&self, untouched: bool) -> bool {
        let _ = untouched;
        false
    }

    /// What to say to the consumer as the whole answer to a call, in the protocol's own terms. Asked instead of passing
    /// the request on, or instead of the provider's reply. `answer` has the fields that the protocol's
    /// [`Word`](seam_model::Word) names under `fields`.
    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable>;

    /// Can an answer be said bit by bit here, as [`unroll`](crate::unroll) takes it apart?
    fn says_bit_by_bit(&self) -> bool {
        false
    }

    /// One more message of an answer that was begun with `open`, as a piece to the consumer: an event, a message. After a
    /// change-over to WebSocket no call is needed for it.
    fn say_more(&mut self, call: Option<Call>, message: &Value) -> Result<Piece, Unanswerable> {
        let _ = (call, message);
        Err(Unanswerable::new("in this protocol an answer is said at once"))
    }

    /// Ends an answer that was begun with `open`, with what is said last of it: trailers, the end of the body. The connection
    /// goes on.
    fn say_last(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let _ = (call, answer);
        Err(Unanswerable::new("in this protocol an answer is said at once"))
    }

    /// Ends such an answer as if its rest were missing, on a connection whose other calls go on. None where only the end
    /// of the connection says so.
    fn say_no_more(&mut self, call: Call) -> Option<Vec<u8>> {
        let _ = call;
        None
    }

    /// Some of what a call is about is answered in the provider's place, and all else is passed on. `bytes` is the whole
    /// request, or the whole reply, by where it goes; the answers stand with their places
    /// ([`Apart`](crate::Apart)), and are as in [`answer`](Self::answer).
    fn answer_apart(
        &mut self,
        call: Call,
        (to, bytes): (Direction, &[u8]),
        answers: &[(usize, &Value)],
    ) -> Result<InPart, Unanswerable> {
        let _ = (call, to, bytes, answers);
        Err(Unanswerable::new("nothing is answered in part in this protocol"))
    }

    /// A request or reply, given as above, some of whose messages say something else or are left out; all around them
    /// fits that.
    fn say_carried_anew(
        &mut self,
        call: Call,
        (to, bytes): (Direction, &[u8]),
        carried: &mut [Carried<'_>],
    ) -> Result<SaidAnew, Unanswerable> {
        let _ = (call, to, bytes, carried);
        Err(Unanswerable::new("no call carries messages in this protocol"))
    }

    /// What besides itself the bytes of an answer to this call depend on, as a number: the same answer to two calls with
    /// the same number has the same bytes, and may be said again without being asked for. None where it may depend on
    /// the call.
    fn alike(&self, call: Call) -> Option<u8> {
        let _ = call;
        None
    }

    /// Does the connection end with this answer to this call, because its consumer said so when it asked, or the answer
    /// itself does? Known until [`answer`](Self::answer) is called; of an answer that stays open, until its end.
    fn ends_with(&self, call: Call, answer: &Value) -> bool {
        let _ = (call, answer);
        false
    }

    /// Have both sides said that they are done, so that who stands in for the provider closes the connection?
    fn is_over(&self) -> bool {
        false
    }

    /// What to send to the provider instead of a request that is answered in its place, so that both sides stay in
    /// step: PostgreSQL's transaction has to fail there, too. What the provider replies to it is not told as a piece.
    fn instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        let _ = (call, answer);
        Vec::new()
    }

    /// A call is broken off as if its connection had been reset, on a connection whose other calls go on. `request` says
    /// whether the provider gets its request. None where only the whole connection can be reset.
    fn break_off(&mut self, call: Call, request: Passed) -> Option<BrokenOff> {
        let _ = (call, request);
        None
    }

    /// The same for a message, given its bytes, which itself goes nowhere.
    fn break_off_message(&mut self, message: &[u8]) -> Option<BrokenOff> {
        let _ = message;
        None
    }

    /// The beginning of a reply, given its bytes, which is to break off after so many bytes of its body, or after half of
    /// them; on a connection whose other calls go on. Its call is [broken off](Self::break_off) then. None where only the
    /// connection can break off.
    fn beginning(&self, reply: &[u8], most: Option<usize>) -> Option<Vec<u8>> {
        let _ = (reply, most);
        None
    }

    /// A reply whose content is another one of the same length, given its bytes, or as many of them as have come: all that
    /// says what belongs together, and how long it is, stays. `change` is called for each run of content. None where it is
    /// not known what of them is content.
    fn with_body(&self, call: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let _ = (call, reply, change);
        None
    }

    /// An answer's bytes, cut so that it can be said bit by bit, with what is said to others in between: a part ends with each
    /// of these places, the last of which is the answer's own end.
    fn in_parts(&self, answer: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
        cut_at(answer, ends)
    }

    /// The request of a call will get no answer at all, and nothing of it was passed on.
    fn forget(&mut self, call: Call) {
        let _ = call;
    }

    /// What to send so that the request of a call reaches the provider a second time, given its bytes; the second reply
    /// is not told as a piece. Why not, where it can't be repeated on its connection.
    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        let _ = (call, request);
        Err(Unanswerable::new("nothing can be asked twice in this protocol"))
    }

    /// What to send so that a message is delivered a second time, given its bytes. None where that can't be.
    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let _ = message;
        None
    }

    /// A message that says something else, given its bytes, which are whole: what is around its content fits it, and what
    /// numbers it stays. Not, where it has no such content, or its fields can't be said like that.
    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let _ = (message, anew);
        Err(Unanswerable::new("no message can say something else in this protocol"))
    }

    /// What to say to the sender of a message that is refused in the receiver's place, given the message's bytes: the
    /// message itself goes nowhere. `answer` as in [`answer`](Self::answer).
    fn refuse(&mut self, message: &[u8], answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let _ = (message, answer);
        Err(Unanswerable::new("no message is refused in this protocol"))
    }

    /// What to say to the consumer of its own accord, as a message that nobody asked for: one event of a stream, one
    /// delivery. Where the protocol needs a call for it (an open stream, a subscription), the newest that fits. Not in the
    /// middle of what passes in parts.
    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        let _ = message;
        Err(Unanswerable::new("nothing can be pushed in this protocol"))
    }
}

/// What was read already: for those who build pieces of parts.
pub struct Read(pub Parts);

impl Captured for Read {
    fn size(&self) -> usize {
        0
    }

    fn read(self: Box<Self>) -> Parts {
        self.0
    }
}
