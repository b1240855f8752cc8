//! One line per thing worth telling, on standard output, where whoever runs the program collects it.

use std::io::Write;

/// Writes one line; a closed output is nobody's problem but the reader's.
pub fn line(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
