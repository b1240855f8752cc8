//! Recordings of databases, stores and gRPC as steps.

use crate::tests::*;
use crate::*;

#[test]
fn stores_are_asked_as_well() {
    let sql = of(
        "postgres",
        "orders -> pg.stock",
        &[
            (r#"{"statement":"begin","parameters":[]}"#, r#"{"rows":[]}"#),
            (
                r#"{"statement":"select n from s where id = $1","parameters":["A$1"]}"#,
                r#"{"rows":[{"n":3}]}"#,
            ),
            (r#"{"statement":"update s set n = 1","parameters":[]}"#, r#"{"rows":[],"affected":2}"#),
            (
                r#"{"statement":"insert into s values ($1)","parameters":[1]}"#,
                r#"{"rows":[],"error":{"code":"23505"}}"#,
            ),
        ],
    );
    assert_eq!(
        driven(&sql, Thoroughness::Whole),
        "\
# Made here.
tests:
  - name: Outside of tests
    vars:
      p1_1: A$$1
      p3_1: 1
    steps:
      - name: select n from s where id = $$1
        sql: pg.stock
        query: select n from s where id = $p1_1
        expect:
          rows:
            - \"n\": 3
      - name: update s set n = 1
        sql: pg.stock
        query: update s set n = 1
        expect:
          affected: 2
      - name: insert into s values ($$1)
        sql: pg.stock
        query: insert into s values ($p3_1)
        expect:
          error.code: \"23505\"
"
    );
    let redis = of(
        "redis",
        "cart -> redis",
        &[
            (r#"{"command":"GET","args":["cart:1"]}"#, r#"{"value":"2"}"#),
            (r#"{"command":"BLPOP","args":["q","0"]}"#, r#"{"value":null}"#),
            (r#"{"command":"BZMPOP","args":["0","1","q","MIN"]}"#, r#"{"value":null}"#),
            (r#"{"command":"BRPOPLPUSH","args":["q","r","0"]}"#, r#"{"value":null}"#),
            (r#"{"command":"SSUBSCRIBE","args":["q"]}"#, r#"{"value":["ssubscribe","q",1]}"#),
            (r#"{"command":"WAIT","args":["1","0"]}"#, r#"{"value":0}"#),
            (r#"{"command":"MULTI","args":[]}"#, r#"{"value":"OK"}"#),
        ],
    );
    let text = driven(&redis, Thoroughness::Whole);
    assert!(
        text.contains("command: [GET, cart:1]")
            && text.contains("value: \"2\"")
            && text.matches("command:").count() == 1,
        "{text}"
    );
}

#[test]
fn statements_of_mysql_are_asked_as_well() {
    let mysql = of(
        "mysql",
        "orders -> db",
        &[
            (
                r#"{"command":"execute","statement":"select n from s where id = ? and a = '?'","parameters":["A$1"]}"#,
                r#"{"columns":["n int"],"rows":[{"n":3}],"count":1,"affected":null,"insert_id":null}"#,
            ),
            (
                r#"{"command":"query","statement":"insert into s values ('$5')","parameters":[]}"#,
                r#"{"rows":[],"count":0,"affected":1,"insert_id":7,"error":{"code":1062,"state":"23000"}}"#,
            ),
            (
                r#"{"command":"query","statement":"replace into s values (1)","parameters":[]}"#,
                r#"{"rows":[],"count":0,"affected":2,"insert_id":0,"warnings":0}"#,
            ),
        ],
    );
    assert_eq!(
        driven(&mysql, Thoroughness::Whole),
        "\
# Made here.
tests:
  - name: Outside of tests
    vars:
      p1_1: A$$1
    steps:
      - name: select n from s where id = ? and a = '?'
        sql: db
        query: select n from s where id = $p1_1 and a = '?'
        expect:
          rows:
            - \"n\": 3
      - name: insert into s values ('$$5')
        sql: db
        query: insert into s values ('$$5')
        expect:
          error.code: 1062
      - name: replace into s values (1)
        sql: db
        query: replace into s values (1)
        expect:
          affected: 2
"
    );
}

#[test]
fn calls_of_grpc_are_asked_as_well() {
    let place = r#"{"service":"shop.Orders","method":"Place","metadata":{"user-agent":"x","x-a":"b"},"timeout":"500m","body":"#;
    let mut calls = of(
        "grpc",
        "web -> orders.rpc",
        &[
            (
                &format!(r#"{place}{{"sku":"A1"}}}}"#),
                r#"{"status":"OK","message":null,"metadata":{"date":"x","x-b":"c"},"body":{"id":"o-40001"},"trailers":{}}"#,
            ),
            (
                &format!(r#"{place}null,"bodies":[{{"id":"o-40001"}},{{"id":"$2"}}]}}"#),
                r#"{"status":"OK","message":null,"metadata":{},"body":null,"bodies":[{"n":1},{"n":2}],"trailers":{}}"#,
            ),
            (
                &format!("{place}{{}}}}"),
                r#"{"status":"DEADLINE_EXCEEDED","message":"too late","metadata":{},"body":null,"bodies":[]}"#,
            ),
        ],
    );
    calls.volatile.push(Volatile::parse("reply.body.id").unwrap());
    assert_eq!(
        driven(&calls, Thoroughness::Whole),
        "\
# Made here.
tests:
  - name: Outside of tests
    steps:
      - name: shop.Orders/Place
        grpc: orders.rpc/shop.Orders/Place
        body:
          sku: A1
        metadata:
          x-a: b
        expect:
          status: OK
          body:
            size: 1
          body.id:
            type: string
          metadata.x-b: c
        save:
          id: body.id
      - name: shop.Orders/Place
        grpc: orders.rpc/shop.Orders/Place
        bodies:
          - id: $id
          - id: $$2
        metadata:
          x-a: b
        expect:
          status: OK
          bodies:
            - \"n\": 1
            - \"n\": 2
      - name: shop.Orders/Place
        grpc: orders.rpc/shop.Orders/Place
        body: {}
        metadata:
          x-a: b
        deadline: 500ms
        expect:
          status: DEADLINE_EXCEEDED
          message: too late
          bodies: []
"
    );
}

#[test]
fn what_rows_and_streams_gave_is_used_again() {
    let insert = r#"{"statement":"insert into orders (sku) values ($1) returning id","parameters":["a"]}"#;
    let select = r#"{"statement":"select state from orders where id = $1","parameters":["o-40001"]}"#;
    let recording = recorded_of(
        "postgres",
        &[
            (
                "",
                insert,
                r#"{"columns":["id text"],"rows":[{"id":"o-40001"}],"count":1,"affected":1,"tag":"INSERT 0 1"}"#,
            ),
            (
                "",
                select,
                r#"{"columns":["state text"],"rows":[{"state":"new"}],"count":1,"affected":null,"tag":"SELECT 1"}"#,
            ),
        ],
    );
    let text = &as_tests(&[recording], Thoroughness::Whole, &|_| false).list[0].text;
    assert!(text.contains("id: rows.0.id") && text.contains("where id = $id"), "{text}");

    let call = |method: &str, body: &str| {
        format!(
            r#"{{"service":"shop.Orders","method":"{method}","metadata":{{"idempotency-key":"k-1","user-agent":"x"}},"body":{body}}}"#
        )
    };
    let reply = |bodies: &str| format!(r#"{{"status":"OK","metadata":{{}},"trailers":{{}},{bodies}}}"#);
    let recording = recorded_of(
        "grpc",
        &[
            ("", &call("Watch", "{}"), &reply(r#""body":null,"bodies":[{"id":"o-40001"},{"id":"o-40002"}]"#)),
            ("", &call("Get", r#"{"id":"o-40002"}"#), &reply(r#""body":{"id":"o-40002"}"#)),
            ("", &call("Watch", "{}"), r#"{"status":null,"metadata":{},"body":null,"bodies":[]}"#),
        ],
    );
    let drivers = as_tests(&[recording], Thoroughness::Whole, &|_| false);
    let text = &drivers.list[0].text;
    assert!(text.contains("id: bodies.1.id") && text.contains("id: $id"), "{text}");
    assert!(text.contains("idempotency-key: k-1") && !text.contains("user-agent"), "{text}");
    assert_eq!(drivers.not_asked.into_iter().collect::<Vec<_>>(), [(NotAsked::Unanswered, 1)]);
}

fn recorded_of(protocol: &str, passed: &[(&str, &str, &str)]) -> Recording {
    Recording { protocol: protocol.to_owned(), ..recorded(passed) }
}
