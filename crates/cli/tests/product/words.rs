//! Help, explanations, schemas and completions: all of them name all there is.

use crate::place::Place;

const COMMANDS: &[&str] =
    &["run", "check", "up", "map", "report", "init", "explain", "doctor", "schema", "completions"];

#[test]
fn alone_it_shows_the_help() {
    let done = Place::new().seam(&[]).exits(2);
    for command in COMMANDS {
        assert!(done.err.contains(&format!("\n  {command} ")), "{command} is not in\n{}", done.err);
    }
    assert!(done.err.contains("Exit codes: 0 passed, 1 failed, 2 could not run"));
}

#[test]
fn every_command_has_help_with_examples_or_says_what_it_does() {
    for command in COMMANDS {
        let done = Place::new().seam(&["help", command]).exits(0);
        assert!(done.out.contains(&format!("Usage: seam {command}")), "{}", done.out);
        assert!(done.out.lines().next().is_some_and(|line| !line.is_empty()), "{command}");
        assert!(
            done.out.lines().all(|line| line.chars().count() <= 100),
            "{command} is too wide:\n{}",
            done.out
        );
    }
}

#[test]
fn the_help_of_reports_names_every_form() {
    let done = Place::new().seam(&["run", "--help"]).exits(0);
    for form in ["terminal", "junit", "json", "github", "markdown"] {
        assert!(done.out.contains(&format!("- {form}: ")), "{form} is not in\n{}", done.out);
    }
}

#[test]
fn slips_of_the_pen_are_understood() {
    let place = Place::new();
    for (words, expect) in [
        (&["rnu"][..], "did you mean `run`?"),
        (&["chekc", "--profile", "x"], "did you mean `check`?"),
        (&["something"], "`seam help` lists all commands"),
        (&["."], "did you mean `seam run .`?"),
        (&["run", "--repotr", "x=y"], "'--report'"),
        (&["run", "--report", "jnit=x"], "did you mean `junit`?"),
        (&["explain", "in_any_oder"], "did you mean `in_any_order`?"),
        (&["explain", "htpp"], "did you mean `http`?"),
        (&["map", "--format", "mermiad"], "'mermaid'"),
        (&["schema", "sytem"], "'system'"),
    ] {
        let done = place.seam(words).exits(2);
        assert!(done.err.contains(expect), "{words:?}: {}", done.err);
        assert_eq!(done.out, "", "{words:?}");
    }
}

#[test]
fn every_word_that_is_listed_can_be_explained() {
    let place = Place::new();
    let list = place.seam(&["explain"]).exits(0).out;
    let words: Vec<&str> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(words.len() > 80, "{list}");
    for word in words {
        let done = place.seam(&["explain", word]).exits(0);
        assert!(done.out.contains(word), "{word}: {}", done.out);
    }
    for (word, expect) in [("http.follow", "follow (in http)"), ("run", "Usage"), ("explain", "Usage")] {
        let done = place.seam(&["explain", word]).exits(0);
        assert!(done.out.contains(expect), "{word}: {}", done.out);
    }
    assert_eq!(place.seam(&["explain", "http", "follow"]).out, place.seam(&["explain", "http.follow"]).out);
}

#[test]
fn schemas_are_json_and_hold_to_themselves() {
    let place = Place::new();
    for words in [&["schema"][..], &["schema", "system"], &["schema", "tests"]] {
        let text = place.seam(words).exits(0).out;
        let schema = seam_value::parse(&text).unwrap();
        let definitions = schema.get("$defs").unwrap().as_map().unwrap();
        // Every reference leads to a definition of the same file.
        for (at, _) in text.match_indices("\"#/") {
            let path = text[at + 3..].split('"').next().unwrap();
            let mut parts = path.split('/');
            assert_eq!(parts.next(), Some("$defs"), "{words:?}: {path}");
            let mut node = definitions.get(parts.next().unwrap()).unwrap();
            for part in parts {
                node = node.get(part).unwrap_or_else(|| panic!("{words:?}: {path} leads nowhere"));
            }
        }
    }
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = Place::new().seam(&["completions", shell]).exits(0);
        for command in COMMANDS {
            assert!(done.out.contains(command), "{shell}: {command}");
        }
        assert!(done.out.contains("fail-fast"), "{shell}");
        assert!(!done.out.contains("__watch"), "{shell}");
    }
}

#[test]
fn the_doctor_knows_the_whole_catalogue() {
    let place = Place::new();
    let done = place.seam(&["doctor"]).exits(0);
    let catalogue = place.seam(&["schema", "system"]).out;
    for service in ["postgres", "mailbox"] {
        assert!(done.out.contains(&format!("  {service} ")), "{}", done.out);
        assert!(catalogue.contains(&format!("\"{service}\"")));
    }
    assert!(done.out.contains("fetching    on"), "{}", done.out);
    assert!(place.seam(&["doctor", "--offline"]).out.contains("fetching    off"));
    let done = place.command(&["doctor"]).env("SEAM_OFFLINE", "1").output().unwrap();
    assert!(String::from_utf8_lossy(&done.stdout).contains("fetching    off"));
}
