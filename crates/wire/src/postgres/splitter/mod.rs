//! A PostgreSQL connection in pieces: one request for each text of statements, and one for each Execute.
//!
//! ```text
//! P B D E │ B E │ S    ─▶ Request 1: P B D E   Request 2: B E   Rest: S      in `due`, message by message,
//! 1 2 T D D C │ 2 C │ Z ◀─ Reply 1: 1 2 T D D C  Reply 2: 2 C     Rest: Z      until their replies have come
//! Q │ T D C Z             Request, Reply
//! P D S │ 1 t T Z         Rest: nothing is executed
//! ```
//! What an error makes the server pass over has an empty reply. What is refused without having been executed, a
//! connection among them, passes as the rest.

mod alone;
mod asked;
mod kept;
mod said;
mod stand_in;
mod told;

use self::alone::Owed;
use super::awaited::{Awaited, Named, Portal, Statement};
use super::control::Status;
use super::frames::Frames;
use super::reading::Asked;
use super::session::Standing;
use super::split::statements;
use crate::conversation::{Direction, Limits, Surprise};
use crate::pending::Pending;
use crate::splitter::{Anew, Behind, Call, Of, Piece, Splitter, Splitting, Unanswerable, Underway};
use seam_value::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Cuts one connection.
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own of the protocol")]
pub(super) struct Cutter {
    limits: Limits,
    behind: Behind,
    to_provider: Lane,
    to_consumer: Lane,
    /// The first message, which has no letter, has passed.
    is_tagged: bool,
    /// TLS was asked for; the answer is a single byte.
    answer_due: bool,
    n_calls: Call,
    calls: BTreeMap<Call, Known>,
    /// Bytes that `calls` hold.
    n_kept: usize,
    /// What the server owes, in order.
    due: VecDeque<Due>,
    /// What was prepared and not yet executed.
    unit: Unit,
    statements: Named<Statement>,
    portals: Named<Portal>,
    /// The transaction as the consumer was told last.
    status: Status,
    /// The transaction once all that was asked has been done.
    status_asked: Status,
    /// The server takes COPY data, and passes over a Sync meanwhile.
    takes_data: bool,
    /// After an error in a batch the server passes over everything up to the next Sync.
    skips: bool,
    /// How many were executed since the last Sync.
    n_in_batch: usize,
    /// One of them hangs: the batch never ends for the consumer.
    hangs: bool,
    gathered: Gathered,
    /// Are replies told whole?
    gathers: bool,
    /// The channels that were listened to; none where they are not known.
    listens: Option<BTreeSet<String>>,
    /// What the consumer waits for where nobody is behind, in order.
    owed: VecDeque<Owed>,
    /// After an error nothing is said up to the next Sync.
    passes_over: bool,
    /// What is to be told with the next bytes.
    loose: Vec<Piece>,
}

/// One direction.
#[derive(Default)]
struct Lane {
    pending: Pending,
    frames: Frames,
    /// The beginning of a message of which pieces have come out already.
    streamed: Option<Vec<u8>>,
}

/// Messages that prepare an execution, held until it is asked for.
#[derive(Default)]
struct Unit {
    bytes: Vec<u8>,
    items: Vec<Awaited>,
    /// It is so large that its beginning has come out.
    call: Option<Call>,
}

/// One thing that the server owes.
struct Due {
    /// The call to which it belongs, where it does.
    call: Option<Call>,
    awaited: Awaited,
    fate: Fate,
    /// The answer that was said here, while its turn has not come.
    said: Vec<u8>,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Told,
    /// It answers something of ours.
    Unseen,
    /// There is none: the request was answered in the server's place.
    None,
}

/// What is remembered of a call.
struct Known {
    asked: About,
    items: Vec<Awaited>,
    /// The messages of a batch, to send some of them after all.
    request: Vec<u8>,
    /// The transaction before it, as far as was known when it was asked.
    before: Status,
    /// The transaction that its reply told.
    after: Option<Status>,
    stage: Stage,
    /// It is passed over, because another one of its batch was refused.
    skipped: bool,
    /// The first execution of its batch.
    is_first: bool,
    /// One of several statements in one text, whose end is told behind the last of them.
    is_part: bool,
    n_kept: usize,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Asked,
    /// The server's reply has begun.
    Replied,
    /// It is answered in the server's place, or never.
    Answered,
}

/// What a call asks.
#[derive(Clone)]
enum About {
    Query(Arc<Vec<u8>>),
    Portal(Arc<Portal>),
    Statement(Arc<Statement>),
    Function(u32),
}

/// Why no statement can be answered so; none where one may.
pub(super) fn misfit(answer: &Value) -> Option<Unanswerable> {
    said::read(answer).err()
}

impl About {
    fn to_asked(&self) -> Asked {
        match self {
            Self::Query(text) => Asked::Query { text: Arc::clone(text), index: index_of(text) },
            Self::Portal(portal) => Asked::Portal(Arc::clone(portal)),
            Self::Statement(statement) => Asked::Statement(Arc::clone(statement)),
            Self::Function(function) => Asked::Function(*function),
        }
    }
}

/// Which statement of a text is told: the only one, or the text as it is.
fn index_of(text: &[u8]) -> usize {
    let n_statements = statements(&String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(text))).len();
    if n_statements == 1 { 0 } else { usize::MAX }
}

/// The reply that is coming.
#[derive(Default)]
struct Gathered {
    call: Option<Call>,
    bytes: Vec<u8>,
    /// Its beginning has come out.
    has_begun: bool,
}

impl Cutter {
    /// Begins where a session stands.
    pub(super) fn new(splitting: Splitting, standing: Standing) -> Self {
        let is_new = !standing.is_tagged;
        Self {
            limits: splitting.limits,
            behind: splitting.behind,
            to_provider: Lane::default(),
            to_consumer: Lane::default(),
            is_tagged: standing.is_tagged,
            answer_due: standing.answer_due,
            n_calls: 0,
            calls: BTreeMap::new(),
            n_kept: 0,
            due: VecDeque::new(),
            unit: Unit::default(),
            statements: standing.statements,
            portals: standing.portals,
            status: standing.status,
            status_asked: standing.status,
            takes_data: standing.takes_data,
            skips: standing.skips,
            n_in_batch: 0,
            hangs: false,
            gathered: Gathered::default(),
            gathers: false,
            listens: is_new.then(BTreeSet::new),
            owed: VecDeque::new(),
            passes_over: false,
            loose: Vec::new(),
        }
    }

    fn rest(to: Direction, bytes: Vec<u8>, out: &mut Vec<Piece>) {
        if !bytes.is_empty() {
            out.push(Piece { to, bytes, of: Of::Rest });
        }
    }

    /// Numbers a new call and remembers it.
    fn know(&mut self, asked: About, items: Vec<Awaited>, request: &[u8]) -> Call {
        self.n_calls += 1;
        let request =
            if self.n_kept + request.len() <= self.limits.kept_open { request.to_vec() } else { Vec::new() };
        let n_kept = request.len()
            + match &asked {
                About::Query(text) => text.len(),
                About::Portal(portal) => portal.bind.len(),
                About::Statement(statement) => statement.parse.len(),
                About::Function(_) => 0,
            };
        let before = if self.due.is_empty() { self.status } else { self.status_asked };
        let is_first = self.n_in_batch == 0;
        let (after, stage, skipped, is_part) = (None, Stage::Asked, false, false);
        self.n_kept += n_kept;
        let known = Known { asked, items, request, before, after, stage, skipped, is_first, is_part, n_kept };
        self.calls.insert(self.n_calls, known);
        self.n_calls
    }

    /// Forgets the calls that have their reply: whoever decides about one does so before more bytes are cut.
    fn forget_past(&mut self) {
        let (gathered, begun) = (self.gathered.call, self.unit.call);
        let mut n_given_back = 0;
        self.calls.retain(|call, known| {
            let is_open = known.stage == Stage::Asked || Some(*call) == gathered || Some(*call) == begun;
            n_given_back += if is_open { 0 } else { known.n_kept };
            is_open
        });
        self.n_kept -= n_given_back;
    }

    fn asked_of(&self, call: Call) -> Asked {
        self.calls.get(&call).map_or(Asked::Nothing, |known| known.asked.to_asked())
    }

    /// How much of one message is kept.
    fn most(&self) -> usize {
        self.limits.kept_body.max(self.limits.head)
    }

    fn push_due(&mut self, call: Option<Call>, awaited: Awaited) {
        if self.behind == Behind::Provider {
            self.due.push_back(Due { call, awaited, fate: Fate::Told, said: Vec::new() });
        }
    }
}

impl Splitter for Cutter {
    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        out.append(&mut self.loose);
        self.forget_past();
        let cut = match direction {
            Direction::ToProvider => {
                self.to_provider.pending.push(bytes);
                self.asked_bytes(out)
            }
            Direction::ToConsumer => {
                self.to_consumer.pending.push(bytes);
                let told = self.told_bytes(out);
                if !self.gathers {
                    self.let_out(out);
                }
                told
            }
        };
        if self.behind == Behind::Nobody {
            // Nobody is there who could get it.
            out.retain(|piece| !matches!((&piece.of, piece.to), (Of::Rest, Direction::ToProvider)));
        }
        cut
    }

    fn gather_replies(&mut self, gather: bool) {
        self.gathers = gather;
    }

    fn lets_go(&self, untouched: bool) -> bool {
        let is_empty = |lane: &Lane| {
            lane.streamed.is_none() && lane.pending.seen().is_empty() && lane.pending.unseen().is_empty()
        };
        untouched
            && self.due.is_empty()
            && self.unit.bytes.is_empty()
            && self.gathered.bytes.is_empty()
            && self.loose.is_empty()
            && is_empty(&self.to_provider)
            && is_empty(&self.to_consumer)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        let (mut rest, lane) = match direction {
            Direction::ToProvider => (std::mem::take(&mut self.unit.bytes), &mut self.to_provider),
            Direction::ToConsumer => {
                let said = self.due.iter_mut().map(|due| std::mem::take(&mut due.said));
                let loose = std::mem::take(&mut self.loose).into_iter().flat_map(|piece| piece.bytes);
                let gathered = std::mem::take(&mut self.gathered.bytes);
                (loose.chain(gathered).chain(said.flatten()).collect(), &mut self.to_consumer)
            }
        };
        rest.append(&mut lane.pending.take_all());
        rest
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        self.answer_call(call, answer)
    }

    fn instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        self.send_instead(call, answer)
    }

    fn forget(&mut self, call: Call) {
        self.forget_call(call);
    }

    fn with_body(&self, _: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let mut changed = reply.to_vec();
        for range in kept::contents(reply) {
            change(&mut changed[range]);
        }
        Some(changed)
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let notification = kept::Messages::new(message.bytes).next().filter(|(tag, _)| *tag == b'A');
        let (_, payload) =
            notification.ok_or_else(|| Unanswerable::new("only a notification can say something else"))?;
        let n_head = payload.get(4..).and_then(|rest| memchr::memchr(0, rest)).map_or(4, |end| end + 5);
        let (head, said) = payload.split_at_checked(n_head).unwrap_or((payload, &[]));
        let content = anew.content(said.strip_suffix(b"\0").unwrap_or(said))?;
        let content: Vec<u8> = content.into_iter().filter(|byte| *byte != 0).collect();
        Ok(kept::message(b'A', &[head, &content, b"\0"].concat()))
    }

    fn again(&mut self, call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        self.send_again(call, request)
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        (message.first() == Some(&b'A')).then(|| message.to_vec())
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        self.notification(message)
    }
}
