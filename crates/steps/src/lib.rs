//! What a test can do: one file or folder per kind of step, one line for each in the table [`STEPS`].
//!
//! A [`Kind`] reads the fields of its step before anything starts and gives an [`Action`]. The engine runs the
//! action with a [`StepContext`]: the variables, the [`Actor`] who does it, and the [`Bench`], which is the living
//! testbed as far as steps need it. What comes out is one value, into which the paths of `expect` and `save` look.
//!
//! Steps judge nothing but what is expected unsaid ([`Action::unsaid`]), write no events and print nothing.
#![forbid(unsafe_code)]

mod action;
mod actor;
mod answered;
mod bench;
mod component;
mod disturb;
mod exec;
mod file;
mod files;
mod filter;
mod flow;
mod grpc;
mod heard;
mod http;
mod input;
mod kind;
mod later;
mod log;
mod login;
mod mail;
mod message;
mod paths;
mod publish;
mod redis;
mod seam;
mod send;
mod socket;
mod sql;
mod subject;
#[cfg(test)]
mod testing;
mod together;
mod wait;
mod words;
mod ws;

pub use action::{Action, Inner, StepContext, Target, Trouble, Unsaid};
pub use actor::{Actor, Connections};
pub use bench::{Act, Address, Awaited, Bench, SaidLine, SeamFilter};
pub use disturb::{Disturbance, Live, Placed, Spoken, read_live, read_stand_in};
pub use files::{file_meant, read_below};
pub use kind::{DeclaredSystem, Kind, Reading, STEPS, kind};
pub use paths::{check_awaited, check_paths};
