//! The rules that were put over this API: read, put on their seams, told, and taken away.

use super::house::{House, HouseError, SeamView};
use crate::answer::Answer;
use hyper::StatusCode;
use seam_diag::{Diagnostic, Diagnostics, Sources};
use seam_event::SeamId;
use seam_manifest::parse;
use seam_proxy::Rule;
use seam_steps::{Live, read_live};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More than this nobody puts by hand; a client that never takes any away is told.
const MOST: usize = 10_000;

/// All rules by their numbers.
#[derive(Default)]
pub(super) struct Rules {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_id: BTreeMap<u64, Entry>,
    last: u64,
}

struct Entry {
    seams: Vec<SeamId>,
    rule: Arc<Rule>,
    /// As it was written.
    written: Value,
}

impl Entry {
    fn told(&self, id: u64) -> Value {
        let seams: Vec<String> = self.seams.iter().map(ToString::to_string).collect();
        json!({
            "id": id.to_string(),
            "seams": seams,
            "name": self.rule.name(),
            "kind": if self.rule.is_stub() { "stub" } else { "fault" },
            "struck": self.rule.n_struck(),
            "rule": self.written,
        })
    }
}

impl Entry {
    /// Takes it off its seams.
    async fn off(&self, house: &dyn House) {
        for seam in &self.seams {
            house.take_away(seam, &self.rule).await;
        }
    }
}

impl Rules {
    /// Reads a rule and puts it on its seams.
    pub(super) async fn put(&self, house: &dyn House, text: &str) -> Result<Value, Answer> {
        let written: Value = serde_json::from_str(text).map_err(|error| {
            let message = format!("the body is no JSON: {error}");
            Answer::error(StatusCode::BAD_REQUEST, &message, EXAMPLE)
        })?;
        let views = house.seams();
        let live = read(house, &views, text)?;
        let seams: Vec<SeamId> = named(&views, &live.seam)
            .map_err(|error| error.answer())?
            .into_iter()
            .map(|seam| seam.id.clone())
            .collect();
        self.stand(house, (seams, live.rule), written).await
    }

    /// Puts a rule on seams: on all of them, or, where one refuses it, on none.
    pub(super) async fn stand(
        &self,
        house: &dyn House,
        (seams, rule): (Vec<SeamId>, Arc<Rule>),
        written: Value,
    ) -> Result<Value, Answer> {
        if self.lock().by_id.len() >= MOST {
            let message = format!("there are {MOST} rules already");
            return Err(Answer::error(StatusCode::CONFLICT, &message, "take some away: DELETE /seam/rules"));
        }
        for (index, seam) in seams.iter().enumerate() {
            if let Err(error) = house.put(seam, &rule).await {
                for seam in &seams[..index] {
                    house.take_away(seam, &rule).await;
                }
                return Err(refused(&error));
            }
        }
        let mut kept = self.lock();
        kept.last += 1;
        let id = kept.last;
        let entry = Entry { seams, rule, written };
        let told = entry.told(id);
        kept.by_id.insert(id, entry);
        Ok(told)
    }

    pub(super) fn told(&self) -> Vec<Value> {
        self.lock().by_id.iter().map(|(id, entry)| entry.told(*id)).collect()
    }

    pub(super) fn tell(&self, id: &str) -> Option<Value> {
        let id: u64 = id.parse().ok()?;
        self.lock().by_id.get(&id).map(|entry| entry.told(id))
    }

    /// The numbers of the rules on a seam.
    pub(super) fn on(&self, seam: &SeamId) -> Vec<String> {
        let kept = self.lock();
        let on = kept.by_id.iter().filter(|(_, entry)| entry.seams.contains(seam));
        on.map(|(id, _)| id.to_string()).collect()
    }

    /// Takes a rule away; false where there is none.
    pub(super) async fn take(&self, house: &dyn House, id: &str) -> bool {
        let Ok(id) = id.parse::<u64>() else { return false };
        let Some(entry) = self.lock().by_id.remove(&id) else { return false };
        entry.off(house).await;
        true
    }

    pub(super) async fn take_all(&self, house: &dyn House) {
        let all = std::mem::take(&mut self.lock().by_id);
        for entry in all.values() {
            entry.off(house).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it holds this lock half way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const EXAMPLE: &str = r#"such as {"seam": "orders -> paygate", "fault": {"latency": "2s"}, "times": 1}"#;
const LIST: &str = "GET /seam/seams lists all";

/// A name that no seam has.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct NoSeam {
    message: String,
    hint: String,
}

impl NoSeam {
    /// What whoever asked is told.
    pub(crate) fn answer(&self) -> Answer {
        Answer::error(StatusCode::NOT_FOUND, &self.message, &self.hint)
    }

    fn diagnostic(self) -> Diagnostic {
        Diagnostic::error(self.message).hint(self.hint)
    }
}

/// The seams of this name: without an endpoint in it, those to all endpoints of the provider.
pub(crate) fn named<'a>(seams: &'a [SeamView], written: &str) -> Result<Vec<&'a SeamView>, NoSeam> {
    let wrong = |message: String| {
        let known: Vec<String> = seams.iter().map(|view| view.id.to_string()).collect();
        let near = seam_diag::did_you_mean(written, known.iter().map(String::as_str));
        let hint = near.map_or_else(|| LIST.to_owned(), |near| format!("did you mean `{near}`?"));
        NoSeam { message, hint }
    };
    let words: Vec<&str> = written.splitn(2, "->").map(str::trim).collect();
    let [consumer, provider] = words.as_slice() else {
        return Err(wrong(format!("`{written}` is no seam: write `orders -> paygate`")));
    };
    let is_named = |seam: &&SeamView| {
        let SeamId { consumer: from, provider: to, .. } = &seam.id;
        from.as_str() == *consumer
            && (to.as_str() == *provider || seam.id.to_string() == format!("{consumer} -> {provider}"))
    };
    let found: Vec<&SeamView> = seams.iter().filter(is_named).collect();
    if found.is_empty() {
        Err(wrong(format!("there is no seam `{consumer} -> {provider}`")))
    } else {
        Ok(found)
    }
}

fn read(house: &dyn House, views: &[SeamView], text: &str) -> Result<Live, Answer> {
    let mut sources = Sources::default();
    let file = sources.add("the rule", text.to_owned());
    let mut found = Diagnostics::default();
    let protocols = |written: &str| match named(views, written) {
        Ok(seams) => Ok(seams.iter().map(|seam| seam.protocol).collect()),
        Err(error) => Err(error.diagnostic()),
    };
    let names = house.names();
    let live =
        parse(file, text, &mut found).and_then(|node| read_live(&node, &protocols, &names, &mut found));
    // What stands twice is a mistake although it can be read.
    live.filter(|_| !found.has_errors()).ok_or_else(|| wrong(&found))
}

/// All that is wrong with a rule: the first in the message, all of it as a list.
fn wrong(found: &Diagnostics) -> Answer {
    let line = |diagnostic: &Diagnostic| match &diagnostic.place {
        Some((_, label)) if !label.is_empty() => format!("{}: {label}", diagnostic.title),
        _ => diagnostic.title.clone(),
    };
    let all = found.in_order();
    let message = all.first().map_or_else(|| "the rule can't be read".to_owned(), |first| line(first));
    let hint =
        all.iter().find_map(|diagnostic| diagnostic.hint.clone()).unwrap_or_else(|| EXAMPLE.to_owned());
    let problems: Vec<String> = all.iter().map(|diagnostic| line(diagnostic)).collect();
    let is_unknown = message.starts_with("there is no seam");
    let status = if is_unknown { StatusCode::NOT_FOUND } else { StatusCode::UNPROCESSABLE_ENTITY };
    Answer::json(status, &json!({ "message": message, "hint": hint, "problems": problems }))
}

fn refused(error: &HouseError) -> Answer {
    let status = match error {
        HouseError::Unknown(_) => StatusCode::NOT_FOUND,
        HouseError::Failed(_) => StatusCode::CONFLICT,
    };
    Answer::error(status, &error.to_string(), LIST)
}
