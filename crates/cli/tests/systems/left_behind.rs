//! Nothing is left behind: one test for each way in which a run can end, with a component that makes ending hard.
//!
//! What survives is counted by the run's id, whoever its parent is and whatever session it is in. A run that panics
//! is tried where that can be done without a switch in the product: in `seam-launch`, `tests/survivors.rs`.

use crate::sandbox::{Sandbox, said};
use crate::survivors::{GONE_WITHIN, is_living, none_survives, survivors};
use libtest_mimic::{Failed, Trial};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};
use std::time::{Duration, Instant};

/// A component that ignores what asks it to end, with a child, a child that is deaf, and a process that has forked
/// twice into a session of its own.
const SYSTEM: &str = r#"
system: shop
components:
  web:
    run: ./component tree
    env: { LISTEN: "${self.address}" }
    ready: GET /health
    stop_within: 200ms
"#;

/// How many processes the component has when it is whole.
const WHOLE: usize = 4;

const PASSES: &str =
    "tests: [{ name: It works, steps: [{ http: GET web/health, expect: { status: 200 } }] }]\n";
const FAILS: &str =
    "tests: [{ name: It fails, steps: [{ http: GET web/health, expect: { status: 500 } }] }]\n";
const CHECKS_NOTHING: &str = "tests: [{ name: It asks, steps: [{ http: GET web/health }] }]\n";
const LONG: &str = "tests: [{ name: It takes long, steps: [{ http: 'GET web/slow?ms=60000', timeout: 60s, expect: { status: 200 } }] }]\n";

/// A way in which a run can end, and its test.
type Way = (&'static str, fn() -> Result<(), Failed>);

/// One test for each way.
pub(crate) fn trials() -> Vec<Trial> {
    let list: Vec<Way> = vec![
        ("after_success", || ends(PASSES, 0)),
        ("after_failure", || ends(FAILS, 1)),
        ("after_what_is_inconclusive", || ends(CHECKS_NOTHING, 3)),
        ("after_a_start_that_failed", after_a_start_that_failed),
        ("after_prepare_and_steps_that_fork_away", after_prepare_and_steps_that_fork_away),
        ("after_ctrl_c", || signalled(Signal::INT)),
        ("after_sigterm", || signalled(Signal::TERM)),
        ("after_the_terminal_is_closed", || signalled(Signal::HUP)),
        ("after_ctrl_c_twice", after_ctrl_c_twice),
        ("after_ctrl_c_while_it_starts", after_ctrl_c_while_it_starts),
        ("after_sigkill", after_sigkill),
        ("after_sigkill_of_the_watcher", after_sigkill_of_the_watcher),
        ("after_sigkill_of_both_the_next_start_sweeps", after_sigkill_of_both),
        ("after_nobody_reads_any_more", after_nobody_reads_any_more),
        ("after_up", after_up),
    ];
    list.into_iter().map(|(name, test)| Trial::test(format!("left_behind::{name}"), test)).collect()
}

fn sandbox(tests: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("seam.yaml", SYSTEM).write("tests/a.seam.yaml", tests);
    sandbox
}

fn ends(tests: &str, code: i32) -> Result<(), Failed> {
    let sandbox = sandbox(tests);
    let said = said(sandbox.seam(&["run"]).spawn()?);
    assert_eq!(said.code, Some(code), "{said:?}");
    nothing_is_left(&sandbox, 1)
}

/// Of so many runs; and nothing of theirs waits to be swept.
fn nothing_is_left(sandbox: &Sandbox, n_runs: usize) -> Result<(), Failed> {
    let runs = sandbox.runs();
    assert_eq!(runs.len(), n_runs, "{runs:?}");
    for run in &runs {
        none_survives(run)?;
    }
    // The watcher takes its entry away as the last thing it does.
    let since = Instant::now();
    while !sandbox.registered().is_empty() {
        assert!(since.elapsed() < GONE_WITHIN, "still registered: {:?}", sandbox.registered());
        std::thread::yield_now();
    }
    Ok(())
}

/// A run in the middle of its long test, with all its processes.
struct Living {
    sandbox: Sandbox,
    child: Child,
    stderr: BufReader<ChildStderr>,
    run: String,
}

impl Living {
    fn begin(words: &[&str], until: &str) -> Result<Self, Failed> {
        Self::begin_in(sandbox(LONG), words, until)
    }

    fn begin_in(sandbox: Sandbox, words: &[&str], until: &str) -> Result<Self, Failed> {
        let mut child = sandbox.seam(words).spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        hear(&mut stderr, until)?;
        let run = sandbox.runs().pop().ok_or("no run has begun")?;
        let since = Instant::now();
        while survivors(&run).len() < WHOLE {
            assert!(since.elapsed() < GONE_WITHIN, "only {:?}", survivors(&run));
            std::thread::yield_now();
        }
        Ok(Self { sandbox, child, stderr, run })
    }

    /// As the keyboard does it: all of the terminal's foreground group get it.
    fn signal(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, at most so long, and gives its code.
    fn code(&mut self) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(since.elapsed() < GONE_WITHIN, "it does not end");
            std::thread::yield_now();
        }
    }
}

/// Waits for a line that begins so.
fn hear(stderr: &mut BufReader<ChildStderr>, until: &str) -> Result<(), Failed> {
    let mut heard = String::new();
    loop {
        let mut line = String::new();
        if stderr.read_line(&mut line)? == 0 {
            return Err(format!("never said `{until}`, but {heard}").into());
        }
        if line.starts_with(until) {
            return Ok(());
        }
        heard.push_str(&line);
    }
}

fn signalled(signal: Signal) -> Result<(), Failed> {
    let mut living = Living::begin(&["run", "--report", "junit=junit.xml"], "running the tests")?;
    living.signal(signal);
    assert_eq!(living.code(), Some(130));
    // It says that all was ended: so it must be at once.
    assert_eq!(survivors(&living.run), Vec::<u32>::new());
    let mut out = String::new();
    living.child.stdout.take().unwrap().read_to_string(&mut out)?;
    assert!(out.contains("the run was interrupted"), "{out}");
    let report = said(living.sandbox.seam(&["report"]).spawn()?);
    assert_eq!((report.code, &report.out), (Some(130), &out));
    assert!(fs::read_to_string(living.sandbox.project.join("junit.xml"))?.contains("It takes long"));
    nothing_is_left(&living.sandbox, 1)
}

fn after_ctrl_c_twice() -> Result<(), Failed> {
    let long_stop = SYSTEM.replace("200ms", "1m");
    let sandbox = sandbox(LONG);
    sandbox.write("seam.yaml", &long_stop);
    let mut living = Living::begin_in(sandbox, &["run"], "running the tests")?;
    living.signal(Signal::INT);
    // The second is only a second one once the first was heard.
    hear(&mut living.stderr, "ending everything in order")?;
    let since = Instant::now();
    living.signal(Signal::INT);
    assert_eq!(living.code(), Some(130));
    assert!(since.elapsed() < Duration::from_secs(10), "it waited for the component: {:?}", since.elapsed());
    nothing_is_left(&living.sandbox, 1)
}

fn after_ctrl_c_while_it_starts() -> Result<(), Failed> {
    let sandbox = sandbox(LONG);
    sandbox.write("seam.yaml", &SYSTEM.replace("GET /health", "{ log: never said }"));
    let mut living = Living::begin_in(sandbox, &["run"], "raising the system")?;
    living.signal(Signal::INT);
    assert_eq!(living.code(), Some(130));
    nothing_is_left(&living.sandbox, 1)
}

fn after_a_start_that_failed() -> Result<(), Failed> {
    let sandbox = sandbox(PASSES);
    let dead = "  dead: { run: ./component die 3, needs: [web], ready: GET /health }\n";
    sandbox.write("seam.yaml", &format!("{SYSTEM}{dead}"));
    let said = said(sandbox.seam(&["run"]).spawn()?);
    assert_eq!(said.code, Some(2), "{said:?}");
    nothing_is_left(&sandbox, 1)
}

fn after_prepare_and_steps_that_fork_away() -> Result<(), Failed> {
    let step = "      - { exec: [./component, away], expect: { exit: 0 } }\n";
    let asked = "      - { http: GET web/fork, expect: { status: 200 } }\n";
    let sandbox = sandbox(&format!("tests:\n  - name: It forks\n    steps:\n{step}{asked}"));
    sandbox.write("seam.yaml", &SYSTEM.replace("components:", "prepare: [./component away]\ncomponents:"));
    let said = said(sandbox.seam(&["run"]).spawn()?);
    assert_eq!(said.code, Some(0), "{said:?}");
    nothing_is_left(&sandbox, 1)
}

fn after_sigkill() -> Result<(), Failed> {
    let mut living = Living::begin(&["run"], "running the tests")?;
    living.child.kill()?;
    assert_eq!(living.code(), None);
    nothing_is_left(&living.sandbox, 1)?;
    // What was stored up to then can be read, and is not taken for more than it is.
    let report = said(living.sandbox.seam(&["report"]).spawn()?);
    assert_eq!(report.code, Some(130), "{report:?}");
    Ok(())
}

fn after_sigkill_of_the_watcher() -> Result<(), Failed> {
    let mut living = Living::begin(&["run"], "running the tests")?;
    kill_process(watcher(&living.sandbox)?, Signal::KILL)?;
    assert_eq!(living.code(), Some(2));
    nothing_is_left(&living.sandbox, 1)
}

fn after_sigkill_of_both() -> Result<(), Failed> {
    let mut living = Living::begin(&["run"], "running the tests")?;
    let watcher = watcher(&living.sandbox)?;
    // `seam` stands still meanwhile, so that it cannot sweep for its watcher.
    kill_process(Pid::from_child(&living.child), Signal::STOP)?;
    kill_process(watcher, Signal::KILL)?;
    let since = Instant::now();
    while is_living(watcher.as_raw_nonzero().get().unsigned_abs()) {
        assert!(since.elapsed() < GONE_WITHIN);
        std::thread::yield_now();
    }
    living.child.kill()?;
    living.code();
    assert!(survivors(&living.run).len() >= WHOLE, "somebody has done the work of the next start");
    living.sandbox.write("tests/a.seam.yaml", PASSES);
    let next = said(living.sandbox.seam(&["run"]).spawn()?);
    assert_eq!(next.code, Some(0), "{next:?}");
    assert!(next.out.contains(&format!("run {} was killed with its watcher", living.run)), "{next:?}");
    // Swept at the start, not when the watcher of the next run ends.
    assert_eq!(survivors(&living.run), Vec::<u32>::new());
    nothing_is_left(&living.sandbox, 2)
}

fn watcher(sandbox: &Sandbox) -> Result<Pid, Failed> {
    let entry = sandbox.registered().pop().ok_or("nothing is registered")?;
    let text = fs::read_to_string(entry)?;
    let head: serde_json::Value = serde_json::from_str(text.lines().next().unwrap_or_default())?;
    let pid = head["head"]["watcher"].as_i64().ok_or("no watcher is named")?;
    Ok(Pid::from_raw(i32::try_from(pid)?).ok_or("no process has the number 0")?)
}

fn after_nobody_reads_any_more() -> Result<(), Failed> {
    let many = "tests: [{ name: It works, repeat: 40, steps: [{ http: GET web/health, expect: { status: 200 } }] }]\n";
    let sandbox = sandbox(many);
    let piped = sandbox.shell("seam run | head -n 1");
    assert_eq!(piped.out.lines().count(), 1, "{piped:?}");
    assert!(!piped.err.contains("mistake in Seamwork"), "{piped:?}");
    nothing_is_left(&sandbox, 1)
}

fn after_up() -> Result<(), Failed> {
    for (signal, code) in [(Signal::INT, Some(0)), (Signal::TERM, Some(0)), (Signal::KILL, None)] {
        let mut living = Living::begin(&["up"], "raising the system")?;
        let mut out = BufReader::new(living.child.stdout.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("Ctrl-C") {
            assert_ne!(out.read_line(&mut seen)?, 0, "{seen}");
        }
        living.signal(signal);
        assert_eq!(living.code(), code, "after {signal:?}");
        nothing_is_left(&living.sandbox, 1)?;
    }
    Ok(())
}
