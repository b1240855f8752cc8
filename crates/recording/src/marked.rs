//! MySQL's statements with something in the place of their question marks, where these stand for values.

/// Where in a statement a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Plain,
    /// In a text or a name that ends with this.
    Quoted(char),
    /// In a comment that ends with its line.
    Line,
    /// In a comment like `/* this */`.
    Block,
}

/// The statement with these in the order of its question marks, and its own dollars doubled. None where there are not as
/// many.
pub(crate) fn filled(statement: &str, values: &[String]) -> Option<String> {
    let mut out = String::with_capacity(statement.len());
    let mut values = values.iter();
    let mut inside = Inside::Plain;
    let mut characters = statement.char_indices();
    while let Some((at, character)) = characters.next() {
        let rest = &statement[at..];
        match (inside, character) {
            (Inside::Plain, '?') => {
                out.push_str(values.next()?);
                continue;
            }
            (Inside::Plain, '\'' | '"' | '`') => inside = Inside::Quoted(character),
            (Inside::Plain, '#') => inside = Inside::Line,
            (Inside::Plain, '-') if rest.starts_with("-- ") => inside = Inside::Line,
            (Inside::Plain, '/') if rest.starts_with("/*") => inside = Inside::Block,
            (Inside::Quoted(quote), '\\') if quote != '`' => {
                out.push(character);
                let Some((_, escaped)) = characters.next() else { break };
                out.push(escaped);
                if escaped == '$' {
                    out.push('$');
                }
                continue;
            }
            // A quote that is doubled ends one text and begins the next, which comes to the same.
            (Inside::Quoted(quote), _) if character == quote => inside = Inside::Plain,
            (Inside::Line, '\n') => inside = Inside::Plain,
            (Inside::Block, '/') if statement[..at].ends_with('*') => inside = Inside::Plain,
            _ => {}
        }
        out.push(character);
        if character == '$' {
            out.push('$');
        }
    }
    values.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_stand_for_values_are_filled() {
        for (statement, n_values, expect) in [
            ("select ? + ?", 2, Some("select $a + $b")),
            ("select '?', \"?\", `?`, ?", 1, Some("select '?', \"?\", `?`, $a")),
            (r"select 'it\'s ?', 'it''s ?', ?", 1, Some(r"select 'it\'s ?', 'it''s ?', $a")),
            ("select ? /* ? */ -- ?\n, ? # ?", 2, Some("select $a /* ? */ -- ?\n, $b # ?")),
            ("select '$x', ?", 1, Some("select '$$x', $a")),
            ("select ?", 0, None),
            ("select 1", 1, None),
        ] {
            let values: Vec<String> = ["$a", "$b"].iter().take(n_values).map(ToString::to_string).collect();
            assert_eq!(filled(statement, &values).as_deref(), expect, "{statement}");
        }
    }
}
