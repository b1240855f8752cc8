//! What a component asked of others while it was raised, and was refused, or has no answer to yet: told where it never
//! became ready, because that is often why.

use crate::testbed::Testbed;
use crate::testbed::journal::shown_whole;
use crate::testbed::waiting::Asked;
use seam_event::{Interaction, SeamId, on_one_line};
use seam_judge::{Side, is_refusal, trouble};
use seam_value::Value;
use std::time::Duration;

/// How many different ones are told, and with how many letters each.
const MOST_TOLD: usize = 3;
const MOST_LETTERS: usize = 200;

/// A call that was answered so soon is no reason, even if it is open at the end.
const HANGS_FROM: Duration = Duration::from_millis(100);

/// What did not go well, once or several times.
struct Failed {
    seam: SeamId,
    text: String,
    n_times: usize,
}

impl Testbed {
    /// What did not go well for a component since then, the most telling first: each with its seam.
    pub(crate) async fn failed_for(&self, name: &str, since: Duration) -> Vec<(String, String)> {
        let open = self.proxy.calls().await;
        self.drain().await;
        let now = self.now();
        let is_its = |one: &Interaction| one.from.as_str() == name && one.at >= since;
        let mut asked: Vec<Interaction> = open.asked.into_iter().map(|open| Asked::from(open).call).collect();
        asked.retain(|call| is_its(call) && now.saturating_sub(call.at) >= HANGS_FROM);
        asked.sort_by_key(|call| call.at);
        let open = asked.iter().map(|call| (call.seam.clone(), open_text(call)));
        let passed = self.journal().interactions(is_its);
        let failed = failures(&passed);
        let all = told(open.chain(failed));
        let mask = |text: String| on_one_line(&self.ground.masker.text(&text), MOST_LETTERS);
        all.into_iter().map(|one| (one.seam.to_string(), mask(one.shown()))).collect()
    }
}

impl Failed {
    fn shown(&self) -> String {
        match self.n_times {
            1 => self.text.clone(),
            n_times => format!("{} ({n_times} times)", self.text),
        }
    }
}

/// The last first; what went well later, as it was asked then, is none.
fn failures(passed: &[std::sync::Arc<Interaction>]) -> impl Iterator<Item = (SeamId, String)> + '_ {
    let mut well: Vec<(&SeamId, &Value)> = Vec::new();
    passed.iter().rev().filter_map(move |one| {
        let Some(text) = failure(one) else {
            well.push((&one.seam, &one.request));
            return None;
        };
        // A connection that was refused asked for nothing: the next that was not is the same.
        let is_well = |(seam, request): &(&SeamId, &Value)| {
            **seam == one.seam && (one.request == Value::Null || **request == one.request)
        };
        (!well.iter().any(is_well)).then(|| (one.seam.clone(), text))
    })
}

/// What went wrong, on one line.
fn failure(one: &Interaction) -> Option<String> {
    if !is_refusal(one) {
        return None;
    }
    let what = match trouble(one) {
        Some(trouble) if trouble.side == Side::Consumer => format!("{} {}", one.from, trouble.text),
        Some(trouble) => format!("{} {}", one.to, trouble.text),
        None => {
            let status = one.reply.get("status").map(Value::to_plain_text).unwrap_or_default();
            format!("{} answered {status}", one.to)
        }
    };
    match &one.request {
        Value::Null => Some(what),
        request => Some(format!("{}: {what}", shown_whole(request))),
    }
}

fn open_text(call: &Interaction) -> String {
    format!("{}: {} has not answered yet", shown_whole(&call.request), call.to)
}

/// The same on the same seam is one, where it stands first.
fn told(all: impl Iterator<Item = (SeamId, String)>) -> Vec<Failed> {
    let mut told: Vec<Failed> = Vec::new();
    for (seam, text) in all {
        match told.iter_mut().find(|one| one.seam == seam && one.text == text) {
            Some(one) => one.n_times += 1,
            None => told.push(Failed { seam, text, n_times: 1 }),
        }
    }
    told.truncate(MOST_TOLD);
    told
}
