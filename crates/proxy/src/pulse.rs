//! Is anything going on? Counters that the relay touches in passing, and that `quiet` is decided from.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The pulse of all seams of a testbed.
#[derive(Debug)]
pub struct Pulse {
    /// When the run began: all times are counted from here.
    began: Instant,
    /// When the last byte passed any seam, in microseconds since the run began.
    last: AtomicU64,
    /// How often bytes passed seams of components: those that are not the tests' own.
    n_inside: AtomicU64,
    /// Calls that are open now on all seams.
    n_open: AtomicI64,
    /// Connections that are open now on all seams.
    n_connections: AtomicI64,
    /// Bytes that passed without being copied here.
    n_uncopied: AtomicU64,
}

impl Pulse {
    /// A pulse for a run that began then.
    pub fn new(began: Instant) -> Self {
        Self {
            began,
            last: AtomicU64::new(0),
            n_inside: AtomicU64::new(0),
            n_open: AtomicI64::new(0),
            n_connections: AtomicI64::new(0),
            n_uncopied: AtomicU64::new(0),
        }
    }

    /// The time since the run began.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// How long nothing has passed any seam.
    pub fn still_for(&self) -> Duration {
        self.now().saturating_sub(Duration::from_micros(self.last.load(Ordering::Relaxed)))
    }

    /// How many calls are open: requests begun whose replies have not ended.
    pub fn n_open_calls(&self) -> usize {
        usize::try_from(self.n_open.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// How many connections are open.
    pub fn n_connections(&self) -> usize {
        usize::try_from(self.n_connections.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// How often bytes have passed between components. While this stays as it is, nothing but the tests themselves
    /// has asked anybody for anything.
    pub fn n_inside(&self) -> u64 {
        self.n_inside.load(Ordering::Relaxed)
    }

    /// How many bytes have passed without being copied here: of the rest of long bodies, where they come in bulk.
    pub fn n_uncopied(&self) -> u64 {
        self.n_uncopied.load(Ordering::Relaxed)
    }

    pub(crate) fn passed_uncopied(&self, n_bytes: usize) {
        self.n_uncopied.fetch_add(n_bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn beat(&self, at: Duration, of_test: bool) {
        if !of_test {
            self.n_inside.fetch_add(1, Ordering::Relaxed);
        }
        // A run of half a million years overflows; the saturated value only means "just now".
        self.last.store(u64::try_from(at.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn open_calls_changed(&self, before: usize, after: usize) {
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        if before != after {
            self.n_open.fetch_add(signed(after) - signed(before), Ordering::Relaxed);
        }
    }

    pub(crate) fn connection_opened(&self) {
        self.n_connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.n_connections.fetch_sub(1, Ordering::Relaxed);
    }
}
