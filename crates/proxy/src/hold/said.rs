//! The bytes of what stubs have said on a connection, for when they say it again.

use seam_value::Value;
use seam_wire::{Call, Splitter, Unanswerable};
use std::sync::Arc;

/// So many different answers are remembered; longer ones than this are not.
const MOST: usize = 8;
const LONGEST: usize = 16 * 1024;

/// Answers that don't depend on the call, the newest last.
#[derive(Default)]
pub(super) struct Said(Vec<Before>);

/// Something that was said.
struct Before {
    /// Kept, so that no other value can stand at its address.
    value: Arc<Value>,
    alike: u8,
    bytes: Vec<u8>,
}

impl Said {
    /// The bytes of an answer to a call.
    pub(super) fn bytes(
        &mut self,
        splitter: &mut dyn Splitter,
        call: Call,
        value: &Arc<Value>,
    ) -> Result<Vec<u8>, Unanswerable> {
        let Some(alike) = splitter.alike(call) else { return splitter.answer(call, value) };
        let before = self.0.iter().find(|before| before.alike == alike && Arc::ptr_eq(&before.value, value));
        if let Some(before) = before {
            splitter.forget(call);
            return Ok(before.bytes.clone());
        }
        let bytes = splitter.answer(call, value)?;
        // What only this answer has is made anew for each request, and would only take another one's place.
        if Arc::strong_count(value) > 1 && bytes.len() <= LONGEST {
            if self.0.len() == MOST {
                self.0.remove(0);
            }
            self.0.push(Before { value: Arc::clone(value), alike, bytes: bytes.clone() });
        }
        Ok(bytes)
    }
}
