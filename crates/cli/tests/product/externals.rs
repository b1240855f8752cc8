//! Somebody else's components: with TLS, far away, not there, and without TLS.

use crate::place::{Done, Place, skipped};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Says which path it was asked for, and by what name it was called; `/moved` leads to another path of its own.
fn answer(stream: &mut (impl Read + Write), scheme: &str) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match stream.read_line(&mut head) {
                Ok(n_read) if n_read > 0 => {}
                _ => return,
            }
        }
        let path = head.split(' ').nth(1).unwrap();
        let host =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned));
        let host = host.unwrap();
        let answer = if path.ends_with("/moved") {
            format!("HTTP/1.1 302 Found\r\nLocation: {scheme}://{host}/v1/rates\r\nContent-Length: 0\r\n\r\n")
        } else {
            let body = format!(r#"{{"path":"{path}","host":"{host}"}}"#);
            let length = body.len();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
        };
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        stream.get_mut().flush().unwrap();
    }
}

/// Takes mails, whoever they are from.
fn take_mails(stream: &mut (impl Read + Write)) {
    let mut stream = BufReader::new(stream);
    let mut says = "220 here";
    let mut is_content = false;
    loop {
        stream.get_mut().write_all(says.as_bytes()).unwrap();
        stream.get_mut().write_all(if says.is_empty() { b"" } else { b"\r\n" }).unwrap();
        stream.get_mut().flush().unwrap();
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line), Ok(n_read) if n_read > 0) {
            return;
        }
        says = match line.trim_end() {
            "." if is_content => "250 taken over TLS",
            _ if is_content => "",
            "DATA" => "354 go on",
            _ => "250 well",
        };
        is_content = matches!(says, "" | "354 go on");
    }
}

/// A server on a port of this machine, with TLS or without; what it presents is put into the place.
fn serve(place: &Place, tls: bool) -> u16 {
    if tls {
        serve_by(place, |config, stream| {
            answer(&mut StreamOwned::new(ServerConnection::new(config).unwrap(), stream), "https");
        })
    } else {
        serve_by(place, |_, mut stream| answer(&mut stream, "http"))
    }
}

/// The same, for whatever is said on its connections.
fn serve_by(place: &Place, talk: fn(Arc<ServerConfig>, TcpStream)) -> u16 {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    place.write("trusted.pem", &cert.pem());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, config) = (stream.unwrap(), Arc::clone(&config));
            std::thread::spawn(move || talk(config, stream));
        }
    });
    port
}

fn run(place: &Place) -> Done {
    let trusted = place.path().join("trusted.pem");
    let output = place.command(&["run"]).env("SSL_CERT_FILE", trusted).output().unwrap();
    Done::of(&output, place)
}

/// All that was recorded of the only run.
fn history(place: &Place) -> String {
    let runs = std::fs::read_dir(place.path().join(".seam/runs")).unwrap();
    let folder = runs.map(|run| run.unwrap().path()).find(|path| path.join("events.jsonl").is_file());
    std::fs::read_to_string(folder.unwrap().join("events.jsonl")).unwrap()
}

#[test]
fn tls_is_put_on_and_what_passes_is_seen() {
    let place = Place::new();
    let port = serve(&place, true);
    place.write(
        "seam.yaml",
        &format!("system: demo\ncomponents:\n  rates: {{ external: \"https://localhost:{port}/v1\" }}\n"),
    );
    place.write(
        "tests/rates.seam.yaml",
        &format!(
            "tests:
  - name: Rates
    steps:
      - http: GET rates/eur
        expect: {{ status: 200, body: {{ like: {{ path: /v1/eur, host: \"localhost:{port}\" }} }} }}
      - http: GET rates/moved
        follow: true
        expect: {{ body.path: /v1/rates }}
      - seam: test -> rates
        expect:
          count: 3
          interactions.0.reply.body.path: /v1/eur
          interactions.1.reply.headers.location: {{ matches: '^http://127\\.0\\.0\\.1:[0-9]+/v1/rates$' }}
"
        ),
    );
    run(&place).exits(0);
    let history = history(&place);
    let told =
        format!("https://localhost:{port}/v1, with TLS put on, `Host` and its own `Location` rewritten");
    assert_eq!(history.matches(&told).count(), 1, "{history}");
}

#[test]
fn a_certificate_that_nobody_trusts_looks_like_a_failing_provider_and_says_why() {
    let place = Place::new();
    let port = serve(&place, true);
    serve(&place, true); // whose certificate is trusted instead
    place.write(
        "seam.yaml",
        &format!("system: demo\ncomponents:\n  rates: {{ external: \"https://localhost:{port}\" }}\n"),
    );
    place.write(
        "tests/rates.seam.yaml",
        "tests:
  - name: Rates
    steps:
      - { http: GET rates/eur, expect: { error: reset } }
      - { http: GET rates/usd, expect: { error: reset } }
      - { http: GET rates/eur, expect: { status: 200 } }
",
    );
    let done = run(&place).exits(1);
    assert!(done.out.contains("is signed by nobody whom this machine trusts"), "{}", done.out);
    assert!(done.out.contains("hint: write `ca: FILE` beside `external`, a file (PEM)"), "{}", done.out);
    assert_eq!(history(&place).matches("`rates` gave no answer").count(), 1);
}

#[test]
fn an_authority_is_trusted_where_the_system_says_so() {
    let place = Place::new();
    let port = serve(&place, true);
    let system = |ca: &str| {
        format!(
            "system: demo\ncomponents:\n  rates: {{ external: \"https://localhost:{port}\", ca: {ca} }}\n"
        )
    };
    place.write("seam.yaml", &system("trusted.pem"));
    place.write(
        "tests/rates.seam.yaml",
        "tests:
  - name: Rates
    steps:
      - { http: GET rates/eur, expect: { body.path: /eur } }
",
    );
    let plain = || Done::of(&place.command(&["run"]).output().unwrap(), &place);
    plain().exits(0);
    place.write("seam.yaml", &system("nowhere.pem"));
    let done = plain().exits(1);
    assert!(done.out.contains("`rates` gave no answer: no certificates can be read from"), "{}", done.out);
    place.write("seam.yaml", &system("trusted.pem").replace("https", "http"));
    let done = plain().exits(2);
    assert!(done.err.contains("`ca` of `rates` is of no use"), "{}", done.err);
}

/// What begins with TLS is handed over by it, and seen without.
#[test]
fn mails_go_to_an_external_at_smtps() {
    let place = Place::new();
    let port = serve_by(&place, |config, stream| {
        take_mails(&mut StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
    });
    place.write(
        "seam.yaml",
        &format!(
            "system: demo\ncomponents:\n  relay: {{ external: \"smtps://localhost:{port}\", ca: trusted.pem }}\n"
        ),
    );
    place.write(
        "tests/mails.seam.yaml",
        "tests:
  - name: Mails
    steps:
      - { send: relay, from: a@b.test, to: c@d.test, subject: hi, expect: { status: 250, text: taken over TLS } }
      - { seam: test -> relay, expect: { count: 1, interactions.0.request.subject: hi } }
",
    );
    Done::of(&place.command(&["run"]).output().unwrap(), &place).exits(0);
}

/// Speaks HTTP/2 alone, gRPC too, over TLS; and wants to be shown a certificate.
const TWO: &str = r"
const [, folder] = process.argv, fs = require('fs'), read = name => fs.readFileSync(`${folder}/${name}`);
const server = require('http2').createSecureServer({ key: read('trusted.key'), cert: read('trusted.pem'), ca: read('client.pem'), requestCert: true });
server.on('stream', (stream, headers) => {
  const body = [];
  stream.on('data', bytes => body.push(bytes));
  stream.on('end', () => {
    const asked = Buffer.concat(body), shown = stream.session.socket.getPeerCertificate().subject.CN;
    if (headers['content-type'] === 'application/grpc') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      return stream.end(asked);
    }
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(JSON.stringify({ path: headers[':path'], host: headers[':authority'], shown, asked: String(asked) }));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
";

#[test]
fn http_2_and_grpc_go_on_with_tls_and_a_certificate_is_shown() {
    let place = Place::new();
    for (name, file) in [("localhost", "trusted"), ("ann", "client")] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut of = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        of.distinguished_name.push(rcgen::DnType::CommonName, name);
        place.write(&format!("{file}.pem"), &of.self_signed(&key).unwrap().pem());
        place.write(&format!("{file}.key"), &key.serialize_pem());
    }
    let node = Command::new("node")
        .args(["-e", TWO, &place.path().display().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut node) = node else {
        skipped("needs node");
        return;
    };
    let mut port = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let port = port.trim();
    let system = |client: &str| {
        format!(
            "system: demo\ncomponents:\n  rates:\n    external: https://localhost:{port}\n    ca: trusted.pem\n{client}    \
             endpoints: {{ rpc: grpc }}\n"
        )
    };
    let shown = "    client: { certificate: client.pem, key: client.key }\n";
    place.write("seam.yaml", &system(shown));
    place.write(
        "tests/rates.seam.yaml",
        &format!(
            "tests:
  - name: Rates
    steps:
      - http: POST rates/eur
        version: 2
        json: [1]
        expect: {{ status: 200, body: {{ like: {{ path: /eur, host: \"localhost:{port}\", shown: ann, asked: \"[1]\" }} }} }}
      - grpc: rates.rpc/shop.Rates/Of
        body: {{ base64: CAE= }}
        expect: {{ status: OK, body.base64: CAE= }}
      - seam: test -> rates
        where: {{ request.path: /eur }}
        expect: {{ count: 1, interactions.0.reply.body.shown: ann }}
"
        ),
    );
    let plain = || Done::of(&place.command(&["run"]).output().unwrap(), &place);
    plain().exits(0);
    place.write("seam.yaml", &system(""));
    // With TLS 1.3 it says so only when the request is under way, and its reset may overtake that.
    let is_overtaken = |done: &Done| done.out.contains("it reset the connection before it answered");
    let done = (0..5).map(|_| plain().exits(1)).find(|done| !is_overtaken(done));
    let done = done.expect("it tells why at least once");
    assert!(done.out.contains("it wants to be shown a certificate"), "{}", done.out);
    assert!(done.out.contains("write `client: { certificate: FILE, key: FILE }`"), "{}", done.out);
    place.write("seam.yaml", &system(shown).replace(", key: client.key", ""));
    let done = plain().exits(2);
    assert!(done.err.contains("key"), "{}", done.err);
    drop(node.stdin.take());
    node.wait().unwrap();
}

#[test]
fn what_is_far_away_is_asked_only_where_the_user_says_so() {
    let place = Place::new();
    serve(&place, true);
    place.write(
        "seam.yaml",
        "system: demo\ncomponents:\n  bank: { external: \"https://bank.invalid\" }\n  \
         mint: { external: \"https://mint.invalid\" }\n  \
         shop: { external: \"tcp://shop.invalid:99\", live: true, protocol: http }\n",
    );
    place.write(
        "tests/bank.seam.yaml",
        "tests:
  - name: Refused
    steps:
      - { http: GET bank/a, expect: { error: refused } }
      - { http: GET bank/b, expect: { error: refused } }
      - { seam: test -> bank, expect: { count: { at_most: 2 } } }
",
    );
    let done = run(&place).exits(0);
    let all = format!("{}{}", done.out, done.err);
    assert_eq!(all.matches("`bank` is not on this machine and was not asked").count(), 1, "{all}");
    assert!(all.contains("hint: write `live: true` at `bank`"), "{all}");
    assert!(!all.contains("`mint` is not on this machine"), "{all}");
    assert!(all.contains("https://mint.invalid, which is not asked: nothing says `live: true`"), "{all}");
    let checked = Done::of(&place.command(&["check"]).output().unwrap(), &place).exits(0);
    for name in ["bank", "mint"] {
        assert!(checked.out.contains(&format!("not asked: `{name}`, which is not on")), "{}", checked.out);
    }
    assert!(!checked.out.contains("`shop`"), "{}", checked.out);
}

#[test]
fn a_test_may_allow_for_itself_what_is_far_away() {
    let place = Place::new();
    serve(&place, true);
    place.write(
        "seam.yaml",
        "system: demo\ncomponents:\n  bank: { external: \"https://bank.invalid\" }\n  \
         ledger: { external: \"tcp://ledger.invalid:99\", protocol: http }\n",
    );
    place.write(
        "tests/bank.seam.yaml",
        "tests:
  - name: Before
    steps:
      - { http: GET bank/a, expect: { error: refused } }
  - name: Allowed
    live: true
    steps:
      - { http: GET bank/a, expect: { error: reset } }
      - { http: GET ledger/a, expect: { error: { one_of: [reset, closed] } } }
  - name: After
    live: [ledger]
    steps:
      - { http: GET bank/a, expect: { error: refused } }
",
    );
    let done = run(&place).exits(0);
    assert!(done.out.contains("which is asked only by tests that say `live`"), "{}", done.out);
    let told = history(&place);
    assert_eq!(told.matches("`bank` gave no answer: the name `bank.invalid` is not known").count(), 1);
    assert_eq!(told.matches("`ledger` gave no answer: the name `ledger.invalid` is not known").count(), 1);
}

#[test]
fn what_goes_beyond_its_bounds_is_not_asked_and_leaves_the_test_inconclusive() {
    let place = Place::new();
    let port = serve(&place, false);
    place.write(
        "seam.yaml",
        &format!(
            "system: demo\ncomponents:\n  rates: {{ external: \"http://127.0.0.1:{port}/v1\", budget: 3, \
             operations: [\"GET /rates/{{currency}}\"] }}\n"
        ),
    );
    place.write(
        "tests/rates.seam.yaml",
        "tests:
  - name: Within
    live: { rates: { budget: 2 } }
    steps:
      - { http: GET rates/rates/eur, expect: { body.path: /v1/rates/eur } }
      - { http: GET rates/rates/usd, expect: { status: 200 } }
  - name: Another operation
    steps:
      - { http: POST rates/rates/eur, expect: { error: reset } }
  - name: Beyond
    steps:
      - { http: GET rates/rates/eur, expect: { status: 200 } }
      - { http: GET rates/rates/eur, expect: { error: reset } }
",
    );
    let done = run(&place).exits(3);
    assert!(done.out.contains("`rates` was not asked: `POST /v1/rates/eur` is none of its `operations`"));
    assert!(done.out.contains("`rates` was not asked: the run's `budget` of 3 requests is used up"));
    assert!(done.out.contains("1 passed") && done.out.contains("2 inconclusive"), "{}", done.out);
}

#[test]
fn bounds_that_can_not_be_kept_are_told_before_anything_starts() {
    let place = Place::new();
    place.write(
        "seam.yaml",
        "system: demo\ncomponents:\n  db: { external: \"tcp://127.0.0.1:1\", protocol: tcp, budget: 3 }\n  \
         rates: { external: \"http://127.0.0.1:1\", operations: [rates] }\n",
    );
    place.write(
        "tests/rates.seam.yaml",
        "tests:
  - name: Unknown
    live: [rate]
    steps:
      - { http: GET rates/a, expect: { error: refused } }
",
    );
    let done = Done::of(&place.command(&["check"]).output().unwrap(), &place).exits(2);
    let all = format!("{}{}", done.out, done.err);
    for told in [
        "`budget` and `operations` need http or https",
        "`rates` is no operation",
        "there is no external component `rate`",
    ] {
        assert!(all.contains(told), "{told} is not in {all}");
    }
}

#[test]
fn one_on_this_machine_where_nobody_listens_refuses() {
    let place = Place::new();
    serve(&place, true);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.write(
        "seam.yaml",
        &format!(
            "system: demo\ncomponents:\n  rates: {{ external: \"http://127.0.0.1:{free}\" }}\n  \
             sealed: {{ external: \"https://localhost:{free}\" }}\n"
        ),
    );
    place.write(
        "tests/rates.seam.yaml",
        "tests:
  - name: Closed
    steps:
      - { http: GET rates/a, expect: { error: refused } }
      - { http: GET sealed/a, expect: { error: refused } }
      - { seam: test -> sealed, within: 5s, expect: { count: 1, interactions.0.error: refused } }
",
    );
    run(&place).exits(0);
    let told = history(&place);
    for place in [
        format!("`rates` gave no answer: 127.0.0.1:{free}"),
        format!("`sealed` gave no answer: localhost:{free}"),
    ] {
        assert_eq!(
            told.matches(&format!("{place} can't be reached: connection refused")).count(),
            1,
            "{told}"
        );
    }
}

#[test]
fn one_that_comes_and_goes_while_the_tests_run_is_asked_when_it_is_there() {
    let place = Place::new();
    serve(&place, true);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    place.write(
        "seam.yaml",
        &format!("system: demo\ncomponents:\n  rates: {{ external: \"http://127.0.0.1:{free}\" }}\n"),
    );
    place.write("server.py", SERVER);
    place.write(
        "tests/rates.seam.yaml",
        &format!(
            "tests:
  - name: Comes and goes
    steps:
      - {{ http: GET rates/a, expect: {{ error: refused }} }}
      - {{ exec: [python3, server.py, start, \"{free}\"] }}
      - {{ http: GET rates/a, within: 10s, expect: {{ status: 200, text: here }} }}
      - {{ http: GET rates/last, expect: {{ status: 200 }} }}
      - {{ http: GET rates/a, within: 10s, expect: {{ error: refused }} }}
"
        ),
    );
    run(&place).exits(0);
}

/// A server that is started by itself, and ends after it was asked for `/last`.
const SERVER: &str = r#"
import http.server, subprocess, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"here")
        self.server.over = self.path == "/last"
    def log_message(self, *rest):
        pass

if sys.argv[1] == "start":
    quiet = subprocess.DEVNULL
    subprocess.Popen([sys.executable, __file__, "serve", sys.argv[2]], stdin=quiet, stdout=quiet, stderr=quiet)
else:
    server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Answer)
    server.over = False
    server.timeout = 30
    while not server.over:
        server.handle_request()
"#;

#[test]
fn a_name_that_nobody_knows_is_a_failure_of_whoever_uses_it() {
    let place = Place::new();
    serve(&place, true);
    place.write(
        "seam.yaml",
        "system: demo\ncomponents:\n  bank: { external: \"https://bank.invalid\", live: true }\n  \
         shop: { external: \"tcp://shop.invalid:99\", live: true, protocol: http }\n",
    );
    place.write(
        "tests/bank.seam.yaml",
        "tests:
  - name: Unknown
    steps:
      - { http: GET bank/a, expect: { error: reset } }
      - { http: GET shop/a, expect: { error: { one_of: [reset, closed] } } }
",
    );
    let done = run(&place).exits(0);
    let told = history(&place);
    assert!(told.contains("`bank` gave no answer: the name `bank.invalid` is not known"), "{}", done.out);
    assert!(told.contains("`shop` gave no answer: the name `shop.invalid` is not known"), "{}", done.out);
}

#[test]
fn one_without_tls_is_asked_under_its_path_and_one_of_another_kind_byte_for_byte() {
    let place = Place::new();
    let port = serve(&place, false);
    place.write(".env", &format!("RATES=http://localhost:{port}/v1/\n"));
    place.write(
        "seam.yaml",
        &format!(
            "system: demo\ncomponents:\n  rates: {{ external: \"${{env.RATES}}\" }}\n  \
             named: {{ external: \"http://rates.localhost:{port}\" }}\n  \
             bytes: {{ external: \"tcp://127.0.0.1:{port}\", protocol: http }}\n"
        ),
    );
    place.write(
        "tests/rates.seam.yaml",
        &format!(
            "tests:
  - name: Rates
    steps:
      - {{ http: GET rates/moved, follow: true, expect: {{ body.path: /v1/rates }} }}
      - {{ http: GET rates/eur, expect: {{ body.path: /v1/eur }} }}
      - {{ http: GET named/eur, expect: {{ body: {{ like: {{ path: /eur, host: \"rates.localhost:{port}\" }} }} }} }}
      - {{ http: GET bytes/eur, expect: {{ body.path: /eur, body.host: {{ starts_with: '127.0.0.1:' }} }} }}
"
        ),
    );
    run(&place).exits(0);
}
