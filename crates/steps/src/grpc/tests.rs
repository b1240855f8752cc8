//! Calls that are read, and calls of a small real server.

use crate::action::Trouble;
use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, mistakes, rpc, run, run_as, step, told, unsaid};
use seam_value::Value;
use std::time::Duration;

#[test]
fn mistakes_are_told_at_their_place() {
    mistakes(&[
        (
            "- grpc: gatway.rpc/shop.Orders/Place",
            "there is no component `gatway` [gatway] {did you mean `gateway`?}",
        ),
        (
            "- grpc: orders/shop.Orders/Place",
            "`orders` does not speak grpc [orders: this speaks http] {declare what it speaks: `protocol: grpc` at \
             `orders`, or a further endpoint: `endpoints: { name: grpc }`, which is `orders.name` here}",
        ),
        (
            "- grpc: gateway/shop.Orders/Place",
            "`gateway` does not speak grpc [gateway: this speaks http] {`gateway.rpc` does}",
        ),
        (
            "- grpc: bare/s.S/M m",
            "an endpoint, a service and a method are needed here [bare/s.S/M m] \
             {write them like `gateway.rpc/shop.Orders/Place`}",
        ),
        (
            "- grpc: gateway.rpc/Place",
            "an endpoint, a service and a method are needed here [gateway.rpc/Place] \
             {write them like `gateway.rpc/shop.Orders/Place`}",
        ),
        (
            "- grpc: gateway.rpc/shop.Orders/Plcae",
            "the descriptors know no method `shop.Orders/Plcae` [shop.Orders/Plcae] \
             {did you mean `shop.Orders/Place`?}",
        ),
        (
            "- grpc: gateway.rpc/shop.Orders/Place\n  body: { skuu: A1 }",
            "no shop.Book: unrecognized field name 'skuu' [{ skuu: A1 }]",
        ),
        (
            "- grpc: gateway.rpc/shop.Orders/Sum\n  bodies: [{ sku: A1 }, { count: many }]",
            "no shop.Book: invalid digit found in string [{ count: many }]",
        ),
        (
            "- grpc: gateway.rpc/shop.Orders/Place\n  body: {}\n  bodies: []",
            "a call says `body` or `bodies` [bodies]",
        ),
        (
            "- grpc: bare/shop.Orders/Place\n  body: { sku: A1 }",
            "a message by its fields needs descriptors; without, { base64: … } [{ sku: A1 }] \
             {give `bare` its `descriptors: [the.proto]`}",
        ),
        ("- grpc: bare/s.S/M\n  metadata: [a]", "`metadata` must be a map [[a]: this is a list]"),
    ]);
}

#[tokio::test]
async fn calls_of_all_sorts() {
    let at = rpc::server().await;
    let bed = Bed::with(&[("gateway.rpc", at), ("bare", at)]);
    let actor = Actor::new("");
    actor.sign_in(&Value::map([("bearer", Value::text("t1"))]));
    let place = "- grpc: gateway.rpc/shop.Orders/Place\n  body: { sku: $sku, count: 2 }\n  \
                 metadata: { x-a: [1, b], x-bin: { base64: AP8= } }\n  deadline: 2s";
    let result = run(place, &actor, &bed, r#"{"sku":"A1"}"#).await;
    let names = ["status", "message", "body", "bodies", "trailers", "error"];
    assert_eq!(told(&result, &names), r#""OK" null {"id":7} [{"id":7}] {"checksum":"abc"} null"#, "{result}");
    let expect = r#"{"x-said":"/shop.Orders/Place; authorization: Bearer t1; x-a: 1; x-a: b; x-bin: AP8; grpc-timeout: 2000m"}"#;
    assert!(told(&result, &["metadata"]).starts_with(expect.trim_end_matches('}')), "{result}");
    // Without descriptors, in bytes.
    let bytes = "- grpc: bare/shop.Orders/Place\n  body: { base64: CgJBMQ== }";
    let result = run(bytes, &actor, &bed, "{}").await;
    assert_eq!(told(&result, &["body"]), r#"{"base64":"CAc=","fields":{"1":7}}"#);
    // Streams, either way.
    let sum = "- grpc: gateway.rpc/shop.Orders/Sum\n  bodies: [{ sku: a }, { sku: b }, {}]";
    assert_eq!(told(&run(sum, &actor, &bed, "{}").await, &["status", "body"]), r#""OK" {"id":3}"#);
    let watch = "- grpc: gateway.rpc/shop.Orders/Watch\n  body: { count: 2 }";
    let result = run(watch, &actor, &bed, "{}").await;
    assert_eq!(told(&result, &["status", "body", "bodies"]), r#""OK" null [{"id":0},{"id":1}]"#);
    let some = "- grpc: gateway.rpc/shop.Orders/Forever\n  receive: 2";
    let result = run(some, &actor, &bed, "{}").await;
    assert_eq!(told(&result, &["status", "bodies", "error"]), r#"null [{"id":0},{"id":1}] null"#);
    assert_eq!(
        result.get("metadata").unwrap().get("x-said"),
        Some(&Value::text("/shop.Orders/Forever; authorization: Bearer t1"))
    );
}

#[tokio::test]
async fn so_many_messages_are_enough_however_many_come_with_them() {
    let at = rpc::server().await;
    let bed = Bed::with(&[("gateway.rpc", at), ("bare", at)]);
    let actor = Actor::new("");
    let names = ["status", "body", "bodies", "trailers", "error"];
    for (receive, expect) in [
        (0, "null null [] {} null"),
        (1, r#"null {"id":0} [{"id":0}] {} null"#),
        (2, r#"null null [{"id":0},{"id":1}] {} null"#),
        (6, r#""OK" null [{"id":0},{"id":1},{"id":2},{"id":3},{"id":4}] {"checksum":"abc"} null"#),
    ] {
        let some =
            format!("- grpc: gateway.rpc/shop.Orders/Watch\n  body: {{ sku: many }}\n  receive: {receive}");
        assert_eq!(told(&run(&some, &actor, &bed, "{}").await, &names), expect, "{receive}");
    }
    // The first of a stream of which nobody knows that it is one.
    let bare = "- grpc: bare/shop.Orders/Forever\n  receive: 1";
    let expect = r#"null {"base64":"","fields":{}} [{"base64":"","fields":{}}] {} null"#;
    assert_eq!(told(&run(bare, &actor, &bed, "{}").await, &names), expect);
    // What says nothing but its status is whole.
    let gone = "- grpc: gateway.rpc/shop.Orders/Place\n  body: { sku: gone }\n  receive: 1";
    assert_eq!(told(&run(gone, &actor, &bed, "{}").await, &["status", "bodies"]), r#""NOT_FOUND" []"#);
}

#[tokio::test]
async fn metadata_is_sent_whole_or_told() {
    let at = rpc::server().await;
    let bed = Bed::with(&[("bare", at)]);
    let actor = Actor::new("");
    actor.sign_in(&Value::map([("cookies", Value::map([("sid", Value::from(1_u64))]))]));
    let result = run("- grpc: bare/shop.Orders/Place", &actor, &bed, "{}").await;
    let said = result.get("metadata").unwrap().get("x-said").cloned();
    assert_eq!(said, Some(Value::text("/shop.Orders/Place; cookie: sid=1")));
    for (metadata, expect) in [
        (r#"{ x-a: "a\nb" }"#, "`x-a: a\nb` can't be metadata"),
        ("{ x-bin: plain }", "what ends in `-bin` is bytes: `x-bin: { base64: … }`"),
    ] {
        let wrong = step(&format!("- grpc: bare/shop.Orders/Place\n  metadata: {metadata}"));
        let trouble = run_as(wrong.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap_err();
        let Trouble::Failed { reason, span: Some(_) } = trouble else { panic!("{trouble:?}") };
        assert_eq!(reason, expect);
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told() {
    let at = rpc::server().await;
    let mut bed = Bed::with(&[("gateway.rpc", at)]);
    let actor = Actor::new("");
    let gone = step("- grpc: gateway.rpc/shop.Orders/Place\n  body: { sku: gone }");
    let result = run_as(gone.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(told(&result, &["status", "message", "bodies"]), r#""NOT_FOUND" "no such book" []"#);
    assert_eq!(unsaid(gone.as_ref(), &result), ["status: status NOT_FOUND, and the step does not expect it"]);
    let forever = step("- grpc: gateway.rpc/shop.Orders/Forever");
    let result = run_as(forever.as_ref(), &actor, &bed, "{}", Duration::from_millis(300)).await.unwrap();
    assert_eq!(told(&result, &["status", "bodies", "error"]), r#"null [{"id":0},{"id":1}] "timeout""#);
    assert_eq!(result.get("metadata").unwrap().get("x-said"), Some(&Value::text("/shop.Orders/Forever")));
    assert_eq!(unsaid(forever.as_ref(), &result), ["error: there was no answer in time"]);
    bed.addresses.insert("gateway.rpc".to_owned(), "127.0.0.1:1".parse().unwrap());
    let result = run_as(forever.as_ref(), &actor, &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(told(&result, &["error"]), r#""refused""#);
}
