//! A Kafka connection in pieces: requests, and their replies in the same order.

use super::addresses;
use super::apart::Struck;
use super::api::{
    self, API_VERSIONS, FETCH, JOIN_GROUP, PRODUCE, SASL_AUTHENTICATE, SASL_HANDSHAKE, SYNC_GROUP,
};
use super::bytes::Reader;
use super::calls::{Head, committed, each_partition, each_record};
use super::reading::{Kept, Told};
use super::sasl::Tokens;
use super::sessions::{Session, Wanted};
use crate::conversation::{Direction, Limits, Surprise};
use crate::pending::Pending;
use crate::splitter::{Behind, Call, Of, Piece, Splitting, Ways};
use crate::watching::Resumed;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Cuts one connection.
pub(super) struct Cutter {
    pub(super) limits: Limits,
    pub(super) behind: Behind,
    is_watched: bool,
    /// Are there rules that may change something?
    pub(super) is_ruled: bool,
    /// Where clients come to who are told of brokers.
    pub(super) ways: Option<Arc<dyn Ways>>,
    /// What is fetched without being asked for each time.
    session: Session,
    /// Signing in by tokens alone, once a handshake has said so that wants that.
    handshake: Option<Tokens>,
    tokens: Option<Tokens>,
    n_calls: Call,
    lanes: [Lane; 2],
    /// Requests without their reply, the oldest first.
    pub(super) due: VecDeque<Due>,
    pub(super) asked: BTreeMap<Call, Asked>,
    /// Replies that the consumer waits for, by their number, in the order in which it wants them.
    owed: VecDeque<i32>,
    /// Replies whose turn has not come.
    early: HashMap<i32, Vec<u8>>,
    /// So much of the reply that is being written is missing.
    n_missing: usize,
}

/// One direction.
#[derive(Default)]
struct Lane {
    pending: Pending,
    /// What is missing of a frame that has begun to pass, and what it belongs to.
    passing: Option<(usize, Belongs)>,
}

#[derive(Clone, Copy, Debug)]
enum Belongs {
    Call(Call),
    Rest,
    Unseen,
}

/// A request without its reply.
pub(super) struct Due {
    pub(super) call: Call,
    pub(super) head: Head,
    pub(super) fate: Fate,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Told,
    Rest,
    Unseen,
}

/// A request that may be answered.
pub(super) struct Asked {
    pub(super) head: Head,
    /// Topic, partition and offset, where it is about some.
    pub(super) partitions: Arc<[Wanted]>,
    /// How many replicas have to have what it produces: none where it wants no reply.
    pub(super) acks: Option<i16>,
    /// What is answered here, to be told with the broker's reply.
    pub(super) struck: Vec<Struck>,
}

/// Requests whose reply has come, and so many of which are remembered.
const MOST_PAST: usize = 1024;

/// No request or reply is so long.
const MOST_LONG: usize = 1 << 30;

fn index(direction: Direction) -> usize {
    usize::from(direction == Direction::ToConsumer)
}

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
            is_ruled: true,
            ways: None,
            session: Session::default(),
            handshake: None,
            tokens: None,
            n_calls: 0,
            lanes: [Lane::default(), Lane::default()],
            due: VecDeque::new(),
            asked: BTreeMap::new(),
            owed: VecDeque::new(),
            early: HashMap::new(),
            n_missing: 0,
        }
    }

    pub(super) fn take(&mut self, to: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.lanes[index(to)].pending.push(bytes);
        loop {
            let lane = &mut self.lanes[index(to)];
            let unseen = lane.pending.unseen();
            if let Some((n_missing, belongs)) = lane.passing {
                if unseen.is_empty() {
                    return Ok(());
                }
                let n_now = n_missing.min(unseen.len());
                lane.pending.see(n_now);
                let bytes = lane.pending.take();
                let left = n_missing - n_now;
                lane.passing = (left > 0).then_some((left, belongs));
                match belongs {
                    Belongs::Call(call) => {
                        out.push(Piece { to, bytes, of: Of::More { call, whole: left == 0 } });
                    }
                    Belongs::Rest => out.push(Piece { to, bytes, of: Of::Rest }),
                    Belongs::Unseen => {}
                }
                continue;
            }
            let Some(length) = Reader::new(unseen, false).i32() else { return Ok(()) };
            let length = usize::try_from(length).ok().filter(|length| *length < MOST_LONG);
            let behind_length = length.map(|length| (length, &unseen[4..]));
            match self
                .tokens
                .zip(behind_length)
                .map(|(tokens, (length, bytes))| tokens.come(to, length, bytes))
            {
                Some(None) => return Ok(()),
                Some(Some(true)) => {
                    self.token(to, length.unwrap_or_default(), out);
                    continue;
                }
                // It is signed in.
                Some(Some(false)) => self.tokens = None,
                None => {}
            }
            let lane = &self.lanes[index(to)];
            let unseen = lane.pending.unseen();
            let length = length.filter(|length| *length >= 4);
            let Some(length) = length else { return Err(Surprise::new("a length that can't be")) };
            let (is_whole, n_here) = (unseen.len() >= length + 4, unseen.len().min(length + 4));
            if !is_whole && n_here <= self.most_gathered(to) {
                return Ok(());
            }
            let lane = &mut self.lanes[index(to)];
            lane.pending.see(n_here);
            let belongs = match to {
                Direction::ToProvider => {
                    let head = self.request_head()?;
                    self.request(head, is_whole, out)
                }
                Direction::ToConsumer => {
                    let due = self.take_due()?;
                    if !is_whole && self.is_struck(due.call) {
                        return Err(Surprise::new("a reply that is too long to be changed"));
                    }
                    self.reply(&due, is_whole, out)
                }
            };
            if !is_whole {
                self.lanes[index(to)].passing = Some((length + 4 - n_here, belongs));
            }
        }
    }

    /// A token of who signs in: it passes as it comes, and nothing of it is kept.
    fn token(&mut self, to: Direction, length: usize, out: &mut Vec<Piece>) {
        if let Some(tokens) = &mut self.tokens {
            tokens.pass(to);
        }
        if to == Direction::ToProvider && self.behind == Behind::Nobody {
            out.push(Piece { to: Direction::ToConsumer, bytes: vec![0; 4], of: Of::Rest });
        }
        let lane = &mut self.lanes[index(to)];
        let n_here = lane.pending.unseen().len().min(length + 4);
        lane.pending.see(n_here);
        out.push(Piece { to, bytes: lane.pending.take(), of: Of::Rest });
        let n_missing = length + 4 - n_here;
        lane.passing = (n_missing > 0).then_some((n_missing, Belongs::Rest));
    }

    /// So much of a frame is gathered before it passes as it comes. What may be changed must be whole, and without rules
    /// that is no record.
    fn most_gathered(&self, to: Direction) -> usize {
        let usual = self.limits.kept_body.max(self.limits.head);
        let all = usual.max(self.limits.kept_open);
        let behind_length = &self.lanes[index(to)].pending.unseen()[4..];
        match to {
            _ if self.is_watched => usual,
            Direction::ToProvider => match Head::read(behind_length).map(|head| head.api) {
                Some(PRODUCE) if self.is_ruled => all,
                Some(PRODUCE) => self.limits.head,
                _ => usual,
            },
            Direction::ToConsumer => {
                let correlation = Reader::new(behind_length, false).i32();
                match self.due.iter().find(|due| Some(due.head.correlation) == correlation) {
                    Some(due) if self.is_struck(due.call) => all,
                    Some(due) if due.head.api == FETCH && !self.is_ruled => self.limits.head,
                    Some(due) if due.head.api != PRODUCE => all,
                    _ => usual,
                }
            }
        }
    }

    /// Is some of a call answered here?
    fn is_struck(&self, call: Call) -> bool {
        self.asked.get(&call).is_some_and(|asked| !asked.struck.is_empty())
    }

    /// The head of the request that was looked at.
    fn request_head(&self) -> Result<Head, Surprise> {
        let seen = self.lanes[index(Direction::ToProvider)].pending.seen();
        let read =
            Head::read(&seen[4..]).filter(|head| (0..=api::LAST).contains(&head.api) && head.version >= 0);
        let head = read.ok_or_else(|| Surprise::new("no request of Kafka"))?;
        if self.due.len() >= self.limits.n_open {
            return Err(Surprise::new("too many requests without a reply"));
        }
        Ok(head)
    }

    fn request(&mut self, head: Head, is_whole: bool, out: &mut Vec<Piece>) -> Belongs {
        let to = Direction::ToProvider;
        let frame = self.lanes[index(to)].pending.take();
        let body = head.body(&frame[4..]).map(|(_, reader)| reader);
        let around = body
            .filter(|_| head.api == PRODUCE)
            .and_then(|reader| each_partition(head, (false, reader), &mut |_| {}));
        let acks = around.and_then(|around| around.acks);
        let has_reply = acks != Some(0);
        if has_reply && !self.is_watched {
            self.owed.push_back(head.correlation);
        }
        self.n_calls += 1;
        let call = self.n_calls;
        let said = if self.behind == Behind::Nobody && is_whole {
            body.and_then(|reader| self.alone(head, reader))
        } else {
            None
        };
        if head.api == SASL_HANDSHAKE {
            self.handshake = body.filter(|_| head.version == 0).map(Tokens::wanted);
        }
        if let Some(said) = said {
            if head.api == SASL_HANDSHAKE {
                self.shaken(&said);
            }
            out.push(Piece { to, bytes: frame, of: Of::Rest });
            out.push(Piece { to: Direction::ToConsumer, bytes: said, of: Of::Rest });
            return Belongs::Rest;
        }
        if matches!(head.api, API_VERSIONS | SASL_HANDSHAKE | SASL_AUTHENTICATE) {
            self.due.push_back(Due { call, head, fate: Fate::Rest });
            out.push(Piece { to, bytes: frame, of: Of::Rest });
            return Belongs::Rest;
        }
        let fetches = body.filter(|_| head.api == FETCH && is_whole);
        let wanted = fetches.and_then(|reader| self.session.follow(head, reader));
        if self.is_watched {
            self.tell_records(head, (false, body), out);
        } else {
            self.remember(call, (head, acks), body, wanted.clone());
        }
        // These wait at the broker until there is something, or for the others.
        let waits = matches!(head.api, FETCH | JOIN_GROUP | SYNC_GROUP);
        let kept = Kept::new(head, false, &frame[4..], (self.most_kept(is_whole), is_whole)).asks_for(wanted);
        let awaited = has_reply && !waits;
        let of = Of::Request { call, whole: is_whole, awaited, read: Box::new(kept) };
        out.push(Piece { to, bytes: frame, of });
        if has_reply {
            self.due.push_back(Due { call, head, fate: Fate::Told });
        } else {
            let read = Box::new(Kept::new(head, true, &[], (0, true)));
            let of = Of::Reply { call, whole: true, awaited: false, read };
            out.push(Piece { to: Direction::ToConsumer, bytes: Vec::new(), of });
        }
        Belongs::Call(call)
    }

    /// So much of a message is kept to be looked at: all that was gathered, where rules decide about its parts.
    fn most_kept(&self, is_whole: bool) -> usize {
        if is_whole && !self.is_watched { usize::MAX } else { self.limits.kept_body }
    }

    fn remember(
        &mut self,
        call: Call,
        (head, acks): (Head, Option<i16>),
        body: Option<Reader<'_>>,
        wanted: Option<Arc<[Wanted]>>,
    ) {
        let partitions = wanted.unwrap_or_else(|| {
            let mut partitions = Vec::new();
            if let Some(reader) = body {
                each_partition(head, (false, reader), &mut |partition| {
                    partitions.push((partition.topic.to_vec(), partition.number, partition.offset));
                });
                committed(head, reader, &mut |topic, number| partitions.push((topic.to_vec(), number, 0)));
            }
            partitions.into()
        });
        self.asked.insert(call, Asked { head, partitions, acks, struck: Vec::new() });
        while self.asked.len() > MOST_PAST + self.due.len() {
            self.asked.pop_first();
        }
    }

    /// The request to which the reply belongs that was looked at.
    fn take_due(&mut self) -> Result<Due, Surprise> {
        let seen = self.lanes[index(Direction::ToConsumer)].pending.seen();
        let correlation = Reader::new(&seen[4..], false).i32().unwrap_or_default();
        let place = self.due.iter().position(|due| due.head.correlation == correlation);
        let due = place.and_then(|place| self.due.remove(place));
        due.ok_or_else(|| Surprise::new("a reply that nobody asked for"))
    }

    /// Tokens follow a handshake that wants them and was agreed to; one that was refused wants nothing any more.
    fn shaken(&mut self, reply: &[u8]) {
        let handshake = self.handshake.take();
        if reply.get(8..10) == Some(&[0, 0]) {
            self.tokens = handshake;
        }
    }

    fn reply(&mut self, due: &Due, is_whole: bool, out: &mut Vec<Piece>) -> Belongs {
        let to = Direction::ToConsumer;
        let mut frame = self.lanes[index(to)].pending.take();
        if due.head.api == SASL_HANDSHAKE {
            self.shaken(&frame);
        }
        if is_whole && !self.is_watched {
            self.change(due.head, &mut frame);
            self.tell_struck(due, &mut frame);
        }
        match due.fate {
            Fate::Unseen => Belongs::Unseen,
            Fate::Rest => {
                out.push(Piece { to, bytes: frame, of: Of::Rest });
                Belongs::Rest
            }
            Fate::Told => {
                if self.is_watched {
                    let mut body = Reader::new(&frame[8..], due.head.is_compact());
                    let body = body.tags().map(|()| body);
                    self.tell_records(due.head, (true, body), out);
                }
                let kept = Kept::new(due.head, true, &frame[8..], (self.most_kept(is_whole), is_whole));
                let call = due.call;
                let of = Of::Reply { call, whole: is_whole, awaited: true, read: Box::new(kept) };
                out.push(Piece { to, bytes: frame, of });
                Belongs::Call(call)
            }
        }
    }

    /// Puts the seam's address in, and has both sides speak what is understood here.
    fn change(&self, head: Head, frame: &mut Vec<u8>) {
        if head.api == API_VERSIONS {
            addresses::agree(head.version, &mut frame[8..]);
            return;
        }
        let Some(ways) = &self.ways else { return };
        if let Some(body) = addresses::rewritten(head, &frame[8..], &**ways) {
            *frame = framed(head, &body);
        }
    }

    /// Tells of each record by itself.
    fn tell_records(&self, head: Head, (is_reply, body): (bool, Option<Reader<'_>>), out: &mut Vec<Piece>) {
        let Some(reader) = body else { return };
        let to = if is_reply { Direction::ToConsumer } else { Direction::ToProvider };
        let most = self.limits.kept_body;
        each_record(head, (is_reply, reader), &mut |partition, record| {
            let read = Box::new(Told::new(is_reply, partition, &record, most));
            out.push(Piece { to, bytes: Vec::new(), of: Of::Message { call: None, read } });
        });
    }

    /// What is written to the consumer: replies in the order of their requests.
    pub(super) fn in_order(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() < 8 && self.n_missing == 0 {
            return bytes;
        }
        if self.n_missing > 0 {
            self.n_missing = self.n_missing.saturating_sub(bytes.len());
            let mut bytes = bytes;
            self.add_early(&mut bytes);
            return bytes;
        }
        let mut reader = Reader::new(&bytes, false);
        let (length, correlation) = (reader.i32().unwrap_or_default(), reader.i32().unwrap_or_default());
        let whole = usize::try_from(length).unwrap_or_default().saturating_add(4);
        if self.owed.front() != Some(&correlation) && self.owed.contains(&correlation) && whole <= bytes.len()
        {
            self.early.insert(correlation, bytes);
            // The one that was owed first may have been forgotten, and what waited for it is next.
            let mut ready = Vec::new();
            self.add_early(&mut ready);
            return ready;
        }
        self.no_longer_owed(correlation);
        self.n_missing = whole.saturating_sub(bytes.len());
        let mut bytes = bytes;
        self.add_early(&mut bytes);
        bytes
    }

    pub(super) fn no_longer_owed(&mut self, correlation: i32) {
        if let Some(place) = self.owed.iter().position(|other| *other == correlation) {
            self.owed.remove(place);
        }
    }

    /// What has waited for its turn.
    fn add_early(&mut self, bytes: &mut Vec<u8>) {
        while self.n_missing == 0
            && let Some(early) = self.owed.front().and_then(|next| self.early.remove(next))
        {
            bytes.extend_from_slice(&early);
            self.owed.pop_front();
        }
    }

    pub(super) fn take_kept(&mut self, to: Direction) -> Vec<u8> {
        let mut rest = Vec::new();
        if to == Direction::ToConsumer {
            // Written off already, they only waited for those before them.
            for correlation in std::mem::take(&mut self.owed) {
                rest.extend(self.early.remove(&correlation).unwrap_or_default());
            }
        }
        rest.append(&mut self.lanes[index(to)].pending.take_all());
        rest
    }
}

/// A reply with its length and number.
pub(super) fn framed(head: Head, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
    [&length.to_be_bytes()[..], &head.correlation.to_be_bytes(), body].concat()
}

impl Resumed for Cutter {
    fn resume(&self, splitting: Splitting) -> Self {
        let mut cutter = Self::new(splitting, false);
        let due = self.due.iter().map(|due| Due { fate: Fate::Rest, ..*due });
        cutter.due.extend(due);
        cutter.owed.extend(self.due.iter().map(|due| due.head.correlation));
        cutter.n_calls = self.n_calls;
        cutter.session = self.session.clone();
        (cutter.handshake, cutter.tokens) = (self.handshake, self.tokens);
        cutter
    }

    fn n_to_divide(&self, direction: Direction) -> Option<usize> {
        let lane = &self.lanes[index(direction)];
        let unseen = lane.pending.unseen();
        let length = Reader::new(unseen, false).i32().and_then(|length| usize::try_from(length).ok());
        let n_left = match lane.passing {
            Some((n_left, _)) => n_left,
            None => length.map_or(4, |length| length + 4).saturating_sub(unseen.len()),
        };
        self.is_within(direction).then(|| n_left.max(1))
    }

    fn is_within(&self, direction: Direction) -> bool {
        let lane = &self.lanes[index(direction)];
        lane.passing.is_some() || !lane.pending.unseen().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splitter::Splitter as _;

    #[test]
    fn who_only_watches_remembers_nothing_of_what_is_over() {
        let mut cutter = Cutter::watching(Limits::default());
        let mut pieces = Vec::new();
        for correlation in 0..1000_i32 {
            let body = [&[0, 3, 0, 1][..], &correlation.to_be_bytes(), b"\0\x01c\xff\xff\xff\xff"].concat();
            let length = i32::try_from(body.len()).unwrap().to_be_bytes();
            cutter.take(Direction::ToProvider, &[&length[..], &body].concat(), &mut pieces).unwrap();
            let reply = [&[0, 0, 0, 4][..], &correlation.to_be_bytes()].concat();
            cutter.take(Direction::ToConsumer, &reply, &mut pieces).unwrap();
        }
        assert!(cutter.owed.is_empty() && cutter.due.is_empty() && cutter.asked.is_empty());
    }

    /// The handshake of this version, and the reply to it with this error.
    fn handshake(version: u8, error: u8) -> [Vec<u8>; 2] {
        let request = b"\0\0\0\x1a\0\x11\0v\0\0\0\x07\0\x01c\0\x0dSCRAM-SHA-256";
        let mut request = request.to_vec();
        request[7] = version;
        [request, vec![0, 0, 0, 10, 0, 0, 0, 7, 0, error, 0, 0, 0, 0]]
    }

    #[test]
    fn what_a_refused_handshake_wanted_is_forgotten() {
        for (first, second, expected) in
            [((0, 33), None, false), ((0, 33), Some((1, 0)), false), ((0, 33), Some((0, 0)), true)]
        {
            let mut cutter = Cutter::watching(Limits::default());
            let mut pieces = Vec::new();
            for (version, error) in [Some(first), second].into_iter().flatten() {
                let [request, reply] = handshake(version, error);
                cutter.take(Direction::ToProvider, &request, &mut pieces).unwrap();
                cutter.take(Direction::ToConsumer, &reply, &mut pieces).unwrap();
            }
            assert_eq!(cutter.tokens.is_some(), expected, "{second:?}");
            assert!(cutter.handshake.is_none());
        }
        // Nobody here knows the mechanism.
        let limits = Limits::default();
        let mut cutter = Cutter::watching(limits).resume(Splitting { limits, behind: Behind::Nobody });
        cutter.cut(Direction::ToProvider, &handshake(0, 0)[0], &mut Vec::new()).unwrap();
        assert!(cutter.handshake.is_none() && cutter.tokens.is_none());
    }
}
