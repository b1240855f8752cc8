//! All kinds by name, gathered from their tables: what the files may name.

use seam_launch::{READINESS, RUNTIMES, There};
use seam_manifest::Vocabulary;
use seam_model::{Shape, Word};
use seam_steps::STEPS;

/// A ready-made service, as an origin of a component.
static SERVICE: Word = Word {
    subject: Shape::Text,
    text: "One of the ready-made components: `seam doctor` tells which of them this machine can run, and from where.",
    example: "system: example\ncomponents:\n  pg: { service: postgres }\n",
    ..Word::new("service", "a ready-made component: a real server, or one that is built in")
};

/// The words of all tables, as the files need them.
pub struct Words {
    steps: Vec<&'static Word>,
    later: Vec<&'static str>,
    origins: Vec<&'static Word>,
    services: Vec<&'static Word>,
    matchers: Vec<&'static Word>,
    readiness: Vec<&'static Word>,
    faults: Vec<&'static Word>,
    stubs: Vec<&'static Word>,
}

impl Words {
    /// Gathers the words of all tables.
    pub fn gather() -> Self {
        let runtimes = RUNTIMES.iter().map(|kind| &kind.word);
        Self {
            steps: STEPS.iter().map(|kind| kind.word()).collect(),
            later: STEPS.iter().filter(|kind| kind.is_later()).map(|kind| kind.word().name).collect(),
            origins: std::iter::once(&SERVICE).chain(runtimes).collect(),
            services: seam_services::SERVICES.iter().map(|service| service.word()).collect(),
            matchers: seam_matcher::MATCHERS.iter().map(|matcher| &matcher.word).collect(),
            readiness: READINESS.iter().map(|kind| &kind.word).collect(),
            faults: seam_proxy::FAULTS.iter().map(|kind| &kind.word).collect(),
            stubs: vec![&seam_stub::STUB],
        }
    }

    /// The same as the crate that reads the files takes it.
    pub fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary {
            steps: &self.steps,
            later: &self.later,
            origins: &self.origins,
            programs: &["run", "image", "build", "compose", "planned"],
            services: &self.services,
            matchers: &self.matchers,
            readiness: &self.readiness,
            faults: &self.faults,
            ..Vocabulary::default()
        }
    }

    /// All words by group, for `seam explain` and the reference.
    pub fn groups(&self) -> [(&'static str, &[&'static Word]); 7] {
        [
            ("steps", &self.steps),
            ("matchers", &self.matchers),
            ("services", &self.services),
            ("components", &self.origins),
            ("readiness", &self.readiness),
            ("faults", &self.faults),
            ("stubs", &self.stubs),
        ]
    }

    /// Can this version raise components of this origin?
    pub fn is_there(origin: &str) -> bool {
        origin == "service"
            || RUNTIMES.iter().any(|kind| kind.word.name == origin && kind.there == There::Now)
    }
}
