//! Whom the evidence points at when a test fails: the component that went wrong, told apart from those that only
//! passed on what it gave them.
//!
//! Three rules, each from what was seen and none from what is likely: a component died; a step's own request was
//! answered badly, and the bad answer is followed down the calls to the innermost component that had no such
//! excuse itself; a call went wrong on the way although nobody who asked was told. Where none of them applies
//! nobody is named: a wrong name costs more than none.
//!
//! What was done on purpose is nobody's mistake: whom a fault struck, or a stub stood in for, is never named for it. But
//! whoever made the call had to get over it, and is named where nothing else explains the failure.

use crate::chain::{Side, Trouble, is_refusal, is_within, refused_with, said_status, status, status_number};
use crate::grade::Grade;
use crate::scene::Scene;
use crate::verdict::{Attempt, Finding, Found};
use seam_event::{ComponentId, Event, Interaction, InteractionError, Judged, Level, SeamId, TestId};
use seam_value::Value;

/// A component that the evidence points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Who.
    pub component: ComponentId,
    /// On which seam, where it is seen on one.
    pub seam: Option<SeamId>,
    /// Why, to be read after its name: `answered 500, although its own calls went well`.
    pub reason: String,
    /// The numbers of the events that say so, in order.
    pub evidence: Vec<u64>,
}

/// How many suspects are named, and how many of its own calls are shown for one.
const MOST_SUSPECTS: usize = 3;
const MOST_CALLS: usize = 4;
const MOST_LINES: usize = 3;

/// Whom the evidence points at in an attempt of a test, the likeliest first. Events outside of its window are
/// looked at only for what became of components.
pub fn suspects<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    test: &TestId,
    attempt: &Attempt,
) -> Vec<Suspect> {
    // What only could not be judged went wrong nowhere.
    let has_failed = attempt.findings.iter().any(|finding| finding.grade > Grade::Inconclusive);
    if !has_failed || attempt.findings.iter().any(kept_from_its_work) {
        return Vec::new();
    }
    let scene = Scene::of(events, test, attempt);
    let mut list = Vec::new();
    for (seq, component, detail) in scene.dead() {
        push(&mut list, dead(&scene, seq, component, detail));
    }
    for finding in &attempt.findings {
        for suspect in answered_badly(&scene, finding) {
            push(&mut list, suspect);
        }
    }
    for suspect in swallowed(&scene, &attempt.findings) {
        push(&mut list, suspect);
    }
    if list.is_empty() {
        for suspect in struck(&scene) {
            push(&mut list, suspect);
        }
    }
    list.truncate(MOST_SUSPECTS);
    for suspect in &mut list {
        suspect.evidence.sort_unstable();
        suspect.evidence.dedup();
    }
    list
}

/// Did Seamwork itself keep a step from doing what it was to do (something may not be asked that often)? Then what went
/// wrong afterwards is nobody's.
fn kept_from_its_work(finding: &Finding) -> bool {
    let is_doubt = matches!(&finding.found, Found::Notice(notice) if notice.level == Level::Inconclusive);
    is_doubt && finding.step.is_some()
}

/// One that is named already, on the same seam or on none, gains evidence instead of being named twice.
fn push(list: &mut Vec<Suspect>, suspect: Suspect) {
    let same = |known: &&mut Suspect| {
        known.component == suspect.component && (known.seam == suspect.seam || known.seam.is_none())
    };
    let Some(known) = list.iter_mut().find(same) else { return list.push(suspect) };
    known.seam = known.seam.take().or(suspect.seam);
    known.evidence.extend(suspect.evidence);
}

fn dead(scene: &Scene<'_>, seq: u64, component: &ComponentId, detail: &str) -> Suspect {
    let mut evidence = scene.lines_until(component, seq, MOST_LINES);
    evidence.push(seq);
    let reason = if detail.is_empty() { "died".to_owned() } else { format!("died: {detail}") };
    Suspect { component: component.clone(), seam: None, reason, evidence }
}

/// The step's own requests that were answered badly, each followed down to where it began.
fn answered_badly(scene: &Scene<'_>, finding: &Finding) -> Vec<Suspect> {
    let Some((from, to)) = finding.step.as_ref().and_then(|step| scene.step(&step.path)) else {
        return Vec::new();
    };
    let of_status = match &finding.found {
        Found::Judged(judged) if judged.path == "status" || judged.path.ends_with(".status") => Some(judged),
        Found::Judged(_) | Found::Step(_) | Found::Notice(_) => None,
    };
    let given = of_status.map(wrong_statuses).unwrap_or_default();
    let asked: Vec<_> = scene
        .passed
        .iter()
        .filter(|(_, passed)| passed.from.is_test() && (from..=to).contains(&passed.at))
        .collect();
    // Of several that went out at once it is the one whose answer was judged, a refusal first; else the last.
    let is_judged = |passed: &Interaction| status(passed).is_some_and(|status| given.contains(&status));
    let asked = asked.into_iter().max_by_key(|(_, passed)| {
        let is_judged = is_judged(passed);
        (is_judged, is_judged && is_refusal(passed), passed.at, passed.id)
    });
    let Some((seq, root)) = asked else { return Vec::new() };
    let refused = status(root).filter(|status| of_status.is_some() && *status >= 400);
    match (scene.trouble(root), refused) {
        (Some(trouble), _) => innermost(scene, *seq, root, &trouble),
        (None, Some(status)) => first_to_answer(scene, *seq, root, status),
        (None, None) => Vec::new(),
    }
}

/// The statuses that were found and not expected: one, or those of steps that went out together.
fn wrong_statuses(judged: &Judged) -> Vec<i64> {
    let list = |value: &Option<Value>| match value {
        Some(Value::List(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let expected = list(&judged.expected);
    let actual = list(&judged.actual);
    let wrong = actual.iter().enumerate().filter(|(index, found)| expected.get(*index) != Some(found));
    wrong.filter_map(|(_, found)| status_number(found)).collect()
}

/// Follows trouble down the calls that were made meanwhile, as long as one of them went wrong too.
fn innermost(scene: &Scene<'_>, seq: u64, outer: &Interaction, trouble: &Trouble) -> Vec<Suspect> {
    let calls = scene.within(outer);
    let deeper: Vec<Suspect> = calls
        .iter()
        .rev()
        .filter(|(_, inner)| !is_excused(scene, inner, outer))
        .filter_map(|(seq, inner)| Some((seq, inner, scene.trouble(inner)?)))
        .take(MOST_SUSPECTS)
        .flat_map(|(seq, inner, trouble)| innermost(scene, *seq, inner, &trouble))
        .collect();
    if !deeper.is_empty() {
        // The answers that passed it on belong to the evidence: they say how it reached the test.
        return deeper
            .into_iter()
            .map(|mut suspect| {
                suspect.evidence.push(seq);
                suspect
            })
            .collect();
    }
    vec![suspect(scene, seq, outer, trouble)]
}

/// Is it for the caller, who fell over it, to explain a call that went wrong?
fn is_excused(scene: &Scene<'_>, inner: &Interaction, outer: &Interaction) -> bool {
    fell_over(outer) && got_over_it(scene, inner)
}

/// Did whoever was asked give no answer at all, or one that speaks of a mistake of its own?
fn fell_over(interaction: &Interaction) -> bool {
    const OWN_MISTAKE: i64 = 500;
    match interaction.error {
        // Who is given up only waits, perhaps for one that waits itself.
        Some(error) => error != InteractionError::Timeout,
        None => status(interaction) == Some(OWN_MISTAKE),
    }
}

/// Was something done to its own calls on purpose, and did it say so in an answer that those are for whose own provider
/// fails (RFC 9110, 15.6.3 to 15.6.5)? Then it got over it, and what its caller makes of that is the caller's.
fn got_over_it(scene: &Scene<'_>, interaction: &Interaction) -> bool {
    let is_told = interaction.error.is_none() && matches!(status(interaction), Some(502..=504));
    is_told && scene.was_disturbed(interaction)
}

/// The one that went wrong without an excuse.
fn suspect(scene: &Scene<'_>, seq: u64, interaction: &Interaction, trouble: &Trouble) -> Suspect {
    let held_up =
        (interaction.error == Some(InteractionError::Timeout)).then(|| scene.held_up(interaction)).flatten();
    if let Some((struck, seam, fault)) = held_up.filter(|_| !interaction.from.is_test()) {
        // Late on purpose: it is for those who wait to wait long enough, or to make something of it.
        let (to, from) = (&interaction.to, &interaction.from);
        let reason = format!("gave {to} up while the fault `{fault}` held up {seam}");
        let mut evidence = vec![seq, struck];
        evidence.extend(scene.complaints(from, interaction, MOST_LINES));
        return Suspect { component: from.clone(), seam: Some(interaction.seam.clone()), reason, evidence };
    }
    let component = match trouble.side {
        Side::Consumer => &interaction.from,
        Side::Provider => &interaction.to,
    };
    let mut evidence = vec![seq];
    let mut reason = trouble.text.clone();
    if trouble.side == Side::Provider {
        let calls = scene.within(interaction);
        let fault = calls.iter().find_map(|(_, call)| scene.fault(call).map(|fault| (fault, *call)));
        let away = calls.iter().find(|(_, call)| call.error.is_some() && scene.is_away(&call.to, call.at));
        match (fault, away) {
            (Some(((struck, fault), call)), _) => {
                reason = format!("{reason} when the fault `{fault}` struck {}", call.seam);
                evidence.extend(struck);
            }
            (None, Some((_, call))) => reason = format!("{reason} while {} was stopped", call.to),
            (None, None) => match scene.missing_provider(component, interaction.at) {
                Some((stopped, provider)) => {
                    reason = format!("{reason} while {provider} was stopped");
                    evidence.push(stopped);
                }
                None if calls.is_empty() => {}
                // A refusal is an answer and no trouble, but who got it may have dealt with it badly.
                None => match calls.iter().rev().find_map(|(_, call)| Some((call, refused_with(call)?))) {
                    Some((call, refusal)) => {
                        let who = scene.meddler(call).unwrap_or_else(|| call.to.to_string());
                        reason = format!("{reason}, after {who} had answered {refusal}");
                    }
                    None => reason += ", although its own calls went well",
                },
            },
        }
        evidence.extend(calls.iter().rev().take(MOST_CALLS).map(|(seq, _)| *seq));
    }
    evidence.extend(scene.complaints(component, interaction, MOST_LINES));
    Suspect { component: component.clone(), seam: Some(interaction.seam.clone()), reason, evidence }
}

/// Who was the first to give a status that others passed on; or, where that one had trouble with a call of its own,
/// whoever is behind that.
fn first_to_answer(scene: &Scene<'_>, seq: u64, root: &Interaction, given: i64) -> Vec<Suspect> {
    if scene.meddler(root).is_some() {
        return Vec::new();
    }
    let mut evidence = vec![seq];
    let (mut at, mut given_by) = (root, None);
    while let Some((seq, inner)) =
        scene.within(at).into_iter().rev().find(|(_, inner)| status(inner) == Some(given))
    {
        evidence.push(seq);
        given_by = scene.meddler(inner);
        if given_by.is_some() {
            break;
        }
        at = inner;
    }
    let behind: Vec<_> = scene
        .within(at)
        .into_iter()
        .filter_map(|(seq, inner)| {
            Some((seq, inner, scene.trouble(inner).filter(|trouble| !trouble.is_everyday)?))
        })
        .collect();
    if let Some((seq, inner, trouble)) = behind.last() {
        let mut list = innermost(scene, *seq, inner, trouble);
        for suspect in &mut list {
            suspect.evidence.extend(&evidence);
        }
        return list;
    }
    evidence.extend(scene.complaints(&at.to, at, MOST_LINES));
    let given = said_status(at).unwrap_or_else(|| given.to_string());
    let reason = match given_by {
        Some(who) => format!("passed on {given}, which {who} had answered"),
        None if at.id == root.id => format!("answered {given}"),
        None => format!("was the first to answer {given}"),
    };
    vec![Suspect { component: at.to.clone(), seam: Some(at.seam.clone()), reason, evidence }]
}

/// Calls that went wrong during the test although whoever asked for it all got a good answer, or asked for
/// nothing: an event that a worker could not deliver. What a step provoked and expected is no evidence.
fn swallowed(scene: &Scene<'_>, findings: &[Finding]) -> Vec<Suspect> {
    let troubles = scene.troubles();
    let has_finding = |path: &str| {
        findings.iter().any(|finding| finding.step.as_ref().is_some_and(|step| step.path == path))
    };
    let mut list = Vec::new();
    for (seq, interaction, trouble) in &troubles {
        let is_passed_on = scene.within(interaction).iter().any(|(_, inner)| scene.trouble(inner).is_some());
        let around = scene.passed.iter().rev().find(|(_, outer)| is_within(interaction, outer));
        let is_excused = around.is_some_and(|(_, outer)| is_excused(scene, interaction, outer));
        if interaction.from.is_test() || trouble.is_everyday || is_passed_on || is_excused {
            continue;
        }
        let root = scene.root(interaction);
        let is_provoked = root
            .is_some_and(|(_, root)| is_refusal(root) && !scene.step_at(root.at).is_some_and(has_finding));
        if is_provoked {
            continue;
        }
        let mut suspect = suspect(scene, *seq, interaction, trouble);
        if let Some((root_seq, root)) = root.filter(|(_, root)| !is_refusal(root))
            && let Some(status) = said_status(root)
        {
            suspect.evidence.push(root_seq);
            suspect.reason = format!("{}, and {} answered {status} all the same", suspect.reason, root.to);
        }
        list.push(suspect);
    }
    list
}

/// Whoever made a call that a fault broke off or answered.
fn struck(scene: &Scene<'_>) -> Vec<Suspect> {
    let hits = scene.passed.iter().filter_map(|(seq, call)| Some((*seq, *call, scene.fault(call)?)));
    let suspects = hits.filter(|(_, call, _)| !call.from.is_test()).map(|(seq, call, (struck, fault))| {
        let mut evidence = vec![seq];
        evidence.extend(struck);
        let mut reason = format!("was struck by the fault `{fault}`");
        let around = scene.passed.iter().rev().find(|(_, outer)| is_within(call, outer));
        if let Some((outer_seq, outer)) = around {
            evidence.push(*outer_seq);
            evidence.extend(scene.complaints(&call.from, outer, MOST_LINES));
            if let Some(status) = said_status(outer) {
                let all_the_same = if is_refusal(outer) { "" } else { " all the same" };
                let whom = if outer.from.is_test() { "the test" } else { outer.from.as_str() };
                reason = format!("{reason}, and answered {whom} {status}{all_the_same}");
            }
        }
        Suspect { component: call.from.clone(), seam: Some(call.seam.clone()), reason, evidence }
    });
    suspects.take(MOST_CALLS).collect()
}
