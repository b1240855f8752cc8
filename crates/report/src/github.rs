//! What GitHub Actions shows: annotations beside the lines of the files that failed, and a summary of the job.
//!
//! GitHub shows at most ten errors and ten warnings of one step, and refuses a summary of more than a mebibyte, so
//! each failed test gets one annotation, the last says how many there are besides, and the summary is cut in time.
//!
//! It obeys commands wherever a line of output begins like one, also in what a component said. Whoever prints the
//! terminal's report there puts [`stop`] before it and [`resume`] after it.

use crate::clean::{block, line};
use crate::place::Files;
use crate::terminal::{self, Attempted, Page, events_of};
use crate::{Options, Report, human, junit};
use seam_diag::Look;
use seam_event::Place;
use seam_history::History;
use seam_judge::{TestOutcome, TestVerdict, Verdict};
use seam_model::Word;
use std::fmt::Write as _;

/// Annotations, printed to standard output.
pub(crate) const ANNOTATIONS: Report = Report {
    word: Word {
        text: "Workflow commands (`::error file=…,line=…::…`) that GitHub Actions shows beside the lines of a change: \
               one for each test that did not pass, at most ten, since GitHub shows no more. `seam run` prints them \
               by itself where it runs in GitHub Actions.",
        example: "seam report latest --report github=-",
        ..Word::new("github", "annotations beside the lines of a change, for GitHub Actions")
    },
    write: annotations,
};

/// The summary of the job, in Markdown.
pub(crate) const SUMMARY: Report = Report {
    word: Word {
        text: "Markdown with the counts, the times, and each test that did not pass as the terminal shows it, folded \
               away. `seam run` appends it to the file that `GITHUB_STEP_SUMMARY` names.",
        example: "seam run --report markdown=summary.md",
        ..Word::new("markdown", "a summary in Markdown, for GitHub's job page and for comments")
    },
    write: summary,
};

/// As many as GitHub shows of each kind.
const MOST: usize = 10;
/// Less than the mebibyte beyond which GitHub refuses all of it.
const LONGEST_SUMMARY: usize = 900 * 1024;

/// The line after which GitHub obeys no commands, until [`resume`] with the same token, which nobody else may know.
pub fn stop(token: &str) -> String {
    format!("::stop-commands::{token}\n")
}

/// The line after which GitHub obeys commands again.
pub fn resume(token: &str) -> String {
    format!("::{token}::\n")
}

/// One line for each test that did not pass, and for what belongs to no test.
fn annotations(history: &History, verdict: &Verdict, options: &Options) -> String {
    let files = Files::of(history, options);
    let outside = verdict
        .findings
        .iter()
        .map(|finding| command("error", files, finding.place(), ("seam", &terminal::message(finding))));
    let tests = verdict.tests.iter().filter(|test| test.outcome.is_bad()).map(|test| {
        let place = test.findings().iter().find_map(seam_judge::Finding::place).unwrap_or(test.place);
        command("error", files, Some(place), (&test.name, &told(test)))
    });
    let mut errors: Vec<String> = outside.chain(tests).collect();
    if errors.is_empty() && verdict.outcome > seam_judge::Grade::Passed {
        errors.push(command("error", files, None, ("seam", &verdict.reasons.join("; "))));
    }
    if errors.len() > MOST {
        let more = errors.split_off(MOST - 1).len();
        let text = format!("{more} more did not pass; the job's summary has all of them");
        errors.push(command("error", files, None, ("seam", &text)));
    }
    let warnings = verdict
        .warnings
        .iter()
        .map(|notice| command("warning", files, notice.place, ("seam", &notice.text)))
        .take(MOST);
    errors.into_iter().chain(warnings).collect()
}

/// What is wrong with a test, and whom the evidence points at.
fn told(test: &TestVerdict) -> String {
    let mut text = test.deciding_attempt().map(junit::message).unwrap_or_default();
    if let Some(suspect) = test.suspects().first() {
        let seam = terminal::on_seam(suspect);
        let _ = write!(text, "\nlikely cause: {}{seam}: it {}", suspect.component, suspect.reason);
    }
    text
}

/// A workflow command; what could end it early or begin another is escaped.
fn command(kind: &str, files: Files<'_>, place: Option<Place>, (title, message): (&str, &str)) -> String {
    let mut properties = Vec::new();
    if let Some(spot) = place.and_then(|place| files.spot(place)) {
        properties.push(format!("file={}", property(&spot.path)));
        properties.push(format!("line={}", spot.line));
        properties.push(format!("col={}", spot.column));
    }
    properties.push(format!("title={}", property(&line(title))));
    format!("::{kind} {}::{}\n", properties.join(","), data(&block(message)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The job's summary.
fn summary(history: &History, verdict: &Verdict, _: &Options) -> String {
    let mut out = format!("## {}: {}\n\n", escape(&verdict.system), verdict.outcome.word());
    for reason in &verdict.reasons {
        let _ = writeln!(out, "{}\n", escape(reason));
    }
    out.push_str(&counts(verdict));
    for finding in &verdict.findings {
        let _ = writeln!(out, "- {}", escape(&terminal::message(finding)));
    }
    for invariant in verdict.invariants.iter().filter(|invariant| !invariant.broken_by.is_empty()) {
        let (tests, of) = (invariant.broken_by.len(), invariant.judged);
        let name = escape(&invariant.name);
        let _ = writeln!(out, "- the invariant “{name}” was broken by {tests} of {of} tests");
    }
    out.push_str(&bad_tests(history, verdict, LONGEST_SUMMARY - out.len().min(LONGEST_SUMMARY)));
    let times = verdict.times.parts().map(|(name, time)| format!("{name} {}", human(time)));
    let run = verdict.run.as_ref().map_or(String::new(), |run| format!("; run {run}"));
    let _ = writeln!(out, "\n<sub>{}{run}, seed {}</sub>", times.join(", "), verdict.seed);
    out
}

/// A table of how many tests came out how.
fn counts(verdict: &Verdict) -> String {
    let counts = verdict.counts();
    let of = TestOutcome::ALL.map(|outcome| (outcome.word(), counts.of(outcome)));
    let shown: Vec<(&str, usize)> =
        of.into_iter().chain([("flaky", counts.flaky)]).filter(|(_, count)| *count > 0).collect();
    if shown.is_empty() {
        return String::new();
    }
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    row(shown.iter().map(|(word, _)| (*word).to_owned()).collect())
        + &row(shown.iter().map(|_| "---:".to_owned()).collect())
        + &row(shown.iter().map(|(_, count)| count.to_string()).collect())
        + "\n"
}

/// Each test that did not pass, folded away, as long as there is room.
fn bad_tests(history: &History, verdict: &Verdict, room: usize) -> String {
    let look = Look { colour: false, width: 120 };
    let page = Page { sources: &history.sources, run: verdict.run.as_ref(), command: &verdict.command, look };
    let bad: Vec<&TestVerdict> = verdict.tests.iter().filter(|test| test.outcome.is_bad()).collect();
    let mut out = String::new();
    for (index, test) in bad.iter().enumerate() {
        let text = details(test, history, &page);
        if out.len() + text.len() > room {
            let left = bad.len() - index;
            let _ = writeln!(
                out,
                "\n{left} more did not pass; they are left out, since GitHub takes no longer summary."
            );
            break;
        }
        out.push_str(&text);
    }
    out
}

/// One test that did not pass, folded away.
fn details(test: &TestVerdict, history: &History, page: &Page<'_>) -> String {
    let Some(attempt) = test.deciding_attempt() else { return String::new() };
    let text = Attempted::of(events_of(history, attempt), test, attempt, page).text();
    // Longer than any run of backticks in the text, so that nothing in it ends the block.
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!(
        "\n<details><summary><b>{}</b> {}: {}</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>\n",
        test.outcome.word(),
        html(&test.suite),
        html(&test.name),
        text.trim_end()
    )
}

/// A text from outside that must stay text in Markdown.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for character in html(text).chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '@') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// The same inside of HTML, where Markdown's signs mean nothing.
fn html(text: &str) -> String {
    line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
