//! Did you mean …?

/// Words longer than this are not looked at.
const LONGEST: usize = 100;

/// The candidate nearest to `word`, if it is near enough to be meant: two slips for words of normal length,
/// one for short ones, counting swapped neighbours as one slip (Damerau-Levenshtein). Where none is, the one that
/// is the beginning of the word or begins with it (`environment` for `env`), if it is the only one.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    // Nobody means a name by a whole text, and comparing long texts costs their product.
    if length > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let most = match length {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let candidates: Vec<&str> =
        candidates.into_iter().filter(|candidate| candidate.len() <= 4 * (LONGEST + most)).collect();
    candidates
        .iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= most)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        .or_else(|| only_beginning(&lower, &candidates))
}

/// The one candidate of which the word is a beginning, or which is a beginning of it: three characters at least.
fn only_beginning<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let is_beginning = |long: &str, short: &str| short.chars().count() >= 3 && long.starts_with(short);
    let mut related = candidates.iter().filter(|candidate| {
        let candidate = candidate.to_lowercase();
        is_beginning(word, &candidate) || is_beginning(&candidate, word)
    });
    let only = related.next()?;
    related.next().is_none().then_some(*only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_meant_and_far_ones_are_not() {
        let candidates = ["expect", "save", "http", "sql", "within"];
        for (word, expect) in [
            ("expct", Some("expect")),
            ("Expect", Some("expect")),
            ("htpt", Some("http")),
            ("sqi", Some("sql")),
            ("wihtin", Some("within")),
            ("saved_values", Some("save")),
            ("with", Some("within")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(word, candidates), expect, "{word:?}");
        }
    }
}
