//! Who does a step: cookies, sign-in and connections of its own.
//!
//! Two actors of one test are two people at two browsers. What one of them is given (a cookie, a token, an open
//! transaction) the other one never sends, which is what makes tests of roles and of races readable.

mod cookies;
mod pool;
mod sign_in;

pub(crate) use pool::Pool;
pub(crate) use sign_in::{SignedIn, basic_of, bearer_of};

use crate::http::Links;
use crate::publish::Line as Broker;
use crate::redis::Session as RedisSession;
use crate::sql::Session as SqlSession;
use crate::ws::Parked;
use cookies::Jar;
use seam_value::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// Somebody who does steps in one attempt of a test.
///
/// Dropping it closes its sessions with databases, so that no transaction and no setting outlives its test. HTTP has
/// no such state: its connections belong to [`Connections`], which may outlive many tests.
pub struct Actor {
    name: String,
    jar: Mutex<Jar>,
    sign_in: Mutex<SignedIn>,
    pub(crate) links: Arc<Links>,
    pub(crate) sql: Pool<String, SqlSession>,
    pub(crate) redis: Pool<String, RedisSession>,
    pub(crate) brokers: Pool<String, Broker>,
    /// WebSockets, by their address and name.
    pub(crate) lines: Pool<String, Parked>,
}

/// Open HTTP connections that are free, by where they lead. One for each run, or for each lane of tests that run side
/// by side; connections to a component that has gone away are noticed and left.
#[derive(Clone, Default)]
pub struct Connections(Arc<Links>);

impl Connections {
    /// Closes those that nobody uses: a component that is asked to end may wait for them, and one that serves one
    /// connection at a time has time for nobody else.
    pub fn close_idle(&self) {
        self.0.clear();
    }
}

impl Actor {
    /// An actor of a name (empty for the one that every test has), without cookies, not signed in, with connections of
    /// its own.
    pub fn new(name: impl Into<String>) -> Self {
        Self::over(name, &Connections::default())
    }

    /// The same, over connections that others use too.
    pub fn over(name: impl Into<String>, connections: &Connections) -> Self {
        Self {
            name: name.into(),
            jar: Mutex::default(),
            sign_in: Mutex::default(),
            links: connections.0.clone(),
            sql: Pool::default(),
            redis: Pool::default(),
            brokers: Pool::default(),
            lines: Pool::default(),
        }
    }

    /// Its name; empty for the one that every test has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it sends from then on: a map with `headers`, `cookies`, and `bearer` or `basic`. What was signed in before
    /// stays where this says nothing about it.
    pub fn sign_in(&self, value: &Value) {
        lock(&self.sign_in).extend(SignedIn::of(value));
    }

    /// What it sends with every request.
    pub(crate) fn signed_in(&self) -> SignedIn {
        lock(&self.sign_in).clone()
    }

    /// Takes over what another actor was given: what a wider fixture signed in is each test's to begin with.
    pub fn begin_like(&self, other: &Self) {
        let (jar, sign_in) = (lock(&other.jar).clone(), lock(&other.sign_in).clone());
        *lock(&self.jar) = jar;
        *lock(&self.sign_in) = sign_in;
    }

    /// The cookies that it holds for a host, by name.
    pub(crate) fn cookies(&self, host: &str) -> Map {
        let held = lock(&self.jar).all(host, now());
        held.into_iter().map(|(name, value)| (name, Value::Text(value))).collect()
    }

    /// The cookies that it sends to a path of a host, in the order of RFC 6265.
    pub(crate) fn cookies_for(&self, host: &str, path: &str) -> Vec<(String, String)> {
        lock(&self.jar).sent(host, path, now())
    }

    /// Keeps what an answer set.
    pub(crate) fn keep_cookie(&self, host: &str, path: &str, set_cookie: &str) {
        lock(&self.jar).keep(host, path, set_cookie, now());
    }
}

/// A panic while one of these short locks is held leaves plain data, which stays usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Expiry is a matter of calendar time, which is the one thing that cookies take from the world.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
