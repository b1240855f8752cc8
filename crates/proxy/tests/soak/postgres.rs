//! PostgreSQL: statements that are prepared and executed, several at once.

use crate::load::{Ask, Owned, Speaks};
use crate::servers::{Server, free_port};
use futures_util::future::try_join_all;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use tokio::net::TcpStream;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) struct Postgres {
    client: Client,
    _connection: Owned,
}

/// The account that runs the server where we are root, which it refuses to be.
const SOMEBODY: u32 = 65534;

impl Speaks for Postgres {
    const SEAM: &'static str = "postgres";

    async fn serve() -> Option<Server> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
        let programs = folders.filter(|folder| folder.join("initdb").exists()).max()?;
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let is_root = chown(folder.path(), Some(SOMEBODY), Some(SOMEBODY)).is_ok();
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.arg("-D").arg(folder.path().join("data")).current_dir("/");
            if is_root {
                command.uid(SOMEBODY).gid(SOMEBODY);
            }
            command
        };
        let made = command("initdb").args(["-U", "ann", "-A", "trust", "-N"]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = command("postgres");
        server.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        server.args(["-c", "unix_socket_directories="]);
        let server = Server::start(folder, port, &mut server);
        // It listens before it is ready.
        let config = config();
        for _ in 0..500 {
            let stream = TcpStream::connect(server.address()).await.unwrap();
            if let Ok((client, connection)) = config.connect_raw(stream, NoTls).await {
                let _connection = Owned::spawn(async { drop(connection.await) });
                client.batch_execute("create table done (number bigint)").await.unwrap();
                return Some(server);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("PostgreSQL does not get ready");
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        let (client, connection) = config().connect_raw(stream, NoTls).await.map_err(io::Error::other)?;
        let connection = Owned::spawn(async { drop(connection.await) });
        Ok(Self { client, _connection: connection })
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        let client = &self.client;
        let each = asks.iter().map(|ask| async move {
            if ask.does {
                let number = i64::try_from(ask.number).unwrap();
                client.execute("insert into done values ($1)", &[&number]).await?;
                return Ok(String::new());
            }
            let row = client.query_one("select $1::text as said", &[&ask.payload()]).await?;
            Ok(row.get::<_, String>(0))
        });
        try_join_all(each)
            .await
            .map_err(|error: tokio_postgres::Error| io::Error::other(format!("{error:?}")))
    }

    fn stub(payload: &str) -> Option<String> {
        Some(format!(r#"{{"rows":[{{"said":"{payload}"}}]}}"#))
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let (client, connection) = config().connect_raw(stream, NoTls).await.unwrap();
        let _connection = Owned::spawn(async { drop(connection.await) });
        let rows = client.query("select number from done", &[]).await.unwrap();
        Some(rows.iter().map(|row| u64::try_from(row.get::<_, i64>(0)).unwrap()).collect())
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.user("ann").dbname("postgres");
    config
}
