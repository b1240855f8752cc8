//! What names may look like, so that `$name` and `${name.url}` find them.

use seam_diag::{Diagnostic, Diagnostics};
use seam_model::Spanned;

/// Words that mean something else where a component is referred to.
const TAKEN: &[(&str, &str)] = &[
    ("self", "`${self.address}` is the component's own address"),
    ("env", "`${env.NAME}` is a variable of the environment"),
    ("secret", "`${secret.NAME}` is a secret"),
    ("secrets", "`$secrets.name` is a secret"),
    ("test", "`test -> web` is the seam between the tests and `web`"),
];

/// Tells a component's name that could not be referred to.
pub(crate) fn check_component(name: &Spanned<String>, found: &mut Diagnostics) {
    if let Some((_, meaning)) = TAKEN.iter().find(|(taken, _)| *taken == name.value) {
        let title = format!("`{}` cannot be the name of a component", name.value);
        found.push(Diagnostic::error(title).at(name.span, "").note("", *meaning));
        return;
    }
    let is_fine = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if name.value.is_empty() || !name.value.chars().all(is_fine) {
        let title = format!("`{}` cannot be the name of a component", name.value);
        let hint = "names of components consist of letters, digits, `-` and `_`";
        found.push(Diagnostic::error(title).at(name.span, "").hint(hint));
    }
}

/// Tells a variable's name that `$name` would not find.
pub(crate) fn check_variable(name: &Spanned<String>, found: &mut Diagnostics) {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    if name.value.starts_with(char::is_alphabetic) && name.value.chars().all(is_part) {
        return;
    }
    let mut better: String =
        name.value.chars().map(|character| if is_part(character) { character } else { '_' }).collect();
    if !better.starts_with(char::is_alphabetic) {
        better.insert_str(0, "v_");
    }
    let title = format!("`{}` cannot be the name of a variable", name.value);
    found.push(
        Diagnostic::error(title)
            .at(name.span, "")
            .hint(format!("a letter, then letters, digits and `_`: `{better}`")),
    );
}
