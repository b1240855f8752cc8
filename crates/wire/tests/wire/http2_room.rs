//! HTTP/2 held: nobody gets more than it has room for, and all that it has room for.

use crate::http2_talk::{DOWN, END, END_HEADERS, GET, POST, Talk, UP, frame, kinds};
use seam_value::Value;
use seam_wire::{Behind, Of, Rest};

#[test]
fn nobody_gets_more_than_it_has_room_for() {
    let mut talk = Talk::new(Behind::Provider);
    talk.says(UP, &frame(1, END_HEADERS, 1, POST));
    talk.heard();
    for place in 0..10 {
        talk.says(UP, &frame(0, if place == 9 { END } else { 0 }, 1, &[b'x'; 16_384]));
    }
    // What is gathered is let in: for the connection, and for the stream.
    let heard = talk.heard();
    assert_eq!(kinds(&heard).iter().filter(|kind| **kind == (8, 0)).count(), 10);
    assert_eq!(kinds(&heard).iter().filter(|kind| **kind == (8, 1)).count(), 9);
    let (_, bytes) = talk.held.remove(0);
    assert!(bytes.len() > 163_840);
    talk.write(UP, bytes);
    assert_eq!(n_data(&talk.passed()), 65_535);
    // Room on the stream alone is of no use.
    talk.says(DOWN, &frame(8, 0, 1, &1_000_000u32.to_be_bytes()));
    assert_eq!(n_data(&talk.passed()), 0);
    talk.says(DOWN, &frame(8, 0, 0, &100u32.to_be_bytes()));
    assert_eq!(n_data(&talk.passed()), 100);
    talk.says(DOWN, &frame(8, 0, 0, &1_000_000u32.to_be_bytes()));
    let passed = talk.passed();
    assert_eq!(n_data(&passed), 163_840 - 65_635);
    assert_eq!(passed.last().map(|(kind, flags, ..)| (*kind, *flags)), Some((0, END)));
    // None of that credit was for the consumer.
    assert_eq!(talk.heard(), []);
}

#[test]
fn an_answer_waits_for_room_and_the_provider_hears_nothing_of_it() {
    let mut talk = Talk::new(Behind::Provider);
    talk.says(UP, &frame(1, END | END_HEADERS, 1, GET));
    talk.passed();
    talk.heard();
    let (call, _) = talk.held.remove(0);
    talk.answer(call, &format!(r#"{{"body":"{}","trailers":{{"x-sum":"1"}}}}"#, "y".repeat(70_000)));
    let heard = talk.heard();
    assert_eq!(heard.iter().map(|(.., payload)| payload.len()).skip(1).sum::<usize>(), 65_535);
    talk.says(
        UP,
        &[frame(8, 0, 0, &10_000u32.to_be_bytes()), frame(8, 0, 1, &10_000u32.to_be_bytes())].concat(),
    );
    let heard = talk.heard();
    assert_eq!(kinds(&heard), [(0, 1), (0, 1), (1, 1)]);
    assert_eq!(heard[0].3.len() + heard[1].3.len(), 70_000 - 65_535);
    assert_eq!(heard[2].1, END | END_HEADERS);
    assert_eq!(talk.passed(), []);
}

#[test]
fn a_larger_window_counts_once_its_receiver_knows_that_it_is_known() {
    let mut talk = Talk::new(Behind::Provider);
    let window = |window: u32| frame(4, 0, 0, &[&[0, 4], &window.to_be_bytes()[..]].concat());
    talk.says(UP, &window(100_000));
    talk.says(UP, &frame(8, 0, 0, &1_000_000_u32.to_be_bytes()));
    talk.says(UP, &frame(1, END | END_HEADERS, 1, GET));
    talk.heard();
    let (call, _) = talk.held.remove(0);
    talk.answer(call, &format!(r#"{{"body":"{}"}}"#, "y".repeat(90_000)));
    assert_eq!(n_data(&talk.heard()), 65_535);
    // That is for the settings with which it began.
    talk.says(DOWN, &frame(4, 1, 0, b""));
    assert_eq!(n_data(&talk.heard()), 0);
    talk.says(DOWN, &frame(4, 1, 0, b""));
    let heard = talk.heard();
    assert_eq!(heard.first().map(|(kind, flags, ..)| (*kind, *flags)), Some((4, 1)));
    assert_eq!(n_data(&heard), 90_000 - 65_535);
    // A smaller one counts at once.
    talk.says(UP, &window(10));
    talk.says(UP, &frame(1, END | END_HEADERS, 3, GET));
    let (call, _) = talk.held.remove(0);
    talk.answer(call, &format!(r#"{{"body":"{}"}}"#, "y".repeat(100)));
    assert_eq!(n_data(&talk.heard()), 10);
}

fn n_data(frames: &[(u8, u8, u32, Vec<u8>)]) -> usize {
    frames.iter().filter(|(kind, ..)| *kind == 0).map(|(.., payload)| payload.len()).sum()
}

/// What the consumer has received of the provider's settings is no receipt of its own.
#[test]
fn receipts_count_for_the_settings_of_the_other_side() {
    let mut talk = Talk::new(Behind::Provider);
    let window = |window: u32| frame(4, 0, 0, &[&[0, 4], &window.to_be_bytes()[..]].concat());
    talk.says(UP, &frame(4, 1, 0, b""));
    talk.says(DOWN, &frame(4, 1, 0, b""));
    talk.says(UP, &frame(8, 0, 0, &1_000_000_u32.to_be_bytes()));
    talk.says(UP, &window(100_000));
    talk.says(DOWN, &frame(4, 1, 0, b""));
    talk.says(UP, &window(10));
    talk.says(DOWN, &frame(4, 1, 0, b""));
    talk.says(UP, &frame(1, END | END_HEADERS, 1, GET));
    talk.heard();
    let (call, _) = talk.held.remove(0);
    talk.answer(call, &format!(r#"{{"body":"{}"}}"#, "y".repeat(90_000)));
    assert_eq!(n_data(&talk.heard()), 10);
}

/// A reply that is whole here may be far from written: its receiver's credit counts all the same.
#[test]
fn credit_counts_until_all_is_written() {
    let mut talk = Talk::new(Behind::Provider);
    talk.says(UP, &frame(1, END | END_HEADERS, 1, GET));
    let (_, bytes) = talk.held.remove(0);
    talk.write(UP, bytes);
    let reply = [
        frame(1, END_HEADERS, 1, &[0x88]),
        frame(0, 0, 1, &[b'x'; 16_384]),
        [0; 4].map(|_| frame(0, 0, 1, &[b'x'; 16_384])).concat(),
        frame(0, END, 1, &[b'x'; 16_384]),
    ];
    let (mut begun, mut rest) = (Vec::new(), Vec::new());
    talk.splitter.cut(DOWN, &reply[..2].concat(), &mut begun).expect("no surprise");
    for piece in begun {
        talk.write(piece.to, piece.bytes);
    }
    talk.splitter.cut(DOWN, &reply[2..].concat(), &mut rest).expect("no surprise");
    talk.says(UP, &[frame(8, 0, 0, &[0, 1, 0, 0]), frame(8, 0, 1, &[0, 1, 0, 0])].concat());
    for piece in rest {
        talk.write(piece.to, piece.bytes);
    }
    let heard = talk.heard();
    assert_eq!(n_data(&heard), 6 * 16_384);
}

#[test]
fn what_passes_as_it_comes_is_not_kept() {
    let part = vec![b'x'; 16_000];
    for (rest, is_kept) in [(Rest::Passes, false), (Rest::IsTold, true)] {
        let mut talk = Talk::new(Behind::Provider);
        talk.splitter.tell_beginnings();
        let mut pieces = Vec::new();
        let begins = frame(1, END_HEADERS, 1, POST);
        talk.splitter.cut(UP, &begins, &mut pieces).expect("no surprise");
        let Some(Of::Begun { call, .. }) = pieces.pop().map(|piece| piece.of) else { panic!("it begins") };
        talk.splitter.goes_on((UP, call), rest, &mut pieces);
        let Some(Of::Request { read, .. }) = pieces.pop().map(|piece| piece.of) else { panic!("a request") };
        for _ in 0..10 {
            talk.says(UP, &frame(0, 0, 1, &part));
        }
        assert_eq!(read.size() > 10 * part.len(), is_kept, "{rest:?}: {} bytes are kept", read.size());
        talk.splitter.cut(UP, &frame(0, END, 1, &part), &mut pieces).expect("no surprise");
        let told = pieces.into_iter().find_map(|piece| match piece.of {
            Of::Told { read, .. } => Some(read.read().request),
            _ => None,
        });
        let length = told.map(|told| told.get("body").and_then(Value::as_text).map_or(0, str::len));
        assert_eq!(length, is_kept.then_some(11 * part.len()), "{rest:?}");
    }
}
