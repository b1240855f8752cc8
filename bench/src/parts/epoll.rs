//! The least that a relay can be: one thread, one epoll, one buffer, blocking for nothing else.
//!
//! It waits for writers in place, so it is no relay to use; it is what a wake-up, a read and a write cost.

use super::{Started, Upstream};
use rustix::event::epoll;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Bytes copied at once.
const CHUNK: usize = 64 * 1024;

/// One side of a connection, and the number of the other.
struct Side {
    socket: Socket,
    other: usize,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Starts it on a free port.
pub(crate) fn start(words: &[String]) -> std::io::Result<Started> {
    let upstream = Upstream::read(words.first())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || serve(&listener, &upstream));
    Ok((address, Box::new(())))
}

/// Number zero is the listener; sides are numbered from one.
fn serve(listener: &TcpListener, upstream: &Upstream) -> std::io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let watch = |socket: std::os::fd::BorrowedFd<'_>, number: usize| {
        epoll::add(&poll, socket, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)
    };
    watch(listener.as_fd(), 0)?;
    let mut sides: Vec<Option<Side>> = vec![None];
    let mut buffer = vec![0; CHUNK];
    let mut events = Vec::with_capacity(64);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            if number == 0 {
                let (consumer, _) = listener.accept()?;
                consumer.set_nodelay(true)?;
                let first = sides.len();
                let pair = [Socket::Tcp(consumer), Socket::dial(upstream)?];
                for (nth, socket) in pair.into_iter().enumerate() {
                    watch(socket.fd(), first + nth)?;
                    sides.push(Some(Side { socket, other: first + 1 - nth }));
                }
            } else {
                pass(&mut sides, number, &mut buffer);
            }
        }
    }
}

/// Passes on what one side has; where it has ended, both are closed.
fn pass(sides: &mut [Option<Side>], number: usize, buffer: &mut [u8]) {
    let Some(side) = sides.get_mut(number).and_then(Option::as_mut) else { return };
    let other = side.other;
    let n_read = side.socket.read(buffer).unwrap_or(0);
    let passed = n_read > 0
        && sides[other].as_mut().is_some_and(|other| other.socket.write_all(&buffer[..n_read]).is_ok());
    if !passed {
        sides[number] = None;
        sides[other] = None;
    }
}

impl Socket {
    fn dial(upstream: &Upstream) -> std::io::Result<Self> {
        Ok(match upstream {
            Upstream::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
            Upstream::Unix(path) => Self::Unix(UnixStream::connect(path)?),
        })
    }

    fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }
}
