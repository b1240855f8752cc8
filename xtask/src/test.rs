//! Runs the tests, and all gates.

use crate::chore::{self, Result};
use crate::{needs, tidy};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// What a test says that could not be made for want of a program.
const SKIPPED: &str = "SKIPPED: ";

/// Gets what the tests need, builds what they run, runs them all and says how many there were.
pub(crate) fn run(words: &[String]) -> Result {
    needs::run(&[])?;
    tidy::run(&[])?;
    // The golden cases run the real binary and the example's programs.
    chore::run("cargo", &["build", "--workspace"])?;
    let mut arguments = vec!["test", "--workspace", "--no-fail-fast"];
    arguments.extend(words.iter().map(String::as_str));
    let mut child = chore::command("cargo", &arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let (mut counts, mut left_out) = (Counts::default(), BTreeMap::new());
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
            println!("{line}");
            counts.add(&line);
            // A test may say it more than once.
            if let Some((why, test)) = line.split_once(SKIPPED).and_then(|(_, rest)| rest.split_once(" | ")) {
                left_out.entry(why.to_owned()).or_insert_with(BTreeSet::new).insert(test.to_owned());
            }
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    // To the harness such a test has passed.
    let n_left_out = left_out.values().map(|tests| tests.len() as u64).sum::<u64>();
    counts.passed = counts.passed.saturating_sub(n_left_out);
    println!("\n{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped + n_left_out);
    for (why, tests) in left_out {
        println!("  {} skipped: {why}", tests.len());
    }
    if status.success() && counts.failed == 0 { Ok(()) } else { Err("tests failed".to_owned()) }
}

/// All gates, in the order in which they fail fastest.
pub(crate) fn check(_: &[String]) -> Result {
    chore::run("cargo", &["fmt", "--all", "--check"])?;
    tidy::run(&[])?;
    chore::run("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    run(&[])?;
    chore::run("cargo", &["doc", "--workspace", "--no-deps", "--document-private-items"])?;
    if chore::on_path("cargo-deny") {
        chore::run("cargo", &["deny", "check"])?;
    } else {
        println!(
            "MISSING: cargo-deny; licences and advisories were not checked. Get it: cargo install cargo-deny"
        );
    }
    Ok(())
}

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// Adds the counts of a closing line of one test program:
    /// `test result: ok. 4 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            let Some((number, word)) = part.split_once(' ') else { continue };
            let number: u64 = number.parse().unwrap_or(0);
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn closing_lines_are_counted() {
        let mut counts = Counts::default();
        counts.add(
            "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.06s",
        );
        counts.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add("test a ... ok");
        assert_eq!((counts.passed, counts.failed, counts.skipped), (6, 3, 1));
    }
}
