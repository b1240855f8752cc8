//! A proxy on whose seams nothing happens sleeps, and what happens then is told all the same. In a program of its own,
//! because threads are known by their names.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_proxy::{Proxy, Pulse, SeamSpec, Strangers, Upstream, Witness};
use seam_wire::{Limits, protocol};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

struct Notes(mpsc::Sender<Interaction>);

impl Witness for Notes {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}
    fn interaction(&mut self, interaction: Interaction) {
        self.0.send(interaction).unwrap();
    }
    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        panic!("degraded: {reason}");
    }
    fn lost(&mut self, _: &SeamId, _: u64) {}
}

/// How often the observer's thread has gone to sleep; none before it has its name.
fn n_sleeps() -> Option<u64> {
    let mut threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let observer = |folder: &std::path::PathBuf| {
        std::fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.trim() == "observer")
    };
    let folder = threads.find(observer)?;
    let status = std::fs::read_to_string(folder.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    Some(line.unwrap().trim().parse().unwrap())
}

/// Waits until half a second passes nearly without its waking.
async fn rests() {
    let deadline = Instant::now() + LONG;
    loop {
        let before = n_sleeps();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let n_woken = n_sleeps().zip(before).map(|(now, before)| now - before);
        if n_woken.is_some_and(|n_woken| n_woken < 10) {
            return;
        }
        assert!(Instant::now() < deadline, "it woke {n_woken:?} times");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_happens_the_observer_sleeps() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = Upstream::Tcp(listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.read(&mut [0; 512]).is_ok_and(|n_read| n_read > 0) {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    let (told, notes) = mpsc::channel();
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let proxy = Proxy::start(pulse, Limits::default(), Box::new(Notes(told)), Box::new(Strangers)).unwrap();
    let seam = SeamId { consumer: "web".into(), provider: "api".into(), endpoint: Endpoint::main() };
    let spec = SeamSpec { seam, protocol: protocol("http").unwrap(), upstream, listen: None };
    let mut client = TcpStream::connect(proxy.stand(spec).await.unwrap()).unwrap();
    for _ in 0..2 {
        rests().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        // Nobody asks for it.
        notes.recv_timeout(LONG).unwrap();
    }
}
