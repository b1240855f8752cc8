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

/// Codes of up to so many bits are looked up at once: those of all letters, digits, and what else is common in headers.
const SHORT: usize = 8;

/// For whatever the next eight bits are: the symbol whose code they begin with, and how long that is; nothing where the
/// code is longer.
static SHORTS: [(u8, u8); 1 << SHORT] = shorts();

#[expect(
    clippy::cast_possible_truncation,
    reason = "symbols with such codes are bytes, and TryFrom is not const"
)]
const fn shorts() -> [(u8, u8); 1 << SHORT] {
    let code = Code::new();
    let mut shorts = [(0, 0); 1 << SHORT];
    let mut length = 1;
    while length <= SHORT {
        let mut place = 0;
        while place < code.n_codes[length] {
            let symbol = code.symbols[code.begin[length] as usize + place as usize];
            let first = ((code.first[length] + place) as usize) << (SHORT - length);
            let mut behind = 0;
            while behind < 1 << (SHORT - length) {
                shorts[first + behind] = (symbol as u8, length as u8);
                behind += 1;
            }
            place += 1;
        }
        length += 1;
    }
    shorts
}

/// Unpacks a text of at most so many bytes, and appends it. None where it is no such text.
pub(super) fn unpack(packed: &[u8], most: usize, text: &mut Vec<u8>) -> Option<()> {
    let most = text.len().saturating_add(most);
    let mut packed = packed.iter();
    // The next bits, the first of them the highest; behind them nothing.
    let (mut bits, mut n_bits) = (0u64, 0usize);
    loop {
        while n_bits <= 56
            && let Some(byte) = packed.next()
        {
            bits |= u64::from(*byte) << (56 - n_bits);
            n_bits += 8;
        }
        let (symbol, length) = match SHORTS[usize::from(bits.to_be_bytes()[0])] {
            (_, 0) => long(bits)?,
            (symbol, length) => (u16::from(symbol), usize::from(length)),
        };
        if length > n_bits {
            break;
        }
        if symbol == END || text.len() >= most {
            return None;
        }
        text.push(symbol.to_le_bytes()[0]);
        bits <<= length;
        n_bits -= length;
    }
    // What fills the last byte up is the beginning of the end's code: ones.
    (n_bits < 8 && bits.leading_ones() as usize >= n_bits).then_some(())
}

/// The symbol whose code these bits begin with, where that is a long one, and its length.
fn long(bits: u64) -> Option<(u16, usize)> {
    (SHORT + 1..=MAX_BITS).find_map(|length| {
        let place = usize::try_from(bits >> (64 - length)).ok()?.checked_sub(CODE.first[length] as usize)?;
        let symbol = CODE.symbols.get(usize::from(CODE.begin[length]) + place)?;
        (place < CODE.n_codes[length] as usize).then_some((*symbol, length))
    })
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
            let mut unpacked = b"x=".to_vec();
            let is_text = unpack(packed, 100, &mut unpacked).is_some();
            assert_eq!(is_text, text.is_some(), "{packed:x?}");
            assert!(!is_text || unpacked[2..] == *text.unwrap().as_bytes(), "{packed:x?}");
        }
        assert_eq!(unpack(&[0; 100], 50, &mut Vec::new()), None);
    }

    /// Each symbol between two others, packed bit by bit from the table of lengths.
    #[test]
    fn every_symbol_unpacks() {
        let code_of = |symbol: u8| {
            let length = usize::from(LENGTHS[usize::from(symbol)]);
            let begin = usize::from(CODE.begin[length]);
            let place = (begin..CODE.symbols.len())
                .position(|place| CODE.symbols[place] == u16::from(symbol))
                .unwrap();
            let code = CODE.first[length] + u32::try_from(place).unwrap();
            (0..length).rev().map(move |bit| code >> bit & 1 == 1)
        };
        for symbol in 0..=255 {
            let mut bits: Vec<bool> = [b'a', symbol, b'z', symbol].into_iter().flat_map(code_of).collect();
            bits.resize(bits.len().next_multiple_of(8), true);
            let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
            let packed: Vec<u8> = bits.chunks(8).map(byte).collect();
            let mut unpacked = Vec::new();
            assert_eq!(unpack(&packed, 4, &mut unpacked), Some(()), "{symbol}");
            assert_eq!(unpacked, [b'a', symbol, b'z', symbol]);
            assert_eq!(unpack(&packed, 3, &mut Vec::new()), None, "{symbol}");
        }
    }
}
