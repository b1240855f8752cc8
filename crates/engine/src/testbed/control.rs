//! Starts, stops, kills and pauses components while the system runs, and makes all as before at a test's end.

use crate::testbed::Testbed;
use crate::testbed::component::Live;
use crate::testbed::raise::upstream;
use crate::testbed::state::chain;
use futures_util::future::join_all;
use seam_event::{ComponentId, ComponentState, InteractionError};
use seam_launch::STOP_WITHIN;
use seam_proxy::Upstream;
use seam_services::StopHow;
use seam_steps::{Act, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long it may take from a component's closing of its connections to its end, where it is dying.
const DYING: Duration = Duration::from_millis(100);

impl Testbed {
    /// Does something to a component and waits until it is so. What is so already is left as it is.
    pub(crate) async fn act(self: &Arc<Self>, name: &str, act: Act) -> Result<(), Trouble> {
        if !self.components.contains_key(name) {
            return Err(Trouble::errored(format!("there is no component `{name}`")));
        }
        let is_external = self.system().components[name].external_address().is_some();
        if is_external && act != Act::Start {
            // Neither is it where a stub stands in for it.
            return Err(Trouble::errored(format!("`{name}` is somebody else's, and is only asked")));
        }
        match act {
            Act::Start => self.start(name).await,
            Act::Stop => self.end(name, StopHow::Asked(self.stop_within(name))).await,
            Act::Kill => self.end(name, StopHow::Killed).await,
            Act::Restart => {
                self.end(name, StopHow::Asked(self.stop_within(name))).await?;
                self.start(name).await
            }
            Act::Pause => self.pause(name).await,
            Act::Resume => self.resume(name).await,
        }
    }

    /// A process that dies closes its connections a moment before it can be found dead: where a call came to no
    /// proper end, that moment is waited for, so that the death belongs to the test in which it happened.
    pub(crate) async fn await_deaths(&self) {
        let suspects: BTreeSet<ComponentId> = self
            .journal()
            .interactions(|interaction| {
                matches!(interaction.error, Some(InteractionError::Closed | InteractionError::Reset))
            })
            .iter()
            .flat_map(|interaction| [interaction.to.clone(), interaction.from.clone()])
            .collect();
        let dying =
            suspects.iter().filter_map(|name| self.components.get(name.as_str())).map(|component| async {
                let Some(live) = component.live().filter(|_| !component.is_stopped()) else { return };
                let death = async {
                    match &*live {
                        Live::Process(process) => process.died().await.is_ok(),
                        Live::Service(service) => match service.process() {
                            Some(process) => process.died().await.is_ok(),
                            None => false,
                        },
                    }
                };
                if tokio::time::timeout(DYING, death).await.is_ok_and(|died| died) {
                    // Whoever watches over it hears of it at the same time; it is told a moment later.
                    let told = async {
                        while !component.is_dead() && !component.is_stopped() {
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    };
                    let _ = tokio::time::timeout(DYING, told).await;
                }
            });
        join_all(dying).await;
    }

    /// Makes what steps did to components undone: what is stopped runs again, what is paused goes on, and what was
    /// found dead is raised again. Gives those that were found dead, with how.
    pub(crate) async fn mend(self: &Arc<Self>) -> Result<Vec<(String, String)>, Trouble> {
        let mut dead = Vec::new();
        for (name, component) in &self.components {
            if component.paused.load(Ordering::SeqCst) {
                self.resume(name).await?;
            }
            if let Some(how) = component.take_death() {
                // What a step stopped was meant to end, and is no death.
                dead.push((name.clone(), how));
                if matches!(component.live().as_deref(), Some(Live::Process(_))) {
                    component.forget();
                } else {
                    component.expect_end();
                }
            }
            let is_down = component.live().is_none() || component.is_stopped();
            if is_down && component.was_ready() && !self.system().components[name].is_job() {
                self.start(name).await?;
            }
        }
        Ok(dead)
    }

    /// Starts a component anew, for those that are to forget what they keep in memory.
    pub(crate) async fn restart(self: &Arc<Self>, name: &str) -> Result<(), Trouble> {
        self.end(name, StopHow::Asked(self.stop_within(name))).await?;
        self.start(name).await
    }

    async fn start(self: &Arc<Self>, name: &str) -> Result<(), Trouble> {
        let component = &self.components[name];
        if let Some(live) = component.live() {
            let Live::Service(service) = &*live else { return Ok(()) };
            if !component.is_stopped() {
                return Ok(());
            }
            component.begin_start();
            self.tell_component(name, ComponentState::Starting, String::new());
            service
                .start()
                .await
                .map_err(|error| Trouble::errored(format!("start `{name}`: {}", chain(&error))))?;
            for endpoint in &self.system().components[name].endpoints {
                self.point(name, &endpoint.name, &upstream(service.upstream(&endpoint.name)));
            }
            self.pointed(name).await;
            component.set_live(Some(Arc::clone(&live)));
            self.tell_component(name, ComponentState::Ready, service.detail());
            self.watch_over(name, live);
            return Ok(());
        }
        self.raise(name).await.map_err(|diagnostic| Trouble::Failed { reason: diagnostic.title, span: None })
    }

    /// Ends a component; its whole tree of processes is gone after this.
    async fn end(&self, name: &str, how: StopHow) -> Result<(), Trouble> {
        let component = &self.components[name];
        let Some(live) = component.live().filter(|_| !component.is_stopped()) else { return Ok(()) };
        component.expect_end();
        self.end_live(name, &live, how).await
    }

    /// The same of one whose end is meant already.
    async fn end_live(&self, name: &str, live: &Live, how: StopHow) -> Result<(), Trouble> {
        let component = &self.components[name];
        self.connections().close_idle();
        for endpoint in &self.system().components[name].endpoints {
            self.point(name, &endpoint.name, &Upstream::Nowhere);
        }
        self.pointed(name).await;
        let ended = match (live, how) {
            (Live::Service(service), how) => service.stop(how).await.map_err(|error| chain(&error)),
            (Live::Process(process), StopHow::Asked(within)) => {
                process.stop(within).await.map(drop).map_err(|error| chain(&error))
            }
            (Live::Process(process), StopHow::Killed) => {
                process.kill().await.map(drop).map_err(|error| chain(&error))
            }
        };
        if let Live::Process(_) = live {
            component.set_live(None);
        }
        self.tell_component(name, ComponentState::Stopped, String::new());
        ended.map_err(|error| Trouble::errored(format!("stop `{name}`: {error}")))
    }

    async fn pause(&self, name: &str) -> Result<(), Trouble> {
        let component = &self.components[name];
        let Some(live) = component.live().filter(|_| !component.is_stopped()) else { return Ok(()) };
        let paused = match &*live {
            Live::Process(process) => process.pause().await.map_err(|error| chain(&error)),
            Live::Service(service) => match service.process() {
                Some(process) => process.pause().await.map_err(|error| chain(&error)),
                None => Err("it is built in and can't be paused".to_owned()),
            },
        };
        paused.map_err(|error| Trouble::errored(format!("pause `{name}`: {error}")))?;
        self.tell_component(name, ComponentState::Paused, String::new());
        Ok(())
    }

    async fn resume(&self, name: &str) -> Result<(), Trouble> {
        let component = &self.components[name];
        let Some(live) = component.live() else { return Ok(()) };
        let resumed = match &*live {
            Live::Process(process) => process.resume().await.map_err(|error| chain(&error)),
            Live::Service(service) => match service.process() {
                Some(process) => process.resume().await.map_err(|error| chain(&error)),
                None => Ok(()),
            },
        };
        component.paused.store(false, Ordering::SeqCst);
        resumed.map_err(|error| Trouble::errored(format!("resume `{name}`: {error}")))?;
        self.tell_component(name, ComponentState::Ready, "goes on".to_owned());
        Ok(())
    }

    /// Ends all components, each once those that needed it to start have ended: what a consumer still says at its end
    /// (a queue emptied, a transaction taken back) finds its provider there. All have deadlines of their own, and together
    /// they wait for their consumers no longer than the slowest may take: nobody waits for the sum of all.
    pub(crate) async fn strike_all(&self) {
        let running: BTreeMap<&str, Arc<Live>> = self
            .components
            .iter()
            .filter(|(_, component)| !component.is_stopped())
            .filter_map(|(name, component)| Some((name.as_str(), component.live()?)))
            .collect();
        // Many a provider ends by itself once its consumers have left, which is no death any more.
        for name in running.keys() {
            self.components[*name].expect_end();
        }
        let patience = running.keys().map(|name| self.stop_within(name)).max().unwrap_or_default();
        let all_waited = Instant::now() + patience;
        let over: BTreeMap<&str, watch::Sender<bool>> =
            running.keys().map(|name| (*name, watch::Sender::new(false))).collect();
        let striking = running.iter().map(|(name, live)| {
            let consumers: Vec<_> = self.consumers(name).filter_map(|consumer| over.get(consumer)).collect();
            let is_over = &over[name];
            async move {
                for consumer in consumers {
                    // Its sender lives as long as this does.
                    let mut consumer = consumer.subscribe();
                    let _ = timeout_at(all_waited, consumer.wait_for(|is_over| *is_over)).await;
                }
                // What can't be stopped here the watcher ends.
                let _ = self.end_live(name, live, StopHow::Asked(self.stop_within(name))).await;
                is_over.send_replace(true);
            }
        });
        join_all(striking).await;
    }

    /// Who waited for this component before it was started. Nobody waits for itself, however long the way.
    fn consumers(&self, provider: &str) -> impl Iterator<Item = &str> {
        let waits_for = self.system().waits_for.iter();
        waits_for.filter(move |(_, providers)| providers.contains(provider)).map(|(name, _)| name.as_str())
    }

    fn stop_within(&self, name: &str) -> Duration {
        self.system()
            .components
            .get(name)
            .and_then(|planned| planned.declared.stop_within)
            .unwrap_or(STOP_WITHIN)
    }
}
