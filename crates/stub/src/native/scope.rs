//! The names that stand in a stub's answer: the request, what the stand-in remembers, and those of whoever put the stub.

use jiff::Timestamp;
use seam_expr::{Chance, Names};
use seam_value::Value;

/// Names of the stub itself, before those from outside.
pub(super) const OWN: &[&str] = &["request", "state", "n", "consumer", "test"];

/// The names of one answer.
pub(super) struct Scope<'a> {
    pub(super) request: &'a Value,
    pub(super) state: &'a Value,
    pub(super) n: u64,
    pub(super) consumer: &'a str,
    pub(super) outer: &'a dyn Names,
}

impl Scope<'_> {
    /// What `when` is asked of.
    pub(super) fn to_value(&self) -> Value {
        Value::map([
            ("state", self.state.clone()),
            ("n", Value::from(self.n)),
            ("consumer", Value::text(self.consumer)),
        ])
    }
}

impl Names for Scope<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        match name {
            "request" => Some(self.request.clone()),
            "state" => Some(self.state.clone()),
            "n" => Some(Value::from(self.n)),
            "consumer" => Some(Value::text(self.consumer)),
            _ => self.outer.get(name),
        }
    }

    fn component(&self, path: &str) -> Option<String> {
        self.outer.component(path)
    }

    fn chance(&self) -> &Chance {
        self.outer.chance()
    }

    fn now(&self) -> Timestamp {
        self.outer.now()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.outer.env(name)
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        self.outer.file(path)
    }
}
