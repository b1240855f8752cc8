//! Whether to use colours, and which: asked for on the command line, told by the environment, or by what reads us.

use clap::ValueEnum;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// Where a person reads it: on a terminal, unless NO_COLOR is set; everywhere with CLICOLOR_FORCE
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

impl Colour {
    /// What the words of a command line ask for. Help is printed while these are still being parsed, so they are
    /// looked through once before.
    pub(crate) fn asked_for(words: impl Iterator<Item = String>) -> Self {
        let mut words = words.take_while(|word| word != "--");
        while let Some(word) = words.next() {
            let value = match word.strip_prefix("--color") {
                Some("") => words.next(),
                Some(rest) => rest.strip_prefix('=').map(str::to_owned),
                None => None,
            };
            if let Some(colour) = value.and_then(|value| Self::from_str(&value, true).ok()) {
                return colour;
            }
        }
        Self::Auto
    }

    /// Are there to be colours on a stream?
    pub(crate) fn is_on(self, is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
        let is_set = |name: &str| env(name).is_some_and(|value| !value.is_empty() && value != "0");
        match self {
            Self::Always => true,
            Self::Never => false,
            // NO_COLOR counts with any value but an empty one, `0` included (no-color.org).
            Self::Auto if env("NO_COLOR").is_some_and(|value| !value.is_empty()) => false,
            Self::Auto if is_set("CLICOLOR_FORCE") => true,
            Self::Auto => {
                is_terminal
                    && env("TERM").is_none_or(|term| term != "dumb")
                    && env("CLICOLOR").is_none_or(|value| value != "0")
            }
        }
    }

    /// The same for the help, which clap prints.
    pub(crate) fn for_help(self) -> clap::ColorChoice {
        match self {
            Self::Auto => clap::ColorChoice::Auto,
            Self::Always => clap::ColorChoice::Always,
            Self::Never => clap::ColorChoice::Never,
        }
    }
}

/// Puts colours around words, or doesn't.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink {
    is_on: bool,
}

impl Ink {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_then_the_environment_then_the_terminal_decide() {
        type Case<'a> = (Colour, bool, &'a [(&'a str, &'a str)], bool);
        let cases: &[Case<'_>] = &[
            (Colour::Auto, true, &[], true),
            (Colour::Auto, false, &[], false),
            (Colour::Always, false, &[("NO_COLOR", "1")], true),
            (Colour::Never, true, &[("CLICOLOR_FORCE", "1")], false),
            (Colour::Auto, true, &[("NO_COLOR", "1")], false),
            (Colour::Auto, true, &[("NO_COLOR", "0")], false),
            (Colour::Auto, true, &[("NO_COLOR", "")], true),
            (Colour::Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Colour::Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Colour::Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (Colour::Auto, true, &[("TERM", "dumb")], false),
            (Colour::Auto, true, &[("CLICOLOR", "0")], false),
        ];
        for (colour, is_terminal, env, expect) in cases {
            let get = |name: &str| {
                env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(colour.is_on(*is_terminal, get), *expect, "{colour:?} {is_terminal} {env:?}");
        }
    }

    #[test]
    fn it_is_found_among_other_words() {
        for (words, expect) in [
            ("run --color never", Colour::Never),
            ("--color=always run", Colour::Always),
            ("run --color", Colour::Auto),
            ("run --colour never", Colour::Auto),
            ("run -- --color never", Colour::Auto),
            ("run --color nonsense", Colour::Auto),
        ] {
            assert_eq!(Colour::asked_for(words.split(' ').map(str::to_owned)), expect, "{words}");
        }
    }
}
