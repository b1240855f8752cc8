//! What a request's head says besides its method and its body's framing.

/// What a request's head says besides its method and its body's framing.
#[derive(Clone, Default)]
pub(super) struct About {
    pub(super) expects_continue: bool,
    pub(super) wish: Wish,
    pub(super) closes: bool,
    pub(super) is_old: bool,
    pub(super) key: Option<String>,
}

/// Which other protocol it would rather speak.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Wish {
    #[default]
    None,
    Http2,
    Other,
}

/// What the newest request's head says, for when the next one has the same headers.
#[derive(Default)]
pub(super) struct Newest(Option<About>);

impl Newest {
    /// Of the next head, which says that it is HTTP/1.1 if it `repeats` the headers of the one before.
    pub(super) fn of(&mut self, head: &[u8], repeats: bool) -> About {
        let newest = match self.0.take().filter(|newest| repeats && !newest.is_old) {
            Some(newest) => newest,
            None => About::read(head),
        };
        self.0.insert(newest).clone()
    }
}

impl About {
    pub(super) fn read(head: &[u8]) -> Self {
        let mut about = Self::default();
        let mut keeps = false;
        for (number, line) in head.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii_end();
            if number == 0 {
                about.is_old = line.ends_with(b"HTTP/1.0");
                continue;
            }
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            let says = |token: &[u8]| {
                value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
            };
            if name.eq_ignore_ascii_case(b"expect") {
                about.expects_continue |= says(b"100-continue");
            } else if name.eq_ignore_ascii_case(b"upgrade") {
                about.wish = if says(b"h2c") { Wish::Http2 } else { Wish::Other };
            } else if name.eq_ignore_ascii_case(b"sec-websocket-key") {
                about.key = Some(String::from_utf8_lossy(value).into_owned());
            } else if name.eq_ignore_ascii_case(b"connection") {
                about.closes |= says(b"close");
                keeps |= says(b"keep-alive");
            }
        }
        about.closes |= about.is_old && !keeps;
        about
    }
}

/// The first line of a head.
pub(super) fn first_line(head: &[u8]) -> Vec<u8> {
    head[..memchr::memchr(b'\n', head).unwrap_or(head.len())].to_vec()
}

/// A head without its wish for another protocol.
pub(super) fn without_upgrade(head: &[u8]) -> Vec<u8> {
    let is_wish = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"upgrade") || name.eq_ignore_ascii_case(b"http2-settings")
    };
    head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_wish(line)).flatten().copied().collect()
}
