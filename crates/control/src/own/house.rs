//! What stands behind `/seam/`: a system that is up, or a handful of seams without one.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use seam_event::{Interaction, SeamId};
use seam_expr::Names;
use seam_history::Masker;
use seam_proxy::Rule;
use seam_wire::Protocol;
use std::net::SocketAddr;
use std::sync::Arc;

/// A seam as it is told.
#[derive(Clone, Debug)]
pub struct SeamView {
    /// The seam.
    pub id: SeamId,
    /// What is spoken there.
    pub protocol: &'static dyn Protocol,
    /// Where its consumer dials.
    pub listens: Option<SocketAddr>,
    /// Where it leads, for people; empty where nothing listens there.
    pub leads_to: String,
}

/// A component as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentView {
    /// Its name.
    pub name: String,
    /// How it is: `ready`, `stopped`, …
    pub state: String,
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HouseError {
    /// What was named is not there.
    #[error("there is no {0}")]
    Unknown(String),
    /// It did not come about.
    #[error("{0}")]
    Failed(String),
}

/// What is up.
pub trait House: Send + Sync {
    /// What it is called: the system's name.
    fn name(&self) -> String;

    /// All its seams.
    fn seams(&self) -> Vec<SeamView>;

    /// Its components; none where there are only seams.
    fn components(&self) -> Vec<ComponentView>;

    /// Puts a rule on a seam, and comes back when it stands there.
    fn put<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, Result<(), HouseError>>;

    /// Takes a rule away.
    fn take_away<'a>(&'a self, seam: &'a SeamId, rule: &'a Arc<Rule>) -> BoxFuture<'a, ()>;

    /// Says a message to a seam's consumers of its own accord, on every connection that is held. What became of it on each.
    fn push<'a>(
        &'a self,
        seam: &'a SeamId,
        message: seam_value::Value,
    ) -> BoxFuture<'a, Result<Vec<Result<(), String>>, HouseError>>;

    /// When it began: the moment from which the times of interactions count.
    fn began(&self) -> Timestamp;

    /// Masks what is kept of interactions outside: the secrets that are declared, and what the published lists name.
    fn masker(&self) -> Masker;

    /// What has passed so far and is still kept, oldest first.
    fn interactions(&self) -> BoxFuture<'_, Vec<Arc<Interaction>>>;

    /// Does something to a component: `start`, `stop`, `kill`, `restart`, `pause`, `resume`.
    fn act<'a>(&'a self, component: &'a str, verb: &'a str) -> BoxFuture<'a, Result<(), HouseError>>;

    /// What templates in stubs may ask.
    fn names(&self) -> Arc<dyn Names + Send + Sync>;
}
