//! `seam run` and what it leaves: exit codes, reports, the stored run, and running again.

use crate::place::Place;

const MIXED: &str = "\
tests:
  - name: The front asks the back
    tags: [fast]
    steps:
      - { http: GET front/next, expect: { status: 200 } }
      - { seam: front -> back, expect: { count: 1 } }
  - name: It fails
    steps: [{ http: GET front/status/500, expect: { status: 200 } }]
";

#[test]
fn exit_codes_say_what_it_came_to() {
    let test = |status: &str, expect: &str| {
        format!("tests:\n  - name: a\n    steps: [{{ http: GET front/status/{status}{expect} }}]\n")
    };
    for (tests, words, code) in [
        (test("200", ", expect: { status: 200 }"), &["run"][..], 0),
        (test("500", ", expect: { status: 200 }"), &["run"], 1),
        // A test that checks nothing.
        (test("200", ""), &["run"], 3),
        (test("200", ", expect: { status: 200 }"), &["run", "--test", "nobody"], 3),
        (test("200", ", expect: { stauts: 200 }"), &["run", "--profile", "none"], 2),
        ("tests: []\n".to_owned(), &["run"], 3),
    ] {
        let Some(place) = Place::demo(&tests) else { return };
        place.seam(words).exits(code);
        assert_eq!(place.survivors(), Vec::<String>::new());
    }
}

#[test]
fn a_component_that_does_not_come_up_is_told_and_ends_the_run() {
    let Some(place) = Place::demo(MIXED) else { return };
    place.write("app.py", "raise SystemExit('no configuration')\n");
    let done = place.seam(&["run"]).exits(2);
    assert!(done.out.contains("no configuration"), "{}", done.out);
    assert!(done.out.contains("seam.yaml:3:"), "{}", done.out);
    assert_eq!(place.survivors(), Vec::<String>::new());
}

#[test]
fn reports_are_written_whole_and_can_be_made_again() {
    let Some(place) = Place::demo(MIXED) else { return };
    let words = ["run", "--report", "junit=out/junit.xml", "--report", "json=out/run.json"];
    let run = place.seam(&words).exits(1);
    assert!(run.out.contains("run it again: seam run --rerun [run] --test \"It fails\""), "{}", run.out);
    let mut files: Vec<String> = std::fs::read_dir(place.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["junit.xml", "run.json"]);
    assert!(place.read("out/junit.xml").contains("<failure"));
    // The same from the stored run, by its name, by `latest`, and by its folder.
    assert_eq!(place.seam(&["report"]).exits(1).out, run.out);
    let id = std::fs::read_dir(place.path().join(".seam/runs")).unwrap().next().unwrap().unwrap().file_name();
    let id = id.to_str().unwrap();
    assert_eq!(place.seam(&["report", &id[8..]]).exits(1).out, run.out);
    assert_eq!(place.seam(&["report", &format!(".seam/runs/{id}")]).exits(1).out, run.out);
    place.seam(&["report", id, "--report", "json=again.json"]).exits(1);
    assert_eq!(place.read("again.json"), place.read("out/run.json"));
    assert_eq!(place.read(".seam/.gitignore"), "*\n");
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_no_success() {
    let Some(place) = Place::demo(MIXED) else { return };
    place.write("file", "");
    let done = place.seam(&["run", "--tag", "fast", "--report", "junit=file/junit.xml"]).exits(2);
    assert!(done.err.contains("error: failed to write the report file/junit.xml: "), "{}", done.err);
    assert!(done.out.contains("passed: 1 passed"), "{}", done.out);
}

#[test]
fn what_did_not_pass_is_run_again_with_the_same_seed() {
    let Some(place) = Place::demo(MIXED) else { return };
    place.seam(&["run", "--seed", "4711"]).exits(1);
    let again = place.command(&["run", "--rerun", "latest"]).output().unwrap();
    let out = String::from_utf8_lossy(&again.stdout);
    assert!(out.contains("failed: 1 failed\n") && out.contains("seed 4711"), "{out}");
    // By name it is also run again where it passed.
    let done = place.seam(&["run", "--rerun", "latest", "--test", "asks the back"]).exits(0);
    assert!(done.out.contains("passed: 1 passed"), "{}", done.out);
    let done = place.seam(&["run", "--rerun", "latest"]).exits(0);
    assert!(done.err.contains("all tests of the run [run] passed: all are run again"), "{}", done.err);
    let done = place.seam(&["run", "--rerun", "nobody"]).exits(2);
    assert!(done.err.contains("no stored run is called `nobody`"), "{}", done.err);
}

#[test]
fn paths_that_were_named_stand_in_the_line_that_runs_it_again() {
    let Some(place) = Place::demo(MIXED) else { return };
    let done = place.seam(&["run", "tests/demo.seam.yaml"]).exits(1);
    let line = "run it again: seam run tests/demo.seam.yaml --rerun [run] --test \"It fails\"";
    assert!(done.out.contains(line), "{}", done.out);
    assert_eq!(place.seam(&["report"]).exits(1).out, done.out);
}

#[test]
fn in_github_actions_it_annotates_and_sums_up() {
    let Some(place) = Place::demo(MIXED) else { return };
    let mut command = place.command(&["run"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", place.path().join("summary.md"));
    let output = command.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("::error file=tests/demo.seam.yaml,line=8,"), "{out}");
    let token = out.lines().find_map(|line| line.strip_prefix("::stop-commands::")).unwrap();
    let resumed = out.find(&format!("::{token}::")).unwrap();
    assert!(resumed < out.find("::error").unwrap() && resumed > out.find("FAIL").unwrap(), "{out}");
    assert!(place.read("summary.md").contains("failed"));
}

#[test]
fn secrets_are_masked_wherever_they_show() {
    let tests = "tests:\n  - name: a\n    steps: [{ http: GET front/status/500, query: { k: $secrets.key }, \
                 expect: { status: 200, body: $secrets.key } }]\n";
    let Some(place) = Place::demo(tests) else { return };
    let system = place.read("seam.yaml");
    place.write("seam.yaml", &format!("{system}secrets: {{ key: {{ env: KEY }} }}\n"));
    place.write(".env", "KEY=hush-hush-hush\n");
    let done = place.seam(&["run", "--report", "junit=a.xml", "--report", "json=a.json"]).exits(1);
    for text in [done.out, done.err, place.read("a.xml"), place.read("a.json")] {
        assert!(!text.contains("hush-hush-hush"), "{text}");
    }
}
