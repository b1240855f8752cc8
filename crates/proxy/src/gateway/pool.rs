//! Connections to the external that are kept alive for the next request.

use super::Far;
use super::body::Sent;
use hyper::client::conn::http1::SendRequest;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use socket2::Socket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Connections that are kept while nobody uses them.
const MOST_IDLE: usize = 32;

/// How long one is kept.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// How long one is used for a request that can't be sent again: a server that closes it at the same moment leaves
/// unknown whether it has taken the request, and the shortest time that servers wait is some seconds.
const SURE_FOR: Duration = Duration::from_secs(1);

/// A connection on which the next request may be sent.
pub(super) struct Link {
    pub(super) sender: SendRequest<Sent>,
    pub(super) socket: Socket,
}

impl Link {
    /// Can a request be sent on it, as far as is known without asking the kernel?
    fn is_ready(&self) -> bool {
        self.sender.is_ready() && !self.sender.is_closed()
    }

    /// Has the external neither closed the idle connection nor said anything unasked? The kernel knows at once, where
    /// the task that drives the connection may not have looked yet.
    fn is_silent(&self) -> bool {
        let mut one = [0; 1];
        let peeked = recv(&self.socket, &mut one[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        matches!(peeked, Err(Errno::WOULDBLOCK))
    }
}

/// How long a request waits for a connection whose answer has just ended: a turn of the task that drives it.
const BACK_WITHIN: Duration = Duration::from_millis(5);

/// The idle connections of one external, the one used last at the end.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<(Link, Instant)>>,
    /// Connections that are as good as back: the consumer may ask again before they are.
    n_coming: watch::Sender<usize>,
}

/// A connection on its way back to the pool.
pub(super) struct Return {
    far: Arc<Far>,
    stage: Mutex<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The answer has not ended.
    Answering,
    /// It has.
    Coming,
    /// The connection is back, or gone.
    Over,
}

impl Return {
    /// Keeps a connection as soon as its answer has ended.
    pub(super) fn begin(far: &Arc<Far>, mut link: Link) -> Arc<Self> {
        let returning = Arc::new(Self { far: Arc::clone(far), stage: Mutex::new(Stage::Answering) });
        let own = Arc::clone(&returning);
        tokio::spawn(async move {
            // It comes back when the answer has ended, or the connection.
            if link.sender.ready().await.is_ok() {
                own.far.pool.put(link);
            }
            own.goes_on_to(Stage::Over);
        });
        returning
    }

    /// The answer has ended.
    pub(super) fn answered(&self) {
        self.goes_on_to(Stage::Coming);
    }

    fn goes_on_to(&self, next: Stage) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match (*stage, next) {
            (Stage::Answering, Stage::Coming) => {
                self.far.pool.n_coming.send_modify(|n_coming| *n_coming += 1);
            }
            (Stage::Coming, Stage::Over) => self.far.pool.n_coming.send_modify(|n_coming| *n_coming -= 1),
            (Stage::Answering, Stage::Over) => {}
            _ => return,
        }
        *stage = next;
    }
}

impl Pool {
    /// The same as `take`, with a moment's patience for one that is as good as back.
    pub(super) async fn take_soon(&self, repeatable: bool) -> Option<Link> {
        let mut n_coming = self.n_coming.subscribe();
        let taken = self.take(repeatable);
        if taken.is_some() || *n_coming.borrow_and_update() == 0 {
            return taken;
        }
        let _ = timeout(BACK_WITHIN, n_coming.changed()).await;
        self.take(repeatable)
    }

    /// A connection that is alive, as far as can be known; `repeatable` says whether the request could be sent again.
    fn take(&self, repeatable: bool) -> Option<Link> {
        let mut idle = self.lock();
        while let Some((link, since)) = idle.pop() {
            if !link.is_ready() || !link.is_silent() || since.elapsed() >= KEPT_FOR {
                continue;
            }
            if repeatable || since.elapsed() < SURE_FOR {
                return Some(link);
            }
            idle.push((link, since));
            return None;
        }
        None
    }

    /// Keeps a connection whose last answer has ended.
    fn put(&self, link: Link) {
        let mut idle = self.lock();
        idle.retain(|(link, since)| link.is_ready() && since.elapsed() < KEPT_FOR);
        if idle.len() == MOST_IDLE {
            idle.remove(0);
        }
        idle.push((link, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Link, Instant)>> {
        // Nothing that holds this lock can leave the list half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
