//! `GET /health`: it answers a request with a status below 400, or with the one that is named.

use super::tcp::{address, connect, words};
use super::{NotReady, ReadinessKind, Ready, ReadyContext};
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Field, Fields, Node, Shape, Word};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// More than this is no head of an answer.
const HEAD_LIMIT: usize = 64 * 1024;

pub(super) const KIND: ReadinessKind = ReadinessKind {
    word: Word {
        text: "Ready when this request is answered with a status below 400, or with `status` where that is given. \
               The short form is the request alone: `ready: GET /health`.",
        subject: Shape::Text,
        fields: &[Field::optional(
            "status",
            Shape::Integer,
            "the status that means ready, instead of any below 400",
        )],
        example: "system: example\n\
                  components:\n\
                  \x20 web:\n\
                  \x20   run: python3 -m http.server --bind 127.0.0.1 ${self.port}\n\
                  \x20   ready: { http: GET /not-there, status: 404 }\n",
        ..Word::new("http", "ready when a request is answered")
    },
    is_text: |text| request(text).is_some(),
    read,
};

/// A request that is answered when the component is ready.
#[derive(Debug, PartialEq, Eq)]
struct Http {
    method: String,
    path: String,
    /// None: any below 400.
    status: Option<u16>,
}

fn read(node: &Node, fields: &mut Fields<'_>, found: &mut Diagnostics) -> Option<Box<dyn Ready>> {
    let status_node = fields.take("status");
    let Some((method, path)) = node.as_text().and_then(request) else {
        let told = Diagnostic::error("`http` must be a request").at(node.span, "");
        found.push(told.hint("write the method and the path: `GET /health`"));
        return None;
    };
    let status = match status_node {
        None => None,
        Some(node) => {
            let status = node.scalar_text().and_then(|text| text.parse::<u16>().ok());
            if !status.is_some_and(|status| (100..600).contains(&status)) {
                found.push(Diagnostic::error("`status` must be an HTTP status").at(node.span, ""));
                return None;
            }
            status
        }
    };
    Some(Box::new(Http { method: method.to_owned(), path: path.to_owned(), status }))
}

/// `GET /path` as method and path; none if it is no request.
fn request(text: &str) -> Option<(&str, &str)> {
    let (method, path) = text.trim().split_once(' ')?;
    let path = path.trim_start();
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    (is_method && is_path).then_some((method, path))
}

impl Ready for Http {
    fn speaks(&self) -> bool {
        true
    }

    fn look<'a>(&'a self, cx: &'a ReadyContext<'a>) -> BoxFuture<'a, Result<(), NotReady>> {
        Box::pin(async move {
            let address = address(cx)?;
            let mut stream = connect(address).await?;
            let Self { method, path, .. } = self;
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: seam\r\nAccept: */*\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let failed = |error: &std::io::Error| NotReady::NotYet(words(error));
            stream.write_all(head.as_bytes()).await.map_err(|error| failed(&error))?;
            let mut answer = Vec::with_capacity(1024);
            loop {
                if let Some(status) = status(&answer)? {
                    return self.judge(status);
                }
                let n_read = stream.read_buf(&mut answer).await.map_err(|error| failed(&error))?;
                if n_read == 0 {
                    return Err(failed(&std::io::ErrorKind::UnexpectedEof.into()));
                }
            }
        })
    }
}

impl Http {
    fn judge(&self, status: u16) -> Result<(), NotReady> {
        match self.status {
            None if status < 400 => Ok(()),
            Some(wanted) if status == wanted => Ok(()),
            _ => Err(NotReady::NotYet(status.to_string())),
        }
    }
}

/// The status of an answer, once its head is there; interim ones (100, 103) are passed over.
fn status(mut answer: &[u8]) -> Result<Option<u16>, NotReady> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut headers);
        match head.parse(answer) {
            Ok(httparse::Status::Complete(length)) => match head.code {
                Some(100..200) => answer = &answer[length..],
                code => return Ok(code),
            },
            Ok(httparse::Status::Partial) if answer.len() < HEAD_LIMIT => return Ok(None),
            Ok(httparse::Status::Partial) | Err(_) => {
                return Err(NotReady::NotYet("the answer is no HTTP".to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_from_other_texts() {
        for (text, expected) in [
            ("GET /", Some(("GET", "/"))),
            ("GET  /health?deep=1", Some(("GET", "/health?deep=1"))),
            ("HEAD /a", Some(("HEAD", "/a"))),
            ("get /", None),
            ("GET health", None),
            ("GET", None),
            ("/health", None),
            ("GET /a b", None),
            ("tcp", None),
        ] {
            assert_eq!(request(text), expected, "{text}");
        }
    }

    #[test]
    fn the_status_shows_once_the_head_is_whole() {
        let whole = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\nA: b\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(status(&whole[..end]), Ok(None), "{end} bytes");
        }
        assert_eq!(status(whole), Ok(Some(204)));
        assert!(status(b"SSH-2.0-OpenSSH_9\r\n").is_err());
    }

    #[test]
    fn below_400_or_the_one_that_is_named() {
        let http = |status| Http { method: "GET".into(), path: "/".into(), status };
        for (wanted, status, ready) in [
            (None, 200, true),
            (None, 302, true),
            (None, 400, false),
            (None, 503, false),
            (Some(404), 404, true),
            (Some(404), 200, false),
        ] {
            assert_eq!(http(wanted).judge(status).is_ok(), ready, "{wanted:?} {status}");
        }
    }
}
