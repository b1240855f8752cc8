//! How components become ready, and how it reads when they do not: with real processes, through the `run` runtime.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod bed;

use bed::Bed;
use seam_diag::{Diagnostics, FileId, Span};
use seam_event::ComponentId;
use seam_launch::{
    Ground, Live, NotReady, Readied, Ready, ReadyContext, SeamReady, SeamsSeen, UnreadyError, Watcher,
    await_ready, default_ready, hold_port, read_ready, runtime, says_address_in_use,
};
use seam_model::{Component, Entry, Form, Node, NodeKind, Spanned};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

const SPAN: Span = Span { file: FileId(0), start: 0, end: 1 };

fn text(text: &str) -> Node {
    Node { span: SPAN, kind: NodeKind::Text { text: text.to_owned(), form: Form::Plain } }
}

fn list(texts: &[&str]) -> Node {
    Node { span: SPAN, kind: NodeKind::List(texts.iter().map(|one| text(one)).collect()) }
}

fn map(entries: &[(&str, Node)]) -> Node {
    let entry =
        |(key, node): &(&str, Node)| Entry { key: Spanned::new((*key).to_owned(), SPAN), node: node.clone() };
    Node { span: SPAN, kind: NodeKind::Map(entries.iter().map(entry).collect()) }
}

fn ready(node: &Node) -> Box<dyn Ready> {
    let mut found = Diagnostics::default();
    let ready = read_ready(node, &mut found);
    assert!(found.is_empty(), "{found:?}");
    ready.unwrap()
}

/// Raises a shell script with the `run` runtime and waits for it.
async fn try_it(
    watcher: &Watcher,
    (program, address): (&str, Option<SocketAddr>),
    ready: &dyn Ready,
    within: Duration,
) -> (Result<Readied, UnreadyError>, Box<dyn Live>) {
    let component = component("orders", list(&["sh", "-c", program]));
    let mut found = Diagnostics::default();
    let raise = (runtime("run").unwrap().read)(&component, &mut found).unwrap();
    assert!(found.is_empty(), "{found:?}");
    let texts: Vec<String> = raise.templates().iter().map(|word| word.value.clone()).collect();
    let name = ComponentId::from("orders");
    let env = [("PATH".to_owned(), std::env::var("PATH").unwrap())];
    let ground = Ground {
        watcher,
        component: &name,
        project: Path::new("/"),
        dir: Path::new("/"),
        env: &env,
        texts: &texts,
        lines: None,
        awaited: ready.awaited(),
    };
    let live = raise.raise(&ground).await.unwrap();
    let texts: Vec<String> = ready.templates().iter().map(|word| word.value.clone()).collect();
    let cx = ReadyContext {
        component: &name,
        live: &*live,
        address,
        watcher,
        project: Path::new("/"),
        dir: Path::new("/"),
        env: &env,
        texts: &texts,
        seams: None,
        look_within: within,
    };
    (await_ready(ready, cx, within).await, live)
}

fn component(name: &str, subject: Node) -> Component {
    Component {
        name: Spanned::new(name.to_owned(), SPAN),
        origin: Spanned::new("run".to_owned(), SPAN),
        subject,
        settings: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        dir: None,
        source: Vec::new(),
        endpoints: indexmap::IndexMap::default(),
        protocol: None,
        ready: None,
        ready_within: None,
        needs: Vec::new(),
        calls: Vec::new(),
        reset: None,
        restart_each_test: false,
        stop_within: None,
        tls: None,
        descriptors: Vec::new(),
        stub: None,
    }
}

/// A server that listens late and answers what it is told.
fn server(port: u16, answer: &str) -> String {
    format!(
        "exec python3 -c \"
import socket, time
time.sleep(0.1)
s = socket.create_server(('127.0.0.1', {port}))
while True:
    c, _ = s.accept()
    c.recv(1000)
    c.sendall(b'{answer}')
    c.close()
\""
    )
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn http_and_tcp_wait_until_it_listens() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    for (node, answer) in [
        (text("GET /"), "HTTP/1.1 204 No Content\\r\\n\\r\\n"),
        (map(&[("http", text("GET /x")), ("status", text("404"))]), "HTTP/1.0 404 Not Found\\r\\n\\r\\n"),
        (text("tcp"), ""),
    ] {
        let port = hold_port().unwrap();
        let program = server(port.port(), answer);
        let (readied, live) = try_it(&watcher, (&program, Some(port.address())), &*ready(&node), LONG).await;
        let readied = readied.unwrap();
        assert!(readied.n_tries > 1 && readied.took >= Duration::from_millis(50), "{readied:?}");
        live.kill().await.unwrap();
    }
}

/// Answers every request with this; the thread ends with the test.
fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // What the other side does with it is its own business.
            let _ = connection.read(&mut [0; 1000]);
            let _ = connection.write_all(answer);
        }
    });
    address
}

#[tokio::test]
async fn the_last_reason_and_the_tries_are_told() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let port = hold_port().unwrap();
    for (address, reason) in [
        (answering(b"HTTP/1.1 503 Busy\r\n\r\n"), "503"),
        (answering(b"what?\r\n\r\n"), "the answer is no HTTP"),
        (answering(b""), "closed without an answer"),
        (port.address(), "connection refused"),
    ] {
        let http = ready(&text("GET /"));
        let within = Duration::from_millis(400);
        let (readied, live) = try_it(&watcher, ("sleep 1000", Some(address)), &*http, within).await;
        let error = readied.unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with("orders never became ready: ") && shown.ends_with(reason), "{shown}");
        let UnreadyError::Late { n_tries, took, .. } = error else { panic!("{shown}") };
        assert!(n_tries > 1 && took >= within);
        live.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_asked_again() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (readied, _live) = try_it(
        &watcher,
        ("sleep 1000", Some(listener.local_addr().unwrap())),
        &*ready(&text("GET /")),
        Duration::from_millis(300),
    )
    .await;
    let shown = readied.unwrap_err().to_string();
    assert!(shown.contains("no answer within 100 ms"), "{shown}");
}

#[tokio::test]
async fn the_dead_are_not_awaited() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let program = "echo starting; echo Error: listen EADDRINUSE: address already in use >&2; exit 3";
    for node in [text("GET /"), text("tcp"), map(&[("log", text("up"))]), map(&[("exit", text("0"))])] {
        let began = Instant::now();
        let address = hold_port().unwrap().address();
        let (readied, live) = try_it(&watcher, (program, Some(address)), &*ready(&node), LONG).await;
        let error = readied.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(error.to_string().starts_with("orders exited with code 3 before it was ready ("), "{error}");
        let UnreadyError::Died { death, .. } = error else { panic!("{error}") };
        assert_eq!(death.lines.len(), 2);
        assert!(says_address_in_use(death.lines.iter().map(|line| line.text.as_str())));
        live.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_line_a_job_a_command_and_nothing() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let flag = bed.folder.path().join("flag");
    let flag = flag.display();
    let flood = "i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); done";
    for (program, node) in [
        (
            format!("sleep 0.05; echo now listening on 80; {flood}; sleep 1000"),
            map(&[("log", text("listening"))]),
        ),
        ("sleep 0.05; echo done".to_owned(), map(&[("exit", text("0"))])),
        ("exit 4".to_owned(), map(&[("exit", text("4"))])),
        (
            format!("sleep 0.05; touch {flag}; sleep 1000"),
            map(&[("exec", list(&["test", "-e", &flag.to_string()]))]),
        ),
    ] {
        let (readied, live) = try_it(&watcher, (&program, None), &*ready(&node), LONG).await;
        let readied = readied.unwrap();
        assert!(readied.n_tries >= 1, "{program}: {readied:?}");
        live.kill().await.unwrap();
    }
    let (readied, live) = try_it(&watcher, ("sleep 1000", None), &*default_ready(false), LONG).await;
    assert_eq!(readied.unwrap().n_tries, 1);
    live.kill().await.unwrap();
    assert_eq!(watcher.n_processes(), 0, "commands that were asked leave nothing");
}

#[tokio::test]
async fn what_can_never_be_ready_is_told_at_once() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    for (node, reason) in [
        (text("tcp"), "nothing in it says where to listen"),
        (map(&[("exec", list(&["not-there-at-all"]))]), "`not-there-at-all` is not on PATH"),
        (map(&[("seam", text("a -> b"))]), "not there yet"),
    ] {
        let began = Instant::now();
        let (readied, live) = try_it(&watcher, ("sleep 1000", None), &*ready(&node), LONG).await;
        let shown = readied.unwrap_err().to_string();
        assert!(shown.starts_with("orders cannot become ready: ") && shown.contains(reason), "{shown}");
        assert!(began.elapsed() < Duration::from_secs(5));
        live.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_command_that_fails_or_hangs_says_so() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (_, live) = try_it(&watcher, ("exec sleep 1000", None), &*default_ready(false), LONG).await;
    let name = ComponentId::from("orders");
    let env = [("PATH".to_owned(), std::env::var("PATH").unwrap())];
    for (command, look_within, reason) in [
        (&["sh", "-c", "echo no response; exit 2"][..], LONG, "exited with code 2: no response"),
        (&["sleep", "1000"][..], Duration::from_millis(100), "the command did not end"),
    ] {
        let ready = ready(&map(&[("exec", list(command))]));
        let texts: Vec<String> = ready.templates().iter().map(|word| word.value.clone()).collect();
        let cx = ReadyContext { texts: &texts, env: &env, look_within, ..context(&watcher, &name, &*live) };
        assert_eq!(ready.look(&cx).await, Err(NotReady::NotYet(reason.to_owned())));
    }
    assert_eq!(watcher.n_processes(), 1, "what was asked leaves nothing");
}

fn context<'a>(watcher: &'a Watcher, component: &'a ComponentId, live: &'a dyn Live) -> ReadyContext<'a> {
    ReadyContext {
        component,
        live,
        address: None,
        watcher,
        project: Path::new("/"),
        dir: Path::new("/"),
        env: &[],
        texts: &[],
        seams: None,
        look_within: LONG,
    }
}

/// Says that something has passed at the third look.
struct ThirdTime(std::sync::atomic::AtomicU32);

impl SeamsSeen for ThirdTime {
    fn has_passed(&self, what: &SeamReady) -> Result<(), String> {
        assert_eq!((what.consumer.as_str(), what.provider.as_str()), ("worker", "cache"));
        let n_looks = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if n_looks < 2 { Err("nothing has passed".to_owned()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_seam_is_asked_of_who_knows() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (_, live) = try_it(&watcher, ("sleep 1000", None), &*default_ready(false), LONG).await;
    let seams = ThirdTime(0.into());
    let name = ComponentId::from("orders");
    let ready = ready(&map(&[("seam", text("worker -> cache"))]));
    let cx = ReadyContext { seams: Some(&seams), ..context(&watcher, &name, &*live) };
    assert!(matches!(ready.look(&cx).await, Err(NotReady::NotYet(_))));
    assert_eq!(await_ready(&*ready, cx, LONG).await.unwrap().n_tries, 2);
}

#[tokio::test]
async fn what_is_external_or_not_there_yet() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let name = ComponentId::from("paygate");
    let mut ground = Ground {
        watcher: &watcher,
        component: &name,
        project: Path::new("/"),
        dir: Path::new("/"),
        env: &[],
        texts: &[],
        lines: None,
        awaited: None,
    };
    let mut found = Diagnostics::default();
    let read = |kind: &str, node: Node, found: &mut Diagnostics| {
        (runtime(kind).unwrap().read)(&component("paygate", node), found)
    };
    let external = read("external", text("https://api.pay.example"), &mut found).unwrap();
    let texts = ["https://api.pay.example".to_owned()];
    ground.texts = &texts;
    let live = external.raise(&ground).await.unwrap();
    assert!(!external.external().unwrap().live);
    assert_eq!(
        live.stop(LONG).await.unwrap_err().to_string(),
        "paygate is external: Seamwork cannot stop it"
    );
    ground.texts = &[];
    assert!(external.raise(&ground).await.is_err(), "a reference that gave nothing");
    assert!(read("external", text("${env.PAYGATE}"), &mut found).is_some());
    let image = read("image", text("redis:7"), &mut found).unwrap();
    assert!(read("planned", Node { span: SPAN, kind: NodeKind::Null }, &mut found).is_some());
    assert!(found.is_empty(), "{found:?}");
    let error = image.raise(&ground).await.err().unwrap();
    assert_eq!(error.to_string(), "paygate is made with `image`, which is not there yet");
    assert!(read("external", text("api.pay.example"), &mut found).is_none());
    assert!(read("image", list(&["a"]), &mut found).is_none());
    assert_eq!(found.n_errors(), 2);
    assert!(runtime("exec").is_none());
}
