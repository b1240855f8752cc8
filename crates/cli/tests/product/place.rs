//! A folder with a project in it, and the real program run there.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A service in Python: `/status/N` answers so, `/slow/S` after so many seconds, `/next` asks the one behind it.
const APP: &str = r#"
import http.server, json, os, sys, time, urllib.request
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        status, body = 200, {"ok": True, "name": os.environ.get("NAME", "")}
        part = self.path.split("/")
        if part[1] == "slow": time.sleep(float(part[2]))
        elif part[1] == "status":
            status, body = int(part[2]), {"asked": "for"}
            print("gave", status, flush=True)
        elif part[1] == "next":
            with urllib.request.urlopen(os.environ["NEXT_URL"] + "/hello") as r: body = json.load(r)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
host, port = os.environ["LISTEN"].split(":")
http.server.ThreadingHTTPServer((host, int(port)), H).serve_forever()
"#;

/// Two programs, one of which calls the other.
const SYSTEM: &str = r#"system: demo
components:
  back: { run: python3 app.py, env: { LISTEN: "${self.address}" }, ready: GET /health }
  front:
    run: python3 app.py
    env:
      LISTEN: ${self.address}
      NEXT_URL: ${back.url}
    ready: GET /health
"#;

/// Where a test takes place.
pub(crate) struct Place {
    folder: TempDir,
    /// The user's home, so that nobody's real one is touched.
    home: TempDir,
}

impl Place {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), home: tempfile::tempdir().unwrap() }
    }

    /// A project with two programs and these tests; none, said loudly, where there is no Python.
    pub(crate) fn demo(tests: &str) -> Option<Self> {
        if !has_python() {
            return None;
        }
        let place = Self::new();
        place.write("seam.yaml", SYSTEM);
        place.write("app.py", APP);
        place.write("tests/demo.seam.yaml", tests);
        Some(place)
    }

    /// The folder, free of links, as the program sees it.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    /// The program with these words, to be started in the folder.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seam"));
        command.args(words).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path());
        command
    }

    pub(crate) fn seam(&self, words: &[&str]) -> Done {
        Done::of(&self.command(words).output().unwrap(), self)
    }

    /// Starts the program, with its output kept.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The processes that were started in the folder and live.
    pub(crate) fn survivors(&self) -> Vec<String> {
        let folder = self.path();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let here = processes
            .filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder));
        here.map(|process| std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default())
            .collect()
    }
}

/// Is there a Python? Where there is none, that is said loudly, because tests are skipped then.
pub(crate) fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        skipped("needs python3");
    }
    found
}

/// Says loudly that a test was skipped.
pub(crate) fn skipped(why: &str) {
    // Past the test harness, which shows nothing of a test that passes: `cargo xtask test` counts these lines.
    let test = std::thread::current();
    let _ = writeln!(io::stdout(), "SKIPPED: {why} | {}", test.name().unwrap_or_default());
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Done {
    pub(crate) fn of(output: &Output, place: &Place) -> Self {
        let text = |bytes: &[u8]| steady(&String::from_utf8_lossy(bytes), &place.path());
        Self { out: text(&output.stdout), err: text(&output.stderr), code: output.status.code() }
    }

    /// The exit code, with everything that was printed where it is another one.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "--- out\n{}--- err\n{}", self.out, self.err);
        self
    }
}

/// The text without what is different each time: ids, times, ports, seeds, the folder.
fn steady(text: &str, folder: &Path) -> String {
    let mut text = text.replace(&*folder.to_string_lossy(), "[folder]");
    for (pattern, with) in [
        // The gap before a time at the end of a line depends on the time's length.
        (r"(?m) {2,}\d+(\.\d+)? (ms|s)$", "  [time]"),
        (r"\b\d+(\.\d+)? (ms|s|min)\b", "[time]"),
        (r"\b[0-9a-z]{7}-[0-9a-z]{3}\b", "[run]"),
        (r"seed \d+", "seed [seed]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"\d+ (tries|try)", "[n] tries"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}
