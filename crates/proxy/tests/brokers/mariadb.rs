//! MariaDB, and clients in Python (`PyMySQL`) and of its own.

use crate::bed::{Client, Seam, Server, Table, mariadb, program, python, text};
use seam_proxy::{Kind, Often, Upstream};
use seam_value::Value;
use std::process::Command;
use std::sync::Arc;

fn server() -> Option<Server> {
    mariadb(&["--local-infile=1", "--max-allowed-packet=64M"])
}

const BEGIN: &str = r"
import pymysql
def connect(**more):
    return pymysql.connect(host='127.0.0.1', port=port, user='root', password='', **more)
";

#[tokio::test(flavor = "multi_thread")]
async fn between_pymysql_and_mariadb() {
    let Some(python) = python("pymysql") else { return };
    let Some(server) = server() else { return };
    watched(&server, python).await;
    one_statement_of_many(&server, python).await;
    large_and_held(&server, python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_its_own_client_and_mariadb() {
    let Some(client) = program("mariadb") else { return };
    let Some(server) = server() else { return };
    compressed(&server, client.clone()).await;
    files_and_large_packets(&server, client).await;
}

/// LOAD DATA LOCAL and packets over 16 MiB, watched, held and compressed.
async fn files_and_large_packets(server: &Server, client: std::path::PathBuf) {
    let csv = server.dir.path().join("local.csv");
    std::fs::write(&csv, "3,c\n4,d\n5,e\n").unwrap();
    let sql = server.dir.path().join("large.sql");
    let large = "x".repeat(17_000_000);
    let statements = format!(
        "create database if not exists shop; use shop; drop table if exists local;\n\
        create table local (id int, v varchar(20));\n\
        load data local infile '{}' into table local fields terminated by ',';\n\
        select count(*), max(v) from local;\nselect length('{large}');\nselect repeat('y', 17000000);\n",
        csv.display()
    );
    std::fs::write(&sql, statements).unwrap();
    for (is_held, more) in [(false, ""), (true, ""), (true, "-C")] {
        let seam = Seam::stand("mysql", server.upstream()).await;
        if is_held {
            seam.break_once(r#"{"error":"1064"}"#, |one| text_of(one) == "select 'never'").await;
        }
        let (port, client) = (seam.address.port().to_string(), client.clone());
        let sql = std::fs::File::open(&sql).unwrap();
        let ran = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(client);
            command.args(["--no-defaults", "--local-infile=1", "--max-allowed-packet=64M", "-h127.0.0.1"]);
            command.args(["-uroot", "-N", "-P", &port]).args(Some(more).filter(|more| !more.is_empty()));
            command.stdin(sql).output().unwrap()
        });
        let ran = ran.await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        let lines: Vec<&str> = out.lines().collect();
        let why = err.lines().filter(|line| line.starts_with("ERROR")).collect::<Vec<_>>();
        assert_eq!(lines.len(), 3, "{is_held} {more} {why:?}");
        assert_eq!(&lines[..2], ["3\te", "17000000"], "{is_held} {more} {why:?}");
        assert_eq!(lines[2].len(), 17_000_000, "{is_held} {more}");
        let told = seam.told().await;
        let n_loads =
            told.iter().filter(|one| text(&one.request, "statement").starts_with("load data")).count();
        assert_eq!(n_loads, 1, "{is_held} {more}");
    }
}

fn text_of(interaction: &Value) -> String {
    text(interaction, "request.statement")
}

async fn watched(server: &Server, python: &str) {
    let seam = Seam::stand("mysql", server.upstream()).await;
    let csv = server.dir.path().join("books.csv");
    std::fs::write(&csv, "3,c,1.50\n4,d,2.25\n").unwrap();
    let script = r"
c = connect(local_infile=True, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS)
k = c.cursor()
k.execute('create database shop'); c.select_db('shop')
k.execute('create table books (id int primary key, v varchar(20), p decimal(8,2)) engine=innodb')
k.execute('create table log (n int) engine=innodb')
c.commit()
k.executemany('insert into books values (%s, %s, %s)', [(1, 'Ä', '19.90'), (2, None, None)])
say(k.rowcount)
k.execute('select id, v, p from books order by id'); say(k.fetchall())
k.execute('select length(%s)', ('x' * 17_000_000,)); say(k.fetchall())
k.execute('select repeat(\'y\', 17000000)'); say(len(k.fetchall()[0][0]))
k.execute('load data local infile \'FILE\' into table books fields terminated by \',\''); say(k.rowcount)
c.rollback()
k.execute('select count(*) from books; select 2')
say(k.fetchall()); k.nextset(); say(k.fetchall())
k.execute('insert into books values (1, \'a\', 1)'); c.commit()
try: k.execute('insert into books values (1, \'a\', 1)')
except pymysql.err.IntegrityError as e: say(e.args[0])
c.ping(); c.close(); say('closed')
";
    let script = format!("{BEGIN}{}", script.replace("FILE", &csv.to_string_lossy()));
    let mut client = Client::run(python, seam.address.port(), &script);
    for expect in [
        "2",
        "((1, 'Ä', Decimal('19.90')), (2, None, None))",
        "((17000000,),)",
        "17000000",
        "2",
        "((0,),)",
        "((2,),)",
        "1062",
        "closed",
    ] {
        assert_eq!(client.line(), expect);
    }
    let told = seam.told().await;
    let with = |part: &str| -> Vec<_> {
        told.iter().filter(|one| text(&one.request, "statement").contains(part)).cloned().collect()
    };
    let rows = &with("select id, v, p")[0].reply;
    assert_eq!(
        rows.get("rows").unwrap().to_string(),
        r#"[{"id":1,"v":"Ä","p":19.90},{"id":2,"v":null,"p":null}]"#
    );
    let large = &with("repeat(")[0];
    assert!(large.cut && large.error.is_none());
    let refused = with("values (1, 'a', 1)");
    assert_eq!(
        refused[1].reply.get("error").and_then(|error| error.get("code")),
        Some(&Value::from(1062_u64))
    );
    let loaded = &with("load data")[0].reply;
    assert_eq!(loaded.get("affected"), Some(&Value::from(2_u64)));
}

async fn one_statement_of_many(server: &Server, python: &str) {
    let seam = Seam::stand("mysql", server.upstream()).await;
    let script = r"
a, b = connect(database='shop'), connect(database='shop')
ka, kb = a.cursor(), b.cursor()
def tried(k, sql):
    try: k.execute(sql); return k.rowcount
    except pymysql.err.MySQLError as e: return e.args
def seen(): kb.execute('select n from log order by n'); return [n for n, in kb.fetchall()]
ka.execute('insert into log values (10)'); kb.execute('insert into log values (20)')
say('both'); wait()
say(tried(ka, 'update books set v = 1'), tried(kb, 'update books set v = 2'))
say(tried(ka, 'insert into log values (11)'))
a.commit(); b.commit()
say(seen())
say(tried(ka, 'update books set v = 3'), tried(ka, 'insert into log values (12)'))
a.commit(); b.rollback()
say(seen())
say(tried(ka, 'insert into log values (30)'), tried(ka, 'select 7'), ka.fetchall())
a.commit(); b.rollback()
say(seen())
try: ka.execute('insert into log values (40)')
except pymysql.err.OperationalError as e: say(e.args[0])
kb.execute('select 8'); say(kb.fetchall())
";
    let mut client = Client::run(python, seam.address.port(), &format!("{BEGIN}{script}"));
    assert_eq!(client.line(), "both");
    let deadlock = r#"{"error":{"code":1213,"state":"40001","message":"try again"}}"#;
    seam.break_once(deadlock, |one| text(one, "request.statement") == "update books set v = 1").await;
    seam.break_once(r#"{"error":"1205"}"#, |one| text(one, "request.statement") == "update books set v = 3")
        .await;
    seam.break_once("\"duplicate\"", |one| text(one, "request.statement").contains("(30)")).await;
    seam.break_once("\"reply_lost\"", |one| text(one, "request.statement").contains("(40)")).await;
    client.go_on();
    assert_eq!(client.line(), "(1213, 'try again') 1");
    assert_eq!(client.line(), "1");
    // The server's transaction went with the deadlock; what came after it is a new one.
    assert_eq!(client.line(), "[11, 20]");
    let waited = client.line();
    assert!(waited.starts_with("(1205, 'Lock wait timeout") && waited.ends_with(" 1"), "{waited}");
    assert_eq!(client.line(), "[11, 12, 20]", "other errors leave it open");
    assert_eq!(client.line(), "1 1 ((7,),)", "the second reply is nobody's");
    assert_eq!(client.line(), "[11, 12, 20, 30, 30]");
    assert_eq!(client.line(), "2013");
    assert_eq!(client.line(), "((8,),)", "the other connection stays");
    let told = seam.told().await;
    let struck = told.iter().find(|one| text(&one.request, "statement") == "update books set v = 1").unwrap();
    assert_eq!(text(&struck.reply, "error.message"), "try again");
    assert!(told.iter().all(|one| text(&one.request, "statement") != "ROLLBACK" || one.reply != Value::Null));
}

async fn large_and_held(server: &Server, python: &str) {
    let seam = Seam::stand("mysql", server.upstream()).await;
    seam.break_once(r#"{"error":"1064"}"#, |one| text(one, "request.statement") == "select 'never'").await;
    let script = r"
c = connect(database='shop', local_infile=True)
k = c.cursor()
k.execute('select length(%s)', ('x' * 17_000_000,)); say(k.fetchall())
k.execute('select repeat(\'y\', 17000000), 1'); say(len(k.fetchall()[0][0]))
k.execute('load data local infile \'FILE\' into table books fields terminated by \',\''); say(k.rowcount)
c.rollback(); c.close()
";
    let csv = server.dir.path().join("books.csv");
    let script = format!("{BEGIN}{}", script.replace("FILE", &csv.to_string_lossy()));
    let mut client = Client::run(python, seam.address.port(), &script);
    assert_eq!([client.line(), client.line(), client.line()], ["((17000000,),)", "17000000", "2"]);
    seam.told().await;
}

async fn compressed(server: &Server, client: std::path::PathBuf) {
    let seam = Seam::stand("mysql", server.upstream()).await;
    seam.break_once(r#"{"error":"1064"}"#, |one| text(one, "request.statement").trim() == "select 1").await;
    let port = seam.address.port().to_string();
    // It goes on after an error only with what it reads.
    let sql = server.dir.path().join("sql");
    std::fs::write(&sql, "select repeat('z', 100000) as z;\nselect 1;\nselect 2 as two;\n").unwrap();
    let sql = std::fs::File::open(sql).unwrap();
    let ran = tokio::task::spawn_blocking(move || {
        Command::new(client)
            .args(["--no-defaults", "-C", "--force", "-h127.0.0.1", "-uroot", "-N", "-P", &port])
            .stdin(sql)
            .output()
            .unwrap()
    });
    let ran = ran.await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(out.lines().map(str::len).collect::<Vec<_>>(), [100_000, 1], "{err}");
    assert!(err.contains("ERROR 1064 (42000)"), "{err}");
    let told = seam.told().await;
    assert_eq!(told.iter().filter(|one| text(&one.request, "statement").contains("select")).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_stands_in_for_mysql() {
    let Some(python) = python("pymysql") else { return };
    let seam = Seam::stand("mysql", Upstream::Nowhere).await;
    let table = Table(&[
        (
            |asked| text(asked, "statement").starts_with("select id"),
            r#"{"rows":[{"id":7,"title":"Ä","price":19.90}]}"#,
        ),
        (|asked| text(asked, "statement").starts_with("insert"), r#"{"affected":1,"insert_id":9}"#),
        (|asked| text(asked, "statement").starts_with("update"), r#"{"error":1213}"#),
    ]);
    seam.put("the stub", (Kind::Stub(Arc::new(table)), Often::default()), None).await;
    let script = r"
c = connect(database='shop')
k = c.cursor()
k.execute('select id, title, price from books'); say(k.fetchall())
k.execute('insert into books values (1)'); say(k.rowcount, k.lastrowid)
try: k.execute('update books set v = 1')
except pymysql.err.OperationalError as e: say(e.args[0])
try: k.execute('delete from books')
except pymysql.err.MySQLError as e: say(e.args)
c.commit(); c.ping(); c.close(); say('closed')
";
    let mut client = Client::run(python, seam.address.port(), &format!("{BEGIN}{script}"));
    assert_eq!(client.line(), "((7, 'Ä', Decimal('19.90')),)");
    assert_eq!(client.line(), "1 9");
    assert_eq!(client.line(), "1213");
    assert_eq!(client.line(), "(1105, 'no stub answers this')");
    assert_eq!(client.line(), "closed");
    seam.told().await;
}
