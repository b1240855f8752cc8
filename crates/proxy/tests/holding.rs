//! What rules do to what passes a seam: on new connections and on those that are open, without connecting anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use seam_event::{ComponentId, Endpoint, Interaction, InteractionError, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Callers, Dialled, Filter, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Upstream, Witness,
    read_fault,
};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Limits, Say, protocol};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Interaction>>>, Arc<Mutex<Vec<String>>>);

impl Witness for Notes {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, interaction: Interaction) {
        self.0.lock().unwrap().push(interaction);
    }

    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        self.1.lock().unwrap().push(format!("degraded: {reason}"));
    }

    fn struck(&mut self, _: &SeamId, rule: &Rule) {
        self.1.lock().unwrap().push(format!("struck: {}", rule.name()));
    }

    fn lost(&mut self, _: &SeamId, _: u64) {}
}

struct Nobody;

impl Callers for Nobody {
    fn owners(&mut self, connections: &[Dialled]) -> Vec<Option<ComponentId>> {
        connections.iter().map(|_| None).collect()
    }
}

struct Bed {
    proxy: Proxy,
    notes: Notes,
    address: SocketAddr,
    /// How many requests the provider got.
    n_asked: Arc<AtomicUsize>,
}

/// A provider that answers each request with its path and how many there were, as JSON.
fn provider(n_asked: Arc<AtomicUsize>) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let n_asked = Arc::clone(&n_asked);
            std::thread::spawn(move || serve(stream.unwrap(), &n_asked));
        }
    });
    Upstream::Tcp(address)
}

fn serve(mut stream: TcpStream, n_asked: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 || header == "\r\n" {
                break;
            }
            if let Some(n) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let n = n_asked.fetch_add(1, Ordering::SeqCst) + 1;
        let body = format!("{{\"path\":\"{path}\",\"n\":{n}}}");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

async fn bed(upstream: impl FnOnce(Arc<AtomicUsize>) -> Upstream) -> Bed {
    let notes = Notes::default();
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(notes.clone()), Box::new(Nobody)).unwrap();
    let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
    let n_asked = Arc::new(AtomicUsize::new(0));
    let upstream = upstream(Arc::clone(&n_asked));
    let spec = SeamSpec { seam, protocol: protocol("http").unwrap(), upstream, listen: None };
    let address = proxy.stand(spec).await.unwrap();
    Bed { proxy, notes, address, n_asked }
}

impl Bed {
    async fn put(&self, fault: &str) -> Arc<Rule> {
        self.put_on(fault, None, Often::default()).await
    }

    async fn put_on(&self, fault: &str, path: Option<&'static str>, often: Often) -> Arc<Rule> {
        let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
        self.put_rule(fault, kind, path, often).await
    }

    async fn put_rule(&self, name: &str, kind: Kind, path: Option<&'static str>, often: Often) -> Arc<Rule> {
        let filter = path.map(|path| -> Filter {
            Box::new(move |interaction| {
                interaction.get("request").and_then(|request| request.get("path")) == Some(&Value::text(path))
            })
        });
        let chance = Chance::new(7, name);
        let spec = RuleSpec { name: name.to_owned(), kind, filter, filters_replies: false, often, chance };
        let rule = Arc::new(Rule::new(spec));
        assert_eq!(self.proxy.put(|_| true, &rule), 1);
        self.proxy.pointed(|_| true).await;
        rule
    }

    fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::SeqCst)
    }

    async fn told(&self) -> Vec<String> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.1.lock().unwrap().clone()
    }

    async fn interactions(&self) -> Vec<Interaction> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.0.lock().unwrap().clone()
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LONG))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads the whole answer: status and body; the error's kind, or nothing at its end.
    fn ask(&mut self, path: &str) -> String {
        let request = format!("POST {path} HTTP/1.1\r\nhost: api\r\ncontent-length: 2\r\n\r\n{{}}");
        if let Err(error) = self.0.get_mut().write_all(request.as_bytes()) {
            return format!("{:?}", error.kind());
        }
        self.answer().unwrap_or_else(|error| match error.kind() {
            ErrorKind::WouldBlock => "silence".to_owned(),
            kind => format!("{kind:?}"),
        })
    }

    fn answer(&mut self) -> std::io::Result<String> {
        let mut status = String::new();
        if self.0.read_line(&mut status)? == 0 {
            return Ok("end".to_owned());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            if self.0.read_line(&mut header)? == 0 {
                return Ok("cut off".to_owned());
            }
            if header == "\r\n" {
                break;
            }
            if let Some(n) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
        }
        let mut body = Vec::new();
        let n_read = (&mut self.0).take(length).read_to_end(&mut body)?;
        if (n_read as u64) < length {
            return Ok("cut off".to_owned());
        }
        Ok(format!("{} {}", &status[9..12], String::from_utf8_lossy(&body)))
    }
}

const FIRST: &str = r#"200 {"path":"/a","n":1}"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_does_what_it_says_to_an_open_connection_and_to_a_new_one() {
    // The fault, what the consumer sees, and how many requests reached the provider besides the first.
    let cases = [
        (r#""reset""#, "ConnectionReset", 0),
        (r#"{"reset":"answered"}"#, "ConnectionReset", 1),
        (r#""reply_lost""#, "ConnectionReset", 1),
        (r#"{"status":503}"#, "503 ", 0),
        (r#"{"status":402,"json":{"reason":"card_declined"}}"#, r#"402 {"reason":"card_declined"}"#, 0),
        (r#""truncate""#, "cut off", 1),
        (r#"{"mistype":"body.path"}"#, r#"200 {"path":null,"n":2}"#, 1),
        (r#"{"mistype":"body.path","as":"absent"}"#, r#"200 {"n":2}"#, 1),
        (r#"{"latency":"20ms"}"#, r#"200 {"path":"/b","n":2}"#, 1),
        (r#"{"bandwidth":"1KiB"}"#, r#"200 {"path":"/b","n":2}"#, 1),
        (r#"{"rate_limit":0}"#, "429 ", 0),
        (r#""duplicate""#, r#"200 {"path":"/b","n":2}"#, 2),
        (r#""cut""#, "ConnectionReset", 0),
        (r#""refuse""#, "ConnectionReset", 0),
    ];
    for (fault, expected, n_reached) in cases {
        let bed = bed(provider).await;
        let mut open = bed.client();
        assert_eq!(open.ask("/a"), FIRST);
        let rule = bed.put(fault).await;
        let answer = open.ask("/b");
        let same =
            answer == expected || (expected == "ConnectionReset" && matches!(&*answer, "BrokenPipe" | "end"));
        assert!(same, "{fault}: {answer}");
        let deadline = Instant::now() + LONG;
        while bed.n_asked() < n_reached + 1 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(bed.n_asked(), n_reached + 1, "{fault}");
        assert!(rule.n_struck() > 0, "{fault}");
        assert!(bed.told().await.contains(&format!("struck: {fault}")), "{fault}: {:?}", bed.told().await);
        bed.proxy.take_away(&rule);
        bed.proxy.pointed(|_| true).await;
        let answer = bed.client().ask("/c");
        assert!(answer.starts_with(r#"200 {"path":"/c""#), "{fault}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusing_is_the_kernels_and_is_told() {
    let bed = bed(provider).await;
    let rule = bed.put(r#""refuse""#).await;
    let refused = Client::connect(bed.address).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    let deadline = Instant::now() + LONG;
    while rule.n_struck() == 0 {
        assert!(Instant::now() < deadline);
        bed.told().await;
    }
    assert!(bed.interactions().await.iter().any(|one| one.error == Some(InteractionError::Refused)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fault_broke_bears_its_name_and_what_goes_well_does_not() {
    for fault in
        [r#""reset""#, r#"{"reset":"after"}"#, r#""reply_lost""#, r#""hang""#, r#""refuse""#, r#""cut""#]
    {
        let bed = bed(provider).await;
        let mut client = bed.client();
        client.ask("/before");
        client.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let rule = bed.put(fault).await;
        if let Ok(mut client) = Client::connect(bed.address) {
            client.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            client.ask("/during");
        }
        drop(client);
        let expected = format!("fault {fault}");
        let deadline = Instant::now() + LONG;
        // Refusals are read from the kernel, some time later; a call hangs until the fault ends; a cut is over at once.
        let is_seen = !fault.contains("cut") && !fault.contains("hang");
        while is_seen && !bed.interactions().await.iter().any(|one| one.error.is_some()) {
            assert!(Instant::now() < deadline, "{fault}");
        }
        bed.proxy.take_away(&rule);
        bed.proxy.pointed(|_| true).await;
        let mut after = bed.client();
        assert!(after.ask("/after").starts_with("200"), "{fault}");
        for one in bed.interactions().await {
            let by = one.error.is_some().then_some(expected.as_str());
            assert_eq!(one.answered_by.as_deref(), by, "{one:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_call_is_reset_when_the_fault_is_taken_away() {
    let bed = bed(provider).await;
    let rule = bed.put(r#""hang""#).await;
    let mut client = bed.client();
    client.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(client.ask("/a"), "silence");
    assert_eq!(bed.proxy.pulse().n_open_calls(), 1);
    client.0.get_mut().set_read_timeout(Some(LONG)).unwrap();
    bed.proxy.take_away(&rule);
    assert_eq!(client.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(bed.n_asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_ends_by_itself() {
    let bed = bed(provider).await;
    bed.put(r#"{"cut":"1s"}"#).await;
    let refused = Client::connect(bed.address).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    let deadline = Instant::now() + LONG;
    while Client::connect(bed.address).is_err() {
        assert!(Instant::now() < deadline, "it never ended");
    }
    assert_eq!(bed.client().ask("/a"), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nth_and_times_narrow_it() {
    let bed = bed(provider).await;
    let often = Often { nth: Some(2), ..Often::default() };
    bed.put_on(r#"{"status":503}"#, Some("/b"), often).await;
    let mut client = bed.client();
    let status = |answer: String| answer[..3].to_owned();
    let seen: Vec<String> = ["/a", "/b", "/a", "/b", "/b"].map(|path| status(client.ask(path))).into();
    assert_eq!(seen, ["200", "200", "200", "503", "200"]);
    bed.put_on(r#"{"status":504}"#, None, Often { times: Some(2), ..Often::default() }).await;
    let seen: Vec<String> = ["/x", "/x", "/x"].map(|path| status(client.ask(path))).into();
    assert_eq!(seen, ["504", "504", "200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_to_close_is_closed() {
    let bed = bed(provider).await;
    bed.put(r#"{"status":503}"#).await;
    for request in ["GET /a HTTP/1.1\r\nconnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"] {
        let mut client = bed.client();
        client.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        client.0.read_to_string(&mut all).unwrap();
        assert!(all.contains("503") && all.contains("connection: close"), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_their_order() {
    let bed = bed(provider).await;
    bed.put_on(r#"{"status":503}"#, Some("/b"), Often::default()).await;
    bed.put_on(r#"{"latency":"50ms"}"#, Some("/a"), Often::default()).await;
    let mut client = bed.client();
    let requests: String =
        ["/a", "/b", "/c"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: api\r\n\r\n")).concat();
    client.0.get_mut().write_all(requests.as_bytes()).unwrap();
    let answers: Vec<String> = (0..3).map(|_| client.answer().unwrap()).collect();
    assert_eq!(answers, [r#"200 {"path":"/a","n":1}"#, "503 ", r#"200 {"path":"/c","n":2}"#]);
}

/// Answers `/stub` and passes `/spied` on.
struct Stub;

impl Answers for Stub {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let say = match asked.request.get("path").and_then(Value::as_text) {
            Some("/stub") => {
                Say::Answer(Arc::new(parse(r#"{"status":201,"json":{"from":"stub"}}"#).unwrap()))
            }
            Some("/spied") => Say::Pass,
            _ => return None,
        };
        Some(Answering {
            by: Arc::from("the stub"),
            after: Duration::ZERO,
            say,
            dribble: None,
            afterwards: Vec::new(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_takes_a_seam_over_and_gives_it_back_under_open_connections() {
    let bed = bed(provider).await;
    let mut client = bed.client();
    assert_eq!(client.ask("/a"), FIRST);
    let kind = Kind::Stub(Arc::new(Stub));
    let rule = bed.put_rule("the stub", kind, None, Often::default()).await;
    let mut new = bed.client();
    for client in [&mut client, &mut new] {
        assert_eq!(client.ask("/stub"), r#"201 {"from":"stub"}"#);
        assert!(client.ask("/other").starts_with(r#"200 {"path":"/other""#));
    }
    assert_eq!(bed.n_asked(), 3);
    assert!(new.ask("/spied").starts_with(r#"200 {"path":"/spied""#));
    bed.proxy.take_away(&rule);
    for client in [&mut client, &mut new] {
        assert!(client.ask("/b").starts_with(r#"200 {"path":"/b""#));
    }
    let interactions = bed.interactions().await;
    let by: Vec<Option<&str>> = interactions.iter().map(|one| one.answered_by.as_deref()).collect();
    assert_eq!(by.iter().filter(|by| **by == Some("stub the stub")).count(), 2, "{by:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_stands_where_nobody_is() {
    let bed = bed(|_| Upstream::Nowhere).await;
    assert!(Client::connect(bed.address).is_err());
    let kind = Kind::Stub(Arc::new(Stub));
    bed.put_rule("the stub", kind, None, Often::default()).await;
    let mut client = bed.client();
    assert_eq!(client.ask("/stub"), r#"201 {"from":"stub"}"#);
    assert!(client.ask("/other").starts_with("404 "));
    let large = format!(
        "POST /stub HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3000000\r\n\r\n{}",
        "x".repeat(3_000_000)
    );
    client.0.get_mut().write_all(large.as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap(), "100 ");
    assert_eq!(client.answer().unwrap(), r#"201 {"from":"stub"}"#);
    drop(client);
}
