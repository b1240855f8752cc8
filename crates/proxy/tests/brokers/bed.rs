//! What each of these tests needs: a server that ends with it, a seam to it, and a client that waits where it is told to.

#[path = "../notes/mod.rs"]
mod notes;

pub(crate) use crate::servers::{Ended, Server, free_port, mariadb, program, python};
pub(crate) use notes::Notes;
use seam_event::{Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Filter, Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream, read_fault,
};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Limits, Say, protocol};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A seam to the server, or to where nobody is.
pub(crate) struct Seam {
    proxy: Proxy,
    notes: Notes,
    pub(crate) address: SocketAddr,
}

/// What a fault is about.
pub(crate) type About = fn(&Value) -> bool;

impl Seam {
    pub(crate) async fn stand(name: &str, upstream: Upstream) -> Self {
        let notes = Notes::default();
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let witness = Box::new(notes.clone());
        let proxy = Proxy::start(pulse, Limits::default(), witness, Box::new(Strangers)).unwrap();
        let seam = SeamId { consumer: "shop".into(), provider: "server".into(), endpoint: Endpoint::main() };
        let spec = SeamSpec { seam, protocol: protocol(name).unwrap(), upstream, listen: None };
        let address = proxy.stand(spec).await.unwrap();
        Self { proxy, notes, address }
    }

    /// A fault, once, on the first interaction that it is about.
    pub(crate) async fn break_once(&self, fault: &str, about: About) -> Arc<Rule> {
        let kind = Kind::Fault(read_fault(&parse(fault).unwrap()).unwrap());
        let often = Often { times: Some(1), ..Often::default() };
        self.put(fault, (kind, often), Some(Box::new(about))).await
    }

    pub(crate) async fn put(
        &self,
        name: &str,
        (kind, often): (Kind, Often),
        filter: Option<Filter>,
    ) -> Arc<Rule> {
        let chance = Chance::new(7, name);
        let spec = RuleSpec { name: name.to_owned(), kind, filter, filters_replies: false, often, chance };
        let rule = Arc::new(Rule::new(spec));
        assert_eq!(self.proxy.put(|_| true, &rule), 1);
        self.proxy.pointed(|_| true).await;
        rule
    }

    pub(crate) fn take_away(&self, rule: &Arc<Rule>) {
        self.proxy.take_away(rule);
    }

    /// How many connections are held.
    pub(crate) fn n_held(&self) -> usize {
        self.proxy.n_held()
    }

    /// What passed, and that all of it was legible.
    pub(crate) async fn told(&self) -> Vec<Interaction> {
        assert!(self.proxy.drain(LONG).await);
        assert_eq!(*self.notes.1.lock().unwrap(), [""; 0], "it stays legible");
        self.notes.0.lock().unwrap().clone()
    }
}

/// Answers by a table: the first entry that is about the request.
pub(crate) struct Table(pub(crate) &'static [(About, &'static str)]);

impl Answers for Table {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let (_, answer) = self.0.iter().find(|(about, _)| about(asked.request))?;
        let say = Say::Answer(Arc::new(parse(answer).unwrap()));
        let by = Arc::from("the stub");
        Some(Answering { by, after: Duration::ZERO, say, dribble: None, afterwards: Vec::new() })
    }
}

/// The text at a path of an interaction.
pub(crate) fn text(value: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(value, |value, name| value.get(name));
    found.and_then(Value::as_text).unwrap_or_default().to_owned()
}

/// A program in Python or for Node, which says what it has seen in lines, and waits where it is told to.
pub(crate) struct Client {
    _program: Ended,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Client {
    pub(crate) fn run(python: &str, port: u16, script: &str) -> Self {
        let begin = "import sys\nport = int(sys.argv[1])\n\
            def say(*what): print(*what, flush=True)\ndef wait(): sys.stdin.readline()\n";
        Self::begin(Command::new(python).args(["-c", &format!("{begin}{script}"), &port.to_string()]))
    }

    /// The same in JavaScript, for Node.
    pub(crate) fn run_in_node(node: &std::path::Path, port: u16, script: &str) -> Self {
        let begin = "const port = Number(process.argv[1]);\nconst say = (...what) => console.log(...what);\n\
            const lines = [], waiting = [];\n\
            process.stdin.on('data', () => { waiting.length ? waiting.shift()() : lines.push(1); });\n\
            process.stdin.unref();\n\
            const wait = () => lines.pop() ? Promise.resolve() : new Promise(go => waiting.push(go));\n";
        Self::begin(Command::new(node).args(["-e", &format!("{begin}{script}"), &port.to_string()]))
    }

    fn begin(command: &mut Command) -> Self {
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (program.stdin.take().unwrap(), BufReader::new(program.stdout.take().unwrap()));
        let (said, lines) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        Self { _program: Ended(program), stdin, lines }
    }

    /// What it says next; nothing once it has ended.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(3 * LONG) {
            Ok(line) => line.trim_end().to_owned(),
            Err(mpsc::RecvTimeoutError::Disconnected) => String::new(),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the client says nothing more"),
        }
    }

    pub(crate) fn go_on(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }
}
