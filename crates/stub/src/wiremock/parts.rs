//! The parts of a multipart body.

/// How many parts are read.
const MOST: usize = 1_000;

/// One part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Part {
    /// All values of a header.
    pub(crate) fn header_values(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads the parts of a body whose type says what stands between them.
pub(crate) fn parts(content_type: &str, body: &[u8]) -> Vec<Part> {
    let Some(boundary) = parameter(content_type, "boundary") else { return Vec::new() };
    let mark = format!("--{boundary}").into_bytes();
    let mut found = Vec::new();
    let mut rest = match find(body, &mark) {
        Some(at) => &body[at + mark.len()..],
        None => return found,
    };
    while found.len() < MOST && !rest.starts_with(b"--") {
        let rest_after_line = match find(rest, b"\n") {
            Some(at) => &rest[at + 1..],
            None => break,
        };
        let Some(end) = find(rest_after_line, &mark) else { break };
        found.push(part(&rest_after_line[..end]));
        rest = &rest_after_line[end + mark.len()..];
    }
    found
}

fn part(bytes: &[u8]) -> Part {
    let (head, body) = match find(bytes, b"\r\n\r\n") {
        Some(at) => (&bytes[..at], &bytes[at + 4..]),
        None => match find(bytes, b"\n\n") {
            Some(at) => (&bytes[..at], &bytes[at + 2..]),
            None => (&b""[..], bytes.strip_prefix(b"\r\n").unwrap_or(bytes)),
        },
    };
    let body = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n")).unwrap_or(body);
    let head = String::from_utf8_lossy(head);
    let headers: Vec<(String, String)> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let mut part = Part { headers, body: body.to_vec(), ..Part::default() };
    let placed = part.header_values("content-disposition").first().map(|value| (*value).to_owned());
    part.name = placed.as_deref().and_then(|value| parameter(value, "name"));
    part.file_name = placed.as_deref().and_then(|value| parameter(value, "filename"));
    part
}

/// `name="value"` among the parameters of a header.
fn parameter(header: &str, name: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (known, value) = rest.split_once('=')?;
        let (value, behind) = value_of_parameter(value.trim_start());
        // What stands alone before it is a word without a value.
        if known.rsplit(';').next().unwrap_or(known).trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = behind;
    }
}

/// A parameter's value, which may stand in quotes (RFC 2045, 5.1), and what is behind it. Browsers write a `\` as it is.
fn value_of_parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, behind) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), behind);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.push(
                letters.next_if(|(_, next)| matches!(next, '"' | '\\')).map_or(letter, |(_, next)| next),
            ),
            _ => value.push(letter),
        }
    }
    (value, "")
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return None;
    }
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        for (header, expect) in [
            (r#"form-data; name="a"; filename="f.txt""#, Some("f.txt")),
            (
                r#"form-data; name="filename=x;"; filename="a; b \"c\" \\d.txt"; x=y"#,
                Some(r#"a; b "c" \d.txt"#),
            ),
            (r"form-data; FileName = f.txt ; name=a", Some("f.txt")),
            (r#"form-data; filename="C:\temp\f.txt""#, Some(r"C:\temp\f.txt")),
            (r#"form-data; filename="open"#, Some("open")),
            (r#"form-data; name="a""#, None),
            ("form-data", None),
        ] {
            assert_eq!(parameter(header, "filename").as_deref(), expect, "{header}");
        }
    }

    #[test]
    fn parts_are_read() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\nline\r\nmore\r\n--x\r\nContent-Disposition: form-data; name=b\r\n\r\n1\r\n--x--\r\n";
        let read = parts("multipart/form-data; boundary=\"x\"", body);
        let shown: Vec<String> = read
            .iter()
            .map(|part| {
                format!("{:?} {:?} {:?} {:?}", part.name, part.file_name, part.headers.len(), part.text())
            })
            .collect();
        assert_eq!(shown, [r#"Some("a") Some("f.txt") 2 "line\r\nmore""#, r#"Some("b") None 1 "1""#]);
        for odd in [&b""[..], b"--x", b"--x\r\n", b"--x--", b"nothing"] {
            assert!(parts("multipart/form-data; boundary=x", odd).is_empty(), "{odd:?}");
        }
    }
}
