//! NATS with and without TLS, and a client in Rust (async-nats).

use crate::bed::{Certificates, Seam};
use crate::servers::{Server, free_port, program};
use futures_util::StreamExt as _;
use seam_proxy::ProviderTlsSpec;
use std::process::Command;
use std::time::Duration;

fn server(more: &[String]) -> Option<Server> {
    let server = program("nats-server")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(server);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string()]).args(more);
    Some(Server::start(dir, port, &mut command))
}

async fn is_heard(seam: &Seam, with_tls: bool) -> bool {
    let mut options = async_nats::ConnectOptions::new().connection_timeout(Duration::from_secs(5));
    if with_tls {
        options = options.require_tls(true).add_root_certificates(seam.ca().into());
    }
    let Ok(client) = options.connect(format!("nats://localhost:{}", seam.port())).await else { return false };
    let mut orders = client.subscribe("orders").await.unwrap();
    let large = vec![7_u8; 300_000];
    client.publish("orders", large.clone().into()).await.unwrap();
    let message = tokio::time::timeout(Duration::from_secs(10), orders.next()).await.unwrap().unwrap();
    message.payload == large
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_is_reached_over_tls() {
    let certificates = Certificates::new();
    let (cert, key) = (certificates.text("server.pem"), certificates.text("server.key"));
    let options = ["--tls".to_owned(), format!("--tlscert={cert}"), format!("--tlskey={key}")];
    let (Some(with), Some(without)) = (server(&options), server(&[])) else { return };
    for (server, spec) in [
        (&without, None),
        (&with, None),
        (&with, Some(certificates.judged())),
        (&with, Some(ProviderTlsSpec::default())),
    ] {
        for with_tls in [false, true] {
            let mut seam = Seam::stand("nats", server.port).await;
            if let Some(spec) = &spec {
                seam = seam.declared(spec);
            }
            assert!(is_heard(&seam, with_tls).await, "{spec:?} {with_tls}");
            // The subscription, the publication and its delivery.
            assert_eq!(seam.told().await.len(), 3);
        }
    }
}
