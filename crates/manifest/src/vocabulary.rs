//! The kinds that the files may name, as plain data: this crate knows none of them itself.

use seam_model::{Field, Word};

/// All kinds by name. Lists that are empty leave what they would judge to others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vocabulary<'a> {
    /// What a step can do. A word whose subject is [`Shape::Steps`](seam_model::Shape::Steps) holds steps.
    pub steps: &'a [&'static Word],
    /// Names among `steps` whose own fields are not judged, because this version does not have them yet.
    pub later: &'a [&'static str],
    /// What makes a component: `run`, `service`, `external`, `image`; their fields are its settings.
    pub origins: &'a [&'static Word],
    /// Names among `origins` whose components are programs of the user's: these share what stands in
    /// `defaults`, and have an environment.
    pub programs: &'a [&'static str],
    /// Ready-made components; their fields are settings too.
    pub services: &'a [&'static Word],
    /// Protocols of endpoints.
    pub protocols: &'a [&'static Word],
    /// Faults that can be put on a seam.
    pub faults: &'a [&'static Word],
    /// Statements about a value. Only the schema needs them.
    pub matchers: &'a [&'static Word],
    /// Ways to see that a component is ready. Only the schema needs them.
    pub readiness: &'a [&'static Word],
    /// Further keys at the top of `seam.yaml`, handed over as they are.
    pub further: &'a [Field],
}

/// The word of a name.
pub(crate) fn word(words: &[&'static Word], name: &str) -> Option<&'static Word> {
    words.iter().copied().find(|word| word.name == name)
}

impl Vocabulary<'_> {
    /// The name under which a component's service stands, if its origin is one whose subject names a service.
    pub(crate) fn service(&self, origin: &str, subject: Option<&str>) -> Option<&'static Word> {
        (origin == SERVICE).then(|| word(self.services, subject?)).flatten()
    }

    /// Is a component of this origin a program of the user's?
    pub(crate) fn is_program(&self, origin: &str) -> bool {
        self.programs.contains(&origin)
    }
}

/// The origin whose subject names one of the services. The one kind that has further kinds below it.
pub(crate) const SERVICE: &str = "service";
