//! HTTP over TLS, with curl and Node: HTTP/1.1 and HTTP/2, as both sides agree on.

use crate::bed::{Certificates, Seam, run};
use crate::servers::{Server, free_port, program, python};
use seam_proxy::ProviderTlsSpec;
use seam_wire::grpc::Descriptors;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const SERVER: &str = r"
import http.server, ssl, sys
class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200); self.send_header('content-length', '5'); self.end_headers(); self.wfile.write(b'hello')
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Hello)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2] + '/server.pem', sys.argv[2] + '/server.key')
    if len(sys.argv) > 3:
        context.verify_mode = ssl.CERT_REQUIRED; context.load_verify_locations(sys.argv[2] + '/ca.pem')
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

fn server(python: &str, folder: Option<&Path>) -> Server {
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-c", SERVER, &port.to_string()]).args(folder);
    Server::start(tempfile::tempdir().unwrap(), port, &mut command)
}

fn get(curl: &Path, seam: &Seam, scheme: &str, more: &[&str]) -> String {
    let address = format!("{scheme}://localhost:{}/", seam.port());
    let ca = seam.ca();
    let mut arguments = vec!["-sS", "--max-time", "10", "--cacert", &ca, "-w", " %{http_version}", &address];
    arguments.extend(more);
    run(curl, &arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_tls_is_asked_as_declared_or_as_its_consumer_does() {
    let (Some(python), Some(curl)) = (python("ssl"), program("curl")) else { return };
    let certificates = Certificates::new();
    let with = server(python, Some(certificates.0.path()));
    let without = server(python, None);
    for (server, declared, scheme) in [
        (&with, None, "https"),
        (&with, Some(certificates.judged()), "http"),
        (&with, Some(certificates.judged()), "https"),
        (&with, Some(ProviderTlsSpec::default()), "https"),
        (&without, None, "http"),
        (&without, None, "https"),
    ] {
        let mut seam = Seam::stand("http", server.port).await;
        if let Some(spec) = &declared {
            seam = seam.declared(spec);
        }
        for more in [&[][..], &["--http1.1"], &["--http2"]] {
            if scheme == "https" || more != ["--http2"] {
                assert_eq!(get(&curl, &seam, scheme, more), "hello 1.1", "{declared:?} {scheme} {more:?}");
            }
        }
        assert!(seam.told().await.len() >= 2);
    }
    let other = ProviderTlsSpec { names: vec!["api".to_owned()], ..certificates.judged() };
    let seam = Seam::stand("http", with.port).await.declared(&other);
    assert!(get(&curl, &seam, "http", &[]).contains("curl: "));
    let why = seam.why().await;
    assert!(why[0].contains("has a certificate that is not for `api`"), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumers_own_certificate_ends_at_the_seam_and_that_is_told() {
    let (Some(python), Some(curl)) = (python("ssl"), program("curl")) else { return };
    let certificates = Certificates::new();
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-c", SERVER, &port.to_string()]).arg(certificates.0.path()).arg("mutual");
    let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
    let (shown, key) = (certificates.text("client.pem"), certificates.text("client.key"));
    let more = ["--cert", &shown, "--key", &key];
    for declared in [false, true] {
        let mut seam = Seam::stand("http", server.port).await;
        if declared {
            seam = seam.declared(&certificates.judged());
        }
        assert!(get(&curl, &seam, "https", &more).contains("curl: "));
        let why = seam.why().await;
        assert!(why[0].contains("wants to be shown a certificate"), "{declared}: {why:?}");
        let seam = Seam::stand("http", server.port).await.declared(&certificates.shown());
        assert_eq!(get(&curl, &seam, "https", &more), "hello 1.1");
    }
}

const NODE: &str = r"
const http2 = require('http2'), fs = require('fs');
const [port, how, folder] = process.argv.slice(1);
const read = (name) => fs.readFileSync(folder + '/' + name);
const answer = (stream) => { stream.respond({ ':status': 200 }); stream.end('hello'); };
const server = how === 'tls' ? http2.createSecureServer({ key: read('server.key'), cert: read('server.pem') })
  : http2.createServer();
server.on('stream', answer);
server.listen(Number(port), '127.0.0.1');
";

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_agreed_on() {
    let (Some(node), Some(curl)) = (program("node"), program("curl")) else { return };
    let certificates = Certificates::new();
    let folder = certificates.text("");
    for (how, word, declared, scheme, more) in [
        ("tls", "http", false, "https", "--http2"),
        ("tls", "http", true, "https", "--http2"),
        ("tls", "grpc", true, "https", "--http2"),
        ("tls", "http", true, "http", "--http2-prior-knowledge"),
        ("plain", "grpc", false, "https", "--http2"),
        ("plain", "http", false, "http", "--http2-prior-knowledge"),
    ] {
        let port = free_port();
        let mut command = Command::new(&node);
        command.args(["-e", NODE, &port.to_string(), how, &folder]);
        let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
        let mut seam = Seam::stand(word, server.port).await;
        if declared {
            seam = seam.declared(&certificates.judged());
        }
        assert_eq!(get(&curl, &seam, scheme, &[more]), "hello 2", "{how} {word} {declared} {scheme}");
        assert_eq!(seam.told().await.len(), 1);
    }
}

const GRPC: &str = r"
const http2 = require('http2');
const server = http2.createServer();
// As a server does it that has to know what is asked before it answers.
server.on('stream', (stream, headers) => stream.resume().on('end', () => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 7]));
}));
server.listen(Number(process.argv[1]), '127.0.0.1');
";

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_grpc_are_read_as_they_are_described() {
    const PROTO: &str = "syntax = 'proto3'; package shop; message Order { string isbn = 1; } \
        message Placed { int32 number = 1; } service Orders { rpc Place(Order) returns (Placed); }";
    let (Some(node), Some(curl)) = (program("node"), program("curl")) else { return };
    let port = free_port();
    let mut command = Command::new(&node);
    command.args(["-e", GRPC, &port.to_string()]);
    let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
    let seam = Seam::stand("grpc", server.port).await;
    let described = Descriptors::from_protos(&["a.proto"], |_| Some(PROTO.to_owned())).unwrap();
    seam.proxy.describe(|_| true, &Arc::new(described));
    let message = server.dir.path().join("message");
    std::fs::write(&message, b"\0\0\0\0\x05\x0a\x03978").unwrap();
    let address = format!("http://localhost:{}/shop.Orders/Place", seam.port());
    let data = format!("@{}", message.display());
    let said = run(
        &curl,
        &[
            "-sS",
            "--http2-prior-knowledge",
            "-H",
            "content-type: application/grpc",
            "-o",
            "/dev/null",
            "--data-binary",
            &data,
            &address,
        ],
    );
    assert_eq!(said, "");
    let told = seam.told().await;
    assert_eq!(told.len(), 1);
    assert!(told[0].request.get("body").is_some() && told[0].reply.get("body").is_some(), "{:?}", told[0]);
    assert_eq!(told[0].request.get("body").unwrap().to_string(), r#"{"isbn":"978"}"#);
    assert_eq!(told[0].reply.get("body").unwrap().to_string(), r#"{"number":7}"#);
}
