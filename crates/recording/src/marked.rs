//! MySQL's statements with something in the place of their question marks, where these stand for values.

use seam_wire::mysql::text::pieces;

/// The statement with these in the order of its question marks, and its own dollars doubled. None where there are not as
/// many.
pub(crate) fn filled(statement: &str, values: &[String]) -> Option<String> {
    let mut out = String::with_capacity(statement.len());
    let mut values = values.iter();
    for (is_code, piece) in pieces(statement) {
        for character in piece.chars() {
            match character {
                '?' if is_code => out.push_str(values.next()?),
                '$' => out.push_str("$$"),
                other => out.push(other),
            }
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
            ("select 10--?", 1, Some("select 10--$a")),
            ("select /* /* */ ? --\t?", 1, Some("select /* /* */ $a --\t?")),
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
