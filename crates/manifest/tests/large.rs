//! Ten thousand tests in one file are read while a person would not notice.

mod words;

use seam_diag::{Diagnostics, Sources};
use seam_manifest::{TestFiles, from_bytes};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn ten_thousand_tests_are_read_at_once() {
    let mut text = String::from("vars: { isbn: \"978-0\" }\nfixtures:\n  stock: { takes: [n] }\ntests:\n");
    for n in 0..10_000 {
        write!(
            text,
            "  - name: Order number {n} is stored\n    tags: [orders, critical]\n    needs: [{{ stock: {{ n: {n} }} }}]\n    steps:\n      \
             - name: It is sent\n        http: POST gateway/orders\n        json: {{ isbn: $isbn, quantity: {n} }}\n        \
             expect: {{ status: 201, body.state: paid, body.total: 39.90 }}\n        save: {{ order: body.id }}\n      \
             - sql: pg.orders\n        query: |\n          select state, quantity\n          from orders where id = $order\n        \
             expect: {{ rows: [{{ state: paid, quantity: {n} }}] }}\n"
        )
        .unwrap();
    }
    let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
    let begun = Instant::now();
    let file = from_bytes(text.as_bytes(), Path::new("a.seam.yaml"), &mut sources, &mut found).unwrap();
    let root = Path::new("/nowhere");
    let tests = TestFiles::new(root, &words::WORDS)
        .read_source(&root.join("a.seam.yaml"), file, &mut sources, &mut found)
        .unwrap();
    let elapsed = begun.elapsed();
    assert_eq!(tests.tests.len(), 10_000);
    assert!(found.is_empty(), "{:?}", found.in_order().first());
    eprintln!("{} KiB with 10,000 tests read in {elapsed:?}", text.len() >> 10);
    // Unoptimised and on a busy machine; optimised it is a tenth of that.
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
}
