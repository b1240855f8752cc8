//! WireMock's admin interface under `/__admin`, as 3.13.2 answers it, and the files that its mappings name.

mod files;
mod stands;

pub(crate) use files::Files;
pub(crate) use stands::Stands;

use crate::answer::{Answer, Asked};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::{Method, StatusCode};
use seam_stub::wiremock::{BodyFile, EventFilter, Page, WireMock, Wrong, jackson, read_json};
use seam_value::Value;
use seam_wire::body::decode;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

/// The version whose answers these are.
const VERSION: &str = "3.13.2";

/// WireMock's admin interface over one set of mappings.
pub(crate) struct Admin {
    pub(crate) wiremock: Arc<WireMock>,
    pub(crate) files: Arc<Files>,
    /// Where mappings stand besides their own address.
    pub(crate) stands: Option<Stands>,
    /// Since when it is there.
    pub(crate) began: Instant,
}

impl Admin {
    /// Answers what lies under `/__admin`; none where the path does not.
    pub(crate) async fn answer(&self, asked: &Asked) -> Option<Answer> {
        let segments = asked.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["__admin", rest @ ..] = segments.as_slice() else { return None };
        if asked.method == Method::OPTIONS
            && let Some(answer) = preflight(asked)
        {
            return Some(answer);
        }
        let answer = match self.routed(rest.strip_suffix(&[""]).unwrap_or(rest), asked) {
            _ if rest.is_empty() => elsewhere(asked, "/__admin/"),
            Some(Ok(answer)) => answer,
            Some(Err(wrong)) => refused(&wrong),
            None => Answer::empty(StatusCode::NOT_FOUND),
        };
        let answer = shared(answer, asked);
        if asked.method != Method::GET
            && let Err(reason) = self.files.keep(&self.wiremock.kept_mappings())
        {
            return Some(Answer::of(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", reason));
        }
        if asked.method != Method::GET
            && let Some(stands) = &self.stands
            && let Err(wrong) = stands.renew(&self.wiremock).await
        {
            return Some(wrong);
        }
        Some(answer)
    }

    fn routed(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        match path {
            [] => self.mappings(&[], asked),
            ["docs" | "webapp"] => Some(Ok(Answer::of(
                StatusCode::OK,
                "text/plain",
                "WireMock's admin interface, by Seamwork\n",
            ))),
            ["mappings", rest @ ..] => self.mappings(rest, asked),
            ["requests", rest @ ..] => self.requests(rest, asked),
            ["near-misses", what] if asked.method == Method::POST => match *what {
                "request" => Some(with_body(asked, |json| self.wiremock.near_misses_of_request(json))),
                "request-pattern" => {
                    Some(with_body(asked, |json| self.wiremock.near_misses_of_pattern(json)))
                }
                _ => None,
            },
            ["scenarios", rest @ ..] => self.scenarios(rest, asked),
            ["settings", rest @ ..] => self.settings(rest, asked),
            ["recordings", rest @ ..] => self.recordings(rest, asked),
            ["files", rest @ ..] => self.files(rest, asked),
            _ => self.others(path, asked),
        }
    }

    fn mappings(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        let wiremock = &self.wiremock;
        let page = match (number(asked, "limit"), number(asked, "offset")) {
            (Ok(limit), Ok(offset)) => Page { limit, offset: offset.unwrap_or(0) },
            (Err(answer), _) | (_, Err(answer)) => return Some(Ok(*answer)),
        };
        Some(match (asked.method.as_str(), path) {
            ("GET", []) => Ok(ok(&wiremock.mappings(page))),
            ("POST", []) => body(asked)
                .and_then(|json| wiremock.add_mapping(&json))
                .map(|added| told(StatusCode::CREATED, &added)),
            ("DELETE", []) => {
                wiremock.remove_mappings();
                Ok(done())
            }
            ("POST", ["reset"]) => Ok(self.begin_anew()),
            ("POST", ["save"]) => {
                wiremock.save_mappings();
                Ok(silent())
            }
            ("POST", ["import"]) => body(asked).and_then(|json| wiremock.import(&json)).map(|()| silent()),
            ("POST", ["find-by-metadata"]) => with_body(asked, |json| wiremock.find_by_metadata(json)),
            ("POST", ["remove-by-metadata"]) => {
                body(asked).and_then(|json| wiremock.remove_by_metadata(&json)).map(|()| done())
            }
            ("POST", ["remove"]) => {
                body(asked).and_then(|json| wiremock.remove_matching(&json)).map(|()| silent())
            }
            ("GET", ["unmatched"]) => Ok(ok(&wiremock.unmatched_mappings())),
            ("DELETE", ["unmatched"]) => {
                wiremock.remove_unmatched_mappings();
                Ok(done())
            }
            ("GET", [id]) => wiremock.mapping(id).map(|mapping| ok(&mapping)),
            ("PUT" | "POST", [id]) => {
                // A mapping that is not there is told before anything is said of the body.
                let known = wiremock.mapping(id);
                let updated =
                    known.and_then(|_| body(asked)).and_then(|json| wiremock.update_mapping(id, &json));
                updated.map(|mapping| ok(&mapping))
            }
            ("DELETE", [id]) => wiremock.remove_mapping(id).map(|()| done()),
            _ => return None,
        })
    }

    /// Everything is as at the start; what stands in the folder by now counts.
    fn begin_anew(&self) -> Answer {
        if !self.files.has_folder() {
            self.wiremock.reset();
            return silent();
        }
        match self.load() {
            Ok(_) => silent(),
            Err(reason) => Answer::of(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", reason),
        }
    }

    /// Takes in what stands in the folder; gives warnings.
    pub(crate) fn load(&self) -> Result<Vec<String>, String> {
        let read = self.wiremock.reload(&self.files.mappings()?).map_err(|wrong| {
            let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })?;
        self.files.note(&read.alone);
        Ok(read.warnings)
    }

    fn requests(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        let wiremock = &self.wiremock;
        Some(match (asked.method.as_str(), path) {
            ("GET", []) => {
                let limit = match number(asked, "limit") {
                    Ok(limit) => limit,
                    Err(answer) => return Some(Ok(*answer)),
                };
                let filter = EventFilter {
                    limit,
                    since: asked.queried("since"),
                    only_unmatched: asked.queried("unmatched").is_some_and(|is| is == "true"),
                    stub: asked.queried("matchingStub"),
                };
                wiremock.events(&filter).map(|events| ok(&events))
            }
            ("DELETE", []) | ("POST", ["reset"]) => {
                wiremock.remove_events();
                Ok(done())
            }
            ("POST", ["count"]) => with_body(asked, |json| wiremock.count(json)),
            ("POST", ["find"]) => with_body(asked, |json| wiremock.find_requests(json)),
            ("POST", ["remove"]) => with_body(asked, |json| wiremock.remove_requests(json)),
            ("POST", ["remove-by-metadata"]) => {
                with_body(asked, |json| wiremock.remove_requests_by_metadata(json))
            }
            ("GET", ["unmatched"]) => Ok(ok(&wiremock.unmatched_requests())),
            ("GET", ["unmatched", "near-misses"]) => Ok(ok(&wiremock.near_misses())),
            ("GET", [id]) => wiremock.event(id).map(|event| ok(&event)),
            ("DELETE", [id]) => wiremock.remove_event(id).map(|()| done()),
            _ => return None,
        })
    }

    fn scenarios(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        let wiremock = &self.wiremock;
        Some(match (asked.method.as_str(), path) {
            ("GET", []) => Ok(ok(&wiremock.scenarios())),
            ("POST", ["reset"]) => {
                wiremock.reset_scenarios();
                Ok(done())
            }
            ("PUT", [name, "state"]) => {
                let json = if asked.body.is_empty() { Ok(None) } else { body(asked).map(Some) };
                json.and_then(|json| wiremock.set_scenario(name, json.as_ref())).map(|()| done())
            }
            _ => return None,
        })
    }

    fn settings(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        let wiremock = &self.wiremock;
        Some(match (asked.method.as_str(), path) {
            ("GET", []) => Ok(ok(&wiremock.settings())),
            ("POST" | "PUT", []) => {
                body(asked).and_then(|json| wiremock.set_settings(&json)).map(|()| silent())
            }
            ("PATCH", ["extended"]) => {
                body(asked).and_then(|json| wiremock.patch_extended(&json)).map(|()| done())
            }
            _ => return None,
        })
    }

    fn recordings(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        let wiremock = &self.wiremock;
        let spec = || if asked.body.is_empty() { read_json("{}") } else { body(asked) };
        Some(match (asked.method.as_str(), path) {
            ("GET", ["status"]) => Ok(ok(&wiremock.recording_status())),
            ("POST", ["start"]) => {
                body(asked).and_then(|json| wiremock.start_recording(&json)).map(|()| done())
            }
            ("POST", ["stop"]) => wiremock.stop_recording().map(|made| self.kept(made)),
            ("POST", ["snapshot"]) => {
                spec().and_then(|json| wiremock.snapshot(&json)).map(|made| self.kept(made))
            }
            _ => return None,
        })
    }

    /// What was recorded, with the files that it names.
    fn kept(&self, (made, files): (Value, Vec<BodyFile>)) -> Answer {
        for (name, bytes) in &files {
            if let Err(reason) = self.files.write(name, bytes) {
                return Answer::of(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", reason);
            }
        }
        ok(&made)
    }

    fn files(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        let name = path.join("/");
        let failed = |reason: String| Answer::of(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", reason);
        Some(Ok(match asked.method.as_str() {
            "GET" if path.is_empty() => {
                let names = self.files.list().into_iter().map(Value::text).collect();
                ok(&Value::List(names))
            }
            "GET" => match self.files.read(&name) {
                Ok(bytes) => Answer { body: bytes.into(), ..Answer::empty(StatusCode::OK) },
                Err(_) => Answer::empty(StatusCode::NOT_FOUND),
            },
            "PUT" => match self.files.write(&name, &asked.body) {
                Ok(()) => ok(&Value::Text(STANDARD.encode(&asked.body))),
                Err(reason) => failed(reason),
            },
            "DELETE" => match self.files.remove(&name) {
                Ok(()) => Answer::empty(StatusCode::OK),
                Err(reason) => failed(reason),
            },
            _ => return None,
        }))
    }

    fn others(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        Some(Ok(match (asked.method.as_str(), path) {
            ("POST", ["reset"]) => self.begin_anew(),
            ("GET", ["health"]) => ok(&Value::map([
                ("status", Value::text("healthy")),
                ("message", Value::text("Wiremock is ok")),
                ("version", Value::text(VERSION)),
                ("uptimeInSeconds", Value::from(self.began.elapsed().as_secs())),
                ("timestamp", Value::Text(jiff::Timestamp::now().to_string())),
            ])),
            ("GET", ["version"]) => ok(&Value::map([("version", Value::text(VERSION))])),
            // What ends WireMock's server would end the system here: it is taken note of, and nothing more.
            ("POST", ["shutdown"]) => done(),
            _ => return None,
        }))
    }
}

fn body(asked: &Asked) -> Result<Value, Wrong> {
    read_json(&text_of(asked))
}

/// What was sent, in the letters that its type says.
fn text_of(asked: &Asked) -> Cow<'_, str> {
    let media = asked.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if media.to_ascii_lowercase().contains("charset=")
        && let Value::Text(text) = decode(Some(media), None, &asked.body, asked.body.len()).text
    {
        return Cow::Owned(text);
    }
    String::from_utf8_lossy(&asked.body)
}

fn told(status: StatusCode, value: &Value) -> Answer {
    Answer::of(status, "application/json", jackson(value))
}

/// A number in the query; what WireMock answers where it is none.
fn number(asked: &Asked, name: &str) -> Result<Option<usize>, Box<Answer>> {
    let Some(text) = asked.queried(name) else { return Ok(None) };
    text.parse::<usize>().map(Some).map_err(|_| {
        let reason = match text.parse::<i32>() {
            Ok(_) => format!("java.lang.IllegalArgumentException: {name} must be 0 or greater"),
            Err(_) => format!("java.lang.NumberFormatException: For input string: \"{text}\""),
        };
        Box::new(jetty(StatusCode::INTERNAL_SERVER_ERROR, &asked.path, &reason))
    })
}

/// The page of an error that WireMock's server writes by itself.
pub(crate) fn jetty(status: StatusCode, path: &str, reason: &str) -> Answer {
    let plain = |text: &str| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    };
    let (path, reason, status_code) = (plain(path), plain(reason), status.as_u16());
    let page = format!(
        "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n\
         <title>Error {status_code} {reason}</title>\n</head>\n\
         <body><h2>HTTP ERROR {status_code} {reason}</h2>\n<table>\n\
         <tr><th>URI:</th><td>{path}</td></tr>\n<tr><th>STATUS:</th><td>{status_code}</td></tr>\n\
         <tr><th>MESSAGE:</th><td>{reason}</td></tr>\n</table>\n\n</body>\n</html>\n"
    );
    Answer::of(status, "text/html;charset=ISO-8859-1", page)
        .with("cache-control", "must-revalidate,no-cache,no-store")
}

fn elsewhere(asked: &Asked, path: &str) -> Answer {
    let host = asked.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let answer = Answer::empty(StatusCode::FOUND);
    answer.saying("location", &format!("http://{host}{path}"))
}

/// Answers a page that asks whether it may ask; who may not ask at all was refused before.
fn preflight(asked: &Asked) -> Option<Answer> {
    asked.headers.get("access-control-request-method")?;
    asked.headers.get(ORIGIN)?;
    let wanted = asked.headers.get("access-control-request-headers");
    let wanted = wanted.and_then(|names| names.to_str().ok()).unwrap_or_default();
    let names: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let answer = shared(Answer::empty(StatusCode::OK), asked)
        .with("access-control-max-age", "1800")
        .with("access-control-allow-methods", "OPTIONS,GET,POST,PUT,PATCH,DELETE")
        .saying("access-control-allow-headers", &names.join(","));
    Some(answer)
}

/// An answer that a page of this machine may read.
fn shared(answer: Answer, asked: &Asked) -> Answer {
    let answer = answer.with("vary", "Origin");
    match asked.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) {
        None => answer,
        Some(origin) => answer
            .saying("access-control-allow-origin", origin)
            .with("access-control-allow-credentials", "true"),
    }
}

fn ok(value: &Value) -> Answer {
    told(StatusCode::OK, value)
}

/// Done, with nothing to say.
fn silent() -> Answer {
    Answer::empty(StatusCode::OK)
}

fn done() -> Answer {
    Answer::of(StatusCode::OK, "application/json", "{}")
}

fn refused(wrong: &Wrong) -> Answer {
    let status = StatusCode::from_u16(wrong.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    match wrong.to_value() {
        Some(value) => told(status, &value),
        None => Answer::empty(status),
    }
}

fn with_body(asked: &Asked, act: impl FnOnce(&Value) -> Result<Value, Wrong>) -> Result<Answer, Wrong> {
    body(asked).and_then(|json| act(&json)).map(|value| ok(&value))
}
