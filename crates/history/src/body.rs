//! Long parts of events are kept once each, under the hash of their content, beside the events.
//!
//! Ten thousand answers with the same page of HTML are ten thousand short lines and one body. In the event stands
//! `{"«body»": "<hash>", "of": "text"}` in its stead; whatever happens to look like that is put aside too, so that
//! reading back is exact.

use seam_event::{Event, Interaction, Judged, What};
use seam_value::Value;
use std::io;

/// Parts whose JSON is about this long or longer are put aside.
const LONG: usize = 4096;
const MARK: &str = "«body»";

/// The hash by which a content is kept: 128 bits of BLAKE3, which nobody meets by accident.
pub(crate) fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..32].to_owned()
}

/// Is there a text that is long by itself? Then the event need not be written out to know that it is.
pub(crate) fn is_surely_long(event: &mut Event) -> bool {
    for_each_part(event, &mut |value| match value {
        Value::Text(text) if text.len() > LONG => Err(()),
        _ => Ok(()),
    })
    .is_err()
}

/// May an event that was written like this have something to put aside? What is short has nothing, and says no more than
/// it is.
pub(crate) fn may_be_long(written: &[u8]) -> bool {
    written.len() >= LONG || memchr::memmem::find(written, MARK.as_bytes()).is_some()
}

/// Is there anything to put aside?
pub(crate) fn has_long_parts(event: &mut Event) -> bool {
    let mut found = false;
    for_each_part(event, &mut |value| {
        found |= is_aside(value) || is_long(value);
        Ok::<(), ()>(())
    })
    .is_ok()
        && found
}

/// Replaces each long part by its hash; `keep` keeps the content.
pub(crate) fn put_aside(
    event: &mut Event,
    keep: &mut dyn FnMut(&str, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    for_each_part(event, &mut |value| {
        if !is_aside(value) && !is_long(value) {
            return Ok(());
        }
        let (of, content) = match std::mem::take(value) {
            Value::Text(text) => ("text", text),
            other => ("json", other.to_string()),
        };
        let hash = hash(content.as_bytes());
        keep(&hash, content.as_bytes())?;
        *value = Value::map([(MARK, Value::text(hash)), ("of", Value::text(of))]);
        Ok(())
    })
}

/// Puts back what was put aside; `load` gives a content by its hash. What is gone is null, and the interaction is
/// marked as cut, so that no fold takes it for whole.
pub(crate) fn put_back(event: &mut Event, load: &mut dyn FnMut(&str) -> Option<String>) {
    let mut gone = false;
    let _ = for_each_part(event, &mut |value| {
        let Some((hash, of)) = aside(value) else { return Ok::<(), ()>(()) };
        let content = load(hash);
        *value = match (of, content) {
            ("text", Some(text)) => Value::Text(text),
            (_, Some(json)) => seam_value::parse(&json).unwrap_or_default(),
            (_, None) => {
                gone = true;
                Value::Null
            }
        };
        Ok(())
    });
    if gone && let What::Interaction(interaction) = &mut event.what {
        interaction.cut = true;
    }
}

/// The parts that may be long: each field of a request, a reply and a message, and both sides of a judgement.
fn for_each_part<E>(event: &mut Event, act: &mut dyn FnMut(&mut Value) -> Result<(), E>) -> Result<(), E> {
    match &mut event.what {
        What::Interaction(Interaction { request, reply, message, .. }) => {
            for part in [request, reply, message] {
                match part {
                    Value::Map(fields) => fields.values_mut().try_for_each(&mut *act)?,
                    other => act(other)?,
                }
            }
            Ok(())
        }
        What::Judged(Judged { expected, actual, .. }) => {
            [expected, actual].into_iter().flatten().try_for_each(act)
        }
        _ => Ok(()),
    }
}

fn aside(value: &Value) -> Option<(&str, &str)> {
    Some((value.get(MARK)?.as_text()?, value.get("of")?.as_text()?))
}

fn is_aside(value: &Value) -> bool {
    value.get(MARK).is_some()
}

fn is_long(value: &Value) -> bool {
    let mut room = LONG;
    !fits(value, &mut room)
}

/// Does the value fit into what room is left? Stops looking as soon as it doesn't.
fn fits(value: &Value, room: &mut usize) -> bool {
    let own = match value {
        Value::Text(text) => text.len() + 2,
        Value::Map(map) => map.keys().map(|key| key.len() + 4).sum(),
        Value::List(list) => list.len() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 6,
    };
    let Some(left) = room.checked_sub(own) else { return false };
    *room = left;
    match value {
        Value::Map(map) => map.values().all(|child| fits(child, room)),
        Value::List(list) => list.iter().all(|child| fits(child, room)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => true,
    }
}
