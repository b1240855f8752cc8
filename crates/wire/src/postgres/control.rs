//! What a statement does to its session, as far as its first words say: begins, ends and fails transactions.

use super::split::{space_length, statements};

/// What a session's transaction is, as the server writes it in ReadyForQuery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    /// There is none.
    #[default]
    Idle,
    /// There is one.
    Open,
    /// There is one that failed, and only can be ended.
    Failed,
}

impl Status {
    pub(super) fn of(letter: u8) -> Self {
        match letter {
            b'T' => Self::Open,
            b'E' => Self::Failed,
            _ => Self::Idle,
        }
    }

    pub(super) fn letter(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }
}

/// What a statement does to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Begins,
    /// COMMIT, or ROLLBACK; with AND CHAIN another one begins.
    Ends {
        commits: bool,
        chains: bool,
    },
    /// ROLLBACK TO, which mends a failed one.
    GoesBack,
}

/// The first words of a statement, in capitals: at most so many.
pub(super) fn first_words(statement: &str, n_words: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = statement;
    while words.len() < n_words {
        rest = rest.get(space_length(rest)..).unwrap_or_default().trim_start_matches('(');
        let n_space = space_length(rest);
        rest = rest.get(n_space..).unwrap_or_default();
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        words.push(rest[..end].to_uppercase());
        rest = &rest[end..];
    }
    words
}

/// What a statement does to a transaction, if anything.
pub(super) fn control(statement: &str) -> Option<Control> {
    let words = first_words(statement, 4);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let chains = words.windows(2).any(|pair| pair == ["AND", "CHAIN"]);
    Some(match words.as_slice() {
        ["BEGIN", ..] | ["START", "TRANSACTION", ..] => Control::Begins,
        ["ROLLBACK", "TO", ..] | ["ROLLBACK", "TRANSACTION" | "WORK", "TO", ..] => Control::GoesBack,
        ["COMMIT" | "ROLLBACK", "PREPARED", ..] => return None,
        ["COMMIT" | "END", ..] | ["PREPARE", "TRANSACTION", ..] => Control::Ends { commits: true, chains },
        ["ROLLBACK" | "ABORT", ..] => Control::Ends { commits: false, chains },
        _ => return None,
    })
}

/// What a transaction is after all statements of a text have succeeded.
pub(super) fn after(text: &str, before: Status) -> Status {
    statements(text).into_iter().fold(before, |status, statement| match control(statement) {
        Some(Control::Begins) if status == Status::Idle => Status::Open,
        Some(Control::Ends { chains: true, .. } | Control::GoesBack) if status != Status::Idle => {
            Status::Open
        }
        Some(Control::Ends { .. }) => Status::Idle,
        _ => status,
    })
}

/// What a refused text leaves behind, and how the server gets there without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nothing has changed.
    AsBefore,
    /// The transaction failed.
    Fails,
    /// One began, and failed.
    BeginsAndFails,
    /// The transaction is over: its end was refused.
    Over,
}

/// What a text leaves behind that was refused before anything but a first BEGIN was done.
pub(super) fn refused(text: &str, before: Status) -> Refused {
    let statements = statements(text);
    let first = statements.first().and_then(|first| control(first));
    match (before, first) {
        (Status::Idle, Some(Control::Begins)) if statements.len() > 1 => Refused::BeginsAndFails,
        (Status::Idle, _) => Refused::AsBefore,
        (_, Some(Control::Ends { .. })) => Refused::Over,
        (Status::Open, _) => Refused::Fails,
        (Status::Failed, _) => Refused::AsBefore,
    }
}

impl Refused {
    /// The transaction then.
    pub(super) fn after(self, before: Status) -> Status {
        match self {
            Self::AsBefore => before,
            Self::Fails | Self::BeginsAndFails => Status::Failed,
            Self::Over => Status::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions() {
        use Status::{Failed, Idle, Open};
        for (text, before, then, refused_then) in [
            ("select 1", Idle, Idle, Idle),
            ("select 1", Open, Open, Failed),
            ("/* x */ -- y\n Begin", Idle, Open, Idle),
            ("start transaction isolation level serializable", Idle, Open, Idle),
            ("begin; select 1", Idle, Open, Failed),
            ("begin; select 1; commit", Idle, Idle, Failed),
            ("COMMIT;", Open, Idle, Idle),
            ("end", Open, Idle, Idle),
            ("commit and chain", Open, Open, Idle),
            ("rollback to savepoint a", Failed, Open, Failed),
            ("rollback", Failed, Idle, Idle),
            ("commit prepared 'x'", Open, Open, Failed),
            ("", Open, Open, Failed),
        ] {
            assert_eq!(after(text, before), then, "{text}");
            assert_eq!(refused(text, before).after(before), refused_then, "{text} refused");
        }
    }

    #[test]
    fn words() {
        assert_eq!(first_words(" (select/* a */distinct x", 3), ["SELECT", "DISTINCT", "X"]);
        assert_eq!(first_words("'a'", 3), [""; 0]);
    }
}
