//! A NATS connection in pieces: each publication, each delivery and each subscription by itself.
//!
//! Nothing has to be kept in step: no message has a number, and none is acknowledged but by further messages. So each
//! may be lost, doubled or held back alone.

use super::framing::{Line, read};
use super::reading::Kept;
use super::saying;
use crate::conversation::{Direction, Limits, Surprise};
use crate::pending::Pending;
use crate::splitter::{Anew, Behind, Call, Of, Piece, Splitter, Splitting, Unanswerable, Underway};
use crate::watching::Resumed;
use seam_value::Value;

/// Cuts one connection.
pub(super) struct Cutter {
    limits: Limits,
    behind: Behind,
    /// Is somebody deciding about the pieces? Then messages are gathered as far as can be; who only watches needs their
    /// beginning.
    is_held: bool,
    n_calls: Call,
    up: Lane,
    down: Lane,
    /// Does the client want each command acknowledged?
    is_verbose: bool,
    /// What the client has subscribed to, for what is pushed.
    subscribed: Vec<Subscribed>,
}

/// One subscription.
#[derive(Clone)]
struct Subscribed {
    sid: String,
    subject: String,
}

#[derive(Default)]
struct Lane {
    pending: Pending,
    within: Within,
}

/// Inside of what a direction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    /// A line.
    #[default]
    Line,
    /// A payload with its line end, of which so many bytes are to come.
    Payload(usize),
    /// One that was too large to be gathered, and passes.
    Passing(usize),
}

/// The first byte of TLS, which no line begins with.
const TLS: u8 = 0x16;

impl Cutter {
    /// For who only watches.
    pub(super) fn watching(limits: Limits) -> Self {
        Self {
            limits,
            behind: Behind::Provider,
            is_held: false,
            n_calls: 0,
            up: Lane::default(),
            down: Lane::default(),
            is_verbose: true,
            subscribed: Vec::new(),
        }
    }

    fn lane_of(&self, to: Direction) -> &Lane {
        match to {
            Direction::ToProvider => &self.up,
            Direction::ToConsumer => &self.down,
        }
    }

    fn lane(&mut self, to: Direction) -> &mut Lane {
        match to {
            Direction::ToProvider => &mut self.up,
            Direction::ToConsumer => &mut self.down,
        }
    }

    /// Looks at bytes that have not been looked at. False when there are no more.
    fn advance(&mut self, to: Direction, out: &mut Vec<Piece>) -> Result<bool, Surprise> {
        let Limits { head, kept_body, kept_open, .. } = self.limits;
        let most = if self.is_held { kept_open.max(head) } else { kept_body.saturating_add(head) };
        let lane = self.lane(to);
        let n_unseen = lane.pending.unseen().len();
        if n_unseen == 0 {
            return Ok(false);
        }
        match lane.within {
            Within::Line => {
                let begins = lane.pending.seen().is_empty();
                if begins && lane.pending.unseen().first() == Some(&TLS) {
                    return Err(Surprise::new("TLS begins"));
                }
                let end = memchr::memchr(b'\n', lane.pending.unseen());
                lane.pending.see(end.map_or(n_unseen, |end| end + 1));
                if lane.pending.seen().len() > head {
                    return Err(Surprise::new("a line that is too long"));
                }
                if end.is_some() {
                    self.line(to, out)?;
                }
            }
            Within::Payload(n_left) => {
                let n_now = n_left.min(n_unseen);
                lane.pending.see(n_now);
                lane.within = Within::Payload(n_left - n_now);
                if n_left == n_now {
                    if lane.pending.seen().last() != Some(&b'\n') {
                        return Err(Surprise::new("a payload that is not as long as was said"));
                    }
                    lane.within = Within::Line;
                    self.message(to, out);
                } else if lane.pending.seen().len() > most {
                    lane.within = Within::Passing(n_left - n_now);
                    if self.is_held {
                        self.rest(to, out);
                    } else {
                        self.message(to, out);
                    }
                }
            }
            Within::Passing(n_left) => {
                let n_now = n_left.min(n_unseen);
                lane.pending.see(n_now);
                lane.within = if n_left == n_now { Within::Line } else { Within::Passing(n_left - n_now) };
                self.rest(to, out);
            }
        }
        Ok(true)
    }

    /// A line is whole.
    fn line(&mut self, to: Direction, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        let of_server = to == Direction::ToConsumer;
        let nobody_is_behind = self.behind == Behind::Nobody;
        let lane = self.lane(to);
        match read(lane.pending.seen(), of_server)? {
            Line::Message(head) => {
                // Its line end comes behind it.
                lane.within = Within::Payload(head.n_bytes + 2);
                return Ok(());
            }
            Line::Error(_) => {
                self.message(to, out);
                return Ok(());
            }
            Line::Subscribe { subject, sid, .. } => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let subscribed = Subscribed { sid: text(sid), subject: text(subject) };
                self.subscribes(subscribed, out)?;
                return Ok(());
            }
            Line::Unsubscribe { sid, has_most } => {
                if !has_most {
                    let sid = sid.to_vec();
                    self.subscribed.retain(|subscribed| subscribed.sid.as_bytes() != sid);
                }
            }
            Line::Connect(options) => {
                let options = std::str::from_utf8(options).ok().and_then(|text| seam_value::parse(text).ok());
                let verbose = options.as_ref().and_then(|options| options.get("verbose"));
                self.is_verbose = verbose != Some(&Value::Bool(false));
            }
            Line::Ping if !of_server && nobody_is_behind => {
                self.rest(to, out);
                out.push(say(b"PONG\r\n".to_vec()));
                return Ok(());
            }
            Line::Ping | Line::Pong => {
                self.rest(to, out);
                return Ok(());
            }
            Line::Info(_) | Line::Ok => {}
        }
        self.rest(to, out);
        if !of_server {
            self.acknowledge(out);
        }
        Ok(())
    }

    /// A subscription is asked for, and answered only where it is refused, or the client is verbose.
    fn subscribes(&mut self, subscribed: Subscribed, out: &mut Vec<Piece>) -> Result<(), Surprise> {
        if self.subscribed.len() >= self.limits.n_open {
            return Err(Surprise::new("too many subscriptions"));
        }
        self.subscribed.push(subscribed);
        self.n_calls += 1;
        let call = self.n_calls;
        let bytes = self.up.pending.take();
        let read = Box::new(Kept::new(&bytes, false, self.limits));
        let bytes = if self.behind == Behind::Nobody { Vec::new() } else { bytes };
        let of = Of::Request { call, whole: true, awaited: false, read };
        out.push(Piece { to: Direction::ToProvider, bytes, of });
        let read = Box::new(Kept::new(&[], true, self.limits));
        let of = Of::Reply { call, whole: true, awaited: false, read };
        out.push(Piece { to: Direction::ToConsumer, bytes: Vec::new(), of });
        self.acknowledge(out);
        Ok(())
    }

    /// A publication, a delivery or an error, as far as it was gathered.
    fn message(&mut self, to: Direction, out: &mut Vec<Piece>) {
        let bytes = self.lane(to).pending.take();
        let read = Box::new(Kept::new(&bytes, to == Direction::ToConsumer, self.limits));
        let bytes = self.for_somebody(to, bytes);
        out.push(Piece { to, bytes, of: Of::Message { call: None, read } });
        if to == Direction::ToProvider {
            self.acknowledge(out);
        }
    }

    fn rest(&mut self, to: Direction, out: &mut Vec<Piece>) {
        let bytes = self.lane(to).pending.take();
        let bytes = self.for_somebody(to, bytes);
        out.push(Piece { to, bytes, of: Of::Rest });
    }

    /// Where nobody is behind, nothing goes there.
    fn for_somebody(&self, to: Direction, bytes: Vec<u8>) -> Vec<u8> {
        if to == Direction::ToProvider && self.behind == Behind::Nobody { Vec::new() } else { bytes }
    }

    fn acknowledge(&self, out: &mut Vec<Piece>) {
        if self.behind == Behind::Nobody && self.is_verbose {
            out.push(say(b"+OK\r\n".to_vec()));
        }
    }
}

/// What is said to the client in the server's place, which no rule is about.
fn say(bytes: Vec<u8>) -> Piece {
    Piece { to: Direction::ToConsumer, bytes, of: Of::Rest }
}

impl Splitter for Cutter {
    fn begin(&mut self, out: &mut Vec<Piece>) {
        if self.behind == Behind::Nobody {
            out.push(say(saying::GREETING.to_vec()));
        }
    }

    fn cut(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Surprise> {
        self.lane(direction).pending.push(bytes);
        while self.advance(direction, out)? {}
        Ok(())
    }

    fn lets_go(&self, _: bool) -> bool {
        !self.is_within(Direction::ToProvider) && !self.is_within(Direction::ToConsumer)
    }

    fn take_rest(&mut self, direction: Direction) -> Vec<u8> {
        self.lane(direction).pending.take_all()
    }

    fn answer(&mut self, _call: Call, answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        saying::error(answer)
    }

    fn refuse(&mut self, _message: &[u8], answer: &Value) -> Result<Vec<u8>, Unanswerable> {
        saying::error(answer)
    }

    fn deliver_again(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let end = memchr::memchr(b'\n', message)?;
        let of_server = message.first().is_some_and(|first| b"MHmh".contains(first))
            && !message.get(..4)?.eq_ignore_ascii_case(b"HPUB");
        matches!(read(&message[..=end], of_server), Ok(Line::Message(_))).then(|| message.to_vec())
    }

    fn say_anew(&mut self, message: Underway<'_>, anew: Anew<'_>) -> Result<Vec<u8>, Unanswerable> {
        let of_server = message.to == Direction::ToConsumer;
        let end = memchr::memchr(b'\n', message.bytes).map_or(0, |end| end + 1);
        let (line, rest) = message.bytes.split_at(end);
        let Ok(Line::Message(head)) = read(line, of_server) else {
            return Err(Unanswerable::new("only what is published and delivered can say something else"));
        };
        let (headers, content) = rest.split_at_checked(head.n_headers).unwrap_or((rest, &[]));
        let n_content = head.n_bytes - head.n_headers;
        let content = anew.content(content.get(..n_content).unwrap_or(content))?;
        Ok(head.write(of_server, headers, &content))
    }

    fn push(&mut self, message: &Value) -> Result<Vec<u8>, Unanswerable> {
        let topic = message.get("topic").and_then(Value::as_text);
        let topic = topic.ok_or_else(|| Unanswerable::new("a message of nats needs its topic"))?;
        if !saying::is_subject(topic) {
            return Err(Unanswerable::new(format!("{topic:?} is no subject")));
        }
        let newest = self.subscribed.iter().rev().find(|subscribed| saying::fits(&subscribed.subject, topic));
        match newest {
            Some(_) if matches!(self.down.within, Within::Passing(_)) => Err(Unanswerable::within()),
            Some(subscribed) => saying::delivery(&subscribed.sid, topic, message),
            None => Err(Unanswerable::for_nobody(format!("nobody has subscribed to {topic} here"))),
        }
    }
}

impl Resumed for Cutter {
    fn resume(&self, splitting: Splitting) -> Self {
        Self {
            limits: splitting.limits,
            behind: splitting.behind,
            is_held: true,
            n_calls: 0,
            up: Lane::default(),
            down: Lane::default(),
            is_verbose: self.is_verbose,
            subscribed: self.subscribed.clone(),
        }
    }

    fn n_to_divide(&self, direction: Direction) -> Option<usize> {
        let n_left = match self.lane_of(direction).within {
            Within::Line => 1,
            Within::Payload(n_left) | Within::Passing(n_left) => n_left.max(1),
        };
        self.is_within(direction).then_some(n_left)
    }

    fn is_within(&self, direction: Direction) -> bool {
        let lane = self.lane_of(direction);
        lane.within != Within::Line || !lane.pending.seen().is_empty()
    }
}
