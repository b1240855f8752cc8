//! What becomes of several faults and stubs on one seam, in whatever order they were put.

use crate::bed::{Client, FIRST, LONG, bed, nobody, provider};
use crate::stubs::Stub;
use seam_proxy::{Kind, Often};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SLOW: &str = r#"{"latency":"60ms"}"#;
const PATH: &str = r#"{"mistype":"body.path"}"#;
const N: &str = r#"{"mistype":"body.n","as":"text"}"#;
const STATUS: &str = r#"{"status":503}"#;
const TWICE: &str = r#""duplicate""#;

#[tokio::test(flavor = "multi_thread")]
async fn the_order_in_which_faults_were_put_is_of_no_account() {
    // Two faults, what the consumer sees, how many requests reach the provider, and which of both count.
    let cases = [
        ([SLOW, STATUS], "503 ", 0, [true, true]),
        ([SLOW, SLOW], FIRST, 1, [true, true]),
        ([SLOW, PATH], r#"200 {"path":null,"n":1}"#, 1, [true, true]),
        ([SLOW, r#""reset""#], "ConnectionReset", 0, [true, true]),
        ([PATH, N], r#"200 {"path":null,"n":"1"}"#, 1, [true, true]),
        ([PATH, r#""garble""#], "200 {\"\u{fffd}ath\"\u{fffd}null\u{fffd}\"n\":\u{fffd}}", 1, [true, true]),
        ([PATH, r#""truncate""#], "cut off", 1, [true, true]),
        ([r#""garble""#, r#""truncate""#], "cut off", 1, [true, true]),
        ([TWICE, PATH], r#"200 {"path":null,"n":1}"#, 2, [true, true]),
        ([TWICE, r#""reply_lost""#], "ConnectionReset", 2, [true, true]),
        ([TWICE, SLOW], FIRST, 2, [true, true]),
        // What says what becomes of a request leaves nothing to those that change a reply.
        ([STATUS, PATH], "503 ", 0, [true, false]),
        ([STATUS, TWICE], "503 ", 0, [true, false]),
        ([r#""reply_lost""#, PATH], "ConnectionReset", 1, [true, false]),
    ];
    for (faults, expected, n_asked, are_struck) in cases {
        for is_turned in [false, true] {
            let bed = bed(provider).await;
            let mut order = [0, 1];
            if is_turned {
                order.reverse();
            }
            let mut rules = [None, None];
            for index in order {
                rules[index] = Some(bed.put(faults[index]).await);
            }
            let of = format!("{faults:?}, turned: {is_turned}");
            let began = Instant::now();
            let answer = bed.client().ask("/a").replace("BrokenPipe", "ConnectionReset");
            assert_eq!(answer, expected, "{of}");
            let n_slow = faults.iter().filter(|fault| **fault == SLOW).count();
            assert!(began.elapsed() >= Duration::from_millis(60) * u32::try_from(n_slow).unwrap(), "{of}");
            let deadline = Instant::now() + LONG;
            while bed.n_asked() < n_asked && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(bed.n_asked(), n_asked, "{of}");
            let struck = rules.map(|rule| rule.unwrap().n_struck() > 0);
            assert_eq!(struck, are_struck, "{of}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_decide_the_last_does() {
    let bed = bed(provider).await;
    for status in [503, 504] {
        bed.put(&format!(r#"{{"status":{status}}}"#)).await;
        assert_eq!(bed.client().ask("/a"), format!("{status} "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stub_answers_is_struck_as_what_a_provider_does() {
    const STUB: &str = r#"201 {"from":"stub"}"#;
    let cases = [
        (SLOW, STUB),
        (r#"{"mistype":"body.from"}"#, r#"201 {"from":null}"#),
        (r#"{"mistype":"body.from","as":"absent"}"#, "201 {}"),
        (r#""garble""#, "201 {\"\u{fffd}rom\"\u{fffd}\"stu\u{fffd}\"}"),
        (r#""truncate""#, "cut off"),
        (TWICE, STUB),
        (STATUS, "503 "),
        (r#""reset""#, "ConnectionReset"),
        (r#""reply_lost""#, "ConnectionReset"),
        (r#"{"reset":"after"}"#, "ConnectionReset"),
        (r#"{"rate_limit":0}"#, "429 "),
    ];
    for (fault, expected) in cases {
        for fault_comes_first in [false, true] {
            for begin in [nobody as crate::bed::Begin, provider] {
                let bed = bed(begin).await;
                let stub = || Kind::Stub(Arc::new(Stub));
                let mut rule = None;
                if fault_comes_first {
                    rule = Some(bed.put(fault).await);
                }
                bed.put_rule("the stub", stub(), None, Often::default()).await;
                let rule = match rule {
                    Some(rule) => rule,
                    None => bed.put(fault).await,
                };
                let answer = bed.client().ask("/stub").replace("BrokenPipe", "ConnectionReset");
                assert_eq!(answer, expected, "{fault}, first: {fault_comes_first}");
                assert_eq!((rule.n_struck(), rule.unsaid()), (1, None), "{fault}");
                assert!(bed.told().await.contains(&format!("struck: {fault}")), "{fault}");
                assert_eq!(bed.n_asked(), 0, "{fault}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_nothing_to_change_in_a_stubs_answer_does_not_count() {
    let bed = bed(nobody).await;
    bed.put_rule("the stub", Kind::Stub(Arc::new(Stub)), None, Often::default()).await;
    for (fault, why) in [
        (r#"{"mistype":"body.nope"}"#, None),
        (r#"{"mistype":"body.from","as":"text"}"#, None),
        (r#"{"truncate":"9KiB"}"#, Some("it is no longer than that")),
        (r#"{"mistype":"status","as":"text"}"#, Some("a status is a number from 100 to 999")),
    ] {
        let rule = bed.put(fault).await;
        assert_eq!(bed.client().ask("/stub"), r#"201 {"from":"stub"}"#, "{fault}");
        assert_eq!((rule.n_struck(), rule.unsaid()), (0, why), "{fault}");
        bed.proxy.take_away(&rule);
        bed.proxy.pointed(|_| true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_truncated_of_a_stub_is_its_beginning() {
    let bed = bed(nobody).await;
    bed.put_rule("the stub", Kind::Stub(Arc::new(Stub)), None, Often::default()).await;
    bed.put(r#"{"truncate":"20B"}"#).await;
    let mut client = Client::connect(bed.address).unwrap();
    client.0.get_mut().write_all(b"GET /stub HTTP/1.1\r\nhost: api\r\n\r\n").unwrap();
    let mut all = String::new();
    client.0.read_to_string(&mut all).unwrap();
    assert_eq!(all, "HTTP/1.1 201 Created");
}
