//! One connection of a seam with rules: every piece is decided about before it is passed on.

use super::SeamState;
use super::fates::Fates;
use super::heard::{Heard, Hearing};
use super::lane::{Act, Lane};
use super::rule::{By, Rule};
use super::said::Said;
use super::verdict::Verdict;
use crate::callbacks::Callbacks;
use crate::faults::{Effect, Extent};
use crate::leads::Leads;
use crate::observer::Observer;
use crate::relay::{Left, Over, Scratch};
use crate::socket::Socket;
use crate::stand::Upstream;
use crate::tap::Tap;
use foldhash::HashMap;
use seam_event::SeamId;
use seam_wire::{Answering, Call, Direction, Piece, Protocol, Splitter};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

mod apart;
mod carried;
mod changes;
mod hung;
mod messages;
mod pieces;
mod reading;
mod replies;
mod stands_in;
mod streams;
mod writing;

use hung::Hung;
use streams::Streams;

/// What became of a connection that was held.
pub(crate) enum Outcome {
    /// It is over.
    Over(Over),
    /// No rule is left, and nothing is in the middle of anything: it may go on by itself, between these two.
    LetGo(Socket, Socket),
}

/// What a connection is held with.
pub(crate) struct Holding {
    pub(crate) consumer: Socket,
    /// None while the provider was not needed.
    pub(crate) provider: Option<Socket>,
    /// None where there are only bytes.
    pub(crate) splitter: Option<Box<dyn Splitter>>,
    /// What was left when it was only passed on.
    pub(crate) left: Left,
    pub(crate) protocol: &'static dyn Protocol,
    /// Does whoever answers in the provider's place do so for good, because a greeting or log-in ties the connection to it?
    pub(crate) is_alone: bool,
    pub(crate) seam: (usize, SeamId),
    pub(crate) connection: u64,
    pub(crate) tap: Rc<RefCell<Tap>>,
    /// How often the seam had been cut when the connection came.
    pub(crate) n_cuts: u64,
    pub(crate) scratch: Scratch,
    pub(crate) state: watch::Receiver<SeamState>,
    /// Where it leads, where that is not to the seam's own provider.
    pub(crate) beyond: Option<Upstream>,
    pub(crate) observer: Arc<Observer>,
    /// Who sends what stubs want sent.
    pub(crate) elsewhere: Callbacks,
    /// All seams, for a fault that cuts this one.
    pub(crate) leads: Leads,
}

/// The connection while it is held.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that has happened to the connection")]
struct Held {
    with: Holding,
    up: Lane,
    down: Lane,
    /// Calls whose answer is owed to the consumer, in the order in which it has to come.
    order: VecDeque<Call>,
    /// Answers whose turn has not come.
    ready: HashMap<Call, Vec<(Act, Instant, Option<By>)>>,
    fates: Fates,
    /// What was decided by the heads of requests that have not been told.
    decided: HashMap<Call, Verdict>,
    /// Who is to be told of all of a request when that is there, because there was no answer to its head.
    unmet: HashMap<Call, Vec<Arc<Rule>>>,
    /// What stubs have said here before.
    said: Said,
    /// Whose doing it is that the reply of a call is lost, and how much is reset with it.
    losers: HashMap<Call, (Extent, Arc<Rule>)>,
    /// Whose doing it is that a call is answered in part.
    apart: HashMap<Call, Arc<Rule>>,
    close_after: Duration,
    /// Rules about the connection as a whole that nothing has passed under yet.
    unstruck: Vec<Arc<Rule>>,
    /// What is never answered, until the rule that did it is gone.
    hung: Hung,
    /// Was its seam cut by what passed here?
    is_cut: bool,
    consumer_ended: bool,
    provider_ended: bool,
    /// Was the consumer told that nothing more is said? Whatever it asks now nobody hears.
    is_left: bool,
    /// Was anything ever answered, dropped, repeated or said here in a side's place?
    is_touched: bool,
    /// Are there no rules any more?
    is_free: bool,
    /// Answers that are said bit by bit.
    streams: Streams,
    /// Who is asked instead of the provider, for which call.
    others: JoinSet<(Call, Answering)>,
    /// What is heard of beside the bytes.
    hearing: Hearing,
    /// Which side was listened to first the last time.
    heard_last: Direction,
    /// Room for the pieces that come next.
    spare: Vec<Piece>,
}

/// The connection has come to its end.
struct Ended(Over);

/// Passes one connection piece by piece until it ends, or needs it no more.
pub(crate) async fn hold(with: Holding) -> Outcome {
    let _counted = with.leads.holds_one();
    let ordered = !(with.protocol.multiplexes() && with.splitter.is_some());
    let protocol = with.protocol;
    let hearing = Hearing::of(&with.state);
    let mut held = Held {
        with,
        up: Lane::new(ordered, protocol),
        down: Lane::new(ordered, protocol),
        order: VecDeque::new(),
        ready: HashMap::default(),
        fates: Fates::default(),
        decided: HashMap::default(),
        unmet: HashMap::default(),
        said: Said::default(),
        losers: HashMap::default(),
        apart: HashMap::default(),
        close_after: Duration::ZERO,
        unstruck: Vec::new(),
        hung: Hung::default(),
        is_cut: false,
        consumer_ended: false,
        provider_ended: false,
        is_left: false,
        is_touched: false,
        is_free: false,
        streams: Streams::default(),
        others: JoinSet::new(),
        hearing,
        heard_last: Direction::ToConsumer,
        spare: Vec::new(),
    };
    let Err(Ended(over)) = held.run().await else {
        let Holding { consumer, provider, .. } = held.with;
        return provider.map_or(Outcome::Over(Over::Reset), |provider| Outcome::LetGo(consumer, provider));
    };
    if over == Over::Reset {
        held.with.consumer.reset_on_close();
        if let Some(provider) = &held.with.provider {
            provider.reset_on_close();
        }
    }
    Outcome::Over(over)
}

/// What woke the connection.
enum Woken {
    Readable(Direction),
    Writable(Direction),
    /// The consumer, of whom nothing is read at present, has reset the connection.
    Broken,
    Time,
    Heard(Heard),
    /// Somebody else has answered.
    Others(Box<(Call, Answering)>),
}

impl Held {
    /// Comes back once the connection needs it no more.
    async fn run(&mut self) -> Result<(), Ended> {
        self.begin()?;
        loop {
            self.stream_on()?;
            self.settle().await?;
            if self.is_free && self.is_at_rest() {
                if self.may_go() {
                    return Ok(());
                }
                if self.level()? {
                    continue;
                }
            }
            let early = match self.wait().await {
                // Most of all by far, and not to be carried about for those that take their time.
                Woken::Readable(from) => self.read(from)?,
                woken => {
                    self.turn(woken)?;
                    None
                }
            };
            if let Some(early) = early {
                Box::pin(self.encrypt(early)).await?;
            }
        }
    }

    fn begin(&mut self) -> Result<(), Ended> {
        let Left { unwritten: [up, down], has_ended } = std::mem::take(&mut self.with.left);
        let now = Instant::now();
        self.up.push_passed(up, now);
        self.down.push_passed(down, now);
        [self.consumer_ended, self.provider_ended] = has_ended;
        if self.consumer_ended {
            self.up.end();
        }
        if self.provider_ended {
            self.down.end();
            self.is_left = true;
        }
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.begin(&mut pieces);
            splitter.tell_beginnings();
        }
        self.apply_state()?;
        self.take_in(pieces)
    }

    /// Writes what is due.
    async fn settle(&mut self) -> Result<(), Ended> {
        if self.up.has_bytes() && self.with.provider.is_none() {
            self.need_provider().await?;
        }
        self.write(Direction::ToProvider)?;
        self.say_what_follows()?;
        self.write(Direction::ToConsumer)?;
        self.look_whether_it_is_over()
    }

    /// Is nothing under way?
    fn is_at_rest(&self) -> bool {
        let is_quiet = self.up.is_empty()
            && self.down.is_empty()
            && self.order.is_empty()
            && self.ready.is_empty()
            && self.others.is_empty()
            && self.streams.is_empty()
            && self.fates.are_settled();
        let is_whole = self.hung.is_empty() && !self.consumer_ended && !self.provider_ended;
        let is_ordinary = self.with.provider.is_some() && !self.with.protocol.is_always_held();
        is_quiet && is_whole && is_ordinary && self.with.tap.borrow().is_between()
    }

    /// Would both sides understand each other without what is done here?
    fn may_go(&self) -> bool {
        self.with.splitter.as_ref().is_none_or(|splitter| splitter.lets_go(!self.is_touched))
    }

    /// Says to both sides what brings them nearer to that. True where there was something to say.
    fn level(&mut self) -> Result<bool, Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.level(&mut pieces);
        }
        let says = !pieces.is_empty();
        self.take_in(pieces)?;
        Ok(says)
    }

    fn turn(&mut self, woken: Woken) -> Result<(), Ended> {
        match woken {
            Woken::Writable(to) => {
                self.lane(to).is_blocked = false;
                Ok(())
            }
            Woken::Broken => {
                self.with.tap.borrow_mut().reset_by(Direction::ToProvider);
                Err(Ended(Over::Reset))
            }
            Woken::Time | Woken::Readable(_) => Ok(()),
            Woken::Heard(Heard::Changed) => self.apply_state(),
            Woken::Heard(Heard::Pushed(pushed)) => {
                self.push(&pushed);
                Ok(())
            }
            Woken::Others(others) => self.others_have_answered(others.0, others.1),
        }
    }

    /// What the splitter says now that bytes were written.
    fn say_what_follows(&mut self) -> Result<(), Ended> {
        if self.take_in_what_follows()? { self.write(Direction::ToProvider) } else { Ok(()) }
    }

    /// What the splitter has for either side before anything else is taken in. Says whether there was anything.
    fn take_in_what_follows(&mut self) -> Result<bool, Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.follow(&mut pieces);
        }
        let is_any = !pieces.is_empty();
        self.take_in(pieces)?;
        Ok(is_any)
    }

    async fn wait(&mut self) -> Woken {
        let has_room = !self.up.is_full() && !self.down.is_full() && !self.streams.is_full();
        let reads_consumer = !self.consumer_ended && has_room;
        let reads_provider = !self.provider_ended && !self.down.is_full();
        if reads_consumer && reads_provider && self.has_nothing_to_say() {
            return poll_fn(|cx| self.poll_spoken_to(cx)).await;
        }
        let due = [self.up.next_due(), self.down.next_due(), self.next_part()].into_iter().flatten().min();
        let (blocked_up, blocked_down) = (self.up.is_blocked, self.down.is_blocked);
        let Holding { consumer, provider, .. } = &self.with;
        let provider = provider.as_ref();
        tokio::select! {
            heard = self.hearing.next() => Woken::Heard(heard),
            () = readable(Some(consumer).filter(|_| reads_consumer)) => Woken::Readable(Direction::ToProvider),
            () = consumer.broken(), if !reads_consumer => Woken::Broken,
            () = readable(provider.filter(|_| reads_provider)) => Woken::Readable(Direction::ToConsumer),
            () = writable(provider.filter(|_| blocked_up)) => Woken::Writable(Direction::ToProvider),
            () = writable(Some(consumer).filter(|_| blocked_down)) => Woken::Writable(Direction::ToConsumer),
            Some(Ok(others)) = self.others.join_next(), if !self.others.is_empty() => {
                Woken::Others(Box::new(others))
            }
            () = until(due) => Woken::Time,
        }
    }

    /// Is there nothing to wait for but what others say?
    fn has_nothing_to_say(&self) -> bool {
        self.up.is_empty() && self.down.is_empty() && self.next_part().is_none() && self.others.is_empty()
    }

    /// Ready when somebody has said something: mostly that is all there is to wait for.
    fn poll_spoken_to(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        if let Poll::Ready(heard) = self.hearing.poll_next(cx) {
            return Poll::Ready(Woken::Heard(heard));
        }
        let Holding { consumer, provider, .. } = &self.with;
        // Nobody who always has something to say keeps the other from being heard.
        self.heard_last = self.heard_last.opposite();
        for from in [self.heard_last, self.heard_last.opposite()] {
            let socket = match from {
                Direction::ToProvider => Some(consumer),
                Direction::ToConsumer => provider.as_ref(),
            };
            // An error shows when it is read.
            if socket.is_some_and(|socket| socket.poll_readable(cx).is_ready()) {
                return Poll::Ready(Woken::Readable(from));
            }
        }
        Poll::Pending
    }

    fn lane(&mut self, to: Direction) -> &mut Lane {
        match to {
            Direction::ToProvider => &mut self.up,
            Direction::ToConsumer => &mut self.down,
        }
    }

    /// The rules have changed, or the seam was cut.
    fn apply_state(&mut self) -> Result<(), Ended> {
        let state = self.with.state.borrow_and_update().clone();
        self.is_free = state.rules.is_empty();
        let refuses_now = state.rules.iter().any(|rule| rule.refuses());
        // Nothing leads to the provider any more, and so to nobody of whom it has told.
        let is_left = self.with.beyond.is_some() && state.upstream == Upstream::Nowhere && !state.has_stub();
        if state.n_cuts != self.with.n_cuts || refuses_now || is_left {
            for rule in state.enders(self.with.n_cuts) {
                rule.struck();
                self.tell_struck(rule);
            }
            if let Some(breaker) = state.breaker() {
                self.with.tap.borrow_mut().harmed(By::Fault(breaker));
            }
            self.with.tap.borrow_mut().reset_by_fault();
            return Err(Ended(Over::Reset));
        }
        self.reset_what_hung(&state.rules)?;
        let is_about_connection =
            |rule: &&Arc<Rule>| rule.connection_effect().is_some() && rule.n_struck() == 0;
        self.unstruck = state.rules.iter().filter(is_about_connection).cloned().collect();
        let mut pace: Option<u64> = None;
        self.close_after = Duration::ZERO;
        for effect in state.connection_effects() {
            match effect {
                Effect::Pace(rate) => pace = Some(pace.map_or(rate, |pace| pace.min(rate))),
                Effect::CloseAfter(time) => self.close_after = self.close_after.max(time),
                _ => {}
            }
        }
        self.up.set_pace(pace);
        self.down.set_pace(pace);
        if let Some(splitter) = &mut self.with.splitter {
            splitter.gather_replies(state.looks_at_replies());
            splitter.is_ruled(!self.is_free);
        }
        Ok(())
    }
}

async fn readable(socket: Option<&Socket>) {
    match socket {
        // An error shows when it is read.
        Some(socket) => drop(socket.readable().await),
        None => std::future::pending().await,
    }
}

async fn writable(socket: Option<&Socket>) {
    match socket {
        Some(socket) => drop(socket.writable().await),
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
