//! A real Redis: raised, seeded, stopped, and put back under open connections.

use super::client::{Client, Reply, command};
use super::declared::{Plan, SeedFile};
use super::running::{self, Redis};
use super::snapshot::Reader;
use crate::programs::Requirement;
use crate::service::{RaiseError, Running, StopHow, Upstream};
use crate::state::{Restored, StateError};
use crate::testbed::Bed;
use std::collections::BTreeSet;
use std::time::Duration;

fn plan() -> Plan {
    Plan {
        requirement: Requirement::default(),
        // Another version than the one that is found.
        program: std::env::var_os("SEAM_TEST_REDIS").map(Into::into),
        password: None,
        databases: 16,
        seeds: Vec::new(),
        settings: Vec::new(),
    }
}

const SEED: &str = r#"
# what a shop has in it
SET greeting "hällo \x00\xff"
SET counter 41
SET session:1 ann PX 100000000
RPUSH queue a b c
SADD tags red green 1 2
ZADD ranks 1.5 a 2 b -inf c
HSET cart:7 book 2 "pen ink" 1
XADD orders 1-1 id 1
XADD orders 2-1 id 2
XGROUP CREATE orders workers 0
XREADGROUP GROUP workers w1 COUNT 1 STREAMS orders >
PFADD visitors ann bob
SETBIT bits 7 1
SELECT 11
SET other 1
SELECT 3
SET far away EX 1000000
"#;

/// What a test may do, and which keys and things that touches.
const CHANGES: &[(&str, &[&str])] = &[
    ("GET counter", &[]),
    ("INCR counter; SET new 1", &["counter", "new"]),
    ("DEL queue; SELECT 11; SET other 2; SELECT 0", &["queue", "11/other"]),
    (
        "LPOP queue; SADD tags blue; ZINCRBY ranks 1 a; HDEL cart:7 book",
        &["cart:7", "queue", "ranks", "tags"],
    ),
    ("PERSIST session:1", &["session:1"]),
    ("EXPIRE session:1 5; EXPIRE counter 100", &["counter", "session:1"]),
    ("XACK orders workers 1-1", &["orders"]),
    ("XREADGROUP GROUP workers w2 STREAMS orders >", &["orders"]),
    ("XADD orders 3-1 id 3; XGROUP CREATE orders others $", &["orders"]),
    (
        "RENAME cart:7 cart:8; MOVE counter 5; COPY tags tags2",
        &["cart:7", "cart:8", "counter", "tags2", "5/counter"],
    ),
    (
        "SWAPDB 0 11",
        &[
            "bits",
            "cart:7",
            "counter",
            "greeting",
            "orders",
            "other",
            "queue",
            "ranks",
            "session:1",
            "tags",
            "12 more keys",
        ],
    ),
    (
        "FLUSHALL",
        &[
            "bits",
            "cart:7",
            "counter",
            "greeting",
            "orders",
            "queue",
            "ranks",
            "session:1",
            "tags",
            "visitors",
            "2 more keys",
        ],
    ),
    ("SELECT 3; FLUSHDB; SELECT 0", &["3/far"]),
    (
        "CONFIG SET maxmemory 50mb; CONFIG SET requirepass x",
        &["the setting maxmemory", "the setting requirepass", "the user default"],
    ),
    (
        "ACL SETUSER eve on >secret ~x:* +get; ACL SETUSER default -flushall",
        &["the user eve, who was new", "the user default"],
    ),
    (
        "FUNCTION LOAD \"#!lua name=lib\nredis.register_function('f', function() return 1 end)\"",
        &["functions"],
    ),
    ("MULTI; INCR counter; DISCARD", &[]),
    ("MULTI; INCR counter; EXEC", &["counter"]),
    ("EVAL \"redis.call('SET', 'from script', '1')\" 0", &["from script"]),
    ("CLIENT PAUSE 60000 WRITE", &[]),
];

struct Shop {
    bed: Bed,
    redis: Redis,
    pool: Vec<Client>,
}

impl Shop {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Plan)) -> Self {
        let bed = Bed::new().await;
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan();
        plan.seeds = vec![seed(&folder, SEED)];
        change(&mut plan);
        let redis = running::raise(&plan, &bed.cx).await.unwrap();
        let mut shop = Self { bed, redis, pool: Vec::new() };
        shop.connect().await;
        shop
    }

    async fn connect(&mut self) {
        self.pool = vec![self.client().await, self.client().await];
    }

    async fn client(&self) -> Client {
        let Upstream::Unix(socket) = self.redis.upstream("3") else { panic!("Redis listens on a socket") };
        Client::open(&socket, None).await.unwrap()
    }

    /// Commands as they stand in a seed, on the first connection of the pool.
    async fn run(&mut self, lines: &str) -> Vec<Reply> {
        let mut replies = Vec::new();
        for line in lines.split(';') {
            let words = super::script::words(line).unwrap();
            let words: Vec<String> = words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            replies.push(self.pool[0].ask(&words).await.unwrap());
        }
        replies
    }

    /// All that can be read, sets in order: they come in another one after they were written anew.
    async fn everything(&self) -> Vec<String> {
        let mut client = self.client().await;
        let major = major(&mut client).await;
        let mut reader = Reader { client: &mut client, major };
        let counters = reader.counters().await.unwrap();
        let mut all = Vec::new();
        for (database, keys) in reader.everything(&counters).await.unwrap().databases {
            for (name, entry) in keys {
                let key = String::from_utf8_lossy(&name).into_owned();
                reader.client.ask(&["SELECT", &database.to_string()]).await.unwrap();
                let kind = reader.client.ask(&["TYPE", &key]).await.unwrap().text();
                let content = match kind.as_str() {
                    "set" => {
                        let members = reader.client.ask(&["SMEMBERS", &key]).await.unwrap().list();
                        let members: BTreeSet<String> = members.iter().map(Reply::text).collect();
                        format!("{members:?}")
                    }
                    "stream" => {
                        let range = reader.client.ask(&["XRANGE", &key, "-", "+"]).await.unwrap();
                        let pending = reader.client.ask(&["XINFO", "GROUPS", &key]).await.unwrap();
                        format!("{range:?} {pending:?}")
                    }
                    _ => format!("{:?}", entry.payload),
                };
                // An older server says only how long a key has left.
                let expires = if major >= 7 { entry.expires } else { u64::from(entry.expires > 0) };
                all.push(format!("{database} {key} {kind} {content} {expires}"));
            }
        }
        let besides = reader.besides().await.unwrap();
        all.push(format!("{besides:?}"));
        all
    }

    async fn end(self) {
        drop(self.pool);
        self.bed.end().await;
    }
}

async fn major(client: &mut Client) -> u32 {
    let info = client.ask(&["INFO", "server"]).await.unwrap().text();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap();
    version.split('.').next().unwrap().parse().unwrap()
}

fn seed(folder: &tempfile::TempDir, text: &str) -> SeedFile {
    let path = folder.path().join("shop.redis");
    std::fs::write(&path, text).unwrap();
    SeedFile { shown: "shop.redis".into(), path }
}

fn changed(restored: &Restored) -> Vec<&str> {
    restored.changed.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn keys_go_back_in_all_databases() {
    let mut shop = Shop::open().await;
    let before = shop.everything().await;
    assert_eq!(before.len(), 13, "{before:#?}");
    let kept = shop.redis.keep().await.unwrap();
    for (what, touched) in CHANGES {
        if what.starts_with("FUNCTION") && major(&mut shop.pool[1]).await < 7 {
            continue;
        }
        shop.run(what).await;
        let restored = shop.redis.restore(&kept).await.unwrap();
        assert_eq!(shop.everything().await, before, "{what}: {restored:?}");
        assert_eq!(changed(&restored), *touched, "{what}");
        assert!(restored.notes.is_empty() && restored.held_open.is_empty(), "{what}: {restored:?}");
        let idle = shop.redis.restore(&kept).await.unwrap();
        assert!(idle.changed.is_empty(), "{what}: {idle:?}");
    }
    shop.end().await;
}

#[tokio::test]
async fn who_waits_goes_on_waiting() {
    let mut shop = Shop::open().await;
    let kept = shop.redis.keep().await.unwrap();
    let mut waiting = Vec::new();
    for words in [
        &["XREADGROUP", "GROUP", "workers", "w9", "BLOCK", "0", "STREAMS", "orders", ">"][..],
        &["BLPOP", "jobs", "0"],
        &["BLMOVE", "jobs2", "x", "LEFT", "LEFT", "0"],
    ] {
        let mut client = shop.client().await;
        if words[0] == "XREADGROUP" {
            client.ask(&["XREADGROUP", "GROUP", "workers", "w9", "STREAMS", "orders", ">"]).await.unwrap();
        }
        let id = client.ask(&["CLIENT", "ID"]).await.unwrap().text();
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        waiting.push(tokio::spawn(async move {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            client.ask(&words).await.unwrap()
        }));
        while !shop.pool[1].ask(&["CLIENT", "LIST", "ID", &id]).await.unwrap().text().contains("flags=b") {}
    }
    let mut subscriber = shop.client().await;
    subscriber.ask(&["SUBSCRIBE", "news"]).await.unwrap();
    let mut transaction = shop.client().await;
    for words in [&["WATCH", "counter"][..], &["MULTI"], &["SET", "counter", "late"]] {
        transaction.ask(words).await.unwrap();
    }
    for what in
        ["SET a 1; DEL queue", "XADD orders 9-9 id 9; XACK orders workers 2-1", "DEL orders; SET orders 1"]
    {
        if what.starts_with("DEL orders") {
            // Who waits for a stream that is deleted is told so by Redis itself.
            break;
        }
        shop.run(what).await;
        let restored = shop.redis.restore(&kept).await.unwrap();
        assert!(!restored.changed.is_empty(), "{what}");
    }
    assert!(!waiting[1].is_finished() && !waiting[2].is_finished());
    assert_eq!(transaction.ask(&["DISCARD"]).await.unwrap().text(), "OK");
    shop.run("RPUSH jobs one; RPUSH jobs2 two; PUBLISH news 1").await;
    for waits in waiting.drain(1..) {
        assert_ne!(waits.await.unwrap(), Reply::Nothing);
    }
    shop.end().await;
}

#[tokio::test]
async fn a_stream_whose_readers_wait_is_put_back_under_them() {
    let mut shop = Shop::open().await;
    shop.run("XREADGROUP GROUP workers w1 STREAMS orders >").await;
    let before = shop.everything().await;
    let kept = shop.redis.keep().await.unwrap();
    let mut worker = shop.client().await;
    let id = worker.ask(&["CLIENT", "ID"]).await.unwrap().text();
    let waits = tokio::spawn(async move {
        let words = ["XREADGROUP", "GROUP", "workers", "w1", "BLOCK", "0", "STREAMS", "orders", ">"];
        (worker.ask(&words).await.unwrap(), worker)
    });
    while !shop.pool[1].ask(&["CLIENT", "LIST", "ID", &id]).await.unwrap().text().contains("flags=b") {}
    shop.run("XACK orders workers 1-1; XTRIM orders MAXLEN 1").await;
    let restored = shop.redis.restore(&kept).await.unwrap();
    assert_eq!(changed(&restored), ["orders"]);
    assert_eq!(shop.everything().await, before);
    assert!(!waits.is_finished(), "it goes on waiting");
    shop.run("XADD orders 7-1 id 7").await;
    let (read, _worker) = waits.await.unwrap();
    assert!(format!("{read:?}").contains("7-1"), "{read:?}");
    shop.redis.restore(&kept).await.unwrap();
    assert_eq!(shop.everything().await, before);
    shop.end().await;
}

#[tokio::test]
async fn kept_states_nest() {
    let mut shop = Shop::open().await;
    let base = shop.everything().await;
    let kept_base = shop.redis.keep().await.unwrap();
    shop.run("SET fixture 1; XADD orders 5-5 id 5; DEL queue").await;
    let fixture = shop.everything().await;
    let kept_fixture = shop.redis.keep().await.unwrap();
    for _ in 0..2 {
        shop.run("SET fixture 2; SET more 1; XACK orders workers 1-1").await;
        shop.redis.restore(&kept_fixture).await.unwrap();
        assert_eq!(shop.everything().await, fixture);
        shop.run("DEL fixture").await;
        shop.redis.restore(&kept_base).await.unwrap();
        assert_eq!(shop.everything().await, base);
        shop.redis.restore(&kept_fixture).await.unwrap();
        assert_eq!(shop.everything().await, fixture);
    }
    shop.run("FLUSHALL").await;
    shop.redis.restore(&kept_base).await.unwrap();
    assert_eq!(shop.everything().await, base);
    let other = Shop::open().await;
    assert!(matches!(other.redis.restore(&kept_base).await, Err(StateError::Foreign)));
    other.end().await;
    shop.end().await;
}

#[tokio::test]
async fn a_time_that_is_over_stays_over() {
    let mut shop = Shop::open().await;
    shop.run("SET brief 1 PX 40").await;
    let kept = shop.redis.keep().await.unwrap();
    while shop.pool[0].ask(&["EXISTS", "brief"]).await.unwrap() == Reply::Number(1) {}
    assert!(shop.redis.restore(&kept).await.unwrap().changed.is_empty());
    shop.run("SET brief again").await;
    assert_eq!(changed(&shop.redis.restore(&kept).await.unwrap()), ["brief"]);
    assert_eq!(shop.pool[0].ask(&["EXISTS", "brief"]).await.unwrap(), Reply::Number(0));
    shop.end().await;
}

#[tokio::test]
async fn large_values_and_many_keys_go_back() {
    let mut shop = Shop::open().await;
    let many: Vec<_> = (0..3000).map(|n| command(&["SET", &format!("many:{n}"), "x"])).collect();
    shop.pool[0].ask_all(&many).await.unwrap();
    let large: Vec<_> = (0..2000).map(|n| command(&["SADD", "large", &format!("member {n}")])).collect();
    shop.pool[0].ask_all(&large).await.unwrap();
    let text = "x".repeat(3 << 20);
    shop.pool[0].ask(&["SET", "text", &text]).await.unwrap();
    let before = shop.everything().await;
    let kept = shop.redis.keep().await.unwrap();
    for what in ["FLUSHALL", "SREM large \"member 3\"; APPEND text y; DEL many:7", "SWAPDB 0 1"] {
        shop.run(what).await;
        let restored = shop.redis.restore(&kept).await.unwrap();
        eprintln!("{what}: {:?}", restored.took);
        assert_eq!(shop.everything().await, before, "{what}");
    }
    shop.end().await;
}

#[tokio::test]
async fn state_outlives_a_crash_and_a_stop() {
    let mut shop = Shop::open().await;
    let before = shop.everything().await;
    let kept = shop.redis.keep().await.unwrap();
    for how in [StopHow::Killed, StopHow::Asked(Duration::from_secs(10))] {
        shop.redis.stop(how).await.unwrap();
        assert!(!shop.redis.upstream("").accepts().await);
        assert!(matches!(shop.redis.restore(&kept).await, Err(StateError::Unreachable { .. })));
        shop.redis.start().await.unwrap();
        shop.connect().await;
        assert_eq!(shop.run("DBSIZE").await, [Reply::Number(0)], "nothing was written to the disk");
        shop.redis.restore(&kept).await.unwrap();
        assert_eq!(shop.everything().await, before, "{how:?}");
    }
    shop.end().await;
}

#[tokio::test]
async fn a_script_without_end_is_ended_and_told() {
    let mut shop = Shop::with(|plan| plan.settings.push(("lua-time-limit".into(), "20".into()))).await;
    let kept = shop.redis.keep().await.unwrap();
    let mut client = shop.client().await;
    let runs = tokio::spawn(async move { client.ask(&["EVAL", "while true do end", "0"]).await });
    while shop.pool[1].ask(&["PING"]).await.is_ok() {}
    let restored = shop.redis.restore(&kept).await.unwrap();
    assert_eq!(restored.held_open.len(), 1, "{restored:?}");
    assert!(runs.await.unwrap().is_err());
    shop.run("SET a 1").await;
    shop.end().await;
}

#[tokio::test]
async fn a_password_is_asked_for() {
    let shop = Shop::with(|plan| plan.password = Some("p\"a ß\\".to_owned()));
    let bed = Bed::new().await;
    drop(shop);
    let redis =
        running::raise(&Plan { password: Some("p\"a ß\\".to_owned()), ..plan() }, &bed.cx).await.unwrap();
    let Upstream::Unix(socket) = redis.upstream("") else { panic!("a socket") };
    let mut client = Client::open(&socket, Some("p\"a ß\\")).await.unwrap();
    client.ask(&["SET", "a", "1"]).await.unwrap();
    assert!(Client::open(&socket, Some("wrong")).await.is_err());
    let mut nobody = Client::open(&socket, None).await.unwrap();
    assert!(nobody.ask(&["GET", "a"]).await.is_err());
    let kept = redis.keep().await.unwrap();
    client.ask(&["DEL", "a"]).await.unwrap();
    assert_eq!(changed(&redis.restore(&kept).await.unwrap()), ["a"]);
    bed.end().await;
}

#[tokio::test]
async fn a_refused_seed_is_pointed_at() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    for (text, line, message) in [
        ("SET a 1\nLPUSH a 2\n", 2, "WRONGTYPE"),
        ("\n\nSET a \"open\n", 3, "a quote is not closed"),
        ("SELECT 99\n", 1, "out of range"),
        ("NOPE\n", 1, "unknown command"),
    ] {
        let plan = Plan { seeds: vec![seed(&folder, text)], ..plan() };
        let Err(RaiseError::Seed(error)) = running::raise(&plan, &bed.cx).await else { panic!("{text}") };
        assert_eq!(error.line, line, "{text}");
        assert!(error.message.contains(message), "{}", error.message);
    }
    bed.end().await;
}

#[tokio::test]
async fn what_cannot_start_says_why_at_once() {
    let bed = Bed::new().await;
    let mut plan = plan();
    plan.settings.push(("maxmemory-policy".to_owned(), "sometimes".to_owned()));
    let Err(RaiseError::Died { lines, .. }) = running::raise(&plan, &bed.cx).await else {
        panic!("it must not start")
    };
    assert!(lines.iter().any(|line| line.contains("maxmemory-policy")), "{lines:?}");
    plan.settings.clear();
    plan.requirement = Requirement::read(">=99").unwrap();
    let Err(RaiseError::Program(none)) = running::raise(&plan, &bed.cx).await else {
        panic!("no such version")
    };
    assert!(none.to_string().contains("Redis is needed (>=99)"), "{none}");
    bed.end().await;
}
