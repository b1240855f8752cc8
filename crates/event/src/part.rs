//! To which part of a test a step belongs: the test's own words, its fixtures, or what holds for every test.
//!
//! A test that checks nothing is inconclusive, and neither what its fixtures expect nor an invariant counts as
//! its check: whoever folds over judgements has to tell them apart.

use crate::event::Scope;

/// The part of a test that a step's path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The steps of the test.
    Steps,
    /// What it does whatever happened.
    Finally,
    /// The set-up of the fixture of this name.
    Needs(&'a str),
    /// The clean-up of the fixture of this name.
    Cleanup(&'a str),
    /// What must hold before counts and invariants are judged.
    Settled,
    /// The invariant of this name.
    Invariant(&'a str),
}

impl Scope {
    /// Which part of the test the step belongs to; `None` where there is no step.
    pub fn part(&self) -> Option<Part<'_>> {
        let step = self.step.as_deref()?;
        let (head, rest) = step.split_once('.').unwrap_or((step, ""));
        let name = name_before_number(rest);
        Some(match head {
            "finally" => Part::Finally,
            "needs" => Part::Needs(name),
            "cleanup" => Part::Cleanup(name),
            "settled" => Part::Settled,
            "invariant" => Part::Invariant(name),
            _ => Part::Steps,
        })
    }
}

/// What stands before the first number: a name may hold dots (`No. 1 holds.0`), and a step may hold further
/// steps (`customer.2.together.0`).
fn name_before_number(rest: &str) -> &str {
    let is_number = |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let mut end = 0;
    for segment in rest.split('.') {
        if end > 0 && is_number(segment) {
            return &rest[..end - 1];
        }
        end += segment.len() + 1;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_its_part() {
        for (path, part) in [
            ("3", Part::Steps),
            ("3.together.0", Part::Steps),
            ("finally.1", Part::Finally),
            ("needs.one copy in stock.2", Part::Needs("one copy in stock")),
            ("needs.customer.2.together.0", Part::Needs("customer")),
            ("cleanup.customer.0", Part::Cleanup("customer")),
            ("settled.0", Part::Settled),
            ("invariant.No. 1 holds.0", Part::Invariant("No. 1 holds")),
        ] {
            let scope = Scope { step: Some(path.to_owned()), ..Scope::default() };
            assert_eq!(scope.part(), Some(part), "{path}");
        }
        assert_eq!(Scope::default().part(), None);
    }
}
