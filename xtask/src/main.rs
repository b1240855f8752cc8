//! The project's own chores: `cargo xtask test`, `check` and so on; without a word it lists them.
//!
//! They are Rust, so that a machine with the toolchain needs nothing else to run them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

mod bench;
mod chore;
mod fuzz;
mod needs;
mod reference;
mod soak;
mod test;
mod tidy;

use std::process::ExitCode;

/// A chore's name, one line on it, and what does it.
type Chore = (&'static str, &'static str, fn(&[String]) -> chore::Result);

const CHORES: &[Chore] = &[
    ("test", "get what the tests need, then run them all", test::run),
    ("check", "every gate: fmt, clippy, tests, docs, dependencies", test::check),
    ("tidy", "the rules of the house: floors, heads of files, sizes", tidy::run),
    ("bench", "measure Seamwork beside floors: cargo xtask bench [GROUP…] [--json FILE]", bench::run),
    (
        "soak",
        "cut connections under load for minutes: cargo xtask soak [--minutes N] [--protocol P]",
        soak::run,
    ),
    (
        "fuzz",
        "spoil real traffic for minutes: cargo xtask fuzz [--minutes N] [--protocol P] [--seed S]",
        fuzz::run,
    ),
    ("reference", "write docs/reference.md anew from the tables of kinds", reference::run),
    ("needs", "what the tests need that this machine does not have", needs::run),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((_, _, chore)) = words.first().and_then(|word| CHORES.iter().find(|(name, ..)| name == word))
    else {
        println!("Usage: cargo xtask CHORE\n\nChores:");
        for (name, line, _) in CHORES {
            println!("  {name:<9}  {line}");
        }
        return ExitCode::from(2);
    };
    match chore(&words[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
