//! Processes that the watcher starts: what they find, what they say, how they are ended, and how failing reads.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test")]

mod bed;

use bed::{Bed, LIMIT, hear, script};
use rustix::process::{Pid, Signal};
use seam_event::ComponentId;
use seam_launch::{Exit, Farewell, Line, Spawn, StopSignal, Whom};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

#[tokio::test]
async fn it_finds_nothing_but_what_is_given() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (mut spawn, mut lines) =
        script("orders", "env | grep -v ^PWD= | grep -v ^_= | sort; pwd; cat; echo done");
    spawn.env.push(("GREETING".into(), "two\nlines".into()));
    spawn.dir = bed.folder.path().to_owned();
    let running = watcher.spawn(spawn).await.unwrap();
    let mut said = Vec::new();
    while let Some(line) = lines.recv().await {
        said.push(line.text);
    }
    let cookie = format!("SEAM_RUN={}", watcher.cookie());
    let folder = bed.folder.path().canonicalize().unwrap().display().to_string();
    let expected = [
        "GREETING=two",
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "SEAM_COMPONENT=orders",
        &cookie,
        "lines",
        &folder,
        "done",
    ];
    // `sort` and the shell may set one or two of their own.
    said.retain(|line| !line.starts_with("OLDPWD=") && !line.starts_with("SHLVL="));
    assert_eq!(said, expected);
    assert!(watcher.cookie().starts_with("3f2."));
    assert_eq!(running.exited().await.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn lines_are_numbered_over_both_streams_and_all_starts() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    for round in 0..2 {
        let (spawn, mut lines) = script("orders", "printf 'a\\n'; sleep 0.05; printf 'b\\377' >&2");
        let running = watcher.spawn(spawn).await.unwrap();
        let first = hear(&mut lines, "a").await;
        let second = hear(&mut lines, "b\\xff").await;
        assert_eq!((first.number, first.error), (2 * round + 1, false));
        assert_eq!((second.number, second.error), (2 * round + 2, true));
        let death = running.died().await.unwrap();
        assert_eq!(death.lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["a", "b\\xff"]);
        assert_eq!(death.to_string(), "orders exited with code 0");
    }
    watcher.finish().await.unwrap();
    let log = std::fs::read(bed.folder.path().join("logs/orders.log")).unwrap();
    assert_eq!(log, b"a\nb\xff\na\nb\xff\n");
}

#[tokio::test]
async fn a_listener_who_does_not_listen_loses_lines_and_holds_nobody_up() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (mut spawn, mut lines) =
        script("chatty", "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done");
    spawn.awaited = Some("line 17".into());
    let running = watcher.spawn(spawn).await.unwrap();
    assert_eq!(tokio::time::timeout(LIMIT, running.exited()).await.unwrap().unwrap(), Exit::Code(0));
    running.said_all().await;
    assert!(running.has_said_it(), "although it is long gone from the last lines");
    assert_eq!(running.n_lost_lines(), 5000 - 64);
    assert_eq!(running.last_lines().last().unwrap().text, "line 4999");
    let heard: Vec<Line> = std::iter::from_fn(|| lines.try_recv().ok()).collect();
    assert_eq!(heard.len(), 64);
    watcher.finish().await.unwrap();
    let log = std::fs::read_to_string(bed.folder.path().join("logs/chatty.log")).unwrap();
    assert_eq!(log.lines().count(), 5000);
}

#[tokio::test]
async fn a_full_disk_stops_nothing() {
    let bed = Bed::new();
    let logs = bed.folder.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    std::os::unix::fs::symlink("/dev/full", logs.join("orders.log")).unwrap();
    let watcher = bed.watcher().await;
    let (spawn, mut lines) = script("orders", "echo a; echo b");
    watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "b").await;
    watcher.finish().await.unwrap();
    assert!(watcher.log_trouble().unwrap().to_string().contains("No space left"));
}

#[tokio::test]
async fn ends_are_told_as_they_were() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    for (text, exit) in
        [("exit 0", Exit::Code(0)), ("exit 41", Exit::Code(41)), ("kill -SEGV $$", Exit::Signal(11))]
    {
        let (spawn, _) = script("job", text);
        let running = watcher.spawn(spawn).await.unwrap();
        assert_eq!(running.exited().await.unwrap(), exit, "{text}");
        assert_eq!(running.exit(), Some(exit));
        let end = running.stop(LIMIT).await.unwrap();
        assert!(!end.by_force && end.left.is_empty(), "stopping what has ended is no mistake");
    }
}

#[tokio::test]
async fn stopping_asks_first() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    for (signal, name) in [(StopSignal::Term, "TERM"), (StopSignal::Int, "INT"), (StopSignal::Quit, "QUIT")] {
        let text = format!("trap 'echo {name}; exit 7' {name}; echo up; while :; do sleep 0.01; done");
        let (spawn, mut lines) = script("orders", &text);
        let running = watcher.spawn(spawn).await.unwrap();
        hear(&mut lines, "up").await;
        let end = running.stop_with(signal, Whom::First, LIMIT).await.unwrap();
        assert!(!end.by_force);
        assert_eq!(running.exit(), Some(Exit::Code(7)), "the exit is known when the stop comes back");
        hear(&mut lines, name).await;
    }
}

#[tokio::test]
async fn what_does_not_listen_is_made_to_end_at_the_deadline() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (spawn, mut lines) = script("deaf", "trap '' TERM INT; echo up; while :; do sleep 0.01; done");
    let running = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    let began = Instant::now();
    let end = running.stop(Duration::from_millis(100)).await.unwrap();
    assert!(end.by_force && end.left.is_empty());
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert_eq!(running.exit(), Some(Exit::Signal(9)));
}

#[tokio::test]
async fn a_paused_tree_stands_still_and_goes_on() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (spawn, mut lines) =
        script("orders", "sh -c 'while :; do echo beat; sleep 0.005; done' & echo up; wait");
    let running = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    hear(&mut lines, "beat").await;
    let pids = running.pids().await.unwrap();
    assert!(pids.len() >= 2 && pids.contains(&running.pid()), "{pids:?}");
    running.pause().await.unwrap();
    let held = running.pids().await.unwrap();
    // Who waits for a processor stops when it gets one. A shell that has just made a process stands in vfork
    // (`D`) for as long as that one is held, and what ended just before is buried (`Z`) when its parent goes on.
    let began = Instant::now();
    while !held.iter().all(|pid| matches!(state(*pid), 'T' | 'D' | 'Z')) {
        let states: Vec<_> = held.iter().map(|pid| (*pid, state(*pid))).collect();
        assert!(began.elapsed() < LIMIT, "{states:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running.resume().await.unwrap();
    while lines.try_recv().is_ok() {}
    hear(&mut lines, "beat").await;

    running.pause().await.unwrap();
    let began = Instant::now();
    running.stop(LIMIT).await.unwrap();
    assert!(began.elapsed() < LIMIT, "what is held is let go on, to hear that it shall stop");
}

#[tokio::test]
async fn the_owner_of_a_process_is_known_however_deep_it_is() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (spawn, mut lines) = script(
        "orders",
        "sh -c 'sh -c \"echo deep \\$\\$; exec sleep 1000\" & wait' &
         setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo daemon $!'; echo up; wait",
    );
    let running = watcher.spawn(spawn).await.unwrap();
    let mut pids = vec![running.pid()];
    while pids.len() < 3 {
        let line = lines.recv().await.unwrap().text;
        pids.extend(line.split_once(' ').and_then(|(_, pid)| pid.parse::<u32>().ok()));
    }
    for pid in pids {
        assert_eq!(watcher.owner_of(pid), Some(ComponentId::from("orders")), "{pid}");
    }
    assert_eq!(watcher.owner_of(std::process::id()), None);
    assert_eq!(watcher.owner_of(watcher.pid()), None);
    assert!(watcher.n_processes() >= 3);
    watcher.finish().await.unwrap();
}

#[tokio::test]
async fn a_farewell_is_said_before_the_rest_is_killed() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let proof = bed.folder.path().join("proof");
    let text =
        format!("trap 'echo bye > {}; exit' QUIT; echo up; while :; do sleep 0.01; done", proof.display());
    let (mut spawn, mut lines) = script("pg", &text);
    spawn.farewell = Some(Farewell { signal: StopSignal::Quit, grace: LIMIT });
    watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    let began = Instant::now();
    watcher.finish().await.unwrap();
    assert!(began.elapsed() < LIMIT);
    assert_eq!(std::fs::read_to_string(proof).unwrap(), "bye\n");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let write = |name: &str, text: &str, mode: u32| {
        let path = bed.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let none = bed.folder.path().join("none");
    for (program, dir, reason) in [
        (none.clone(), "/".into(), "No such file"),
        (
            write("shebang", "#!/not/there\n", 0o755),
            "/".into(),
            "its first line asks for `/not/there`, which is not there",
        ),
        (write("crlf", "#!/bin/sh\r\n", 0o755), "/".into(), "ends with a carriage return"),
        (write("text", "hello\n", 0o755), "/".into(), "no first line that says `#!`"),
        (write("plain", "#!/bin/sh\n", 0o644), "/".into(), "is it executable"),
        ("/bin/sh".into(), none, "its folder"),
    ] {
        let error = watcher.spawn(Spawn::new("orders".into(), program, dir)).await.err().unwrap().to_string();
        assert!(error.starts_with("failed to start orders: ") && error.contains(reason), "{error}");
    }
    let (mut spawn, _) = script("orders", "true");
    spawn.arguments.push("x".repeat(3 << 20));
    let error = watcher.spawn(spawn).await.err().unwrap().to_string();
    assert!(error.contains("longer than the machine allows"), "{error}");
    let (spawn, _) = script("orders", "true");
    watcher.spawn(spawn).await.expect("it goes on after all that");
}

#[tokio::test]
async fn as_root_a_process_may_be_another_user() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (mut spawn, mut lines) = script("pg", "echo $(id -u) $(id -g) $(id -G)");
    spawn.user = Some((65_534, 65_534));
    let running = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "65534 65534 65534").await;
    running.exited().await.unwrap();
}

#[tokio::test]
async fn many_start_at_once_and_each_has_its_own_pipes() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let mut starting = tokio::task::JoinSet::new();
    for number in 0..40 {
        let watcher = watcher.clone();
        starting.spawn(async move {
            // Long environments make requests that come in several pieces.
            let (mut spawn, mut lines) =
                script(&format!("c{number}"), "echo $SEAM_COMPONENT $LAST; sleep 1000");
            spawn.env.push(("LONG".into(), "x".repeat(50_000 + number * 100)));
            spawn.env.push(("LAST".into(), number.to_string()));
            let running = watcher.spawn(spawn).await.unwrap();
            hear(&mut lines, &format!("c{number} {number}")).await;
            running
        });
    }
    let running = starting.join_all().await;
    let began = Instant::now();
    for one in &running {
        let end = one.stop(LIMIT).await.unwrap();
        assert!(!end.by_force);
    }
    println!("{} stops one after the other: {:?}", running.len(), began.elapsed());
    assert_eq!(watcher.n_processes(), 0);
}

#[tokio::test]
async fn starting_is_fast() {
    let bed = Bed::new();
    let began = Instant::now();
    let watcher = bed.watcher().await;
    let watcher_took = began.elapsed();
    let mut spawns = Vec::new();
    for _ in 0..50 {
        let spawn = Spawn::new("true".into(), "/bin/true", "/");
        let began = Instant::now();
        let running = watcher.spawn(spawn).await.unwrap();
        spawns.push(began.elapsed());
        running.exited().await.unwrap();
    }
    spawns.sort_unstable();
    let memory = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", watcher.pid())).unwrap();
    let memory: Vec<&str> =
        memory.lines().filter(|line| line.starts_with("Pss:") || line.starts_with("Private_Dirty")).collect();
    println!("watcher {watcher_took:?}; spawn median {:?}, slowest {:?}; {memory:?}", spawns[25], spawns[49]);
    assert!(spawns[25] < Duration::from_millis(100), "{:?}", spawns[25]);
}

#[tokio::test]
async fn a_second_component_may_get_the_number_of_a_dead_one() {
    // What a dead component's number means is forgotten with it: nobody is ended in its place.
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let (spawn, _) = script("first", "exit 0");
    let first = watcher.spawn(spawn).await.unwrap();
    first.exited().await.unwrap();
    let (spawn, mut lines) = script("second", "echo up; exec sleep 1000");
    let second = watcher.spawn(spawn).await.unwrap();
    hear(&mut lines, "up").await;
    first.kill().await.unwrap();
    first.kill().await.unwrap();
    assert!(second.exit().is_none() && second.pids().await.unwrap() == [second.pid()]);
    // A process of ours that somebody else ends is told like any other end.
    let pid = Pid::from_raw(i32::try_from(second.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::HUP).unwrap();
    assert_eq!(second.exited().await.unwrap().to_string(), "was killed by SIGHUP");
}

/// The letter for what a process does: T is held.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}
