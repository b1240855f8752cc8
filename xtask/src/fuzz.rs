//! Fuzzing: captured traffic of each protocol is spoilt at random, for minutes, and shown to its decoder.

use crate::chore::{self, Result};

/// `--minutes N` for all protocols together (1), `--protocol P` for one of them, `--seed S` for one case again.
pub(crate) fn run(words: &[String]) -> Result {
    let mut fuzz = chore::command(
        "cargo",
        &["test", "-p", "seam-wire", "--test", "wire", "--", "fuzz::for_long", "--ignored", "--nocapture"],
    );
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let variable = match word.as_str() {
            "--minutes" => "SEAM_FUZZ_MINUTES",
            "--protocol" => "SEAM_FUZZ_PROTOCOL",
            "--seed" => "SEAM_FUZZ_SEED",
            _ => {
                return Err(format!(
                    "`{word}`? it is: cargo xtask fuzz [--minutes N] [--protocol P] [--seed S]"
                ));
            }
        };
        fuzz.env(variable, words.next().ok_or_else(|| format!("{word} needs a value"))?);
    }
    match fuzz.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("something went wrong ({status}): see above")),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}
