//! What goes out on an HTTP/2 connection: pieces in the numbers and windows of whoever gets them, and what was kept, once
//! nobody cuts it any more.

use super::connection::{Http2, Mode};
use super::frame;
use super::half::Told;
use super::writing;
use crate::conversation::Direction;

impl Http2 {
    /// What a direction has kept, as frames, and the bytes of the frame that isn't whole.
    pub(super) fn take_kept(&mut self, direction: Direction) -> Vec<u8> {
        let mut rest = Vec::new();
        for (number, stream) in &mut self.streams {
            let half = stream.half(direction);
            if half.has_begun && !half.is_told() {
                half.told = Told::Begun;
                rest.extend(half.begin_bytes(*number, usize::MAX));
            }
            frame::write_data(*number, &half.take_pending(), false, &mut rest);
        }
        let mut rest = self.passing(direction, rest);
        // Nobody will say that there is room for it.
        rest.append(&mut self.writing.take_waiting(direction));
        let writing = &self.writing;
        let number = |stream| match direction {
            Direction::ToProvider => writing.providers_number(stream),
            Direction::ToConsumer => writing.consumers_number(stream).unwrap_or(stream),
        };
        let lane = match direction {
            Direction::ToProvider => &mut self.to_provider,
            Direction::ToConsumer => &mut self.to_consumer,
        };
        rest.append(&mut lane.raw);
        rest.append(&mut lane.frames.take_rest(number));
        rest.append(&mut lane.surprised);
        rest
    }

    pub(super) fn passing(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        let mut greeting = Vec::new();
        if to == Direction::ToConsumer && self.has_to_greet(&bytes) {
            // An answer of ours, or credit, before the provider has said anything.
            self.n_acks_by_consumer += 1;
            frame::write(frame::SETTINGS, 0, 0, &[], &mut greeting);
        }
        if self.mode == Mode::Alone && to == Direction::ToProvider && !bytes.is_empty() {
            // There is a provider after all. What it and the consumer set comes to the other from here on.
            self.mode = Mode::Held;
            self.n_acks_of_ours += 1;
            greeting.extend_from_slice(frame::PREFACE);
            frame::write(frame::SETTINGS, 0, 0, &[], &mut greeting);
        }
        let (streams, broken) = (&self.streams, &self.broken);
        let heard = if to == Direction::ToProvider && !broken.is_empty() {
            frame::resets(&bytes)
        } else {
            Vec::new()
        };
        match self.mode {
            Mode::Watched => bytes,
            Mode::Held | Mode::Alone => {
                let passed = self.writing.passes(to, bytes, |stream| {
                    // What was sent a second time is over with its reply.
                    streams.contains_key(&stream) || broken.contains(&stream) || writing::is_shadow(stream)
                });
                for stream in heard {
                    if self.broken.remove(&stream) {
                        self.writing.close(stream);
                    }
                }
                if greeting.is_empty() { passed } else { [greeting, passed].concat() }
            }
        }
    }

    /// Is this the first that the consumer is to hear, and no greeting?
    fn has_to_greet(&mut self, bytes: &[u8]) -> bool {
        let Some((head, ..)) = frame::first(bytes).filter(|_| self.mode != Mode::Watched && !self.is_greeted)
        else {
            return false;
        };
        self.is_greeted = true;
        head.kind != frame::SETTINGS || head.has(frame::ACK)
    }
}
