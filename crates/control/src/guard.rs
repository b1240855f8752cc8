//! Who may ask at all: a browser's page of another origin may not, whatever name it found us by.
//!
//! A page can make a browser send requests to loopback, and a name of its own can be made to lead there. The first gives
//! itself away by its `Origin`, the second by its `Host`.

use crate::answer::Answer;
use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap, ORIGIN};

/// Why a request is refused before anybody looks at it; none where it may pass.
pub(crate) fn refusal(headers: &HeaderMap, authority: Option<&str>) -> Option<Answer> {
    let hosts: Vec<&str> = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or("")).collect();
    let host = match (hosts.as_slice(), authority) {
        ([host], _) => *host,
        ([], Some(authority)) => authority,
        ([], None) => {
            let hint = "send `Host: localhost`";
            return Some(Answer::error(StatusCode::BAD_REQUEST, "the request has no Host", hint));
        }
        _ => return Some(Answer::error(StatusCode::BAD_REQUEST, "the request has several Hosts", "")),
    };
    if let Some(strange) = [Some(host), authority].into_iter().flatten().find(|name| !is_local(name)) {
        let message = format!("`{strange}` is not a name of this machine's loopback");
        let hint = "ask for localhost, 127.0.0.1 or [::1]";
        return Some(Answer::error(StatusCode::FORBIDDEN, &message, hint));
    }
    let is_foreign = |origin: &str| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        !authority.is_some_and(is_local)
    };
    if let Some(origin) = headers.get(ORIGIN)
        && is_foreign(origin.to_str().unwrap_or(""))
    {
        let hint = "pages of other origins may not control what runs here";
        return Some(Answer::error(
            StatusCode::FORBIDDEN,
            "the request comes from a page of another origin",
            hint,
        ));
    }
    None
}

/// Is this one of the three names of loopback, with any port or none?
fn is_local(authority: &str) -> bool {
    let authority = authority.trim();
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some(("::1", port)) => ("[::1]", port),
            _ => return false,
        },
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let port_is_fine = match port.strip_prefix(':') {
        Some(port) => !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    port_is_fine && (name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_let_in() {
        for (host, origin, passes) in [
            ("localhost", "", true),
            ("localhost:8474", "", true),
            ("LOCALHOST:1", "", true),
            ("127.0.0.1:8474", "", true),
            ("[::1]:8474", "", true),
            ("[::1]", "", true),
            ("127.0.0.1.evil.example", "", false),
            ("evil.example:8474", "", false),
            ("localhost.evil.example", "", false),
            ("localhost:evil", "", false),
            ("[::2]", "", false),
            ("", "", false),
            ("127.0.0.2", "", false),
            ("localhost", "http://localhost:3000", true),
            ("localhost", "https://127.0.0.1", true),
            ("localhost", "http://evil.example", false),
            ("localhost", "null", false),
            ("localhost", "http://localhost.evil.example", false),
            ("localhost", "file://", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if !origin.is_empty() {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(refusal(&headers, None).is_none(), passes, "{host} {origin}");
        }
        assert!(refusal(&HeaderMap::new(), None).is_some());
        assert!(refusal(&HeaderMap::new(), Some("evil.example")).is_some());
    }
}
