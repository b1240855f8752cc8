//! Commands that are read, and commands to a real Redis.

use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, mistakes, run, run_as, servers, step, unsaid};
use seam_value::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[test]
fn mistakes_are_told_at_their_place() {
    mistakes(&[
        ("- redis: redis", "the `redis` step needs `command` [redis: redis]"),
        (
            "- redis: redis.12\n  command: GET a",
            "`redis` has no endpoint or database `12` [12] {did you mean `11`?}",
        ),
        ("- redis: pg\n  command: GET a", "`pg` does not speak redis [pg: this speaks postgres]"),
        ("- redis: redis\n  command: {}", "expected a command like `HGETALL cart:$id` [{}: this is a map]"),
        (
            "- redis: redis\n  command: ' '",
            "expected a command like `HGETALL cart:$id` [' ': this is a text]",
        ),
        ("- redis: redis\n  command: SET a 'b $c", "a quote is opened here and never closed [']"),
        (
            "- redis: redis\n  command: subscribe news",
            "`SUBSCRIBE` listens, and a `redis` step waits for one reply [subscribe news] \
             {look at what passes with a `seam` step}",
        ),
    ]);
}

#[test]
fn what_only_reads_may_be_repeated() {
    for (command, expect) in
        [("GET a", true), ("[hgetall, $key]", true), ("SET a 1", false), ("$command a", false)]
    {
        assert_eq!(step(&format!("- redis: redis\n  command: {command}")).only_reads(), expect, "{command}");
    }
}

fn bed(at: SocketAddr) -> Bed {
    let mut bed = Bed::with(&[("redis", at), ("redis.11", at)]);
    bed.properties.insert("redis.url".to_owned(), format!("redis://:secret@{at}"));
    bed.properties.insert("redis.11.url".to_owned(), format!("redis://:secret@{at}/11"));
    bed
}

/// Commands with the values that they give, in order.
const COMMANDS: &[(&str, &str)] = &[
    ("SET cart:$id $text", r#""OK""#),
    ("GET cart:$id", r#""it's \"quoted\" ä""#),
    ("GET 'cart:a b'", r#""it's \"quoted\" ä""#),
    ("[GET, 'cart:a b']", r#""it's \"quoted\" ä""#),
    ("GET nothing", "null"),
    ("HSET h 978-0 2 x $n", "2"),
    ("HGETALL h", r#"{"978-0":"2","x":"19.90"}"#),
    ("HGETALL nothing", "{}"),
    ("RPUSH l a '' c", "3"),
    ("LRANGE l 0 -1", r#"["a","","c"]"#),
    ("[SET, n, 5, $none]", r#""OK""#),
    ("GET n", r#""5""#),
    ("INCR n", "6"),
    ("ZADD z 1.5 m", "1"),
    ("ZSCORE z m", "1.5"),
    ("SADD s a", "1"),
    ("SMEMBERS s", r#"["a"]"#),
    ("MULTI", r#""OK""#),
    ("INCR n", r#""QUEUED""#),
    ("LPUSH n x", r#""QUEUED""#),
    ("EXEC", r#"[7,{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"}]"#),
    ("EVAL 'return {1, {2, false}}' 0", "[1,[2,null]]"),
    (r#"EVAL "return redis.call('get', KEYS[1])" 1 n"#, r#""7""#),
    ("CONFIG GET maxmemory", r#"{"maxmemory":"0"}"#),
    ("DEBUG PROTOCOL string", r#""Hello World""#),
    ("DEBUG PROTOCOL integer", "12345"),
    ("DEBUG PROTOCOL double", "3.141"),
    ("DEBUG PROTOCOL null", "null"),
    ("DEBUG PROTOCOL array", "[0,1,2]"),
    ("DEBUG PROTOCOL set", "[0,1,2]"),
    ("DEBUG PROTOCOL map", r#"{"0":false,"1":true,"2":false}"#),
    ("DEBUG PROTOCOL attrib", r#""Some real reply following the attribute""#),
    ("DEBUG PROTOCOL verbatim", r#""This is a verbatim\nstring""#),
    ("DEBUG PROTOCOL true", "true"),
    ("DEBUG PROTOCOL false", "false"),
    ("DEBUG PROTOCOL bignum", "1234567999999999999999999999999999999"),
    ("EVAL \"redis.setresp(3); return {big_number='12345678901234567890123'}\" 0", "12345678901234567890123"),
    (r#"EVAL "return '\255\000'" 0"#, r#"{"base64":"/wA="}"#),
    ("ZADD z 2 n", "1"),
    ("ZRANGE z 0 -1 WITHSCORES", r#"[["m",1.5],["n",2]]"#),
    ("XADD x 1-1 a 1 b 2", r#""1-1""#),
    ("XRANGE x - +", r#"[["1-1",["a","1","b","2"]]]"#),
    ("XREAD STREAMS x 0", r#"{"x":[["1-1",["a","1","b","2"]]]}"#),
    ("[MSET, k1, 1, k2, $text]", r#""OK""#),
    ("MGET k1 nothing k2", r#"["1",null,"it's \"quoted\" ä"]"#),
    ("EXPIRE k1 100", "1"),
    ("TTL k1", "100"),
    ("EXISTS k1 k2 nothing", "2"),
    ("WATCH k1", r#""OK""#),
    ("UNWATCH", r#""OK""#),
    ("TYPE h", r#""hash""#),
];

#[tokio::test]
async fn against_a_real_server() {
    let Some(server) = servers::redis().await else {
        eprintln!("skipped: there is no Redis on this machine");
        return;
    };
    let bed = bed(server.at);
    let actor = Actor::new("");
    let variables = r#"{"id":"a b","text":"it's \"quoted\" ä","n":19.90,"none":null}"#;
    for (command, expect) in COMMANDS {
        let yaml = match command.strip_prefix('[') {
            Some(_) => format!("- redis: redis\n  command: {command}"),
            None => format!("- redis: redis\n  command: {}", Value::text(*command)),
        };
        let result = run(&yaml, &actor, &bed, variables).await;
        assert_eq!(result.get("value").unwrap().to_string(), *expect, "{command}: {result}");
        assert_eq!(result.get("error"), Some(&Value::Null));
    }
    sessions_and_databases(&bed).await;
    what_fails(&bed).await;
    server.finish().await;
}

async fn sessions_and_databases(bed: &Bed) {
    let other = run("- redis: redis.11\n  command: DBSIZE", &Actor::new(""), bed, "{}").await;
    assert_eq!(other.get("value").unwrap().to_string(), "0", "a database of its own");
    run("- redis: redis.11\n  command: SET n eleven", &Actor::new(""), bed, "{}").await;
    for (name, expect) in [("redis.11", r#""eleven""#), ("redis", r#""7""#)] {
        let result = run(&format!("- redis: {name}\n  command: GET n"), &Actor::new(""), bed, "{}").await;
        assert_eq!(result.get("value").unwrap().to_string(), expect, "{name}");
    }
    let (ann, bob) = (Actor::new("ann"), Actor::new("bob"));
    run("- redis: redis\n  command: MULTI", &ann, bed, "{}").await;
    let queued = run("- redis: redis\n  command: INCR n", &ann, bed, "{}").await;
    let done = run("- redis: redis\n  command: INCR n", &bob, bed, "{}").await;
    assert_eq!([queued, done].map(|result| result.get("value").unwrap().to_string()), [r#""QUEUED""#, "8"]);
    drop(ann);
    let fresh = run("- redis: redis\n  command: GET n", &Actor::new("ann"), bed, "{}").await;
    assert_eq!(fresh.get("value").unwrap().to_string(), r#""8""#, "what was queued has gone with its actor");
}

async fn what_fails(bed: &Bed) {
    let wrong = step("- redis: redis\n  command: LPUSH n x");
    let result = run_as(wrong.as_ref(), &Actor::new(""), bed, "{}", LIMIT).await.unwrap();
    let message = "WRONGTYPE Operation against a key holding the wrong kind of value";
    assert_eq!(unsaid(wrong.as_ref(), &result), [format!("error: {message}")]);
    let late = step("- redis: redis\n  command: BLPOP never 0");
    let result = run_as(late.as_ref(), &Actor::new(""), bed, "{}", Duration::from_millis(50)).await.unwrap();
    assert_eq!(result.get("error"), Some(&Value::text("timeout")));
}

/// A server that knows no RESP3.
#[tokio::test]
async fn an_old_server_is_talked_to_in_its_own_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        for reply in ["-ERR unknown command 'HELLO'\r\n", "+OK\r\n", "*2\r\n$1\r\na\r\n$1\r\n1\r\n"] {
            let mut some = [0; 1024];
            let length = stream.read(&mut some).await.unwrap();
            asked.push(String::from_utf8_lossy(&some[..length]).replace("\r\n", " "));
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
        asked
    });
    let result = run("- redis: redis\n  command: HGETALL h", &Actor::new(""), &bed(at), "{}").await;
    assert_eq!(result.get("value").unwrap().to_string(), r#"{"a":"1"}"#);
    let asked = served.await.unwrap();
    assert_eq!(asked[1], "*2 $4 AUTH $6 secret ");
    assert_eq!(asked[2], "*2 $7 HGETALL $1 h ");
}

/// Redis as an address for what some other server says.
#[tokio::test]
async fn what_is_no_redis_is_told() {
    for (said, expect) in [
        ("HTTP/1.1 400 Bad Request\r\n", "the answer is not Redis's protocol: HTTP/1.1 400 Bad Request"),
        ("$99999999999\r\n", "the answer is not Redis's protocol: $99999999999"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut some = [0; 1024];
            let _ = stream.read(&mut some).await;
            stream.write_all(said.as_bytes()).await.unwrap();
            // Open until the other side has seen it.
            let _ = stream.read(&mut some).await;
        });
        let action = step("- redis: redis\n  command: PING");
        let done = run_as(action.as_ref(), &Actor::new(""), &bed(at), "{}", LIMIT).await;
        assert_eq!(done, Err(crate::Trouble::failed(expect)));
    }
}
