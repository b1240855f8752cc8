//! Where a connection may come to be held is known while a message passes: whoever reads no further than that gets there,
//! however much is behind it, and never past it.

use crate::capture::Piece as Chunk;
use crate::captures::all;
use seam_wire::{Conversation, Direction, Limits, Position, Protocol};
use std::time::Duration;

/// Those whose provider, or consumer, may speak without a pause.
const PUSHED: &[&str] = &["amqp", "mqtt", "nats", "kafka", "redis"];

/// False where that surprises.
fn feed(conversation: &mut dyn Conversation, direction: Direction, bytes: &[u8]) -> bool {
    conversation.feed(direction, bytes, Duration::ZERO, &mut Vec::new()).is_ok()
}

/// Two that have come as far as that.
fn come_to(
    protocol: &dyn Protocol,
    chunks: &[(Direction, &[u8])],
    last: (Direction, &[u8]),
) -> [Box<dyn Conversation>; 2] {
    [(); 2].map(|()| {
        let mut one = protocol.begin(Limits::default());
        for (to, bytes) in chunks.iter().chain([&last]) {
            assert!(feed(&mut *one, *to, bytes), "it has come further before");
        }
        one
    })
}

#[test]
fn the_next_boundary_is_reached_and_never_passed() {
    let mut n_reached = 0;
    for case in all() {
        let name = case.path.file_name().expect("a name").to_string_lossy().into_owned();
        if !PUSHED.contains(&case.protocol.name()) && !name.contains("websocket") {
            continue;
        }
        let chunks: Vec<(Direction, &[u8])> = case
            .pieces
            .iter()
            .filter_map(|chunk| match chunk {
                Chunk::Bytes(direction, bytes) => Some((*direction, bytes.as_slice())),
                Chunk::End(..) => None,
            })
            .collect();
        let mut whole = case.protocol.begin(Limits::default());
        for (place, (direction, bytes)) in chunks.iter().enumerate() {
            let (direction, from) = (*direction, bytes.len() / 2);
            // All that this direction says until the other speaks.
            let same = chunks[place..].iter().take_while(|(to, _)| *to == direction);
            let behind: Vec<u8> = same.flat_map(|(_, bytes)| bytes.iter().copied()).collect();
            if !feed(&mut *whole, direction, bytes) {
                break;
            }
            let [mut one, mut other] = come_to(case.protocol, &chunks[..place], (direction, &behind[..from]));
            let (mut at, mut n_reads, mut surprises) = (from, 0, false);
            while let Some(n_bytes) = one.n_to_split(direction).filter(|_| !surprises) {
                assert!(n_bytes > 0, "{name}: nothing is to be read at {at} of chunk {place}");
                let end = at.saturating_add(n_bytes);
                if end > behind.len() {
                    break;
                }
                for byte in &behind[at..end] {
                    let is_within = other.position(direction) != Position::Between;
                    assert!(is_within, "{name}: a boundary of chunk {place} is passed");
                    surprises |= !feed(&mut *other, direction, &[*byte]);
                }
                surprises |= !feed(&mut *one, direction, &behind[at..end]);
                (at, n_reads) = (end, n_reads + 1);
                if one.position(direction) == Position::Between {
                    assert_eq!(one.n_to_split(direction), None, "{name}: it is there");
                    n_reached += 1;
                    break;
                }
            }
            assert!(n_reads <= 200, "{name}: {n_reads} reads in chunk {place}");
        }
    }
    assert!(n_reached > 100, "only {n_reached} boundaries were reached");
}
