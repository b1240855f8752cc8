//! Unpacks messages one after the other, each with what came before it as its dictionary (RFC 7692).
//!
//! miniz_oxide's own loop instead of flate2's, because the state has to be copied when a connection turns from watched
//! to held, and flate2 has no way to.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// How far back a message may refer.
const WINDOW: usize = 32 * 1024;

/// What a sender leaves out at the end of each message.
const END: [u8; 4] = [0, 0, 0xff, 0xff];

/// What one message may unpack to, kept or not: more is an attack.
const MOST: usize = 256 * 1024 * 1024;

/// One direction's unpacking.
#[derive(Clone)]
pub(super) struct Inflater {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
    n_unpacked: usize,
}

/// The bytes can't be unpacked, and none after them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unpackable;

impl Inflater {
    pub(super) fn new() -> Self {
        Self { state: Box::default(), window: vec![0; WINDOW], at: 0, n_unpacked: 0 }
    }

    /// Unpacks some bytes of a message; gives what they are to `keep`.
    pub(super) fn unpack(
        &mut self,
        mut packed: &[u8],
        keep: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Unpackable> {
        loop {
            let from = self.at;
            let (status, n_read, n_written) =
                decompress(&mut self.state, packed, &mut self.window, from, TINFL_FLAG_HAS_MORE_INPUT);
            packed = &packed[n_read..];
            keep(&self.window[from..from + n_written]);
            self.at = (from + n_written) % WINDOW;
            self.n_unpacked += n_written;
            match status {
                _ if self.n_unpacked > MOST => return Err(Unpackable),
                // A sender may end its stream with a message; the next one begins a new one, with the same dictionary.
                TINFLStatus::Done => {
                    self.state.init();
                    if packed.is_empty() {
                        return Ok(());
                    }
                }
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if packed.is_empty() => return Ok(()),
                _ => return Err(Unpackable),
            }
        }
    }

    /// The message has ended.
    pub(super) fn end(&mut self, forgets: bool, keep: &mut dyn FnMut(&[u8])) -> Result<(), Unpackable> {
        let ended = self.unpack(&END, keep);
        self.n_unpacked = 0;
        if forgets {
            self.state.init();
            self.at = 0;
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    #[test]
    fn messages_refer_to_those_before() {
        let mut packer = Compress::new(Compression::default(), false);
        let mut inflater = Inflater::new();
        let long: Vec<u8> = (0..200_000u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
        for message in [b"{\"order\":1}".as_slice(), b"{\"order\":2}", &long, b"", b"{\"order\":3}", &long] {
            let mut packed = Vec::with_capacity(message.len() + 1000);
            packer.compress_vec(message, &mut packed, FlushCompress::Sync).unwrap();
            let packed = packed.strip_suffix(&END).unwrap();
            let mut unpacked = Vec::new();
            for chunk in packed.chunks(7) {
                inflater.unpack(chunk, &mut |bytes| unpacked.extend_from_slice(bytes)).unwrap();
            }
            // Who holds a copy goes on where this one stands.
            let mut copy = inflater.clone();
            inflater.end(false, &mut |bytes| unpacked.extend_from_slice(bytes)).unwrap();
            copy.end(false, &mut |_| {}).unwrap();
            assert!(unpacked == message, "{} bytes", message.len());
        }
        assert_eq!(inflater.unpack(&[0xff; 10], &mut |_| {}), Err(Unpackable));
    }
}
