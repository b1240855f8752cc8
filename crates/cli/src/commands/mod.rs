//! All commands: one file each, one line in the table each.

mod check;
mod completions;
mod doctor;
mod explain;
mod init;
mod map;
mod project;
mod report;
mod run;
mod schema;
mod up;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use seam_judge::Exit;
use std::process::ExitCode;

/// One command.
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: &'static str,
    /// Adds its arguments and help to a blank command of its name.
    arguments: fn(Command) -> Command,
    /// Carries it out.
    pub(crate) run: fn(&ArgMatches) -> ExitCode,
}

/// All commands, in the order in which help lists them.
pub(crate) static COMMANDS: &[Entry] = &[
    entry::<run::Run>("run"),
    entry::<check::Check>("check"),
    entry::<up::Up>("up"),
    entry::<map::Map>("map"),
    entry::<report::Report>("report"),
    entry::<init::Init>("init"),
    entry::<explain::Explain>("explain"),
    entry::<doctor::Doctor>("doctor"),
    entry::<schema::Schema>("schema"),
    entry::<completions::Completions>("completions"),
];

/// What a command file brings: its arguments (with help as their documentation) and what it does.
pub(crate) trait Act: Args + FromArgMatches {
    /// Carries it out.
    fn act(self) -> Exit;
}

const fn entry<A: Act>(name: &'static str) -> Entry {
    Entry { name, arguments: A::augment_args, run: act::<A> }
}

fn act<A: Act>(matches: &ArgMatches) -> ExitCode {
    match A::from_arg_matches(matches) {
        Ok(arguments) => exit(arguments.act()),
        Err(error) => error.exit(),
    }
}

/// The whole command line, for parsing, help and completions.
pub(crate) fn command() -> Command {
    let seam = Command::new("seam")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs a system for real, stands on every connection in it, and says which seam is at fault")
        .after_help(
            "Exit codes: 0 passed, 1 failed, 2 could not run (files, machine, Seamwork), \
             3 inconclusive or nothing ran, 130 interrupted",
        )
        .subcommand_required(true)
        .arg_required_else_help(true);
    COMMANDS.iter().fold(seam, |seam, entry| seam.subcommand((entry.arguments)(Command::new(entry.name))))
}

/// The exit code as the operating system takes it.
pub(crate) fn exit(exit: Exit) -> ExitCode {
    ExitCode::from(exit.code())
}
