//! What the tests need beyond the toolchain: real services and ordinary clients of them.
//!
//! On Debian as root the packages are installed; elsewhere it is said exactly what is missing and how to get it,
//! and the tests that need it skip loudly.

use crate::chore::{self, Result, on_path};
use std::path::Path;

/// One thing that tests need.
struct Need {
    /// What for.
    why: &'static str,
    /// Debian's package.
    package: &'static str,
    /// Is it there?
    there: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need { why: "PostgreSQL's server", package: "postgresql", there: has_postgres },
    Need { why: "Redis' server", package: "redis-server", there: || on_path("redis-server") },
    Need { why: "RabbitMQ's server", package: "rabbitmq-server", there: has_rabbitmq },
    Need {
        why: "MariaDB's server",
        package: "mariadb-server",
        there: || on_path("mariadbd") || on_path("mysqld"),
    },
    Need { why: "NATS' server", package: "nats-server", there: || on_path("nats-server") },
    Need { why: "an MQTT broker", package: "mosquitto", there: || on_path("mosquitto") },
    Need { why: "services in Python", package: "python3", there: || on_path("python3") },
    Need { why: "PostgreSQL from Python", package: "python3-psycopg2", there: || python_has("psycopg2") },
    Need { why: "Redis from Python", package: "python3-redis", there: || python_has("redis") },
    Need { why: "Kafka's client in Python", package: "python3-kafka", there: || python_has("kafka") },
    Need {
        why: "Kafka's brokers, as a client of it mocks them",
        package: "python3-confluent-kafka",
        there: || python_has("confluent_kafka"),
    },
    Need { why: "MariaDB from Python", package: "python3-pymysql", there: || python_has("pymysql") },
    Need { why: "MQTT from Python", package: "python3-paho-mqtt", there: || python_has("paho.mqtt") },
    Need { why: "RabbitMQ from Python", package: "python3-pika", there: || python_has("pika") },
    Need { why: "HTTP/2 and gRPC from Node", package: "nodejs", there: || on_path("node") },
    Need { why: "an ordinary client of HTTP", package: "curl", there: || on_path("curl") },
];

/// Installs what is missing where that is possible, and says the rest.
#[expect(clippy::unnecessary_wraps, reason = "every chore has the same form")]
pub(crate) fn run(_: &[String]) -> Result {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    if is_root() && on_path("apt-get") {
        println!("getting what the tests need: {}", packages.join(" "));
        // Installed services must not start by themselves: the tests start their own.
        let update = chore::command("apt-get", &["update", "-qq"]).status();
        let mut install = chore::command("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
        install.args(&packages).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        let installed = install.status().is_ok_and(|status| status.success());
        if !installed || !update.is_ok_and(|status| status.success()) {
            println!("apt-get could not install all of it");
        }
    }
    for need in NEEDS.iter().filter(|need| !(need.there)()) {
        println!(
            "MISSING: {}; the tests that need it are skipped. On Debian: apt-get install {}",
            need.why, need.package
        );
    }
    Ok(())
}

/// Debian's `rabbitmq-server` on the path only starts it as the system's own; the tests start theirs.
fn has_rabbitmq() -> bool {
    Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").is_file()
}

fn has_postgres() -> bool {
    let debian = Path::new("/usr/lib/postgresql");
    let packaged = std::fs::read_dir(debian).is_ok_and(|versions| {
        versions.flatten().any(|version| version.path().join("bin/postgres").is_file())
    });
    packaged || on_path("initdb")
}

fn python_has(module: &str) -> bool {
    chore::command("/usr/bin/python3", &["-c", &format!("import {module}")])
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}
