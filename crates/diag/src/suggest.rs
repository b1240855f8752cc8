//! Did you mean …?

/// The candidate nearest to `word`, if it is near enough to be meant: two slips for words of normal length,
/// one for short ones, counting swapped neighbours as one slip (Damerau-Levenshtein).
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let most = match word.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(word, candidates), expect, "{word:?}");
        }
    }
}
