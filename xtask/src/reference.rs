//! Writes `docs/reference.md` anew, as `seam explain --markdown` tells it.

use crate::chore::{self, Result, root};

/// Where the reference stands.
const PAGE: &str = "docs/reference.md";

/// Asks the program for its reference, and keeps it.
pub(crate) fn run(_: &[String]) -> Result {
    let words = ["run", "--quiet", "--package", "seam-cli", "--", "explain", "--markdown"];
    let output =
        chore::command("cargo", &words).output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)));
    }
    std::fs::write(root().join(PAGE), &output.stdout).map_err(|error| format!("cannot write {PAGE}: {error}"))
}
