//! What compressed batches hold: gzip and zstd by libraries, snappy and LZ4 here, because each is a page and no crate of ours
//! has them.

use ruzstd::decoding::StreamingDecoder;
use std::io::{Read as _, Write as _};

/// By what a batch may be compressed: its attributes' last bits.
const GZIP: u8 = 1;
const SNAPPY: u8 = 2;
const LZ4: u8 = 3;
const ZSTD: u8 = 4;

/// What a compressed batch may unpack to; what is behind that is not looked at.
const MOST: usize = 8 * 1024 * 1024;

/// The name of a compression.
pub(super) fn name(packing: u8) -> &'static str {
    match packing {
        GZIP => "gzip",
        SNAPPY => "snappy",
        LZ4 => "lz4",
        ZSTD => "zstd",
        _ => "unknown",
    }
}

/// The bytes as they were; none where they can't be unpacked.
pub(super) fn unpacked(packing: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match packing {
        GZIP => {
            let most = MOST as u64;
            flate2::read::MultiGzDecoder::new(bytes).take(most).read_to_end(&mut out).ok()?;
        }
        SNAPPY => snappy(bytes, &mut out)?,
        LZ4 => lz4(bytes, &mut out)?,
        ZSTD => zstd(bytes, &mut out)?,
        _ => return None,
    }
    Some(out)
}

/// The same, where that is all of it.
pub(super) fn unpacked_whole(packing: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    unpacked(packing, bytes).filter(|out| out.len() < MOST)
}

/// Packed again, where that is done here.
pub(super) fn packed(packing: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    if packing != GZIP {
        return None;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Frames of zstd, one behind the other.
fn zstd(mut bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while !bytes.is_empty() && out.len() < MOST {
        if zstd_window(bytes)? > MOST as u64 {
            return None;
        }
        let decoder = StreamingDecoder::new(&mut bytes).ok()?;
        decoder.take((MOST - out.len()) as u64).read_to_end(out).ok()?;
    }
    Some(())
}

/// How much a frame of zstd looks back on, which a decoder keeps. None where it is no such frame.
fn zstd_window(frame: &[u8]) -> Option<u64> {
    const MAGIC: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
    let (descriptor, rest) = frame.strip_prefix(MAGIC)?.split_first()?;
    if descriptor & 0x20 == 0 {
        let window = rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // All of it is one segment, as long as its content.
    let mut input = Input(rest);
    input.take([0, 1, 2, 4][usize::from(descriptor & 3)])?;
    let size = match descriptor >> 6 {
        0 => input.little(1)?,
        1 => input.little(2)? + 256,
        2 => input.little(4)?,
        _ => input.little(8)?,
    };
    u64::try_from(size).ok()
}

/// Snappy as such, or in the blocks in which clients in Java write it.
fn snappy(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    const IN_BLOCKS: &[u8] = b"\x82SNAPPY\0";
    /// Its name and two versions.
    const HEAD: usize = 16;
    if !bytes.starts_with(IN_BLOCKS) {
        return snappy_block(bytes, out);
    }
    let mut rest = bytes.get(HEAD..)?;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (block, behind) = behind.split_at_checked(length)?;
        snappy_block(block, out)?;
        rest = behind;
    }
    Some(())
}

fn snappy_block(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut input = Input(bytes);
    // How long all of it is.
    while input.byte()? & 0x80 != 0 {}
    while !input.0.is_empty() && out.len() < MOST {
        let tag = input.byte()?;
        let high = usize::from(tag >> 2);
        let (length, distance) = match tag & 3 {
            0 => {
                let length = if high < 60 { high } else { input.little(high - 59)? };
                out.extend_from_slice(input.take(length.checked_add(1)?)?);
                continue;
            }
            1 => ((high & 7) + 4, usize::from(tag >> 5) << 8 | input.little(1)?),
            2 => (high + 1, input.little(2)?),
            _ => (high + 1, input.little(4)?),
        };
        again(out, distance, length)?;
    }
    Some(())
}

/// A frame of LZ4.
fn lz4(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    const MAGIC: usize = 0x184D_2204;
    /// A block's length with this bit is that of one that is not compressed.
    const AS_IT_IS: usize = 1 << 31;
    let mut input = Input(bytes);
    if input.little(4)? != MAGIC {
        return None;
    }
    let flags = input.take(2)?[0];
    let (has_sums, has_size, has_dictionary) = (flags & 0x10 != 0, flags & 0x08 != 0, flags & 0x01 != 0);
    input.take(if has_size { 8 } else { 0 } + if has_dictionary { 4 } else { 0 } + 1)?;
    while out.len() < MOST {
        let length = input.little(4)?;
        if length == 0 {
            break;
        }
        let block = input.take(length & !AS_IT_IS)?;
        if length & AS_IT_IS == 0 {
            lz4_block(block, out)?;
        } else {
            out.extend_from_slice(block);
        }
        input.take(if has_sums { 4 } else { 0 })?;
    }
    Some(())
}

fn lz4_block(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut input = Input(bytes);
    while out.len() < MOST {
        let token = usize::from(input.byte()?);
        let length = input.lengthened(token >> 4)?;
        out.extend_from_slice(input.take(length)?);
        if input.0.is_empty() {
            break;
        }
        let distance = input.little(2)?;
        again(out, distance, input.lengthened(token & 15)? + 4)?;
    }
    Some(())
}

/// What was said so far back, once more, with what that makes of itself.
fn again(out: &mut Vec<u8>, distance: usize, length: usize) -> Option<()> {
    let from = out.len().checked_sub(distance).filter(|_| distance > 0)?;
    for at in from..from + length.min(MOST) {
        out.push(out[at]);
    }
    Some(())
}

/// Bytes to be read from the front.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A number of so many bytes, the last one the highest.
    fn little(&mut self, n_bytes: usize) -> Option<usize> {
        Some(self.take(n_bytes)?.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A length of four bits, with what follows where these were not enough.
    fn lengthened(&mut self, mut length: usize) -> Option<usize> {
        if length == 15 {
            loop {
                let more = self.byte()?;
                length += usize::from(more);
                if more < u8::MAX {
                    break;
                }
            }
        }
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
    }

    /// `order 0 order 1 ` and so on up to 19, as other programs pack it.
    const PACKED: &[(u8, &str)] = &[
        (
            GZIP,
            "1f8b08000000000002033dccb90d80301405c1567e092c87c1fd406cc9fd0748e82dd16433e6fdcc5a6a7c12d7 \
                b8c53d1eb1c5335eb1fbfca1239678628a2bb6f8624caf17fcd59962aa000000",
        ),
        (
            SNAPPY,
            "aa011c6f72646572203020090800310d0800320d0800330d0800340d0800350d0800360d0800370d0800380d08 \
                00390d080031155111520031115300311154003111550031115600311157003111582c3138206f726465722031 \
                3920",
        ),
        (
            SNAPPY,
            "82534e4150505900000000010000000100000038551c6f72646572203020090800310d0800320d0800330d0800 \
                340d0800350d0800360d0800370d083838206f726465722039206f7264657200000034552c203130206f726465 \
                7220313111090032110900331109003411090035110900361109003711092838206f7264657220313920",
        ),
        (
            LZ4,
            "04224d185440ae5b000000826f7264657220302008001331080013320800133308001334080013350800133608 \
                0013370800133808001339080015315100045200143153001431540014315500143156001431570014315800c0 \
                3138206f72646572203139200fbec64e000000007be85f82",
        ),
        (
            ZSTD,
            "28b52ffd0458450200e06f72646572203020313233343536373839313131313131313131392013005c10d9829c16846541040b7257106605912a0850a11cc80c6401f94066200bc80732035940be1b0a17b66abe74",
        ),
        (
            ZSTD,
            "28b52ffd0068cd01004282070cc03da8e69f6cdbb6958d7a4a90c7dfed75fa5cfe279e158d1c027ab53913a810a8dd0db017ab01101c3d068d97dc4e01f50c822603",
        ),
    ];

    #[test]
    fn as_others_pack_it() {
        let expect = (0..20).map(|n| n.to_string()).fold(String::new(), |all, n| all + "order " + &n + " ");
        for (packing, packed) in PACKED {
            let packed = bytes(packed);
            assert_eq!(unpacked(*packing, &packed).as_deref(), Some(expect.as_bytes()), "{}", name(*packing));
            for n_bytes in 0..packed.len() {
                let _ = unpacked(*packing, &packed[..n_bytes]);
                let mut spoilt = packed.clone();
                for bit in 0..8 {
                    spoilt[n_bytes] ^= 1 << bit;
                    assert!(unpacked(*packing, &spoilt).is_none_or(|out| out.len() < 2 * MOST));
                }
            }
        }
        assert_eq!(unpacked(9, &[]), None);
    }

    #[test]
    fn a_frame_of_zstd_is_bounded() {
        // One byte, as often as a block may say, in as many blocks as there are; and a window that nobody needs.
        let block = [(128 * 1024_u32) << 3 | 1 << 1; 1000].map(|head| {
            let [a, b, c, _] = head.to_le_bytes();
            [a, b, c, b'x']
        });
        let frame = |window: u8| [&[0x28, 0xB5, 0x2F, 0xFD, 0, window][..], &block.concat()].concat();
        assert_eq!(unpacked(ZSTD, &frame(0x68)).map(|out| out.len()), Some(MOST));
        assert_eq!(unpacked_whole(ZSTD, &frame(0x68)), None);
        assert_eq!(unpacked(ZSTD, &frame(0x98)), None);
    }

    #[test]
    fn a_little_does_not_become_a_lot() {
        // One byte, again and again: a distance of 1, and a length of as much as can be said.
        let mut packed = vec![0x1F, b'x', 1, 0];
        packed.extend(vec![u8::MAX; 100_000]);
        packed.push(0);
        let mut out = Vec::new();
        let _ = lz4_block(&packed, &mut out);
        assert!(out.len() <= 2 * MOST, "{}", out.len());
    }
}
