//! The only printer of the house: what people asked for on standard output, everything else on standard error.
//!
//! Whoever reads us may stop reading: a pipe that breaks ends the printing quietly, and the work goes on. A disk
//! that is full is told at the end, because a report that nobody can read is no report.

mod colour;
mod live;

pub(crate) use colour::{Colour, Ink};

use live::Live;
use seam_diag::{Diagnostic, Diagnostics, Look, Sources, render};
use seam_judge::Exit;
use std::error::Error;
use std::io::{self, IsTerminal, Write};

/// How wide lines are where nobody says it.
const WIDTH: usize = 140;

/// Where everything is printed.
pub(crate) struct Screen {
    out: Stream,
    err: Stream,
    live: Live,
    /// Why standard output took no more, where that was not its reader's wish.
    trouble: Option<io::Error>,
}

/// One of the two streams.
struct Stream {
    sink: Box<dyn Write>,
    look: Look,
    is_open: bool,
}

impl Screen {
    /// Looks at both streams and decides how to print there.
    pub(crate) fn new(colour: Colour) -> Self {
        let env = |name: &str| std::env::var(name).ok();
        let asked = env("COLUMNS").and_then(|columns| columns.parse().ok());
        let stream = |sink: Box<dyn Write>, is_terminal, size: Option<(usize, usize)>| {
            let width = asked.or(size.map(|(width, _)| width)).unwrap_or(WIDTH).max(40);
            let look = Look { colour: colour.is_on(is_terminal, env), width };
            Stream { sink, look, is_open: true }
        };
        let (out, err) = (io::stdout(), io::stderr());
        let err_size = size_of(&err);
        let is_dumb = env("TERM").is_none_or(|term| term == "dumb");
        let live = Live::new(err_size.filter(|_| err.is_terminal() && !is_dumb));
        Self {
            out: stream(Box::new(io::stdout()), out.is_terminal(), size_of(&out)),
            err: stream(Box::new(io::stderr()), err.is_terminal(), err_size),
            live,
            trouble: None,
        }
    }

    /// How standard output looks.
    pub(crate) fn look(&self) -> Look {
        self.out.look
    }

    /// How standard error looks.
    pub(crate) fn err_look(&self) -> Look {
        self.err.look
    }

    /// Colours for standard output.
    pub(crate) fn ink(&self) -> Ink {
        Ink::new(self.out.look.colour)
    }

    /// Colours for standard error.
    pub(crate) fn err_ink(&self) -> Ink {
        Ink::new(self.err.look.colour)
    }

    /// Prints what was asked for, on standard output.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        if let Err(error) = self.out.put(text) {
            self.trouble = Some(error);
        }
    }

    /// Prints nothing of what was asked for while this is done.
    pub(crate) fn hushed<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let was_open = std::mem::replace(&mut self.out.is_open, false);
        let done = act(self);
        self.out.is_open = was_open;
        done
    }

    /// Prints what else there is to know, on standard error.
    pub(crate) fn tell(&mut self, text: &str) {
        self.clear();
        // Where even this can't be written there is nobody left to tell.
        let _ = self.err.put(text);
    }

    /// Tells a mistake that has no place in a file.
    pub(crate) fn diagnostic(&mut self, diagnostic: &Diagnostic) {
        let text = render(diagnostic, &Sources::default(), self.err.look);
        self.tell(&text);
    }

    /// Tells all mistakes and warnings, in the order of the files, a blank line between them.
    pub(crate) fn diagnostics(&mut self, found: &Diagnostics, sources: &Sources) {
        let texts: Vec<String> =
            found.in_order().into_iter().map(|one| render(one, sources, self.err.look)).collect();
        if texts.is_empty() {
            return;
        }
        // After a single error nothing more is said.
        let end = if texts.len() > 1 || !found.has_errors() { "\n" } else { "" };
        self.tell(&(texts.join("\n") + end));
    }

    /// Tells an error with all its causes, and how to mend it.
    pub(crate) fn error(&mut self, error: &dyn Error, hint: &str) {
        let diagnostic = Diagnostic::error(chain(error));
        let diagnostic = if hint.is_empty() { diagnostic } else { diagnostic.hint(hint) };
        self.diagnostic(&diagnostic);
    }

    /// Can lines be drawn that change in place?
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_there() && self.err.is_open
    }

    /// Draws lines below everything else, which the next ones replace; none where nothing can change in place.
    pub(crate) fn draw(&mut self, lines: &[String]) {
        if self.is_live() {
            let text = self.live.draw(lines);
            let _ = self.err.put(&text);
        }
    }

    /// Takes away what was drawn.
    pub(crate) fn clear(&mut self) {
        let text = self.live.clear();
        if !text.is_empty() {
            let _ = self.err.put(&text);
        }
    }

    /// The exit code, once all is printed: work whose result could not be printed is not done.
    pub(crate) fn finish(mut self, exit: Exit) -> Exit {
        self.clear();
        let Some(error) = self.trouble.take() else { return exit };
        self.diagnostic(&Diagnostic::error(format!("standard output could not be written: {error}")));
        if exit == Exit::Passed { Exit::CouldNotRun } else { exit }
    }
}

impl Stream {
    /// Writes all of it at once, so that lines of others do not come in between.
    fn put(&mut self, text: &str) -> io::Result<()> {
        if !self.is_open {
            return Ok(());
        }
        let written = self.sink.write_all(text.as_bytes()).and_then(|()| self.sink.flush());
        self.is_open = written.is_ok();
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Columns and rows, where it is a terminal that knows them.
fn size_of(stream: &impl std::os::fd::AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some((size.ws_col.into(), size.ws_row.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, and then fails in its own way.
    struct Failing(usize, io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(self.1.into());
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn screen(out: Failing) -> Screen {
        let stream = |sink: Box<dyn Write>| Stream { sink, look: Look::default(), is_open: true };
        Screen {
            out: stream(Box::new(out)),
            err: stream(Box::new(io::sink())),
            live: Live::new(None),
            trouble: None,
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_mistake_and_a_full_disk_is_one() {
        for (kind, exit, expect) in [
            (io::ErrorKind::BrokenPipe, Exit::Passed, Exit::Passed),
            (io::ErrorKind::BrokenPipe, Exit::Failed, Exit::Failed),
            (io::ErrorKind::StorageFull, Exit::Passed, Exit::CouldNotRun),
            (io::ErrorKind::StorageFull, Exit::Failed, Exit::Failed),
        ] {
            let mut screen = screen(Failing(3, kind));
            screen.say("one\n");
            screen.say("two\n");
            assert_eq!(screen.finish(exit), expect, "{kind:?}");
        }
    }
}
