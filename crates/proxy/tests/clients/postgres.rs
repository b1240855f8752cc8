//! PostgreSQL and tokio-postgres.

use crate::bed::{Bed, LONG, Server, free_port};
use futures_util::{SinkExt as _, StreamExt as _, pin_mut};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio_postgres::{Client, Error, NoTls};

/// The account that runs the server where we are root, which it refuses to be.
const SOMEBODY: u32 = 65534;

/// The newest of the distribution's servers.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}

fn command(program: &Path, data: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("-D").arg(data).current_dir("/");
    if data.parent().and_then(|folder| folder.metadata().ok()).is_some_and(|folder| folder.uid() == SOMEBODY)
    {
        command.uid(SOMEBODY).gid(SOMEBODY);
    }
    command
}

fn server() -> Option<Server> {
    let Some(programs) = programs() else {
        eprintln!("left out: there is no PostgreSQL in /usr/lib/postgresql");
        return None;
    };
    let (address, folder) = (free_port(), tempfile::tempdir().unwrap());
    if folder.path().metadata().unwrap().uid() == 0 {
        chown(folder.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    }
    let data = folder.path().join("data");
    let made =
        command(&programs.join("initdb"), &data).args(["-U", "ann", "-A", "trust", "-N"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut server = command(&programs.join("postgres"), &data);
    server.args(["-p", &address.port().to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    server.args(["-c", "unix_socket_directories="]);
    Server::start(&mut server, "ready to accept connections", address, folder)
}

async fn connect(address: SocketAddr) -> Client {
    let config = format!("host=127.0.0.1 port={} user=ann dbname=postgres", address.port());
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn code(error: &Error) -> &str {
    error.code().map_or("none", |code| code.code())
}

async fn count(client: &Client) -> i64 {
    client.query_one("select count(*) from orders", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_refused_doubled_and_answered() {
    let Some(server) = server() else { return };
    let bed = Bed::stand("postgres", Some(server.address)).await;
    let mut shop = connect(bed.address).await;
    let other = connect(server.address).await;
    shop.batch_execute("create table orders (id int primary key, total numeric); create table log (n int)")
        .await
        .unwrap();
    let insert = shop.prepare("insert into orders (id) values ($1)").await.unwrap();

    // A transaction that fails here fails there, and can be tried again.
    let rule = bed.fault(r#"{"error":"40001"}"#, "insert into orders", Some(1)).await;
    for (n, expect) in [(1, "40001"), (2, "none")] {
        let transaction = shop.transaction().await.unwrap();
        transaction.execute("insert into log values (1)", &[]).await.unwrap();
        match transaction.execute(&insert, &[&n]).await {
            Ok(_) => transaction.commit().await.unwrap(),
            Err(error) => {
                assert_eq!(code(&error), expect);
                let failed = transaction.execute("insert into log values (2)", &[]).await.unwrap_err();
                assert_eq!(code(&failed), "25P02");
                transaction.rollback().await.unwrap();
            }
        }
    }
    assert_eq!(count(&other).await, 1);
    bed.take_away(&rule);

    // So does one whose end is refused.
    let rule = bed.fault(r#"{"error":"40001"}"#, "COMMIT", Some(1)).await;
    let transaction = shop.transaction().await.unwrap();
    transaction.execute(&insert, &[&3]).await.unwrap();
    assert_eq!(code(&transaction.commit().await.unwrap_err()), "40001");
    assert_eq!((count(&shop).await, count(&other).await), (1, 1));
    bed.take_away(&rule);

    let rule = bed.fault("\"duplicate\"", "insert into log", None).await;
    shop.execute("insert into log values ($1)", &[&7]).await.unwrap();
    shop.batch_execute("insert into log values (8)").await.unwrap();
    bed.take_away(&rule);
    let doubled = shop.query_one("select count(*) from log where n in (7, 8)", &[]).await.unwrap();
    assert_eq!(doubled.get::<_, i64>(0), 4);

    // Answered in the types that the server described.
    let rule = bed.stub(&[("from orders where id", r#"{"rows":[{"id":42,"total":null}]}"#)]).await;
    let row = shop.query_one("select id, total from orders where id = $1", &[&1]).await.unwrap();
    assert_eq!(row.get::<_, i32>("id"), 42);
    bed.take_away(&rule);
    bed.was_legible();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_passes_while_it_is_held_is_as_without() {
    let Some(server) = server() else { return };
    let bed = Bed::stand("postgres", Some(server.address)).await;
    let shop = connect(bed.address).await;
    let _rule = bed.fault(r#"{"latency":"1ms"}"#, "", None).await;
    shop.batch_execute("create table orders (id int)").await.unwrap();
    let sink = shop.copy_in("copy orders from stdin").await.unwrap();
    pin_mut!(sink);
    for n in 0..2000 {
        sink.send(bytes::Bytes::from(format!("{n}\n"))).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 2000);
    let out = shop.copy_out("copy orders to stdout").await.unwrap();
    pin_mut!(out);
    let mut n_bytes = 0;
    while let Some(chunk) = out.next().await {
        n_bytes += chunk.unwrap().len();
    }
    assert_eq!(n_bytes, 10 * 2 + 90 * 3 + 900 * 4 + 1000 * 5);
    let large = "x".repeat(3_000_000);
    let again = shop.query_one("select $1::text", &[&large]).await.unwrap();
    assert!(again.get::<_, &str>(0) == large);
    let (one, two, three) = tokio::join!(
        shop.query_one("select 1", &[]),
        shop.query_one("select 2", &[]),
        shop.query_one("select nothing", &[]),
    );
    assert_eq!((one.unwrap().get::<_, i32>(0), two.unwrap().get::<_, i32>(0)), (1, 2));
    assert_eq!(code(&three.unwrap_err()), "42703");
    let cancel = shop.cancel_token();
    let (cancelled, slept) = tokio::join!(
        async {
            // The statement is under way once the server tells of it.
            let other = connect(server.address).await;
            let is_asleep =
                "select 1 from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'";
            while other.query(is_asleep, &[]).await.unwrap().is_empty() {}
            cancel.cancel_query(NoTls).await
        },
        shop.batch_execute("select pg_sleep(60)"),
    );
    cancelled.unwrap();
    assert_eq!(code(&slept.unwrap_err()), "57014");
    bed.was_legible();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_is_a_postgres() {
    let bed = Bed::stand("postgres", None).await;
    let answers = [
        ("from users", r#"{"rows":[{"id":1,"email":"ann@example.test"}]}"#),
        ("insert into users", r#"{"error":{"code":"23505","constraint":"users_email"}}"#),
    ];
    let _rule = bed.stub(&answers).await;
    let mut shop = connect(bed.address).await;
    let rows = shop.query("select * from users where id = $1::int4", &[&1]).await.unwrap();
    assert_eq!(rows[0].get::<_, &str>("email"), "ann@example.test");
    let transaction = shop.transaction().await.unwrap();
    let error = transaction.execute("insert into users values ($1)", &[&"x"]).await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("users_email"));
    transaction.rollback().await.unwrap();
    let unknown = shop.query("select 1", &[]).await.unwrap_err();
    assert!(unknown.as_db_error().unwrap().message().contains("no stub answers this"));
    bed.was_legible();
}

/// Who would like GSSAPI's encryption, and then TLS, is told by the server that there is none, and does without.
#[tokio::test(flavor = "multi_thread")]
async fn encryption_is_asked_for_and_declined() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let Some(server) = server() else { return };
    for is_held in [false, true] {
        let bed = Bed::stand("postgres", Some(server.address)).await;
        if is_held {
            bed.fault(r#"{"latency":"1ms"}"#, "", None).await;
        }
        let mut stream = tokio::net::TcpStream::connect(bed.address).await.unwrap();
        for code in [80_877_104_u32, 80_877_103] {
            stream.write_all(&[8_u32.to_be_bytes(), code.to_be_bytes()].concat()).await.unwrap();
            let answer = tokio::time::timeout(LONG, stream.read_u8()).await.unwrap().unwrap();
            assert_eq!(char::from(answer), 'N');
        }
        let words = b"\0\x03\0\0user\0ann\0database\0postgres\0\0";
        stream.write_all(&u32::try_from(words.len() + 4).unwrap().to_be_bytes()).await.unwrap();
        stream.write_all(words).await.unwrap();
        stream.write_all(b"Q\0\0\0\x0dselect 7\0").await.unwrap();
        let mut said = Vec::new();
        let seven = b"D\0\0\0\x0b\0\x01\0\0\0\x017";
        while !said.windows(seven.len()).any(|window| window == seven) {
            let mut buffer = [0; 4096];
            let n_read = tokio::time::timeout(LONG, stream.read(&mut buffer)).await.unwrap().unwrap();
            assert_ne!(n_read, 0, "{}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&buffer[..n_read]);
        }
        bed.was_legible();
    }
}
