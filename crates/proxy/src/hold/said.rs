//! The bytes of what stubs have said on a connection, for when they say it again.

use seam_value::Value;
use seam_wire::{Call, Splitter, Unanswerable};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// So many different answers are remembered; longer ones than this are not.
const MOST: usize = 8;
const LONGEST: usize = 16 * 1024;

/// So many answers are remembered to have been said once.
const SEEN: usize = 32;

/// Answers that don't depend on the call.
#[derive(Default)]
pub(super) struct Said {
    /// With their bytes, the newest last.
    before: Vec<Before>,
    /// Those that were said once. What is made anew for each request is never said again, and would only take another
    /// one's place. Held so, an address is given to no other value, and the value is not kept.
    once: VecDeque<Weak<Value>>,
}

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
        let before =
            self.before.iter().find(|before| before.alike == alike && Arc::ptr_eq(&before.value, value));
        if let Some(before) = before {
            splitter.forget(call);
            return Ok(before.bytes.clone());
        }
        let bytes = splitter.answer(call, value)?;
        if bytes.len() <= LONGEST && self.is_said_again(value) {
            if self.before.len() == MOST {
                self.before.remove(0);
            }
            self.before.push(Before { value: Arc::clone(value), alike, bytes: bytes.clone() });
        }
        Ok(bytes)
    }

    /// Was an answer said before? One that was not is remembered.
    fn is_said_again(&mut self, value: &Arc<Value>) -> bool {
        if self.once.iter().any(|once| once.as_ptr() == Arc::as_ptr(value)) {
            return true;
        }
        if self.once.len() == SEEN {
            self.once.pop_front();
        }
        self.once.push_back(Arc::downgrade(value));
        false
    }
}
