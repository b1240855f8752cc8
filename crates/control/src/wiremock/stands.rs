//! Mappings that say on which seam they stand: `metadata: { seam: "consumer -> provider" }`.

use crate::answer::Answer;
use crate::own::{House, named};
use hyper::StatusCode;
use seam_event::SeamId;
use seam_expr::Chance;
use seam_proxy::{Kind, Often, Rule, RuleSpec};
use seam_stub::wiremock::WireMock;
use seam_wire::{Answering, Answers, Asked};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands on the seams that mappings name.
pub(crate) struct Stands {
    house: Arc<dyn House>,
    placed: Mutex<BTreeMap<SeamId, Arc<Rule>>>,
}

impl Stands {
    pub(crate) fn new(house: Arc<dyn House>) -> Self {
        Self { house, placed: Mutex::default() }
    }

    /// Lets mappings stand on the seams that they name by now, and on no others. The answer tells a seam that is not there.
    pub(crate) async fn renew(&self, wiremock: &Arc<WireMock>) -> Result<(), Answer> {
        let views = self.house.seams();
        let (mut wanted, mut unknown) = (BTreeMap::new(), None);
        for written in wiremock.seams() {
            match named(&views, &written) {
                Ok(seams) => wanted.extend(seams.into_iter().map(|seam| (seam.id.clone(), written.clone()))),
                Err(message) => unknown = Some(message),
            }
        }
        let (gone, new) = {
            let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
            let gone: Vec<(SeamId, Arc<Rule>)> = placed
                .iter()
                .filter(|(seam, _)| !wanted.contains_key(seam))
                .map(|(seam, rule)| (seam.clone(), Arc::clone(rule)))
                .collect();
            let new: Vec<(SeamId, String)> =
                wanted.into_iter().filter(|(seam, _)| !placed.contains_key(seam)).collect();
            (gone, new)
        };
        for (seam, rule) in gone {
            self.placed.lock().unwrap_or_else(PoisonError::into_inner).remove(&seam);
            self.house.take_away(&seam, &rule).await;
        }
        for (seam, written) in new {
            let answers = OnSeam { wiremock: Arc::clone(wiremock), written };
            let rule = Arc::new(Rule::new(RuleSpec {
                name: "WireMock mappings".to_owned(),
                kind: Kind::Stub(Arc::new(answers)),
                filter: None,
                filters_replies: false,
                often: Often::default(),
                chance: Chance::new(0, "mappings"),
            }));
            self.placed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(seam.clone(), Arc::clone(&rule));
            let failed = |message: &str| Answer::error(StatusCode::CONFLICT, message, "");
            self.house.put(&seam, &rule).await.map_err(|error| failed(&error.to_string()))?;
        }
        match unknown {
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
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        self.wiremock.look_on(asked, &self.written)
    }
}
