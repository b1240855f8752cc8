//! The mails that came, and who waits for more.

use super::mail::{Envelope, Mail};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What a mailbox holds now.
#[derive(Debug)]
pub(crate) struct Store {
    mails: Mutex<Vec<Arc<Mail>>>,
    /// How many ever came: whoever waits looks at this.
    arrived: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { mails: Mutex::default(), arrived: watch::Sender::new(0) }
    }

    /// Keeps a mail and gives its number.
    pub(crate) fn add(&self, envelope: Envelope, raw: Bytes) -> u64 {
        // Reading takes microseconds, and under the lock the order in the list is that of the numbers.
        let mut mails = self.lock();
        let number = *self.arrived.borrow() + 1;
        mails.push(Arc::new(Mail::read(number, envelope, raw)));
        self.arrived.send_replace(number);
        number
    }

    pub(crate) fn mails(&self) -> Vec<Arc<Mail>> {
        self.lock().clone()
    }

    /// Puts other mails there and gives those that were there.
    pub(crate) fn replace(&self, mails: Vec<Arc<Mail>>) -> Vec<Arc<Mail>> {
        std::mem::replace(&mut *self.lock(), mails)
    }

    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrived.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Mail>>> {
        // A list of mails is whole at any moment, also after a panic.
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
