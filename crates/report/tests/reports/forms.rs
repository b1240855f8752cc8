//! Each form of report over the same run, as it is shown: `tests/forms/` holds what is expected. After a change
//! that is meant, `UPDATE_FORMS=1 cargo test -p seam-report` writes them anew, and the difference is read.

use crate::shop;
use seam_diag::Look;
use seam_history::{History, Reader, RunFolder, Writer};
use seam_judge::verdict;
use seam_report::terminal::Page;
use seam_report::{Options, Progress};
use std::path::Path;
use std::time::Duration;

const LOOK: Look = Look { colour: false, width: 100 };

fn options() -> Options {
    Options { look: LOOK, folder: "shop".into() }
}

fn history() -> History {
    History { sources: shop::sources(), ..History::of(shop::events(Vec::new())) }
}

fn write(form: &str) -> String {
    let history = history();
    (seam_report::find(form).unwrap().write)(&history, &verdict(&history.events), &options())
}

#[test]
fn each_form_is_as_expected() {
    for (form, file) in [
        ("terminal", "terminal.txt"),
        ("junit", "junit.xml"),
        ("json", "report.json"),
        ("github", "annotations.txt"),
        ("markdown", "summary.md"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms").join(file);
        let text = write(form);
        if std::env::var_os("UPDATE_FORMS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert!(text == expected, "{form} differs from {file}:\n{text}");
    }
}

#[test]
fn nothing_from_outside_reaches_the_terminal_raw() {
    for form in ["terminal", "junit", "github", "markdown"] {
        assert!(!write(form).contains('\u{1b}'), "{form}");
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let history = history();
    let verdict = verdict(&history.events);
    let coloured = (seam_report::find("terminal").unwrap().write)(
        &history,
        &verdict,
        &Options { look: Look { colour: true, ..LOOK }, ..options() },
    );
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    // The drawing of a caret ends with blanks where it is coloured.
    let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&plain), trimmed(&write("terminal")));
}

/// Invariant 3 of the design: what was printed live and what a stored run gives are the same, byte for byte.
#[test]
fn a_report_made_again_is_the_live_one() {
    let project = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(project.path(), Duration::from_hours(500_000), 7).unwrap();
    let writer = Writer::start(&folder, &[]).unwrap();
    let events = writer.subscribe(10_000);
    let (files, sources) = writer.keep_files(&shop::sources()).unwrap();
    let recorder = writer.recorder();
    for event in shop::events(files) {
        let seq = recorder.record(event.scope, event.what);
        assert_eq!(seq, Some(event.seq));
    }
    // What was recorded last has said that the run is finished; this writes nothing more.
    assert!(writer.flush(Duration::from_secs(10)));
    drop(writer);

    let run = "0f3k2zq-3f2".into();
    let page = Page { sources: &sources, run: Some(&run), command: &[], look: LOOK };
    let (mut live, mut printed) = (Progress::default(), String::new());
    while let Ok(Some(event)) = events.next(Duration::from_secs(10)) {
        printed.push_str(&live.push(&event, &page));
    }
    printed.push_str(&live.rest(&page));

    let stored = Reader::open(&folder).unwrap().read().unwrap();
    let again = verdict(&stored.history.events);
    assert_eq!(again.exit(), live.verdict().exit());
    let report = (seam_report::find("terminal").unwrap().write)(&stored.history, &again, &options());
    assert_eq!(report, printed);
    assert!(printed.contains("actual: 500"), "{printed}");
}

#[test]
fn junit_is_xml_to_others_and_counts_what_it_holds() {
    let text = write("junit");
    let package = sxd_document::parser::parse(&text).unwrap();
    let root = package.as_document().root().children()[0].element().unwrap();
    assert_eq!(root.name().local_part(), "testsuites");
    let elements = |of: sxd_document::dom::Element<'_>, name: &str| -> usize {
        fn count(of: sxd_document::dom::Element<'_>, name: &str) -> usize {
            of.children()
                .into_iter()
                .filter_map(sxd_document::dom::ChildOfElement::element)
                .map(|child| usize::from(child.name().local_part() == name) + count(child, name))
                .sum()
        }
        count(of, name)
    };
    for (attribute, element, expected) in [
        ("tests", "testcase", 7),
        ("failures", "failure", 1),
        ("errors", "error", 1),
        ("skipped", "skipped", 3),
    ] {
        assert_eq!(root.attribute_value(attribute), Some(expected.to_string().as_str()), "{attribute}");
        assert_eq!(elements(root, element), expected, "{element}");
    }
    assert_eq!(elements(root, "flakyFailure"), 1);
    assert!(text.contains("name=\"Odd &lt;names&gt; &amp; &apos;quotes&apos; $HOME\""), "{text}");
}

#[test]
fn a_run_without_tests_is_no_green_report() {
    let history = History::of(Vec::new());
    let verdict = verdict(&history.events);
    for (form, part) in [
        ("terminal", "inconclusive: no tests"),
        ("junit", "<error type=\"inconclusive\""),
        ("json", "\"exit\": 130"),
        ("markdown", "never came to its end"),
    ] {
        let text = (seam_report::find(form).unwrap().write)(&history, &verdict, &options());
        assert!(text.contains(part), "{form}: {text}");
    }
}
