//! One connection of a proxy with toxics: both directions in one task, each through its chain.

use super::chain::{Chain, Chains, Toxic};
use super::stand::Counters;
use super::{Ending, Passing};
use crate::socket::Socket;
use seam_expr::Chance;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Bytes read at once, as Toxiproxy does it: how fine delays and limits cut depends on it.
const CHUNK: usize = 32 * 1024;

thread_local! {
    /// What all connections of a thread read into; nothing waits while it is used.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// What one direction passes with.
struct Way<'a> {
    from: &'a Socket,
    to: &'a Socket,
    chains: watch::Receiver<Chains>,
    of: fn(&Chains) -> &Arc<[Toxic]>,
    n_received: &'a AtomicU64,
    n_sent: &'a AtomicU64,
}

/// Why the whole connection is over before both its directions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Closed,
    Reset,
}

/// Passes bytes both ways until both directions have ended or the connection is.
pub(super) async fn pass(
    (client, server): (Socket, Socket),
    chains: watch::Receiver<Chains>,
    (counters, chance): (&Counters, Arc<Chance>),
) {
    let up = Way {
        from: &client,
        to: &server,
        chains: chains.clone(),
        of: |chains| &chains.upstream,
        n_received: &counters.received_upstream,
        n_sent: &counters.sent_upstream,
    };
    let down = Way {
        from: &server,
        to: &client,
        chains,
        of: |chains| &chains.downstream,
        n_received: &counters.received_downstream,
        n_sent: &counters.sent_downstream,
    };
    if tokio::try_join!(up.pass(Arc::clone(&chance)), down.pass(chance)) == Err(Over::Reset) {
        client.reset_on_close();
        server.reset_on_close();
    }
}

impl Way<'_> {
    async fn pass(mut self, chance: Arc<Chance>) -> Result<(), Over> {
        // Kept for as long as this works with them: whoever changes them waits for that.
        let mut chains = self.chains.borrow_and_update().clone();
        let mut chain = Chain::new((self.of)(&chains), chance);
        let mut has_ended = false;
        loop {
            // Looked at right before each reading: what is sent after a toxic was put there always meets it.
            if self.chains.has_changed().is_ok_and(|changed| changed) {
                chains = self.chains.borrow_and_update().clone();
                chain.change((self.of)(&chains));
            }
            chain.carry(Instant::now());
            if self.write(&mut chain)? {
                return Ok(());
            }
            let waits = chain.first().is_some();
            let reads = !has_ended && chain.has_room();
            if chain.is_idle() && has_ended {
                return Ok(());
            }
            let due = chain.due();
            tokio::select! {
                biased;
                changed = self.chains.changed() => {
                    if changed.is_err() {
                        return Err(Over::Closed);
                    }
                    self.chains.mark_changed();
                }
                writable = self.to.writable(), if waits => writable.map_err(|_| Over::Reset)?,
                readable = self.from.readable(), if reads => {
                    if readable.is_err() {
                        has_ended = true;
                        chain.take(Passing::End(Ending::Reset));
                    } else if self.chains.has_changed().is_ok_and(|changed| !changed) {
                        has_ended = self.read(&mut chain)?;
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    /// Reads once; true when nothing more comes.
    fn read(&self, chain: &mut Chain) -> Result<bool, Over> {
        SCRATCH.with_borrow_mut(|scratch| {
            let n_read = match self.from.try_read(scratch) {
                Ok(0) => {
                    chain.take(Passing::End(Ending::Fin));
                    return Ok(true);
                }
                Ok(n_read) => n_read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(_) => {
                    chain.take(Passing::End(Ending::Reset));
                    return Ok(true);
                }
            };
            self.n_received.fetch_add(n_read as u64, Ordering::Relaxed);
            let mut from = 0;
            if chain.is_idle() {
                // Without toxics bytes are written as they came, and only what does not fit is kept.
                from = match self.to.try_write(&scratch[..n_read]) {
                    Ok(n_written) => n_written,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    Err(_) => return Err(Over::Reset),
                };
                self.n_sent.fetch_add(from as u64, Ordering::Relaxed);
            }
            if from < n_read {
                chain.take(Passing::Bytes(scratch[from..n_read].to_vec(), Instant::now()));
            }
            Ok(false)
        })
    }

    /// Writes what fits; true when this direction is done.
    fn write(&self, chain: &mut Chain) -> Result<bool, Over> {
        loop {
            match chain.first() {
                None => return Ok(false),
                Some(Passing::End(Ending::Fin)) => {
                    self.to.end_writing();
                    return Ok(true);
                }
                Some(Passing::End(Ending::Close)) => return Err(Over::Closed),
                Some(Passing::End(Ending::Reset)) => return Err(Over::Reset),
                Some(Passing::Bytes(bytes, _)) => match self.to.try_write(bytes) {
                    Ok(n_written) => {
                        self.n_sent.fetch_add(n_written as u64, Ordering::Relaxed);
                        chain.wrote(n_written);
                        chain.carry(Instant::now());
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(_) => return Err(Over::Reset),
                },
            }
        }
    }
}
