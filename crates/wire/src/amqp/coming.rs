//! Messages: a method with content, its header and its body, gathered from their frames.

use super::channel::{Coming, Fate};
use super::content::Content;
use super::frame::{self, Head};
use super::method::{GET_OK, PUBLISH};
use super::passing;
use super::reading::Part;
use super::splitter::{Cutter, index, rest};
use super::value::Reader;
use crate::conversation::{Direction, Surprise};
use crate::splitter::{Of, Piece};

impl Cutter {
    pub(super) fn begin_content(
        &mut self,
        to: Direction,
        channel: u16,
        id: u32,
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        let is_right_way = (id == PUBLISH) == (to == Direction::ToProvider);
        let known = self.channels.entry(channel).or_default();
        if known.coming[index(to)].is_some() || !is_right_way {
            return Err(Surprise::new("a message where none can be"));
        }
        let n_method = self.lanes[index(to)].pending.seen().len() - frame::AROUND;
        if self.n_coming + n_method > self.limits.kept_open.max(self.limits.head) {
            return Err(Surprise::new("too much is open at once"));
        }
        let frame = self.lanes[index(to)].pending.take();
        let method = frame[frame::HEAD..frame.len() - 1].to_vec();
        self.lanes[index(to)].n_coming += 1;
        self.n_coming += method.len();
        let kept = Content { method, ..Content::default() };
        let mut coming = Coming { id, kept, frames: Vec::new(), n_missing: None, passes: self.is_watched };
        let frame = self.count(channel, id, frame);
        self.n_coming += if coming.passes { 0 } else { frame.len() };
        if coming.passes {
            self.push_out(to, frame, Of::Rest, out);
        } else {
            coming.frames = frame;
        }
        if let Some(known) = self.channels.get_mut(&channel) {
            known.coming[index(to)] = Some(coming);
        }
        Ok(())
    }

    /// Counts a content, and marks what is published with its number.
    fn count(&mut self, channel: u16, id: u32, mut frame: Vec<u8>) -> Vec<u8> {
        let (is_held, most) = (!self.is_watched, self.limits.n_open);
        let Some(known) = self.channels.get_mut(&channel) else { return frame };
        let payload = &mut frame[frame::HEAD..];
        if id == PUBLISH && known.is_counted {
            known.n_published += 1;
            if is_held {
                known.ticket = Reader(&payload[4..]).short().unwrap_or_default();
                passing::mark(payload, known.n_published);
            }
        }
        if let Some(tag) = passing::delivery_tag(id, payload) {
            known.n_delivered = known.n_delivered.max(tag);
            let replied = known.due.iter().find(|due| due.method.replies.contains(&id));
            if replied.is_some_and(|due| due.is_unacknowledged) && known.unacknowledged.len() < most {
                known.unacknowledged.insert(tag);
            }
        }
        frame
    }

    /// The header or a part of the body of a content.
    pub(super) fn content(
        &mut self,
        to: Direction,
        head: Head,
        out: &mut Vec<Piece>,
    ) -> Result<(), Surprise> {
        let frame = self.lanes[index(to)].pending.take();
        if self.is_void(to, head.channel) {
            return Ok(());
        }
        let known = self.channels.get_mut(&head.channel);
        let Some(mut coming) = known.and_then(|known| known.coming[index(to)].take()) else {
            self.lanes[index(to)].pending.give_back(frame);
            return Err(Surprise::new("a part of a message that didn't begin"));
        };
        let n_missing = match self.keep(&mut coming, head.kind, &frame) {
            Ok(n_missing) => n_missing,
            Err(surprise) => {
                self.lanes[index(to)].pending.give_back(frame);
                if let Some(known) = self.channels.get_mut(&head.channel) {
                    known.coming[index(to)] = Some(coming);
                }
                return Err(surprise);
            }
        };
        coming.n_missing = Some(n_missing);
        if coming.passes {
            self.push_out(to, frame, Of::Rest, out);
        } else {
            self.n_coming += frame.len();
            coming.frames.extend_from_slice(&frame);
            if self.n_coming > self.limits.kept_open && n_missing > 0 {
                coming.passes = true;
                let bytes = std::mem::take(&mut coming.frames);
                self.n_coming = self.n_coming.saturating_sub(bytes.len());
                self.push_out(to, bytes, Of::Rest, out);
            }
        }
        if n_missing > 0 {
            if let Some(known) = self.channels.get_mut(&head.channel) {
                known.coming[index(to)] = Some(coming);
            }
        } else if let Some(coming) = self.forget_coming(to, Some(coming)) {
            self.content_ended(to, head.channel, coming, out);
        }
        Ok(())
    }

    /// Keeps what may be kept of a frame of a content, and says how much of its body is missing then.
    fn keep(&mut self, coming: &mut Coming, kind: u8, frame: &[u8]) -> Result<u64, Surprise> {
        let payload = &frame[frame::HEAD..frame.len() - 1];
        match (kind, coming.n_missing) {
            (frame::HEADER, None) => {
                let length = Reader(payload.get(4..).unwrap_or_default()).long_long();
                let length = length.ok_or_else(|| Surprise::new("a message without its length"))?;
                coming.kept.header = payload[..payload.len().min(self.limits.head)].to_vec();
                self.n_coming += coming.kept.header.len();
                coming.kept.length = length;
                Ok(length)
            }
            (frame::BODY, Some(missing)) => {
                let n_bytes = u64::try_from(payload.len()).unwrap_or(u64::MAX);
                let room = self.limits.kept_open.saturating_sub(self.n_coming);
                let most = self.limits.kept_body.saturating_sub(coming.kept.body.len()).min(room);
                let kept = &payload[..payload.len().min(most)];
                coming.kept.body.extend_from_slice(kept);
                self.n_coming += kept.len();
                missing.checked_sub(n_bytes).ok_or_else(|| Surprise::new("a message longer than it says"))
            }
            _ => Err(Surprise::new("a part of a message out of its order")),
        }
    }

    /// A content is whole.
    fn content_ended(&mut self, to: Direction, channel: u16, coming: Coming, out: &mut Vec<Piece>) {
        let Coming { id, kept, frames, passes, .. } = coming;
        // What was too large to be held has passed; who looks on tells of it.
        let bytes = frames;
        let is_gone = passes && !self.is_watched;
        let due = if id == GET_OK { self.take_due(channel, id) } else { None };
        let Some(due) = due else {
            if !is_gone {
                let read = Box::new((Part::Message, kept));
                out.push(Piece { to, bytes, of: Of::Message { call: None, read } });
            }
            return;
        };
        let tag = passing::delivery_tag(id, &kept.method);
        match due.fate {
            Fate::Unseen => {}
            Fate::Rest => out.push(rest(to, bytes)),
            Fate::Told => {
                self.replied(due.call, tag);
                let read = Box::new((Part::Reply, kept));
                out.push(Piece {
                    to,
                    bytes,
                    of: Of::Reply { call: due.call, whole: true, awaited: true, read },
                });
            }
        }
    }

    pub(super) fn forget_coming(&mut self, direction: Direction, coming: Option<Coming>) -> Option<Coming> {
        let coming = coming?;
        self.lanes[index(direction)].n_coming -= 1;
        let Content { method, header, body, .. } = &coming.kept;
        let n_kept = coming.frames.len() + method.len() + header.len() + body.len();
        self.n_coming = self.n_coming.saturating_sub(n_kept);
        Some(coming)
    }
}
