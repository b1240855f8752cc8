//! Steps that are read, and talk with a small real server.

use super::line::Line;
use super::parked::Parked;
use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, live, mistakes, run, run_as, step, told, unsaid};
use seam_value::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[test]
fn mistakes_are_told_at_their_place() {
    mistakes(&[
        ("- ws: gatway/live", "there is no component `gatway` [gatway] {did you mean `gateway`?}"),
        (
            "- ws: bare/live",
            "`bare` does not speak http [bare: this speaks grpc] {declare what it speaks: `protocol: http` at `bare`, or \
             a further endpoint: `endpoints: { name: http }`, which is `bare.name` here}",
        ),
        ("- ws: pg/live", "`pg` does not speak http [pg: this speaks postgres]"),
        ("- ws: gateway/live\n  json: {}\n  text: a", "a step says one message: `json` or `text` [text]"),
        (
            "- ws: gateway/live\n  close: 7",
            "`close` must be `true` or a code [7] {codes are numbers from 1000 to 4999; 1000 is the usual one}",
        ),
        (
            "- ws: gateway/live\n  recieve: 2",
            "unknown key `recieve` in the step `ws` [recieve] {did you mean `receive`?}",
        ),
    ]);
}

fn bodies(result: &Value) -> String {
    let messages = result.get("messages").and_then(Value::as_list).unwrap();
    messages.iter().map(|message| message.get("body").unwrap().to_string()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_conversation_over_several_steps() {
    let at = live::server().await;
    let bed = Bed::with(&[("gateway", at)]);
    let actor = Actor::new("");
    actor.sign_in(&Value::map([("cookies", Value::map([("sid", Value::from(1_u64))]))]));
    let open = run("- ws: gateway/live?q=$q\n  headers: { X-A: b }", &actor, &bed, r#"{"q":"x y"}"#).await;
    assert_eq!(told(&open, &["status", "messages", "error"]), "101 [] null", "{open}");
    assert_eq!(open.get("headers").unwrap().get("x-said"), Some(&Value::text("/live?q=x%20y; sid=1; b")));
    let same = |rest: &str| format!("- ws: gateway/live?q=x%20y\n  {rest}");
    let said = run(&same("json: { subscribe: $what }\n  receive: 2"), &actor, &bed, r#"{"what":"a"}"#).await;
    assert_eq!(bodies(&said), r#"{"subscribed":"a"} {"state":"new"}"#);
    // What comes while nobody waits is kept.
    let said = run(&same("json: { subscribe: b }"), &actor, &bed, "{}").await;
    assert_eq!(bodies(&said), r#"{"subscribed":"b"}"#);
    assert_eq!(bodies(&run(&same("receive: 1"), &actor, &bed, "{}").await), r#"{"state":"new"}"#);
    // A text, bytes, and what is larger than one frame's small lengths.
    assert_eq!(bodies(&run(&same("text: plain"), &actor, &bed, "{}").await), r#""plain""#);
    assert_eq!(bodies(&run(&same("base64: AP8="), &actor, &bed, "{}").await), r#"{"base64":"AP8="}"#);
    for length in [125, 126, 65_535, 65_536, 300_000] {
        let text = "x".repeat(length);
        let variables = Value::map([("text", Value::text(&text))]).to_string();
        let said = run(&same("text: $text"), &actor, &bed, &variables).await;
        assert_eq!(bodies(&said), format!("{text:?}"), "{length}");
    }
    let closed = run(&same("close: 4000"), &actor, &bed, "{}").await;
    assert_eq!(told(&closed, &["error"]), "null", "{closed}");
    let message = &closed.get("messages").unwrap().as_list().unwrap()[0];
    assert_eq!(told(message, &["type", "code"]), r#""close" 4000"#);
    // Then it is another connection.
    assert_eq!(told(&run(&same("receive: 0"), &actor, &bed, "{}").await, &["status"]), "101");
}

#[tokio::test]
async fn what_comes_with_a_close_is_kept_with_it() {
    let bed = Bed::with(&[("gateway", live::server().await)]);
    let actor = Actor::new("");
    let first = run("- ws: gateway/live\n  text: three and close", &actor, &bed, "{}").await;
    assert_eq!(bodies(&first), r#""1""#);
    let second = run("- ws: gateway/live\n  receive: 1", &actor, &bed, "{}").await;
    assert_eq!(bodies(&second), r#""2""#);
    let rest = step("- ws: gateway/live\n  receive: 2");
    let result = run_as(rest.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(bodies(&result), r#""3" null"#);
    assert_eq!(
        unsaid(rest.as_ref(), &result),
        ["messages: the component closed the connection: 1011, and nothing expects it"]
    );
    // Then it is another one.
    let again = run("- ws: gateway/live\n  text: again", &actor, &bed, "{}").await;
    assert_eq!(bodies(&again), r#""again""#);
}

#[tokio::test]
async fn between_two_steps_pings_are_answered_and_an_end_is_noticed() {
    for rest in ["", "\n  text: a\n  receive: 0", "\n  receive: 1", "\n  close: true"] {
        let (at, mut pongs) = live::pinging().await;
        let bed = Bed::with(&[("gateway", at)]);
        let actor = Actor::new("");
        assert_eq!(told(&run("- ws: gateway/live", &actor, &bed, "{}").await, &["status"]), "101");
        // No step runs; the server hears its pongs, and leaves.
        for heard in [Some(()), Some(()), Some(()), None] {
            assert_eq!(tokio::time::timeout(LIMIT, pongs.recv()).await.unwrap(), heard);
        }
        let gone = step(&format!("- ws: gateway/live{rest}"));
        let result = run_as(gone.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
        assert_eq!(told(&result, &["status", "error"]), r#"101 "closed""#, "{rest}");
    }
}

#[tokio::test]
async fn a_handshake_is_looked_at_as_a_browser_does() {
    let bed = Bed::with(&[("gateway", live::server().await)]);
    let actor = Actor::new("");
    let wrong = step("- ws: gateway/live/wrong\n  text: a");
    let result = run_as(wrong.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(told(&result, &["status", "error"]), r#"101 "malformed""#);
    assert_eq!(unsaid(wrong.as_ref(), &result), ["error: the answer is not WebSocket"]);
    // What the step says of the handshake stands in the place of what is said unasked; a list repeats its name.
    let own = "- ws: gateway/live\n  connection: own\n  headers: { Sec-WebSocket-Key: AAAA, X-A: [b, c], Connection: [upgrade] }";
    let result = run(own, &actor, &bed, "{}").await;
    assert_eq!(told(&result, &["status", "error"]), "101 null", "{result}");
    let said = result.get("headers").unwrap();
    assert_eq!(said.get("x-said"), Some(&Value::text("/live; ; b,c")));
    assert_eq!(said.get("x-key"), Some(&Value::text("AAAA")));
}

#[tokio::test]
async fn what_goes_wrong_is_told() {
    let at = live::server().await;
    let mut bed = Bed::with(&[("gateway", at)]);
    let actor = Actor::new("");
    let silent = step("- ws: gateway/live\n  json: { nothing: true }");
    let result = run_as(silent.as_ref(), &actor, &bed, "{}", Duration::from_millis(200)).await.unwrap();
    assert_eq!(told(&result, &["status", "error"]), r#"101 "timeout""#);
    assert_eq!(unsaid(silent.as_ref(), &result), ["error: there was no answer in time"]);
    let leaves = step("- ws: gateway/live\n  json: { leave: true }\n  receive: 2");
    let result = run_as(leaves.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(told(&result, &["error"]), r#""closed""#);
    let closes = step("- ws: gateway/live\n  json: { close: true }");
    let result = run_as(closes.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(told(&result, &["error"]), "null");
    assert_eq!(
        unsaid(closes.as_ref(), &result),
        ["messages: the component closed the connection: 1011, and nothing expects it"]
    );
    let elsewhere = step("- ws: gateway/elsewhere\n  json: {}");
    let result = run_as(elsewhere.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(
        unsaid(elsewhere.as_ref(), &result),
        ["status: status 404: the component did not change over to WebSocket"]
    );
    bed.addresses.insert("gateway".to_owned(), "127.0.0.1:1".parse().unwrap());
    let result = run_as(elsewhere.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(told(&result, &["error"]), r#""refused""#);
}

/// What most components change over with; its length counts.
const SHAKE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A connection that has changed over, and its other side.
async fn open() -> (Line, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut line = Line::new(listener.local_addr().unwrap());
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut vec![0; head.len()]).await.unwrap();
        stream.write_all(SHAKE).await.unwrap();
        stream
    };
    let (opened, stream) = tokio::join!(line.open(head, None), server);
    opened.unwrap();
    (line, stream)
}

/// Pings with so many bytes, and waits for them.
async fn ping(stream: &mut TcpStream, length: u8) {
    let payload = vec![b'p'; length.into()];
    stream.write_all(&[&[0x89, length][..], &payload].concat()).await.unwrap();
    let mut pong = vec![0; 6 + payload.len()];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(pong[..2], [0x8a, 0x80 | length]);
}

/// Whatever the bytes that come happen to fill: a thread that turns for nothing lets nobody else run, and hears no deadline.
#[test]
fn who_waits_between_two_steps_lets_others_run() {
    assert_eq!(SHAKE.len(), 129);
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for length in 0..=125 {
                let (line, mut stream) = open().await;
                let _parked = Parked::new(line);
                ping(&mut stream, length).await;
                ping(&mut stream, length).await;
            }
        });
        tell.send(()).unwrap();
    });
    told.recv_timeout(LIMIT).expect("each ping is answered");
}

#[tokio::test]
async fn much_that_was_asked_for_leaves_pings_answered() {
    let (mut line, mut stream) = open().await;
    let payload = vec![b'x'; 9 * 1024 * 1024];
    let length = (payload.len() as u64).to_be_bytes();
    let sends = async {
        stream.write_all(&[&[0x82, 127][..], &length, &payload].concat()).await.unwrap();
    };
    let (waited, ()) = tokio::join!(line.wait(1), sends);
    waited.unwrap();
    let _parked = Parked::new(line);
    tokio::time::timeout(LIMIT, ping(&mut stream, 5)).await.expect("the ping is answered");
}
