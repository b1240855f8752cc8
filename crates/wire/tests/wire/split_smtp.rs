//! SMTP taken over: what each side hears when a mail is answered in the server's place, or nobody is behind.

use crate::splits::{Talk, begin};
use seam_value::parse;
use seam_wire::{Behind, Call, Direction, Limits, Of, protocol};

const MAIL: &[u8] = b"From: a@x.test\r\nSubject: order 7\r\n\r\n..hi\r\n.\r\n";

/// Greeted, with a provider behind, and a mail announced.
fn announced() -> Talk {
    let mut talk = Talk::new("smtp", Behind::Provider);
    talk.says(b"220 hi\r\n");
    for (asked, said) in [
        ("EHLO shop\r\n", "250-x\r\n250 PIPELINING\r\n"),
        ("MAIL FROM:<a@x.test>\r\n", "250 ok\r\n"),
        ("RCPT TO:<b@x.test>\r\n", "250 ok\r\n"),
    ] {
        talk.asks(asked.as_bytes());
        assert_eq!(talk.passed(), asked);
        talk.says(said.as_bytes());
    }
    assert_eq!(talk.heard(), "220 hi\r\n250-x\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n");
    talk
}

/// The mail is there, and held.
fn held() -> (Talk, Call, Vec<u8>) {
    let mut talk = announced();
    assert!(talk.asks(b"DATA\r\n").is_empty());
    assert_eq!(
        (talk.passed().as_str(), talk.heard().as_str()),
        ("", "354 End data with <CR><LF>.<CR><LF>\r\n")
    );
    let mut held = talk.asks(MAIL);
    assert_eq!((talk.passed().as_str(), held.len()), ("", 1));
    let request = &talk.requests[0].1;
    assert_eq!(request.get("subject"), Some(&"order 7".into()));
    assert_eq!(request.get("text"), Some(&".hi\n".into()), "{request}");
    let (call, bytes) = held.remove(0);
    (talk, call, bytes)
}

#[test]
fn a_mail_is_let_go() {
    let (mut talk, _, bytes) = held();
    talk.write(Direction::ToProvider, &bytes);
    assert_eq!(talk.passed(), "DATA\r\n");
    talk.says(b"354 go on\r\n");
    assert_eq!(talk.passed().as_bytes(), MAIL);
    talk.says(b"250 queued\r\n");
    assert_eq!(talk.heard(), "250 queued\r\n");
    talk.asks(b"QUIT\r\n");
    assert_eq!(talk.passed(), "QUIT\r\n");
}

#[test]
fn a_mail_is_refused_here() {
    for (answer, expect) in [
        (r#"{"status":451}"#, "451 4.3.0 local error in processing, try again later\r\n"),
        (r#"{"status":550,"text":"no\nnever"}"#, "550-no\r\n550 never\r\n"),
        ("{}", "250 2.0.0 OK\r\n"),
        (r#"{"status":404,"text":"no stub answers this\n"}"#, "554 5.3.0 no stub answers this\r\n"),
    ] {
        let (mut talk, call, _) = held();
        talk.answer(call, answer);
        assert_eq!((talk.heard().as_str(), talk.passed().as_str()), (expect, "RSET\r\n"));
        talk.says(b"250 flushed\r\n");
        assert_eq!(talk.heard(), "");
        talk.asks(b"MAIL FROM:<c@x.test>\r\n");
        talk.says(b"250 ok\r\n");
        assert_eq!(
            (talk.heard().as_str(), talk.passed().as_str()),
            ("250 ok\r\n", "MAIL FROM:<c@x.test>\r\n")
        );
    }
}

#[test]
fn a_mail_is_refused_there() {
    let (mut talk, _, bytes) = held();
    talk.write(Direction::ToProvider, &bytes);
    talk.says(b"452-full\r\n452 full\r\n");
    assert_eq!((talk.heard().as_str(), talk.passed().as_str()), ("452-full\r\n452 full\r\n", "DATA\r\n"));
    talk.asks(b"RSET\r\n");
    assert_eq!(talk.passed(), "RSET\r\n");
}

#[test]
fn a_reply_is_replaced() {
    let (mut talk, call, bytes) = held();
    talk.write(Direction::ToProvider, &bytes);
    talk.says(b"354 go on\r\n250 queued\r\n");
    let answer = parse(r#"{"status":421,"text":"bye"}"#).unwrap();
    assert_eq!(talk.splitter.answer(call, &answer).unwrap(), b"421 bye\r\n");
    talk.splitter.answer(call + 1, &answer).unwrap_err();
    for wrong in [r#"{"status":42}"#, r#"{"error":"no"}"#, "250"] {
        talk.splitter.answer(call, &parse(wrong).unwrap()).unwrap_err();
    }
}

#[test]
fn a_mail_is_sent_twice() {
    let (mut talk, call, bytes) = held();
    assert_eq!(talk.splitter.again(call, &bytes).unwrap(), b"");
    talk.write(Direction::ToProvider, &bytes);
    talk.says(b"354 go on\r\n250 queued\r\n");
    assert_eq!(talk.heard(), "250 queued\r\n");
    // What the consumer says meanwhile waits.
    talk.asks(b"QUIT\r\n");
    let first = [b"DATA\r\n", MAIL].concat();
    let second = [&first, &b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n"[..]].concat();
    assert_eq!(talk.passed().as_bytes(), second);
    talk.says(b"250 ok\r\n250 ok\r\n354 go on\r\n");
    assert_eq!(talk.passed().as_bytes(), MAIL);
    talk.says(b"250 queued\r\n");
    assert_eq!((talk.heard().as_str(), talk.passed().as_str()), ("", "QUIT\r\n"));
    talk.says(b"221 bye\r\n");
    assert_eq!(talk.heard(), "221 bye\r\n");
}

#[test]
fn commands_may_come_at_once() {
    let mut talk = Talk::new("smtp", Behind::Provider);
    talk.says(b"220 hi\r\n");
    talk.asks(b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n");
    assert_eq!(talk.passed(), "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nRCPT TO:<c@x.test>\r\n");
    talk.says(b"250 ok\r\n250 ok\r\n");
    assert_eq!(talk.heard(), "220 hi\r\n250 ok\r\n250 ok\r\n");
    talk.says(b"550 who\r\n");
    assert_eq!(talk.heard(), "550 who\r\n354 End data with <CR><LF>.<CR><LF>\r\n");
    // What stands behind the mail waits for it.
    let mut mail = MAIL.to_vec();
    mail.extend_from_slice(b"MAIL FROM:<d@x.test>\r\n");
    let held = talk.asks(&mail);
    talk.write(Direction::ToProvider, &held[0].1);
    talk.says(b"354 go on\r\n");
    assert!(talk.passed().ends_with("\r\n.\r\nMAIL FROM:<d@x.test>\r\n"));
    talk.says(b"250 queued\r\n250 ok\r\n");
    assert_eq!(talk.heard(), "250 queued\r\n250 ok\r\n");
}

#[test]
fn without_recipients_the_server_says_what_it_thinks_of_data() {
    let mut talk = Talk::new("smtp", Behind::Provider);
    talk.says(b"220 hi\r\n");
    talk.asks(b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n");
    talk.says(b"250 ok\r\n550 who\r\n");
    assert!(talk.passed().ends_with("DATA\r\n"));
    talk.says(b"554 no\r\n");
    assert!(talk.heard().ends_with("550 who\r\n554 no\r\n"));
    talk.asks(b"QUIT\r\n");
    assert_eq!(talk.passed(), "QUIT\r\n");
}

#[test]
fn a_large_mail_flows() {
    let limits = Limits { kept_body: 10, ..Limits::default() };
    let mut splitter = begin(protocol("smtp").expect("smtp"), Behind::Provider, limits);
    let mut pieces = Vec::new();
    for (to_provider, bytes) in [
        (false, "220 hi\r\n"),
        (true, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n"),
        (false, "250 ok\r\n250 ok\r\n"),
        (true, "DATA\r\n"),
        (true, "0123456789abcdef"),
        (true, "ghijk"),
        (false, "354 go on\r\n"),
        (true, "lmnop"),
        (true, "\r\n.\r\nQUIT\r\n"),
        (false, "250 queued\r\n221 bye\r\n"),
    ] {
        let direction = if to_provider { Direction::ToProvider } else { Direction::ToConsumer };
        splitter.cut(direction, bytes.as_bytes(), &mut pieces).unwrap();
    }
    let told: Vec<String> = pieces
        .iter()
        .skip(6)
        .map(|piece| {
            let text = String::from_utf8_lossy(&piece.bytes);
            match piece.of {
                Of::Rest => format!("rest {text}"),
                Of::Request { whole, .. } => format!("request {whole} {text}"),
                Of::Reply { whole, .. } => format!("reply {whole} {text}"),
                Of::More { whole, .. } => format!("more {whole} {text}"),
                Of::Message { .. }
                | Of::Broken { .. }
                | Of::UnderWay { .. }
                | Of::Begun { .. }
                | Of::Told { .. } => String::new(),
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            "request false DATA\r\n",
            "more false 0123456789abcdefghijk",
            "more false lmnop",
            "more true \r\n.\r\n",
            "rest QUIT\r\n",
            "reply true 250 queued\r\n",
            "rest 221 bye\r\n",
        ]
    );
}

#[test]
fn ordinary_clients_send_where_nobody_is() {
    let mut talk = Talk::new("smtp", Behind::Nobody);
    for (asked, said) in [
        ("EHLO shop\r\n", "220 seamwork ESMTP\r\n250-seamwork\r\n"),
        ("AUTH PLAIN AGEAYg==\r\n", "235 2.7.0 OK\r\n"),
        ("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"),
        ("YQ==\r\n", "334 UGFzc3dvcmQ6\r\n"),
        ("Yg==\r\n", "235 2.7.0 OK\r\n"),
        ("AUTH PLAIN\r\n", "334 \r\n"),
        ("AGEAYg==\r\n", "235 2.7.0 OK\r\n"),
        ("AUTH CRAM-MD5\r\n", "504 5.5.4 not this way\r\n"),
        ("DATA\r\n", "503 5.5.1 RCPT first\r\n"),
        ("RCPT TO:<b@x.test>\r\n", "503 5.5.1 MAIL first\r\n"),
        ("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n", "250 2.1.0 OK\r\n250 2.1.5 OK\r\n"),
        ("DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n"),
    ] {
        assert!(talk.asks(asked.as_bytes()).is_empty());
        let heard = talk.heard();
        assert!(heard.starts_with(said), "{asked}: {heard}");
    }
    let held = talk.asks(&[MAIL, b"QUIT\r\n"].concat());
    assert_eq!((talk.heard().as_str(), talk.passed().as_str()), ("", ""));
    assert_eq!(
        talk.requests[0].1.get("recipients").map(ToString::to_string),
        Some(r#"["b@x.test"]"#.to_owned())
    );
    talk.answer(held[0].0, r#"{"status":452}"#);
    assert_eq!(talk.heard(), "452 4.3.1 insufficient system storage\r\n221 2.0.0 bye\r\n");
}

/// Whoever leaves in the midst of a mail that the server has not heard of: it hears of it then, and gives leave to what has
/// leave already.
#[test]
fn a_consumer_leaves_in_the_midst() {
    let left = |talk: &mut Talk| {
        let rest = talk.splitter.take_rest(Direction::ToProvider);
        talk.write(Direction::ToProvider, &rest);
        talk.passed()
    };
    let mut talk = announced();
    talk.asks(b"DATA\r\nFrom: a@x.test\r\n\r\nhi");
    talk.heard();
    assert_eq!(left(&mut talk), "DATA\r\nFrom: a@x.test\r\n\r\nhi");
    talk.says(b"354 go on\r\n421 where are you?\r\n");
    assert_eq!(talk.heard(), "421 where are you?\r\n");
    // It may be that it takes none.
    let mut talk = announced();
    talk.asks(b"DATA\r\nFrom: a@x.test\r\n\r\nhi");
    talk.heard();
    left(&mut talk);
    talk.says(b"451 not now\r\n");
    assert_eq!(talk.heard(), "451 not now\r\n");
    // What stood behind the mail is answered, too.
    let (mut talk, _, bytes) = held();
    talk.write(Direction::ToProvider, &bytes);
    talk.asks(b"NOOP\r\nQUIT\r\n");
    assert!(left(&mut talk).ends_with("\r\n.\r\nNOOP\r\nQUIT\r\n"));
    talk.says(b"354 go on\r\n250 queued\r\n250 still here\r\n221 bye\r\n");
    assert_eq!(talk.heard(), "250 queued\r\n250 still here\r\n221 bye\r\n");
    // Before its turn had come.
    let mut talk = Talk::new("smtp", Behind::Provider);
    talk.says(b"220 hi\r\n");
    talk.asks(b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n");
    assert!(left(&mut talk).ends_with("RCPT TO:<b@x.test>\r\nDATA\r\n"));
    talk.says(b"250 ok\r\n250 ok\r\n354 go on\r\n");
    assert!(talk.heard().ends_with("250 ok\r\n354 go on\r\n"));
}
