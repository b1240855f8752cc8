//! The value operators of WireMock's mappings: read, judged, and measured how far off a value is.

pub(super) mod schema;

use super::dates::{DateMatcher, How};
use super::json_compare::{Leniency, distance as json_distance, is_equal, ratio};
use super::json_path::{Found, JsonPath};
use super::loose_json;
use super::path_template::PathTemplate;
use super::place::Place;
use super::regex::JavaRegex;
use super::wrong::Wrong;
use super::xml::{Comparison, Element, Namespaces, Rules, XPath};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use seam_value::{Number, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep operators may nest.
const MAX_DEPTH: usize = 16;
/// Longer texts are not measured letter by letter.
const MAX_MEASURED: usize = 4_000;

/// One operator with its operand.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    EqualTo {
        text: String,
        ignores_case: bool,
    },
    Number {
        order: &'static [Ordering],
        number: Number,
    },
    Json {
        expected: Arc<Value>,
        how: Leniency,
    },
    JsonPath {
        path: Arc<JsonPath>,
        inner: Option<Box<Pattern>>,
    },
    Schema(Arc<jsonschema::Validator>),
    Xml {
        expected: Arc<Element>,
        rules: Arc<Rules>,
    },
    XPath {
        path: Arc<XPath>,
        inner: Option<Box<Pattern>>,
    },
    Contains(String),
    DoesNotContain(String),
    Matches(Arc<JavaRegex>),
    DoesNotMatch(Arc<JavaRegex>),
    Date(Arc<DateMatcher>),
    Anything,
    Absent,
    And(Vec<Pattern>),
    Or(Vec<Pattern>),
    Not(Box<Pattern>),
    PathTemplate(Arc<PathTemplate>),
    /// Bytes, for bodies only.
    Binary(Arc<[u8]>),
}

/// The operators, in the order in which WireMock looks for them.
pub(super) const OPERATORS: &[&str] = &[
    "equalTo",
    "equalToJson",
    "matchesJsonPath",
    "matchesJsonSchema",
    "equalToXml",
    "matchesXPath",
    "contains",
    "not",
    "doesNotContain",
    "matches",
    "doesNotMatch",
    "before",
    "after",
    "equalToDateTime",
    "anything",
    "absent",
    "and",
    "or",
    "matchesPathTemplate",
    "equalToNumber",
    "greaterThanNumber",
    "greaterThanEqualNumber",
    "lessThanNumber",
    "lessThanEqualNumber",
    "binaryEqualTo",
];

/// What may stand beside an operator, of any of them.
pub(super) const BESIDE: &[&str] = &[
    "caseInsensitive",
    "ignoreArrayOrder",
    "ignoreExtraElements",
    "schemaVersion",
    "enablePlaceholders",
    "placeholderOpeningDelimiterRegex",
    "placeholderClosingDelimiterRegex",
    "exemptedComparisons",
    "ignoreOrderOfSameNode",
    "namespaceAwareness",
    "xPathNamespaces",
    "namespaces",
    "valuePattern",
    "expression",
    "actualFormat",
    "expectedOffset",
    "expectedOffsetUnit",
    "truncateExpected",
    "truncateActual",
    "applyTruncationLast",
];

const COMPARISONS: &[&str] = &[
    "XML_VERSION",
    "XML_STANDALONE",
    "XML_ENCODING",
    "HAS_DOCTYPE_DECLARATION",
    "DOCTYPE_NAME",
    "DOCTYPE_PUBLIC_ID",
    "DOCTYPE_SYSTEM_ID",
    "SCHEMA_LOCATION",
    "NO_NAMESPACE_SCHEMA_LOCATION",
    "NODE_TYPE",
    "NAMESPACE_PREFIX",
    "NAMESPACE_URI",
    "TEXT_VALUE",
    "PROCESSING_INSTRUCTION_TARGET",
    "PROCESSING_INSTRUCTION_DATA",
    "ELEMENT_TAG_NAME",
    "ELEMENT_NUM_ATTRIBUTES",
    "ATTR_VALUE",
    "ATTR_VALUE_EXPLICITLY_SPECIFIED",
    "CHILD_NODELIST_LENGTH",
    "CHILD_NODELIST_SEQUENCE",
    "CHILD_LOOKUP",
    "ATTR_NAME_LOOKUP",
];

impl Pattern {
    /// Reads `{ "equalTo": "x" }`.
    pub(crate) fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        Self::read_inner(place, 0)
    }

    fn read_inner(place: &Place<'_>, depth: usize) -> Result<Self, Wrong> {
        let none = || place.wrong(format!("{} is not a valid match operation", place.value));
        if depth > MAX_DEPTH {
            return Err(place.wrong("it nests too deeply"));
        }
        let map = place.value.as_map().ok_or_else(none)?;
        let operator = map.keys().find(|key| OPERATORS.contains(&key.as_str())).ok_or_else(none)?;
        if let Some(other) = map.keys().find(|key| *key != operator && OPERATORS.contains(&key.as_str())) {
            // WireMock takes the first and forgets the other.
            return Err(place.wrong(format!("both {operator} and {other} are given; join them with and")));
        }
        if let Some(unknown) = map.keys().find(|key| *key != operator && !BESIDE.contains(&key.as_str())) {
            return Err(Wrong::at(
                &format!("{}/{unknown}", place.pointer),
                format!("Unrecognized field \"{unknown}\" beside {operator}"),
            ));
        }
        let nothing = Value::Null;
        let operand =
            place.field(operator).unwrap_or(Place { value: &nothing, pointer: place.pointer.clone() });
        Self::read_operator(operator, &operand, place, depth)
    }

    fn read_operator(
        operator: &str,
        operand: &Place<'_>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Self, Wrong> {
        let told = |wrong: String| place.wrong(wrong);
        let text = || match operand.value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(place.wrong(format!("{operator} operand must be a non-null string"))),
        };
        let flag = |name: &str| place.field(name).is_some_and(|flag| is_true(flag.value));
        Ok(match operator {
            "equalTo" => Self::EqualTo { text: text()?, ignores_case: flag("caseInsensitive") },
            "equalToJson" => {
                let how = Leniency {
                    ignore_array_order: flag("ignoreArrayOrder"),
                    ignore_extra_elements: flag("ignoreExtraElements"),
                };
                let expected = match operand.value {
                    Value::Text(text) => {
                        let read = loose_json::read(text);
                        read.map_err(|wrong| told(loose_json::in_jacksons_words(text, &wrong)))?
                    }
                    other => other.clone(),
                };
                Self::Json { expected: Arc::new(expected), how }
            }
            "matchesJsonPath" => {
                let (expression, inner) = expression(operator, operand, place, depth)?;
                let path = JsonPath::parse(&expression).map_err(|wrong| told(wrong.to_string()))?;
                Self::JsonPath { path: Arc::new(path), inner }
            }
            "matchesXPath" => {
                let mut namespaces = BTreeMap::new();
                if let Some(given) = place.field("xPathNamespaces") {
                    for (prefix, uri) in given.entries("java.util.Map")? {
                        namespaces.insert(prefix.to_owned(), uri.text()?);
                    }
                }
                let (expression, inner) = expression(operator, operand, place, depth)?;
                let path = XPath::parse(&expression, namespaces).map_err(told)?;
                Self::XPath { path: Arc::new(path), inner }
            }
            "matchesJsonSchema" => Self::Schema(Arc::new(schema::read(operand, place)?)),
            "equalToXml" => Self::read_xml(&text()?, place)?,
            "contains" => Self::Contains(text()?),
            "doesNotContain" => Self::DoesNotContain(text()?),
            "matches" => Self::Matches(Arc::new(JavaRegex::parse(&text()?).map_err(told)?)),
            "doesNotMatch" => Self::DoesNotMatch(Arc::new(JavaRegex::parse(&text()?).map_err(told)?)),
            "before" => Self::Date(Arc::new(DateMatcher::read(How::Before, operand, place)?)),
            "after" => Self::Date(Arc::new(DateMatcher::read(How::After, operand, place)?)),
            "equalToDateTime" => Self::Date(Arc::new(DateMatcher::read(How::Equal, operand, place)?)),
            "anything" => {
                text()?;
                Self::Anything
            }
            "absent" => Self::Absent,
            "and" | "or" => {
                let Value::List(_) = operand.value else {
                    return Err(place.wrong(format!("{operator} field must be an array of matchers")));
                };
                let all = operand.elements("java.util.List")?;
                let all =
                    all.iter().map(|one| Self::read_inner(one, depth + 1)).collect::<Result<Vec<_>, _>>()?;
                if all.len() < 2 {
                    return Err(place.wrong("Must be constructed with at least two matchers"));
                }
                if operator == "and" { Self::And(all) } else { Self::Or(all) }
            }
            "not" => Self::Not(Box::new(Self::read_inner(operand, depth + 1)?)),
            "matchesPathTemplate" => {
                Self::PathTemplate(Arc::new(PathTemplate::parse(&text()?).map_err(told)?))
            }
            "binaryEqualTo" => {
                let bytes =
                    STANDARD.decode(text()?).map_err(|wrong| told(format!("Illegal base64: {wrong}")))?;
                Self::Binary(bytes.into())
            }
            number => Self::Number { order: orders(number), number: read_number(operand)? },
        })
    }

    fn read_xml(text: &str, place: &Place<'_>) -> Result<Self, Wrong> {
        let told = |wrong: String| place.wrong(wrong);
        let word = |name: &str| place.field(name).map(|field| field.text()).transpose();
        let flag = |name: &str| place.field(name).is_some_and(|flag| is_true(flag.value));
        let expected = Element::parse(text).map_err(told)?;
        let mut rules =
            Rules { ignore_order_of_same_node: flag("ignoreOrderOfSameNode"), ..Rules::default() };
        if flag("enablePlaceholders") {
            let (open, close) =
                (word("placeholderOpeningDelimiterRegex")?, word("placeholderClosingDelimiterRegex")?);
            rules.placeholders =
                Some(super::xml::Placeholders::new(open.as_deref(), close.as_deref()).map_err(told)?);
        }
        if let Some(exempted) = place.field("exemptedComparisons") {
            for one in exempted.elements("java.util.Set")? {
                let name = one.text()?;
                if !COMPARISONS.contains(&name.as_str()) {
                    return Err(
                        place.wrong(format!("No enum constant org.xmlunit.diff.ComparisonType.{name}"))
                    );
                }
                rules.exempted.push(name);
            }
        }
        rules.namespaces = match word("namespaceAwareness")?.as_deref() {
            None | Some("STRICT") => Namespaces::Strict,
            Some("LEGACY") => Namespaces::Legacy,
            Some("NONE") => Namespaces::None,
            Some(other) => return Err(place.wrong(format!("No enum constant NamespaceAwareness.{other}"))),
        };
        Ok(Self::Xml { expected: Arc::new(expected), rules: Arc::new(rules) })
    }

    /// Is it there to say that nothing is there?
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Does a value hold? None is a value that is not there.
    pub(crate) fn matches(&self, value: Option<&str>, now: Timestamp) -> bool {
        match self {
            Self::Anything => true,
            Self::Absent => value.is_none(),
            Self::DoesNotContain(text) => value.is_none_or(|value| !value.contains(text.as_str())),
            Self::DoesNotMatch(regex) => value.is_none_or(|value| !regex.matches(value)),
            Self::And(all) => all.iter().all(|one| one.matches(value, now)),
            Self::Or(all) => all.iter().any(|one| one.matches(value, now)),
            Self::Not(one) => !one.matches(value, now),
            Self::JsonPath { path, inner: Some(inner) } => json_values(path, value, inner, now),
            _ => value.is_some_and(|value| self.matches_text(value, now)),
        }
    }

    fn matches_text(&self, value: &str, now: Timestamp) -> bool {
        match self {
            Self::EqualTo { text, ignores_case: true } => text.to_lowercase() == value.to_lowercase(),
            Self::EqualTo { text, ignores_case: false } => text == value,
            Self::Number { order, number } => {
                Number::parse(value.trim()).is_some_and(|actual| order.contains(&actual.cmp(number)))
            }
            Self::Json { expected, how } => {
                loose_json::read_first(value).is_ok_and(|(actual, _)| is_equal(expected, &actual, *how))
            }
            Self::JsonPath { path, .. } => {
                let Ok((value, _)) = loose_json::read_first(value) else { return false };
                match path.find(&value) {
                    Found::Nothing | Found::One(Value::Null) => false,
                    Found::One(Value::List(list)) | Found::Many(list) => !list.is_empty(),
                    Found::One(Value::Map(map)) => !map.is_empty(),
                    Found::One(_) => true,
                }
            }
            Self::Schema(schema) => {
                // What is no JSON is a text; a number is also good as the text that it is written as.
                let json: Option<serde_json::Value> = serde_json::from_str(value).ok().or_else(|| {
                    let (loose, _) = loose_json::read_first(value).ok()?;
                    serde_json::from_str(&loose.to_string()).ok()
                });
                let text = serde_json::Value::String(value.to_owned());
                match json {
                    Some(json) if schema.is_valid(&json) => true,
                    Some(json) if json.is_string() || json.is_object() || json.is_array() => false,
                    _ => schema.is_valid(&text),
                }
            }
            Self::Xml { expected, rules } => {
                Element::parse(value).is_ok_and(|actual| Comparison::of(expected, &actual, rules).is_equal())
            }
            Self::XPath { path, inner } => {
                let found = Element::parse(value).ok().and_then(|root| path.find(&root).ok());
                found.is_some_and(|found| match inner {
                    None => !found.is_empty(),
                    Some(inner) => found.iter().any(|part| inner.matches(Some(&part.shown), now)),
                })
            }
            Self::Contains(text) => value.contains(text.as_str()),
            Self::Matches(regex) => regex.matches(value),
            Self::Date(matcher) => matcher.matches(value, now),
            Self::PathTemplate(template) => template.matches(value.split('?').next().unwrap_or_default()),
            Self::Binary(bytes) => **bytes == *value.as_bytes(),
            // Judged above, where a value that is not there counts too.
            Self::Anything
            | Self::Absent
            | Self::DoesNotContain(_)
            | Self::DoesNotMatch(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::Not(_) => self.matches(Some(value), now),
        }
    }

    /// What is wrong with a text that is not what this looks into.
    pub(crate) fn misread(&self, text: &str) -> Option<Misread> {
        let json = || loose_json::read_first(text).err();
        match self {
            Self::Json { .. } => {
                json().map(|wrong| Misread::Json(loose_json::in_jacksons_words(text, &wrong)))
            }
            Self::JsonPath { .. } => json().map(|wrong| {
                let why = if text.trim_start().starts_with('<') {
                    "it's not JSON but probably XML".to_owned()
                } else {
                    format!("of error '{}'", loose_json::in_jacksons_words(text, &wrong))
                };
                Misread::Other(format!(
                    "Warning: JSON path expression failed to match document '{text}' because {why}"
                ))
            }),
            Self::Xml { .. } => Element::parse(text).err().map(Misread::Other),
            Self::XPath { .. } => Element::parse(text)
                .err()
                .map(|_| Misread::Other(format!("Warning: failed to parse the XML document\nXML: {text}"))),
            Self::And(all) | Self::Or(all) => all.iter().find_map(|one| one.misread(text)),
            Self::Not(one) => one.misread(text),
            _ => None,
        }
    }

    /// Does a body hold?
    pub(crate) fn matches_bytes(&self, bytes: &[u8], text: &str, now: Timestamp) -> bool {
        match self {
            Self::Binary(expected) => **expected == *bytes,
            _ => self.matches((!bytes.is_empty()).then_some(text), now),
        }
    }

    /// How far off a value is: 0 is a match, 1 has nothing in common with what was expected.
    pub(crate) fn distance(&self, value: Option<&str>, now: Timestamp) -> f64 {
        let all_or_nothing = || if self.matches(value, now) { 0.0 } else { 1.0 };
        match self {
            Self::EqualTo { text, .. } => levenshtein(Some(text), value),
            Self::PathTemplate(template) if !self.matches(value, now) => {
                levenshtein(Some(&template.without_names()), value)
            }
            Self::Json { expected, how } => match value.map(loose_json::read) {
                Some(Ok(actual)) => json_distance(expected, &actual, *how),
                _ => 1.0,
            },
            Self::Xml { expected, rules } => {
                let actual = value.and_then(|value| Element::parse(value).ok());
                actual.map_or(1.0, |actual| Comparison::distance(expected, &actual, rules))
            }
            Self::And(all) => mean(all.iter().map(|one| one.distance(value, now))),
            Self::Or(all) => all.iter().map(|one| one.distance(value, now)).fold(1.0, f64::min),
            Self::Not(one) => 1.0 - one.distance(value, now),
            _ => all_or_nothing(),
        }
    }

    /// The operator of a pattern as it is written, and its operand.
    pub(crate) fn operator(place: &Value) -> Option<(&str, &Value)> {
        let found = place.as_map()?.iter().find(|(key, _)| OPERATORS.contains(&key.as_str()))?;
        Some((found.0, found.1))
    }

    /// What an expression finds in a text, as the report of what did not match shows it; none where it finds nothing.
    pub(crate) fn found(&self, text: &str) -> Option<String> {
        let all: Vec<String> = match self {
            Self::JsonPath { path, .. } => match path.find(&loose_json::read_first(text).ok()?.0) {
                Found::Nothing | Found::One(Value::Null) => return None,
                Found::One(Value::List(list)) | Found::Many(list) => {
                    list.iter().map(Value::to_plain_text).collect()
                }
                Found::One(value) => vec![value.to_plain_text()],
            },
            Self::XPath { path, .. } => {
                let root = Element::parse(text).ok()?;
                path.find(&root).ok()?.into_iter().map(|part| part.shown).collect()
            }
            _ => return None,
        };
        match all.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("[{}]", several.join(", "))),
        }
    }
}

/// The mean of some distances; 0 of none.
pub(crate) fn mean(all: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = all.fold((0.0, 0_u32), |(sum, n), one| (sum + one, n + 1));
    if n == 0 { 0.0 } else { sum / f64::from(n) }
}

/// How many letters two texts differ by, of all.
pub(crate) fn levenshtein(one: Option<&str>, other: Option<&str>) -> f64 {
    let (Some(one), Some(other)) = (one, other) else { return 1.0 };
    let longest = one.chars().count().max(other.chars().count());
    if one == other {
        0.0
    } else if longest > MAX_MEASURED {
        1.0
    } else {
        ratio(strsim::levenshtein(one, other), longest)
    }
}

/// What is wrong with a text that was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misread {
    /// It is no JSON.
    Json(String),
    /// It is nothing in which paths and XML can be looked for.
    Other(String),
}

/// Is it true, as WireMock's reader takes it?
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Text(text) => text == "true",
        Value::Number(number) => number.as_f64() != 0.0,
        Value::Null | Value::List(_) | Value::Map(_) => false,
    }
}

/// An expression alone, or with an operator for what it finds.
fn expression(
    operator: &str,
    operand: &Place<'_>,
    place: &Place<'_>,
    depth: usize,
) -> Result<(String, Option<Box<Pattern>>), Wrong> {
    if let Value::Text(text) = operand.value {
        return Ok((text.clone(), None));
    }
    let Some(expression) = operand.field("expression") else {
        return Err(place.wrong(format!("expression is required in the advanced {operator} form")));
    };
    let inner = Pattern::read_inner(operand, depth + 1).map_err(|mut wrong| {
        // WireMock tells where the expression's pattern stands.
        for mistake in wrong.errors.iter_mut().filter(|one| one.pointer.as_ref() == Some(&operand.pointer)) {
            mistake.pointer = Some(place.pointer.clone());
        }
        wrong
    })?;
    Ok((expression.text()?, Some(Box::new(inner))))
}

/// Do the values that a path finds hold?
fn json_values(path: &JsonPath, value: Option<&str>, inner: &Pattern, now: Timestamp) -> bool {
    let found = match value.map(loose_json::read_first) {
        None => Found::Nothing,
        Some(Ok((value, _))) => path.find(&value),
        // What is no JSON is taken for a text, as long as it doesn't look like JSON.
        Some(Err(_)) if value.is_some_and(|text| text.trim_start().starts_with(['{', '[', '<'])) => {
            return false;
        }
        Some(Err(_)) => path.find(&Value::text(value.unwrap_or_default())),
    };
    let wants_json = matches!(inner, Pattern::Json { .. });
    let texts: Vec<String> = match found {
        Found::Nothing | Found::One(Value::Null) => Vec::new(),
        Found::One(value @ Value::Map(_)) => vec![value.to_string()],
        Found::One(Value::List(list)) | Found::Many(list) if wants_json => {
            vec![Value::List(list).to_string()]
        }
        Found::One(Value::List(list)) | Found::Many(list) => list.iter().map(Value::to_plain_text).collect(),
        Found::One(value) => vec![value.to_plain_text()],
    };
    if texts.is_empty() {
        return inner.is_absent();
    }
    texts.iter().any(|text| inner.matches(Some(text), now))
}

fn orders(operator: &str) -> &'static [Ordering] {
    match operator {
        "greaterThanNumber" => &[Ordering::Greater],
        "greaterThanEqualNumber" => &[Ordering::Greater, Ordering::Equal],
        "lessThanNumber" => &[Ordering::Less],
        "lessThanEqualNumber" => &[Ordering::Less, Ordering::Equal],
        _ => &[Ordering::Equal],
    }
}

fn read_number(operand: &Place<'_>) -> Result<Number, Wrong> {
    let number = match operand.value {
        Value::Number(number) => Some(number.clone()),
        Value::Text(text) => Number::parse(text.trim()),
        _ => None,
    };
    number.ok_or_else(|| operand.wrong("a number is needed here"))
}

#[cfg(test)]
mod tests;
