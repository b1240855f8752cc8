//! A disk that is full, or that cannot be written to: said clearly, never a hang, and what was stored before stays.

use crate::sandbox::{Said, Sandbox};
use crate::survivors::none_survives;
use libtest_mimic::{Failed, Trial};
use std::fs;
use std::sync::LazyLock;

const SYSTEM: &str = r#"
system: shop
components:
  web:
    run: ./component serve
    env: { LISTEN: "${self.address}" }
    ready: GET /health
"#;

/// Much that passes, and much that is said.
const TESTS: &str = "
tests:
  - name: Much passes
    repeat: 20
    steps:
      - { http: GET web/spam?lines=200, expect: { status: 200 } }
      - { http: GET web/big?bytes=20000, expect: { status: 200 } }
";

/// A name, the test, and whether this machine lets it be tried.
type Way = (&'static str, fn() -> Result<(), Failed>, bool);

/// One test for each way.
pub(crate) fn trials() -> Vec<Trial> {
    let list: Vec<Way> = vec![
        ("no_folder_can_be_made", no_folder_can_be_made, true),
        ("files_may_not_grow", files_may_not_grow, true),
        ("it_cannot_be_written_to", it_cannot_be_written_to, may_mount()),
        ("it_is_full_from_the_start", it_is_full_from_the_start, may_mount()),
        ("it_fills_up", it_fills_up, may_mount()),
        ("it_fills_up_and_a_test_fails", it_fills_up_and_a_test_fails, may_mount()),
    ];
    let trial = |(name, test, is_possible): Way| {
        if !is_possible {
            eprintln!("SKIPPED: disk::{name}: nothing may be mounted here (`unshare --mount` is refused)");
        }
        Trial::test(format!("disk::{name}"), test).with_ignored_flag(!is_possible)
    };
    list.into_iter().map(trial).collect()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("seam.yaml", SYSTEM).write("tests/a.seam.yaml", TESTS);
    sandbox
}

/// Begins a line that runs with mounts of its own, where that is allowed: root of a container may not always make
/// users, and others must. Such mounts vanish with the last process that sees them: nothing is to be tidied up.
static MOUNTED: LazyLock<Option<&'static str>> = LazyLock::new(|| {
    let ways = ["unshare --user --map-root-user --mount", "unshare --mount"];
    let is_allowed = |way: &&&str| {
        let sandbox = Sandbox::new();
        sandbox.shell(&format!("{way} mount -t tmpfs -o size=64k none .")).code == Some(0)
    };
    ways.iter().find(is_allowed).copied()
});

fn may_mount() -> bool {
    MOUNTED.is_some()
}

/// A run with a disk of this size below `.seam`, after what `before` does to it; what is left is copied to `left`.
fn run_on(sandbox: &Sandbox, options: &str, before: &str) -> Said {
    let mounted = MOUNTED.expect("it is tried only where it is allowed");
    sandbox.shell(&format!(
        "{mounted} sh -c 'mkdir -p .seam && mount -t tmpfs -o {options} none .seam && {before}; \
         seam run --seed 1; code=$?; cp -r .seam left; exit $code'"
    ))
}

/// Nothing survives, nothing panicked, and it did not take it for a run that passed.
fn is_told(sandbox: &Sandbox, said: &Said, code: i32, words: &[&str]) -> Result<(), Failed> {
    let runs = fs::read_dir(sandbox.project.join("left/runs")).into_iter().flatten().flatten();
    for run in runs {
        none_survives(&run.file_name().to_string_lossy())?;
    }
    assert_eq!(said.code, Some(code), "{said:?}");
    assert!(!said.err.contains("mistake in Seamwork"), "{said:?}");
    for word in words {
        assert!(said.err.contains(word), "`{word}` is missing: {said:?}");
    }
    Ok(())
}

fn no_folder_can_be_made() -> Result<(), Failed> {
    let sandbox = sandbox();
    sandbox.write(".seam", "a file where a folder belongs\n");
    let said = sandbox.shell("seam run");
    is_told(&sandbox, &said, 2, &["error: ", ".seam", "hint: "])
}

fn it_cannot_be_written_to() -> Result<(), Failed> {
    let sandbox = sandbox();
    let said = run_on(&sandbox, "ro", "true");
    is_told(&sandbox, &said, 2, &["error: ", ".seam", "Read-only file system", "hint: "])
}

fn it_is_full_from_the_start() -> Result<(), Failed> {
    let sandbox = sandbox();
    let said = run_on(&sandbox, "size=64k", "cat /dev/zero > .seam/rubbish 2>/dev/null");
    is_told(&sandbox, &said, 2, &["error: ", "No space left on device"])
}

fn it_fills_up() -> Result<(), Failed> {
    let sandbox = sandbox();
    let said = run_on(&sandbox, "size=256k", "true");
    // Tests were judged live, on what passed; where the disk takes lines again, they are told to be inconclusive
    // after all. Nothing failed, and either way it is no run that passed.
    assert!(said.out.contains("Much passes #20") && !said.out.contains("FAIL"), "{said:?}");
    is_told(&sandbox, &said, 2, &["the history of the run is not whole", "No space left on device"])?;
    // What was stored can be read, and is not taken for a whole run.
    let report = sandbox.shell("mkdir .seam; mv left/runs .seam/runs; seam report");
    assert_eq!(report.code, Some(130), "{report:?}");
    Ok(())
}

fn it_fills_up_and_a_test_fails() -> Result<(), Failed> {
    let sandbox = sandbox();
    let fails = "  - { name: It fails, steps: [{ http: GET web/health, expect: { status: 500 } }] }\n";
    sandbox.write("tests/a.seam.yaml", &format!("{TESTS}{fails}"));
    let said = run_on(&sandbox, "size=256k", "true");
    is_told(&sandbox, &said, 1, &["the history of the run is not whole"])?;
    assert!(said.out.contains("FAIL  a  It fails") && said.out.contains(" 1 failed"), "{said:?}");
    Ok(())
}

/// Works without any right: a limit on the size of files is a full disk for whoever writes to them.
fn files_may_not_grow() -> Result<(), Failed> {
    let sandbox = sandbox();
    let before = sandbox.shell("seam run --seed 1 && seam report > before && cp -r .seam kept");
    assert_eq!(before.code, Some(0), "{before:?}");
    // Blocks of 512 bytes; whoever does not ignore the signal is ended by it.
    let said = sandbox.shell("trap '' XFSZ; ulimit -f 64; exec seam run --seed 1");
    is_told(&sandbox, &said, 2, &["the history of the run is not whole", "File too large"])?;
    for run in sandbox.runs() {
        none_survives(&run)?;
    }
    // The run before is what it was.
    let first = sandbox.runs().remove(0);
    let after = sandbox.shell(&format!(
        "seam report {first} | diff before - && diff -r kept/runs/{first} .seam/runs/{first}"
    ));
    assert_eq!((after.code, after.out.as_str()), (Some(0), ""), "{after:?}");
    Ok(())
}
