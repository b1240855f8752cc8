//! A small SMTP server, that lets `tester` in by the password `p@ss:word` and has nobody called `gone`.

use super::serving;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Where it listens, and all that is said to it: a session's lines, a mail's content without its last dot.
pub(crate) async fn server(abilities: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let (say, said) = mpsc::unbounded_channel();
    let (at, _) = serving(move |stream, _| serve(stream, abilities, say.clone())).await;
    (at, said)
}

async fn serve(stream: TcpStream, abilities: &'static str, say: mpsc::UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 here\r\n").await.unwrap();
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|n_bytes| n_bytes > 0) {
        let command = std::mem::take(&mut line);
        let _ = say.send(command.trim_end().to_owned());
        let reply = match command.split([' ', '\r']).next().unwrap_or_default() {
            "EHLO" => abilities,
            // tester p@ss:word, after an empty name
            "AUTH" if command.contains("AHRlc3RlcgBwQHNzOndvcmQ=") => "235 come in",
            "AUTH" => "535 5.7.8 who is that?",
            "RCPT" if command.contains("gone") => "550-5.1.1 no such\r\n550 5.1.1 person",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
        if reply.starts_with("354") {
            let mut content = String::new();
            while !content.ends_with("\r\n.\r\n") && stream.read_line(&mut content).await.unwrap() > 0 {}
            let _ = say.send(content.trim_end_matches(".\r\n").to_owned());
            stream.write_all(b"250 2.0.0 queued\r\n").await.unwrap();
        }
    }
}
