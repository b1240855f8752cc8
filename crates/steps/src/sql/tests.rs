//! Queries that are read, and queries against a real PostgreSQL.

use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, mistakes, run, run_as, servers, step, unsaid};
use seam_value::Value;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn mistakes_are_told_at_their_place() {
    mistakes(&[
        ("- sql: pg.orders", "the `sql` step needs `query` [sql: pg.orders]"),
        (
            "- sql: gateway\n  query: select 1",
            "`gateway` does not speak postgres or mysql [gateway: this speaks http] {declare what it speaks: \
             `protocol: postgres` or `protocol: mysql` at `gateway`, or a further endpoint: \
             `endpoints: { name: postgres }`, which is `gateway.name` here}",
        ),
        (
            "- sql: pg.order\n  query: select 1",
            "`pg` has no endpoint or database `order` [order] {did you mean `orders`?}",
        ),
        ("- sql: pg.orders\n  query: 5", "`query` must be a text [5: this is a number]"),
        ("- sql: pg.orders\n  query: ' -- nothing'", "there is no statement in this query [' -- nothing']"),
        (
            "- sql: pg.orders\n  query: select * from books where isbn = '$isbn'",
            "`$isbn` stands in quotes, where no value can be passed [$isbn] {write $isbn}",
        ),
        (
            "- sql: pg.orders\n  query: select * from books where title like '%$word%'",
            "`$word` stands in quotes, where no value can be passed [$word] {write '%' || $word || '%'}",
        ),
        (
            "- sql: pg.orders\n  query: select '${ a + 1 } it''s $b.c'",
            "`${a + 1}` stands in quotes, where no value can be passed [a + 1] \
             {write ${a + 1} || ' it''s ' || $b.c}",
        ),
        (
            "- sql: pg.orders\n  query: select * from books where id = $1 and a = '$2'",
            "`$1` is no variable [$1] {write a name where the value stands: `where id = $order`}",
        ),
        (
            "- sql: pg.orders\n  query: select * from \"$table\"",
            "the name of a table or column can't be a variable [$table]",
        ),
        (
            "- sql: maria\n  query: select * from `$table` where a = 'it\\'s'",
            "the name of a table or column can't be a variable [$table]",
        ),
        (
            "- sql: maria\n  query: select * from books where title like \"%$word%\"",
            "`$word` stands in quotes, where no value can be passed [$word] {write concat('%', $word, '%')}",
        ),
        (
            "- sql: maria\n  query: select * from books where id = ? # why?",
            "`?` is no variable [?] {write a name where the value stands: `where id = $order`}",
        ),
    ]);
}

#[test]
fn what_only_reads_may_be_repeated() {
    for (query, expect) in [
        ("select 1", true),
        ("SELECT * from books where id = $id for update", true),
        ("with a as (select 1) select * from a", true),
        ("with a as (delete from b returning *) select * from a", false),
        ("select * into a from b", false),
        ("select 1; insert into a values (1)", false),
        ("select 'delete from a'", true),
        ("values (1)", true),
        ("explain analyze insert into a values (1)", false),
        ("update a set b = 1", false),
        ("begin", false),
        ("/* select */ delete from a", false),
    ] {
        let action = step(&format!("- sql: pg.orders\n  query: {}", Value::text(query)));
        assert_eq!(action.only_reads(), expect, "{query}");
    }
}

#[tokio::test]
async fn against_a_real_server() {
    let Some(server) = servers::postgres().await else {
        eprintln!("skipped: there is no PostgreSQL on this machine");
        return;
    };
    let bed = bed(server.at, "tester:p%40ss%3Aword");
    let setup = "create table books (id bigint primary key, isbn text not null unique, price numeric(10,2), \
                 stock int check (stock >= 0), sold timestamptz, meta jsonb, tags text[], raw bytea, day date, u uuid); \
                 create domain state_text as text check (value <> ''); create type state as enum ('new', 'paid'); create table states (s state, many state[]); \
                 create table lines (book bigint references books); \
                 create table later (book bigint references books deferrable initially deferred);";
    let actor = Actor::new("");
    let made = ask(&actor, &bed, setup, "{}").await;
    assert_eq!(made.get("error"), Some(&Value::Null));
    values_go_in_and_come_back(&bed).await;
    errors_are_results(&bed).await;
    several_statements(&bed).await;
    transactions_over_steps(&bed).await;
    what_takes_too_long(&bed).await;
    lost_sessions(&bed).await;
    drop(actor);
    wrong_logins(server.at).await;
    server.finish().await;
}

fn bed(at: SocketAddr, who: &str) -> Bed {
    let mut bed = Bed::with(&[("pg", at), ("pg.orders", at)]);
    let url = format!("postgresql://{who}@{at}/postgres");
    bed.properties.insert("pg.url".to_owned(), url.clone());
    bed.properties.insert("pg.orders.url".to_owned(), url);
    bed
}

fn yaml(query: &str) -> String {
    format!("- sql: pg.orders\n  query: {}", Value::text(query))
}

async fn ask(actor: &Actor, bed: &Bed, query: &str, variables: &str) -> Value {
    run(&yaml(query), actor, bed, variables).await
}

fn field(result: &Value, path: &str) -> String {
    let found = seam_expr::Path::parse(path).unwrap().find(result).to_value();
    found.unwrap_or_else(|| panic!("no {path} in {result}")).to_plain_text()
}

/// Queries with the rows that they give.
const VALUES: &[(&str, &str)] = &[
    (
        "select * from books where id = $id",
        r#"[{"id":9007199254740993,"isbn":"it's; drop table books --","price":19.90,"stock":3,"sold":"2026-01-01T00:00:00.5Z","meta":{"a":[1.50,null]},"tags":["a","b \"c\"",null],"raw":"AP8=","day":"2026-02-03","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}]"#,
    ),
    ("select stock from books where isbn like '%' || $part || '%'", r#"[{"stock":3}]"#),
    ("select count(*) as n from books where id = any($ids)", r#"[{"n":1}]"#),
    ("select id from books where $none is null", r#"[{"id":9007199254740993}]"#),
    ("select 1 as a where $part = 'other'", "[]"),
    (
        "select $id::text as a, $price + 0.10 as b, $day::date + 1 as c",
        r#"[{"a":"9007199254740993","b":20.00,"c":"2026-02-04"}]"#,
    ),
    (
        "select true as t, null as n, 1.5::float8 as f, 'x'::char(3) as c",
        r#"[{"t":true,"n":null,"f":1.5,"c":"x  "}]"#,
    ),
    ("select array[[1,2],[3,4]] as a, '{}'::text[] as e", r#"[{"a":[[1,2],[3,4]],"e":[]}]"#),
    (
        "select interval '1 day 2 hours' as i, '10.0.0.1'::inet as a",
        r#"[{"i":"1 day 02:00:00","a":"10.0.0.1"}]"#,
    ),
    (
        "insert into states values ('new', '{new,paid}') returning s, many",
        r#"[{"s":"new","many":["new","paid"]}]"#,
    ),
    ("select $$it's ${ not } a $part$$ as t, $part as p", r#"[{"t":"it's ${ not } a $part","p":"drop"}]"#),
    ("select 1 as a -- $part\n", r#"[{"a":1}]"#),
    ("select price * $n as p from books", r#"[{"p":39.80}]"#),
    (
        "select 12345678901234567890.123456789012345678901234567890 as n, 0.10 as s, 'NaN'::numeric as x, 1e-7::numeric as e",
        r#"[{"n":12345678901234567890.123456789012345678901234567890,"s":0.10,"x":"NaN","e":0.0000001}]"#,
    ),
    (
        "select '2026-06-01 12:00+02'::timestamptz as z, '2026-06-01 12:00'::timestamp as c, '12:00:01.5'::time as t, \
             '-infinity'::timestamptz as i, '2026-06-01'::date as d",
        r#"[{"z":"2026-06-01T10:00:00Z","c":"2026-06-01 12:00:00","t":"12:00:01.5","i":"-infinity","d":"2026-06-01"}]"#,
    ),
    (
        "select '{\"a\": [1, 1.50, null]}'::json as j, 'null'::jsonb as n, null::jsonb as s, '\"t\"'::jsonb as t",
        r#"[{"j":{"a":[1,1.50,null]},"n":null,"s":null,"t":"t"}]"#,
    ),
    (
        "select row(1, 'a b') as r, int4range(1, 5) as g, 'b'::state_text as d, '<a/>'::xml as x, point(1, 2) as p, 'ä'::name as n",
        r#"[{"r":"(1,\"a b\")","g":"[1,5)","d":"b","x":"<a/>","p":"(1,2)","n":"ä"}]"#,
    ),
    (
        "select array['2026-01-01 00:00+00'::timestamptz, null] as a",
        r#"[{"a":["2026-01-01T00:00:00Z",null]}]"#,
    ),
    (
        "select array['\\x00'::bytea] as a, array[true] as b, array['{\"a\":1}'::json] as c",
        r#"[{"a":["AA=="],"b":[true],"c":[{"a":1}]}]"#,
    ),
    (
        "select $whole::int as a, $ids::bigint[] as b, $meta::jsonb as c",
        r#"[{"a":3990,"b":[1,9007199254740993],"c":{"a":[1.50,null]}}]"#,
    ),
    (
        "select $doc::jsonb as a, $isbn::jsonb as b, $tags::text as c",
        r#"[{"a":{"x":1},"b":"it's; drop table books --","c":"[\"a\",\"b \\\"c\\\"\",null]"}]"#,
    ),
    ("select $yes::bool as a, $yes as b, $none::int as c", r#"[{"a":true,"b":"true","c":null}]"#),
    ("select jsonb_build_object('a', $part, 'n', $n) as a", r#"[{"a":{"a":"drop","n":2}}]"#),
    ("select a from (values (1), (2)) as v (a) where false", "[]"),
    ("select", "[{}]"),
];

async fn values_go_in_and_come_back(bed: &Bed) {
    let actor = Actor::new("");
    let variables = r#"{"id":9007199254740993,"isbn":"it's; drop table books --","price":19.90,"stock":"3",
        "sold":"2026-01-01T01:00:00.5+01:00","meta":{"a":[1.50,null]},"tags":["a","b \"c\"",null],"raw":"\\x00ff",
        "day":"2026-02-03","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","none":null,"ids":[1,9007199254740993],"part":"drop"}"#;
    let insert = "insert into books values ($id, $isbn, $price, $stock, $sold, $meta, $tags, $raw, $day, $u) returning id";
    let inserted = ask(&actor, bed, insert, variables).await;
    assert_eq!(field(&inserted, "affected"), "1");
    assert_eq!(field(&inserted, "rows.0.id"), "9007199254740993");
    for (query, rows) in VALUES {
        let variables = variables.replacen('{', r#"{"n":2,"whole":3990.0,"doc":"{\"x\":1}","yes":true,"#, 1);
        let result = ask(&actor, bed, query, &variables).await;
        assert_eq!(field(&result, "rows"), *rows, "{query}: {result}");
    }
}

async fn errors_are_results(bed: &Bed) {
    let actor = Actor::new("");
    for (query, code, constraint) in [
        ("insert into books (id, isbn) values (9007199254740993, 'x')", "23505", "books_pkey"),
        ("insert into books (id, isbn) values ($id, 'x')", "23505", "books_pkey"),
        ("update books set stock = -1", "23514", "books_stock_check"),
        ("select * from nowhere", "42P01", "null"),
        ("selct 1", "42601", "null"),
        ("select $text::int", "22P02", "null"),
        ("copy books from stdin", "57014", "null"),
        ("update books set isbn = null", "23502", "null"),
        ("insert into lines values (1)", "23503", "lines_book_fkey"),
        ("insert into lines values ($text)", "22P02", "null"),
        ("begin; insert into later values (1); commit", "23503", "later_book_fkey"),
        ("do $$ begin raise exception 'no %', 1 using errcode = 'BS001'; end $$", "BS001", "null"),
        ("set local statement_timeout = '1ms'; select pg_sleep(10)", "57014", "null"),
        ("select 'x'::state", "22P02", "null"),
        ("select ''::state_text", "23514", "state_text_check"),
    ] {
        let result = ask(&actor, bed, query, r#"{"id":9007199254740993,"text":"x"}"#).await;
        assert_eq!(field(&result, "error.code"), code, "{query}: {result}");
        assert_eq!(field(&result, "error.constraint"), constraint, "{query}");
        assert_eq!(result.get("rows"), Some(&Value::Null));
    }
    let action = step(&yaml("insert into books (id, isbn) values (9007199254740993, 'x')"));
    let result = run_as(action.as_ref(), &actor, bed, "{}", LIMIT).await.unwrap();
    let expect = "error: 23505 duplicate key value violates unique constraint \"books_pkey\"";
    assert_eq!(unsaid(action.as_ref(), &result), [expect]);
    assert_eq!(action.unsaid(&result)[0].details, ["detail: Key (id)=(9007199254740993) already exists."]);
    let twice = step(&yaml("select 1 as a, 2 as a"));
    assert!(run_as(twice.as_ref(), &actor, bed, "{}", LIMIT).await.is_err());
}

async fn several_statements(bed: &Bed) {
    let actor = Actor::new("");
    let variables = r#"{"a":"t1","b":"t2"}"#;
    let query = "create temp table t (x text); insert into t values ($a), ($b); select x from t; delete from t where x = $a;";
    let result = ask(&actor, bed, query, variables).await;
    assert_eq!(field(&result, "rows.*.x"), r#"["t1","t2"]"#);
    assert_eq!(field(&result, "affected"), "3");
    assert_eq!(field(&result, "statements.*.affected"), "[0,2,0,1]");
    // An error undoes all of them, bound or not.
    for query in ["insert into t values ('t3'); select 1/0", "insert into t values ($a); select 1/0"] {
        let failed = ask(&actor, bed, query, variables).await;
        assert_eq!(field(&failed, "error.code"), "22012");
    }
    let left = ask(&actor, bed, "select x from t", "{}").await;
    assert_eq!(field(&left, "rows"), r#"[{"x":"t2"}]"#);
}

async fn transactions_over_steps(bed: &Bed) {
    let (ann, bob) = (Actor::new("ann"), Actor::new("bob"));
    ask(&ann, bed, "begin", "{}").await;
    ask(&ann, bed, "insert into books (id, isbn) values (2, 'two')", "{}").await;
    let seen = async |actor: &Actor| {
        field(&ask(actor, bed, "select id from books where id = 2", "{}").await, "count")
    };
    assert_eq!((seen(&ann).await, seen(&bob).await), ("1".to_owned(), "0".to_owned()));
    drop(ann);
    let again = Actor::new("ann");
    assert_eq!(seen(&again).await, "0", "a transaction that nobody has ended is undone with its actor");
}

async fn what_takes_too_long(bed: &Bed) {
    let (ann, bob) = (Actor::new("ann"), Actor::new("bob"));
    let action = step(&yaml("select pg_sleep(60) as steps_test"));
    let result = run_as(action.as_ref(), &ann, bed, "{}", Duration::from_millis(100)).await.unwrap();
    assert_eq!(field(&result, "error.code"), "timeout");
    assert_eq!(unsaid(action.as_ref(), &result), ["error: there was no answer in time"]);
    // It was told to stop: at most one look finds it still on its way out.
    let query = "select count(*) as n from pg_stat_activity where query like '%steps_test%' and pid <> pg_backend_pid()";
    let mut left = String::new();
    for _ in 0..1000 {
        left = field(&ask(&bob, bed, query, "{}").await, "rows.0.n");
        if left == "0" {
            break;
        }
    }
    assert_eq!(left, "0", "the server still works for nobody");
}

async fn lost_sessions(bed: &Bed) {
    let (ann, bob) = (Actor::new("ann"), Actor::new("bob"));
    let pid = field(&ask(&ann, bed, "select pg_backend_pid() as p", "{}").await, "rows.0.p");
    let end = format!("select pg_terminate_backend({pid}, 5000) as done");
    assert_eq!(field(&ask(&bob, bed, &end, "{}").await, "rows.0.done"), "true");
    let other = field(&ask(&ann, bed, "select pg_backend_pid() as p", "{}").await, "rows.0.p");
    assert_ne!(pid, other, "an idle session that was ended is opened anew");
    ask(&ann, bed, "begin", "{}").await;
    ask(&bob, bed, &format!("select pg_terminate_backend({other}, 5000) as done"), "{}").await;
    let lost = ask(&ann, bed, "select 1 as a", "{}").await;
    assert_ne!(lost.get("error"), Some(&Value::Null), "a transaction that was lost is no silence: {lost}");
}

async fn wrong_logins(at: SocketAddr) {
    let refusing = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (bed, code) in [(bed(at, "tester:wrong"), "28P01"), (bed(refusing, "tester:x"), "refused")] {
        let result = ask(&Actor::new(""), &bed, "select 1", "{}").await;
        assert_eq!(field(&result, "error.code"), code);
    }
}
