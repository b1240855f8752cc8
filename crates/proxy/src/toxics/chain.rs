//! The toxics of one direction of one connection, one behind the other, which may change while it is open.

use super::{Around, Ending, Passing, Shaper, Step, ToxicKind};
use seam_expr::Chance;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A toxic as it stands on a proxy.
#[derive(Clone, Debug)]
pub struct Toxic {
    /// Its number, which no other toxic has or had.
    pub id: u64,
    /// How often it was changed.
    pub revision: u64,
    /// What it does.
    pub kind: &'static ToxicKind,
    /// Its attributes, in the order of its kind's.
    pub attributes: Vec<i64>,
    /// To how many connections it applies, from 0 to 1.
    pub toxicity: f32,
}

/// The toxics of a proxy, in the order in which bytes pass them.
#[derive(Clone, Debug)]
pub struct Chains {
    /// From the client to the server.
    pub upstream: Arc<[Toxic]>,
    /// From the server to the client.
    pub downstream: Arc<[Toxic]>,
    /// Held by every connection for as long as it works with these.
    _held: Arc<oneshot::Sender<()>>,
}

/// Tells when no connection works with some toxics any more.
#[derive(Debug)]
pub struct Left(oneshot::Receiver<()>);

impl Chains {
    /// These toxics, and what tells when all have turned to others.
    pub fn new(upstream: Vec<Toxic>, downstream: Vec<Toxic>) -> (Self, Left) {
        let (held, left) = oneshot::channel();
        (Self { upstream: upstream.into(), downstream: downstream.into(), _held: Arc::new(held) }, Left(left))
    }
}

impl Left {
    /// Waits until all connections have turned to other toxics; whoever adds one and takes it away at once would
    /// otherwise have done nothing. A connection only turns between two looks at its sockets, which is soon.
    pub async fn by_all(self) {
        const SOON: std::time::Duration = std::time::Duration::from_secs(1);
        // An error is what it waits for: nobody holds the sender.
        let _ = tokio::time::timeout(SOON, self.0).await;
    }
}

/// The toxics at work on one direction of one connection.
pub(super) struct Chain {
    stages: Vec<Stage>,
    /// What is to be written.
    out: VecDeque<Passing>,
    chance: Arc<Chance>,
    due: Option<Instant>,
    /// Has the end of the whole connection been reached, whatever may still wait?
    is_over: bool,
}

struct Stage {
    toxic: Toxic,
    /// Does it apply to this connection? Drawn when it is put there, and when it is changed.
    applies: bool,
    shaper: Box<dyn Shaper>,
    input: VecDeque<Passing>,
    /// Has it passed on an end? Nothing comes after that.
    has_ended: bool,
}

impl Stage {
    fn new(toxic: &Toxic, chance: &Chance) -> Self {
        Self {
            toxic: toxic.clone(),
            applies: applies(toxic, chance),
            shaper: (toxic.kind.shaper)(),
            input: VecDeque::new(),
            has_ended: false,
        }
    }

    fn step(&mut self, now: Instant, chance: &Chance) -> Step {
        if self.has_ended {
            return Step::Wait;
        }
        let step = if self.applies {
            let around = Around { attributes: &self.toxic.attributes, now, chance };
            self.shaper.step(&mut self.input, &around)
        } else {
            super::first(&mut self.input)
        };
        self.has_ended = matches!(step, Step::Give(Passing::End(_)));
        step
    }
}

fn applies(toxic: &Toxic, chance: &Chance) -> bool {
    const STEPS: u16 = 1 << 12;
    let drawn = u16::try_from(chance.below(u64::from(STEPS))).unwrap_or(0);
    f32::from(drawn) / f32::from(STEPS) < toxic.toxicity
}

impl Chain {
    pub(super) fn new(toxics: &[Toxic], chance: Arc<Chance>) -> Self {
        let stages = toxics.iter().map(|toxic| Stage::new(toxic, &chance)).collect();
        Self { stages, out: VecDeque::new(), chance, due: None, is_over: false }
    }

    /// Do bytes just pass, and does nothing wait?
    pub(super) fn is_idle(&self) -> bool {
        self.stages.is_empty() && self.out.is_empty()
    }

    /// May more be read?
    pub(super) fn has_room(&self) -> bool {
        match self.stages.first() {
            Some(first) => first.input.len() < first.toxic.kind.room,
            None => self.out.is_empty(),
        }
    }

    /// This has come.
    pub(super) fn take(&mut self, passing: Passing) {
        match self.stages.first_mut() {
            Some(first) => first.input.push_back(passing),
            None => self.emit(passing),
        }
    }

    /// Carries on whatever may pass by now.
    pub(super) fn carry(&mut self, now: Instant) {
        self.due = None;
        let mut has_moved = true;
        while has_moved && !self.is_over {
            has_moved = false;
            self.due = None;
            // From the end, so that room is made before it is needed.
            for index in (0..self.stages.len()).rev() {
                while self.has_room_after(index) {
                    match self.stages[index].step(now, &self.chance) {
                        Step::Give(passing) => {
                            has_moved = true;
                            self.push_after(index, passing);
                        }
                        Step::Again => has_moved = true,
                        Step::Until(due) => {
                            self.due = Some(self.due.map_or(due, |other| other.min(due)));
                            break;
                        }
                        Step::Wait => break,
                    }
                }
            }
        }
    }

    /// When something may pass if nothing comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be written first.
    pub(super) fn first(&self) -> Option<&Passing> {
        self.out.front()
    }

    /// So many bytes of it were written, or its end was seen to.
    pub(super) fn wrote(&mut self, n_written: usize) {
        match self.out.front_mut() {
            Some(Passing::Bytes(bytes, _)) if n_written < bytes.len() => drop(bytes.drain(..n_written)),
            _ => drop(self.out.pop_front()),
        }
    }

    /// The toxics are these from now on.
    pub(super) fn change(&mut self, toxics: &[Toxic]) {
        for index in (0..self.stages.len()).rev() {
            if toxics.iter().all(|toxic| toxic.id != self.stages[index].toxic.id) {
                self.remove(index);
            }
        }
        for (index, toxic) in toxics.iter().enumerate() {
            let Some(at) = self.stages.iter().position(|stage| stage.toxic.id == toxic.id) else {
                let stage = Stage::new(toxic, &self.chance);
                self.stages.insert(index.min(self.stages.len()), stage);
                continue;
            };
            if self.stages[at].toxic.revision != toxic.revision {
                self.interrupt(at);
                let stage = &mut self.stages[at];
                stage.toxic = toxic.clone();
                stage.applies = applies(toxic, &self.chance);
            }
        }
    }

    fn has_room_after(&self, index: usize) -> bool {
        match self.stages.get(index + 1) {
            Some(next) => next.input.len() < next.toxic.kind.room,
            None => self.out.is_empty(),
        }
    }

    fn push_after(&mut self, index: usize, passing: Passing) {
        match self.stages.get_mut(index + 1) {
            Some(next) => next.input.push_back(passing),
            None => self.emit(passing),
        }
    }

    fn emit(&mut self, passing: Passing) {
        self.is_over |= matches!(passing, Passing::End(Ending::Close | Ending::Reset));
        self.out.push_back(passing);
    }

    /// What a toxic holds in the middle of something passes on.
    fn interrupt(&mut self, index: usize) {
        if let Some(held) = self.stages[index].shaper.let_go() {
            self.push_after(index, held);
        }
    }

    fn remove(&mut self, index: usize) {
        self.interrupt(index);
        let stage = self.stages.remove(index);
        if stage.applies
            && let Some(ending) = stage.shaper.ending_when_taken()
        {
            self.emit(Passing::End(ending));
            return;
        }
        for passing in stage.input {
            // The stage after it has moved up into its place.
            match self.stages.get_mut(index) {
                Some(next) => next.input.push_back(passing),
                None => self.emit(passing),
            }
        }
    }
}
