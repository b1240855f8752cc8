//! What the server can be asked to do: each route one kind of behaviour that cases need.

use super::http::{Answer, Request, ask};
use super::{odd, stores, variable};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// What it keeps in memory, as services should not.
struct Memory {
    count: u64,
    /// In the order in which they were put.
    items: Vec<(String, String)>,
    /// How often `/soon` was asked, by key.
    asked: BTreeMap<String, u64>,
}

static MEMORY: Mutex<Memory> = Mutex::new(Memory { count: 0, items: Vec::new(), asked: BTreeMap::new() });

/// Binds where `LISTEN` says and answers.
pub(crate) fn serve() -> ExitCode {
    let listen = variable("LISTEN", "127.0.0.1:0");
    match TcpListener::bind(&listen) {
        Ok(listener) => {
            println!("listening");
            super::http::serve(&listener, answer)
        }
        Err(error) => {
            eprintln!("cannot listen on {listen}: {error}");
            ExitCode::from(2)
        }
    }
}

fn answer(request: &Request) -> Answer {
    let path = request.path.clone();
    let mut segments = path.trim_start_matches('/').splitn(2, '/');
    let (first, rest) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let number = |name: &str| request.query(name).parse::<u64>().unwrap_or(0);
    match first {
        "health" => reply(200, &json!({"ok": true})),
        "status" => reply(rest.parse().unwrap_or(500), &json!({"status": rest})),
        "echo" => reply(200, &echo(request)),
        "mirror" => Answer::Reply(200, vec![typed(request)], request.body.clone()),
        "slow" => {
            // A service that is slow is what this is for; no test waits by it.
            println!("slowly");
            std::thread::sleep(Duration::from_millis(number("ms")));
            reply(200, &json!({"slow": true}))
        }
        "die" => std::process::exit(3),
        "close" => Answer::Close,
        "reset" => Answer::Reset,
        "garbage" => Answer::Bytes(b"what is HTTP?\r\n\r\n".to_vec()),
        "cut" => Answer::Bytes(b"HTTP/1.1 200 .\r\ncontent-length: 100\r\n\r\n{\"half\":".to_vec()),
        "say" => {
            println!("{}", request.query("text"));
            reply(200, &json!({"said": request.query("text")}))
        }
        "spam" => {
            (0..number("lines")).for_each(|n| println!("line {n} of many"));
            reply(200, &json!({"lines": number("lines")}))
        }
        "headers" => repeated(request),
        "redirect" => Answer::Reply(302, vec![("location".into(), request.query("to").into())], vec![]),
        "big" => Answer::Reply(200, vec![], vec![b'x'; usize::try_from(number("bytes")).unwrap()]),
        "call" => call(request),
        "later" => later(request),
        "count" => count(request),
        "forget" => {
            *MEMORY.lock().unwrap() = Memory { count: 0, items: Vec::new(), asked: BTreeMap::new() };
            reply(200, &json!({}))
        }
        "soon" => soon(request, number("after")),
        "items" => items(request, rest),
        "orders" => orders(request, rest),
        "login" => login(request),
        "me" => me(request),
        "env" => reply(200, &json!({"value": std::env::var(request.query("name")).ok()})),
        "file" => {
            let text = std::fs::read_to_string(request.query("name"));
            reply(200, &json!({"text": text.ok()}))
        }
        "here" => reply(200, &json!({"dir": std::env::current_dir().unwrap().display().to_string()})),
        "fork" => {
            odd::fork_away();
            reply(200, &json!({}))
        }
        "sql" => stored(stores::sql(&request.text())),
        "begin" => stored(stores::sql(&format!("begin; {}", request.text()))),
        "redis" => stored(stores::redis(&request.text())),
        "mail" => stored(stores::mail(&request.text())),
        _ => reply(404, &json!({"error": "no such route"})),
    }
}

fn reply(status: u16, body: &Value) -> Answer {
    let kind = ("content-type".to_owned(), "application/json".to_owned());
    Answer::Reply(status, vec![kind], body.to_string().into_bytes())
}

fn typed(request: &Request) -> (String, String) {
    ("content-type".to_owned(), request.header("content-type").to_owned())
}

fn stored(result: Result<Value, String>) -> Answer {
    match result {
        Ok(value) => reply(200, &json!({"value": value})),
        Err(error) => {
            println!("store: {error}");
            reply(500, &json!({"error": error}))
        }
    }
}

fn map(pairs: &[(String, String)]) -> Value {
    pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

fn echo(request: &Request) -> Value {
    json!({
        "method": request.method,
        "path": request.path,
        "query": request.query.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
        "headers": map(&request.headers),
        "cookies": map(&request.cookies()),
        "text": request.text(),
    })
}

/// Headers that the query names, also the same twice.
fn repeated(request: &Request) -> Answer {
    Answer::Reply(200, request.query.clone(), b"{}".to_vec())
}

/// Calls whom the variable `to` names (`NEXT`), and answers with what came of it.
fn call(request: &Request) -> Answer {
    let (method, path) = called(request);
    match ask(&method, &whom(request), &path, &request.text()) {
        Ok((status, body)) => {
            let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
            let given = if request.query("pass") == "yes" { status } else { 200 };
            reply(given, &json!({"status": status, "body": body}))
        }
        Err(error) => reply(502, &json!({"error": error.kind().to_string()})),
    }
}

/// Answers at once, and calls afterwards.
fn later(request: &Request) -> Answer {
    let (method, path) = called(request);
    let (to, text) = (whom(request), request.text());
    let wait = Duration::from_millis(request.query("ms").parse().unwrap_or(0));
    std::thread::spawn(move || {
        // Work that goes on after the answer is what this is for; no test waits by it.
        std::thread::sleep(wait);
        let _ = ask(&method, &to, &path, &text);
    });
    reply(202, &json!({}))
}

fn whom(request: &Request) -> String {
    let name = request.query("to");
    variable(if name.is_empty() { "NEXT" } else { name }, "127.0.0.1:1")
}

fn called(request: &Request) -> (String, String) {
    let method = request.query("method");
    (if method.is_empty() { "GET" } else { method }.to_owned(), request.query("path").to_owned())
}

fn count(request: &Request) -> Answer {
    let mut memory = MEMORY.lock().unwrap();
    if request.method == "POST" {
        memory.count += 1;
    }
    reply(200, &json!({"count": memory.count}))
}

/// Not there until it was asked so often.
fn soon(request: &Request, after: u64) -> Answer {
    let mut memory = MEMORY.lock().unwrap();
    let asked = memory.asked.entry(request.query("key").to_owned()).or_default();
    *asked += 1;
    let status = if *asked > after { 200 } else { 404 };
    reply(status, &json!({"asked": *asked}))
}

fn items(request: &Request, key: &str) -> Answer {
    let items = &mut MEMORY.lock().unwrap().items;
    match request.method.as_str() {
        "PUT" => {
            items.retain(|(name, _)| name != key);
            items.push((key.to_owned(), request.text()));
            reply(201, &json!({"key": key}))
        }
        "DELETE" => {
            items.retain(|(name, _)| name != key);
            reply(200, &json!({"key": key}))
        }
        _ if key.is_empty() => {
            let names: Vec<&String> = items.iter().map(|(name, _)| name).collect();
            reply(200, &json!({"items": names}))
        }
        _ => match items.iter().find(|(name, _)| name == key) {
            Some((_, value)) => reply(200, &json!({"key": key, "value": value})),
            None => reply(404, &json!({"error": "no such item"})),
        },
    }
}

/// Keeps what it is given under an id that is another each time, and says when.
fn orders(request: &Request, id: &str) -> Answer {
    let items = &mut MEMORY.lock().unwrap().items;
    if request.method == "POST" {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let id = format!("{nanos:016x}");
        items.push((id.clone(), request.text()));
        let order = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
        return reply(
            201,
            &json!({"id": id, "order": order, "times": [{"at": format!("{:016x}", nanos + 1)}]}),
        );
    }
    match items.iter().find(|(name, _)| name == id) {
        Some(_) => reply(200, &json!({"id": id, "state": "new"})),
        None => reply(404, &json!({"error": "no such order"})),
    }
}

/// Gives a session to whoever says a name: a cookie and a token.
fn login(request: &Request) -> Answer {
    let name = serde_json::from_slice::<Value>(&request.body).unwrap_or_default()["name"].clone();
    let name = name.as_str().unwrap_or("nobody").to_owned();
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("set-cookie".to_owned(), format!("session={name}; Path=/; HttpOnly")),
    ];
    Answer::Reply(200, headers, json!({"token": format!("tok-{name}")}).to_string().into_bytes())
}

/// Who is it, by cookie or by token?
fn me(request: &Request) -> Answer {
    let cookies = request.cookies();
    let session = cookies.iter().find(|(name, _)| name == "session").map(|(_, value)| value.as_str());
    let token = request.header("authorization").strip_prefix("Bearer tok-");
    match session.or(token) {
        Some(name) => reply(200, &json!({"name": name})),
        None => reply(401, &json!({"error": "who are you?"})),
    }
}
