//! WireMock's admin interface under `/__admin`, as 3.13.2 answers it, and the files that its mappings name.

mod files;
mod stands;

pub(crate) use files::Files;
pub(crate) use stands::Stands;

use crate::answer::{Answer, Asked};
use hyper::{Method, StatusCode};
use seam_stub::wiremock::{EventFilter, Page, WireMock, Wrong, read_json};
use seam_value::Value;
use std::sync::Arc;

/// The version whose answers these are.
const VERSION: &str = "3.13.2";

/// WireMock's admin interface over one set of mappings.
pub(crate) struct Admin {
    pub(crate) wiremock: Arc<WireMock>,
    pub(crate) files: Arc<Files>,
    /// Where mappings stand besides their own address.
    pub(crate) stands: Option<Stands>,
}

impl Admin {
    /// Answers what lies under `/__admin`; none where the path does not.
    pub(crate) async fn answer(&self, asked: &Asked) -> Option<Answer> {
        let segments = asked.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["__admin", rest @ ..] = segments.as_slice() else { return None };
        let rest = rest.strip_suffix(&[""]).unwrap_or(rest);
        let answer = match self.routed(rest, asked) {
            Some(Ok(answer)) => answer,
            Some(Err(wrong)) => refused(&wrong),
            None => Answer::empty(StatusCode::NOT_FOUND),
        };
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
            [] | ["docs" | "webapp"] => Some(Ok(Answer::of(
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
        let page = Page {
            limit: asked.queried("limit").and_then(|limit| limit.parse().ok()),
            offset: asked.queried("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0),
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
            ("POST", ["reset"]) => {
                wiremock.reset_mappings();
                Ok(done())
            }
            ("POST", ["save"]) => {
                let saved = wiremock.save_mappings();
                match self.files.save(&saved) {
                    Ok(()) => Ok(done()),
                    Err(reason) => Ok(Answer::of(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", reason)),
                }
            }
            ("POST", ["import"]) => body(asked).and_then(|json| wiremock.import(&json)).map(|()| done()),
            ("POST", ["find-by-metadata"]) => with_body(asked, |json| wiremock.find_by_metadata(json)),
            ("POST", ["remove-by-metadata"]) => {
                body(asked).and_then(|json| wiremock.remove_by_metadata(&json)).map(|()| done())
            }
            ("POST", ["remove"]) => {
                body(asked).and_then(|json| wiremock.remove_matching(&json)).map(|()| done())
            }
            ("GET", ["unmatched"]) => Ok(ok(&wiremock.unmatched_mappings())),
            ("DELETE", ["unmatched"]) => {
                wiremock.remove_unmatched_mappings();
                Ok(done())
            }
            ("GET", [id]) => wiremock.mapping(id).map(|mapping| ok(&mapping)),
            ("PUT" | "POST", [id]) => {
                body(asked).and_then(|json| wiremock.update_mapping(id, &json)).map(|mapping| ok(&mapping))
            }
            ("DELETE", [id]) => wiremock.remove_mapping(id).map(|()| done()),
            _ => return None,
        })
    }

    fn requests(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        let wiremock = &self.wiremock;
        Some(match (asked.method.as_str(), path) {
            ("GET", []) => {
                let filter = EventFilter {
                    limit: asked.queried("limit").and_then(|limit| limit.parse().ok()),
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
                body(asked).and_then(|json| wiremock.set_settings(&json)).map(|()| done())
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
            ("POST", ["stop"]) => wiremock.stop_recording().map(|made| ok(&made)),
            ("POST", ["snapshot"]) => spec().and_then(|json| wiremock.snapshot(&json)).map(|made| ok(&made)),
            _ => return None,
        })
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
                Ok(bytes) => Answer::of(StatusCode::OK, "application/octet-stream", bytes),
                Err(_) => Answer::empty(StatusCode::NOT_FOUND),
            },
            "PUT" => match self.files.write(&name, &asked.body) {
                Ok(()) => Answer::of(StatusCode::OK, "application/octet-stream", asked.body.clone()),
                Err(reason) => failed(reason),
            },
            "DELETE" => match self.files.remove(&name) {
                Ok(()) => done(),
                Err(reason) => failed(reason),
            },
            _ => return None,
        }))
    }

    fn others(&self, path: &[&str], asked: &Asked) -> Option<Result<Answer, Wrong>> {
        Some(Ok(match (asked.method.as_str(), path) {
            ("POST", ["reset"]) => {
                self.wiremock.reset();
                done()
            }
            ("GET", ["health"]) => ok(&Value::map([
                ("status", Value::text("healthy")),
                ("message", Value::text("Wiremock is ok")),
                ("version", Value::text(VERSION)),
            ])),
            ("GET", ["version"]) => ok(&Value::map([("version", Value::text(VERSION))])),
            // What ends WireMock's server would end the system here: it is taken note of, and nothing more.
            ("POST", ["shutdown"]) => done(),
            _ => return None,
        }))
    }
}

fn body(asked: &Asked) -> Result<Value, Wrong> {
    read_json(&String::from_utf8_lossy(&asked.body))
}

fn told(status: StatusCode, value: &Value) -> Answer {
    Answer::of(status, "application/json", value.to_string())
}

fn ok(value: &Value) -> Answer {
    told(StatusCode::OK, value)
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
