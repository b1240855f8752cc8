//! Where brokers say how they can be reached: rewritten, so that a client comes back to the seam and not to the broker
//! itself.

use super::api::{DESCRIBE_CLUSTER, FIND_COORDINATOR, METADATA, NEWEST, UNSUPPORTED_VERSION};
use super::bytes::{Reader, Writer};
use super::calls::Head;
use crate::splitter::Ways;
use std::borrow::Cow;
use std::ops::Range;

/// One address in a reply.
struct Place {
    /// The host with its length.
    bytes: Range<usize>,
    name: Vec<u8>,
    /// Where the port begins.
    port_at: usize,
    number: i32,
}

/// The body of a reply, behind its number, with addresses that lead through the seam for those of brokers. None where
/// nothing is to be changed.
pub(super) fn rewritten(head: Head, body: &[u8], ways: &dyn Ways) -> Option<Vec<u8>> {
    let mut places = places(head, body)?;
    places.retain(|place| !place.name.is_empty() && u16::try_from(place.number).is_ok());
    let first = places.first()?;
    let is_alone = places.iter().all(|other| (&other.name, other.number) == (&first.name, first.number));
    // Who tells of himself alone, whatever he is called. A coordinator is mostly somebody else.
    if is_alone && head.api != FIND_COORDINATOR {
        ways.is_here(&first.host(), first.port());
    }
    let mut writer = Writer::new(head.is_compact());
    let mut at = 0;
    for place in &places {
        let Some(address) = ways.to(&place.host(), place.port()) else { continue };
        writer.put(&body[at..place.bytes.start]);
        writer.text(address.ip().to_string().as_bytes());
        writer.put(&body[place.bytes.end..place.port_at]);
        writer.i32(i32::from(address.port()));
        at = place.port_at + 4;
    }
    writer.put(&body[at..]);
    (at > 0).then_some(writer.out)
}

impl Place {
    fn host(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    fn port(&self) -> u16 {
        u16::try_from(self.number).unwrap_or_default()
    }
}

fn places(head: Head, body: &[u8]) -> Option<Vec<Place>> {
    let version = head.version;
    let mut reader = Reader::new(body, head.is_compact());
    reader.tags()?;
    let mut places = Vec::new();
    let mut place = |reader: &mut Reader<'_>| {
        let start = body.len() - reader.rest.len();
        let name = reader.text()?.to_vec();
        let port_at = body.len() - reader.rest.len();
        places.push(Place { bytes: start..port_at, name, port_at, number: reader.i32()? });
        Some(())
    };
    match head.api {
        METADATA => {
            if version >= 3 {
                reader.i32()?;
            }
            for _ in 0..reader.count()? {
                reader.i32()?;
                place(&mut reader)?;
                if version >= 1 {
                    reader.text()?;
                }
                reader.tags()?;
            }
        }
        FIND_COORDINATOR if version >= 4 => {
            reader.i32()?;
            for _ in 0..reader.count()? {
                reader.text()?;
                reader.i32()?;
                place(&mut reader)?;
                reader.i16()?;
                reader.text()?;
                reader.tags()?;
            }
        }
        FIND_COORDINATOR => {
            if version >= 1 {
                reader.i32()?;
            }
            reader.i16()?;
            if version >= 1 {
                reader.text()?;
            }
            reader.i32()?;
            place(&mut reader)?;
        }
        DESCRIBE_CLUSTER => {
            reader.i32()?;
            reader.i16()?;
            reader.text()?;
            if version >= 1 {
                reader.i8()?;
            }
            reader.text()?;
            reader.i32()?;
            for _ in 0..reader.count()? {
                reader.i32()?;
                place(&mut reader)?;
                reader.text()?;
                reader.tags()?;
            }
        }
        _ => return None,
    }
    Some(places)
}

/// Has both sides agree on versions that are understood here: in the reply to `ApiVersions`, behind its number.
pub(super) fn agree(version: i16, body: &mut [u8]) {
    let n_bytes = body.len();
    let mut reader = Reader::new(body, version >= 3);
    let Some(error) = reader.i16() else { return };
    // Which is said in the form of the first version.
    if error == UNSUPPORTED_VERSION {
        reader.is_compact = false;
    }
    let mut changes = Vec::new();
    let mut all = || {
        for _ in 0..reader.count()? {
            let (api, least) = (reader.i16()?, reader.i16()?);
            let at = n_bytes - reader.rest.len();
            let most = reader.i16()?;
            let known = NEWEST.iter().find(|(other, _)| *other == api).map(|(_, newest)| *newest);
            changes
                .extend(known.filter(|newest| *newest < most && *newest >= least).map(|newest| (at, newest)));
            reader.tags()?;
        }
        Some(())
    };
    all();
    for (at, newest) in changes {
        body[at..at + 2].copy_from_slice(&newest.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::{API_VERSIONS, PRODUCE};
    use super::*;
    use std::net::SocketAddr;
    use std::sync::Mutex;

    fn head(api: i16, version: i16) -> Head {
        Head { api, version, correlation: 1 }
    }

    /// A reply of this version that names these brokers, with something behind them.
    fn reply(head: Head, brokers: &[(&str, i32)]) -> Vec<u8> {
        let mut writer = Writer::new(head.is_compact());
        writer.tags();
        match head.api {
            METADATA => {
                if head.version >= 3 {
                    writer.i32(0);
                }
                writer.count(brokers.len());
            }
            FIND_COORDINATOR => {
                writer.i32(0);
                if head.version >= 4 {
                    writer.count(brokers.len());
                    writer.text(b"group");
                } else {
                    writer.i16(0);
                    writer.null_text();
                }
            }
            _ => {
                writer.i32(0);
                writer.i16(0);
                writer.null_text();
                if head.version >= 1 {
                    writer.put(&[1]);
                }
                writer.text(b"cluster");
                writer.i32(1);
                writer.count(brokers.len());
            }
        }
        for (host, port) in brokers {
            writer.i32(1);
            writer.text(host.as_bytes());
            writer.i32(*port);
            if head.api == FIND_COORDINATOR {
                if head.version >= 4 {
                    writer.i16(0);
                    writer.null_text();
                }
            } else if head.api != METADATA || head.version >= 1 {
                writer.null_text();
            }
            writer.tags();
        }
        writer.put(b"behind");
        writer.out
    }

    /// Leads to itself at 7001, to `b` at 7002, and nowhere else.
    #[derive(Default)]
    struct Led(Mutex<Vec<(String, u16)>>);

    impl Ways for Led {
        fn here(&self) -> SocketAddr {
            SocketAddr::from(([127, 0, 0, 1], 7001))
        }

        fn is_here(&self, host: &str, port: u16) {
            self.0.lock().unwrap().push((host.to_owned(), port));
        }

        fn to(&self, host: &str, port: u16) -> Option<SocketAddr> {
            if self.0.lock().unwrap().contains(&(host.to_owned(), port)) {
                return Some(self.here());
            }
            (host == "b").then_some(SocketAddr::from(([127, 0, 0, 1], 7002)))
        }
    }

    const REPLIES: [(i16, i16); 9] = [
        (METADATA, 0),
        (METADATA, 1),
        (METADATA, 7),
        (METADATA, 12),
        (FIND_COORDINATOR, 2),
        (FIND_COORDINATOR, 3),
        (FIND_COORDINATOR, 4),
        (DESCRIBE_CLUSTER, 0),
        (DESCRIBE_CLUSTER, 1),
    ];

    #[test]
    fn brokers_addresses_become_those_of_the_seam() {
        for (api, version) in REPLIES {
            let head = head(api, version);
            let of = |brokers: &[(&str, i32)]| reply(head, brokers);
            let rewritten = |body: &[u8]| rewritten(head, body, &Led::default());
            let one = of(&[("broker.example", 9092)]);
            if api == FIND_COORDINATOR {
                assert_eq!(rewritten(&one), None, "nothing leads there: {version}");
                assert_eq!(rewritten(&of(&[("b", 9092)])), Some(of(&[("127.0.0.1", 7002)])), "{version}");
            } else {
                assert_eq!(rewritten(&one), Some(of(&[("127.0.0.1", 7001)])), "{api} {version}");
                let several = of(&[("a", 9092), ("b", 9092)]);
                let expect = of(&[("a", 9092), ("127.0.0.1", 7002)]);
                assert_eq!(rewritten(&several), Some(expect), "{api} {version}");
            }
            assert_eq!(rewritten(&of(&[("", -1)])), None, "{api} {version}");
            for n_bytes in 0..10 {
                assert_eq!(rewritten(&one[..n_bytes]), None);
            }
        }
        assert_eq!(rewritten(head(PRODUCE, 9), &[0; 100], &Led::default()), None);
    }

    #[test]
    fn versions_that_both_sides_and_seamwork_understand() {
        for version in [0, 2, 3, 4] {
            let of = |produce: i16, fetch: (i16, i16)| {
                let mut writer = Writer::new(version >= 3);
                writer.i16(0);
                writer.count(3);
                for (api, least, most) in
                    [(PRODUCE, 3, produce), (1, fetch.0, fetch.1), (API_VERSIONS, 0, 99)]
                {
                    writer.i16(api);
                    writer.i16(least);
                    writer.i16(most);
                    writer.tags();
                }
                writer.out
            };
            let mut body = of(13, (4, 17));
            agree(version, &mut body);
            assert_eq!(body, of(9, (4, 12)), "{version}");
            let mut body = of(7, (13, 17));
            agree(version, &mut body);
            assert_eq!(body, of(7, (13, 17)), "what is lower, or can't be lower, stays");
        }
    }
}
