//! A recording as plain values.

use crate::volatile::Volatile;
use seam_diag::Span;
use seam_event::{Endpoint, SeamId, asked, on_one_line};
use seam_value::Value;
use std::time::Duration;

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u64 = 1;

/// What passed one seam.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The seam.
    pub seam: SeamId,
    /// What was spoken on it, by the protocol's name.
    pub protocol: String,
    /// What varies from run to run, in all interactions.
    pub volatile: Vec<Volatile>,
    /// What passed, in the order in which it was asked.
    pub interactions: Vec<Recorded>,
}

/// One request with its reply, or one message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// The test in which it passed, where it was in one.
    pub test: Option<String>,
    /// What was asked; null for a message.
    pub request: Value,
    /// What was answered; null where nothing was.
    pub reply: Value,
    /// What was pushed or published; else null.
    pub message: Value,
    /// Why it came to no proper end.
    pub error: Option<String>,
    /// How long it took.
    pub elapsed: Option<Duration>,
    /// What varies from run to run in this one.
    pub volatile: Vec<Volatile>,
    /// On which connection of WebSocket it passed, where there were several; numbered from 1.
    pub connection: Option<u64>,
    /// Its place among all that passed in the run, on whatever seam; the order in its file, once it was read.
    pub number: u64,
    /// Where it stands, once it was read.
    pub span: Option<Span>,
}

impl Recording {
    /// The name of its file, without the ending: `web-api`, `orders-pg.stock`.
    pub fn stem(&self) -> String {
        let SeamId { consumer, provider, endpoint } = &self.seam;
        let mut stem = format!("{consumer}-{provider}");
        if !endpoint.as_str().is_empty() {
            stem.push('.');
            stem.push_str(endpoint.as_str());
        }
        stem
    }

    /// How many paths are marked as varying.
    pub fn n_volatile(&self) -> usize {
        self.volatile.len() + self.interactions.iter().map(|one| one.volatile.len()).sum::<usize>()
    }
}

impl Recorded {
    /// What was asked, in a few words: for people, and for the names of stubs and steps.
    pub fn title(&self) -> String {
        const MOST: usize = 80;
        let text = |part: &Value, name: &str| part.get(name).map(Value::to_plain_text);
        let Self { request, message, .. } = self;
        // What is asked or said here by something else than an interaction has, or named more shortly.
        let title = if let (Some(service), Some(method)) = (text(request, "service"), text(request, "method"))
        {
            Some(format!("{service}/{method}"))
        } else if let Some(said) = request.get("message") {
            let path = text(said, "path").map(|path| format!("message on {path}"));
            path.or_else(|| text(said, "topic").map(|topic| format!("publish to {topic}")))
        } else if request.get("command").is_none() {
            text(request, "subject").map(|subject| format!("mail: {subject}"))
        } else {
            None
        };
        let title = title.or_else(|| asked(request, message)).unwrap_or_else(|| request.to_string());
        on_one_line(&title, MOST)
    }
}

/// Reads `web -> api` or `orders -> pg.stock`.
pub fn seam_of(text: &str) -> Option<SeamId> {
    let (consumer, provider) = text.split_once("->")?;
    let (consumer, provider) = (consumer.trim(), provider.trim());
    let (provider, endpoint) = provider.split_once('.').unwrap_or((provider, ""));
    if consumer.is_empty() || provider.is_empty() || consumer.contains(' ') || provider.contains(' ') {
        return None;
    }
    Some(SeamId { consumer: consumer.into(), provider: provider.into(), endpoint: Endpoint::from(endpoint) })
}
