//! Mappings that stand on a seam like stubs of our own: in `seam.yaml`, or for as long as a test says.

use super::files::Loaded;
use super::loose_json;
use super::mapping::Mapping;
use super::request::Request;
use super::server::WireMock;
use super::wrong::{Mistake, Wrong};
use super::{near, report};
use crate::journal::{Journal, Missed, Near};
use crate::standing::Standing;
use crate::surroundings::{FindFile, Surroundings};
use jiff::Timestamp;
use seam_diag::{Diagnostic, Diagnostics, FileId, Span};
use seam_event::{Outcome, SeamId};
use seam_expr::Chance;
use seam_manifest::parse;
use seam_matcher::Judgement;
use seam_model::Node;
use seam_value::Value;
use seam_wire::{Answering, Answers, Asked, AtHead, Glance};
use std::collections::HashMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A file of `__files` by its name; the error says in one line why it can't be read.
pub type BodyFiles = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// Files of mappings that were read, and where the files lie that they name.
#[derive(Clone)]
pub struct Mappings {
    files: Arc<[MappingFile]>,
    bodies: BodyFiles,
    /// Where each mapping stands, in the order in which they are read.
    spans: Arc<[Span]>,
}

/// One file of mappings.
#[derive(Clone, Debug)]
pub struct MappingFile {
    /// Its path as it was given: of two files that ask the same the last path counts.
    pub path: String,
    /// The file as those know it who point at it.
    pub id: FileId,
    /// What stands in it.
    pub text: String,
}

/// Mappings on a seam.
struct OnSeam {
    wiremock: WireMock,
    /// Where each mapping stands, by its id.
    spans: HashMap<String, Span>,
    journal: Mutex<Journal>,
    now: fn() -> Timestamp,
}

/// Is this the text of a file of WireMock's mappings, and of nothing else that is written in JSON?
pub fn is_mapping(text: &str) -> bool {
    let Ok((json, _)) = loose_json::read_first(text.strip_prefix('\u{feff}').unwrap_or(text)) else {
        return false;
    };
    let has = |name: &str| json.get(name).is_some();
    let is_ours = ["stubs", "reply", "replies", "pass", "recording", "log"].into_iter().any(has);
    !is_ours && (matches!(json.get("mappings"), Some(Value::List(_))) || has("response"))
}

/// Where a file that a mapping names lies below `__files`; none where its name leads out of there.
pub fn body_path(name: &str) -> Option<PathBuf> {
    let mut path = PathBuf::from("__files");
    for part in Path::new(name.trim_start_matches('/')).components() {
        let is_within = match part {
            Component::Normal(part) => {
                path.push(part);
                true
            }
            Component::CurDir => true,
            // `../__files/x` leads out and back in again.
            Component::ParentDir => path.pop(),
            Component::RootDir | Component::Prefix(_) => false,
        };
        if !is_within {
            return None;
        }
    }
    path.strip_prefix("__files").ok().map(Path::to_owned)
}

impl Mappings {
    /// Reads files of mappings; all mistakes in them are told, and where there is one, none is taken.
    pub fn read(files: Vec<MappingFile>, bodies: BodyFiles, found: &mut Diagnostics) -> Option<Self> {
        let before = found.n_errors();
        let trial = WireMock::new(nowhere(), Box::new(|_| Err(String::new())));
        let texts = texts(&files);
        let mut spans = Vec::new();
        match trial.read_files(&texts) {
            Ok(loaded) => {
                spans = places(&files, &loaded);
                for warning in &loaded.warnings {
                    found.push(Diagnostic::warning(warning.as_str()));
                }
                for (index, mapping) in &loaded.list {
                    check_body_file(mapping, &files[*index], &bodies, found);
                }
            }
            Err(wrong) => {
                for (index, wrong) in wrong {
                    tell(&files[index], &wrong, found);
                }
            }
        }
        (found.n_errors() == before).then(|| Self { files: files.into(), bodies, spans: spans.into() })
    }

    /// How many mappings these are.
    pub(crate) fn n(&self) -> usize {
        self.spans.len()
    }

    /// Lets them stand.
    pub(crate) fn stand(&self, around: Surroundings) -> Arc<dyn Standing> {
        let bodies = Arc::clone(&self.bodies);
        let files: FindFile = Box::new(move |name| bodies(name));
        let now = around.now;
        let wiremock = WireMock::new(around, files);
        let mut spans = HashMap::new();
        // They were read before, and nothing in them depends on what stands around them.
        if let Ok(loaded) = wiremock.read_files(&texts(&self.files)) {
            let ids = loaded.list.iter().map(|(_, mapping)| mapping.id.clone());
            spans.extend(ids.zip(self.spans.iter().copied()));
            wiremock.take_in(loaded);
        }
        Arc::new(OnSeam { wiremock, spans, journal: Mutex::default(), now })
    }
}

impl fmt::Debug for Mappings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mappings").field("files", &self.files).finish_non_exhaustive()
    }
}

impl OnSeam {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        // A journal is whole after every change.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn near(&self, missed: &Missed) -> Vec<Near> {
        let asked = Asked {
            seam: &missed.seam,
            protocol: missed.protocol,
            at: missed.at,
            request: &missed.request,
            bytes: &[],
        };
        let request = Request::of(&asked, (self.now)());
        let near = near::nearest(&self.wiremock.ordered(), &request).into_iter();
        near.filter_map(|(mapping, distance)| {
            let span = *self.spans.get(&mapping.id)?;
            let differences = self.differences(&mapping, &request, span);
            Some(Near { stub: title(&mapping).into(), span, differences, is_used_up: false, distance })
        })
        .collect()
    }

    /// What of a mapping does not match, in WireMock's words.
    fn differences(&self, mapping: &Mapping, request: &Request, span: Span) -> Vec<Judgement> {
        let state = self.wiremock.state_of(mapping);
        report::misses(mapping, request, state.as_deref())
            .into_iter()
            .map(|miss| Judgement {
                path: miss.message,
                matcher: "equals",
                outcome: Outcome::Failed,
                message: if miss.actual.is_empty() {
                    format!("expected {}", miss.expected)
                } else {
                    format!("expected {}, was {}", miss.expected, miss.actual)
                },
                expected: Some(Value::text(miss.expected)),
                actual: (!miss.actual.is_empty()).then(|| Value::text(miss.actual)),
                details: Vec::new(),
                span,
            })
            .collect()
    }
}

impl Answers for OnSeam {
    fn at_a_glance(&self, glance: Glance<'_>) -> Option<Answering> {
        let request = Request::at_a_glance(glance, (self.now)())?;
        self.wiremock.serve_here(request, &written(glance.seam))
    }

    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        self.wiremock.may_look_here(head, &written(head.seam))
    }

    fn passed(&self, asked: &Asked<'_>) {
        self.journal().add(asked);
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let answering = self.wiremock.look_here(asked, &written(asked.seam));
        if answering.is_none() {
            self.journal().add(asked);
        }
        answering
    }
}

impl Standing for OnSeam {
    fn reset(&self) {
        self.wiremock.reset_scenarios();
        self.wiremock.forget_requests();
        self.journal().clear();
    }

    fn missed(&self) -> Vec<Missed> {
        let missed = self.journal().missed();
        missed.into_iter().map(|missed| Missed { near: self.near(&missed), ..missed }).collect()
    }

    fn place(&self, stub: &str) -> Option<Span> {
        let mappings = self.wiremock.ordered();
        // It answers by its name, or else by its id.
        let is_it = |mapping: &&Arc<Mapping>| mapping.name.as_ref().unwrap_or(&mapping.id) == stub;
        self.spans.get(&mappings.iter().find(is_it)?.id).copied()
    }
}

/// A seam as mappings name it in their `metadata`.
fn written(seam: &SeamId) -> String {
    let endpoint = seam.endpoint.as_str();
    let dot = if endpoint.is_empty() { "" } else { "." };
    format!("{} -> {}{dot}{endpoint}", seam.consumer, seam.provider)
}

/// What a mapping is called: by its name, or by what it asks.
fn title(mapping: &Mapping) -> String {
    if let Some(name) = &mapping.name {
        return name.clone();
    }
    let text = |name: &str| mapping.request.shown.get(name).map(Value::to_plain_text);
    let url =
        ["url", "urlPath", "urlPattern", "urlPathPattern", "urlPathTemplate"].into_iter().find_map(text);
    format!("{} {}", text("method").unwrap_or_else(|| "ANY".to_owned()), url.unwrap_or_default())
        .trim()
        .to_owned()
}

fn texts(files: &[MappingFile]) -> Vec<(&str, &str)> {
    files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect()
}

/// Where each mapping stands.
fn places(files: &[MappingFile], loaded: &Loaded) -> Vec<Span> {
    let mut nodes: HashMap<usize, Option<Node>> = HashMap::new();
    let mut n_before: HashMap<usize, usize> = HashMap::new();
    let mut spans = Vec::new();
    for (index, _) in &loaded.list {
        let file = &files[*index];
        // Where JSON is no YAML, because of its tabs or comments, the file is pointed at.
        let node = nodes.entry(*index).or_insert_with(|| parsed(file));
        let number = n_before.entry(*index).or_default();
        let span = node.as_ref().and_then(|node| {
            pointed(node, &format!("/mappings/{number}/request")).or_else(|| pointed(node, "/request"))
        });
        *number += 1;
        spans.push(span.unwrap_or_else(|| Span::at_start(file.id)));
    }
    spans
}

fn parsed(file: &MappingFile) -> Option<Node> {
    parse(file.id, &file.text, &mut Diagnostics::default())
}

/// The world of mappings that are only read.
fn nowhere() -> Surroundings {
    Surroundings {
        chance: Chance::new(0, "mappings"),
        now: || Timestamp::UNIX_EPOCH,
        env: Box::new(|_| None),
        file: Box::new(|_| Err(String::new())),
        hostname: String::new(),
    }
}

/// Tells what is wrong with a file, at its place.
fn tell(file: &MappingFile, wrong: &Wrong, found: &mut Diagnostics) {
    let node = parsed(file);
    for mistake in &wrong.errors {
        let Mistake { pointer, title, detail, .. } = mistake;
        let title = detail.as_ref().unwrap_or(title).lines().next().unwrap_or_default();
        let span = node.as_ref().and_then(|node| pointed(node, pointer.as_deref()?));
        let span = span.unwrap_or_else(|| Span::at_start(file.id));
        found.push(Diagnostic::error(format!("this mapping is wrong: {title}")).at(span, ""));
    }
}

/// The place that a pointer means, or the nearest around it: `/mappings/0/request`.
fn pointed(node: &Node, pointer: &str) -> Option<Span> {
    let mut at = node;
    let mut span = None;
    for name in pointer.split('/').filter(|name| !name.is_empty()) {
        if let Some(entry) = at.as_map().and_then(|all| all.iter().find(|entry| entry.key.value == name)) {
            (at, span) = (&entry.node, Some(entry.key.span));
        } else if let Some(one) = name.parse::<usize>().ok().and_then(|index| at.as_list()?.get(index)) {
            (at, span) = (one, Some(one.span));
        } else {
            break;
        }
    }
    span
}

/// Tells a file that a mapping names and that is not there, where its name holds no template.
fn check_body_file(mapping: &Mapping, file: &MappingFile, bodies: &BodyFiles, found: &mut Diagnostics) {
    let Some(name) = mapping.response.body_file().filter(|name| !name.contains("{{")) else { return };
    if let Err(reason) = bodies(name) {
        let at = file.text.find(&format!("\"{name}\"")).unwrap_or_default();
        let whole = Span { end: u32::try_from(file.text.len()).unwrap_or(0), ..Span::at_start(file.id) };
        let span = whole.part(at, if at == 0 { 0 } else { name.len() + 2 });
        let title = format!("`{name}`, which a mapping answers with, can't be read");
        found.push(Diagnostic::error(title).at(span, reason));
    }
}
