//! What GitHub Actions shows: annotations beside the lines of the files that failed, and a summary of the job.
//!
//! GitHub shows at most ten errors and ten warnings of one step, and refuses a summary of more than a mebibyte, so
//! each failed test gets one annotation and the summary is cut before that.

use crate::clean::{block, line};
use crate::place::spot;
use crate::terminal::{self, Page, events_of};
use crate::{Report, human, junit};
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
    write: |history, verdict, _| annotations(history, verdict),
};

/// The summary of the job, in Markdown.
pub(crate) const SUMMARY: Report = Report {
    word: Word {
        text: "Markdown with the counts, the times, and each test that did not pass as the terminal shows it, folded \
               away. `seam run` appends it to the file that `GITHUB_STEP_SUMMARY` names.",
        example: "seam run --report markdown=summary.md",
        ..Word::new("markdown", "a summary in Markdown, for GitHub's job page and for comments")
    },
    write: |history, verdict, _| summary(history, verdict),
};

/// As many as GitHub shows of each kind.
const MOST: usize = 10;
/// Less than the mebibyte beyond which GitHub refuses all of it.
const LONGEST_SUMMARY: usize = 900 * 1024;

/// One line for each test that did not pass, and for what belongs to no test.
pub fn annotations(history: &History, verdict: &Verdict) -> String {
    let mut errors = Vec::new();
    for finding in &verdict.findings {
        errors.push(command("error", history, finding.place(), "seam", finding.message()));
    }
    for test in verdict.tests.iter().filter(|test| test.outcome.is_bad()) {
        let place = test.findings().iter().find_map(seam_judge::Finding::place).unwrap_or(test.place);
        let mut text = test.last_attempt().map(junit::message).unwrap_or_default();
        if let Some(suspect) = test.suspects().first() {
            let seam = suspect.seam.as_ref().map_or(String::new(), |seam| format!(", on the seam {seam}"));
            let _ = write!(text, "\nlikely cause: {}{seam}: it {}", suspect.component, suspect.reason);
        }
        errors.push(command("error", history, Some(place), &test.name, &text));
    }
    let warnings =
        verdict.warnings.iter().map(|notice| command("warning", history, notice.place, "seam", &notice.text));
    errors.into_iter().take(MOST).chain(warnings.take(MOST)).collect()
}

/// A workflow command; what could end it early or begin another is escaped.
fn command(kind: &str, history: &History, place: Option<Place>, title: &str, message: &str) -> String {
    let mut properties = Vec::new();
    if let Some(spot) = place.and_then(|place| spot(&history.sources, place)) {
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
pub fn summary(history: &History, verdict: &Verdict) -> String {
    let page = Page {
        sources: &history.sources,
        run: verdict.run.as_ref(),
        look: Look { colour: false, width: 120 },
    };
    let mut out = format!("## {}: {}\n\n", escape(&verdict.system), verdict.outcome.word());
    for reason in &verdict.reasons {
        let _ = writeln!(out, "{}\n", escape(reason));
    }
    let counts = verdict.counts();
    let shown: Vec<TestOutcome> =
        TestOutcome::ALL.into_iter().filter(|outcome| counts.of(*outcome) > 0).collect();
    if !shown.is_empty() {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        out.push_str(&row(shown.iter().map(|outcome| outcome.word().to_owned()).collect()));
        out.push_str(&row(shown.iter().map(|_| "---:".to_owned()).collect()));
        out.push_str(&row(shown.iter().map(|outcome| counts.of(*outcome).to_string()).collect()));
        out.push('\n');
    }
    for finding in &verdict.findings {
        let _ = writeln!(out, "- {}", escape(finding.message()));
    }
    let bad: Vec<&TestVerdict> = verdict.tests.iter().filter(|test| test.outcome.is_bad()).collect();
    let mut left = bad.len();
    for test in bad {
        let text = details(test, history, &page);
        if out.len() + text.len() > LONGEST_SUMMARY {
            let _ = writeln!(
                out,
                "\n{left} more did not pass; they are left out, since GitHub takes no longer summary."
            );
            break;
        }
        out.push_str(&text);
        left -= 1;
    }
    let times = &verdict.times;
    let _ = writeln!(
        out,
        "\n<sub>prepare {}, start {}, tests {}, stop {}; seed {}</sub>",
        human(times.prepare),
        human(times.start),
        human(times.tests),
        human(times.stop),
        verdict.seed
    );
    out
}

/// One test that did not pass, folded away.
fn details(test: &TestVerdict, history: &History, page: &Page<'_>) -> String {
    let Some(attempt) = test.last_attempt() else { return String::new() };
    let text = terminal::attempt(events_of(history, attempt), test, attempt, page);
    // Longer than any run of backticks in the text, so that nothing in it ends the block.
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!(
        "\n<details><summary><b>{}</b> {}: {}</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>\n",
        test.outcome.word(),
        escape(&test.suite),
        escape(&test.name),
        text.trim_end()
    )
}

/// A text from outside that must stay text in Markdown and HTML.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for character in line(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}
