//! An AMQP connection in pieces: frames gathered to methods and messages, each on its channel.
//!
//! Calls are put together in `calls.rs`, messages in `coming.rs`; what is written is numbered in `passing.rs`; what is said
//! in the broker's place stands in `stand_in.rs`.

use super::channel::{Asked, Channel, Consumer, Written};
use super::frame::{self, Head};
use super::method::{CANCEL, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, has_content};
use super::reading::{Part, Told};
use super::stand_in::greeting;
use super::value::Reader;
use crate::conversation::{Direction, Limits, Surprise};
use crate::pending::Pending;
use crate::splitter::{Behind, Call, Of, Piece, Splitting};
use crate::watching::Resumed;
use std::collections::{BTreeMap, HashMap};

/// Cuts one connection.
pub(super) struct Cutter {
    pub(super) limits: Limits,
    pub(super) behind: Behind,
    /// Pieces are only looked at: their bytes have passed already.
    pub(super) is_watched: bool,
    pub(super) n_calls: Call,
    pub(super) lanes: [Lane; 2],
    pub(super) channels: HashMap<u16, Channel>,
    pub(super) written: HashMap<u16, Written>,
    /// Calls that may be answered.
    pub(super) asked: BTreeMap<Call, Asked>,
    pub(super) n_due: usize,
    /// The newest last.
    pub(super) consumers: Vec<Consumer>,
    /// Bytes that are kept of contents which are coming.
    pub(super) n_coming: usize,
    pub(super) most_frame: usize,
    /// The connection was closed in the broker's place.
    pub(super) is_closed: bool,
    /// What is to be said because of what was written.
    pub(super) follows: Vec<Piece>,
    /// Numbers the names that a broker makes up.
    pub(super) n_names: u64,
}

/// One direction.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) pending: Pending,
    has_begun: bool,
    /// So many contents are coming.
    pub(super) n_coming: usize,
}

pub(super) fn index(direction: Direction) -> usize {
    usize::from(direction == Direction::ToConsumer)
}

/// What frames hold by custom.
pub(super) const FRAME_MAX: usize = 128 * 1024;

impl Cutter {
    /// One that only looks, from the beginning of a connection.
    pub(super) fn watching(limits: Limits) -> Self {
        Self::new(Splitting { limits, behind: Behind::Provider }, true)
    }

    fn new(splitting: Splitting, is_watched: bool) -> Self {
        Self {
            limits: splitting.limits,
            behind: splitting.behind,
            is_watched,
            n_calls: 0,
            lanes: [Lane::default(), Lane::default()],
            channels: HashMap::new(),
            written: HashMap::new(),
            asked: BTreeMap::new(),
            n_due: 0,
            consumers: Vec::new(),
            n_coming: 0,
            most_frame: FRAME_MAX,
            is_closed: false,
            follows: Vec::new(),
            n_names: 0,
        }
    }

    pub(super) fn take(&mut self, to: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.lanes[index(to)].pending.push(bytes);
        loop {
            let lane = &mut self.lanes[index(to)];
            let unseen = lane.pending.unseen();
            if !lane.has_begun || unseen.first() == Some(&b'A') {
                // A server that doesn't speak this version says which one it does.
                if unseen.first() != Some(&b'A') && to == Direction::ToConsumer && !unseen.is_empty() {
                    lane.has_begun = true;
                    continue;
                }
                let Some(header) = unseen.first_chunk::<8>() else {
                    let so_far = unseen.len();
                    return if frame::PROTOCOL[..so_far] == *unseen { Ok(()) } else { Err(no_amqp()) };
                };
                if header != frame::PROTOCOL || lane.has_begun {
                    return Err(no_amqp());
                }
                lane.has_begun = true;
                lane.pending.see(8);
                let bytes = lane.pending.take();
                out.push(Piece { to, bytes, of: Of::Rest });
                if self.behind == Behind::Nobody && to == Direction::ToProvider {
                    out.push(rest(Direction::ToConsumer, greeting()));
                }
                continue;
            }
            let Some(head) = Head::read(unseen) else { return Ok(()) };
            if head.length > self.limits.kept_open.max(self.limits.head) {
                return Err(Surprise::new(format!("a frame of {} bytes", head.length)));
            }
            if unseen.len() < head.whole() {
                return Ok(());
            }
            frame::payload(&unseen[..head.whole()])?;
            lane.pending.see(head.whole());
            self.frame(to, head, out)?;
        }
    }

    /// A frame is whole: it is what the lane has seen.
    fn frame(&mut self, to: Direction, head: Head, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        if self.is_closed {
            drop(self.lanes[index(to)].pending.take());
            return Ok(());
        }
        if to == Direction::ToProvider
            && let Some(known) = self.channels.get_mut(&head.channel)
            && known.provider_owes
            && !known.consumer_owes
        {
            if known.held_back.len() + head.whole() > self.limits.kept_open {
                return Err(Surprise::new("too much on a channel that is being closed"));
            }
            known.held_back.extend_from_slice(&self.lanes[index(to)].pending.take());
            return Ok(());
        }
        match head.kind {
            frame::METHOD => {
                let seen = self.lanes[index(to)].pending.seen();
                let Some(id) = frame::method_id(&seen[frame::HEAD..]).filter(|_| head.length >= 4) else {
                    return Err(Surprise::new("a method without a number"));
                };
                self.method(to, head.channel, id, out)
            }
            frame::HEADER | frame::BODY => self.content(to, head, out),
            frame::HEARTBEAT => {
                let bytes = self.lanes[index(to)].pending.take();
                out.push(Piece { to, bytes, of: Of::Rest });
                if self.behind == Behind::Nobody && to == Direction::ToProvider {
                    // Nobody here has a clock, so that a consumer who insists on heartbeats hears its own.
                    out.push(rest(Direction::ToConsumer, frame::BEAT.to_vec()));
                }
                Ok(())
            }
            other => Err(Surprise::new(format!("a frame of kind {other}"))),
        }
    }

    /// Is what comes on this channel not meant for the other side any more, because it was closed in the broker's place?
    pub(super) fn is_void(&self, to: Direction, channel: u16) -> bool {
        self.channels.get(&channel).is_some_and(|channel| match to {
            Direction::ToProvider => channel.consumer_owes,
            Direction::ToConsumer => channel.provider_owes,
        })
    }

    fn void(&mut self, to: Direction, channel: u16, id: u32, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        drop(self.lanes[index(to)].pending.take());
        match id {
            // Both sides close at once: each wants to hear that the other knows.
            CHANNEL_CLOSE => {
                let known = frame::method(channel, CHANNEL_CLOSE_OK, &[]);
                out.push(rest(to.opposite(), known));
            }
            CHANNEL_CLOSE_OK => {
                let Some(known) = self.channels.get_mut(&channel) else { return Ok(()) };
                match to {
                    Direction::ToProvider => known.consumer_owes = false,
                    Direction::ToConsumer => {
                        known.provider_owes = false;
                        let held_back = std::mem::take(&mut known.held_back);
                        return self.say_held_back(&held_back, out);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The broker has closed a channel: what the consumer has said on it since, as a new one, can be heard.
    fn say_held_back(&mut self, frames: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let lane = &mut self.lanes[index(Direction::ToProvider)];
        // What came behind it waits in its place.
        let behind = lane.pending.take_all();
        lane.pending.push(frames);
        lane.pending.push(&behind);
        self.take(Direction::ToProvider, &[], out)
    }

    fn method(&mut self, to: Direction, channel: u16, id: u32, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        if self.is_void(to, channel) {
            return self.void(to, channel, id, out);
        }
        let coming = self.channels.get(&channel).and_then(|known| known.coming[index(to)].as_ref());
        if coming.is_some_and(|coming| !coming.passes) {
            return Err(Surprise::new("a method in the middle of a message"));
        }
        if has_content(id) {
            return self.begin_content(to, channel, id, out);
        }
        if to == Direction::ToProvider && self.is_one_too_many(id) {
            return Err(Surprise::new("too many methods without a reply"));
        }
        let frame = self.lanes[index(to)].pending.take();
        let payload = frame[frame::HEAD..frame.len() - 1].to_vec();
        match (to, id) {
            _ if channel == 0 => self.on_connection(to, id, frame, out),
            (Direction::ToProvider, _) => self.consumer_says(channel, id, frame, out),
            (Direction::ToConsumer, CHANNEL_CLOSE) => self.broker_closes(channel, frame, &payload, out),
            (Direction::ToConsumer, CANCEL) => {
                let tag = Reader(&payload[4..]).short_text().unwrap_or_default();
                self.consumers.retain(|one| one.channel != channel || one.tag != tag);
                self.tell_message(to, &payload, out);
                self.push_out(to, frame, Of::Rest, out);
            }
            (Direction::ToConsumer, _) => self.broker_says(channel, id, frame, out),
        }
        Ok(())
    }

    /// Pushes a piece out whose bytes are passed on; where it is only looked at they are written already.
    pub(super) fn push_out(&mut self, to: Direction, bytes: Vec<u8>, of: Of, out: &mut Vec<Piece>) {
        let bytes = if self.is_watched { self.passing_seen(to, bytes) } else { bytes };
        out.push(Piece { to, bytes, of });
    }

    /// What a method says by itself, apart from its bytes, which nothing may keep back.
    pub(super) fn tell_message(&mut self, to: Direction, payload: &[u8], out: &mut Vec<Piece>) {
        let read = Box::new(Told::new(Part::Message, payload, self.limits.kept_body));
        out.push(Piece { to, bytes: Vec::new(), of: Of::Message { call: None, read } });
    }

    pub(super) fn take_kept(&mut self, to: Direction) -> Vec<u8> {
        let mut channels: Vec<&u16> = self.channels.keys().collect();
        channels.sort_unstable();
        let channels: Vec<u16> = channels.into_iter().copied().collect();
        let (mut kept, mut held_back) = (Vec::new(), Vec::new());
        for channel in channels {
            let coming = self.channels.get_mut(&channel).and_then(|known| known.coming[index(to)].take());
            if let Some(coming) = self.forget_coming(to, coming) {
                kept.extend_from_slice(&coming.frames);
            }
            if to == Direction::ToProvider
                && let Some(known) = self.channels.get_mut(&channel)
            {
                held_back.append(&mut known.held_back);
            }
        }
        let mut rest = self.passing(to, kept);
        rest.append(&mut held_back);
        rest.append(&mut self.lanes[index(to)].pending.take_all());
        rest
    }
}

/// A piece that no rule is about.
pub(super) fn rest(to: Direction, bytes: Vec<u8>) -> Piece {
    Piece { to, bytes, of: Of::Rest }
}

fn no_amqp() -> Surprise {
    Surprise::new("not AMQP 0-9-1")
}

impl Resumed for Cutter {
    fn resume(&self, splitting: Splitting) -> Self {
        let mut cutter = Self::new(splitting, false);
        for (number, channel) in &self.channels {
            cutter.n_due += channel.due.len();
            cutter.channels.insert(*number, channel.resume());
        }
        cutter.n_calls = self.n_calls;
        cutter.written.clone_from(&self.written);
        cutter.consumers.clone_from(&self.consumers);
        cutter.most_frame = self.most_frame;
        for (lane, other) in cutter.lanes.iter_mut().zip(&self.lanes) {
            lane.has_begun = other.has_begun;
        }
        cutter
    }

    fn n_to_divide(&self, direction: Direction) -> Option<usize> {
        let lane = &self.lanes[index(direction)];
        let unseen = lane.pending.unseen();
        let n_frame = Head::read(unseen).map_or(frame::HEAD, Head::whole);
        let is_frame = lane.has_begun && self.is_within(direction);
        is_frame.then(|| n_frame.saturating_sub(unseen.len()).max(1))
    }

    fn is_within(&self, direction: Direction) -> bool {
        let lane = &self.lanes[index(direction)];
        lane.n_coming > 0 || !lane.pending.unseen().is_empty()
    }
}
