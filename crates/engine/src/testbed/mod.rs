//! The system while it runs: its seams stood on, its components raised, its state kept.
//!
//! ```text
//! open: watcher, proxy, all seams stood on (leading nowhere yet)
//!   └▶ prepare ─▶ raise all components, each when those it waits for are ready ─▶ quiet ─▶ state kept
//! close: components struck, seams taken down, watcher finished: nothing is left
//! ```

mod alive;
mod asked;
mod callers;
pub(crate) mod component;
mod control;
pub(crate) mod disturbed;
mod external;
pub(crate) mod journal;
mod prepare;
pub(crate) mod quiet;
mod raise;
mod reset;
mod secure;
mod seen;
mod settled;
mod state;
mod told;
mod vouched;
mod waiting;
pub(crate) mod wiring;

use crate::plan::Plan;
use crate::plan::system::{Made, SystemPlan, seam};
use crate::run::lane::Actors;
use crate::snapshots::StepSnapshots;
use crate::testbed::callers::ProcCallers;
use crate::testbed::component::{Live, LiveComponent};
use crate::testbed::disturbed::StandIn;
use crate::testbed::external::{ExternalNews, Externals};
use crate::testbed::journal::{Journal, JournalWitness};
use crate::testbed::settled::LastSettled;
use crate::testbed::state::KeptStates;
use crate::testbed::vouched::Vouched;
use crate::testbed::wiring::Wiring;
use indexmap::IndexMap;
use jiff::Timestamp;
use seam_event::{Level, Notice, Scope, SeamId, What};
use seam_expr::Template;
use seam_history::{Masker, Recorder};
use seam_launch::{LogsTo, Mask, Swept, Watcher, WatcherCommand, WatcherOptions, default_registry, sweep};
use seam_proxy::{Proxy, Pulse, SeamSpec, Upstream};
use seam_services::Places;
use seam_steps::Connections;
use seam_value::{Map, Value};
use seam_wire::{Limits, Protocol};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

pub use crate::testbed::alive::Alive;
pub use crate::testbed::told::{BedError, Progress};

/// How long what has passed may take to be told before a step looks at it.
const DRAIN: Duration = Duration::from_secs(5);

/// What a testbed is opened with.
pub struct Ground {
    /// The run's id.
    pub run: seam_event::RunId,
    /// The run's own folder, where logs go.
    pub folder: PathBuf,
    /// Who writes the History.
    pub recorder: Recorder,
    /// Who hears what takes long.
    pub progress: Progress,
    /// May programs that are missing be fetched?
    pub fetch: bool,
    /// What masks secrets in what this run writes besides its History.
    pub masker: Masker,
    /// Are snapshots to be kept, or kept anew?
    pub update_snapshots: bool,
    /// When the run began, on the clock that never goes back, and on the wall.
    pub began: (std::time::Instant, Timestamp),
}

/// A system while it runs.
pub(crate) struct Testbed {
    plan: Arc<Plan>,
    ground: Ground,
    journal: Arc<Journal>,
    proxy: Proxy,
    watcher: Watcher,
    places: Places,
    wiring: Wiring,
    components: IndexMap<String, LiveComponent>,
    externals: Externals,
    kept: KeptStates,
    settled: LastSettled,
    /// Turns true when somebody asks to stop.
    interrupt: watch::Receiver<bool>,
    /// Who judges invariants and `settled`.
    judges: Arc<Actors>,
    /// What the tests' HTTP steps leave open for the next ones.
    connections: Connections,
    /// Who vouches for the seams, for consumers that want TLS.
    vouched: Vouched,
    /// What stands in for components that are not there, by their names.
    stand_ins: Mutex<Vec<StandIn>>,
}

impl Testbed {
    /// Starts the watcher and stands on all seams. Nothing of the system runs yet.
    pub(crate) async fn open(
        plan: Arc<Plan>,
        ground: Ground,
        interrupt: watch::Receiver<bool>,
    ) -> Result<Self, BedError> {
        sweep_up(&ground).await;
        let options = WatcherOptions {
            run: ground.run.clone(),
            command: WatcherCommand::this_program(),
            registry: default_registry(),
            logs: Some(LogsTo { folder: ground.folder.join("logs"), mask: mask(&ground.masker) }),
        };
        let watcher = Watcher::start(options).await.map_err(BedError::Watcher)?;
        let places = Places::of_user(|name| std::env::var(name).ok());
        let folder = temporary_folder(&places, &ground.run).map_err(BedError::Folder)?;
        watcher.remove_at_end(&folder).await.map_err(|_| BedError::Gone)?;
        let journal = Arc::new(Journal::default());
        let pulse = Arc::new(Pulse::new(ground.began.0));
        let externals = Externals::new(ExternalNews::new(&journal, &ground.recorder));
        let witness = JournalWitness {
            journal: Arc::clone(&journal),
            recorder: ground.recorder.clone(),
            externals: Arc::clone(externals.news()),
        };
        let callers = ProcCallers::new(watcher.clone());
        let proxy = Proxy::start(pulse, Limits::default(), Box::new(witness), Box::new(callers))
            .map_err(BedError::Proxy)?;
        let vouched = Vouched::new(&plan, &folder)?;
        proxy.vouch(&vouched.authority);
        let mut wiring = Wiring::new(&plan.system, &folder);
        for (id, protocol) in all_seams(&plan) {
            let spec = SeamSpec { seam: id.clone(), protocol, upstream: Upstream::Nowhere, listen: None };
            let address = proxy.stand(spec).await.map_err(BedError::Proxy)?;
            wiring.stands(id, address);
        }
        // What asks there is no component, so nothing says whether it insists: all who ask are taken at their word.
        proxy.insist_on_tls(|seam| seam.consumer.as_str() == "test");
        let components =
            plan.system.components.keys().map(|name| (name.clone(), LiveComponent::default())).collect();
        let kept = KeptStates::default();
        Ok(Self {
            plan,
            ground,
            journal,
            proxy,
            watcher,
            places,
            wiring,
            components,
            externals,
            kept,
            settled: LastSettled::default(),
            interrupt,
            judges: Arc::default(),
            connections: Connections::default(),
            vouched,
            stand_ins: Mutex::default(),
        })
    }

    /// Ends everything, whatever state it is in, and comes back when nothing is left.
    pub(crate) async fn close(&self) -> Result<(), BedError> {
        self.strike_all().await;
        self.externals.close();
        let over = self.watcher.finish().await.map_err(|_| BedError::Gone)?;
        if over.left.is_empty() { Ok(()) } else { Err(BedError::Left(over.left)) }
    }

    /// Appends an event.
    pub(crate) fn record(&self, scope: Scope, what: What) {
        self.ground.recorder.record(scope, what);
    }

    /// The snapshots of the project, for one step.
    pub(crate) fn snapshots(&self, scope: Scope) -> StepSnapshots<'_> {
        let Ground { masker, recorder, update_snapshots, .. } = &self.ground;
        StepSnapshots::new(self.root(), masker, update_snapshots.then_some(recorder), scope)
    }

    /// What happens from now on belongs to this test and step.
    pub(crate) fn enter(&self, scope: Scope) {
        self.journal.set_scope(scope, self.now());
    }

    /// To which test and step what happens now belongs.
    pub(crate) fn scope(&self) -> Scope {
        self.journal.scope()
    }

    /// What passed and was said in the current test.
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// The connections of the tests' HTTP steps.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Comes back when somebody asks to stop.
    pub(crate) async fn interrupted(&self) {
        if self.interrupt.clone().wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Has somebody asked to stop?
    pub(crate) fn is_interrupted(&self) -> bool {
        *self.interrupt.borrow()
    }

    /// Who judges invariants and `settled`, in all tests.
    pub(crate) fn judges(&self) -> &Arc<Actors> {
        &self.judges
    }

    /// Calls that nobody has answered yet are told, too: a test that ends while one is open ends because of it.
    pub(crate) async fn tell_open_calls(&self) {
        if self.proxy.pulse().n_open_calls() > 0 {
            self.proxy.tell_open().await;
        }
    }

    /// All that passed up to now is in the journal after this. False if that took too long.
    pub(crate) async fn drain(&self) -> bool {
        self.proxy.drain(DRAIN).await
    }

    /// Somebody else's components.
    pub(crate) fn externals(&self) -> &ExternalNews {
        self.externals.news()
    }

    /// Who dials what.
    pub(crate) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// The system as planned.
    pub(crate) fn system(&self) -> &Arc<SystemPlan> {
        &self.plan.system
    }

    /// The whole plan.
    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Who starts processes.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// The folder of `seam.yaml`.
    pub(crate) fn root(&self) -> &Path {
        &self.plan.system.root
    }

    /// The time since the run began.
    pub(crate) fn now(&self) -> Duration {
        self.ground.began.0.elapsed()
    }

    /// Says what takes long.
    pub(crate) fn say(&self, what: &str) {
        (self.ground.progress)(what.to_owned());
    }

    /// What is running of a component.
    pub(crate) fn live(&self, name: &str) -> Option<Arc<Live>> {
        self.components.get(name)?.live()
    }

    /// How many lines of a component came faster than they were listened to, since it was started.
    pub(crate) fn n_lost_lines(&self, name: &str) -> u64 {
        match self.live(name).as_deref() {
            Some(Live::Process(process)) => process.n_lost_lines(),
            Some(Live::Service(_)) | None => 0,
        }
    }

    /// All components of which something runs, with their names.
    pub(crate) fn all_live(&self) -> Vec<(String, Arc<Live>)> {
        self.components
            .iter()
            .filter_map(|(name, component)| Some((name.clone(), component.live()?)))
            .collect()
    }

    /// Is there state to restore that components may still be writing to?
    pub(crate) fn needs_quiet_before_restoring(&self) -> bool {
        self.plan.system.components.values().any(|planned| matches!(planned.made, Made::Service(_)))
    }

    /// A folder of the run's own, which goes with it.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.wiring.dir("tmp")
    }

    /// The file with the certificate of the run's authority.
    pub(crate) fn authority_file(&self) -> &Path {
        self.vouched.file()
    }

    /// The folder that a file's `./x` begins at.
    pub(crate) fn folder_of(&self, file: usize) -> PathBuf {
        self.plan.files.get(file).map(|file| file.folder.clone()).unwrap_or_default()
    }

    /// The variables of a file, in order.
    pub(crate) fn file_variables(&self, file: usize) -> &[(String, Template)] {
        self.plan.files.get(file).map_or(&[], |file| &file.vars)
    }

    /// `$secrets`.
    pub(crate) fn secrets(&self) -> Value {
        let secrets = self.plan.system.secrets.iter();
        Value::Map(secrets.map(|(name, value)| (name.clone(), Value::text(value))).collect::<Map>())
    }

    /// A variable of the environment.
    pub(crate) fn environment(&self, name: &str) -> Option<String> {
        self.plan.system.environment.get(name)
    }

    /// What the time is. The wall clock is read here only.
    pub(crate) fn wall_clock(&self) -> Timestamp {
        let (began, at) = self.ground.began;
        at.saturating_add(jiff::SignedDuration::try_from(began.elapsed()).unwrap_or_default()).unwrap_or(at)
    }

    /// A property of a component as the test reaches it: `api.url`, `pg.orders.port`.
    pub(crate) fn property_for_test(&self, path: &str) -> Option<String> {
        let words: Vec<&str> = path.split('.').collect();
        match words.as_slice() {
            [component, property] => self.wiring.property("test", component, "", property),
            [component, endpoint, property] => self.wiring.property("test", component, endpoint, property),
            _ => None,
        }
    }

    /// Waits until the seams to a component listen, or refuse, as was said of them.
    async fn pointed(&self, component: &str) {
        self.proxy.pointed(|seam| seam.provider.as_str() == component).await;
    }

    /// Lets all seams to an endpoint lead there.
    fn point(&self, component: &str, endpoint: &str, upstream: &Upstream) {
        let leads = |seam: &SeamId| seam.provider.as_str() == component && seam.endpoint.as_str() == endpoint;
        self.proxy.point(leads, upstream);
    }
}

/// The seams that references declare, and those of the tests themselves: one to each endpoint.
fn all_seams(plan: &Plan) -> Vec<(SeamId, &'static dyn Protocol)> {
    let mut seams: Vec<(SeamId, &'static dyn Protocol)> =
        plan.system.seams.iter().map(|planned| (planned.id.clone(), planned.protocol)).collect();
    for (name, component) in &plan.system.components {
        for endpoint in &component.endpoints {
            seams.push((seam("test", name, &endpoint.name), endpoint.protocol));
        }
    }
    seams
}

/// Ends what an earlier run left behind because its watcher was killed as well, and says so.
async fn sweep_up(ground: &Ground) {
    // Where it can't be done this run goes on all the same: it needs nothing of what is left.
    let swept = tokio::task::spawn_blocking(|| sweep(&default_registry())).await.unwrap_or_default();
    for one in swept.iter().filter(|one| one.n_ended > 0 || !one.left.is_empty()) {
        let Swept { run, n_ended, left, .. } = one;
        let mut text =
            format!("run {run} was killed with its watcher: {n_ended} processes it left behind were ended");
        if !left.is_empty() {
            text = format!("{text}, and these could not be: {left:?}");
        }
        let notice = Notice::new(Level::Warning, text);
        ground.recorder.record(Scope::default(), What::Notice(notice));
    }
}

/// A folder of the run's own outside of the project, for data that goes with it.
fn temporary_folder(places: &Places, run: &seam_event::RunId) -> std::io::Result<PathBuf> {
    let folder = places.live.join(run.as_str());
    std::fs::create_dir_all(folder.join("tmp"))?;
    Ok(folder)
}

/// Takes secrets out of what components say.
fn mask(masker: &Masker) -> Mask {
    let masker = masker.clone();
    Arc::new(move |text| masker.text(text).into_owned())
}
