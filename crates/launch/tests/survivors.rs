//! Nothing is left behind: one test for each way in which a run can end, counting what survives.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod bed;

use bed::{Bed, LIMIT, Mark, hear, script, wait_for_end};
use rustix::process::{Pid, Signal, kill_process};
use seam_launch::{Watcher, sweep};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many processes of [`tree`] bear the mark.
const TREE: usize = 6;

/// A component with everything that makes ending hard: children, a child that ignores SIGTERM, a daemon that forks
/// twice into a session of its own, the same with a cleared environment, and one more that holds no pipe of ours.
fn tree(mark: &Mark) -> String {
    let sleep = mark.sleep();
    format!(
        "{sleep} & {sleep} &
         (trap '' TERM; {sleep}) &
         (setsid sh -c '{sleep} >/dev/null 2>&1 </dev/null & echo' >/dev/null)
         (env -i setsid sh -c '{sleep} >/dev/null 2>&1 </dev/null & echo' >/dev/null)
         (env -i setsid {sleep} &)
         echo up; wait"
    )
}

/// Waits until all of a tree has become what it is going to be: `echo up` may be faster than the last `exec`.
fn whole(mark: &Mark) {
    let since = Instant::now();
    while mark.survivors().len() < TREE {
        assert!(since.elapsed() < LIMIT, "only {:?}", mark.survivors());
        std::thread::yield_now();
    }
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn after_success() {
    let bed = Bed::new();
    let kept = bed.folder.path().join("run-3f2-data");
    std::fs::create_dir_all(kept.join("deep")).unwrap();
    let watcher = bed.watcher().await;
    watcher.remove_at_end(&kept).await.unwrap();
    let (spawn, mut lines) = script("orders", &tree(&bed.mark));
    watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    whole(&bed.mark);
    assert_eq!(bed.n_registered(), 1);
    let over = watcher.finish().await.unwrap();
    assert!(over.n_ended >= TREE && over.left.is_empty() && over.folders.is_empty(), "{over:?}");
    bed.mark.none_survives();
    assert_eq!(bed.n_registered(), 0);
    assert!(!kept.exists());
}

#[tokio::test]
async fn after_a_stop_of_the_component() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    // Nothing that cleared its environment: that belongs to the run, but to nobody in it.
    let sleep = bed.mark.sleep();
    let text = format!(
        "{sleep} & (trap '' TERM; {sleep}) &
         (setsid sh -c '{sleep} >/dev/null 2>&1 </dev/null & echo' >/dev/null)
         echo up; wait"
    );
    let (spawn, mut lines) = script("orders", &text);
    let orders = watcher.spawn(spawn).await.unwrap();
    let (spawn, mut others) = script("pricing", "echo up; sleep 1000");
    let pricing = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    hear(&mut others, "up").await;
    let since = Instant::now();
    while bed.mark.survivors().len() < 3 {
        assert!(since.elapsed() < LIMIT);
    }
    let end = orders.stop(Duration::from_millis(200)).await.unwrap();
    assert!(end.by_force && end.left.is_empty());
    bed.mark.none_survives();
    assert!(pricing.exit().is_none(), "the other one is let alone");
    watcher.finish().await.unwrap();
}

/// A process that starts the next one and ends, over and over, for as long as the flag is there: whoever looks at
/// the table of processes finds one that is gone already.
fn hopper(flag: &Path) -> String {
    std::fs::write(flag, "").unwrap();
    format!("hop() {{ [ -e {} ] && hop & }}; hop; echo up; exec sleep 1000", flag.display())
}

#[tokio::test]
async fn what_hops_from_process_to_process_is_caught() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let flag = bed.folder.path().join("flag");
    let (spawn, mut lines) = script("orders", &hopper(&flag));
    let running = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    let end = running.kill().await.unwrap();
    assert!(end.left.is_empty(), "{end:?}");
    assert_eq!(watcher.n_processes(), 0);

    let (spawn, mut lines) = script("orders", &hopper(&flag));
    watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    let over = watcher.finish().await.unwrap();
    assert!(over.left.is_empty(), "{over:?}");
}

#[tokio::test]
async fn after_it_was_dropped() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let pid = watcher.pid();
    let (spawn, mut lines) = script("orders", &tree(&bed.mark));
    let running = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    whole(&bed.mark);
    drop(running);
    drop(watcher);
    tokio::task::spawn_blocking(move || wait_for_end(pid)).await.unwrap();
    bed.mark.none_survives();
}

#[tokio::test]
async fn after_the_watcher_was_killed_under_a_living_seam() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (spawn, mut lines) = script("orders", "sleep 1000 & echo up; wait");
    let running = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    let pids = running.pids().await.unwrap();
    assert_eq!(pids.len(), 2);
    signal(watcher.pid(), Signal::KILL);
    tokio::time::timeout(LIMIT, watcher.lost()).await.unwrap();
    for pid in pids {
        assert!(!is_living(pid), "{pid} survives");
    }
    assert!(running.exited().await.is_err() && running.stop(Duration::ZERO).await.is_err());
    assert!(watcher.finish().await.is_err());
    assert_eq!(bed.n_registered(), 0);
}

/// A `seam` that is killed, or not so kindly treated, from outside.
struct Client {
    child: Child,
    watcher: u32,
}

/// Is the client: starts a tree, says so, and then does what the scenario says.
#[test]
#[ignore = "the client of the other tests"]
fn client_entry() {
    let folder = std::env::var("BED").unwrap();
    let mark = std::mem::ManuallyDrop::new(Mark(std::env::var("MARK").unwrap()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let watcher = Watcher::start(bed::options(Path::new(&folder), "3f2")).await.unwrap();
        let kept = Path::new(&folder).join("run-3f2-data");
        std::fs::create_dir_all(&kept).unwrap();
        watcher.remove_at_end(&kept).await.unwrap();
        let (spawn, mut lines) = script("orders", &tree(&mark));
        let _running = watcher.spawn(spawn).await.unwrap();
        hear(&mut lines, "up").await;
        whole(&mark);
        println!("\nwatcher {}", watcher.pid());
        assert!(std::env::var("SCENARIO").unwrap() != "panic", "as the scenario wants it");
        std::future::pending::<()>().await;
    });
}

fn client(bed: &Bed, scenario: &str) -> Client {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "client_entry", "--ignored", "--nocapture", "--test-threads=1"])
        .env("BED", bed.folder.path())
        .env("MARK", &bed.mark.0)
        .env("SCENARIO", scenario)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let watcher = said
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("watcher ")?.parse().ok())
        .expect("the client did not come up");
    Client { child, watcher }
}

/// What must be so after a client is gone: the watcher ended everything and then itself.
fn nothing_is_left(bed: &Bed, watcher: u32) {
    wait_for_end(watcher);
    bed.mark.none_survives();
    assert_eq!(bed.n_registered(), 0);
    assert!(!bed.folder.path().join("run-3f2-data").exists());
}

#[test]
fn after_sigkill_of_the_client() {
    let bed = Bed::new();
    let mut client = client(&bed, "wait");
    assert_eq!(bed.mark.survivors().len(), TREE);
    let since = Instant::now();
    client.child.kill().unwrap();
    let took = bed.mark.time_until_none(since);
    client.child.wait().unwrap();
    nothing_is_left(&bed, client.watcher);
    println!("no survivors {took:?} after SIGKILL");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn after_sigterm_of_the_client() {
    let bed = Bed::new();
    let mut client = client(&bed, "wait");
    signal(client.child.id(), Signal::TERM);
    client.child.wait().unwrap();
    nothing_is_left(&bed, client.watcher);
}

#[test]
fn after_a_panic_of_the_client() {
    let bed = Bed::new();
    let mut client = client(&bed, "panic");
    assert!(!client.child.wait().unwrap().success());
    nothing_is_left(&bed, client.watcher);
}

#[test]
fn the_watcher_does_not_end_by_signals_that_people_send() {
    let bed = Bed::new();
    let mut client = client(&bed, "wait");
    for polite in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1] {
        signal(client.watcher, polite);
    }
    assert_eq!(bed.mark.survivors().len(), TREE);
    client.child.kill().unwrap();
    client.child.wait().unwrap();
    nothing_is_left(&bed, client.watcher);
}

#[test]
fn after_both_were_killed_the_next_start_sweeps() {
    let bed = Bed::new();
    let mut client = client(&bed, "wait");
    // A bystander that has nothing to do with the run.
    let mut bystander = Command::new("sleep").arg(&bed.mark.0).spawn().unwrap();
    assert!(sweep(&bed.registry()).is_empty(), "a living run is not swept");
    // The client first, and stopped, so that it cannot sweep itself.
    signal(client.child.id(), Signal::STOP);
    signal(client.watcher, Signal::KILL);
    wait_for_end(client.watcher);
    client.child.kill().unwrap();
    client.child.wait().unwrap();
    let swept = sweep(&bed.registry());
    assert_eq!(swept.len(), 1);
    assert_eq!((swept[0].run.as_str(), swept[0].left.len(), swept[0].folders.len()), ("3f2", 0, 1));
    // Those with a cleared environment bear no cookie, and nobody is left who knew them.
    let left = bed.mark.survivors().len();
    assert!(left <= 2 + 1, "{left}, the bystander among them");
    assert_eq!(bed.n_registered(), 0);
    assert!(bystander.try_wait().unwrap().is_none(), "the bystander lives");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(sweep(&bed.registry()).is_empty());
}

fn is_living(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
