//! Compares XML as WireMock's `equalToXml` does: white space around texts, comments, and the order of elements of
//! different names don't count; placeholders stand for what is not known.

use super::tree::{Child, Element};
use crate::wiremock::json_compare::ratio;
use crate::wiremock::regex::JavaRegex;
use std::collections::BTreeMap;

/// What names mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Namespaces {
    /// Names are compared by what their prefixes stand for.
    #[default]
    Strict,
    /// Prefixes of elements don't count.
    Legacy,
    /// Prefixes are part of names, and `xmlns` is an attribute like any other.
    None,
}

/// What to compare, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) placeholders: Option<Placeholders>,
    /// Names of comparisons that don't count.
    pub(crate) exempted: Vec<String>,
    pub(crate) ignore_order_of_same_node: bool,
    pub(crate) namespaces: Namespaces,
}

/// What placeholders look like.
#[derive(Clone, Debug)]
pub(crate) struct Placeholders {
    whole: JavaRegex,
}

impl Placeholders {
    /// With expressions for what opens and closes one.
    pub(crate) fn new(open: Option<&str>, close: Option<&str>) -> Result<Self, String> {
        let (open, close) = (open.unwrap_or(r"\$\{"), close.unwrap_or(r"\}"));
        Ok(Self { whole: JavaRegex::parse(&format!(r"{open}\s*xmlunit\.(\w+)(?:\((.*)\))?\s*{close}"))? })
    }

    /// Does it stand for whatever is there?
    fn ignores(&self, expected: &str) -> bool {
        let groups = self.whole.groups(expected.trim());
        groups.is_some_and(|groups| groups.get(1).cloned().flatten().as_deref() == Some("ignore"))
    }

    /// Does it stand for this text? None where it is no placeholder.
    fn matches(&self, expected: &str, actual: &str) -> Option<bool> {
        let groups = self.whole.groups(expected.trim())?;
        let argument = groups.get(2).cloned().flatten().unwrap_or_default();
        Some(match groups.get(1)?.as_deref()? {
            "ignore" => true,
            "isNumber" => actual.trim().parse::<f64>().is_ok(),
            "isDateTime" => is_date_time(actual.trim()),
            "matchesRegex" => JavaRegex::parse(&argument).is_ok_and(|regex| regex.matches(actual)),
            _ => return None,
        })
    }
}

fn is_date_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
        || text.parse::<jiff::civil::DateTime>().is_ok()
        || text.parse::<jiff::civil::Date>().is_ok()
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) n_compared: usize,
    pub(crate) n_different: usize,
}

impl Comparison {
    /// Compares two documents.
    pub(crate) fn of(expected: &Element, actual: &Element, rules: &Rules) -> Self {
        let mut comparison = Self::default();
        let scope = Scope { rules, expected: BTreeMap::new(), actual: BTreeMap::new() };
        comparison.elements(expected, actual, &scope);
        comparison
    }

    pub(crate) fn is_equal(self) -> bool {
        self.n_different == 0
    }

    pub(crate) fn distance(self) -> f64 {
        ratio(self.n_different, self.n_compared.max(1))
    }

    fn count(&mut self, what: &str, rules: &Rules, is_equal: bool) {
        if rules.exempted.iter().any(|exempted| exempted == what) {
            return;
        }
        self.n_compared += 1;
        self.n_different += usize::from(!is_equal);
    }

    fn elements(&mut self, expected: &Element, actual: &Element, scope: &Scope<'_>) {
        let inner = scope.inside(expected, actual);
        let rules = scope.rules;
        let (left, right) = (inner.name(expected, &inner.expected), inner.name(actual, &inner.actual));
        self.count("ELEMENT_TAG_NAME", rules, left.1 == right.1);
        if rules.namespaces != Namespaces::None {
            // Where none is expected, WireMock lets pass whichever is there.
            self.count("NAMESPACE_URI", rules, left.0.is_empty() || left.0 == right.0);
        }
        self.attributes(expected, actual, &inner);
        let (expected, actual) = (inner.children(expected), inner.children(actual));
        if let [Part::Text(text, _)] = expected.as_slice()
            && let Some(known) = &rules.placeholders
            && (known.ignores(text) || (actual.is_empty() && known.matches(text, "") == Some(true)))
        {
            return;
        }
        self.count("CHILD_NODELIST_LENGTH", rules, expected.len() == actual.len());
        let mut free: Vec<Option<&Part<'_>>> = actual.iter().map(Some).collect();
        for child in &expected {
            let fits = |other: Option<&Part<'_>>| other.is_some_and(|other| inner.pairs(child, other));
            let Some(at) = free.iter().position(|other| fits(*other)) else {
                self.count("CHILD_LOOKUP", rules, false);
                continue;
            };
            match (child, free[at].take()) {
                (Part::Text(expected, kind), Some(Part::Text(actual, other))) => {
                    self.count("NODE_TYPE", rules, kind == other);
                    let is_equal = rules
                        .placeholders
                        .as_ref()
                        .and_then(|known| known.matches(expected, actual))
                        .unwrap_or(expected == actual);
                    self.count("TEXT_VALUE", rules, is_equal);
                }
                (Part::Element(expected), Some(Part::Element(actual))) => {
                    self.elements(expected, actual, &inner);
                }
                _ => {}
            }
        }
        for _ in free.iter().flatten() {
            self.count("CHILD_LOOKUP", rules, false);
        }
    }

    fn attributes(&mut self, expected: &Element, actual: &Element, scope: &Scope<'_>) {
        let rules = scope.rules;
        let left = scope.attributes(expected, &scope.expected);
        let right = scope.attributes(actual, &scope.actual);
        self.count("ELEMENT_NUM_ATTRIBUTES", rules, left.len() == right.len());
        for (name, value) in &left {
            match right.get(name) {
                Some(actual) => {
                    let is_equal = rules
                        .placeholders
                        .as_ref()
                        .and_then(|known| known.matches(value, actual))
                        .unwrap_or(value == actual);
                    self.count("ATTR_VALUE", rules, is_equal);
                }
                None => self.count("ATTR_NAME_LOOKUP", rules, false),
            }
        }
        for _ in right.keys().filter(|name| !left.contains_key(*name)) {
            self.count("ATTR_NAME_LOOKUP", rules, false);
        }
    }
}

/// What stands in an element, as far as it counts.
enum Part<'e> {
    Element(&'e Element),
    Text(String, Written),
}

/// How a text was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Plainly,
    AsCdata,
}

/// The rules, and what prefixes mean at this place, on each side.
struct Scope<'r> {
    rules: &'r Rules,
    expected: BTreeMap<String, String>,
    actual: BTreeMap<String, String>,
}

impl Scope<'_> {
    fn inside(&self, expected: &Element, actual: &Element) -> Self {
        let declared = |known: &BTreeMap<String, String>, element: &Element| {
            let mut known = known.clone();
            for (name, value) in &element.attributes {
                if name == "xmlns" {
                    known.insert(String::new(), value.clone());
                } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                    known.insert(prefix.to_owned(), value.clone());
                }
            }
            known
        };
        Self {
            rules: self.rules,
            expected: declared(&self.expected, expected),
            actual: declared(&self.actual, actual),
        }
    }

    /// Namespace and name of an element.
    fn name(&self, element: &Element, known: &BTreeMap<String, String>) -> (String, String) {
        let uri = |prefix: &str| known.get(prefix).cloned().unwrap_or_default();
        match self.rules.namespaces {
            Namespaces::Strict => (uri(element.prefix()), element.local_name().to_owned()),
            // Of namespaces only the default one is left.
            Namespaces::Legacy if element.prefix().is_empty() => (uri(""), element.name.clone()),
            Namespaces::Legacy => (String::new(), element.local_name().to_owned()),
            Namespaces::None => (String::new(), element.name.clone()),
        }
    }

    fn attributes(&self, element: &Element, known: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let is_declaration = |name: &str| name == "xmlns" || name.starts_with("xmlns:");
        let ignored = |name: &str| self.rules.namespaces != Namespaces::None && is_declaration(name);
        let named = element.attributes.iter().filter(|(name, _)| !ignored(name)).map(|(name, value)| {
            let name = match (self.rules.namespaces, name.split_once(':')) {
                (Namespaces::Strict, Some((prefix, local))) => {
                    let uri = known.get(prefix).map_or(prefix, String::as_str);
                    format!("{{{uri}}}{local}")
                }
                _ => name.clone(),
            };
            (name, value.clone())
        });
        named.collect()
    }

    /// Children in the order in which they are compared: by name, so that the order of different ones does not count.
    fn children<'e>(&self, element: &'e Element) -> Vec<Part<'e>> {
        let parts = element.children.iter().filter_map(|child| match child {
            Child::Element(element) => Some(Part::Element(element)),
            Child::Text(text) | Child::Cdata(text) => {
                let how = if matches!(child, Child::Cdata(_)) { Written::AsCdata } else { Written::Plainly };
                let text = text.trim();
                (!text.is_empty()).then(|| Part::Text(text.to_owned(), how))
            }
        });
        let mut parts: Vec<Part<'e>> = parts.collect();
        if self.rules.ignore_order_of_same_node {
            parts.sort_by_cached_key(|part| match part {
                Part::Element(element) => (element.local_name().to_owned(), element.text()),
                Part::Text(text, _) => (String::new(), text.clone()),
            });
        }
        parts
    }

    /// Are these two to be compared with each other?
    fn pairs(&self, expected: &Part<'_>, actual: &Part<'_>) -> bool {
        match (expected, actual) {
            (Part::Text(..), Part::Text(..)) => true,
            (Part::Element(expected), Part::Element(actual)) => match self.rules.namespaces {
                Namespaces::None => expected.name == actual.name,
                Namespaces::Strict | Namespaces::Legacy => expected.local_name() == actual.local_name(),
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(expected: &str, actual: &str, rules: &Rules) -> bool {
        Comparison::of(&Element::parse(expected).unwrap(), &Element::parse(actual).unwrap(), rules).is_equal()
    }

    #[test]
    fn xml_is_compared_by_what_it_means() {
        let strict = Rules::default();
        let same = Rules { ignore_order_of_same_node: true, ..Rules::default() };
        let known = Rules { placeholders: Some(Placeholders::new(None, None).unwrap()), ..Rules::default() };
        let own = Rules {
            placeholders: Some(Placeholders::new(Some(r"\["), Some(r"\]")).unwrap()),
            ..Rules::default()
        };
        let exempt =
            Rules { exempted: vec!["NAMESPACE_URI".to_owned(), "ATTR_VALUE".to_owned()], ..Rules::default() };
        let legacy = Rules { namespaces: Namespaces::Legacy, ..Rules::default() };
        let none = Rules { namespaces: Namespaces::None, ..Rules::default() };
        for (expected, actual, rules, expect) in [
            ("<a><b>1</b></a>", "<a>\n <b> 1 </b><!-- x --></a>", &strict, true),
            ("<a x='1' y='2'/>", "<a y='2' x='1'/>", &strict, true),
            ("<a x='1'/>", "<a x='2'/>", &strict, false),
            ("<a x='1'/>", "<a x='2'/>", &exempt, true),
            ("<a/>", "<a x='2'/>", &strict, false),
            ("<a><b/><c/></a>", "<a><c/><b/></a>", &strict, true),
            ("<a><b>1</b><b>2</b></a>", "<a><b>2</b><b>1</b></a>", &strict, false),
            ("<a><b>1</b><b>2</b></a>", "<a><b>2</b><b>1</b></a>", &same, true),
            ("<a><b/></a>", "<a><b/><b/></a>", &strict, false),
            ("<a>${xmlunit.ignore}</a>", "<a>x</a>", &known, true),
            ("<a>${xmlunit.ignore}</a>", "<a><b/></a>", &known, true),
            ("<a>${xmlunit.ignore}</a>", "<a>x</a>", &strict, false),
            ("<a>${xmlunit.isNumber}</a>", "<a>12.5</a>", &known, true),
            ("<a>${xmlunit.isNumber}</a>", "<a>x</a>", &known, false),
            ("<a>${xmlunit.matchesRegex([a-z]+)}</a>", "<a>abc</a>", &known, true),
            ("<a x='[xmlunit.ignore]'/>", "<a x='q'/>", &own, true),
            ("<p:a xmlns:p='u'/>", "<q:a xmlns:q='u'/>", &strict, true),
            ("<p:a xmlns:p='u'/>", "<p:a xmlns:p='v'/>", &strict, false),
            ("<p:a xmlns:p='u'/>", "<p:a xmlns:p='v'/>", &exempt, true),
            ("<a/>", "<p:a xmlns:p='u'/>", &strict, true),
            ("<p:a xmlns:p='u'/>", "<a/>", &strict, false),
            ("<a>x</a>", "<a><![CDATA[x]]></a>", &strict, false),
            ("<a><![CDATA[x]]></a>", "<a><![CDATA[x]]></a>", &strict, true),
            ("<p:a/>", "<q:a/>", &legacy, true),
            ("<p:a/>", "<q:a/>", &none, false),
            ("<a xmlns='u'/>", "<a xmlns='v'/>", &none, false),
        ] {
            assert_eq!(compared(expected, actual, rules), expect, "{expected} {actual} {rules:?}");
        }
    }
}
