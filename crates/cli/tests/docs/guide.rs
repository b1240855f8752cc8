//! Every block of YAML in the guide: a system is checked, tests are run against the bookstore, and pass.
//!
//! A block that begins with `system:` is a whole `seam.yaml`. A list of steps becomes a test of a signed-in customer,
//! for whom the flows of the bookstore are there; anything else is a file of tests. Steps in `yaml check` are for the
//! system that is shown before them, and are checked. Blocks in `yaml ci` are none of ours.

use crate::pages::{Block, pages, root};
use regex::Regex;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a folder.
fn seam(words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seam"));
    command.args(words).args(["--color", "never"]).current_dir(folder);
    command.env("SHOP_ADMIN_PASSWORD", "s3cret").env_remove("GITHUB_ACTIONS").output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn is_system(block: &Block<'_>) -> bool {
    block.text.lines().any(|line| line.starts_with("system:"))
}

/// The file that a system names for its descriptors.
fn described(system: &str) -> Option<&str> {
    Some(Regex::new(r"[\w/.-]+\.proto\b").unwrap().find(system)?.as_str())
}

#[test]
fn systems_have_no_mistakes() {
    let mentioned = Regex::new(r"[\w/.-]+\.(?:sql|csv|redis|template)\b").unwrap();
    let mut n_checked = 0;
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        for block in page.blocks().iter().filter(|block| block.language == "yaml" && is_system(block)) {
            for file in mentioned.find_iter(&block.text) {
                let file = folder.path().join(file.as_str());
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, "").unwrap();
            }
            let proto = page.blocks().into_iter().find(|block| block.language == "proto");
            if let (Some(name), Some(proto)) = (described(&block.text), proto) {
                std::fs::write(folder.path().join(name), proto.text).unwrap();
            }
            std::fs::write(folder.path().join("seam.yaml"), &block.text).unwrap();
            let output = seam(&["check"], folder.path());
            assert!(output.status.success(), "{}: {}", block.place, said(&output));
            n_checked += 1;
        }
    }
    assert!(n_checked > 3, "the guide shows systems");
}

#[test]
fn steps_that_the_bookstore_has_no_parts_for_have_no_mistakes() {
    let mut n_checked = 0;
    for page in pages().iter().filter(|page| page.path.starts_with("docs/")) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tests")).unwrap();
        let mut system = String::new();
        for block in page.blocks() {
            match block.language {
                "yaml" if is_system(&block) => {
                    std::fs::write(folder.path().join("seam.yaml"), &block.text).unwrap();
                    system.clone_from(&block.text);
                }
                "proto" => {
                    let name = described(&system).expect("the system names what describes it");
                    std::fs::write(folder.path().join(name), &block.text).unwrap();
                }
                "yaml check" => {
                    let steps = block.text.lines().map(|line| format!("      {line}\n"));
                    let text = format!("tests:\n  - name: steps\n    steps:\n{}", steps.collect::<String>());
                    std::fs::write(folder.path().join("tests/a.seam.yaml"), text).unwrap();
                    let output = seam(&["check"], folder.path());
                    assert!(output.status.success(), "{}: {}", block.place, said(&output));
                    assert!(!said(&output).contains("warning"), "{}: {}", block.place, said(&output));
                    n_checked += 1;
                }
                _ => {}
            }
        }
    }
    assert!(n_checked > 0, "the guide shows such steps");
}

#[test]
fn tests_of_the_guide_pass() {
    let folder = tempfile::tempdir().unwrap();
    bookstore(folder.path());
    let mut n_files = 0;
    for page in pages().iter().filter(|page| page.path.starts_with("docs/")) {
        for block in page.blocks().iter().filter(|block| block.language == "yaml" && !is_system(block)) {
            let name = block.place.replace(['/', ':', '.'], "-");
            std::fs::write(folder.path().join(format!("tests/{name}.seam.yaml")), file(block)).unwrap();
            n_files += 1;
        }
    }
    assert!(n_files > 10, "the guide shows tests");
    let output = seam(&["run", "--seed", "1"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

/// A block as a file of tests.
fn file(block: &Block<'_>) -> String {
    let first = block.text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
    if !first.starts_with("- ") {
        return block.text.clone();
    }
    let mut text = format!(
        "include: [flows/shop.yaml]\ntests:\n  - name: {}\n    needs: [customer]\n    steps:\n",
        block.place.replace(':', " line ")
    );
    for line in block.text.lines() {
        text.push_str("      ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The bookstore without its tests, in another folder: its programs stay where they are.
fn bookstore(folder: &Path) {
    let shop = root().join("examples/bookstore");
    let target = root().join("target").to_string_lossy().into_owned();
    let manifest = root().join("Cargo.toml").to_string_lossy().into_owned();
    let system = std::fs::read_to_string(shop.join("seam.yaml")).unwrap();
    let system = system
        .replace("cargo build -q", &format!("cargo build -q --manifest-path {manifest}"))
        .replace("../../target", &target);
    std::fs::write(folder.join("seam.yaml"), system).unwrap();
    std::fs::create_dir(folder.join("tests")).unwrap();
    for part in ["db", "flows"] {
        std::fs::create_dir(folder.join(part)).unwrap();
        for file in std::fs::read_dir(shop.join(part)).unwrap().map(|entry| entry.unwrap()) {
            std::fs::copy(file.path(), folder.join(part).join(file.file_name())).unwrap();
        }
    }
}
