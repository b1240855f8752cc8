//! What is told when an `expect` is read: `text under the caret | title | hint`.

use super::read as read_all;

fn told(expect: &str) -> Vec<String> {
    let (_, found) = read_all(expect);
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

pub(super) const MISTAKES: &[(&str, &[&str])] = &[
    (
        "{ a: { contians: x, size: -1 }, b: { matches: '(', type: strin }, c..d: 1, e: { below: 10 sec } }",
        &[
            "contians | `contians` is no matcher | did you mean `contains`?",
            "-1 | `size` takes a whole number from 0, or matchers for it | this is a number",
            "'(' | this is no regular expression | unclosed group",
            "strin | `strin` is no type | did you mean `string`?",
            ". | a name is missing here",
            "10 sec | `below` takes a number or a duration | expected a number with its unit, without spaces: 10s, 1m30s or 250ms",
        ],
    ),
    (
        "a: { size: 2.5 }",
        &["2.5 | `size` takes a whole number from 0, or matchers for it | this is a number"],
    ),
    ("a: { size: two }", &["two | `size` takes a whole number from 0, or matchers for it | this is a text"]),
    (
        "a: { type: [[string]] }",
        &["[string] | `type` takes the name of a type, or a list of names | this is a list"],
    ),
    (
        "a: { type: { is: string } }",
        &["{ is: string } | `type` takes the name of a type, or a list of names | this is a map"],
    ),
    (
        "a: { below: 500m s }",
        &[
            "500m s | `below` takes a number or a duration | expected a number with its unit, without spaces: 10s, 1m30s or 250ms",
        ],
    ),
    (
        "a: { below: 10x }",
        &[
            "10x | `below` takes a number or a duration | `x` is no unit of time; there are us, ms, s, m, h, d",
        ],
    ),
    (
        "a: { above: now - 5m }",
        &[
            "now - 5m | `above` takes a number or a duration | this is a text | for times there are `before` and `after`",
        ],
    ),
    (
        "a: { at_least: null, at_most: true }",
        &[
            "null | `at_least` takes a number or a duration | this is nothing",
            "true | `at_most` takes a number or a duration | this is a boolean",
        ],
    ),
    ("a: { one_of: [] }", &["[] | `one_of` takes at least one value"]),
    ("a: { in_any_order: 1 }", &["1 | `in_any_order` takes a list | this is a number"]),
    (
        "a: { starts_with: [x], ends_with: null }",
        &[
            "[x] | `starts_with` takes a text | this is a list",
            "null | `ends_with` takes a text | this is nothing",
        ],
    ),
    (
        "a: { starts_with: '', matches: '' }",
        &[
            "'' | `starts_with` holds for every text | nothing is asked | for an empty text write `\"\"` alone, or `empty: true`",
            "'' | `matches` holds for every text | nothing is asked | for an empty text write `\"\"` alone, or `empty: true`",
        ],
    ),
    ("a: { near: { value: 20, by: 5s } }", &["5s | `by` takes a number, as `value` is one | this is a text"]),
    (
        "a: { near: { value: now, by: 5 } }",
        &["5 | `by` takes a duration, as `value` is a time | this is a number | write a unit: `5s`, `250ms`"],
    ),
    (
        "a: { near: { value: soon, by: 5s } }",
        &[
            "soon | `value` takes a number, a duration or an instant | `soon` is no instant such as 2026-01-31T12:00:00Z or now - 5m",
        ],
    ),
    (
        "a: { near: { value: [1], by: 5s } }",
        &["[1] | `value` takes a number, a duration or an instant | this is a list"],
    ),
    (
        "a: { near: { value: 1, by: -5s } }",
        &["-5s | `by` takes a number or a duration, not below zero | this is a text"],
    ),
    (
        "a: { exists: false, type: string }",
        &["type | `type` says something of a value that must not be there"],
    ),
    (
        "a: { any: { .x: { exists: false, above: 1 } } }",
        &["above | `above` says something of a value that must not be there"],
    ),
    (
        "a: { any: { .x: { abve: 1 }, type: objekt } }",
        &[
            "abve | `abve` is no matcher | did you mean `above`?",
            "objekt | `objekt` is no type | did you mean `object`?",
        ],
    ),
    (
        "a: { every: { not: { matches: '[' } } }",
        &["'[' | this is no regular expression | unclosed character class"],
    ),
    (
        "a: { sorted: { by: [.a] } }",
        &["[.a] | `by` takes a path in the element such as `.price` | this is a list"],
    ),
    (
        "a: { sorted: { order: up, bye: .a } }",
        &["bye | unknown key `bye` in `sorted` | did you mean `by`?", "up | `up` is no order"],
    ),
    (
        "a: { unique: false }",
        &["false | `unique` takes `true`, or a path in the element such as `.id` | this is a boolean"],
    ),
    ("a: { snapshot: false }", &["false | `snapshot` takes a name, or `true` | this is a boolean"]),
    (
        "a: { schema: { properties: { id: { type: [integr] }, n: { minimum: x } }, requird: [id] } }",
        &[
            "integr | this is no JSON Schema | `integr` is no type | did you mean `integer`?",
            "x | this is no JSON Schema | \"x\" is not of type \"number\"",
            "requird | a word that JSON Schema does not know | nothing is asked by `requird` | did you mean `required`?",
        ],
    ),
    (
        "a: { schema: { requird: [id], x-note: 1, properties: { requird: { maxLenght: 5 } } } }",
        &[
            "requird | a word that JSON Schema does not know | nothing is asked by `requird` | did you mean `required`?",
            "maxLenght | a word that JSON Schema does not know | nothing is asked by `maxLenght` | did you mean `maxLength`?",
        ],
    ),
    (
        "a: { schema: { $ref: 'https://example.test/other.json' } }",
        &[
            "{ $ref: 'https://example.test/other.json' } | this is no JSON Schema | `https://example.test/other.json` is another file; references to other files are not followed",
        ],
    ),
    (
        "a: { schema: { $ref: '#/$defs/none' } }",
        &[
            "{ $ref: '#/$defs/none' } | this is no JSON Schema | a reference leads nowhere: Pointer '/$defs/none' does not exist",
        ],
    ),
    ("a: { schema: { pattern: '(' } }", &["'(' | this is no JSON Schema | \"(\" is not a \"regex\""]),
    (
        "a: { schema: { $schema: 'https://example.test/mine' } }",
        &[
            "{ $schema: 'https://example.test/mine' } | this is no JSON Schema | `https://example.test/mine` is no draft of JSON Schema that is known",
        ],
    ),
    ("a: { at: 1 }", &["1 | `at` takes an instant, or `now - 5m` | this is a number"]),
    ("a: { not: { cotains: x } }", &["cotains | `cotains` is no matcher | did you mean `contains`?"]),
    (
        "a: { state: paid, kind: card }",
        &[
            "state | `state` is no matcher | for a literal map write `equals:` or `like:`; for a part of the value write `a.state:` on the left",
        ],
    ),
    ("'a b': 1", &["'a b' | a path has no spaces | a name with spaces is quoted: \"a b\""]),
    ("css: { 'a[': 1 }", &["'a[' | this is no css | Unexpected EOL"]),
    ("jsonpath: { 'items[0]': 1 }", &["'items[0]' | this is no jsonpath | parser error"]),
    ("jsonpath: { $.a: { contans: 1 } }", &["contans | `contans` is no matcher | did you mean `contains`?"]),
    ("a: '$x.y ${nope(1)}'", &["nope | unknown function `nope` | did you mean `now()`?"]),
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
    ("a: { type: str }", &["str | `str` is no type | did you mean `string`?"]),
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
        &["strng | this is no JSON Schema | `strng` is no type | did you mean `string`?"],
    ),
    ("a: { schema: 5 }", &["5 | `schema` takes a file, or a schema as a map | this is a number"]),
    ("a: { size: [1] }", &["[1] | `size` takes a whole number from 0, or matchers for it | this is a list"]),
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
    let wrong: Vec<String> = MISTAKES
        .iter()
        .map(|(expect, lines)| (expect, lines, told(expect)))
        .filter(|(_, lines, told)| {
            lines.len() != told.len() || lines.iter().zip(told).any(|(line, told)| !told.starts_with(line))
        })
        .map(|(expect, lines, told)| format!("{expect}\n  told: {told:#?}\n  table: {lines:#?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_files_of_schemas_are_checked_before_anything_runs() {
    let read = |path: &str| match path {
        "good.json" => Ok(br#"{"type":"object","required":["id"]}"#.to_vec()),
        "odd.json" => Ok(br#"{"requird":["id"],"properties":{"id":{"type":"integr"}}}"#.to_vec()),
        "cut.json" => Ok(br#"{"type":"#.to_vec()),
        "page.html" => Ok(vec![0xff]),
        _ => Err("there is no such file".to_owned()),
    };
    for (file, lines) in [
        ("good.json", &[][..]),
        (
            "odd.json",
            &[
                "properties.id.type: `integr` is no type; did you mean `integer`?",
                "requird: nothing is asked by `requird`; did you mean `required`?",
            ],
        ),
        ("cut.json", &["is no JSON: value expected at byte 8; "]),
        ("page.html", &["is no text; "]),
        ("none.json", &["there is no such file; "]),
        ("$file", &[]),
    ] {
        let (statements, mut found) =
            read_all(&format!("rows: {{ every: {{ not: {{ schema: {file} }} }} }}"));
        for statement in &statements {
            statement.check_files(&read, &mut found);
        }
        let told: Vec<String> = found
            .into_iter()
            .map(|one| format!("{}; {}", one.place.unwrap().1, one.hint.unwrap_or_default()))
            .collect();
        assert_eq!(told, lines, "{file}");
    }
}
