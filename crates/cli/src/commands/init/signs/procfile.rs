//! `Procfile`: a name and a command on each line.

use super::read;
use crate::commands::init::guess::{Guess, Guesses};
use crate::commands::init::source::variables_in;
use std::path::Path;

pub(in super::super) fn look(file: &Path, guesses: &mut Guesses) {
    let Some(text) = read(file) else { return };
    let folder = file.parent().unwrap_or(file);
    for line in text.lines() {
        let Some((name, command)) = line.split_once(':') else { continue };
        let (name, command) = (name.trim(), command.trim());
        if name.is_empty() || name.starts_with('#') || command.is_empty() || name == "release" {
            continue;
        }
        let (why, dir) = (format!("{}: {name}", guesses.shown(file)), guesses.relative(folder));
        guesses.proclaimed.insert(folder.to_owned());
        guesses.add(Guess::program(name, command_of(command), dir, variables_in(folder), why));
    }
}

/// The command with the port that we give; one that only a shell understands is given to a shell.
fn command_of(command: &str) -> String {
    let ported = command
        .replace("${PORT:-", "$PORT${")
        .replace("${PORT}", "${self.port}")
        .replace("$PORT", "${self.port}");
    // What stood behind `:-` was the port to be taken where none is given.
    let ported = match ported.split_once("${self.port}${") {
        Some((before, after)) => {
            let rest = after.split_once('}').map_or("", |(_, rest)| rest);
            format!("{before}${{self.port}}{rest}")
        }
        None => ported,
    };
    let needs_shell = ported.replace("${self.port}", "").contains(['$', '|', '&', ';', '<', '>', '`', '*']);
    if needs_shell {
        format!(
            "sh -c '{}'",
            ported.replace('\'', "'\\''").replace("${self.port}", "$PORT").replace('$', "$$")
        )
    } else {
        ported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_ours_and_shells_are_kept() {
        for (command, expect) in [
            ("node server.js", "node server.js"),
            ("gunicorn app:app -b 0.0.0.0:$PORT", "gunicorn app:app -b 0.0.0.0:${self.port}"),
            ("web --port ${PORT:-5000} -v", "web --port ${self.port} -v"),
            ("cd app && run -p $PORT", "sh -c 'cd app && run -p $$PORT'"),
        ] {
            assert_eq!(command_of(command), expect);
        }
    }
}
