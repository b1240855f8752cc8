//! State that is kept and restored: what a service hands out, and what it tells.

use std::any::Any;
use std::error::Error;
use std::time::Duration;

/// State that was kept. Dropping it forgets it; several may live at once, wider and narrower ones.
pub struct Kept {
    /// What the service needs to restore it.
    pub(crate) inner: Box<dyn Any + Send + Sync>,
    /// How long keeping took.
    pub took: Duration,
    /// Who held a transaction open meanwhile, and lost it.
    pub held_open: Vec<HeldOpen>,
    /// What cannot be restored, and other things worth a look.
    pub notes: Vec<String>,
}

/// What came of restoring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// How long it took.
    pub took: Duration,
    /// What had changed and was made as before: `stock.books`, `3 keys`. Empty where nothing had.
    pub changed: Vec<String>,
    /// Who still held a transaction open, and was ended.
    pub held_open: Vec<HeldOpen>,
    /// What was told apart: a database that had to be rebuilt, a role that stays.
    pub notes: Vec<String>,
}

/// A session that still held a transaction open, or locks, when the system should have been quiet; it was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOpen {
    /// The database.
    pub database: String,
    /// The name that the client gave itself; may be empty.
    pub application: String,
    /// The user it was signed in as.
    pub user: String,
    /// The server's number for the session, by which the seam's connection can be found.
    pub session: i32,
    /// How long the transaction had been open.
    pub open_for: Duration,
    /// `idle in transaction`, `active`, `prepared transaction`.
    pub what: String,
    /// Its last statement.
    pub query: String,
}

/// Why state could not be kept or restored.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The server cannot be asked: it is stopped, or was made to end.
    #[error("failed to reach {what}")]
    Unreachable {
        /// What could not be reached: `the database stock`.
        what: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server refused something.
    #[error("failed to {what}")]
    Refused {
        /// What was tried: `restore stock.books`.
        what: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It did not come to an end in time.
    #[error("{what} took longer than {limit:?}")]
    Late {
        /// What was tried.
        what: String,
        /// The deadline.
        limit: Duration,
    },
    /// The handle was made by another component.
    #[error("this state was kept by another component")]
    Foreign,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("took", &self.took).field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// `"pgbouncer" (session 4711) on stock, idle in transaction for 2.1 s: select 1`
impl std::fmt::Display for HeldOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = if self.application.is_empty() { &self.user } else { &self.application };
        let seconds = self.open_for.as_secs_f64();
        write!(f, "{who} (session {}) on {}, {} for {seconds:.1} s", self.session, self.database, self.what)?;
        let query: String = self.query.split_whitespace().collect::<Vec<_>>().join(" ");
        match query.char_indices().nth(120) {
            _ if query.is_empty() => Ok(()),
            Some((cut, _)) => write!(f, ": {}…", &query[..cut]),
            None => write!(f, ": {query}"),
        }
    }
}
