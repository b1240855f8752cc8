//! Ports that the kernel hands to nobody else while a component is on its way to binding them.
//!
//! A bound socket that does not listen keeps its port out of everybody's hands, and a component that binds with
//! `SO_REUSEADDR` (nearly all servers do) gets it all the same. One that binds without is told "address in use":
//! then the port is let go of just before the next start, which leaves a gap of milliseconds.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// How often a component is started with another port where its own was taken.
pub const MORE_PORTS: u32 = 2;

/// A port on loopback that is held until it is released.
#[derive(Debug)]
pub struct HeldPort {
    port: u16,
    socket: Option<Socket>,
}

/// No port could be held.
#[derive(Debug, thiserror::Error)]
#[error("failed to hold a port on 127.0.0.1")]
pub struct PortError(#[source] io::Error);

/// Holds a free port on `127.0.0.1`.
pub fn hold_port() -> Result<HeldPort, PortError> {
    let bound = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(HeldPort { port: address.port(), socket: Some(socket) })
    };
    bound().map_err(PortError)
}

impl HeldPort {
    /// Its number.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address to bind and to dial.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Is it still held?
    pub fn is_held(&self) -> bool {
        self.socket.is_some()
    }

    /// Lets go of it, for a component that binds without `SO_REUSEADDR`, or once the component listens.
    pub fn release(&mut self) {
        self.socket = None;
    }
}

/// Do these last words say that the address was taken? In the words of the usual languages and servers.
pub fn says_address_in_use<'a>(lines: impl IntoIterator<Item = &'a str>) -> bool {
    const WORDS: [&str; 5] = [
        "address already in use",
        "eaddrinuse",
        "address in use",
        "port is already in use",
        "only one usage of each socket",
    ];
    lines.into_iter().any(|line| {
        let line = line.to_ascii_lowercase();
        WORDS.iter().any(|words| line.contains(words))
            || (line.contains("port") && line.contains("already in use"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_held_port_is_given_to_whoever_reuses_and_to_nobody_else() {
        let mut held = hold_port().unwrap();
        // The standard library binds with SO_REUSEADDR.
        let listener = TcpListener::bind(held.address()).unwrap();
        TcpStream::connect(held.address()).unwrap();
        drop(listener);

        let plain = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let taken = plain().bind(&held.address().into()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        held.release();
        assert!(!held.is_held());
        // The connection above may linger, so another port shows what releasing does.
        let mut other = hold_port().unwrap();
        other.release();
        plain().bind(&other.address().into()).unwrap();
    }

    #[test]
    fn nobody_listens_on_a_held_port() {
        let held = hold_port().unwrap();
        assert_eq!(TcpStream::connect(held.address()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn held_ports_are_not_given_out_again() {
        let held: Vec<HeldPort> = (0..50).map(|_| hold_port().unwrap()).collect();
        let mut ports: Vec<u16> = held.iter().map(HeldPort::port).collect();
        for _ in 0..2_000 {
            let found = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            assert!(!ports.contains(&found));
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }

    #[test]
    fn the_usual_words_for_a_taken_address() {
        for (line, taken) in [
            ("Error: listen EADDRINUSE: address already in use 127.0.0.1:3000", true),
            ("OSError: [Errno 98] Address already in use", true),
            ("Web server failed to start. Port 8080 was already in use.", true),
            ("listen tcp 127.0.0.1:80: bind: address already in use", true),
            ("could not connect: connection refused", false),
            ("the user name is already in use", false),
        ] {
            assert_eq!(says_address_in_use([line]), taken, "{line}");
        }
    }
}
