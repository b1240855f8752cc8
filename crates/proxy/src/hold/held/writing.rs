//! What goes to either side: written once it is due, as far as the side takes it, to a provider who is dialled only now
//! if need be.

use super::{Ended, Held};
use crate::hold::lane::Act;
use crate::hold::until_broken;
use crate::observer::Seen;
use crate::relay::{Over, how_ended};
use crate::stand::{Undialled, dial};
use seam_wire::{Direction, End};
use std::io;
use std::rc::Rc;
use tokio::time::Instant;

impl Held {
    /// Something is to be said to a provider who is not there. A splitter that plays its part hears it; otherwise the
    /// provider is connected to after all, unless the connection has come too far without it.
    pub(super) async fn need_provider(&mut self) -> Result<(), Ended> {
        match (self.with.is_alone, &self.with.splitter) {
            (true, Some(_)) => Ok(()),
            (true, None) => Err(Ended(Over::Reset)),
            (false, _) => Box::pin(self.dial()).await,
        }
    }

    async fn dial(&mut self) -> Result<(), Ended> {
        let upstream = self.with.state.borrow().leads_to(self.with.beyond.as_ref());
        let meeting = self.with.tap.borrow().meeting();
        let dialled = tokio::select! {
            dialled = dial(&upstream, &meeting) => dialled,
            () = until_broken(self.with.state.clone(), self.with.n_cuts, |_| {}) => return self.apply_state(),
        };
        match dialled {
            Ok(provider) => {
                self.with.provider = Some(provider);
                Ok(())
            }
            Err(error) => {
                let (seam, connection) = (self.with.seam.0, self.with.connection);
                if let Undialled::External(error) = error {
                    self.with.observer.tell(Seen::Unreached { seam, error });
                }
                self.with.observer.tell(Seen::Refused { seam, connection, by: None });
                Err(Ended(Over::Reset))
            }
        }
    }

    /// Speaks TLS to the consumer from here on.
    pub(super) async fn encrypt(&mut self, early: Vec<u8>) -> Result<(), Ended> {
        let meeting = self.with.tap.borrow().meeting();
        let upstream = self.with.state.borrow().leads_to(self.with.beyond.as_ref());
        let redial = async || dial(&upstream, &meeting).await.ok();
        let (consumer, provider) = (&mut self.with.consumer, self.with.provider.as_mut());
        let is_there = meeting.encrypt(consumer, provider, redial, early).await;
        if is_there { Ok(()) } else { Err(Ended(Over::Reset)) }
    }

    /// Writes what is due to one side, as far as it takes it.
    pub(super) fn write(&mut self, to: Direction) -> Result<(), Ended> {
        loop {
            let lane = match to {
                Direction::ToProvider => &mut self.up,
                Direction::ToConsumer => &mut self.down,
            };
            // Nothing to write is the commonest case, and to look at the clock for it would cost more than all else here.
            if lane.is_blocked || lane.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            if let Some(bytes) = lane.take_first(now) {
                let bytes = match &mut self.with.splitter {
                    Some(splitter) => splitter.passes(to, bytes),
                    None => bytes,
                };
                // The next has yet to be seen off itself.
                if !lane.saw_off(bytes) {
                    continue;
                }
            }
            let Some((out, most)) = lane.first(now) else { return Ok(()) };
            let (by, is_told) = (out.by.clone(), out.is_told);
            let (bytes, from) = match &out.act {
                Act::Bytes(bytes, from) => (bytes, *from),
                act => {
                    let over = match act {
                        Act::Reset => Some(Over::Reset),
                        Act::Close => Some(Over::Closed),
                        Act::End | Act::Bytes(..) => None,
                    };
                    lane.done();
                    self.end(to, over)?;
                    continue;
                }
            };
            let socket = match to {
                Direction::ToProvider => self.with.provider.as_ref(),
                Direction::ToConsumer => Some(&self.with.consumer),
            };
            if socket.is_none() && self.with.is_alone {
                let n_bytes = bytes.len() - from;
                lane.wrote(n_bytes, now);
                continue;
            }
            let Some(socket) = socket else { return Ok(()) };
            let end = bytes.len().min(from.saturating_add(most));
            match socket.try_write(&bytes[from..end]) {
                Ok(n_written) => {
                    if to == Direction::ToConsumer && !is_told {
                        self.with.tap.borrow_mut().said(&bytes[from..from + n_written], by);
                    }
                    lane.wrote(n_written, now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    lane.is_blocked = true;
                    return Ok(());
                }
                Err(_) => {
                    if to == Direction::ToProvider {
                        self.hear_last_words()?;
                    }
                    self.with.tap.borrow_mut().reset_by(to.opposite());
                    return Err(Ended(Over::Reset));
                }
            }
        }
    }

    /// The provider is gone: what it said before goes to the consumer, as far as that takes it. A server that refuses a long
    /// request says so and leaves.
    fn hear_last_words(&mut self) -> Result<(), Ended> {
        let scratch = Rc::clone(&self.with.scratch);
        loop {
            let bytes = {
                let mut buffer = scratch.borrow_mut();
                let provider = self.with.provider.as_ref();
                match provider.map(|provider| provider.read_now(&mut buffer)) {
                    Some(Ok(n_read @ 1..)) => buffer[..n_read].to_vec(),
                    _ => break,
                }
            };
            self.cut(Direction::ToConsumer, &bytes)?;
        }
        self.write(Direction::ToConsumer)
    }

    fn end(&mut self, to: Direction, over: Option<Over>) -> Result<(), Ended> {
        match over {
            Some(Over::Reset) => {
                self.with.tap.borrow_mut().reset_by_fault();
                Err(Ended(Over::Reset))
            }
            Some(Over::Closed) => {
                self.with.tap.borrow_mut().ended_in_order(Direction::ToConsumer);
                Err(Ended(Over::Closed))
            }
            None => {
                match to {
                    Direction::ToProvider => {
                        if let Some(provider) = &self.with.provider {
                            provider.end_writing();
                        }
                    }
                    Direction::ToConsumer => {
                        let provider = self.with.provider.as_ref().filter(|_| self.provider_ended);
                        let how = provider.map_or(End::Fin, |provider| how_ended(to, provider));
                        self.with.tap.borrow_mut().ended(to, how);
                        self.with.consumer.end_writing_as(how);
                    }
                }
                self.lane(to).end();
                Ok(())
            }
        }
    }

    pub(super) fn look_whether_it_is_over(&mut self) -> Result<(), Ended> {
        let is_said = self.others.is_empty() && !self.streams.has_more();
        let is_answered = self.down.is_empty() && self.ready.is_empty() && is_said;
        let nobody_is_behind = self.with.provider.is_none() && self.consumer_ended;
        if nobody_is_behind && (!self.hung.is_empty() || is_answered) {
            self.with.tap.borrow_mut().ended_in_order(Direction::ToConsumer);
            return Err(Ended(Over::Closed));
        }
        if self.down.is_empty() && self.with.splitter.as_ref().is_some_and(|splitter| splitter.is_over()) {
            self.with.tap.borrow_mut().ended_in_order(Direction::ToConsumer);
            return Err(Ended(Over::Closed));
        }
        let hung_and_left = !self.hung.is_empty() && self.consumer_ended;
        if hung_and_left {
            // Nobody waits for the answer any more that was never to come.
            self.with.tap.borrow_mut().ended_in_order(Direction::ToConsumer);
        }
        if (self.up.is_over() && self.down.is_over() && is_said) || hung_and_left {
            return Err(Ended(Over::Closed));
        }
        Ok(())
    }
}
