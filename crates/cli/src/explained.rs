//! A word as people read it in the terminal, and the nearest words to one that is not there.

use crate::screen::Ink;
use crate::vocabulary::Group;
use seam_manifest::{explain, explain_field};
use seam_model::{Field, Shape, Word};
use std::fmt::Write as _;

/// How wide a page of text is: longer lines are hard to read.
const PAGE: usize = 100;

/// All that a name means: words of several groups may have the same, and so may their fields.
pub(crate) fn meanings(groups: &[Group], name: &str, ink: Ink) -> Vec<String> {
    let wanted = name.trim().trim_end_matches(':').trim_end_matches("()").to_lowercase();
    let all = || groups.iter().flat_map(|group| group.words.iter().map(move |word| (group, *word)));
    let words: Vec<String> = all()
        .filter(|(_, word)| word.name.to_lowercase() == wanted)
        .map(|(group, word)| titled(group, word, ink))
        .collect();
    if !words.is_empty() {
        return words;
    }
    if let Some((of, field)) = wanted.rsplit_once('.') {
        return all()
            .filter(|(_, word)| word.name.to_lowercase() == of)
            .filter_map(|(_, word)| Some(inked(&explain_field(word, field_of(word, field)?), ink)))
            .collect();
    }
    all().filter_map(|(_, word)| Some(inked(&explain_field(word, field_of(word, &wanted)?), ink))).collect()
}

/// All that can be explained, for a suggestion.
pub(crate) fn names(groups: &[Group]) -> Vec<&'static str> {
    let words = || groups.iter().flat_map(|group| &group.words);
    let fields = words().flat_map(|word| word.fields.iter().chain(word.results)).map(|field| field.name);
    let mut names: Vec<&'static str> = words().map(|word| word.name).chain(fields).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Every group with a line for each of its words.
pub(crate) fn lists(groups: &[Group], ink: Ink, width: usize) -> String {
    let widest = |group: &Group| group.words.iter().map(|word| word.name.chars().count()).max();
    let column = groups.iter().filter_map(widest).max().unwrap_or(0).min(20);
    let mut text = String::new();
    for group in groups {
        let _ = writeln!(text, "{}  {}", ink.bold(group.name), ink.dim(group.line));
        for word in &group.words {
            let name = format!("{:column$}", word.name);
            let room = width.min(120).saturating_sub(column + 4).max(20);
            let line = folded(word.line, room).join(&format!("\n{}", " ".repeat(column + 4)));
            let _ = writeln!(text, "  {}  {line}", ink.cyan(&name));
        }
        text.push('\n');
    }
    text
}

/// A text in lines of at most so many characters, broken between words.
pub(crate) fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a last line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn titled(group: &Group, word: &Word, ink: Ink) -> String {
    let mut text = explain(word);
    let head = format!("{}: {}", word.name, word.line);
    if text.starts_with(&head) {
        text = format!("{} ({}): {}{}", word.name, group.one, word.line, &text[head.len()..]);
    }
    // What stands right of a protocol's or a report's name is no matter of the files.
    text = text.replace(&format!("\n{}: anything\n", word.name), "");
    inked(&text, ink)
}

/// Long lines folded, the name and the headings in bold.
fn inked(text: &str, ink: Ink) -> String {
    let mut out = String::new();
    let mut is_example = false;
    for (number, line) in text.lines().enumerate() {
        let is_heading = matches!(line, "fields" | "results" | "example");
        is_example = is_example && !is_heading || line == "example";
        if number == 0 {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            let _ = writeln!(out, "{} {rest}", ink.bold(name));
        } else if is_heading {
            let _ = writeln!(out, "{}", ink.bold(line));
        } else if is_example {
            let _ = writeln!(out, "{line}");
        } else {
            let _ = writeln!(out, "{}", hanging(line));
        }
    }
    out
}

/// A line folded at the width of a page. What follows in a list stands beneath its last column.
fn hanging(line: &str) -> String {
    let rest = line.trim_start();
    let indent = line.len() - rest.len();
    let last = rest.find("  ").filter(|_| indent > 0).map_or(rest, |gap| rest[gap..].trim_start());
    let (head, column) = (line.len() - last.len(), line[..line.len() - last.len()].chars().count());
    let folded = folded(last, PAGE.saturating_sub(column).max(30));
    format!("{}{}", &line[..head], folded.join(&format!("\n{}", " ".repeat(column))))
}

/// A field or result of a word, also inside its fields.
fn field_of(word: &Word, name: &str) -> Option<&'static Field> {
    fn within(fields: &'static [Field], name: &str) -> Option<&'static Field> {
        fields.iter().find(|field| field.name.to_lowercase() == name).or_else(|| {
            fields.iter().find_map(|field| match field.shape {
                Shape::Fields(inner) => within(inner, name),
                _ => None,
            })
        })
    }
    within(word.fields, name).or_else(|| within(word.results, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    static PATH: &[Field] = &[Field::required("path", Shape::Text, "the path")];
    static HTTP: Word = Word { fields: PATH, ..Word::new("http", "sends a request") };
    static READY: Word = Word::new("http", "answers below 400");

    fn groups() -> Vec<Group> {
        vec![
            Group { name: "steps", one: "step", line: "", words: vec![&HTTP] },
            Group { name: "readiness", one: "way to be ready", line: "", words: vec![&READY] },
        ]
    }

    #[test]
    fn a_name_means_words_and_fields() {
        let ink = Ink::new(false);
        let first = |name: &str| -> Vec<String> {
            meanings(&groups(), name, ink)
                .iter()
                .map(|text| text.lines().next().unwrap_or_default().to_owned())
                .collect()
        };
        let both = ["http (step): sends a request", "http (way to be ready): answers below 400"];
        assert_eq!(first("http"), both);
        assert_eq!(first("HTTP:"), both);
        assert_eq!(first("path"), ["path (in http): the path"]);
        assert_eq!(first("http.path"), ["path (in http): the path"]);
        assert!(first("nothing").is_empty());
        assert_eq!(names(&groups()), ["http", "path"]);
    }

    #[test]
    fn texts_are_folded_between_words() {
        assert_eq!(folded("one two three", 7), ["one two", "three"]);
        assert_eq!(folded("averylongword a", 5), ["averylongword", "a"]);
        assert_eq!(folded("", 5), [""]);
    }
}
