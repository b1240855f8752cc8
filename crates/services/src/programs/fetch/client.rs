//! Runs a registry's own client.

use crate::programs::search;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Runs clients in a folder.
pub(super) struct Client<'c> {
    pub(super) dir: &'c Path,
    /// The PATH that they are looked for on.
    pub(super) path: &'c str,
}

impl Client<'_> {
    /// Runs a program to its end and gives what it said; else the last line of its complaint.
    pub(super) async fn run<A: AsRef<str>>(&self, program: &str, arguments: &[A]) -> Result<String, String> {
        let file = find(program, self.path).ok_or_else(|| format!("there is no {program} here"))?;
        let mut command = tokio::process::Command::new(file);
        command.args(arguments.iter().map(AsRef::as_ref)).current_dir(self.dir).env("PATH", self.path);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let ended = command.output().await.map_err(|error| format!("{program}: {error}"))?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let telling = |line: &&str| line.to_ascii_lowercase().contains("err") || line.starts_with("E:");
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let line = lines.iter().rev().copied().find(telling).or(lines.last().copied());
        Err(line.map_or_else(
            || format!("{program} ended with {}", ended.status),
            |line| format!("{program}: {line}"),
        ))
    }
}

/// Is there such a program on a PATH?
pub(super) fn is_there(program: &str, path: &str) -> bool {
    find(program, path).is_some()
}

fn find(program: &str, path: &str) -> Option<PathBuf> {
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(program)).find(|file| search::is_program(file))
}
