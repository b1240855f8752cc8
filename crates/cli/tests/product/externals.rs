//! Somebody else's components: with TLS, far away, not there, and without TLS.

use crate::place::{Done, Place};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
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

/// A server on a port of this machine, with TLS or without; what it presents is put into the place.
fn serve(place: &Place, tls: bool) -> u16 {
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
            let (mut stream, config): (TcpStream, _) = (stream.unwrap(), Arc::clone(&config));
            std::thread::spawn(move || {
                if tls {
                    let connection = ServerConnection::new(config).unwrap();
                    answer(&mut StreamOwned::new(connection, stream), "https");
                } else {
                    answer(&mut stream, "http");
                }
            });
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
    assert!(done.out.contains("hint: let SSL_CERT_FILE name a file (PEM)"), "{}", done.out);
    assert_eq!(history(&place).matches("`rates` gave no answer").count(), 1);
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
}

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
