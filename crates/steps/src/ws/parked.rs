//! A WebSocket between two steps: somebody must answer its pings meanwhile, and notice its end.

use super::line::Line;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A connection that waits for the next step that goes on with it. Dropping it closes it.
pub(crate) struct Parked {
    wanted: Option<oneshot::Sender<()>>,
    tended: JoinHandle<Line>,
}

impl Parked {
    /// Leaves a connection to itself.
    pub(super) fn new(mut line: Line) -> Self {
        let (wanted, mut is_wanted) = oneshot::channel();
        let tended = tokio::spawn(async move {
            line.tend(&mut is_wanted).await;
            line
        });
        Self { wanted: Some(wanted), tended }
    }

    /// The connection, with all that has come on it.
    pub(super) async fn take(mut self) -> Option<Line> {
        drop(self.wanted.take());
        let mut line = (&mut self.tended).await.ok()?;
        line.take_in().await;
        Some(line)
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.tended.abort();
    }
}
