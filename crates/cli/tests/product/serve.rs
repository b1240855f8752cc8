//! `seam serve`: what it prints, what listens there, and that it ends when it is asked to.

use crate::place::Place;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

struct Serving {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Serving {
    fn start(place: &Place, words: &[&str]) -> Self {
        let mut child = place.start(words);
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The address after this word in the next line.
    fn address(&mut self, word: &str) -> String {
        let line = self.line();
        let rest = line.strip_prefix(word).unwrap_or_else(|| panic!("{line} does not begin with {word}"));
        let rest = rest.trim_start_matches([':', ' ']).trim_start_matches("http://");
        rest.split(' ').next().unwrap().to_owned()
    }

    /// Asks it to end, and says how long that took.
    fn end(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, began.elapsed())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request with its whole answer.
fn ask(address: &str, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn stubs_seams_and_proxies_stand_without_a_system() {
    let place = Place::new();
    place.write(
        "hello.yaml",
        "stubs:\n  - { request: GET /hello, reply: { status: 200, json: { said: hello } } }\n",
    );
    let words = ["serve", "--control", "127.0.0.1:0", "--stub", "hello.yaml", "--listen", "127.0.0.1:0"];
    let mut first = Serving::start(&place, &words);
    let control = first.address("control");
    let stub = first.address("stub");
    assert!(ask(&stub, "GET /hello", "").contains(r#"{"said":"hello"}"#));
    place.write(
        "proxies.json",
        &format!(r#"[{{"name":"hello","listen":"localhost:0","upstream":"{stub}"}}]"#),
    );
    let seam = format!("127.0.0.1:0={stub}");
    let words = ["serve", "--seam", &seam, "--toxiproxy-config", "proxies.json"];
    let mut second = Serving::start(&place, &words);
    let (other, between, proxy) =
        (second.address("control"), second.address("seam"), second.address("toxiproxy"));
    for address in [&between, &proxy] {
        assert!(ask(address, "GET /hello", "").contains(r#"{"said":"hello"}"#), "{address}");
    }
    let rule = format!(r#"{{"seam": "{between} -> {stub}", "fault": {{"status": 503}}, "times": 1}}"#);
    assert!(ask(&other, "POST /seam/rules", &rule).starts_with("HTTP/1.1 201"));
    assert!(ask(&between, "GET /hello", "").starts_with("HTTP/1.1 503"));
    assert!(ask(&between, "GET /hello", "").starts_with("HTTP/1.1 200"));
    assert!(ask(&other, "GET /seam/interactions", "").contains(r#""count":3"#));
    assert!(ask(&control, "GET /seam/health", "").contains(r#""status":"up""#));
    for serving in [first, second] {
        let (code, took) = serving.end();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

/// Whoever asks such a stub is reset, which says nothing by itself.
#[test]
fn a_stub_whose_answer_cannot_be_said_is_told_once() {
    let place = Place::new();
    place.write(
        "stubs.yaml",
        "stubs:
  - { name: bad, request: GET /bad, reply: { status: 200, text: \"${int(request.query.n)}\" } }
  - { name: worse, request: GET /worse, reply: { status: \"${request.body.n + 1}\" } }
",
    );
    let mut serving = Serving::start(&place, &["serve", "--stub", "stubs.yaml", "--listen", "127.0.0.1:0"]);
    let mut told = BufReader::new(serving.child.stderr.take().unwrap()).lines().map_while(Result::ok);
    serving.address("control");
    let stub = serving.address("stub");
    for path in ["/bad?n=x", "/bad?n=y", "/worse"] {
        let mut stream = TcpStream::connect(&stub).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert_eq!(answer, "");
    }
    let mut warnings = told.by_ref().filter(|line| line.starts_with("warning: "));
    let [bad, worse] = [(); 2].map(|()| warnings.next().unwrap());
    let expect = |name: &str| {
        format!("warning: the stub `{name}` on {stub} -> stubs.yaml has an answer that can't be said: ")
    };
    assert!(bad.starts_with(&expect("bad")) && bad.contains("`x` is no number"), "{bad}");
    assert!(worse.starts_with(&expect("worse")), "{worse}");
    assert_eq!(serving.end().0, Some(0));
}

/// What passes is kept in the form that the file's name says, without secrets, and can be served again.
#[test]
fn what_passes_is_recorded() {
    let place = Place::new();
    place.write(
        "hello.yaml",
        "stubs:\n  - { request: GET /hello, reply: { status: 200, json: { said: hello } } }\n",
    );
    let mut first = Serving::start(&place, &["serve", "--stub", "hello.yaml", "--listen", "127.0.0.1:0"]);
    let _ = first.address("control");
    let stub = first.address("stub");
    // A port that a seam holds already is not shared with it.
    let done = place.seam(&["serve", "--seam", &format!("{stub}=127.0.0.1:1")]).exits(2);
    assert!(done.err.contains("in use"), "{}", done.err);
    for (file, replays) in [("traffic.har", true), ("one.yaml", true), ("folder", false)] {
        let seam = format!("127.0.0.1:0={stub}");
        let mut second = Serving::start(&place, &["serve", "--seam", &seam, "--record", file]);
        let _ = second.address("control");
        let between = second.address("seam");
        let line = "GET /hello?access_token=abcdefghijklmnop1234";
        assert!(ask(&between, line, "").starts_with("HTTP/1.1 200"));
        let (code, took) = second.end();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(1), "{took:?}");
        if !replays {
            assert_eq!(std::fs::read_dir(place.path().join(file)).unwrap().count(), 1);
            continue;
        }
        let text = std::fs::read_to_string(place.path().join(file)).unwrap();
        assert!(text.contains("hello") && !text.contains("abcdefghijklmnop1234"), "{text}");
        let mut third = Serving::start(&place, &["serve", "--stub", file, "--listen", "127.0.0.1:0"]);
        let _ = third.address("control");
        let again = third.address("stub");
        assert!(ask(&again, line, "").contains(r#"{"said":"hello"}"#), "{file}");
    }
}

#[test]
fn what_cannot_be_served_is_told() {
    let place = Place::new();
    place.write("wrong.yaml", "stubs:\n  - { request: GET /hello, replay: {} }\n");
    for (words, told) in [
        (["serve", "--control", "0.0.0.0:0"].as_slice(), "not on loopback"),
        (&["serve", "--stub", "wrong.yaml", "--listen", "127.0.0.1:0"], "replay"),
        (&["serve", "--stub", "none.yaml", "--listen", "127.0.0.1:0"], "none.yaml"),
        (&["serve", "--stub", "wrong.yaml"], "--listen"),
        (&["serve", "--seam", "127.0.0.1:0=nowhere"], "nowhere"),
        (
            &["serve", "--seam", "127.0.0.1:0=127.0.0.1:1,htp"],
            "there is no protocol `htp`; did you mean `http`?",
        ),
    ] {
        let done = place.seam(words).exits(2);
        assert!(done.err.contains(told), "{words:?}: {}", done.err);
    }
}

#[test]
fn a_system_that_is_up_is_controlled() {
    let Some(place) = Place::demo("") else { return };
    std::fs::remove_dir_all(place.path().join("tests")).unwrap();
    place.write("hello.yaml", "stubs:\n  - { request: GET /hello, reply: { json: { said: hello } } }\n");
    let beside = ["--stub", "hello.yaml", "--listen", "127.0.0.1:0", "--record", "traffic.har"];
    let mut up = Serving::start(&place, &[&["up", "--control", "127.0.0.1:0"][..], &beside].concat());
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.starts_with("control: ")) {
        lines.push(up.line());
        assert!(lines.len() < 20, "{lines:?}");
    }
    let stub = up.address("stub");
    assert!(ask(&stub, "GET /hello", "").contains(r#"{"said":"hello"}"#));
    let control = lines.last().unwrap().trim_start_matches("control: http://").to_owned();
    let front =
        lines.iter().find_map(|line| line.trim_start().strip_prefix("front  http://")).unwrap().to_owned();
    let seams = ask(&control, "GET /seam/seams", "");
    assert!(seams.contains("\"seam\":\"front -> back\""), "{seams}");
    let leads_nowhere = |seam: &str| seam.contains("front -> back") && seam.contains(r#""leads_to":"""#);
    assert!(!seams.split('{').any(leads_nowhere), "{seams}");
    assert!(seams.contains(r#""leads_to":"127.0.0.1:"#), "{seams}");
    assert!(seams.contains(&stub), "what stands beside the system is told with it: {seams}");
    let rule = r#"{"seam": "front -> back", "stub": {"request": "GET /hello", "reply": {"json": {"from": "stub"}}}}"#;
    let put = ask(&control, "POST /seam/rules", rule);
    assert!(put.starts_with("HTTP/1.1 201"), "{put}");
    assert!(ask(&front, "GET /next", "").contains("stub"));
    assert!(ask(&control, "DELETE /seam/rules", "").starts_with("HTTP/1.1 204"));
    assert!(ask(&front, "GET /next", "").contains("ok"));
    let passed = ask(&control, "GET /seam/interactions?seam=front%20-%3E%20back", "");
    assert!(passed.contains("\"answered_by\":\"stub"), "{passed}");
    assert!(ask(&control, "POST /seam/components/back/stop", "").starts_with("HTTP/1.1 200"));
    assert!(ask(&control, "GET /seam/health", "").contains(r#"{"name":"back","state":"stopped"}"#));
    assert!(ask(&control, "GET /seam/seams", "").split('{').any(leads_nowhere), "nothing listens there");
    assert!(ask(&control, "POST /seam/components/back/start", "").starts_with("HTTP/1.1 200"));
    assert!(ask(&front, "GET /next", "").contains("ok"));
    assert!(ask(&control, "POST /seam/components/none/start", "").starts_with("HTTP/1.1 404"));
    let (code, _) = up.end();
    assert_eq!(code, Some(0));
    let har = std::fs::read_to_string(place.path().join("traffic.har")).unwrap();
    assert!(har.contains("\"_seam\": \"front -> back\""), "{har}");
    assert_eq!(place.survivors(), Vec::<String>::new());
}

/// Who wants TLS gets it, by an authority whose file is named, and goes in the end.
#[test]
fn what_is_served_also_speaks_tls() {
    let place = Place::new();
    place.write("hello.yaml", "stubs:\n  - { request: GET /hello, reply: { json: { said: hello } } }\n");
    let mut serving = Serving::start(&place, &["serve", "--stub", "hello.yaml", "--listen", "127.0.0.1:0"]);
    let _ = serving.address("control");
    let stub = serving.address("stub");
    let line = serving.line();
    let file = line.strip_prefix("each also speaks TLS, by the certificate in ").unwrap().to_owned();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&file).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(&stub).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(tls, stream);
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#"{"said":"hello"}"#), "{answer}");
    assert_eq!(serving.end().0, Some(0));
    assert!(!std::path::Path::new(&file).exists());
}

#[test]
fn seams_that_lead_back_to_themselves_are_refused() {
    let place = Place::new();
    for seams in [
        &["--seam", "127.0.0.1:47111=localhost:47111"][..],
        &["--seam", "127.0.0.1:47111=127.0.0.1:47112", "--seam", "127.0.0.1:47112=127.0.0.1:47111"],
    ] {
        let words = [&["serve", "--control", "127.0.0.1:0"], seams].concat();
        assert!(place.seam(&words).exits(2).err.contains("leads back to itself"));
    }
}

#[test]
fn the_certificate_of_one_that_was_killed_is_swept_by_the_next() {
    let place = Place::new();
    let words = ["serve", "--control", "127.0.0.1:0", "--seam", "127.0.0.1:0=127.0.0.1:9"];
    let certificate = |serving: &mut Serving| -> std::path::PathBuf {
        loop {
            let line = serving.line();
            if let Some((_, file)) = line.split_once("by the certificate in ") {
                return file.into();
            }
        }
    };
    let mut killed = Serving::start(&place, &words);
    let left = certificate(&mut killed);
    drop(killed);
    assert!(left.exists());
    let mut next = Serving::start(&place, &words);
    assert!(certificate(&mut next).exists() && !left.exists());
}
