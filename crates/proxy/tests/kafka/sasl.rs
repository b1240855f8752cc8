//! Clients that sign in get through the seam, whatever the mechanism, watched and held; nothing of their secrets is told.

use crate::bed::{Client, Ended, Seam, python};
use crate::cluster::lines;
use seam_proxy::{Kind, Often, Upstream, read_fault};
use seam_value::{Value, parse};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// A broker that checks passwords, and knows one topic: PLAIN and SCRAM, by requests of their own and by bare tokens.
const BROKER: &str = r"
import asyncio, base64, hashlib, hmac, os, struct, sys
versions = int(sys.argv[1])
USER, PASSWORD = b'ann', b'sesame-4711'
def text(s): return struct.pack('>h', len(s)) + s
def bytes_(b): return struct.pack('>i', len(b)) + b
class Scram:
    def __init__(self): self.first = None
    def next(self, token):
        if self.first is None:
            self.bare = token[3:]
            nonce = dict(p.split(b'=', 1) for p in self.bare.split(b','))[b'r'] + b'broker'
            self.salt = os.urandom(12)
            self.first = b'r=' + nonce + b',s=' + base64.b64encode(self.salt) + b',i=4096'
            return self.first
        final, _, proof = token.rpartition(b',p=')
        salted = hashlib.pbkdf2_hmac('sha256', PASSWORD, self.salt, 4096)
        mac = lambda key, what: hmac.new(key, what, hashlib.sha256).digest()
        all_ = self.bare + b',' + self.first + b',' + final
        key = bytes(a ^ b for a, b in zip(mac(hashlib.sha256(mac(salted, b'Client Key')).digest(), all_), base64.b64decode(proof)))
        if key != mac(salted, b'Client Key'): return None
        return b'v=' + base64.b64encode(mac(mac(salted, b'Server Key'), all_))
class Plain:
    def next(self, token): return b'' if token.split(b'\0')[1:] == [USER, PASSWORD] else None
async def client(reader, writer):
    signing, raw = None, False
    try:
        while True:
            length, = struct.unpack('>i', await reader.readexactly(4))
            frame = await reader.readexactly(length)
            if raw and signing:
                said = signing.next(frame)
                if said is None: return writer.close()
                if said == b'' or said.startswith(b'v='): signing = None
                writer.write(bytes_(said))
                continue
            api, version, correlation, n = struct.unpack('>hhih', frame[:10])
            body = frame[10 + max(n, 0):]
            if api == 18:
                apis = [(0, 0, 7), (1, 4, 7), (3, 0, 1), (17, 0, versions), (18, 0, 0)] + ([(36, 0, 1)] if versions else [])
                said = struct.pack('>hi', 35 if version else 0, len(apis)) + b''.join(struct.pack('>hhh', *one) for one in apis)
            elif api == 17:
                mechanism = body[2:].decode()
                signing, raw = (Plain if mechanism == 'PLAIN' else Scram)(), version == 0
                said = struct.pack('>hi', 0, 2) + text(b'PLAIN') + text(b'SCRAM-SHA-256')
            elif api == 36:
                answer = signing.next(body[4:])
                said = struct.pack('>hh', 58, -1) if answer is None else struct.pack('>hh', 0, -1)
                said += bytes_(answer or b'') + (struct.pack('>q', 0) if version else b'')
            else:
                said = struct.pack('>ii', 1, 1) + text(b'localhost') + struct.pack('>ihi', port, -1, 1)
                said += struct.pack('>ih', 1, 0) + text(b'orders') + struct.pack('>bi', 0, 1)
                said += struct.pack('>hiiiiii', 0, 0, 1, 1, 1, 1, 1)
            writer.write(bytes_(struct.pack('>i', correlation) + said))
    except (asyncio.IncompleteReadError, ConnectionError): writer.close()
async def main():
    global port
    server = await asyncio.start_server(client, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)
asyncio.run(main())
";

/// Signs in with the password, and with another one.
const IN_C: &str = r"
import os
from confluent_kafka import Producer, KafkaException
for mechanism in ['PLAIN', 'SCRAM-SHA-256']:
    for password in ['sesame-4711', 'guessed-4712']:
        p = Producer({'bootstrap.servers': f'127.0.0.1:{port}', 'security.protocol': 'sasl_plaintext', 'log_level': 0,
            'sasl.mechanisms': mechanism, 'sasl.username': 'ann', 'sasl.password': password})
        try: say(mechanism, list(p.list_topics(timeout=10 if password[0] == 's' else 1).topics))
        except KafkaException as error: say(mechanism, 'refused')
os._exit(0)
";

const IN_PYTHON: &str = r"
from kafka import KafkaProducer
for mechanism in ['PLAIN', 'SCRAM-SHA-256']:
    p = KafkaProducer(bootstrap_servers=f'127.0.0.1:{port}', security_protocol='SASL_PLAINTEXT', sasl_mechanism=mechanism,
        sasl_plain_username='ann', sasl_plain_password='sesame-4711')
    say(mechanism, sorted(p.partitions_for('orders')))
    p.close()
";

fn broker(python: &str, versions: &str) -> (Ended, SocketAddr) {
    let mut program = Command::new(python)
        .args(["-c", BROKER, versions])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Ended(program), SocketAddr::from(([127, 0, 0, 1], line.trim().parse().unwrap())))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_gets_through() {
    let clients = [("confluent_kafka", IN_C), ("kafka", IN_PYTHON)];
    for (module, script) in clients {
        let Some(client) = python(module) else { continue };
        // With requests of their own for the tokens, and without.
        for (versions, is_held) in [("1", false), ("1", true), ("0", false), ("0", true)] {
            let (_broker, address) = broker(client, versions);
            let mut without = Client::run(client, address.port(), script);
            let expected: Vec<String> =
                std::iter::from_fn(|| Some(without.line()).filter(|line| !line.is_empty())).collect();
            assert!(expected.len() >= 2, "{module} {versions}: {expected:?}");
            let seam = Seam::stand("kafka", Upstream::Tcp(address)).await;
            if is_held {
                let kind = Kind::Fault(read_fault(&parse(r#""garble""#).unwrap()).unwrap());
                seam.put("none", (kind, Often::default()), Some(Box::new(|_| false))).await;
            }
            assert_eq!(lines(client, &seam, script), expected, "{module} {versions} {is_held}");
            let told = seam.told().await;
            let asked = |one: &Value| one.get("api").and_then(Value::as_text) == Some("Metadata");
            assert!(told.iter().any(|one| asked(&one.request)), "what follows is legible");
            for one in told {
                let told = format!("{} {} {}", one.request, one.reply, one.message);
                assert!(
                    !told.contains("4711") && !told.contains("n,,") && !told.contains("request 1"),
                    "{told}"
                );
                assert!(
                    one.request.get("api").and_then(Value::as_text).is_some_and(|api| !api.contains("Sasl"))
                );
            }
        }
    }
}

/// Nobody knows the password that could answer SCRAM.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_behind() {
    let Some(python) = python("confluent_kafka") else { return };
    let seam = Seam::stand("kafka", Upstream::Nowhere).await;
    let table = Kind::Stub(std::sync::Arc::new(crate::bed::Table(&[(|_| true, r#"{"offset":7}"#)])));
    seam.put("stub", (table, Often::default()), None).await;
    let script = "
from confluent_kafka import Producer
p = Producer({'bootstrap.servers': f'127.0.0.1:{port}', 'security.protocol': 'sasl_plaintext', 'log_level': 0,
    'sasl.mechanisms': 'PLAIN', 'sasl.username': 'ann', 'sasl.password': 'any'})
p.produce('orders', 'one', partition=0, callback=lambda error, m: say(error, m.offset()))
p.flush(20)
";
    assert_eq!(lines(python, &seam, script), ["None 7"]);
}
