//! What stands right of a path: a plain value, or a map of matchers, all of which must hold.

use crate::kind::{Finding, Matcher, ReadFile, Scene};
use crate::matchers::{MATCHERS, equals};
use seam_diag::{Diagnostic, Diagnostics, Span, did_you_mean};
use seam_expr::{Found, Missing, NameUse, Path};
use seam_model::{Entry, Node, NodeKind};
use seam_value::Value;
use std::sync::Arc;

/// Matchers for one value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) checks: Vec<Check>,
}

/// One matcher with its place.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) span: Span,
    pub(crate) matcher: Arc<dyn Matcher>,
}

/// What `any` and `every` ask of an element: matchers for itself, and for paths in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ElementRule {
    pub(crate) here: Rule,
    pub(crate) parts: Vec<(Path, Rule)>,
}

impl Rule {
    /// Reads what stands right of `owner` (a path or a matcher, for hints). A map without entries is a literal map.
    pub(crate) fn read(node: &Node, owner: &str, found: &mut Diagnostics) -> Self {
        let entries = match &node.kind {
            NodeKind::Map(entries) if !entries.is_empty() => entries,
            _ => return Self::equal(node, found),
        };
        check_nothing(entries, found);
        let mut rule = Self::default();
        for entry in entries {
            if let Some(path) = entry.key.value.strip_prefix('.') {
                found.push(
                    Diagnostic::error("a path with a leading dot stands in `any` and `every` only")
                        .at(entry.key.span, "")
                        .hint(format!("write `{owner}.{path}:` on the left")),
                );
            } else {
                rule.checks.extend(read_check(entry, entries, owner, found));
            }
        }
        rule
    }

    fn equal(node: &Node, found: &mut Diagnostics) -> Self {
        let check = |matcher| Check { name: "equals", span: node.span, matcher };
        Self { checks: (equals::KIND.read)(node, found).map(check).into_iter().collect() }
    }

    /// Judges a value by every matcher.
    pub(crate) fn judge(&self, actual: &Value, scene: &Scene<'_>) -> Vec<(&Check, Finding)> {
        self.checks.iter().map(|check| (check, check.matcher.judge(actual, scene))).collect()
    }

    /// Judges that there is no value: by those matchers that know what to make of it, else as a failure of the first.
    pub(crate) fn judge_missing(&self, missing: &Missing) -> Vec<(&Check, Finding)> {
        let knowing: Vec<_> = self
            .checks
            .iter()
            .filter_map(|check| Some((check, check.matcher.judge_missing(missing)?)))
            .collect();
        if !knowing.is_empty() {
            return knowing;
        }
        let finding = Finding::failed(missing.message.clone());
        let finding = match missing.hint() {
            Some(hint) => finding.detail(hint),
            None => finding,
        };
        self.checks.first().map(|check| (check, finding)).into_iter().collect()
    }

    pub(crate) fn names(&self) -> Vec<NameUse> {
        self.checks.iter().flat_map(|check| check.matcher.names()).collect()
    }

    pub(crate) fn check_files(&self, read: ReadFile<'_>, found: &mut Diagnostics) {
        self.checks.iter().for_each(|check| check.matcher.check_files(read, found));
    }

    pub(crate) fn files(&self) -> Vec<(String, Span)> {
        self.checks.iter().flat_map(|check| check.matcher.files()).collect()
    }
}

impl ElementRule {
    pub(crate) fn read(node: &Node, owner: &str, found: &mut Diagnostics) -> Self {
        let entries = match &node.kind {
            NodeKind::Map(entries) if !entries.is_empty() => entries,
            _ => return Self { here: Rule::equal(node, found), parts: Vec::new() },
        };
        let mut rule = Self::default();
        for entry in entries {
            let Some(path) = entry.key.value.strip_prefix('.') else {
                rule.here.checks.extend(read_check(entry, entries, owner, found));
                continue;
            };
            match Path::parse(path) {
                Ok(path) => rule.parts.push((path, Rule::read(&entry.node, &entry.key.value, found))),
                Err(error) => {
                    let diagnostic = Diagnostic::error(error.message).at(entry.key.span, "");
                    found.push(match error.hint {
                        Some(hint) => diagnostic.hint(hint),
                        None => diagnostic,
                    });
                }
            }
        }
        rule
    }

    /// Why an element does not hold: a few lines for each matcher that failed; none where it holds.
    pub(crate) fn misses(&self, element: &Value, index: usize, scene: &Scene<'_>) -> Vec<Miss> {
        let at = format!("{}.{index}", scene.path);
        let here = self.here.judge(element, &scene.inside(None, &at));
        let mut misses: Vec<Miss> = here.into_iter().filter_map(|judged| miss(judged, None)).collect();
        for (path, rule) in &self.parts {
            let written = format!(".{path}");
            let found = path.find_from(scene.case, element);
            let judged = match (&found, found.to_value()) {
                (Found::Missing(missing), _) => rule.judge_missing(missing),
                (_, value) => {
                    let at = format!("{at}{written}");
                    let judged = rule.judge(&value.unwrap_or_default(), &scene.inside(Some(path), &at));
                    judged.into_iter().collect()
                }
            };
            misses.extend(judged.into_iter().filter_map(|judged| miss(judged, Some(&written))));
        }
        misses
    }

    pub(crate) fn names(&self) -> Vec<NameUse> {
        let parts = self.parts.iter().flat_map(|(_, rule)| rule.names());
        self.here.names().into_iter().chain(parts).collect()
    }

    pub(crate) fn check_files(&self, read: ReadFile<'_>, found: &mut Diagnostics) {
        let parts = self.parts.iter().map(|(_, rule)| rule);
        std::iter::once(&self.here).chain(parts).for_each(|rule| rule.check_files(read, found));
    }

    pub(crate) fn files(&self) -> Vec<(String, Span)> {
        let parts = self.parts.iter().flat_map(|(_, rule)| rule.files());
        self.here.files().into_iter().chain(parts).collect()
    }
}

/// One matcher that failed for an element: a line, and what it has to say beneath.
pub(crate) type Miss = (String, Vec<String>);

fn miss((check, finding): (&Check, Finding), path: Option<&str>) -> Option<Miss> {
    let line = format!("{}: {}", path.unwrap_or(check.name), finding.message);
    (!finding.holds()).then_some((line, finding.details))
}

/// Tells what can't hold together with `exists: false`.
fn check_nothing(entries: &[Entry], found: &mut Diagnostics) {
    let is_nothing =
        |entry: &Entry| entry.key.value == "exists" && matches!(entry.node.kind, NodeKind::Bool(false));
    if let Some(nothing) = entries.iter().find(|entry| is_nothing(entry))
        && let Some(other) = entries.iter().find(|entry| entry.key.value != "exists")
    {
        let title = format!("`{}` says something of a value that must not be there", other.key.value);
        found.push(Diagnostic::error(title).at(other.key.span, "").also(nothing.node.span, "not there"));
    }
}

/// Reads one entry of a map of matchers; tells what is no matcher, in the light of the map's other entries.
fn read_check(entry: &Entry, all: &[Entry], owner: &str, found: &mut Diagnostics) -> Option<Check> {
    let name = entry.key.value.as_str();
    if let Some(kind) = MATCHERS.iter().find(|kind| kind.word.name == name) {
        let matcher = (kind.read)(&entry.node, found)?;
        return Some(Check { name: kind.word.name, span: entry.node.span, matcher });
    }
    let is_matcher = |name: &str| MATCHERS.iter().any(|kind| kind.word.name == name);
    let is_known = |entry: &Entry| entry.key.value.starts_with('.') || is_matcher(&entry.key.value);
    let near = did_you_mean(name, MATCHERS.iter().map(|kind| kind.word.name));
    // Of several names that are none, the first one's message says all.
    let first_unknown = all.iter().find(|entry| !is_known(entry));
    if near.is_none() && first_unknown.is_some_and(|first| first.key.span != entry.key.span) {
        return None;
    }
    let in_element = matches!(owner, "any" | "every");
    let literal = if in_element {
        format!("a path in an element begins with a dot: `.{name}`")
    } else {
        format!(
            "for a literal map write `equals:` or `like:`; for a part of the value write `{owner}.{name}:` on the left"
        )
    };
    let diagnostic = Diagnostic::error(format!("`{name}` is no matcher")).at(entry.key.span, "");
    found.push(match near {
        Some(near) if all.len() == 1 || all.iter().any(is_known) => {
            diagnostic.hint(format!("did you mean `{near}`?"))
        }
        _ => diagnostic.hint(literal),
    });
    None
}
