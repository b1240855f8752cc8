//! What was asked and matched by no stub, bounded in bytes, and the stubs that were nearest to it.

use seam_diag::Span;
use seam_event::SeamId;
use seam_matcher::Judgement;
use seam_value::Value;
use seam_wire::Asked;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How many bytes of requests are kept. What comes later pushes out what came first.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How many requests are kept.
const MOST: usize = 1_000;
/// How many of the nearest stubs are told.
const N_NEAR: usize = 3;

/// A request that no stub matched.
#[derive(Clone, Debug)]
pub struct Missed {
    /// Where it was asked.
    pub seam: SeamId,
    /// The protocol's name.
    pub protocol: &'static str,
    /// When: the time since the run began.
    pub at: Duration,
    /// What was asked.
    pub request: Value,
    /// The stubs that were nearest, at most three.
    pub near: Vec<Near>,
}

/// A stub that nearly matched.
#[derive(Clone, Debug)]
pub struct Near {
    /// Its name.
    pub stub: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// What was different, part by part; nothing where only its turn was over.
    pub differences: Vec<Judgement>,
    /// Has it answered as often as it may?
    pub is_used_up: bool,
    /// How far off it was: 0 is a match, each part that differs adds up to 1, path and method up to 3.
    pub distance: f64,
}

impl Near {
    /// A stub with what is different.
    pub(crate) fn of(stub: &Arc<str>, span: Span, differences: Vec<Judgement>, is_used_up: bool) -> Self {
        let parts: f64 = differences.iter().map(distance).sum();
        let distance = parts + if is_used_up { 0.5 } else { 0.0 };
        Self { stub: Arc::clone(stub), span, differences, is_used_up, distance }
    }

    /// The nearest of them; of two that are equally near, the one that is asked first.
    pub(crate) fn first(all: impl Iterator<Item = Self>) -> Vec<Self> {
        let mut first: Vec<Self> = Vec::with_capacity(N_NEAR + 1);
        for near in all {
            let at = first.partition_point(|other| other.distance <= near.distance);
            if at < N_NEAR {
                first.insert(at, near);
                first.truncate(N_NEAR);
            }
        }
        first
    }
}

/// How far off one part is, from 0 to its weight.
fn distance(judgement: &Judgement) -> f64 {
    let weight = if matches!(judgement.path.as_str(), "path" | "method" | "statement" | "command") {
        3.0
    } else {
        1.0
    };
    let unlike = match (&judgement.expected, &judgement.actual) {
        (Some(expected), Some(actual)) => {
            let (expected, actual) = (expected.to_plain_text(), actual.to_plain_text());
            let is_short = expected.len() + actual.len() < 2_000;
            // Of words that name what is to be done, one letter more or less is another thing: SET is not nearly GET.
            let is_word = matches!(judgement.path.as_str(), "method" | "command");
            // It is different, or it would not be here, even where the texts are the same: `"1"` and `1`.
            if is_word {
                1.0
            } else if is_short {
                (1.0 - strsim::normalized_levenshtein(&expected, &actual)).max(0.1)
            } else {
                0.9
            }
        }
        _ => 1.0,
    };
    weight * unlike
}

/// Requests that no stub matched, the newest of them.
#[derive(Default)]
pub(crate) struct Journal {
    list: VecDeque<(usize, Missed)>,
    n_bytes: usize,
    n_forgotten: u64,
}

impl Journal {
    pub(crate) fn add(&mut self, asked: &Asked<'_>) {
        let size = asked.bytes.len() + weight(asked.request);
        if size > MOST_BYTES {
            self.n_forgotten += 1;
            return;
        }
        let missed = Missed {
            seam: asked.seam.clone(),
            protocol: asked.protocol,
            at: asked.at,
            request: asked.request.clone(),
            near: Vec::new(),
        };
        self.list.push_back((size, missed));
        self.n_bytes += size;
        while self.n_bytes > MOST_BYTES || self.list.len() > MOST {
            let Some((size, _)) = self.list.pop_front() else { break };
            self.n_bytes -= size;
            self.n_forgotten += 1;
        }
    }

    pub(crate) fn missed(&self) -> Vec<Missed> {
        self.list.iter().map(|(_, missed)| missed.clone()).collect()
    }

    pub(crate) fn n_forgotten(&self) -> u64 {
        self.n_forgotten
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// About how many bytes a value takes.
pub(crate) fn weight(value: &Value) -> usize {
    const EACH: usize = size_of::<Value>();
    match value {
        Value::Null | Value::Bool(_) => EACH,
        Value::Number(number) => EACH + size_of_val(number),
        Value::Text(text) => EACH + text.len(),
        Value::List(list) => EACH + list.iter().map(weight).sum::<usize>(),
        Value::Map(map) => {
            EACH + map.iter().map(|(key, value)| 40 + key.len() + weight(value)).sum::<usize>()
        }
    }
}
