//! The lines that change in place at the bottom of a terminal while something runs.
//!
//! ```text
//! PASS  orders  …          ← what stays scrolls up as usual
//! FAIL  cart    …
//! ─────────────────────
//!   running the tests …    ← drawn, and drawn again over itself
//! ```

use std::fmt::Write as _;

/// What is drawn now.
#[derive(Debug)]
pub(super) struct Live {
    /// Columns and rows; none where nothing can change in place.
    size: Option<(usize, usize)>,
    n_drawn: usize,
}

impl Live {
    pub(super) fn new(size: Option<(usize, usize)>) -> Self {
        Self { size, n_drawn: 0 }
    }

    pub(super) fn is_there(&self) -> bool {
        self.size.is_some()
    }

    /// What draws these lines in the place of those before. Lines are without colours that reach over their end.
    pub(super) fn draw(&mut self, lines: &[String]) -> String {
        let Some((width, height)) = self.size else { return String::new() };
        // More lines than the terminal has could not be taken away again.
        let lines = &lines[..lines.len().min(height.saturating_sub(2))];
        // A line that is too long would wrap, and then there were more lines than we know of.
        let mut text = format!("{}\u{1b}[?7l", self.clear());
        for line in lines {
            let _ = writeln!(text, "{}\u{1b}[0m", cut(line, width));
        }
        text.push_str("\u{1b}[?7h");
        self.n_drawn = lines.len();
        text
    }

    /// What takes away the drawn lines.
    pub(super) fn clear(&mut self) -> String {
        match std::mem::take(&mut self.n_drawn) {
            0 => String::new(),
            n => format!("\r\u{1b}[{n}A\u{1b}[J"),
        }
    }
}

/// The beginning of a line that fits, whatever colours stand in it.
fn cut(line: &str, width: usize) -> &str {
    let (mut seen, mut is_code) = (0, false);
    for (at, character) in line.char_indices() {
        if is_code {
            is_code = character != 'm';
        } else if character == '\u{1b}' {
            is_code = true;
        } else {
            if seen == width {
                return &line[..at];
            }
            seen += 1;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_over_those_before_and_taken_away() {
        let mut live = Live::new(Some((8, 24)));
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            live.draw(&lines(&["one", "a long line"])),
            "\u{1b}[?7lone\u{1b}[0m\na long l\u{1b}[0m\n\u{1b}[?7h"
        );
        assert_eq!(live.draw(&lines(&["two"])), "\r\u{1b}[2A\u{1b}[J\u{1b}[?7ltwo\u{1b}[0m\n\u{1b}[?7h");
        assert_eq!(live.clear(), "\r\u{1b}[1A\u{1b}[J");
        assert_eq!(live.clear(), "");
        assert_eq!(Live::new(None).draw(&lines(&["x"])), "");
    }

    #[test]
    fn colours_take_no_room_and_a_low_terminal_gets_fewer_lines() {
        assert_eq!(cut("\u{1b}[31mred\u{1b}[0m and so on", 7), "\u{1b}[31mred\u{1b}[0m and");
        assert_eq!(cut("ääää", 2), "ää");
        let mut live = Live::new(Some((80, 4)));
        let many: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(live.draw(&many).matches('\n').count(), 2);
    }
}
