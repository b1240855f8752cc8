//! What was guessed, as the two kinds of file.

use super::guess::{Guess, Guesses, Made, named};
use std::fmt::Write as _;

/// Names of what is usually asked first.
const FRONTS: &[&str] = &["gateway", "web", "api", "app", "frontend", "server", "backend"];

/// `seam.yaml`
pub(super) fn system(guesses: &Guesses) -> String {
    let folder = guesses.root.file_name().unwrap_or_default().to_string_lossy();
    let mut text = format!(
        "# The system: its components, and how each reaches the others. A component that mentions another one's\n\
         # address has a seam to it. `seam explain system` and `seam explain component` say what else there is.\n\
         system: {}\n",
        scalar(&named(&folder))
    );
    if !guesses.prepare.is_empty() {
        let commands: Vec<String> = guesses.prepare.iter().map(|command| flow_scalar(command)).collect();
        let _ = writeln!(text, "prepare: [{}]", commands.join(", "));
    }
    text.push_str("\ncomponents:\n");
    if guesses.list.is_empty() {
        text.push_str(
            "  app:\n    planned: the first program\n    # Once it is there:\n    # run: ./program\n    \
             # env: { LISTEN: \"${self.address}\" }   # where it is to listen\n    # ready: GET /health\n\n  \
             # db:\n  #   service: postgres             # `seam doctor` lists what there is\n",
        );
    }
    for guess in &guesses.list {
        component(&mut text, guess);
    }
    text
}

fn component(text: &mut String, guess: &Guess) {
    let _ = writeln!(text, "  {}:   # {}", guess.name, guess.why);
    match &guess.made {
        Made::Service { name, databases, seeds } => {
            let _ = writeln!(text, "    service: {name}");
            if !databases.is_empty() {
                text.push_str("    databases:\n");
            }
            for (number, database) in databases.iter().enumerate() {
                let seeds: Vec<String> = seeds.iter().map(|seed| flow_scalar(seed)).collect();
                let filled = match (number, seeds.is_empty()) {
                    (0, false) => format!("{{ seed: [{}] }}", seeds.join(", ")),
                    _ => "{}   # `seed: [file.sql]` gives it tables and rows".to_owned(),
                };
                let _ = writeln!(text, "      {}: {filled}", scalar(database));
            }
        }
        Made::Run(run) => {
            let _ = writeln!(text, "    run: {}", scalar(run));
            if !guess.dir.is_empty() {
                let _ = writeln!(text, "    dir: {}", scalar(&guess.dir));
            }
        }
    }
    if !guess.env.is_empty() {
        text.push_str("    env:\n");
    }
    for (name, value) in &guess.env {
        let _ = writeln!(text, "      {name}: {}", scalar(value));
    }
    if !guess.unknown.is_empty() {
        let names: Vec<&str> = guess.unknown.iter().map(String::as_str).collect();
        let _ = writeln!(text, "    # It also reads: {}", names.join(", "));
    }
}

/// A first file of tests; none where there is nobody to be asked.
pub(super) fn first_test(guesses: &Guesses) -> Option<String> {
    let programs = || guesses.list.iter().filter(|guess| matches!(guess.made, Made::Run(_)));
    let front = FRONTS.iter().find_map(|name| programs().find(|guess| guess.name == *name));
    let asked = front.or_else(|| programs().next())?;
    let path = guesses.path.as_deref().unwrap_or("/");
    let status = if guesses.path.is_some() { "200" } else { "{ below: 500 }" };
    Some(format!(
        "# Tests are stories: what somebody does, and what must hold then. `seam explain test`, `seam explain http`.\n\
         tests:\n  - name: {name} answers\n    steps:\n      - http: GET {name}{path}\n        expect: {{ status: {status} }}\n",
        name = asked.name
    ))
}

/// A text as it stands alone in a line of YAML.
fn scalar(text: &str) -> String {
    let is_odd = text.is_empty()
        || text.starts_with(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '$' | '_')))
        || text.contains(": ")
        || text.contains(" #")
        || text.contains(['"', '\\', '\n'])
        || text.ends_with([':', ' '])
        || is_other_kind(text);
    if is_odd { quoted(text) } else { text.to_owned() }
}

/// The same inside `[ ]` and `{ }`.
fn flow_scalar(text: &str) -> String {
    if text.contains([',', '[', ']', '{', '}', '$']) { quoted(text) } else { scalar(text) }
}

/// Would it be read as something else than a text?
fn is_other_kind(text: &str) -> bool {
    ["null", "true", "false", "yes", "no", "on", "off", "~"].contains(&text.to_lowercase().as_str())
        || text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '_' | '+' | '-' | 'e' | 'E' | 'x' | 'o'))
            && text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_take_them_for_something_else() {
        for (text, expect) in [
            ("node server.js", "node server.js"),
            ("${self.port}", "${self.port}"),
            ("sh -c 'a && b'", "sh -c 'a && b'"),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("1.5", "\"1.5\""),
            ("no", "\"no\""),
            ("say \"x\"", "\"say \\\"x\\\"\""),
            ("-x", "\"-x\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), expect);
        }
        assert_eq!(flow_scalar("a, b"), "\"a, b\"");
    }
}
