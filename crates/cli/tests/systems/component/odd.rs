//! Programs that misbehave: they die, never listen, cannot be stopped, fork away, say too much or the wrong thing.

use super::{http, routes, stores, variable};
use std::io::{BufRead, BufReader, Read as _, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How long a process that waits for its end does so at most, so that a broken test leaves nothing for ever.
const AT_MOST: Duration = Duration::from_mins(10);

fn wait() -> ExitCode {
    // What waits here waits for its end by a signal.
    std::thread::sleep(AT_MOST);
    ExitCode::SUCCESS
}

/// Ends at once: the exit code, and what it says before.
pub(super) fn die(words: &[String]) -> ExitCode {
    for line in words.get(1..).unwrap_or_default() {
        eprintln!("{line}");
    }
    ExitCode::from(words.first().and_then(|code| code.parse().ok()).unwrap_or(1))
}

/// Runs and never listens.
pub(super) fn deaf(_: &[String]) -> ExitCode {
    println!("thinking about it");
    wait()
}

/// Listens, but answers 503 to whoever asks for its health so many times.
pub(super) fn late(_: &[String]) -> ExitCode {
    let listener = TcpListener::bind(variable("LISTEN", "127.0.0.1:0")).unwrap();
    http::serve(&listener, |_| http::Answer::Reply(503, vec![], b"not yet".to_vec()))
}

/// Serves, and does not end when it is asked to.
pub(super) fn stubborn(_: &[String]) -> ExitCode {
    let heard = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&heard)).unwrap();
    }
    println!("nobody stops me");
    routes::serve()
}

/// Serves, and takes its leave of `NEXT` when it is asked to end, as who still has something to hand over does.
pub(super) fn parting(_: &[String]) -> ExitCode {
    let (mut asked, to_end) = UnixStream::pair().unwrap();
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, to_end).unwrap();
    std::thread::spawn(move || {
        if asked.read_exact(&mut [0]).is_ok() {
            match http::ask("GET", &variable("NEXT", ""), "/health", "") {
                Ok((status, _)) => println!("farewell: {status}"),
                Err(error) => println!("farewell: {error}"),
            }
            std::process::exit(0);
        }
    });
    routes::serve()
}

/// Serves, and has put a process into a session of its own that nobody waits for.
pub(super) fn daemon(_: &[String]) -> ExitCode {
    fork_away();
    routes::serve()
}

/// Puts a process into a session of its own, and is done.
pub(super) fn away(_: &[String]) -> ExitCode {
    fork_away();
    ExitCode::SUCCESS
}

/// Forks twice, with a new session between: the leaf is nobody's child, in nobody's session, on nobody's pipes.
pub(super) fn fork_away() {
    let status = itself("between").status().unwrap();
    assert!(status.success());
}

/// The process between the two forks.
pub(super) fn between(_: &[String]) -> ExitCode {
    rustix::process::setsid().unwrap();
    itself("leaf").spawn().unwrap();
    ExitCode::SUCCESS
}

fn itself(mode: &str) -> Command {
    // By its name: that is how this program knows that it is the component.
    let mut command = Command::new(std::env::args_os().next().unwrap());
    command.arg(mode).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Is there, deaf to polite signals.
pub(super) fn leaf(_: &[String]) -> ExitCode {
    let heard = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&heard)).unwrap();
    }
    let until = std::time::Instant::now() + AT_MOST;
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        // A signal that is heard must not end it: it goes on waiting.
        std::thread::sleep(left);
    }
    ExitCode::SUCCESS
}

/// Serves with all that makes ending hard: a child, one that is deaf, one in a session of its own.
pub(super) fn tree(words: &[String]) -> ExitCode {
    itself("deaf").spawn().unwrap();
    itself("leaf").spawn().unwrap();
    fork_away();
    stubborn(words)
}

/// Says so many lines before it serves.
pub(super) fn chatter(words: &[String]) -> ExitCode {
    let lines = words.first().and_then(|lines| lines.parse().ok()).unwrap_or(100_000);
    let mut out = std::io::stdout().lock();
    for n in 0..lines {
        writeln!(out, "line {n}: all work and no play makes a component a dull process").unwrap();
    }
    drop(out);
    routes::serve()
}

/// Says what a terminal would obey, and then dies when its health is asked for.
pub(super) fn control(_: &[String]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    out.write_all(b"\x1b[31mred\x1b[0m and \x1b]0;a title\x07 and a bell\x07\n").unwrap();
    out.write_all(b"back\x08\x08\x08\x08 and \rreturn, nul \0, \xff\xfe is no UTF-8\n").unwrap();
    out.write_all("\u{202e}turned round\u{202c}, \u{85}next line, \u{9b}31m\n".as_bytes()).unwrap();
    out.write_all(b"::error file=x::not for GitHub\n").unwrap();
    out.write_all(b"no end of line").unwrap();
    drop(out);
    ExitCode::from(9)
}

/// Does its work and ends with this code.
pub(super) fn job(words: &[String]) -> ExitCode {
    println!("done");
    ExitCode::from(words.first().and_then(|code| code.parse().ok()).unwrap_or(0))
}

/// Opens no port: puts what is published on the channel `work` as items into `NEXT`.
pub(super) fn worker(_: &[String]) -> ExitCode {
    let mut stream = stores::redis_connection().unwrap();
    stores::send(&mut stream, &["SUBSCRIBE", "work"]).unwrap();
    let mut input = BufReader::new(stream);
    while let Ok(message) = stores::reply(&mut input) {
        if message[0] == "message" {
            let key = message[2].as_str().unwrap_or_default();
            let _ = http::ask("PUT", &variable("NEXT", ""), &format!("/items/{key}"), "worked");
        }
    }
    ExitCode::FAILURE
}

/// Accepts connections and speaks no HTTP.
pub(super) fn garbage(_: &[String]) -> ExitCode {
    let listener = TcpListener::bind(variable("LISTEN", "127.0.0.1:0")).unwrap();
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let mut stream = stream;
            let mut input = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while input.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let _ = stream.write_all(b"\x00\x01\x02 nothing that anybody speaks \xff\r\n\r\n");
        });
    }
    ExitCode::FAILURE
}
