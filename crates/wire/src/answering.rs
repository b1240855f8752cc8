//! Who answers in a provider's place, as whoever stands on the seam sees them: what was asked, and what is to be said.

use seam_event::SeamId;
use seam_value::Value;
use std::sync::Arc;
use std::time::Duration;

/// A request that somebody may answer in the provider's place.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The seam on which it was asked.
    pub seam: &'a SeamId,
    /// The protocol's name.
    pub protocol: &'static str,
    /// When: the time since the run began.
    pub at: Duration,
    /// What was asked: a map with the fields of the protocol's interactions, as in
    /// [`Interaction::request`](seam_event::Interaction::request).
    pub request: &'a Value,
    /// Its bytes, as they came.
    pub bytes: &'a [u8],
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answering {
    /// Who says so, for the History: the stub's name.
    pub by: Arc<str>,
    /// How long to wait before.
    pub after: Duration,
    /// What is said.
    pub say: Say,
    /// Is it to be written in so many parts, over so long?
    pub dribble: Option<(u32, Duration)>,
}

/// What is said in a provider's place.
#[derive(Clone, Debug, PartialEq)]
pub enum Say {
    /// An answer in the protocol's own terms: the fields of [`Interaction::reply`](seam_event::Interaction::reply).
    Answer(Value),
    /// These bytes as they are, and what becomes of the connection then.
    Bytes(Arc<[u8]>, Then),
    /// Nothing: the provider is asked after all.
    Pass,
}

/// What becomes of a connection after something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It stays.
    Stay,
    /// It is closed in order (FIN).
    Close,
    /// It is reset (RST).
    Reset,
}

/// Answers in the provider's place. Asked on the proxy's thread for each request, one after the other: it must not wait.
pub trait Answers: Send + Sync {
    /// What becomes of this request; none where nobody here has an answer to it.
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering>;
}
