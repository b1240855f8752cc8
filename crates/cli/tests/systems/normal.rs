//! What differs from run to run, taken out of what `seam` says: times, ports, ids, folders.

use regex::{Captures, Regex};
use std::sync::LazyLock;

/// What is replaced, and by what.
static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let list: &[(&str, &str)] = &[
        // `1rtetfb-ej0`
        (r"\b[0-9a-z]{7}-[0-9a-z]{3}\b", "«run»"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?", "«instant»"),
        (r"(\b\d{4}-\d\d-\d\d )?\b\d\d:\d\d:\d\d\.\d+\b", "«clock»"),
        // Times that stand in a column of their own, and all others.
        (r" {2,}\d+(\.\d+)? (ns|µs|ms|s|min)\b( \d+ s\b)?", "  «time»"),
        (r"\b\d+(\.\d+)? (ns|µs|ms|s|min)\b( \d+ s\b)?", "«time»"),
        (r#"time="\d+\.\d+""#, r#"time="«s»""#),
        (r#""(seconds|plan|prepare|start|tests|stop|all)": \d+\.\d+"#, r#""$1": «s»"#),
        (r"\(\d+ times\)", "(«n» times)"),
        // Numbers of events in a report.
        (r#""event": \d+"#, r#""event": «n»"#),
        (r"(?m)^( +)\d+(,?)$", "$1«n»$2"),
        (r"(127\.0\.0\.1|localhost|\[::1\]):\d+", "$1:«port»"),
        (r"\b\d+ (try|tries)\b", "«n» tries"),
        (r"\b(pid|process|session) \d+\b", "$1 «pid»"),
        // What a service itself says, and which of them this machine has.
        (r"\[\d+\] (ERROR|HINT|STATEMENT|LOG|FATAL|DETAIL)", "[«pid»] $1"),
        (r"\b(pg|cache)\.log:\d+", "$1.log:«n»"),
        (r"\b(PostgreSQL|Redis) \d+(\.\d+)*( on PATH| in [a-z ]+)?( \([^)]*\))?", "$1 «version»"),
        (r"(?m)^(preparing|applying) .*\n", ""),
    ];
    list.iter().map(|(pattern, to)| (Regex::new(pattern).unwrap(), *to)).collect()
});

/// A text without what differs; `places` are folders with their names.
pub(crate) fn normalised(text: &str, places: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (place, name) in places {
        text = text.replace(place.as_str(), name);
    }
    for (filter, to) in FILTERS.iter() {
        text = filter.replace_all(&text, *to).into_owned();
    }
    in_order(&WHO.replace_all(&text, on_one_line))
}

/// A moment of what passed: how wide its columns are, and whether a caller was seen or assumed, is up to chance.
static WHO: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?m)^ +\+ *«time».*$").unwrap());
static GAPS: LazyLock<Regex> = LazyLock::new(|| Regex::new(" {2,}").unwrap());

fn on_one_line(moment: &Captures<'_>) -> String {
    let moment = moment[0].replace(" (assumed)", "").replace("+ «", "+«");
    let moment = GAPS.replace_all(moment.trim(), "  ");
    // Where it is cut off depends on how wide the columns before it are.
    if moment.contains('…') || moment.chars().count() > SURE {
        format!("    {}…", moment.chars().take(SHOWN).collect::<String>())
    } else {
        format!("    {moment}")
    }
}

/// How much is shown of a moment that was cut off, or that may be the next time.
const SHOWN: usize = 64;

/// What is no longer than this is never cut off.
const SURE: usize = 128;

/// Components that start together are ready in any order.
fn in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for group in lines.chunk_by_mut(|one, next| is_ready(one) && is_ready(next)) {
        if is_ready(group[0]) {
            group.sort_unstable();
        }
    }
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

fn is_ready(line: &str) -> bool {
    line.starts_with("ready  ")
}
