//! Serves an address with stubs and interfaces: reads each request whole, within bounds, and hands it to whom its path
//! belongs.

use crate::answer::{Answer, Asked};
use crate::front::{Front, Mapped, Reserved};
use crate::guard::refusal;
use crate::own::{House, Own};
use crate::packing::Packing;
use crate::toxiproxy::Toxiproxy;
use crate::wiremock::{Admin, Files, Stands};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use seam_expr::Chance;
use seam_proxy::ProxyError;
use seam_stub::Surroundings;
use seam_stub::wiremock::{Templates, WireMock};
use seam_value::Value;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// The most that the body of a request may have.
const MOST_BODY: usize = 8 * MIB;

/// The most that an archive of HTTP may have: what a browser has seen is larger than what anybody writes.
const MOST_ARCHIVE: usize = 64 * MIB;

/// How much more than that is read and thrown away, so that whoever sends it sees why it is refused.
const MOST_DRAINED: usize = 64 * MIB;

const MIB: usize = 1024 * 1024;

/// How long a connection may say nothing, or be in the middle of a head. A stub's answer may be late for so long.
const HEAD_WITHIN: Duration = Duration::from_mins(1);

/// How long reading a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// Connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 4096;

/// Paths of the control address that no stub answers.
const OF_CONTROL: Reserved = &["seam", "__admin", "proxies", "populate", "reset", "version", "metrics"];

/// Paths of an address with WireMock's mappings that no stub answers.
const OF_WIREMOCK: Reserved = &["__admin"];

/// Why there is no such address.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It is none of loopback's.
    #[error("listen for control on {0}, which is not on loopback")]
    NotLoopback(SocketAddr),
    /// Nothing can listen there.
    #[error("listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No seam can be stood on.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// What a folder of WireMock's holds is wrong.
    #[error("read the mappings of {root}: {reason}")]
    Mappings {
        /// The folder.
        root: String,
        /// All that is wrong, one line each.
        reason: String,
    },
}

/// What the control address serves.
pub struct Control {
    /// The proxies that Toxiproxy's clients make.
    pub toxiproxy: Arc<Toxiproxy>,
    /// What is up.
    pub house: Arc<dyn House>,
    /// How mappings at this address are answered.
    pub manner: Manner,
}

/// How mappings are answered, beyond what they say themselves: some of the words of WireMock's own program.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Whose answers are templates.
    pub templates: Templates,
    /// Are answers sent as they are, also to those who take them packed with gzip?
    pub never_packs: bool,
    /// May pages of any origin read what mappings answer?
    pub is_shared: bool,
    /// How many requests are remembered at most; as many as there is room for where nothing is said.
    pub most_events: Option<usize>,
    /// Who is asked, in a folder, what no mapping of more than the lowest priority answers.
    pub proxy_all: Option<String>,
}

/// An address while it is served.
pub struct Served {
    address: SocketAddr,
    front: Front,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Control {
    /// Listens there, on loopback; must be called within a runtime.
    pub async fn serve(self, address: SocketAddr) -> Result<Served, ControlError> {
        let files = Arc::new(Files::of(None));
        let wiremock = WireMock::new(surroundings(), found_in(&files)).with_templates(self.manner.templates);
        let wiremock = Arc::new(wiremock.with_most_events(self.manner.most_events));
        let own = Own::new(Arc::clone(&self.house), Arc::clone(&wiremock));
        let admin = Admin { wiremock, files, stands: Some(Stands::new(self.house)), began: Instant::now() };
        let serving = Serving { toxiproxy: Some(self.toxiproxy), own: Some(own), admin };
        Served::begin(address, serving, (OF_CONTROL, self.manner)).await
    }
}

/// Serves a folder of WireMock's (`mappings`, `__files`), with its admin interface. Gives warnings about the mappings, too.
pub async fn serve_wiremock(
    address: SocketAddr,
    root: &Path,
    manner: Manner,
) -> Result<(Served, Vec<String>), ControlError> {
    let files = Arc::new(Files::of(Some(root.to_owned())));
    let wiremock = WireMock::new(surroundings(), found_in(&files)).with_templates(manner.templates);
    let wiremock = Arc::new(wiremock.with_most_events(manner.most_events));
    let failed = |reason: String| ControlError::Mappings { root: root.display().to_string(), reason };
    if !root.is_dir() {
        return Err(failed("there is no such folder".to_owned()));
    }
    let admin = Admin { wiremock, files, stands: None, began: Instant::now() };
    let warnings = admin.load().map_err(failed)?;
    if let Some(base) = &manner.proxy_all {
        // It is a mapping like those that are posted: a reset takes it away.
        let response = Value::map([("proxyBaseUrl", Value::text(base))]);
        let all = Value::map([("priority", Value::from(10_u16)), ("response", response)]);
        admin.wiremock.add_mapping(&all).map_err(|wrong| failed(wrong.to_string()))?;
    }
    let serving = Serving { toxiproxy: None, own: None, admin };
    Ok((Served::begin(address, serving, (OF_WIREMOCK, manner)).await?, warnings))
}

impl Served {
    async fn begin(
        address: SocketAddr,
        serving: Serving,
        (reserved, manner): (Reserved, Manner),
    ) -> Result<Self, ControlError> {
        if !address.ip().is_loopback() {
            return Err(ControlError::NotLoopback(address));
        }
        let failed = |source| ControlError::Listen { address, source };
        if address.port() != 0 {
            // A seam shares its port with whoever else wants to, which nobody would expect here.
            drop(std::net::TcpListener::bind(address).map_err(failed)?);
        }
        let socket = PrivateSocket::make().map_err(failed)?;
        let listener = UnixListener::bind(&socket.path).map_err(failed)?;
        let mapped = Mapped {
            wiremock: Arc::clone(&serving.admin.wiremock),
            files: Arc::clone(&serving.admin.files),
            reserved,
            packing: (!manner.never_packs).then(Packing::default),
            is_shared: manner.is_shared,
        };
        let (front, address) = Front::stand(address, socket.path.clone(), mapped).await?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(Arc::new(serving).listen((listener, socket), stopped));
        Ok(Self { address, front, stop, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, closes all connections of clients, and takes down what Toxiproxy's clients have made.
    pub async fn close(self) {
        drop(self.stop);
        let front = self.front;
        // Ending the proxy waits for its threads.
        let _ = tokio::task::spawn_blocking(move || front.stop()).await;
        // A task that has panicked has closed all the same.
        let _ = self.serving.await;
    }
}

/// A socket that only this user reaches; gone with this.
struct PrivateSocket {
    folder: PathBuf,
    path: PathBuf,
}

impl PrivateSocket {
    fn make() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("seam-control-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self { path: folder.join("http"), folder }),
                // Left over from a process of the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for PrivateSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// What templates of posted mappings may ask.
fn surroundings() -> Surroundings {
    Surroundings {
        chance: Chance::new(std::process::id().into(), "mappings"),
        now: jiff::Timestamp::now,
        env: Box::new(|name| std::env::var(name).ok()),
        file: Box::new(|name| Err(format!("{name} is not read"))),
        hostname: "localhost".to_owned(),
    }
}

fn found_in(files: &Arc<Files>) -> seam_stub::FindFile {
    let files = Arc::clone(files);
    Box::new(move |name| files.read(name))
}

struct Serving {
    toxiproxy: Option<Arc<Toxiproxy>>,
    own: Option<Own>,
    admin: Admin,
}

impl Serving {
    async fn listen(
        self: Arc<Self>,
        (listener, socket): (UnixListener, PrivateSocket),
        mut stopped: oneshot::Receiver<()>,
    ) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(_) = open.join_next(), if !open.is_empty() => {}
                accepted = listener.accept(), if open.len() < MOST_CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        open.spawn(Arc::clone(&self).connection(stream));
                    }
                    // Out of file descriptors, or the client is gone already: the next may do better.
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        }
        drop((listener, socket));
        open.shutdown().await;
        if let Some(toxiproxy) = &self.toxiproxy {
            toxiproxy.clear().await;
        }
    }

    async fn connection(self: Arc<Self>, stream: UnixStream) {
        let service = service_fn(|request| {
            let serving = Arc::clone(&self);
            async move { Ok::<_, Infallible>(serving.exchange(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // As clients of Toxiproxy and WireMock know them: `Content-Type`.
            .title_case_headers(true)
            .header_read_timeout(HEAD_WITHIN)
            .serve_connection(TokioIo::new(stream), service);
        // An error is the client's: it went away, was too slow, or spoke no HTTP, which it was told.
        let _ = connection.await;
    }

    async fn exchange(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let authority = head.uri.authority().map(hyper::http::uri::Authority::as_str);
        if let Some(refused) = refusal(&head.headers, authority) {
            return refused.with("connection", "close").into();
        }
        let body = match read(body, head.uri.path()).await {
            Ok(body) => body,
            Err(refused) => return refused.with("connection", "close").into(),
        };
        let asked = Asked {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
        };
        self.answer(&asked).await.into()
    }

    async fn answer(&self, asked: &Asked) -> Answer {
        if let Some(toxiproxy) = &self.toxiproxy
            && let Some(answer) = toxiproxy.answer(asked).await
        {
            return answer;
        }
        if let Some(own) = &self.own
            && let Some(answer) = own.answer(asked).await
        {
            return answer;
        }
        if let Some(answer) = self.admin.answer(asked).await {
            return answer;
        }
        let message = format!("nothing answers {} {}", asked.method, asked.path);
        let hint = "Seamwork's own API stands under /seam/ (/seam/openapi.yaml), WireMock's under /__admin, Toxiproxy's at /proxies";
        Answer::error(StatusCode::NOT_FOUND, &message, hint)
    }
}

/// Reads a body, unless it is too large or too slow.
async fn read(body: Incoming, path: &str) -> Result<Bytes, Answer> {
    let (most, hint) = match path {
        "/seam/har" => (MOST_ARCHIVE, "`seam record --from FILE.har` reads one of any size"),
        _ => (MOST_BODY, "send it in parts"),
    };
    let reading = gather(body, most);
    match tokio::time::timeout(BODY_WITHIN, reading).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => {
            let message = format!("the body is larger than {} MiB", most / MIB);
            Err(Answer::error(StatusCode::PAYLOAD_TOO_LARGE, &message, hint))
        }
        Ok(Err(_)) => Err(Answer::error(StatusCode::BAD_REQUEST, "the body can't be read", "")),
        Err(_) => Err(Answer::error(StatusCode::REQUEST_TIMEOUT, "the body did not come within 15 s", "")),
    }
}

/// A body of at most so many bytes; none where it has more. Then the rest is read as well, within reason: who is still
/// sending when the connection is closed gets a reset, and never sees why.
async fn gather(mut body: Incoming, most: usize) -> Result<Option<Bytes>, hyper::Error> {
    let (mut kept, mut n_bytes) = (BytesMut::new(), 0);
    while n_bytes <= most + MOST_DRAINED
        && let Some(frame) = body.frame().await.transpose()?
    {
        let Ok(data) = frame.into_data() else { continue };
        n_bytes += data.len();
        if n_bytes <= most {
            kept.extend_from_slice(&data);
        } else {
            kept = BytesMut::new();
        }
    }
    Ok((n_bytes <= most).then(|| kept.freeze()))
}
