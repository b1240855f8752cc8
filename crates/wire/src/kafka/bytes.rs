//! How Kafka writes numbers, texts and lists: with lengths of a fixed size, or compactly.

/// Bytes to be read, from the front. Everything is none where there is not enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    pub(super) is_compact: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], is_compact: bool) -> Self {
        Self { rest: bytes, is_compact }
    }

    pub(super) fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n_bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn i8(&mut self) -> Option<i8> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A number with its sign in the last bit.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A length, or how many; 0 for null.
    fn length(&mut self, is_short: bool) -> Option<usize> {
        let length = match (self.is_compact, is_short) {
            (true, _) => i64::try_from(self.unsigned()?).ok()? - 1,
            (false, true) => i64::from(self.i16()?),
            (false, false) => i64::from(self.i32()?),
        };
        Some(usize::try_from(length).unwrap_or_default())
    }

    /// A text's bytes; empty for null.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.length(true)?;
        self.take(length)
    }

    /// As many bytes as there are of those that should come.
    pub(super) fn bytes_so_far(&mut self) -> Option<&'a [u8]> {
        let length = self.length(false)?;
        self.take(length.min(self.rest.len()))
    }

    /// How many elements follow; 0 for null.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.length(false)
    }

    /// Passes over tagged fields.
    pub(super) fn tags(&mut self) -> Option<()> {
        if self.is_compact {
            for _ in 0..self.unsigned()? {
                self.unsigned()?;
                let length = usize::try_from(self.unsigned()?).ok()?;
                self.take(length)?;
            }
        }
        Some(())
    }
}

/// Bytes that are written.
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    pub(super) is_compact: bool,
}

impl Writer {
    pub(super) fn new(is_compact: bool) -> Self {
        Self { out: Vec::new(), is_compact }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.put(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.put(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.put(&value.to_be_bytes());
    }

    pub(super) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push((value & 0x7F) as u8);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.unsigned((value << 1 ^ value >> 63).cast_unsigned());
    }

    fn length(&mut self, length: Option<usize>, is_short: bool) {
        match (self.is_compact, is_short) {
            (true, _) => self.unsigned(length.map_or(0, |length| length as u64 + 1)),
            (false, true) => self.i16(length.map_or(-1, |length| i16::try_from(length).unwrap_or(i16::MAX))),
            (false, false) => self.i32(length.map_or(-1, |length| i32::try_from(length).unwrap_or(i32::MAX))),
        }
    }

    pub(super) fn text(&mut self, text: &[u8]) {
        self.length(Some(text.len()), true);
        self.put(text);
    }

    pub(super) fn null_text(&mut self) {
        self.length(None, true);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(Some(bytes.len()), false);
        self.put(bytes);
    }

    pub(super) fn count(&mut self, count: usize) {
        self.length(Some(count), false);
    }

    pub(super) fn null_list(&mut self) {
        self.length(None, false);
    }

    /// No tagged fields.
    pub(super) fn tags(&mut self) {
        if self.is_compact {
            self.out.push(0);
        }
    }
}
