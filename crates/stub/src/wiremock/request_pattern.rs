//! What a mapping asks of a request, part by part, and how far off a request is.

use super::multipart_pattern::{Multipart, bodies};
use super::parts::Part;
use super::path_template::PathTemplate;
use super::pattern::{Misread, Pattern, levenshtein, mean};
use super::place::Place;
use super::regex::JavaRegex;
use super::request::Request;
use super::shown::shown;
use super::values::{Values, header_holds, values};
use super::wrong::Wrong;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use seam_value::{Map, Value};
use std::sync::Arc;

const CLASS: &str = "com.github.tomakehurst.wiremock.matching.RequestPattern";
const TEXTS: &str =
    "java.util.LinkedHashMap<java.lang.String,com.github.tomakehurst.wiremock.matching.StringValuePattern>";

/// What may be asked, in WireMock's order.
pub(super) const KNOWN: &[&str] = &[
    "scheme",
    "host",
    "port",
    "clientIp",
    "url",
    "urlPattern",
    "urlPath",
    "urlPathPattern",
    "urlPathTemplate",
    "method",
    "headers",
    "pathParameters",
    "queryParameters",
    "formParameters",
    "cookies",
    "bodyPatterns",
    "customMatcher",
    "multipartPatterns",
    "basicAuth",
    "basicAuthCredentials",
];

/// What is asked of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestPattern {
    scheme: Option<String>,
    host: Option<Pattern>,
    port: Option<i64>,
    client_ip: Option<Pattern>,
    pub(crate) url: Url,
    /// None is any.
    pub(crate) method: Option<String>,
    headers: Vec<(String, Values)>,
    path_parameters: Vec<(String, Pattern)>,
    query: Vec<(String, Values)>,
    form: Vec<(String, Values)>,
    cookies: Vec<(String, Pattern)>,
    basic: Option<String>,
    bodies: Vec<Pattern>,
    multipart: Vec<Multipart>,
    /// A matcher of somebody's own Java code: nothing matches it here, as where it is not installed.
    has_custom: bool,
    /// As it is shown.
    pub(crate) shown: Arc<Value>,
}

/// What is asked of the address.
#[derive(Clone, Debug)]
pub(crate) enum Url {
    Any,
    Equal(String),
    Pattern(Arc<JavaRegex>),
    Path(String),
    PathPattern(Arc<JavaRegex>),
    Template(Arc<PathTemplate>),
}

impl RequestPattern {
    /// Reads what stands under `request`.
    pub(crate) fn read(place: &Place<'_>) -> Result<Self, Wrong> {
        place.object(CLASS, KNOWN)?;
        let pattern = |name: &str| place.field(name).map(|place| Pattern::read(&place)).transpose();
        let text = |name: &str| place.field(name).map(|place| place.text()).transpose();
        let url = read_url(place)?;
        let basic = place.field("basicAuth").or_else(|| place.field("basicAuthCredentials"));
        let mut read = Self {
            scheme: text("scheme")?,
            host: pattern("host")?,
            port: place.field("port").map(|place| place.integer()).transpose()?,
            client_ip: pattern("clientIp")?,
            url,
            method: read_method(place)?,
            headers: values(place, "headers")?,
            path_parameters: patterns(place, "pathParameters")?,
            query: values(place, "queryParameters")?,
            form: values(place, "formParameters")?,
            cookies: patterns(place, "cookies")?,
            basic: basic.map(|place| read_basic(&place)).transpose()?,
            bodies: place.field("bodyPatterns").map_or(Ok(Vec::new()), |place| bodies(&place))?,
            multipart: match place.field("multipartPatterns") {
                Some(all) => {
                    let all = all.elements("java.util.ArrayList")?;
                    all.iter().map(Multipart::read).collect::<Result<_, _>>()?
                }
                None => Vec::new(),
            },
            has_custom: place.field("customMatcher").is_some(),
            shown: Arc::new(Value::Null),
        };
        read.check_path_parameters(place)?;
        read.shown = Arc::new(shown(place.value));
        Ok(read)
    }

    /// A pattern that every request matches.
    pub(crate) fn any() -> Self {
        let nothing = Value::Map(Map::default());
        Self::read(&Place::whole(&nothing)).expect("nothing is asked, and nothing is wrong")
    }

    fn check_path_parameters(&self, place: &Place<'_>) -> Result<(), Wrong> {
        let Some(first) = self.path_parameters.first() else { return Ok(()) };
        let at = |name: &str| format!("{}/pathParameters/{name}", place.pointer);
        let Url::Template(template) = &self.url else {
            // WireMock keeps such a mapping and never looks at them.
            return Err(Wrong::at(&at(&first.0), "pathParameters need a urlPathTemplate"));
        };
        // What holds where nothing is can still match.
        let is_lost = |(name, pattern): &&(String, Pattern)| {
            !template.names().contains(name) && !pattern.matches(None, Timestamp::UNIX_EPOCH)
        };
        match self.path_parameters.iter().find(is_lost) {
            Some((name, _)) => Err(Wrong::at(&at(name), format!("the urlPathTemplate has no {{{name}}}"))),
            None => Ok(()),
        }
    }

    /// Does a request match?
    pub(crate) fn matches(&self, request: &Request) -> bool {
        let now = request.at;
        !self.has_custom
            && self.method_holds(request)
            && self.url.matches(request)
            && self.scheme.as_ref().is_none_or(|scheme| *scheme == request.scheme)
            && self.host.as_ref().is_none_or(|host| host.matches(Some(&request.host), now))
            && self.port.is_none_or(|port| port == i64::from(request.port))
            && self.client_ip.as_ref().is_none_or(|ip| ip.matches(Some(&request.client_ip), now))
            && self.rest_matches(request, now)
    }

    /// May it match a request that begins like this, by its method and its path? The head was read, so that how exactly it
    /// was written is not known.
    pub(crate) fn may_match(&self, head: &Request) -> bool {
        let url = match &self.url {
            Url::Equal(url) => url.split('?').next() == Some(head.path()),
            Url::Any | Url::Pattern(_) => true,
            Url::Path(_) | Url::PathPattern(_) | Url::Template(_) => self.url.matches(head),
        };
        !self.has_custom && self.method_holds(head) && url
    }

    fn method_holds(&self, request: &Request) -> bool {
        match self.method.as_deref() {
            None => true,
            Some("GET_OR_HEAD") => request.method == "GET" || request.method == "HEAD",
            Some(method) => method == request.method,
        }
    }

    fn rest_matches(&self, request: &Request, now: Timestamp) -> bool {
        let basic = self.basic.as_ref().is_none_or(|expected| {
            request.header_values("authorization").iter().any(|value| is_basic(value, expected))
        });
        let header = |(name, values): &(String, Values)| header_holds(name, values, request, now);
        let of = |pairs: &super::request::Pairs, (name, values): &(String, Values)| {
            values.matches(&named(pairs, name), now)
        };
        basic
            && self.path_parameters_match(request, now)
            && self.headers.iter().all(header)
            && self.query.iter().all(|one| of(request.query(), one))
            && self.form.iter().all(|one| of(request.form(), one))
            && self.cookies_match(request, now)
            && self.bodies_match(request, now)
            && self.multipart.iter().all(|one| request.is_multipart() && one.matches(request.parts(), now))
    }

    fn path_parameters_match(&self, request: &Request, now: Timestamp) -> bool {
        if self.path_parameters.is_empty() {
            return true;
        }
        let Url::Template(template) = &self.url else { return true };
        let Some(read) = template.read(request.path()) else { return false };
        self.path_parameters.iter().all(|(name, pattern)| {
            let value = read.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            pattern.matches(value, now)
        })
    }

    fn cookies_match(&self, request: &Request, now: Timestamp) -> bool {
        if self.cookies.is_empty() {
            return true;
        }
        let cookies = request.cookies();
        self.cookies.iter().all(|(name, pattern)| {
            let values = named(&cookies, name);
            if values.is_empty() {
                pattern.is_absent()
            } else {
                values.iter().any(|value| pattern.matches(Some(value), now))
            }
        })
    }

    fn bodies_match(&self, request: &Request, now: Timestamp) -> bool {
        if self.bodies.is_empty() {
            return true;
        }
        let text = request.text();
        self.bodies.iter().all(|pattern| pattern.matches_bytes(request.bytes(), &text, now))
    }

    /// What is wrong with a body that was asked for something in it, where all else matches.
    pub(crate) fn misread(&self, request: &Request) -> Option<Misread> {
        if self.bodies.is_empty() || request.bytes().is_empty() {
            return None;
        }
        let others = Self { bodies: Vec::new(), multipart: Vec::new(), ..self.clone() };
        let text = request.text();
        if others.matches(request) {
            self.bodies.iter().find_map(|pattern| pattern.misread(&text))
        } else {
            None
        }
    }

    /// How far off a request is, from 0 to 1, weighted as WireMock does: what is in headers and body counts only once all
    /// else matches.
    pub(crate) fn distance(&self, request: &Request) -> f64 {
        let now = request.at;
        let flat = |holds: bool| if holds { 0.0 } else { 1.0 };
        let of = |pattern: &Option<Pattern>, value: &str| {
            pattern.as_ref().map_or(0.0, |pattern| pattern.distance(Some(value), now))
        };
        let first = [
            (3.0, flat(self.scheme.as_ref().is_none_or(|scheme| *scheme == request.scheme))),
            (10.0, of(&self.host, &request.host)),
            (10.0, flat(self.port.is_none_or(|port| port == i64::from(request.port)))),
            (3.0, of(&self.client_ip, &request.client_ip)),
            (10.0, self.url.distance(request)),
            (3.0, flat(self.method_holds(request))),
        ];
        let sum: f64 = first.iter().map(|(weight, distance)| weight * distance).sum();
        let weight: f64 = first.iter().map(|(weight, _)| weight).sum();
        if sum > 0.0 {
            return sum / weight;
        }
        let text = request.text();
        let body = (!request.bytes().is_empty()).then_some(&*text);
        let header = |(name, values): &(String, Values)| values.distance(&request.header_values(name), now);
        let basic = self.basic.iter().map(|expected| {
            flat(request.header_values("authorization").iter().any(|value| is_basic(value, expected)))
        });
        let cookies = flat(self.cookies_match(request, now));
        let rest = [
            flat(self.path_parameters_match(request, now)),
            mean(self.headers.iter().map(header).chain(basic)),
            mean(self.query.iter().map(|(name, values)| values.distance(&named(request.query(), name), now))),
            mean(self.form.iter().map(|(name, values)| values.distance(&named(request.form(), name), now))),
            cookies,
            mean(self.bodies.iter().map(|pattern| match pattern {
                Pattern::Binary(_) => flat(pattern.matches_bytes(request.bytes(), &text, now)),
                other => other.distance(body, now),
            })),
            flat(
                self.multipart.iter().all(|one| request.is_multipart() && one.matches(request.parts(), now)),
            ),
        ];
        let rest: f64 = rest.iter().sum();
        rest / (weight + 7.0)
    }

    /// What stands in the path under the names of the template.
    pub(crate) fn path_values(&self, request: &Request) -> Vec<(String, String)> {
        match &self.url {
            Url::Template(template) => template.read(request.path()).unwrap_or_default(),
            Url::Any | Url::Equal(_) | Url::Pattern(_) | Url::Path(_) | Url::PathPattern(_) => Vec::new(),
        }
    }

    /// The credentials that are asked for, in base64.
    pub(crate) fn basic(&self) -> Option<&str> {
        self.basic.as_deref()
    }

    /// Is nothing asked of the path but the template's form?
    pub(crate) fn has_template(&self) -> bool {
        matches!(self.url, Url::Template(_))
    }

    /// Does one part of the request hold? `part` is a field of the pattern, `name` an entry of it.
    pub(crate) fn part_holds(&self, part: &str, name: &str, request: &Request) -> bool {
        let now = request.at;
        let among = |all: &[(String, Values)], values: &[&str]| {
            all.iter().filter(|(known, _)| known == name).all(|(_, pattern)| pattern.matches(values, now))
        };
        match part {
            "method" => self.method_holds(request),
            "url" => self.url.matches(request),
            "scheme" => self.scheme.as_ref().is_none_or(|scheme| *scheme == request.scheme),
            "host" => self.host.as_ref().is_none_or(|host| host.matches(Some(&request.host), now)),
            "port" => self.port.is_none_or(|port| port == i64::from(request.port)),
            "headers" => self
                .headers
                .iter()
                .filter(|(known, _)| known == name)
                .all(|(name, values)| header_holds(name, values, request, now)),
            "queryParameters" => among(&self.query, &named(request.query(), name)),
            "formParameters" => among(&self.form, &named(request.form(), name)),
            "cookies" => self.cookies_match(request, now),
            "basic" => self.basic.as_ref().is_none_or(|expected| {
                request.header_values("authorization").iter().any(|value| is_basic(value, expected))
            }),
            "pathParameters" => self.path_parameters_match(request, now),
            "multipart" => {
                self.multipart.iter().all(|one| request.is_multipart() && one.matches(request.parts(), now))
            }
            "bodyPatterns" => {
                let text = request.text();
                let pattern = name.parse::<usize>().ok().and_then(|index| self.bodies.get(index));
                pattern.is_none_or(|pattern| pattern.matches_bytes(request.bytes(), &text, now))
            }
            _ => true,
        }
    }
}

impl RequestPattern {
    /// Do the parts of a request hold against one of the patterns for them?
    pub(crate) fn multipart_holds(&self, index: usize, request: &Request) -> bool {
        let pattern = self.multipart.get(index);
        pattern.is_none_or(|one| request.is_multipart() && one.matches(request.parts(), request.at))
    }

    /// Does one part hold against one of the patterns?
    pub(crate) fn multipart_part_holds(&self, index: usize, part: &Part, now: Timestamp) -> bool {
        self.multipart.get(index).is_none_or(|one| one.holds(part, now))
    }
}

impl Url {
    fn matches(&self, request: &Request) -> bool {
        match self {
            Self::Any => true,
            Self::Equal(url) => *url == request.url,
            Self::Pattern(regex) => regex.matches(&request.url),
            Self::Path(path) => path == request.path(),
            Self::PathPattern(regex) => regex.matches(request.path()),
            Self::Template(template) => template.matches(request.path()),
        }
    }

    fn distance(&self, request: &Request) -> f64 {
        if self.matches(request) {
            return 0.0;
        }
        match self {
            Self::Equal(url) => levenshtein(Some(url), Some(&request.url)),
            Self::Path(path) => levenshtein(Some(path), Some(request.path())),
            Self::Template(template) => levenshtein(Some(&template.without_names()), Some(request.path())),
            Self::Any | Self::Pattern(_) | Self::PathPattern(_) => 1.0,
        }
    }
}

fn named<'r>(pairs: &'r super::request::Pairs, name: &str) -> Vec<&'r str> {
    let found = pairs.iter().find(|(known, _)| known == name);
    found.map_or_else(Vec::new, |(_, values)| values.iter().map(String::as_str).collect())
}

fn is_basic(value: &str, expected: &str) -> bool {
    let scheme = value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "));
    scheme && &value[6..] == expected
}

fn read_url(place: &Place<'_>) -> Result<Url, Wrong> {
    const FORMS: [&str; 5] = ["url", "urlPattern", "urlPath", "urlPathPattern", "urlPathTemplate"];
    let given: Vec<(&str, Place<'_>)> =
        FORMS.iter().filter_map(|name| Some((*name, place.field(name)?))).collect();
    if let [(first, _), (second, at), ..] = given.as_slice() {
        // WireMock takes the first and forgets the other.
        return Err(at.wrong(format!("{first} and {second} exclude each other")));
    }
    let Some((name, at)) = given.first() else { return Ok(Url::Any) };
    let text = at.text()?;
    let told = |wrong: String| place.wrong(wrong);
    Ok(match *name {
        "url" => Url::Equal(text),
        "urlPattern" => Url::Pattern(Arc::new(JavaRegex::parse(&text).map_err(told)?)),
        "urlPath" => Url::Path(text),
        "urlPathPattern" => Url::PathPattern(Arc::new(JavaRegex::parse(&text).map_err(told)?)),
        _ => Url::Template(Arc::new(PathTemplate::parse(&text).map_err(told)?)),
    })
}

fn read_method(place: &Place<'_>) -> Result<Option<String>, Wrong> {
    let Some(method) = place.field("method") else { return Ok(None) };
    let Value::Text(text) = method.value else {
        return Err(method.wrong(format!(
            "Cannot deserialize value of type `com.github.tomakehurst.wiremock.http.RequestMethod` from {}",
            super::place::kind(method.value)
        )));
    };
    Ok((text != "ANY").then(|| text.clone()))
}

fn read_basic(place: &Place<'_>) -> Result<String, Wrong> {
    place.object("com.github.tomakehurst.wiremock.client.BasicCredentials", &["username", "password"])?;
    let text = |name: &str| match place.field(name) {
        Some(field) => field.text(),
        // WireMock keeps credentials without one of the two, which nothing matches.
        None => Err(place.wrong(format!("{name} is missing"))),
    };
    Ok(STANDARD.encode(format!("{}:{}", text("username")?, text("password")?)))
}

fn patterns(place: &Place<'_>, name: &str) -> Result<Vec<(String, Pattern)>, Wrong> {
    let Some(map) = place.field(name) else { return Ok(Vec::new()) };
    map.entries(TEXTS)?.iter().map(|(key, place)| Ok(((*key).to_owned(), Pattern::read(place)?))).collect()
}
