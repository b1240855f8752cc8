//! The inode of the socket at the other end of a connection: asked of the kernel for exactly that connection
//! (`sock_diag`), or looked for in its table of all of them where it does not answer.

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use seam_proxy::Dialled;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// Asks the kernel about sockets.
pub(super) struct Sockets(Option<OwnedFd>);

impl Sockets {
    pub(super) fn open() -> Self {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Self(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG)).ok())
    }

    /// The inode of the client's socket, for each connection.
    pub(super) fn inodes(&self, connections: &[Dialled]) -> Vec<Option<u64>> {
        match &self.0 {
            Some(kernel) => connections.iter().map(|connection| ask(kernel, connection)).collect(),
            None => from_table(connections),
        }
    }
}

/// `SOCK_DIAG_BY_FAMILY`, and where in its answer the inode stands: behind `nlmsghdr` (16 bytes), the first four
/// bytes of `inet_diag_msg`, `inet_diag_sockid` (48) and four numbers.
const BY_FAMILY: u16 = 20;
const INODE: usize = 16 + 4 + 48 + 16;

fn ask(kernel: &OwnedFd, connection: &Dialled) -> Option<u64> {
    let request = request(connection)?;
    sendto(kernel, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).ok()?;
    let mut answer = [0_u8; 1024];
    // The kernel answers while it is asked.
    let (_, n_read) = recv(kernel, &mut answer[..], RecvFlags::DONTWAIT).ok()?;
    inode(&answer[..n_read])
}

/// Asks for the socket that is bound to the client's address and connected to the dialled one.
fn request(connection: &Dialled) -> Option<[u8; 72]> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (plain(connection.client.ip()), plain(connection.dialled.ip()))
    else {
        return None;
    };
    let mut request = [0; 72];
    request[0..4].copy_from_slice(&72_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&1_u16.to_ne_bytes()); // NLM_F_REQUEST
    request[16] = 2; // AF_INET
    request[17] = 6; // TCP
    request[20..24].fill(0xff); // in whichever state
    request[24..26].copy_from_slice(&connection.client.port().to_be_bytes());
    request[26..28].copy_from_slice(&connection.dialled.port().to_be_bytes());
    request[28..32].copy_from_slice(&from.octets());
    request[44..48].copy_from_slice(&to.octets());
    request[64..72].fill(0xff); // INET_DIAG_NOCOOKIE
    Some(request)
}

fn inode(answer: &[u8]) -> Option<u64> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let inode = u32::from_ne_bytes(answer.get(INODE..INODE + 4)?.try_into().ok()?);
    (kind == BY_FAMILY && inode != 0).then_some(u64::from(inode))
}

/// The IPv4 address that an IPv6 one may stand for.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// The same from the kernel's table.
fn from_table(connections: &[Dialled]) -> Vec<Option<u64>> {
    let mut inodes = vec![None; connections.len()];
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for (local, inode) in text.lines().skip(1).filter_map(table_line) {
            for (found, connection) in inodes.iter_mut().zip(connections) {
                let client = SocketAddr::new(plain(connection.client.ip()), connection.client.port());
                if local == client && inode != 0 {
                    *found = Some(inode);
                }
            }
        }
    }
    inodes
}

/// `  0: 0100007F:1F90 00000000:0000 0A … inode …` to the local address and the inode.
fn table_line(line: &str) -> Option<(SocketAddr, u64)> {
    let mut words = line.split_ascii_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = words.nth(7)?.parse().ok()?;
    // Each group of eight digits is a number of four bytes in the machine's order; the last is the IPv4 part.
    let last = u32::from_str_radix(address.get(address.len().checked_sub(8)?..)?, 16).ok()?;
    Some((SocketAddr::from((Ipv4Addr::from(last.to_ne_bytes()), port)), inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_line_of_the_kernels_table_is_read() {
        let line = "   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1";
        assert_eq!(table_line(line), Some((SocketAddr::from(([127, 0, 0, 1], 50_000)), 4711)));
        assert_eq!(table_line("sl local_address"), None);
    }

    #[test]
    fn the_kernel_and_its_table_tell_the_same_inode() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dialled = listener.local_addr().unwrap();
        let client = TcpStream::connect(dialled).unwrap();
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let connections =
            [Dialled { client: client.local_addr().unwrap(), dialled }, Dialled { client: nobody, dialled }];
        let asked = Sockets::open().inodes(&connections);
        assert_eq!(asked, from_table(&connections));
        assert!(asked[0].is_some());
        assert!(asked[1].is_none());
    }
}
