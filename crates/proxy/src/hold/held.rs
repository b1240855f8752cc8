//! One connection of a seam with rules: every piece is decided about before it is passed on.

use super::SeamState;
use super::fates::Fates;
use super::lane::{Act, Lane};
use super::rule::{By, Rule};
use crate::callbacks::Callbacks;
use crate::faults::Effect;
use crate::leads::Leads;
use crate::observer::Observer;
use crate::relay::{Over, Scratch, Tap};
use crate::socket::Socket;
use seam_event::SeamId;
use seam_wire::{Answering, Call, Direction, Protocol, Splitter};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

mod pieces;
mod reading;
mod writing;

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

/// The connection while it is held.
struct Held {
    with: Holding,
    up: Lane,
    down: Lane,
    /// Calls whose answer is owed to the consumer, in the order in which it has to come.
    order: VecDeque<Call>,
    /// Answers whose turn has not come.
    ready: HashMap<Call, Vec<(Act, Instant, Option<By>)>>,
    fates: Fates,
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
    let protocol = with.protocol;
    let mut held = Held {
        with,
        up: Lane::new(ordered, protocol),
        down: Lane::new(ordered, protocol),
        order: VecDeque::new(),
        ready: HashMap::new(),
        fates: Fates::default(),
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
        if let Err(ended) = self.begin() {
            return ended;
        }
        loop {
            match self.turn().await {
                Ok(()) => {}
                Err(ended) => return ended,
            }
        }
    }

    fn begin(&mut self) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.begin(&mut pieces);
        }
        self.apply_state()?;
        self.take_in(pieces)
    }

    /// Writes what is due, and waits for what comes next.
    async fn turn(&mut self) -> Result<(), Ended> {
        if self.up.has_bytes() && self.with.provider.is_none() {
            self.need_provider().await?;
        }
        self.write(Direction::ToProvider)?;
        self.say_what_follows()?;
        self.write(Direction::ToConsumer)?;
        self.look_whether_it_is_over()?;
        match self.wait().await {
            Woken::Readable(from) => self.read(from),
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
    fn say_what_follows(&mut self) -> Result<(), Ended> {
        let mut pieces = Vec::new();
        if let Some(splitter) = &mut self.with.splitter {
            splitter.follow(&mut pieces);
        }
        if pieces.is_empty() {
            return Ok(());
        }
        self.take_in(pieces)?;
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
        if state.n_cuts != self.with.n_cuts || refuses_now {
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
