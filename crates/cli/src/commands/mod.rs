//! All commands: one file each, one line in the table each.

mod check;
mod completions;
mod doctor;
mod explain;
mod init;
mod map;
mod record;
mod replay;
mod report;
mod run;
mod schema;
pub(crate) mod serve;
mod up;

use crate::screen::{Colour, Screen};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use seam_diag::{Diagnostic, did_you_mean};
use seam_judge::Exit;

/// One command.
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: &'static str,
    /// Adds its arguments and help to a blank command of its name.
    arguments: fn(Command) -> Command,
    /// Carries it out.
    run: fn(&ArgMatches, &mut Screen) -> Exit,
}

/// All commands, in the order in which help lists them.
static COMMANDS: &[Entry] = &[
    entry::<run::Run>("run"),
    entry::<check::Check>("check"),
    entry::<up::Up>("up"),
    entry::<record::Record>("record"),
    entry::<replay::Replay>("replay"),
    entry::<serve::Serve>("serve"),
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
    fn act(self, screen: &mut Screen) -> Exit;
}

const fn entry<A: Act>(name: &'static str) -> Entry {
    Entry { name, arguments: A::augment_args, run: act::<A> }
}

fn act<A: Act>(matches: &ArgMatches, screen: &mut Screen) -> Exit {
    match A::from_arg_matches(matches) {
        Ok(arguments) => arguments.act(screen),
        Err(error) => error.exit(),
    }
}

/// Carries out the command of a name.
pub(crate) fn run(name: &str, matches: &ArgMatches, screen: &mut Screen) -> Exit {
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(matches, screen),
        // Parsing has refused every other name.
        None => Exit::CouldNotRun,
    }
}

/// What to say to a command that there is not; none where that is not what is wrong.
pub(crate) fn unknown(error: &clap::Error) -> Option<Diagnostic> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let unknown = Diagnostic::error(format!("there is no command `{word}`"));
    let names = COMMANDS.iter().map(|command| command.name);
    Some(match did_you_mean(word, names) {
        Some(near) => unknown.hint(format!("did you mean `{near}`?")),
        None if std::path::Path::new(word).exists() => {
            unknown.hint(format!("did you mean `seam run {word}`?"))
        }
        None => unknown.hint("`seam help` lists all commands"),
    })
}

const EXAMPLES: &str = "\
Examples:
  seam init                     write a first seam.yaml from what lies about here
  seam check                    find all mistakes in the files; nothing is started
  seam run                      run all tests of the project in this folder
  seam run tests/cart.seam.yaml --test coupon
  seam explain http             what a step, a matcher, a service … is and takes

Exit codes: 0 passed, 1 failed, 2 could not run (files, machine, Seamwork),
3 inconclusive or nothing ran, 130 interrupted.

`seam help COMMAND` says more about a command.";

/// The whole command line, for parsing, help and completions.
pub(crate) fn command(colour: Colour) -> Command {
    let seam = Command::new("seam")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs a system for real, stands on every connection in it, and says which seam is at fault")
        .after_help(EXAMPLES)
        .color(colour.for_help())
        .max_term_width(110)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("color")
                .long("color")
                .value_name("WHEN")
                .help("When to use colours")
                .value_parser(value_parser!(Colour))
                .default_value("auto")
                .help_heading("Output")
                .global(true),
        );
    COMMANDS.iter().fold(seam, |seam, entry| seam.subcommand((entry.arguments)(Command::new(entry.name))))
}
