//! HTTP/2 by prior knowledge: Node's own server and client, with many calls on one connection.

use crate::bed::{Client, LONG, Seam, Server, free_port, program};
use seam_value::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// Says what it was asked, with trailers; keeps count of what was asked.
const SERVER: &str = "
const http2 = require('node:http2');
const asked = [];
const server = http2.createServer();
server.on('stream', (stream, headers) => {
  const path = headers[':path'];
  const parts = [];
  stream.on('error', () => {});
  stream.on('data', part => parts.push(part));
  stream.on('end', () => {
    if (path === '/asked') return void (stream.respond(), stream.end(asked.join(' ')));
    asked.push(path);
    stream.respond({ ':status': 200, 'content-type': 'text/plain' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-bytes': String(Buffer.concat(parts).length) }));
    if (path === '/large') stream.end(Buffer.alloc(2_000_000, 'y'));
    else stream.end('for ' + path);
  });
});
server.listen(Number(process.argv[1]), '127.0.0.1');
";

/// Asks, and says what came: status, how much of a body or all of it, trailers; or how it failed.
const CLIENT: &str = "
const http2 = require('node:http2');
const session = http2.connect('http://127.0.0.1:' + port);
session.on('error', error => say('session', error.code));
const ask = (path, body) => new Promise(done => {
  const stream = session.request({ ':path': path, ':method': body ? 'POST' : 'GET' });
  const parts = [];
  let status, trailers;
  stream.on('response', headers => status = headers[':status']);
  stream.on('trailers', headers => trailers = headers['x-bytes']);
  stream.on('data', part => parts.push(part));
  stream.on('end', () => {
    const text = Buffer.concat(parts).toString();
    done(status === undefined ? '-' : [status, text.length > 1000 ? text.length : text, trailers].join(' '));
  });
  stream.on('error', error => done(error.code + ' ' + stream.rstCode));
  stream.end(body);
});
";

fn server() -> Option<(PathBuf, Server)> {
    let node = program("node")?;
    let port = free_port();
    let mut command = Command::new(&node);
    command.args(["-e", SERVER, &port.to_string()]);
    Some((node, Server::start(tempfile::tempdir().unwrap(), port, &mut command)))
}

#[tokio::test(flavor = "multi_thread")]
async fn between_nodes() {
    let Some((node, server)) = server() else { return };
    watched(&node, Seam::stand("http", server.upstream()).await).await;
    for fault in
        [r#"{"reset":"before"}"#, r#"{"reset":"after"}"#, r#"{"reset":"answered"}"#, "\"reply_lost\""]
    {
        one_call_of_many(&node, Seam::stand("http", server.upstream()).await, fault).await;
    }
    for (fault, expected) in [("\"truncate\"", "-"), ("\"garble\"", "200 ")] {
        one_reply_of_many(&node, Seam::stand("http", server.upstream()).await, (fault, expected)).await;
    }
    all_of_a_connection(&node, Seam::stand("http", server.upstream()).await).await;
}

async fn watched(node: &std::path::Path, seam: Seam) {
    let script = "
        (async () => {
          const large = Buffer.alloc(1_500_000, 'x');
          const all = ['/a', '/b', '/large', '/c'].map(path => ask(path, path === '/c' ? large : undefined));
          for (const one of await Promise.all(all)) say(one);
          session.close();
        })();";
    let mut client = Client::run_in_node(node, seam.address.port(), &format!("{CLIENT}{script}"));
    for expect in ["200 for /a 0", "200 for /b 0", "200 2000000 0", "200 for /c 1500000"] {
        assert_eq!(client.line(), expect);
    }
    assert_eq!(client.line(), "");
    let told = seam.told().await;
    assert_eq!(told.len(), 4);
    for one in told {
        assert!(one.error.is_none() && one.reply.get("trailers").is_some(), "{:?}", one.reply);
    }
}

/// Among calls that are under way, one is broken off.
async fn one_call_of_many(node: &std::path::Path, seam: Seam, fault: &str) {
    let script = "
        (async () => {
          say(await ask('/first'));
          await wait();
          const all = ['/a', '/broken', '/large', '/c'].map(path => ask(path, path === '/c' ? 'body' : undefined));
          for (const one of await Promise.all(all)) say(one);
          say(await ask('/after'));
          say(await ask('/asked'));
          session.close();
        })();";
    let mut client = Client::run_in_node(node, seam.address.port(), &format!("{CLIENT}{script}"));
    assert_eq!(client.line(), "200 for /first 0");
    let about = |interaction: &Value| {
        let path = interaction.get("request").and_then(|request| request.get("path"));
        path.and_then(Value::as_text) == Some("/broken")
    };
    seam.break_once(fault, about).await;
    client.go_on();
    let broken = "ERR_HTTP2_STREAM_ERROR 2";
    for expect in ["200 for /a 0", broken, "200 2000000 0", "200 for /c 4", "200 for /after 0"] {
        assert_eq!(client.line(), expect, "{fault}");
    }
    let asked = client.line();
    assert_eq!(asked.contains("/broken"), fault != r#"{"reset":"before"}"#, "{fault}: {asked}");
    let told = seam.told().await;
    let of_broken: Vec<_> = told
        .iter()
        .filter(|one| one.request.get("path").and_then(Value::as_text) == Some("/broken"))
        .collect();
    let [one] = of_broken.as_slice() else { panic!("{fault}: {of_broken:?}") };
    assert_eq!(one.error.map(seam_event::InteractionError::name), Some("reset"), "{fault}");
}

/// Among calls that are under way, one has a reply that is not as it should be.
async fn one_reply_of_many(node: &std::path::Path, seam: Seam, (fault, expected): (&str, &str)) {
    let script = "
        (async () => {
          say(await ask('/first'));
          await wait();
          const all = ['/a', '/broken', '/large', '/c'].map(path => ask(path));
          for (const one of await Promise.all(all)) say(one);
          say(await ask('/after'));
          session.close();
        })();";
    let mut client = Client::run_in_node(node, seam.address.port(), &format!("{CLIENT}{script}"));
    assert_eq!(client.line(), "200 for /first 0");
    let about = |interaction: &Value| {
        let path = interaction.get("request").and_then(|request| request.get("path"));
        path.and_then(Value::as_text) == Some("/broken")
    };
    seam.break_once(fault, about).await;
    client.go_on();
    assert_eq!(client.line(), "200 for /a 0", "{fault}");
    let broken = client.line();
    let is_error = broken == "ERR_HTTP2_STREAM_ERROR 2";
    assert_eq!(is_error, expected == "-", "{fault}: {broken}");
    assert!(
        is_error || (broken.starts_with(expected) && !broken.contains("for /broken")),
        "{fault}: {broken}"
    );
    for expect in ["200 2000000 0", "200 for /c 0", "200 for /after 0"] {
        assert_eq!(client.line(), expect, "{fault}");
    }
}

/// Without rules a connection is only watched again, and can be held anew.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_held_no_longer_than_there_are_rules() {
    let Some((node, server)) = server() else { return };
    let seam = Seam::stand("http", server.upstream()).await;
    let script = "
        (async () => {
          for (;;) {
            await wait();
            const all = ['/a', '/large', '/broken'].map(path => ask(path));
            for (const one of await Promise.all(all)) say(one);
            say(await ask('/b', Buffer.alloc(30_000)));
          }
        })();";
    let mut client = Client::run_in_node(&node, seam.address.port(), &format!("{CLIENT}{script}"));
    let mut ask = |broken: &str| {
        client.go_on();
        for expect in ["200 for /a 0", "200 2000000 0", broken, "200 for /b 30000"] {
            assert_eq!(client.line(), expect);
        }
    };
    ask("200 for /broken 0");
    let end = Instant::now() + LONG;
    for round in 0..4 {
        let about = |interaction: &Value| {
            let path = interaction.get("request").and_then(|request| request.get("path"));
            path.and_then(Value::as_text) == Some("/broken")
        };
        let fault = if round % 2 == 0 { r#"{"status":503,"text":"no"}"# } else { "\"reset\"" };
        let rule = seam.break_once(fault, about).await;
        ask(if round % 2 == 0 { "503 no" } else { "ERR_HTTP2_STREAM_ERROR 2" });
        assert_eq!(seam.n_held(), 1);
        seam.take_away(&rule);
        // Some traffic may be needed for it.
        while seam.n_held() > 0 {
            assert!(Instant::now() < end, "it is held for good, in round {round}");
            ask("200 for /broken 0");
        }
        ask("200 for /broken 0");
    }
    let told = seam.told().await;
    assert!(told.iter().all(|one| one.reply.get("status").is_some() || one.error.is_some()));
}

async fn all_of_a_connection(node: &std::path::Path, seam: Seam) {
    let script = "
        (async () => {
          say(await ask('/first'));
          await wait();
          const all = ['/large', '/broken'].map(path => ask(path));
          for (const one of await Promise.all(all)) say(one);
        })();";
    let mut client = Client::run_in_node(node, seam.address.port(), &format!("{CLIENT}{script}"));
    assert_eq!(client.line(), "200 for /first 0");
    let about = |interaction: &Value| interaction.get("request").is_some();
    seam.break_once(r#"{"reset":"before","connection":true}"#, about).await;
    client.go_on();
    let lines = [client.line(), client.line(), client.line()];
    assert_eq!(lines.iter().filter(|line| line.contains("ECONNRESET")).count(), 3, "{lines:?}");
}
