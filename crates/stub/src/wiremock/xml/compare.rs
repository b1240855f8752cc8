//! Compares XML as WireMock's `equalToXml` does: white space around texts, comments, and the order of elements of
//! different names don't count; placeholders stand for what is not known.

use super::tree::{Child, Element};
use crate::wiremock::dates::JavaFormat;
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
            "isDateTime" if argument.is_empty() => is_date_time(actual.trim()),
            "isDateTime" => JavaFormat::parse(&argument).is_ok_and(|form| form.read(actual.trim()).is_some()),
            "matchesRegex" => JavaRegex::parse(&argument).is_ok_and(|regex| regex.matches(actual)),
            _ => return None,
        })
    }
}

fn is_date_time(text: &str) -> bool {
    // Three numbers with strokes are a date also where there is no such day.
    let is_american = text.split('/').count() == 3 && text.split('/').all(|part| part.parse::<u16>().is_ok());
    if is_american {
        return true;
    }
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
    /// Compares two documents, whatever the order of elements of different names.
    pub(crate) fn of(expected: &Element, actual: &Element, rules: &Rules) -> Self {
        Self::in_order(Order::ByName, expected, actual, rules)
    }

    /// How far off a document is: for this the order counts.
    pub(crate) fn distance(expected: &Element, actual: &Element, rules: &Rules) -> f64 {
        let comparison = Self::in_order(Order::AsWritten, expected, actual, rules);
        ratio(comparison.n_different, comparison.n_compared.max(1))
    }

    fn in_order(order: Order, expected: &Element, actual: &Element, rules: &Rules) -> Self {
        let mut comparison = Self::default();
        let scope = Scope { rules, order, expected: BTreeMap::new(), actual: BTreeMap::new() };
        comparison.elements(expected, actual, &scope);
        comparison
    }

    pub(crate) fn is_equal(self) -> bool {
        self.n_different == 0
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
        let known = rules.placeholders.as_ref();
        let ignores = |text: &str| known.is_some_and(|known| known.ignores(text));
        // What stands for anything stands also for nothing, and for an element.
        if let [Part::Text(text, _)] = expected.as_slice()
            && actual.len() <= 1
            && ignores(text)
        {
            return;
        }
        self.count("CHILD_NODELIST_LENGTH", rules, expected.len() == actual.len());
        // Each is compared with the next of its kind. What is left over was counted just now.
        let (mut texts, mut elements) = (Vec::new(), Vec::new());
        for part in &actual {
            match part {
                Part::Element(element) => elements.push(*element),
                Part::Text(text, kind) => texts.push((text, kind)),
            }
        }
        let (mut texts, mut elements) = (texts.into_iter(), elements.into_iter());
        for child in &expected {
            match child {
                Part::Text(expected, kind) => match texts.next() {
                    Some((actual, other)) => {
                        let placed = known.and_then(|known| known.matches(expected, actual));
                        self.count("NODE_TYPE", rules, kind == other || placed == Some(true));
                        self.count("TEXT_VALUE", rules, placed.unwrap_or(expected == actual));
                    }
                    None => self.count("CHILD_LOOKUP", rules, ignores(expected)),
                },
                Part::Element(expected) => match elements.next() {
                    Some(actual) => self.elements(expected, actual, &inner),
                    None => self.count("CHILD_LOOKUP", rules, false),
                },
            }
        }
    }

    fn attributes(&mut self, expected: &Element, actual: &Element, scope: &Scope<'_>) {
        let rules = scope.rules;
        let left = scope.attributes(expected, &scope.expected);
        let right = scope.attributes(actual, &scope.actual);
        let known = rules.placeholders.as_ref();
        let ignores = |value: &str| known.is_some_and(|known| known.ignores(value));
        let may_be_missing = left.iter().all(|(name, value)| right.contains_key(name) || ignores(value))
            && right.keys().all(|name| left.contains_key(name));
        self.count("ELEMENT_NUM_ATTRIBUTES", rules, left.len() == right.len() || may_be_missing);
        // One that is there and not expected has been counted with their number.
        for (name, value) in &left {
            match right.get(name) {
                Some(actual) => {
                    let placed = known.and_then(|known| known.matches(value, actual));
                    self.count("ATTR_VALUE", rules, placed.unwrap_or(value == actual));
                }
                None => self.count("ATTR_NAME_LOOKUP", rules, ignores(value)),
            }
        }
    }
}

/// In which order children are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    ByName,
    AsWritten,
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
    order: Order,
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
            order: self.order,
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

    /// Children in the order in which they are compared.
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
        if self.order == Order::AsWritten {
            return parts;
        }
        let name = |element: &Element| match self.rules.namespaces {
            Namespaces::None => element.name.clone(),
            Namespaces::Strict | Namespaces::Legacy => element.local_name().to_owned(),
        };
        let by_text = self.rules.ignore_order_of_same_node;
        parts.sort_by_cached_key(|part| match part {
            Part::Element(element) => (name(element), if by_text { element.text() } else { String::new() }),
            Part::Text(text, _) => (String::new(), if by_text { text.clone() } else { String::new() }),
        });
        parts
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
        let but = |names: &[&str]| Rules {
            exempted: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Rules::default()
        };
        let exempt = but(&["NAMESPACE_URI", "ATTR_VALUE"]);
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
            ("<a>${xmlunit.ignore}</a>", "<a><b/><c/></a>", &known, false),
            ("<a>${xmlunit.ignore}</a>", "<a>x<b/></a>", &known, false),
            ("<a><b>${xmlunit.ignore}</b><c>2</c></a>", "<a><b><z/><y/></b><c>2</c></a>", &known, false),
            ("<a>${xmlunit.ignore}</a>", "<a/>", &known, true),
            ("<a>${xmlunit.isNumber}</a>", "<a><![CDATA[5]]></a>", &known, true),
            ("<a>${xmlunit.matchesRegex(.*)}</a>", "<a/>", &known, false),
            ("<a x='${xmlunit.ignore}'/>", "<a/>", &known, true),
            ("<a x='${xmlunit.ignore}'/>", "<a y='1'/>", &known, true),
            ("<a x='${xmlunit.ignore}'/>", "<a x='1' y='2'/>", &known, false),
            ("<a x='${xmlunit.ignore}' y='1'/>", "<a y='1'/>", &known, true),
            ("<a x='${xmlunit.ignore}' y='1'/>", "<a x='3'/>", &known, false),
            ("<a x='${xmlunit.isNumber}'/>", "<a/>", &known, false),
            ("<a>${xmlunit.isDateTime}</a>", "<a>14/06/2021</a>", &known, true),
            ("<a>${xmlunit.isDateTime(dd/MM/yyyy)}</a>", "<a>14/06/2021</a>", &known, true),
            ("<a>${xmlunit.isDateTime(dd/MM/yyyy)}</a>", "<a>2021-06-14</a>", &known, false),
            ("<a><b/></a>", "<a><b/><c/></a>", &but(&["CHILD_NODELIST_LENGTH"]), true),
            ("<a><c/></a>", "<a><b/><c/></a>", &but(&["CHILD_NODELIST_LENGTH"]), false),
            ("<a><b/></a>", "<a><c/></a>", &but(&["CHILD_LOOKUP"]), false),
            ("<a><b/></a>", "<a/>", &but(&["CHILD_LOOKUP", "CHILD_NODELIST_LENGTH"]), true),
            ("<a><b>1</b></a>", "<a><c>1</c></a>", &but(&["ELEMENT_TAG_NAME"]), true),
            ("<a x='1'/>", "<a x='1' y='1'/>", &but(&["ELEMENT_NUM_ATTRIBUTES"]), true),
            ("<a x='1'/>", "<a y='1'/>", &but(&["ELEMENT_NUM_ATTRIBUTES"]), false),
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
