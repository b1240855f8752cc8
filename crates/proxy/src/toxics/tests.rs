//! Chains with moments that are made up: what passes when, and what becomes of it when toxics come and go.

use super::chain::Chain;
use super::{Ending, Passing, TOXICS, Toxic, toxic_kind};
use seam_expr::Chance;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

struct Bench {
    chain: Chain,
    start: Instant,
    now: Instant,
    /// What came out, with when in milliseconds.
    out: Vec<(u128, Vec<u8>)>,
    ending: Option<(u128, Ending)>,
}

fn toxic(id: u64, name: &str, attributes: &[i64]) -> Toxic {
    let kind = toxic_kind(name).unwrap();
    assert_eq!(kind.attributes.len(), attributes.len());
    Toxic { id, revision: 0, kind, attributes: attributes.to_vec(), toxicity: 1.0 }
}

impl Bench {
    fn new(toxics: &[Toxic]) -> Self {
        let chain = Chain::new(toxics, Arc::new(Chance::new(1, "toxics")));
        let start = Instant::now();
        Self { chain, start, now: start, out: Vec::new(), ending: None }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn send(&mut self, millis: u64, bytes: &[u8]) -> &mut Self {
        self.run(millis);
        self.chain.take(Passing::Bytes(bytes.to_vec(), self.now));
        self.run(millis)
    }

    fn end(&mut self, millis: u64) -> &mut Self {
        self.run(millis);
        self.chain.take(Passing::End(Ending::Fin));
        self.run(millis)
    }

    /// Lets time pass up to there, from one due moment to the next.
    fn run(&mut self, millis: u64) -> &mut Self {
        let end = self.at(millis);
        loop {
            let now = self.now;
            self.chain.carry(now);
            while let Some(passing) = self.chain.first().cloned() {
                let at = now.duration_since(self.start).as_millis();
                match passing {
                    Passing::Bytes(bytes, _) => {
                        self.chain.wrote(bytes.len());
                        self.out.push((at, bytes));
                    }
                    Passing::End(ending) => {
                        self.chain.wrote(0);
                        self.ending.get_or_insert((at, ending));
                    }
                }
                self.chain.carry(now);
            }
            match self.chain.due().filter(|due| *due <= end) {
                Some(due) => self.now = due.max(now),
                None if now < end => self.now = end,
                None => return self,
            }
        }
    }

    fn texts(&self) -> Vec<(u128, String)> {
        self.out.iter().map(|(at, bytes)| (*at, String::from_utf8_lossy(bytes).into_owned())).collect()
    }

    fn n_bytes(&self) -> usize {
        self.out.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

fn text(at: u128, text: &str) -> (u128, String) {
    (at, text.to_owned())
}

#[test]
fn latency_delays_without_limiting_the_rate() {
    let mut bench = Bench::new(&[toxic(1, "latency", &[100, 0])]);
    bench.send(0, b"a");
    bench.send(50, b"b");
    bench.end(60);
    bench.run(300);
    assert_eq!(bench.texts(), [text(100, "a"), text(150, "b")]);
    assert_eq!(bench.ending, Some((150, Ending::Fin)));
}

#[test]
fn jitter_stays_within_its_bounds() {
    for index in 0..50 {
        let mut bench = Bench::new(&[toxic(1, "latency", &[100, 40])]);
        bench.chain = Chain::new(&[toxic(1, "latency", &[100, 40])], Arc::new(Chance::new(index, "toxics")));
        bench.send(0, b"a").run(300);
        assert!((60..140).contains(&bench.out[0].0), "{:?}", bench.out);
    }
}

#[test]
fn toxics_add_up_in_their_order() {
    let mut bench = Bench::new(&[toxic(1, "latency", &[100, 0]), toxic(2, "latency", &[20, 0])]);
    bench.send(0, b"a").run(300);
    assert_eq!(bench.texts(), [text(120, "a")]);
}

#[test]
fn bandwidth_passes_slices_of_a_tenth_of_a_second() {
    let mut bench = Bench::new(&[toxic(1, "bandwidth", &[1])]);
    bench.send(0, &[7; 250]).run(1_000);
    let sizes: Vec<(u128, usize)> = bench.out.iter().map(|(at, bytes)| (*at, bytes.len())).collect();
    assert_eq!(sizes, [(100, 100), (200, 100), (250, 50)]);
    let mut nothing = Bench::new(&[toxic(1, "bandwidth", &[0])]);
    nothing.send(0, b"a").run(10_000);
    assert!(nothing.out.is_empty());
}

#[test]
fn slow_close_holds_the_end_alone() {
    let mut bench = Bench::new(&[toxic(1, "slow_close", &[100])]);
    bench.send(0, b"a").end(10).run(500);
    assert_eq!(bench.texts(), [text(0, "a")]);
    assert_eq!(bench.ending.map(|(_, ending)| ending), Some(Ending::Fin));
    assert!(bench.ending.unwrap().0 >= 100);
}

#[test]
fn timeout_swallows_and_closes() {
    let mut bench = Bench::new(&[toxic(1, "timeout", &[100])]);
    bench.send(0, b"a").run(500);
    assert_eq!((bench.n_bytes(), bench.ending), (0, Some((100, Ending::Close))));
    let mut never = Bench::new(&[toxic(1, "timeout", &[0])]);
    never.send(0, b"a").run(60_000);
    assert_eq!((never.n_bytes(), never.ending), (0, None));
    // What was swallowed is missing, so the connection can't go on without the toxic.
    never.chain.change(&[]);
    never.run(60_001);
    assert_eq!(never.ending.map(|(_, ending)| ending), Some(Ending::Close));
}

#[test]
fn reset_peer_resets_after_the_first_byte() {
    let mut bench = Bench::new(&[toxic(1, "reset_peer", &[50])]);
    bench.run(1_000);
    assert_eq!(bench.ending, None);
    bench.send(1_000, b"a").run(1_200);
    assert_eq!((bench.n_bytes(), bench.ending), (0, Some((1_050, Ending::Reset))));
}

#[test]
fn what_reset_peer_has_swallowed_ends_the_connection_with_it() {
    type Case = (&'static str, fn(&mut Bench), Option<(u128, Ending)>);
    let cases: [Case; 3] = [
        ("bytes", |bench| _ = bench.send(10, b"a"), Some((20, Ending::Reset))),
        ("the end", |bench| _ = bench.end(10), Some((20, Ending::Reset))),
        ("nothing", |_| {}, None),
    ];
    for (what, come, ending) in cases {
        let mut bench = Bench::new(&[toxic(1, "reset_peer", &[60_000])]);
        come(&mut bench);
        bench.run(20).chain.change(&[]);
        bench.run(30);
        assert_eq!(bench.ending, ending, "{what}");
    }
}

#[test]
fn slicer_loses_nothing_and_cuts_near_the_average() {
    let bytes: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    for (average, variation) in [(100, 0), (100, 50), (10, 9), (0, 0), (1, 1), (1, 1_000)] {
        let mut bench = Bench::new(&[toxic(1, "slicer", &[average, variation, 10])]);
        bench.send(0, &bytes).end(0).run(1_000);
        assert_eq!(bench.out.concat(), bytes, "{average} {variation}");
        let most = usize::try_from(average.max(1) + variation).unwrap();
        assert!(bench.out.iter().all(|(_, piece)| piece.len() <= most), "{average} {variation}");
        assert_eq!(bench.ending.map(|(_, ending)| ending), Some(Ending::Fin));
    }
}

trait Concat {
    fn concat(&self) -> Vec<u8>;
}

impl Concat for Vec<(u128, Vec<u8>)> {
    fn concat(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }
}

#[test]
fn limit_data_closes_at_its_limit_and_remembers_what_passed() {
    let mut bench = Bench::new(&[toxic(1, "limit_data", &[5])]);
    bench.send(0, b"abc");
    assert_eq!((bench.n_bytes(), bench.ending), (3, None));
    let mut more = toxic(1, "limit_data", &[7]);
    more.revision = 1;
    bench.chain.change(&[more]);
    bench.send(10, b"defghi");
    assert_eq!(bench.out.concat(), b"abcdefg");
    assert_eq!(bench.ending, Some((10, Ending::Close)));
    let mut nothing = Bench::new(&[toxic(1, "limit_data", &[0])]);
    nothing.send(0, b"a");
    assert_eq!((nothing.n_bytes(), nothing.ending), (0, Some((0, Ending::Close))));
}

#[test]
fn what_is_held_passes_when_a_toxic_is_taken_away() {
    for (name, attributes) in
        [("latency", vec![60_000, 0]), ("bandwidth", vec![0]), ("slicer", vec![1, 0, 1_000_000])]
    {
        let mut bench = Bench::new(&[toxic(1, name, &attributes)]);
        bench.send(0, b"abcdef").run(1);
        bench.chain.change(&[]);
        bench.run(2);
        bench.send(3, b"g");
        assert_eq!(bench.out.concat(), b"abcdefg", "{name}");
    }
}

#[test]
fn order_holds_however_toxics_change() {
    let mut bench = Bench::new(&[]);
    let mut expected = Vec::new();
    for round in 0..200_u64 {
        let toxics: Vec<Toxic> = (0..3)
            .filter(|index| (round >> index) & 1 == 1)
            .map(|index| {
                let mut toxic =
                    toxic(index + 1, "latency", &[i64::try_from(index * 7 + round % 5).unwrap(), 0]);
                toxic.revision = round;
                toxic
            })
            .collect();
        bench.chain.change(&toxics);
        let bytes = round.to_be_bytes();
        expected.extend_from_slice(&bytes);
        bench.send(round, &bytes);
    }
    bench.run(10_000);
    assert_eq!(bench.out.concat(), expected);
}

#[test]
fn toxicity_is_drawn_for_each_connection() {
    let mut half = toxic(1, "timeout", &[0]);
    half.toxicity = 0.5;
    let chance = Arc::new(Chance::new(3, "toxics"));
    let n_passed = (0..400)
        .filter(|_| {
            let mut bench = Bench::new(&[]);
            bench.chain = Chain::new(&[half.clone()], Arc::clone(&chance));
            bench.send(0, b"a");
            bench.n_bytes() == 1
        })
        .count();
    assert!((140..260).contains(&n_passed), "{n_passed} of 400");
}

#[test]
fn all_are_there() {
    let names: Vec<&str> = TOXICS.iter().map(|kind| kind.name).collect();
    let expected =
        ["latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data", "noop"];
    assert_eq!(names, expected);
}
