//! Methods without content: calls with their replies, and what opens and closes channels and the connection.

use super::channel::{Asked, Channel, Consumer, Due, Fate};
use super::frame;
use super::method::{
    CANCEL, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN, CLOSE, CONFIRM_SELECT, CONSUME, CONSUME_OK, GET,
    QUEUE_DECLARE, TUNE_OK, method,
};
use super::reading::{Part, Told};
use super::splitter::{Cutter, FRAME_MAX, index, rest};
use super::stand_in::on_connection_alone;
use super::value::{Reader, bytes_of};
use crate::conversation::Direction;
use crate::splitter::{Behind, Call, Of, Piece};
use seam_event::InteractionError;
use seam_value::{Map, Value};

/// Calls whose reply has come, and so many of which are remembered.
const MOST_PAST: usize = 16 * 1024;

impl Cutter {
    pub(super) fn on_connection(&mut self, to: Direction, id: u32, frame: Vec<u8>, out: &mut Vec<Piece>) {
        let payload = &frame[frame::HEAD..frame.len() - 1];
        if id == TUNE_OK
            && let Some(most) = Reader(payload.get(6..).unwrap_or_default()).long()
        {
            self.most_frame = usize::try_from(most).ok().filter(|most| *most > 0).unwrap_or(FRAME_MAX);
        }
        if (to, id) == (Direction::ToConsumer, CLOSE) {
            let payload = payload.to_vec();
            let mut channels: Vec<u16> = self.channels.keys().copied().collect();
            channels.sort_unstable();
            let asker = channels.iter().copied().find(|channel| self.fits(*channel, &payload).is_some());
            if asker.is_none() {
                self.tell_message(to, &payload, out);
            }
            for channel in channels {
                self.break_calls(channel, asker, &payload, out);
            }
        }
        let replies = (self.behind == Behind::Nobody).then(|| on_connection_alone(id)).flatten();
        self.push_out(to, frame, Of::Rest, out);
        if let Some(reply) = replies {
            out.push(rest(Direction::ToConsumer, reply));
        }
    }

    /// Which of a channel's calls the broker means when it closes.
    fn fits(&self, channel: u16, payload: &[u8]) -> Option<usize> {
        let mut reader = Reader(payload.get(4..)?);
        reader.short()?;
        reader.short_text()?;
        let id = reader.long()?;
        let due = &self.channels.get(&channel)?.due;
        due.iter().position(|due| due.method.id == id && due.fate == Fate::Told)
    }

    /// Nothing more comes for the calls of a channel: one of them has failed, and the others are over with it.
    fn break_calls(&mut self, channel: u16, asker: Option<u16>, payload: &[u8], out: &mut Vec<Piece>) {
        let to = Direction::ToConsumer;
        let meant = self.fits(channel, payload).filter(|_| asker == Some(channel));
        let Some(known) = self.channels.get_mut(&channel) else { return };
        let over = std::mem::take(&mut known.due);
        self.n_due = self.n_due.saturating_sub(over.len());
        for (index, due) in over.into_iter().enumerate() {
            let call = due.call;
            let of = match due.fate {
                Fate::Told if meant == Some(index) => {
                    let read = Box::new(Told::new(Part::Reply, payload, self.limits.kept_body));
                    self.replied(call, None);
                    Of::Reply { call, whole: true, awaited: true, read }
                }
                Fate::Told => Of::Broken { call, error: InteractionError::Closed },
                Fate::Rest | Fate::Unseen => continue,
            };
            out.push(Piece { to, bytes: Vec::new(), of });
        }
    }

    pub(super) fn broker_closes(
        &mut self,
        channel: u16,
        frame: Vec<u8>,
        payload: &[u8],
        out: &mut Vec<Piece>,
    ) {
        let to = Direction::ToConsumer;
        let asker = self.fits(channel, payload);
        if asker.is_none() {
            self.tell_message(to, payload, out);
        }
        self.break_calls(channel, asker.map(|_| channel), payload, out);
        self.forget_channel(channel);
        self.push_out(to, frame, Of::Rest, out);
    }

    /// Nothing is known of a channel that was closed.
    pub(super) fn forget_channel(&mut self, channel: u16) {
        if let Some(mut known) = self.channels.remove(&channel) {
            self.n_due = self.n_due.saturating_sub(known.due.len());
            for direction in [Direction::ToProvider, Direction::ToConsumer] {
                let coming = known.coming[index(direction)].take();
                self.forget_coming(direction, coming);
            }
        }
        self.consumers.retain(|one| one.channel != channel);
    }

    /// A method of the consumer, without content.
    pub(super) fn consumer_says(&mut self, channel: u16, id: u32, frame: Vec<u8>, out: &mut Vec<Piece>) {
        let to = Direction::ToProvider;
        match id {
            CHANNEL_OPEN => {
                let provider_owes = self.channels.get(&channel).is_some_and(|known| known.provider_owes);
                self.forget_channel(channel);
                let opened = Channel { is_announced: true, provider_owes, ..Channel::default() };
                self.channels.insert(channel, opened);
            }
            CHANNEL_CLOSE => self.break_calls(channel, None, &[], out),
            CHANNEL_CLOSE_OK => self.forget_channel(channel),
            _ => {}
        }
        let Some(method) = method(id).filter(|method| !method.replies.is_empty()) else {
            let reply =
                (self.behind == Behind::Nobody).then(|| self.alone(channel, id, &Map::default())).flatten();
            self.push_out(to, frame, Of::Rest, out);
            out.extend(reply.map(|reply| rest(Direction::ToConsumer, reply)));
            return;
        };
        let payload = &frame[frame::HEAD..frame.len() - 1];
        let mut arguments = Map::default();
        Reader(&payload[4..]).arguments(method.arguments, &mut arguments);
        let waits = arguments.get("nowait") != Some(&Value::Bool(true));
        self.note_request(channel, id, waits, &arguments);
        if self.behind == Behind::Nobody && id != GET {
            let reply = self.alone(channel, id, &arguments);
            self.push_out(to, frame, Of::Rest, out);
            out.extend(reply.filter(|_| waits).map(|reply| rest(Direction::ToConsumer, reply)));
            return;
        }
        self.n_calls += 1;
        let call = self.n_calls;
        let read = Box::new(Told::new(Part::Request, payload, self.limits.kept_body));
        let is_unacknowledged = id == GET && arguments.get("no_ack") == Some(&Value::Bool(true));
        if !matches!(id, QUEUE_DECLARE | CONSUME | CANCEL) {
            arguments.clear();
        }
        if !self.is_watched {
            let asked = Asked { channel, method, arguments, delivery: None, is_replied: !waits };
            self.asked.insert(call, asked);
        }
        self.push_out(to, frame, Of::Request { call, whole: true, awaited: waits, read }, out);
        if waits {
            self.n_due += 1;
            let due = Due { call, method, fate: Fate::Told, is_unacknowledged };
            self.channels.entry(channel).or_default().due.push_back(due);
        } else {
            self.replied(call, None);
            let read = Box::new(Told::new(Part::Reply, &[], 0));
            let of = Of::Reply { call, whole: true, awaited: false, read };
            out.push(Piece { to: Direction::ToConsumer, bytes: Vec::new(), of });
        }
    }

    /// Would this method of the consumer's be one more that waits for its reply than may be?
    pub(super) fn is_one_too_many(&self, id: u32) -> bool {
        let has_reply = method(id).is_some_and(|method| !method.replies.is_empty());
        has_reply && self.n_due >= self.limits.n_open
    }

    /// What a request changes on its channel.
    fn note_request(&mut self, channel: u16, id: u32, waits: bool, arguments: &Map) {
        match id {
            CONFIRM_SELECT => self.channels.entry(channel).or_default().is_counted = true,
            CONSUME => {
                let named = |name: &str| arguments.get(name).map(bytes_of).unwrap_or_default();
                let is_unacknowledged = arguments.get("no_ack") == Some(&Value::Bool(true));
                let consumer = Consumer {
                    channel,
                    tag: named("consumer_tag"),
                    queue: named("queue"),
                    is_unacknowledged,
                };
                // One without a name gets it with the reply.
                if !waits || !consumer.tag.is_empty() || self.behind == Behind::Provider {
                    self.consumers.push(consumer);
                }
                if self.consumers.len() > self.limits.n_open {
                    self.consumers.remove(0);
                }
            }
            CANCEL => {
                let tag = arguments.get("consumer_tag").map(bytes_of).unwrap_or_default();
                self.consumers.retain(|one| one.channel != channel || one.tag != tag);
            }
            _ => {}
        }
    }

    /// A method of the broker, without content.
    pub(super) fn broker_says(&mut self, channel: u16, id: u32, frame: Vec<u8>, out: &mut Vec<Piece>) {
        let to = Direction::ToConsumer;
        let payload = &frame[frame::HEAD..frame.len() - 1];
        if id == CHANNEL_CLOSE_OK {
            self.forget_channel(channel);
        }
        if id == CONSUME_OK {
            let tag = Reader(&payload[4..]).short_text().unwrap_or_default();
            self.name_consumer(channel, tag);
        }
        let Some(due) = self.take_due(channel, id) else {
            self.push_out(to, frame, Of::Rest, out);
            return;
        };
        match due.fate {
            Fate::Unseen => {}
            Fate::Rest => self.push_out(to, frame, Of::Rest, out),
            Fate::Told => {
                self.replied(due.call, None);
                let read = Box::new(Told::new(Part::Reply, payload, self.limits.kept_body));
                let of = Of::Reply { call: due.call, whole: true, awaited: true, read };
                self.push_out(to, frame, of, out);
            }
        }
    }

    /// The broker has named a consumer that asked for a name.
    pub(super) fn name_consumer(&mut self, channel: u16, tag: &[u8]) {
        let known = |one: &&mut Consumer| one.channel == channel && (one.tag.is_empty() || one.tag == tag);
        match self.consumers.iter_mut().find(known) {
            Some(consumer) => tag.clone_into(&mut consumer.tag),
            None => self.consumers.push(Consumer {
                channel,
                tag: tag.to_vec(),
                queue: Vec::new(),
                is_unacknowledged: false,
            }),
        }
    }

    pub(super) fn take_due(&mut self, channel: u16, id: u32) -> Option<Due> {
        let due = &mut self.channels.get_mut(&channel)?.due;
        let index = due.iter().position(|due| due.method.replies.contains(&id))?;
        self.n_due -= 1;
        due.remove(index)
    }

    /// The call is not passed on.
    pub(super) fn take_out(&mut self, call: Call) -> Option<Due> {
        let channel = self.asked.get(&call)?.channel;
        let due = &mut self.channels.get_mut(&channel)?.due;
        let index = due.iter().position(|due| due.call == call && due.fate == Fate::Told)?;
        self.n_due -= 1;
        due.remove(index)
    }

    /// The same request is sent again: its reply comes behind that of the call, and nobody sees it.
    pub(super) fn repeat(&mut self, call: Call) -> Option<()> {
        let asked = self.asked.get(&call)?;
        let due = &mut self.channels.get_mut(&asked.channel)?.due;
        let index = due.iter().position(|due| due.call == call)?;
        let is_unacknowledged = due[index].is_unacknowledged;
        let unseen = Due { call, method: asked.method, fate: Fate::Unseen, is_unacknowledged };
        due.insert(index + 1, unseen);
        self.n_due += 1;
        Some(())
    }

    pub(super) fn replied(&mut self, call: Call, delivery: Option<u64>) {
        if let Some(asked) = self.asked.get_mut(&call) {
            asked.is_replied = true;
            asked.delivery = delivery;
        }
        while self.asked.len() > MOST_PAST + self.n_due {
            self.asked.pop_first();
        }
    }
}
