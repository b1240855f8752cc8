//! The stubs of one WireMock while it serves: served, changed and asked about from many threads at once.

use super::answer::{Around, Prepared, Templates};
use super::delays::Settings;
use super::journal::{Event, Journal};
use super::mapping::{Mapping, new_id};
use super::recording::Recording;
use super::request::Request;
use super::request_pattern::Url;
use super::scenarios::Scenarios;
use super::{near, report};
use crate::layers::{Layer, MustRead};
use crate::surroundings::{FindFile, Surroundings};
use seam_wire::{Answering, Answers, Asked, AtHead, Glance, HeardBy, Say};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// Many mappings that can be changed while they serve, with their scenarios and the journal.
pub struct WireMock {
    pub(crate) store: Mutex<Store>,
    /// The mappings in the order in which they are asked; made anew when somebody asks after a change.
    table: RwLock<Arc<Table>>,
    is_stale: AtomicBool,
    pub(crate) scenarios: Mutex<Scenarios>,
    /// Shared with those who are told later what was answered elsewhere.
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) settings: RwLock<Arc<Settings>>,
    pub(crate) recording: Mutex<Recording>,
    surroundings: Surroundings,
    files: FindFile,
    templates: Templates,
    /// The id that stands where no mapping was.
    nobody: String,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its id in the journal.
    pub id: String,
    /// What to say; none where nothing matched.
    pub answering: Option<Answering>,
}

/// All mappings, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) list: Vec<(u64, Arc<Mapping>)>,
    next: u64,
    /// What was loaded from files, to which `reset` goes back.
    pub(crate) defaults: Vec<Arc<Mapping>>,
    by_id: HashMap<String, u64>,
}

#[derive(Default)]
struct Table {
    ordered: Vec<Arc<Prepared>>,
    /// Mappings that ask for one path, by it.
    by_path: HashMap<String, Vec<usize>>,
    /// All others.
    others: Vec<usize>,
}

impl Store {
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Mapping>> {
        let number = self.by_id.get(id)?;
        let at = self.list.binary_search_by_key(number, |(number, _)| *number).ok()?;
        self.list.get(at).map(|(_, mapping)| mapping)
    }

    pub(crate) fn add(&mut self, mapping: Arc<Mapping>) {
        self.by_id.insert(mapping.id.clone(), self.next);
        self.list.push((self.next, mapping));
        self.next += 1;
    }

    /// Puts a mapping in the place of the one with its id; false where there is none.
    pub(crate) fn replace(&mut self, mapping: Arc<Mapping>) -> bool {
        let Some(number) = self.by_id.get(&mapping.id) else { return false };
        let Ok(at) = self.list.binary_search_by_key(number, |(number, _)| *number) else { return false };
        self.list[at].1 = mapping;
        true
    }

    pub(crate) fn remove(&mut self, condition: impl Fn(&Mapping) -> bool) {
        // What was kept in a file goes with its file.
        self.defaults.retain(|mapping| !(mapping.is_persistent() && condition(mapping)));
        self.list.retain(|(_, mapping)| !condition(mapping));
        let ids = self.list.iter().map(|(number, mapping)| (mapping.id.clone(), *number));
        self.by_id = ids.collect();
    }

    /// In the order in which WireMock lists and asks them: by priority, the newest first.
    pub(crate) fn ordered(&self) -> Vec<Arc<Mapping>> {
        let mut all: Vec<&(u64, Arc<Mapping>)> = self.list.iter().collect();
        all.sort_by_key(|(number, mapping)| (mapping.priority, std::cmp::Reverse(*number)));
        all.into_iter().map(|(_, mapping)| Arc::clone(mapping)).collect()
    }
}

impl Table {
    /// Of mappings in their order. What was prepared for the table before is taken over.
    fn new(mappings: &[Arc<Mapping>], before: &Self, templates: Templates) -> Self {
        let known: HashMap<*const Mapping, &Arc<Prepared>> =
            before.ordered.iter().map(|prepared| (Arc::as_ptr(&prepared.mapping), prepared)).collect();
        let mut table = Self::default();
        for (rank, mapping) in mappings.iter().enumerate() {
            let path = match &mapping.request.url {
                Url::Equal(url) => url.split(['?', '#']).next(),
                Url::Path(path) => Some(path.as_str()),
                Url::Any | Url::Pattern(_) | Url::PathPattern(_) | Url::Template(_) => None,
            };
            match path {
                Some(path) => table.by_path.entry(path.to_owned()).or_default().push(rank),
                None => table.others.push(rank),
            }
            table.ordered.push(match known.get(&Arc::as_ptr(mapping)) {
                Some(prepared) => Arc::clone(prepared),
                None => Arc::new(Prepared::new(mapping, templates)),
            });
        }
        table
    }

    /// The mappings that can match a path, in their order.
    fn candidates<'t>(&'t self, path: &str) -> impl Iterator<Item = &'t Prepared> {
        let mut named = self.by_path.get(path).map_or(&[][..], Vec::as_slice).iter().copied().peekable();
        let mut others = self.others.iter().copied().peekable();
        let next = move || match (named.peek(), others.peek()) {
            (Some(one), Some(other)) if one < other => named.next(),
            (_, Some(_)) => others.next(),
            (Some(_), None) => named.next(),
            (None, None) => None,
        };
        std::iter::from_fn(next).filter_map(|rank| self.ordered.get(rank).map(|prepared| &**prepared))
    }
}

impl WireMock {
    /// No mappings yet. `files` gives a file of `__files` by its name.
    pub fn new(surroundings: Surroundings, files: FindFile) -> Self {
        let nobody = new_id(&surroundings.chance);
        Self {
            nobody,
            store: Mutex::default(),
            table: RwLock::default(),
            is_stale: AtomicBool::new(false),
            scenarios: Mutex::default(),
            journal: Arc::default(),
            settings: RwLock::default(),
            recording: Mutex::default(),
            surroundings,
            files,
            templates: Templates::Named,
        }
    }

    /// The same with other mappings' answers as templates.
    #[must_use]
    pub fn with_templates(self, templates: Templates) -> Self {
        Self { templates, ..self }
    }

    /// The same with a journal of so many requests.
    #[must_use]
    pub fn with_most_events(self, most: Option<usize>) -> Self {
        lock(&self.journal).most = most;
        self
    }

    /// Answers a request and writes it into the journal, also where nothing matches it.
    pub fn serve(&self, request: Request) -> Served {
        let (id, request) = (self.new_id(), Arc::new(request));
        let answering = self.find(&id, &request, |seam| seam.is_none());
        if answering.is_none() {
            self.note_unmatched(&id, request);
        }
        Served { id, answering }
    }

    /// The same for what nobody has read yet; none where it must be read, or nothing matches it.
    pub fn serve_at_a_glance(&self, request: Request) -> Option<Answering> {
        self.find(&self.new_id(), &Arc::new(request), |seam| seam.is_none())
    }

    /// What the answer of 404 says where nothing matched.
    pub fn not_matched(&self, request: &Request) -> String {
        let mappings = self.ordered();
        let nearest = near::nearest(&mappings, request).into_iter().next();
        let mapping = nearest.map(|(mapping, _)| mapping);
        let scenarios = lock(&self.scenarios);
        let state = mapping
            .as_ref()
            .and_then(|mapping| mapping.scenario.as_deref())
            .map(|name| scenarios.state(name));
        report::report(mapping.as_deref(), request, state)
    }

    /// The seams on which mappings say that they stand (`metadata: { seam: "consumer -> provider" }`), as they are written.
    pub fn seams(&self) -> Vec<String> {
        let mut seams: Vec<String> =
            self.ordered().iter().filter_map(|mapping| seam_of(mapping).map(str::to_owned)).collect();
        seams.sort();
        seams.dedup();
        seams
    }

    /// What the mappings of a seam answer to what is asked there; what none of them matches is not written down.
    pub fn look_on(&self, asked: &Asked<'_>, seam: &str) -> Option<Answering> {
        let request = Arc::new(Request::of(asked, (self.surroundings.now)()));
        self.find(&self.new_id(), &request, |named| named == Some(seam))
    }

    /// May they answer what begins like this?
    pub fn may_look_on(&self, head: &Asked<'_>, seam: &str) -> AtHead {
        self.may_find(head, |named| named == Some(seam))
    }

    /// The same for the mappings that stand on this seam: those that name it, and those that name none.
    pub(crate) fn may_look_here(&self, head: &Asked<'_>, seam: &str) -> AtHead {
        self.may_find(head, |named| named.is_none_or(|named| named == seam))
    }

    fn may_find(&self, head: &Asked<'_>, stands: impl Fn(Option<&str>) -> bool) -> AtHead {
        let request = Request::of(head, (self.surroundings.now)());
        let table = self.table();
        let may_match = |mapping: &Mapping| stands(seam_of(mapping)) && mapping.request.may_match(&request);
        let may = table.candidates(request.path()).any(|one| may_match(&one.mapping));
        if may { AtHead::Perhaps } else { AtHead::Nothing }
    }

    /// What the mappings answer that stand on this seam: those that name it, and those that name none.
    pub(crate) fn look_here(&self, asked: &Asked<'_>, seam: &str) -> Option<Answering> {
        self.serve_here(Request::of(asked, (self.surroundings.now)()), seam)
    }

    /// The same, of a request that was read.
    pub(crate) fn serve_here(&self, request: Request, seam: &str) -> Option<Answering> {
        self.find(&self.new_id(), &Arc::new(request), |named| named.is_none_or(|named| named == seam))
    }

    /// The state of a mapping's scenario, where it has one.
    pub(crate) fn state_of(&self, mapping: &Mapping) -> Option<String> {
        mapping.scenario.as_deref().map(|name| lock(&self.scenarios).state(name).to_owned())
    }

    /// Forgets what was asked.
    pub(crate) fn forget_requests(&self) {
        lock(&self.journal).take(|_| true);
    }

    /// Hears what somebody else has answered to a request that was passed on: it belongs to the journal, and recordings
    /// are made of it.
    fn hearing(&self, id: &str) -> HeardBy {
        let (journal, id) = (Arc::clone(&self.journal), id.to_owned());
        HeardBy::new(move |reply| lock(&journal).set_response(&id, reply))
    }

    /// What becomes of a request that something matches.
    fn find(
        &self,
        id: &str,
        request: &Arc<Request>,
        stands: impl Fn(Option<&str>) -> bool,
    ) -> Option<Answering> {
        let table = self.table();
        let prepared = {
            let matching = table
                .candidates(request.path())
                .filter(|one| stands(seam_of(&one.mapping)) && one.mapping.request.matches(request));
            let mut matching = matching.peekable();
            // Only where a scenario is at stake is anybody waited for.
            if matching.peek()?.mapping.scenario.is_none() {
                matching.next()
            } else {
                let mut scenarios = lock(&self.scenarios);
                let found = matching.find(|one| scenarios.allow(&one.mapping));
                if let Some(found) = found {
                    scenarios.served(&found.mapping);
                }
                found
            }
        }?;
        let settings = Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner));
        let around = Around { surroundings: &self.surroundings, settings: &settings, files: &*self.files };
        let mut answering = prepared.answering(id, request, &around);
        if let Say::Elsewhere(elsewhere) = &mut answering.say {
            Arc::make_mut(elsewhere).heard_by = Some(self.hearing(id));
        }
        lock(&self.journal).add(Event {
            id: id.to_owned(),
            request: Arc::clone(request),
            mapping: Some(Arc::clone(&prepared.mapping)),
            response: if let Say::Answer(value) = &answering.say { Some(Arc::clone(value)) } else { None },
            delay: answering.after,
            report: None,
            misread: Vec::new(),
            is_proxied: matches!(answering.say, Say::Elsewhere(_)),
        });
        Some(answering)
    }

    fn note_unmatched(&self, id: &str, request: Arc<Request>) {
        lock(&self.journal).add(Event {
            id: id.to_owned(),
            request,
            mapping: None,
            response: None,
            delay: Duration::ZERO,
            report: None,
            misread: Vec::new(),
            is_proxied: false,
        });
    }

    /// All mappings in their order.
    pub(crate) fn ordered(&self) -> Vec<Arc<Mapping>> {
        self.table().ordered.iter().map(|prepared| Arc::clone(&prepared.mapping)).collect()
    }

    /// What was changed is seen from the next request on.
    pub(crate) fn changed(&self) {
        self.is_stale.store(true, Ordering::Release);
    }

    pub(crate) fn new_id(&self) -> String {
        new_id(&self.surroundings.chance)
    }

    pub(crate) fn nobody(&self) -> &str {
        &self.nobody
    }

    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    fn table(&self) -> Arc<Table> {
        if self.is_stale.load(Ordering::Acquire) {
            // The store is held while the table is made, so that no change falls between.
            let store = lock(&self.store);
            if self.is_stale.swap(false, Ordering::AcqRel) {
                let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
                *table = Arc::new(Table::new(&store.ordered(), &table, self.templates));
            }
        }
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The seam on which a mapping says that it stands; one that names none answers wherever it was put.
fn seam_of(mapping: &Mapping) -> Option<&str> {
    mapping.metadata.as_ref()?.get("seam")?.as_text()
}

/// What is guarded is whole after every single change, so a panic elsewhere spoils nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Layer for WireMock {
    fn look(&self, asked: &Asked<'_>) -> Option<Answering> {
        let request = Arc::new(Request::of(asked, (self.surroundings.now)()));
        let id = self.new_id();
        self.find(&id, &request, |seam| seam.is_none())
    }

    fn at_a_glance(&self, glance: Glance<'_>) -> Result<Option<Answering>, MustRead> {
        let request = Request::at_a_glance(glance, (self.surroundings.now)()).ok_or(MustRead)?;
        Ok(self.serve_at_a_glance(request))
    }

    fn missed(&self, asked: &Asked<'_>) {
        let request = Arc::new(Request::of(asked, (self.surroundings.now)()));
        self.note_unmatched(&self.new_id(), request);
    }
}

impl Answers for WireMock {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        self.serve(Request::of(asked, (self.surroundings.now)())).answering
    }
}
