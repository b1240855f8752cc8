//! What is different between what was recorded and what is there now, apart from what varies and what was masked.

use crate::marks;
use crate::volatile::{Mask, is_address, segments};
use seam_expr::below;
use seam_value::{Kind, Value};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: `reply.body.total`.
    pub path: String,
    /// The same as names.
    pub(crate) at: Vec<String>,
    /// What was recorded; none where nothing was.
    pub recorded: Option<Value>,
    /// What is there now; none where nothing is.
    pub now: Option<Value>,
}

/// All differences between two parts (`request`, `reply`, `message`) under a mask. Both must be normal.
pub fn differences(part: &str, recorded: &Value, now: &Value, mask: &Mask<'_>) -> Vec<Difference> {
    let mut walk = Walk { at: vec![part.to_owned()], mask, found: Vec::new() };
    walk.compare(Some(recorded), Some(now));
    walk.found
}

struct Walk<'a> {
    at: Vec<String>,
    mask: &'a Mask<'a>,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn compare(&mut self, recorded: Option<&Value>, now: Option<&Value>) {
        if let Some(volatile) = self.mask.at(&self.at) {
            let is_same_sort = match (recorded, now) {
                (Some(recorded), Some(now)) => sort(recorded) == sort(now) || volatile.may_be_absent,
                (None, None) => true,
                // A header that varies may not be sent at all.
                _ => volatile.may_be_absent || self.is_header(),
            };
            if !is_same_sort {
                self.differ(recorded, now);
            }
            return;
        }
        match (recorded, now) {
            (Some(Value::Text(text)), Some(now)) if marks::has_marks(text) => {
                if !marks::fits(text, now) {
                    self.differ(recorded, Some(now));
                }
            }
            (Some(Value::Map(old)), Some(Value::Map(new))) => {
                // Where there is a body its text says the same.
                let text = "text";
                let is_said = self.at.len() == 1 && old.contains_key("body") && new.contains_key("body");
                for (name, value) in old.iter().filter(|(name, _)| !is_said || *name != text) {
                    self.below(name, Some(value), new.get(name));
                }
                let is_new = |name: &String| !old.contains_key(name) && (!is_said || name != text);
                for (name, value) in new.iter().filter(|(name, _)| is_new(name)) {
                    self.below(name, None, Some(value));
                }
            }
            (Some(Value::List(old)), Some(Value::List(new))) if old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    self.below(&index.to_string(), Some(old), Some(new));
                }
            }
            (Some(Value::Text(old)), Some(Value::Text(new))) if is_address(&self.at) => {
                self.addresses(old, new);
            }
            (recorded, now) if recorded == now => {}
            (recorded, now) => self.differ(recorded, now),
        }
    }

    /// Paths of addresses, part by part where there are as many.
    fn addresses(&mut self, old: &str, new: &str) {
        if segments(old).count() != segments(new).count() {
            let (old, new) = (Value::text(old), Value::text(new));
            return self.differ(Some(&old), Some(&new));
        }
        for (index, (old, new)) in segments(old).zip(segments(new)).enumerate() {
            if old != new {
                self.below(&index.to_string(), Some(&Value::text(old)), Some(&Value::text(new)));
            }
        }
    }

    fn below(&mut self, name: &str, recorded: Option<&Value>, now: Option<&Value>) {
        self.at.push(name.to_owned());
        self.compare(recorded, now);
        self.at.pop();
    }

    fn is_header(&self) -> bool {
        self.at.get(1).is_some_and(|name| name == "headers")
    }

    fn differ(&mut self, recorded: Option<&Value>, now: Option<&Value>) {
        self.found.push(Difference {
            path: self.at.iter().fold(String::new(), |path, name| below(&path, name)),
            at: self.at.clone(),
            recorded: recorded.cloned(),
            now: now.cloned(),
        });
    }
}

/// What sort of value it is, whole and broken numbers alike.
fn sort(value: &Value) -> Kind {
    match value.kind() {
        Kind::Integer => Kind::Number,
        kind => kind,
    }
}
