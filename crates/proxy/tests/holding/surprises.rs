//! What nobody foresaw: bytes of another protocol, where somebody stands in for a provider.

use crate::bed::{LONG, bed};
use crate::stubs::Stub;
use seam_proxy::{Kind, Often, Upstream};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

const NO_HTTP: &[u8] = b"\x00\x01 this is no HTTP\r\n\r\n";

/// A provider that says back what it hears.
fn echo() -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let _ = std::io::copy(&mut &stream, &mut &stream);
    });
    Upstream::Tcp(address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stub_cannot_understand_ends_where_nobody_is_behind_it() {
    let bed = bed(|_| Upstream::Nowhere).await;
    let rule = bed.put_rule("the stub", Kind::Stub(Arc::new(Stub)), None, Often::default()).await;
    let mut client = connect(bed.address);
    client.write_all(NO_HTTP).unwrap();
    let ended = client.read(&mut [0; 16]).map_err(|error| error.kind());
    assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    bed.proxy.take_away(&rule);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stub_cannot_understand_goes_to_a_provider_who_came_later() {
    let bed = bed(|_| Upstream::Nowhere).await;
    bed.put_rule("the stub", Kind::Stub(Arc::new(Stub)), None, Often::default()).await;
    let mut client = bed.client();
    assert_eq!(client.ask("/stub"), r#"201 {"from":"stub"}"#);
    bed.proxy.point(|_| true, &echo());
    client.0.get_mut().write_all(NO_HTTP).unwrap();
    let mut said = vec![0; NO_HTTP.len()];
    client.0.read_exact(&mut said).unwrap();
    assert_eq!(said, NO_HTTP);
}
