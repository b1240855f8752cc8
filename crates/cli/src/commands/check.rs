//! `seam check`: all mistakes in the files at once, and nothing started.

use crate::chosen::{Files, counted};
use crate::commands::Act;
use crate::screen::Screen;
use clap::Args;
use seam_engine::Selection;
use seam_judge::Exit;

/// Find all mistakes in the files; nothing is started
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam check                    the project in this folder
  seam check shop/tests         the files of tests in a folder, with their seam.yaml
  seam check --profile staging

Exit codes: 0 without mistakes (there may be warnings), 2 with mistakes.")]
pub(crate) struct Check {
    #[command(flatten)]
    files: Files,
}

impl Act for Check {
    fn act(self, screen: &mut Screen) -> Exit {
        let read = match self.files.read(Selection::default(), 0, screen) {
            Ok(read) => read,
            Err(exit) => return exit,
        };
        let n_files = read.plan.files.iter().filter(|file| file.path.ends_with(".seam.yaml")).count();
        let tests = counted(read.plan.n_tests_in_all, "test", "tests");
        let files = counted(n_files, "file", "files");
        let seams = counted(read.plan.system.seams.len(), "seam", "seams");
        let ink = screen.ink();
        let outcome = match read.n_warnings {
            0 => ink.green("fine"),
            n => ink.yellow(&counted(n, "warning", "warnings")),
        };
        screen.say(&format!("{tests} in {files}, {seams}: {outcome}\n"));
        for name in &read.plan.unasked {
            screen.say(&format!(
                "not asked: `{name}`, which is not on this machine; nothing says `live: true`\n"
            ));
        }
        Exit::Passed
    }
}
