//! PostgreSQL taken over: what each side hears when statements are answered in the server's place, or nobody is behind.

use crate::splits::Talk;
use seam_value::parse;
use seam_wire::{Behind, Call, Direction};

fn message(tag: char, payload: &str) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 4).expect("short").to_be_bytes();
    [&[u8::try_from(tag).expect("a letter")], &length[..], payload.as_bytes()].concat()
}

/// Messages by letter: `Q:select 1`, `Z:I`, `S`; a statement with its Parse, Bind and so on: `x:select 1`.
fn messages(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in text.split(" | ") {
        let (tag, rest) = word.split_once(':').unwrap_or((word, ""));
        let tag = tag.chars().next().expect("a letter");
        let payload = match tag {
            'Q' | 'C' | 'D' => format!("{rest}\0"),
            'P' => {
                let (name, sql) = rest.split_once('=').unwrap_or(("", rest));
                format!("{name}\0{sql}\0\0\0")
            }
            'B' => format!("\0{rest}\0\0\0\0\0\0\0"),
            'b' => format!("\0{rest}\0\0\0\0\0\0\u{1}\0\u{1}"),
            'E' if rest.is_empty() => "\0\0\0\0\0".to_owned(),
            'E' => format!("SERROR\0VERROR\0C{rest}\0Mno\0\0"),
            _ => rest.to_owned(),
        };
        bytes.extend(message(if tag == 'b' { 'B' } else { tag }, &payload));
    }
    bytes
}

/// The messages as letters, with what says most about them.
fn told(mut bytes: &[u8]) -> String {
    let mut words = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
        let (payload, rest) = rest.split_at(length);
        let text = String::from_utf8_lossy(payload).replace('\0', " ");
        words.push(match head[0] {
            b'Z' | b'C' | b'Q' | b'P' => format!("{}:{}", char::from(head[0]), text.trim()),
            b'E' if text.starts_with('S') => {
                format!("E:{}", &text[text.find(" C").expect("a code") + 2..][..5])
            }
            tag => char::from(tag).to_string(),
        });
        bytes = rest;
    }
    words.join(" | ")
}

struct Server(Talk);

impl Server {
    /// Connected, with a provider behind.
    fn provider() -> Self {
        let mut talk = Talk::new("postgres", Behind::Provider);
        talk.asks(&startup());
        talk.says(&[message('R', "\0\0\0\0"), message('Z', "I")].concat());
        talk.heard();
        talk.passed();
        Self(talk)
    }

    fn nobody() -> Self {
        let mut talk = Talk::new("postgres", Behind::Nobody);
        talk.asks(&startup());
        let greeting = told(&std::mem::take(&mut talk.to_consumer));
        assert!(greeting.starts_with("R | S | S") && greeting.ends_with("K | Z:I"), "{greeting}");
        talk.passed();
        Self(talk)
    }

    fn asks(&mut self, text: &str) -> Vec<(Call, Vec<u8>)> {
        self.0.asks(&messages(text))
    }

    /// What is asked is passed on.
    fn passes(&mut self, text: &str) {
        for (_, bytes) in self.asks(text) {
            self.0.write(Direction::ToProvider, &bytes);
        }
    }

    fn says(&mut self, text: &str) {
        self.0.says(&messages(text));
    }

    fn heard(&mut self) -> String {
        told(&std::mem::take(&mut self.0.to_consumer))
    }

    /// What was said so far is of no interest.
    fn hushes(&mut self) {
        self.0.to_consumer.clear();
        self.0.to_provider.clear();
    }

    fn passed(&mut self) -> String {
        told(&std::mem::take(&mut self.0.to_provider))
    }

    fn begun() -> Self {
        let mut server = Self::provider();
        server.passes("Q:begin");
        server.says("C:BEGIN | Z:T");
        server.hushes();
        server
    }
}

fn startup() -> Vec<u8> {
    let payload = "\0\u{3}\0\0user\0ann\0\0";
    [&u32::try_from(payload.len() + 4).expect("short").to_be_bytes()[..], payload.as_bytes()].concat()
}

const FAILS: &str = "Q:do $seamwork$ begin raise exception using errcode = '40001', message = 'injected by seamwork'; end $seamwork$";

#[test]
fn a_text_is_refused() {
    for (before, text, heard, passed) in [
        ("I", "select 1", "E:40001 | Z:I", ""),
        ("I", "begin", "E:40001 | Z:I", ""),
        ("T", "select 1", "E:40001 | Z:E", FAILS),
        ("T", "commit", "E:40001 | Z:I", "Q:rollback"),
        ("E", "select 1", "E:40001 | Z:E", ""),
    ] {
        let mut server = Server::provider();
        server.passes("Q:x");
        server.says(&format!("C:X | Z:{before}"));
        server.hushes();
        let held = server.asks(&format!("Q:{text}"));
        server.0.answer(held[0].0, r#"{"error":"40001"}"#);
        assert_eq!((server.heard().as_str(), server.passed().as_str()), (heard, passed), "{before} {text}");
        if !passed.is_empty() {
            server.says("N:x | E:40001 | Z:E");
            assert_eq!(server.heard(), "", "the reply to what was sent instead");
        }
        server.passes("Q:rollback");
        server.says("C:ROLLBACK | Z:I");
        assert_eq!(server.heard(), "C:ROLLBACK | Z:I");
    }
}

#[test]
fn a_text_that_begins_is_refused() {
    let mut server = Server::provider();
    let held = server.asks("Q:begin; insert into t values (1)");
    server.0.answer(held[0].0, r#"{"error":{"code":"40001"}}"#);
    assert_eq!(server.heard(), "E:40001 | Z:E");
    assert_eq!(server.passed(), FAILS.replace("Q:", "Q:begin; "));
}

#[test]
fn a_text_is_answered_with_rows() {
    let mut server = Server::begun();
    let held = server.asks("Q:select 1");
    server.0.answer(held[0].0, r#"{"rows":[{"id":7,"name":"x","none":null}]}"#);
    let mut bytes = messages("X");
    bytes.clear();
    bytes.extend(message('T', "\0\u{3}id\0\0\0\0\0\0\0\0\0\0\u{17}\0\u{4}....\0\0name\0\0\0\0\0\0\0\0\0\0\u{19}......\0\0none\0\0\0\0\0\0\0\0\0\0\u{19}......\0\0"));
    let mut heard = std::mem::take(&mut server.0.to_consumer);
    for byte in &mut heard {
        *byte = if *byte == 0xff { b'.' } else { *byte };
    }
    assert!(heard.starts_with(&bytes), "{heard:?}");
    assert_eq!(told(&heard[bytes.len()..]), "D | C:SELECT 1 | Z:T");
    assert_eq!(server.passed(), "");
}

#[test]
fn the_end_of_a_transaction_that_is_answered_happens_there_too() {
    let mut server = Server::begun();
    let held = server.asks("Q:COMMIT");
    server.0.answer(held[0].0, "{}");
    assert_eq!((server.heard().as_str(), server.passed().as_str()), ("C:COMMIT | Z:I", "Q:COMMIT"));
    server.says("C:COMMIT | Z:I");
    assert_eq!(server.heard(), "");
}

#[test]
fn a_statement_of_a_batch_is_refused() {
    let mut server = Server::begun();
    let held = server.asks("P:one=insert 1 | B:one | E | B:one | E | S");
    assert_eq!(held.len(), 2);
    server.0.answer(held[0].0, r#"{"error":"40001"}"#);
    server.0.write(Direction::ToProvider, &held[1].1);
    assert_eq!(server.heard(), "E:40001");
    // The Sync was written before, because this test holds only requests.
    assert_eq!(server.passed(), "S | P:seamwork_fault seamwork injected an error here | B | E");
    server.says("E:42601 | Z:E");
    assert_eq!(server.heard(), "Z:E");
}

#[test]
fn the_commit_of_a_batch_is_refused() {
    let mut server = Server::begun();
    let held = server.asks("P:commit | B | E | S");
    server.0.answer(held[0].0, r#"{"error":"40001"}"#);
    let passed = server.passed();
    let sent = "S | P:seamwork_fault rollback | B | E | C:Sseamwork_fault | P:seamwork_fault seamwork injected an error here";
    assert_eq!(passed, sent);
    server.says("1 | 2 | C:ROLLBACK | 3 | E:42601 | Z:I");
    assert_eq!(server.heard(), "E:40001 | Z:I");
}

#[test]
fn what_an_error_passes_over_has_an_empty_reply() {
    let mut server = Server::provider();
    server.passes("P:a | B | E | P:b | B | E | S");
    server.says("1 | 2 | E:23505 | Z:I");
    assert_eq!(server.heard(), "1 | 2 | E:23505 | Z:I");
    server.passes("Q:select 1");
    server.says("C:SELECT 1 | Z:I");
    assert_eq!(server.heard(), "C:SELECT 1 | Z:I");
}

#[test]
fn a_statement_of_a_batch_is_answered_in_the_types_that_the_server_described() {
    let mut server = Server::provider();
    server.passes("P:one=select id from t | D:Sone | S");
    let columns = "\0\u{1}id\0\0\0\0\0\0\0\0\0\0\u{17}\0\u{4}\0\0\0\0\0\0";
    let described = [messages("1 | t:\0\0"), message('T', columns), messages("Z:I")].concat();
    server.0.says(&described);
    assert_eq!(server.0.to_consumer, described);
    server.hushes();
    let held = server.asks("b:one | E | S");
    assert_eq!(server.0.requests[0].1.to_string(), r#"{"statement":"select id from t","parameters":[]}"#);
    server.0.answer(held[0].0, r#"{"rows":[{"id":258}]}"#);
    let row = message('D', "\0\u{1}\0\0\0\u{4}\0\0\u{1}\u{2}");
    assert_eq!(server.0.to_consumer, [messages("2"), row, messages("C:SELECT 1")].concat());
    let error = server.0.splitter.answer(held[0].0, &parse(r#"{"rows":[{"nr":1}]}"#).unwrap()).unwrap_err();
    assert_eq!(error.reason, "the statement has no column nr; it has id");
    let error = server.0.splitter.answer(held[0].0, &parse(r#"{"rows":[{"id":"x"}]}"#).unwrap()).unwrap_err();
    assert_eq!(error.reason, "column id (type 23) can't be \"x\"");
    server.says("Z:I");
}

#[test]
fn what_is_answered_is_prepared_all_the_same() {
    let mut server = Server::provider();
    let held = server.asks("C:Sold | P:one=select 1 | B:one | D:P | E | S");
    server.0.answer(held[0].0, r#"{"rows":[{"a":1}]}"#);
    assert_eq!(server.heard(), "3 | 1 | 2 | T | D | C:SELECT 1");
    assert_eq!(server.passed(), "S | C:Sold | P:one select 1");
    server.says("3 | 1 | Z:I");
    assert_eq!(server.heard(), "Z:I");
}

#[test]
fn a_session_ends_with_some_errors() {
    let mut server = Server::provider();
    let held = server.asks("Q:select 1");
    server.0.answer(held[0].0, r#"{"error":"57P01"}"#);
    assert_eq!((server.heard().as_str(), server.passed().as_str()), ("E:57P01", "X"));
}

#[test]
fn a_request_is_passed_again() {
    let mut server = Server::provider();
    let held = server.asks("Q:insert");
    let again = server.0.splitter.again(held[0].0, &held[0].1).unwrap();
    assert_eq!(again, held[0].1);
    server.says("C:INSERT 0 1 | Z:I | C:INSERT 0 1 | Z:I");
    assert_eq!(server.heard(), "C:INSERT 0 1 | Z:I");
    let held = server.asks("P:insert | B | E | S");
    let again = server.0.splitter.again(held[0].0, &held[0].1).unwrap();
    assert_eq!(told(&again), "S | P:insert | B | E");
    server.says("1 | 2 | C:INSERT 0 1 | Z:I | 1 | 2 | C:INSERT 0 1 | Z:I");
    assert_eq!(server.heard(), "1 | 2 | C:INSERT 0 1 | Z:I");
    let mut server = Server::begun();
    let held = server.asks("Q:insert");
    let again = server.0.splitter.again(held[0].0, &held[0].1).unwrap();
    assert_eq!(again, held[0].1, "in a transaction");
    let mut server = Server::begun();
    let held = server.asks("Q:commit");
    let why = server.0.splitter.again(held[0].0, &held[0].1).unwrap_err();
    assert_eq!(why.reason, "what begins or ends a transaction can't be said twice");
}

#[test]
fn what_is_forgotten_hangs() {
    let mut server = Server::provider();
    let held = server.asks("P:insert | B | E | S");
    server.0.splitter.forget(held[0].0);
    server.says("Z:I");
    assert_eq!(server.heard(), "");
    server.passes("Q:select 1");
    server.says("C:SELECT 1 | Z:I");
    assert_eq!(server.heard(), "C:SELECT 1 | Z:I");
}

#[test]
fn an_answer_waits_for_what_comes_before_it() {
    let mut server = Server::provider();
    server.passes("C:Sold | S");
    let held = server.asks("Q:commit");
    server.0.answer(held[0].0, r#"{"error":"40001"}"#);
    assert_eq!(server.heard(), "");
    server.says("3 | Z:I");
    assert_eq!(server.heard(), "3 | Z:I | E:40001 | Z:I");
    let held = server.asks("P:a | B | E | P:b | B | E | S");
    server.0.answer(held[1].0, r#"{"affected":1}"#);
    server.says("1 | 2 | E:23505 | Z:I");
    assert_eq!(server.heard(), "E:23505 | Z:I".replace("E:2", "1 | 2 | E:2"), "the other is passed over");
    let held = server.asks("P:insert | B | E | P:insert | B | E | S");
    server.0.answer(held[1].0, r#"{"affected":7}"#);
    server.says("1 | 2 | C:INSERT 0 1 | 1 | Z:I");
    assert_eq!(server.heard(), "1 | 2 | C:INSERT 0 1 | 1 | 2 | C:INSERT 0 7 | Z:I");
}

#[test]
fn data_is_copied() {
    let mut server = Server::provider();
    server.passes("Q:copy t from stdin");
    server.says("G");
    assert_eq!(server.heard(), "G");
    server.passes("d:1 | d:2 | c");
    server.says("C:COPY 2 | Z:I");
    assert_eq!(server.heard(), "C:COPY 2 | Z:I");
    let held = server.asks("Q:copy t to stdout");
    server.0.answer(held[0].0, r#"{"copied":"1\n"}"#);
    assert_eq!(server.heard(), "H | d | c | C:COPY 0 | Z:I");
    let held = server.asks("Q:copy t from stdin");
    server.0.splitter.answer(held[0].0, &parse("{}").unwrap()).unwrap_err();
}

#[test]
fn notifications() {
    let mut server = Server::provider();
    server.0.splitter.push(&parse(r#"{"topic":"c","text":"hi"}"#).unwrap()).unwrap_err();
    server.passes("Q:LISTEN c");
    server.says("C:LISTEN | Z:I");
    let pushed = server.0.splitter.push(&parse(r#"{"topic":"c","text":"hi"}"#).unwrap()).unwrap();
    assert_eq!(pushed, message('A', "\0\0\0\u{1}c\0hi\0"));
    assert_eq!(server.0.splitter.deliver_again(&pushed).unwrap(), pushed);
    assert_eq!(server.0.splitter.deliver_again(&messages("Z:I")), None);
}

#[test]
fn transactions_where_nobody_is() {
    let mut server = Server::nobody();
    for (asked, heard) in [
        ("Q:SET a = 1", "C:SET | Z:I"),
        ("Q:", "I | Z:I"),
        ("Q:begin; set x to 1", "C:BEGIN | C:SET | Z:T"),
        ("P:savepoint a | B | D:P | E | S", "1 | 2 | n | C:SAVEPOINT | Z:T"),
        ("Q:show transaction isolation level", "T | D | C:SHOW | Z:T"),
        ("Q:COMMIT", "C:COMMIT | Z:I"),
        ("P:one=begin | S", "1 | Z:I"),
        ("B:one | E | S", "2 | C:BEGIN | Z:T"),
    ] {
        assert!(server.asks(asked).is_empty(), "{asked}");
        assert_eq!(server.heard(), heard, "{asked}");
    }
    let held = server.asks("Q:select 1");
    server.0.answer(held[0].0, r#"{"error":"40001"}"#);
    assert_eq!(server.heard(), "E:40001 | Z:E");
    assert!(server.asks("Q:select 2").is_empty());
    assert_eq!(server.heard(), "E:25P02 | Z:E");
    server.asks("Q:rollback");
    assert_eq!(server.heard(), "C:ROLLBACK | Z:I");
}

#[test]
fn a_batch_where_nobody_is() {
    let mut server = Server::nobody();
    // As JDBC begins: both in one batch.
    let held = server.asks("P:BEGIN | B | E | P:select 1 | B | D:P | E | S");
    assert_eq!((held.len(), server.heard().as_str()), (1, "1 | 2 | C:BEGIN"));
    server.0.answer(held[0].0, r#"{"rows":[{"a":1}]}"#);
    assert_eq!(server.heard(), "1 | 2 | T | D | C:SELECT 1 | Z:T");
    let held = server.asks("P:a | B | E | P:b | B | E | S | Q:rollback");
    server.0.answer(held[0].0, r#"{"error":"23505"}"#);
    server.0.answer(held[1].0, r#"{"affected":1}"#);
    assert_eq!(server.heard(), "E:23505 | Z:E | C:ROLLBACK | Z:I");
}

#[test]
fn the_stub_says_the_columns_of_what_is_prepared() {
    let mut server = Server::nobody();
    let held = server.asks("P:one=select a from t where b = $1::int4 | D:Sone | S");
    assert_eq!(held.len(), 1);
    server.0.answer(held[0].0, r#"{"rows":[{"a":1}]}"#);
    let heard = std::mem::take(&mut server.0.to_consumer);
    assert_eq!(told(&heard), "1 | t | T | Z:I");
    assert!(heard.windows(6).any(|window| window == [0, 1, 0, 0, 0, 23]), "one parameter, an int4");
    let held = server.asks("b:one | E | S");
    server.0.answer(held[0].0, r#"{"rows":[{"a":1},{"a":2}]}"#);
    assert_eq!(server.heard(), "2 | D | D | C:SELECT 2 | Z:I");
}

#[test]
fn the_stub_says_the_types_of_what_is_bound() {
    let mut server = Server::nobody();
    let held = server.asks("P:one=select a from t where b = $1 and c = $2::date and d = $3 | D:Sone | S");
    server.0.answer(held[0].0, r#"{"columns":["a int4"],"parameters":["uuid","text","int8"],"rows":[]}"#);
    let heard = std::mem::take(&mut server.0.to_consumer);
    assert_eq!(told(&heard), "1 | t | T | Z:I");
    // What the statement casts it says itself.
    let types = [0, 3, 0, 0, 11, 134, 0, 0, 4, 58, 0, 0, 0, 20];
    assert!(heard.windows(types.len()).any(|window| window == types), "uuid, date, int8: {heard:?}");
}

/// As asyncpg does when a connection goes back to its pool.
#[test]
fn of_several_statements_in_one_text_each_is_asked_where_nobody_is() {
    let mut server = Server::nobody();
    let held = server.asks("Q:select unlock(); RESET ALL; update t set a = 1; UNLISTEN *");
    assert_eq!(held.len(), 2);
    server.0.answer(held[0].0, r#"{"rows":[{"unlock":""}]}"#);
    assert_eq!(server.heard(), "T | D | C:SELECT 1 | C:RESET");
    server.0.answer(held[1].0, r#"{"affected":2}"#);
    assert_eq!(server.heard(), "C:UPDATE 2 | C:UNLISTEN | Z:I");
    let held = server.asks("Q:begin; select 1; select 2 | Q:rollback");
    assert_eq!((held.len(), server.heard().as_str()), (2, "C:BEGIN"));
    server.0.answer(held[0].0, r#"{"error":"40001"}"#);
    assert_eq!(server.heard(), "E:40001 | Z:E | C:ROLLBACK | Z:I");
}

/// A text of any length must not become as many calls.
#[test]
fn of_very_many_statements_in_one_text_the_stub_is_asked_once() {
    for (n_statements, expect) in [(1000, 1000), (1001, 1)] {
        let mut server = Server::nobody();
        let held = server.asks(&format!("Q:{}", "update t set a = 1;".repeat(n_statements)));
        assert_eq!(held.len(), expect);
        for (call, _) in held {
            server.0.answer(call, r#"{"affected":2}"#);
        }
        let heard = server.heard();
        assert_eq!((heard.matches("C:UPDATE 2").count(), heard.matches("Z:I").count()), (expect, 1));
    }
}

#[test]
fn hanging_where_nobody_is() {
    let mut server = Server::nobody();
    let held = server.asks("P:a | B | E | S");
    server.0.splitter.forget(held[0].0);
    assert_eq!(server.heard(), "");
    server.asks("Q:set a = 1");
    assert_eq!(server.heard(), "C:SET | Z:I");
}
