//! The mailbox over its real socket: whole conversations, limits, and waiting for mails.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

struct Fixture {
    mailbox: Mailbox,
    _folder: tempfile::TempDir,
}

fn mailbox(size: u64) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = Mailbox {
        socket: folder.path().join("smtp"),
        rules: Rules { size, sign_in: None },
        store: Arc::new(Store::new()),
        task: Mutex::new(None),
    };
    mailbox.open().unwrap();
    Fixture { mailbox, _folder: folder }
}

/// Sends everything at once, as PIPELINING allows, and gives all that was answered.
async fn talk(mailbox: &Mailbox, said: &[u8]) -> String {
    let mut stream = UnixStream::connect(&mailbox.socket).await.unwrap();
    stream.write_all(said).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const HEAD: &str = "EHLO me\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n";

#[tokio::test]
async fn a_mail_arrives_and_is_waited_for() {
    let fixture = mailbox(1000);
    let mut arrivals = fixture.mailbox.arrivals();
    let data = format!("{HEAD}DATA\r\nSubject: Hi\r\n\r\n..a dot\r\nä\r\n.\r\nQUIT\r\n");
    let (answer, waited) = tokio::join!(talk(&fixture.mailbox, data.as_bytes()), arrivals.changed());
    waited.unwrap();
    assert!(answer.ends_with("250 2.0.0 Kept as mail 1\r\n221 2.0.0 Goodbye\r\n"), "{answer}");
    let mails = fixture.mailbox.mails();
    assert_eq!(mails[0].read.text.as_deref(), Some(".a dot\nä\n"));
    assert_eq!(&mails[0].raw[..], "Subject: Hi\r\n\r\n.a dot\r\nä\r\n".as_bytes());
}

#[tokio::test]
async fn chunks_arrive_as_they_are() {
    let fixture = mailbox(1000);
    let said = format!("{HEAD}BDAT 12\r\nSubject: A\r\nBDAT 6 LAST\r\n\r\n.\r\n.QUIT\r\n");
    let answer = talk(&fixture.mailbox, said.as_bytes()).await;
    assert!(answer.contains("250 2.0.0 Kept as mail 1"), "{answer}");
    assert_eq!(&fixture.mailbox.mails()[0].raw[..], b"Subject: A\r\n\r\n.\r\n.");
}

#[tokio::test]
async fn no_mail_is_smuggled_in_another() {
    let fixture = mailbox(1000);
    let inner = "MAIL FROM:<evil@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\nevil\r\n";
    for dot in ["\n.\r\n", "\n.\n", "\r\n.\n"] {
        let said = format!("{HEAD}DATA\r\nSubject: A\r\n\r\ntext{dot}{inner}.\r\nQUIT\r\n");
        talk(&fixture.mailbox, said.as_bytes()).await;
        let mails = fixture.mailbox.store.replace(Vec::new());
        assert_eq!(mails.len(), 1, "{dot:?}");
        assert_eq!(mails[0].sender, "a@x.test");
    }
    let said = format!("{HEAD}DATA\r\nSubject: A\r\n\r\nHi\r\n.\r\n").replace("\r\n", "\n");
    let answer = talk(&fixture.mailbox, said.as_bytes()).await;
    assert!(answer.contains("Kept"), "who writes bare line ends throughout is understood: {answer}");
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_next_one_taken() {
    let fixture = mailbox(100);
    let large = "x".repeat(5000);
    let said = format!(
        "{HEAD}DATA\r\n{large}\r\n.\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nBDAT 5000\r\n{large}RSET\r\n\
         MAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\nsmall\r\n.\r\nQUIT\r\n"
    );
    let answer = talk(&fixture.mailbox, said.as_bytes()).await;
    assert_eq!(answer.matches("552 5.3.4").count(), 2, "{answer}");
    assert!(answer.contains("Kept as mail 1"), "{answer}");
    let answer = talk(&fixture.mailbox, format!("{}\r\nNOOP\r\n", "x".repeat(40_000)).as_bytes()).await;
    assert!(answer.contains("500 5.5.2 The line is too long\r\n250"), "{answer}");
}

#[tokio::test]
async fn what_a_client_left_half_said_is_no_mail() {
    let fixture = mailbox(1000);
    for rest in ["", "DATA\r\n", "DATA\r\nSubject: A\r\n\r\nhalf", "BDAT 100 LAST\r\nhalf"] {
        talk(&fixture.mailbox, format!("{HEAD}{rest}").as_bytes()).await;
    }
    assert!(fixture.mailbox.mails().is_empty());
}

#[tokio::test]
async fn state_goes_back_and_a_stopped_mailbox_refuses() {
    let fixture = mailbox(1000);
    let mailbox = &fixture.mailbox;
    let mail = format!("{HEAD}DATA\r\nSubject: Hi\r\n\r\n.\r\n");
    talk(mailbox, mail.as_bytes()).await;
    let kept = mailbox.keep().await.unwrap();
    talk(mailbox, mail.as_bytes()).await;
    assert_eq!(mailbox.mails().len(), 2);
    let restored = mailbox.restore(&kept).await.unwrap();
    assert_eq!((mailbox.mails().len(), restored.changed), (1, vec!["1 mails".to_owned()]));
    let upstream = mailbox.upstream("");
    mailbox.stop(StopHow::Killed).await.unwrap();
    assert!(!upstream.accepts().await);
    mailbox.start().await.unwrap();
    assert!(upstream.accepts().await);
    assert_eq!(mailbox.mails().len(), 1, "a mailbox that was off still holds its mails");
}
