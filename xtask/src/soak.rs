//! The soak: connections are cut at random under load, for minutes, and what goes wrong is counted.

use crate::chore::{self, Result};

/// `--minutes N` for each protocol (3), `--protocol P` for one of them.
pub(crate) fn run(words: &[String]) -> Result {
    let mut soak = chore::command(
        "cargo",
        &["test", "-p", "seam-proxy", "--test", "soak", "--", "--ignored", "--nocapture"],
    );
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let variable = match word.as_str() {
            "--minutes" => "SEAM_SOAK_MINUTES",
            "--protocol" => "SEAM_SOAK_PROTOCOL",
            _ => return Err(format!("`{word}`? it is: cargo xtask soak [--minutes N] [--protocol P]")),
        };
        soak.env(variable, words.next().ok_or_else(|| format!("{word} needs a value"))?);
    }
    match soak.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("something went wrong ({status}): see above")),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}
