//! The reference as one page of Markdown: every command, and every word of the files by group.
//!
//! It is made from the same tables as help and `seam explain`, so it can't say anything else than these. The page is
//! `docs/reference.md`; `cargo xtask reference` writes it anew, and a test compares it.

use crate::vocabulary::Group;
use clap::Command;
use seam_expr::FUNCTIONS;
use seam_manifest::{PARTS, markdown};
use seam_model::{Shape, Word};
use std::fmt::Write as _;

/// How a kind is marked that can be written but not yet run.
const LATER: &str = "(not there yet)";

const HEAD: &str = "\
# Reference

Everything that can be written in the two kinds of file, and every command. This page is made by
`cargo xtask reference` from the tables of the program itself, which are also what `seam explain NAME`, `seam help`
and `seam schema` tell. [The guide](README.md) says how it all goes together.
";

/// The page.
pub(crate) fn reference(groups: &[Group], seam: Command) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n- [commands](#commands)\n");
    for group in groups {
        let _ = writeln!(text, "- [{}](#{}): {}", group.name, group.name, group.line);
    }
    commands(&mut text, seam);
    for group in groups {
        let _ = write!(text, "\n## {}\n\n{}.\n", capital(group.name), capital(group.line));
        let (later, there): (Vec<&Word>, Vec<&Word>) =
            group.words.iter().partition(|word| word.line.ends_with(LATER));
        match group.name {
            "functions" => functions(&mut text),
            _ => there.iter().for_each(|word| page(&mut text, group, word)),
        }
        if !later.is_empty() {
            let names: Vec<String> = later.iter().map(|word| format!("`{}`", word.name)).collect();
            let _ = write!(text, "\nRead and checked, but not run by this version: {}.\n", names.join(", "));
        }
    }
    text
}

fn commands(text: &mut String, mut seam: Command) {
    text.push_str("\n## Commands\n");
    seam.build();
    for command in seam.get_subcommands_mut().filter(|command| command.get_name() != "help") {
        let help = command.render_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = write!(
            text,
            "\n### `seam {}`\n\n```text\n{}\n```\n",
            command.get_name(),
            lines.join("\n").trim()
        );
    }
}

fn page(text: &mut String, group: &Group, word: &Word) {
    let _ = write!(text, "\n### `{}`\n\n", word.name);
    // What stands right of a protocol's or a report's name is no matter of the files.
    let page = match group.name {
        "protocols" | "reports" => markdown(&Word { subject: Shape::Nothing, ..*word }, language(group), &[]),
        _ => markdown(word, language(group), PARTS),
    };
    text.push_str(&page);
}

fn language(group: &Group) -> &'static str {
    if group.name == "reports" { "sh" } else { "yaml" }
}

/// There are many of them and little to say about each.
fn functions(text: &mut String) {
    text.push_str("\n| Function | What | Example |\n|---|---|---|\n");
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for function in FUNCTIONS {
        let word = &function.word;
        let more = if word.text.is_empty() { String::new() } else { format!(". {}", cell(word.text)) };
        let examples: Vec<String> = word.example.lines().map(|line| format!("`{}`", cell(line))).collect();
        let _ = writeln!(
            text,
            "| `{}` | {}{more} | {} |",
            function.signature(),
            cell(word.line),
            examples.join("<br>")
        );
    }
}

/// With a capital at the beginning.
fn capital(line: &str) -> String {
    let mut characters = line.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
