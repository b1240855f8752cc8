//! Measures: builds `seam` and the measurements as releases are built, and hands the words on.

use crate::chore::{self, Result};

/// Builds and measures; which groups there are stands in `bench/src/main.rs`.
pub(crate) fn run(words: &[String]) -> Result {
    chore::run("cargo", &["build", "--release", "-p", "seam-cli", "-p", "seam-bench"])?;
    let mut arguments = vec!["run", "--release", "--quiet", "-p", "seam-bench", "--"];
    arguments.extend(words.iter().map(String::as_str));
    chore::run("cargo", &arguments)
}
