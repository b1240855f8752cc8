//! MySQL held: errors that leave both sides in step, statements sent twice, and what is said where nobody is behind.

use crate::splits::{Talk, begin, every_case};
use seam_value::parse;
use seam_wire::{Behind, Direction, Limits, Splitter};

const GREETING: &[u8] =
    b"d\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x06\0\0\0U\\Q_hov\"\0\xfe\xf7\x08\x02\0\xff\x81\x15\
    \0\0\0\0\0\0\x1d\0\0\0BdST)ou!?X~5\0mysql_native_password\0";
const OK: &[u8] = b"\x07\0\0\x01\0\0\0\x02\0\0\0";

/// A log-in of a client that has all of PyMySQL's abilities and those given.
fn log_in(can: u32) -> Vec<u8> {
    let mut payload = (0x003b_a28d | can).to_le_bytes().to_vec();
    payload.extend_from_slice(&[0, 0, 0, 0x40, 45]);
    payload.extend_from_slice(&[0; 23]);
    payload.extend_from_slice(b"shop\0\0shop\0mysql_native_password\0\0");
    packet(1, &payload)
}

fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_le_bytes();
    [&length[..3], &[seq], payload].concat()
}

fn query(sql: &str) -> Vec<u8> {
    packet(0, &[b"\x03", sql.as_bytes()].concat())
}

fn talk(can: u32) -> Talk {
    let mut talk = Talk::new("mysql", Behind::Provider);
    talk.says(GREETING);
    talk.asks(&log_in(can));
    talk.says(&packet(2, &OK[4..]));
    clear(&mut talk);
    talk
}

fn alone() -> Talk {
    let mut talk = Talk::new("mysql", Behind::Nobody);
    assert_eq!(talk.to_consumer[4], 10);
    clear(&mut talk);
    talk.asks(&log_in(1 << 24));
    assert_eq!(talk.to_consumer, packet(2, &[0, 0, 0, 2, 0, 0, 0]));
    clear(&mut talk);
    talk
}

fn clear(talk: &mut Talk) {
    talk.to_consumer.clear();
    talk.to_provider.clear();
}

#[test]
fn an_error_is_numbered_and_the_transaction_stays() {
    let mut talk = talk(0);
    let held = talk.asks(&query("insert into t values (1)"));
    talk.answer(held[0].0, r#"{"error":1062}"#);
    assert_eq!(talk.to_consumer, packet(1, b"\xff\x26\x04#23000Duplicate entry"));
    assert!(talk.to_provider.is_empty());
    clear(&mut talk);
    // The next one is answered by the server.
    let held = talk.asks(&query("select 1"));
    talk.write(Direction::ToProvider, &held[0].1);
    talk.says(OK);
    assert_eq!((talk.to_consumer.as_slice(), talk.to_provider), (OK, query("select 1")));
}

#[test]
fn a_deadlock_rolls_back_on_the_server_too() {
    let mut talk = talk(0);
    let held = talk.asks(&query("update t set a = 1"));
    talk.answer(held[0].0, r#"{"error":{"code":1213,"state":"40001","message":"again"}}"#);
    assert_eq!(talk.to_consumer, packet(1, b"\xff\xbd\x04#40001again"));
    assert_eq!(talk.to_provider, query("ROLLBACK"));
    clear(&mut talk);
    // Its reply is not the client's.
    talk.says(OK);
    assert!(talk.to_consumer.is_empty());
    let held = talk.asks(&query("begin"));
    talk.write(Direction::ToProvider, &held[0].1);
    talk.says(OK);
    assert_eq!(talk.to_consumer, OK);
}

#[test]
fn rows_are_said_in_both_forms_of_the_end() {
    for (can, ends) in [
        (0, [packet(3, &[0xfe, 0, 0, 2, 0]), packet(5, &[0xfe, 0, 0, 2, 0])].concat()),
        (1 << 24, packet(4, &[0xfe, 0, 0, 2, 0, 0, 0])),
    ] {
        let mut talk = talk(can);
        let held = talk.asks(&query("select id from t"));
        talk.answer(held[0].0, r#"{"rows":[{"id":7}]}"#);
        let said = talk.to_consumer.clone();
        assert_eq!(said[..5], packet(1, &[1]));
        assert!(said.ends_with(&ends[ends.len() - 9..]), "{said:?}");
        // It is read back as the same.
        let mut read = self::talk(can);
        let held = read.asks(&query("select id from t"));
        read.write(Direction::ToProvider, &held[0].1);
        read.says(&said);
        assert_eq!(read.to_consumer, said);
    }
}

#[test]
fn a_statement_is_sent_twice_and_answered_once() {
    let mut talk = talk(0);
    let held = talk.asks(&query("insert into t values (1)"));
    let (call, bytes) = held[0].clone();
    let again = talk.splitter.again(call, &bytes).expect("it can be repeated");
    talk.write(Direction::ToProvider, &[bytes.as_slice(), &again].concat());
    talk.says(OK);
    talk.says(&packet(1, b"\xff\x26\x04#23000Duplicate entry"));
    assert_eq!(talk.to_consumer, OK);
    clear(&mut talk);
    talk.asks(&packet(0, b"\x0e"));
    talk.says(OK);
    assert_eq!(talk.to_consumer, OK);
}

#[test]
fn a_prepared_statement_is_known_by_its_text() {
    let mut talk = talk(0);
    talk.asks(&packet(0, b"\x16select a from t where id = ?"));
    let column = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0";
    let reply = [
        packet(1, &[0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]),
        packet(2, b"\x03def\0\0\0\x01?\0\x0c\x3f\0\0\0\0\0\x06\x80\0\0\0\0"),
        packet(3, &[0xfe, 0, 0, 2, 0]),
        packet(4, column),
        packet(5, &[0xfe, 0, 0, 2, 0]),
    ]
    .concat();
    talk.says(&reply);
    clear(&mut talk);
    let execute = packet(0, b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x08\0\x05\0\0\0\0\0\0\0");
    let held = talk.asks(&execute);
    let expect = r#"{"command":"execute","statement":"select a from t where id = ?","parameters":[5]}"#;
    assert_eq!(talk.requests[0].1.to_string(), expect);
    // Said in binary form, in the type that the server described.
    talk.answer(held[0].0, r#"{"rows":[{"a":7},{"a":null}]}"#);
    let row = packet(4, &[0, 0, 7, 0, 0, 0]);
    let null = packet(5, &[0, 4]);
    let found = talk
        .to_consumer
        .windows(row.len() + null.len())
        .any(|bytes| bytes == [row.clone(), null.clone()].concat());
    assert!(found, "{:?}", talk.to_consumer);
}

#[test]
fn what_mysql_cannot_say() {
    let mut talk = talk(0);
    let held = talk.asks(&query("select 1"));
    for answer in [
        r#"{"status":503}"#,
        r#"{"error":"40001x"}"#,
        r#"{"rows":1}"#,
        r#"{"rows":[1]}"#,
        r#"{"rows":[{"a":1}],"affected":1}"#,
        r#"{"error":{"code":1,"state":"x"}}"#,
        "1",
    ] {
        assert!(talk.splitter.answer(held[0].0, &parse(answer).expect("JSON")).is_err(), "{answer}");
    }
    assert!(talk.splitter.answer(held[0].0, &parse(r#"{"error":"1205"}"#).expect("JSON")).is_ok());
}

#[test]
fn nobody_lets_in_and_keeps_transactions() {
    let mut talk = alone();
    let said = |talk: &mut Talk| std::mem::take(&mut talk.to_consumer);
    for (asked, expect) in [
        (query("SET NAMES utf8mb4"), packet(1, &[0, 0, 0, 2, 0, 0, 0])),
        (query("BEGIN"), packet(1, &[0, 0, 0, 3, 0, 0, 0])),
        (packet(0, b"\x0e"), packet(1, &[0, 0, 0, 3, 0, 0, 0])),
        (query("COMMIT"), packet(1, &[0, 0, 0, 2, 0, 0, 0])),
    ] {
        assert!(talk.asks(&asked).is_empty());
        assert_eq!(said(&mut talk), expect);
    }
    let held = talk.asks(&query("select * from books"));
    assert_eq!(
        talk.requests[0].1.to_string(),
        r#"{"command":"query","statement":"select * from books","parameters":[]}"#
    );
    talk.answer(held[0].0, r#"{"status":404,"text":"no stub answers this\n"}"#);
    assert_eq!(said(&mut talk), packet(1, b"\xff\x51\x04#HY000no stub answers this"));
    talk.asks(&packet(0, b"\x16insert into t values (?, '?')"));
    assert_eq!(said(&mut talk)[..16], packet(1, &[0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]));
    assert!(talk.to_provider.is_empty());
}

#[test]
fn a_statement_of_more_than_16_mib_goes_on_in_the_next_packet() {
    let mut talk = talk(0);
    let full = 0xff_ffff;
    let sql = [b"\x03".as_slice(), &vec![b'x'; full + 10]].concat();
    let bytes = [packet(0, &sql[..full]), packet(1, &sql[full..])].concat();
    let mut given = Vec::new();
    let mut n_requests = 0;
    for chunk in bytes.chunks(1_000_000) {
        for (_, bytes) in talk.asks(chunk) {
            n_requests += 1;
            given.extend_from_slice(&bytes);
        }
        given.append(&mut talk.to_provider);
    }
    assert_eq!(n_requests, 1);
    assert!(given == bytes);
    // The reply is numbered behind the last packet.
    talk.says(&packet(2, &OK[4..]));
    assert_eq!(talk.to_consumer, packet(2, &OK[4..]));
}

/// A command of more than 16 MiB on a compressed connection, as it is written: frames that count from nought.
#[test]
fn a_large_command_in_compressed_frames() {
    // The second packet's number: as it should be, and as MariaDB's own client says it.
    large_in_compressed_frames(1);
    large_in_compressed_frames(0);
}

fn large_in_compressed_frames(second_number: u8) {
    let case = every_case().find(|case| case.path.ends_with("mysql-mariadb-compressed.capture")).expect("it");
    let mut splitter = begin(case.protocol, Behind::Provider, Limits::default());
    let mut pieces = Vec::new();
    let mut heard = Vec::new();
    let mut talk = |splitter: &mut dyn Splitter, to: Direction, bytes: &[u8]| {
        splitter.cut(to, bytes, &mut pieces).expect("no surprise");
        for piece in pieces.drain(..) {
            let written = splitter.passes(piece.to, piece.bytes);
            if piece.to == Direction::ToProvider {
                heard.extend(written);
            }
        }
        std::mem::take(&mut heard)
    };
    for chunk in case.pieces.iter().take(5) {
        if let crate::capture::Piece::Bytes(to, bytes) = chunk {
            talk(&mut *splitter, *to, bytes);
        }
    }
    let payload = [&[3], &vec![b'x'; 17_000_000][..]].concat();
    let (first, second) = payload.split_at(0xff_ffff);
    let length = |n: usize| u32::try_from(n).expect("small").to_le_bytes();
    let plain =
        [b"\xff\xff\xff\0".as_slice(), first, &length(second.len())[..3], &[second_number], second].concat();
    let mut frames = Vec::new();
    for (seq, part) in plain.chunks(16 * 1024).enumerate() {
        frames.extend_from_slice(&length(part.len())[..3]);
        frames.push(u8::try_from(seq % 256).expect("a byte"));
        frames.extend_from_slice(&[0, 0, 0]);
        frames.extend_from_slice(part);
    }
    let mut written = Vec::new();
    for part in frames.chunks(64 * 1024) {
        written.extend(talk(&mut *splitter, Direction::ToProvider, part));
    }
    let (mut rest, mut n_frames, mut unpacked) = (written.as_slice(), 0_usize, Vec::new());
    while let [a, b, c, seq, 0, 0, 0, later @ ..] = rest {
        assert_eq!(usize::from(*seq), n_frames % 256);
        let (part, later) = later.split_at(usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16);
        unpacked.extend_from_slice(part);
        (rest, n_frames) = (later, n_frames + 1);
    }
    assert!(rest.is_empty() && unpacked == plain, "{n_frames} frames");
}
