//! `--report FORMAT=FILE`: which forms are wanted where, and writing them so that nobody ever sees half of one.

use crate::screen::Screen;
use seam_diag::{Look, did_you_mean};
use seam_history::History;
use seam_judge::Verdict;
use seam_report::{Options, REPORTS, Report};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// One form, wanted in one place.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The form.
    pub(crate) report: &'static Report,
    /// Where to.
    pub(crate) target: Target,
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output.
    Printed,
    /// A file.
    File(PathBuf),
}

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the report {path}", path = path.display())]
pub(crate) struct ReportError {
    path: PathBuf,
    source: io::Error,
}

/// Reads `FORMAT=FILE`.
pub(crate) fn report_value(text: &str) -> Result<Wanted, String> {
    let names = || REPORTS.iter().map(|report| report.word.name);
    let known = || names().collect::<Vec<_>>().join(", ");
    let Some((name, file)) = text.split_once('=') else {
        return Err(format!("it has the form FORMAT=FILE, with one of {}", known()));
    };
    let Some(report) = seam_report::find(name) else {
        return Err(match did_you_mean(name, names()) {
            Some(near) => format!("there is no form `{name}`; did you mean `{near}`?"),
            None => format!("there is no form `{name}`; there are {}", known()),
        });
    };
    match file {
        "" => Err(format!("no file stands after `{name}=`; `-` is standard output")),
        "-" => Ok(Wanted::printed(report)),
        file => Ok(Wanted { report, target: Target::File(file.into()) }),
    }
}

impl Wanted {
    /// A form on standard output.
    pub(crate) fn printed(report: &'static Report) -> Self {
        Self { report, target: Target::Printed }
    }

    /// Writes it.
    pub(crate) fn write(
        &self,
        history: &History,
        verdict: &Verdict,
        project: &Path,
        screen: &mut Screen,
    ) -> Result<(), ReportError> {
        match &self.target {
            Target::Printed => {
                let text = (self.report.write)(history, verdict, &options(project, screen.look()));
                screen.say(&text);
                Ok(())
            }
            Target::File(path) => {
                let text = (self.report.write)(history, verdict, &options(project, Look::default()));
                whole(path, text.as_bytes()).map_err(|source| ReportError { path: path.clone(), source })
            }
        }
    }
}

/// What a report can't know from the run: CI systems look for files from the root of the repository.
pub(crate) fn options(project: &Path, look: Look) -> Options {
    let repository = project.ancestors().find(|folder| folder.join(".git").exists());
    let below = repository.and_then(|root| project.strip_prefix(root).ok());
    let folder = below.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    Options { look, folder }
}

/// The short help of `--report`.
pub(crate) fn help() -> String {
    let names: Vec<&str> = REPORTS.iter().map(|report| report.word.name).collect();
    format!("Write a report, too: {}; `-` is standard output; may be given several times", names.join(", "))
}

/// The long help of `--report`: each form with what it is for.
pub(crate) fn long_help() -> String {
    let mut text = String::from(
        "Write a report, too; may be given several times. FILE is replaced as a whole, its folder is made; `-` is \
         standard output.\n\nForms:",
    );
    for report in REPORTS {
        let _ = write!(text, "\n- {}: {}", report.word.name, report.word.line);
    }
    text
}

/// Puts a whole file in the place of what was there, or leaves that as it was. What is no file (a pipe, /dev/stdout)
/// is written to as it is.
pub(crate) fn whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return std::fs::write(path, content);
    }
    std::fs::create_dir_all(folder)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = folder.join(beside);
    let written = std::fs::File::create(&beside)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_and_file_are_read() {
        for (text, expect) in [
            ("junit=a.xml", Ok(("junit", Target::File("a.xml".into())))),
            ("json=-", Ok(("json", Target::Printed))),
            ("junit=a=b.xml", Ok(("junit", Target::File("a=b.xml".into())))),
            ("junit", Err("it has the form FORMAT=FILE")),
            ("junit=", Err("no file stands after `junit=`")),
            ("junti=a.xml", Err("there is no form `junti`; did you mean `junit`?")),
            ("pdf=a.pdf", Err("there is no form `pdf`; there are terminal, junit")),
        ] {
            match (report_value(text), expect) {
                (Ok(wanted), Ok((name, target))) => {
                    assert_eq!((wanted.report.word.name, wanted.target), (name, target));
                }
                (Err(message), Err(start)) => assert!(message.starts_with(start), "{text}: {message}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/results.xml");
        whole(&path, b"one").unwrap();
        whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // A folder in the place of the file can't be replaced by one.
        assert!(whole(path.parent().unwrap(), b"x").is_err());
    }
}
