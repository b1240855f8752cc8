//! What a Redis server says by itself, for a stub behind which there is none: so that ordinary clients connect, sign
//! in, subscribe and hold transactions, and only what they are there for is asked of the stub.

use super::answer;
use super::command::{Feed, Kind, Replies, Words};
use super::connection::Mode;
use super::splitter::Cutter;
use crate::splitter::Call;
use seam_value::Value;

/// What is said once the answers that are owed before it have been said.
#[derive(Debug)]
pub(super) enum Then {
    Bytes(Vec<u8>),
    /// The results of a transaction: of the commands that were queued up to here.
    Results,
}

/// What some clients ask a server about itself before they go on.
const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n\
    # Persistence\r\nloading:0\r\n# Replication\r\nrole:master\r\n# Cluster\r\ncluster_enabled:0\r\n";

impl Cutter {
    /// What is said by itself to a command; none where it is the stub's to answer.
    pub(super) fn alone(&mut self, kind: Kind, request: &[u8]) -> Option<Then> {
        let mut words = Words::new(request);
        let name = words.next()?.to_ascii_uppercase();
        let args: Vec<&[u8]> = words.take(64).collect();
        let ok = || Some(Then::Bytes(b"+OK\r\n".to_vec()));
        match kind {
            Kind::BeginsTransaction if self.in_multi => {
                return Some(error("ERR MULTI calls can not be nested"));
            }
            Kind::BeginsTransaction => {
                self.in_multi = true;
                return ok();
            }
            Kind::EndsTransaction => return Some(self.end_alone(&name)),
            Kind::Resets => {
                self.in_multi = false;
                self.results.clear();
                self.mode = Mode::default();
                self.feeds.clear();
                return Some(Then::Bytes(b"+RESET\r\n".to_vec()));
            }
            _ if self.in_multi => return None,
            Kind::Hello(_) => return Some(self.hello(&args)),
            Kind::Replies(Replies::On | Replies::Off | Replies::Skip) => return ok(),
            Kind::Subscribes(_) | Kind::Unsubscribes(..) => return Some(self.subscribe(&name, &args)),
            _ => {}
        }
        match name.as_slice() {
            b"AUTH" | b"SELECT" | b"QUIT" | b"READONLY" | b"READWRITE" | b"ASKING" | b"WATCH"
            | b"UNWATCH" => ok(),
            b"PING" => Some(Then::Bytes(self.ping(args.first().copied()))),
            b"ECHO" if args.len() == 1 => Some(value(&super::value::text_of(args[0]))),
            b"INFO" => Some(value(&Value::text(INFO))),
            b"COMMAND" => {
                let counts = args.first().is_some_and(|arg| arg.eq_ignore_ascii_case(b"COUNT"));
                Some(Then::Bytes(if counts { b":0\r\n".to_vec() } else { b"*0\r\n".to_vec() }))
            }
            b"CLIENT" => Some(self.client(args.first().copied())),
            _ => None,
        }
    }

    /// What CLIENT is told, about a connection that is the only one.
    fn client(&self, word: Option<&[u8]>) -> Then {
        const SELF: &str = "id=1 addr=127.0.0.1:1 laddr=127.0.0.1:6379 name= db=0 cmd=client user=default\n";
        let bytes = |bytes: &[u8]| Then::Bytes(bytes.to_vec());
        let Some(word) = word else {
            return error("ERR wrong number of arguments for 'client' command");
        };
        match word.to_ascii_uppercase().as_slice() {
            b"SETNAME" | b"SETINFO" | b"NO-EVICT" | b"NO-TOUCH" | b"TRACKING" | b"CACHING" | b"CAPA"
            | b"PAUSE" | b"UNPAUSE" => bytes(b"+OK\r\n"),
            b"ID" => bytes(b":1\r\n"),
            b"GETREDIR" => bytes(b":-1\r\n"),
            b"KILL" | b"UNBLOCK" => bytes(b":0\r\n"),
            b"LIST" | b"INFO" => value(&Value::text(SELF)),
            b"GETNAME" => Then::Bytes(answer::encode(&Value::Null, answer::Shape::Texts, self.mode.is_resp3)),
            // Clients ask for what newer servers can, and do without where it is not there.
            _ => {
                let word = String::from_utf8_lossy(word).replace(['\r', '\n'], " ");
                error(&format!("ERR unknown subcommand '{word}'. Try CLIENT HELP."))
            }
        }
    }

    fn end_alone(&mut self, name: &[u8]) -> Then {
        let is_exec = name == b"EXEC";
        if !std::mem::take(&mut self.in_multi) {
            let name = if is_exec { "EXEC" } else { "DISCARD" };
            return error(&format!("ERR {name} without MULTI"));
        }
        if is_exec {
            return Then::Results;
        }
        self.results.clear();
        Then::Bytes(b"+OK\r\n".to_vec())
    }

    fn hello(&mut self, args: &[&[u8]]) -> Then {
        let version = match args.first().copied() {
            None => u8::from(self.mode.is_resp3) + 2,
            Some(b"2") => 2,
            Some(b"3") => 3,
            Some(_) => return error("NOPROTO unsupported protocol version"),
        };
        self.mode.is_resp3 = version == 3;
        let about = Value::map([
            ("server", Value::text("redis")),
            ("version", Value::text("7.0.15")),
            ("proto", Value::from(u64::from(version))),
            ("id", Value::from(1_u64)),
            ("mode", Value::text("standalone")),
            ("role", Value::text("master")),
            ("modules", Value::List(Vec::new())),
        ]);
        Then::Bytes(answer::encode(&about, answer::Shape::Any, self.mode.is_resp3))
    }

    fn ping(&self, arg: Option<&[u8]>) -> Vec<u8> {
        let is_subscribed = self.feeds.count(Feed::Channels) + self.feeds.count(Feed::Shards) > 0;
        let text = arg.map(super::value::text_of);
        if is_subscribed && !self.mode.is_resp3 {
            let list = Value::List(vec![Value::text("pong"), text.unwrap_or_else(|| Value::text(""))]);
            return answer::encode(&list, answer::Shape::Texts, false);
        }
        match text {
            None => b"+PONG\r\n".to_vec(),
            Some(text) => answer::encode(&text, answer::Shape::Texts, false),
        }
    }

    /// SUBSCRIBE and its kin, confirmed name by name.
    fn subscribe(&mut self, name: &[u8], args: &[&[u8]]) -> Then {
        let word = name.to_ascii_lowercase();
        let feed = match word.as_slice() {
            [b'p', ..] => Feed::Patterns,
            b"ssubscribe" | b"sunsubscribe" => Feed::Shards,
            _ => Feed::Channels,
        };
        let is_off = word.ends_with(b"unsubscribe");
        let mut names: Vec<Vec<u8>> = args.iter().map(|name| name.to_vec()).collect();
        if is_off && names.is_empty() {
            names = self.feeds.of(feed).map(<[u8]>::to_vec).collect();
        }
        let mut bytes = Vec::new();
        let count = |cutter: &Self| i64::try_from(cutter.feeds.count(feed)).unwrap_or(i64::MAX);
        if names.is_empty() {
            bytes = answer::confirmed(&word, None, count(self), self.mode.is_resp3);
        }
        for name in names {
            if is_off {
                self.feeds.remove(feed, &name);
            } else {
                self.feeds.add(feed, &name);
            }
            let confirmed = answer::confirmed(&word, Some(&name), count(self), self.mode.is_resp3);
            bytes.extend_from_slice(&confirmed);
        }
        Then::Bytes(bytes)
    }

    /// Writes what was put off until here. `call` is the one that was answered last.
    pub(super) fn say_now(&mut self, then: Vec<Then>, call: Option<Call>, out: &mut Vec<u8>) {
        for then in then {
            match then {
                Then::Bytes(bytes) => out.extend_from_slice(&bytes),
                Then::Results => {
                    let call = call.unwrap_or(Call::MAX);
                    let n_results = self.results.iter().take_while(|(other, _)| *other <= call).count();
                    let results: Vec<_> = self.results.drain(..n_results).map(|(_, reply)| reply).collect();
                    if results.iter().any(Option::is_none) {
                        let line = "EXECABORT Transaction discarded because of previous errors.";
                        out.extend_from_slice(&answer::error(line));
                        continue;
                    }
                    out.extend_from_slice(format!("*{n_results}\r\n").as_bytes());
                    for reply in results.iter().flatten() {
                        out.extend_from_slice(reply);
                    }
                }
            }
        }
    }
}

fn error(line: &str) -> Then {
    Then::Bytes(answer::error(line))
}

fn value(value: &Value) -> Then {
    Then::Bytes(answer::encode(value, answer::Shape::Texts, false))
}
