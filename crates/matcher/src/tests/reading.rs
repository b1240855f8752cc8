//! What is told when an `expect` is read: `text under the caret | title | hint`.

use super::read;

fn told(expect: &str) -> Vec<String> {
    let (_, found) = read(expect);
    found
        .into_iter()
        .map(|diagnostic| {
            let (span, label) = diagnostic.place.unwrap();
            let caret = &expect[span.start as usize..span.end as usize];
            let mut line = format!("{caret} | {}", diagnostic.title);
            for more in [label, diagnostic.hint.unwrap_or_default()] {
                if !more.is_empty() {
                    line.push_str(" | ");
                    line.push_str(&more);
                }
            }
            line
        })
        .collect()
}

const MISTAKES: &[(&str, &[&str])] = &[
    ("a: { contians: x }", &["contians | `contians` is no matcher | did you mean `contains`?"]),
    ("a: { contains: x, abvoe: 1 }", &["abvoe | `abvoe` is no matcher | did you mean `above`?"]),
    (
        "body: { state: paid, id: 5 }",
        &[
            "state | `state` is no matcher | for a literal map write `equals:` or `like:`; for a part of the value write `body.state:` on the left",
        ],
    ),
    (
        "body: { size: 2, state: paid }",
        &[
            "state | `state` is no matcher | for a literal map write `equals:` or `like:`; for a part of the value write `body.state:` on the left",
        ],
    ),
    (
        "body: { .state: paid }",
        &[
            ".state | a path with a leading dot stands in `any` and `every` only | write `body.state:` on the left",
        ],
    ),
    (
        "rows: { any: { state: paid } }",
        &["state | `state` is no matcher | a path in an element begins with a dot: `.state`"],
    ),
    ("rows: { any: { .a..b: paid } }", &[".a..b | a name is missing here"]),
    ("body..a: 1", &[". | a name is missing here"]),
    ("a: { type: text }", &["text | `text` is no type | did you mean `string`?"]),
    ("a: { type: [string, intger] }", &["intger | `intger` is no type | did you mean `integer`?"]),
    ("a: { matches: '(' }", &["'(' | this is no regular expression | unclosed group"]),
    ("a: { matches: '($x' }", &["'($x' | this is no regular expression | unclosed group"]),
    ("a: { matches: 5 }", &["5 | `matches` takes a regular expression | this is a number"]),
    ("a: { above: abc }", &["abc | `above` takes a number or a duration | this is a text"]),
    (
        "a: { above: 2026-01-01T00:00Z }",
        &[
            "2026-01-01T00:00Z | `above` takes a number or a duration | this is a text | for times there are `before` and `after`",
        ],
    ),
    ("a: { one_of: 5 }", &["5 | `one_of` takes a list of values | this is a number"]),
    ("a: { near: 5 }", &["5 | `near` takes a map: `{ value: 20, by: 0.01 }` | this is a number"]),
    ("a: { near: { value: 5 } }", &["{ value: 5 } | `near` needs `by`"]),
    ("a: { near: { value: 5, bye: 1 } }", &["bye | unknown key `bye` in `near` | did you mean `by`?"]),
    (
        "a: { near: { value: 5, by: -1 } }",
        &["-1 | `by` takes a number or a duration, not below zero | this is a number"],
    ),
    ("a: { exists: 'no' }", &["'no' | `exists` takes `true` or `false` | this is a text"]),
    ("a: { empty: 1 }", &["1 | `empty` takes `true` or `false` | this is a number"]),
    (
        "a: { before: soon }",
        &["soon | `before` takes an instant | `soon` is no instant such as 2026-01-31T12:00:00Z or now - 5m"],
    ),
    (
        "a: { at: 2026-01-01 }",
        &[
            "2026-01-01 | `at` takes an instant | `2026-01-01` is a day, not an instant: it has no time and no offset",
        ],
    ),
    (
        "a: { after: now - 5 }",
        &["now - 5 | `after` takes an instant | `5` is no duration such as 5m or 1h30m"],
    ),
    ("a: { sorted: upwards }", &["upwards | `upwards` is no order"]),
    (
        "a: { unique: sku }",
        &["sku | `unique` takes `true`, or a path in the element such as `.id` | this is a text"],
    ),
    (
        "a: { schema: { type: strng } }",
        &[
            "{ type: strng } | this is no JSON Schema | \"strng\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        ],
    ),
    ("a: { schema: 5 }", &["5 | `schema` takes a file, or a schema as a map | this is a number"]),
    ("a: { size: [1] }", &["[1] | `size` takes a number, or matchers for it | this is a list"]),
    ("a: { size: { abov: 1 } }", &["abov | `abov` is no matcher | did you mean `above`?"]),
    ("that: a == ", &[" | the expression ends too early"]),
    ("that: { a: 1 }", &["{ a: 1 } | `that` takes an expression, or a list of them | this is a map"]),
    ("that: [sise(rows) > 1]", &["sise | unknown function `sise` | did you mean `size()`?"]),
    (
        "jsonpath: $.a",
        &[
            "$.a | `jsonpath` takes a map of questions with what is expected | this is a text | write `jsonpath: { \"…\": value }`",
        ],
    ),
    ("xpath: { '//[': 1 }", &["'//[' | this is no xpath | "]),
    ("a: '${1 +}'", &[" | the expression ends too early"]),
];

#[test]
fn mistakes_are_told_at_their_place() {
    for (expect, lines) in MISTAKES {
        let lines: Vec<&str> = lines.to_vec();
        let told = told(expect);
        assert_eq!(told.len(), lines.len(), "{expect}: {told:#?}");
        for (told, line) in told.iter().zip(lines) {
            assert!(told.starts_with(line), "{expect}\n  told: {told}\n  line: {line}");
        }
    }
}
