//! A command that is run with input and output of the caller's own, and what it leaves behind when it is killed.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod bed;

use bed::{Bed, LIMIT};
use seam_event::ComponentId;
use seam_launch::{Exit, Spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

fn shell(bed: &Bed, script: &str) -> Spawn {
    let mut spawn = Spawn::new(ComponentId::from("test.1"), "/bin/sh", bed.folder.path());
    spawn.arguments = vec!["-c".into(), script.into()];
    spawn
}

#[tokio::test]
async fn bytes_go_in_and_come_out_as_they_are() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let mut piped = watcher.spawn_piped(shell(&bed, "cat; printf 'no end' >&2; exit 3")).await.unwrap();
    piped.stdin.write_all(b"\xff\x00long").await.unwrap();
    drop(piped.stdin);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    timeout(LIMIT, piped.stdout.read_to_end(&mut out)).await.unwrap().unwrap();
    timeout(LIMIT, piped.stderr.read_to_end(&mut err)).await.unwrap().unwrap();
    assert_eq!((out.as_slice(), err.as_slice()), (&b"\xff\x00long"[..], &b"no end"[..]));
    assert_eq!(timeout(LIMIT, piped.running.exited()).await.unwrap().unwrap(), Exit::Code(3));
    piped.running.said_all().await;
    watcher.finish().await.unwrap();
}

#[tokio::test]
async fn killing_it_takes_what_it_started_along() {
    let bed = Bed::new();
    let watcher = bed.watcher().await;
    let script = format!("sleep {0} & sleep {0}", bed.mark.0);
    let mut piped = watcher.spawn_piped(shell(&bed, &script)).await.unwrap();
    assert!(watcher.n_processes() >= 1);
    piped.running.kill().await.unwrap();
    let mut out = Vec::new();
    timeout(LIMIT, piped.stdout.read_to_end(&mut out)).await.expect("nobody holds the pipe").unwrap();
    assert_eq!(watcher.n_processes(), 0);
    watcher.finish().await.unwrap();
}
