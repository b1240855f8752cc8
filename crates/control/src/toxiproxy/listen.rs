//! Addresses as Toxiproxy takes them: `localhost:N`, `:N`, a name; and what it says of those that are none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long looking up a name may take.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Host and port of an address; the error is Go's.
pub(super) fn split(address: &str) -> Result<(&str, &str), String> {
    let wrong = |reason: &str| Err(format!("address {address}: {reason}"));
    let Some(colon) = address.rfind(':') else { return wrong("missing port in address") };
    if let Some(rest) = address.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else { return wrong("missing ']' in address") };
        return match port.strip_prefix(':') {
            Some(port) if !port.contains(':') => Ok((host, port)),
            Some(_) => wrong("too many colons in address"),
            None => wrong("missing port in address"),
        };
    }
    let (host, port) = (&address[..colon], &address[colon + 1..]);
    if host.contains(':') { wrong("too many colons in address") } else { Ok((host, port)) }
}

/// The address that is meant. Where no host is named that is loopback, and not every network as with Toxiproxy: nothing
/// listens on anything else unless the user says so.
pub(super) async fn resolve(address: &str) -> Result<SocketAddr, String> {
    if address.is_empty() {
        return Ok((Ipv4Addr::LOCALHOST, 0).into());
    }
    let (host, port) = split(address)?;
    let number = match port {
        "" => 0,
        port => match port.parse::<i64>() {
            Ok(number) => u16::try_from(number).map_err(|_| format!("address {port}: invalid port"))?,
            Err(_) => return Err(format!("lookup tcp/{port}: unknown port")),
        },
    };
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok((Ipv4Addr::LOCALHOST, number).into());
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok((ip, number).into());
    }
    let unknown = || format!("lookup {host}: no such host");
    let looked_up = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host, number))).await;
    let Ok(Ok(addresses)) = looked_up else { return Err(unknown()) };
    let addresses: Vec<SocketAddr> = addresses.collect();
    let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(unknown)
}

/// Why nothing can listen there, as Go tells it.
pub(super) fn not_bound(address: SocketAddr, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    format!("listen tcp {address}: bind: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_resolved_and_refused_as_by_go() {
        for (address, expected) in [
            ("localhost:20", Ok("127.0.0.1:20")),
            (":20", Ok("127.0.0.1:20")),
            ("", Ok("127.0.0.1:0")),
            ("127.0.0.1:0", Ok("127.0.0.1:0")),
            ("[::1]:5", Ok("[::1]:5")),
            ("0.0.0.0:5", Ok("0.0.0.0:5")),
            ("local373", Err("address local373: missing port in address")),
            ("a:b:1", Err("address a:b:1: too many colons in address")),
            ("localhost:99999", Err("address 99999: invalid port")),
            ("localhost:x", Err("lookup tcp/x: unknown port")),
        ] {
            let resolved = resolve(address).await.map(|address| address.to_string());
            assert_eq!(resolved, expected.map(str::to_owned).map_err(str::to_owned), "{address}");
        }
    }
}
