//! How it prints: colours only where they are wanted, and no harm where nobody reads or nothing can be written.

use crate::place::{Done, Place};
use std::process::Stdio;

#[test]
fn colours_come_only_where_they_are_wanted() {
    let place = Place::new();
    let coloured = |words: &[&str], env: &[(&str, &str)]| {
        let output = place.command(words).envs(env.iter().copied()).output().unwrap();
        (output.stdout.contains(&0x1b), output.stderr.contains(&0x1b))
    };
    assert_eq!(coloured(&["explain"], &[]), (false, false));
    assert_eq!(coloured(&["explain", "--color", "always"], &[]), (true, false));
    assert_eq!(coloured(&["explain"], &[("CLICOLOR_FORCE", "1")]), (true, false));
    assert_eq!(coloured(&["explain"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), (false, false));
    assert_eq!(coloured(&["check"], &[("CLICOLOR_FORCE", "1")]), (false, true));
    assert_eq!(coloured(&["run", "--help", "--color=always"], &[]), (true, false));
    assert_eq!(coloured(&["--color", "never", "check"], &[("CLICOLOR_FORCE", "1")]), (false, false));
}

#[test]
fn a_reader_that_goes_away_is_no_mistake() {
    let place = Place::new();
    let mut child = place.start(&["schema"]);
    drop(child.stdout.take());
    let done = Done::of(&child.wait_with_output().unwrap(), &place).exits(0);
    assert_eq!(done.err, "");
}

#[test]
fn a_run_goes_on_when_its_reader_is_gone() {
    let tests =
        "tests:\n  - name: It fails\n    steps: [{ http: GET front/status/500, expect: { status: 200 } }]\n";
    let Some(place) = Place::demo(tests) else { return };
    let mut child = place.start(&["run"]);
    drop(child.stdout.take());
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let stored = place.seam(&["report"]).exits(1);
    assert!(stored.out.contains("failed: 1 failed"), "{}", stored.out);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_standard_output_is_told() {
    let place = Place::new();
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let output = place.command(&["explain"]).stdout(full()).output().unwrap();
    let done = Done::of(&output, &place).exits(2);
    assert!(done.err.starts_with("error: standard output could not be written: "), "{}", done.err);
    let output = place.command(&["explain"]).stdout(full()).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn where_no_run_can_be_kept_none_is_begun() {
    let Some(place) =
        Place::demo("tests:\n  - name: a\n    steps: [{ http: GET front/, expect: { status: 200 } }]\n")
    else {
        return;
    };
    place.write(".seam", "a file in the place of the folder");
    let done = place.seam(&["run"]).exits(2);
    assert!(
        done.err.contains("error: failed to make the folder of a run, [folder]/.seam/runs"),
        "{}",
        done.err
    );
    assert!(done.err.contains("hint: what a run leaves stands in `.seam`"), "{}", done.err);
    assert_eq!(done.out, "");
}
