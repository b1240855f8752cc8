//! What fails, with everything that is said: `text under the caret | the line beneath it | details`.

use super::judge;
use seam_event::Outcome;

fn said(expect: &str) -> Vec<String> {
    judge(expect)
        .into_iter()
        .filter(|judgement| judgement.outcome != Outcome::Held)
        .map(|judgement| {
            let caret = &expect[judgement.span.start as usize..judgement.span.end as usize];
            let mut line = format!("{caret} | {}", judgement.message);
            for detail in &judgement.details {
                line.push_str(" | ");
                line.push_str(detail);
            }
            line
        })
        .collect()
}

pub(super) const PLAIN: &[(&str, &[&str])] = &[
    ("status: 201", &["201 | actual: 200"]),
    ("status: '200'", &["'200' | actual: 200 (a number, not a text)"]),
    ("body.state: open", &["open | actual: \"paid\""]),
    ("body.state: null", &["null | actual: \"paid\""]),
    ("body.note: x", &["x | actual: null"]),
    ("body.total: $order.id", &["$order.id | actual: 19.90"]),
    (
        "rows: [{ copies: 0, id: 1 }, { copies: 1, id: 2 }]",
        &["1 | actual: 3 | rows.1.copies: expected 1, actual 3"],
    ),
    (
        "rows: [{ copies: 0, id: 1 }]",
        &[
            "[{ copies: 0, id: 1 }] | unexpected: `1` is {\"copies\":3,\"id\":2} | rows.1: unexpected {\"copies\":3,\"id\":2}",
        ],
    ),
    (
        "rows: [{ copies: 0 }, { copies: 1, id: 2, x: 1 }]",
        &[
            "[{ copies: 0 }, { copies: 1, id: 2, x: 1 }] | 3 differences | rows.0.id: unexpected 1 | rows.1.copies: expected 1, actual 3 | rows.1.x: missing, expected 1",
        ],
    ),
    (
        "rows: []",
        &[
            "[] | 2 differences | rows.0: unexpected {\"copies\":0,\"id\":1} | rows.1: unexpected {\"copies\":3,\"id\":2}",
        ],
    ),
    (
        "body.customer: { equals: { name: Ann, points: 11 } }",
        &["11 | actual: 10.0 | body.customer.points: expected 11, actual 10.0"],
    ),
    (
        "body.customer: { like: { nme: Ann } }",
        &["Ann | missing | body.customer.nme: missing, expected \"Ann\""],
    ),
    (
        "body.text: \"Thank you, Ann!\\nYour order 18.\\n\"",
        &[
            "\"Thank you, Ann!\\nYour order 18.\\n\" | actual: \"Thank you, Ann!\\nYour order 17.\\n\" | - expected, + actual |   Thank you, Ann! | - Your order 18. | + Your order 17.",
        ],
    ),
    (
        "headers: { like: { X-Id: '8' } }",
        &["'8' | actual: \"7\" | headers.X-Id: expected \"8\", actual \"7\""],
    ),
    ("body.nothing: { equals: { a: 1 } }", &["1 | missing | body.nothing.a: missing, expected 1"]),
    ("body.total: $order.totl", &["$order.totl | `$order` has no `totl` | did you mean `$order.total`?"]),
];

/// Judges all of a table before it fails, so that one sees all that has changed.
fn check(table: &[(&str, &[&str])]) {
    let wrong: Vec<String> = table
        .iter()
        .map(|(expect, lines)| (expect, lines, said(expect)))
        .filter(|(_, lines, said)| said != *lines)
        .map(|(expect, lines, said)| format!("{expect}\n  said: {said:#?}\n  table: {lines:#?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn plain_values() {
    check(PLAIN);
}

pub(super) const MISSING: &[(&str, &[&str])] = &[
    (
        "body.emial: x",
        &[
            "x | `body` has no `emial` | there is id, total, big, state, note, float, created, day, local, number, text, größe, empty, items, tags, sums, none, nothing, customer",
        ],
    ),
    ("body.customer.nam: x", &["x | `body.customer` has no `nam` | did you mean `body.customer.name`?"]),
    ("body.items.5.sku: x", &["x | `body.items` has no element 5, only 2 in all"]),
    ("body.note.x: null", &["null | `body.note` is null and has no parts"]),
    ("body.customer.x: null", &["null | `body.customer` has no `x` | there is name, points"]),
    (
        "body.password: { not: x }",
        &[
            "x | `body` has no `password` | there is id, total, big, state, note, float, created, day, local, number, text, größe, empty, items, tags, sums, none, nothing, customer",
        ],
    ),
    ("body.items.*.weight: [1]", &["[1] | `body.items.0` has no `weight` | there is sku, n, price"]),
    ("body.id: { exists: false }", &["false | actual: 17"]),
    ("headers.x-ip: { exists: true }", &["true | `headers` has no `x-ip` | did you mean `headers.X-Id`?"]),
    ("body.none.*.n: { exists: true }", &["true | there is no element"]),
    ("jsonpath: { $.nope: 1 }", &["1 | there is no `nope` | did you mean `note`?"]),
    ("css: { p: x }", &["x | this finds nothing"]),
    ("xpath: { //x:a: 1 }", &["1 | the document declares no prefix `x`"]),
];

#[test]
fn what_is_not_there() {
    check(MISSING);
}

pub(super) const FAILING: &[(&str, &[&str])] = &[
    (
        "body: { like: { id: 18, items: [{ sku: A1 }, { sku: B2, price: 31 }], customer: { nam: Ann } } }",
        &[
            "{ id: 18, items: [{ sku: A1 }, { sku: B2, price: 31 }], customer: { nam: Ann } } | 3 differences | body.id: expected 18, actual 17 | body.items.1.price: expected 31, actual 30 | body.customer.nam: missing, expected \"Ann\"",
        ],
    ),
    (
        "body.items: { like: [{ sku: A1 }] }",
        &[
            "[{ sku: A1 }] | unexpected: `1` is {\"sku\":\"B2\",\"n\":1,\"price\":30} | body.items.1: unexpected {\"sku\":\"B2\",\"n\":1,\"price\":30}",
        ],
    ),
    (
        "body.items: { like: { sku: A1 } }",
        &[
            "{ sku: A1 } | actual: [{\"sku\":\"A1\",\"n\":2,\"price\":9.90},{\"sku\":\"B2\",\"n\":1,\"price\":30}] (a list, not a map)",
        ],
    ),
    (
        "body.customer: { equals: { name: ann } }",
        &[
            "{ name: ann } | 2 differences | body.customer.name: expected \"ann\", actual \"Ann\" |   only letters are different, capital or small | body.customer.points: unexpected 10.0",
        ],
    ),
    ("body.state: 'paid '", &["'paid ' | actual: \"paid\" | only the white space around it is different"]),
    ("body.state: Paid", &["Paid | actual: \"paid\" | only letters are different, capital or small"]),
    (
        "body.text: \"Thank you, Ann!\\r\\nYour order 17.\\r\\n\"",
        &[
            "\"Thank you, Ann!\\r\\nYour order 17.\\r\\n\" | actual: \"Thank you, Ann!\\nYour order 17.\\n\" | only the line ends are different: CR LF and LF",
        ],
    ),
    ("body.größe: gro\u{df}e", &["große | actual: \"groß\""]),
    (
        "body.größe: 'gro\u{17f}s'",
        &["'groſs' | actual: \"groß\" | they part at character 4: U+017F and U+00DF"],
    ),
    ("body.number: { equals: ORD-0018 }", &["ORD-0018 | actual: \"ORD-0017\""]),
    (
        "rows: [{ copies: { above: 0 }, id: 1 }, { copies: 3, id: 2 }]",
        &[
            "{ above: 0 } | actual: 0 (a number, not a map) | rows.0.copies: expected {\"above\":0}, actual 0 (a number, not a map) | inside a value a map is taken as it stands; for matchers write `rows.0.copies: { above: 0 }`",
        ],
    ),
    (
        "rows: { contains: { copies: 3, id: 3 } }",
        &[
            "{ copies: 3, id: 3 } | none of its 2 elements is like this | the nearest: | rows.1.id: expected 3, actual 2",
        ],
    ),
    (
        "rows: { in_any_order: [{ copies: 3, id: 2 }, { copies: 1, id: 1 }] }",
        &[
            "[{ copies: 3, id: 2 }, { copies: 1, id: 1 }] | 1 missing, 1 unexpected | rows.0.copies: expected 1, actual 0",
        ],
    ),
    ("body.tags: { in_any_order: [a, b] }", &["[a, b] | 1 unexpected | unexpected: \"b\""]),
    ("body.id: { in_any_order: [a, b] }", &["[a, b] | actual: 17 (a number, not a list)"]),
    ("body.total: { at_least: 20, at_most: 19.89 }", &["20 | actual: 19.90", "19.89 | actual: 19.90"]),
    (
        "elapsed: { below: 500 }",
        &[
            "500 | actual: \"1200us\" (a text, not a number) | it is a duration: write a unit, such as `500ms`",
        ],
    ),
    ("elapsed: { at_least: 2ms, at_most: 1ms }", &["2ms | actual: \"1200us\"", "1ms | actual: \"1200us\""]),
    (
        "elapsed: { near: { value: 2ms, by: 100us } }",
        &["{ value: 2ms, by: 100us } | actual: 1200us | 800us away from it"],
    ),
    (
        "body.state: { near: { value: 2, by: 1 } }",
        &["{ value: 2, by: 1 } | actual: \"paid\" (a text, not a number)"],
    ),
    (
        "body.number: { starts_with: $order.items }",
        &["$order.items | a text must stand here, this is a list"],
    ),
    ("body.number: { ends_with: '17 ' }", &["'17 ' | actual: \"ORD-0017\""]),
    ("body.id: { starts_with: 1 }", &["1 | actual: 17 (a number, not a text)"]),
    (
        "body.items: { empty: true }",
        &["true | actual: [{\"sku\":\"A1\",\"n\":2,\"price\":9.90},{\"sku\":\"B2\",\"n\":1,\"price\":30}]"],
    ),
    ("body.none: { empty: false }", &["false | actual: []"]),
    (
        "body.items: { size: { above: 2 } }",
        &[
            "{ above: 2 } | actual: 2 | it is [{\"sku\":\"A1\",\"n\":2,\"price\":9.90},{\"sku\":\"B2\",\"n\":1,\"price\":30}]",
        ],
    ),
    ("body.größe: { size: 5 }", &["5 | actual: 4 | it is \"groß\""]),
    (
        "body.items: { any: { like: { sku: A1, n: 1 } } }",
        &[
            "{ like: { sku: A1, n: 1 } } | none of its 2 elements holds | body.items.0 is {\"sku\":\"A1\",\"n\":2,\"price\":9.90} |   like: actual: 2 |     body.items.0.n: expected 1, actual 2 | body.items.1 is {\"sku\":\"B2\",\"n\":1,\"price\":30} |   like: actual: \"B2\" |     body.items.1.sku: expected \"A1\", actual \"B2\"",
        ],
    ),
    (
        "body.items: { every: { .price: { at_most: 10 } } }",
        &[
            "{ .price: { at_most: 10 } } | element 1 does not hold | body.items.1 is {\"sku\":\"B2\",\"n\":1,\"price\":30} |   .price: actual: 30",
        ],
    ),
    ("body.sums: { unique: true }", &["true | one is there twice | elements 1 and 2: 2.50"]),
    ("body.id: { unique: true }", &["true | actual: 17 (a number, not a list)"]),
    ("body.sums: { sorted: descending }", &["descending | element 1 is out of order | 1 stands before 2.5"]),
    ("body.items: { sorted: { by: .weight } }", &["{ by: .weight } | element 0 has no `weight`"]),
    ("body.items: { sorted: true }", &["true | a map and a map have no order | elements 0 and 1"]),
    (
        "body.items: { schema: { items: { properties: { sku: { const: A1 }, n: { type: string } } } } }",
        &[
            "{ items: { properties: { sku: { const: A1 }, n: { type: string } } } } | does not fit the schema in 3 places | body.items.0.n: 2 is not of type \"string\" | body.items.1.sku: \"A1\" was expected | body.items.1.n: 1 is not of type \"string\"",
        ],
    ),
    (
        "body.created: { before: 2026-01-31T11:58:00Z }",
        &["2026-01-31T11:58:00Z | actual: \"2026-01-31T11:58:00Z\" | it is that very instant"],
    ),
    ("body.created: { at: now }", &["now | actual: \"2026-01-31T11:58:00Z\" | 2m250ms123us earlier"]),
    ("body.state: { at: now }", &["now | `paid` is no instant such as 2026-01-31T12:00:00Z or now - 5m"]),
    (
        "body.created: { after: $order.note }",
        &["$order.note | `null` is no instant such as 2026-01-31T12:00:00Z or now - 5m"],
    ),
    ("body.note: { exists: false }", &["false | actual: null"]),
    (
        "jsonpath: { '$.items[?@.n > 1]': { exists: false } }",
        &["false | actual: [{\"sku\":\"A1\",\"n\":2,\"price\":9.90}]"],
    ),
    ("jsonpath: { '$.items[?@.n > 9]': { exists: true } }", &["true | there is no element"]),
    (
        "interactions: { any: { .request.headers: { like: { X-A: 2 } } } }",
        &[
            "{ .request.headers: { like: { X-A: 2 } } } | its one element does not hold | interactions.0 is {\"request\":{\"headers\":{\"x-a\":\"1\",\"X-B\":\"2\"},\"body\":{\"headers\":{\"A\":1}}}} |   .request.headers: actual: \"1\" (a text, not a number) |     interactions.0.request.headers.X-A: expected 2, actual \"1\" (a text, not a number)",
        ],
    ),
    (
        "interactions: { contains: { request: { headers: { X-A: 2, x-b: 1 } } } }",
        &[
            "{ request: { headers: { X-A: 2, x-b: 1 } } } | not in it; its one element is {\"request\":{\"headers\":{\"x-a\":\"1\",\"X-B\":\"2\"},\"body\":{\"headers\":{\"A\":1}}}} | interactions.0.request.headers.X-A: expected 2, actual \"1\" (a text, not a number) | interactions.0.request.headers.x-b: expected 1, actual \"2\" (a text, not a number)",
        ],
    ),
    (
        "interactions.0.request.headers: { equals: { X-a: '1' } }",
        &["{ X-a: '1' } | unexpected: `X-B` is \"2\" | interactions.0.request.headers.X-B: unexpected \"2\""],
    ),
    (
        "body.items: { any: { .sku: { exists: false } } }",
        &[
            "{ .sku: { exists: false } } | none of its 2 elements holds | body.items.0 is {\"sku\":\"A1\",\"n\":2,\"price\":9.90} |   .sku: actual: \"A1\" | body.items.1 is {\"sku\":\"B2\",\"n\":1,\"price\":30} |   .sku: actual: \"B2\"",
        ],
    ),
    ("body.sums: { contains: 3 }", &["3 | none of its 4 elements is like this | 1 | 2.5 | 2.50 | 10"]),
    (
        "body.text: { matches: $order.total }",
        &["$order.total | actual: \"Thank you, Ann!\\nYour order 17.\\n\""],
    ),
    ("body.id: { not: { type: integer } }", &["{ type: integer } | actual: 17, which it must not be"]),
    (
        "body.id: { not: { above: 1, below: 20 } }",
        &["{ above: 1, below: 20 } | actual: 17, which it must not be"],
    ),
    ("body.big: 12345678901234567890124", &["12345678901234567890124 | actual: 12345678901234567890123"]),
    (
        "body.big: 1.2345678901234567890123e+23",
        &["1.2345678901234567890123e+23 | actual: 12345678901234567890123"],
    ),
    ("body.state: { not: paid }", &["paid | actual: \"paid\", which it must not be"]),
    ("body.id: { type: string }", &["string | actual: integer (17)"]),
    ("body.float: { type: integer }", &["integer | actual: number (1.0)"]),
    (
        "body.text: { contains: Order 17 }",
        &[
            "Order 17 | actual: \"Thank you, Ann!\\nYour order 17.\\n\" | it is there in other letters, capital or small",
        ],
    ),
    (
        "body.text: { contains: 'Ann! Your' }",
        &[
            "'Ann! Your' | actual: \"Thank you, Ann!\\nYour order 17.\\n\" | it is there with other white space",
        ],
    ),
    (
        "body.items: { contains: { sku: C3 } }",
        &[
            "{ sku: C3 } | none of its 2 elements is like this | {\"sku\":\"A1\",\"n\":2,\"price\":9.90} | {\"sku\":\"B2\",\"n\":1,\"price\":30}",
        ],
    ),
    ("body.none: { contains: a }", &["a | actual: an empty list"]),
    ("body.id: { contains: 1 }", &["1 | actual: 17 (a number, not a text or a list)"]),
    (
        "body.number: { starts_with: X, ends_with: Y }",
        &["X | actual: \"ORD-0017\"", "Y | actual: \"ORD-0017\""],
    ),
    ("body.number: { matches: '^[0-9]+$' }", &["'^[0-9]+$' | actual: \"ORD-0017\""]),
    ("body.id: { matches: '7' }", &["'7' | actual: 17 (a number, not a text)"]),
    ("status: { one_of: [201, 202] }", &["[201, 202] | actual: 200"]),
    ("status: { one_of: ['200'] }", &["['200'] | actual: 200 (a number, not a text)"]),
    ("body.total: { above: 19.90, below: 19.9 }", &["19.90 | actual: 19.90", "19.9 | actual: 19.90"]),
    ("body.state: { above: 1 }", &["1 | actual: \"paid\" (a text, not a number)"]),
    ("elapsed: { below: 1ms }", &["1ms | actual: \"1200us\""]),
    (
        "body.total: { near: { value: 20, by: 0.05 } }",
        &["{ value: 20, by: 0.05 } | actual: 19.90 | 0.10 away from it"],
    ),
    (
        "body.created: { near: { value: now, by: 1s } }",
        &["{ value: now, by: 1s } | actual: 2026-01-31T11:58:00Z | 2m250ms123us earlier"],
    ),
    (
        "body.items: { size: 3 }",
        &[
            "3 | actual: 2 | it is [{\"sku\":\"A1\",\"n\":2,\"price\":9.90},{\"sku\":\"B2\",\"n\":1,\"price\":30}]",
        ],
    ),
    ("body.id: { size: 3 }", &["3 | actual: 17 (a number, not a text, a list or a map)"]),
    ("body.tags: { empty: true }", &["true | actual: [\"b\",\"a\",\"b\"]"]),
    ("body.note: { empty: true }", &["true | actual: null (null, not a text, a list or a map)"]),
    (
        "body.tags: { in_any_order: [a, b, c] }",
        &["[a, b, c] | 1 missing, 1 unexpected | missing: \"c\" | unexpected: \"b\""],
    ),
    (
        "body.items: { any: { .sku: A1, .price: { above: 10 } } }",
        &[
            "{ .sku: A1, .price: { above: 10 } } | none of its 2 elements holds | body.items.0 is {\"sku\":\"A1\",\"n\":2,\"price\":9.90} |   .price: actual: 9.90 | body.items.1 is {\"sku\":\"B2\",\"n\":1,\"price\":30} |   .sku: actual: \"B2\"",
        ],
    ),
    (
        "body.items: { every: { .n: 2, .nn: 1 } }",
        &[
            "{ .n: 2, .nn: 1 } | 2 of its 2 elements do not hold | body.items.0 is {\"sku\":\"A1\",\"n\":2,\"price\":9.90} |   .nn: there is no `nn` |     there is sku, n, price | body.items.1 is {\"sku\":\"B2\",\"n\":1,\"price\":30} |   .n: actual: 1 |   .nn: there is no `nn` |     there is sku, n, price",
        ],
    ),
    (
        "body.tags: { every: { not: a } }",
        &[
            "{ not: a } | element 1 does not hold | body.tags.1 is \"a\" |   not: actual: \"a\", which it must not be",
        ],
    ),
    ("body.none: { any: 1 }", &["1 | the list is empty"]),
    ("body.id: { any: 1 }", &["1 | actual: 17 (a number, not a list)"]),
    ("body.tags: { unique: true }", &["true | one is there twice | elements 0 and 2: \"b\""]),
    ("body.items: { unique: .id }", &[".id | element 0 has no `id`"]),
    ("body.tags: { sorted: true }", &["true | element 1 is out of order | \"b\" stands before \"a\""]),
    ("body.items: { sorted: { by: .n } }", &["{ by: .n } | element 1 is out of order | 2 stands before 1"]),
    (
        "body.customer: { schema: { required: [name, mail], properties: { points: { maximum: 5 } } } }",
        &[
            "{ required: [name, mail], properties: { points: { maximum: 5 } } } | does not fit the schema in 2 places | body.customer: `mail` is missing | body.customer.points: 10.0 is greater than the maximum of 5",
        ],
    ),
    (
        "body: { schema: nowhere.json }",
        &["nowhere.json | `nowhere.json` can't be read: there is no such file"],
    ),
    (
        "body.created: { after: now - 1m }",
        &["now - 1m | actual: \"2026-01-31T11:58:00Z\" | 1m250ms123us earlier"],
    ),
    (
        "body.created: { at: 2026-01-31T11:58:01Z }",
        &["2026-01-31T11:58:01Z | actual: \"2026-01-31T11:58:00Z\" | 1s earlier"],
    ),
    (
        "body.day: { before: now }",
        &["now | `2026-01-31` is a day, not an instant: it has no time and no offset"],
    ),
    (
        "body.local: { before: now }",
        &["now | `2026-01-31T11:58:00` has no offset: write `Z` or `+01:00` behind it"],
    ),
    ("body.id: { before: now }", &["now | actual: 17 (a number, not a time)"]),
    ("body.id: { that: it > 20 }", &["it > 20 | false | it is 17"]),
    (
        "that: [status == 200, count == size(rows) + 1, status > '1', missing == 1]",
        &[
            "count == size(rows) + 1 | false | count is 2 | rows is [{\"copies\":0,\"id\":1},{\"copies\":3,\"id\":2}] | also: status > '1': `>` can't take a number and a text | also: missing == 1: nothing is known as `missing`",
        ],
    ),
    ("that: body.totl > 5", &["body.totl | `body` has no `totl` | did you mean `total`?"]),
    ("that: status", &["status | the expression must give true or false, it gave a number | status is 200"]),
    (
        "jsonpath: { '$.items[*].sku': [A1] }",
        &["[A1] | unexpected: `1` is \"B2\" | jsonpath $.items[*].sku.1: unexpected \"B2\""],
    ),
];

#[test]
fn matchers() {
    check(FAILING);
}
