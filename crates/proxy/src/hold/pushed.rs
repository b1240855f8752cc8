//! A message that somebody outside wants said to consumers, as if their provider had said it: to every connection of a seam
//! that is held at that moment.

use seam_value::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, timeout_at};

/// How many messages a connection may lag behind before it misses the oldest.
const MOST: usize = 256;

/// How long connections may take to say what became of a message.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// One message, and whom to tell what became of it.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// The fields of a message of the seam's protocol.
    pub(crate) message: Value,
    told: mpsc::Sender<Result<(), String>>,
}

impl Pushed {
    /// Tells what became of it on one connection; none where it can't be said there, with the reason.
    pub(crate) fn tell(&self, outcome: Result<(), String>) {
        // There is room for all who were asked.
        let _ = self.told.try_send(outcome);
    }
}

/// Where messages for the connections of one seam come in.
#[derive(Clone, Debug)]
pub(crate) struct Pushes(broadcast::Sender<Arc<Pushed>>);

impl Default for Pushes {
    fn default() -> Self {
        Self(broadcast::channel(MOST).0)
    }
}

impl Pushes {
    /// What comes from now on, for one connection.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Pushed>> {
        self.0.subscribe()
    }

    /// Says a message to all connections, and waits for what became of it on each.
    pub(crate) async fn push(&self, message: Value) -> Vec<Result<(), String>> {
        let n_asked = self.0.receiver_count();
        if n_asked == 0 {
            return Vec::new();
        }
        let (told, mut outcomes) = mpsc::channel(n_asked + 1);
        if self.0.send(Arc::new(Pushed { message, told })).is_err() {
            return Vec::new();
        }
        let mut all = Vec::new();
        let until = Instant::now() + TOLD_WITHIN;
        // One that ends meanwhile says nothing.
        while all.len() < n_asked
            && let Ok(Some(outcome)) = timeout_at(until, outcomes.recv()).await
        {
            all.push(outcome);
        }
        all
    }
}
