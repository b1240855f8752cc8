//! What a mapping asks of something that a request may have several times: a header, a parameter.

use super::media::respelt;
use super::pattern::{Pattern, mean};
use super::place::Place;
use super::request::Request;
use super::wrong::Wrong;
use jiff::Timestamp;

const HEADERS: &str =
    "java.util.LinkedHashMap<java.lang.String,com.github.tomakehurst.wiremock.matching.MultiValuePattern>";

/// What is asked of something that may be there several times.
#[derive(Clone, Debug)]
pub(super) enum Values {
    One(Pattern),
    Exactly(Vec<Pattern>),
    Includes(Vec<Pattern>),
}

impl Values {
    pub(super) fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        const CLASS: &str = "com.github.tomakehurst.wiremock.matching";
        let all = |name: &str| -> Result<Option<Vec<Pattern>>, Wrong> {
            let Some(list) = place.field(name) else { return Ok(None) };
            Ok(Some(
                list.elements("java.util.ArrayList")?.iter().map(Pattern::read).collect::<Result<_, _>>()?,
            ))
        };
        if let Some(list) = all("hasExactly")? {
            place.object(&format!("{CLASS}.ExactMatchMultiValuePattern"), &["hasExactly"])?;
            return Ok(Self::Exactly(list));
        }
        if let Some(list) = all("includes")? {
            place.object(&format!("{CLASS}.IncludesMatchMultiValuePattern"), &["includes"])?;
            return Ok(Self::Includes(list));
        }
        Pattern::read(place).map(Self::One)
    }

    pub(super) fn matches(&self, values: &[&str], now: Timestamp) -> bool {
        let any = |pattern: &Pattern| values.iter().any(|value| pattern.matches(Some(value), now));
        match self {
            Self::One(pattern) if values.is_empty() => pattern.matches(None, now),
            Self::One(pattern) => any(pattern),
            Self::Exactly(all) => !values.is_empty() && all.len() == values.len() && all.iter().all(any),
            Self::Includes(all) => !values.is_empty() && all.iter().all(any),
        }
    }

    pub(super) fn distance(&self, values: &[&str], now: Timestamp) -> f64 {
        let best = |pattern: &Pattern| {
            values.iter().map(|value| pattern.distance(Some(value), now)).fold(1.0, f64::min)
        };
        match self {
            Self::One(pattern) if values.is_empty() => pattern.distance(None, now),
            Self::One(pattern) => best(pattern),
            Self::Exactly(_) | Self::Includes(_) if values.is_empty() => 1.0,
            Self::Exactly(all) => {
                let length = if all.len() == values.len() { 0.0 } else { 1.0 };
                f64::midpoint(length, mean(all.iter().map(best)))
            }
            Self::Includes(all) => mean(all.iter().map(best)),
        }
    }
}

/// Does a header hold? WireMock's server reads the media types that it knows in its own spelling, so `charset=utf-8` is
/// `charset=UTF-8`; here what was sent is as good.
pub(super) fn header_holds(name: &str, values: &Values, request: &Request, now: Timestamp) -> bool {
    let sent = request.header_values(name);
    if values.matches(&sent, now) {
        return true;
    }
    let respelt: Vec<String> = sent.iter().filter_map(|value| respelt(value)).collect();
    name.eq_ignore_ascii_case("content-type")
        && respelt.len() == sent.len()
        && values.matches(&respelt.iter().map(String::as_str).collect::<Vec<_>>(), now)
}

/// What is asked under a name of the pattern, by the names that are asked for.
pub(super) fn values(place: &Place<'_>, name: &str) -> Result<Vec<(String, Values)>, Wrong> {
    let Some(map) = place.field(name) else { return Ok(Vec::new()) };
    map.entries(HEADERS)?.iter().map(|(key, place)| Ok(((*key).to_owned(), Values::read(place)?))).collect()
}
