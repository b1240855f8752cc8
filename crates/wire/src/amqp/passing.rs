//! What is written, numbered as its receiver counts: deliveries for the consumer, published messages for the broker, and
//! what settles them back again.
//!
//! A content that a rule lost was never written, so it has no number at its receiver. One that is doubled carries a mark
//! of ours: it is settled here, and nobody else hears of it.

use super::channel::Written;
use super::frame::{self, Head};
use super::ledger::Settled;
use super::method::{
    ACK, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CHANNEL_OPEN, CHANNEL_OPEN_OK, CONFIRM_SELECT, DELIVER, GET_OK,
    NACK, PUBLISH, RECOVER, RECOVER_ASYNC, REJECT, TX_COMMIT, TX_ROLLBACK, TX_SELECT,
};
use super::splitter::{Cutter, index, rest};
use super::value::Reader;
use crate::conversation::Direction;
use crate::splitter::Behind;

/// On a delivery's tag: nobody but us has sent it.
pub(super) const OURS: u64 = 1 << 63;

/// On the flags of a published message: nobody but us has sent it; it carries its publisher's number.
const PUBLISHED_BY_US: u8 = 0x80;
const NUMBERED: u8 = 0x40;

/// On the flags of what settles: it is in the numbers of who sent it already.
pub(super) const SETTLED_BY_US: u8 = 0x80;

/// What becomes of a frame.
enum Act {
    Pass,
    Drop,
    Replace(Vec<u8>),
}

/// Where a delivery's tag stands in its payload.
fn tag_at(id: u32, payload: &[u8]) -> Option<usize> {
    match id {
        GET_OK => Some(4),
        DELIVER => payload.get(4).map(|length| 5 + usize::from(*length)),
        _ => None,
    }
}

/// The tag of a delivery.
pub(super) fn delivery_tag(id: u32, payload: &[u8]) -> Option<u64> {
    let at = tag_at(id, payload)?;
    payload.get(at..)?.first_chunk().map(|tag| u64::from_be_bytes(*tag))
}

fn tag_mut(id: u32, payload: &mut [u8]) -> Option<&mut [u8; 8]> {
    let at = tag_at(id, payload)?;
    payload.get_mut(at..)?.first_chunk_mut()
}

/// The reserved field and the flags of a published message.
fn marks(payload: &mut [u8]) -> Option<(&mut [u8; 2], &mut u8)> {
    let exchange = usize::from(*payload.get(6)?);
    let key = usize::from(*payload.get(7 + exchange)?);
    let (before, behind) = payload.split_at_mut_checked(8 + exchange + key)?;
    Some((before.get_mut(4..)?.first_chunk_mut()?, behind.first_mut()?))
}

/// Gives a published message its publisher's number, which goes no further than here.
pub(super) fn mark(payload: &mut [u8], number: u64) {
    if let Some((reserved, flags)) = marks(payload) {
        let [.., high, low] = number.to_be_bytes();
        *reserved = [high, low];
        *flags |= NUMBERED;
    }
}

/// The number of which a message carries the end; it is at most the newest.
fn whole_number(end: [u8; 2], newest: u64) -> u64 {
    let near = (newest & !0xFFFF) | u64::from(u16::from_be_bytes(end));
    if near > newest { near.saturating_sub(0x1_0000) } else { near }
}

/// The number that a publisher has given to a message, where it counts.
pub(super) fn published_number(payload: &[u8], newest: u64) -> Option<u64> {
    let mut copy = payload.to_vec();
    let (reserved, flags) = marks(&mut copy)?;
    (*flags & NUMBERED != 0).then(|| whole_number(*reserved, newest))
}

/// The bytes of a message that is to be sent a second time.
pub(super) fn doubled(message: &[u8]) -> Option<Vec<u8>> {
    let mut doubled = message.to_vec();
    let (head, _) = frame::first(message)?;
    let payload = doubled.get_mut(frame::HEAD..head.whole() - 1)?;
    let id = frame::method_id(payload)?;
    match id {
        PUBLISH => *marks(payload)?.1 |= PUBLISHED_BY_US,
        DELIVER => {
            let tag = tag_mut(id, payload)?;
            tag[0] |= 0x80;
            // As a broker says when it delivers again.
            let at = tag_at(id, payload)? + 8;
            *payload.get_mut(at)? |= 1;
        }
        _ => return None,
    }
    Some(doubled)
}

impl Cutter {
    /// Bytes are about to be written: gives those to write.
    pub(super) fn passing(&mut self, to: Direction, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut changed: Option<Vec<u8>> = None;
        let mut at = 0;
        while let Some(head) = Head::read(&bytes[at..]).filter(|head| bytes.len() - at >= head.whole()) {
            let end = at + head.whole();
            let act = self.written_frame(to, head, &mut bytes[at..end]);
            if !matches!(act, Act::Pass) {
                changed.get_or_insert_with(|| bytes[..at].to_vec());
            }
            if let Some(changed) = &mut changed {
                match act {
                    Act::Pass => changed.extend_from_slice(&bytes[at..end]),
                    Act::Drop => {}
                    Act::Replace(instead) => changed.extend_from_slice(&instead),
                }
            }
            at = end;
        }
        match changed {
            None => bytes,
            Some(mut changed) => {
                changed.extend_from_slice(&bytes[at..]);
                changed
            }
        }
    }

    /// Bytes have passed while they were only looked at: they stay as they are.
    pub(super) fn passing_seen(&mut self, to: Direction, mut bytes: Vec<u8>) -> Vec<u8> {
        if let Some(head) = Head::read(&bytes)
            && head.kind == frame::METHOD
            && head.channel != 0
        {
            self.written_frame(to, head, &mut bytes);
        }
        bytes
    }

    fn written_frame(&mut self, to: Direction, head: Head, frame: &mut [u8]) -> Act {
        let is_nobodys = self.behind == Behind::Nobody && to == Direction::ToProvider;
        if head.channel == 0 || head.kind == frame::HEARTBEAT {
            return Act::Pass;
        }
        let method_id =
            frame.get(frame::HEAD..).and_then(frame::method_id).filter(|_| head.kind == frame::METHOD);
        let is_announced = self.channels.get(&head.channel).is_some_and(|known| known.is_announced);
        if !is_announced && !matches!(method_id, Some(id) if is_about_channels(id)) {
            // What is said on a channel that nobody has opened is for the other side to refuse.
            return if is_nobodys { Act::Drop } else { Act::Pass };
        }
        let n_bytes = frame.len();
        let payload = &mut frame[frame::HEAD..n_bytes - 1];
        let act = match method_id {
            Some(id) => {
                let written = self.written.entry(head.channel).or_default();
                let act = match to {
                    Direction::ToProvider => self.for_provider(head.channel, id, payload),
                    Direction::ToConsumer if opens_or_closes(id, written) => Act::Pass,
                    Direction::ToConsumer if !written.is_open_here => Act::Drop,
                    Direction::ToConsumer => self.for_consumer(head.channel, id, payload),
                };
                if let Some(written) = self.written.get_mut(&head.channel) {
                    written.is_dropping[index(to)] = matches!(act, Act::Drop);
                }
                act
            }
            None => match self.written.get(&head.channel) {
                Some(written) if written.is_dropping[index(to)] => Act::Drop,
                _ => Act::Pass,
            },
        };
        match act {
            // Nobody is there to whom it could go.
            Act::Pass if is_nobodys => Act::Drop,
            act => act,
        }
    }

    fn for_provider(&mut self, channel: u16, id: u32, payload: &mut [u8]) -> Act {
        let Some(written) = self.written.get_mut(&channel) else { return Act::Pass };
        match id {
            CHANNEL_OPEN => {
                *written = Written { is_open_there: true, ..Written::default() };
                return Act::Pass;
            }
            CHANNEL_CLOSE_OK => {
                written.is_open_there = false;
                return Act::Pass;
            }
            _ if !written.is_open_there => return Act::Drop,
            CHANNEL_CLOSE => written.is_open_there = false,
            CONFIRM_SELECT => written.is_counted = true,
            TX_SELECT => written.delivered.begin_transactions(),
            TX_COMMIT => written.delivered.end_transaction(true),
            TX_ROLLBACK => written.delivered.end_transaction(false),
            RECOVER | RECOVER_ASYNC => written.delivered.forget(),
            PUBLISH => self.published(channel, payload),
            ACK | NACK | REJECT => {
                let n_sent = self.channels.get(&channel).map_or(0, |known| known.n_delivered);
                return settle(channel, id, payload, |number, multiple| {
                    written.delivered.settle(number, multiple, n_sent)
                });
            }
            _ => {}
        }
        Act::Pass
    }

    /// A message goes to the broker, without the marks that it had here.
    fn published(&mut self, channel: u16, payload: &mut [u8]) {
        let known = self.channels.get(&channel);
        let (n_published, ticket) = known.map_or((0, 0), |known| (known.n_published, known.ticket));
        let Some(written) = self.written.get_mut(&channel) else { return };
        let mut number = Some(n_published);
        if let Some((reserved, flags)) = marks(payload) {
            if *flags & NUMBERED != 0 {
                number = Some(whole_number(*reserved, n_published));
                *reserved = ticket.to_be_bytes();
            }
            number = number.filter(|_| *flags & PUBLISHED_BY_US == 0);
            *flags &= !(NUMBERED | PUBLISHED_BY_US);
        }
        if !written.is_counted {
            return;
        }
        match (self.behind, number) {
            (Behind::Provider, number) => {
                written.published.hand_on(number, true);
            }
            (Behind::Nobody, Some(number)) => {
                let arguments = [&number.to_be_bytes()[..], &[SETTLED_BY_US]].concat();
                let acknowledged = frame::method(channel, ACK, &arguments);
                self.follows.push(rest(Direction::ToConsumer, acknowledged));
            }
            (Behind::Nobody, None) => {}
        }
    }

    fn for_consumer(&mut self, channel: u16, id: u32, payload: &mut [u8]) -> Act {
        let Some(written) = self.written.get_mut(&channel) else { return Act::Pass };
        match id {
            ACK | NACK => {
                let n_sent = self.channels.get(&channel).map_or(0, |known| known.n_published);
                settle(channel, id, payload, |number, multiple| {
                    written.published.settle(number, multiple, n_sent)
                })
            }
            DELIVER | GET_OK => {
                let tag = Reader(&payload[4..]).short_text().unwrap_or_default();
                let is_of = |one: &&super::channel::Consumer| one.channel == channel && one.tag == tag;
                let consumer = self.consumers.iter().rev().find(is_of).filter(|_| id == DELIVER);
                let mut is_to_be_settled = !consumer.is_some_and(|one| one.is_unacknowledged);
                let Some(bytes) = tag_mut(id, payload) else { return Act::Pass };
                let sent = u64::from_be_bytes(*bytes);
                if let Some(known) = self.channels.get_mut(&channel) {
                    is_to_be_settled &= !known.unacknowledged.remove(&sent);
                }
                let sent = Some(sent).filter(|sent| sent & OURS == 0);
                *bytes = written.delivered.hand_on(sent, is_to_be_settled).to_be_bytes();
                Act::Pass
            }
            _ => Act::Pass,
        }
    }
}

fn is_about_channels(id: u32) -> bool {
    matches!(id, CHANNEL_OPEN | CHANNEL_OPEN_OK | CHANNEL_CLOSE | CHANNEL_CLOSE_OK)
}

/// Does this method open the channel for the consumer, or close it? A second end of it goes nowhere.
fn opens_or_closes(id: u32, written: &mut Written) -> bool {
    match id {
        CHANNEL_OPEN_OK => written.is_open_here = true,
        CHANNEL_CLOSE | CHANNEL_CLOSE_OK => written.is_open_here = false,
        _ => return false,
    }
    true
}

/// What settles contents, in the numbers of who sent them.
fn settle(channel: u16, id: u32, payload: &mut [u8], settle: impl FnOnce(u64, bool) -> Vec<Settled>) -> Act {
    let mut reader = Reader(payload.get(4..).unwrap_or_default());
    let (Some(number), Some(flags)) = (reader.long_long(), reader.octet()) else { return Act::Pass };
    if flags & SETTLED_BY_US != 0 {
        payload[12] &= !SETTLED_BY_US;
        return Act::Pass;
    }
    // Of a rejection the first flag is another one.
    let multiple = id != REJECT && flags & 1 != 0;
    let settled = settle(number, multiple);
    match settled.as_slice() {
        [] => Act::Drop,
        [one] if *one == (Settled { number, multiple }) => Act::Pass,
        _ => {
            let mut instead = Vec::new();
            for Settled { number, multiple: several } in settled {
                let flags = if multiple && !several { flags & !1 } else { flags };
                let arguments = [&number.to_be_bytes()[..], &[flags]].concat();
                frame::put_method(channel, id, &arguments, &mut instead);
            }
            Act::Replace(instead)
        }
    }
}
