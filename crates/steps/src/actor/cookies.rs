//! Cookies as a browser keeps them (RFC 6265): by name, host and path, until they expire.
//!
//! Ports don't matter, which is the standard and not a simplification: all components of a system are reached on
//! one host, and a cookie of one is sent to the others, as a browser would. `Secure` cookies are sent without TLS,
//! because browsers treat the local machine so too.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use std::time::Duration;

/// The cookies of one actor, in the order in which they were first set.
#[derive(Clone, Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    /// In small letters, without a leading dot.
    domain: String,
    /// Was no domain said? Then no other host gets it.
    host_only: bool,
    path: String,
    expires: Option<Timestamp>,
}

impl Jar {
    /// Keeps what a `set-cookie` header says; one that has expired is removed; what is not for this host is ignored.
    pub(super) fn keep(&mut self, host: &str, path: &str, set_cookie: &str, now: Timestamp) {
        let Some(cookie) = Cookie::read(host, path, set_cookie, now) else { return };
        let same = |other: &Cookie| {
            other.name == cookie.name && other.domain == cookie.domain && other.path == cookie.path
        };
        let place = self.cookies.iter().position(same);
        match (place, cookie.is_alive(now)) {
            (Some(place), true) => self.cookies[place] = cookie,
            (Some(place), false) => {
                self.cookies.remove(place);
            }
            (None, true) => self.cookies.push(cookie),
            (None, false) => {}
        }
    }

    /// What is sent to a path of a host: longer paths first, then the older ones.
    pub(super) fn sent(&self, host: &str, path: &str, now: Timestamp) -> Vec<(String, String)> {
        let mut fitting: Vec<&Cookie> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.is_alive(now) && cookie.is_for(host) && covers(&cookie.path, path))
            .collect();
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        fitting.into_iter().map(|cookie| (cookie.name.clone(), cookie.value.clone())).collect()
    }

    /// All that are held for a host, whatever their path.
    pub(super) fn all(&self, host: &str, now: Timestamp) -> Vec<(String, String)> {
        self.cookies
            .iter()
            .filter(|cookie| cookie.is_alive(now) && cookie.is_for(host))
            .map(|cookie| (cookie.name.clone(), cookie.value.clone()))
            .collect()
    }
}

impl Cookie {
    fn read(host: &str, request_path: &str, set_cookie: &str, now: Timestamp) -> Option<Self> {
        let mut parts = set_cookie.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: host.to_ascii_lowercase(),
            host_only: true,
            path: default_path(request_path),
            expires: None,
        };
        let mut max_age = None;
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" => {
                    let domain = value.trim_start_matches('.').to_ascii_lowercase();
                    if !domain.is_empty() {
                        cookie.domain = domain;
                        cookie.host_only = false;
                    }
                }
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "expires" => cookie.expires = read_date(value).or(cookie.expires),
                "max-age" => max_age = value.parse::<i64>().ok(),
                _ => {}
            }
        }
        if let Some(seconds) = max_age {
            cookie.expires = Some(after(now, seconds));
        }
        cookie.is_for(host).then_some(cookie)
    }

    fn is_for(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if host == self.domain {
            return true;
        }
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        !self.host_only
            && !is_address
            && host.strip_suffix(&self.domain).is_some_and(|front| front.ends_with('.'))
    }

    fn is_alive(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    match u64::try_from(seconds) {
        Ok(0) | Err(_) => Timestamp::MIN,
        Ok(seconds) => now.checked_add(Duration::from_secs(seconds)).unwrap_or(Timestamp::MAX),
    }
}

/// The folder of the path that was asked for (RFC 6265, 5.1.4).
fn default_path(request_path: &str) -> String {
    match request_path.rfind('/') {
        Some(0) | None => "/".to_owned(),
        Some(end) => request_path[..end].to_owned(),
    }
}

/// Is a path the cookie's path or below it (RFC 6265, 5.1.4)?
fn covers(cookie_path: &str, path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

/// A date in any of the forms that servers have ever sent (RFC 6265, 5.1.1): the parts are known by their looks.
fn read_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':') {
        let lower = token.to_ascii_lowercase();
        if let [hour, minute, second] = token.split(':').collect::<Vec<_>>()[..]
            && time.is_none()
        {
            time = Some((hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?));
        } else if let (None, Ok(number), 1..=2) = (day, token.parse::<i8>(), token.len()) {
            day = Some(number);
        } else if let (None, Some(index)) = (month, MONTHS.iter().position(|name| lower.starts_with(name))) {
            month = i8::try_from(index + 1).ok();
        } else if let (None, Ok(number), 2..=4) = (year, token.parse::<i16>(), token.len()) {
            year = Some(match number {
                0..=69 => number + 2000,
                70..=99 => number + 1900,
                _ => number,
            });
        }
    }
    let (hour, minute, second) = time?;
    let civil = DateTime::new(year?, month?, day?, hour, minute, second, 0).ok()?;
    Offset::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn sent(jar: &Jar, host: &str, path: &str) -> String {
        let list = jar.sent(host, path, at("2026-06-01T00:00:00Z"));
        list.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_is_set_is_sent_where_it_belongs() {
        for (set, host, path, expect) in [
            ("a=1", "127.0.0.1", "/x/z", "a=1"),
            ("a=1", "127.0.0.1", "/", ""),
            ("a=1; Path=/", "127.0.0.1", "/other", "a=1"),
            ("a=1; Path=/x", "127.0.0.1", "/xy", ""),
            ("a=1; Path=/x/", "127.0.0.1", "/x/y", "a=1"),
            ("a=1; Path=/; Secure; HttpOnly; SameSite=Lax", "127.0.0.1", "/", "a=1"),
            ("a=\"b c\"; Path=/", "127.0.0.1", "/", "a=b c"),
            ("a=b=c; Path=/", "127.0.0.1", "/", "a=b=c"),
            ("a=; Path=/", "127.0.0.1", "/", "a="),
            ("a=1; Path=/; Domain=example.test", "127.0.0.1", "/", ""),
            ("a=1; Path=/; Max-Age=60", "127.0.0.1", "/", "a=1"),
            ("a=1; Path=/; Max-Age=0", "127.0.0.1", "/", ""),
            ("a=1; Path=/; Max-Age=-1", "127.0.0.1", "/", ""),
            ("a=1; Path=/; Max-Age=99999999999999", "127.0.0.1", "/", "a=1"),
            ("a=1; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "127.0.0.1", "/", "a=1"),
            ("a=1; Path=/; Expires=Wed, 21-Oct-15 07:28:00 GMT", "127.0.0.1", "/", ""),
            ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5", "127.0.0.1", "/", "a=1"),
            ("a=1; Path=/; Expires=soon", "127.0.0.1", "/", "a=1"),
            ("=1; Path=/", "127.0.0.1", "/", ""),
            ("novalue", "127.0.0.1", "/", ""),
        ] {
            let mut jar = Jar::default();
            jar.keep("127.0.0.1", "/x/y", set, at("2026-06-01T00:00:00Z"));
            assert_eq!(sent(&jar, host, path), expect, "{set}");
        }
    }

    #[test]
    fn domains_reach_below_themselves_only() {
        for (set, host, expect) in [
            ("a=1; Domain=.pay.example", "api.pay.example", "a=1"),
            ("a=1; Domain=.pay.example", "pay.example", "a=1"),
            ("a=1; Domain=.pay.example", "xpay.example", ""),
            ("a=1", "sub.api.pay.example", ""),
            ("a=1; Domain=other.example", "other.example", ""),
        ] {
            let mut jar = Jar::default();
            jar.keep("api.pay.example", "/", set, at("2026-06-01T00:00:00Z"));
            assert_eq!(sent(&jar, host, "/"), expect, "{set}");
        }
    }

    #[test]
    fn a_cookie_is_replaced_and_removed_and_longer_paths_go_first() {
        let now = at("2026-06-01T00:00:00Z");
        let mut jar = Jar::default();
        jar.keep("h", "/", "a=1", now);
        jar.keep("h", "/", "b=2; Path=/deep", now);
        jar.keep("h", "/", "a=3", now);
        assert_eq!(sent(&jar, "h", "/deep/er"), "b=2; a=3");
        jar.keep("h", "/", "a=gone; Max-Age=0", now);
        assert_eq!(sent(&jar, "h", "/deep"), "b=2");
        assert_eq!(jar.all("h", now).len(), 1);
    }
}
