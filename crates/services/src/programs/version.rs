//! Versions of programs, and what a user asks of them: `15`, `">=15"`, `">=7.0, <8"`.

use std::cmp::Ordering;
use std::fmt;

/// A version as far as it is numbers: 15.18, 7.0.15.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(Vec<u32>);

/// What a version must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// As the user wrote it; empty for any version.
    text: String,
    parts: Vec<(Operator, Version)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// Begins with these numbers: `15` takes 15.3.
    Begins,
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl Version {
    /// The first version that stands in a text: `postgres (PostgreSQL) 15.18 (Debian …)`, `v=7.0.15`.
    pub fn first_in(text: &str) -> Option<Self> {
        let mut rest = text;
        loop {
            let start = rest.find(|c: char| c.is_ascii_digit())?;
            let glued = rest[..start].ends_with(|c: char| c.is_alphanumeric() && c != 'v');
            let number = &rest[start..];
            let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
            if !glued && let Some(version) = Self::read(number[..end].trim_end_matches('.')) {
                return Some(version);
            }
            rest = &number[end..];
        }
    }

    fn read(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        numbers.filter(|numbers| !numbers.is_empty()).map(Self)
    }

    /// The first number.
    pub fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or_default()
    }

    /// The first that does not begin with these numbers any more.
    fn next(&self) -> Self {
        let mut numbers = self.0.clone();
        if let Some(last) = numbers.last_mut() {
            *last += 1;
        }
        Self(numbers)
    }

    fn begins_with(&self, start: &Self) -> bool {
        self.0.starts_with(&start.0)
    }

    /// Compares as far as the other is written: 15.3 is at most 15.
    fn compare(&self, bound: &Self) -> Ordering {
        self.0.iter().take(bound.0.len()).cmp(bound.0.iter())
    }
}

impl Requirement {
    /// Reads what a user asks for; the error stands beneath a caret.
    pub fn read(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<_>, String> = text.split(',').map(|part| read_part(part.trim())).collect();
        Ok(Self { text: text.to_owned(), parts: parts?.into_iter().flatten().collect() })
    }

    /// Does a version fit?
    pub fn allows(&self, version: &Version) -> bool {
        self.parts.iter().all(|(operator, bound)| match operator {
            Operator::Begins => version.begins_with(bound),
            Operator::AtLeast => version.compare(bound) != Ordering::Less,
            Operator::Above => version.compare(bound) == Ordering::Greater,
            Operator::AtMost => version.compare(bound) != Ordering::Greater,
            Operator::Below => version.compare(bound) == Ordering::Less,
        })
    }

    /// Does any version fit?
    pub fn is_any(&self) -> bool {
        self.parts.is_empty()
    }

    /// As Python's packages say it: `==15.*,<16`; empty for any version.
    pub(super) fn specifiers(&self) -> String {
        let parts = self.parts.iter().map(|(operator, bound)| match operator {
            Operator::Begins => format!("=={bound}.*"),
            Operator::AtLeast => format!(">={bound}"),
            // Above 15 is 16, and at most 15 takes 15.3: as far as the bound is written.
            Operator::Above => format!(">={bound},!={bound}.*"),
            Operator::AtMost => format!("<{}", bound.next()),
            Operator::Below => format!("<{bound}"),
        });
        parts.collect::<Vec<_>>().join(",")
    }
}

fn read_part(part: &str) -> Result<Vec<(Operator, Version)>, String> {
    if part == "*" || part == "latest" {
        return Ok(Vec::new());
    }
    let operators = [
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        (">", Operator::Above),
        ("<", Operator::Below),
        ("==", Operator::Begins),
        ("=", Operator::Begins),
    ];
    let found = operators.iter().find_map(|(sign, operator)| Some((*operator, part.strip_prefix(sign)?)));
    let (operator, rest) = found.unwrap_or((Operator::Begins, part));
    let number = rest.trim().trim_end_matches(".x").trim_end_matches(".*");
    let version = Version::read(number)
        .ok_or_else(|| format!("`{part}` is no version: write 15, 15.3, \">=15\" or \">=7.0, <8\""))?;
    Ok(vec![(operator, version)])
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "any version" } else { &self.text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, version) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some("15.18")),
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", Some("7.0.15")),
            ("postgres (PostgreSQL) 18beta4", Some("18")),
            ("utf8 is 3.", Some("3")),
            ("nothing", None),
        ] {
            assert_eq!(Version::first_in(text).map(|found| found.to_string()).as_deref(), version, "{text}");
        }
    }

    #[test]
    fn requirements_allow_what_they_say() {
        for (requirement, allowed, refused) in [
            ("15", &["15", "15.3"][..], &["14.9", "16", "1.5"][..]),
            (">=15", &["15.0", "15", "18.1"], &["14.9"]),
            (">= 7.0, <8", &["7.0", "7.2.4"], &["6.2", "8.0"]),
            ("15.x", &["15.1"], &["16.0"]),
            (">15", &["16.1"], &["15.3"]),
            ("<=15", &["15.3", "14"], &["16.0"]),
            ("=15.3", &["15.3"], &["15.30"]),
            ("*", &["1"], &[]),
        ] {
            let read = Requirement::read(requirement).unwrap();
            let version = |text: &str| Version::read(text).unwrap();
            for text in allowed {
                assert!(read.allows(&version(text)), "{requirement} allows {text}");
            }
            for text in refused {
                assert!(!read.allows(&version(text)), "{requirement} refuses {text}");
            }
        }
        for (requirement, specifiers) in
            [("15", "==15.*"), (">=7.0, <8", ">=7.0,<8"), ("<=15", "<16"), (">15", ">=15,!=15.*"), ("*", "")]
        {
            assert_eq!(Requirement::read(requirement).unwrap().specifiers(), specifiers);
        }
        for text in ["", "new", ">=", "15..3", "15,", "~15"] {
            assert!(Requirement::read(text).is_err(), "{text}");
        }
    }
}
