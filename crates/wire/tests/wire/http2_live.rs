//! HTTP/2 held between an ordinary client and an ordinary server: node on both sides, and a seam that passes pieces.

use seam_wire::{Behind, Direction, Limits, Of, Splitter, Splitting, protocol};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

const SERVER: &str = r"
const http2 = require('http2');
const server = http2.createServer();
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  const path = headers[':path'];
  if (path.startsWith('/big/')) { stream.respond({ 'content-type': 'text/plain' }); stream.end('x'.repeat(+path.slice(5))); return; }
  if (path === '/never') return;
  let n = 0;
  stream.on('data', chunk => n += chunk.length);
  stream.on('end', () => {
    if (stream.destroyed) return;
    stream.respond({ ':status': 201 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-got': String(n) }));
    stream.end(String(n));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
";

const CLIENT: &str = r"
const http2 = require('http2');
const client = http2.connect('http://127.0.0.1:' + process.argv[1]);
const ask = (headers, body) => new Promise(done => {
  const stream = client.request(headers);
  let status, trailers = {}, n = 0, text = '';
  stream.on('response', headers => status = headers[':status']);
  stream.on('trailers', headers => trailers = headers);
  stream.on('data', chunk => { n += chunk.length; text += chunk; });
  stream.on('error', () => {});
  stream.on('close', () => done([headers[':path'], status, n, text.slice(0, 9), trailers['x-got']].join(' ')));
  stream.end(body);
  if (headers[':path'] === '/never') setTimeout(() => stream.close(8), 50);
});
(async () => {
  const asked = [ask({ ':path': '/big/3000000' }), ask({ ':path': '/never' })];
  for (let i = 0; i < 20; i++) {
    asked.push(ask({ ':path': '/n' + i, ':method': 'POST', 'x-same': 'y'.repeat(50) }, 'b'.repeat(i * 30000)));
    asked.push(ask({ ':path': '/big/' + i * 10000 }));
    asked.push(ask({ ':path': '/stub' + i }));
  }
  for (const line of await Promise.all(asked)) console.log(line);
  console.log(await ask({ ':path': '/n', ':method': 'POST' }, 'last'));
  client.close();
})();
";

/// A program that is ended with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn node(script: &str, arguments: &[String]) -> Option<Running> {
    let mut command = Command::new("node");
    command.args(["-e", script, "--"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok().map(Running)
}

/// Both sockets and the splitter; whoever has read something works with all of them.
struct Seam {
    splitter: Box<dyn Splitter>,
    consumer: TcpStream,
    provider: TcpStream,
    n_again: usize,
}

impl Seam {
    fn write(&mut self, to: Direction, bytes: Vec<u8>) {
        let bytes = self.splitter.passes(to, bytes);
        let _ = match to {
            Direction::ToProvider => self.provider.write_all(&bytes),
            Direction::ToConsumer => self.consumer.write_all(&bytes),
        };
    }

    fn take(&mut self, direction: Direction, bytes: &[u8]) {
        let mut pieces = Vec::new();
        self.splitter.cut(direction, bytes, &mut pieces).expect("no surprise");
        for piece in pieces {
            if let Of::Request { call, read, .. } = piece.of {
                let request = read.read().request;
                let path = request.get("path").and_then(|path| path.as_text()).unwrap_or_default().to_owned();
                if path.starts_with("/stub") {
                    let answer = format!(r#"{{"status":503,"text":"{}"}}"#, "z".repeat(100_000));
                    let answer = seam_value::parse(&answer).expect("JSON");
                    let said = self.splitter.answer(call, &answer).expect("an answer");
                    self.write(Direction::ToConsumer, said);
                    continue;
                }
                if path.ends_with('7') {
                    let again = self.splitter.again(call, &piece.bytes).expect("it can be repeated");
                    self.write(Direction::ToProvider, piece.bytes);
                    self.write(Direction::ToProvider, again);
                    self.n_again += 1;
                    continue;
                }
            }
            self.write(piece.to, piece.bytes);
        }
    }
}

fn pump(seam: &Mutex<Seam>, mut from: TcpStream, direction: Direction) {
    let mut buffer = vec![0; 20_000];
    while let Ok(n_read @ 1..) = from.read(&mut buffer) {
        seam.lock().expect("no panic").take(direction, &buffer[..n_read]);
    }
    let seam = seam.lock().expect("no panic");
    for socket in [&seam.consumer, &seam.provider] {
        let _ = socket.shutdown(Shutdown::Both);
    }
}

#[test]
fn ordinary_peers_notice_nothing() {
    let Some(mut server) = node(SERVER, &[]) else {
        eprintln!("skipped: there is no node");
        return;
    };
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().expect("piped")).read_line(&mut port).expect("a port");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut client = node(CLIENT, &[address.port().to_string()]).expect("node");
    let (consumer, _) = listener.accept().expect("the client");
    let provider = TcpStream::connect(format!("127.0.0.1:{}", port.trim())).expect("the server");
    let limits = Limits { kept_body: 200_000, ..Limits::default() };
    let splitting = Splitting { limits, behind: Behind::Provider };
    let conversation = protocol("http").expect("a protocol").begin(limits);
    let splitter = conversation.split(splitting).expect("a splitter");
    let (from_consumer, from_provider) =
        (consumer.try_clone().expect("two"), provider.try_clone().expect("two"));
    let seam = Arc::new(Mutex::new(Seam { splitter, consumer, provider, n_again: 0 }));
    seam.lock().expect("no panic").splitter.gather_replies(true);
    let other = Arc::clone(&seam);
    let down = std::thread::spawn(move || pump(&other, from_provider, Direction::ToConsumer));
    let other = Arc::clone(&seam);
    let up = std::thread::spawn(move || pump(&other, from_consumer, Direction::ToProvider));
    let mut said = String::new();
    client.0.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    drop((client, server));
    down.join().expect("no panic");
    up.join().expect("no panic");
    let mut expected = vec!["/big/3000000 200 3000000 xxxxxxxxx ".to_owned(), "/never  0  ".to_owned()];
    for number in 0..20 {
        let n_bytes = number * 30_000;
        let text = n_bytes.to_string();
        expected.push(format!("/n{number} 201 {} {text} {text}", text.len()));
        let (n_big, begin) = (number * 10_000, if number == 0 { "" } else { "xxxxxxxxx" });
        expected.push(format!("/big/{n_big} 200 {n_big} {begin} "));
        expected.push(format!("/stub{number} 503 100000 zzzzzzzzz "));
    }
    expected.push("/n 201 1 4 4".to_owned());
    let said: Vec<&str> = said.lines().collect();
    for (said, expected) in said.iter().zip(&expected) {
        assert_eq!(said, expected);
    }
    assert_eq!(said.len(), expected.len());
    assert_eq!(seam.lock().expect("no panic").n_again, 2);
}
