//! HTTP requests that a stub wants sent: to somebody else instead of the provider, and of its own accord (webhooks).
//!
//! Each has a connection of its own, a deadline and bounds. What can't be asked is answered with 500 and the reason, as
//! WireMock does it. With TLS every certificate is taken, as by WireMock: who is passed on to was named by the user, and in
//! tests it signs for itself more often than not.

mod exchange;

use crate::gateway::{Duplex, EndsAnyhow};
use crate::reach::{DIAL, connect};
use exchange::Reply;
use hyper::Uri;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use seam_value::{Map, Value};
use seam_wire::{Callback, Elsewhere};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long the whole answer may take.
const ANSWER: Duration = Duration::from_mins(1);

/// What belongs to one connection and is never passed on.
const OF_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
];

/// A request of HTTP/1 as it came: method, target, headers, body.
struct Came<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Vec<u8>,
}

/// Asks somebody else what was asked here; the fields of the reply as HTTP's interactions have them.
pub(crate) async fn ask(elsewhere: &Elsewhere, asked: &[u8]) -> Value {
    let came = Came::read(asked);
    let target = came.as_ref().map_or("/", |came| came.target);
    let is_head = came.as_ref().is_some_and(|came| came.method == "HEAD");
    let target = target.strip_prefix(elsewhere.without_prefix.as_str()).unwrap_or(target);
    let url = format!("{}{target}", elsewhere.base.trim_end_matches('/'));
    let answered = async {
        let came = came.ok_or("only requests of HTTP/1 can be passed on")?;
        let mut headers: Vec<(String, String)> = came
            .headers
            .iter()
            .filter(|(name, _)| {
                !elsewhere.without_headers.iter().any(|other| name.eq_ignore_ascii_case(other))
            })
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        headers.extend(elsewhere.headers.iter().cloned());
        send(came.method, &url, &headers, came.body).await
    };
    let mut unsaid = Map::default();
    let mut answer = match answered.await {
        Ok(Reply { status, reason, headers, body }) => {
            unsaid = of_body(&headers, is_head || status == 304);
            let mut headers = passed_on(headers);
            for (name, value) in &elsewhere.reply_headers {
                add(&mut headers, name.clone(), value.clone());
            }
            let body = Value::map([("base64", Value::text(base64(&body)))]);
            Value::map([
                ("status", Value::from(status)),
                ("reason", Value::Text(reason)),
                ("headers", Value::Map(headers)),
                ("body", body),
            ])
        }
        Err(reason) => {
            let text = format!(
                "Network failure trying to make a proxied request from WireMock to {url}\r\n{reason}"
            );
            Value::map([
                ("status", Value::from(500_u16)),
                ("reason", Value::text("Server Error")),
                ("headers", Value::map([("Content-Type", Value::List(Vec::new()))])),
                ("text", Value::text(text)),
            ])
        }
    };
    if let Some(heard_by) = &elsewhere.heard_by {
        heard_by.hear(&answer);
    }
    if let Value::Map(answer) = &mut answer
        && let Some(Value::Map(headers)) = answer.get_mut("headers")
    {
        for (name, value) in unsaid {
            if !headers.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
                headers.insert(name, value);
            }
        }
    }
    answer
}

/// What an answer says of its body besides, or does not say, so that nothing is made up in its place: its type, and the
/// length of one that is not there, because only the head was asked for or the consumer has it.
fn of_body(headers: &[(String, String)], is_elsewhere: bool) -> Map {
    let nothing = || Value::List(Vec::new());
    let mut said = Map::default();
    said.insert("Content-Type".to_owned(), nothing());
    if is_elsewhere {
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.map_or_else(nothing, |(_, length)| Value::text(length));
        said.insert("Content-Length".to_owned(), length);
    }
    said
}

/// Sends a request of a stub's own accord, after its time. Nobody waits for what comes of it.
pub(crate) async fn call_back(callback: Callback) {
    tokio::time::sleep(callback.after).await;
    let _ = send(&callback.method, &callback.url, &callback.headers, callback.body).await;
}

/// Sends a request, and gives the answer.
async fn send(method: &str, url: &str, headers: &[(String, String)], body: Vec<u8>) -> Result<Reply, String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no address"))?;
    let usual = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err("only addresses that begin with http:// or https:// can be asked".to_owned()),
    };
    let host = uri.host().ok_or_else(|| format!("{url} names no host"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream =
        connect(bare, uri.port_u16().unwrap_or(usual), DIAL).await.map_err(|error| error.to_string())?;
    let mut stream: Box<dyn Duplex> =
        if usual == 443 { with_tls(bare, stream).await? } else { Box::new(stream) };
    let is_ours = |name: &str| {
        OF_CONNECTION.iter().any(|ours| name.eq_ignore_ascii_case(ours)) || name.eq_ignore_ascii_case("host")
    };
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| !is_ours(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let request = exchange::Request {
        method,
        target: uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str),
        authority: uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default(),
        headers: &headers,
        body: &body,
    };
    let asking = exchange::exchange(&mut *stream, &request);
    timeout(ANSWER, asking).await.unwrap_or_else(|_| Err("no answer within a minute".to_owned()))
}

/// The headers of an answer that are passed on, as a map.
fn passed_on(all: Vec<(String, String)>) -> Map {
    let mut headers = Map::default();
    for (name, value) in all {
        if !OF_CONNECTION.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            add(&mut headers, name, value);
        }
    }
    headers
}

/// Adds a header to those of the same name.
fn add(headers: &mut Map, name: String, value: String) {
    let known = headers.keys().find(|known: &&String| known.eq_ignore_ascii_case(&name)).cloned();
    match known.and_then(|known| headers.get_mut(&known)) {
        None => drop(headers.insert(name, Value::Text(value))),
        Some(Value::List(values)) => values.push(Value::Text(value)),
        Some(one) => *one = Value::List(vec![std::mem::take(one), Value::Text(value)]),
    }
}

/// Puts TLS on a connection.
async fn with_tls(host: &str, stream: TcpStream) -> Result<Box<dyn Duplex>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let provider = Arc::new(crypto::ring::default_provider());
    let schemes = provider.signature_verification_algorithms;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(schemes)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(DIAL, connecting).await {
        Ok(Ok(stream)) => Ok(Box::new(EndsAnyhow::new(stream))),
        Ok(Err(error)) => Err(format!("TLS with {host} came to nothing: {error}")),
        Err(_) => Err(format!("TLS with {host} took longer than {DIAL:?}")),
    }
}

/// Takes whoever holds the key of the certificate that it shows.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

impl<'a> Came<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if !version.starts_with("HTTP/1") {
            return None;
        }
        let headers: Vec<(&str, &str)> =
            lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect();
        let is_chunked = headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("transfer-encoding") && value.to_ascii_lowercase().contains("chunked")
        });
        let rest = &bytes[end + 4..];
        let body = if is_chunked { unchunked(rest)? } else { rest.to_vec() };
        // A proxy is asked for a whole address, of which the authority was meant for us.
        let target = match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
            _ => target,
        };
        Some(Self { method, target, headers, body })
    }
}

/// A body without its chunks' heads.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with a certificate that nobody has signed but itself.
    async fn with_tls() -> u16 {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
            let mut room = [0; 1024];
            let n_read = stream.read(&mut room).await.unwrap();
            assert!(room[..n_read].starts_with(b"PUT /base/x?y=z HTTP/1.1\r\n"));
            stream.write_all(b"HTTP/1.1 202 OK\r\nX-Seen: a\r\nX-Seen: b\r\n\r\nsafe").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        port
    }

    #[tokio::test]
    async fn whoever_wants_tls_is_asked_with_tls() {
        let base = format!("https://localhost:{}/base/", with_tls().await);
        let elsewhere = Elsewhere { base, ..Elsewhere::default() };
        let asked = b"PUT /x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
        let answer = ask(&elsewhere, asked).await;
        assert_eq!(
            answer.to_string(),
            r#"{"status":202,"reason":"OK","headers":{"X-Seen":["a","b"],"Content-Type":[]},"body":{"base64":"c2FmZQ=="}}"#
        );
    }

    #[tokio::test]
    async fn nothing_is_made_up_of_a_body() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        for (method, said, headers) in [
            ("GET", "200 OK\r\nContent-Length: 2\r\n\r\nhi", r#"{"Content-Type":[]}"#),
            ("GET", "200 OK\r\ncontent-type: a/b\r\nContent-Length: 0\r\n\r\n", r#"{"content-type":"a/b"}"#),
            ("GET", "304 Same\r\nContent-Length: 9\r\n\r\n", r#"{"Content-Type":[],"Content-Length":"9"}"#),
            ("HEAD", "200 OK\r\nContent-Length: 9\r\n\r\n", r#"{"Content-Type":[],"Content-Length":"9"}"#),
            (
                "HEAD",
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                r#"{"Content-Type":[],"Content-Length":[]}"#,
            ),
        ] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let serving = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await.unwrap();
                stream.write_all(format!("HTTP/1.1 {said}").as_bytes()).await.unwrap();
            };
            let elsewhere = Elsewhere { base, ..Elsewhere::default() };
            let asked = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            let (answer, ()) = tokio::join!(ask(&elsewhere, asked.as_bytes()), serving);
            assert_eq!(answer.get("headers").unwrap().to_string(), headers, "{method} {said}");
        }
    }

    #[test]
    fn requests_are_read_as_they_came() {
        let came = Came::read(b"POST http://a/b?c=d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").unwrap();
        assert_eq!((came.method, came.target, came.body.as_slice()), ("POST", "/b?c=d", b"abcde".as_slice()));
        assert!(Came::read(b"PRI * HTTP/2.0\r\n\r\n").is_none());
        assert!(Came::read(b"GET").is_none());
    }
}
