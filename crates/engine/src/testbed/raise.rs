//! Raises the system: every component at the moment when those it waits for are ready, many at once.

use crate::plan::system::{Made, PlannedComponent};
use crate::run::variables::Variables;
use crate::testbed::Testbed;
use crate::testbed::component::{Live, Readiness};
use crate::testbed::seen::Seen;
use crate::testbed::state::chain;
use crate::testbed::told::{BedError, about, with_lines};
use futures_util::future::join_all;
use seam_diag::Diagnostic;
use seam_event::{ComponentId, ComponentState, Scope, What};
use seam_expr::Chance;
use seam_launch::{
    Death, Exit, Ground, Line, MORE_PORTS, READY_WITHIN, Raise, ReadyContext, There, UnreadyError,
    await_ready, base_environment, default_ready, laid_over, says_address_in_use,
};
use seam_proxy::Upstream;
use seam_services::{Declared, RaiseCx};
use seam_steps::SaidLine;
use seam_value::Map;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Lines of one component that may wait to be recorded.
const LINES: usize = 16_384;

impl Testbed {
    /// Raises all components. Where some can't be, all of them are told that could not for their own reasons.
    pub(crate) async fn raise_all(self: &Arc<Self>) -> Result<(), BedError> {
        let raising = self.components.keys().map(|name| {
            let (bed, name) = (Arc::clone(self), name.clone());
            async move { bed.raise_in_order(&name).await }
        });
        let told: Vec<Diagnostic> =
            join_all(raising).await.into_iter().filter_map(Result::err).flatten().collect();
        if told.is_empty() { Ok(()) } else { Err(BedError::Unready(told)) }
    }

    /// Waits for those that must be ready before, then raises one. Where one of those failed, nothing is told
    /// here: it is told there.
    async fn raise_in_order(self: &Arc<Self>, name: &str) -> Result<(), Option<Diagnostic>> {
        for other in self.system().waits_for.get(name).into_iter().flatten() {
            let Some(other) = self.components.get(other) else { continue };
            let mut readiness = other.readiness.subscribe();
            let known = readiness.wait_for(|readiness| *readiness != Readiness::Awaited).await;
            if known.map_or(true, |readiness| *readiness == Readiness::Failed) {
                self.components[name].readiness.send_replace(Readiness::Failed);
                return Err(None);
            }
        }
        self.raise(name).await.map_err(Some)
    }

    /// Raises one component and waits until it is ready.
    pub(crate) async fn raise(self: &Arc<Self>, name: &str) -> Result<(), Diagnostic> {
        let began = Instant::now();
        self.components[name].begin_start();
        self.tell_component(name, ComponentState::Starting, String::new());
        let planned = &self.system().components[name];
        self.describe_as_declared(name, planned);
        let raised = match &planned.made {
            Made::Service(service) => self.raise_service(name, planned, service.as_ref()).await,
            Made::Runtime(_, kind) if kind.word.name == "planned" && self.plan.stubs.contains_key(name) => {
                let detail = self.stand_in(name).unwrap_or_default();
                Ok((Live::Process(seam_launch::nothing_of(ComponentId::from(name))), detail))
            }
            Made::Runtime(_, kind) if kind.there == There::NotYet => {
                let title = format!("`{name}` is made with `{}`, which is not there yet", kind.word.name);
                Err(about(title, planned.declared.origin.span))
            }
            Made::Runtime(raise, _) => self.raise_runtime(name, planned, raise).await,
        };
        let component = &self.components[name];
        match raised {
            Ok((live, detail)) => {
                self.pointed(name).await;
                let live = Arc::new(live);
                component.set_live(Some(Arc::clone(&live)));
                component.readiness.send_replace(Readiness::Ready);
                // What is somebody else's takes no time to start.
                let detail = match planned.external_address() {
                    Some(_) => detail,
                    None => format!("{detail} in {} ms", began.elapsed().as_millis()),
                };
                self.tell_component(name, ComponentState::Ready, detail);
                self.watch_over(name, live);
                Ok(())
            }
            Err(diagnostic) => {
                component.readiness.send_replace(Readiness::Failed);
                self.tell_component(name, ComponentState::Unready, diagnostic.title.clone());
                Err(diagnostic)
            }
        }
    }

    async fn raise_service(
        self: &Arc<Self>,
        name: &str,
        planned: &PlannedComponent,
        service: &dyn Declared,
    ) -> Result<(Live, String), Diagnostic> {
        let progress = Arc::clone(&self.ground.progress);
        let within = planned.declared.ready_within.unwrap_or(READY_WITHIN);
        let cx = RaiseCx {
            component: ComponentId::from(name),
            run: self.ground.run.clone(),
            watcher: self.watcher().clone(),
            places: self.places.clone(),
            fetch: self.ground.fetch,
            lines: Some(self.listen_to(name)),
            deadline: Instant::now() + within,
            progress: Arc::new(move |text| progress(text)),
        };
        let running = service.raise(&cx).await.map_err(|error| {
            let title = format!("`{name}` could not be raised: {}", chain(&error));
            with_lines(
                about(title, planned.declared.name.span),
                name,
                error.lines().iter().map(String::as_str),
            )
        })?;
        for endpoint in &planned.endpoints {
            self.point(name, &endpoint.name, &upstream(running.upstream(&endpoint.name)));
        }
        let detail = running.detail();
        Ok((Live::Service(running), detail))
    }

    /// Raises a process or points at somebody else's. A process whose port was taken by somebody in between is
    /// started again with another, twice.
    async fn raise_runtime(
        self: &Arc<Self>,
        name: &str,
        planned: &PlannedComponent,
        raise: &Arc<dyn Raise>,
    ) -> Result<(Live, String), Diagnostic> {
        let mut n_tries = 0;
        loop {
            self.wiring()
                .hold_ports(name)
                .map_err(|error| about(chain(&error), planned.declared.name.span))?;
            // A runtime that binds without SO_REUSEADDR can't bind a port that is held.
            if n_tries > 0 {
                self.wiring().release_ports(name);
            }
            match self.raise_once(name, planned, raise.as_ref()).await {
                Ok(raised) => return Ok(raised),
                Err(Unready { diagnostic, address_in_use: true }) if n_tries < MORE_PORTS => {
                    n_tries += 1;
                    let text = format!(
                        "`{name}` found its address in use; trying another port ({})",
                        diagnostic.title
                    );
                    (self.ground.progress)(text);
                }
                Err(unready) => return Err(unready.diagnostic),
            }
        }
    }

    async fn raise_once(
        self: &Arc<Self>,
        name: &str,
        planned: &PlannedComponent,
        raise: &dyn Raise,
    ) -> Result<(Live, String), Unready> {
        let prepared = self.prepare_process(name, planned).map_err(Unready::from)?;
        self.speak_as_declared(name, planned).map_err(Unready::from)?;
        let component = ComponentId::from(name);
        let lines = self.listen_to(name);
        let has_port = planned.endpoints.iter().any(|endpoint| planned.binds(&endpoint.name));
        let ready = planned.ready.clone().unwrap_or_else(|| Arc::from(default_ready(has_port)));
        let ground = Ground {
            watcher: self.watcher(),
            component: &component,
            project: self.root(),
            dir: &prepared.dir,
            env: &prepared.env,
            texts: &prepared.texts,
            lines: Some(&lines),
            awaited: ready.awaited(),
        };
        let since = self.now();
        let live = raise
            .raise(&ground)
            .await
            .map_err(|error| Unready::from(about(chain(&error), planned.declared.subject.span)))?;
        if let Some(external) = raise.external() {
            let text = prepared.texts.first().map_or("", String::as_str);
            let detail = self.point_external(name, planned, external, text).await;
            return detail.map(|detail| (Live::Process(live), detail)).map_err(Unready::from);
        }
        for endpoint in &planned.endpoints {
            if let Some(address) = self.wiring().listens(name, &endpoint.name) {
                self.point(name, &endpoint.name, &Upstream::Tcp(address));
            }
        }
        let seen = Seen {
            journal: Arc::clone(self.journal()),
            since,
            filter: &planned.ready_where,
            names: Variables::new(Map::default(), Chance::new(self.plan().seed, name), self, self.root()),
        };
        let address = self.wiring().listens(name, "");
        let door =
            if ready.speaks() { self.own_door(name, planned).await.map_err(Unready::from)? } else { None };
        let cx = ReadyContext {
            component: &component,
            live: live.as_ref(),
            address: door.as_ref().map(|(address, _)| *address).or(address),
            watcher: self.watcher(),
            project: self.root(),
            dir: &prepared.dir,
            env: &prepared.env,
            texts: &prepared.ready_texts,
            seams: Some(&seen),
            look_within: READY_WITHIN,
        };
        let within = planned.declared.ready_within.unwrap_or(READY_WITHIN);
        match await_ready(ready.as_ref(), cx, within).await {
            Ok(readied) => {
                let tries = if readied.n_tries == 1 { "try" } else { "tries" };
                Ok((Live::Process(live), format!("ready after {} {tries}", readied.n_tries)))
            }
            Err(error) => {
                let mut unready = self.unready(name, planned, since, (live, error)).await;
                let trouble = door.and_then(|(_, tunnel)| tunnel?.take_trouble());
                if let Some(trouble) = trouble {
                    unready.diagnostic = unready.diagnostic.note("TLS", trouble.to_string());
                    if let Some(hint) = trouble.hint() {
                        unready.diagnostic = unready.diagnostic.hint(hint);
                    }
                }
                Err(unready)
            }
        }
    }

    /// What to tell of a component that did not become ready; nothing of it is left after this.
    async fn unready(
        &self,
        name: &str,
        planned: &PlannedComponent,
        since: Duration,
        (live, error): (Box<dyn seam_launch::Live>, UnreadyError),
    ) -> Unready {
        let lines: Vec<Line> = match &error {
            UnreadyError::Died { death, .. } => death.lines.clone(),
            _ => live.last_lines(),
        };
        // Before it is ended: what is open now would be broken off by that.
        let failed = self.failed_for(name, since).await;
        // What became of it does not matter any more: it is gone, or the watcher ends it with the run.
        let _ = live.kill().await;
        for endpoint in &planned.endpoints {
            self.point(name, &endpoint.name, &Upstream::Nowhere);
        }
        let address_in_use = says_address_in_use(lines.iter().map(|line| line.text.as_str()));
        let span = planned.declared.ready.as_ref().map_or(planned.declared.name.span, |node| node.span);
        let mut diagnostic = about(chain(&error), span);
        for (seam, text) in failed {
            diagnostic = diagnostic.note(seam, text);
        }
        let diagnostic = with_lines(diagnostic, name, lines.iter().map(|line| line.text.as_str()));
        Unready { diagnostic, address_in_use }
    }

    /// Renders what a process is started with.
    fn prepare_process(&self, name: &str, planned: &PlannedComponent) -> Result<Prepared, Diagnostic> {
        let wiring = self.wiring();
        let rendered = |text| wiring.render(name, text).map_err(|error| about(error.to_string(), error.span));
        let own_dir = wiring.dir(name);
        let made = std::fs::create_dir_all(&own_dir);
        made.map_err(|error| {
            about(format!("failed to make {}: {error}", own_dir.display()), planned.declared.name.span)
        })?;
        let own = planned
            .env
            .iter()
            .map(|(name, text)| Ok((name.clone(), rendered(text)?)))
            .collect::<Result<Vec<_>, Diagnostic>>()?;
        let dir = planned
            .declared
            .dir
            .as_ref()
            .map_or_else(|| self.root().to_owned(), |dir| self.root().join(&dir.value));
        for file in &planned.files {
            let target = self.root().join(rendered(&file.target)?);
            let text = rendered(&file.text)?;
            let written = target
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&target, text));
            written.map_err(|error| {
                let title =
                    format!("failed to render {} to {}: {error}", file.template.display(), target.display());
                about(title, planned.declared.name.span)
            })?;
        }
        let mut base = base_environment(&self.temporary());
        base.extend(self.vouched.environment());
        let texts: Vec<String> = planned.texts.iter().map(rendered).collect::<Result<_, _>>()?;
        if own.iter().map(|(_, value)| value).chain(&texts).any(|text| insists_on_tls(text)) {
            self.proxy.insist_on_tls(|seam| seam.consumer.as_str() == name);
        }
        Ok(Prepared {
            env: laid_over(base, &own),
            texts,
            ready_texts: planned.ready_texts.iter().map(rendered).collect::<Result<_, _>>()?,
            dir,
        })
    }

    /// A channel for what a component says, into the journal and the History.
    fn listen_to(self: &Arc<Self>, name: &str) -> mpsc::Sender<Line> {
        let (sender, mut lines) = mpsc::channel::<Line>(LINES);
        let (journal, recorder) = (Arc::clone(self.journal()), self.ground.recorder.clone());
        let (component, began) = (ComponentId::from(name), self.ground.began.0);
        // It ends when the process has, and its output with it.
        tokio::spawn(async move {
            while let Some(Line { error, number, text, at, .. }) = lines.recv().await {
                let at = at.saturating_duration_since(began);
                let scope = journal.said(&component, at, SaidLine { number, error, text: text.clone() });
                let what = What::Line { component: component.clone(), error, number, text };
                recorder.record(scope, what);
            }
        });
        sender
    }

    /// Notes when a component ends although nobody stopped it: nothing listens behind its seams any more.
    pub(crate) fn watch_over(self: &Arc<Self>, name: &str, live: Arc<Live>) {
        let n_starts = self.components[name].n_starts();
        let (bed, name) = (Arc::downgrade(self), name.to_owned());
        tokio::spawn(async move {
            let death = match &*live {
                Live::Process(process) => process.died().await.ok(),
                Live::Service(service) => match service.process() {
                    Some(process) => process.died().await.ok(),
                    None => None,
                },
            };
            drop(live);
            let (Some(death), Some(bed)) = (death, bed.upgrade()) else { return };
            bed.ended(&name, n_starts, &death).await;
        });
    }

    async fn ended(&self, name: &str, n_starts: u64, death: &Death) {
        let (planned, component) = (&self.system().components[name], &self.components[name]);
        let is_still_so = component.unless_started_again(n_starts, || {
            for endpoint in &planned.endpoints {
                self.point(name, &endpoint.name, &Upstream::Nowhere);
            }
        });
        if !is_still_so {
            return;
        }
        self.pointed(name).await;
        let has_done_its_work = planned.job_code().is_some_and(|code| death.exit == Exit::Code(code));
        if component.is_stopped() || has_done_its_work {
            return;
        }
        let how = death.to_string();
        component.set_death(how.clone());
        self.tell_component(name, ComponentState::Died, how);
    }

    /// Tells what a component does.
    pub(crate) fn tell_component(&self, name: &str, state: ComponentState, detail: String) {
        let component = ComponentId::from(name);
        let scope = if self.journal().scope() == Scope::default() { Scope::default() } else { self.scope() };
        self.record(scope, What::Component { component, state, detail });
        if state == ComponentState::Paused {
            self.components[name].paused.store(true, Ordering::SeqCst);
        }
    }
}

/// Does a setting say that PostgreSQL is to be spoken to over TLS or not at all?
fn insists_on_tls(text: &str) -> bool {
    ["sslmode=require", "sslmode=verify-", "ssl=true", "ssl=require", "ssl=verify-"]
        .iter()
        .any(|says| text.contains(says))
        || matches!(text, "require" | "verify-ca" | "verify-full")
}

/// What a process is started with, rendered.
struct Prepared {
    env: Vec<(String, String)>,
    texts: Vec<String>,
    ready_texts: Vec<String>,
    dir: std::path::PathBuf,
}

/// Why a component did not become ready.
struct Unready {
    diagnostic: Diagnostic,
    /// Because its port was taken: another may do.
    address_in_use: bool,
}

impl From<Diagnostic> for Unready {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, address_in_use: false }
    }
}

pub(crate) fn upstream(of_service: seam_services::Upstream) -> Upstream {
    match of_service {
        seam_services::Upstream::Unix(path) => Upstream::Unix(path),
        seam_services::Upstream::Tcp(address) => Upstream::Tcp(address),
    }
}
