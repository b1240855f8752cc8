//! Two brokers that speak TLS, the second of which only the first has told of.

use crate::bed::{Certificates, Seam};
use crate::servers::{Ended, python};
use seam_proxy::{ProviderTlsSpec, Trust};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Each answers whatever it is asked with the addresses of both, the first with TLS where it is told to.
const BROKERS: &str = r"
import asyncio, ssl, struct, sys
certificate, key, first = sys.argv[1:]
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
ports = []
async def broker(reader, writer):
    try:
        while True:
            length, = struct.unpack('>i', await reader.readexactly(4))
            asked = await reader.readexactly(length)
            body = asked[4:8] + struct.pack('>i', len(ports))
            for n, port in enumerate(ports):
                body += struct.pack('>ih', n, 9) + b'localhost' + struct.pack('>ih', port, -1)
            body += struct.pack('>ii', 0, 0)
            writer.write(struct.pack('>i', len(body)) + body)
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError): writer.close()
async def main():
    servers = [await asyncio.start_server(broker, '127.0.0.1', 0, ssl=how) for how in (tls if first == 'tls' else None, tls)]
    ports.extend(server.sockets[0].getsockname()[1] for server in servers)
    print(*ports, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
";

/// Asks for the brokers (Metadata 1), and gives their ports.
fn brokers(port: u16) -> Vec<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\0\0\xff\xff\xff\xff";
    stream.write_all(request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply[..8], [0, 0, 0, 7, 0, 0, 0, 2]);
    let mut at = 8;
    (0..2)
        .map(|_| {
            let host = usize::from(reply[at + 5]);
            assert_eq!(&reply[at + 6..at + 6 + host], b"127.0.0.1");
            let port = at + 6 + host;
            at = port + 6;
            u16::from_be_bytes([reply[port + 2], reply[port + 3]])
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_brokers_are_met_with_tls() {
    let Some(python) = python("ssl") else { return };
    let certificates = Certificates::new();
    for first in ["tls", "plain"] {
        let (certificate, key) = (certificates.text("server.pem"), certificates.text("server.key"));
        let mut program = Command::new(python)
            .args(["-c", BROKERS, &certificate, &key, first])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let _brokers = Ended(program);
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
        for (authorities, is_met) in
            [(Trust::File(certificates.file("ca.pem")), true), (Trust::Machine, first == "tls")]
        {
            let seam = Seam::stand("kafka", ports[0]).await;
            let others = ProviderTlsSpec { authorities: Some(authorities), ..ProviderTlsSpec::default() };
            let seam = if first == "tls" {
                seam.declared(&certificates.judged())
            } else {
                seam.proxy.speak_tls_to_others(|_| true, Some(&others));
                seam
            };
            let address: SocketAddr = seam.address;
            let told = brokers(address.port());
            assert_eq!(told[0], address.port());
            assert!(
                !ports.contains(&told[1]) && told[1] != told[0],
                "it has an address of its own: {told:?}"
            );
            if is_met {
                assert_eq!(brokers(told[1]), told, "who comes by the other one is told the same");
                assert_eq!(seam.unreached().await, [""; 0]);
            } else {
                let mut stream = TcpStream::connect(("127.0.0.1", told[1])).unwrap();
                let _ = stream.write_all(b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x07\0\0\xff\xff\xff\xff");
                assert!(!matches!(stream.read(&mut [0; 4]), Ok(1..)), "nobody is there who is trusted");
                drop(stream);
                assert!(seam.why().await[0].contains("certificate"), "{:?}", seam.why().await);
            }
        }
    }
}
