//! The address of an external component: `https://api.pay.example/v1`, `tcp://host:port`.

use std::net::IpAddr;

/// Where an external component is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAddress {
    /// The scheme, lower case: `https`, `http`, `tcp`, `postgresql`.
    pub scheme: String,
    /// The host without brackets.
    pub host: String,
    /// The port: as written, or the scheme's.
    pub port: u16,
    /// `name:password`, as written; empty where there is none.
    pub user_info: String,
    /// The path with its query, without a slash at its end; empty where there is none.
    pub base: String,
    /// Must TLS be put on?
    pub tls: bool,
}

/// Schemes with the port that they mean, and whether they mean TLS.
const SCHEMES: [(&str, Option<u16>, bool); 18] = [
    ("http", Some(80), false),
    ("https", Some(443), true),
    ("ws", Some(80), false),
    ("wss", Some(443), true),
    ("tcp", None, false),
    ("tls", None, true),
    ("postgresql", Some(5432), false),
    ("postgres", Some(5432), false),
    ("redis", Some(6379), false),
    ("rediss", Some(6379), true),
    ("amqp", Some(5672), false),
    ("amqps", Some(5671), true),
    ("smtp", Some(25), false),
    ("smtps", Some(465), true),
    ("mysql", Some(3306), false),
    ("mqtt", Some(1883), false),
    ("nats", Some(4222), false),
    ("kafka", Some(9092), false),
];

/// Reads an address. The error says what is wrong, to stand beneath a caret.
pub fn parse_external(text: &str) -> Result<ExternalAddress, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("expected an address such as https://{text}"));
    };
    let scheme = scheme.to_ascii_lowercase();
    let Some((_, usual, tls)) = SCHEMES.into_iter().find(|(name, _, _)| *name == scheme) else {
        let known: Vec<&str> = SCHEMES.iter().map(|(name, _, _)| *name).collect();
        return Err(format!("`{scheme}` is no scheme that is known: {}", known.join(", ")));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, base) = rest.split_at(end);
    let (user_info, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = split_port(place)?;
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err("the address has no host".to_owned());
    }
    let port = match port {
        Some(digits) => {
            digits.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("`{digits}` is no port"))?
        }
        None => usual.ok_or_else(|| format!("{scheme}:// needs a port: {scheme}://{host}:1234"))?,
    };
    if base.contains('#') {
        return Err("an address that is dialled has no `#`".to_owned());
    }
    let base = base.strip_suffix('/').unwrap_or(base).to_owned();
    Ok(ExternalAddress { scheme, host: host.to_owned(), port, user_info: user_info.to_owned(), base, tls })
}

/// `host:port`, `[::1]:port`; the port may be missing.
fn split_port(place: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(inside) = place.strip_prefix('[') {
        let (host, rest) = inside.split_once(']').ok_or("the `[` of the host is not closed")?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(format!("`{rest}` follows the host")),
        };
    }
    match place.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 host stands in brackets: [::1]".to_owned()),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

impl ExternalAddress {
    /// Is it on this machine? Then it is asked without `live: true`.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.to_ascii_lowercase();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Are requests of HTTP sent there?
    pub fn speaks_http(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https" | "ws" | "wss")
    }

    /// `host:port`, with brackets where the host needs them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, host, port, base, tls) in [
            ("https://api.pay.example", "api.pay.example", 443, "", true),
            ("https://api.pay.example/", "api.pay.example", 443, "", true),
            ("HTTP://a:8080/v1/x?y=1", "a", 8080, "/v1/x?y=1", false),
            ("tcp://10.0.0.1:99", "10.0.0.1", 99, "", false),
            ("http://[::1]:80/v1/", "::1", 80, "/v1", false),
            ("http://[fe80::1]", "fe80::1", 80, "", false),
            ("postgresql://u:p@db/orders", "db", 5432, "/orders", false),
            ("http://u:p@ss@a", "a", 80, "", false),
            ("mysql://root@db/shop", "db", 3306, "/shop", false),
            ("rediss://cache", "cache", 6379, "", true),
        ] {
            let address = parse_external(text).unwrap();
            assert_eq!(
                (address.host.as_str(), address.port, address.base.as_str(), address.tls),
                (host, port, base, tls),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, reason) in [
            ("api.pay.example", "expected an address such as https://api.pay.example"),
            ("gopher://a", "`gopher` is no scheme"),
            ("tcp://a", "tcp:// needs a port: tcp://a:1234"),
            ("http://a:x", "`x` is no port"),
            ("http://a:0", "`0` is no port"),
            ("http://a:70000", "`70000` is no port"),
            ("http://", "no host"),
            ("http:///path", "no host"),
            ("http://::1/", "stands in brackets"),
            ("http://[::1", "not closed"),
            ("http://[::1]x", "`x` follows"),
            ("http://a/#b", "no `#`"),
        ] {
            let found = parse_external(text).unwrap_err();
            assert!(found.contains(reason), "{text}: {found}");
        }
    }

    #[test]
    fn loopback_is_this_machine() {
        for (text, loopback) in [
            ("http://localhost:1", true),
            ("http://api.localhost", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(parse_external(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
