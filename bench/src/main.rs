//! Measures Seamwork beside floors: what the same work costs where nothing but the work is done.
//!
//! ```text
//! cargo xtask bench [GROUP…] [--json FILE] [--rounds N]
//!        │
//!        ├▶ group ─▶ rounds, rivals in turn ─▶ rows ─▶ table, JSON
//!        └▶ parts: servers, relays and pools, each a process of its own, so that its CPU time can be told apart
//! ```
//!
//! A machine that does other things as well makes everything slower, so nothing here is compared with a figure of
//! another day: each row has its floor, measured in the same run and in the same rounds.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to the person who runs it")]

mod ground;
mod machine;
mod numbers;
mod parts;
mod row;
mod spine;
mod wires;

use ground::Ground;
use row::Row;
use std::path::PathBuf;
use std::process::ExitCode;

/// The command's own allocator, for the floors too: what differs between rows is what they do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A group's name, one line on it, and its parts.
type Group = (&'static str, &'static str, &'static [Part]);

/// A part's name and what measures it.
type Part = (&'static str, fn(&Ground) -> Result<Vec<Row>, String>);

/// All groups: one file or folder and one line here for each; a folder has its parts in a table of its own.
const GROUPS: &[Group] = &[
    ("spine", "a system raised, watched, driven and judged", spine::PARTS),
    ("wires", "stubs, and seams of every protocol: watched, recorded, held", wires::PARTS),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Parts of a measurement are this same program, and so is the watcher of what they raise.
    match words.first().map(String::as_str) {
        Some("part") => return parts::run(&words[1..]),
        Some("help" | "--help" | "-h") => {
            println!("{}", usage());
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match asked(&words).and_then(|asked| measure(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}\n\n{}", usage());
            ExitCode::from(2)
        }
    }
}

/// What was asked for.
struct Asked {
    groups: Vec<&'static Group>,
    json: Option<PathBuf>,
    only: Vec<String>,
    n_rounds: usize,
}

fn usage() -> String {
    let groups: Vec<String> = GROUPS.iter().map(|(name, line, _)| format!("  {name:<8} {line}")).collect();
    let groups = groups.join("\n");
    format!(
        "Usage: cargo xtask bench [GROUP…] [--json FILE] [--rounds N] [--only TEXT]\n\nGroups:\n{groups}\n\n\
         --only TEXT measures only those parts of a group whose name holds the text; may be given several times."
    )
}

fn asked(words: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { groups: Vec::new(), json: None, only: Vec::new(), n_rounds: 5 };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--json" => asked.json = Some(PathBuf::from(value()?)),
            "--only" => asked.only.push(value()?.clone()),
            "--rounds" => {
                asked.n_rounds = value()?.parse().map_err(|_| "--rounds needs a number".to_owned())?;
            }
            name => {
                let group = GROUPS.iter().find(|(known, ..)| *known == name);
                asked.groups.push(group.ok_or_else(|| format!("there is no group `{name}`"))?);
            }
        }
    }
    if asked.groups.is_empty() {
        asked.groups = GROUPS.iter().collect();
    }
    asked.n_rounds = asked.n_rounds.max(1);
    Ok(asked)
}

fn measure(asked: &Asked) -> Result<(), String> {
    let ground = Ground::new(asked.n_rounds, asked.only.clone())?;
    let mut rows = Vec::new();
    for (group, _, parts) in &asked.groups {
        for (part, measure) in parts.iter().filter(|(part, _)| ground.wants(part)) {
            eprintln!("measuring {part}");
            // What can't be measured says why and stops nothing.
            let measured = measure(&ground).unwrap_or_else(|why| vec![Row::not_measured(*part, why)]);
            println!("\n{group}, {part}: medians of {} rounds\n{}", asked.n_rounds, row::table(&measured));
            rows.extend(measured);
        }
    }
    if let Some(path) = &asked.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
