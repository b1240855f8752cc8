//! HTTP/1.1: Node's own server and client, with packed bodies, trailers, events and connections that are kept.

use crate::bed::{Client, Seam, Server, free_port, program, text};
use seam_value::Value;
use std::process::Command;

const SERVER: &str = "
const http = require('node:http'), zlib = require('node:zlib');
const text = JSON.stringify({ books: Array.from({ length: 200 }, (_, id) => ({ id })) });
const packings = { gzip: zlib.gzipSync, deflate: zlib.deflateSync, br: zlib.brotliCompressSync };
http.createServer((request, response) => {
  const packing = request.url.slice(1);
  if (packings[packing]) {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': packing });
    response.end(packings[packing](text));
  } else if (packing === 'trailers') {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('a'); response.write('b');
    response.addTrailers({ 'X-Sum': '2' });
    response.end();
  } else if (packing === 'events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('data: {\"n\":1}\\n\\n');
    response.write(': awake\\n\\ndata: {\"n\":2}\\n\\n');
    response.end();
  } else response.end('plain');
}).listen(Number(process.argv[1]), '127.0.0.1');
";

const CLIENT: &str = "
const http = require('node:http'), zlib = require('node:zlib');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const unpack = { gzip: zlib.gunzipSync, deflate: zlib.inflateSync, br: zlib.brotliDecompressSync };
const ask = path => new Promise(done => {
  http.get({ port, path, agent, host: '127.0.0.1' }, response => {
    const parts = [];
    response.on('data', part => parts.push(part));
    response.on('error', error => done(error.code));
    response.on('end', () => {
      const packing = response.headers['content-encoding'];
      const body = packing ? unpack[packing](Buffer.concat(parts)) : Buffer.concat(parts);
      done([response.statusCode, body.length > 100 ? body.length : JSON.stringify(body.toString()), JSON.stringify(response.trailers)].join(' '));
    });
  }).on('error', error => done(error.code));
});
(async () => {
  for (const path of ['/gzip', '/deflate', '/br', '/trailers', '/events', '/plain']) say(await ask(path));
  agent.destroy();
})();
";

#[tokio::test(flavor = "multi_thread")]
async fn between_nodes_of_http1() {
    let Some(node) = program("node") else { return };
    let port = free_port();
    let mut command = Command::new(&node);
    command.args(["-e", SERVER, &port.to_string()]);
    let server = Server::start(tempfile::tempdir().unwrap(), port, &mut command);
    for is_held in [false, true] {
        let seam = Seam::stand("http", server.upstream()).await;
        if is_held {
            // It looks into replies, and so holds each of them whole.
            seam.break_once(r#"{"status":503}"#, |one| text(one, "reply.text") == "never").await;
        }
        let mut client = Client::run_in_node(&node, seam.address.port(), CLIENT);
        for _ in 0..3 {
            assert_eq!(client.line(), "200 2101 {}");
        }
        assert_eq!(client.line(), r#"200 "ab" {"x-sum":"2"}"#);
        assert_eq!(client.line(), r#"200 "data: {\"n\":1}\n\n: awake\n\ndata: {\"n\":2}\n\n" {}"#);
        assert_eq!(client.line(), r#"200 "plain" {}"#);
        let told = seam.told().await;
        let of =
            |path: &str| told.iter().filter(|one| text(&one.request, "path") == path).collect::<Vec<_>>();
        for path in ["/gzip", "/deflate", "/br"] {
            let books = of(path)[0].reply.get("body").and_then(|body| body.get("books")).cloned();
            assert_eq!(books.as_ref().and_then(Value::as_list).map(<[Value]>::len), Some(200), "{path}");
        }
        assert_eq!(told.iter().filter(|one| one.message != Value::Null).count(), 2, "two events");
    }
}
