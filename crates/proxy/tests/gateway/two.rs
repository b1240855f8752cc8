//! What passes a gateway over HTTP/2, to a server with TLS that speaks it; and a certificate that is asked for.

use crate::external::{External, LONG, Presents, Request, Standing};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self as client, SendRequest};
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, crypto};
use socket2::SockRef;
use std::io::{BufReader, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Does it want to be shown a certificate?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Never,
    Insists,
    /// It does, and who shows none is reset without a word: as it is where the reset overtakes the alert.
    Resets,
}

/// A server, and certificates of one authority: its own, and one for a client.
struct Two {
    port: u16,
    n_connections: Arc<AtomicUsize>,
    /// All connections break off.
    breaks: Arc<Notify>,
    folder: TempDir,
}

impl Two {
    /// `asks` says how it wants to be shown a certificate, `alpn` what it speaks.
    async fn start(asks: Asks, alpn: &'static [u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder, asks, alpn);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let n_connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&n_connections);
        let breaks = Arc::new(Notify::new());
        let broken = Arc::clone(&breaks);
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
                let broken = Arc::clone(&broken);
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    if asks == Asks::Resets && stream.get_ref().1.peer_certificates().is_none() {
                        SockRef::from(stream.get_ref().0).set_linger(Some(Duration::ZERO)).unwrap();
                        return;
                    }
                    counter.fetch_add(1, Ordering::SeqCst);
                    let serving = server::Builder::new(TokioExecutor::new());
                    let serving = serving.serve_connection(TokioIo::new(stream), service_fn(answer));
                    tokio::select! {
                        _ = serving => {}
                        () = broken.notified() => {}
                    }
                });
            }
        });
        Self { port, n_connections, breaks, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn gateway(&self, shown: bool) -> Standing {
        Standing::open("localhost", self.port, |spec| {
            spec.trust = seam_proxy::Trust::File(self.file("authority.pem"));
            spec.shown = shown.then(|| (self.file("client.pem"), self.file("client.key")));
        })
        .await
    }
}

fn config(folder: &TempDir, asks: Asks, alpn: &[u8]) -> ServerConfig {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let own = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("authority.pem", own.pem());
    let [(certificate, key), _] = [("server", "localhost"), ("client", "ann")].map(|(name, of)| {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![of.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
        (certificate.der().clone(), key.serialize_der())
    });
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = if asks == Asks::Never {
        config.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        roots.add(own.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = if asks == Asks::Resets { verifier.allow_unauthenticated() } else { verifier };
        config.with_client_cert_verifier(verifier.build().unwrap())
    };
    let mut config =
        config.with_single_cert(vec![certificate], PrivateKeyDer::try_from(key).unwrap()).unwrap();
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

type Said = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

/// Says what it was asked, and a trailer; `/never` has no end, `/broken` is reset, `/moved` leads elsewhere on it.
async fn answer(request: hyper::Request<Incoming>) -> Result<Response<Said>, std::io::Error> {
    let (head, body) = request.into_parts();
    match head.uri.path() {
        "/broken" => return Err(std::io::Error::other("broken")),
        "/never" => std::future::pending::<()>().await,
        "/half" => {
            let half = std::iter::once(Ok(Frame::data(Bytes::from("half"))));
            let whole = futures_util::StreamExt::chain(
                futures_util::stream::iter(half),
                futures_util::stream::pending(),
            );
            return Ok(Response::new(StreamBody::new(whole).boxed()));
        }
        _ => {}
    }
    let body = body.collect().await.map_err(std::io::Error::other)?;
    let trailer = body.trailers().and_then(|trailers| trailers.get("sum").cloned());
    let told = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body.to_bytes()));
    let mut after = HeaderMap::new();
    after.insert("grpc-status", "0".parse().unwrap());
    if let Some(sum) = trailer {
        after.insert("sum", sum);
    }
    let trailers = async move { Some(Ok(after)) };
    let own = head.uri.authority().map(ToString::to_string).unwrap_or_default();
    let response = Response::builder().header("location", format!("https://{own}/there"));
    let said = Full::new(Bytes::from(told)).map_err(|never| match never {});
    Ok(response.body(said.with_trailers(trailers).boxed()).unwrap())
}

type Sent = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, std::io::Error>>>>;

async fn connect(standing: &Standing) -> SendRequest<Sent> {
    let stream = TcpStream::connect(standing.address).await.unwrap();
    let (sender, connection) =
        client::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn asking(standing: &Standing, path: &str, body: &[&str]) -> hyper::Request<Sent> {
    let mut frames: Vec<Result<Frame<Bytes>, std::io::Error>> =
        body.iter().map(|one| Ok(Frame::data(Bytes::copy_from_slice(one.as_bytes())))).collect();
    let mut trailers = HeaderMap::new();
    trailers.insert("sum", body.len().into());
    frames.push(Ok(Frame::trailers(trailers)));
    hyper::Request::post(format!("http://{}{path}", standing.address))
        .body(StreamBody::new(futures_util::stream::iter(frames)))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_pass_each_for_itself() {
    let external = Two::start(Asks::Never, b"h2").await;
    let standing = external.gateway(false).await;
    let mut sender = connect(&standing).await;
    let never = tokio::spawn(sender.send_request(asking(&standing, "/never", &[])));
    let broken = sender.send_request(asking(&standing, "/broken", &[])).await.unwrap_err();
    let of_stream = std::error::Error::source(&broken).and_then(|error| error.downcast_ref::<h2::Error>());
    assert!(of_stream.is_some_and(h2::Error::is_reset), "{broken:?}");
    let (own, came) = (format!("localhost:{}", external.port), standing.address);
    for path in ["/a?b=1", "/c"] {
        let response = sender.send_request(asking(&standing, path, &["x", "y"])).await.unwrap();
        assert_eq!(response.headers()["location"], format!("http://{came}/there"));
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.trailers().unwrap()["sum"], "2");
        assert_eq!(body.to_bytes(), format!("POST https://{own}{path} xy"));
    }
    assert!(!never.is_finished());
    assert_eq!(external.n_connections.load(Ordering::SeqCst), 1);
    assert!(standing.told_nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_answer_a_call_is_told() {
    let external = Two::start(Asks::Never, b"h2").await;
    let standing = Standing::open("localhost", external.port, |spec| {
        spec.trust = seam_proxy::Trust::File(external.file("authority.pem"));
        spec.patience.answer = Duration::from_millis(300);
    })
    .await;
    let mut sender = connect(&standing).await;
    let sent = sender.send_request(asking(&standing, "/never", &["x"]));
    tokio::time::timeout(LONG, sent).await.unwrap().unwrap_err();
    let told = standing.told();
    assert!(told.contains("its answer"), "{told}");
    // Only that call is given up.
    assert_eq!(sender.send_request(asking(&standing, "/a", &["x"])).await.unwrap().status(), 200);
    assert_eq!(external.n_connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_speaks_something_else_is_told() {
    let external = Two::start(Asks::Never, b"http/1.1").await;
    let standing = external.gateway(false).await;
    let mut sender = connect(&standing).await;
    let sent = tokio::time::timeout(LONG, sender.send_request(asking(&standing, "/a", &[]))).await.unwrap();
    sent.unwrap_err();
    assert!(standing.told().starts_with("it speaks no HTTP/2; leave `version: 2` out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_asked_over_http_2_is_not() {
    let external = Two::start(Asks::Never, b"h2").await;
    let standing =
        Standing::open("localhost", external.port, |spec| {
            spec.trust = seam_proxy::Trust::File(external.file("authority.pem"));
            spec.permit = Some(Arc::new(|method, path| {
                if path == "/a" { Ok(()) } else { Err(format!("`{method} {path}` is too much")) }
            }));
        })
        .await;
    let mut sender = connect(&standing).await;
    sender.send_request(asking(&standing, "/b", &[])).await.unwrap_err();
    assert!(standing.told().contains("`POST /b` is too much"));
    assert_eq!(sender.send_request(asking(&standing, "/a", &[])).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_where_one_is_asked_for() {
    let external = Two::start(Asks::Insists, b"h2").await;
    let with = external.gateway(true).await;
    let mut sender = connect(&with).await;
    assert_eq!(sender.send_request(asking(&with, "/a", &["x"])).await.unwrap().status(), 200);
    let without = external.gateway(false).await;
    let mut sender = connect(&without).await;
    sender.send_request(asking(&without, "/a", &["x"])).await.unwrap_err();
    let told = without.told();
    assert!(told.starts_with("it wants to be shown a certificate that it accepts; write `client:"), "{told}");
    let resets = Two::start(Asks::Resets, b"h2").await;
    let overtaken = resets.gateway(false).await;
    let mut sender = connect(&overtaken).await;
    sender.send_request(asking(&overtaken, "/a", &["x"])).await.unwrap_err();
    assert_eq!(overtaken.told(), told);
    std::fs::write(external.file("client.key"), "nothing").unwrap();
    let unread = external.gateway(true).await;
    let mut sender = connect(&unread).await;
    sender.send_request(asking(&unread, "/a", &["x"])).await.unwrap_err();
    let told = unread.told();
    assert!(told.contains("client.pem can't be shown: ") && told.contains("client.key"), "{told}");
}

/// The consumer only hears that its call was reset.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_with_its_connection_is_told() {
    let external = Two::start(Asks::Never, b"h2").await;
    let standing = external.gateway(false).await;
    let mut sender = connect(&standing).await;
    let mut answer = sender.send_request(asking(&standing, "/half", &[])).await.unwrap();
    assert!(answer.frame().await.unwrap().unwrap().is_data());
    external.breaks.notify_waiters();
    answer.frame().await.unwrap().unwrap_err();
    let told = standing.told();
    assert!(told.contains("the connection in the middle of its answer"), "{told}");
}

/// The first bytes of HTTP/1.1 come one by one, and begin like those of HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_begin_alike() {
    let external = External::serving(Presents::Good, |stream| {
        let mut stream = BufReader::new(stream);
        let request = Request::read(&mut stream).unwrap();
        let method = request.head.split(' ').next().unwrap().to_owned();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{method}", method.len());
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
    });
    let standing = external.gateway().await;
    for method in ["PROPFIND", "P", "PR", "GET"] {
        let mut consumer = standing.connect();
        consumer.set_nodelay(true).unwrap();
        for byte in format!("{method} / HTTP/1.1\r\nHost: x\r\n").bytes() {
            consumer.write_all(&[byte]).unwrap();
        }
        assert!(crate::external::ask_on(&mut consumer, "\r\n").ends_with(method));
    }
}
