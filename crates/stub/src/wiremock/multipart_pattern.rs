//! What a mapping asks of the parts of a body that has several.

use super::parts::Part;
use super::pattern::Pattern;
use super::place::Place;
use super::values::{Values, values};
use super::wrong::Wrong;
use jiff::Timestamp;

const BODIES: &str =
    "java.util.ArrayList<com.github.tomakehurst.wiremock.matching.ContentPattern<java.lang.Object>>";

/// What is asked of the parts of a body.
#[derive(Clone, Debug)]
pub(super) struct Multipart {
    is_all: bool,
    file_name: Option<String>,
    headers: Option<Vec<(String, Values)>>,
    bodies: Option<Vec<Pattern>>,
}

impl Multipart {
    pub(super) fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        const CLASS: &str = "com.github.tomakehurst.wiremock.matching.MultipartValuePattern";
        place.object(CLASS, &["name", "fileName", "matchingType", "headers", "bodyPatterns"])?;
        let kind = place.field("matchingType");
        let kind =
            kind.map(|kind| kind.word(&format!("{CLASS}$MatchingType"), &["ALL", "ANY"])).transpose()?;
        let headers = place.field("headers").is_some();
        Ok(Self {
            is_all: kind.as_deref() == Some("ALL"),
            file_name: place
                .field("fileName")
                .map(|name| name.text())
                .transpose()?
                .filter(|name| !name.is_empty()),
            headers: if headers { Some(values(place, "headers")?) } else { None },
            bodies: place.field("bodyPatterns").map(|place| bodies(&place)).transpose()?,
        })
    }

    pub(super) fn matches(&self, parts: &[Part], now: Timestamp) -> bool {
        let holds = |part: &Part| self.holds(part, now);
        if self.is_all { parts.iter().all(holds) } else { parts.iter().any(holds) }
    }

    pub(super) fn holds(&self, part: &Part, now: Timestamp) -> bool {
        if self.headers.is_none() && self.bodies.is_none() {
            return true;
        }
        let header = |(name, values): &(String, Values)| values.matches(&part.header_values(name), now);
        let text = part.text();
        self.headers.iter().flatten().all(header)
            && self.file_name.as_ref().is_none_or(|name| part.file_name.as_ref() == Some(name))
            && self.bodies.iter().flatten().all(|pattern| match pattern {
                // The body of a part is there also where it is empty.
                Pattern::Binary(_) => pattern.matches_bytes(&part.body, &text, now),
                other => other.matches(Some(&text), now),
            })
    }
}

/// Patterns for a body, all of which must hold.
pub(super) fn bodies(place: &Place<'_>) -> Result<Vec<Pattern>, Wrong> {
    place.elements(BODIES)?.iter().map(Pattern::read).collect()
}
