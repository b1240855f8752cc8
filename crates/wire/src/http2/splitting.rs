//! One HTTP/2 connection as a splitter: what is asked of it from outside.

use super::connection::{Http2, Mode};
use super::frame;
use super::half::{MESSAGE_HEAD, Stream, Told, message_length};
use super::telling::header_frames;
use crate::conversation::{Direction, Surprise};
use crate::grpc;
use crate::splitter::{
    Anew, BrokenOff, Call, NOBODY, Of, Passed, Piece, Rest, Splitter, Splitting, Unanswerable, Underway,
    cut_at,
};
use crate::watching::{Resumed, Unfinished};
use seam_value::Value;

impl Splitter for Http2 {
    fn begin(&mut self, out: &mut Vec<Piece>) {
        out.append(&mut self.under_way);
    }

    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.take(direction, bytes, out)?;
        self.tell_what_has_begun(out);
        Ok(())
    }

    fn tell_beginnings(&mut self) {
        self.begun = Some(Vec::new());
    }

    fn goes_on(&mut self, (to, call): (Direction, Call), rest: Rest, out: &mut Vec<Piece>) {
        let is_it = |stream: &Stream| stream.call == call && !stream.half_of(to).is_told();
        let found = self.streams.iter_mut().find(|(_, stream)| is_it(stream));
        let Some((number, stream)) = found.filter(|_| rest != Rest::IsGathered) else { return };
        let number = *number;
        stream.half(to).rest = Some(rest);
        let tell = self.flavor.rest_as_it_comes(to, stream);
        self.tell(to, number, &tell, out);
        self.messages(to, number, out);
    }

    fn gather_replies(&mut self, gather: bool) {
        self.gathers = gather;
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        self.take_kept(direction)
    }

    fn passes(&mut self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        self.passing(to, bytes)
    }

    fn multiplexes(&self) -> bool {
        true
    }

    fn is_ruled(&mut self, ruled: bool) {
        if ruled && self.level.is_free {
            // What is gathered has to be let in again.
            self.is_topped_up = false;
        }
        self.level.is_free = !ruled;
    }

    fn level(&mut self, out: &mut Vec<Piece>) {
        self.come_level(out);
    }

    fn lets_go(&self, _untouched: bool) -> bool {
        self.is_between_frames() && self.is_level()
    }

    fn answer(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let Some(asked) = self.asked(call) else {
            return Err(Unanswerable::new("the call is over"));
        };
        if let Some(code) = answer.get("reset") {
            let mut bytes = Vec::new();
            frame::write_number(frame::RST_STREAM, asked.number, error_code(code)?, &mut bytes);
            self.answered(&asked, false);
            return Ok(bytes);
        }
        let said = self.flavor.said(&asked, answer)?;
        self.answered(&asked, said.stays_open);
        let ends = !said.stays_open;
        let trailers = said.trailers.as_ref().filter(|_| ends);
        let body_ends = ends && trailers.is_none();
        let mut bytes = header_frames(asked.number, &said.headers, body_ends && said.body.is_empty());
        frame::write_data(asked.number, &said.body, body_ends && !said.body.is_empty(), &mut bytes);
        if let Some(trailers) = trailers {
            bytes.extend(header_frames(asked.number, trailers, true));
        }
        Ok(bytes)
    }

    fn says_bit_by_bit(&self) -> bool {
        true
    }

    fn say_more(&mut self, call: Option<Call>, message: &Value) -> Result<Piece, Unanswerable> {
        let (number, stream) = call.and_then(|call| self.said_bit_by_bit(call)).ok_or_else(over)?;
        let bytes = self.flavor.pushed(stream, message)?;
        let mut frames = Vec::new();
        frame::write_data(number, &bytes, false, &mut frames);
        let read = self.flavor.message(Direction::ToConsumer, stream, bytes);
        Ok(Piece { to: Direction::ToConsumer, bytes: frames, of: Of::Message { call, read } })
    }

    fn say_last(&mut self, call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        let (number, stream) = self.said_bit_by_bit(call).ok_or_else(over)?;
        let trailers = self.flavor.last(stream, answer)?;
        let mut bytes = Vec::new();
        match trailers {
            Some(trailers) => bytes = header_frames(number, &trailers, true),
            None => frame::write_data(number, &[], true, &mut bytes),
        }
        self.has_been_said(number);
        Ok(bytes)
    }

    fn say_no_more(&mut self, call: Call) -> Option<Vec<u8>> {
        let (number, stream) = self.said_bit_by_bit(call)?;
        let mut bytes = Vec::new();
        if self.flavor.has_trailers(stream) {
            // Nobody takes what has no status for an answer.
            frame::write_data(number, &[], true, &mut bytes);
        } else {
            // What was only cancelled many clients take for the end.
            frame::write_number(frame::RST_STREAM, number, INTERNAL_ERROR, &mut bytes);
        }
        self.has_been_said(number);
        Some(bytes)
    }

    fn instead(&mut self, call: Call, answer: &Value) -> Vec<u8> {
        // What the consumer hears was reset need not be worked on.
        let mut bytes = Vec::new();
        if let Some(asked) = self.asked(call)
            && asked.is_open
            && answer.get("reset").is_some()
            && self.writing.has_passed(asked.number)
        {
            frame::write_number(frame::RST_STREAM, asked.number, CANCEL, &mut bytes);
            self.close(asked.number);
        }
        bytes
    }

    fn break_off(&mut self, call: Call, request: Passed) -> Option<BrokenOff> {
        let asked = self.asked(call)?;
        let mut broken = BrokenOff::default();
        frame::write_number(frame::RST_STREAM, asked.number, INTERNAL_ERROR, &mut broken.to_consumer);
        if asked.is_open && request == Passed::On && self.mode == Mode::Held {
            frame::write_number(frame::RST_STREAM, asked.number, CANCEL, &mut broken.to_provider);
            // It keeps its number until that is written.
            self.broken.insert(asked.number);
        }
        self.remove(asked.number);
        Some(broken)
    }

    fn beginning(&self, reply: &[u8], most: Option<usize>) -> Option<Vec<u8>> {
        let n_body: usize = data_of(reply).map(<[u8]>::len).sum();
        let mut n_left = most.unwrap_or(n_body / 2);
        if n_left >= n_body {
            return Some(reply.to_vec());
        }
        let (mut rest, mut beginning) = (reply, Vec::new());
        while let Some((head, payload, later)) = frame::first(rest) {
            let n_now = if head.kind == frame::DATA { payload.len().min(n_left) } else { payload.len() };
            frame::write(
                head.kind,
                head.flags & !frame::END_STREAM,
                head.stream,
                &payload[..n_now],
                &mut beginning,
            );
            if head.kind == frame::DATA {
                n_left -= n_now;
                if n_left == 0 {
                    break;
                }
            }
            rest = later;
        }
        Some(beginning)
    }

    fn with_body(&self, call: Call, reply: &[u8], change: &mut dyn FnMut(&mut [u8])) -> Option<Vec<u8>> {
        let mut body: Vec<u8> = data_of(reply).flatten().copied().collect();
        if self.asked(call).is_some_and(|asked| asked.is_grpc) {
            // What says where each message ends is left.
            let mut at = 0;
            while let Some(length) = message_length(&body[at..]) {
                let end = at.saturating_add(length).min(body.len());
                change(&mut body[(at + MESSAGE_HEAD).min(end)..end]);
                at = end;
            }
        } else {
            change(&mut body);
        }
        let (mut rest, mut changed, mut body) = (reply, Vec::new(), body.as_slice());
        while let Some((head, payload, later)) = frame::first(rest) {
            let payload = if head.kind == frame::DATA {
                let (now, behind) = body.split_at(payload.len().min(body.len()));
                body = behind;
                now
            } else {
                payload
            };
            frame::write(head.kind, head.flags, head.stream, payload, &mut changed);
            rest = later;
        }
        Some(changed)
    }

    /// Each part has frames of its own: what is said on another stream comes between those, never into one.
    fn in_parts(&self, answer: &[u8], ends: &[usize]) -> Vec<Vec<u8>> {
        if !frame::are_frames(answer) {
            return cut_at(answer, ends);
        }
        let (mut parts, mut part, mut rest) = (Vec::new(), Vec::new(), answer);
        let mut ends = ends.iter().copied().peekable();
        while let Some((head, mut payload, later)) = frame::first(rest) {
            let frame_end = answer.len() - later.len();
            let mut at = frame_end - payload.len();
            while head.kind == frame::DATA
                && let Some(end) = ends.next_if(|end| *end < frame_end)
            {
                let (now, behind) = payload.split_at(end.saturating_sub(at));
                frame::write(head.kind, head.flags & !frame::END_STREAM, head.stream, now, &mut part);
                parts.push(std::mem::take(&mut part));
                (at, payload) = (at + now.len(), behind);
            }
            frame::write(head.kind, head.flags, head.stream, payload, &mut part);
            while ends.next_if(|end| *end <= frame_end).is_some() {
                parts.push(std::mem::take(&mut part));
            }
            rest = later;
        }
        parts
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let (first, ..) = frame::first(message.bytes).ok_or_else(over)?;
        // Its call may be over: it may have come together with the end.
        let asked = message.call.and_then(|call| self.asked(call)).ok_or_else(over)?;
        let said: Vec<u8> = data_of(message.bytes).flatten().copied().collect();
        let said = self.flavor.anew((message.to, &asked), &said, anew)?;
        let mut bytes = Vec::new();
        frame::write_data(first.stream, &said, false, &mut bytes);
        Ok(bytes)
    }

    fn forget(&mut self, _call: Call) {
        // It stays open until its consumer resets it, or it is broken off: both are told of what is known.
    }

    fn again(&mut self, _call: Call, request: &[u8]) -> Result<Vec<u8>, Unanswerable> {
        if self.mode != Mode::Held {
            return Err(Unanswerable::new(NOBODY));
        }
        let shadow = self.writing.shadow();
        let mut again = Vec::with_capacity(request.len());
        let mut rest = request;
        while let Some((head, payload, later)) = frame::first(rest) {
            frame::write(head.kind, head.flags, shadow, payload, &mut again);
            rest = later;
        }
        if rest.is_empty() {
            Ok(again)
        } else {
            Err(Unanswerable::new("of the request only a part is there"))
        }
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        let is_open =
            |stream: &Stream| matches!(stream.reply.told, Told::Streams(_)) && !stream.reply.has_ended;
        let mut open = self.streams.iter().rev().filter(|(_, stream)| is_open(stream)).peekable();
        if open.peek().is_none() {
            return Err(Unanswerable::new("there is no open stream to push to"));
        }
        let (number, stream) =
            open.find(|(_, stream)| !stream.reply.is_within()).ok_or_else(Unanswerable::within)?;
        let mut bytes = Vec::new();
        frame::write_data(*number, &self.flavor.pushed(stream, message)?, false, &mut bytes);
        Ok(bytes)
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        (!message.is_empty()).then(|| message.to_vec())
    }
}

/// The payloads of the DATA in whole frames.
fn data_of(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (head, payload, later) = frame::first(frames)?;
        frames = later;
        Some(if head.kind == frame::DATA { payload } else { &[] })
    })
}

fn over() -> Unanswerable {
    Unanswerable::new("the answer is over")
}

/// The code of a reset that nobody is to blame for.
const CANCEL: u32 = 8;

/// The code of one by a provider that has come to grief. Nobody may take it for leave to ask again.
const INTERNAL_ERROR: u32 = 2;

/// The codes by their numbers (RFC 9113, 7).
const CODES: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

fn error_code(code: &Value) -> Result<u32, Unanswerable> {
    let named = |name: &str| CODES.iter().position(|code| code.eq_ignore_ascii_case(name));
    match code {
        Value::Bool(true) => Some(CANCEL),
        Value::Text(name) => named(name).and_then(|code| u32::try_from(code).ok()),
        code => code.as_i64().and_then(|code| u32::try_from(code).ok()),
    }
    .ok_or_else(|| Unanswerable::new(format!("{code} is no error code of HTTP/2")))
}

/// A call that may be answered, also if its reply has come by now.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) call: Call,
    pub(super) number: u32,
    /// May the reply have a body?
    pub(super) has_body: bool,
    pub(super) is_grpc: bool,
    pub(super) path: String,
    /// Something may still come for it.
    pub(super) is_open: bool,
}

impl Asked {
    pub(super) fn new(number: u32, stream: &Stream) -> Self {
        let is_grpc = grpc::is_grpc(&stream.request.kept.lock().headers);
        let (call, has_body, path) = (stream.call, stream.has_body(), stream.path());
        Self { call, number, has_body, is_grpc, path, is_open: true }
    }
}

impl Http2 {
    fn asked(&self, call: Call) -> Option<Asked> {
        let open = self.streams.iter().find(|(_, stream)| stream.call == call);
        match open {
            Some((number, stream)) => Some(Asked::new(*number, stream)),
            None => self.past.iter().rev().find(|past| past.call == call).cloned(),
        }
    }

    /// A stream whose reply was begun here and has not ended.
    fn said_bit_by_bit(&self, call: Call) -> Option<(u32, &Stream)> {
        let is_it = |stream: &Stream| {
            stream.call == call && matches!(stream.reply.told, Told::Streams(_)) && !stream.reply.has_ended
        };
        self.streams.iter().find(|(_, stream)| is_it(stream)).map(|(number, stream)| (*number, stream))
    }

    /// The reply of a stream has been said to its end here.
    fn has_been_said(&mut self, number: u32) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        stream.reply.has_ended = true;
        if stream.request.has_ended {
            self.close(number);
        }
    }

    /// The consumer has its answer. Where the request was not passed on, nothing more comes for it.
    fn answered(&mut self, asked: &Asked, stays_open: bool) {
        let is_passed = self.mode != Mode::Alone && self.writing.has_passed(asked.number);
        let cutter = self.flavor.cutter(asked.is_grpc);
        let Some(stream) = self.streams.get_mut(&asked.number) else { return };
        if stays_open {
            (stream.reply.told, stream.reply.has_begun) = (Told::Streams(cutter), true);
        } else if !is_passed {
            stream.reply.has_ended = true;
            if stream.request.has_ended {
                self.close(asked.number);
            }
        }
    }
}

impl Resumed for Http2 {
    fn resume(&self, splitting: Splitting) -> Self {
        self.resumed(splitting)
    }

    fn is_divisible(&self, direction: Direction) -> Option<bool> {
        Some(self.is_between_blocks(direction))
    }

    fn n_to_divide(&self, direction: Direction) -> Option<usize> {
        Some(self.n_to_boundary(direction)).filter(|n_bytes| *n_bytes > 0)
    }

    fn is_within(&self, direction: Direction) -> bool {
        self.is_within_message(direction)
    }

    fn unfinished(&self) -> Vec<Unfinished> {
        let told = self.streams.values().filter(|stream| stream.request.is_told());
        let both = told.map(|stream| {
            let Stream { call, request, reply, .. } = stream;
            let came = reply.has_begun.then(|| self.flavor.reply(&request.kept, reply.kept.clone()));
            (*call, self.flavor.request(request.kept.clone()), came)
        });
        both.collect()
    }
}
