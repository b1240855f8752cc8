//! Halves of calls to pieces: when, and with which bytes.

use super::connection::{Http2, Mode};
use super::flavor::Tell;
use super::frame;
use super::half::{Half, Told};
use super::hpack::Headers;
use crate::conversation::Direction;
use crate::splitter::{Call, Of, Piece, Rest, Splitter as _};

impl Http2 {
    /// Headers or the end of a frame have come: is the half over, can it be told?
    pub(super) fn progress(&mut self, direction: Direction, number: u32, ends: bool, out: &mut Vec<Piece>) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        stream.half(direction).has_ended |= ends;
        self.advance(direction, number, ends, out);
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let (call, mode) = (stream.call, self.mode);
        let half = stream.half(direction);
        if ends && half.told != Told::Nothing && !half.is_finished {
            if half.rest == Some(Rest::IsTold) {
                let read = self.flavor.request(half.kept.clone());
                out.push(Piece { to: direction, bytes: Vec::new(), of: Of::Told { call, read } });
            }
            half.finish(direction, number, (call, mode), out);
        }
        if stream.request.has_ended && stream.reply.has_ended {
            self.close(number);
        }
    }

    /// Tells what can be told by now.
    pub(super) fn advance(&mut self, direction: Direction, number: u32, ends: bool, out: &mut Vec<Piece>) {
        let Some(stream) = self.streams.get(&number) else { return };
        if stream.half_of(direction).told == Told::Nothing
            && let Some(tell) = self.flavor.decide((self.mode, self.gathers), direction, (stream, ends))
        {
            self.tell(direction, number, &tell, out);
        }
        self.messages(direction, number, out);
    }

    /// Tells a half for the first time.
    pub(super) fn tell(&mut self, direction: Direction, number: u32, tell: &Tell, out: &mut Vec<Piece>) {
        let (mode, flavor) = (self.mode, &self.flavor);
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let request = stream.request.kept.clone();
        let half = match direction {
            Direction::ToProvider => &mut stream.request,
            Direction::ToConsumer => &mut stream.reply,
        };
        let whole = half.has_ended;
        let bytes = if mode == Mode::Watched { Vec::new() } else { half.begin_bytes(number, tell.n_body) };
        let kept = half.kept.clone();
        half.told = tell.told();
        half.is_finished = whole;
        if mode != Mode::Watched || matches!(half.told, Told::Streams(_)) {
            let body = &kept.lock().body;
            half.pending = body.get(tell.n_body..).unwrap_or_default().to_vec();
        }
        let (call, awaited) = (stream.call, tell.awaited);
        let of = match direction {
            Direction::ToProvider => Of::Request { call, whole, awaited, read: flavor.request(kept) },
            Direction::ToConsumer => Of::Reply { call, whole, awaited, read: flavor.reply(&request, kept) },
        };
        out.push(Piece { to: direction, bytes, of });
    }

    /// Nobody has sent more for now than the beginnings of these.
    pub(super) fn tell_what_has_begun(&mut self, out: &mut Vec<Piece>) {
        let begun = self.begun.as_mut().map(std::mem::take).unwrap_or_default();
        for (direction, number) in begun {
            let Some(stream) = self.streams.get(&number) else { continue };
            let half = stream.half_of(direction);
            if half.is_told() || half.has_ended {
                continue;
            }
            if direction == Direction::ToProvider || self.gathers {
                let read = self.flavor.head(direction, half.kept.clone());
                let of = Of::Begun { call: stream.call, read };
                out.push(Piece { to: direction, bytes: Vec::new(), of });
            } else {
                // Its consumer may have something to say to it, and nobody waits for more.
                self.goes_on((direction, stream.call), Rest::Passes, out);
            }
        }
    }

    /// A reply begins: its request comes before it, however much of it there is.
    pub(super) fn tell_request_first(&mut self, number: u32, out: &mut Vec<Piece>) {
        let Some(stream) = self.streams.get(&number) else { return };
        if !stream.request.is_told() {
            let tell = self.flavor.early_request(stream);
            self.tell(Direction::ToProvider, number, &tell, out);
            self.messages(Direction::ToProvider, number, out);
        }
    }

    /// Cuts messages off what is pending.
    pub(super) fn messages(&mut self, direction: Direction, number: u32, out: &mut Vec<Piece>) {
        let most = self.limits.kept_body;
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let call = stream.call;
        let mut pending = std::mem::take(&mut stream.half(direction).pending);
        let mut begin = 0;
        loop {
            let half = stream.half(direction);
            let rest = &pending[begin..];
            let next = match &mut half.told {
                Told::Streams(cutter) => cutter.next(rest, most),
                // A long frame goes on in frames that everybody takes.
                Told::Begun if rest.len() >= frame::MAX_FRAME => Some((frame::MAX_FRAME, false)),
                Told::Begun | Told::Nothing => None,
            };
            let Some((n_bytes, is_message)) = next else { break };
            let skips = std::mem::take(&mut half.skips);
            let n_gone = half.n_gone.min(n_bytes);
            half.n_gone -= n_gone;
            let message = rest[n_gone..n_bytes].to_vec();
            begin += n_bytes;
            if message.is_empty() {
                continue;
            }
            let is_message = is_message && !skips;
            let mut bytes = Vec::new();
            if self.mode != Mode::Watched {
                frame::write_data(number, &message, false, &mut bytes);
            }
            let of = if is_message {
                let read = self.flavor.message(direction, stream, message);
                Of::Message { call: Some(call), read }
            } else {
                Of::More { call, whole: false }
            };
            if is_message || self.mode != Mode::Watched {
                out.push(Piece { to: direction, bytes, of });
            }
        }
        pending.drain(..begin);
        stream.half(direction).pending = pending;
    }
}

impl Half {
    /// The frames of what has come: headers, so many bytes of the body, and the end, if it has come.
    pub(super) fn begin_bytes(&self, number: u32, n_body: usize) -> Vec<u8> {
        let kept = self.kept.lock();
        let body = &kept.body[..n_body.min(kept.body.len())];
        let (ends, trailers) = (self.has_ended, kept.trailers.as_ref());
        let mut bytes = header_frames(number, &kept.headers, ends && body.is_empty() && trailers.is_none());
        frame::write_data(number, body, ends && !body.is_empty() && trailers.is_none(), &mut bytes);
        if let Some(trailers) = trailers.filter(|_| ends) {
            bytes.extend(header_frames(number, trailers, true));
        }
        bytes
    }

    /// Lets out what is pending at the end of a frame, if it is not cut into messages.
    pub(super) fn flush(
        &mut self,
        to: Direction,
        number: u32,
        (call, mode): (Call, Mode),
        out: &mut Vec<Piece>,
    ) {
        if self.told != Told::Begun || self.pending.is_empty() || mode == Mode::Watched {
            return;
        }
        let mut bytes = Vec::new();
        frame::write_data(number, &self.take_pending(), false, &mut bytes);
        out.push(Piece { to, bytes, of: Of::More { call, whole: false } });
    }

    /// Lets out the last of a half that was told before.
    fn finish(&mut self, to: Direction, number: u32, (call, mode): (Call, Mode), out: &mut Vec<Piece>) {
        self.is_finished = true;
        let mut bytes = Vec::new();
        let pending = self.take_pending();
        if mode != Mode::Watched {
            let kept = self.kept.lock();
            frame::write_data(number, &pending, kept.trailers.is_none(), &mut bytes);
            if let Some(trailers) = &kept.trailers {
                bytes.extend(header_frames(number, trailers, true));
            }
        }
        out.push(Piece { to, bytes, of: Of::More { call, whole: true } });
    }
}

/// Headers in their frames.
pub(super) fn header_frames(stream: u32, headers: &Headers, ends_stream: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write_headers(stream, &headers.encode(), ends_stream, &mut bytes);
    bytes
}
