//! Redis with TLS from the first byte, and its own client.

use crate::bed::{Certificates, Seam, run};
use crate::servers::{Server, free_port, program};
use seam_proxy::Upstream;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_reached_over_tls() {
    let (Some(server), Some(client)) = (program("redis-server"), program("redis-cli")) else { return };
    let certificates = Certificates::new();
    let port = free_port();
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(server);
    command.args(["--bind", "127.0.0.1", "--port", "0", "--tls-port", &port.to_string(), "--save", ""]);
    for (name, file) in [("ca-cert", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")] {
        command.arg(format!("--tls-{name}-file")).arg(certificates.file(file));
    }
    command.current_dir(dir.path());
    let server = Server::start(dir, port, &mut command);
    let ask = |seam: &Seam, how: &[&str]| {
        let (port, ca) = (seam.port(), seam.ca());
        let mut arguments = vec!["-p", &port];
        if !how.is_empty() {
            arguments.extend(["--tls", "--cacert", &ca]);
        }
        arguments.extend(["incrby", "n", "1"]);
        run(&client, &arguments)
    };
    let shown = Seam::stand("redis", server.port).await.declared(&certificates.shown());
    assert_eq!(ask(&shown, &[]).trim(), "1");
    assert_eq!(ask(&shown, &["tls"]).trim(), "2");
    assert_eq!(shown.told().await.len(), 2);
    // It wants to be shown a certificate, which is told.
    let judged = Seam::stand("redis", server.port).await.declared(&certificates.judged());
    let said = ask(&judged, &[]);
    assert!(said.contains("Error") || said.contains("closed"), "{said}");
    let why = judged.why().await;
    assert!(why[0].contains("wants to be shown a certificate"), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_with_tls_reach_one_without() {
    let (Some(server), Some(client)) = (program("redis-server"), program("redis-cli")) else { return };
    let port = free_port();
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let mut command = Command::new(server);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--unixsocket"])
        .arg(&socket);
    command.current_dir(dir.path());
    let server = Server::start(dir, port, &mut command);
    for upstream in [Upstream::Unix(socket), server.upstream()] {
        let seam = Seam::stand_before("redis", upstream).await;
        for _ in 0..2 {
            let (port, ca) = (seam.port(), seam.ca());
            let said = run(&client, &["-p", &port, "--tls", "--cacert", &ca, "ping"]);
            assert_eq!(said.trim(), "PONG");
        }
        assert_eq!(seam.told().await.len(), 2);
    }
}
