//! The tests of the product: they run the real `seam` on small projects and look at all that it says and leaves.
//!
//! One test for each folder in `tests/cases`, found while this runs, and those that a transcript cannot tell:
//! whether anything is left behind, and what happens on a full disk. This program is also the component that
//! the projects consist of: called `component`, it is one, so that the tests need nothing but themselves, and
//! nothing of it ships with `seam`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::format_push_string,
    clippy::zombie_processes,
    reason = "this is a test and the odd programs that it tests with"
)]

mod case;
mod component;
mod disk;
mod left_behind;
mod normal;
mod sandbox;
mod survivors;
mod transcript;

use libtest_mimic::{Arguments, Trial};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args();
    let name = words.next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == "component") {
        return component::run(&words.collect::<Vec<_>>());
    }
    let trials: Vec<Trial> =
        [case::trials(), left_behind::trials(), disk::trials()].into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
