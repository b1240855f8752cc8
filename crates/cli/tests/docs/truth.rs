//! Links, paths, quoted files and the reference.

use crate::pages::{pages, root};
use regex::Regex;
use std::process::Command;

#[test]
fn the_reference_is_what_the_program_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_seam")).args(["explain", "--markdown"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let kept = std::fs::read_to_string(root().join("docs/reference.md")).unwrap();
    assert!(said == kept, "docs/reference.md is stale; `cargo xtask reference` writes it anew");
}

#[test]
fn quoted_files_are_as_they_stand() {
    let mut n_quoted = 0;
    for page in pages() {
        for block in page.blocks() {
            let Some((first, rest)) = block.text.split_once('\n') else { continue };
            let Some(path) = first.strip_prefix("# examples/").filter(|path| !path.contains(' ')) else {
                continue;
            };
            let file = std::fs::read_to_string(root().join("examples").join(path)).unwrap();
            assert!(rest == file, "{}: examples/{path} reads otherwise", block.place);
            n_quoted += 1;
        }
    }
    assert!(n_quoted >= 2, "the README quotes the smallest example");
}

#[test]
fn the_map_of_the_bookstore_is_its_own() {
    let words = ["map", "examples/bookstore", "--format", "mermaid"];
    let output = Command::new(env!("CARGO_BIN_EXE_seam")).args(words).current_dir(root()).output().unwrap();
    let map = String::from_utf8(output.stdout).unwrap();
    let page = std::fs::read_to_string(root().join("examples/bookstore/README.md")).unwrap();
    assert!(page.contains(&map), "`seam map` says now:\n{map}");
}

#[test]
fn the_bugs_of_the_bookstore_are_those_that_are_told() {
    let known = std::fs::read_to_string(root().join("examples/bookstore/services/lib/bug.rs")).unwrap();
    let page = std::fs::read_to_string(root().join("examples/bookstore/README.md")).unwrap();
    let bugs = Regex::new(r#"\("(B\d\d)", Bug::"#).unwrap();
    let untold: Vec<&str> = bugs
        .captures_iter(&known)
        .map(|bug| bug.extract::<1>().1[0])
        .filter(|bug| !page.contains(bug))
        .collect();
    assert!(bugs.is_match(&known) && untold.is_empty(), "{untold:?} stand in no line of the README");
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut wrong = Vec::new();
    for page in pages() {
        let folder = root().join(&page.path).parent().unwrap().to_owned();
        for (line, text) in page.prose() {
            for found in link.captures_iter(text) {
                let (path, anchor) = found[1].split_once('#').unwrap_or((&found[1], ""));
                if path.contains("://") {
                    continue;
                }
                let target = if path.is_empty() { root().join(&page.path) } else { folder.join(path) };
                let is_there = target.exists() && (anchor.is_empty() || has_heading(&target, anchor));
                if !is_there {
                    wrong.push(format!("{}:{line}: {}", page.path, &found[1]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Has a page a heading to which `#anchor` leads, as GitHub and GitLab make anchors?
fn has_heading(page: &std::path::Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    let anchors = headings.map(|heading| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        heading
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect::<String>()
    });
    anchors.into_iter().any(|known| known == anchor)
}

#[test]
fn paths_that_are_named_are_there() {
    let path = Regex::new(r"`((?:crates|xtask|docs|examples|tests|bench|\.ci)/[A-Za-z0-9_./-]+)`").unwrap();
    let mut wrong = Vec::new();
    for page in pages() {
        for (line, text) in page.prose() {
            for found in path.captures_iter(text) {
                if !root().join(&found[1]).exists() {
                    wrong.push(format!("{}:{line}: {}", page.path, &found[1]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
