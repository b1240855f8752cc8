//! AMQP held: contents lost and doubled with both sides counting right, channels that fail alone, and a broker that isn't
//! there.

use crate::splits::begin;
use seam_value::parse;
use seam_wire::{Behind, Call, Direction, Limits, Of, Passed, Piece, Splitter, protocol};

const UP: Direction = Direction::ToProvider;
const DOWN: Direction = Direction::ToConsumer;

/// A frame in words: its kind, channel and payload.
fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    [&[kind][..], &channel.to_be_bytes(), &length.to_be_bytes(), payload, &[0xCE]].concat()
}

fn method(channel: u16, (class, id): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &id.to_be_bytes(), arguments].concat())
}

fn content(channel: u16, body: &[u8]) -> Vec<u8> {
    let length = u64::try_from(body.len()).expect("short");
    let head = [&[0, 60, 0, 0][..], &length.to_be_bytes(), &[0, 0]].concat();
    let parts: Vec<u8> = body.chunks(4).flat_map(|part| frame(3, channel, part)).collect();
    [frame(2, channel, &head), parts].concat()
}

fn publish(channel: u16, body: &[u8]) -> Vec<u8> {
    [method(channel, (60, 40), b"\0\0\0\x01q\0"), content(channel, body)].concat()
}

fn deliver(channel: u16, tag: u64, body: &[u8]) -> Vec<u8> {
    let arguments = [&b"\x01c"[..], &tag.to_be_bytes(), b"\0\0\x01q"].concat();
    [method(channel, (60, 60), &arguments), content(channel, body)].concat()
}

/// Settles: `ack` (80) or `nack` (120).
fn settle(channel: u16, id: u16, tag: u64, flags: u8) -> Vec<u8> {
    method(channel, (60, id), &[&tag.to_be_bytes()[..], &[flags]].concat())
}

fn ack(channel: u16, tag: u64, multiple: bool) -> Vec<u8> {
    settle(channel, 80, tag, u8::from(multiple))
}

const PURGE: &[u8] = b"\0\0\x01q\0";

/// What becomes of the messages, in their order.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Passes,
    Lost,
    Doubled,
    Refused(&'static str),
}

use Fate::{Doubled, Lost, Passes, Refused};

struct Line {
    splitter: Box<dyn Splitter>,
    fates: Vec<Fate>,
    calls: Vec<Call>,
    /// By direction.
    heard: [Vec<u8>; 2],
}

impl Line {
    /// A connection with channels 1 and 2, the first of which counts what it publishes.
    fn open(behind: Behind) -> Self {
        let splitter = begin(protocol("amqp").expect("amqp"), behind, Limits::default());
        let mut line =
            Self { splitter, fates: Vec::new(), calls: Vec::new(), heard: [Vec::new(), Vec::new()] };
        line.say(UP, b"AMQP\0\0\x09\x01");
        for channel in [1, 2] {
            line.say(UP, &method(channel, (20, 10), b"\0"));
            line.say_there(behind, &method(channel, (20, 11), b"\0\0\0\0"));
        }
        line.say(UP, &method(1, (85, 10), b"\0"));
        line.pass_calls(behind);
        line.say_there(behind, &method(1, (85, 11), b""));
        line.say(UP, &method(2, (60, 20), b"\0\0\x01q\x01c\0\0\0\0\0"));
        line.pass_calls(behind);
        line.say_there(behind, &method(2, (60, 21), b"\x01c"));
        line.heard = [Vec::new(), Vec::new()];
        line
    }

    fn say_there(&mut self, behind: Behind, bytes: &[u8]) {
        if behind == Behind::Provider {
            self.say(DOWN, bytes);
        }
    }

    fn pass_calls(&mut self, behind: Behind) {
        assert_eq!(std::mem::take(&mut self.calls).len(), usize::from(behind == Behind::Provider));
    }

    fn say(&mut self, to: Direction, bytes: &[u8]) {
        let mut pieces = Vec::new();
        self.splitter.cut(to, bytes, &mut pieces).expect("no surprise");
        for piece in pieces {
            self.take(piece);
        }
    }

    fn take(&mut self, piece: Piece) {
        let Piece { to, bytes, of } = piece;
        let is_message = matches!(of, Of::Message { .. }) && !bytes.is_empty();
        if let Of::Request { call, .. } = of {
            self.calls.push(call);
        }
        let fate = if is_message && !self.fates.is_empty() { self.fates.remove(0) } else { Passes };
        match fate {
            Passes => self.write(to, bytes),
            Lost => {}
            Doubled => {
                let again = self.splitter.deliver_again(&bytes).expect("it can be");
                self.write(to, bytes);
                self.write(to, again);
            }
            Refused(answer) => {
                let answer = parse(answer).expect("JSON");
                let said = self.splitter.refuse(&bytes, &answer).expect("it can be");
                self.write(if to == UP { DOWN } else { UP }, said);
            }
        }
    }

    fn write(&mut self, to: Direction, bytes: Vec<u8>) {
        let written = self.splitter.passes(to, bytes);
        self.heard[usize::from(to == DOWN)].extend_from_slice(&written);
        let mut follows = Vec::new();
        self.splitter.follow(&mut follows);
        for piece in follows {
            self.take(piece);
        }
    }

    #[track_caller]
    fn hears(&mut self, to: Direction, expect: &[&[u8]]) {
        let heard = std::mem::take(&mut self.heard[usize::from(to == DOWN)]);
        assert_eq!(heard.escape_ascii().to_string(), expect.concat().escape_ascii().to_string());
    }
}

#[test]
fn confirms_are_of_what_was_published() {
    let mut line = Line::open(Behind::Provider);
    line.fates = vec![Passes, Lost, Doubled, Passes, Refused(r#"{"error":"nack"}"#), Passes];
    for body in [b"0", b"1", b"2", b"3", b"4", b"5"] {
        line.say(UP, &publish(1, body));
    }
    let sent: Vec<Vec<u8>> = [b"0", b"2", b"2", b"3", b"5"].map(|body| publish(1, body)).to_vec();
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    line.hears(UP, &sent);
    line.hears(DOWN, &[&settle(1, 120, 5, 0)]);
    // The broker has 0, 2, 2 again, 3 and 5, as its 1 to 5.
    line.say(DOWN, &ack(1, 2, true));
    line.hears(DOWN, &[&ack(1, 1, false), &ack(1, 3, false)]);
    line.say(DOWN, &ack(1, 3, false));
    line.hears(DOWN, &[]);
    line.say(DOWN, &settle(1, 120, 5, 1));
    line.hears(DOWN, &[&settle(1, 120, 4, 0), &settle(1, 120, 6, 0)]);
}

#[test]
fn more_are_published_than_a_mark_can_count() {
    let mut line = Line::open(Behind::Provider);
    for _ in 0..70_000 {
        line.say(UP, &publish(1, b"x"));
    }
    line.say(DOWN, &ack(1, 70_000, true));
    line.hears(DOWN, &[&ack(1, 70_000, true)]);
    line.fates = vec![Lost];
    line.say(UP, &publish(1, b"y"));
    line.say(UP, &publish(1, b"z"));
    line.say(DOWN, &ack(1, 70_001, false));
    line.hears(DOWN, &[&ack(1, 70_002, false)]);
}

#[test]
fn deliveries_are_acknowledged_as_the_broker_counts() {
    let mut line = Line::open(Behind::Provider);
    line.fates = vec![Passes, Lost, Doubled, Passes];
    for (tag, body) in [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")] {
        line.say(DOWN, &deliver(2, tag, body));
    }
    let mut again = deliver(2, 3, b"c");
    again[21] = 1;
    line.hears(DOWN, &[&deliver(2, 1, b"a"), &deliver(2, 2, b"c"), &again, &deliver(2, 4, b"d")]);
    line.say(UP, &ack(2, 3, false));
    line.hears(UP, &[]);
    line.say(UP, &ack(2, 2, true));
    line.hears(UP, &[&ack(2, 1, false), &ack(2, 3, false)]);
    line.say(UP, &settle(2, 120, 0, 3));
    line.hears(UP, &[&settle(2, 120, 4, 2)]);
    line.fates = vec![Refused(r#"{"error":"reject"}"#)];
    line.say(DOWN, &deliver(2, 5, b"e"));
    line.hears(DOWN, &[]);
    line.hears(UP, &[&settle(2, 90, 5, 0)]);
}

#[test]
fn a_channel_fails_and_its_neighbour_goes_on() {
    let mut line = Line::open(Behind::Provider);
    line.say(UP, &method(1, (50, 30), PURGE));
    let call = line.calls.pop().expect("a call");
    line.heard[0].clear();
    let answer = parse(r#"{"error":{"code":404,"text":"gone"}}"#).expect("JSON");
    let said = line.splitter.answer(call, &answer).expect("an answer");
    let instead = line.splitter.instead(call, &answer);
    line.write(DOWN, said);
    line.write(UP, instead);
    line.hears(DOWN, &[&method(1, (20, 40), b"\x01\x94\x04gone\0\x32\0\x1e")]);
    line.hears(UP, &[&method(1, (20, 40), b"\0\xc8\0\0\0\0\0")]);
    // What is still on its way on this channel goes nowhere; on the other it does.
    line.say(DOWN, &deliver(1, 1, b"late"));
    line.say(UP, &publish(1, b"late"));
    line.say(DOWN, &deliver(2, 1, b"here"));
    line.say(UP, &publish(2, b"here"));
    line.hears(DOWN, &[&deliver(2, 1, b"here")]);
    line.hears(UP, &[&publish(2, b"here")]);
    // Both say that they know, and it is opened anew before the broker has said so, too: which hears of it only then.
    line.say(UP, &method(1, (20, 41), b""));
    line.say(UP, &method(1, (20, 10), b"\0"));
    line.say(UP, &publish(1, b"first"));
    let one = method(2, (20, 40), b"");
    line.say(UP, &one[..5]);
    line.hears(UP, &[]);
    line.say(DOWN, &method(1, (20, 41), b""));
    line.say(DOWN, &method(1, (20, 11), b"\0\0\0\0"));
    line.hears(UP, &[&method(1, (20, 10), b"\0"), &publish(1, b"first")]);
    line.say(UP, &one[5..]);
    line.hears(UP, &[&one]);
    line.hears(DOWN, &[&method(1, (20, 11), b"\0\0\0\0")]);
    line.say(DOWN, &deliver(1, 1, b"new"));
    line.hears(DOWN, &[&deliver(1, 1, b"new")]);
}

#[test]
fn a_call_or_a_message_is_broken_off_with_its_channel_alone() {
    for is_message in [false, true] {
        let mut line = Line::open(Behind::Provider);
        let broken = if is_message {
            line.splitter.break_off_message(&publish(1, b"x"))
        } else {
            line.say(UP, &method(1, (50, 30), PURGE));
            let call = line.calls.pop().expect("a call");
            line.heard[0].clear();
            line.splitter.break_off(call, Passed::On)
        };
        let broken = broken.expect("a channel");
        line.write(DOWN, broken.to_consumer);
        line.write(UP, broken.to_provider);
        let of = if is_message { b"\0\x3c\0\x28" } else { b"\0\x32\0\x1e" };
        let text = [&b"\x01\x96\x15the channel was reset"[..], of].concat();
        line.hears(DOWN, &[&method(1, (20, 40), &text)]);
        line.hears(UP, &[&method(1, (20, 40), b"\0\xc8\0\0\0\0\0")]);
        line.say(DOWN, &method(1, (50, 31), b"\0\0\0\x01"));
        line.say(DOWN, &deliver(2, 1, b"here"));
        line.hears(DOWN, &[&deliver(2, 1, b"here")]);
    }
}

#[test]
fn what_is_said_on_a_channel_that_nobody_opened_is_for_the_broker_to_refuse() {
    let mut line = Line::open(Behind::Provider);
    line.say(UP, &publish(7, b"x"));
    line.hears(UP, &[&publish(7, b"x")]);
}

#[test]
fn a_repeated_call_has_one_reply() {
    let mut line = Line::open(Behind::Provider);
    let purge = method(2, (50, 30), PURGE);
    line.say(UP, &purge);
    let call = line.calls.pop().expect("a call");
    assert_eq!(line.splitter.again(call, &purge).as_deref(), Ok(&purge[..]));
    let purged = method(2, (50, 31), b"\0\0\0\x01");
    line.say(DOWN, &purged);
    line.say(DOWN, &method(2, (50, 31), b"\0\0\0\0"));
    line.hears(DOWN, &[&purged]);
}

#[test]
fn frames_of_two_channels_between_each_other() {
    let mut line = Line::open(Behind::Provider);
    let (one, two) = (publish(1, b"aaaabbbb"), publish(2, b"cccc"));
    let at = one.len() - 12;
    line.say(UP, &[&one[..at], &two, &one[at..]].concat());
    line.hears(UP, &[&two, &one]);
}

#[test]
fn pushed_to_the_newest_consumer() {
    let mut line = Line::open(Behind::Provider);
    let message = parse(r#"{"topic":"t","body":{"n":1},"headers":{"h":"x"}}"#).expect("JSON");
    let pushed = line.splitter.push(&message).expect("a consumer");
    line.write(DOWN, pushed);
    let heard = String::from_utf8_lossy(&line.heard[1]).into_owned();
    assert!(heard.contains("application/json") && heard.contains(r#"{"n":1}"#), "{heard}");
    line.heard[1].clear();
    line.say(DOWN, &deliver(2, 1, b"real"));
    line.hears(DOWN, &[&deliver(2, 2, b"real")]);
    line.say(UP, &ack(2, 2, true));
    line.hears(UP, &[&ack(2, 1, false)]);
    line.say(UP, &method(2, (60, 30), b"\x01c\0"));
    assert!(line.splitter.push(&message).is_err());
}

#[test]
fn nobody_confirms_what_was_not_lost() {
    let mut line = Line::open(Behind::Nobody);
    line.fates = vec![Passes, Lost, Passes];
    for body in [b"0", b"1", b"2"] {
        line.say(UP, &publish(1, body));
    }
    line.hears(UP, &[]);
    line.hears(DOWN, &[&ack(1, 1, false), &ack(1, 3, false)]);
}

#[test]
fn answers_that_cannot_be_said() {
    let mut line = Line::open(Behind::Provider);
    line.say(UP, &method(2, (50, 30), PURGE));
    let call = line.calls.pop().expect("a call");
    for answer in [
        r#""gone""#,
        r#"{"status":503}"#,
        r#"{"error":"no such thing"}"#,
        r#"{"message_count":"many"}"#,
        r#"{"method":"queue.delete-ok"}"#,
        r#"{"queue":"q"}"#,
    ] {
        let answer = parse(answer).expect("JSON");
        assert!(line.splitter.answer(call, &answer).is_err(), "{answer}");
    }
    let answer = parse(r#"{"message_count":3}"#).expect("JSON");
    let said = line.splitter.answer(call, &answer).expect("an answer");
    assert_eq!(said, method(2, (50, 31), b"\0\0\0\x03"));
}
