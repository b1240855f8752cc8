//! A command line as users write it: split like a shell would, but no shell runs.
//!
//! Splitting comes before rendering, so that what a reference gives is one word whatever is in it, and a space in a
//! `${…:-default}` does not end a word.

use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Node, Spanned};

/// A command line, split, with references still in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Its words, the program first; there is at least one.
    pub words: Vec<Spanned<String>>,
}

/// What only a shell would understand.
const OPERATORS: [&str; 12] = ["|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>", "<<"];

impl CommandLine {
    /// Reads a text, which is split, or a list, which is taken as it is. `owner` is whose it is, for messages.
    pub fn read(node: &Node, owner: &str, found: &mut Diagnostics) -> Option<Self> {
        let words = if let Some(list) = node.as_list() {
            read_list(list, owner, found)?
        } else if let Some(text) = node.scalar_text() {
            let words = split_text(node, &text, owner, found)?;
            warn_of_operators(&words, found);
            words
        } else {
            let title = format!("{owner} must be a command line or a list of words");
            found.push(Diagnostic::error(title).at(node.span, format!("this is {}", node.kind_name())));
            return None;
        };
        let Some(first) = words.first().filter(|first| !first.value.is_empty()) else {
            found.push(Diagnostic::error(format!("{owner} names no program")).at(node.span, ""));
            return None;
        };
        if let Some((name, _)) = first.value.split_once('=')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            let title = format!("`{}` is no program", first.value);
            let hint = format!("no shell runs: put `{name}` under `env:`");
            found.push(Diagnostic::error(title).at(first.span, "").hint(hint));
            return None;
        }
        Some(Self { words })
    }

    /// The words as they were rendered, in the same order, without those that have become empty.
    pub fn rendered(&self, texts: &[String]) -> Vec<String> {
        self.words
            .iter()
            .zip(texts)
            .filter(|(word, text)| !text.is_empty() || word.value.is_empty())
            .map(|(_, text)| text.clone())
            .collect()
    }
}

fn read_list(list: &[Node], owner: &str, found: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    let mut words = Vec::new();
    let mut whole = true;
    for node in list {
        if let Some(text) = node.scalar_text() {
            words.push(Spanned::new(text, node.span));
        } else {
            let title = format!("a word of {owner} must be a text");
            found.push(Diagnostic::error(title).at(node.span, format!("this is {}", node.kind_name())));
            whole = false;
        }
    }
    whole.then_some(words)
}

fn split_text(node: &Node, text: &str, owner: &str, found: &mut Diagnostics) -> Option<Vec<Spanned<String>>> {
    match split(text) {
        Ok(words) => Some(
            words
                .into_iter()
                .map(|word| Spanned::new(word.text, node.part(word.start, word.end - word.start)))
                .collect(),
        ),
        Err(Unclosed { at, what }) => {
            let title = format!("{owner} has {what} that is not closed");
            found.push(Diagnostic::error(title).at(node.part(at, 1), "it begins here"));
            None
        }
    }
}

fn warn_of_operators(words: &[Spanned<String>], found: &mut Diagnostics) {
    if let Some(word) = words.iter().find(|word| OPERATORS.contains(&word.value.as_str())) {
        found.push(
            Diagnostic::warning(format!(
                "`{}` is handed to the program as a word, because no shell runs",
                word.value
            ))
            .at(word.span, "")
            .hint("where a shell is wanted, write `[sh, -c, '…']`"),
        );
    }
}

/// One word and where it stands in the text.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    text: String,
    start: usize,
    end: usize,
}

/// Something that begins and does not end.
#[derive(Debug, PartialEq, Eq)]
struct Unclosed {
    at: usize,
    what: &'static str,
}

/// Splits at white space. `'…'` is taken as it is, in `"…"` a backslash is one before `"` and `\` alone, elsewhere it
/// takes the next character as it is. `${…}` stays whole wherever it stands.
fn split(text: &str) -> Result<Vec<Word>, Unclosed> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let open = word.get_or_insert_with(|| Word { text: String::new(), start: at, end: at });
        if text[at..].starts_with("$$") {
            open.text.push_str("$$");
            rest.next();
        } else if text[at..].starts_with("${") {
            let length = text[at..].find('}').ok_or(Unclosed { at, what: "a `${`" })? + 1;
            open.text.push_str(&text[at..at + length]);
            while rest.next_if(|(next, _)| *next < at + length).is_some() {}
        } else {
            match (c, quote) {
                (_, Some((mark, _))) if c == mark => quote = None,
                ('\'' | '"', None) => quote = Some((c, at)),
                ('\\', None) => match rest.next() {
                    Some((_, next)) => open.text.push(next),
                    None => return Err(Unclosed { at, what: "a `\\`" }),
                },
                ('\\', Some(('"', _))) => match rest.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                    Some((_, next)) => open.text.push(next),
                    None => open.text.push('\\'),
                },
                _ => open.text.push(c),
            }
        }
        open.end = rest.peek().map_or(text.len(), |(next, _)| *next);
    }
    if let Some((_, at)) = quote {
        return Err(Unclosed { at, what: "a quote" });
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_diag::{FileId, Span};
    use seam_model::NodeKind;

    fn node(text: &str) -> Node {
        let span = Span { file: FileId(0), start: 100, end: 100 + u32::try_from(text.len()).unwrap() };
        Node { span, kind: NodeKind::Text { text: text.to_owned(), form: seam_model::Form::Plain } }
    }

    #[test]
    fn words_are_split_like_a_shell_would() {
        for (text, expected) in [
            ("./orders", &["./orders"][..]),
            ("  node   app.js\t--port 1\n", &["node", "app.js", "--port", "1"]),
            ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("a '' \"\"", &["a", "", ""]),
            (r#"a "q\"\\\n" 'x\y' b\ c \'"#, &["a", r#"q"\\n"#, r"x\y", "b c", "'"]),
            ("a ${x.y:-b c} \"${d}\"'${e}'", &["a", "${x.y:-b c}", "${d}${e}"]),
            ("a ${env.X:-it's}", &["a", "${env.X:-it's}"]),
            ("a $${b c", &["a", "$${b", "c"]),
            ("é 'ü ö'", &["é", "ü ö"]),
            ("", &[]),
        ] {
            let words: Vec<String> = split(text).unwrap().into_iter().map(|word| word.text).collect();
            assert_eq!(words, expected, "{text}");
        }
        for (text, at) in [("a 'b", 2), ("a \"b", 2), ("a ${b c", 2), ("a\\", 1), ("'a' \"b'", 4)] {
            assert_eq!(split(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn every_word_knows_its_place() {
        let mut found = Diagnostics::default();
        let line = CommandLine::read(&node("node 'my app.js' ${self.port}"), "`run`", &mut found).unwrap();
        let places: Vec<(u32, u32)> =
            line.words.iter().map(|word| (word.span.start, word.span.end)).collect();
        assert_eq!(places, [(100, 104), (105, 116), (117, 129)]);
        assert!(found.is_empty());
    }

    #[test]
    fn what_becomes_empty_is_left_out() {
        let line = CommandLine::read(&node("a ${x} '' b"), "`run`", &mut Diagnostics::default()).unwrap();
        let rendered = line.rendered(&["a".into(), String::new(), String::new(), "b".into()]);
        assert_eq!(rendered, ["a", "", "b"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_told() {
        for (text, n_errors, word) in [
            ("a | b", 0, "`|` is handed"),
            ("PORT=1 ./a", 1, "`PORT=1` is no program"),
            ("  ", 1, "names no program"),
            ("'' a", 1, "names no program"),
            ("a 'b", 1, "a quote that is not closed"),
        ] {
            let mut found = Diagnostics::default();
            CommandLine::read(&node(text), "`run`", &mut found);
            assert_eq!(found.n_errors(), n_errors, "{text}");
            let title = &found.in_order()[0].title;
            assert!(title.contains(word), "{title}");
        }
    }

    #[test]
    fn a_list_is_taken_as_it_is() {
        let span = Span { file: FileId(0), start: 0, end: 1 };
        let list = Node { span, kind: NodeKind::List(vec![node("a b"), node("|")]) };
        let mut found = Diagnostics::default();
        let line = CommandLine::read(&list, "`run`", &mut found).unwrap();
        assert_eq!(line.words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>(), ["a b", "|"]);
        assert!(found.is_empty());
        let wrong = Node { span, kind: NodeKind::List(vec![list, node("a")]) };
        assert!(CommandLine::read(&wrong, "`run`", &mut found).is_none());
        assert_eq!(found.n_errors(), 1);
    }
}
