//! HTTP/2's compressed headers to plain ones, and plain ones back (RFC 7541).
//!
//! Reading follows the sender's table entry by entry, from the first block of a connection on. Writing never uses a
//! table: who drops a request between two that pass would otherwise leave the receiver with another table than the
//! sender. Own code instead of a crate, because what is kept must be bounded and must outlive each block unshared.

mod decoder;
mod huffman;
mod tables;

pub(super) use decoder::Decoder;

/// The headers of one block, in their order, in one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    bytes: Vec<u8>,
    ends: Vec<Ends>,
}

/// Where a header's name and value end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    name: u32,
    value: u32,
    /// The sender forbids to put it into a table: a secret.
    is_secret: bool,
}

impl Headers {
    /// Appends one.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_as(name, value, false);
    }

    fn push_as(&mut self, name: &[u8], value: &[u8], is_secret: bool) {
        self.bytes.extend_from_slice(name);
        let name_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.end(name_end, is_secret);
    }

    /// The last one has its name up to there, and its value up to here.
    fn end(&mut self, name_end: usize, is_secret: bool) {
        let short = |end: usize| u32::try_from(end).unwrap_or(u32::MAX);
        self.ends.push(Ends { name: short(name_end), value: short(self.bytes.len()), is_secret });
    }

    /// None yet, with room for what a block of this length says in most cases.
    fn with_room_for(n_packed: usize) -> Self {
        let n_bytes = (4 * n_packed).clamp(96, 512);
        Self { bytes: Vec::with_capacity(n_bytes), ends: Vec::with_capacity(8) }
    }

    /// All of them, names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.all().map(|(name, value, _)| (name, value))
    }

    fn all(&self) -> impl Iterator<Item = (&[u8], &[u8], bool)> {
        let mut from = 0;
        self.ends.iter().map(move |ends| {
            let (name, value) = (ends.name as usize, ends.value as usize);
            let header = (&self.bytes[from..name], &self.bytes[name..value], ends.is_secret);
            from = value;
            header
        })
    }

    /// The first one of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| *other == name.as_bytes()).map(|(_, value)| value)
    }

    /// The first one of this name, as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// About how many bytes of memory they hold.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<Ends>()
    }

    /// As a block that needs no table and changes none.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(self.bytes.len() + 4 * self.ends.len() + 1);
        // The table's size becomes nothing: a limit that its receiver has lowered must be acknowledged so, and the
        // block in which the sender did so may have been dropped.
        block.push(0x20);
        for (name, value, is_secret) in self.all() {
            block.push(if is_secret { 0x10 } else { 0 });
            for text in [name, value] {
                write_length(text.len(), &mut block);
                block.extend_from_slice(text);
            }
        }
        block
    }
}

/// A length with a prefix of seven bits (RFC 7541, 5.1), of a text that isn't packed.
fn write_length(length: usize, block: &mut Vec<u8>) {
    let most = 0x7f;
    if length < most {
        block.push(length.to_le_bytes()[0]);
        return;
    }
    block.push(0x7f);
    let mut rest = length - most;
    while rest >= 0x80 {
        block.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    block.push(rest.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_and_needs_no_table() {
        let mut headers = Headers::default();
        for length in [0, 1, 126, 127, 128, 254, 255, 256, 20_000] {
            headers.push(b"x-long", &vec![b'v'; length]);
        }
        headers.push_as(b"authorization", b"Bearer \xff", true);
        let block = headers.encode();
        let mut decoder = Decoder::default();
        for _ in 0..2 {
            assert_eq!(decoder.decode(&block, 64 * 1024).unwrap(), headers);
        }
        assert_eq!(headers.get("authorization"), Some(&b"Bearer \xff"[..]));
        assert_eq!(headers.text("authorization"), None);
    }
}
