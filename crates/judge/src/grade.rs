//! How a run or a test came out, and what the pipeline is told.

/// How something came out. They are ordered: the worst of several is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// All that was checked held.
    #[default]
    Passed,
    /// Something could not be judged, and what could be held.
    Inconclusive,
    /// Something did not hold.
    Failed,
    /// Seamwork or the machine could not do its work.
    Errored,
}

/// How a test came out. Those besides the four grades stand apart: they make a run neither better nor worse, but
/// for a test that never ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TestOutcome {
    /// All that it checked held.
    Passed,
    /// It could not be judged.
    Inconclusive,
    /// Something did not hold.
    Failed,
    /// It could not be carried out.
    Errored,
    /// It fails, as is known.
    Known,
    /// Its author says to skip it.
    Skipped,
    /// The run ended before it began.
    NotRun,
}

/// What `seam run` tells the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All that ran passed.
    Passed = 0,
    /// A test or an invariant failed.
    Failed = 1,
    /// Files with mistakes, a machine that lacks something, or Seamwork itself.
    CouldNotRun = 2,
    /// Something could not be judged, or nothing ran.
    Inconclusive = 3,
    /// Somebody interrupted it.
    Interrupted = 130,
}

impl Grade {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
            Self::Errored => "errored",
        }
    }

    /// What the shell is told.
    pub fn exit(self) -> Exit {
        match self {
            Self::Passed => Exit::Passed,
            Self::Inconclusive => Exit::Inconclusive,
            Self::Failed => Exit::Failed,
            Self::Errored => Exit::CouldNotRun,
        }
    }
}

impl TestOutcome {
    /// All of them, in the order in which people are told.
    pub const ALL: [Self; 7] = [
        Self::Passed,
        Self::Failed,
        Self::Errored,
        Self::Inconclusive,
        Self::Known,
        Self::Skipped,
        Self::NotRun,
    ];

    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Known => "known failure",
            Self::Skipped => "skipped",
            Self::NotRun => "not run",
        }
    }

    /// What it means for the run; none where it means nothing. A test that never ran could not be judged.
    pub fn grade(self) -> Option<Grade> {
        match self {
            Self::Passed => Some(Grade::Passed),
            Self::Inconclusive | Self::NotRun => Some(Grade::Inconclusive),
            Self::Failed => Some(Grade::Failed),
            Self::Errored => Some(Grade::Errored),
            Self::Known | Self::Skipped => None,
        }
    }

    /// Is it to be told at length?
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Inconclusive | Self::Failed | Self::Errored)
    }
}

impl From<Grade> for TestOutcome {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Passed => Self::Passed,
            Grade::Inconclusive => Self::Inconclusive,
            Grade::Failed => Self::Failed,
            Grade::Errored => Self::Errored,
        }
    }
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_wins() {
        assert!(Grade::Passed < Grade::Inconclusive && Grade::Inconclusive < Grade::Failed);
        assert!(Grade::Failed < Grade::Errored);
        let codes = [Grade::Passed, Grade::Failed, Grade::Errored, Grade::Inconclusive];
        assert_eq!(codes.map(|grade| grade.exit().code()), [0, 1, 2, 3]);
        assert_eq!(Exit::Interrupted.code(), 130);
    }
}
