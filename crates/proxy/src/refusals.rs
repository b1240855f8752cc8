//! Connections that the kernel refused, because nothing is known to listen behind a seam and so nothing listens there.
//!
//! Nobody accepts such a connection, so nobody sees it: it has to be asked of the kernel. Two ways, the better one
//! first; both are open only while some seam leads nowhere, and both only look.
//!
//! - A packet socket that takes nothing but answers to a SYN that refuse it (RFC 9293, 3.10.7.1: RST and ACK, with
//!   sequence number zero). It sees every one, before the client does. It needs `CAP_NET_RAW`.
//! - The kernel's news of sockets that are gone (`sock_diag`), which anybody may listen to. It tells the port that
//!   was dialled for sockets that do not block, which is what most drivers use, once the client has closed them.
//!
//! Where neither is there (other systems than Linux), refused connections go unseen.

use crate::observer::{Observer, Seen};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The seams that refuse at present, by port.
#[derive(Clone)]
pub(crate) struct Refusals(Rc<Inner>);

struct Inner {
    observer: Arc<Observer>,
    connections: Rc<Cell<u64>>,
    /// The seam's number, by the port on which nothing listens.
    refusing: RefCell<HashMap<u16, usize>>,
    /// Where the kernel tells, while it matters.
    source: RefCell<Option<Rc<source::Source>>>,
}

impl Refusals {
    pub(crate) fn new(observer: Arc<Observer>, connections: Rc<Cell<u64>>) -> Self {
        Self(Rc::new(Inner {
            observer,
            connections,
            refusing: RefCell::default(),
            source: RefCell::default(),
        }))
    }

    /// From here on nothing listens on this port of a seam. Called before that is so, and on the proxy's thread.
    pub(crate) fn begin(&self, port: u16, seam: usize) {
        self.0.observer.set_refusing(true);
        self.0.refusing.borrow_mut().insert(port, seam);
        if self.0.source.borrow().is_some() {
            return;
        }
        // Without a source refusals go unseen; connecting is refused all the same.
        let Some(source) = source::Source::open() else { return };
        let source = Rc::new(source);
        *self.0.source.borrow_mut() = Some(Rc::clone(&source));
        let weak = Rc::downgrade(&self.0);
        tokio::task::spawn_local(async move {
            while source.readable().await {
                // Another source may have taken this one's place since.
                let Some(inner) = weak.upgrade().filter(|inner| inner.reads(&source)) else { return };
                inner.read();
            }
        });
    }

    /// Something listens on this port again.
    pub(crate) fn end(&self, port: u16) {
        self.read();
        self.0.refusing.borrow_mut().remove(&port);
        if self.0.refusing.borrow().is_empty() {
            *self.0.source.borrow_mut() = None;
            self.0.observer.set_refusing(false);
        }
    }

    /// Tells all that the kernel has told up to now.
    pub(crate) fn read(&self) {
        self.0.read();
    }
}

impl Inner {
    fn reads(&self, source: &Rc<source::Source>) -> bool {
        self.source.borrow().as_ref().is_some_and(|current| Rc::ptr_eq(current, source))
    }

    fn read(&self) {
        let Some(source) = self.source.borrow().clone() else { return };
        source.take(|port| {
            let Some(seam) = self.refusing.borrow().get(&port).copied() else { return };
            let connection = self.connections.get() + 1;
            self.connections.set(connection);
            self.observer.tell(Seen::Refused { seam, connection, by: None });
            self.observer.tell(Seen::Closed { seam, connection, state: "refused" });
        });
    }
}

#[cfg(target_os = "linux")]
mod source {
    //! The two ways in which Linux tells of refused connections.

    use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
    use socket2::{Domain, Protocol, SockFilter, Socket, Type};
    use std::os::fd::OwnedFd;
    use tokio::net::UnixDatagram;

    /// `AF_PACKET` and, in network order, `ETH_P_IP`.
    const PACKETS: i32 = 17;
    const ETHERNET_IP: u16 = 0x0800;
    /// `SKNLGRP_INET_TCP_DESTROY`, as the bit of its group.
    const GONE: u32 = 1;
    /// `TCP_CLOSE`: the state of a socket whose connection never came about (or is over).
    const CLOSED: u8 = 7;
    /// News taken at once, so that a flood of them can't keep the proxy's thread from its seams.
    const AT_ONCE: usize = 4096;

    /// Finds the port in what the kernel tells.
    type PortOf = fn(&[u8]) -> Option<u16>;

    /// Where the kernel tells of refused connections.
    pub(super) struct Source {
        socket: UnixDatagram,
        port: PortOf,
    }

    impl Source {
        pub(super) fn open() -> Option<Self> {
            let (socket, port) = match packets() {
                Ok(socket) => (socket, port_of_packet as PortOf),
                Err(_) => (news().ok()?, port_of_news as PortOf),
            };
            // Only what all sockets of messages can do is asked of it.
            let socket = std::os::unix::net::UnixDatagram::from(OwnedFd::from(socket));
            Some(Self { socket: UnixDatagram::from_std(socket).ok()?, port })
        }

        /// Comes back when there may be something to take; false if there never will be.
        pub(super) async fn readable(&self) -> bool {
            self.socket.readable().await.is_ok()
        }

        /// Takes what is there: the ports on which connections were refused.
        pub(super) fn take(&self, mut refused: impl FnMut(u16)) {
            let mut buffer = [0; 1024];
            for _ in 0..AT_ONCE {
                let Ok(n_read) = self.socket.try_recv(&mut buffer) else { return };
                if let Some(port) = (self.port)(&buffer[..n_read]) {
                    refused(port);
                }
            }
        }
    }

    /// A socket that takes packets which refuse a connection.
    fn packets() -> std::io::Result<Socket> {
        let protocol = Protocol::from(i32::from(ETHERNET_IP.to_be()));
        let socket = Socket::new(Domain::from(PACKETS), Type::DGRAM.nonblocking().cloexec(), Some(protocol))?;
        socket.attach_filter(&FILTER)?;
        Ok(socket)
    }

    /// TCP over IPv4, not on its way out (loopback shows each packet twice), RST and ACK without SYN and FIN, with
    /// sequence number zero.
    const FILTER: [SockFilter; 12] = [
        SockFilter::new(0x30, 0, 0, 0xffff_f004), // the kind of packet: 4 is outgoing
        SockFilter::new(0x15, 9, 0, 4),
        SockFilter::new(0x30, 0, 0, 9), // the protocol: 6 is TCP
        SockFilter::new(0x15, 0, 7, 6),
        SockFilter::new(0xb1, 0, 0, 0),  // the length of the IP header
        SockFilter::new(0x50, 0, 0, 13), // TCP's flags
        SockFilter::new(0x54, 0, 0, 0x17),
        SockFilter::new(0x15, 0, 3, 0x14),
        SockFilter::new(0x40, 0, 0, 4), // the sequence number
        SockFilter::new(0x15, 0, 1, 0),
        SockFilter::new(0x06, 0, 0, 128), // taken
        SockFilter::new(0x06, 0, 0, 0),   // passed over
    ];

    /// The port that a packet comes from.
    fn port_of_packet(packet: &[u8]) -> Option<u16> {
        let n_header = usize::from(packet.first()? & 0x0f) * 4;
        let port = packet.get(n_header..n_header + 2)?;
        // Packets that came in before the filter was attached are checked here.
        let is_tcp = packet.get(9) == Some(&6);
        let refuses =
            packet.get(n_header + 13)? & 0x17 == 0x14 && packet.get(n_header + 4..n_header + 8)? == [0; 4];
        (is_tcp && refuses).then(|| u16::from_be_bytes([port[0], port[1]]))
    }

    /// A socket that hears of TCP sockets which are gone.
    fn news() -> std::io::Result<Socket> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket: OwnedFd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))?;
        bind(&socket, &SocketAddrNetlink::new(0, GONE))?;
        Ok(Socket::from(socket))
    }

    /// The port that a socket which is gone had dialled in vain: `nlmsghdr` (16 bytes), then `inet_diag_msg`.
    fn port_of_news(news: &[u8]) -> Option<u16> {
        let port = news.get(22..24)?;
        (news.get(17) == Some(&CLOSED)).then(|| u16::from_be_bytes([port[0], port[1]]))
    }
}

#[cfg(not(target_os = "linux"))]
mod source {
    //! Nothing tells of refused connections here.

    pub(super) struct Source(std::convert::Infallible);

    impl Source {
        pub(super) fn open() -> Option<Self> {
            None
        }

        pub(super) async fn readable(&self) -> bool {
            match self.0 {}
        }

        pub(super) fn take(&self, _: impl FnMut(u16)) {
            match self.0 {}
        }
    }
}
