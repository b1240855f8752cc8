//! The protocols that a seam can be watched in: one folder and one line in one table each.

use crate::amqp::Amqp;
use crate::conversation::{Conversation, Limits};
use crate::grpc::{Descriptors, Grpc};
use crate::http::Http;
use crate::kafka::Kafka;
use crate::mqtt::Mqtt;
use crate::mysql::Mysql;
use crate::nats::Nats;
use crate::postgres::Postgres;
use crate::publishing::{Publisher, SignIn};
use crate::redis::Redis;
use crate::smtp::{Smtp, Smtps};
use crate::splitter::Unanswerable;
use crate::tcp::Tcp;
use crate::upgrade::{Upgrade, Urge};
use seam_model::{Field, Shape, Word};
use seam_value::Value;
use std::fmt;
use std::sync::Arc;

/// All protocols, in the order in which the reference lists them.
pub static PROTOCOLS: &[&dyn Protocol] =
    &[&Http, &Grpc, &Amqp, &Kafka, &Mqtt, &Mysql, &Nats, &Postgres, &Redis, &Smtp, &Smtps, &Tcp];

/// The protocol of this name (`protocol: http`), if there is one.
pub fn protocol(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|protocol| protocol.name() == name)
}

/// The protocol that addresses of this scheme mean: `nats` of `nats://`, `postgres` of `postgresql://`, `http` of `https://`.
/// None where the scheme says only how bytes are carried (`tcp`, `tls`), or nothing that is known.
#[must_use]
pub fn protocol_of(scheme: &str) -> Option<&'static dyn Protocol> {
    let means = |protocol: &&dyn Protocol| {
        [protocol.scheme(), protocol.tls_scheme(), protocol.name()].contains(&scheme)
    };
    PROTOCOLS.iter().copied().filter(|_| !matches!(scheme, "tcp" | "tls")).find(means)
}

/// What a piece of a connection on which calls may overtake each other must not overtake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Free,
    /// What was said before within the same: an AMQP channel.
    Within(u64),
    /// Anything that was said before it.
    All,
}

/// What may be done to what passes, beyond letting it go, holding it, or breaking what carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A call is answered in the provider's place.
    Answer,
    /// A reply says another value in one of its fields.
    ChangeReply,
    /// A reply's content is noise.
    GarbleReply,
    /// A reply breaks off.
    BreakReply,
    /// A message that nobody answers says something else.
    ChangeMessage,
    /// A request, or a message, arrives twice.
    Repeat,
}

/// One protocol: what it is called, and how to watch a connection that speaks it.
pub trait Protocol: Sync {
    /// Its documentation: the name is the one in `protocol:`, the results are an interaction's fields.
    fn word(&self) -> &'static Word;

    /// The name in `protocol:` and in [`Interaction::protocol`](seam_event::Interaction::protocol).
    fn name(&self) -> &'static str {
        self.word().name
    }

    /// Another protocol whose interactions pass here as well, where what comes may turn out to be that.
    fn also(&self) -> Option<&'static dyn Protocol> {
        None
    }

    /// What interactions of this protocol may have in one of their parts (`request`, `reply`, `message`); empty where
    /// they have no such part.
    fn fields_of(&self, part: &str) -> Vec<&'static Field> {
        let own = self.word().results.iter().filter(|field| field.name == part);
        let own = own.filter_map(|field| match field.shape {
            Shape::Fields(fields) => Some(fields),
            _ => None,
        });
        let also = self.also().map_or_else(Vec::new, |protocol| protocol.fields_of(part));
        own.flatten().chain(also).collect()
    }

    /// What a message that is said to a consumer of our own accord may have; empty where that is the message's own affair.
    fn pushed_fields(&self) -> Vec<&'static str> {
        self.fields_of("message").iter().map(|field| field.name).collect()
    }

    /// The scheme of addresses: `postgresql` in `postgresql://`.
    fn scheme(&self) -> &'static str;

    /// The scheme of addresses where TLS comes first of all: `https`. The same where that is said otherwise.
    fn tls_scheme(&self) -> &'static str {
        self.scheme()
    }

    /// The port by custom, where there is one.
    fn default_port(&self) -> Option<u16>;

    /// Does one connection carry several calls at once, whose replies may come in any order?
    fn multiplexes(&self) -> bool {
        false
    }

    /// Where calls may overtake each other: what must these bytes, a whole piece, not overtake?
    fn order(&self, bytes: &[u8]) -> Order {
        let _ = bytes;
        Order::Free
    }

    /// Are its connections always held, because something has to be rewritten in them for clients to stay on the seam?
    fn is_always_held(&self) -> bool {
        false
    }

    /// Can a connection that nobody stood behind be passed on to a provider later, because no log-in or greeting ties
    /// it to one?
    fn is_stateless(&self) -> bool {
        false
    }

    /// Is the content of a reply one text, which may be packed, and is said anew with all that is around it? Otherwise its
    /// characters are changed where they stand.
    fn says_texts(&self) -> bool {
        false
    }

    /// What to answer in the provider's place to the opening bytes of a connection, without passing them on,
    /// so that the seam stays legible: PostgreSQL's way of saying that there is no TLS. `None`: pass them on.
    fn declines(&self, opening: &[u8]) -> Option<&'static [u8]> {
        let _ = opening;
        None
    }

    /// Does a consumer who opens a connection with these bytes want TLS? Then what to answer before the handshake; the
    /// opening bytes belong to the handshake only where that is nothing.
    fn wants_tls(&self, opening: &[u8]) -> Option<&'static [u8]> {
        // A record of a handshake, of TLS 1.0 or later (RFC 8446, 5.1). No protocol here begins so otherwise.
        matches!(opening, [0x16, 3, ..]).then_some(b"")
    }

    /// Does TLS come first of all, although it is the provider who speaks first? Then it says nothing to a consumer before
    /// that has come with TLS.
    fn begins_with_tls(&self) -> bool {
        false
    }

    /// Brings a consumer to TLS who asks for it in the middle of what is said; none where TLS comes first of all, or is
    /// [asked for](Self::wants_tls) first of all.
    fn offers_tls(&self) -> Option<Box<dyn Upgrade>> {
        None
    }

    /// Brings the connection to a provider to TLS in the middle of what is said; none where TLS comes first of all, or
    /// where it does not matter to a provider that its consumer speaks it.
    fn asks_for_tls(&self, urge: Urge) -> Option<Box<dyn Upgrade>> {
        let _ = urge;
        None
    }

    /// The names by which TLS (ALPN, RFC 7301) knows what is spoken here, the best first.
    fn tls_names(&self) -> &'static [&'static [u8]] {
        &[]
    }

    /// Why that can be done to nothing that passes in this protocol; none where it may.
    fn lacks(&self, deed: Deed) -> Option<&'static str> {
        let _ = deed;
        None
    }

    /// The answer as an interaction tells it that was answered so: without the short forms in which it may be written.
    fn told(&self, answer: &Value) -> Value {
        answer.clone()
    }

    /// Why no answer of this protocol can be such, whatever was asked; none where one may.
    fn misfit(&self, answer: &Value) -> Option<Unanswerable> {
        let _ = answer;
        None
    }

    /// The same for an answer to the call of a path, where it is described what that answers.
    fn misfit_of(&self, descriptors: &Descriptors, path: &str, answer: &Value) -> Option<Unanswerable> {
        let _ = (descriptors, path);
        self.misfit(answer)
    }

    /// Begins to watch one connection.
    fn begin(&self, limits: Limits) -> Box<dyn Conversation>;

    /// Begins to watch one connection, with the descriptions of what is spoken on it. Where a protocol has no use for
    /// them it is watched all the same.
    fn begin_described(&self, limits: Limits, descriptors: &Arc<Descriptors>) -> Box<dyn Conversation> {
        let _ = descriptors;
        self.begin(limits)
    }

    /// What somebody who publishes may say besides topic and body; empty where nothing is published.
    fn published_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// Begins a connection of somebody who publishes; none where nothing is published.
    fn publisher(&self, sign_in: SignIn) -> Option<Box<dyn Publisher>> {
        let _ = sign_in;
        None
    }
}

impl fmt::Debug for dyn Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{Protocol, protocol_of};

    #[test]
    fn schemes_say_what_is_spoken() {
        let table = [
            ("http", Some("http")),
            ("https", Some("http")),
            ("grpc", Some("grpc")),
            ("postgresql", Some("postgres")),
            ("postgres", Some("postgres")),
            ("mysql", Some("mysql")),
            ("rediss", Some("redis")),
            ("amqps", Some("amqp")),
            ("mqtt", Some("mqtt")),
            ("nats", Some("nats")),
            ("kafka", Some("kafka")),
            ("smtp", Some("smtp")),
            ("smtps", Some("smtps")),
            ("tcp", None),
            ("tls", None),
            ("", None),
            ("gopher", None),
        ];
        for (scheme, name) in table {
            assert_eq!(protocol_of(scheme).map(Protocol::name), name, "{scheme}");
        }
    }
}
