//! Finds the `$` in a text: where a variable begins, what stands in `${ … }`, what is only a dollar.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    /// Text as it is, `$$` already one dollar.
    Text(String),
    /// `$name…`: the offset of the `$`, and all that follows it.
    Dollar { offset: usize, rest: &'t str },
    /// `${ … }`: the offset of the `$`, and what stands between the braces.
    Braces { offset: usize, inner: &'t str },
    /// `${` that is never closed.
    Unclosed { offset: usize },
}

/// Takes a text apart. `name` says how many bytes after a `$` belong to a variable; none where the `$` is itself.
/// (References in `seam.yaml` know no `$name`.)
pub(crate) fn parts(text: &str, name: impl Fn(&str) -> Option<usize>) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('$') {
        let offset = at + found;
        let after = &text[offset + 1..];
        plain.push_str(&text[at..offset]);
        at = offset + 1;
        let part = if after.starts_with('$') {
            plain.push('$');
            at += 1;
            continue;
        } else if let Some(inside) = after.strip_prefix('{') {
            if let Some(length) = closing_brace(inside) {
                at += length + 2;
                Part::Braces { offset, inner: &inside[..length] }
            } else {
                at = text.len();
                Part::Unclosed { offset }
            }
        } else if let Some(length) = name(after) {
            at += length;
            Part::Dollar { offset, rest: &after[..length] }
        } else {
            plain.push('$');
            continue;
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(part);
    }
    plain.push_str(&text[at..]);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

/// Where the `}` stands that closes an expression: behind its inner braces, not inside its texts.
fn closing_brace(inside: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut characters = inside.char_indices();
    while let Some((offset, character)) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(offset),
            (None, '}') => depth -= 1,
            _ => {}
        }
    }
    // A lone quote (an apostrophe in a default) must not swallow the rest of the text.
    if quote.is_some() { inside.find('}') } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let name = |rest: &str| {
            let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            rest.starts_with(char::is_alphabetic).then_some(length)
        };
        let show = |part: Part<'_>| match part {
            Part::Text(text) => format!("[{text}]"),
            Part::Dollar { offset, rest } => format!("${offset}:{rest}"),
            Part::Braces { offset, inner } => format!("{{{offset}:{inner}}}"),
            Part::Unclosed { offset } => format!("!{offset}"),
        };
        parts(text, name).into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn takes_texts_apart() {
        for (text, expect) in [
            ("", ""),
            ("plain", "[plain]"),
            ("$a", "$0:a"),
            ("order $a!", "[order ] $6:a [!]"),
            ("$a$b", "$0:a $2:b"),
            ("$$a", "[$a]"),
            ("$$$a", "[$] $2:a"),
            ("5$ and $5 and $", "[5$ and $5 and $]"),
            ("^\\d+$", "[^\\d+$]"),
            ("${a}.pdf", "{0:a} [.pdf]"),
            ("${ {'a': 1}.a } ", "{0: {'a': 1}.a } [ ]"),
            ("${'}'}x", "{0:'}'} [x]"),
            ("${'it\\'s}'}x", "{0:'it\\'s}'} [x]"),
            ("a ${b", "[a ] !2"),
            ("${it's}x", "{0:it's} [x]"),
            ("ä$ö", "[ä] $2:ö"),
        ] {
            assert_eq!(shown(text), expect, "{text}");
        }
    }
}
