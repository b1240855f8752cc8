//! What a test hears of a seam: its interactions, and why it went on as plain bytes.

use seam_event::{ComponentId, Interaction, SeamId};
use seam_proxy::Witness;
use std::sync::{Arc, Mutex};

/// Interactions in their order, and reasons.
#[derive(Clone, Default)]
pub(crate) struct Notes(pub(crate) Arc<Mutex<Vec<Interaction>>>, pub(crate) Arc<Mutex<Vec<String>>>);

impl Witness for Notes {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, interaction: Interaction) {
        self.0.lock().unwrap().push(interaction);
    }

    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        self.1.lock().unwrap().push(reason.to_owned());
    }

    fn lost(&mut self, _: &SeamId, _: u64) {}
}
