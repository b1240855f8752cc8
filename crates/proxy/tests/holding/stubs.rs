//! Stubs in a provider's place, and beside it.

use crate::bed::{Client, FIRST, LONG, bed, provider};
use seam_proxy::{Kind, Often, Upstream, read_fault};
use seam_value::{Value, parse};
use seam_wire::{Answering, Answers, Asked, Elsewhere, Glance, Say};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

/// Answers `/stub` and passes `/spied` on.
pub(crate) struct Stub;

impl Answers for Stub {
    fn answer(&self, asked: &Asked<'_>) -> Option<Answering> {
        let say = match asked.request.get("path").and_then(Value::as_text) {
            Some("/stub") => {
                Say::Answer(Arc::new(parse(r#"{"status":201,"json":{"from":"stub"}}"#).unwrap()))
            }
            Some("/spied") => Say::Pass,
            _ => return None,
        };
        Some(Answering {
            by: Arc::from("the stub"),
            after: Duration::ZERO,
            say,
            dribble: None,
            afterwards: Vec::new(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_takes_a_seam_over_and_gives_it_back_under_open_connections() {
    let bed = bed(provider).await;
    let mut client = bed.client();
    assert_eq!(client.ask("/a"), FIRST);
    let kind = Kind::Stub(Arc::new(Stub));
    let rule = bed.put_rule("the stub", kind, None, Often::default()).await;
    let mut new = bed.client();
    for client in [&mut client, &mut new] {
        assert_eq!(client.ask("/stub"), r#"201 {"from":"stub"}"#);
        assert!(client.ask("/other").starts_with(r#"200 {"path":"/other""#));
    }
    assert_eq!(bed.n_asked(), 3);
    assert!(new.ask("/spied").starts_with(r#"200 {"path":"/spied""#));
    assert_eq!(bed.n_asked(), 4);
    bed.proxy.take_away(&rule);
    for client in [&mut client, &mut new] {
        assert!(client.ask("/b").starts_with(r#"200 {"path":"/b""#));
    }
    let interactions = bed.interactions().await;
    let by: Vec<Option<&str>> = interactions.iter().map(|one| one.answered_by.as_deref()).collect();
    assert_eq!(by.iter().filter(|by| **by == Some("stub the stub")).count(), 2, "{by:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_stands_where_nobody_is() {
    let bed = bed(|_| Upstream::Nowhere).await;
    assert!(Client::connect(bed.address).is_err());
    let kind = Kind::Stub(Arc::new(Stub));
    bed.put_rule("the stub", kind, None, Often::default()).await;
    let mut client = bed.client();
    assert_eq!(client.ask("/stub"), r#"201 {"from":"stub"}"#);
    assert!(client.ask("/other").starts_with("404 "));
    let large = format!(
        "POST /stub HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3000000\r\n\r\n{}",
        "x".repeat(3_000_000)
    );
    client.0.get_mut().write_all(large.as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap(), "100 ");
    assert_eq!(client.answer().unwrap(), r#"201 {"from":"stub"}"#);
    drop(client);
}

/// Passes all on, as a glance tells.
struct Passes;

impl Answers for Passes {
    fn at_a_glance(&self, _: Glance<'_>) -> Option<Answering> {
        let (by, say) = (Arc::from("passes"), Say::Pass);
        Some(Answering { by, after: Duration::ZERO, say, dribble: None, afterwards: Vec::new() })
    }

    fn answer(&self, _: &Asked<'_>) -> Option<Answering> {
        unreachable!("a glance was enough")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_glance_passes_on_goes_to_the_provider() {
    let bed = bed(provider).await;
    bed.put_rule("passes", Kind::Stub(Arc::new(Passes)), None, Often::default()).await;
    assert_eq!(bed.client().ask("/a"), FIRST);
}

/// Asks somebody else for every answer.
struct AsksElsewhere(Arc<Elsewhere>, Option<(u32, Duration)>);

impl Answers for AsksElsewhere {
    fn answer(&self, _: &Asked<'_>) -> Option<Answering> {
        Some(Answering {
            by: Arc::from("elsewhere"),
            after: Duration::ZERO,
            say: Say::Elsewhere(Arc::clone(&self.0)),
            dribble: self.1,
            afterwards: Vec::new(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_said_all_still_gets_the_answer_of_somebody_else() {
    let bed = bed(|_| Upstream::Nowhere).await;
    let Upstream::Tcp(other) = provider(Arc::new(AtomicUsize::new(0))) else { unreachable!() };
    let elsewhere = Elsewhere { base: format!("http://{other}"), ..Elsewhere::default() };
    let kind = Kind::Stub(Arc::new(AsksElsewhere(Arc::new(elsewhere), None)));
    bed.put_rule("elsewhere", kind, None, Often::default()).await;
    let mut client = bed.client();
    client.0.get_mut().write_all(b"GET /a HTTP/1.1\r\nhost: api\r\n\r\n").unwrap();
    client.0.get_mut().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().unwrap(), FIRST);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_content_of_somebody_elses_answer_comes_in_parts() {
    let bed = bed(|_| Upstream::Nowhere).await;
    let Upstream::Tcp(other) = provider(Arc::new(AtomicUsize::new(0))) else { unreachable!() };
    let elsewhere = Elsewhere { base: format!("http://{other}"), ..Elsewhere::default() };
    let over = Duration::from_millis(450);
    let kind = Kind::Stub(Arc::new(AsksElsewhere(Arc::new(elsewhere), Some((3, over)))));
    bed.put_rule("elsewhere", kind, None, Often::default()).await;
    let mut client = bed.client();
    let asked = Instant::now();
    client.0.get_mut().write_all(b"GET /a HTTP/1.1\r\nhost: api\r\n\r\n").unwrap();
    let (body, mut came, mut at) = (&FIRST[4..], Vec::new(), Vec::new());
    while !came.ends_with(body.as_bytes()) {
        let mut room = [0; 4096];
        let n_read = client.0.get_mut().read(&mut room).unwrap();
        assert!(n_read > 0, "it ends: {}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&room[..n_read]);
        at.push((asked.elapsed(), came.len()));
    }
    let head = came.len() - body.len();
    let third = body.len() / 3;
    // The head comes with the first part; on a busy machine parts may come together, but never early.
    for (nth, n_before) in [(1, 0), (2, head + third), (3, head + 2 * third)] {
        let first = at.iter().find(|(_, n_bytes)| *n_bytes > n_before).unwrap();
        assert!(first.0 >= over * nth / 3, "part {nth}: {at:?}");
    }
    assert!(at[0].1 > head, "{at:?}");
}

/// Says three letters in chunks, one by one.
struct Spells;

impl Answers for Spells {
    fn answer(&self, _: &Asked<'_>) -> Option<Answering> {
        let headers = Value::map([("Transfer-Encoding", Value::text("chunked"))]);
        let answer = Value::map([("headers", headers), ("text", Value::text("abc"))]);
        Some(Answering {
            by: Arc::from("spells"),
            after: Duration::ZERO,
            say: Say::Answer(Arc::new(answer)),
            dribble: Some((3, Duration::from_millis(300))),
            afterwards: Vec::new(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_chunks_comes_in_parts_however_short_it_is() {
    let bed = bed(|_| Upstream::Nowhere).await;
    bed.put_rule("spells", Kind::Stub(Arc::new(Spells)), None, Often::default()).await;
    let mut client = bed.client();
    let asked = Instant::now();
    client.0.get_mut().write_all(b"GET /a HTTP/1.1\r\nhost: api\r\n\r\n").unwrap();
    let (mut came, mut waited) = (Vec::new(), None);
    while !came.ends_with(b"\r\n0\r\n\r\n") {
        let mut room = [0; 4096];
        let n_read = client.0.get_mut().read(&mut room).unwrap();
        assert!(n_read > 0, "it ends: {}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&room[..n_read]);
        let is_spelt = came.windows(3).any(|letters| letters == b"abc");
        waited = waited.or(is_spelt.then(|| asked.elapsed()));
    }
    assert!(waited.unwrap() >= Duration::from_millis(300), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_lie_over_stubs_whenever_they_were_put() {
    let bed = bed(provider).await;
    bed.put_on(r#"{"status":503}"#, Some("/spied"), Often::default()).await;
    bed.put_on(r#"{"mistype":"body.from","as":"list"}"#, Some("/stub"), Often::default()).await;
    bed.put_rule("the stub", Kind::Stub(Arc::new(Stub)), None, Often::default()).await;
    let mut client = bed.client();
    assert_eq!(client.ask("/spied"), "503 ");
    assert_eq!(client.ask("/stub"), r#"201 {"from":["stub"]}"#);
    bed.put_on(r#"{"status":504}"#, Some("/stub"), Often::default()).await;
    assert_eq!(client.ask("/stub"), "504 ");
    assert_eq!(bed.n_asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_held_no_longer_than_there_are_rules() {
    let bed = bed(provider).await;
    let mut client = bed.client();
    assert_eq!(client.ask("/a"), FIRST);
    let kinds: [fn() -> Kind; 2] = [
        || Kind::Stub(Arc::new(Stub)),
        || Kind::Fault(read_fault(&parse(r#"{"latency":"20ms"}"#).unwrap()).unwrap()),
    ];
    for kind in kinds {
        let rule = bed.put_rule("the rule", kind(), None, Often::default()).await;
        client.ask("/stub");
        assert_eq!(bed.proxy.n_held(), 1);
        // In the middle of a call: it is let go when that is over.
        client.0.get_mut().write_all(b"GET /slow HTTP/1.1\r\n").unwrap();
        bed.proxy.take_away(&rule);
        client.0.get_mut().write_all(b"host: api\r\n\r\n").unwrap();
        assert!(client.answer().unwrap().starts_with(r#"200 {"path":"/slow""#));
        let deadline = Instant::now() + LONG;
        while bed.proxy.n_held() > 0 {
            assert!(Instant::now() < deadline, "it is held for good");
        }
        assert!(client.ask("/b").starts_with(r#"200 {"path":"/b""#));
    }
    assert_eq!(bed.interactions().await.len(), 7);
}
