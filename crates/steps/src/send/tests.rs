//! Mails that are read, and mails to a server.

use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, mistakes, run, run_as, smtp, step, unsaid};
use seam_value::Value;
use seam_wire::mail::Mail;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;

#[test]
fn mistakes_are_told_at_their_place() {
    let both = "- send: mail\n  from: a@b\n  to: c@d";
    mistakes(&[
        ("- send: mail\n  to: c@d", "the `send` step needs `from` [send: mail\n        to: c@d]"),
        ("- send: mail\n  from: a@b", "the `send` step needs `to` [send: mail\n        from: a@b]"),
        (
            "- send: redis\n  from: a@b\n  to: c@d",
            "`redis` does not speak smtp or smtps [redis: this speaks redis]",
        ),
        (
            "- send: relay\n  from: a@b\n  to: c@d\n  tls: false",
            "`relay` speaks smtps, which begins with TLS [false: this forbids it]",
        ),
        (
            &format!("{both}\n  raw: hello\n  subject: hello"),
            "`raw` is the whole mail: `subject` stands in it [subject]",
        ),
        (
            &format!("{both}\n  raw: hello\n  headers: {{ X-A: b }}"),
            "`raw` is the whole mail: `headers` stand in it [X-A]",
        ),
        (
            &format!("{both}\n  headers: {{ content-Type: text/html, X-Content-Type: a }}"),
            "`content-Type` is said by what the mail has [content-Type] {`text`, `html` and `attachments` say it; with \
             `raw` the mail goes as it is written there}",
        ),
    ]);
}

fn bed(user: &str, at: SocketAddr) -> Bed {
    let mut bed = Bed::with(&[("mail", at)]);
    bed.properties.insert("mail.url".to_owned(), format!("smtp://{user}{at}"));
    bed
}

fn all(said: &mut UnboundedReceiver<String>) -> Vec<String> {
    std::iter::from_fn(|| said.try_recv().ok()).collect()
}

const ABLE: &str = "250-here\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8";

#[tokio::test]
async fn a_mail_arrives_as_it_was_said() {
    let (at, mut said) = smtp::server(ABLE).await;
    let text = "- send: mail\n  from: Bücher <shop@example.test>\n  to: [Ann <ann@example.test>, bob@example.test]\n  \
                cc: carl@example.test\n  bcc: dora@example.test\n  subject: Bestellung $id\n  text: \".a\\nb\"\n  \
                html: <p>Danke\n  headers: { X-Order: $id }\n  attachments: [{ name: a.txt, content: bill }]";
    let result = run(text, &Actor::new(""), &bed("tester:p%40ss%3Aword@", at), r#"{"id":7}"#).await;
    assert_eq!(result.get("status"), Some(&Value::from(250_u64)), "{result}");
    assert_eq!(result.get("text"), Some(&Value::text("2.0.0 queued")));
    assert_eq!((result.get("command"), result.get("error")), (Some(&Value::Null), Some(&Value::Null)));
    let said = all(&mut said);
    let (commands, contents): (Vec<&String>, Vec<&String>) =
        said.iter().partition(|said| !said.contains('\n'));
    assert_eq!(
        commands,
        [
            "EHLO localhost",
            "AUTH PLAIN AHRlc3RlcgBwQHNzOndvcmQ=",
            "MAIL FROM:<shop@example.test>",
            "RCPT TO:<ann@example.test>",
            "RCPT TO:<bob@example.test>",
            "RCPT TO:<carl@example.test>",
            "RCPT TO:<dora@example.test>",
            "DATA",
            "QUIT",
        ]
    );
    let content = contents[0];
    assert!(content.contains("\r\n..a\r\nb\r\n") && !content.contains("dora"), "{content}");
    let mail = Mail::read(content.replace("\r\n..", "\r\n.").as_bytes());
    assert_eq!(mail.to, ["ann@example.test", "bob@example.test"]);
    assert_eq!((mail.subject.as_str(), mail.text.as_deref()), ("Bestellung 7", Some(".a\nb")));
    for (name, expect) in
        [("from", "Bücher <shop@example.test>"), ("x-order", "7"), ("cc", "carl@example.test")]
    {
        assert_eq!(mail.headers.get(name), Some(&Value::text(expect)));
    }
    assert!(mail.headers.contains_key("date") && mail.headers.contains_key("message-id"));
    assert_eq!(mail.attachments[0].content, b"bill");
}

/// A step, as whom it signs in, and what it gives.
#[tokio::test]
async fn what_is_refused_is_told() {
    let (at, mut said) = smtp::server(ABLE).await;
    let mail = |rest: &str| format!("- send: mail\n  from: a@example.test\n  {rest}");
    for (user, rest, expect) in [
        ("", "to: gone@example.test", "550 5.1.1 no such\n5.1.1 person RCPT"),
        ("tester:wrong@", "to: b@example.test", "535 5.7.8 who is that? AUTH"),
        (
            "",
            "recipients: b@example.test\n  sender: ''\n  raw: \"Subject: hi\\n\\nthere\"",
            "250 2.0.0 queued null",
        ),
    ] {
        let result = run(&mail(rest), &Actor::new(""), &bed(user, at), "{}").await;
        let field = |name: &str| result.get(name).unwrap().to_plain_text();
        let command = result
            .get("command")
            .filter(|one| **one != Value::Null)
            .map_or("null".into(), Value::to_plain_text);
        assert_eq!(format!("{} {} {command}", field("status"), field("text")), expect, "{rest}");
        let is_refused = !expect.starts_with("250");
        assert_eq!(unsaid(step(&mail(rest)).as_ref(), &result).len(), usize::from(is_refused), "{rest}");
    }
    let said = all(&mut said);
    assert!(said.contains(&"MAIL FROM:<>".to_owned()), "{said:?}");
    assert!(said.contains(&"Subject: hi\r\n\r\nthere\r\n".to_owned()), "{said:?}");
    let actor = Actor::new("");
    let (asked, bed_here) = (step(&mail("to: $to")), bed("", at));
    let done = run_as(asked.as_ref(), &actor, &bed_here, r#"{"to":"a>\r\nRSET"}"#, LIMIT).await;
    assert!(format!("{done:?}").contains("is no address"), "{done:?}");
    let (at, _said) = smtp::server("250-here\r\n250 AUTH CRAM-MD5").await;
    let (asked, bed_there) = (step(&mail("to: b@c")), bed("tester:x@", at));
    let done = run_as(asked.as_ref(), &actor, &bed_there, "{}", LIMIT).await;
    assert!(format!("{done:?}").contains("PLAIN or LOGIN"), "{done:?}");
}

#[tokio::test]
async fn what_does_not_answer_as_it_should() {
    let asked = "- send: mail\n  from: a@b\n  to: c@d";
    for (words, expect) in [("", "closed"), ("220 here\r\n", "closed"), ("HTTP/1.1 200 OK\r\n", "malformed")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bed = bed("", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(words.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        });
        let result = run(asked, &Actor::new(""), &bed, "{}").await;
        assert_eq!(result.get("error"), Some(&Value::text(expect)), "{words:?}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bed = bed("", silent.local_addr().unwrap());
    let limit = Duration::from_millis(100);
    let result = run_as(step(asked).as_ref(), &Actor::new(""), &bed, "{}", limit).await.unwrap();
    assert_eq!(result.get("error"), Some(&Value::text("timeout")));
    drop(silent);
    let result = run(asked, &Actor::new(""), &bed, "{}").await;
    assert_eq!(result.get("error"), Some(&Value::text("refused")));
}

/// STARTTLS is asked for where it is wanted, or where nobody can sign in without it.
#[tokio::test]
async fn who_begins_with_tls() {
    for (user, field, abilities, expect) in [
        ("", "tls: true", "250-here\r\n250-STARTTLS\r\n250 SMTPUTF8", &["EHLO", "STARTTLS"][..]),
        ("tester:x@", "", "250-here\r\n250 STARTTLS", &["EHLO", "STARTTLS"]),
        ("tester:p%40ss%3Aword@", "", "250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS", &["EHLO", "AUTH"]),
        ("", "", "250-here\r\n250 STARTTLS", &["EHLO", "MAIL"]),
        ("tester:x@", "tls: false", "250-here\r\n250 STARTTLS", &["EHLO"]),
        ("", "tls: false", "250-here\r\n250 STARTTLS", &["EHLO", "MAIL"]),
    ] {
        let (at, mut said) = smtp::server(abilities).await;
        let asked = step(&format!("- send: mail\n  from: a@b\n  to: c@d\n  {field}"));
        let done = run_as(asked.as_ref(), &Actor::new(""), &bed(user, at), "{}", LIMIT).await;
        let said = all(&mut said);
        let commands = said.iter().filter_map(|line| line.split([' ', ':']).next());
        assert_eq!(commands.take(2).collect::<Vec<_>>(), expect, "{said:?}: {done:?}");
        let is_lost = done.as_ref().is_ok_and(|result| result.get("error") == Some(&Value::text("closed")));
        assert_eq!(is_lost, expect.contains(&"STARTTLS"), "it knows no TLS, and does not say so: {done:?}");
    }
    let (at, _said) = smtp::server(ABLE).await;
    let asked = step("- send: mail\n  from: a@b\n  to: c@d\n  tls: true");
    let done = run_as(asked.as_ref(), &Actor::new(""), &bed("", at), "{}", LIMIT).await;
    assert!(format!("{done:?}").contains("offers no STARTTLS"), "{done:?}");
}

/// One that goes away while TLS begins is one that goes away.
#[tokio::test]
async fn what_ends_within_the_beginning_of_tls_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut came = [0; 4096];
        for line in ["220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "220 go on\r\n"] {
            stream.write_all(line.as_bytes()).await.unwrap();
            assert!(stream.read(&mut came).await.unwrap() > 0);
        }
    });
    let asked = step("- send: mail\n  from: a@b\n  to: c@d\n  tls: true\n  expect: { error: closed }");
    let result = run_as(asked.as_ref(), &Actor::new(""), &bed("", at), "{}", LIMIT).await.unwrap();
    assert_eq!(result.get("error"), Some(&Value::text("closed")), "{result}");
}

/// A server that says these lines in turn: the first unasked, each other one when something has come. Then it says nothing
/// more until the other side leaves.
async fn saying(lines: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut came = [0; 1024];
        for line in lines {
            stream.write_all(line.as_bytes()).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
            if stream.read(&mut came).await.unwrap() == 0 {
                return;
            }
        }
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    at
}

#[tokio::test]
async fn what_was_taken_is_taken_however_slowly_the_server_leaves() {
    let at = saying(&["220 a", "250 a", "250 a", "250 a", "354 a", "250 taken"]).await;
    let asked = step("- send: mail\n  from: a@b\n  to: c@d");
    let limit = Duration::from_millis(300);
    let result = run_as(asked.as_ref(), &Actor::new(""), &bed("", at), "{}", limit).await.unwrap();
    assert_eq!(result.get("status"), Some(&Value::from(250_u64)), "{result}");
    assert_eq!(result.get("error"), Some(&Value::Null), "{result}");
    assert!(unsaid(asked.as_ref(), &result).is_empty());
}

/// Replies that want more are no consent.
#[tokio::test]
async fn what_wants_more_is_refused() {
    let asked = step("- send: mail\n  from: a@b\n  to: c@d");
    for (user, lines, command) in [
        ("tester:x@", &["220 a", "250 AUTH PLAIN", "334 more", "250 a", "250 a"][..], "AUTH"),
        ("", &["220 a", "250 a", "354 go on", "250 a", "250 a"], "MAIL"),
        ("", &["220 a", "250 a", "250 a", "354 go on", "250 a"], "RCPT"),
        ("", &["220 a", "250 a", "250 a", "250 a", "250 a", "250 a"], "DATA"),
    ] {
        let at = saying(lines).await;
        let result = run_as(asked.as_ref(), &Actor::new(""), &bed(user, at), "{}", LIMIT).await.unwrap();
        assert_eq!(result.get("command"), Some(&Value::text(command)), "{result}");
        assert_eq!(unsaid(asked.as_ref(), &result).len(), 1, "{result}");
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_the_content_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut came = [0; 1024];
        for line in ["220 a", "250 a", "250 a", "250 a", "354 a", "552 too long"] {
            stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
            assert!(stream.read(&mut came).await.unwrap() > 0);
        }
        // Closed with most of it unread.
    });
    let variables =
        Value::map([("text", Value::text(format!("{}\n", "x".repeat(900)).repeat(9000)))]).to_string();
    let asked = "- send: mail\n  from: a@b\n  to: c@d\n  text: $text";
    let result = run(asked, &Actor::new(""), &bed("", at), &variables).await;
    assert_eq!(result.get("status"), Some(&Value::from(552_u64)), "{result}");
    assert_eq!(result.get("error"), Some(&Value::Null));
}
