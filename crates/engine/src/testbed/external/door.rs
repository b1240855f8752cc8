//! Does nobody listen at an address of this machine? Then its seams refuse, as it does itself.
//!
//! A seam that has taken a connection can't refuse it any more, so this has to be known before. Where the kernel
//! lists a listener nobody is bothered; only where it lists none a connection is tried, which finds servers that no
//! list of ours shows (those behind a forwarded port), and costs them nothing where they are not there.

use seam_launch::ExternalAddress;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How often a closed one is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a connection on this machine may take before it counts as taken: a listener whose queue is full.
const TAKEN_WITHIN: Duration = Duration::from_secs(1);

/// Is it known that whoever connects is refused?
pub(super) async fn is_closed(address: &ExternalAddress) -> bool {
    if lists_listener(address.port) {
        return false;
    }
    for ip in addresses(&address.host) {
        match timeout(TAKEN_WITHIN, TcpStream::connect((ip, address.port))).await {
            // A machine without IPv6 knows no such address.
            Ok(Err(error))
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::AddrNotAvailable) => {}
            _ => return false,
        }
    }
    true
}

/// The addresses of a host on this machine.
fn addresses(host: &str) -> Vec<IpAddr> {
    match host.parse() {
        Ok(ip) => vec![ip],
        Err(_) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

/// Does the kernel list a socket that listens on this port? Elsewhere than on Linux nothing is listed.
fn lists_listener(port: u16) -> bool {
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"].into_iter().any(|list| {
        std::fs::read_to_string(list).is_ok_and(|list| list.lines().any(|line| listens(line, port)))
    })
}

/// `0: 0100007F:1F90 00000000:0000 0A …`: number, own address, the other's, state (0A: listens).
fn listens(line: &str, port: u16) -> bool {
    let mut words = line.split_whitespace().skip(1);
    let own = words.next().and_then(|address| address.rsplit_once(':'));
    let state = words.nth(1);
    state == Some("0A") && own.is_some_and(|(_, hex)| u16::from_str_radix(hex, 16) == Ok(port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_launch::parse_external;
    use std::net::TcpListener;

    #[test]
    fn listeners_are_told_from_connections() {
        for (line, port, holds) in [
            ("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000", 8080, true),
            ("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000", 8081, false),
            ("   1: 0100007F:1F90 0100007F:A3C2 01 00000000:00000000 00:00000000", 8080, false),
            ("  sl  local_address rem_address   st tx_queue rx_queue tr", 8080, false),
            ("", 8080, false),
        ] {
            assert_eq!(listens(line, port), holds, "{line}");
        }
    }

    #[tokio::test]
    async fn one_that_is_gone_is_closed_and_one_that_listens_hears_nothing_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1", "api.localhost"] {
            let address = parse_external(&format!("http://{host}:{port}")).unwrap();
            assert!(!is_closed(&address).await, "{host}");
        }
        if cfg!(target_os = "linux") {
            listener.set_nonblocking(true).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        drop(listener);
        let address = parse_external(&format!("http://localhost:{port}")).unwrap();
        assert!(is_closed(&address).await);
    }
}
