//! The load: clients that ask and check, somebody who cuts, and rules that come and go.

use crate::link::{Cut, Link, Links};
use crate::servers::Server;
use crate::tally::Tally;
use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_expr::Chance;
use seam_proxy::{
    Kind, Often, Proxy, Pulse, Rule, RuleSpec, SeamSpec, Strangers, Upstream, Witness, read_fault,
};
use seam_value::parse;
use seam_wire::{Answering, Answers, Asked, Limits, Say, protocol};
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Clients at once.
const CLIENTS: usize = 8;

/// How much more memory a server's folder of buffers and the allocator may come to hold, in bytes.
const ROOM: usize = 64 * 1024 * 1024;

/// Cuts a second, about.
const CUTS: f64 = 5.0;

/// No answer may take longer; a debug build under load takes its time.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the seam does one thing, before its rules change.
const PHASE: Duration = Duration::from_secs(2);

/// One thing that is asked.
pub(crate) struct Ask {
    pub(crate) number: u64,
    pub(crate) size: usize,
    /// Does it change something? Then its answer says no more than that it did.
    pub(crate) does: bool,
}

impl Ask {
    /// What is to be said back.
    pub(crate) fn payload(&self) -> String {
        format!("N{}Z{}", self.number, "x".repeat(self.size))
    }
}

/// A client of a protocol.
pub(crate) trait Speaks: Sized + 'static {
    /// What the seam is told.
    const SEAM: &'static str;

    /// Can it be asked for something that is looked up in the end?
    const DOES: bool = true;

    /// A server; none where its program is missing.
    async fn serve() -> Option<Server>;

    /// What the seam needs besides.
    fn prepare(proxy: &Proxy) {
        let _ = proxy;
    }

    /// Logs in.
    async fn open(stream: TcpStream, number: u64) -> io::Result<Self>;

    /// Asks, and gives the answers in order.
    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>>;

    /// The answer of a stub that says this.
    fn stub(payload: &str) -> Option<String> {
        let _ = payload;
        None
    }

    /// What the server has done.
    async fn done(server: &Server) -> Option<Vec<u64>> {
        let _ = server;
        None
    }
}

/// A task that ends with whoever has it.
pub(crate) struct Owned(JoinHandle<()>);

impl Owned {
    pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) -> Self {
        Self(tokio::task::spawn_local(task))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Counts what the seam tells.
#[derive(Clone, Default)]
struct Told {
    n_open: Arc<AtomicU64>,
    n_interactions: Arc<AtomicU64>,
    degraded: Arc<Mutex<Vec<String>>>,
}

impl Witness for Told {
    fn connection(&mut self, _: &SeamId, _: u64, state: &'static str, _: Option<&ComponentId>) {
        match state {
            "opened" => self.n_open.fetch_add(1, Ordering::SeqCst),
            _ => self.n_open.fetch_sub(1, Ordering::SeqCst),
        };
    }

    fn interaction(&mut self, _: Interaction) {
        self.n_interactions.fetch_add(1, Ordering::SeqCst);
    }

    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        self.degraded.lock().unwrap().push(reason.to_owned());
    }

    fn lost(&mut self, _: &SeamId, _: u64) {}
}

/// Answers some of what is to be said back, and says it back.
struct Stub(fn(&str) -> Option<String>);

impl Answers for Stub {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let text = asked.request.to_string();
        let from = text.match_indices('N').find_map(|(at, _)| payload_at(&text[at..]))?;
        let number: u64 = from[1..from.find('Z')?].parse().ok()?;
        let say = number.is_multiple_of(6).then(|| (self.0)(from)).flatten()?;
        let say = Say::Answer(Arc::new(parse(&say).unwrap()));
        Some(Answering {
            by: Arc::from("soak"),
            after: Duration::ZERO,
            say,
            dribble: None,
            afterwards: Vec::new(),
        })
    }
}

/// The payload with which this begins.
fn payload_at(text: &str) -> Option<&str> {
    let n_digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    let rest = text[1 + n_digits..].strip_prefix('Z').filter(|_| n_digits > 0)?;
    let n_filled = rest.bytes().take_while(|byte| *byte == b'x').count();
    Some(&text[..2 + n_digits + n_filled])
}

/// What a soak runs with.
struct Soaking {
    tally: Tally,
    links: Links,
    seam: SocketAddr,
    chance: Chance,
    n_asks: Cell<u64>,
    ends: Instant,
    /// Connections are made one at a time, so that each is known on both sides of the seam.
    connecting: tokio::sync::Mutex<()>,
}

impl Soaking {
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    fn asks(&self, may_do: bool) -> Vec<Ask> {
        let n_asks = 1 + self.chance.below(6);
        let ask = |_| {
            let number = self.n_asks.get() + 1;
            self.n_asks.set(number);
            let size = match self.chance.below(20) {
                0 => self.chance.below(300_000),
                1..5 => self.chance.below(5_000),
                _ => self.chance.below(100),
            };
            Ask { number, size: usize::try_from(size).unwrap(), does: may_do && number % 2 == 1 }
        };
        (0..n_asks).map(ask).collect()
    }

    fn how(&self) -> Cut {
        if self.chance.below(2) == 0 { Cut::Rst } else { Cut::Fin }
    }
}

/// Soaks one protocol for so long.
pub(crate) fn soak<S: Speaks>(time: Duration) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let soaked = local.block_on(&runtime, soaked::<S>(time));
    drop(local);
    soaked
}

async fn soaked<S: Speaks>(time: Duration) -> bool {
    let Some(server) = S::serve().await else { return false };
    let fds_before = n_fds();
    let links = Links::listen(server.address()).await;
    let told = Told::default();
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(told.clone()), Box::new(Strangers)).unwrap();
    S::prepare(&proxy);
    let seam = SeamId { consumer: "soak".into(), provider: "server".into(), endpoint: Endpoint::main() };
    let upstream = Upstream::Tcp(links.address);
    let spec = SeamSpec { seam, protocol: protocol(S::SEAM).unwrap(), upstream, listen: None };
    let seam = proxy.stand(spec).await.unwrap();
    let soaking = Rc::new(Soaking {
        tally: Tally::default(),
        links,
        seam,
        chance: Chance::new(7, std::any::type_name::<S>()),
        n_asks: Cell::new(0),
        ends: Instant::now() + time,
        connecting: tokio::sync::Mutex::default(),
    });
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::task::spawn_local(client::<S>(Rc::clone(&soaking)))).collect();
    let cutting = tokio::task::spawn_local(cut(Rc::clone(&soaking)));
    let memory = change_rules::<S>(&soaking, &proxy, time).await;
    cutting.abort();
    for client in clients {
        client.await.unwrap();
    }
    settle::<S>(&soaking, &proxy, (&server, &told)).await;
    proxy.stop();
    let (fds_after, memory_after) = (n_fds(), n_resident());
    // The listener of the links is left, and what is just being closed.
    if fds_after > fds_before + 8 {
        soaking.tally.wrong("leaked", format!("{fds_before} file descriptors became {fds_after}"));
    }
    // What is kept for whoever asks later is bounded; more than this on top is not.
    if memory > 0 && memory_after > 2 * memory + ROOM {
        let (early, late) = (memory / 1024 / 1024, memory_after / 1024 / 1024);
        soaking.tally.wrong("leaked", format!("{early} MiB became {late} MiB"));
    }
    eprintln!(
        "{}: {}; {} interactions told; memory {} MiB, then {} MiB",
        std::any::type_name::<S>().rsplit("::").next().unwrap_or_default(),
        soaking.tally,
        told.n_interactions.load(Ordering::SeqCst),
        memory / 1024 / 1024,
        memory_after / 1024 / 1024
    );
    assert!(soaking.tally.answered.get() > 0, "nothing was answered");
    assert!(told.n_interactions.load(Ordering::SeqCst) > 0, "nothing was told");
    assert_eq!(soaking.tally.n_wrong(), 0, "the aim is nothing");
    true
}

/// Puts rules on the seam and takes them away, until the time is over. Says how much memory was in use early on.
async fn change_rules<S: Speaks>(soaking: &Soaking, proxy: &Proxy, time: Duration) -> usize {
    let mut memory = 0;
    let mut phase = 0;
    while !soaking.is_over() {
        let rule = match phase % 4 {
            0 => None,
            1 => Some((Kind::Fault(read_fault(&parse(r#""reset""#).unwrap()).unwrap()), true)),
            2 => Some((Kind::Fault(read_fault(&parse(r#"{"latency":"2ms"}"#).unwrap()).unwrap()), false)),
            _ => Some((Kind::Stub(Arc::new(Stub(S::stub))), false)),
        };
        let rule = rule.map(|(kind, never)| {
            let filter = never.then(|| Box::new(|_: &seam_value::Value| false) as seam_proxy::Filter);
            let chance = Chance::new(7, "soak");
            let (name, filters_replies, often) = ("soak".to_owned(), false, Often::default());
            Arc::new(Rule::new(RuleSpec { name, kind, filter, filters_replies, often, chance }))
        });
        if let Some(rule) = &rule {
            proxy.put(|_| true, rule);
        }
        tokio::time::sleep(PHASE.min(time / 4)).await;
        if let Some(rule) = &rule {
            proxy.take_away(rule);
        }
        phase += 1;
        if phase == 5 {
            memory = n_resident();
        }
    }
    memory
}

/// Cuts a connection now and then.
async fn cut(soaking: Rc<Soaking>) {
    loop {
        let pause = soaking.chance.below(2_000);
        tokio::time::sleep(Duration::from_secs_f64(pause_of(pause))).await;
        let open: Vec<Rc<Link>> =
            soaking.links.open.borrow().iter().filter(|link| !link.is_cut()).cloned().collect();
        if open.is_empty() {
            continue;
        }
        let link = &open[usize::try_from(soaking.chance.below(open.len() as u64)).unwrap()];
        let how = soaking.how();
        if soaking.chance.below(2) == 0 {
            soaking.tally.cut(if how == Cut::Rst { "server RST" } else { "server FIN" });
            link.cut_server(how);
        } else {
            link.client_was_cut.set(true);
            link.cut_client.notify_one();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pause need not be exact")]
fn pause_of(thousandths: u64) -> f64 {
    thousandths as f64 / 1_000.0 / CUTS
}

async fn client<S: Speaks>(soaking: Rc<Soaking>) {
    while !soaking.is_over() {
        let Some((stream, link)) = connect(&soaking).await else { continue };
        let how = soaking.how();
        how.prepare(&stream);
        let talked = tokio::select! {
            talked = talk::<S>(&soaking, stream) => Some(talked),
            () = link.cut_client.notified() => None,
        };
        let now = Instant::now();
        match (talked, link.server_was_cut.get()) {
            (None, _) => {
                soaking.tally.cut(if how == Cut::Rst { "client RST" } else { "client FIN" });
                let waited = tokio::time::timeout(PATIENCE, heard_of_end(&link)).await;
                let ended = link.ended.get().map(|ended| ended.saturating_duration_since(now));
                match (waited, link.server_was_cut.get()) {
                    (_, Some(_)) => {}
                    (Ok(()), None) => soaking.tally.ended_after(ended.unwrap_or_default()),
                    (Err(_), None) => soaking.tally.wrong("hung", "the server's side never heard of an end"),
                }
            }
            // It is over for all.
            (Some(Ok(())), _) => {}
            (Some(Err(_)), Some(cut)) => soaking.tally.ended_after(now.saturating_duration_since(cut)),
            (Some(Err(error)), None) => soaking.tally.wrong("broken", format!("{error:?}")),
        }
    }
}

async fn heard_of_end(link: &Link) {
    while link.ended.get().is_none() && link.server_was_cut.get().is_none() {
        let _ = tokio::time::timeout(Duration::from_millis(20), link.told_end.notified()).await;
    }
}

async fn connect(soaking: &Soaking) -> Option<(TcpStream, Rc<Link>)> {
    let _one_at_a_time = soaking.connecting.lock().await;
    let stream = match TcpStream::connect(soaking.seam).await {
        Ok(stream) => stream,
        Err(error) => {
            soaking.tally.wrong("refused", error.to_string());
            return None;
        }
    };
    stream.set_nodelay(true).unwrap();
    soaking.tally.connections.set(soaking.tally.connections.get() + 1);
    let link = soaking.links.newest().await;
    if link.is_none() {
        soaking.tally.wrong("hung", "a connection was never passed on");
    }
    Some((stream, link?))
}

/// Asks until the time is over or the connection is.
async fn talk<S: Speaks>(soaking: &Soaking, stream: TcpStream) -> io::Result<()> {
    let number = soaking.tally.connections.get();
    let mut client = patiently(soaking, S::open(stream, number)).await?;
    while !soaking.is_over() {
        let asks = soaking.asks(S::DOES);
        let does = || asks.iter().filter(|ask| ask.does).map(|ask| ask.number);
        soaking.tally.tried.borrow_mut().extend(does());
        soaking.tally.asked.set(soaking.tally.asked.get() + asks.len() as u64);
        let answers = patiently(soaking, client.ask(&asks)).await?;
        soaking.tally.answered.set(soaking.tally.answered.get() + answers.len() as u64);
        soaking.tally.done.borrow_mut().extend(does());
        for (ask, answer) in asks.iter().zip(&answers) {
            let expected = if ask.does { String::new() } else { ask.payload() };
            if *answer != expected {
                let (answer, expected) =
                    (&answer[..answer.len().min(40)], &expected[..expected.len().min(40)]);
                soaking.tally.wrong("changed", format!("{answer} instead of {expected}"));
            }
        }
    }
    Ok(())
}

async fn patiently<T>(soaking: &Soaking, what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let Ok(done) = tokio::time::timeout(PATIENCE, what).await else {
        soaking.tally.wrong("hung", "no answer");
        return Err(io::ErrorKind::TimedOut.into());
    };
    done
}

/// All clients have left: nothing may be left of them.
async fn settle<S: Speaks>(soaking: &Soaking, proxy: &Proxy, (server, told): (&Server, &Told)) {
    let deadline = Instant::now() + Duration::from_secs(2);
    let n_open = || told.n_open.load(Ordering::SeqCst);
    loop {
        assert!(proxy.drain(PATIENCE).await);
        let left =
            (n_open(), proxy.pulse().n_open_calls(), proxy.n_held(), soaking.links.open.borrow().len());
        if left == (0, 0, 0, 0) {
            break;
        }
        if Instant::now() > deadline {
            soaking.tally.wrong("leaked", format!("connections, calls, held, links: {left:?}"));
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for reason in told.degraded.lock().unwrap().iter() {
        soaking.tally.wrong("degraded", reason.as_str());
    }
    if let Some(done) = S::done(server).await {
        soaking.tally.compare(&done);
    }
}

fn n_fds() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Memory in use, in bytes.
fn n_resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}
