//! Real brokers for tests, and somebody who answers what is published there.

use super::LIMIT;
use super::servers::{Server, start, start_within, watcher};
use seam_launch::{Spawn, find_program, hold_port};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

fn program(name: &str) -> Option<PathBuf> {
    find_program(name, Path::new("/"), PATH).ok()
}

/// NATS with the user `tester` (password `p@ss:word`), who may not publish to `forbidden`; none where there is no program.
pub(crate) async fn nats() -> Option<Server> {
    let program = program("nats-server")?;
    let folder = tempfile::tempdir().unwrap();
    let port = hold_port().unwrap();
    let config = format!(
        "listen: \"{}\"\nmax_payload: 65536\nauthorization {{ users = [{{ user: tester, password: \"p@ss:word\",\n\
         permissions: {{ publish: {{ deny: [forbidden] }} }} }}] }}\n",
        port.address()
    );
    let path = folder.path().join("nats.conf");
    std::fs::write(&path, config).unwrap();
    let watcher = watcher(folder.path()).await;
    let mut spawn = Spawn::new("nats".into(), program, folder.path());
    spawn.arguments = vec!["-c".to_owned(), path.display().to_string()];
    start(&watcher, spawn, "Server is ready").await;
    Some(Server::new(port, watcher, folder))
}

/// Somebody who says that every order is new, to whoever asks NATS for `orders.get`.
pub(crate) async fn answers_on_nats(at: SocketAddr) {
    let mut stream = BufReader::new(TcpStream::connect(at).await.unwrap());
    let begin = "CONNECT {\"verbose\":false,\"user\":\"tester\",\"pass\":\"p@ss:word\"}\r\nSUB orders.get 1\r\nPING\r\n";
    stream.write_all(begin.as_bytes()).await.unwrap();
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        let n_bytes = timeout(LIMIT, stream.read_line(&mut line)).await.unwrap().unwrap();
        assert!(n_bytes > 0, "NATS let nobody in");
    }
    tokio::spawn(async move {
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|n_bytes| n_bytes > 0) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if let ["MSG", "orders.get", "1", inbox, _] = words[..] {
                let answer = format!("PUB {inbox} 15\r\n{{\"state\":\"new\"}}\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            line.clear();
        }
    });
}

/// Mosquitto with the user `tester` (password `p@ss:word`), who may publish and hear below `orders` and `seam` only; none
/// where there is no program.
pub(crate) async fn mosquitto() -> Option<Server> {
    let (program, passwords) = (program("mosquitto")?, program("mosquitto_passwd")?);
    let folder = tempfile::tempdir().unwrap();
    let port = hold_port().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "listener {} 127.0.0.1\nuser root\npassword_file {}\nacl_file {}\n",
        port.port(),
        at("users"),
        at("rights")
    );
    std::fs::write(at("conf"), config).unwrap();
    std::fs::write(at("rights"), "user tester\ntopic readwrite orders/#\ntopic readwrite seam/#\n").unwrap();
    let watcher = watcher(folder.path()).await;
    let mut spawn = Spawn::new("passwords".into(), passwords, folder.path());
    spawn.arguments = ["-b", "-c", &at("users"), "tester", "p@ss:word"].map(str::to_owned).into();
    let made = watcher.spawn(spawn).await.unwrap();
    timeout(LIMIT, made.died()).await.unwrap().unwrap();
    let mut spawn = Spawn::new("mosquitto".into(), program, folder.path());
    spawn.arguments = vec!["-c".to_owned(), at("conf")];
    start(&watcher, spawn, "running").await;
    Some(Server::new(port, watcher, folder))
}

/// A stand-in for Kafka that lets in by these mechanisms, and by nothing else; none where there is no Python.
pub(crate) async fn kafka(mechanisms: &str) -> Option<Server> {
    let program = program("python3")?;
    let folder = tempfile::tempdir().unwrap();
    let port = hold_port().unwrap();
    let watcher = watcher(folder.path()).await;
    let mut spawn = Spawn::new("kafka".into(), program, folder.path());
    spawn.arguments =
        ["-c", include_str!("kafka.py"), &port.port().to_string(), mechanisms].map(str::to_owned).into();
    start(&watcher, spawn, "ready").await;
    Some(Server::new(port, watcher, folder))
}

/// RabbitMQ with the user `tester` (password `p@ss:word`) and nobody else, and the queue `echo`; none where there is no program. Its node, ports
/// and files are nobody else's.
pub(crate) async fn rabbitmq() -> Option<Server> {
    let program = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    let names_program = self::program("epmd")?;
    if !program.exists() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let [port, names, nodes] = [hold_port(), hold_port(), hold_port()].map(Result::unwrap);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "listeners.tcp.1 = {}\nlog.console = true\nload_definitions = {}\n",
        port.address(),
        at("there.json")
    );
    let there = r#"{"vhosts":[{"name":"/"}],"users":[{"name":"tester","password":"p@ss:word","tags":""}],
        "permissions":[{"user":"tester","vhost":"/","configure":".*","write":".*","read":".*"}],
        "queues":[{"name":"echo","vhost":"/","durable":true,"auto_delete":false,"arguments":{}}]}"#;
    std::fs::write(at("there.json"), there).unwrap();
    std::fs::write(at("rabbitmq.conf"), config).unwrap();
    std::fs::write(at("plugins"), "[].\n").unwrap();
    let watcher = watcher(folder.path()).await;
    let mut spawn = Spawn::new("epmd".into(), names_program, folder.path());
    let names_port = names.port().to_string();
    spawn.arguments = ["-port", &names_port, "-address", "127.0.0.1"].map(str::to_owned).into();
    watcher.spawn(spawn).await.unwrap();
    let mut spawn = Spawn::new("rabbitmq".into(), program.to_owned(), folder.path());
    spawn.env = [
        ("PATH", PATH.to_owned()),
        ("HOME", at("")),
        ("RABBITMQ_NODENAME", format!("seam{}@localhost", port.port())),
        ("RABBITMQ_MNESIA_BASE", at("mnesia")),
        ("RABBITMQ_LOG_BASE", at("log")),
        ("RABBITMQ_CONFIG_FILE", at("rabbitmq.conf")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins")),
        ("RABBITMQ_DIST_PORT", nodes.port().to_string()),
        ("ERL_EPMD_PORT", names_port),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    start_within(&watcher, spawn, "Server startup complete", LIMIT * 6).await;
    Some(Server::new(port, watcher, folder))
}
