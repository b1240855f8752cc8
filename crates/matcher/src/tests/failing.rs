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

const PLAIN: &[(&str, &[&str])] = &[
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
        &["'8' | actual: \"7\" | headers.x-id: expected \"8\", actual \"7\""],
    ),
    ("body.nothing: { equals: { a: 1 } }", &["1 | missing | body.nothing.a: missing, expected 1"]),
    ("body.total: $order.totl", &["$order.totl | `$order` has no `totl` | did you mean `$order.total`?"]),
];

#[test]
fn plain_values() {
    for &(expect, lines) in PLAIN {
        assert_eq!(said(expect), lines, "{expect}");
    }
}

const MISSING: &[(&str, &[&str])] = &[
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
    ("jsonpath: { $.nope: 1 }", &["1 | this finds nothing"]),
    ("css: { p: x }", &["x | this finds nothing"]),
    ("xpath: { //x:a: 1 }", &["1 | the document declares no prefix `x`"]),
];

#[test]
fn what_is_not_there() {
    for &(expect, lines) in MISSING {
        assert_eq!(said(expect), lines, "{expect}");
    }
}

const FAILING: &[(&str, &[&str])] = &[
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
    ("body.total: { near: { value: 20, by: 0.05 } }", &["{ value: 20, by: 0.05 } | actual: 19.90"]),
    (
        "body.created: { near: { value: now, by: 1s } }",
        &["{ value: now, by: 1s } | actual: 2026-01-31T11:58:00Z | 2m250ms123us away from it"],
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
        &["[a, b, c] | actual: [\"b\",\"a\",\"b\"] | missing: \"c\" | unexpected: \"b\""],
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
            "{ .n: 2, .nn: 1 } | 2 of its 2 elements do not hold | body.items.0 is {\"sku\":\"A1\",\"n\":2,\"price\":9.90} |   .nn: there is no `nn` | body.items.1 is {\"sku\":\"B2\",\"n\":1,\"price\":30} |   .n: actual: 1 |   .nn: there is no `nn`",
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
            "{ required: [name, mail], properties: { points: { maximum: 5 } } } | does not fit the schema in 2 places | body.customer: \"mail\" is a required property | body.customer.points: 10.0 is greater than the maximum of 5",
        ],
    ),
    (
        "body: { schema: nowhere.json }",
        &["nowhere.json | `nowhere.json` can't be read: there is no such file"],
    ),
    (
        "body.created: { after: now - 1m }",
        &["now - 1m | actual: \"2026-01-31T11:58:00Z\" | 1m250ms123us away from it"],
    ),
    (
        "body.created: { at: 2026-01-31T11:58:01Z }",
        &["2026-01-31T11:58:01Z | actual: \"2026-01-31T11:58:00Z\" | 1s away from it"],
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
    for &(expect, lines) in FAILING {
        assert_eq!(said(expect), lines, "{expect}");
    }
}
