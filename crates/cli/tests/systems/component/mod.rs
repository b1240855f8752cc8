//! The component of the cases: a small HTTP server that does what it is asked to, and programs that misbehave.
//!
//! Configured as ordinary services are: `LISTEN` says where to bind, `NEXT` and its like whom to call.

mod http;
mod odd;
mod routes;
mod secure;
mod stores;

use std::process::ExitCode;

/// One way to be a component.
type Mode = (&'static str, fn(&[String]) -> ExitCode);

const MODES: &[Mode] = &[
    ("serve", |_| routes::serve()),
    ("die", odd::die),
    ("deaf", odd::deaf),
    ("late", odd::late),
    ("stubborn", odd::stubborn),
    ("parting", odd::parting),
    ("daemon", odd::daemon),
    ("away", odd::away),
    ("between", odd::between),
    ("leaf", odd::leaf),
    ("tree", odd::tree),
    ("chatter", odd::chatter),
    ("control", odd::control),
    ("job", odd::job),
    ("worker", odd::worker),
    ("garbage", odd::garbage),
    ("secure", |_| secure::serve()),
    ("certificates", secure::certificates),
];

/// Is what its first word says.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let (name, words) = words.split_first().map_or(("serve", words), |(name, rest)| (name.as_str(), rest));
    let Some((_, mode)) = MODES.iter().find(|(mode, _)| *mode == name) else {
        eprintln!("no such component: {name}");
        return ExitCode::from(64);
    };
    mode(words)
}

/// A variable of the environment, or what it is otherwise.
fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}
