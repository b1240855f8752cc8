//! Stored runs that are old, new, cut off or damaged.
#![expect(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

use seam_event::What;
use seam_history::{ReadError, Reader, RunFolder, Stored};
use std::path::Path;

const HEAD: &str = "{\"format\":\"seamwork-history\",\"version\":1,\"run\":\"r\"}\n";

fn read(text: &str) -> Result<Stored, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.jsonl"), text).unwrap();
    Reader::open(&RunFolder { id: "r".into(), path: folder.path().to_owned() })?.read()
}

fn line(seq: u64, what: &str) -> String {
    format!("{{\"seq\":{seq},\"at\":{seq},\"scope\":{{}},\"what\":{what}}}\n")
}

#[test]
fn what_is_not_known_is_passed_over() {
    let finished = line(9, r#"{"finished":{"reason":"done"}}"#);
    for (name, text, events, unknown, damaged, interrupted) in [
        ("whole", finished.clone(), 1, 0, 0, false),
        ("no end", line(1, r#"{"test":{"phase":"began"}}"#), 1, 0, 0, true),
        ("new kind", line(1, r#"{"dream":{"of":[1,{"sheep":2}]}}"#) + &finished, 1, 1, 0, false),
        ("new word in a known kind", line(1, r#"{"test":{"phase":"paused"}}"#) + &finished, 1, 1, 0, false),
        ("new field", line(1, r#"{"test":{"phase":"began","mood":"good"}}"#) + &finished, 2, 0, 0, false),
        ("damage in the middle", format!("{{\"seq\":1,\"at\n{finished}"), 1, 0, 1, false),
        ("empty lines", format!("\n\n{finished}\n"), 1, 0, 0, false),
        ("cut last line", finished.clone() + "{\"seq\":10,\"at\":1", 1, 0, 0, false),
        ("cut before the end", finished.trim_end().to_owned(), 0, 0, 0, true),
        ("not UTF-8", "\u{fffd}".to_owned() + "\n" + &finished, 1, 0, 1, false),
        ("nothing", String::new(), 0, 0, 0, true),
    ] {
        let stored = read(&format!("{HEAD}{text}")).unwrap();
        let got = (stored.history.events.len(), stored.unknown, stored.damaged, stored.interrupted);
        assert_eq!(got, (events, unknown, damaged, interrupted), "{name}");
    }
}

#[test]
fn other_formats_are_refused() {
    for (text, message) in [
        ("", "is not a history of Seamwork"),
        ("hello\n", "is not a history of Seamwork"),
        ("{\"format\":\"other\",\"version\":1}\n", "is not a history of Seamwork"),
        ("{\"format\":\"seamwork-history\"}\n", "is not a history of Seamwork"),
        (
            "{\"format\":\"seamwork-history\",\"version\":2,\"run\":\"r\",\"more\":1}\n",
            "was written in version 2 of the format; this seam reads up to 1",
        ),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    let missing = Reader::open(&RunFolder { id: "r".into(), path: "/nonexistent".into() });
    assert!(matches!(missing, Err(ReadError::Io { .. })));
}

#[test]
fn a_body_that_is_gone_makes_the_interaction_a_cut_one() {
    let aside = r#"{"interaction":{"id":1,"seam":{"consumer":"a","provider":"b","endpoint":""},"from":"a","to":"b",
        "caller":"known","protocol":"http","connection":1,"at":1,"request":{"body":{"«body»":"00ff","of":"json"}},
        "reply":null,"message":null}}"#
        .replace('\n', "");
    let stored = read(&format!("{HEAD}{}", line(1, &aside))).unwrap();
    let What::Interaction(interaction) = &stored.history.events[0].what else { panic!("{stored:?}") };
    assert!(interaction.cut);
    assert_eq!(interaction.request.to_string(), r#"{"body":null}"#);
}

/// A run of each version of the format stays in the repository and is read for ever.
#[test]
fn runs_of_every_version_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/v1");
    let stored = Reader::open(&RunFolder { id: "v1".into(), path }).unwrap().read().unwrap();
    assert!(!stored.interrupted);
    assert_eq!((stored.unknown, stored.damaged), (0, 0));
    let mut kinds: Vec<&str> = stored.history.events.iter().map(|event| event.what.kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut all = What::KINDS.to_vec();
    all.sort_unstable();
    assert_eq!(kinds, all, "the stored run holds every kind of event");
    let file = stored.history.sources.files().next().unwrap().1;
    assert!(file.text.starts_with("tests:"), "{}", file.text);
    let whole = stored.history.events.iter().any(|event| match &event.what {
        What::Interaction(interaction) => interaction
            .reply
            .get("text")
            .and_then(|text| text.as_text())
            .is_some_and(|text| text.len() > 4096),
        _ => false,
    });
    assert!(whole, "the body that was put aside is there");
}
