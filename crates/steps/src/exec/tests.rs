//! Commands that are read, and commands that are run.

use crate::action::Trouble;
use crate::actor::Actor;
use crate::testing::servers::watcher;
use crate::testing::{Bed, LIMIT, mistakes, run, run_as, step, unsaid};
use seam_value::Value;
use std::time::{Duration, Instant};

#[test]
fn mistakes_are_told_at_their_place() {
    mistakes(&[
        ("- exec: 5", "expected a command like `[./import, --file, $file]` [5: this is a number]"),
        ("- exec: []", "expected a command like `[./import, --file, $file]` [[]: this is a list]"),
        ("- exec: [ls]\n  env: { A: [b] }", "`A` must be a text [[b]: this is a list]"),
        ("- exec: [ls]\n  stdn: a", "unknown key `stdn` in the step `exec` [stdn] {did you mean `stdin`?}"),
    ]);
}

#[tokio::test]
async fn commands_are_run_to_their_end() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let watcher = watcher(folder.path()).await;
    let bed = Bed { watcher: Some(watcher.clone()), root: folder.path().to_owned(), ..Bed::default() };
    let root = folder.path().to_str().unwrap();
    let variables = r#"{"odd":"a b; exit 9 'c","list":{"a":1.50},"none":null}"#;
    for (yaml, path, expect) in [
        ("- exec: [echo, $odd, x]", "stdout", "a b; exit 9 'c x\n"),
        ("- exec: echo $odd 'two  words' \"$odd\"", "stdout", "a b; exit 9 'c two  words a b; exit 9 'c\n"),
        ("- exec: echo --name=$odd", "stdout", "--name=a b; exit 9 'c\n"),
        (r#"- exec: printf %s\|  a\ b "\d \" \\" '\d' \\ "#, "stdout", r#"a b|\d " \|\d|\|"#),
        ("- exec: [echo, $none, a]", "stdout", "a\n"),
        ("- exec: [sh, -c, 'cat; echo bad >&2; exit 3']\n  stdin: $list", "stdout", "{\"a\":1.50}"),
        ("- exec: [sh, -c, 'cat; echo bad >&2; exit 3']\n  stdin: $list", "json.a", "1.50"),
        ("- exec: [sh, -c, 'cat; echo bad >&2; exit 3']\n  stdin: $list", "stderr", "bad\n"),
        ("- exec: [sh, -c, 'cat; echo bad >&2; exit 3']\n  stdin: $list", "exit", "3"),
        ("- exec: [sh, -c, 'kill -TERM $$$$']", "exit", "143"),
        ("- exec: [sh, -c, 'echo $$A$$HOME']\n  env: { A: $odd }", "stdout", "a b; exit 9 'c\n"),
        ("- exec: pwd", "stdout", &format!("{root}\n")),
        ("- exec: pwd\n  dir: sub", "stdout", &format!("{root}/sub\n")),
        ("- exec: [sh, -c, 'sleep 100 & echo gone']", "stdout", "gone\n"),
        ("- exec: [head, -c, 3]\n  stdin: a long text", "stdout", "a l"),
    ] {
        let result = run(yaml, &Actor::new(""), &bed, variables).await;
        let found = seam_expr::Path::parse(path).unwrap().find(&result).to_value().unwrap();
        assert_eq!(found.to_plain_text(), expect, "{yaml}");
    }
    let failing = step("- exec: [sh, -c, 'echo bad >&2; exit 3']");
    let result = run_as(failing.as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(unsaid(failing.as_ref(), &result), ["exit: it exited with code 3"]);
    assert_eq!(failing.unsaid(&result)[0].details, ["stderr: bad"]);
    for (yaml, reason) in [
        ("- exec: [no-such-program]", "`no-such-program` is not on PATH".to_owned()),
        ("- exec: [./missing]", format!("there is no {root}/missing")),
    ] {
        let done = run_as(step(yaml).as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await;
        assert_eq!(done, Err(Trouble::errored(reason)), "{yaml}");
    }
    watcher.finish().await.unwrap();
}

#[tokio::test]
async fn the_deadline_ends_all_that_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let watcher = watcher(folder.path()).await;
    let bed = Bed { watcher: Some(watcher.clone()), root: folder.path().to_owned(), ..Bed::default() };
    let action = step("- exec: [sh, -c, 'echo begun; (trap \"\" TERM; sleep 100) & sleep 100']");
    let began = Instant::now();
    let limit = Duration::from_millis(300);
    let result = run_as(action.as_ref(), &Actor::new(""), &bed, "{}", limit).await.unwrap();
    assert!(began.elapsed() < LIMIT);
    assert_eq!(result.get("stdout"), Some(&Value::text("begun\n")));
    assert_eq!(result.get("exit"), Some(&Value::Null));
    assert_eq!(unsaid(action.as_ref(), &result), ["error: it did not end in time and was killed"]);
    assert_eq!(watcher.n_processes(), 0);
    watcher.finish().await.unwrap();
}
