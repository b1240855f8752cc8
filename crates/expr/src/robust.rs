//! Whatever stands in a file or comes over a wire: nothing here panics, exhausts the stack, or takes for ever.

use crate::testing::Answers;
use crate::{Capture, Expression, Language, Path, Query, ReferenceText, Template, to_lossy_json};
use proptest::prelude::*;
use seam_diag::{Diagnostics, FileId, Span};
use seam_model::Node;
use seam_value::Value;
use std::time::{Duration, Instant};

/// What one text may take at most, on a slow machine, without optimisation, beside other tests.
const MOST: Duration = Duration::from_mins(1);
/// The stack that threads usually have.
const STACK: usize = 2 << 20;
/// A text of a megabyte is more than any test holds.
const LONG: usize = 1 << 20;

fn span() -> Span {
    Span { file: FileId(0), start: 0, end: u32::MAX }
}

/// Reads a text in every way in which a text of a user's file can be read, and works out what comes of it.
fn read_in_all_ways(text: &str) {
    let answers = Answers::default();
    let result = document(text);
    let _ = Path::parse(text).map(|path| path.find(&result).to_value());
    let node = Node::text(text, span());
    let mut found = Diagnostics::default();
    let template = Template::read(&node, &mut found);
    let _ = (template.names(), template.functions(), template.render(&answers));
    let capture = Capture::read(&node, &mut found);
    let _ = (capture.names(), capture.take(&result, &answers));
    let _ = ReferenceText::read(&node, &mut found);
    if let Ok(expression) = Expression::parse(text, &|_, _| span()) {
        let _ = expression.evaluate_about(&result, &answers);
    }
    for language in Language::ALL {
        if let Ok(query) = Query::parse(language, text, &|_, _| span()) {
            let _ = query.find(&result);
            let _ = query.find(&Value::text("<a><b c='d'>e</b></a>"));
            let _ = query.find(&Value::text("<html><body><p class=a>b<p>c</body></html>"));
        }
    }
}

fn document(text: &str) -> Value {
    let short: String = text.chars().take(40).collect();
    Value::map([
        ("a", Value::List(vec![Value::from(1_i64), Value::map([("b", Value::text(short))])])),
        ("body", seam_value::parse(r#"{"items":[{"sku":"A1","n":2.50}],"x.y":null}"#).unwrap()),
        ("text", Value::text("<p>a</p>")),
    ])
}

/// Does something on a usual stack and says how long that took.
fn timed(name: &str, act: impl FnOnce() + Send) {
    let took = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let act = || {
            let began = Instant::now();
            act();
            began.elapsed()
        };
        thread.spawn_scoped(scope, act).unwrap().join().unwrap_or_else(|_| panic!("{name}: it panicked"))
    });
    assert!(took < MOST, "{name} took {took:?}");
}

/// What the languages are made of, and what belongs to none of them.
const PARTS: &[&str] = &[
    "a",
    ".",
    "a.",
    "a.*.",
    "[",
    "]",
    "[0]",
    "[-1]",
    "[*]",
    "(",
    ")",
    "((a",
    "{",
    "}",
    "${",
    "${1}",
    "${a.b} ",
    "$a",
    "$",
    "$$",
    "$a.b",
    "'",
    "\"",
    "\\",
    "!",
    "-",
    "+",
    "1+",
    "1",
    "9.",
    "1e9",
    "1e-99999",
    "a.b(",
    "a ? b : ",
    "?",
    "//",
    "//a",
    "/a[",
    "*//",
    "//*[",
    "..",
    "$..*",
    "$[?(",
    "@.a[?",
    "a>",
    "a ",
    ":not(",
    "a:has(",
    ",",
    "a,",
    "<",
    "<a>",
    "&",
    "\u{0}",
    "\n",
    "ä",
    "\u{200d}",
    "\u{1f600}",
    "x and ",
    "not(",
    "concat(a,",
    "#{",
    "[a=",
    "@",
    "|",
    "a|",
    "a::",
    "p:",
    "\t",
    "$x[?@.a==1]",
    "..[*]",
    "body",
    ".items",
    "text",
    "it",
    " == ",
    " in ",
    ".map(x, ",
    ".?b",
    "now()",
    "duration('1h')",
    "'x'",
    ":-",
    "self.",
    "env.",
    "%",
    "matches('(a+)+$')",
    "null",
    " && ",
    "'a'.replace('', 'b')",
    "@href",
    "count(",
    "true",
    "[::-1]",
    "search(@, 'a')",
    "-0",
    "\u{feff}",
];

#[test]
fn long_and_deep_texts() {
    for part in PARTS {
        for (length, begin) in [(200, ""), (3_000, ""), (3_000, "$.a"), (LONG / 8, "")] {
            let text = begin.to_owned() + &part.repeat(length / part.len());
            timed(&format!("{begin} and {part:?} for {length} bytes"), || read_in_all_ways(&text));
        }
    }
}

#[test]
fn a_megabyte() {
    for part in ["a.", "[", "$a ", "${1}", "(", "1+", "//a[", "'", "\\", "ä"] {
        let text = part.repeat(LONG / part.len());
        timed(&format!("a megabyte of {part:?}"), || read_in_all_ways(&text));
    }
}

#[test]
fn numbers_of_any_size() {
    let digits = "9".repeat(LONG / 8);
    for text in [
        "1e999999999",
        "1e-999999999",
        "-1e9223372036854775807",
        "1e-9223372036854775808",
        "1e99999999999999999999999",
        "0e999999999",
        &digits,
        &format!("0.{digits}"),
        &format!("{digits}e-{}", digits.len()),
        &format!("1e{digits}"),
    ] {
        let mut answers = Answers::default();
        let number = seam_value::parse(text).unwrap();
        answers.values.insert("n", number.clone());
        timed(&text.chars().take(40).collect::<String>(), || {
            for text in [
                "n + 1",
                "n * n",
                "n / 3",
                "n % 7",
                "n == 1",
                "n > n + 1",
                "round(n, 2)",
                "floor(n)",
                "int(n)",
                "string(n).size()",
                "random(n, n)",
                "[n, 1].sort()",
                "[n, n].distinct()",
                "n in [1, n]",
                "[1, 2][n]",
                "sum([n, n])",
                "-n",
                "abs(n)",
                "now() + duration(string(n) + 's')",
                "double(string(n))",
                "json(string(n))",
            ] {
                let expression = Expression::parse(text, &|_, _| span()).unwrap();
                let _ = expression.evaluate(&answers);
            }
            assert_eq!(number, number.clone());
            let _ = to_lossy_json(&Value::List(vec![number.clone()]));
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_made_of_the_languages(parts in proptest::collection::vec(proptest::sample::select(PARTS), 1..12)) {
        read_in_all_ways(&parts.concat());
    }

    #[test]
    fn whatever_else(text in "\\PC{0,60}") {
        read_in_all_ways(&text);
    }

    #[test]
    fn a_path_shows_as_it_reads(names in proptest::collection::vec("[a-c.*\\[\\] '0-]{0,4}|[a-c\" .'\\[]{1,4}", 1..5)) {
        // Both quotes and a closing bracket in one name can't be written at all.
        let path = Path::of_names(names);
        prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
    }
}
