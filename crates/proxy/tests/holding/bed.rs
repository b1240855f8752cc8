//! A seam in front of a provider that counts what it is asked, and a client that says in one word what it got.

use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    ByHead, Filter, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream, Witness,
    read_fault,
};
use seam_value::{Value, parse};
use seam_wire::{Limits, protocol};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Interaction>>>, Arc<Mutex<Vec<String>>>);

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

pub(crate) struct Bed {
    pub(crate) proxy: Proxy,
    notes: Notes,
    pub(crate) address: SocketAddr,
    /// How many requests the provider got.
    n_asked: Arc<AtomicUsize>,
}

/// A provider that answers each request with its path and how many there were, as JSON.
pub(crate) fn provider(n_asked: Arc<AtomicUsize>) -> Upstream {
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

/// What stands behind a seam, given where it counts what it is asked.
pub(crate) type Begin = fn(Arc<AtomicUsize>) -> Upstream;

pub(crate) fn nobody(_: Arc<AtomicUsize>) -> Upstream {
    Upstream::Nowhere
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

pub(crate) async fn bed(upstream: impl FnOnce(Arc<AtomicUsize>) -> Upstream) -> Bed {
    bed_of("http", upstream).await
}

/// With a seam on which this is spoken.
pub(crate) async fn bed_of(word: &str, upstream: impl FnOnce(Arc<AtomicUsize>) -> Upstream) -> Bed {
    let notes = Notes::default();
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(notes.clone()), Box::new(Strangers)).unwrap();
    let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
    let n_asked = Arc::new(AtomicUsize::new(0));
    let upstream = upstream(Arc::clone(&n_asked));
    let spec = SeamSpec { seam, protocol: protocol(word).unwrap(), upstream, listen: None };
    let address = proxy.stand(spec).await.unwrap();
    Bed { proxy, notes, address, n_asked }
}

impl Bed {
    pub(crate) async fn put(&self, fault: &str) -> Arc<Rule> {
        self.put_on(fault, None, Often::default()).await
    }

    pub(crate) async fn put_on(&self, fault: &str, path: Option<&'static str>, often: Often) -> Arc<Rule> {
        let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
        self.put_rule(fault, kind, path, often).await
    }

    pub(crate) async fn put_rule(
        &self,
        name: &str,
        kind: Kind,
        path: Option<&'static str>,
        often: Often,
    ) -> Arc<Rule> {
        let filter = path.map(|path| -> Filter {
            Box::new(move |interaction| {
                interaction.get("request").and_then(|request| request.get("path")) == Some(&Value::text(path))
            })
        });
        let chance = Chance::new(7, name);
        let spec = RuleSpec { name: name.to_owned(), kind, filter, filters_replies: false, often, chance };
        let rule = Rule::new(spec);
        let rule = Arc::new(match path {
            Some(path) => rule.knowing_heads(Box::new(move |head| {
                let is_it = head.get("request").and_then(|head| head.get("path")) == Some(&Value::text(path));
                if is_it { ByHead::Fits } else { ByHead::Misses }
            })),
            None => rule,
        });
        assert_eq!(self.proxy.put(|_| true, &rule), 1);
        self.proxy.pointed(|_| true).await;
        rule
    }

    /// Says a message to all consumers.
    pub(crate) async fn push(&self, message: Value) -> Vec<Result<(), String>> {
        let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
        self.proxy.push(&seam, message).await.unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    pub(crate) fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::SeqCst)
    }

    pub(crate) async fn told(&self) -> Vec<String> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.1.lock().unwrap().clone()
    }

    pub(crate) async fn interactions(&self) -> Vec<Interaction> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.0.lock().unwrap().clone()
    }
}

pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LONG))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads the whole answer: status and body; the error's kind, or nothing at its end.
    pub(crate) fn ask(&mut self, path: &str) -> String {
        let request = format!("POST {path} HTTP/1.1\r\nhost: api\r\ncontent-length: 2\r\n\r\n{{}}");
        if let Err(error) = self.0.get_mut().write_all(request.as_bytes()) {
            return format!("{:?}", error.kind());
        }
        self.answer().unwrap_or_else(|error| match error.kind() {
            ErrorKind::WouldBlock => "silence".to_owned(),
            kind => format!("{kind:?}"),
        })
    }

    pub(crate) fn answer(&mut self) -> std::io::Result<String> {
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

pub(crate) const FIRST: &str = r#"200 {"path":"/a","n":1}"#;
