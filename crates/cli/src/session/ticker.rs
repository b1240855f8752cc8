//! Prints what happens as it happens: at once where lines only follow one another, ten times a second where the
//! bottom of a terminal changes in place.

use crate::screen::Screen;
use crate::session::Interrupts;
use seam_history::Subscription;
use seam_report::Progress;
use seam_report::terminal::Page;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How often the screen changes at most.
const EVERY: Duration = Duration::from_millis(100);

/// How long what was asked for waits at most for events that happened before it.
const HELD_FOR: Duration = Duration::from_millis(300);

/// What no event says.
pub(crate) enum Said {
    /// What takes long: `fetching redis-server`.
    Doing(String),
    /// What was asked for, to be printed as it is.
    Text(String),
}

/// What is printed next, and when.
pub(crate) struct Ticker {
    /// What happens, from the first event on.
    subscription: Subscription,
    /// What no event says, as it is said.
    said: Receiver<Said>,
    /// When the run began: the clock of the events.
    began: Instant,
    /// When the screen changed last.
    drawn: Instant,
    /// What stays and was not printed yet.
    pending: String,
    /// What was asked for, and when it came: events that happened before it may still be on their way.
    held: Option<(Instant, String)>,
    /// Was it said that we are ending?
    is_ending: bool,
}

impl Ticker {
    pub(crate) fn new(subscription: Subscription, said: Receiver<Said>, began: Instant) -> Self {
        Self { subscription, said, began, drawn: began, pending: String::new(), held: None, is_ending: false }
    }

    /// How many events came faster than they were told.
    pub(crate) fn missed(&self) -> u64 {
        self.subscription.missed()
    }

    /// Prints all that happens until nothing more will.
    pub(crate) fn follow(
        &mut self,
        screen: &mut Screen,
        progress: &mut Progress,
        page: &Page<'_>,
        interrupts: &Interrupts,
    ) {
        loop {
            let wait = EVERY.saturating_sub(self.drawn.elapsed()).max(Duration::from_millis(1));
            let next = self.subscription.next(wait);
            self.listen(screen, progress, interrupts);
            match next {
                Ok(Some(event)) => {
                    self.pending.push_str(&progress.push(&event, page));
                    self.release(HELD_FOR);
                }
                Ok(None) => self.release(Duration::ZERO),
                Err(seam_history::Ended) => break,
            }
            self.tick(screen, progress);
        }
        self.release(Duration::ZERO);
        let pending = std::mem::take(&mut self.pending);
        screen.clear();
        screen.say(&pending);
    }

    /// Takes in what no event says, and whether somebody wants us to stop.
    fn listen(&mut self, screen: &mut Screen, progress: &mut Progress, interrupts: &Interrupts) {
        while let Ok(said) = self.said.try_recv() {
            match said {
                Said::Text(text) => self.held = Some((Instant::now(), text)),
                Said::Doing(what) => {
                    progress.say(&what);
                    if !screen.is_live() {
                        screen.tell(&format!("{what}\n"));
                    }
                }
            }
        }
        if interrupts.were_heard() && !self.is_ending {
            self.is_ending = true;
            screen.tell("ending everything in order; Ctrl-C once more ends at once\n");
        }
    }

    /// Lets go of what was asked for, once it was held for so long.
    fn release(&mut self, held_for: Duration) {
        if let Some((_, text)) = self.held.take_if(|(since, _)| since.elapsed() >= held_for) {
            self.pending.push_str(&text);
        }
    }

    fn tick(&mut self, screen: &mut Screen, progress: &Progress) {
        if screen.is_live() && self.drawn.elapsed() < EVERY {
            return;
        }
        if !self.pending.is_empty() {
            screen.say(&self.pending);
            self.pending.clear();
        }
        self.drawn = Instant::now();
        if screen.is_live() {
            let look = screen.err_look();
            screen.draw(&progress.status(self.began.elapsed(), look));
        }
    }
}
