//! Whatever comes, a decoder neither panics nor remembers more than it may.

use crate::capture::{Piece, replay};
use crate::captures::all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use seam_wire::{Came, Direction, End, Limits, PROTOCOLS, Protocol, Publication, SignIn};

/// Small limits, so that the bounds are reached.
fn tight() -> Limits {
    Limits { kept_body: 64, head: 512, kept_open: 2048, n_open: 8 }
}

/// What tight limits allow: a growing buffer may have twice what is in it.
const MOST_KEPT: usize = 2 * 2048 + 1024;

fn config(n_cases: u32) -> Config {
    Config { cases: n_cases, failure_persistence: None, ..Config::default() }
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let direction = prop_oneof![Just(Direction::ToProvider), Just(Direction::ToConsumer)];
    let bytes = (direction.clone(), proptest::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(direction, bytes)| Piece::Bytes(direction, bytes));
    let end = (direction, prop_oneof![Just(End::Fin), Just(End::Reset)])
        .prop_map(|(direction, how)| Piece::End(direction, how));
    proptest::collection::vec(prop_oneof![9 => bytes, 1 => end], 0..12)
}

#[test]
fn byte_soup() {
    for protocol in PROTOCOLS {
        TestRunner::new(config(2000))
            .run(&pieces(), |pieces| {
                let outcome = replay(*protocol, &pieces, tight(), &mut |n_left| n_left);
                prop_assert!(outcome.n_kept <= MOST_KEPT, "{} bytes", outcome.n_kept);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", protocol.name()));
    }
}

/// One side goes on and on and the other says nothing: what is remembered stays within bounds.
#[test]
fn floods() {
    for case in all() {
        for direction in [Direction::ToProvider, Direction::ToConsumer] {
            let one_way: Vec<Piece> = case
                .pieces
                .iter()
                .filter(|piece| matches!(piece, Piece::Bytes(to, _) if *to == direction))
                .cloned()
                .collect();
            // What opens a connection comes only once.
            let again = one_way.iter().skip(4).chain(one_way.last()).cloned().cycle().take(3000);
            let pieces: Vec<Piece> = one_way.iter().cloned().chain(again).collect();
            let limits = Limits { n_open: 64, ..tight() };
            let outcome = replay(case.protocol, &pieces, limits, &mut |n_left| n_left);
            assert!(outcome.n_kept <= 64 * 1024, "{}: {} bytes", case.path.display(), outcome.n_kept);
        }
    }
}

/// Bytes of real traffic changed, left out, doubled: what reaches further into a decoder than soup does.
#[test]
fn spoilt_captures() {
    for case in all() {
        let n_bytes: usize = case.pieces.iter().map(Piece::len).sum();
        let changes = proptest::collection::vec((0..n_bytes.max(1), any::<u8>(), 0..5u8), 1..6);
        TestRunner::new(config(150))
            .run(&(changes, 1usize..64), |(changes, size)| {
                let mut pieces = case.pieces.clone();
                for (place, byte, how) in changes {
                    spoil(&mut pieces, place, byte, how);
                }
                replay(case.protocol, &pieces, Limits::default(), &mut |_| size);
                let outcome = replay(case.protocol, &pieces, tight(), &mut |_| size);
                prop_assert!(outcome.n_kept <= MOST_KEPT, "{} bytes", outcome.n_kept);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", case.path.display()));
    }
}

fn spoil(pieces: &mut Vec<Piece>, mut place: usize, byte: u8, how: u8) {
    for index in 0..pieces.len() {
        let Piece::Bytes(_, bytes) = &mut pieces[index] else { continue };
        if place >= bytes.len() {
            place -= bytes.len();
            continue;
        }
        match how {
            0 => bytes[place] = byte,
            1 => drop(bytes.remove(place)),
            2 => bytes.insert(place, byte),
            3 => drop(pieces.remove(index)),
            _ => pieces.insert(index, pieces[index].clone()),
        }
        return;
    }
}

/// Who publishes hears whatever a broker says, in whatever pieces: soup, and what real ones have said, spoilt.
#[test]
fn soup_for_who_publishes() {
    let named =
        || SignIn { user: Some("ann".to_owned()), password: Some("p".to_owned()), ..SignIn::default() };
    let hear = |protocol: &dyn Protocol, sign_in: SignIn, pieces: &mut dyn Iterator<Item = &[u8]>| {
        let Some(mut publisher) = protocol.publisher(sign_in) else { return };
        let mut out = Vec::new();
        publisher.begin(&mut out).unwrap();
        for bytes in pieces {
            if publisher.hear(bytes, &mut out).is_err() {
                return;
            }
            match publisher.came() {
                Some(Came::Open | Came::Done | Came::Later { .. }) => {
                    let mut publication = Publication { topic: "a".to_owned(), ..Publication::default() };
                    // To a record of Kafka nobody answers.
                    publication.n_answers = usize::from(protocol.name() != "kafka");
                    publisher.publish(&publication, &mut out).unwrap();
                }
                Some(Came::Refused { .. } | Came::Elsewhere(_) | Came::SignInBy(_)) => return,
                None => {}
            }
            publisher.told();
        }
    };
    let soup = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..12);
    for protocol in PROTOCOLS {
        TestRunner::new(config(500))
            .run(&soup, |pieces| {
                for sign_in in [SignIn::default(), named()] {
                    hear(*protocol, sign_in, &mut pieces.iter().map(Vec::as_slice));
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", protocol.name()));
    }
    for case in all() {
        let said: Vec<u8> = case
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Bytes(Direction::ToConsumer, bytes) => Some(bytes.as_slice()),
                _ => None,
            })
            .collect::<Vec<_>>()
            .concat();
        let change = (0..said.len().max(1), any::<u8>(), 1usize..64);
        TestRunner::new(config(50))
            .run(&change, |(place, byte, size)| {
                let mut said = said.clone();
                if let Some(there) = said.get_mut(place) {
                    *there = byte;
                }
                hear(case.protocol, SignIn::default(), &mut said.chunks(size));
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", case.path.display()));
    }
}
