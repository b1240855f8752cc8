//! The living testbed as the steps of one attempt see it.

use crate::plan::system::seam;
use crate::run::settle;
use crate::run::step::Ended;
use crate::testbed::Testbed;
use crate::testbed::component::Live;
use crate::testbed::disturbed::{is_on, with_near};
use crate::testbed::journal::{MOST_LINES, shown_request};
use futures_util::future::BoxFuture;
use seam_event::{ComponentId, Interaction, Level, Notice, Scope, What};
use seam_launch::{Watcher, base_environment};
use seam_services::mailbox::Mailbox;
use seam_steps::{Act, Address, Awaited, Bench, Placed, SaidLine, SeamFilter, Trouble};
use seam_stub::Missed;
use seam_value::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The testbed of one attempt.
pub(crate) struct AttemptBench {
    pub(crate) bed: Arc<Testbed>,
    /// The test's own `quiet`.
    pub(crate) quiet: Duration,
    /// What stands on seams until the test's last step has ended, in the order of putting.
    placed: Mutex<Vec<Placed>>,
    /// How many lines of each component nobody could listen to, before the attempt.
    lost_before: HashMap<String, u64>,
}

impl AttemptBench {
    /// The testbed of an attempt, with nothing on its seams.
    pub(crate) fn new(bed: &Arc<Testbed>, quiet: Duration) -> Self {
        let names = bed.system().components.keys();
        let lost_before = names.map(|name| (name.clone(), bed.n_lost_lines(name))).collect();
        Self { bed: Arc::clone(bed), quiet, placed: Mutex::default(), lost_before }
    }

    /// Takes away what was put between these places in the order of putting, the newest first; gives what keeps the test from
    /// proving anything.
    pub(crate) async fn take_away(&self, places: Range<usize>, scope: &Scope) -> Unproved {
        let placed: Vec<Placed> = {
            let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
            let end = places.end.min(placed.len());
            placed.drain(places.start.min(end)..end).collect()
        };
        let mut unproved = Unproved::default();
        for placed in placed.into_iter().rev() {
            self.bed.take_away(&placed, scope.clone()).await;
            unproved.failed.extend(self.failures_of(&placed));
            if placed.rule.n_struck() == 0 {
                unproved.unreached.push(unreached_notice(&placed));
            }
        }
        unproved
    }

    /// What the stubs that stand could not say up to now.
    pub(crate) fn failures(&self) -> Vec<(Scope, Notice)> {
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        placed.iter().flat_map(|placed| self.failures_of(placed)).collect()
    }

    fn failures_of(&self, placed: &Placed) -> Vec<(Scope, Notice)> {
        let Some(standing) = &placed.standing else { return Vec::new() };
        self.bed.failures(&**standing, |seam| is_on(&placed.seam, seam))
    }

    /// How much stands on seams now.
    pub(crate) fn n_placed(&self) -> usize {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All that passed up to now, as far as it is the test's.
    async fn drained(&self) -> Result<(), Trouble> {
        if !self.bed.drain().await {
            return Err(Trouble::inconclusive("what passed could not be read in time"));
        }
        match self.bed.journal().n_lost() {
            0 => Ok(()),
            n_lost => Err(Trouble::inconclusive(format!("{n_lost} interactions could not be kept"))),
        }
    }
}

/// What keeps a test from proving anything.
#[derive(Default)]
pub(crate) struct Unproved {
    /// Faults that struck nothing, and stubs that answered nothing: of account where all else went well.
    pub(crate) unreached: Vec<Notice>,
    /// Stubs whose answers could not be said: whatever else there is comes from that.
    pub(crate) failed: Vec<(Scope, Notice)>,
}

/// All that was put.
pub(crate) const ALL: Range<usize> = 0..usize::MAX;

impl Unproved {
    /// Tells it, for a test or a step that ended like this; gives how it ends with that.
    pub(crate) fn tell(self, bed: &Testbed, scope: &Scope, ended: Ended) -> Ended {
        let mut worst = ended;
        let unreached = self.unreached.into_iter().map(|notice| (scope.clone(), notice));
        for (scope, notice) in self.failed.into_iter().chain(unreached) {
            if notice.level == Level::Inconclusive {
                worst = worst.max(Ended::Inconclusive);
            }
            bed.record(scope, What::Notice(notice));
        }
        worst
    }
}

/// What is told of a fault that struck nothing, or of a stub that answered nothing.
///
/// A stub that nothing on its seam came near to may only not have been needed; one that requests passed by was meant for
/// some of them, and the test has proved nothing about it.
fn unreached_notice(placed: &Placed) -> Notice {
    let Placed { seam, rule, standing, span } = placed;
    let at = |level, text| Notice { place: Some((*span).into()), ..Notice::new(level, text) };
    let Some(standing) = standing else {
        let why = rule.unsaid().map_or_else(String::new, |reason| format!(": {reason}"));
        let text = format!("the fault `{}` on {seam} was never reached{why}", rule.name());
        return at(Level::Inconclusive, text);
    };
    let missed = standing.missed();
    let distance = |missed: &&Missed| missed.near.first().map_or(f64::INFINITY, |near| near.distance);
    let Some(nearest) = missed.iter().min_by(|one, other| distance(one).total_cmp(&distance(other))) else {
        return at(Level::Warning, format!("the stub `{}` on {seam} was never asked anything", rule.name()));
    };
    let asked = shown_request(&nearest.request);
    let others = match missed.len() - 1 {
        0 => String::new(),
        1 => " and one more".to_owned(),
        n => format!(" and {n} more"),
    };
    let text = format!("the stub `{}` on {seam} never answered; {asked}{others} passed it by", rule.name());
    with_near(at(Level::Inconclusive, text), nearest)
}

impl Bench for AttemptBench {
    fn address(&self, component: &str, endpoint: &str) -> Result<Address, Trouble> {
        if !self.bed.system().components.contains_key(component) {
            return Err(Trouble::errored(format!("there is no component `{component}`")));
        }
        let Some(socket) = self.bed.wiring().dials(&seam("test", component, endpoint)) else {
            return Err(Trouble::errored(format!("`{component}` has no endpoint `{endpoint}`")));
        };
        self.bed.externals().asked(component);
        let base = self.bed.wiring().base(component);
        Ok(Address { socket, host: socket.ip().to_string().into(), base: base.into() })
    }

    fn owner(&self, authority: &str) -> Option<(String, String)> {
        let address: SocketAddr = authority.replace("localhost", "127.0.0.1").parse().ok()?;
        self.bed.wiring().owner(address)
    }

    fn property(&self, reference: &str) -> Option<String> {
        self.bed.property_for_test(reference)
    }

    fn interactions<'a>(
        &'a self,
        seam: &'a SeamFilter,
    ) -> BoxFuture<'a, Result<Vec<Arc<Interaction>>, Trouble>> {
        Box::pin(async {
            self.drained().await?;
            Ok(self.bed.journal().interactions(|interaction| seam.takes(interaction)))
        })
    }

    fn quiet(&self, deadline: Instant) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(settle::until_settled(&self.bed, self.quiet, deadline))
    }

    fn further<'a>(
        &'a self,
        seam: &'a SeamFilter,
        more: u64,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Awaited, Trouble>> {
        Box::pin(async move {
            let count =
                || self.bed.journal().interactions(|interaction| seam.takes(interaction)).len() as u64;
            self.drained().await?;
            let before = count();
            loop {
                let grew = self.bed.journal().grew.notified();
                let further = count() - before;
                if further >= more || tokio::time::timeout_at(deadline, grew).await.is_err() {
                    return Ok(Awaited { count: count() - before });
                }
            }
        })
    }

    fn lines(&self, component: &str) -> Result<Vec<SaidLine>, Trouble> {
        let lines = self.bed.journal().lines(&ComponentId::from(component));
        let before = self.lost_before.get(component).copied().unwrap_or_default();
        if self.bed.n_lost_lines(component) > before || lines.len() >= MOST_LINES {
            let reason = format!("`{component}` said more than could be listened to; its log has all of it");
            return Err(Trouble::inconclusive(reason));
        }
        Ok(lines)
    }

    fn mails(&self, component: &str) -> Result<Vec<Value>, Trouble> {
        let live = self.bed.live(component);
        let mailbox = live.as_deref().and_then(|live| match live {
            Live::Service(service) => service.as_any().downcast_ref::<Mailbox>(),
            Live::Process(_) => None,
        });
        let Some(mailbox) = mailbox else {
            return Err(Trouble::errored(format!("`{component}` is no mailbox, or does not run")));
        };
        Ok(mailbox.mails().iter().map(|mail| mail.to_value()).collect())
    }

    fn control<'a>(
        &'a self,
        component: &'a str,
        act: Act,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            match tokio::time::timeout_at(deadline, self.bed.act(component, act)).await {
                Ok(done) => done,
                Err(_) => Err(Trouble::failed(format!("`{component}` took too long"))),
            }
        })
    }

    fn put<'a>(&'a self, placed: &'a Placed) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            self.bed.put(placed, self.bed.scope()).await?;
            self.placed.lock().unwrap_or_else(PoisonError::into_inner).push(placed.clone());
            Ok(())
        })
    }

    fn root(&self) -> &Path {
        self.bed.root()
    }

    fn folders(&self) -> Vec<PathBuf> {
        let own = self.bed.wiring().dir("");
        vec![self.bed.root().to_owned(), own]
    }

    fn watcher(&self) -> Option<&Watcher> {
        Some(self.bed.watcher())
    }

    fn environment(&self) -> Vec<(String, String)> {
        base_environment(&self.bed.temporary())
    }
}
