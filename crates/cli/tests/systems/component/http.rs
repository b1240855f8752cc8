//! HTTP/1.1 as small as it can be: requests are read, answers are written, connections stay open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A request that was read whole.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names with values, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What is done with a request.
pub(crate) enum Answer {
    /// Status, headers besides the length, body.
    Reply(u16, Vec<(String, String)>, Vec<u8>),
    /// These bytes as they are, and then the end of the connection.
    Bytes(Vec<u8>),
    /// The connection ends without an answer.
    Close,
    /// The connection is reset.
    Reset,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        let pairs = self.header("cookie").split("; ").filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Answers on a listener for ever, each connection in a thread of its own.
pub(crate) fn serve(listener: &TcpListener, answer: fn(&Request) -> Answer) -> ! {
    loop {
        if let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                // Whoever called may be gone at any moment.
                let _ = converse(&stream, answer);
            });
        }
    }
}

fn converse(stream: &TcpStream, answer: fn(&Request) -> Answer) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keeps = super::variable("KEEP_ALIVE", "yes") == "yes";
    let mut input = BufReader::new(stream.try_clone()?);
    while let Some(request) = read(&mut input)? {
        match answer(&request) {
            Answer::Reply(status, headers, body) => {
                let is_last = !keeps || request.header("connection").eq_ignore_ascii_case("close");
                let mut head = format!("HTTP/1.1 {status} .\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str(if is_last { "connection: close\r\n\r\n" } else { "\r\n" });
                let mut output = stream;
                output.write_all(&[head.as_bytes(), &body].concat())?;
                if is_last {
                    return Ok(());
                }
            }
            Answer::Bytes(bytes) => {
                let mut output = stream;
                return output.write_all(&bytes);
            }
            Answer::Close => return Ok(()),
            Answer::Reset => {
                return socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
            }
        }
    }
    Ok(())
}

pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut request = Request { method, path: decoded(path), query: pairs(query), ..Request::default() };
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    if request.header("transfer-encoding") == "chunked" {
        request.body = chunks(input)?;
    } else {
        request.body = vec![0; request.header("content-length").parse().unwrap_or(0)];
        input.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn chunks(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let n = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; n + 2];
        input.read_exact(&mut chunk)?;
        if n == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..n]);
    }
}

/// `a=1&b=%20` as pairs.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(k, v)| (plain(k), plain(v))).collect()
}

fn plain(text: &str) -> String {
    decoded(&text.replace('+', " "))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks another server, on a connection of its own: `http://host:port` or `host:port`, and a path.
pub(crate) fn ask(method: &str, server: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let is_secure = server.starts_with("https://");
    let server = server.trim_start_matches("http://").trim_start_matches("https://").trim_end_matches('/');
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\ncontent-type: text/plain\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut bytes = Vec::new();
    if is_secure {
        bytes = super::secure::exchange(server, request.as_bytes())?;
    } else {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut bytes)?;
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let no_answer = || io::Error::new(io::ErrorKind::UnexpectedEof, "no answer");
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { unchunked(body) } else { body.to_owned() };
    Ok((status.ok_or_else(no_answer)?, body))
}

/// What stands in the chunks of a body, as far as these are whole.
fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        let Some(chunk) = rest.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        whole += chunk;
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}
