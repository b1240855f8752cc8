//! Huffman coding of headers (RFC 7541, appendix B). The code is canonical, so the lengths say all of it.

use super::tables::LENGTHS;

const MAX_BITS: usize = 30;
const END: u16 = 256;

/// For each length of a code: the first code, and where its symbols stand.
struct Code {
    first: [u32; MAX_BITS + 1],
    n_codes: [u32; MAX_BITS + 1],
    begin: [u16; MAX_BITS + 1],
    symbols: [u16; 257],
}

static CODE: Code = Code::new();

impl Code {
    #[expect(clippy::cast_possible_truncation, reason = "there are 257 symbols, and TryFrom is not const")]
    const fn new() -> Self {
        let mut code = Self {
            first: [0; MAX_BITS + 1],
            n_codes: [0; MAX_BITS + 1],
            begin: [0; MAX_BITS + 1],
            symbols: [0; 257],
        };
        let mut next = 0u32;
        let mut n_symbols = 0;
        let mut length = 1;
        while length <= MAX_BITS {
            next <<= 1;
            code.first[length] = next;
            code.begin[length] = n_symbols as u16;
            let mut symbol = 0;
            while symbol < LENGTHS.len() {
                if LENGTHS[symbol] as usize == length {
                    code.symbols[n_symbols] = symbol as u16;
                    n_symbols += 1;
                    next += 1;
                }
                symbol += 1;
            }
            code.n_codes[length] = next - code.first[length];
            length += 1;
        }
        code
    }
}

/// Unpacks a text to at most so many bytes. None where it is no such text.
pub(super) fn unpack(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(packed.len() * 3 / 2);
    let (mut code, mut length) = (0u32, 0usize);
    for bit in packed.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        if length > MAX_BITS {
            return None;
        }
        let place = code.wrapping_sub(CODE.first[length]);
        if place < CODE.n_codes[length] {
            let symbol = CODE.symbols[usize::from(CODE.begin[length]) + place as usize];
            if symbol == END || text.len() >= most {
                return None;
            }
            text.push(symbol.to_le_bytes()[0]);
            (code, length) = (0, 0);
        }
    }
    // What fills the last byte up is the beginning of the end's code: ones.
    (length < 8 && code == (1 << length) - 1).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_its_code() {
        // Codes of the standard's table: of each length the last one.
        for (symbol, code, length) in [
            (b't', 0x9, 5),
            (b'u', 0x2d, 6),
            (b'z', 0x7b, 7),
            (b'Z', 0xfd, 8),
            (0xf9, 0x0fff_fffe, 28),
            (10, 0x3fff_fffc, 30),
        ] {
            assert_eq!(usize::from(LENGTHS[usize::from(symbol)]), length, "{symbol}");
            let place = usize::from(CODE.begin[length]) + (code - CODE.first[length]) as usize;
            assert_eq!(CODE.symbols[place], u16::from(symbol));
        }
    }

    #[test]
    fn unpacks() {
        for (packed, text) in [
            (
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
                Some("www.example.com"),
            ),
            (&[], Some("")),
            (&[0x1f], Some("a")),
            (&[0x1e], None),
            (&[0x1f, 0xff], None),
            (&[0xff, 0xff, 0xff, 0xff], None),
        ] {
            assert_eq!(unpack(packed, 100), text.map(|text| text.as_bytes().to_vec()));
        }
        assert_eq!(unpack(&[0; 100], 50), None);
    }
}
