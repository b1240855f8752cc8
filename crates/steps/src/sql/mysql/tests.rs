//! Statements against a real MariaDB.

use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, run, run_as, servers, step, unsaid};
use seam_value::Value;
use std::net::SocketAddr;
use std::time::Duration;

fn bed(at: SocketAddr, user: &str) -> Bed {
    let mut bed = Bed::with(&[("maria", at)]);
    bed.properties.insert("maria.url".to_owned(), format!("mysql://{user}@{at}/shop"));
    bed
}

fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, name| match value {
        Value::List(list) => &list[name.parse::<usize>().unwrap()],
        other => other.get(name).unwrap_or_else(|| panic!("no {path} in {value}")),
    })
}

async fn asked(query: &str, actor: &Actor, bed: &Bed, variables: &str) -> Value {
    run(&format!("- sql: maria\n  query: |\n    {query}"), actor, bed, variables).await
}

#[tokio::test]
async fn a_real_server_is_asked() {
    let Some(server) = servers::mariadb().await else {
        eprintln!("skipped: needs MariaDB");
        return;
    };
    let bed = bed(server.at, "tester:p%40ss%3Aword");
    let actor = Actor::new("");
    let table = "create table books (id bigint auto_increment primary key, title varchar(50), price decimal(8,2), \
                 sold datetime, of_it json, cover blob, big bigint unsigned)";
    let made = asked(table, &actor, &bed, "{}").await;
    assert_eq!(at(&made, "error"), &Value::Null, "{made}");
    // Values of all sorts, bound; a text fits any column.
    let values = r#"{"title":"It's \"q\" ? $1","price":19.90,"sold":"2026-01-02 03:04:05","of":{"a":[1]},
        "cover":{"base64":"AP8="},"big":18446744073709551615,"none":null}"#;
    let insert = "insert into books values ($none, $title, $price, $sold, $of, $cover, $big)";
    let made = asked(insert, &actor, &bed, values).await;
    assert_eq!((at(&made, "affected"), at(&made, "insert_id")), (&Value::from(1_u64), &Value::from(1_u64)));
    let row = r#"{"id":1,"title":"It's \"q\" ? $1","price":19.90,"sold":"2026-01-02 03:04:05","of_it":{"a":[1]},"cover":{"base64":"AP8="},"big":18446744073709551615}"#;
    let bound = "select * from books where title = $title and price = $price and 'a?' = \"a?\" limit $n";
    let variables = values.replace("\"none\"", "\"n\":5,\"none\"");
    for (query, variables) in [("select * from books", "{}"), (bound, variables.as_str())] {
        let found = asked(query, &actor, &bed, variables).await;
        // MariaDB's JSON is a text.
        let told = at(&found, "rows.0").to_string().replace(r#""{\"a\":[1]}""#, r#"{"a":[1]}"#);
        assert_eq!(told, row, "{query}: {found}");
        assert_eq!(at(&found, "count"), &Value::from(1_u64));
    }
    // Several statements: what each gave, and an error that undoes all.
    let both = asked("select 1 as a; select 2 as b; update books set price = 1", &actor, &bed, "{}").await;
    assert_eq!(at(&both, "rows").to_string(), r#"[{"b":2}]"#, "{both}");
    assert_eq!(at(&both, "statements.0.rows.0.a"), &Value::from(1_u64));
    assert_eq!(at(&both, "affected"), &Value::from(1_u64));
    let twice = "- sql: maria\n  query: delete from books; insert into books (id) values ($n), ($n)";
    let action = step(twice);
    let result = run_as(action.as_ref(), &actor, &bed, r#"{"n":7}"#, LIMIT).await.unwrap();
    assert_eq!(at(&result, "error.code"), &Value::from(1062_u64), "{result}");
    assert_eq!(at(&result, "error.state"), &Value::text("23000"));
    assert_eq!(unsaid(action.as_ref(), &result), ["error: 1062 Duplicate entry '7' for key 'PRIMARY'"]);
    let left = asked("select count(*) as n from books", &actor, &bed, "{}").await;
    assert_eq!(at(&left, "rows.0.n"), &Value::from(1_u64));
    // A transaction over several steps, which nobody else sees.
    asked("begin", &actor, &bed, "{}").await;
    asked("delete from books", &actor, &bed, "{}").await;
    let other = asked("select count(*) as n from books", &Actor::new("bob"), &bed, "{}").await;
    assert_eq!(at(&other, "rows.0.n"), &Value::from(1_u64));
    asked("rollback", &actor, &bed, "{}").await;
    // What MySQL takes for no comment is none.
    let query = "select 10--$n as a, /* /* */ $n as b, /*! $n + */ 1 as c";
    let found = asked(query, &actor, &bed, r#"{"n":3}"#).await;
    assert_eq!(at(&found, "error"), &Value::Null, "{found}");
    assert_eq!(at(&found, "rows.0").to_string(), r#"{"a":13,"b":3,"c":4}"#, "{found}");
    // A step that can't be done leaves no transaction to the next.
    let both = step("- sql: maria\n  query: delete from books; select /*!999999 $n + */ 1");
    let trouble = run_as(both.as_ref(), &actor, &bed, r#"{"n":3}"#, LIMIT).await.unwrap_err();
    assert!(
        format!("{trouble:?}").contains("the server finds 0 values to bind, and there are 1"),
        "{trouble:?}"
    );
    asked("update books set price = 5; select 1", &actor, &bed, "{}").await;
    let seen = asked("select price from books", &Actor::new("bob"), &bed, "{}").await;
    assert_eq!(at(&seen, "rows.0.price").to_string(), "5.00", "{seen}");
    large_and_slow(&actor, &bed).await;
    refused(server.at).await;
    server.finish().await;
}

/// Packets of more than 16 MiB, and one that never ends, which is ended.
async fn large_and_slow(actor: &Actor, bed: &Bed) {
    let query = "set global max_allowed_packet = 1073741824";
    asked(query, actor, bed, "{}").await;
    let fresh = Actor::new("fresh");
    let much = asked("select repeat('x', 17000000) as much", &fresh, bed, "{}").await;
    assert_eq!(at(&much, "rows.0.much").as_text().unwrap().len(), 17_000_000);
    let text = "y".repeat(17_000_000);
    let variables = Value::map([("text", Value::text(text))]).to_string();
    let sent = asked("select length($text) as n", &fresh, bed, &variables).await;
    assert_eq!(at(&sent, "rows.0.n"), &Value::from(17_000_000_u64), "{sent}");

    let action = step("- sql: maria\n  query: select sleep(60)");
    let result = run_as(action.as_ref(), &fresh, bed, "{}", Duration::from_millis(200)).await.unwrap();
    assert_eq!(at(&result, "error.code"), &Value::text("timeout"));
    let who = "select count(*) as n from information_schema.processlist where info like 'select sleep%'";
    let left = asked(who, actor, bed, "{}").await;
    assert_eq!(at(&left, "rows.0.n"), &Value::from(0_u64), "{left}");
}

async fn refused(at_server: SocketAddr) {
    let action = step("- sql: maria\n  query: select 1");
    let bed = bed(at_server, "tester:wrong");
    let result = run_as(action.as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(at(&result, "error.code"), &Value::from(1045_u64), "{result}");
    let told = unsaid(action.as_ref(), &result).join("");
    assert!(told.starts_with("error: 1045 Access denied for user 'tester'"), "{told}");
}
