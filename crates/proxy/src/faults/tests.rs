//! Reading faults, and what each does, as tables.

use super::*;
use seam_value::parse;

fn effect_on(fault: &str, reply: &str) -> Option<Effect> {
    let fault = read_fault(&parse(fault).unwrap()).unwrap();
    let parts = Parts { reply: parse(reply).unwrap(), ..Parts::default() };
    let chance = Chance::new(1, "test");
    fault.effect(&Struck {
        chance: &chance,
        parts: &parts,
        is_message: false,
        is_whole: true,
        says_texts: true,
        at: Duration::ZERO,
    })
}

#[test]
fn every_kind_has_a_text_and_an_example_that_can_be_read() {
    for kind in FAULTS {
        let word = &kind.word;
        assert!(word.text.ends_with('.') && !word.line.ends_with('.'), "{}", word.name);
        assert!(word.example.contains(word.name), "{}", word.name);
    }
}

#[test]
fn mistakes_are_told() {
    for (fault, expected) in [
        (r#""refused""#, "there is no fault `refused`"),
        (r#"{"latency":2}"#, "`latency` takes a duration"),
        (r#"{"latency":"2"}"#, "needs a unit"),
        (r#"{"latency":"2s","per":"1s"}"#, "`latency` has no `per`"),
        (r#"{"reset":"later"}"#, "before, after or answered"),
        (r#"{"reset":"after","connection":"yes"}"#, "true or false"),
        (r#"{"mistype":"body.a","as":"float"}"#, "`as` is one of"),
        (r#"{"rate_limit":"many"}"#, "takes a number"),
        (r#"{"hang":"2s"}"#, "`hang` takes nothing"),
        (r"[]", "a word or a map"),
        (r"{}", "a word or a map"),
    ] {
        let error = read_fault(&parse(fault).unwrap()).unwrap_err();
        assert!(error.contains(expected), "{fault}: {error}");
    }
}

#[test]
fn effects() {
    let said = |text: &str| Some(Effect::Change(parse(text).unwrap()));
    let answered = |text: &str| Some(Effect::Answer(parse(text).unwrap()));
    for (fault, reply, expected) in [
        (r#""reset""#, "null", Some(Effect::Reset(Extent::Call))),
        (r#"{"reset":"after"}"#, "null", Some(Effect::ResetAfter(Extent::Call))),
        (r#"{"reset":"before","connection":true}"#, "null", Some(Effect::Reset(Extent::Connection))),
        (r#"{"latency":"2s"}"#, "null", Some(Effect::Wait(Duration::from_secs(2)))),
        (r#"{"cut":"8s"}"#, "null", Some(Effect::Cut(Duration::from_secs(8)))),
        (r#"{"status":503,"json":{}}"#, "null", answered(r#"{"status":503,"json":{}}"#)),
        (r#"{"error":"40001"}"#, "null", answered(r#"{"error":"40001"}"#)),
        (r#"{"mistype":"body.a"}"#, r#"{"body":{"a":1},"text":"x"}"#, said(r#"{"body":{"a":null}}"#)),
        (r#"{"mistype":"body.a","as":"absent"}"#, r#"{"body":{"a":1,"b":2}}"#, said(r#"{"body":{"b":2}}"#)),
        (r#"{"mistype":"body.*.a","as":"text"}"#, r#"{"body":[{"a":1}]}"#, said(r#"{"body":[{"a":"1"}]}"#)),
        (
            r#"{"mistype":"body.d","as":"date"}"#,
            r#"{"body":{"d":"2026-01-31"}}"#,
            said(r#"{"body":{"d":"31/01/2026"}}"#),
        ),
        (r#"{"mistype":"body.z"}"#, r#"{"body":{"a":1}}"#, None),
        (r#""truncate""#, "null", Some(Effect::Truncate(None))),
        (r#"{"truncate":"4B"}"#, "null", Some(Effect::Truncate(Some(4)))),
        (r#"{"truncate":"6B"}"#, "null", Some(Effect::Truncate(Some(6)))),
        (r#""garble""#, r#"{"status":101,"body":null,"text":""}"#, None),
        (r#"{"mistype":"text","as":"empty"}"#, r#"{"body":{"a":1},"text":"x"}"#, said(r#"{"text":""}"#)),
        (r#""garble""#, r#"{"body":{"a":1}}"#, said("{\"text\":\"{\\\"\u{fffd}\\\":1}\"}")),
        (r#"{"mistype":"message.body.a"}"#, r#"{"body":{"a":1}}"#, None),
        (r#"{"mistype":"body.a","as":"boolean"}"#, r#"{"body":{"a":true}}"#, None),
        (r#"{"mistype":"body.a","as":"date"}"#, r#"{"body":{"a":"no day"}}"#, None),
        (r#"{"mistype":"body.a","as":"date"}"#, r#"{"body":{"a":7}}"#, None),
        (
            r#"{"mistype":"headers.content-type","as":"absent"}"#,
            r#"{"headers":{"content-type":"a/b"}}"#,
            said(r#"{"headers":{"content-type":null}}"#),
        ),
        (r#""garble""#, r#"{"status":204}"#, None),
        (r#""garble""#, r#"{"text":"abcdefgh","body":"x"}"#, said("{\"text\":\"ab\u{fffd}defg\u{fffd}\"}")),
        (r#""garble""#, r#"{"text":"ok"}"#, said("{\"text\":\"o\u{fffd}\"}")),
        (r#""garble""#, r#"{"body":{"base64":"AAAAAA=="}}"#, said(r#"{"body":{"base64":"AABaAA=="}}"#)),
    ] {
        assert_eq!(effect_on(fault, reply), expected, "{fault}");
    }
}

#[test]
fn what_is_left_of_replies() {
    for (most, expected) in [(None, 3), (Some(4), 4), (Some(99), 6), (Some(0), 0)] {
        assert_eq!(truncated(6, most), expected);
    }
    for (content, expected) in [
        (&b"abcdef"[..], &b"ab9def"[..]),
        (b"", b""),
        (b"a", b";"),
        (b"ok", b"o1"),
        // What would not be seen, or would end the line.
        (b"abPab#", b"ab#ab#"),
        (b"ab#", b"aby"),
        // A character of several bytes, the end of a line.
        ("ab\u{e4}x".as_bytes(), "ab\u{e4}x".as_bytes()),
        (b"ab\nabcd", b"ab\nabcd"),
        // No text.
        (&[0, 0, 0, 7], &[0, 0, 0x5a, 7]),
    ] {
        let mut noisy = content.to_vec();
        noise(&mut noisy);
        assert_eq!(noisy, expected, "{content:?}");
    }
}

#[test]
fn a_field_of_a_message_is_none_of_a_reply() {
    let chance = Chance::new(1, "test");
    let message = parse(r#"{"topic":"t","body":{"a":1},"text":"{\"a\":1}"}"#).unwrap();
    let parts = Parts { message, ..Parts::default() };
    for (fault, expected) in [
        (r#"{"mistype":"message.body.a","as":"text"}"#, Some(r#"{"topic":"t","body":{"a":"1"}}"#)),
        (r#"{"mistype":"message.text"}"#, Some(r#"{"topic":"t","text":null}"#)),
        (r#"{"mistype":"body.a"}"#, None),
    ] {
        let fault = read_fault(&parse(fault).unwrap()).unwrap();
        let (is_whole, says_texts, at) = (true, false, Duration::ZERO);
        let effect = fault.effect(&Struck {
            chance: &chance,
            parts: &parts,
            is_message: true,
            is_whole,
            says_texts,
            at,
        });
        assert_eq!(effect, expected.map(|said| Effect::Change(parse(said).unwrap())));
    }
}

/// What nobody answers can't lose its answer: it arrives, and what carried it is reset.
#[test]
fn a_message_arrives_before_its_connection_is_reset() {
    let chance = Chance::new(1, "test");
    let parts = Parts::default();
    for (fault, is_whole, expected) in [
        (r#"{"reset":"answered"}"#, true, Some(Effect::ResetAfter(Extent::Call))),
        (r#"{"reset":"answered","connection":true}"#, true, Some(Effect::ResetAfter(Extent::Connection))),
        (r#"{"reset":"answered"}"#, false, None),
        (r#""reset""#, true, Some(Effect::Reset(Extent::Call))),
        (r#""reply_lost""#, true, Some(Effect::LoseReply(Extent::Call))),
    ] {
        let read = read_fault(&parse(fault).unwrap()).unwrap();
        let (is_message, says_texts, at) = (true, false, Duration::ZERO);
        let struck = Struck { chance: &chance, parts: &parts, is_message, is_whole, says_texts, at };
        assert_eq!(read.effect(&struck), expected, "{fault} {is_whole}");
    }
}

#[test]
fn jitter_stays_within_its_bounds() {
    for seed in 0..200 {
        let fault = read_fault(&parse(r#"{"latency":"100ms","jitter":"40ms"}"#).unwrap()).unwrap();
        let chance = Chance::new(seed, "test");
        let parts = Parts::default();
        let struck = Struck {
            chance: &chance,
            parts: &parts,
            is_message: false,
            is_whole: true,
            says_texts: true,
            at: Duration::ZERO,
        };
        let Some(Effect::Wait(waits)) = fault.effect(&struck) else { panic!("no wait") };
        assert!((60..=140).contains(&waits.as_millis()), "{waits:?}");
    }
}

#[test]
fn what_is_too_long_to_be_kept_is_garbled_where_it_is_and_not_said_twice() {
    let chance = Chance::new(7, "test");
    let parts = Parts::default();
    let on = |fault: &str, says_texts| {
        let fault = read_fault(&parse(fault).unwrap()).unwrap();
        let (is_message, is_whole, at) = (false, false, Duration::ZERO);
        fault.effect(&Struck { chance: &chance, parts: &parts, is_message, is_whole, says_texts, at })
    };
    for says_texts in [true, false] {
        assert_eq!(on(r#""garble""#, says_texts), Some(Effect::Garble));
    }
    assert_eq!(on(r#""duplicate""#, true), None);
}
