//! What is written anew in requests and answers: `Host` on the way out, the external's own `Location` on the way back.
//!
//! The consumer dials an address on loopback and would be somebody else's guest: many servers answer only to their
//! own name, and redirect to it. Addresses of anybody else stay as they are.

use hyper::header::{CONTENT_LOCATION, HOST, HeaderMap, HeaderValue, LOCATION};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Method, Request, Response, Uri, Version};

/// The address that an external calls its own.
#[derive(Clone, Debug)]
pub(super) struct OwnAddress {
    scheme: &'static str,
    /// Without brackets, in small letters.
    host: String,
    port: u16,
}

impl OwnAddress {
    pub(super) fn new(tls: bool, host: &str, port: u16) -> Self {
        Self { scheme: if tls { "https" } else { "http" }, host: host.to_ascii_lowercase(), port }
    }

    /// What stands in `Host`: without the port where that goes without saying.
    fn host_header(&self) -> Option<HeaderValue> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let text = if self.port == usual_port(self.scheme) { host } else { format!("{host}:{}", self.port) };
        HeaderValue::try_from(text).ok()
    }

    /// Makes a request the external's, and gives the `Host` that it came with.
    pub(super) fn outward<B>(&self, request: &mut Request<B>) -> Option<HeaderValue> {
        let from_uri = || HeaderValue::try_from(request.uri().authority()?.as_str()).ok();
        let came_to = request.headers().get(HOST).cloned().or_else(from_uri);
        if let Some(host) = self.host_header() {
            request.headers_mut().insert(HOST, host);
        }
        // CONNECT names an authority and nothing else.
        if request.method() != Method::CONNECT {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        }
        *request.version_mut() = Version::HTTP_11;
        came_to
    }

    /// The same for a request of HTTP/2, which says as a part of its address whom it asks.
    pub(super) fn outward_by_authority<B>(&self, request: &mut Request<B>) -> Option<HeaderValue> {
        let came_to = self.outward(request);
        let authority = request.headers_mut().remove(HOST);
        let authority = authority.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Scheme::try_from(self.scheme).ok();
        parts.authority = authority;
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
        came_to
    }

    /// Lets an answer lead back to where the request came to.
    pub(super) fn homeward<B>(&self, response: &mut Response<B>, came_to: Option<&HeaderValue>) {
        let came_to = came_to.and_then(|host| host.to_str().ok());
        self.rewrite(response.headers_mut(), came_to);
    }

    fn rewrite(&self, headers: &mut HeaderMap, came_to: Option<&str>) {
        for name in [LOCATION, CONTENT_LOCATION] {
            let Some(text) = headers.get(&name).and_then(|value| value.to_str().ok()) else { continue };
            let Some(home) = self.home(text, came_to) else { continue };
            if let Ok(value) = HeaderValue::try_from(home) {
                headers.insert(name, value);
            }
        }
    }

    /// The address under which the consumer reaches what the external calls so; none where it is not its own.
    fn home(&self, location: &str, came_to: Option<&str>) -> Option<String> {
        let (scheme, rest) = location.split_once("//")?;
        if !scheme.is_empty() && !scheme.eq_ignore_ascii_case(&format!("{}:", self.scheme)) {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if !self.is(authority) {
            return None;
        }
        Some(match came_to {
            Some(host) if scheme.is_empty() => format!("//{host}{path}"),
            Some(host) => format!("http://{host}{path}"),
            // Whoever names no host (HTTP/1.0) is led by the path alone.
            None if path.starts_with('/') => path.to_owned(),
            None => format!("/{path}"),
        })
    }

    /// Is this `host`, or `host:port`, its own?
    fn is(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of an IPv6 address stands inside its brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority.as_str(), ""),
        };
        let port = if port.is_empty() { Some(usual_port(self.scheme)) } else { port.parse().ok() };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        host == self.host && port == Some(self.port)
    }
}

fn usual_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// The path that is asked for; what `CONNECT` names instead.
pub(super) fn asked_for<B>(request: &Request<B>) -> &str {
    match request.uri().authority() {
        Some(authority) if request.method() == Method::CONNECT => authority.as_str(),
        _ => request.uri().path(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_the_externals_own() {
        for (tls, host, port, header) in [
            (true, "api.example", 443, "api.example"),
            (true, "API.example", 8443, "api.example:8443"),
            (false, "api.example", 80, "api.example"),
            (false, "api.example", 443, "api.example:443"),
            (true, "::1", 443, "[::1]"),
            (true, "127.0.0.1", 80, "127.0.0.1:80"),
        ] {
            let own = OwnAddress::new(tls, host, port);
            assert_eq!(own.host_header().unwrap(), header);
        }
    }

    #[test]
    fn its_own_locations_lead_home_and_no_others() {
        let usual = OwnAddress::new(true, "api.example", 443);
        let other = OwnAddress::new(true, "localhost", 8443);
        let six = OwnAddress::new(true, "::1", 8443);
        for (own, location, home) in [
            (&usual, "https://api.example/v1/x?y=1#z", Some("http://127.0.0.1:5/v1/x?y=1#z")),
            (&usual, "HTTPS://API.example:443/v1", Some("http://127.0.0.1:5/v1")),
            (&usual, "https://api.example:/v1", Some("http://127.0.0.1:5/v1")),
            (&usual, "https://api.example", Some("http://127.0.0.1:5")),
            (&usual, "https://api.example?a=//b", Some("http://127.0.0.1:5?a=//b")),
            (&usual, "//api.example/v1", Some("//127.0.0.1:5/v1")),
            (&usual, "/v1/x", None),
            (&usual, "x//api.example", None),
            (&usual, "https://api.example:8443/v1", None),
            (&usual, "https://api.example.evil/v1", None),
            (&usual, "https://user@api.example/v1", None),
            (&usual, "http://api.example/v1", None),
            (&usual, "https://login.example/", None),
            (&other, "https://localhost:8443/a", Some("http://127.0.0.1:5/a")),
            (&other, "https://localhost/a", None),
            (&six, "https://[::1]:8443/a", Some("http://127.0.0.1:5/a")),
            (&six, "https://[::1]/a", None),
        ] {
            assert_eq!(own.home(location, Some("127.0.0.1:5")).as_deref(), home, "{location}");
        }
        assert_eq!(usual.home("https://api.example/v1", None).as_deref(), Some("/v1"));
        assert_eq!(usual.home("https://api.example?a", None).as_deref(), Some("/?a"));
    }

    #[test]
    fn a_request_of_http_2_goes_out_under_the_externals_name() {
        let own = OwnAddress::new(true, "api.example", 8443);
        let mut request = Request::new(());
        *request.uri_mut() = "http://127.0.0.1:5/a?b".parse().unwrap();
        assert_eq!(own.outward_by_authority(&mut request).unwrap(), "127.0.0.1:5");
        assert_eq!(request.uri().to_string(), "https://api.example:8443/a?b");
        assert_eq!((request.version(), request.headers().len()), (Version::HTTP_2, 0));
    }

    #[test]
    fn a_request_goes_out_under_the_externals_name() {
        let own = OwnAddress::new(true, "api.example", 443);
        for (uri, path) in [("/a?b", "/a?b"), ("http://127.0.0.1:5/a", "/a"), ("*", "*")] {
            let mut request = Request::new(());
            *request.uri_mut() = uri.parse().unwrap();
            request.headers_mut().insert(HOST, HeaderValue::from_static("127.0.0.1:5"));
            assert_eq!(own.outward(&mut request).unwrap(), "127.0.0.1:5");
            assert_eq!(
                (request.uri().to_string().as_str(), &request.headers()[HOST]),
                (path, &HeaderValue::from_static("api.example"))
            );
        }
    }
}
