//! Where WebSocket's frames begin and end (RFC 6455, 5.2), and how they are written.

use crate::conversation::Surprise;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The longest head: two bytes, a length of eight, a key of four.
const MAX_HEAD: usize = 14;

/// What a control frame may have at most.
const MAX_CONTROL: u64 = 125;

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_last: bool,
    pub(super) is_packed: bool,
    pub(super) opcode: u8,
    pub(super) key: Option<[u8; 4]>,
    pub(super) length: u64,
}

impl Head {
    pub(super) fn is_control(self) -> bool {
        self.opcode >= CLOSE
    }

    /// Reads a head that is whole.
    fn read(bytes: &[u8]) -> Result<Option<Self>, Surprise> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (n_length, n_key) = match (second & 0x7f, second & 0x80) {
            (126, mask) => (2, usize::from(mask != 0) * 4),
            (127, mask) => (8, usize::from(mask != 0) * 4),
            (_, mask) => (0, usize::from(mask != 0) * 4),
        };
        let Some((length, key)) = rest.split_at_checked(n_length).filter(|(_, key)| key.len() == n_key)
        else {
            return Ok(None);
        };
        let length = match n_length {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let head = Self {
            is_last: first & 0x80 != 0,
            is_packed: first & 0x40 != 0,
            opcode: first & 0x0f,
            key: <[u8; 4]>::try_from(key).ok(),
            length,
        };
        let is_known = matches!(head.opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
        if first & 0x30 != 0 || !is_known || length >> 63 != 0 {
            return Err(Surprise::new("a frame that WebSocket doesn't have"));
        }
        if head.is_control() && (length > MAX_CONTROL || !head.is_last || head.is_packed) {
            return Err(Surprise::new("a control frame in parts"));
        }
        Ok(Some(head))
    }
}

/// What comes out of a direction's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A frame begins; its head as it came.
    Begin(Head, Vec<u8>),
    /// Bytes of its payload, as they came and unmasked.
    Payload(Vec<u8>, Vec<u8>),
    /// It has ended.
    End(Head),
}

/// One direction's bytes to frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    current: Option<Head>,
    n_passed: u64,
}

impl Frames {
    pub(super) fn is_between(&self) -> bool {
        self.current.is_none() && self.head.is_empty()
    }

    /// So many bytes are missing of the frame that is passing, or surely of the head of one; 0 where nothing is.
    pub(super) fn n_to_end(&self) -> usize {
        if let Some(head) = self.current {
            return usize::try_from(head.length - self.n_passed).unwrap_or(usize::MAX);
        }
        let [_, second, ..] = *self.head.as_slice() else { return 2 - self.head.len() };
        let n_length: usize = match second & 0x7f {
            0x7e => 2,
            0x7f => 8,
            _ => 0,
        };
        let n_key = if second & 0x80 == 0 { 0 } else { 4 };
        (2 + n_length + n_key).saturating_sub(self.head.len())
    }

    /// The frame that is passing.
    pub(super) fn current(&self) -> Option<Head> {
        self.current
    }

    /// The bytes of a head that isn't whole.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.head)
    }

    /// Takes bytes up to the next event, and says how many: none, and no event, where more are needed.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<(usize, Option<Event>), Surprise> {
        let Some(head) = self.current else {
            let n_before = self.head.len();
            for (place, byte) in bytes.iter().enumerate() {
                self.head.push(*byte);
                debug_assert!(self.head.len() <= MAX_HEAD, "a head has an end");
                // None of these bytes is taken where they surprise.
                let head = Head::read(&self.head).inspect_err(|_| self.head.truncate(n_before))?;
                if let Some(head) = head {
                    (self.current, self.n_passed) = (Some(head), 0);
                    return Ok((place + 1, Some(Event::Begin(head, std::mem::take(&mut self.head)))));
                }
            }
            return Ok((bytes.len(), None));
        };
        let n_left = head.length - self.n_passed;
        if n_left == 0 {
            self.current = None;
            return Ok((0, Some(Event::End(head))));
        }
        let n_now = usize::try_from(n_left).map_or(bytes.len(), |n_left| n_left.min(bytes.len()));
        if n_now == 0 {
            return Ok((0, None));
        }
        let raw = bytes[..n_now].to_vec();
        let mut plain = raw.clone();
        if let Some(key) = head.key {
            mask(&mut plain, key, self.n_passed);
        }
        self.n_passed += n_now as u64;
        Ok((n_now, Some(Event::Payload(raw, plain))))
    }
}

/// Masks bytes, or unmasks them, that stand at a place of their payload.
fn mask(bytes: &mut [u8], key: [u8; 4], place: u64) {
    let offset = usize::try_from(place % 4).unwrap_or_default();
    for (byte, key) in bytes.iter_mut().zip(key.iter().cycle().skip(offset)) {
        *byte ^= key;
    }
}

/// The head of a message's first frame, and what all of its frames say.
pub(super) fn joined(mut bytes: &[u8]) -> (Option<Head>, Vec<u8>) {
    let (mut frames, mut first, mut content) = (Frames::default(), None, Vec::new());
    while let Ok((n_taken, event)) = frames.next(bytes) {
        bytes = &bytes[n_taken..];
        match event {
            Some(Event::Begin(head, _)) => first = first.or(Some(head)),
            Some(Event::Payload(_, plain)) => content.extend(plain),
            None if n_taken == 0 => break,
            Some(Event::End(_)) | None => {}
        }
    }
    (first, content)
}

/// A whole message in one frame. What a consumer sends is masked.
pub(super) fn write(opcode: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    write_part(opcode, true, payload, key)
}

/// One frame of a message.
pub(super) fn write_part(opcode: u8, is_last: bool, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = vec![if is_last { 0x80 | opcode } else { opcode }];
    let masked = if key.is_some() { 0x80 } else { 0 };
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => bytes.push(masked | length),
        (_, Ok(length)) => {
            bytes.push(masked | 0x7e);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            bytes.push(masked | 0x7f);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(key.into_iter().flatten());
    let begin = bytes.len();
    bytes.extend_from_slice(payload);
    if let Some(key) = key {
        mask(&mut bytes[begin..], key, 0);
    }
    bytes
}
