//! A client of PostgreSQL, Redis and a mail server, each over one connection that stays open.

use super::variable;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{LazyLock, Mutex};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});
static POSTGRES: Mutex<Option<Client>> = Mutex::new(None);

/// Runs statements in the database of `DATABASE_URL`; rows as maps of texts.
pub(crate) fn sql(text: &str) -> Result<Value, String> {
    let mut kept = POSTGRES.lock().unwrap();
    if kept.as_ref().is_none_or(Client::is_closed) {
        let url = variable("DATABASE_URL", "");
        let connecting = RUNTIME.block_on(tokio_postgres::connect(&url, NoTls));
        let (client, connection) = connecting.map_err(|error| error.to_string())?;
        RUNTIME.spawn(connection);
        *kept = Some(client);
    }
    let client = kept.as_ref().expect("it has just been made");
    let messages =
        RUNTIME.block_on(client.simple_query(text)).map_err(|error| match error.as_db_error() {
            Some(error) => format!("{}: {}", error.code().code(), error.message()),
            None => error.to_string(),
        })?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = |row: &tokio_postgres::SimpleQueryRow| {
        let columns = row.columns().iter().enumerate();
        columns
            .map(|(n, column)| (column.name().to_owned(), json!(row.get(n))))
            .collect::<serde_json::Map<_, _>>()
    };
    Ok(rows.map(row).map(Value::Object).collect())
}

/// Sends one command, given as words, to the Redis of `REDIS_URL`.
pub(crate) fn redis(text: &str) -> Result<Value, String> {
    let mut stream = redis_connection()?;
    send(&mut stream, &text.split_whitespace().collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    reply(&mut BufReader::new(stream))
}

/// A new connection to the Redis of `REDIS_URL`, signed in where the address says how.
pub(crate) fn redis_connection() -> Result<TcpStream, String> {
    let url = variable("REDIS_URL", "");
    let rest = url.trim_start_matches("redis://");
    let (login, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(server).map_err(|error| error.to_string())?;
    let (_, password) = login.split_once(':').unwrap_or_default();
    let mut input = BufReader::new(stream.try_clone().map_err(|error| error.to_string())?);
    for words in [["AUTH", password], ["SELECT", database]].iter().filter(|words| !words[1].is_empty()) {
        send(&mut stream, words).map_err(|error| error.to_string())?;
        reply(&mut input)?;
    }
    Ok(stream)
}

/// Writes one command.
pub(crate) fn send(stream: &mut TcpStream, words: &[&str]) -> std::io::Result<()> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(text.as_bytes())
}

/// Reads one reply.
pub(crate) fn reply(input: &mut BufReader<TcpStream>) -> Result<Value, String> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|error| error.to_string())?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).ok_or("Redis closed the connection")?;
    match (kind, rest.parse::<i64>().unwrap_or_default()) {
        ("+", _) => Ok(json!(rest)),
        (":", number) => Ok(json!(number)),
        ("$" | "*", -1) => Ok(Value::Null),
        ("$", n) => {
            let mut bytes = vec![0; usize::try_from(n).unwrap() + 2];
            input.read_exact(&mut bytes).map_err(|error| error.to_string())?;
            bytes.truncate(bytes.len() - 2);
            Ok(json!(String::from_utf8_lossy(&bytes)))
        }
        ("*", n) => (0..n).map(|_| reply(input)).collect(),
        _ => Err(rest.to_owned()),
    }
}

/// Sends a mail, given as JSON with `to`, `subject`, `text`, to the server of `SMTP_URL`.
pub(crate) fn mail(text: &str) -> Result<Value, String> {
    let mail: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let said = |name: &str| mail[name].as_str().unwrap_or_default().to_owned();
    let url = variable("SMTP_URL", "");
    let server = url.trim_start_matches("smtp://").trim_end_matches('/');
    let stream = TcpStream::connect(server).map_err(|error| error.to_string())?;
    let mut input = BufReader::new(stream);
    let letter = format!(
        "From: shop@example.test\r\nTo: {}\r\nSubject: {}\r\n\r\n{}\r\n.\r\n",
        said("to"),
        said("subject"),
        said("text")
    );
    let words = [
        String::new(),
        "EHLO component\r\n".to_owned(),
        "MAIL FROM:<shop@example.test>\r\n".to_owned(),
        format!("RCPT TO:<{}>\r\n", said("to")),
        "DATA\r\n".to_owned(),
        letter,
        "QUIT\r\n".to_owned(),
    ];
    let mut last = String::new();
    for line in words {
        last = exchange(&mut input, &line).map_err(|error| error.to_string())?;
        if last.starts_with(['4', '5']) {
            return Err(last);
        }
    }
    Ok(json!(last))
}

/// Says a line and hears the whole answer.
fn exchange(input: &mut BufReader<TcpStream>, line: &str) -> std::io::Result<String> {
    input.get_mut().write_all(line.as_bytes())?;
    loop {
        let mut answer = String::new();
        input.read_line(&mut answer)?;
        if answer.as_bytes().get(3) != Some(&b'-') {
            return Ok(answer.trim_end().to_owned());
        }
    }
}
