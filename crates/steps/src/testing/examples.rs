//! Every example of every kind is run against something real: what the reference shows works.

use super::{Bed, LIMIT, Small, Variables, brokers, in_a_file, live, rpc, servers, smtp, steps_of};
use crate::action::{Action, Inner, StepContext, Trouble, Unsaid};
use crate::actor::Actor;
use crate::bench::SaidLine;
use crate::kind::{Reading, STEPS, kind};
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use seam_diag::Diagnostics;
use seam_event::{Caller, ComponentId, Interaction, SeamId};
use seam_expr::Capture;
use seam_matcher::{NoSnapshots, Statement};
use seam_model::{Step, TestFile};
use seam_value::{Map, Value};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// A step with what is expected of it, as the runner holds it.
struct Played {
    action: Box<dyn Action>,
    expect: Vec<Statement>,
    save: Vec<(String, Capture)>,
    children: Vec<Played>,
    /// Does it expect something of its own, so that nothing is expected unsaid of its children?
    expects: bool,
}

/// All that steps of one example share.
struct Play<'a> {
    bed: &'a Bed,
    actor: Actor,
    names: Variables,
    flow: Vec<Played>,
}

fn played(step: &Step, file: &TestFile) -> Played {
    let mut found = Diagnostics::default();
    let mut reading = Reading {
        system: &Small,
        defaults: &file.defaults,
        flows: &file.flows,
        folder: Path::new("/project/tests"),
        sources: &std::cell::RefCell::default(),
        found: &mut found,
    };
    let action = kind(&step.action.value).unwrap().read(step, &mut reading).unwrap();
    Played {
        action,
        expect: step.expect.iter().map(|entry| Statement::of(entry, &mut found)).collect(),
        save: step
            .save
            .iter()
            .map(|save| (save.name.value.clone(), Capture::read(&save.from, &mut found)))
            .collect(),
        children: step.children.iter().map(|child| played(child, file)).collect(),
        expects: step.has_expect,
    }
}

impl Play<'_> {
    /// Runs a step and tells what does not hold.
    fn step<'a>(&'a self, step: &'a Played, all_said: bool) -> BoxFuture<'a, Value> {
        Box::pin(async move {
            let inner = Inside { play: self, step };
            let deadline = Instant::now() + LIMIT;
            let cx = StepContext {
                names: &self.names,
                actor: &self.actor,
                bench: self.bed,
                inner: &inner,
                deadline,
                settle: true,
            };
            let result = step.action.run(&cx).await.unwrap();
            for statement in &step.expect {
                for judgement in statement.judge(&result, &self.names, &NoSnapshots) {
                    assert!(judgement.holds(), "{}: {} in {result}", judgement.path, judgement.message);
                }
            }
            let is_named = |unsaid: &Unsaid| {
                step.expect.iter().any(|statement| statement.fields().any(|field| field == unsaid.path))
            };
            let unsaid: Vec<Unsaid> =
                step.action.unsaid(&result).into_iter().filter(|unsaid| !is_named(unsaid)).collect();
            assert!(all_said || unsaid.is_empty(), "{unsaid:#?}");
            for (name, capture) in &step.save {
                self.names.set(name, capture.take(&result, &self.names).unwrap());
            }
            result
        })
    }
}

struct Inside<'a> {
    play: &'a Play<'a>,
    step: &'a Played,
}

impl Inner for Inside<'_> {
    fn together(&self) -> BoxFuture<'_, Result<Vec<Value>, Trouble>> {
        let children = self.step.children.iter().map(|child| self.play.step(child, self.step.expects));
        Box::pin(async { Ok(join_all(children).await) })
    }

    fn flow<'a>(&'a self, _: &'a str, with: Map) -> BoxFuture<'a, Result<Map, Trouble>> {
        Box::pin(async move {
            for (name, value) in with {
                self.play.names.set(&name, value);
            }
            for step in &self.play.flow {
                self.play.step(step, false).await;
            }
            Ok(Map::from_iter([("order".to_owned(), Value::from(7_i64))]))
        })
    }
}

/// A shop that sells its only copy once.
async fn gateway() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let sold = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sold = sold.clone();
            let serve = hyper::server::conn::http1::Builder::new().serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| answer(request, sold.clone())),
            );
            tokio::spawn(serve);
        }
    });
    at
}

async fn answer(
    request: hyper::Request<Incoming>,
    sold: Arc<AtomicU64>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    body.collect().await.unwrap();
    let (status, body) = match (head.method.as_str(), head.uri.to_string().as_str()) {
        ("POST", "/orders") if sold.fetch_add(1, Ordering::Relaxed) == 0 => {
            (201, r#"{"id":7,"total":39.90}"#)
        }
        ("POST", "/orders") => (409, r#"{"error":"out_of_stock"}"#),
        ("POST", "/checkout") => (201, r#"{"state":"paid"}"#),
        ("GET", "/orders/7?lines=true") => (200, r#"{"id":7,"lines":[]}"#),
        _ => (404, "{}"),
    };
    let response = hyper::Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body))).unwrap())
}

fn mail() -> Value {
    seam_value::parse(
        r#"{"from":"shop@example.test","to":["ann@example.test"],"recipients":["ann@example.test"],
            "subject":"Your order 7","text":"Thank you! See https://shop.test/7","attachments":[{"name":"bill.pdf"}]}"#,
    )
    .unwrap()
}

fn charge() -> Interaction {
    Interaction {
        id: 1,
        seam: SeamId { consumer: "orders".into(), provider: "paygate".into(), endpoint: "".into() },
        from: ComponentId::from("orders"),
        to: ComponentId::from("paygate"),
        via: None,
        caller: Caller::Known,
        protocol: "http".to_owned(),
        connection: 1,
        at: Duration::from_millis(5),
        elapsed: None,
        error: None,
        request: seam_value::parse(r#"{"path":"/charges","body":{"amount":3990}}"#).unwrap(),
        reply: Value::Null,
        message: Value::Null,
        cut: false,
        answered_by: None,
    }
}

/// A testbed in which all examples find what they speak of; PostgreSQL and Redis where there are some.
async fn bed(root: &Path, postgres: Option<SocketAddr>, redis: Option<SocketAddr>) -> Bed {
    let mut bed = Bed::with(&[("gateway", gateway().await), ("gateway.rpc", rpc::server().await)]);
    let (mail_at, _) = smtp::server("250 here").await;
    bed.addresses.insert("mail".to_owned(), mail_at);
    bed.properties.insert("mail.url".to_owned(), format!("smtp://{mail_at}"));
    bed.root = root.to_owned();
    bed.mails = vec![mail()];
    bed.interactions = vec![Arc::new(charge())];
    bed.lines = vec![SaidLine { number: 1, error: false, text: "order stored: 7".to_owned() }];
    bed.watcher = Some(servers::watcher(root).await);
    if let Some(at) = postgres {
        bed.addresses.insert("pg.orders".to_owned(), at);
        let url = format!("postgresql://tester:p%40ss%3Aword@{at}/postgres");
        bed.properties.insert("pg.orders.url".to_owned(), url);
    }
    if let Some(at) = redis {
        bed.addresses.insert("redis".to_owned(), at);
        bed.properties.insert("redis.url".to_owned(), format!("redis://:secret@{at}"));
    }
    bed
}

#[tokio::test]
async fn every_example_holds() {
    let (postgres, redis, nats) = tokio::join!(servers::postgres(), servers::redis(), brokers::nats());
    if let Some(nats) = &nats {
        brokers::answers_on_nats(nats.at).await;
    }
    let at = |server: &Option<servers::Server>| server.as_ref().map(|server| server.at);
    for kind in STEPS.iter().filter(|kind| !kind.is_later()) {
        let word = kind.word();
        let is_missing = match word.name {
            "sql" => postgres.is_none(),
            "redis" => redis.is_none(),
            "publish" => nats.is_none(),
            _ => false,
        };
        if is_missing {
            eprintln!("skipped: the example of `{}`, for want of a server", word.name);
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut bed = bed(folder.path(), at(&postgres), at(&redis)).await;
        if let Some(nats) = at(&nats) {
            bed.addresses.insert("bus".to_owned(), nats);
            bed.properties.insert("bus.url".to_owned(), format!("nats://tester:p%40ss%3Aword@{nats}"));
        }
        if word.name == "ws" {
            bed.addresses.insert("gateway".to_owned(), live::server().await);
        }
        play(word.name, word.example, &bed).await;
        bed.watcher.as_ref().unwrap().finish().await.unwrap();
    }
    for server in [postgres, redis, nats].into_iter().flatten() {
        server.finish().await;
    }
}

async fn play(name: &str, example: &str, bed: &Bed) {
    let flow = "flows:\n  buy:\n    takes: [book]\n    steps:\n      - { http: POST gateway/orders, json: { isbn: $book } }\n    \
                gives: { order: 7 }\n";
    let setup = "- sql: pg.orders\n  query: create table orders (id int primary key, state text, quantity int); insert into orders values (7, 'paid', 1)\n";
    let text = if name == "sql" { format!("{setup}{example}") } else { example.to_owned() };
    let file = steps_of(&format!("{flow}{}", in_a_file(&text)))
        .unwrap_or_else(|mistakes| panic!("{name}: {mistakes:#?}"));
    let names = Variables::of(r#"{"token":"t1","isbn":"978-0"}"#);
    if name == "sql" {
        names.set("order", Value::from(7_i64));
    }
    let flow = file.flows[0].steps.iter().map(|step| played(step, &file)).collect();
    let play = Play { bed, actor: Actor::new(""), names, flow };
    for step in &file.tests[0].steps {
        let step = played(step, &file);
        play.step(&step, false).await;
    }
}
