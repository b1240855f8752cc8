//! `seam init`: a first `seam.yaml` from what lies about. It never overwrites anything.

mod guess;
mod signs;
mod source;
mod variables;
mod written;

use crate::commands::Act;
use crate::screen::Screen;
use clap::Args;
use guess::Guesses;
use seam_diag::{Diagnostic, Diagnostics};
use seam_engine::{Request, plan};
use seam_judge::Exit;
use seam_manifest::{SYSTEM_FILE, shown};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Write a first seam.yaml from what lies about
///
/// Looks for Cargo.toml, package.json, pyproject.toml, requirements.txt, manage.py, Procfile, Compose files and
/// OpenAPI descriptions in the folder and a few folders below, and for the variables that the programs read. What it
/// writes is a beginning to be looked through; `seam check` accepts it. Nothing that exists is overwritten.
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam init                     in this folder
  seam init shop
  seam init --print             only show it")]
pub(crate) struct Init {
    /// The folder; this one where nothing is said
    #[arg(value_name = "FOLDER", default_value = ".", hide_default_value = true)]
    folder: PathBuf,
    /// Print what would be written, and write nothing
    #[arg(long)]
    print: bool,
}

/// A file to be written.
struct Draft {
    path: PathBuf,
    text: String,
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {path}", path = shown(.path).display())]
struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl Act for Init {
    fn act(self, screen: &mut Screen) -> Exit {
        let root = match self.folder.canonicalize() {
            Ok(root) if root.is_dir() => root,
            _ => {
                let title = format!("there is no folder `{}`", self.folder.display());
                screen.diagnostic(&Diagnostic::error(title));
                return Exit::CouldNotRun;
            }
        };
        let system = root.join(SYSTEM_FILE);
        if !self.print && system.exists() {
            let title = format!("there is a {} already; nothing was written", shown(&system).display());
            screen.diagnostic(&Diagnostic::error(title).hint("`seam init --print` shows what it would be"));
            return Exit::CouldNotRun;
        }
        let guesses = Guesses::look(&root);
        let mut drafts = vec![Draft { path: system, text: written::system(&guesses) }];
        let tests = root.join("tests");
        if !tests.exists() {
            let first = written::first_test(&guesses);
            drafts.extend(first.map(|text| Draft { path: tests.join("first.seam.yaml"), text }));
        }
        if self.print {
            let texts =
                drafts.iter().map(|draft| format!("# {}\n{}", shown(&draft.path).display(), draft.text));
            screen.say(&texts.collect::<Vec<_>>().join("\n"));
            return Exit::Passed;
        }
        for draft in &drafts {
            if let Err(error) = draft.write() {
                screen.error(&error, "");
                return Exit::CouldNotRun;
            }
        }
        screen.say(&told(&drafts, &guesses, screen));
        check(&root, screen)
    }
}

impl Draft {
    /// Writes it, unless something is there.
    fn write(&self) -> Result<(), WriteError> {
        let fail = |source| WriteError { path: self.path.clone(), source };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        let mut file = std::fs::File::create_new(&self.path).map_err(fail)?;
        file.write_all(self.text.as_bytes()).map_err(fail)
    }
}

/// What was written, from what, what was left aside, and what to do next.
fn told(drafts: &[Draft], guesses: &Guesses, screen: &Screen) -> String {
    let ink = screen.ink();
    let mut text = String::new();
    let width = guesses.list.iter().map(|guess| guess.name.chars().count()).max().unwrap_or(0);
    for draft in drafts {
        let _ = writeln!(text, "wrote {}", ink.bold(&shown(&draft.path).display().to_string()));
        if draft.path.ends_with(SYSTEM_FILE) {
            for guess in &guesses.list {
                let _ = writeln!(text, "  {:width$}  {}", guess.name, ink.dim(&guess.why));
            }
        }
    }
    if !guesses.aside.is_empty() {
        let _ = writeln!(text, "\n{}", ink.bold("left aside"));
        for aside in &guesses.aside {
            let _ = writeln!(text, "  {aside}");
        }
    }
    let next = if guesses.list.is_empty() {
        "  nothing was found that could be a component: put your programs in, as the comments show\n"
    } else {
        "  look through seam.yaml: how each component is started, and the variables with which it finds the others\n"
    };
    let _ = write!(
        text,
        "\n{}\n{next}  `seam check` finds mistakes, `seam map` shows the seams, `seam run` runs the tests\n  \
         `seam explain component` says what else a component can have\n",
        ink.bold("next"),
    );
    text
}

/// What we wrote must be right; if it is not, that is our mistake, and the user should know at once.
fn check(root: &Path, screen: &mut Screen) -> Exit {
    let checked = plan(&Request { paths: vec![root.to_owned()], ..Request::default() });
    let mut errors = Diagnostics::default();
    let is_error = |one: &Diagnostic| one.severity == seam_diag::Severity::Error;
    checked.found.into_iter().filter(is_error).for_each(|one| errors.push(one));
    screen.diagnostics(&errors, &checked.sources);
    if errors.is_empty() { Exit::Passed } else { Exit::CouldNotRun }
}
