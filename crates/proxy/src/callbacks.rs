//! Requests that stubs want sent of their own accord: webhooks and callbacks.
//!
//! Each is sent once, after its delay, as a task of the proxy's thread; what comes of it is nobody's answer.

use crate::elsewhere::call_back;
use seam_wire::Callback;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How many may be under way at once; more are not sent.
const MOST: usize = 1024;

/// Sends callbacks.
#[derive(Clone, Default)]
pub(crate) struct Callbacks {
    n_open: Rc<Cell<usize>>,
}

impl Callbacks {
    /// Sends them; the answer to which they belong goes out after so long.
    pub(crate) fn call_back(&self, callbacks: Vec<Callback>, answer_after: Duration) {
        for callback in callbacks {
            if self.n_open.get() >= MOST {
                return;
            }
            let n_open = Rc::clone(&self.n_open);
            n_open.set(n_open.get() + 1);
            let callback = Callback { after: callback.after + answer_after, ..callback };
            tokio::task::spawn_local(async move {
                call_back(callback).await;
                n_open.set(n_open.get() - 1);
            });
        }
    }
}
