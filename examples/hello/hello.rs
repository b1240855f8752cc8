//! Two small programs in one file, with nothing but the standard library: `names` knows what people are
//! called, and `greeter` asks it and greets them. Which of the two it is, the first argument says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let part = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind(std::env::var("LISTEN").expect("LISTEN says where to listen"))?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let Some(path) = requested_path(&stream) else { continue };
        let (status, body) = match part.as_str() {
            "names" => name(&path),
            _ => greeting(&path),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

/// `names`: GET /people/1 tells who that is.
fn name(path: &str) -> (&'static str, String) {
    match path {
        "/health" => ("200 OK", "{}".to_owned()),
        "/people/1" => ("200 OK", r#"{"id": 1, "name": "Ada"}"#.to_owned()),
        _ => ("404 Not Found", r#"{"error": "nobody"}"#.to_owned()),
    }
}

/// `greeter`: GET /hello/1 greets whoever `names` says that is.
fn greeting(path: &str) -> (&'static str, String) {
    let Some(id) = path.strip_prefix("/hello/") else { return ("200 OK", "{}".to_owned()) };
    let Ok(reply) = ask_names(id) else {
        return ("502 Bad Gateway", r#"{"error": "names does not answer"}"#.to_owned());
    };
    match reply.split(r#""name": ""#).nth(1).and_then(|rest| rest.split('"').next()) {
        Some(name) => ("200 OK", format!(r#"{{"greeting": "Hello, {name}!"}}"#)),
        None => ("404 Not Found", r#"{"error": "nobody to greet"}"#.to_owned()),
    }
}

fn ask_names(id: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(std::env::var("NAMES").expect("NAMES says where names listens"))?;
    write!(stream, "GET /people/{id} HTTP/1.1\r\nHost: names\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

fn requested_path(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    // The head is read to its end, so that closing does not reset the connection.
    lines.take_while(|line| !line.is_empty()).count();
    Some(path)
}
