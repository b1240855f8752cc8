//! Connections to the external that are kept alive for the next request.

use super::body::Sent;
use hyper::client::conn::http1::SendRequest;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Connections that are kept while nobody uses them.
const MOST_IDLE: usize = 32;

/// How long one is kept.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// How long one is used for a request that can't be sent again: a server that closes it at the same moment leaves
/// unknown whether it has taken the request, and the shortest time that servers wait is some seconds.
const SURE_FOR: Duration = Duration::from_secs(1);

/// A connection on which the next request may be sent.
pub(super) type Link = SendRequest<Sent>;

/// The idle connections of one external, the one used last at the end.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<(Link, Instant)>>);

impl Pool {
    /// A connection that is alive, as far as can be known; `repeatable` says whether the request could be sent again.
    pub(super) fn take(&self, repeatable: bool) -> Option<Link> {
        let mut idle = self.lock();
        idle.retain(|(link, since)| is_alive(link) && since.elapsed() < KEPT_FOR);
        let (_, since) = idle.last()?;
        if !repeatable && since.elapsed() >= SURE_FOR {
            return None;
        }
        idle.pop().map(|(link, _)| link)
    }

    /// Keeps a connection whose last answer has ended.
    pub(super) fn put(&self, link: Link) {
        let mut idle = self.lock();
        idle.retain(|(link, since)| is_alive(link) && since.elapsed() < KEPT_FOR);
        if idle.len() == MOST_IDLE {
            idle.remove(0);
        }
        idle.push((link, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Link, Instant)>> {
        // Nothing that holds this lock can leave the list half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_alive(link: &Link) -> bool {
    link.is_ready() && !link.is_closed()
}
