//! What each fault does, on new connections and on those that are open, without connecting anew.

use crate::bed::{Client, FIRST, LONG, bed, bed_of, provider};
use seam_event::InteractionError;
use seam_proxy::Often;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_does_what_it_says_to_an_open_connection_and_to_a_new_one() {
    // The fault, what the consumer sees, and how many requests reached the provider besides the first.
    let cases = [
        (r#""reset""#, "ConnectionReset", 0),
        (r#"{"reset":"answered"}"#, "ConnectionReset", 1),
        (r#""reply_lost""#, "ConnectionReset", 1),
        (r#"{"status":503}"#, "503 ", 0),
        (r#"{"status":402,"json":{"reason":"card_declined"}}"#, r#"402 {"reason":"card_declined"}"#, 0),
        (r#""truncate""#, "cut off", 1),
        (r#"{"mistype":"body.path"}"#, r#"200 {"path":null,"n":2}"#, 1),
        (r#"{"mistype":"body.path","as":"absent"}"#, r#"200 {"n":2}"#, 1),
        (r#"{"latency":"20ms"}"#, r#"200 {"path":"/b","n":2}"#, 1),
        (r#"{"bandwidth":"1KiB"}"#, r#"200 {"path":"/b","n":2}"#, 1),
        (r#"{"rate_limit":0}"#, "429 ", 0),
        (r#""duplicate""#, r#"200 {"path":"/b","n":2}"#, 2),
        (r#""cut""#, "ConnectionReset", 0),
        (r#""refuse""#, "ConnectionReset", 0),
    ];
    for (fault, expected, n_reached) in cases {
        let bed = bed(provider).await;
        let mut open = bed.client();
        assert_eq!(open.ask("/a"), FIRST);
        let rule = bed.put(fault).await;
        let answer = open.ask("/b");
        let same =
            answer == expected || (expected == "ConnectionReset" && matches!(&*answer, "BrokenPipe" | "end"));
        assert!(same, "{fault}: {answer}");
        let deadline = Instant::now() + LONG;
        while bed.n_asked() < n_reached + 1 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(bed.n_asked(), n_reached + 1, "{fault}");
        assert!(rule.n_struck() > 0, "{fault}");
        assert!(bed.told().await.contains(&format!("struck: {fault}")), "{fault}: {:?}", bed.told().await);
        bed.proxy.take_away(&rule);
        bed.proxy.pointed(|_| true).await;
        let answer = bed.client().ask("/c");
        assert!(answer.starts_with(r#"200 {"path":"/c""#), "{fault}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusing_is_the_kernels_and_is_told() {
    let bed = bed(provider).await;
    let rule = bed.put(r#""refuse""#).await;
    let refused = Client::connect(bed.address).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    let deadline = Instant::now() + LONG;
    while rule.n_struck() == 0 {
        assert!(Instant::now() < deadline);
        bed.told().await;
    }
    assert!(bed.interactions().await.iter().any(|one| one.error == Some(InteractionError::Refused)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fault_broke_bears_its_name_and_what_goes_well_does_not() {
    for fault in
        [r#""reset""#, r#"{"reset":"after"}"#, r#""reply_lost""#, r#""hang""#, r#""refuse""#, r#""cut""#]
    {
        let bed = bed(provider).await;
        let mut client = bed.client();
        client.ask("/before");
        client.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let rule = bed.put(fault).await;
        if let Ok(mut client) = Client::connect(bed.address) {
            client.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            client.ask("/during");
        }
        drop(client);
        let expected = format!("fault {fault}");
        let deadline = Instant::now() + LONG;
        // Refusals are read from the kernel, some time later; a call hangs until the fault ends; a cut is over at once.
        let is_seen = !fault.contains("cut") && !fault.contains("hang");
        while is_seen && !bed.interactions().await.iter().any(|one| one.error.is_some()) {
            assert!(Instant::now() < deadline, "{fault}");
        }
        bed.proxy.take_away(&rule);
        bed.proxy.pointed(|_| true).await;
        let mut after = bed.client();
        assert!(after.ask("/after").starts_with("200"), "{fault}");
        for one in bed.interactions().await {
            let by = one.error.is_some().then_some(expected.as_str());
            assert_eq!(one.answered_by.as_deref(), by, "{one:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_call_is_reset_when_the_fault_is_taken_away() {
    let bed = bed(provider).await;
    let rule = bed.put(r#""hang""#).await;
    let mut client = bed.client();
    client.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(client.ask("/a"), "silence");
    assert_eq!(bed.proxy.pulse().n_open_calls(), 1);
    client.0.get_mut().set_read_timeout(Some(LONG)).unwrap();
    bed.proxy.take_away(&rule);
    assert_eq!(client.answer().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(bed.n_asked(), 0);
}

/// Whoever waits for so long and no longer is the usual case: what it asked stands among what passed, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_call_that_is_given_up_is_told() {
    let bed = bed(provider).await;
    bed.put(r#""hang""#).await;
    let mut client = bed.client();
    client.0.get_mut().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(client.ask("/a"), "silence");
    drop(client);
    let deadline = Instant::now() + LONG;
    while bed.interactions().await.is_empty() {
        assert!(Instant::now() < deadline, "it is never told");
    }
    let all = bed.interactions().await;
    let [one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(one.error, Some(InteractionError::Timeout), "{one:?}");
    assert_eq!(one.answered_by.as_deref(), Some(r#"fault "hang""#), "{one:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_ends_by_itself() {
    let bed = bed(provider).await;
    bed.put(r#"{"cut":"1s"}"#).await;
    let refused = Client::connect(bed.address).err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::ConnectionRefused));
    let deadline = Instant::now() + LONG;
    while Client::connect(bed.address).is_err() {
        assert!(Instant::now() < deadline, "it never ended");
    }
    assert_eq!(bed.client().ask("/a"), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nth_and_times_narrow_it() {
    let bed = bed(provider).await;
    let often = Often { nth: Some(2), ..Often::default() };
    bed.put_on(r#"{"status":503}"#, Some("/b"), often).await;
    let mut client = bed.client();
    let status = |answer: String| answer[..3].to_owned();
    let seen: Vec<String> = ["/a", "/b", "/a", "/b", "/b"].map(|path| status(client.ask(path))).into();
    assert_eq!(seen, ["200", "200", "200", "503", "200"]);
    bed.put_on(r#"{"status":504}"#, None, Often { times: Some(2), ..Often::default() }).await;
    let seen: Vec<String> = ["/x", "/x", "/x"].map(|path| status(client.ask(path))).into();
    assert_eq!(seen, ["504", "504", "200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_to_close_is_closed() {
    let bed = bed(provider).await;
    bed.put(r#"{"status":503}"#).await;
    for request in ["GET /a HTTP/1.1\r\nconnection: close\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n"] {
        let mut client = bed.client();
        client.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        client.0.read_to_string(&mut all).unwrap();
        assert!(all.contains("503") && all.contains("connection: close"), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_their_order() {
    let bed = bed(provider).await;
    bed.put_on(r#"{"status":503}"#, Some("/b"), Often::default()).await;
    bed.put_on(r#"{"latency":"50ms"}"#, Some("/a"), Often::default()).await;
    let mut client = bed.client();
    let requests: String =
        ["/a", "/b", "/c"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: api\r\n\r\n")).concat();
    client.0.get_mut().write_all(requests.as_bytes()).unwrap();
    let answers: Vec<String> = (0..3).map(|_| client.answer().unwrap()).collect();
    assert_eq!(answers, [r#"200 {"path":"/a","n":1}"#, "503 ", r#"200 {"path":"/c","n":2}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_rule_did_ends_with_no_other() {
    let bed = bed(provider).await;
    let other = bed.put(r#"{"latency":"1ms"}"#).await;
    let outage = bed.put(r#"{"cut":"1h"}"#).await;
    bed.proxy.take_away(&other);
    bed.proxy.pointed(|_| true).await;
    assert!(Client::connect(bed.address).is_err());
    bed.proxy.take_away(&outage);
    bed.proxy.pointed(|_| true).await;
    assert_eq!(bed.client().ask("/a"), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_struck_by_a_request_ends_with_its_fault() {
    let bed = bed(provider).await;
    let outage = bed.put_on(r#"{"cut":"1h"}"#, Some("/cuts"), Often::default()).await;
    bed.client().ask("/cuts");
    bed.proxy.pointed(|_| true).await;
    assert!(Client::connect(bed.address).is_err());
    bed.proxy.take_away(&outage);
    bed.proxy.pointed(|_| true).await;
    assert_eq!(bed.client().ask("/a"), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_connections_lasts_as_long_as_it_is_said() {
    let bed = bed(provider).await;
    let often = Often { lasts: Some(Duration::from_millis(500)), ..Often::default() };
    bed.put_on(r#""refuse""#, None, often).await;
    assert!(Client::connect(bed.address).is_err());
    let deadline = Instant::now() + LONG;
    while Client::connect(bed.address).is_err() {
        assert!(Instant::now() < deadline, "it never ended");
    }
    assert_eq!(bed.client().ask("/a"), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_done_to_plain_bytes_does_not_count() {
    let bed = bed_of("tcp", provider).await;
    let mut n_asked = 0;
    for (fault, n_struck) in [
        (r#"{"status":503}"#, 0),
        (r#"{"error":"40001"}"#, 0),
        (r#""duplicate""#, 0),
        (r#"{"rate_limit":1}"#, 0),
        (r#"{"latency":"1ms"}"#, 1),
    ] {
        let rule = bed.put(fault).await;
        n_asked += 1;
        assert!(bed.client().ask("/a").starts_with("200 "), "{fault}");
        assert_eq!((rule.n_struck(), bed.n_asked()), (n_struck, n_asked), "{fault}");
        bed.proxy.take_away(&rule);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fault_could_not_do_does_not_count() {
    for (fault, expected, unsaid) in [
        (r#""cut""#, FIRST, None),
        (r#"{"mistype":"body.path","as":"text"}"#, FIRST, None),
        (r#"{"mistype":"status","as":"text"}"#, FIRST, Some("a status is a number from 100 to 999")),
        (r#"{"error":"40001"}"#, FIRST, Some("http has no `error`")),
    ] {
        let bed = bed(provider).await;
        let rule = bed.put(fault).await;
        assert_eq!(bed.client().ask("/a"), expected, "{fault}");
        let why = rule.unsaid().unwrap_or_default();
        assert!(why.starts_with(unsaid.unwrap_or_default()), "{fault}: {why}");
        assert_eq!((rule.n_struck(), why.is_empty()), (0, unsaid.is_none()), "{fault}");
        assert!(!bed.told().await.iter().any(|told| told.starts_with("struck")), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_for_a_while_is_reset_when_that_is_over() {
    let bed = bed(provider).await;
    let lasts = Some(Duration::from_millis(100));
    let rule = bed.put_on(r#""hang""#, None, Often { lasts, ..Often::default() }).await;
    let mut client = bed.client();
    let began = Instant::now();
    assert_eq!(client.ask("/a"), "ConnectionReset");
    assert!(began.elapsed() < LONG && rule.n_struck() == 1);
    assert_eq!(bed.client().ask("/b"), r#"200 {"path":"/b","n":1}"#);
}
