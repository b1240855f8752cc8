//! Kinds of step that the language has and this version does not: known by name, so that a file that uses one is
//! told so, and not that it made a slip of the pen.

use crate::action::{Action, StepContext, Trouble};
use crate::kind::{Kind, Reading};
use futures_util::future::BoxFuture;
use seam_model::{Step, Word};
use seam_value::Value;

/// A kind that is not there yet.
pub(crate) struct Later(&'static Word);

macro_rules! later {
    ($($constant:ident $name:literal: $line:literal;)*) => {$(
        pub(crate) static $constant: Later = {
            static WORD: Word = Word {
                text: "Not there yet: a run that comes to such a step says so.",
                ..Word::new($name, $line)
            };
            Later(&WORD)
        };
    )*};
}

later! {
    GRAPHQL "graphql": "asks a GraphQL endpoint (not there yet)";
    SSE "sse": "listens to server-sent events (not there yet)";
    RECEIVE "receive": "receives messages from a broker (not there yet)";
    BROWSER "browser": "acts in a real browser (not there yet)";
    FOR_EACH "for_each": "does steps for each element of a list (not there yet)";
}

impl Kind for Later {
    fn word(&self) -> &'static Word {
        self.0
    }

    fn read(&self, _: &Step, _: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        Some(Box::new(NotThere(self.0.name)))
    }

    fn is_later(&self) -> bool {
        true
    }
}

struct NotThere(&'static str);

impl Action for NotThere {
    fn run<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        let name = self.0;
        Box::pin(async move { Err(Trouble::errored(format!("`{name}` steps are not there yet"))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::testing::{Bed, LIMIT, run_as, step};

    #[tokio::test]
    async fn what_is_not_there_yet_is_read_and_says_so_when_it_is_run() {
        for (yaml, name) in [
            ("- graphql: gateway\n  query: '{ a }'", "graphql"),
            ("- for_each: $list\n  anything: { goes: here }", "for_each"),
        ] {
            let done = run_as(step(yaml).as_ref(), &Actor::new(""), &Bed::default(), "{}", LIMIT).await;
            assert_eq!(done, Err(Trouble::errored(format!("`{name}` steps are not there yet"))), "{yaml}");
        }
    }
}
