//! One at a time per key: who sends the same order twice at once waits for the first to be done.

use bookstore_services::problem::Problem;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

const PATIENCE: Duration = Duration::from_secs(5);

/// The keys that are being worked on.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits until nobody else works on this customer's key.
    pub(crate) async fn wait(&self, customer: &str, key: &str) -> Result<OwnedMutexGuard<()>, Problem> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let name = format!("{customer} {key}");
            let known = turns.get(&name).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::default();
                turns.insert(name, Arc::downgrade(&turn));
                turn
            })
        };
        tokio::time::timeout(PATIENCE, turn.lock_owned())
            .await
            .map_err(|_| Problem::try_again(409, "in_progress", "this order is being placed"))
    }
}
