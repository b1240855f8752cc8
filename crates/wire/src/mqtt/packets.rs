//! MQTT's packets and the fields in them, of 3.1, 3.1.1 and 5.
//!
//! ```text
//! kind and flags, length (1 to 4 bytes), topic, [id], [properties], payload
//! ```

use crate::conversation::Surprise;

/// The kinds of packets.
pub(super) mod kinds {
    pub(in crate::mqtt) const CONNECT: u8 = 1;
    pub(in crate::mqtt) const CONNACK: u8 = 2;
    pub(in crate::mqtt) const PUBLISH: u8 = 3;
    pub(in crate::mqtt) const PUBACK: u8 = 4;
    pub(in crate::mqtt) const PUBREC: u8 = 5;
    pub(in crate::mqtt) const PUBREL: u8 = 6;
    pub(in crate::mqtt) const PUBCOMP: u8 = 7;
    pub(in crate::mqtt) const SUBSCRIBE: u8 = 8;
    pub(in crate::mqtt) const SUBACK: u8 = 9;
    pub(in crate::mqtt) const UNSUBSCRIBE: u8 = 10;
    pub(in crate::mqtt) const UNSUBACK: u8 = 11;
    pub(in crate::mqtt) const PINGREQ: u8 = 12;
    pub(in crate::mqtt) const PINGRESP: u8 = 13;
    pub(in crate::mqtt) const DISCONNECT: u8 = 14;
    pub(in crate::mqtt) const AUTH: u8 = 15;
}

/// Reads one field after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// Bytes with their length before them.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// The same as text.
    pub(super) fn text(&mut self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A number of one to four bytes.
    pub(super) fn length(&mut self) -> Option<usize> {
        let mut number = 0;
        for place in 0..4 {
            let byte = self.u8()?;
            number |= usize::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The properties that MQTT 5 has in most packets.
    pub(super) fn properties(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }
}

pub(super) fn put_length(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let byte = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        if number == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Bytes with their length before them, as far as there can be so many.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A whole packet.
pub(super) fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    put_length(&mut out, rest.len());
    out.extend_from_slice(rest);
    out
}

/// What a packet begins with: its first byte, how long that is with the length, and how much comes behind it. None
/// where it is not all there.
pub(super) fn head(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Surprise> {
    let mut fields = Fields(bytes);
    let Some(first) = fields.u8() else { return Ok(None) };
    match fields.length() {
        Some(length) => Ok(Some((first, bytes.len() - fields.0.len(), length))),
        None if bytes.len() < 5 => Ok(None),
        None => Err(Surprise::new("a length that is no number")),
    }
}

/// A publication, from either side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publish<'a> {
    pub(super) is_again: bool,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) topic: &'a [u8],
    /// Not with QoS 0.
    pub(super) id: Option<u16>,
    /// Of MQTT 5.
    pub(super) properties: &'a [u8],
    /// As far as it is there.
    pub(super) payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// Reads a packet, or as much of it as there is.
    pub(super) fn read(packet: &'a [u8], version: u8) -> Option<Self> {
        let (first, n_head, _) = head(packet).ok()??;
        let qos = first >> 1 & 3;
        if first >> 4 != kinds::PUBLISH || qos == 3 {
            return None;
        }
        let mut fields = Fields(&packet[n_head..]);
        let topic = fields.bytes()?;
        let id = if qos > 0 { Some(fields.u16()?) } else { None };
        let properties = if version >= 5 { fields.properties()? } else { &[] };
        Some(Self {
            is_again: first & 8 != 0,
            qos,
            retain: first & 1 != 0,
            topic,
            id,
            properties,
            payload: fields.0,
        })
    }

    /// The number under which a topic was sent before, or is from now on.
    pub(super) fn alias(&self) -> Option<u16> {
        properties(self.properties).into_iter().find_map(|(id, property)| match property {
            Property::Number(alias) if id == 0x23 => u16::try_from(alias).ok(),
            _ => None,
        })
    }

    /// The packet's bytes.
    pub(super) fn write(&self, version: u8) -> Vec<u8> {
        let mut rest = Vec::new();
        put_bytes(&mut rest, self.topic);
        if let Some(id) = self.id {
            rest.extend_from_slice(&id.to_be_bytes());
        }
        if version >= 5 {
            put_length(&mut rest, self.properties.len());
            rest.extend_from_slice(self.properties);
        }
        rest.extend_from_slice(self.payload);
        let flags = u8::from(self.is_again) << 3 | self.qos << 1 | u8::from(self.retain);
        packet(kinds::PUBLISH << 4 | flags, &rest)
    }
}

/// One property of MQTT 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Property<'a> {
    Number(u64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

/// How a property is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Byte,
    Two,
    Four,
    Length,
    Text,
    Bytes,
    Pair,
}

/// All properties: their numbers, names and forms.
pub(super) const PROPERTIES: [(u8, &str, Form); 27] = [
    (0x01, "payload_format", Form::Byte),
    (0x02, "message_expiry", Form::Four),
    (0x03, "content_type", Form::Text),
    (0x08, "response_topic", Form::Text),
    (0x09, "correlation_data", Form::Bytes),
    (0x0b, "subscription_id", Form::Length),
    (0x11, "session_expiry", Form::Four),
    (0x12, "assigned_client_id", Form::Text),
    (0x13, "server_keep_alive", Form::Two),
    (0x15, "authentication_method", Form::Text),
    (0x16, "authentication_data", Form::Bytes),
    (0x17, "request_problem_information", Form::Byte),
    (0x18, "will_delay", Form::Four),
    (0x19, "request_response_information", Form::Byte),
    (0x1a, "response_information", Form::Text),
    (0x1c, "server_reference", Form::Text),
    (0x1f, "reason", Form::Text),
    (0x21, "receive_maximum", Form::Two),
    (0x22, "topic_alias_maximum", Form::Two),
    (0x23, "topic_alias", Form::Two),
    (0x24, "maximum_qos", Form::Byte),
    (0x25, "retain_available", Form::Byte),
    (0x26, "user", Form::Pair),
    (0x27, "maximum_packet_size", Form::Four),
    (0x28, "wildcard_subscription_available", Form::Byte),
    (0x29, "subscription_id_available", Form::Byte),
    (0x2a, "shared_subscription_available", Form::Byte),
];

/// The properties of a packet, by their numbers, up to the first that can't be read.
pub(super) fn properties(bytes: &[u8]) -> Vec<(u8, Property<'_>)> {
    let mut found = Vec::new();
    let mut fields = Fields(bytes);
    while let Some(id) = fields.u8() {
        let Some((_, _, form)) = PROPERTIES.iter().find(|(other, ..)| *other == id) else { break };
        let property = match form {
            Form::Byte => fields.u8().map(|number| Property::Number(u64::from(number))),
            Form::Two => fields.u16().map(|number| Property::Number(u64::from(number))),
            Form::Four => fields.u32().map(|number| Property::Number(u64::from(number))),
            Form::Length => fields.length().map(|number| Property::Number(number as u64)),
            Form::Text => fields.bytes().map(Property::Text),
            Form::Bytes => fields.bytes().map(Property::Bytes),
            Form::Pair => fields.bytes().zip(fields.bytes()).map(|(name, value)| Property::Pair(name, value)),
        };
        let Some(property) = property else { break };
        found.push((id, property));
    }
    found
}

/// A topic that a client wants to hear of, or does no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) filter: String,
    pub(super) qos: u8,
}

/// The id of SUBSCRIBE or UNSUBSCRIBE, and what it is about.
pub(super) fn wanted(packet: &[u8], version: u8) -> Option<(u16, Vec<Wanted>)> {
    let (first, n_head, length) = head(packet).ok()??;
    let mut fields = Fields(packet.get(n_head..n_head.checked_add(length)?)?);
    let id = fields.u16()?;
    if version >= 5 {
        fields.properties()?;
    }
    let mut all = Vec::new();
    while !fields.0.is_empty() {
        let filter = fields.text()?;
        let qos = if first >> 4 == kinds::SUBSCRIBE { fields.u8()? & 3 } else { 0 };
        all.push(Wanted { filter, qos });
    }
    Some((id, all))
}

/// Is this topic meant by the filter? `+` is one level, `#` all that are left; a group before it doesn't matter.
pub(super) fn fits(filter: &str, topic: &str) -> bool {
    let filter = match filter.strip_prefix("$share/") {
        Some(shared) => shared.split_once('/').map_or("", |(_, filter)| filter),
        None => filter,
    };
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut levels = topic.split('/');
    let mut parts = filter.split('/');
    loop {
        match (parts.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(part), Some(level)) if part == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        for (filter, topic, expect) in [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a/b/c", true),
            ("a/#", "a", true),
            ("#", "$SYS/x", false),
            ("$share/g/a/+", "a/b", true),
            ("a", "a/b", false),
        ] {
            assert_eq!(fits(filter, topic), expect, "{filter} {topic}");
        }
    }

    #[test]
    fn lengths() {
        for number in [0, 127, 128, 16_383, 16_384, 2_097_152, 268_435_455] {
            let mut bytes = Vec::new();
            put_length(&mut bytes, number);
            assert_eq!(Fields(&bytes).length(), Some(number));
        }
        assert!(head(&[0x30, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert_eq!(head(&[0x30, 0xff]), Ok(None));
    }
}
