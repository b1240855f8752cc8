//! All words of all tables by group: what `seam explain` explains, and what help, schema and completions name.

use seam_engine::Words;
use seam_manifest::PARTS;
use seam_model::Word;

/// Words that belong together.
pub(crate) struct Group {
    /// What they are: `steps`.
    pub(crate) name: &'static str,
    /// What one of them is: `step`.
    pub(crate) one: &'static str,
    /// Where they stand in the files, or what they are for.
    pub(crate) line: &'static str,
    /// The words, in the order of their table.
    pub(crate) words: Vec<&'static Word>,
}

/// All groups, from the files inward.
pub(crate) fn groups() -> Vec<Group> {
    let words = Words::gather();
    let mut groups = vec![group("files", "part of the files", "what the files are made of", PARTS.to_vec())];
    for (name, words) in words.groups() {
        let (one, line) = of_engine(name);
        groups.push(group(name, one, line, words.to_vec()));
    }
    groups.push(group("protocols", "protocol", "what is spoken on a seam; `protocol:`", protocols()));
    let functions = seam_expr::FUNCTIONS.iter().map(|function| &function.word).collect();
    groups.push(group("functions", "function", "what `${ … }` in tests can call", functions));
    groups.push(group("reports", "report", "forms of `--report FORMAT=FILE`", reports()));
    groups
}

/// The words of the protocols' table.
pub(crate) fn protocols() -> Vec<&'static Word> {
    seam_wire::PROTOCOLS.iter().map(|protocol| protocol.word()).collect()
}

/// The words of the reports' table.
pub(crate) fn reports() -> Vec<&'static Word> {
    seam_report::REPORTS.iter().map(|report| &report.word).collect()
}

fn group(name: &'static str, one: &'static str, line: &'static str, words: Vec<&'static Word>) -> Group {
    Group { name, one, line, words }
}

/// What one word of a group of the engine's is called, and where it stands.
fn of_engine(name: &str) -> (&'static str, &'static str) {
    match name {
        "steps" => ("step", "what a test can do"),
        "matchers" => ("matcher", "what `expect` can say about a value"),
        "services" => ("service", "ready-made components; `service:`"),
        "components" => ("kind of component", "what makes a component"),
        "readiness" => ("way to be ready", "when a component is ready; `ready:`"),
        "faults" => ("fault", "what can be broken on a seam; `fault:`"),
        "stubs" => ("stub", "what answers in a provider's place; `stub:`"),
        _ => ("word", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_word_says_what_it_is_and_stands_once_in_its_group() {
        for group in groups() {
            assert!(!group.line.is_empty() && !group.words.is_empty(), "{}", group.name);
            let mut seen = HashSet::new();
            for word in &group.words {
                assert!(!word.line.is_empty(), "{}: {}", group.name, word.name);
                assert!(seen.insert(word.name), "{}: {} twice", group.name, word.name);
            }
        }
    }
}
