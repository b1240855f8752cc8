//! Follows a path into a value; where it leads nowhere, says how far it came and what is there instead.

use crate::path::{Path, Segment, below, join};
use seam_diag::did_you_mean;
use seam_value::{Map, Value};

/// What a path led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'v> {
    /// One value.
    One(&'v Value),
    /// The values of a path with `*`, in order; nested lists of several `*` are laid flat.
    Many(Vec<&'v Value>),
    /// Nothing.
    Missing(Missing),
}

/// Where a path stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The longest beginning of the path that is there; empty where not even the first name is.
    pub nearest: String,
    /// The name that was probably meant.
    pub near_name: Option<String>,
    /// The names that are there below [`nearest`](Self::nearest), at most 24; empty for a list or a plain value.
    pub there: Vec<String>,
    /// One sentence: `` `body` has no `email` ``, lower case, without a full stop.
    pub message: String,
    /// For a path with `*`: how many elements have the rest of the path. Zero says that none has it.
    pub n_elsewhere: usize,
}

impl Found<'_> {
    /// What was found as a value of its own: a list for a path with `*`.
    pub fn to_value(&self) -> Option<Value> {
        match self {
            Self::One(value) => Some((*value).clone()),
            Self::Many(values) => Some(Value::List(values.iter().map(|value| (*value).clone()).collect())),
            Self::Missing(_) => None,
        }
    }
}

/// How the keys of the map at a place are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCase {
    /// As they are written.
    Exact,
    /// They are names of headers: capital letters are as good as small ones.
    Folded,
    /// Exactly, and so all the way down: this is what was sent, where `headers` is a key like any other.
    Payload,
}

impl KeyCase {
    /// That of the place to which a path leads.
    pub fn of(path: &[Segment]) -> Self {
        Self::Exact.follow(path)
    }

    /// That of the place to which a path leads from here.
    #[must_use]
    pub fn follow(self, path: &[Segment]) -> Self {
        path.iter().fold(self, |above, segment| match segment {
            Segment::Name(name) => above.below(name),
            Segment::Every => above.below("*"),
        })
    }

    /// That of the place one name further down.
    #[must_use]
    pub fn below(self, name: &str) -> Self {
        match (self, name) {
            (Self::Payload, _) | (_, "body") => Self::Payload,
            (Self::Exact | Self::Folded, "headers") => Self::Folded,
            (Self::Exact | Self::Folded, _) => Self::Exact,
        }
    }

    /// What a map at such a place has under a name.
    pub fn get<'v>(self, map: &'v Map, name: &str) -> Option<&'v Value> {
        let folded = || map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        map.get(name).or_else(|| if self == Self::Folded { folded() } else { None })
    }
}

impl Missing {
    /// Nothing is there, and nothing can be said of what is near.
    pub fn nowhere(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { nearest: String::new(), near_name: None, there: Vec::new(), message, n_elsewhere: 0 }
    }

    /// The hint that fits: what was probably meant, or what there is.
    pub fn hint(&self) -> Option<String> {
        match &self.near_name {
            Some(name) => Some(format!("did you mean `{}`?", below(&self.nearest, name))),
            None if self.there.is_empty() => None,
            None => Some(format!("there is {}", self.there.join(", "))),
        }
    }
}

impl Path {
    /// Follows the path. Names below `headers` ignore case, as HTTP and mail do ([`KeyCase`]).
    ///
    /// With `*` the rest of the path must be there in every element; where it is missing in one, the path is
    /// [`Missing`], so that an expectation about all elements can't pass by looking at some.
    pub fn find<'v>(&self, value: &'v Value) -> Found<'v> {
        self.find_from(KeyCase::Exact, value)
    }

    /// The same from a value that is itself a part of a result.
    pub fn find_from<'v>(&self, case: KeyCase, value: &'v Value) -> Found<'v> {
        let mut walk = Walk { segments: self.segments(), case, found: Vec::new(), missing: None };
        walk.step(value, 0, String::new());
        match walk.missing {
            Some(missing) => Found::Missing(Missing { n_elsewhere: walk.found.len(), ..missing }),
            None if self.is_many() => Found::Many(walk.found),
            None => Found::One(walk.found.first().expect("a path without `*` finds one value or is missing")),
        }
    }
}

struct Walk<'p, 'v> {
    segments: &'p [Segment],
    /// How keys are compared where it begins.
    case: KeyCase,
    found: Vec<&'v Value>,
    /// The first place where the path stopped.
    missing: Option<Missing>,
}

impl<'v> Walk<'_, 'v> {
    fn step(&mut self, value: &'v Value, index: usize, so_far: String) {
        let Some(segment) = self.segments.get(index) else {
            self.found.push(value);
            return;
        };
        let next = match (segment, value) {
            (Segment::Name(name), Value::Map(map)) => {
                self.case.follow(&self.segments[..index]).get(map, name)
            }
            (Segment::Name(name), Value::List(list)) => element(list, name),
            (Segment::Every, Value::List(list)) => {
                for (position, element) in list.iter().enumerate() {
                    self.step(element, index + 1, below(&so_far, &position.to_string()));
                }
                return;
            }
            (Segment::Every, Value::Map(map)) => {
                for (key, element) in map {
                    self.step(element, index + 1, below(&so_far, key));
                }
                return;
            }
            _ => None,
        };
        match next {
            Some(next) => {
                let one = std::slice::from_ref(segment);
                let path = if so_far.is_empty() { join(one) } else { format!("{so_far}.{segment}") };
                self.step(next, index + 1, path);
            }
            None if self.missing.is_none() => self.missing = Some(stopped(value, segment, so_far)),
            None => {}
        }
    }
}

/// The element of an index, which counts from the end where it is negative.
fn element<'v>(list: &'v [Value], name: &str) -> Option<&'v Value> {
    let index: i64 = name.parse().ok()?;
    let from_start = if index < 0 { i64::try_from(list.len()).ok()?.checked_add(index)? } else { index };
    list.get(usize::try_from(from_start).ok()?)
}

/// Says why `segment` leads nowhere from `value`.
fn stopped(value: &Value, segment: &Segment, nearest: String) -> Missing {
    let here = if nearest.is_empty() { "the result".to_owned() } else { format!("`{nearest}`") };
    match (value, segment) {
        (Value::Map(map), Segment::Name(name)) => {
            let near_name = did_you_mean(name, map.keys().map(String::as_str)).map(str::to_owned);
            let there = map.keys().take(24).cloned().collect();
            let message = if nearest.is_empty() {
                format!("there is no `{segment}`")
            } else if map.is_empty() {
                format!("{here} is an empty map")
            } else {
                format!("{here} has no `{segment}`")
            };
            Missing { near_name, there, ..missing(nearest, message) }
        }
        (Value::List(list), Segment::Name(name)) if name.parse::<i64>().is_ok() => {
            let message = match list.len() {
                0 => format!("{here} is an empty list"),
                1 => format!("{here} has no element {name}, only one in all"),
                n => format!("{here} has no element {name}, only {n} in all"),
            };
            missing(nearest, message)
        }
        (Value::List(_), Segment::Name(name)) => {
            let each = below(&below(&nearest, "0"), name);
            missing(nearest, format!("{here} is a list: write `{each}` for its first element"))
        }
        (plain, _) => {
            let kind = match plain {
                Value::Null => "null",
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                Value::Text(_) => "a text",
                Value::List(_) => "a list",
                Value::Map(_) => "a map",
            };
            missing(nearest, format!("{here} is {kind} and has no parts"))
        }
    }
}

fn missing(nearest: String, message: String) -> Missing {
    Missing { nearest, ..Missing::nowhere(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> Value {
        seam_value::parse(
            r#"{"status":200,
                "headers":{"content-type":"text/html","X-Id":"7"},
                "body":{"items":[{"sku":"A1","price":{"now":3}},{"sku":"B2"}],"0":"zero","x.y":true,"none":null,
                        "empty":{},"no":[],"headers":{"Host":1}},
                "interactions":[{"request":{"headers":{"Accept":"a"}}},{"request":{"headers":{"accept":"b"}}}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn finds_what_is_there() {
        for (path, expect) in [
            ("status", "200"),
            ("body.items.0.sku", "\"A1\""),
            ("body.items.-1.sku", "\"B2\""),
            ("body.items[1].sku", "\"B2\""),
            ("body.0", "\"zero\""),
            ("body.\"x.y\"", "true"),
            ("body.none", "null"),
            ("body.items.*.sku", "[\"A1\",\"B2\"]"),
            ("body.no.*.sku", "[]"),
            ("body.items.0.*", "[\"A1\",{\"now\":3}]"),
            ("headers.Content-Type", "\"text/html\""),
            ("headers.x-id", "\"7\""),
            ("interactions.*.request.headers.accept", "[\"a\",\"b\"]"),
            ("body.headers.Host", "1"),
        ] {
            let result = result();
            let found = Path::parse(path).unwrap().find(&result).to_value();
            assert_eq!(found.map(|value| value.to_string()).as_deref(), Some(expect), "{path}");
        }
    }

    #[test]
    fn says_where_it_stopped() {
        for (path, nearest, message, hint) in [
            ("stauts", "", "there is no `stauts`", Some("did you mean `status`?")),
            ("zzz", "", "there is no `zzz`", Some("there is status, headers, body, interactions")),
            ("body.itmes.0", "body", "`body` has no `itmes`", Some("did you mean `body.items`?")),
            ("body.items.2.sku", "body.items", "`body.items` has no element 2, only 2 in all", None),
            ("body.items.-3", "body.items", "`body.items` has no element -3, only 2 in all", None),
            (
                "body.items.sku",
                "body.items",
                "`body.items` is a list: write `body.items.0.sku` for its first element",
                None,
            ),
            ("body.no.0", "body.no", "`body.no` is an empty list", None),
            ("body.empty.a", "body.empty", "`body.empty` is an empty map", None),
            ("status.code", "status", "`status` is a number and has no parts", None),
            ("body.none.x", "body.none", "`body.none` is null and has no parts", None),
            ("status.*", "status", "`status` is a number and has no parts", None),
            ("body.items.*.price", "body.items.1", "`body.items.1` has no `price`", Some("there is sku")),
            (
                "body.headers.host",
                "body.headers",
                "`body.headers` has no `host`",
                Some("did you mean `body.headers.Host`?"),
            ),
            ("body.Items", "body", "`body` has no `Items`", Some("did you mean `body.items`?")),
        ] {
            let result = result();
            let Found::Missing(missing) = Path::parse(path).unwrap().find(&result) else {
                panic!("{path} is not there")
            };
            assert_eq!(
                (missing.nearest.as_str(), missing.message.as_str(), missing.hint().as_deref()),
                (nearest, message, hint),
                "{path}"
            );
        }
    }

    #[test]
    fn tells_whether_some_elements_have_it() {
        let result = result();
        for (path, n_elsewhere) in [("body.items.*.price", 1), ("body.items.*.weight", 0)] {
            let Found::Missing(missing) = Path::parse(path).unwrap().find(&result) else { panic!("{path}") };
            assert_eq!(missing.n_elsewhere, n_elsewhere, "{path}");
        }
    }
}
