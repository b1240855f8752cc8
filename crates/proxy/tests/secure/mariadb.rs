//! MariaDB with and without TLS, and its own client.

use crate::bed::{Certificates, Seam, run};
use crate::servers::{Server, mariadb, program};
use seam_proxy::ProviderTlsSpec;
use std::path::Path;

fn server(more: &[String]) -> Option<Server> {
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    mariadb(&[&["--plugin-maturity=beta"], more.as_slice()].concat())
}

/// What the client says to a statement.
fn ask(client: &Path, port: &str, who: &[&str], statement: &str) -> String {
    let mut arguments = vec!["--no-defaults", "-h127.0.0.1", "-P", port, "-N", "-e", statement];
    arguments.extend(who);
    run(client, &arguments)
}

const ROOT: &[&str] = &["-uroot"];
const ANN: &[&str] = &["-uann", "-ps3cret"];
const PLAIN: &[&str] = &["--skip-ssl"];
const CIPHER: &str = "show session status like 'Ssl_cipher'";

/// A greeting of MySQL 8 without TLS, whose accounts sign in by what is said in clear over it.
fn greeting() -> Vec<u8> {
    let mut said = vec![10];
    said.extend(b"8.0.36\0\x01\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15");
    said.extend([0; 10]);
    said.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    let length = u32::try_from(said.len()).unwrap().to_le_bytes();
    [&length[..3], &[0], &said].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_insists_on_tls_and_can_have_none_is_told_why() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(&greeting());
            let _ = stream.read(&mut [0; 100]);
        }
    });
    let seam = Seam::stand("mysql", port).await;
    let mut client = std::net::TcpStream::connect(seam.address).unwrap();
    let mut said = vec![0; greeting().len()];
    client.read_exact(&mut said).unwrap();
    assert_eq!(said, greeting());
    drop(client);
    let why = seam.why().await;
    assert!(why[0].contains("speaks no TLS and signs in by caching_sha2_password"), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls() {
    let (Some(server), Some(client)) = (server(&[]), program("mariadb")) else { return };
    let seam = Seam::stand("mysql", server.port).await;
    let (port, ca) = (seam.port(), seam.ca());
    let by = if ask(&client, &port, ROOT, "install soname 'auth_ed25519'").is_empty() {
        "ed25519"
    } else {
        "mysql_native_password"
    };
    let create = format!("create user ann@localhost identified via {by} using password('s3cret')");
    assert_eq!(ask(&client, &port, ROOT, &create), "");
    let ca = format!("--ssl-ca={ca}");
    let tls: [&[&str]; 4] = [PLAIN, &["--ssl"], &[&ca], &[&ca, "--ssl-verify-server-cert"]];
    for (index, how) in tls.iter().enumerate() {
        for who in [ROOT, ANN] {
            let said = ask(&client, &port, &[who, how].concat(), &format!("select {index} + 40; {CIPHER}"));
            assert_eq!(
                said.split_whitespace().collect::<Vec<_>>(),
                [&format!("{}", index + 40), "Ssl_cipher"]
            );
            // What the client knows of its own connection.
            let status = ask(&client, &port, &[who, how].concat(), "status");
            assert_eq!(status.contains("Cipher in use"), *how != PLAIN, "{status}");
        }
    }
    let large = ask(
        &client,
        &port,
        &["-uroot", "--ssl", "--max-allowed-packet=64M"],
        "select length(repeat('y', 15000000)), repeat('y', 15000000)",
    );
    assert_eq!(large.len(), "15000000\t\n".len() + 15_000_000);
    let wrong = ask(&client, &port, &["-uann", "-pwrong", "--ssl"], "select 1");
    assert!(wrong.contains("ERROR 1045"), "{wrong}");
    let told = seam.told().await;
    let n_selected = told.iter().filter(|one| one.request.to_string().contains("+ 40")).count();
    assert_eq!(n_selected, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls() {
    let certificates = Certificates::new();
    let options = ["ca", "cert", "key"].into_iter().zip(["ca.pem", "server.pem", "server.key"]);
    let options: Vec<String> =
        options.map(|(name, file)| format!("--ssl-{name}={}", certificates.text(file))).collect();
    let (Some(server), Some(client)) = (server(&options), program("mariadb")) else { return };
    let follows = Seam::stand("mysql", server.port).await;
    for (who, to) in [("ann", "require ssl"), ("bob", ""), ("eve", "require x509")] {
        let create = format!("create user {who}@localhost identified by 's3cret' {to}");
        assert_eq!(ask(&client, &follows.port(), ROOT, &create), "");
    }
    let shown = Seam::stand("mysql", server.port).await.declared(&certificates.shown());
    let judged = Seam::stand("mysql", server.port).await.declared(&certificates.judged());
    let eve: &[&str] = &["-ueve", "-ps3cret"];
    let secure = |seam: &Seam, who: &[&str], how: &[&str]| {
        let said = ask(&client, &seam.port(), &[who, how].concat(), CIPHER);
        assert!(!said.contains("ERROR") || said.contains("ERROR 1045"), "{said}");
        if said.contains("ERROR") { None } else { Some(said.split_whitespace().count() == 2) }
    };
    // Behind the seam there is TLS where the consumer speaks it, or where it is declared.
    assert_eq!(secure(&follows, ROOT, PLAIN), Some(false));
    assert_eq!(secure(&follows, ROOT, &["--ssl"]), Some(true));
    assert_eq!(secure(&follows, ANN, PLAIN), None);
    assert_eq!(secure(&follows, ANN, &["--ssl"]), Some(true));
    let ca = format!("--ssl-ca={}", judged.ca());
    for how in [PLAIN, &["--ssl"], &[&ca, "--ssl-verify-server-cert"]] {
        assert_eq!(secure(&judged, ANN, how), Some(true));
        assert_eq!(secure(&judged, eve, how), None);
    }
    for how in [PLAIN, &["--ssl"]] {
        assert_eq!(secure(&shown, eve, how), Some(true));
    }
    // Its own certificate is shown to the consumer who knows no other.
    let presented = Seam::stand("mysql", server.port).await.presented(&certificates);
    let ca = format!("--ssl-ca={}", certificates.text("ca.pem"));
    assert_eq!(secure(&presented, ANN, &[&ca, "--ssl-verify-server-cert"]), Some(true));
    assert!(judged.told().await.len() >= 3);
    assert_eq!(judged.unreached().await, [""; 0]);

    let elsewhere = Certificates::new();
    let distrusted = Seam::stand("mysql", server.port).await.declared(&elsewhere.judged());
    let said = ask(&client, &distrusted.port(), ROOT, "select 1");
    assert!(said.contains("ERROR 2013") || said.contains("ERROR 2026"), "{said}");
    let why = distrusted.why().await;
    assert_eq!(why, ["it has a certificate that is signed by nobody whom `ca` names"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_said_to_speak_tls_and_does_not_is_told() {
    let (Some(server), Some(client)) = (server(&[]), program("mariadb")) else { return };
    let seam = Seam::stand("mysql", server.port).await.declared(&ProviderTlsSpec::default());
    let said = ask(&client, &seam.port(), ROOT, "select 1");
    assert!(said.contains("ERROR"), "{said}");
    assert_eq!(seam.why().await, ["it offers no TLS: its greeting does not speak of it"]);
}
