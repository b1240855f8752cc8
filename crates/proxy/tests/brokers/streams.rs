//! Answers that are said bit by bit over HTTP/2: events and gRPC's messages, beside other calls of the same connection.

use crate::bed::{About, Client, Seam, Server, Table, free_port, program, text};
use seam_proxy::{Kind, Often, Upstream};
use seam_value::Value;
use std::process::Command;
use std::sync::Arc;

const SERVER: &str = "
const http2 = require('node:http2');
const server = http2.createServer();
server.on('stream', (stream, headers) => { stream.respond({ ':status': 200 }); stream.end('real ' + headers[':path']); });
server.listen(Number(process.argv[1]), '127.0.0.1');
";

/// Asks all at once, and says of each in turn what came of it.
const CLIENT: &str = "
const http2 = require('node:http2');
const session = http2.connect('http://127.0.0.1:' + port);
const ask = (path, type) => new Promise(done => {
  const stream = session.request({ ':path': path, ':method': 'POST', ...(type ? { 'content-type': type } : {}) });
  const parts = [];
  let status, type_, trailers;
  stream.on('response', headers => { status = headers[':status']; type_ = headers['content-type']; });
  stream.on('trailers', headers => { trailers = headers['grpc-status'] + ' ' + (headers['grpc-message'] || ''); });
  stream.on('data', part => {
    parts.push(part.toString(type ? 'hex' : 'utf8'));
    if (path === '/left' ) stream.close(http2.constants.NGHTTP2_CANCEL);
  });
  stream.on('end', () => done([path, status, type_, JSON.stringify(parts.join('|')), trailers].join(' ')));
  stream.on('error', error => done([path, JSON.stringify(parts.join('|')), error.code, stream.rstCode].join(' ')));
  stream.end(type ? Buffer.from([0, 0, 0, 0, 0]) : 'x');
});
(async () => {
  const grpc = 'application/grpc';
  const all = [ask('/feed'), ask('/breaks'), ask('/resets'), ask('/left'), ask('/real'),
    ask('/s.S/Stream', grpc), ask('/s.S/Fails', grpc), ask('/s.S/Breaks', grpc), ask('/s.S/Bodies', grpc)];
  for (const one of await Promise.all(all)) say(one);
  const pushed = ask('/open');
  say('open');
  say(await Promise.race([pushed, new Promise(done => setTimeout(() => done('still open'), 200))]));
  session.destroy();
})();
";

fn is(interaction: &Value, path: &str) -> bool {
    let method = || format!("/{}/{}", text(interaction, "service"), text(interaction, "method"));
    text(interaction, "path") == path || method() == path
}

const ANSWERS: Table = Table(&[
    (
        (|request| is(request, "/feed")) as About,
        r#"{"events":[{"data":1},{"data":{"n":2},"after":"20ms"},{"event":"end","data":3,"after":"20ms"}]}"#,
    ),
    (|request| is(request, "/breaks"), r#"{"events":[{"data":1},{"fault":"truncate","after":"10ms"}]}"#),
    (|request| is(request, "/resets"), r#"{"events":[{"data":1},{"fault":"reset","after":"10ms"}]}"#),
    (|request| is(request, "/left"), r#"{"events":[{"data":1},{"data":2,"after":"1h"}]}"#),
    (|request| is(request, "/open"), r#"{"events":[{"data":1}],"open":true}"#),
    (
        |request| is(request, "/s.S/Stream"),
        r#"{"messages":[{"body":{"base64":"CAE="}},{"body":{"base64":"CAI="}}],"every":"20ms"}"#,
    ),
    (
        |request| is(request, "/s.S/Fails"),
        r#"{"messages":[{"body":{"base64":"CAE="}}],"status":"UNAVAILABLE","message":"gone"}"#,
    ),
    (
        |request| is(request, "/s.S/Breaks"),
        r#"{"messages":[{"body":{"base64":"CAE="}},{"fault":"truncate"}]}"#,
    ),
    (|request| is(request, "/s.S/Bodies"), r#"{"bodies":[{"base64":"CAE="},{"base64":"CAI="}]}"#),
]);

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_in_their_time_beside_other_calls() {
    let Some(node) = program("node") else { return };
    let port = free_port();
    let mut command = Command::new(&node);
    command.args(["-e", SERVER, &port.to_string()]);
    let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
    for (upstream, real) in [
        (server.upstream(), r#"/real 200  "real /real" "#),
        (Upstream::Nowhere, r#"/real 200 application/grpc "" "#),
    ] {
        let is_real = upstream != Upstream::Nowhere;
        let seam = Seam::stand("grpc", upstream).await;
        seam.put("the stub", (Kind::Stub(Arc::new(ANSWERS)), Often::default()), None).await;
        let mut client = Client::run_in_node(&node, seam.address.port(), CLIENT);
        let feed =
            r#"/feed 200 text/event-stream "data: 1\n\n|data: {\"n\":2}\n\n|event: end\ndata: 3\n\n" "#;
        assert_eq!(client.line(), feed.trim_end());
        assert_eq!(client.line(), r#"/breaks "data: 1\n\n" ERR_HTTP2_STREAM_ERROR 2"#);
        assert_eq!(client.line(), r#"/resets "data: 1\n\n" ERR_HTTP2_STREAM_ERROR 2"#);
        assert!(client.line().starts_with("/left "));
        let line = client.line();
        assert!(!is_real || line == real.trim_end(), "{line}");
        for expect in [
            r#"/s.S/Stream 200 application/grpc "00000000020801|00000000020802" 0 "#,
            r#"/s.S/Fails 200 application/grpc "00000000020801" 14 gone"#,
            r#"/s.S/Breaks 200 application/grpc "00000000020801" "#,
        ] {
            assert_eq!(client.line(), expect.trim_end());
        }
        let bodies = client.line().replace('|', "");
        assert_eq!(bodies, r#"/s.S/Bodies 200 application/grpc "0000000002080100000000020802" 0"#);
        assert_eq!(client.line(), "open");
        assert_eq!(client.line(), "still open");
        assert_eq!(client.line(), "");
        let told = seam.told().await;
        let by_stub = |one: &&seam_event::Interaction| one.answered_by.as_deref() == Some("stub the stub");
        let n_messages = told.iter().filter(by_stub).filter(|one| one.message != Value::Null).count();
        assert!(n_messages >= 10, "{n_messages} {told:?}");
    }
}
