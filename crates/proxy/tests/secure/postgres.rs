//! PostgreSQL with `ssl=on`, and psql: what a sign-in is bound to (SCRAM-SHA-256-PLUS) is not offered on.

use crate::bed::{Certificates, Seam, run_with};
use crate::servers::{Server, free_port, program, skipped};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The account that runs the server where we are root, which it refuses to be.
const SOMEBODY: u32 = 65534;

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let folders = versions.into_iter().flatten().filter_map(|version| Some(version.ok()?.path().join("bin")));
    let found = folders.filter(|folder| folder.join("initdb").exists()).max();
    if found.is_none() {
        skipped("needs PostgreSQL in /usr/lib/postgresql");
    }
    found
}

fn server(certificates: &Certificates) -> Option<Server> {
    let programs = programs()?;
    let folder = tempfile::tempdir().unwrap();
    let is_root = folder.path().metadata().unwrap().uid() == 0;
    let owned = |path: &Path| {
        if is_root {
            chown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        }
    };
    let command = |name: &str, data: &Path| {
        let mut command = Command::new(programs.join(name));
        command.arg("-D").arg(data).current_dir("/");
        if is_root {
            command.uid(SOMEBODY).gid(SOMEBODY);
        }
        command
    };
    owned(folder.path());
    for name in ["ca.pem", "server.pem", "server.key", "password"] {
        let text = if name == "password" {
            "s3cret".to_owned()
        } else {
            std::fs::read_to_string(certificates.file(name)).unwrap()
        };
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        owned(&file);
    }
    let data = folder.path().join("data");
    let password = format!("--pwfile={}", folder.path().join("password").display());
    let made = command("initdb", &data)
        .args(["-U", "ann", "-A", "scram-sha-256", "-N", &password])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // The second database is for TLS only.
    let rules = "host postgres all all scram-sha-256\nhostssl template1 all all scram-sha-256\n";
    std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
    let port = free_port();
    let mut server = command("postgres", &data);
    server.args([
        "-p",
        &port.to_string(),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
        "-c",
        "ssl=on",
    ]);
    for (name, file) in [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")] {
        server.args(["-c", &format!("ssl_{name}_file={}", folder.path().join(file).display())]);
    }
    server.args(["-c", "unix_socket_directories="]);
    Some(Server::start(folder, port, &mut server))
}

fn ask(seam: &Seam, how: &str) -> String {
    let port = seam.port();
    let to = format!("host=localhost hostaddr=127.0.0.1 port={port} user=ann password=s3cret {how}");
    let statement = "select ssl, 40 + 2 from pg_stat_ssl where pid = pg_backend_pid()";
    run_with(Command::new("psql").args(["-X", "-A", "-t", "-c", statement, &to])).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_reached_over_tls() {
    let certificates = Certificates::new();
    let (Some(server), Some(_)) = (server(&certificates), program("psql")) else { return };
    let declared = Seam::stand("postgres", server.port).await.declared(&certificates.judged());
    let plain = Seam::stand("postgres", server.port).await;
    for mode in ["disable", "prefer"] {
        for database in ["postgres", "template1"] {
            assert_eq!(ask(&declared, &format!("dbname={database} sslmode={mode}")), "t|42", "{mode}");
        }
    }
    // Where the consumer has TLS and its provider needs none, there is none behind the seam. It has it the first time that
    // it asks: one that insists would fail.
    for mode in ["prefer".to_owned(), "require".to_owned(), format!("verify-full sslrootcert={}", plain.ca())]
    {
        assert_eq!(ask(&plain, &format!("dbname=postgres sslmode={mode}")), "f|42", "{mode}");
    }
    // A driver which knows how to bind its sign-in must not be led to believe that the server does not.
    declared.proxy.insist_on_tls(|_| true);
    let refused = ask(&declared, "dbname=template1 sslmode=require");
    assert!(refused.contains("channel binding"), "{refused}");
    let why = declared.why().await;
    assert!(why[0].contains("takes no sign-in from a driver"), "{why:?}");
    let unbound = "dbname=template1 sslmode=require channel_binding=disable";
    assert_eq!(ask(&declared, unbound), "t|42");
    let presented = Seam::stand("postgres", server.port).await.presented(&certificates);
    let own = format!("dbname=template1 sslmode=verify-full sslrootcert={}", certificates.text("ca.pem"));
    for binding in ["prefer", "require"] {
        assert_eq!(ask(&presented, &format!("{own} channel_binding={binding}")), "t|42");
    }
    assert_eq!(declared.told().await.len(), 6);
}
