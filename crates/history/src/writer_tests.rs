//! Writing and reading back, on disks that work, lag and are full.

use crate::head::Head;
use crate::queue::Queue;
use crate::store::{Medium, Store};
use crate::{Reader, Recorder, RunFolder, Secret, Stored, Writer};
use seam_diag::Sources;
use seam_event::{
    Caller, ComponentId, Endpoint, Event, Interaction, Judged, Outcome, Phase, Place, Scope, SeamId,
    StoredFile, What,
};
use seam_value::Value;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(10);

fn folder(project: &tempfile::TempDir) -> RunFolder {
    RunFolder::create(project.path(), Duration::from_hours(500_000), 7).unwrap()
}

fn seam() -> SeamId {
    SeamId { consumer: "orders".into(), provider: "paygate".into(), endpoint: Endpoint::main() }
}

fn interaction(id: u64, request: &str, reply: &str) -> What {
    What::Interaction(Interaction {
        id,
        seam: seam(),
        from: "orders".into(),
        to: "paygate".into(),
        via: None,
        caller: Caller::Known,
        protocol: "http".into(),
        connection: 1,
        at: Duration::from_nanos(12_345),
        elapsed: Some(Duration::from_nanos(77)),
        error: None,
        request: seam_value::parse(request).unwrap(),
        reply: seam_value::parse(reply).unwrap(),
        message: Value::Null,
        cut: false,
        answered_by: None,
    })
}

fn line(text: &str) -> What {
    What::Line { component: "orders".into(), error: false, number: 1, text: text.into() }
}

fn read(folder: &RunFolder) -> Stored {
    Reader::open(folder).unwrap().read().unwrap()
}

fn whats(events: &[Event]) -> Vec<&What> {
    events.iter().map(|event| &event.what).collect()
}

#[test]
fn what_was_recorded_is_read_back_and_was_handed_on_live() {
    let project = tempfile::tempdir().unwrap();
    let folder = folder(&project);
    let writer = Writer::start(&folder, &[]).unwrap();
    let live = writer.subscribe(1_000);
    let recorder = writer.recorder();
    let long = format!(r#"{{"status":200,"body":{{"text":"{}","price":19.90}}}}"#, "x".repeat(10_000));
    let scope = Scope { test: Some("a::b".into()), attempt: Some(1), step: Some("0".into()) };
    assert_eq!(recorder.note(What::Test { phase: Phase::Began }), Some(1));
    assert_eq!(recorder.record(scope, interaction(1, r#"{"path":"/"}"#, &long)), Some(2));
    recorder.record_caused(Scope::default(), Some(2), interaction(2, r#"{"path":"/"}"#, &long));
    recorder.note(interaction(3, r#"{"body":{"«body»":"../../etc/passwd","of":"text"}}"#, "null"));
    let ending = writer.finish("done");
    assert_eq!((ending.lost, ending.trouble), (0, None));

    let stored = read(&folder);
    assert!(!stored.interrupted);
    assert_eq!((stored.unknown, stored.damaged), (0, 0));
    let mut received = Vec::new();
    while let Ok(Some(event)) = live.next(SOON) {
        received.push((*event).clone());
    }
    assert_eq!(stored.history.events, received);
    assert_eq!(received.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(received.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(received[1].what, interaction(1, r#"{"path":"/"}"#, &long));
    // Two answers with the same body and one that looks like a stored body.
    assert_eq!(std::fs::read_dir(folder.bodies()).unwrap().count(), 2);
    assert!(std::fs::metadata(folder.events()).unwrap().len() < 3_000);
}

#[test]
fn all_times_count_from_when_the_run_began() {
    let project = tempfile::tempdir().unwrap();
    let folder = folder(&project);
    let earlier = Duration::from_secs(1);
    let began = Instant::now().checked_sub(earlier).unwrap();
    let writer = Writer::start_since(began, &folder, &[]).unwrap();
    let recorder = writer.recorder();
    recorder.note(line("one"));
    let now = Instant::now();
    assert_eq!(recorder.at(now), now - began);
    assert!(recorder.now() >= earlier);
    writer.finish("done");
    assert!(read(&folder).history.events.iter().all(|event| event.at >= earlier));
}

#[test]
fn many_who_tell_at_once_get_one_order() {
    let project = tempfile::tempdir().unwrap();
    let folder = folder(&project);
    let writer = Writer::start(&folder, &[]).unwrap();
    std::thread::scope(|scope| {
        for who in 0..4 {
            let recorder = writer.recorder();
            scope.spawn(move || {
                for number in 0..2_000 {
                    recorder.note(What::Line {
                        component: format!("c{who}").into(),
                        error: false,
                        number,
                        text: format!("token=t{who}x{number}x123456"),
                    });
                }
            });
        }
    });
    let ending = writer.finish("done");
    let stored = read(&folder);
    assert_eq!(ending.lost, 0);
    let seqs: Vec<u64> = stored.history.events.iter().map(|event| event.seq).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64));
    for who in 0..4 {
        let component = ComponentId::from(format!("c{who}"));
        let numbers = stored.history.events.iter().filter_map(|event| match &event.what {
            What::Line { component: of, number, .. } if *of == component => Some(*number),
            _ => None,
        });
        assert!(numbers.eq(0..2_000));
    }
}

#[test]
fn no_secret_reaches_the_disk() {
    let project = tempfile::tempdir().unwrap();
    let folder = folder(&project);
    let secrets = [
        Secret { name: "ann_password".into(), value: "s3cret/ä\"1".into() },
        Secret { name: "pin".into(), value: "42".into() },
    ];
    let writer = Writer::start(&folder, &secrets).unwrap();
    let mut sources = Sources::default();
    sources.add("seam.yaml", "secrets: { ann: 's3cret/ä\"1' }\nsystem: x\n");
    let (files, masked) = writer.keep_files(&sources).unwrap();
    record_secrets(&writer.recorder(), &folder, files);
    writer.finish("done");

    let stored = read(&folder);
    assert_eq!(stored.history.sources.files().next().unwrap().1.text, masked.files().next().unwrap().1.text);
    assert!(matches!(stored.history.events.last().unwrap().what, What::Finished { .. }));
    let text = std::fs::read_to_string(folder.events()).unwrap();
    let bodies: String = std::fs::read_dir(folder.bodies())
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for secret in [
        "s3cret",
        "tok-abcdef",
        "cook1e",
        "4111111111111111",
        "q9z",
        "hunter",
        "redispw",
        "cl1ent",
        "czNj",
        "\"42\"",
        "\\\"42\\\"",
    ] {
        assert!(!text.contains(secret) && !bodies.contains(secret), "{secret}: {text}{bodies}");
    }
    // The bearer was seen in a header, an address, a body and a log line: one name everywhere.
    assert_eq!(text.matches("«bearer 1»").count(), 4, "{text}");
    assert!(text.contains("«ann_password»") && text.contains("«pin»"), "{text}");
    check_sightings(&stored);
}

fn record_secrets(recorder: &Recorder, folder: &RunFolder, files: Vec<StoredFile>) {
    recorder.note(What::Plan {
        run: folder.id.clone(),
        version: "0".into(),
        seed: 1,
        began: String::new(),
        system: "x".into(),
        files,
        tests: Vec::new(),
        seams: Vec::new(),
        command: vec!["run".into(), "--x=s3cret/ä\"1".into()],
    });
    recorder.note(interaction(
        1,
        r#"{"method":"POST","path":"/login?token=tok-abcdef-123","headers":{"Authorization":"Bearer tok-abcdef-123",
            "cookie":"sid=cook1e-value; theme=dark"},"body":{"user":"ann","password":"s3cret/ä\"1","pin":"42",
            "card":{"number":"4111111111111111","cvc":"q9z"}},
            "text":"{\"user\":\"ann\",\"password\":\"s3cret\/\u00e4\\\"1\",\"pin\":\"42\",\"card\":{\"number\":\"4111111111111111\",\"cvc\":\"q9z\"}}"}"#,
        r#"{"status":200,"headers":{"set-cookie":["sid=cook1e-value; Path=/; HttpOnly","b=2-cook1e"]},
            "body":{"access_token":"tok-abcdef-123","nested":[{"clientSecret":"cl1ent"}]},
            "text":"czNjcmV0L8OkIjE="}"#,
    ));
    recorder.note(line(
        "ann logged in with s3cret%2F%C3%A4%221 and tok-abcdef-123 at redis://:redispw@localhost",
    ));
    recorder.note(What::Judged(Judged {
        path: "body.password".into(),
        matcher: "equals".into(),
        outcome: Outcome::Failed,
        written: true,
        soft: false,
        expected: Some(Value::text("hunter2")),
        actual: Some(Value::text("hunter3")),
        message: "actual: \"hunter3\"".into(),
        details: vec!["- hunter2".into(), "+ hunter3".into()],
        place: Place { file: 0, start: 0, end: 1 },
    }));
}

fn check_sightings(stored: &Stored) {
    let sightings: Vec<(String, String)> = stored
        .history
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Secret { name, where_seen } => Some((name.clone(), where_seen.clone())),
            _ => None,
        })
        .collect();
    for (name, place) in [
        ("ann_password", "orders -> paygate request.body.password"),
        ("ann_password", "log of orders"),
        ("cookie 1", "orders -> paygate reply.headers.set-cookie"),
    ] {
        assert!(sightings.contains(&(name.into(), place.into())), "{name} {place}: {sightings:?}");
    }
}

/// A disk that says what it is to do: each write takes an order of how many bytes it may take.
struct Obedient {
    content: Arc<Mutex<Vec<u8>>>,
    orders: Receiver<Order>,
    order: Option<Order>,
}

#[derive(Clone, Copy)]
enum Order {
    Write,
    Full { after: usize },
}

impl Medium for Obedient {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Without a further order the last one holds; the first write waits for its order as a lagging disk does.
        while let Ok(order) = self.orders.try_recv() {
            self.order = Some(order);
        }
        let order = match self.order {
            Some(order) => order,
            None => self.orders.recv().unwrap(),
        };
        self.order = Some(order);
        let mut content = self.content.lock().unwrap();
        match order {
            Order::Write => {
                content.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Order::Full { after } if content.len() < after => {
                let length = bytes.len().min(after - content.len());
                content.extend_from_slice(&bytes[..length]);
                Ok(length)
            }
            Order::Full { .. } => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.content.lock().unwrap().truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}

fn obedient(
    project: &tempfile::TempDir,
    queue: Queue,
) -> (Writer, Recorder, Sender<Order>, Arc<Mutex<Vec<u8>>>) {
    let content = Arc::new(Mutex::new(Vec::new()));
    let (orders, receiver) = channel();
    orders.send(Order::Write).unwrap();
    let medium = Obedient { content: content.clone(), orders: receiver, order: None };
    let store = Store::on(Box::new(medium), project.path(), &Head::new("r".into())).unwrap();
    let writer = Writer::with(Some(store), &[], queue).unwrap();
    let recorder = writer.recorder();
    (writer, recorder, orders, content)
}

fn read_text(project: &tempfile::TempDir, content: &[u8]) -> Stored {
    let folder = folder(project);
    std::fs::write(folder.events(), content).unwrap();
    read(&folder)
}

#[test]
fn a_full_disk_leaves_whole_lines_and_goes_on_when_there_is_room_again() {
    let project = tempfile::tempdir().unwrap();
    let (writer, recorder, orders, content) = obedient(&project, Queue::new());
    let live = writer.subscribe(1_000);
    recorder.note(line("stored"));
    assert!(writer.flush(SOON));
    let before = content.lock().unwrap().len();
    orders.send(Order::Full { after: before + 20 }).unwrap();
    recorder.note(line("not stored"));
    recorder.note(interaction(1, "null", "null"));
    assert!(writer.flush(SOON));
    assert_eq!(content.lock().unwrap().len(), before, "a part of a line was cut off again");
    orders.send(Order::Write).unwrap();
    let ending = writer.finish("done");
    assert_eq!(ending.trouble, None);
    let stored = read_text(&project, &content.lock().unwrap());
    assert!(!stored.interrupted);
    assert_eq!(stored.damaged, 0);
    let lost: Vec<(String, Option<SeamId>, u64)> = stored
        .history
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Lost { of, seam, count, .. } => Some((of.clone(), seam.clone(), *count)),
            _ => None,
        })
        .collect();
    assert!(lost.contains(&("interactions".into(), Some(seam()), 1)), "{lost:?}");
    assert!(lost.contains(&("lines".into(), None, 1)), "{lost:?}");
    let mut told = Vec::new();
    while let Ok(Some(event)) = live.next(SOON) {
        told.push(event);
    }
    assert!(
        told.iter().any(
            |event| matches!(&event.what, What::Notice(notice) if notice.text.contains("can't be stored"))
        )
    );
    assert!(told.iter().any(|event| event.what == line("not stored")), "who listens live misses nothing");
}

#[test]
fn a_disk_that_stays_full_is_told_and_reads_as_interrupted() {
    let project = tempfile::tempdir().unwrap();
    let (writer, recorder, orders, content) = obedient(&project, Queue::new());
    recorder.note(line("stored"));
    assert!(writer.flush(SOON));
    orders.send(Order::Full { after: 0 }).unwrap();
    recorder.note(line("not stored"));
    let ending = writer.finish("done");
    assert!(ending.trouble.is_some());
    assert!(ending.lost >= 2, "{}", ending.lost);
    let stored = read_text(&project, &content.lock().unwrap());
    assert!(stored.interrupted);
    assert_eq!(whats(&stored.history.events), [&line("stored")]);
}

#[test]
fn a_lagging_disk_never_holds_up_those_who_tell() {
    let project = tempfile::tempdir().unwrap();
    let content = Arc::new(Mutex::new(Vec::new()));
    let (orders, receiver) = channel();
    orders.send(Order::Write).unwrap();
    let mut medium = Obedient { content: content.clone(), orders: receiver, order: None };
    medium.append(b"").unwrap();
    let store = Store::on(Box::new(medium), project.path(), &Head::new("r".into())).unwrap();
    let writer = Writer::with(Some(store), &[], Queue::with_room_for(10_000)).unwrap();
    let recorder = writer.recorder();
    // The disk can take nothing while its content is held.
    let held = content.lock().unwrap();
    let mut accepted = 0;
    let began = std::time::Instant::now();
    while recorder.note(line("much")).is_some() {
        accepted += 1;
        assert!(accepted < 1_000_000);
    }
    assert!(
        recorder.note(What::Test { phase: Phase::Began }).is_some(),
        "what verdicts hang on still has room"
    );
    assert!(began.elapsed() < SOON);
    drop(held);
    let ending = writer.finish("done");
    assert!(ending.lost >= 1);
    let stored = read_text(&project, &content.lock().unwrap());
    let lost: u64 = stored
        .history
        .events
        .iter()
        .map(|event| if let What::Lost { count, .. } = &event.what { *count } else { 0 })
        .sum();
    let lines = stored.history.events.iter().filter(|event| matches!(event.what, What::Line { .. })).count();
    assert_eq!((lost, lines), (ending.lost, accepted));
    assert!(!stored.interrupted);
}

#[test]
fn a_writer_that_is_dropped_leaves_an_interrupted_run_and_its_lock() {
    let project = tempfile::tempdir().unwrap();
    let folder = folder(&project);
    let writer = Writer::start(&folder, &[]).unwrap();
    let recorder = writer.recorder();
    recorder.note(line("one"));
    assert!(folder.is_being_written());
    drop(writer);
    assert!(!folder.is_being_written());
    assert_eq!(recorder.note(line("two")), None);
    let stored = read(&folder);
    assert!(stored.interrupted);
    assert_eq!(whats(&stored.history.events), [&line("one")]);
}

#[test]
fn who_does_not_keep_up_misses_events_and_knows() {
    let writer = Writer::in_memory(&[]);
    let slow = writer.subscribe(2);
    for _ in 0..5 {
        writer.recorder().note(line("x"));
    }
    let ending = writer.finish("done");
    assert_eq!(ending.events.len(), 6);
    assert_eq!(slow.missed(), 4);
    assert!(slow.next(SOON).unwrap().is_some());
}
