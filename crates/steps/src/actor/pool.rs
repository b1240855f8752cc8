//! Things that are opened once and used again: connections by where they lead.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// The most that wait for each key; more are closed when they come back.
const MOST_IDLE: usize = 64;

/// Free things by key. One that is in use is out of the pool, so nobody waits for anybody.
pub(crate) struct Pool<K, T> {
    free: Mutex<HashMap<K, Vec<T>>>,
}

impl<K, T> Default for Pool<K, T> {
    fn default() -> Self {
        Self { free: Mutex::default() }
    }
}

impl<K: Eq + Hash, T> Pool<K, T> {
    /// The one that came back last, if any is free.
    pub(crate) fn take(&self, key: &K) -> Option<T> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key)?.pop()
    }

    /// Brings one back.
    pub(crate) fn put(&self, key: K, thing: T) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let list = free.entry(key).or_default();
        if list.len() < MOST_IDLE {
            list.push(thing);
        }
    }

    /// Closes all that are free.
    pub(crate) fn clear(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
