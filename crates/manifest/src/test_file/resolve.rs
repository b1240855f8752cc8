//! Does every fixture that something needs exist, with what it takes, and without a circle?

use seam_diag::{Diagnostic, Diagnostics, Span};
use seam_model::{Fixture, Need, Test};
use std::collections::HashMap;

/// The fixtures that one file knows.
struct Known<'a> {
    fixtures: &'a [Fixture],
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Known<'a> {
    fn find(&self, name: &str) -> Option<&'a Fixture> {
        self.by_name.get(name).map(|index| &self.fixtures[*index])
    }
}

/// Checks what a file's tests need, and what its fixtures need of each other.
pub(super) fn check(fixtures: &[Fixture], tests: &[Test], found: &mut Diagnostics) {
    let by_name =
        fixtures.iter().enumerate().map(|(index, fixture)| (fixture.name.value.as_str(), index)).collect();
    let known = Known { fixtures, by_name };
    for fixture in fixtures {
        check_needs(&fixture.needs, &known, found);
        check_scopes(fixture, &known, found);
    }
    let mut state = vec![Visit::New; fixtures.len()];
    for index in 0..fixtures.len() {
        visit(index, &known, &mut state, found);
    }
    for test in tests {
        check_needs(&test.needs, &known, found);
    }
}

fn check_needs(needs: &[Need], known: &Known<'_>, found: &mut Diagnostics) {
    for (index, need) in needs.iter().enumerate() {
        let name = need.fixture.value.as_str();
        let Some(fixture) = known.find(name) else {
            let diagnostic =
                Diagnostic::error(format!("there is no fixture `{name}`")).at(need.fixture.span, "");
            found.push(if known.fixtures.is_empty() {
                diagnostic.hint("write it under `fixtures`, or `include` the file that has it")
            } else {
                diagnostic.suggest(name, known.fixtures.iter().map(|fixture| fixture.name.value.as_str()))
            });
            continue;
        };
        check_given(need, fixture, found);
        let known_as = |need: &Need| need.alias.as_ref().unwrap_or(&need.fixture).value.clone();
        if let Some(first) = needs[..index].iter().find(|other| known_as(other) == known_as(need)) {
            let span = |need: &Need| need.alias.as_ref().unwrap_or(&need.fixture).span;
            found.push(
                Diagnostic::error(format!("`{}` is needed twice under one name", known_as(need)))
                    .at(span(need), "")
                    .also(span(first), "first here")
                    .hint(format!("give each a name of its own: `{{ {name}: {{ as: ann }} }}`")),
            );
        }
    }
}

/// Are the values given that it takes, and no others?
fn check_given(need: &Need, fixture: &Fixture, found: &mut Diagnostics) {
    let name = &fixture.name.value;
    for (given, _) in &need.with {
        if !fixture.takes.iter().any(|take| take.name.value == given.value) {
            let known = fixture.takes.iter().map(|take| take.name.value.as_str()).chain(["as"]);
            found.push(
                Diagnostic::error(format!("the fixture `{name}` takes no `{}`", given.value))
                    .at(given.span, "")
                    .suggest(&given.value, known),
            );
        }
    }
    for take in fixture.takes.iter().filter(|take| take.default.is_none()) {
        if !need.with.iter().any(|(given, _)| given.value == take.name.value) {
            found.push(
                Diagnostic::error(format!("the fixture `{name}` needs `{}`", take.name.value))
                    .at(need.fixture.span, "")
                    .also(take.name.span, "taken here, without a default")
                    .hint(format!("write `{{ {name}: {{ {}: … }} }}`", take.name.value)),
            );
        }
    }
}

/// A fixture of a file cannot be built on one that is gone after each test.
fn check_scopes(fixture: &Fixture, known: &Known<'_>, found: &mut Diagnostics) {
    for need in &fixture.needs {
        if let Some(needed) = known.find(&need.fixture.value)
            && needed.scope < fixture.scope
        {
            let title =
                format!("`{}` lives longer than `{}`, which it needs", fixture.name.value, needed.name.value);
            found.push(
                Diagnostic::error(title)
                    .at(need.fixture.span, "")
                    .also(needed.name.span, "made anew more often")
                    .hint("give the one that is needed the wider `scope`"),
            );
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    /// On the way from the root: meeting it again is a circle.
    Open,
    Done,
}

/// Walks from one fixture to all that it needs, without recursion: a file may hold thousands in a chain.
fn visit(root: usize, known: &Known<'_>, state: &mut [Visit], found: &mut Diagnostics) {
    if state[root] != Visit::New {
        return;
    }
    state[root] = Visit::Open;
    let fixtures = known.fixtures;
    let mut way: Vec<(usize, usize)> = vec![(root, 0)];
    while let Some((at, next)) = way.last_mut() {
        let at = *at;
        let Some(need) = fixtures[at].needs.get(*next) else {
            state[at] = Visit::Done;
            way.pop();
            continue;
        };
        *next += 1;
        let Some(&index) = known.by_name.get(need.fixture.value.as_str()) else { continue };
        match state[index] {
            Visit::Done => {}
            Visit::New => {
                state[index] = Visit::Open;
                way.push((index, 0));
            }
            Visit::Open => {
                let begin = way.iter().position(|(on, _)| *on == index).unwrap_or(0);
                let names = way[begin..].iter().map(|(on, _)| fixtures[*on].name.value.as_str());
                tell_circle(names.collect(), need.fixture.span, found);
            }
        }
    }
}

fn tell_circle(mut names: Vec<&str>, span: Span, found: &mut Diagnostics) {
    names.extend(names.first().copied());
    let circle: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    found.push(
        Diagnostic::error("fixtures need each other in a circle")
            .at(span, "")
            .note("circle", circle.join(" → ")),
    );
}
