//! All that happened while a test failed, ordered for questions: who answered what, what was done on purpose, who
//! was alive, what was said.

use crate::chain::{Trouble, is_within, trouble};
use crate::verdict::Attempt;
use seam_event::{ComponentId, ComponentState, Event, Interaction, SeamId, StageOf, TestId, What};
use std::collections::HashMap;
use std::time::Duration;

/// More than these many interactions with trouble are not looked at: the first ones tell the story.
const MOST_TROUBLES: usize = 200;

/// A line reaches us through a pipe, often after the answer that it is about.
const LOG_LAG: Duration = Duration::from_millis(50);

/// What happened in the time of one attempt.
#[derive(Default)]
pub(crate) struct Scene<'a> {
    /// The interactions with the numbers of their events.
    pub(crate) passed: Vec<(u64, &'a Interaction)>,
    /// Lines of logs: number, time, component, text.
    lines: Vec<(u64, Duration, &'a ComponentId, &'a str)>,
    /// Faults that struck: by interaction, the number of the event and the fault.
    struck: HashMap<u64, (u64, &'a str)>,
    /// Where those of them are that have no end, by their ids: one that was open may be told again.
    open: HashMap<u64, usize>,
    /// Each time that a fault struck: the number of the event, when, on which seam, the fault.
    strikes: Vec<(u64, Duration, &'a SeamId, &'a str)>,
    /// What components became, in order.
    states: Vec<(u64, Duration, &'a ComponentId, ComponentState, &'a str)>,
    /// From when to when the last try of each step lasted.
    steps: HashMap<&'a str, (Duration, Duration)>,
    /// Who dials whom, as references declare it.
    declared: Vec<&'a SeamId>,
    /// The number of the window's first event.
    first: u64,
}

impl<'a> Scene<'a> {
    /// Looks at the events of the attempt's window, and at the plan and what became of components before.
    pub(crate) fn of(events: impl IntoIterator<Item = &'a Event>, test: &TestId, attempt: &Attempt) -> Self {
        let mut scene = Self { first: attempt.window.first, ..Self::default() };
        for event in events {
            match &event.what {
                What::Component { component, state, detail } if event.seq <= attempt.window.last => {
                    scene.states.push((event.seq, event.at, component, *state, detail));
                }
                What::Plan { seams, .. } => scene.declared = seams.iter().collect(),
                _ => {}
            }
            let is_ours = match &event.scope.test {
                Some(id) => id == test,
                None => match &event.what {
                    // A line that is heard in a test's time and belongs to none was said before it.
                    What::Line { .. } => false,
                    // What an earlier test left open is told anew as nobody's.
                    What::Interaction(one) => one.at >= attempt.window.from,
                    _ => true,
                },
            };
            if attempt.window.holds(event.seq) && is_ours {
                scene.take(event);
            }
        }
        scene
    }

    fn take(&mut self, event: &'a Event) {
        match &event.what {
            What::Interaction(interaction) => {
                let known = self.open.get(&interaction.id).copied();
                if let Some(index) = known {
                    self.passed[index] = (event.seq, interaction);
                } else {
                    if interaction.elapsed.is_none() {
                        self.open.insert(interaction.id, self.passed.len());
                    }
                    self.passed.push((event.seq, interaction));
                }
            }
            What::Line { component, text, .. } => self.lines.push((event.seq, event.at, component, text)),
            What::Fault { interaction: Some(id), fault, .. } => {
                self.struck.entry(*id).or_insert((event.seq, fault));
            }
            What::Fault { interaction: None, fault, seam, action, .. } if action == "struck" => {
                self.strikes.push((event.seq, event.at, seam, fault));
            }
            What::Step { stage, .. } => {
                let Some(path) = &event.scope.step else { return };
                let window = self.steps.entry(path).or_insert((event.at, event.at));
                if *stage == StageOf::Began {
                    window.0 = event.at;
                }
                window.1 = event.at;
            }
            What::Judged(_) => {
                if let Some(window) =
                    event.scope.step.as_ref().and_then(|path| self.steps.get_mut(path.as_str()))
                {
                    window.1 = window.1.max(event.at);
                }
            }
            _ => {}
        }
    }

    /// From when to when a step lasted.
    pub(crate) fn step(&self, path: &str) -> Option<(Duration, Duration)> {
        self.steps.get(path).copied()
    }

    /// The step in whose time something happened: the innermost, which is the one that began last.
    pub(crate) fn step_at(&self, at: Duration) -> Option<&'a str> {
        let around = self.steps.iter().filter(|(_, (from, to))| (*from..=*to).contains(&at));
        around.max_by_key(|(path, (from, _))| (*from, path.len())).map(|(path, _)| *path)
    }

    /// Components that died in the window, or before it and did not come back: the event and what was said of it.
    pub(crate) fn dead(&self) -> impl Iterator<Item = (u64, &'a ComponentId, &'a str)> {
        self.states.iter().enumerate().filter_map(|(index, (seq, _, component, state, detail))| {
            let came_back = self.states[index + 1..].iter().any(|(_, _, later, ..)| later == component);
            let is_dead = *state == ComponentState::Died && (*seq >= self.first || !came_back);
            is_dead.then_some((*seq, *component, *detail))
        })
    }

    /// Was the component stopped or paused on purpose at that time?
    pub(crate) fn is_away(&self, component: &ComponentId, at: Duration) -> bool {
        self.away_since(component, at).is_some()
    }

    /// The event by which a component was stopped or paused on purpose at that time.
    fn away_since(&self, component: &ComponentId, at: Duration) -> Option<u64> {
        let mut before = self.states.iter().filter(|(_, when, of, ..)| *of == component && *when <= at);
        let (seq, _, _, state, _) = before.next_back()?;
        let is_away =
            matches!(state, ComponentState::Stopped | ComponentState::Paused | ComponentState::Starting);
        is_away.then_some(*seq)
    }

    /// A declared provider of a component that was away at that time, with the event that says so. Of a connection
    /// that the machine itself refuses nothing passes the seam.
    pub(crate) fn missing_provider(&self, of: &ComponentId, at: Duration) -> Option<(u64, &'a ComponentId)> {
        let mut providers =
            self.declared.iter().filter(|seam| seam.consumer == *of).map(|seam| &seam.provider);
        providers.find_map(|provider| Some((self.away_since(provider, at)?, provider)))
    }

    /// The fault that answered an interaction in the provider's place or broke it off, with the event that says so
    /// where there is one of its own.
    pub(crate) fn fault(&self, interaction: &'a Interaction) -> Option<(Option<u64>, &'a str)> {
        if let Some((seq, fault)) = self.struck.get(&interaction.id) {
            return Some((Some(*seq), fault));
        }
        let fault = interaction.answered_by.as_deref()?.strip_prefix("fault ")?;
        let is_it = |(_, at, seam, name): &&(u64, Duration, &SeamId, &str)| {
            **seam == interaction.seam && *name == fault && *at >= interaction.at
        };
        Some((self.strikes.iter().find(is_it).map(|(seq, ..)| *seq), fault))
    }

    /// Who answered an interaction in the provider's place, as words: `the stub `x``, `the fault `reset``.
    pub(crate) fn meddler(&self, interaction: &'a Interaction) -> Option<String> {
        if let Some((_, fault)) = self.fault(interaction) {
            return Some(format!("the fault `{fault}`"));
        }
        let by = interaction.answered_by.as_deref()?;
        Some(match by.strip_prefix("stub ") {
            // What no stub of a component that is not there answers.
            Some(nobody) if nobody.starts_with("of ") => format!("the stub {nobody}"),
            name => format!("the stub `{}`", name.unwrap_or(by)),
        })
    }

    /// The fault that struck one of the calls that an interaction led to, while it lasted.
    pub(crate) fn held_up(&self, outer: &Interaction) -> Option<(u64, &'a SeamId, &'a str)> {
        let until = outer.elapsed.map_or(Duration::MAX, |elapsed| outer.at + elapsed + LOG_LAG);
        let strikes = self.strikes.iter().filter(|(_, at, ..)| (outer.at..=until).contains(at));
        let leads_to = |seam: &SeamId| {
            self.passed.iter().any(|(_, inner)| inner.seam == *seam && self.is_beneath(inner, outer))
        };
        strikes
            .filter(|(_, _, seam, _)| leads_to(seam))
            .map(|(seq, _, seam, fault)| (*seq, *seam, *fault))
            .next()
    }

    /// Was something done on purpose to one of the calls that an interaction led to: by a fault or a stub, or to whom it was
    /// for?
    pub(crate) fn was_disturbed(&self, outer: &Interaction) -> bool {
        let calls = self.passed.iter().filter(|(_, inner)| inner.id != outer.id);
        let disturbed = calls.filter(|(_, inner)| {
            self.meddler(inner).is_some() || (inner.error.is_some() && self.is_away(&inner.to, inner.at))
        });
        disturbed.into_iter().any(|(_, inner)| self.is_beneath(inner, outer))
            || self.missing_provider(&outer.to, outer.at).is_some()
            || self.held_up(outer).is_some()
    }

    /// Did an interaction happen because of another, at the end of however many calls?
    fn is_beneath(&self, inner: &Interaction, outer: &Interaction) -> bool {
        const DEEPEST: usize = 16;
        let mut at = inner;
        for _ in 0..DEEPEST {
            if at.id == outer.id {
                return true;
            }
            let around = self.passed.iter().rev().find(|(_, around)| is_within(at, around));
            let Some((_, around)) = around else { return false };
            at = around;
        }
        false
    }

    /// What is wrong with an interaction, where nobody did it on purpose.
    pub(crate) fn trouble(&self, interaction: &'a Interaction) -> Option<Trouble> {
        let on_purpose = self.meddler(interaction).is_some()
            || (interaction.error.is_some() && self.is_away(&interaction.to, interaction.at));
        if on_purpose { None } else { trouble(interaction) }
    }

    /// The calls that a component made while it answered.
    pub(crate) fn within(&self, outer: &Interaction) -> Vec<(u64, &'a Interaction)> {
        self.passed.iter().filter(|(_, inner)| is_within(inner, outer)).copied().collect()
    }

    /// All interactions with trouble, in order.
    pub(crate) fn troubles(&self) -> Vec<(u64, &'a Interaction, Trouble)> {
        self.passed
            .iter()
            .filter_map(|(seq, interaction)| Some((*seq, *interaction, self.trouble(interaction)?)))
            .take(MOST_TROUBLES)
            .collect()
    }

    /// The step's own request that an interaction happened within, at the end of however many calls.
    pub(crate) fn root(&self, inner: &'a Interaction) -> Option<(u64, &'a Interaction)> {
        let mut at = (0, inner);
        while !at.1.from.is_test() {
            at = *self.passed.iter().rev().find(|(_, outer)| is_within(at.1, outer))?;
        }
        Some(at)
    }

    /// The last lines that a component said up to an event, in order, at most `count`.
    pub(crate) fn lines_until(&self, component: &ComponentId, seq: u64, count: usize) -> Vec<u64> {
        let said = self.lines.iter().filter(|(at, _, of, _)| *of == component && *at <= seq);
        let mut numbers: Vec<u64> = said.rev().take(count).map(|(at, ..)| *at).collect();
        numbers.reverse();
        numbers
    }

    /// The lines in which a component tells trouble while an interaction lasts, at most `count`.
    pub(crate) fn complaints(&self, component: &ComponentId, during: &Interaction, count: usize) -> Vec<u64> {
        let is_complaint = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["error", "panic", "exception", "fatal", "traceback", "fail"]
                .iter()
                .any(|word| text.contains(word))
        };
        let to = during.elapsed.map_or(Duration::MAX, |elapsed| during.at + elapsed + LOG_LAG);
        self.lines
            .iter()
            .filter(|(_, at, of, text)| {
                *of == component && (during.at..=to).contains(at) && is_complaint(text)
            })
            .map(|(seq, ..)| *seq)
            .take(count)
            .collect()
    }
}
