//! The file `case.txt` of a case: what is typed, and all that comes of it, in one text that people can read.
//!
//! ```text
//! # What the case shows, in the words of the documentation.
//! #! needs: postgres
//!
//! $ seam run --seed 1
//! ! what came on standard error
//!   what came on standard output
//! = 1                                the exit code, where it is not 0
//! ```

/// A file `case.txt`, without what is expected: that is the file itself.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// Comments and commands, in their order.
    parts: Vec<Part>,
    /// What it needs beyond `seam` itself: `postgres`, `redis`.
    pub(crate) needs: Vec<String>,
    /// The mistake in the product because of which this case is not run yet.
    pub(crate) ignored: Option<String>,
}

#[derive(Debug)]
enum Part {
    Comment(String),
    Command(String),
}

/// What came of one command, normalised.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Transcript {
    /// Reads comments and commands; all else is what was expected the last time.
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self::default();
        for line in text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                read.parts.push(Part::Command(command.to_owned()));
            } else if line.starts_with('#') {
                read.parts.push(Part::Comment(line.to_owned()));
            }
            if let Some(needs) = line.strip_prefix("#! needs:") {
                read.needs.extend(needs.split_whitespace().map(str::to_owned));
            }
            if let Some(why) = line.strip_prefix("#! ignored:") {
                read.ignored = Some(why.trim().to_owned());
            }
        }
        read
    }

    /// The whole file again, as it must be when each command comes to what `run` says.
    pub(crate) fn written(&self, mut run: impl FnMut(&str) -> Outcome) -> String {
        let mut text = String::new();
        let mut was_command = false;
        for part in &self.parts {
            match part {
                Part::Comment(comment) => {
                    if was_command {
                        text.push('\n');
                    }
                    text.push_str(comment);
                    text.push('\n');
                    was_command = false;
                }
                Part::Command(command) => {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&format!("$ {command}\n"));
                    run(command).write(&mut text);
                    was_command = true;
                }
            }
        }
        text
    }
}

impl Outcome {
    fn write(&self, text: &mut String) {
        for (mark, said) in [("! ", &self.err), ("  ", &self.out)] {
            for line in said.lines() {
                text.push_str(format!("{mark}{line}").trim_end());
                text.push('\n');
            }
        }
        match self.code {
            Some(0) => {}
            Some(code) => text.push_str(&format!("= {code}\n")),
            None => text.push_str("= ended by a signal\n"),
        }
    }
}

/// The lines that differ, in order: `-` was expected, `+` came.
pub(crate) fn difference(expected: &str, came: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), came.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same_start..], &new[same_start..]);
    let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let shown = |mark: &str, lines: &[&str]| {
        let lines = lines[..lines.len() - same_end].iter();
        lines.flat_map(|line| [mark, line, "\n"]).collect::<String>()
    };
    format!("from line {} on:\n{}{}", same_start + 1, shown("-", old), shown("+", new))
}
