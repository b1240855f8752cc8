//! Who does a step: cookies, sign-in and connections of its own.

/// Somebody who does steps in one attempt of a test.
#[derive(Debug)]
pub struct Actor {
    name: String,
}

impl Actor {
    /// An actor of a name, without cookies, not signed in.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Its name; empty for the one that every test has.
    pub fn name(&self) -> &str {
        &self.name
    }
}
