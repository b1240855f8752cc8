//! Everything that a Redis holds, at one moment: keys as DUMP gives them, functions, users and configuration.

use super::client::{AskError, Client, Command, Reply, command, sound};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// How many keys are read at once.
const AT_ONCE: usize = 256;

/// An older server says only how long a key has left, so that two looks differ a little.
const SLACK_MS: u64 = 100;

/// A key's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// As DUMP gives it.
    pub(super) payload: Bytes,
    /// When it expires, in milliseconds since 1970; 0 for never.
    pub(super) expires: u64,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) databases: BTreeMap<u32, BTreeMap<Bytes, Entry>>,
    pub(super) besides: Besides,
}

/// What is there besides keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Besides {
    /// As FUNCTION DUMP gives them; none where the server knows no functions.
    pub(super) functions: Option<Bytes>,
    /// What ACL LIST says of each user.
    pub(super) users: BTreeMap<String, String>,
    pub(super) settings: BTreeMap<String, String>,
}

/// Numbers that move when something has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Who the server is: another one after it was started anew.
    pub(super) run_id: String,
    /// How much was written since the last save, and when that was.
    written: [String; 2],
    /// How often commands were used of which the server tells nobody that they change keys.
    silent: [String; 3],
    /// Databases with keys.
    pub(super) databases: Vec<u32>,
    pub(super) is_replica: bool,
}

/// Reads from a server.
pub(super) struct Reader<'c> {
    pub(super) client: &'c mut Client,
    /// The first number of its version.
    pub(super) major: u32,
}

impl Entry {
    /// Are they the same?
    pub(super) fn is(&self, other: &Self) -> bool {
        self.payload == other.payload && self.expires.abs_diff(other.expires) <= SLACK_MS
    }

    /// Has it expired?
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.expires != 0 && self.expires <= now
    }

    /// May it change without that the server tells? Reading from a stream as one of a group does.
    pub(super) fn changes_silently(&self) -> bool {
        // The first byte says the type: those of streams, and those that we do not know.
        self.payload.first().is_none_or(|first| matches!(first, 15 | 19 | 21 | 26..))
    }
}

impl Counters {
    /// Has nothing been written?
    pub(super) fn same_writes(&self, other: &Self) -> bool {
        self.written == other.written && self.same_silent(other)
    }

    /// Has nothing been done of which the server does not tell?
    pub(super) fn same_silent(&self, other: &Self) -> bool {
        self.silent == other.silent && self.run_id == other.run_id
    }
}

impl Reader<'_> {
    pub(super) async fn counters(&mut self) -> Result<Counters, AskError> {
        let info = self.client.ask(&["INFO", "all"]).await?.text();
        let value = |name: &str| {
            let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found.unwrap_or_default().to_owned()
        };
        let calls = |name: &str| value(name).split(',').next().unwrap_or_default().to_owned();
        let databases =
            info.lines().filter_map(|line| line.strip_prefix("db")?.split_once(":keys=")?.0.parse().ok());
        Ok(Counters {
            run_id: value("run_id"),
            written: [value("rdb_changes_since_last_save"), value("rdb_last_save_time")],
            silent: [calls("cmdstat_swapdb"), calls("cmdstat_debug"), calls("cmdstat_config|resetstat")],
            databases: databases.collect(),
            is_replica: value("role") == "slave",
        })
    }

    /// Functions, users and configuration.
    pub(super) async fn besides(&mut self) -> Result<Besides, AskError> {
        let asked =
            [command(&["CONFIG", "GET", "*"]), command(&["ACL", "LIST"]), command(&["FUNCTION", "DUMP"])];
        let mut replies = self.client.ask_all(&asked).await?.into_iter();
        let settings = sound(&asked[0], replies.next().unwrap_or(Reply::Nothing))?.list();
        // Older servers know neither users nor functions.
        let users = replies.next().unwrap_or(Reply::Nothing).list();
        let functions = replies.next().and_then(Reply::bytes);
        let pairs = settings.chunks_exact(2).map(|pair| (pair[0].text(), pair[1].text()));
        let user = |line: &Reply| Some(line.text().strip_prefix("user ")?.split_once(' ')?.0.to_owned());
        let users = users.iter().filter_map(|line| Some((user(line)?, rules(line))));
        Ok(Besides { functions, users: users.collect(), settings: pairs.collect() })
    }

    /// Everything.
    pub(super) async fn everything(&mut self, counters: &Counters) -> Result<Snapshot, AskError> {
        let mut snapshot = Snapshot { besides: self.besides().await?, ..Snapshot::default() };
        for database in &counters.databases {
            let names: Vec<Bytes> = self.names(*database).await?.into_iter().collect();
            let keys = snapshot.databases.entry(*database).or_default();
            for names in names.chunks(AT_ONCE) {
                let entries = self.entries(*database, names).await?;
                keys.extend(
                    names.iter().cloned().zip(entries).filter_map(|(name, entry)| Some((name, entry?))),
                );
            }
        }
        Ok(snapshot)
    }

    /// The names of all keys of a database.
    pub(super) async fn names(&mut self, database: u32) -> Result<BTreeSet<Bytes>, AskError> {
        let mut names = BTreeSet::new();
        let mut cursor = "0".to_owned();
        self.select(database).await?;
        loop {
            let reply = self.client.ask(&["SCAN", &cursor, "COUNT", "1000"]).await?;
            let mut parts = reply.list().into_iter();
            cursor = parts.next().map(|cursor| cursor.text()).unwrap_or_default();
            names.extend(parts.next().unwrap_or(Reply::Nothing).list().into_iter().filter_map(Reply::bytes));
            if cursor.is_empty() || cursor == "0" {
                return Ok(names);
            }
        }
    }

    /// The content of keys, in their order; none where there is no such key.
    pub(super) async fn entries(
        &mut self,
        database: u32,
        names: &[Bytes],
    ) -> Result<Vec<Option<Entry>>, AskError> {
        let mut entries = Vec::with_capacity(names.len());
        let expires = if self.major >= 7 { "PEXPIRETIME" } else { "PTTL" };
        for names in names.chunks(AT_ONCE) {
            let mut asked = vec![command(&["SELECT", &database.to_string()]), command(&["TIME"])];
            for name in names {
                asked.push(with_key("DUMP", name));
                asked.push(with_key(expires, name));
            }
            let mut replies = self.client.ask_all(&asked).await?.into_iter();
            sound(&asked[0], replies.next().unwrap_or(Reply::Nothing))?;
            let now = replies.next().unwrap_or(Reply::Nothing).list();
            let now = if self.major >= 7 { 0 } else { milliseconds(&now) };
            for asked in asked[2..].chunks_exact(2) {
                let payload = sound(&asked[0], replies.next().unwrap_or(Reply::Nothing))?;
                let left = sound(&asked[1], replies.next().unwrap_or(Reply::Nothing))?;
                let expires = match left {
                    Reply::Number(left) => u64::try_from(left).map_or(0, |left| now + left),
                    _ => 0,
                };
                entries.push(payload.bytes().map(|payload| Entry { payload, expires }));
            }
        }
        Ok(entries)
    }

    /// The server's clock in milliseconds since 1970.
    pub(super) async fn now(&mut self) -> Result<u64, AskError> {
        Ok(milliseconds(&self.client.ask(&["TIME"]).await?.list()))
    }

    async fn select(&mut self, database: u32) -> Result<(), AskError> {
        self.client.ask(&["SELECT", &database.to_string()]).await.map(|_| ())
    }
}

/// A user's line without what every user who was ever reset has.
fn rules(line: &Reply) -> String {
    let text = line.text();
    text.split(' ').filter(|rule| *rule != "sanitize-payload").collect::<Vec<_>>().join(" ")
}

fn milliseconds(time: &[Reply]) -> u64 {
    let number =
        |nth: usize| time.get(nth).and_then(|part| part.text().parse::<u64>().ok()).unwrap_or_default();
    number(0) * 1000 + number(1) / 1000
}

/// A command about one key.
pub(super) fn with_key(name: &'static str, key: &Bytes) -> Command {
    vec![Bytes::from_static(name.as_bytes()), key.clone()]
}
