//! A real PostgreSQL: prepared, cached, seeded, stopped and started, as root and not.

use super::declared::{Database, Plan, SeedFile};
use super::running::{self, Postgres};
use crate::programs::Requirement;
use crate::service::{RaiseError, Running, StopHow, Upstream};
use crate::testbed::Bed;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Config, NoTls};

pub(super) fn plan(databases: &[(&str, Option<&str>)]) -> Plan {
    let database = |(name, owner): &(&str, Option<&str>)| Database {
        name: (*name).to_owned(),
        owner: owner.map(str::to_owned),
        seeds: Vec::new(),
    };
    Plan {
        requirement: Requirement::default(),
        // Another version than the one that is found: its folder.
        program: std::env::var_os("SEAM_TEST_POSTGRES").map(Into::into),
        databases: databases.iter().map(database).collect(),
        user: "seam".to_owned(),
        password: "s'e\"am".to_owned(),
        locale: "C.UTF-8".to_owned(),
        settings: Vec::new(),
    }
}

pub(super) fn seed(folder: &Path, name: &str, text: &str) -> SeedFile {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    SeedFile { shown: name.into(), path }
}

/// Signs in as a component does.
pub(super) async fn sign_in(
    postgres: &Postgres,
    user: &str,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    let Upstream::Unix(socket) = postgres.upstream("") else { panic!("PostgreSQL listens on a socket") };
    let mut config = Config::new();
    config.host_path(socket.parent().unwrap()).user(user).password("s'e\"am").dbname(database);
    config.application_name("shop");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(super) async fn texts(client: &Client, query: &str) -> Vec<String> {
    let rows = client.simple_query(query).await.unwrap();
    let text = |row: &tokio_postgres::SimpleQueryRow| {
        (0..row.len()).map(|at| row.get(at).unwrap_or("null")).collect::<Vec<_>>().join("|")
    };
    let row = |message: &_| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(text(row)),
        _ => None,
    };
    rows.iter().filter_map(row).collect()
}

#[tokio::test]
async fn it_is_prepared_once_and_copied_afterwards() {
    let bed = Bed::fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&[("stock", Some("stock-keeper")), ("orders", None)]);
    plan.databases[0].seeds = vec![
        seed(
            folder.path(),
            "stock.sql",
            concat!(
                "set search_path = '';\n",
                "create table public.books (id serial primary key, isbn text unique, price numeric);\n",
                "COPY public.books (isbn, price) FROM stdin;\nA\\tB\t1.50\nÄ\t\\N\n\\.\n",
            ),
        ),
        seed(folder.path(), "books.csv", "\u{feff}id,isbn,\"price\"\n7,C,9.90\n"),
        seed(folder.path(), "more.sql", "insert into books (isbn) values ('D');"),
    ];
    let began = Instant::now();
    let postgres = running::raise(&plan, &bed.cx).await.unwrap();
    let cold = began.elapsed();
    let client = sign_in(&postgres, "stock-keeper", "stock").await.unwrap();
    let rows = texts(&client, "select id, isbn, price from books order by id").await;
    assert_eq!(rows, ["1|A\tB|1.50", "2|Ä|null", "7|C|9.90", "8|D|null"]);
    assert!(client.batch_execute("create role other").await.is_err(), "an owner may not do everything");
    sign_in(&postgres, "seam", "orders").await.unwrap().batch_execute("create role other").await.unwrap();
    assert!(sign_in(&postgres, "postgres", "orders").await.is_err(), "only who has a password signs in");
    let Upstream::Unix(socket) = postgres.upstream("stock") else { panic!("a socket") };
    let wrong =
        Config::new().host_path(socket.parent().unwrap()).user("seam").password("no").connect(NoTls).await;
    assert!(wrong.is_err(), "a wrong password is refused");

    let second = Bed::over(&bed.cx.places.cache, None).await;
    let began = Instant::now();
    let copy = running::raise(&plan, &second.cx).await.unwrap();
    eprintln!("cold {cold:?}, warm {:?}", began.elapsed());
    assert!(second.said.lock().unwrap().is_empty(), "{:?}", second.said);
    let client = sign_in(&copy, "stock-keeper", "stock").await.unwrap();
    assert_eq!(texts(&client, "select count(*) from books").await, ["4"]);
    assert_eq!(texts(&client, "show timezone").await, ["UTC"]);
    second.end().await;
    bed.end().await;
}

#[tokio::test]
async fn a_refused_seed_is_pointed_at() {
    let bed = Bed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let table = "create table t (id int primary key, n int not null);\n";
    for (name, text, line, column, code) in [
        ("a.sql", format!("{table}select 1;\n  select id, nope from t;"), 3, 14, "42703"),
        ("a.sql", format!("{table}insert into t values\n (1, null);"), 2, 1, "23502"),
        (
            "a.sql",
            format!("{table}insert into t values (1, 1);\ninsert into t values (1, 1);"),
            3,
            1,
            "23505",
        ),
        ("a.sql", format!("{table}copy t from stdin;\n1\t2\nx\t3\n\\.\n"), 4, 1, "22P02"),
        ("a.sql", "select 'open".to_owned(), 1, 8, "42601"),
        ("a.sql", "\\connect other\n".to_owned(), 1, 1, ""),
        ("nope.csv", "id\n1\n".to_owned(), 1, 1, "42P01"),
        ("a.csv", String::new(), 1, 1, ""),
    ] {
        let mut plan = plan(&[("stock", None)]);
        plan.databases[0].seeds = vec![seed(folder.path(), name, &text)];
        let Err(RaiseError::Seed(error)) = running::raise(&plan, &bed.cx).await else { panic!("{text}") };
        assert_eq!(
            (error.line, error.column, error.code.as_str()),
            (line, column, code),
            "{text}: {error:?}"
        );
    }
    let mut plan = plan(&[("stock", None)]);
    std::fs::write(folder.path().join("b.sql"), b"select 1;\nselect '\xff'").unwrap();
    plan.databases[0].seeds = vec![SeedFile { shown: "b.sql".into(), path: folder.path().join("b.sql") }];
    let Err(RaiseError::Seed(error)) = running::raise(&plan, &bed.cx).await else { panic!("no UTF-8") };
    assert_eq!((error.line, error.column), (2, 9));
    bed.end().await;
}

#[tokio::test]
async fn what_cannot_start_says_why_at_once() {
    let bed = Bed::new().await;
    let mut plan = plan(&[("stock", None)]);
    plan.settings = vec![("shared_buffers".to_owned(), "plenty".to_owned())];
    let began = Instant::now();
    let Err(RaiseError::Died { lines, .. }) = running::raise(&plan, &bed.cx).await else {
        panic!("it must not start")
    };
    assert!(lines.iter().any(|line| line.contains("shared_buffers")), "{lines:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "it was waited for although it had died");
    plan.settings.clear();
    plan.requirement = Requirement::read(">=99").unwrap();
    let Err(RaiseError::Program(none)) = running::raise(&plan, &bed.cx).await else {
        panic!("no such version")
    };
    assert!(none.unfit.iter().any(|(_, why)| why.contains("its version is")), "{none:?}");
    bed.end().await;
}

#[tokio::test]
async fn a_damaged_cache_is_made_anew() {
    let bed = Bed::fresh().await;
    let plan = plan(&[("stock", None)]);
    drop(running::raise(&plan, &bed.cx).await.unwrap());
    let entries = || {
        let all = std::fs::read_dir(bed.cx.places.cache.join("postgres")).unwrap().flatten();
        all.map(|entry| entry.path())
            .filter(|path| path.to_str().unwrap().contains("prepared-"))
            .collect::<Vec<_>>()
    };
    for damage in ["data/PG_VERSION", "complete", "data/global/pg_control"] {
        let [entry] = entries().try_into().unwrap();
        std::fs::remove_file(entry.join(damage)).unwrap();
        let second = Bed::over(&bed.cx.places.cache, None).await;
        let postgres = running::raise(&plan, &second.cx).await.unwrap();
        assert!(sign_in(&postgres, "seam", "stock").await.is_ok());
        second.end().await;
    }
    let [entry] = entries().try_into().unwrap();
    let control = entry.join("data/global/pg_control");
    let n_bytes = std::fs::metadata(&control).unwrap().len();
    std::fs::write(&control, vec![0; usize::try_from(n_bytes).unwrap()]).unwrap();
    let second = Bed::over(&bed.cx.places.cache, None).await;
    running::raise(&plan, &second.cx).await.unwrap();
    second.end().await;
    bed.end().await;
}

#[tokio::test]
async fn runs_side_by_side_prepare_the_same_without_harm() {
    let bed = Bed::fresh().await;
    let plan = plan(&[("stock", None)]);
    let mut other = Bed::over(&bed.cx.places.cache, None).await;
    other.cx.component = "db".into();
    let (one, two) = tokio::join!(running::raise(&plan, &bed.cx), running::raise(&plan, &other.cx));
    assert!(sign_in(&one.unwrap(), "seam", "stock").await.is_ok());
    assert!(sign_in(&two.unwrap(), "seam", "stock").await.is_ok());
    let left = std::fs::read_dir(bed.cx.places.cache.join("postgres")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    other.end().await;
    bed.end().await;
}

#[tokio::test]
async fn it_comes_back_with_its_rows_after_a_stop_and_a_crash() {
    let bed = Bed::new().await;
    let postgres = running::raise(&plan(&[("stock", None)]), &bed.cx).await.unwrap();
    let client = sign_in(&postgres, "seam", "stock").await.unwrap();
    client.batch_execute("create table t as select 1 as n").await.unwrap();
    for how in [StopHow::Asked(Duration::from_secs(10)), StopHow::Killed] {
        postgres.stop(how).await.unwrap();
        assert!(!postgres.upstream("").accepts().await, "{how:?}");
        postgres.start().await.unwrap();
        let client = sign_in(&postgres, "seam", "stock").await.unwrap();
        assert_eq!(texts(&client, "select n from t").await, ["1"]);
    }
    bed.end().await;
}

/// How long it takes, beside others at work: `cargo nextest run -p seam-services figures --run-ignored only --no-capture`.
#[tokio::test]
#[ignore = "it measures"]
async fn figures() {
    const TIMES: usize = 9;
    let bed = Bed::fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(&[("stock", None), ("orders", None)]);
    let text = "create table small (id serial primary key, n int); insert into small (n) select generate_series(1, 100); \
                create table large (id serial primary key, n text); \
                insert into large (n) select repeat('x', 100) from generate_series(1, 65000); \
                do $$ begin for n in 1..20 loop execute 'create table t' || n || ' (id serial primary key, \
                  a text, b int references small)'; end loop; end $$";
    plan.databases[0].seeds = vec![seed(folder.path(), "a.sql", text)];
    let timed = |what: &str, mut all: Vec<Duration>| {
        all.sort();
        println!("{what}: median {:?}, best {:?}", all[all.len() / 2], all[0]);
    };
    let mut cold = Vec::new();
    for _ in 0..5 {
        let bed = Bed::fresh().await;
        let began = Instant::now();
        running::raise(&plan, &bed.cx).await.unwrap();
        cold.push(began.elapsed());
        bed.end().await;
    }
    timed("PostgreSQL from nothing, two databases, 65,000 rows of seeds", cold);
    running::raise(&plan, &bed.cx).await.unwrap();
    let mut warm = Vec::new();
    for _ in 0..TIMES {
        let bed = Bed::over(&bed.cx.places.cache, None).await;
        let began = Instant::now();
        running::raise(&plan, &bed.cx).await.unwrap();
        warm.push(began.elapsed());
        bed.end().await;
    }
    timed("PostgreSQL from the cache", warm);
    bed.end().await;
    let bed = Bed::fresh().await;
    let postgres = running::raise(&plan, &bed.cx).await.unwrap();
    let client = sign_in(&postgres, "seam", "stock").await.unwrap();
    let mut keeps = Vec::new();
    let mut kept = postgres.keep().await.unwrap();
    for _ in 0..TIMES {
        client.batch_execute("update small set n = n + 1 where id = 1").await.unwrap();
        keeps.push(kept.took);
        kept = postgres.keep().await.unwrap();
    }
    timed("keep", keeps);
    for (what, statements) in [
        ("nothing", "select 1"),
        ("1 row of 100 in 1 table", "update small set n = 0 where id = 5"),
        (
            "3 tables",
            "update small set n = 0 where id = 5; insert into t1 (a) values ('a'); insert into t2 (a) values ('a')",
        ),
        ("1 row of 65,000", "update large set n = 'y' where id = 5"),
        ("a table added", "create table added (a int)"),
        ("a column added", "alter table small add column x int"),
    ] {
        let mut all = Vec::new();
        for _ in 0..TIMES {
            let client = sign_in(&postgres, "seam", "stock").await.unwrap();
            client.batch_execute(statements).await.unwrap();
            all.push(postgres.restore(&kept).await.unwrap().took);
        }
        timed(&format!("restore, {what}"), all);
    }
    bed.end().await;
}
