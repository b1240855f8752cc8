//! What a held connection hears of beside the bytes of its two sides.

use super::SeamState;
use super::pushed::Pushed;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// What is heard. Whatever stays silent costs nothing while bytes pass, which wake the connection far more often.
pub(super) struct Hearing(FuturesUnordered<LocalBoxFuture<'static, (Heard, Source)>>);

/// One thing that was heard.
pub(super) enum Heard {
    /// The seam has changed.
    Changed,
    /// Something is to be said to the consumer.
    Pushed(Arc<Pushed>),
}

/// From where, to be listened to again.
enum Source {
    Seam(watch::Receiver<SeamState>),
    Pushes(broadcast::Receiver<Arc<Pushed>>),
}

impl Hearing {
    /// Listens to a seam from now on.
    pub(super) fn of(seam: &watch::Receiver<SeamState>) -> Self {
        let pushes = seam.borrow().pushes.subscribe();
        let mut hearing = Self(FuturesUnordered::new());
        hearing.listen(Source::Seam(seam.clone()));
        hearing.listen(Source::Pushes(pushes));
        hearing
    }

    fn listen(&mut self, source: Source) {
        self.0.push(Box::pin(source.next()));
    }

    /// Comes back when something was heard.
    pub(super) async fn next(&mut self) -> Heard {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Ready when something was heard.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        match self.0.poll_next_unpin(cx) {
            Poll::Ready(Some((heard, source))) => {
                self.listen(source);
                Poll::Ready(heard)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Source {
    async fn next(self) -> (Heard, Self) {
        match self {
            Self::Seam(mut seam) => match seam.changed().await {
                Ok(()) => (Heard::Changed, Self::Seam(seam)),
                // The proxy is being taken down, which ends this task in a moment.
                Err(_) => pending().await,
            },
            Self::Pushes(mut pushes) => loop {
                match pushes.recv().await {
                    Ok(pushed) => return (Heard::Pushed(pushed), Self::Pushes(pushes)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => pending().await,
                }
            },
        }
    }
}
