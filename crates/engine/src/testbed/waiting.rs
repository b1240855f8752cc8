//! Which open calls are waiting, and not work: long polls, and watches that a server answers when something happens.
//!
//! Nothing in such a call says that it waits. But a system that polls does so from its start on, before anything has
//! asked anybody for anything, so a call that is open then, and for long, waits. As many calls of its kind are held to be
//! waiting from then on. The claim is tried when such a call is answered: who polls asks again soon. Who does not was at
//! work, however long, and the next call of that kind is waited for like any other. `waits` in `seam.yaml` says it of
//! what can't be seen: a poll that begins with a test.

use crate::plan::waits::PlannedWait;
use crate::run::variables::Variables;
use seam_event::{Caller, Interaction, SeamId};
use seam_matcher::NoSnapshots;
use seam_proxy::OpenCall;
use seam_value::Value;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a call must have been open before the tests begin.
pub(crate) const OPEN_FOR: Duration = Duration::from_secs(2);

/// How soon after an answer who polls has asked again.
const AGAIN_WITHIN: Duration = Duration::from_secs(2);

/// What is known of a testbed's waiting calls.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<Poll>>);

/// One call that waited when the tests began, and those in its place since.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Poll {
    seam: SeamId,
    /// What is asked, as [`kind`] says it.
    kind: String,
    proof: Proof,
}

/// Is it known to be a poll?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// It began then, and nobody has answered it yet.
    Unanswered(Duration),
    /// It was answered then.
    Answered(Duration),
    /// It was answered and asked again.
    Repeated,
}

impl Waiting {
    /// These calls are open before the tests begin; those that have been so for long are waiting.
    pub(crate) fn begin(&self, calls: &[Asked], now: Duration) {
        let calls = calls.iter().map(|asked| &asked.call);
        let long = calls.filter(|call| now.saturating_sub(call.at) >= OPEN_FOR && !call.from.is_test());
        let polls = long.filter_map(|call| {
            let proof = Proof::Unanswered(call.at);
            Some(Poll { seam: call.seam.clone(), kind: kind(&call.request)?, proof })
        });
        *self.lock() = polls.collect();
    }

    /// A call has ended, or was told before it has.
    pub(crate) fn told(&self, call: &Interaction) {
        let mut polls = self.lock();
        if polls.is_empty() || call.error.is_some() {
            // Who was broken off was not answered.
            return;
        }
        let Some(elapsed) = call.elapsed else { return };
        let Some(kind) = kind(&call.request) else { return };
        let mut same = polls.iter_mut().filter(|poll| poll.seam == call.seam && poll.kind == kind);
        let met = same.find_map(|poll| poll.proof.met_by(call, elapsed).map(|proof| (poll, proof)));
        if let Some((poll, proof)) = met {
            poll.proof = proof;
        }
    }

    /// How many of the open calls wait, and what the others are.
    pub(crate) fn sort(&self, calls: Vec<Asked>, now: Duration) -> (usize, Vec<Asked>) {
        let mut polls = self.lock();
        let mut n_waiting = 0;
        let mut taken = vec![false; polls.len()];
        let mut work = calls;
        work.retain(|Asked { call, consumer_left }| {
            let Some(kind) = kind(&call.request) else { return true };
            let mut known = polls.iter().filter(|poll| poll.seam == call.seam && poll.kind == kind);
            if *consumer_left && known.any(|poll| !matches!(poll.proof, Proof::Answered(_))) {
                // Its server has not noticed that nobody waits there any more.
                n_waiting += 1;
                return false;
            }
            let place = polls.iter_mut().zip(&mut taken).find(|(poll, taken)| {
                !**taken && poll.seam == call.seam && poll.kind == kind && poll.proof.allows(call)
            });
            let Some((poll, taken)) = place else { return true };
            *taken = true;
            n_waiting += 1;
            if matches!(poll.proof, Proof::Answered(_)) {
                poll.proof = Proof::Repeated;
            }
            false
        });
        polls.retain(|poll| !matches!(poll.proof, Proof::Answered(at) if now > at + AGAIN_WITHIN));
        (n_waiting, work)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Poll>> {
        // Nothing panics while it holds this lock half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proof {
    /// What is known after such a call, if it is about this one.
    fn met_by(self, call: &Interaction, elapsed: Duration) -> Option<Self> {
        match self {
            Self::Unanswered(began) => (began == call.at).then(|| Self::Answered(call.at + elapsed)),
            Self::Answered(_) => self.allows(call).then_some(Self::Repeated),
            Self::Repeated => None,
        }
    }

    /// May this call of its kind be the one that waits?
    fn allows(self, call: &Interaction) -> bool {
        match self {
            // After a restart it is asked anew without having been answered.
            Self::Unanswered(_) | Self::Repeated => true,
            Self::Answered(at) => (at..=at + AGAIN_WITHIN).contains(&call.at),
        }
    }
}

impl PlannedWait {
    /// Does it speak of this call?
    pub(crate) fn takes(&self, call: &Interaction, names: &Variables) -> bool {
        let value = call.to_value();
        self.seam.takes(call) && self.filter.iter().all(|one| one.holds(&value, names, &NoSnapshots))
    }
}

/// A call that is open.
pub(crate) struct Asked {
    /// It, as what it will be told as.
    pub(crate) call: Interaction,
    /// Has its consumer left?
    consumer_left: bool,
}

impl From<OpenCall> for Asked {
    fn from(open: OpenCall) -> Self {
        let OpenCall { seam, protocol, connection, consumer_left, exchange } = open;
        let parts = exchange.captured.read();
        let call = Interaction {
            id: 0,
            from: seam.consumer.clone(),
            to: seam.provider.clone(),
            seam,
            via: None,
            caller: Caller::Assumed,
            protocol: protocol.to_owned(),
            connection,
            at: exchange.began,
            elapsed: None,
            error: None,
            request: parts.request,
            reply: parts.reply,
            message: parts.message,
            answered_by: None,
            cut: exchange.cut,
        };
        Self { call, consumer_left }
    }
}

/// What is asked, without what changes from call to call: the method and the path, where parts with digits in them are
/// one. None for requests that have no such thing: nobody polls with them.
fn kind(request: &Value) -> Option<String> {
    let text = |name: &str| request.get(name).map(Value::to_plain_text);
    let method = text("method")?;
    let Some(path) = text("path") else { return Some(format!("{}/{method}", text("service")?)) };
    let shape =
        |part: &str| if part.bytes().any(|byte| byte.is_ascii_digit()) { "*" } else { part }.to_owned();
    let path: Vec<String> = path.split('/').map(shape).collect();
    Some(format!("{method} {}", path.join("/")))
}

#[cfg(test)]
mod tests {
    use super::{Asked, Waiting, kind};
    use seam_event::{Caller, Endpoint, Interaction, InteractionError, SeamId};
    use seam_value::Value;
    use std::time::Duration;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn call(path: &str, at: u64, elapsed: Option<u64>) -> Interaction {
        let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
        Interaction {
            id: 0,
            from: seam.consumer.clone(),
            to: seam.provider.clone(),
            seam,
            via: None,
            caller: Caller::Known,
            protocol: "http".to_owned(),
            connection: 1,
            at: seconds(at),
            elapsed: elapsed.map(seconds),
            error: None,
            request: Value::map([("method", Value::text("GET")), ("path", Value::text(path))]),
            reply: Value::Null,
            message: Value::Null,
            answered_by: None,
            cut: false,
        }
    }

    fn open(path: &str, at: u64) -> Asked {
        Asked { call: call(path, at, None), consumer_left: false }
    }

    /// A testbed where `/poll` and `/warm` were open for 10 s before the tests began.
    fn begun() -> Waiting {
        let waiting = Waiting::default();
        waiting.begin(&[open("/poll", 0), open("/warm", 0), open("/quick", 9)], seconds(10));
        waiting
    }

    fn n_waiting(waiting: &Waiting, calls: Vec<Asked>, now: u64) -> usize {
        waiting.sort(calls, seconds(now)).0
    }

    #[test]
    fn what_was_open_for_long_waits_and_nothing_else() {
        let waiting = begun();
        assert_eq!(n_waiting(&waiting, vec![open("/poll", 0), open("/warm", 0)], 11), 2);
        let calls = vec![open("/poll", 0), open("/quick", 9), open("/poll", 11)];
        let (n_waiting, work) = waiting.sort(calls, seconds(12));
        assert_eq!((n_waiting, work.len()), (1, 2), "as many as there were");
    }

    #[test]
    fn who_is_answered_and_asks_again_polls() {
        let waiting = begun();
        waiting.told(&call("/poll", 0, Some(20)));
        assert_eq!(n_waiting(&waiting, vec![open("/poll", 21)], 30), 1);
        // From then on it is known, however late it is asked again.
        waiting.told(&call("/poll", 21, Some(20)));
        assert_eq!(n_waiting(&waiting, vec![open("/poll", 60)], 61), 1);
        // It may have been answered several times before anybody looked.
        let waiting = begun();
        for at in [0, 20, 40] {
            waiting.told(&call("/poll", at, Some(20)));
        }
        assert_eq!(n_waiting(&waiting, vec![open("/poll", 60)], 70), 1);
    }

    #[test]
    fn who_is_answered_and_does_not_ask_again_was_at_work() {
        let waiting = begun();
        waiting.told(&call("/warm", 0, Some(11)));
        assert_eq!(n_waiting(&waiting, vec![open("/warm", 20)], 21), 0);
        assert_eq!(n_waiting(&waiting, vec![open("/warm", 20)], 30), 0);
    }

    #[test]
    fn who_was_broken_off_was_not_answered() {
        let waiting = begun();
        waiting.told(&Interaction { error: Some(InteractionError::Reset), ..call("/poll", 0, Some(11)) });
        assert_eq!(n_waiting(&waiting, vec![open("/poll", 20)], 30), 1);
        let left = Asked { consumer_left: true, ..open("/poll", 0) };
        assert_eq!(n_waiting(&waiting, vec![left, open("/poll", 20)], 30), 2, "nobody waits for that one");
    }

    #[test]
    fn kinds_are_told_by_method_and_path() {
        for (request, expect) in [
            ([("method", "GET"), ("path", "/a/17/b")], Some("GET /a/*/b")),
            ([("method", "Watch"), ("service", "kv.Watch")], Some("kv.Watch/Watch")),
            ([("statement", "select 1"), ("prepared", "a")], None),
        ] {
            let request = Value::map(request.map(|(name, text)| (name, Value::text(text))));
            assert_eq!(kind(&request).as_deref(), expect);
        }
    }
}
