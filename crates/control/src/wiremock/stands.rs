//! Mappings that say on which seam they stand: `metadata: { seam: "consumer -> provider" }`.

use crate::answer::Answer;
use crate::own::{House, named};
use hyper::StatusCode;
use seam_event::SeamId;
use seam_expr::Chance;
use seam_proxy::{Kind, Often, Rule, RuleSpec};
use seam_stub::wiremock::WireMock;
use seam_wire::{Answering, Answers, Asked, AtHead};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::Mutex;

/// What stands on the seams that mappings name.
pub(crate) struct Stands {
    house: Arc<dyn House>,
    /// By the seam, and by how mappings write it: two ways to write one seam stand there both. Held for as long as a change
    /// takes, so that two clients never change it at once.
    placed: Mutex<Placed>,
}

#[derive(Default)]
struct Placed {
    rules: BTreeMap<(SeamId, String), Arc<Rule>>,
    /// Seams that mappings name and that are not there; told once, to whoever named them.
    unknown: BTreeSet<String>,
}

impl Stands {
    pub(crate) fn new(house: Arc<dyn House>) -> Self {
        Self { house, placed: Mutex::default() }
    }

    /// Lets mappings stand on the seams that they name by now, and on no others. The answer tells a seam that is not there.
    pub(crate) async fn renew(&self, wiremock: &Arc<WireMock>) -> Result<(), Answer> {
        let mut all = self.placed.lock().await;
        let Placed { rules: placed, unknown: told } = &mut *all;
        let named_now = wiremock.seams();
        if named_now.is_empty() && placed.is_empty() {
            return Ok(());
        }
        let views = self.house.seams();
        let (mut wanted, mut unknown) = (BTreeSet::new(), BTreeMap::new());
        for written in named_now {
            match named(&views, &written) {
                Ok(seams) => wanted.extend(seams.into_iter().map(|seam| (seam.id.clone(), written.clone()))),
                Err(error) => drop(unknown.insert(written, error.to_string())),
            }
        }
        let new =
            unknown.iter().find(|(written, _)| !told.contains(*written)).map(|(_, message)| message.clone());
        *told = unknown.into_keys().collect();
        let gone: Vec<_> = placed.keys().filter(|key| !wanted.contains(*key)).cloned().collect();
        for key in gone {
            if let Some(rule) = placed.remove(&key) {
                self.house.take_away(&key.0, &rule).await;
            }
        }
        for (seam, written) in wanted {
            let key = (seam, written.clone());
            if placed.contains_key(&key) {
                continue;
            }
            let answers = OnSeam { wiremock: Arc::clone(wiremock), written };
            let rule = Arc::new(Rule::new(RuleSpec {
                name: "WireMock mappings".to_owned(),
                kind: Kind::Stub(Arc::new(answers)),
                filter: None,
                filters_replies: false,
                often: Often::default(),
                chance: Chance::new(0, "mappings"),
            }));
            let failed = |message: &str| Answer::error(StatusCode::CONFLICT, message, "");
            self.house.put(&key.0, &rule).await.map_err(|error| failed(&error.to_string()))?;
            placed.insert(key, rule);
        }
        match new {
            None => Ok(()),
            Some(message) => {
                let hint = "the mapping is kept; GET /seam/seams lists the seams that there are";
                Err(Answer::error(StatusCode::UNPROCESSABLE_ENTITY, &message, hint))
            }
        }
    }
}

/// The mappings of one seam; what they do not match goes on to the provider.
struct OnSeam {
    wiremock: Arc<WireMock>,
    written: String,
}

impl Answers for OnSeam {
    fn at_head(&self, head: &Asked<'_>) -> AtHead {
        self.wiremock.may_look_on(head, &self.written)
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        self.wiremock.look_on(asked, &self.written)
    }
}
