//! One request of HTTP/1 with its answer, over a connection of its own: headers keep their order and the letters in which
//! they were written, because what is recorded of them is compared.

use std::fmt::Write as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest head of an answer.
const MOST_HEAD: usize = 256 * 1024;
/// How many headers it may have.
const MOST_HEADERS: usize = 512;
/// The longest answer that is passed on.
const MOST_BODY: usize = 64 * 1024 * 1024;

/// A request, with the headers that its sender chose.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) target: &'a str,
    pub(super) authority: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// What stands behind the status.
    pub(super) reason: String,
    pub(super) headers: Vec<(String, String)>,
    /// Without its transfer encoding.
    pub(super) body: Vec<u8>,
}

/// Asks, and reads the whole answer.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin + ?Sized),
    request: &Request<'_>,
) -> Result<Reply, String> {
    stream.write_all(&head(request)?).await.map_err(|error| error.to_string())?;
    // One that answers before it has read everything may refuse the rest: its answer counts.
    let sent = stream.write_all(request.body).await;
    let flushed = stream.flush().await;
    let mut reading = Reading { stream, read: Vec::new() };
    let mut reply = loop {
        match reading.head().await {
            // What comes before an answer is none.
            Ok(head) if (100..200).contains(&head.status) && head.status != 101 => {}
            Ok(head) => break head,
            Err(reason) => return Err(sent.and(flushed).err().map_or(reason, |error| error.to_string())),
        }
    };
    let has_body = request.method != "HEAD" && !matches!(reply.status, 101 | 204 | 304);
    if has_body {
        reply.body = reading.body(&reply.headers).await?;
    }
    Ok(reply)
}

fn head(request: &Request<'_>) -> Result<Vec<u8>, String> {
    let Request { method, target, authority, headers, body } = request;
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {authority}\r\n");
    for (name, value) in *headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !body.is_empty() || matches!(*method, "POST" | "PUT" | "PATCH") {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    head.push_str("Connection: close\r\n\r\n");
    let is_broken = |text: &str| text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    let broken = headers.iter().any(|(name, value)| is_broken(name) || is_broken(value) || name.is_empty());
    if broken || [method, target, authority].iter().any(|text| text.contains(char::is_whitespace)) {
        return Err("the request can't be written as HTTP".to_owned());
    }
    Ok(head.into_bytes())
}

struct Reading<'s, S: ?Sized> {
    stream: &'s mut S,
    /// What has come and was not taken yet.
    read: Vec<u8>,
}

impl<S: AsyncRead + Unpin + ?Sized> Reading<'_, S> {
    /// Reads more; false where there is no more.
    async fn more(&mut self) -> Result<bool, String> {
        let n_read = self.stream.read_buf(&mut self.read).await.map_err(|error| error.to_string())?;
        Ok(n_read > 0)
    }

    async fn head(&mut self) -> Result<Reply, String> {
        loop {
            let mut room = vec![httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut head = httparse::Response::new(&mut room);
            if let httparse::Status::Complete(length) =
                head.parse(&self.read).map_err(|error| error.to_string())?
            {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers =
                    head.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
                let status = head.code.unwrap_or_default();
                let reason = head.reason.unwrap_or_default().to_owned();
                self.read.drain(..length);
                return Ok(Reply { status, reason, headers, body: Vec::new() });
            }
            if self.read.len() > MOST_HEAD {
                return Err("the head of its answer is too long".to_owned());
            }
            if !self.more().await? {
                return Err("it closed the connection before it answered".to_owned());
            }
        }
    }

    async fn body(&mut self, headers: &[(String, String)]) -> Result<Vec<u8>, String> {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_ascii_lowercase())
        };
        if header("transfer-encoding").is_some_and(|how| how.contains("chunked")) {
            return self.chunks().await;
        }
        if let Some(length) = header("content-length").and_then(|length| length.trim().parse().ok()) {
            return self.take(length).await;
        }
        while self.more().await? {
            within(self.read.len())?;
        }
        Ok(std::mem::take(&mut self.read))
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, String> {
        within(length)?;
        while self.read.len() < length {
            if !self.more().await? {
                return Err("it closed the connection before its answer had ended".to_owned());
            }
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    async fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                let line = self.take(end + 2).await?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.read.len() > MOST_HEAD || !self.more().await? {
                return Err("its answer is not in chunks as it says".to_owned());
            }
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| "its answer is not in chunks as it says".to_owned())?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            within(size.saturating_add(body.len()))?;
            body.extend(self.take(size).await?);
            self.line().await?;
        }
    }
}

fn within(length: usize) -> Result<(), String> {
    if length > MOST_BODY { Err("its answer is longer than 64 MiB".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(method: &str, reply: &[u8]) -> Result<Reply, String> {
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        far.write_all(reply).await.unwrap();
        let (method, target) = (method, "/a");
        let request = Request { method, target, authority: "b:1", headers: &[("X-Own", "1")], body: b"" };
        let asking = exchange(&mut near, &request);
        let closing = async {
            let mut heard = Vec::new();
            let mut room = [0; 1024];
            while !heard.ends_with(b"\r\n\r\n") {
                let n_read = far.read(&mut room).await.unwrap();
                heard.extend_from_slice(&room[..n_read]);
            }
            drop(far);
            String::from_utf8(heard).unwrap()
        };
        let (reply, heard) = tokio::join!(asking, closing);
        assert!(heard.contains("Host: b:1\r\nX-Own: 1\r\n"), "{heard}");
        reply
    }

    #[tokio::test]
    async fn answers_are_read_whole() {
        for (method, reply, expected) in [
            ("GET", &b"HTTP/1.1 200 OK\r\nX-Odd: 1\r\nContent-Length: 2\r\n\r\nhi"[..], Ok((200, "hi"))),
            ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", Ok((201, ""))),
            ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nT: 1\r\n\r\n", Ok((200, "abc"))),
            ("GET", b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Ok((200, "until the end"))),
            ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Ok((200, ""))),
            ("GET", b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", Ok((304, ""))),
            ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", Err("before its answer had ended")),
            ("GET", b"", Err("before it answered")),
            ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Err("not in chunks")),
        ] {
            let read = asked(method, reply).await;
            match (read, expected) {
                (Ok(read), Ok((status, body))) => {
                    assert_eq!((read.status, read.body.as_slice()), (status, body.as_bytes()));
                }
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
                (read, expected) => panic!("{read:?} is not {expected:?}"),
            }
        }
    }
}
