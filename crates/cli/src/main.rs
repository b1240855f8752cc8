//! The command `seam`: words in, exit code out.
//!
//! Each command is one file in `commands/` and one line in its table; parsing, help and completions are made
//! from that table. Only this crate writes to the terminal, and only its [`Screen`] does.
#![forbid(unsafe_code)]

mod chosen;
mod commands;
mod controlled;
mod explained;
mod recorded;
mod reference;
mod reports;
mod screen;
mod served;
mod session;
mod stored;
mod traffic;
mod vocabulary;

use crate::screen::{Colour, Screen};
use seam_diag::Diagnostic;
use seam_judge::Exit;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The watcher is this same program; it must start fast and parse nothing.
    if std::env::args_os().nth(1).is_some_and(|word| word == "__watch") {
        return seam_launch::watch();
    }
    std::panic::set_hook(Box::new(tell_panic));
    let colour = Colour::asked_for(std::env::args());
    let mut screen = Screen::new(colour);
    let exit = match commands::command(colour).try_get_matches() {
        Ok(matches) => match matches.subcommand() {
            Some((name, matches)) => commands::run(name, matches, &mut screen),
            None => Exit::CouldNotRun,
        },
        Err(error) => match commands::unknown(&error) {
            Some(diagnostic) => {
                screen.diagnostic(&diagnostic);
                Exit::CouldNotRun
            }
            // Help and version come this way, too, with the exit code 0.
            None => error.exit(),
        },
    };
    ExitCode::from(screen.finish(exit).code())
}

/// A panic is our mistake and says so. What was started is ended by the watcher all the same.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map_or_else(String::new, |place| format!(" ({place})"));
    let diagnostic = Diagnostic::error("this is a mistake in Seamwork, not in your files")
        .note("panic", format!("{what}{place}"))
        .note("version", env!("CARGO_PKG_VERSION"))
        .hint("please report it with the lines above and, where a run had begun, its folder in .seam/runs");
    Screen::new(Colour::Auto).diagnostic(&diagnostic);
}
