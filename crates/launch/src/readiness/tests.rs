//! What may stand in `ready:`, and what is told of the rest. How components become ready: `tests/readiness.rs`.

use super::*;
use seam_diag::{FileId, Span};
use seam_model::Entry;

fn span(start: u32) -> Span {
    Span { file: FileId(0), start, end: start + 1 }
}

fn text(text: &str) -> Node {
    Node { span: span(0), kind: NodeKind::Text { text: text.to_owned(), form: seam_model::Form::Plain } }
}

fn list(texts: &[&str]) -> Node {
    Node { span: span(0), kind: NodeKind::List(texts.iter().map(|one| text(one)).collect()) }
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    let entries = entries
        .into_iter()
        .map(|(key, node)| Entry { key: Spanned::new(key.to_owned(), span(7)), node })
        .collect();
    Node { span: span(5), kind: NodeKind::Map(entries) }
}

#[test]
fn all_forms_are_read() {
    for (node, debug) in [
        (text("GET /health"), r#"Http { method: "GET", path: "/health", status: None }"#),
        (text("tcp"), "Tcp"),
        (map(vec![("http", text("GET /")), ("status", text("404"))]), "status: Some(404) }"),
        (map(vec![("log", text("listening"))]), r#"Log { text: "listening" }"#),
        (map(vec![("exit", text("0"))]), "Job { code: 0 }"),
        (map(vec![("exec", list(&["pg_isready", "-q"]))]), "Exec { command: CommandLine { words:"),
        (
            map(vec![("seam", text("worker -> cache.1")), ("where", map(vec![]))]),
            r#"SeamReady { consumer: "worker", provider: "cache.1""#,
        ),
    ] {
        let mut found = Diagnostics::default();
        let ready = read_ready(&node, &mut found).unwrap();
        assert!(found.is_empty(), "{found:?}");
        let shown = format!("{ready:?}");
        assert!(shown.contains(debug), "{shown}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (node, title, hint) in [
        (text("/health"), "`/health` is no kind of readiness", Some("did you mean `GET /health`?")),
        (text("log"), "`log` is no kind", Some("`log` needs something: `{ log: … }`")),
        (text("soon"), "`soon` is no kind", Some("such as")),
        (list(&["tcp"]), "`ready` must be a text or a map", Some("such as")),
        (map(vec![("htpp", text("GET /"))]), "names no kind of readiness", Some("did you mean `http`?")),
        (map(vec![]), "names no kind of readiness", None),
        (map(vec![("log", text("a")), ("exit", text("0"))]), "`log` and `exit` at once", Some("one of them")),
        (map(vec![("http", text("GET /")), ("statsu", text("1"))]), "unknown key `statsu`", Some("`status`")),
        (map(vec![("http", text("health"))]), "`http` must be a request", Some("GET /health")),
        (map(vec![("http", text("GET /")), ("status", text("9"))]), "`status` must be an HTTP status", None),
        (map(vec![("exit", text("300"))]), "`exit` must be an exit code", None),
        (map(vec![("log", text(""))]), "`log` must be a text", None),
        (map(vec![("exec", list(&[]))]), "names no program", None),
        (map(vec![("seam", text("redis"))]), "`seam` must name a seam", Some("worker -> redis")),
        (map(vec![("seam", text("a -> b")), ("where", text("x"))]), "`where` must be a map", None),
    ] {
        let mut found = Diagnostics::default();
        read_ready(&node, &mut found);
        let told = found.in_order();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].title.contains(title), "{}", told[0].title);
        assert!(told[0].place.is_some());
        let shown = told[0].hint.clone().unwrap_or_default();
        assert_eq!(told[0].hint.is_some(), hint.is_some(), "{shown}");
        assert!(shown.contains(hint.unwrap_or_default()), "{shown}");
    }
}

#[test]
fn kinds_are_documented_and_named_once() {
    let mut all: Vec<&str> = names().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), READINESS.len());
    for kind in READINESS {
        assert!(!kind.word.line.is_empty() && !kind.word.text.is_empty() && !kind.word.example.is_empty());
    }
}
