//! Says what a run comes to: for each test and for the whole, with the reasons, and whom the evidence points at.
//!
//! Everything here is a fold over events and nothing else, so that a stored run gives the same verdict as the live
//! one did, and a table of events is a test. Nothing is judged again: expectations were judged while the values
//! were whole; what is decided here is what their outcomes mean together.
#![forbid(unsafe_code)]

mod attempt;
mod blame;
#[cfg(test)]
mod blame_tests;
mod chain;
mod fold;
mod grade;
mod live;
mod scene;
#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
mod verdict;

pub use blame::{Suspect, suspects};
pub use chain::{Side, Trouble, is_refusal, is_within, trouble};
pub use fold::{CHECKS_NOTHING, Fold};
pub use grade::{Exit, Grade, TestOutcome};
pub use live::{Ended, Live};
pub use verdict::{
    Attempt, Counts, Finding, Found, InvariantVerdict, StepReference, TestVerdict, Times, Verdict, Window,
    verdict,
};
