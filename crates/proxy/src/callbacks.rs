//! Requests that stubs want sent of their own accord: webhooks and callbacks.
//!
//! Each is sent once, after its delay, on a thread of its own runtime's tasks; what comes of it is nobody's answer, so
//! only the connection's outcome is told.

use seam_wire::Callback;
use std::sync::Arc;
use std::time::Duration;

/// Who sends them.
pub(crate) type Sender = Arc<dyn Fn(Callback) + Send + Sync>;

/// Hands callbacks over to whoever sends them.
#[derive(Clone, Default)]
pub(crate) struct Callbacks(Option<Sender>);

impl Callbacks {
    #[allow(dead_code)]
    pub(crate) fn new(sender: Option<Sender>) -> Self {
        Self(sender)
    }

    /// Hands them over; the answer to which they belong goes out after so long.
    pub(crate) fn call_back(&self, callbacks: Vec<Callback>, answer_after: Duration) {
        let Some(sender) = &self.0 else { return };
        for callback in callbacks {
            sender(Callback { after: callback.after + answer_after, ..callback });
        }
    }
}
