//! Regular expressions as Java writes them: most of it is the same everywhere, the rest is translated.
//!
//! `matches` in WireMock means that all of the text matches, and a dot matches line ends too.

use fancy_regex::Regex;

/// How many steps one expression may take on one text: one that runs away matches nothing.
const MAX_STEPS: usize = 1_000_000;

/// An expression that has to match a whole text, or finds its first match.
#[derive(Clone, Debug)]
pub(crate) struct JavaRegex {
    whole: Regex,
    part: Regex,
}

impl JavaRegex {
    /// Reads an expression; the error says in one line what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some((what, at)) = wrong_repetition(text) {
            return Err(at_its_place(&what, at, text));
        }
        let translated = translate(text);
        let build = |pattern: &str| {
            fancy_regex::RegexBuilder::new(pattern)
                .backtrack_limit(MAX_STEPS)
                .build()
                .map_err(|error| first_line(&error.to_string()))
        };
        // A bracket that is missing would otherwise be found among ours.
        let part = build(&translated).map_err(|wrong| in_javas_words(text, wrong))?;
        Ok(Self { whole: build(&format!(r"\A(?s:{translated})\z"))?, part })
    }

    /// Does all of the text match?
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text).unwrap_or(false)
    }

    /// The groups of all of the text, the whole first; none where it does not match.
    pub(crate) fn groups(&self, text: &str) -> Option<Vec<Option<String>>> {
        let captures = self.whole.captures(text).ok()??;
        Some(captures.iter().map(|group| group.map(|group| group.as_str().to_owned())).collect())
    }

    /// All matches in the text, each with its groups.
    pub(crate) fn find_all(&self, text: &str) -> Vec<Vec<Option<String>>> {
        let groups = |captures: fancy_regex::Captures<'_, str>| {
            captures.iter().map(|group| group.map(|group| group.as_str().to_owned())).collect()
        };
        self.part.captures_iter(text).map_while(Result::ok).take(10_000).map(groups).collect()
    }

    /// The text with all matches replaced; `$1` stands for a group.
    pub(crate) fn replace_all(&self, text: &str, with: &str) -> String {
        self.part.replace_all(text, with).into_owned()
    }
}

/// What is wrong as Java says it, where it is one of the usual mistakes: clients show it to their users, and compare it.
fn in_javas_words(text: &str, wrong: String) -> String {
    let letters: Vec<char> = text.chars().collect();
    let (mut classes, mut groups, mut at) = (0_usize, 0_usize, 0);
    let mut dangling = None;
    while at < letters.len() {
        match letters[at] {
            '\\' => at += 1,
            '[' => classes += 1,
            ']' => classes = classes.saturating_sub(1),
            '(' if classes == 0 => groups += 1,
            ')' if classes == 0 => groups = groups.saturating_sub(1),
            '*' | '+' | '?'
                if classes == 0 && matches!(at.checked_sub(1).map(|at| letters[at]), None | Some('|')) =>
            {
                dangling = dangling.or(Some(at));
            }
            _ => {}
        }
        at += 1;
    }
    let (what, at) = match (classes, groups, dangling) {
        (_, _, Some(at)) => (format!("Dangling meta character '{}'", letters[at]), at),
        (1.., _, _) => ("Unclosed character class".to_owned(), letters.len() - 1),
        (0, 1.., _) => ("Unclosed group".to_owned(), letters.len()),
        (0, 0, None) => return wrong,
    };
    at_its_place(&what, at, text)
}

fn at_its_place(what: &str, at: usize, text: &str) -> String {
    let place = if at < text.chars().count() { format!("\n{}^", " ".repeat(at)) } else { String::new() };
    format!("{what} near index {at}\n{text}{place}")
}

/// A brace that counts nothing, and where Java tells it: elsewhere it stands for itself, so that `/orders/{id}` would be
/// taken for what it looks like, and never match.
fn wrong_repetition(text: &str) -> Option<(String, usize)> {
    let letters: Vec<char> = text.chars().collect();
    let letter = |at: usize| letters.get(at).copied();
    let behind =
        |from: usize, end: char| letters[from..].iter().position(|one| *one == end).map(|n| from + n + 1);
    let (mut depth, mut at) = (0_usize, 0);
    while at < letters.len() {
        match letters[at] {
            '\\' => {
                at = match (letter(at + 1), letter(at + 2)) {
                    (Some('Q'), _) => {
                        let quoted = letters[at..].windows(2).position(|two| two == ['\\', 'E']);
                        quoted.map_or(letters.len(), |n| at + n + 2)
                    }
                    (Some('p' | 'P' | 'x' | 'N'), Some('{')) => behind(at, '}').unwrap_or(letters.len()),
                    _ => at + 2,
                };
                continue;
            }
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => {
                let digits = |from: usize| {
                    from + letters[from..].iter().take_while(|letter| letter.is_ascii_digit()).count()
                };
                let number =
                    |from: usize, to: usize| letters[from..to].iter().collect::<String>().parse::<u64>();
                let least = digits(at + 1);
                if least == at + 1 {
                    return Some(("Illegal repetition".to_owned(), at + 1));
                }
                let has_most = letter(least) == Some(',');
                let end = if has_most { digits(least + 1) } else { least };
                if letter(end) != Some('}') {
                    return Some(("Unclosed counted closure".to_owned(), end));
                }
                let is_range = !has_most || end == least + 1 || {
                    let (least, most) = (number(at + 1, least), number(least + 1, end));
                    least.is_ok_and(|least| most.is_ok_and(|most| least <= most))
                };
                if !is_range {
                    return Some(("Illegal repetition range".to_owned(), end));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn first_line(text: &str) -> String {
    let line = text.lines().rfind(|line| line.starts_with("error:")).or_else(|| text.lines().next());
    line.unwrap_or(text).trim_start_matches("error:").trim().to_owned()
}

/// What Java means otherwise: `\Q…\E` quotes; `\d`, `\w` and `\s` are ASCII; `\h`, `\Z` and some classes have other names.
fn translate(java: &str) -> String {
    let mut out = String::with_capacity(java.len() + 16);
    let mut rest = java;
    let mut depth = 0_usize;
    while let Some(letter) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(r"\Q") {
            let (quoted, left) = after.split_once(r"\E").unwrap_or((after, ""));
            out.push_str(&fancy_regex::escape(quoted));
            rest = left;
            continue;
        }
        if letter == '\\' {
            let taken = escape(rest, depth > 0, &mut out);
            rest = &rest[taken..];
            continue;
        }
        match letter {
            '[' => {
                depth += 1;
                // The engine takes a bracket or hyphen here for itself where Java does not nest.
                out.push('[');
            }
            ']' if depth > 0 => {
                depth -= 1;
                out.push(']');
            }
            '&' | '~' | '-' if depth > 0 && rest[1..].starts_with(letter) && letter != '&' => {
                out.push('\\');
                out.push(letter);
            }
            other => out.push(other),
        }
        rest = &rest[letter.len_utf8()..];
    }
    out
}

/// Translates one escape; gives the bytes that it took.
fn escape(rest: &str, in_class: bool, out: &mut String) -> usize {
    let Some(letter) = rest[1..].chars().next() else {
        out.push('\\');
        return 1;
    };
    let plain = match (letter, in_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('w', false) => "[A-Za-z0-9_]",
        ('w', true) => "A-Za-z0-9_",
        ('W', _) => "[^A-Za-z0-9_]",
        ('s', false) => r"[ \t\n\x0B\f\r]",
        ('s', true) => r" \t\n\x0B\f\r",
        ('S', _) => r"[^ \t\n\x0B\f\r]",
        ('h', false) => r"[ \t\u{A0}\u{1680}\u{180e}\u{2000}-\u{200a}\u{202f}\u{205f}\u{3000}]",
        ('h', true) => r" \t\u{A0}",
        ('R', false) => r"(?:\r\n|[\n\x0B\f\r\u{85}\u{2028}\u{2029}])",
        ('Z', false) => r"(?=\n?\z)",
        ('p' | 'P', _) => return property(rest, letter, out),
        _ => {
            // What is not a letter or digit stands for itself; the engine refuses some of those.
            if letter.is_ascii_alphanumeric()
                || letter.is_ascii_punctuation() && "\\.+*?()|[]{}^$#&-~/".contains(letter)
            {
                if letter == '/' {
                    out.push('/');
                } else {
                    out.push('\\');
                    out.push(letter);
                }
            } else {
                out.push_str(&fancy_regex::escape(letter.encode_utf8(&mut [0; 4])));
            }
            return 1 + letter.len_utf8();
        }
    };
    out.push_str(plain);
    1 + letter.len_utf8()
}

/// `\p{Alpha}` and its like, by the names that the engine knows.
fn property(rest: &str, letter: char, out: &mut String) -> usize {
    const NAMES: &[(&str, &str)] = &[
        ("Lower", "[a-z]"),
        ("Upper", "[A-Z]"),
        ("ASCII", r"[\x00-\x7F]"),
        ("Alpha", "[a-zA-Z]"),
        ("Digit", "[0-9]"),
        ("Alnum", "[a-zA-Z0-9]"),
        ("Punct", r"[!-/:-@\[-`{-~]"),
        ("Graph", "[!-~]"),
        ("Print", "[ -~]"),
        ("Blank", r"[ \t]"),
        ("Cntrl", r"[\x00-\x1F\x7F]"),
        ("XDigit", "[0-9a-fA-F]"),
        ("Space", r"[ \t\n\x0B\f\r]"),
        ("javaLowerCase", r"\p{Lowercase}"),
        ("javaUpperCase", r"\p{Uppercase}"),
        ("javaWhitespace", r"\s"),
    ];
    if let Some((name, _)) = rest[2..].strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        let taken = name.len() + 4;
        let known = NAMES.iter().find(|(java, _)| *java == name).map(|(_, ours)| *ours);
        match known {
            Some(class) if letter == 'p' => out.push_str(class),
            Some(class) => {
                out.push_str("[^");
                out.push_str(class);
                out.push(']');
            }
            None => {
                let name = name.strip_prefix("Is").unwrap_or(name);
                out.push('\\');
                out.push(letter);
                out.push('{');
                out.push_str(name);
                out.push('}');
            }
        }
        return taken;
    }
    out.push('\\');
    out.push(letter);
    2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_in_java() {
        for (pattern, text, expect) in [
            ("a.c", "abc", true),
            ("a.c", "xabcx", false),
            ("a.c", "a\nc", true),
            ("a|bc", "bc", true),
            ("^/a/.*$", "/a/b", true),
            (r"\d+", "12", true),
            (r"\d+", "١٢", false),
            (r"[\w.-]+@\w+\.\w{2,3}", "a.b-c@shop.de", true),
            (r"\Qa.b\E+", "a.b", true),
            (r"\Qa.b\E", "axb", false),
            (r"(?i)abc", "ABC", true),
            (r"(?!x).*", "abc", true),
            (r"(?!a).*", "abc", false),
            (r"(?<=a)b|ab", "ab", true),
            (r"\p{Alpha}+", "abC", true),
            (r"\p{L}+", "äb", true),
            (r"\P{Digit}+", "ab", true),
            (r"[^/]+", "ab", true),
            (r"[a-z&&[^b]]+", "ac", true),
            (r"[a-z&&[^b]]+", "abc", false),
            (r"(\d{4})-\1", "2020-2020", true),
            (r"a++b", "aab", true),
            (r"\/a\/b", "/a/b", true),
            (r"[\[\]]+", "[]", true),
            (r"a\:b\=c", "a:b=c", true),
            ("", "", true),
        ] {
            let regex = JavaRegex::parse(pattern).unwrap_or_else(|wrong| panic!("{pattern}: {wrong}"));
            assert_eq!(regex.matches(text), expect, "{pattern} {text}");
        }
        for pattern in ["(", "[", "*a", r"\p{Nothing}"] {
            assert!(JavaRegex::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_brace_that_counts_nothing_is_told_as_java_tells_it() {
        for (pattern, expected) in [
            ("/a/{id}", "Illegal repetition near index 4\n/a/{id}\n    ^"),
            ("/a{", "Illegal repetition near index 3\n/a{"),
            ("a{,3}", "Illegal repetition near index 2\na{,3}\n  ^"),
            (r"\p{L}{x}", "Illegal repetition near index 6\n\\p{L}{x}\n      ^"),
            (r"\\{id}", "Illegal repetition near index 3\n\\\\{id}\n   ^"),
            ("/x{1", "Unclosed counted closure near index 4\n/x{1"),
            ("a{1,x}", "Unclosed counted closure near index 4\na{1,x}\n    ^"),
            ("a{2,1}", "Illegal repetition range near index 5\na{2,1}\n     ^"),
        ] {
            assert_eq!(JavaRegex::parse(pattern).map(|_| ()), Err(expected.to_owned()), "{pattern}");
        }
        for pattern in ["a}", r"a\{b", "[{]", "[a{]b{1}", r"\Q{\E", "a{2,}", "a{1,2}", r"\p{L}{2}", "[[{]{]"]
        {
            assert!(JavaRegex::parse(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn an_expression_that_runs_away_matches_nothing() {
        let regex = JavaRegex::parse(r"(a|aa)+\1x").unwrap();
        assert!(!regex.matches(&"a".repeat(60)));
    }
}
