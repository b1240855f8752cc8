//! WireMock's admin interface over real sockets: mappings that answer, break, pass on, call back, and stand on seams.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use seam_control::{Control, Manner, Seams, Served, Toxiproxy, serve_wiremock};
use seam_expr::Chance;
use seam_stub::Surroundings;
use seam_stub::wiremock::Templates;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

async fn serve() -> (Served, Arc<Seams>) {
    let surroundings = Surroundings {
        chance: Chance::new(1, "test"),
        now: jiff::Timestamp::now,
        env: Box::new(|_| None),
        file: Box::new(|_| Err("there is none".to_owned())),
        hostname: "here".to_owned(),
    };
    let seams = Arc::new(Seams::start(surroundings).unwrap());
    let control = Control {
        toxiproxy: Arc::new(Toxiproxy::new(1)),
        house: Arc::clone(&seams) as _,
        manner: Manner::default(),
    };
    (control.serve("127.0.0.1:0".parse().unwrap()).await.unwrap(), seams)
}

async fn ask(address: SocketAddr, line: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer in time");
    if read.is_err() || answer.len() < 12 {
        return (0, answer);
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (answer[9..12].parse().unwrap(), if is_chunked { unchunked(body) } else { body.to_owned() })
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        whole += &rest[..size];
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

async fn map(address: SocketAddr, mapping: Value) -> Value {
    let (status, told) = ask(address, "POST /__admin/mappings", &mapping.to_string()).await;
    assert_eq!(status, 201, "{told}");
    serde_json::from_str(&told).unwrap()
}

/// A server that answers everything with what it was asked, and tells it.
async fn server() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut room = vec![0; 4096];
                let n_read = stream.read(&mut room).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&room[..n_read]).into_owned();
                let line = asked.lines().next().unwrap_or_default().to_owned();
                let answer =
                    format!("HTTP/1.1 203 OK\r\nX-Own: yes\r\nContent-Length: {}\r\n\r\n{line}", line.len());
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = tell.send(asked).await;
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn posted_mappings_answer_every_other_path() {
    let (served, _seams) = serve().await;
    let address = served.address();
    let made = map(address, json!({ "request": { "urlPath": "/hello" }, "response": { "body": "{{request.query.q}}", "transformers": ["response-template"] } })).await;
    assert_eq!(ask(address, "GET /hello?q=you", "").await, (200, "you".to_owned()));
    assert_eq!(ask(address, "GET /other", "").await.0, 404);
    let (_, count) = ask(address, "POST /__admin/requests/count", r#"{"url": "/hello?q=you"}"#).await;
    assert!(count.contains("\"count\" : 1"), "{count}");
    let (_, missed) = ask(address, "GET /__admin/requests/unmatched/near-misses", "").await;
    assert!(missed.contains("/other"), "{missed}");
    let (status, wrong) = ask(address, "POST /__admin/mappings", r#"{"request": {"urll": "/x"}}"#).await;
    assert!(status == 422 && wrong.contains("/request/urll"), "{wrong}");
    for (fault, answer) in [("EMPTY_RESPONSE", 0), ("CONNECTION_RESET_BY_PEER", 0)] {
        map(address, json!({ "request": { "url": "/fault" }, "response": { "fault": fault } })).await;
        assert_eq!(ask(address, "GET /fault", "").await.0, answer, "{fault}");
    }
    // A stub stands in for whichever host was meant, and can ask for one.
    map(address, json!({ "request": { "url": "/who", "host": { "equalTo": "api.example" } }, "response": { "status": 203 } }))
        .await;
    let head = "GET /who HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 203"), "{answer}");
    assert_eq!(ask(address, "GET /who", "").await.0, 404);
    let large = "x".repeat(9 * 1024 * 1024);
    map(address, json!({ "request": { "url": "/large", "bodyPatterns": [{ "contains": "xend" }] }, "response": { "status": 203 } }))
        .await;
    assert_eq!(ask(address, "POST /large", &(large + "end")).await.0, 203);
    let id = made["id"].as_str().unwrap();
    assert_eq!(ask(address, &format!("DELETE /__admin/mappings/{id}"), "").await.0, 200);
    assert_eq!(ask(address, "GET /hello?q=you", "").await.0, 404);
    assert_eq!(ask(address, "GET /proxies", "").await, (200, "{}".to_owned()));
    served.close().await;
}

#[tokio::test]
async fn a_mapping_passes_on_and_calls_back() {
    let (served, _seams) = serve().await;
    let (other, mut told) = server().await;
    let base = format!("http://{other}");
    map(
        served.address(),
        json!({ "request": { "urlPathPattern": "/api/.*" }, "response": {
            "proxyBaseUrl": base, "proxyUrlPrefixToRemove": "/api", "additionalProxyRequestHeaders": { "X-Added": "1" } } }),
    )
    .await;
    let (status, body) = ask(served.address(), "GET /api/books?n=1", "").await;
    assert_eq!((status, body.as_str()), (203, "GET /books?n=1 HTTP/1.1"));
    let asked = timeout(PATIENCE, told.recv()).await.unwrap().unwrap().to_lowercase();
    assert!(asked.contains("x-added: 1") && asked.contains(&format!("host: {other}")), "{asked}");
    map(
        served.address(),
        json!({ "request": { "url": "/pay" }, "response": { "status": 202 }, "serveEventListeners": [
            { "name": "webhook", "parameters": { "method": "POST", "url": format!("{base}/paid"), "body": "{\"ok\":true}" } }] }),
    )
    .await;
    assert_eq!(ask(served.address(), "POST /pay", "").await.0, 202);
    let called = timeout(PATIENCE, told.recv()).await.expect("a call in time").unwrap();
    assert!(called.starts_with("POST /paid HTTP/1.1"), "{called}");
    map(
        served.address(),
        json!({ "request": { "url": "/gone" }, "response": { "proxyBaseUrl": "http://127.0.0.1:1" } }),
    )
    .await;
    assert_eq!(ask(served.address(), "GET /gone", "").await.0, 500);
    served.close().await;
}

#[tokio::test]
async fn what_is_recorded_answers_as_it_did() {
    let (served, _seams) = serve().await;
    let (other, _told) = server().await;
    let address = served.address();
    let spec = json!({ "targetBaseUrl": format!("http://{other}") }).to_string();
    assert_eq!(ask(address, "POST /__admin/recordings/start", &spec).await.0, 200);
    assert_eq!(ask(address, "GET /books?n=1", "").await, (203, "GET /books?n=1 HTTP/1.1".to_owned()));
    let (status, made) = ask(address, "POST /__admin/recordings/stop", "").await;
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(status, 200);
    // A body of no type is bytes, as in WireMock.
    assert_eq!(made["mappings"][0]["response"]["base64Body"], "R0VUIC9ib29rcz9uPTEgSFRUUC8xLjE=", "{made}");
    assert_eq!(made["mappings"][0]["response"]["headers"]["X-Own"], "yes", "{made}");
    assert_eq!(ask(address, "GET /books?n=1", "").await, (203, "GET /books?n=1 HTTP/1.1".to_owned()));
    assert_eq!(ask(address, "GET /books?n=2", "").await.0, 404);
    served.close().await;
}

#[tokio::test]
async fn archives_are_told_and_answer() {
    let (served, seams) = serve().await;
    let address = served.address();
    let (behind, _told) = server().await;
    let http = seam_wire::protocol("http").unwrap();
    let view = seams.stand("127.0.0.1:0".parse().unwrap(), &behind.to_string(), http).await.unwrap();
    let at = view.listens.unwrap();
    assert_eq!(ask(at, "GET /stock?access_token=abcdefghijklmnop1234", "").await.0, 203);
    map(address, json!({ "request": { "url": "/own" }, "response": { "jsonBody": { "own": true } } })).await;
    assert_eq!(ask(address, "GET /own", "").await.0, 200);
    let (status, told) = ask(address, "GET /seam/har", "").await;
    let har: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(status, 200);
    let entries = har["log"]["entries"].as_array().unwrap();
    let of = |url: &str| {
        entries.iter().find(|entry| entry["request"]["url"].as_str().is_some_and(|asked| asked.contains(url)))
    };
    assert_eq!(of("/stock").unwrap()["_seam"], view.id.to_string(), "{har}");
    assert_eq!(of("/own").unwrap()["response"]["content"]["text"], r#"{"own":true}"#, "{har}");
    assert!(!told.contains("abcdefghijklmnop1234"), "secrets are masked: {told}");
    assert_eq!(ask(address, "DELETE /__admin/mappings", "").await.0, 200);
    assert_eq!(ask(address, "GET /own", "").await.0, 404);

    let entry = |seam: Option<String>, url: &str, text: &str| {
        let mut entry = json!({
            "request": { "method": "GET", "url": format!("http://api.example{url}"), "headers": [] },
            "response": { "status": 201, "headers": [{ "name": "X-Was", "value": "there" }],
                "content": { "mimeType": "text/plain", "text": text } },
        });
        if let Some(seam) = seam {
            entry["_seam"] = seam.into();
        }
        entry
    };
    let entries = [
        entry(None, "/mine?a=b", "first"),
        entry(None, "/mine?a=b", "second"),
        entry(Some(view.id.to_string()), "/theirs", "stood in"),
    ];
    let har = json!({ "log": { "version": "1.2", "entries": entries } });
    let (status, put) = ask(address, "POST /seam/har", &har.to_string()).await;
    assert_eq!(status, 201, "{put}");
    for (at, path, answer) in [
        (address, "/mine?a=b", (201, "first")),
        (address, "/mine?a=b", (201, "second")),
        (address, "/mine?a=b", (201, "second")),
        (at, "/theirs", (201, "stood in")),
        (at, "/else", (203, "GET /else HTTP/1.1")),
    ] {
        let (status, body) = ask(at, &format!("GET {path}"), "").await;
        assert_eq!((status, body.as_str()), answer, "{path}");
    }
    let (status, put) = ask(address, "POST /seam/har?seam=a%20-%3E%20b", &har.to_string()).await;
    assert!(status == 404 && put.contains("there is no seam"), "{put}");
    assert_eq!(ask(address, "POST /seam/har", "{}").await.0, 400);
    served.close().await;
}

#[tokio::test]
async fn a_mapping_stands_on_the_seam_that_it_names() {
    let (served, seams) = serve().await;
    let (behind, _told) = server().await;
    let http = seam_wire::protocol("http").unwrap();
    let view = seams.stand("127.0.0.1:0".parse().unwrap(), &behind.to_string(), http).await.unwrap();
    let at = view.listens.unwrap();
    let mapping = json!({ "request": { "url": "/stock" }, "response": { "body": "stub" }, "metadata": { "seam": view.id.to_string() } });
    let made = map(served.address(), mapping).await;
    assert_eq!(ask(at, "GET /stock", "").await, (200, "stub".to_owned()));
    assert_eq!(ask(at, "GET /else", "").await, (203, "GET /else HTTP/1.1".to_owned()));
    assert_eq!(ask(served.address(), "GET /stock", "").await.0, 404, "it stands on its seam alone");
    let id = made["id"].as_str().unwrap();
    assert_eq!(ask(served.address(), &format!("DELETE /__admin/mappings/{id}"), "").await.0, 200);
    assert_eq!(ask(at, "GET /stock", "").await.0, 203);
    // Two ways to write one seam are one seam.
    for (path, seam) in [("/one", view.id.to_string()), ("/two", view.id.to_string().replace(' ', ""))] {
        let mapping =
            json!({ "request": { "url": path }, "response": { "body": path }, "metadata": { "seam": seam } });
        map(served.address(), mapping).await;
    }
    for path in ["/one", "/two"] {
        assert_eq!(ask(at, &format!("GET {path}"), "").await, (200, path.to_owned()));
    }
    let nowhere = json!({ "request": { "url": "/x" }, "response": {}, "metadata": { "seam": "a -> b" } });
    let (status, told) = ask(served.address(), "POST /__admin/mappings", &nowhere.to_string()).await;
    assert!(status == 422 && told.contains("there is no seam `a -> b`"), "{told}");
    let strange = json!({ "request": { "url": "/x" }, "response": {}, "metadata": { "seam": 5 } });
    let (status, told) = ask(served.address(), "POST /__admin/mappings", &strange.to_string()).await;
    assert!(status == 422 && told.contains("/metadata/seam"), "{told}");
    // It is told to who named it, and to nobody else.
    map(served.address(), json!({ "request": { "url": "/y" }, "response": {} })).await;
    served.close().await;
}

#[tokio::test]
async fn a_folder_of_mappings_is_served() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["mappings", "__files"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    std::fs::write(root.path().join("__files/hi.txt"), "from a file").unwrap();
    let mapping = json!({ "request": { "url": "/hi" }, "response": { "bodyFileName": "hi.txt" } });
    std::fs::write(root.path().join("mappings/hi.json"), mapping.to_string()).unwrap();
    let (served, warnings) =
        serve_wiremock("127.0.0.1:0".parse().unwrap(), root.path(), Manner::default()).await.unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(ask(served.address(), "GET /hi", "").await, (200, "from a file".to_owned()));
    assert_eq!(ask(served.address(), "GET /__admin/files", "").await.1, r#"[ "hi.txt" ]"#);
    assert_eq!(ask(served.address(), "GET /__admin/files/..%2Fmappings%2Fhi.json", "").await.0, 404);
    assert_eq!(ask(served.address(), "PUT /__admin/files/new.txt", "new").await.0, 200);
    assert_eq!(std::fs::read_to_string(root.path().join("__files/new.txt")).unwrap(), "new");
    assert_eq!(ask(served.address(), "GET /new.txt", "").await, (200, "new".to_owned()), "a file is served");
    assert_eq!(ask(served.address(), "POST /new.txt", "").await.0, 404);
    // What is persistent is kept in a file, and goes with it.
    let kept =
        json!({ "name": "My stub: gr\u{f6}\u{df}e!", "request": { "url": "/kept" }, "persistent": true });
    let id = map(served.address(), kept).await["id"].as_str().unwrap().to_owned();
    let file = root.path().join(format!("mappings/my-stub-gre-{id}.json"));
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"insertionIndex\" : "));
    assert_eq!(ask(served.address(), "POST /__admin/mappings/reset", "").await, (200, String::new()));
    assert_eq!(ask(served.address(), "GET /kept", "").await.0, 200, "a reset keeps it");
    assert_eq!(ask(served.address(), &format!("DELETE /__admin/mappings/{id}"), "").await.0, 200);
    assert!(!file.exists());
    assert!(root.path().join("mappings/hi.json").exists(), "what the user wrote stays");
    served.close().await;
    std::fs::write(root.path().join("mappings/wrong.json"), r#"{"requst": {}}"#).unwrap();
    let wrong =
        serve_wiremock("127.0.0.1:0".parse().unwrap(), root.path(), Manner::default()).await.err().unwrap();
    assert!(wrong.to_string().contains("wrong.json"), "{wrong}");
}

#[tokio::test]
async fn all_mappings_may_be_templates() {
    let root = tempfile::tempdir().unwrap();
    for folder in ["mappings", "__files"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    std::fs::write(root.path().join("__files/hi.txt"), "hi {{request.method}}").unwrap();
    let mapping = |url: &str, response: &Value| json!({ "request": { "url": url }, "response": response });
    let of_file = mapping("/file", &json!({ "bodyFileName": "hi.txt" })).to_string();
    std::fs::write(root.path().join("mappings/hi.json"), of_file).unwrap();
    for (templates, expected) in [
        (
            Templates::Named,
            ["hi {{request.method}}", "{{request.path}}", r#"{"m":"{{request.method}}"}"#, "{{nosuch 1}}"],
        ),
        (Templates::All, ["hi GET", "/text", r#"{"m":"GET"}"#, ""]),
    ] {
        let (served, _) = serve_wiremock(
            "127.0.0.1:0".parse().unwrap(),
            root.path(),
            Manner { templates, ..Manner::default() },
        )
        .await
        .unwrap();
        let address = served.address();
        map(address, mapping("/text", &json!({ "body": "{{request.path}}" }))).await;
        map(address, mapping("/json", &json!({ "jsonBody": { "m": "{{request.method}}" } }))).await;
        // What says of itself that it is a template is refused where it is none; this one says nothing.
        map(address, mapping("/none", &json!({ "body": "{{nosuch 1}}" }))).await;
        for (path, expected) in ["/file", "/text", "/json", "/none"].iter().zip(expected) {
            let (status, body) = ask(address, &format!("GET {path}"), "").await;
            match expected {
                "" => assert!(status == 500 && body.contains("nosuch"), "{path}: {status} {body}"),
                expected => assert_eq!((status, body.as_str()), (200, expected), "{path}"),
            }
        }
        served.close().await;
    }
}

#[tokio::test]
async fn some_words_of_wiremocks_program_change_how_mappings_are_answered() {
    let (behind, _told) = server().await;
    let root = tempfile::tempdir().unwrap();
    let manner = Manner {
        is_shared: true,
        most_events: Some(2),
        proxy_all: Some(format!("http://{behind}")),
        ..Manner::default()
    };
    let (served, _) = serve_wiremock("127.0.0.1:0".parse().unwrap(), root.path(), manner).await.unwrap();
    let address = served.address();
    map(
        address,
        json!({ "request": { "url": "/mine" }, "response": { "body": "x", "headers": { "Vary": "Accept" } } }),
    )
    .await;
    assert_eq!(ask(address, "GET /mine", "").await, (200, "x".to_owned()));
    // What no mapping answers is passed on.
    assert_eq!(ask(address, "GET /else", "").await, (203, "GET /else HTTP/1.1".to_owned()));
    for (ask, said, silent) in [
        (
            "GET /mine HTTP/1.1\r\nOrigin: http://x.org",
            &["access-control-allow-origin: http://x.org", "vary: origin", "vary: accept"] as &[&str],
            "allow-methods",
        ),
        ("GET /mine HTTP/1.1", &["vary: origin"], "access-control"),
        (
            "OPTIONS /mine HTTP/1.1\r\nOrigin: http://x.org\r\nAccess-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: X-A, X-B",
            &[
                "http/1.1 200",
                "access-control-allow-methods: options,get,post,put,patch,delete",
                "access-control-allow-headers: x-a,x-b",
                "access-control-max-age: 1800",
                "content-length: 0",
            ],
            "matched-stub-id",
        ),
        (
            "OPTIONS /mine HTTP/1.1\r\nOrigin: http://x.org\r\nAccess-Control-Request-Method: FOO",
            &["http/1.1 200", "vary: origin"],
            "access-control",
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{ask}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
        let answer = answer.to_lowercase();
        for said in said {
            assert!(answer.contains(said), "{ask}: {said} is missing in {answer}");
        }
        assert!(!answer.contains(silent), "{ask}: {silent} in {answer}");
    }
    let (_, events) = ask(address, "GET /__admin/requests", "").await;
    let events: Value = serde_json::from_str(&events).unwrap();
    assert_eq!(events["requests"].as_array().unwrap().len(), 2, "{events}");
    served.close().await;
}

#[tokio::test]
async fn a_reset_reads_the_folder_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mappings/deep");
    std::fs::create_dir_all(&folder).unwrap();
    let (served, _) =
        serve_wiremock("127.0.0.1:0".parse().unwrap(), root.path(), Manner::default()).await.unwrap();
    let address = served.address();
    let id = "7a0d8375-6e0e-4c9c-9686-5ef20cde1a84";
    let one = json!({ "id": id, "request": { "url": "/one" }, "response": { "body": "first" } });
    let file = folder.join("one.json");
    std::fs::write(&file, one.to_string()).unwrap();
    assert_eq!(ask(address, "GET /one", "").await.0, 404);
    assert_eq!(ask(address, "POST /__admin/mappings/reset", "").await.0, 200);
    assert_eq!(ask(address, "GET /one", "").await, (200, "first".to_owned()));
    // What is changed and kept goes back to the file from which it came.
    let changed = json!({ "request": { "url": "/one" }, "response": { "body": "second" } });
    let line = format!("PUT /__admin/mappings/{id}");
    assert_eq!(ask(address, &line, &changed.to_string()).await.0, 200);
    assert!(std::fs::read_to_string(&file).unwrap().contains("first"), "nothing is kept unasked");
    assert_eq!(ask(address, "POST /__admin/mappings/save", "").await.0, 200);
    assert!(std::fs::read_to_string(&file).unwrap().contains("second"));
    assert_eq!(
        std::fs::read_dir(root.path().join("mappings")).unwrap().count(),
        1,
        "there is no second file"
    );
    // A file that is wrong changes nothing.
    std::fs::write(root.path().join("mappings/wrong.json"), "{").unwrap();
    let (status, told) = ask(address, "POST /__admin/reset", "").await;
    assert!(status == 500 && told.contains("wrong.json"), "{status} {told}");
    assert_eq!(ask(address, "GET /one", "").await, (200, "second".to_owned()));
    std::fs::remove_file(root.path().join("mappings/wrong.json")).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ask(address, "POST /__admin/reset", "").await.0, 200);
    assert_eq!(ask(address, "GET /one", "").await.0, 404);
    // What is not there is told before anything is said of a body.
    assert_eq!(ask(address, &line, "").await.0, 404);
    served.close().await;
}

/// Asks with these further lines of the head; the whole answer, as it came.
async fn ask_raw(address: SocketAddr, line: &str, headers: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection stays: {}", String::from_utf8_lossy(&answer));
    answer
}

#[tokio::test]
async fn an_answer_is_framed_and_packed_as_wiremocks_server_does() {
    let (served, _seams) = serve().await;
    let address = served.address();
    for (path, headers) in [
        ("/plain", json!({})),
        ("/long", json!({ "Content-Length": "5" })),
        ("/last", json!({ "Connection": "close" })),
    ] {
        let response = json!({ "body": "hello", "headers": headers });
        map(address, json!({ "request": { "url": path }, "response": response })).await;
    }
    for (path, asks, has, body) in [
        (
            "/plain",
            "Connection: close\r\n",
            "transfer-encoding: chunked\r\n",
            &b"\r\n5\r\nhello\r\n0\r\n\r\n"[..],
        ),
        ("/long", "Connection: close\r\n", "Content-Length: 5\r\n", b"\r\n\r\nhello"),
        // The mapping ends the connection, and not whoever asked.
        ("/last", "", "Connection: close\r\n", b"\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("/long", "Connection: close\r\nAccept-Encoding: gzip\r\n", "Content-Encoding: gzip\r\n", b""),
    ] {
        let answer = ask_raw(address, &format!("GET {path}"), asks).await;
        let shown = String::from_utf8_lossy(&answer);
        assert!(shown.contains(has) && answer.ends_with(body), "{path}: {shown}");
        assert_eq!(shown.contains('\x1f'), asks.contains("gzip"), "{path}: {shown}");
    }
    // What its journal tells is what the mapping said.
    let (_, journal) = ask(address, "GET /__admin/requests", "").await;
    assert!(!journal.contains("chunked") && !journal.contains("\"Content-Encoding\""), "{journal}");
    served.close().await;
}
