//! One HTTP/2 connection as a splitter: what is asked of it from outside.

use super::connection::{Http2, Mode};
use super::frame;
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Call, Piece, Splitter, Splitting, Unanswerable};
use crate::watching::Resumed;
use seam_value::Value;

impl Splitter for Http2 {
    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.take(direction, bytes, out)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        self.take_kept(direction)
    }

    fn passes(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        self.passing(to, bytes)
    }

    fn multiplexes(&self) -> bool {
        true
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let _ = (call, answer);
        Err(Unanswerable::new("not yet"))
    }

    fn forget(&mut self, call: Call) {
        let number = self.streams.iter().find(|(_, stream)| stream.call == call).map(|(number, _)| *number);
        if let Some(number) = number {
            self.close(number);
        }
    }

    fn again(&mut self, _call: Call, request: &[u8]) -> Option<Vec<u8>> {
        if self.mode != Mode::Held {
            return None;
        }
        let shadow = self.writing.shadow();
        let mut again = Vec::with_capacity(request.len());
        let mut rest = request;
        while let Some((head, payload, later)) = frame::first(rest) {
            frame::write(head.kind, head.flags, shadow, payload, &mut again);
            rest = later;
        }
        rest.is_empty().then_some(again)
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        (!message.is_empty()).then(|| message.to_vec())
    }
}

impl Resumed for Http2 {
    fn resume(&self, splitting: Splitting) -> Self {
        self.resumed(splitting)
    }

    fn is_within(&self, direction: Direction) -> bool {
        self.is_within_message(direction)
    }
}
