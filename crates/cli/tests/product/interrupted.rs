//! Runs that somebody ends: in order the first time, at once the second time, and nothing left behind either way.

use crate::place::{Done, Place};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::time::{Duration, Instant};

const SLOW: &str = "\
tests:
  - name: It takes its time
    steps: [{ http: GET front/slow/50, timeout: 1m, expect: { status: 200 } }]
";

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(30);

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until the text stands on standard error, and gives the rest of the stream.
fn until(child: &mut Child, text: &str) -> impl FnOnce() -> String + use<> {
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    while !seen.contains(text) {
        assert_ne!(lines.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    move || {
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        seen + &rest
    }
}

fn none_survives(place: &Place) {
    let since = Instant::now();
    while !place.survivors().is_empty() {
        assert!(since.elapsed() < LIMIT, "left behind: {:?}", place.survivors());
        std::thread::yield_now();
    }
}

#[test]
fn the_first_time_everything_is_ended_in_order() {
    for end in [Signal::INT, Signal::TERM, Signal::HUP] {
        let Some(place) = Place::demo(SLOW) else { return };
        let mut child = place.start(&["run", "--report", "junit=junit.xml"]);
        let rest = until(&mut child, "running the tests\n");
        signal(&child, end);
        let output = child.wait_with_output().unwrap();
        // What it says is that all was ended, so this must be so at once.
        assert_eq!(place.survivors(), Vec::<String>::new());
        let done = Done::of(&output, &place).exits(130);
        assert!(done.out.contains("the run was interrupted"), "{}", done.out);
        assert!(rest().contains("ending everything in order"));
        assert!(place.read("junit.xml").contains("testsuite"), "what is known is reported");
        assert_eq!(place.seam(&["report"]).exits(130).out, done.out);
    }
}

#[test]
fn the_second_time_it_is_gone_at_once() {
    let Some(place) = Place::demo(SLOW) else { return };
    let app = place.read("app.py");
    place.write("app.py", &format!("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{app}"));
    let mut child = place.start(&["run"]);
    let rest = until(&mut child, "running the tests\n");
    signal(&child, Signal::INT);
    let mut lines = Vec::new();
    // It says that it heard us, and then waits for components that will not go by themselves.
    let since = Instant::now();
    signal_again(&mut child, &mut lines);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(since.elapsed() < Duration::from_secs(4), "it waited: {:?}", since.elapsed());
    none_survives(&place);
    drop(rest());
}

/// A second signal that comes while the first one is still pending is one signal: it is sent until it is heard.
fn signal_again(child: &mut Child, _: &mut Vec<String>) {
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(since.elapsed() < LIMIT);
        signal(child, Signal::INT);
        std::thread::yield_now();
    }
}

#[test]
fn killed_it_leaves_nothing_behind() {
    let Some(place) = Place::demo(SLOW) else { return };
    let mut child = place.start(&["run"]);
    let rest = until(&mut child, "running the tests\n");
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    none_survives(&place);
    drop(rest());
    let stored = place.seam(&["report"]).exits(130);
    assert!(stored.out.contains("the run never came to its end"), "{}", stored.out);
}

#[test]
fn the_system_is_up_until_somebody_ends_it() {
    let Some(place) = Place::demo(SLOW) else { return };
    let mut child = place.start(&["up"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("Ctrl-C takes it down again") {
        assert_ne!(lines.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    assert!(seen.contains("demo is up\n  back   http://127.0.0.1:"), "{seen}");
    let address = seen.lines().find_map(|line| line.strip_prefix("  front  http://")).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!("GET /next HTTP/1.0\r\nHost: {address}\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(place.survivors(), Vec::<String>::new());
}

#[test]
fn tests_that_were_recorded_and_not_yet_run_are_not_left() {
    let Some(place) = Place::demo(&SLOW.replace("/50", "/1")) else { return };
    for before in [
        None,
        Some("# Recorded by Seamwork: each test asks what was asked, and expects what was answered.\n"),
    ] {
        if let Some(text) = before {
            place.write("recorded/recorded.seam.yaml", text);
        }
        let mut child = place.start(&["record", "--as", "tests", "--out", "recorded"]);
        let rest = until(&mut child, "as written\n");
        assert!(place.read("recorded/recorded.seam.yaml").contains("None of them was run yet"));
        signal(&child, Signal::INT);
        Done::of(&child.wait_with_output().unwrap(), &place).exits(130);
        let after = std::fs::read_to_string(place.path().join("recorded/recorded.seam.yaml")).ok();
        assert_eq!(after.as_deref(), before, "what stood there stays");
        drop(rest());
    }
}
