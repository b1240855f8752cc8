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
    /// What whoever drives sends once the answer is out, each in its own time: webhooks and callbacks.
    pub afterwards: Vec<Callback>,
}

/// What is said in a provider's place.
#[derive(Clone, Debug, PartialEq)]
pub enum Say {
    /// An answer in the protocol's own terms: the fields of [`Interaction::reply`](seam_event::Interaction::reply).
    /// Shared, because one that doesn't depend on the request is made once.
    Answer(Arc<Value>),
    /// These bytes as they are, and what becomes of the connection then.
    Bytes(Arc<[u8]>, Then),
    /// Nothing: the provider is asked after all.
    Pass,
    /// What somebody else says, who is asked instead of the provider; HTTP only.
    Elsewhere(Arc<Elsewhere>),
    /// It has an answer, which can't be worked out for this request: why, one line. To be told, and treated like an answer
    /// that the protocol can't say.
    Cannot(String),
}

/// Who is asked instead of the provider, and how the request and the reply are changed on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// `http://host:port/base` or `https://…`: the request's path and query are put behind it.
    pub base: String,
    /// This beginning of the path is left out, where the path has it.
    pub without_prefix: String,
    /// Headers added to those of the request.
    pub headers: Vec<(String, String)>,
    /// Headers taken off the request, by names in small letters.
    pub without_headers: Vec<String>,
    /// Headers added to those of the reply.
    pub reply_headers: Vec<(String, String)>,
    /// Who wants to hear what came back.
    pub heard_by: Option<HeardBy>,
}

/// Somebody who is told what was answered elsewhere: the fields of a reply in HTTP.
#[derive(Clone)]
pub struct HeardBy(Arc<dyn Fn(&Value) + Send + Sync>);

impl HeardBy {
    /// Calls this; it must not wait.
    pub fn new(hear: impl Fn(&Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// Tells a reply.
    pub fn hear(&self, reply: &Value) {
        (self.0)(reply);
    }
}

impl PartialEq for HeardBy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for HeardBy {}

impl std::fmt::Debug for HeardBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeardBy")
    }
}

/// An HTTP request that is to be sent of a stub's accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// How long after the answer.
    pub after: Duration,
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Headers in order; `host` and `content-length` are the sender's.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
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

/// A request that nobody has read yet: its seam, and what of it can be told without reading it
/// ([`Captured::glance`](crate::Captured::glance)).
#[derive(Clone, Copy)]
pub struct Glance<'a> {
    /// The seam on which it was asked.
    pub seam: &'a SeamId,
    /// Its method, as it was sent.
    pub method: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
    /// Its bytes, as they came; none where some are still to come.
    pub bytes: Option<&'a [u8]>,
}

/// What the head of a request tells of whether it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtHead {
    /// Nothing here answers it, whatever else it says.
    Nothing,
    /// That depends on the rest of it, or the answer does.
    Perhaps,
    /// It goes on to the provider, as [`Say::Pass`] says, and that does not depend on the rest of it.
    Passes,
}

/// Answers in the provider's place. Asked on the proxy's thread for each request, one after the other: it must not wait.
pub trait Answers: Send + Sync {
    /// What becomes of this request, where that needs no more than a glance at it; the same as
    /// [`answer`](Self::answer) says. None where it must be read first.
    fn at_a_glance(&self, glance: Glance<'_>) -> Option<Answering> {
        let _ = glance;
        None
    }

    /// What the head of a request tells, given as a request without all that depends on its rest.
    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        let _ = head;
        AtHead::Perhaps
    }

    /// A request that nothing here could answer, by [its head](Self::at_head), was passed on: all of it.
    fn passed(&self, asked: &Asked<'_>) {
        let _ = asked;
    }

    /// What becomes of this request; none where nobody here has an answer to it.
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering>;
}
