//! One connection of a seam with rules: every piece is decided about before it is passed on.

use super::SeamState;
use super::lane::{Act, Lane};
use super::rule::{By, Rule};
use super::verdict::{Case, Verdict, What, decide};
use crate::callbacks::Callbacks;
use crate::faults::{Effect, Moment};
use crate::leads::Leads;
use crate::observer::{Observer, Seen};
use crate::relay::{Opening, Over, Scratch, Tap};
use crate::socket::Socket;
use crate::stand::{Undialled, Upstream, dial};
use seam_event::SeamId;
use seam_value::Value;
use seam_wire::{Answering, Call, Captured, Direction, Of, Piece, Protocol, Splitter};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

mod pieces;

/// What a connection is held with.
pub(crate) struct Holding {
    pub(crate) consumer: Socket,
    /// None while the provider was not needed.
    pub(crate) provider: Option<Socket>,
    /// None where there are only bytes.
    pub(crate) splitter: Option<Box<dyn Splitter>>,
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
    pub(crate) observer: Arc<Observer>,
    /// Who sends what stubs want sent.
    pub(crate) elsewhere: Callbacks,
    /// All seams, for a fault that cuts this one.
    pub(crate) leads: Leads,
}

/// What was decided about a call, for the rest of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The rest of its request goes nowhere.
    Dropped,
    /// Its reply is thrown away, and then the connection is reset.
    LosesReply,
    /// The rest of its reply goes nowhere.
    Replaced,
    /// What follows is due then.
    Later(Instant),
}

/// The connection while it is held.
struct Held {
    with: Holding,
    up: Lane,
    down: Lane,
    /// Calls whose answer is owed to the consumer, in the order in which it has to come.
    order: VecDeque<Call>,
    /// Answers whose turn has not come.
    ready: HashMap<Call, Vec<(Act, Instant, Option<By>)>>,
    fates: HashMap<Call, Fate>,
    asked: HashMap<Call, Value>,
    n_cuts: u64,
    close_after: Duration,
    /// Rules about the connection as a whole that nothing has passed under yet.
    unstruck: Vec<Arc<Rule>>,
    /// Nothing more is ever said, until the rule that did it is gone.
    hung: Option<Arc<Rule>>,
    consumer_ended: bool,
    provider_ended: bool,
    /// Who is asked instead of the provider, for which call.
    others: JoinSet<(Call, Answering)>,
}

/// The connection has come to its end.
struct Ended(Over);

/// Passes one connection piece by piece until it ends.
pub(crate) async fn hold(with: Holding) -> Over {
    let ordered = !(with.protocol.multiplexes() && with.splitter.is_some());
    let n_cuts = with.n_cuts;
    let protocol = with.protocol;
    let mut held = Held {
        with,
        up: Lane::new(ordered, protocol),
        down: Lane::new(ordered, protocol),
        order: VecDeque::new(),
        ready: HashMap::new(),
        fates: HashMap::new(),
        asked: HashMap::new(),
        n_cuts,
        close_after: Duration::ZERO,
        unstruck: Vec::new(),
        hung: None,
        consumer_ended: false,
        provider_ended: false,
        others: JoinSet::new(),
    };
    let Ended(over) = held.run().await;
    if over == Over::Reset {
        held.with.consumer.reset_on_close();
        if let Some(provider) = &held.with.provider {
            provider.reset_on_close();
        }
    }
    over
}

/// What woke the connection.
enum Woken {
    Readable(Direction),
    Writable(Direction),
    Time,
    Changed,
    /// Somebody else has answered.
    Others(Call, Answering),
}

impl Held {
    async fn run(&mut self) -> Ended {
        if let Err(ended) = self.begin().await {
            return ended;
        }
        loop {
            match self.turn().await {
                Ok(()) => {}
                Err(ended) => return ended,
            }
        }
    }

    async fn begin(&mut self) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.begin(&mut pieces);
        }
        self.apply_state()?;
        self.take_in(pieces).await
    }

    /// Writes what is due, and waits for what comes next.
    async fn turn(&mut self) -> Result<(), Ended> {
        self.write(Direction::ToProvider)?;
        self.say_what_follows().await?;
        self.write(Direction::ToConsumer)?;
        self.look_whether_it_is_over()?;
        match self.wait().await {
            Woken::Readable(from) => self.read(from).await,
            Woken::Writable(to) => {
                self.lane(to).is_blocked = false;
                Ok(())
            }
            Woken::Time => Ok(()),
            Woken::Changed => self.apply_state(),
            Woken::Others(call, answering) => self.others_have_answered(call, answering),
        }
    }

    /// What the splitter says now that bytes were written.
    async fn say_what_follows(&mut self) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.follow(&mut pieces);
        }
        if pieces.is_empty() {
            return Ok(());
        }
        self.take_in(pieces).await?;
        self.write(Direction::ToProvider)
    }

    async fn wait(&mut self) -> Woken {
        let reads_consumer = !self.consumer_ended && !self.up.is_full() && !self.down.is_full();
        let reads_provider = !self.provider_ended && !self.down.is_full();
        let due = [self.up.next_due(), self.down.next_due()].into_iter().flatten().min();
        let (blocked_up, blocked_down) = (self.up.is_blocked, self.down.is_blocked);
        let Holding { consumer, provider, state, .. } = &mut self.with;
        let (consumer, provider) = (&*consumer, provider.as_ref());
        tokio::select! {
            changed = state.changed() => {
                if changed.is_err() {
                    // The proxy is being taken down, which ends this task in a moment.
                    std::future::pending::<()>().await;
                }
                Woken::Changed
            }
            () = readable(Some(consumer).filter(|_| reads_consumer)) => Woken::Readable(Direction::ToProvider),
            () = readable(provider.filter(|_| reads_provider)) => Woken::Readable(Direction::ToConsumer),
            () = writable(provider.filter(|_| blocked_up)) => Woken::Writable(Direction::ToProvider),
            () = writable(Some(consumer).filter(|_| blocked_down)) => Woken::Writable(Direction::ToConsumer),
            Some(Ok((call, answering))) = self.others.join_next(), if !self.others.is_empty() => {
                Woken::Others(call, answering)
            }
            () = until(due) => Woken::Time,
        }
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
        let refuses_now = state.rules.iter().any(|rule| rule.refuses());
        if state.n_cuts != self.n_cuts || refuses_now {
            for rule in state.rules.iter().filter(|rule| rule.refuses()) {
                rule.struck();
                self.tell_struck(rule);
            }
            if let Some(breaker) = state.breaker() {
                self.with.tap.borrow_mut().harmed(&breaker);
            }
            self.with.tap.borrow_mut().reset_by_fault();
            return Err(Ended(Over::Reset));
        }
        if let Some(rule) = &self.hung
            && !state.rules.iter().any(|other| Arc::ptr_eq(other, rule))
        {
            self.with.tap.borrow_mut().reset_by_fault();
            return Err(Ended(Over::Reset));
        }
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
        }
        Ok(())
    }

    /// Reads what one side sends, and decides about it.
    async fn read(&mut self, direction: Direction) -> Result<(), Ended> {
        // What was put on the seam before these bytes were sent strikes them.
        if self.with.state.has_changed().unwrap_or(false) {
            self.apply_state()?;
        }
        let scratch = Rc::clone(&self.with.scratch);
        let bytes = {
            let mut buffer = scratch.borrow_mut();
            let from = match direction {
                Direction::ToProvider => Some(&self.with.consumer),
                Direction::ToConsumer => self.with.provider.as_ref(),
            };
            let Some(from) = from else { return Ok(()) };
            match from.try_read(&mut buffer) {
                Ok(n_read) => buffer[..n_read].to_vec(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => {
                    self.with.tap.borrow_mut().reset_by(direction);
                    return Err(Ended(Over::Reset));
                }
            }
        };
        if bytes.is_empty() {
            return self.side_ended(direction).await;
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
                    return Ok(());
                }
                Some(Opening::Encrypt(config, answer)) => {
                    let _ = self.with.consumer.try_write(answer);
                    let early = if answer.is_empty() { bytes } else { Vec::new() };
                    let encrypted = self.with.consumer.encrypt(&config, early);
                    return if encrypted { Ok(()) } else { Err(Ended(Over::Reset)) };
                }
            }
            self.with.tap.borrow_mut().saw(direction, &bytes);
        }
        self.cut(direction, &bytes).await
    }

    /// May calls overtake each other? Known once bytes have passed.
    fn multiplexes(&self) -> bool {
        self.with.splitter.as_ref().is_some_and(|splitter| splitter.multiplexes())
    }

    async fn cut(&mut self, direction: Direction, bytes: &[u8]) -> Result<(), Ended> {
        let Some(splitter) = &mut self.with.splitter else {
            return self.pass_bytes(direction, bytes.to_vec());
        };
        let mut pieces = Vec::new();
        let cut = splitter.cut(direction, bytes, &mut pieces);
        if splitter.multiplexes() {
            self.up.lose_order();
            self.down.lose_order();
        }
        self.take_in(pieces).await?;
        let Err(surprise) = cut else { return Ok(()) };
        let Some(mut splitter) = self.with.splitter.take() else { return Ok(()) };
        let (seam, connection) = (self.with.seam.0, self.with.connection);
        let reason = surprise.reason.into_owned();
        self.with.observer.tell(Seen::Degraded { seam, connection, reason });
        self.up.keep_order();
        self.down.keep_order();
        for direction in [Direction::ToProvider, Direction::ToConsumer] {
            let rest = splitter.take_rest(direction);
            let now = Instant::now();
            self.lane(direction).push(Act::Bytes(rest, 0), now, None);
        }
        Ok(())
    }

    /// Bytes of which nothing is known: rules that need no more than that strike them.
    fn pass_bytes(&mut self, direction: Direction, bytes: Vec<u8>) -> Result<(), Ended> {
        let mut due = Instant::now();
        if direction == Direction::ToProvider {
            let read: Box<dyn Captured> = Box::new(seam_wire::Read(seam_wire::Parts::default()));
            let verdict = self.decide(&bytes, Moment::Request, (false, None), read);
            due += verdict.wait;
            if let Some((What::Fault(effect), rule)) = verdict.what {
                match effect {
                    Effect::Hang => {
                        self.hung = Some(rule);
                        return Ok(());
                    }
                    Effect::Reset | Effect::ResetAfter | Effect::LoseReply => {
                        self.with.tap.borrow_mut().reset_by_fault();
                        return Err(Ended(Over::Reset));
                    }
                    Effect::Cut(time) => {
                        self.with.leads.cut(&self.with.seam.1, time);
                    }
                    _ => {}
                }
            }
        }
        if self.hung.is_none() {
            self.lane(direction).push(Act::Bytes(bytes, 0), due, None);
        }
        Ok(())
    }

    async fn take_in(&mut self, pieces: Vec<Piece>) -> Result<(), Ended> {
        for piece in pieces {
            if self.hung.is_some() && !self.multiplexes() {
                continue;
            }
            let needs_provider =
                piece.to == Direction::ToProvider && !piece.bytes.is_empty() && !self.with.is_alone;
            self.take_in_one(piece)?;
            if needs_provider && self.up.has_bytes() && self.with.provider.is_none() {
                self.dial().await?;
            }
        }
        Ok(())
    }

    fn take_in_one(&mut self, piece: Piece) -> Result<(), Ended> {
        let Piece { to, bytes, of } = piece;
        let now = Instant::now();
        match of {
            Of::Rest => {
                self.lane(to).push(Act::Bytes(bytes, 0), now, None);
                Ok(())
            }
            Of::Request { call, awaited, read, .. } => {
                if awaited {
                    self.order.push_back(call);
                }
                self.request(call, bytes, read)
            }
            Of::Reply { call, whole, read, .. } => self.reply(call, bytes, whole, read),
            Of::Message { call, read } => self.message(to, call, bytes, read),
            Of::More { call, whole } => self.more(to, call, bytes, whole),
            Of::Broken { call, .. } => {
                let goes_on = !matches!(self.fates.get(&call), Some(Fate::Dropped));
                if goes_on || to == Direction::ToConsumer {
                    self.lane(to).push(Act::Bytes(bytes, 0), now, None);
                }
                self.ready.remove(&call);
                self.answered(call);
                Ok(())
            }
        }
    }

    fn decide(
        &mut self,
        bytes: &[u8],
        moment: Moment,
        (is_message, asked): (bool, Option<&Value>),
        read: Box<dyn Captured>,
    ) -> Verdict {
        let (rules, leads_somewhere) = {
            let state = self.with.state.borrow();
            (Arc::clone(&state.rules), state.upstream != Upstream::Nowhere)
        };
        let case = Case {
            seam: &self.with.seam.1,
            protocol: self.with.protocol.name(),
            at: self.with.observer.pulse().now(),
            bytes,
            moment,
            is_message,
            has_provider: self.with.provider.is_some() || leads_somewhere,
            asked,
        };
        let verdict = decide(&rules, &case, read);
        for rule in &verdict.struck {
            self.tell_struck(rule);
            self.with.tap.borrow_mut().harmed(rule);
        }
        verdict
    }

    fn tell_struck(&self, rule: &Arc<Rule>) {
        self.with.observer.tell(Seen::Struck { seam: self.with.seam.0, rule: Arc::clone(rule) });
    }

    async fn side_ended(&mut self, direction: Direction) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.ended(direction, &mut pieces);
        }
        self.take_in(pieces).await?;
        if let Some(splitter) = &mut self.with.splitter {
            let rest = splitter.take_rest(direction);
            self.lane(direction).push(Act::Bytes(rest, 0), Instant::now(), None);
        }
        let due = Instant::now() + self.close_after;
        match direction {
            Direction::ToProvider => {
                self.consumer_ended = true;
                self.with.tap.borrow_mut().ended_in_order(direction);
            }
            Direction::ToConsumer => self.provider_ended = true,
        }
        if !(direction == Direction::ToConsumer && self.hung.is_some()) {
            self.lane(direction).push(Act::End, due, None);
        }
        Ok(())
    }

    /// Connects to the provider, which is needed after all.
    async fn dial(&mut self) -> Result<(), Ended> {
        let upstream = self.with.state.borrow().upstream.clone();
        match dial(&upstream).await {
            Ok(provider) => {
                self.with.provider = Some(provider);
                Ok(())
            }
            Err(error) => {
                let (seam, connection) = (self.with.seam.0, self.with.connection);
                if let Undialled::External(error) = error {
                    self.with.observer.tell(Seen::Unreached { seam, error });
                }
                self.with.observer.tell(Seen::Refused { seam, connection, by: None });
                Err(Ended(Over::Reset))
            }
        }
    }

    /// Writes what is due to one side, as far as it takes it.
    fn write(&mut self, to: Direction) -> Result<(), Ended> {
        loop {
            let now = Instant::now();
            let lane = match to {
                Direction::ToProvider => &mut self.up,
                Direction::ToConsumer => &mut self.down,
            };
            if lane.is_blocked {
                return Ok(());
            }
            if let Some(bytes) = lane.take_first(now) {
                let bytes = match &mut self.with.splitter {
                    Some(splitter) => splitter.passes(to, bytes),
                    None => bytes,
                };
                lane.saw_off(bytes);
            }
            let Some((out, most)) = lane.first(now) else { return Ok(()) };
            let by = out.by.clone();
            let (bytes, from) = match &out.act {
                Act::Bytes(bytes, from) => (bytes, *from),
                act => {
                    let over = match act {
                        Act::Reset => Some(Over::Reset),
                        Act::Close => Some(Over::Closed),
                        Act::End | Act::Bytes(..) => None,
                    };
                    lane.done();
                    self.end(to, over)?;
                    continue;
                }
            };
            let socket = match to {
                Direction::ToProvider => self.with.provider.as_ref(),
                Direction::ToConsumer => Some(&self.with.consumer),
            };
            if socket.is_none() && self.with.is_alone {
                let n_bytes = bytes.len() - from;
                lane.wrote(n_bytes, now);
                continue;
            }
            let Some(socket) = socket else { return Ok(()) };
            let end = bytes.len().min(from.saturating_add(most));
            match socket.try_write(&bytes[from..end]) {
                Ok(n_written) => {
                    if to == Direction::ToConsumer {
                        self.with.tap.borrow_mut().said(&bytes[from..from + n_written], by);
                    }
                    lane.wrote(n_written, now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    lane.is_blocked = true;
                    return Ok(());
                }
                Err(_) => {
                    self.with.tap.borrow_mut().reset_by(to.opposite());
                    return Err(Ended(Over::Reset));
                }
            }
        }
    }

    fn end(&mut self, to: Direction, over: Option<Over>) -> Result<(), Ended> {
        match over {
            Some(Over::Reset) => {
                self.with.tap.borrow_mut().reset_by_fault();
                Err(Ended(Over::Reset))
            }
            Some(Over::Closed) => {
                self.with.tap.borrow_mut().ended_in_order(Direction::ToConsumer);
                Err(Ended(Over::Closed))
            }
            None => {
                match to {
                    Direction::ToProvider => {
                        if let Some(provider) = &self.with.provider {
                            provider.end_writing();
                        }
                    }
                    Direction::ToConsumer => {
                        self.with.tap.borrow_mut().ended_in_order(to);
                        self.with.consumer.end_writing();
                    }
                }
                self.lane(to).is_over = true;
                Ok(())
            }
        }
    }

    fn look_whether_it_is_over(&mut self) -> Result<(), Ended> {
        let nobody_is_behind = self.with.provider.is_none() && self.consumer_ended;
        if nobody_is_behind && (self.hung.is_some() || (self.down.is_empty() && self.ready.is_empty())) {
            self.with.tap.borrow_mut().ended_in_order(Direction::ToConsumer);
            return Err(Ended(Over::Closed));
        }
        let hung_and_left = self.hung.is_some() && self.consumer_ended;
        if (self.up.is_over && self.down.is_over) || hung_and_left {
            return Err(Ended(Over::Closed));
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
