//! Reads header blocks, and keeps the table that their sender has built with them.

use super::Headers;
use super::huffman;
use super::tables::STATIC;
use crate::conversation::Surprise;
use std::collections::VecDeque;

/// The table that a connection begins with (RFC 9113, 6.5.2).
const FIRST_SIZE: usize = 4096;

/// A table that is larger is an attack; browsers use 64 KiB.
const MAX_SIZE: usize = 1024 * 1024;

/// What an entry costs beside its bytes (RFC 7541, 4.1).
const ENTRY: usize = 32;

/// What one direction of a connection has put into its table, the newest first.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    entries: VecDeque<Entry>,
    size: usize,
    max_size: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The name, and the value behind it.
    bytes: Box<[u8]>,
    name_end: usize,
}

impl Entry {
    fn size(&self) -> usize {
        self.bytes.len() + ENTRY
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, max_size: FIRST_SIZE }
    }
}

impl Decoder {
    /// Reads a whole block, whose headers may have so many bytes when they are unpacked.
    pub(crate) fn decode(&mut self, block: &[u8], most: usize) -> Result<Headers, Surprise> {
        let mut headers = Headers::with_room_for(block.len());
        let mut block = Block { rest: block };
        while let Some(first) = block.peek() {
            if first & 0xe0 == 0x20 {
                self.resize(block.number(5)?)?;
                continue;
            }
            if first & 0x80 != 0 {
                let (name, value) = self.entry(block.number(7)?)?;
                headers.push(name, value);
            } else {
                let is_indexed = first & 0x40 != 0;
                let place = block.number(if is_indexed { 6 } else { 4 })?;
                let begin = headers.bytes.len();
                match place {
                    0 => block.text(most, &mut headers.bytes)?,
                    _ => headers.bytes.extend_from_slice(self.entry(place)?.0),
                }
                let name_end = headers.bytes.len();
                block.text(most, &mut headers.bytes)?;
                headers.end(name_end, !is_indexed && first & 0x10 != 0);
                if is_indexed {
                    let bytes = headers.bytes[begin..].into();
                    self.insert(Entry { bytes, name_end: name_end - begin });
                }
            }
            if headers.bytes.len() + ENTRY * headers.ends.len() > most {
                return Err(Surprise::new("headers that are too long"));
            }
        }
        Ok(headers)
    }

    /// Is the table empty?
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&self, place: usize) -> Result<(&[u8], &[u8]), Surprise> {
        let missing = || Surprise::new("a header that is not in the table");
        let place = place.checked_sub(1).ok_or_else(missing)?;
        if let Some((name, value)) = STATIC.get(place) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(place - STATIC.len()).ok_or_else(missing)?;
        Ok(entry.bytes.split_at(entry.name_end))
    }

    fn insert(&mut self, entry: Entry) {
        self.size += entry.size();
        self.entries.push_front(entry);
        self.shrink();
    }

    fn resize(&mut self, max_size: usize) -> Result<(), Surprise> {
        if max_size > MAX_SIZE {
            return Err(Surprise::new("a table of headers that is too large"));
        }
        self.max_size = max_size;
        self.shrink();
        Ok(())
    }

    fn shrink(&mut self) {
        while self.size > self.max_size {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size -= oldest.size();
        }
    }
}

/// What is left of a block.
struct Block<'a> {
    rest: &'a [u8],
}

impl Block<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn byte(&mut self) -> Result<u8, Surprise> {
        let (first, rest) =
            self.rest.split_first().ok_or_else(|| Surprise::new("a header block that breaks off"))?;
        self.rest = rest;
        Ok(*first)
    }

    /// A number that begins in the lowest bits of a byte (RFC 7541, 5.1).
    fn number(&mut self, n_bits: u8) -> Result<usize, Surprise> {
        let mask = (1usize << n_bits) - 1;
        let mut number = usize::from(self.byte()?) & mask;
        if number < mask {
            return Ok(number);
        }
        for shift in [0, 7, 14, 21] {
            let byte = usize::from(self.byte()?);
            number += (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Surprise::new("a number in a header that is too large"))
    }

    /// Appends the text that comes next.
    fn text(&mut self, most: usize, out: &mut Vec<u8>) -> Result<(), Surprise> {
        let is_packed = self.peek().is_some_and(|first| first & 0x80 != 0);
        let length = self.number(7)?;
        let Some((text, rest)) = self.rest.split_at_checked(length) else {
            return Err(Surprise::new("a header block that breaks off"));
        };
        self.rest = rest;
        if !is_packed {
            out.extend_from_slice(text);
            return Ok(());
        }
        huffman::unpack(text, most, out).ok_or_else(|| Surprise::new("a header that can't be unpacked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[track_caller]
    fn check(decoder: &mut Decoder, block: &str, expect: &str) {
        let headers = decoder.decode(&hex(block), 4096).unwrap();
        let lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| {
                format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            })
            .collect();
        assert_eq!(lines.join("; "), expect);
    }

    /// RFC 7541, C.4: requests with Huffman coding.
    #[test]
    fn requests_of_the_standard() {
        let mut decoder = Decoder::default();
        check(
            &mut decoder,
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            ":method: GET; :scheme: http; :path: /; :authority: www.example.com",
        );
        check(
            &mut decoder,
            "8286 84be 5886 a8eb 1064 9cbf",
            ":method: GET; :scheme: http; :path: /; :authority: www.example.com; cache-control: no-cache",
        );
        check(
            &mut decoder,
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ":method: GET; :scheme: https; :path: /index.html; :authority: www.example.com; custom-key: custom-value",
        );
        assert_eq!(decoder.size, 164);
    }

    /// RFC 7541, C.6: replies with Huffman coding and a table of 256 bytes, so that entries go.
    #[test]
    fn replies_of_the_standard() {
        let mut decoder = Decoder { max_size: 256, ..Decoder::default() };
        check(
            &mut decoder,
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad \
             1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            ":status: 302; cache-control: private; date: Mon, 21 Oct 2013 20:13:21 GMT; location: https://www.example.com",
        );
        check(
            &mut decoder,
            "4883 640e ffc1 c0bf",
            ":status: 307; cache-control: private; date: Mon, 21 Oct 2013 20:13:21 GMT; location: https://www.example.com",
        );
        check(
            &mut decoder,
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 \
             e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
            ":status: 200; cache-control: private; date: Mon, 21 Oct 2013 20:13:22 GMT; location: https://www.example.com; \
             content-encoding: gzip; set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        );
        assert_eq!(decoder.size, 215);
    }

    #[test]
    fn what_is_no_block() {
        for (block, reason) in [
            ("80", "not in the table"),
            ("ff ff ff ff ff ff", "too large"),
            ("be", "not in the table"),
            ("40", "breaks off"),
            ("00 05 61", "breaks off"),
            ("00 81 00 00", "unpacked"),
            ("3f e1 ff ff 03", "too large"),
        ] {
            let error = Decoder::default().decode(&hex(block), 4096).unwrap_err();
            assert!(error.reason.contains(reason), "{block}: {error}");
        }
        let long = [&[0, 0, 0x7f, 0x81, 0x7f][..], &[b'a'; 16_384]].concat();
        assert!(Decoder::default().decode(&long, 4096).is_err());
    }
}
