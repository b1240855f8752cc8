//! Real traffic of each protocol, spoilt in every way that comes to mind, for as long as one likes: nothing panics, what
//! is remembered stays within its limits, and where nothing is written anew no byte is lost.
//!
//! A few thousand cases run with the tests, always the same ones; `cargo xtask fuzz --minutes N` goes on from another seed
//! each time. What fails says its seed: `SEAM_FUZZ_SEED=… SEAM_FUZZ_PROTOCOL=… cargo xtask fuzz` is the same again.

use crate::capture::{Piece as Chunk, replay};
use crate::captures::Case;
use crate::law;
use crate::splits::{begin, every_case, meddle, tight};
use seam_wire::{Behind, Direction, Limits, PROTOCOLS, protocol};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Each decoder: its protocol, the captures that are spoilt for it, and whether everything that it holds comes out as it
/// came in. That is not so where both sides are kept in step by writing anew: gRPC's headers are packed again, MQTT and
/// AMQP have their numbers mended, Kafka's addresses and an SMTP server's greeting are rewritten. Plain bytes have nothing
/// to hold.
const DECODERS: &[(&str, &str, bool)] = &[
    ("http", "http-", true),
    ("grpc", "grpc-", false),
    ("amqp", "amqp-", false),
    ("kafka", "kafka-", false),
    ("mqtt", "mqtt-", false),
    ("mysql", "mysql-", true),
    ("nats", "nats-", true),
    ("postgres", "postgres-", true),
    ("redis", "redis-", true),
    ("smtp", "smtp-", false),
    ("smtps", "smtp-", false),
    ("tcp", "tcp-", false),
];

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below `n`; 0 for none.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n.max(1) as u64)).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        // Those at which lengths, signs and kinds turn over come more often.
        const EDGES: [u8; 12] = [0, 1, 2, 4, 8, 0x0a, 0x0d, 0x7f, 0x80, 0xfb, 0xfe, 0xff];
        match self.below(2) {
            0 => EDGES[self.below(EDGES.len())],
            _ => u8::try_from(self.below(256)).expect("a byte"),
        }
    }
}

type Chunks = Vec<(Direction, Vec<u8>)>;

/// Spoils some traffic once; `other` is some of the same protocol.
fn spoil(dice: &mut Dice, chunks: &mut Chunks, other: &Chunks) {
    let index = dice.below(chunks.len());
    let Some((to, bytes)) = chunks.get_mut(index) else { return };
    let place = dice.below(bytes.len());
    let end = (place + 1 + dice.below(16)).min(bytes.len());
    match dice.below(12) {
        0..=3 if !bytes.is_empty() => bytes[place] = dice.byte(),
        4 if !bytes.is_empty() => bytes[place] ^= 1 << dice.below(8),
        5 => drop(bytes.drain(place.min(end)..end)),
        6 => {
            let again = bytes[place.min(end)..end].to_vec();
            let n_times = 1 + dice.below(40);
            bytes.splice(place..place, again.repeat(n_times));
        }
        7 => {
            let made: Vec<u8> = (0..=dice.below(24)).map(|_| dice.byte()).collect();
            bytes.splice(place..place, made);
        }
        8 if end - place >= 4 => {
            // A length, as big numbers are.
            let number = [0, 1, 0x7fff, 0xffff, 0x7fff_ffff, u32::MAX, 0x0001_0000][dice.below(7)];
            bytes[place..place + 4].copy_from_slice(&u32::to_be_bytes(number));
        }
        9 => *to = to.opposite(),
        10 => {
            let with = dice.below(chunks.len());
            chunks.swap(index, with);
        }
        11 => {
            let from = dice.below(other.len());
            let foreign = other.get(from).cloned();
            chunks.splice(index..index, foreign);
        }
        _ => drop(chunks.remove(index)),
    }
}

fn chunks_of(case: &Case) -> Chunks {
    let bytes = |chunk: &Chunk| match chunk {
        Chunk::Bytes(direction, bytes) => Some((*direction, bytes.clone())),
        Chunk::End(..) => None,
    };
    case.pieces.iter().filter_map(bytes).collect()
}

/// One case, all of which follows from its seed.
fn one((name, _, keeps): (&str, &str, bool), cases: &[Case], seed: u64) {
    let mut dice = Dice(seed);
    let protocol = protocol(name).expect("a protocol");
    let case = &cases[dice.below(cases.len())];
    let other = chunks_of(&cases[dice.below(cases.len())]);
    let mut chunks = chunks_of(case);
    for _ in 0..=dice.below(6) {
        spoil(&mut dice, &mut chunks, &other);
    }
    let limits = if dice.below(2) == 0 { tight() } else { Limits::default() };
    let size = match dice.below(3) {
        0 => usize::MAX,
        _ => 1 + dice.below(60),
    };
    let pieces: Vec<Chunk> = chunks.iter().map(|(to, bytes)| Chunk::Bytes(*to, bytes.clone())).collect();
    let outcome = replay(protocol, &pieces, limits, &mut |_| size);
    // A growing buffer may have twice what is in it.
    assert!(outcome.n_kept <= 2 * limits.kept_open + 1024, "{} bytes are kept", outcome.n_kept);
    if name == "tcp" {
        return;
    }
    for behind in [Behind::Provider, Behind::Nobody] {
        let mut splitter = begin(protocol, behind, limits);
        let meddled: Vec<(bool, Vec<u8>)> =
            chunks.iter().map(|(to, bytes)| (*to == Direction::ToProvider, bytes.clone())).collect();
        meddle(&mut *splitter, &meddled);
    }
    // So HTTP/2 begins, whose headers are packed anew, or a WebSocket whose messages are.
    let writes_anew: [&[u8]; 4] = [b"PRI *", b"h2c", b"permessage-deflate", b"text/event-stream"];
    let all: Vec<u8> = chunks.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let says = |word: &[u8]| all.windows(word.len()).any(|window| window == word);
    let first = chunks.iter().find(|(to, bytes)| *to == Direction::ToConsumer && !bytes.is_empty());
    let is_written_anew = name == "http"
        && (first.is_some_and(|(_, bytes)| bytes[0] == 0) || writes_anew.into_iter().any(says));
    if keeps && law::is_kept_as_it_is(case) && !law::asks_for_leave(&chunks) && !is_written_anew {
        let passed = law::pass(protocol, limits, dice.below(2) == 0, &chunks, size);
        law::assert_kept(protocol, passed, name).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Runs cases until it is time, or so many. Gives how many there were.
fn run(decoder: (&str, &str, bool), first_seed: u64, goes_on: &dyn Fn(u64) -> bool) -> u64 {
    let cases: Vec<Case> = every_case()
        .filter(|case| {
            case.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(decoder.1))
        })
        .collect();
    assert!(!cases.is_empty(), "{} has no captures", decoder.0);
    let mut n_cases = 0;
    while goes_on(n_cases) {
        let seed = first_seed.wrapping_add(n_cases);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| one(decoder, &cases, seed))) {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            panic!("SEAM_FUZZ_PROTOCOL={} SEAM_FUZZ_SEED={seed}: {}", decoder.0, said.unwrap_or_default());
        }
        n_cases += 1;
    }
    n_cases
}

#[test]
fn each_decoder_has_its_line() {
    for protocol in PROTOCOLS {
        assert!(DECODERS.iter().any(|(name, ..)| *name == protocol.name()), "{}", protocol.name());
    }
}

#[test]
fn some_thousands() {
    for decoder in DECODERS {
        run(*decoder, 1, &|n_cases| n_cases < 400);
    }
}

/// For as long as is said, from a seed of its own.
#[test]
#[ignore = "takes as long as one likes: cargo xtask fuzz"]
fn for_long() {
    let said = |name: &str| std::env::var(name).ok();
    let only = said("SEAM_FUZZ_PROTOCOL");
    let seed = said("SEAM_FUZZ_SEED").map(|seed| seed.parse::<u64>().expect("a seed is a number"));
    let minutes = said("SEAM_FUZZ_MINUTES").map_or(1.0, |minutes| minutes.parse::<f64>().expect("minutes"));
    let chosen: Vec<_> =
        DECODERS.iter().filter(|(name, ..)| only.as_deref().is_none_or(|only| only == *name)).collect();
    assert!(!chosen.is_empty(), "there is no such protocol");
    let n_chosen = u32::try_from(chosen.len()).expect("a few");
    let time = Duration::from_secs_f64(minutes * 60.0) / n_chosen;
    for decoder in chosen {
        let began = Instant::now();
        let first = seed.unwrap_or_else(|| std::process::id().into());
        let first = if seed.is_some() { first } else { first << 32 };
        // A seed that was said is one case, to be looked at.
        let n_cases = run(*decoder, first, &|n_cases| {
            if seed.is_some() { n_cases == 0 } else { began.elapsed() < time }
        });
        eprintln!("{:<9} {n_cases} cases from seed {first}", decoder.0);
    }
}
