//! The watcher's end of the socket: whole lines with the descriptors that came beside them.

use super::message::{Report, Request};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags,
};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

/// Descriptors that one spawn brings along.
pub(crate) const N_DESCRIPTORS: usize = 3;

/// A request is a line; nobody sends one longer than this (an environment has at most 6 MiB).
const LINE_LIMIT: usize = 16 << 20;

/// The socket, and what of it is not a whole line yet.
pub(crate) struct Inbox {
    socket: OwnedFd,
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

/// What one look at the socket gave.
pub(crate) enum Received {
    Requests(Vec<Request>),
    /// `seam` has closed its end, or is dead.
    Closed,
}

impl Inbox {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, bytes: Vec::new(), descriptors: VecDeque::new() }
    }

    /// The socket, to poll on.
    pub(crate) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Reads what is there, and waits if nothing is. An error means that the two ends no longer understand each
    /// other, and nothing but ending is left.
    pub(crate) fn receive(&mut self) -> io::Result<Received> {
        let mut chunk = [0u8; 16 * 1024];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(N_DESCRIPTORS))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let got = loop {
            let into = &mut [IoSliceMut::new(&mut chunk)];
            match rustix::net::recvmsg(&self.socket, into, &mut beside, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(Received::Closed),
                other => break other?,
            }
        };
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if got.flags.contains(ReturnFlags::CTRUNC) {
            return Err(io::Error::other("descriptors were lost on the way"));
        }
        if got.bytes == 0 {
            return Ok(Received::Closed);
        }
        self.bytes.extend_from_slice(&chunk[..got.bytes]);
        if self.bytes.len() > LINE_LIMIT {
            return Err(io::Error::other("a request without an end"));
        }
        self.whole_lines().map(Received::Requests)
    }

    /// The descriptors of the next spawn: standard input, standard output and standard error.
    pub(crate) fn descriptors(&mut self) -> Option<[OwnedFd; N_DESCRIPTORS]> {
        let mut next = || self.descriptors.pop_front();
        Some([next()?, next()?, next()?])
    }

    /// Tells something; waits while `seam` does not read.
    pub(crate) fn tell(&self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            let mut nothing = SendAncillaryBuffer::default();
            match rustix::net::sendmsg(
                self.socket.as_fd(),
                &[IoSlice::new(rest)],
                &mut nothing,
                SendFlags::NOSIGNAL,
            ) {
                Err(Errno::INTR) => {}
                other => rest = &rest[other?..],
            }
        }
        Ok(())
    }

    fn whole_lines(&mut self) -> io::Result<Vec<Request>> {
        let Some(end) = memchr::memrchr(b'\n', &self.bytes) else { return Ok(Vec::new()) };
        let rest = self.bytes.split_off(end + 1);
        let whole = std::mem::replace(&mut self.bytes, rest);
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(io::Error::from)).collect()
    }
}
