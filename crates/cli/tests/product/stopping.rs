//! How long everything may take to end, and what is told of what ends by itself meanwhile.

use crate::place::{Place, skipped};

/// Answers and takes, and ends by itself once somebody has said farewell.
const TIED: &str = r#"
import http.server, os, threading
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self): self.send_response(204); self.end_headers()
    def do_POST(self):
        self.send_response(204); self.end_headers(); self.wfile.flush()
        os._exit(3)
host, port = os.environ["LISTEN"].split(":")
http.server.ThreadingHTTPServer((host, int(port)), H).serve_forever()
"#;

/// Says farewell to its provider when it is asked to end, and takes its time afterwards.
const CLERK: &str = r#"
import os, signal, sys, time, urllib.request
def leave(*a):
    urllib.request.urlopen(urllib.request.Request(os.environ["NEXT"] + "/farewell", data=b"", method="POST"))
    time.sleep(0.5)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("there", flush=True)
while True: time.sleep(1)
"#;

const TEST: &str = "tests:
  - name: Nothing
    steps: [{ log: one, expect: { count: 0 } }]
";

/// Four who end only when they are killed, each of which needs the next: nobody waits for them one after the other.
#[test]
fn a_chain_of_those_who_do_not_end_takes_no_longer_than_two_of_them() {
    let place = Place::new();
    let stubborn = |needs: &str| {
        format!(
            "{{ run: [sh, -c, \"trap '' TERM; echo there; while :; do sleep 1; done\"], ready: {{ log: there }}, \
             stop_within: 4s{needs} }}"
        )
    };
    let after = |name: &str| format!(", env: {{ NEXT: \"${{{name}.address}}\" }}");
    let system = format!(
        "system: demo\ncomponents:\n  one: {}\n  two: {}\n  three: {}\n  four: {}\n",
        stubborn(""),
        stubborn(&after("one")),
        stubborn(&after("two")),
        stubborn(&after("three")),
    );
    place.write("seam.yaml", &system);
    place.write("tests/a.seam.yaml", TEST);
    let output = place.command(&["run"]).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{out}");
    let stop = out.rsplit("stop ").next().and_then(|rest| rest.split(" s,").next()).unwrap();
    let seconds: f64 = stop.trim().parse().unwrap_or_else(|_| panic!("{out}"));
    // Two are 8 s, all four 16 s.
    assert!((4.0..14.0).contains(&seconds), "{stop}");
}

/// A provider that ends with its consumers has not died.
#[test]
fn who_ends_with_its_consumers_has_not_died() {
    let place = Place::new();
    place.write("tied.py", TIED);
    place.write("clerk.py", CLERK);
    place.write(
        "seam.yaml",
        "system: demo
components:
  one: { run: python3 tied.py, env: { LISTEN: \"${self.address}\" }, ready: GET / }
  clerk: { run: python3 clerk.py, env: { NEXT: \"${one.url}\" }, ready: { log: there } }
",
    );
    place.write("tests/a.seam.yaml", TEST);
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return skipped("needs python3");
    }
    let done = place.seam(&["run"]).exits(0);
    assert!(!format!("{}{}", done.out, done.err).contains("died"), "{}{}", done.out, done.err);
}
