//! Waits until a component is ready: often at first, then less, never beyond its end or the deadline.

use super::{NotReady, OnExit, Ready, ReadyContext};
use crate::runtimes::LiveError;
use crate::watcher::Death;
use seam_event::ComponentId;
use std::time::Duration;
use tokio::time::Instant;

/// The first pause between two looks; a component that starts fast is seen fast.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The longest pause; each is a quarter longer than the one before.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// It is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readied {
    /// How often was looked.
    pub n_tries: u32,
    /// How long it took from the first look.
    pub took: Duration,
}

/// It never became ready.
#[derive(Debug, thiserror::Error)]
pub enum UnreadyError {
    /// It ended while it was awaited.
    #[error("{death} before it was ready ({after})", after = tries(*n_tries, *took))]
    Died {
        /// How, with its last lines.
        death: Box<Death>,
        /// How often was looked.
        n_tries: u32,
        /// For how long.
        took: Duration,
    },
    /// The deadline passed.
    #[error("{component} never became ready: {after}: {reason}", after = tries(*n_tries, *took))]
    Late {
        /// Which.
        component: ComponentId,
        /// How often was looked.
        n_tries: u32,
        /// For how long.
        took: Duration,
        /// Why the last look did not do: `connection refused`.
        reason: String,
    },
    /// It cannot become ready.
    #[error("{component} cannot become ready: {reason}")]
    Never {
        /// Which.
        component: ComponentId,
        /// Why.
        reason: String,
    },
    /// Nobody is left who could become ready.
    #[error(transparent)]
    Live(#[from] LiveError),
}

/// Waits until a component is ready, for at most `within`. Fails at once when the component dies.
pub async fn await_ready(
    ready: &dyn Ready,
    cx: ReadyContext<'_>,
    within: Duration,
) -> Result<Readied, UnreadyError> {
    let began = Instant::now();
    let mut n_tries = 0;
    let mut reason = "it was not looked at".to_owned();
    let looking = async {
        let mut pause = FIRST_PAUSE;
        loop {
            n_tries += 1;
            // A look that hangs (a server that accepts and never answers) leaves time for two others.
            let cx = ReadyContext { look_within: within / 3, ..cx };
            match tokio::time::timeout(cx.look_within, ready.look(&cx)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(NotReady::NotYet(why))) => reason = why,
                Ok(Err(NotReady::Never(why))) => return Err(why),
                Err(_) => reason = format!("no answer within {}", seconds(cx.look_within)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 5 / 4).min(LONGEST_PAUSE);
        }
    };
    let component = cx.component.clone();
    let outcome = tokio::select! {
        // One that is ready and has died at the same moment has died.
        biased;
        death = cx.live.died() => Outcome::Death(death?),
        looked = tokio::time::timeout(within, looking) => Outcome::Looked(looked),
    };
    let took = began.elapsed();
    match outcome {
        Outcome::Death(death) => match ready.on_exit(death.exit) {
            OnExit::Ready => Ok(Readied { n_tries: n_tries.max(1), took }),
            OnExit::Died => Err(UnreadyError::Died { death: Box::new(death), n_tries, took }),
        },
        Outcome::Looked(Ok(Ok(()))) => Ok(Readied { n_tries, took }),
        Outcome::Looked(Ok(Err(reason))) => Err(UnreadyError::Never { component, reason }),
        Outcome::Looked(Err(_)) => Err(UnreadyError::Late { component, n_tries, took, reason }),
    }
}

enum Outcome {
    Death(Death),
    Looked(Result<Result<(), String>, tokio::time::error::Elapsed>),
}

/// `41 tries in 20 s`
fn tries(n_tries: u32, took: Duration) -> String {
    let noun = if n_tries == 1 { "try" } else { "tries" };
    format!("{n_tries} {noun} in {}", seconds(took))
}

fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else if duration < Duration::from_secs(10) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{:.0} s", duration.as_secs_f64())
    }
}
