//! A project in a folder of its own, with a home, a cache and a folder for sockets that no other run sees, and
//! commands that are run in it and never hang.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

/// How long one command may take at most: longer is a hang.
const DEADLINE: Duration = Duration::from_mins(2);

/// Where a project is tried.
pub(crate) struct Sandbox {
    folder: TempDir,
    /// The folder of `seam.yaml`.
    pub(crate) project: PathBuf,
}

/// All that came of a command.
#[derive(Debug)]
pub(crate) struct Said {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    /// An empty project, in which `./component` is the component.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("seam").tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["home", "run", "bin", "project"] {
            fs::create_dir(at(name)).unwrap();
        }
        let this = std::env::current_exe().unwrap();
        symlink(env!("CARGO_BIN_EXE_seam"), at("bin/seam")).unwrap();
        symlink(&this, at("bin/component")).unwrap();
        symlink(&this, at("project/component")).unwrap();
        Self { project: at("project"), folder }
    }

    /// A project made of a folder's files.
    pub(crate) fn of(files: &Path) -> Self {
        let sandbox = Self::new();
        copy(files, &sandbox.project);
        sandbox
    }

    /// Writes one file of the project.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.project.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Folders that are different each time, with what they are called.
    pub(crate) fn places(&self) -> Vec<(String, &'static str)> {
        vec![
            (self.project.display().to_string(), "«project»"),
            (self.folder.path().display().to_string(), "«sandbox»"),
            (cache().display().to_string(), "«cache»"),
        ]
    }

    /// A program that runs in the project, with nothing of our own environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let at = |name: &str| self.folder.path().join(name);
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command
            .current_dir(&self.project)
            .env_clear()
            .env("PATH", format!("{}:{path}", at("bin").display()))
            .env("HOME", at("home"))
            .env("LANG", "C.UTF-8")
            .env("XDG_RUNTIME_DIR", at("run"))
            .env("SEAM_CACHE", cache())
            .env("SEAM_OFFLINE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    /// `seam` with these words.
    pub(crate) fn seam(&self, words: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_seam"));
        command.args(words);
        command
    }

    /// Runs a line as a shell runs it, to its end.
    pub(crate) fn shell(&self, line: &str) -> Said {
        let mut command = self.command("/bin/sh");
        command.args(["-c", line]);
        said(command.spawn().unwrap())
    }

    /// The files of the runs that live, or that nobody has swept yet.
    pub(crate) fn registered(&self) -> Vec<PathBuf> {
        let entries =
            fs::read_dir(self.folder.path().join("run/seamwork/runs")).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "run")).collect()
    }

    /// The ids of the stored runs, the oldest first.
    pub(crate) fn runs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.project.join(".seam/runs")).into_iter().flatten().flatten();
        let mut runs: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        runs.sort();
        runs
    }
}

/// What is kept from one test to the next, and from one day to the next: PostgreSQL's prepared folders.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Waits for a command's end and for all that it says. One that hangs is killed, and that is told.
pub(crate) fn said(mut child: Child) -> Said {
    let (over, is_over) = channel::<()>();
    let group = rustix::process::Pid::from_child(&child);
    let limit = std::thread::spawn(move || {
        let hangs = is_over.recv_timeout(DEADLINE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if hangs {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        hangs
    });
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let err = std::thread::spawn(move || {
        let mut err = Vec::new();
        stderr.read_to_end(&mut err).unwrap();
        err
    });
    let mut out = Vec::new();
    stdout.read_to_end(&mut out).unwrap();
    let err = err.join().unwrap();
    let code = child.wait().unwrap().code();
    drop(over);
    assert!(!limit.join().unwrap(), "it hangs: more than {DEADLINE:?}");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code, out: text(out), err: text(err) }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&from, &to);
        } else if entry.file_name() != "case.txt" {
            fs::copy(&from, &to).unwrap();
        }
    }
}
