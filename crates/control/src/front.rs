//! One address at which stubs answer whatever no interface of ours answers: a seam whose provider is our own HTTP server.
//!
//! ```text
//! client ─▶ seam with a stub: the mappings ─┬▶ the answer, with delays and faults, by the proxy
//!                                           └▶ /__admin, /seam, /proxies … ─▶ our HTTP server on a private socket
//! ```
//!
//! So delays, dribbled bodies, broken connections and requests that are passed on elsewhere are done where they are done
//! for every other seam.

use crate::packing::{Packing, takes_gzip};
use crate::sharing::{preflight, shared};
use crate::wiremock::{Files, jetty};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Kind, Often, Proxy, ProxyError, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Unread, Upstream, Witness,
};
use seam_stub::wiremock::{Request, WireMock};
use seam_value::Value;
use seam_wire::{Answering, Answers, Asked, Glance, Limits, Say};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first parts of paths that our own server answers.
pub(crate) type Reserved = &'static [&'static str];

/// Bodies up to this are held to be matched; of longer ones the beginning is.
const HELD_BODY: usize = 64 * 1024 * 1024;

/// The proxy of an address with stubs.
pub(crate) struct Front {
    proxy: Proxy,
}

impl Front {
    /// Stands at the address, in front of the server that listens on this socket. Gives the address where it listens.
    pub(crate) async fn stand(
        listen: SocketAddr,
        server: PathBuf,
        mapped: Mapped,
    ) -> Result<(Self, SocketAddr), ProxyError> {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let limits = Limits { kept_body: HELD_BODY, kept_open: 2 * HELD_BODY, ..Limits::default() };
        let proxy = Proxy::start(pulse, limits, Box::new(Unwatched), Box::new(Strangers))?;
        let seam = SeamId {
            consumer: ComponentId::from("client"),
            provider: ComponentId::from("stubs"),
            endpoint: Endpoint::main(),
        };
        let protocol = seam_wire::protocol("http").unwrap_or(seam_wire::PROTOCOLS[0]);
        let spec = SeamSpec { seam, protocol, upstream: Upstream::Unix(server), listen: Some(listen) };
        let address = proxy.stand(spec).await?;
        let rule = Arc::new(Rule::new(RuleSpec {
            name: "stubs".to_owned(),
            kind: Kind::Stub(Arc::new(mapped)),
            filter: None,
            filters_replies: false,
            often: Often::default(),
            chance: Chance::new(0, "stubs"),
        }));
        proxy.put(|_| true, &rule);
        proxy.pointed(|_| true).await;
        Ok((Self { proxy }, address))
    }

    /// Takes the address down.
    pub(crate) fn stop(self) {
        self.proxy.stop();
    }
}

/// Mappings, and what is not theirs to answer.
pub(crate) struct Mapped {
    pub(crate) wiremock: Arc<WireMock>,
    /// What is served where no mapping answers.
    pub(crate) files: Arc<Files>,
    pub(crate) reserved: Reserved,
    /// Packs answers for those who take that; none where nothing is packed.
    pub(crate) packing: Option<Packing>,
    /// May pages of any origin read what is answered?
    pub(crate) is_shared: bool,
}

impl Mapped {
    /// What packs the answer to a request, where whoever asks takes that.
    fn packing_for(&self, request: &Request) -> Option<&Packing> {
        self.packing.as_ref().filter(|_| takes_gzip(&request.method, request.header("accept-encoding")))
    }

    /// Does our own server answer this path?
    fn is_reserved(&self, path: &str) -> bool {
        let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        self.reserved.contains(&first)
    }

    /// A file of the folder that is asked for by its path.
    fn file(&self, asked: &Asked<'_>, path: &str) -> Option<Answering> {
        let method = asked.request.get("method").and_then(Value::as_text)?;
        if !matches!(method, "GET" | "HEAD") {
            return None;
        }
        let (status, kind, body) = if let Ok((bytes, is_index)) = self.files.served(path)? {
            let kind = if is_index { "text/html;charset=utf-8" } else { media_type(path) };
            (StatusCode::OK, kind, bytes)
        } else {
            let page = jetty(StatusCode::FORBIDDEN, path, "Forbidden");
            (page.status, "text/html;charset=ISO-8859-1", page.body.to_vec())
        };
        let value = Value::map([
            ("status", Value::from(status.as_u16())),
            ("headers", Value::map([("Content-Type", Value::text(kind))])),
            ("body", Value::map([("base64", Value::Text(STANDARD.encode(body)))])),
        ]);
        Some(answering(Say::Answer(Arc::new(value))))
    }
}

/// The type of a file by its ending, as WireMock's server knows it; what it doesn't know it tells as JSON.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase().as_str() {
        "txt" | "java" => "text/plain",
        "html" | "htm" => "text/html",
        "xhtml" => "application/xhtml+xml",
        "xml" | "xsd" => "application/xml",
        "css" => "text/css",
        "js" | "mjs" => "text/javascript",
        "csv" => "text/csv",
        "rtf" => "application/rtf",
        "pdf" => "application/pdf",
        "doc" => "application/msword",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "bmp" => "image/bmp",
        "ico" => "image/x-icon",
        "tiff" => "image/tiff",
        "webp" => "image/webp",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "mp3" => "audio/mpeg",
        "wav" => "audio/x-wav",
        "mp4" => "video/mp4",
        "mpeg" => "video/mpeg",
        "avi" => "video/x-msvideo",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "tar" => "application/x-tar",
        "jar" => "application/java-archive",
        "class" => "application/java-vm",
        "wasm" => "application/wasm",
        "bin" => "application/octet-stream",
        _ => "application/json",
    }
}

impl Answers for Mapped {
    fn at_a_glance(&self, glance: Glance<'_>) -> Option<Answering> {
        if self.is_shared {
            // What a page asks is looked at whole.
            return None;
        }
        let request = Request::at_a_glance(glance, jiff::Timestamp::now())?;
        if self.is_reserved(request.path()) {
            return Some(answering(Say::Pass));
        }
        // What nothing matches is read: it may be a file that is asked for, and it is written down.
        let packing = self.packing_for(&request);
        Some(packed(self.wiremock.serve_at_a_glance(request)?, packing))
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let path = asked.request.get("path").and_then(Value::as_text).unwrap_or("/");
        if self.is_reserved(path) {
            // Who may not control anything is refused by the server. A stub answers whoever asks, by whatever name: it may
            // stand in for a host of another, and mappings can ask for one.
            return Some(answering(Say::Pass));
        }
        let now = jiff::Timestamp::now();
        if !self.is_shared {
            return Some(self.answered(asked, path, now));
        }
        let request = Request::of(asked, now);
        if let Some(answer) = preflight(&request) {
            return Some(answering(Say::Answer(Arc::new(answer))));
        }
        Some(shared(self.answered(asked, path, now), &request))
    }
}

impl Mapped {
    /// What a mapping answers, or a file, or that there is none.
    fn answered(&self, asked: &Asked<'_>, path: &str, now: jiff::Timestamp) -> Answering {
        let request = Request::of(asked, now);
        let packing = self.packing_for(&request);
        if let Some(answer) = self.wiremock.serve(request).answering {
            return packed(answer, packing);
        }
        if let Some(file) = self.file(asked, path) {
            return file;
        }
        let report = self.wiremock.not_matched(&Request::of(asked, now));
        answering(Say::Answer(Arc::new(not_found(&report))))
    }
}

fn packed(answering: Answering, packing: Option<&Packing>) -> Answering {
    match packing {
        Some(packing) => packing.of(answering),
        None => answering,
    }
}

/// What a client is told whom nothing has answered.
fn not_found(report: &str) -> Value {
    Value::map([
        ("status", Value::from(404_u16)),
        (
            "headers",
            Value::map([
                ("Content-Type", Value::text("text/plain;charset=UTF-8")),
                ("Transfer-Encoding", Value::text("chunked")),
            ]),
        ),
        ("text", Value::text(report)),
    ])
}

fn answering(say: Say) -> Answering {
    Answering { by: "stubs".into(), after: Duration::ZERO, say, dribble: None, afterwards: Vec::new() }
}

/// What passes here is a client's own, and nobody is told.
struct Unwatched;

impl Witness for Unwatched {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, _: Interaction) {}

    fn unread(&mut self, _: Unread) {}

    fn degraded(&mut self, _: &SeamId, _: u64, _: &str) {}

    fn lost(&mut self, _: &SeamId, _: u64) {}
}
