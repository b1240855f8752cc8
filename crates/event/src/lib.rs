//! What can happen while a system runs: plain values, no behaviour.
//!
//! An [`Event`] is one thing that happened; all of them in order are the History, and every verdict, blame and
//! report is a fold over it. An [`Interaction`] is one request with its reply, or one message, on one seam.
#![forbid(unsafe_code)]

mod asked;
mod event;
mod id;
mod interaction;
pub mod nanos;
mod notice;
mod part;

pub use asked::{asked, on_one_line};
pub use event::{
    ComponentState, Event, Judged, Outcome, Phase, Place, Scope, StageOf, StoredFile, TestPlan, What,
};
pub use id::{ComponentId, Endpoint, RunId, SeamId, TestId};
pub use interaction::{Caller, Interaction, InteractionError};
pub use notice::{Level, Notice};
pub use part::Part;
