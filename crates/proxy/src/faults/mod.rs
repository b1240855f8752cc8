//! The table of everything that can be done to what passes a seam: one file and one line each.
//!
//! A fault says only what is to happen to one connection, request or reply; how that is done in a protocol's own terms
//! the splitters of `seam_wire` know, and when it strikes the [`Rule`](crate::Rule) around it.

mod answer;
mod bandwidth;
mod cut;
mod duplicate;
mod garble;
mod hang;
mod latency;
mod mistype;
mod rate_limit;
mod refuse;
mod reply_lost;
mod reset;
mod slow_close;
mod truncate;

pub(crate) use garble::noise;
pub(crate) use truncate::truncated;

use seam_expr::Chance;
use seam_model::Word;
use seam_value::{Map, Value};
use seam_wire::{Deed, Parts, Then};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// All faults, in the order in which the reference lists them.
pub static FAULTS: &[&FaultKind] = &[
    &refuse::KIND,
    &reset::KIND,
    &reply_lost::KIND,
    &hang::KIND,
    &cut::KIND,
    &latency::KIND,
    &bandwidth::KIND,
    &slow_close::KIND,
    &answer::STATUS,
    &answer::ERROR,
    &rate_limit::KIND,
    &truncate::KIND,
    &garble::KIND,
    &mistype::KIND,
    &duplicate::KIND,
];

/// One kind of fault.
pub struct FaultKind {
    /// Its documentation; the subject is its argument, the fields are keys beside its own.
    pub word: Word,
    /// Reads it from its argument and the whole map it stands in; the error says what is wrong, in one line.
    pub read: Read,
}

/// Reads a fault from its argument and the whole map it stands in.
type Read = fn(&Value, &Map) -> Result<Arc<dyn Fault>, String>;

/// One fault, ready to strike as often as is wanted.
pub trait Fault: Send + Sync {
    /// What it strikes.
    fn moment(&self) -> Moment;

    /// How it goes together with other faults on the same seam.
    fn role(&self) -> Role {
        Role::Decides
    }

    /// What it needs a protocol to know; one of these is enough, and none is needed where there is none.
    fn deeds(&self) -> &'static [Deed] {
        &[]
    }

    /// Why it can't strike what has been answered; none where it can.
    fn precedes(&self) -> Option<&'static str> {
        None
    }

    /// What it says in the provider's place, where it does and that is always alike.
    fn says(&self) -> Option<Value> {
        None
    }

    /// Does what it strikes hang, with nothing more to come that could find its time over?
    fn hangs(&self) -> bool {
        false
    }

    /// Must a request be whole before it strikes? Otherwise it strikes at the head.
    fn needs_whole(&self) -> bool {
        false
    }

    /// What it does this time; none where it lets this one pass, which does not count as a strike.
    fn effect(&self, struck: &Struck<'_>) -> Option<Effect>;
}

impl fmt::Debug for dyn Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a fault on {:?}", self.moment())
    }
}

/// What a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The seam as it is when the fault is put there, with all its open connections; with a `where`, the first request
    /// that fits.
    Now,
    /// A connection, from when it is opened (or the fault is put there) to when the fault is taken away.
    Connection,
    /// A request that was not passed on yet, or a message.
    Request,
    /// A reply that is whole and was not passed on yet.
    Reply,
}

/// How a fault goes together with other faults that strike the same: in this order, however they were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It makes it late: all of these strike, whatever else does.
    Delays,
    /// It says what becomes of it: an answer, a reset, silence. Of several the one put last strikes.
    Decides,
    /// It makes it arrive twice, where it arrives at all.
    Repeats,
    /// What arrives is another thing: all of these strike, one on what the other has left of it.
    Changes(Change),
}

/// What of something is another thing, in the order in which such changes follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A field of it.
    Field,
    /// The characters of its content.
    Content,
    /// How long it is.
    Length,
}

/// What a fault may look at when it strikes.
pub struct Struck<'a> {
    /// The run's chance.
    pub chance: &'a Chance,
    /// What was asked or answered, as the protocol's interactions tell it; all null for a connection.
    pub parts: &'a Parts,
    /// Is it a message that nobody answers?
    pub is_message: bool,
    /// Is all of it there? What is too long to be kept passes as it comes.
    pub is_whole: bool,
    /// Is a reply's content one text that is [said anew](seam_wire::Protocol::says_texts) with all that is around it?
    pub says_texts: bool,
    /// The time since the run began.
    pub at: Duration,
}

/// What becomes of what was struck.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// It goes on so much later.
    Wait(Duration),
    /// This is said instead, in the protocol's own terms.
    Answer(Value),
    /// These bytes are said instead, and then this happens to the connection.
    Say(Vec<u8>, Then),
    /// It says this, as the protocol's interactions tell it; all around it stays.
    Change(Value),
    /// It breaks off after so many bytes; after half of them where nothing is said. The connection is closed with it, unless
    /// it carries other calls.
    Truncate(Option<usize>),
    /// What it says is noise.
    Garble,
    /// The connection is reset on both sides; nothing of it is passed on.
    Reset(Extent),
    /// It is passed on, and then the connection is reset.
    ResetAfter(Extent),
    /// It is passed on, the reply is read and thrown away, and then the connection is reset.
    LoseReply(Extent),
    /// It is not passed on and nothing is ever said.
    Hang,
    /// It is passed on twice.
    Twice,
    /// All connections of the seam are reset, and new ones are refused for so long.
    Cut(Duration),
    /// Connections are refused.
    Refuse,
    /// So many bytes a second pass, each way.
    Pace(u64),
    /// The end of a connection is passed on so much later.
    CloseAfter(Duration),
}

impl Effect {
    /// Can it be had where nothing is known of what passes but that it is bytes? What has to be said in a protocol's terms
    /// can't, nor can what has an end that nobody knows.
    pub(crate) fn fits_bytes(&self) -> bool {
        match self {
            Self::Wait(_)
            | Self::Reset(_)
            | Self::ResetAfter(_)
            | Self::LoseReply(_)
            | Self::Hang
            | Self::Cut(_)
            | Self::Refuse
            | Self::Pace(_)
            | Self::CloseAfter(_) => true,
            Self::Answer(_)
            | Self::Say(..)
            | Self::Change(_)
            | Self::Truncate(_)
            | Self::Garble
            | Self::Twice => false,
        }
    }
}

/// How much of a connection that carries several calls at once is reset with one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The call alone, in the protocol's own terms; the connection where the protocol has none.
    Call,
    /// The connection with all of its calls.
    Connection,
}

/// Reads a fault as it stands right of `fault:`: a word, or a map of one kind to its argument.
pub fn read_fault(fault: &Value) -> Result<Arc<dyn Fault>, String> {
    let empty = Map::default();
    let (name, argument, map) = match fault {
        Value::Text(name) => (name.as_str(), &Value::Null, &empty),
        Value::Map(map) => {
            let Some((name, argument)) = map.iter().find(|(name, _)| kind(name).is_some()).or(map.first())
            else {
                return Err(format!("a fault is a word or a map of one kind: {}", names()));
            };
            (name.as_str(), argument, map)
        }
        _ => return Err(format!("a fault is a word or a map of one kind: {}", names())),
    };
    let Some(kind) = kind(name) else {
        return Err(format!("there is no fault `{name}`; there are {}", names()));
    };
    let is_open =
        std::ptr::eq(kind, &raw const answer::STATUS) || std::ptr::eq(kind, &raw const answer::ERROR);
    let stray = map.keys().find(|key| *key != name && !is_open && kind.word.field(key).is_none());
    if let Some(stray) = stray {
        return Err(format!("`{name}` has no `{stray}`"));
    }
    (kind.read)(argument, map)
}

fn kind(name: &str) -> Option<&'static FaultKind> {
    FAULTS.iter().copied().find(|kind| kind.word.name == name)
}

fn names() -> String {
    FAULTS.iter().map(|kind| kind.word.name).collect::<Vec<_>>().join(", ")
}

/// A fault without an argument, or one that is left out.
fn no_argument(name: &str, argument: &Value) -> Result<(), String> {
    if *argument == Value::Null { Ok(()) } else { Err(format!("`{name}` takes nothing")) }
}

/// A duration as people write it.
fn duration(name: &str, value: &Value) -> Result<Duration, String> {
    let text = value.as_text().ok_or_else(|| format!("`{name}` takes a duration, such as 2s"))?;
    seam_model::duration(text).map_err(|reason| format!("`{name}`: {reason}"))
}

/// A size as people write it.
fn size(name: &str, value: &Value) -> Result<u64, String> {
    let text = value.as_text().ok_or_else(|| format!("`{name}` takes a size, such as 64KiB"))?;
    seam_model::size(text).map_err(|reason| format!("`{name}`: {reason}"))
}

#[cfg(test)]
mod tests;
