//! A word as people read it: in the terminal (`seam explain`), and as a page of the reference.

use seam_model::{Field, FieldNeed, Shape, Word};
use std::fmt::Write as _;

/// A word for the terminal: what it is, what stands right of it, its fields and results, an example.
pub fn explain(word: &Word) -> String {
    let mut text = format!("{}: {}\n", word.name, word.line);
    if !word.text.trim().is_empty() {
        let _ = write!(text, "\n{}\n", word.text.trim());
    }
    if let Some(subject) = subject(word) {
        let _ = write!(text, "\n{}: {subject}\n", word.name);
    }
    list(&mut text, "fields", word.fields);
    list(&mut text, "results", word.results);
    if !word.example.trim().is_empty() {
        text.push_str("\nexample\n");
        for line in word.example.trim_end().lines() {
            let _ = writeln!(text, "{}", format!("  {line}").trim_end());
        }
    }
    text
}

/// One field of a word for the terminal.
pub fn explain_field(word: &Word, field: &Field) -> String {
    let need = if field.need == FieldNeed::Required { ", needed" } else { "" };
    let mut text = format!(
        "{} (in {}): {}\n\n{}: {}{need}\n",
        field.name,
        word.name,
        field.line,
        field.name,
        shape_text(&field.shape)
    );
    if let Shape::Fields(fields) = field.shape {
        list(&mut text, "fields", fields);
    }
    text
}

/// A word as a page of Markdown below its heading: what it is, its fields and results, an example in this language.
/// Fields that are words with pages of their own are not told again.
pub fn markdown(word: &Word, language: &str, pages: &[&Word]) -> String {
    let mut text = format!("{}.\n", sentence(word.line));
    if !word.text.trim().is_empty() {
        let _ = write!(text, "\n{}\n", word.text.trim());
    }
    if let Some(subject) = subject(word) {
        let _ = write!(text, "\nRight of `{}`: {subject}.\n", word.name);
    }
    table(&mut text, "Field", word.fields, pages);
    table(&mut text, "Result", word.results, pages);
    if !word.example.trim().is_empty() {
        let _ = write!(text, "\n```{language}\n{}\n```\n", word.example.trim_end());
    }
    text
}

/// What may stand in a place, in words: `a list of texts`.
pub fn shape_text(shape: &Shape) -> String {
    match shape {
        Shape::Nothing => "nothing".to_owned(),
        Shape::Any => "anything".to_owned(),
        Shape::Text => "a text".to_owned(),
        Shape::Integer => "a whole number".to_owned(),
        Shape::Number => "a number".to_owned(),
        Shape::Boolean => "true or false".to_owned(),
        Shape::Duration => "a duration (10s, 1m30s)".to_owned(),
        Shape::Size => "a size (64KiB)".to_owned(),
        Shape::OneOf(texts) => texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" or "),
        Shape::List(element) => format!("a list of {}", several(element)),
        Shape::MapOf(value) => format!("a map of names to {}", several(value)),
        Shape::Fields(fields) => format!("a map with {}", field_names(fields)),
        Shape::Either(shapes) => shapes.iter().map(shape_text).collect::<Vec<_>>().join(", or "),
        Shape::Steps => "a list of steps".to_owned(),
        Shape::Component => "a component, its endpoint or database (`orders`, `pg.orders`)".to_owned(),
        Shape::Seam => "a seam (`orders -> payments`)".to_owned(),
        Shape::Expectations => "paths with what is expected there".to_owned(),
        Shape::Matchers => "a value, or a map of matchers".to_owned(),
    }
}

fn field_names(fields: &[Field]) -> String {
    fields.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ")
}

/// The plural of a shape: `texts`.
fn several(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Text => "texts".to_owned(),
        Shape::Integer => "whole numbers".to_owned(),
        Shape::Number => "numbers".to_owned(),
        Shape::Duration => "durations".to_owned(),
        Shape::Matchers => "values or matchers".to_owned(),
        Shape::Component => "components".to_owned(),
        Shape::Seam => "seams".to_owned(),
        Shape::Fields(_) => shape_text(shape).replacen("a map", "maps", 1),
        Shape::Either(shapes) => shapes.iter().map(several).collect::<Vec<_>>().join(" or "),
        Shape::MapOf(value) => format!("maps of names to {}", several(value)),
        Shape::List(element) => format!("lists of {}", several(element)),
        Shape::Nothing
        | Shape::Boolean
        | Shape::Size
        | Shape::OneOf(_)
        | Shape::Steps
        | Shape::Expectations => shape_text(shape),
    }
}

/// What stands right of the word, if anything has to.
fn subject(word: &Word) -> Option<String> {
    (!matches!(word.subject, Shape::Nothing)).then(|| shape_text(&word.subject))
}

fn list(text: &mut String, title: &str, fields: &[Field]) {
    if fields.is_empty() {
        return;
    }
    let width = fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0);
    let _ = write!(text, "\n{title}\n");
    for field in fields {
        let need = if field.need == FieldNeed::Required { "; needed" } else { "" };
        let _ =
            writeln!(text, "  {:width$}  {} ({}{need})", field.name, field.line, shape_text(&field.shape));
    }
}

fn table(text: &mut String, title: &str, fields: &[Field], pages: &[&Word]) {
    if fields.is_empty() {
        return;
    }
    let _ = write!(text, "\n| {title} | What | Form |\n|---|---|---|\n");
    rows(text, "", fields, pages);
}

/// A row for each field, and below it one for each field inside it, by its path: `mails.*.subject`.
fn rows(text: &mut String, above: &str, fields: &[Field], pages: &[&Word]) {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for field in fields {
        // Results always come; only fields can be needed.
        let need = if field.need == FieldNeed::Required { ", needed" } else { "" };
        let path = format!("{above}{}", field.name);
        let mut inner = Vec::new();
        inside("", &field.shape, &mut inner);
        let (known, told): (Vec<_>, Vec<_>) =
            inner.into_iter().partition(|(_, fields)| page_of(fields, pages).is_some());
        let known = known.first().and_then(|(_, fields)| page_of(fields, pages));
        let page = known.map_or_else(String::new, |word| format!(", see [{0}](#{0})", word.name));
        let (line, form) = (cell(field.line), cell(&short_text(&field.shape)));
        let _ = writeln!(text, "| `{path}` | {line} | {form}{page}{need} |");
        for (way, fields) in told {
            rows(text, &format!("{path}{way}."), fields, pages);
        }
    }
}

/// The word that these fields are.
fn page_of<'a>(fields: &[Field], pages: &[&'a Word]) -> Option<&'a Word> {
    let are_same =
        |word: &Word| word.fields.iter().map(|field| field.name).eq(fields.iter().map(|field| field.name));
    pages.iter().copied().find(|word| are_same(word))
}

/// All fields inside of a shape, with the way to them.
fn inside(way: &str, shape: &Shape, found: &mut Vec<(String, &'static [Field])>) {
    match shape {
        Shape::Fields(fields) => found.push((way.to_owned(), fields)),
        Shape::List(element) | Shape::MapOf(element) => inside(&format!("{way}.*"), element, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| inside(way, shape, found)),
        Shape::Nothing
        | Shape::Any
        | Shape::Text
        | Shape::Integer
        | Shape::Number
        | Shape::Boolean
        | Shape::Duration
        | Shape::Size
        | Shape::OneOf(_)
        | Shape::Steps
        | Shape::Component
        | Shape::Seam
        | Shape::Expectations
        | Shape::Matchers => {}
    }
}

/// What may stand in a place, without the names of fields that are told below it.
fn short_text(shape: &Shape) -> String {
    let mut text = shape_text(shape);
    let mut inner = Vec::new();
    inside("", shape, &mut inner);
    for (_, fields) in inner {
        text = text.replace(&format!(" with {}", field_names(fields)), "");
    }
    text
}

/// With a capital at the beginning.
fn sentence(line: &str) -> String {
    let mut characters = line.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[Field] = &[Field::optional("sku", Shape::Text, "the article")];

    static WORD: Word = Word {
        text: "It asks a component, and follows nothing.",
        subject: Shape::Text,
        fields: &[
            Field::required("path", Shape::Text, "the path"),
            Field::optional(
                "follow",
                Shape::Either(&[Shape::Boolean, Shape::Integer]),
                "follows | redirects",
            ),
        ],
        results: &[Field::optional("lines", Shape::List(&Shape::Fields(LINE)), "the lines")],
        example: "tests:\n  - http: GET web/a\n",
        ..Word::new("http", "sends a request")
    };

    #[test]
    fn a_word_for_the_terminal() {
        assert_eq!(
            explain(&WORD),
            "http: sends a request\n\nIt asks a component, and follows nothing.\n\nhttp: a text\n\nfields\n  \
             path    the path (a text; needed)\n  follow  follows | redirects (true or false, or a whole number)\n\n\
             results\n  lines  the lines (a list of maps with `sku`)\n\nexample\n  tests:\n    - http: GET web/a\n"
        );
        assert_eq!(
            explain_field(&WORD, &WORD.fields[0]),
            "path (in http): the path\n\npath: a text, needed\n"
        );
    }

    #[test]
    fn a_word_as_a_page() {
        assert_eq!(
            markdown(&WORD, "yaml", &[]),
            "Sends a request.\n\nIt asks a component, and follows nothing.\n\nRight of `http`: a text.\n\n\
             | Field | What | Form |\n|---|---|---|\n| `path` | the path | a text, needed |\n\
             | `follow` | follows \\| redirects | true or false, or a whole number |\n\n\
             | Result | What | Form |\n|---|---|---|\n| `lines` | the lines | a list of maps |\n\
             | `lines.*.sku` | the article | a text |\n\n\
             ```yaml\ntests:\n  - http: GET web/a\n```\n"
        );
    }

    #[test]
    fn what_has_a_page_of_its_own_is_told_there() {
        static LINES: Word = Word { fields: LINE, ..Word::new("line", "one line") };
        let page = markdown(&WORD, "yaml", &[&LINES]);
        assert!(page.contains("| `lines` | the lines | a list of maps, see [line](#line) |\n"), "{page}");
        assert!(!page.contains("lines.*.sku"), "{page}");
    }

    #[test]
    fn shapes_have_plurals() {
        for (shape, expect) in [
            (Shape::List(&Shape::Text), "a list of texts"),
            (Shape::MapOf(&Shape::List(&Shape::Number)), "a map of names to lists of numbers"),
            (Shape::OneOf(&["a", "b"]), "`a` or `b`"),
            (
                Shape::List(&Shape::Either(&[Shape::Text, Shape::MapOf(&Shape::Any)])),
                "a list of texts or maps of names to anything",
            ),
        ] {
            assert_eq!(shape_text(&shape), expect);
        }
    }
}
