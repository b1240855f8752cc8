//! Faults and stubs on the seams of a living testbed: put, taken away, and what stands in for components that are not
//! there.

use crate::testbed::Testbed;
use crate::testbed::journal::{StubFailed, shown_request};
use jiff::Timestamp;
use seam_diag::Span;
use seam_event::{Level, Notice, Scope, SeamId, What};
use seam_expr::{Chance, Names};
use seam_proxy::{Kind, Often, Rule, RuleSpec};
use seam_steps::{Placed, SeamFilter, Trouble};
use seam_stub::{Missed, Standing, Surroundings};
use seam_value::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands in for a component that is not there.
pub(super) struct StandIn {
    name: String,
    standing: Arc<dyn Standing>,
    rule: Arc<Rule>,
    names: Arc<OfTest>,
}

/// The world of a stand-in, and the test that runs: a recording may hold other answers for each.
struct OfTest {
    around: Surroundings,
    test: Mutex<Value>,
}

impl Names for OfTest {
    fn get(&self, name: &str) -> Option<Value> {
        (name == "test").then(|| self.test.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn component(&self, path: &str) -> Option<String> {
        self.around.component(path)
    }

    fn chance(&self) -> &Chance {
        self.around.chance()
    }

    fn now(&self) -> Timestamp {
        self.around.now()
    }

    fn env(&self, name: &str) -> Option<String> {
        Names::env(&self.around, name)
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        Names::file(&self.around, path)
    }
}

impl Testbed {
    /// Puts a fault or a stub on its seam, and comes back when it stands there.
    pub(crate) async fn put(&self, placed: &Placed, scope: Scope) -> Result<(), Trouble> {
        let applies = |seam: &SeamId| is_on(&placed.seam, seam);
        if self.proxy.put(applies, &placed.rule) == 0 {
            let reason = format!("there is no seam {} to put anything on", placed.seam);
            return Err(Trouble::errored(reason).at(placed.span));
        }
        self.proxy.pointed(applies).await;
        self.tell_fault(scope, placed, "put");
        Ok(())
    }

    /// Takes it away again.
    pub(crate) async fn take_away(&self, placed: &Placed, scope: Scope) {
        // What has passed by now may still be about to be told.
        self.drain().await;
        self.proxy.take_away(&placed.rule);
        self.proxy.pointed(|seam| is_on(&placed.seam, seam)).await;
        self.tell_fault(scope, placed, "taken away");
    }

    fn tell_fault(&self, scope: Scope, placed: &Placed, action: &str) {
        let SeamFilter { from, to, endpoint } = placed.seam.clone();
        let endpoint = seam_event::Endpoint::from(endpoint.unwrap_or_default().as_str());
        let what = What::Fault {
            seam: SeamId { consumer: from, provider: to, endpoint },
            fault: placed.rule.name().to_owned(),
            action: action.to_owned(),
            is_stub: placed.rule.is_stub(),
            interaction: None,
        };
        self.record(scope, what);
    }

    /// Lets the stubs of a component stand on all seams to it, where it is not there itself. Says whether there are any.
    pub(super) fn stand_in(&self, name: &str) -> Option<String> {
        let stubs = self.plan.stubs.get(name)?;
        self.step_aside(name);
        let around = self.surroundings(name);
        let names = Arc::new(OfTest { around, test: Mutex::default() });
        let n_stubs = stubs.n_stubs();
        let standing = stubs.stand(&(Arc::clone(&names) as _), || self.surroundings(name));
        let rule = Arc::new(Rule::new(RuleSpec {
            name: format!("stub of {name}"),
            kind: Kind::Stub(Arc::clone(&standing) as _),
            filter: None,
            filters_replies: false,
            often: Often::default(),
            chance: Chance::new(self.plan.seed, name),
        }));
        self.proxy.put(|seam| seam.provider.as_str() == name, &rule);
        self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner).push(StandIn {
            name: name.to_owned(),
            standing,
            rule,
            names,
        });
        Some(format!("{n_stubs} {} in its place", if n_stubs == 1 { "stub stands" } else { "stubs stand" }))
    }

    /// What templates of stubs may ask; their chance is one of its own under this label.
    pub(super) fn surroundings(&self, label: &str) -> Surroundings {
        let root = self.root().to_owned();
        let environment = self.plan.system.environment.clone();
        Surroundings {
            chance: Chance::new(self.plan.seed, label),
            now: Timestamp::now,
            env: Box::new(move |variable| environment.get(variable)),
            file: Box::new(move |path| {
                let path = root.join(path);
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
            }),
            hostname: "localhost".to_owned(),
        }
    }

    /// The component itself is asked from now on.
    pub(super) fn step_aside(&self, name: &str) {
        let mut stand_ins = self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner);
        for aside in stand_ins.extract_if(.., |stand_in| stand_in.name == name) {
            self.proxy.take_away(&aside.rule);
        }
    }

    /// Stand-ins forget what a test made them remember, and know which one comes.
    pub(crate) fn reset_stand_ins(&self, scope: &Scope) {
        let test = Value::from(scope.test.as_ref().map(|test| test.as_str().to_owned()));
        for stand_in in self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            stand_in.standing.reset();
            *stand_in.names.test.lock().unwrap_or_else(PoisonError::into_inner) = test.clone();
        }
    }

    /// What the stubs of this stand-in could not say on the seams that it is for, each with its place.
    pub(crate) fn failures(
        &self,
        standing: &dyn Standing,
        is_its: impl Fn(&SeamId) -> bool,
    ) -> Vec<(Scope, Notice)> {
        let is_meant = |one: &StubFailed| is_its(&one.seam) && standing.place(&one.stub).is_some();
        let failed = self.journal().take_failed(is_meant).into_iter();
        failed.map(|one| failure(&one, standing.place(&one.stub))).collect()
    }

    /// Tells what stand-ins, and stubs that nobody in the files put there, could not say. Says whether there was any.
    pub(crate) fn tell_failures(&self) -> bool {
        let mut all = Vec::new();
        for StandIn { name, standing, .. } in
            self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            all.extend(self.failures(&**standing, |seam| seam.provider.as_str() == name));
        }
        all.extend(self.journal().take_failed(|_| true).iter().map(|one| failure(one, None)));
        let is_any = !all.is_empty();
        for (scope, notice) in all {
            self.record(scope, What::Notice(notice));
        }
        is_any
    }

    /// Tells what was asked of stand-ins and matched by none of their stubs.
    pub(crate) fn tell_unanswered(&self, scope: &Scope) {
        for StandIn { name, standing, .. } in
            self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            for (text, missed, n) in told_once(name, standing.missed()) {
                let text = if n == 1 { text } else { format!("{text} ({n} times)") };
                self.record(
                    scope.clone(),
                    What::Notice(with_near(Notice::new(Level::Warning, text), &missed)),
                );
            }
        }
    }
}

/// Who waited for this answer got none, and what came of that says nothing about anybody.
fn failure(failed: &StubFailed, place: Option<Span>) -> (Scope, Notice) {
    let StubFailed { seam, stub, reason, scope } = failed;
    let text = format!("the stub `{stub}` on {seam} has an answer that can't be said: {reason}");
    (scope.clone(), Notice { place: place.map(Into::into), ..Notice::new(Level::Inconclusive, text) })
}

/// What is to be told of requests that nothing answered, each once, with how often it was asked.
fn told_once(name: &str, missed: Vec<Missed>) -> Vec<(String, Missed, u64)> {
    let mut told: Vec<(String, Missed, u64)> = Vec::new();
    for missed in missed {
        let asked = shown_request(&missed.request);
        let text = format!("`{}` asked {asked} of `{name}`, and no stub answers that", missed.seam.consumer);
        match told.iter_mut().find(|(known, ..)| *known == text) {
            Some((.., n)) => *n += 1,
            None => told.push((text, missed, 1)),
        }
    }
    told
}

/// A notice that tells the stubs that were nearest to a request, and points at the first of them.
pub(crate) fn with_near(mut notice: Notice, missed: &Missed) -> Notice {
    for near in &missed.near {
        let differences: Vec<String> =
            near.differences.iter().map(|one| format!("{}: {}", one.path, one.message)).collect();
        let used_up = if near.is_used_up { "has answered as often as it may; " } else { "" };
        notice.place.get_or_insert(near.span.into());
        notice.notes.push((format!("near: {}", near.stub), format!("{used_up}{}", differences.join("; "))));
    }
    notice
}

pub(crate) fn is_on(filter: &SeamFilter, seam: &SeamId) -> bool {
    seam.consumer == filter.from
        && seam.provider == filter.to
        && filter.endpoint.as_ref().is_none_or(|endpoint| *endpoint == *seam.endpoint.as_str())
}
