//! Single records that say something else or are missing, in each version and each packing.

use super::super::apart::tests::{ask, cut, cutter, fetch, fetched_these, head, produce_these};
use super::super::api::{FETCH, PRODUCE};
use super::super::calls::Head;
use super::super::reading::Kept;
use super::super::records::{self, ATTRIBUTES_AT, HEAD, LENGTH_AT, Said, crc32c};
use super::Record;
use crate::conversation::{Captured, Direction};
use crate::splitter::{Anew, Carried, SaidAnew, Splitter};
use seam_value::{Value, parse};
use std::borrow::Cow;
use std::io::Write as _;

/// Three records from 40 on, packed so: nothing, gzip, or blocks of zstd that are not compressed.
fn batch(packing: u8) -> Vec<u8> {
    let said = |offset, value: &[u8]| Said {
        offset,
        key: Some(format!("k{offset}").into_bytes()),
        value: Some(value.to_vec()),
        headers: vec![(b"h".to_vec(), Some(b"1".to_vec())), (b"none".to_vec(), None)],
    };
    let all = [said(40, br#"{"total":1}"#), said(41, br#"{"total":2}"#), said(42, b"three")];
    let mut batch = records::batch(&all.iter().collect::<Vec<_>>());
    let inner = batch.split_off(HEAD);
    let packed = match packing {
        0 => inner,
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&inner).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let length = u8::try_from(inner.len()).unwrap();
            let block = (u32::from(length) << 3 | 1).to_le_bytes();
            [&[0x28, 0xB5, 0x2F, 0xFD, 0x20, length], &block[..3], &inner].concat()
        }
    };
    batch.extend_from_slice(&packed);
    batch[ATTRIBUTES_AT + 1] |= packing;
    let length = i32::try_from(batch.len() - LENGTH_AT - 4).unwrap();
    batch[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    batch
}

/// What whoever reads the frame is told of its records; and that the checksums are those of the batches.
fn told(head: Head, to: Direction, frame: &[u8]) -> Vec<String> {
    assert_eq!(usize::try_from(i32::from_be_bytes(frame[..4].try_into().unwrap())), Ok(frame.len() - 4));
    let from = if to == Direction::ToConsumer { 8 } else { 4 };
    let kept = Kept::new(head, to == Direction::ToConsumer, &frame[from..], (usize::MAX, true));
    let places = kept.apart();
    let messages = places.iter().filter(|one| one.parts.message != Value::Null);
    let one = |one: &Value, name: &str| one.get(name).map_or(String::new(), Value::to_string);
    messages
        .map(|apart| {
            let of = |name: &str| one(&apart.parts.message, name);
            format!("{} {} {} {} {}", apart.place, of("offset"), of("key"), of("headers"), of("text"))
        })
        .collect()
}

fn checksums_hold(batch: &[u8]) {
    assert_eq!(u32::from_be_bytes(batch[17..21].try_into().unwrap()), crc32c(&batch[ATTRIBUTES_AT..]));
}

fn fields(of: &str) -> Value {
    parse(of).unwrap()
}

const FIRST: &str =
    r#"{"key":"k40","headers":{"h":"1","none":null},"body":{"total":1},"text":"{\"total\":1}"}"#;

#[test]
fn single_records_in_each_version_and_packing() {
    let before = fields(FIRST);
    let now = fields(r#"{"key":null,"headers":{"h":"2","new":"3"},"body":{"total":"1"}}"#);
    for (packing, version) in
        [0, 1, 4].into_iter().flat_map(|packing| [4, 7, 11, 12].map(|version| (packing, version)))
    {
        let mut cutter = cutter();
        let (call, _) = ask(&mut cutter, &fetch(version, (500, 0), &[("a", &[0, 1])], &[]));
        let frame = fetched_these(version, 0, &[("a", &[0, 1])], |number| {
            // Two batches stand in the second partition.
            batch(packing).repeat(usize::try_from(number).unwrap() + 1)
        });
        let pieces = cut(&mut cutter, Direction::ToConsumer, &frame);
        assert_eq!(pieces[0].bytes, frame);
        let mut noise = |content: &mut Vec<u8>| content.fill(b'x');
        let mut shorter = |content: &mut Vec<u8>| content.truncate(3);
        let mut carried = [
            Carried { place: 1, message: 3, anew: Some(Anew::Fields(&before, &now)) },
            Carried { place: 1, message: 4, anew: None },
            Carried { place: 1, message: 5, anew: Some(Anew::Content(&mut noise)) },
            Carried { place: 1, message: 5, anew: Some(Anew::Content(&mut shorter)) },
            Carried { place: 1, message: 0, anew: Some(Anew::Fields(&before, &before)) },
            Carried { place: 1, message: 9, anew: None },
            Carried { place: 7, message: 0, anew: None },
        ];
        let to = Direction::ToConsumer;
        let SaidAnew { bytes, refused } = cutter.say_carried_anew(call, (to, &frame), &mut carried).unwrap();
        let mut refused: Vec<(usize, bool)> = refused.iter().map(|(at, why)| (*at, why.is_some())).collect();
        refused.sort_unstable();
        assert_eq!(refused, [(4, false), (5, true), (6, true)], "{packing} {version}");
        let (headers, one) = (r#"{"h":"1","none":null}"#, |n| format!(r#""{{\"total\":{n}}}""#));
        let plain = |place: usize| {
            [
                format!(r#"{place} 40 "k40" {headers} {}"#, one(1)),
                format!(r#"{place} 41 "k41" {headers} {}"#, one(2)),
                format!(r#"{place} 42 "k42" {headers} "three""#),
            ]
        };
        let changed = [
            r#"1 40 null {"h":"2","new":"3"} "{\"total\":\"1\"}""#.to_owned(),
            format!(r#"1 42 "k42" {headers} "xxx""#),
        ];
        let expected = [&plain(0)[..], &plain(1), &changed].concat();
        assert_eq!(told(head(FETCH, version), to, &bytes), expected, "{packing} {version}");
        assert!(version != 12 || packing != 0 || bytes.len() < frame.len());
    }
}

#[test]
fn of_headers_with_one_name_the_last_is_told() {
    let headers = |all: &[(&'static str, &'static str)]| -> Vec<_> {
        let bytes = |text: &'static str| Cow::Borrowed(text.as_bytes());
        all.iter().map(|(name, value)| (bytes(name), Some(bytes(value)))).collect()
    };
    let before = headers(&[("try", "1"), ("try", "2"), ("h", "x")]);
    let cases: [(&str, &[(&str, &str)]); 4] = [
        (r#"{"try":"2","h":"y"}"#, &[("try", "1"), ("try", "2"), ("h", "y")]),
        (r#"{"try":"3","h":"x"}"#, &[("try", "1"), ("try", "3"), ("h", "x")]),
        (r#"{"h":"x"}"#, &[("h", "x")]),
        (r#"{"try":"2","h":"x","new":"z"}"#, &[("try", "1"), ("try", "2"), ("h", "x"), ("new", "z")]),
    ];
    for (now, expected) in cases {
        let mut record = Record { lead: &[], key: None, value: None, headers: before.clone() };
        record.say_headers(fields(now).as_map().unwrap());
        assert!(record.headers == headers(expected), "{now}");
    }
}

#[test]
fn what_is_produced() {
    for version in [3, 8, 9] {
        let mut cutter = cutter();
        let frame = produce_these(version, -1, &[("a", &[0]), ("b", &[0])], |_| batch(1));
        let (call, _) = ask(&mut cutter, &frame);
        let mut noise = |content: &mut Vec<u8>| content.fill(b'x');
        let mut carried = [Carried { place: 1, message: 2, anew: Some(Anew::Content(&mut noise)) }];
        let to = Direction::ToProvider;
        let said = cutter.say_carried_anew(call, (to, &frame), &mut carried).unwrap();
        assert_eq!(said.refused.len(), 0);
        let told = told(head(PRODUCE, version), to, &said.bytes);
        assert_eq!(
            (told.len(), told[2].ends_with(r#""three""#), told[5].ends_with(r#""xxxxx""#)),
            (6, true, true)
        );
    }
}

/// Numbers all records, and changes or leaves out some of them.
struct Numbered(Vec<usize>, Option<u8>);

impl super::Change for Numbered {
    fn wants(&self, first: usize, n_records: usize) -> bool {
        self.0.iter().any(|number| (first..first + n_records).contains(number))
    }

    fn change(&mut self, number: usize, record: &mut super::Record<'_>) -> bool {
        if !self.0.contains(&number) {
            return true;
        }
        if let (Some(value), Some(byte)) = (&mut record.value, self.1) {
            value.to_mut().fill(byte);
        }
        self.1.is_some()
    }
}

#[test]
fn batches_are_summed_up_anew() {
    for packing in [0, 1, 4] {
        let one = batch(packing);
        let all = one.repeat(2);
        let changed = super::batches_anew(&all, &mut Numbered(vec![4], Some(b'x')));
        assert_eq!(changed[..one.len()], one, "the first one is left alone");
        let second = &changed[one.len()..];
        checksums_hold(second);
        // Packed again where that is done here.
        assert_eq!(second[ATTRIBUTES_AT + 1] & 7, u8::from(packing == 1));
        let emptied = super::batches_anew(&one, &mut Numbered(vec![0, 1, 2], None));
        checksums_hold(&emptied);
        assert_eq!((&emptied[..8], &emptied[HEAD - 4..HEAD]), (&one[..8], &[0, 0, 0, 1][..]));
        assert_eq!(emptied[ATTRIBUTES_AT + 1], 0x30, "it only says that a transaction has ended");
        let mut n_told = 0;
        records::records(&emptied, &mut |_| n_told += 1);
        assert_eq!(n_told, 0);
        assert_eq!(emptied[23..27], one[23..27], "whoever reads it goes on behind its last one");
    }
}

#[test]
fn what_is_spoilt_is_left() {
    for packing in [0, 1, 4] {
        let one = batch(packing);
        for at in 0..one.len() {
            for bit in 0..8 {
                let mut spoilt = one.clone();
                spoilt[at] ^= 1 << bit;
                let _ = super::batches_anew(&spoilt, &mut Numbered(vec![1], Some(b'x')));
                let _ = super::batches_anew(&spoilt[..at], &mut Numbered(vec![1], None));
            }
        }
        let (mut cut, whole) = (one.clone(), one.len());
        cut.truncate(whole - 1);
        assert_eq!(super::batches_anew(&cut, &mut Numbered(vec![0], None)), cut);
        let mut fewer = one;
        fewer[HEAD - 1] = 2;
        assert_eq!(super::batches_anew(&fewer, &mut Numbered(vec![0], None)), fewer);
    }
}
