//! Requests against small real servers: what goes out, what comes back, and what happens when nothing does.

use crate::Trouble;
use crate::actor::Actor;
use crate::testing::{Bed, LIMIT, run, run_as, serving, step, unsaid};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use seam_value::{Map, Value};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that tells what it was asked, or does what the path says.
struct Server {
    at: SocketAddr,
    n_connections: Arc<AtomicUsize>,
}

async fn server() -> Server {
    let serve = |stream, at| async move {
        let serve = hyper::server::conn::http1::Builder::new();
        let answer = service_fn(move |request| answer(request, at));
        let _ = serve.serve_connection(TokioIo::new(stream), answer).await;
    };
    let (at, n_connections) = serving(serve).await;
    Server { at, n_connections }
}

async fn answer(
    request: hyper::Request<Incoming>,
    at: SocketAddr,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().to_owned();
    let response = hyper::Response::builder();
    let (response, body) = match path.as_str() {
        "/set" => (
            response.header("set-cookie", "sid=1; Path=/; HttpOnly").header("set-cookie", "deep=2; Path=/deep"),
            Bytes::new(),
        ),
        "/to" => (response.status(302).header("location", "/landed?x=1"), Bytes::new()),
        "/keep" => (response.status(307).header("location", format!("http://{at}/landed")), Bytes::new()),
        "/over" => {
            let location = format!("http://{}/landed", head.uri.query().unwrap());
            (response.status(307).header("location", location), Bytes::new())
        }
        "/away" => (response.status(302).header("location", "https://elsewhere.example/x"), Bytes::new()),
        "/loop" => (response.status(302).header("location", "/loop"), Bytes::new()),
        "/price" => (
            response.header("content-type", "application/json"),
            Bytes::from_static(br#"{"total":19.90,"big":12345678901234567890}"#),
        ),
        "/xml" => (response.header("content-type", "application/xml"), Bytes::from_static(b"<a><b>1</b></a>")),
        "/gone" => (response.status(404), Bytes::from_static(b"there is nothing")),
        "/broken" => (response.status(500), Bytes::from_static(b"it broke")),
        "/packed" => (
            response.header("content-type", "application/json").header("content-encoding", "gzip"),
            // `{"a":1}`
            Bytes::from_static(
                b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabVJT\xb22\xac\x05\x00\xce\xb5\xfd\xa3\x07\x00\x00\x00",
            ),
        ),
        _ => {
            let headers = head.headers.iter().map(|(name, value)| (name.as_str(), Value::text(value.to_str().unwrap())));
            let told = Value::map([
                ("method", Value::text(head.method.as_str())),
                ("target", Value::text(head.uri.to_string())),
                ("headers", Value::Map(headers.map(|(name, value)| (name.to_owned(), value)).collect::<Map>())),
                ("body", Value::text(String::from_utf8_lossy(&body))),
            ]);
            (response.header("content-type", "application/json").header("x-a", "1").header("x-a", "2"), told.to_string().into())
        }
    };
    Ok(response.body(Full::new(body)).unwrap())
}

/// A listener that reads a request, writes these bytes, and closes; or resets where there are none.
async fn raw(bytes: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0; 1024];
            let _ = stream.read(&mut some).await;
            match bytes {
                Some(bytes) => stream.write_all(bytes).await.unwrap(),
                None => stream.set_zero_linger().unwrap(),
            }
        }
    });
    at
}

fn at(value: &Value, path: &str) -> Value {
    seam_expr::Path::parse(path)
        .unwrap()
        .find(value)
        .to_value()
        .unwrap_or_else(|| panic!("no {path} in {value}"))
}

fn text(value: &Value, path: &str) -> String {
    at(value, path).to_plain_text()
}

#[tokio::test]
async fn what_a_step_says_is_what_goes_out() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at), ("gateway.admin", server.at)]);
    let variables = format!(
        r#"{{"method":"put","id":"a b/ä?#","list":[1,"x",null],"token":"t1","whole":"http://{0}/w?a=1#top","base":"http://{0}",
            "name":"gateway.admin","path":"/p/a%20b?c=d","more":{{"X-More":"m"}},"n":19.90}}"#,
        server.at
    );
    for (yaml, path, expect) in [
        ("- http: GET gateway", "target", "/"),
        ("- http: GET gateway?a=1", "target", "/?a=1"),
        ("- http: get gateway/x", "method", "GET"),
        ("- http: $method gateway/x", "method", "PUT"),
        ("- http: GET gateway/x/$id/y?q=$id", "target", "/x/a%20b%2F%C3%A4%3F%23/y?q=a%20b%2F%C3%A4%3F%23"),
        ("- http: GET gateway/a b/ü?x={1}", "target", "/a%20b/%C3%BC?x=%7B1%7D"),
        ("- http: GET gateway/a%2Fb", "target", "/a%2Fb"),
        ("- http: GET $whole", "target", "/w?a=1"),
        ("- http: GET $base/users/$token", "target", "/users/t1"),
        ("- http: GET $name/x", "target", "/x"),
        ("- http: GET gateway\n  path: $path", "target", "/p/a%20b?c=d"),
        (
            "- http: GET gateway/x?a=1\n  query: { b: $list, c: null, d: ä }",
            "target",
            "/x?a=1&b=1&b=x&d=%C3%A4",
        ),
        ("- http: GET gateway/x\n  headers: { X-A: 'a $token' }", "headers.x-a", "a t1"),
        ("- http: GET gateway/x\n  headers: $more", "headers.x-more", "m"),
        ("- http: GET gateway/x\n  bearer: $token", "headers.authorization", "Bearer t1"),
        (
            "- http: GET gateway/x\n  basic: { user: ann, password: $token }",
            "headers.authorization",
            "Basic YW5uOnQx",
        ),
        ("- http: GET gateway/x\n  bearer: a\n  headers: { authorization: b }", "headers.authorization", "b"),
        ("- http: GET gateway/x\n  cookies: { a: $token, b: 2 }", "headers.cookie", "a=t1; b=2"),
        ("- http: POST gateway/x\n  json: { n: $n, l: [$id] }", "body", r#"{"n":19.90,"l":["a b/ä?#"]}"#),
        ("- http: POST gateway/x\n  json: null", "body", "null"),
        ("- http: POST gateway/x\n  json: 1", "headers.content-type", "application/json"),
        ("- http: POST gateway/x\n  form: { a: $list, b: x y }", "body", "a=1&a=x&b=x+y"),
        ("- http: POST gateway/x\n  text: order $n", "body", "order 19.90"),
        ("- http: POST gateway/x\n  xml: <a/>", "headers.content-type", "application/xml"),
        (
            "- http: POST gateway/x\n  xml: <a/>\n  headers: { Content-Type: text/xml }",
            "headers.content-type",
            "text/xml",
        ),
        ("- http: GET gateway/x", "headers.accept", "*/*"),
    ] {
        let result = run(yaml, &Actor::new(""), &bed, &variables).await;
        assert_eq!(text(&result, &format!("body.{path}")), expect, "{yaml}");
    }
}

#[tokio::test]
async fn what_the_file_says_for_all_steps_is_sent_too() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let defaults = "defaults: { headers: { X-A: a, Accept: text/plain }, query: { v: 2 }, bearer: $token, follow: true }\n";
    for (yaml, path, expect) in [
        ("- http: GET gateway/x", "headers.x-a", "a"),
        ("- http: GET gateway/x", "headers.accept", "text/plain"),
        ("- http: GET gateway/x", "headers.authorization", "Bearer t1"),
        ("- http: GET gateway/x", "target", "/x?v=2"),
        ("- http: GET gateway/to", "target", "/landed?x=1"),
        ("- http: GET gateway/x\n  query: {}", "target", "/x"),
        ("- http: GET gateway/x\n  headers: { accept: b }", "headers.accept", "b"),
        ("- http: GET gateway/x\n  headers: { x-a: null }", "headers", "no x-a"),
        ("- http: GET gateway/x\n  basic: { user: a, password: b }", "headers.authorization", "Basic YTpi"),
        ("- http: GET gateway/x\n  headers: { X-Many: [1, two] }", "headers.x-many", "two"),
    ] {
        let file = format!("{defaults}{}", crate::testing::in_a_file(yaml));
        let actions = crate::testing::read_file(&file).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let done = run_as(actions[0].as_ref(), &Actor::new(""), &bed, r#"{"token":"t1"}"#, LIMIT).await;
        let result = done.unwrap();
        match expect.strip_prefix("no ") {
            Some(name) => assert_eq!(at(&result, "body.headers").get(name), None, "{yaml}"),
            None => assert_eq!(text(&result, &format!("body.{path}")), expect, "{yaml}"),
        }
    }
}

#[tokio::test]
async fn files_are_sent() {
    let server = server().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "x;y").unwrap();
    let bed = Bed { root: folder.path().to_owned(), ..Bed::with(&[("gateway", server.at)]) };
    let sent = run("- http: PUT gateway/x\n  body_file: a.csv", &Actor::new(""), &bed, "{}").await;
    assert_eq!(
        (text(&sent, "body.headers.content-type"), text(&sent, "body.body")),
        ("text/csv".into(), "x;y".into())
    );
    let parts = "- http: POST gateway/x\n  multipart: { note: $note, sheet: { file: a.csv, name: b.csv }, tags: [a, b] }";
    let sent = run(parts, &Actor::new(""), &bed, r#"{"note":"hi"}"#).await;
    let kind = text(&sent, "body.headers.content-type");
    // What a server reads of it, as the seams do.
    let read = seam_wire::body::decode(Some(&kind), None, text(&sent, "body.body").as_bytes(), 1 << 20).value;
    assert_eq!(text(&read, "note"), "hi");
    assert_eq!(text(&read, "tags"), r#"["a","b"]"#);
    assert_eq!((text(&read, "sheet.name"), text(&read, "sheet.content")), ("b.csv".into(), "x;y".into()));
    for yaml in [
        "- http: PUT gateway/x\n  body_file: gone.csv",
        "- http: PUT gateway/x\n  multipart: { a: { file: gone } }",
    ] {
        let done = run_as(step(yaml).as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await;
        assert!(matches!(done, Err(Trouble::Errored { span: Some(_), .. })), "{done:?}");
    }
}

#[tokio::test]
async fn what_comes_back_is_what_a_step_gives() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let actor = Actor::new("");
    for (path, at_path, expect) in [
        ("/x", "status", "200"),
        ("/x", "headers.x-a", "1, 2"),
        ("/x", "error", "null"),
        ("/price", "body.total", "19.90"),
        ("/price", "body.big", "12345678901234567890"),
        ("/price", "text", r#"{"total":19.90,"big":12345678901234567890}"#),
        ("/xml", "body", "<a><b>1</b></a>"),
        ("/packed", "body.a", "1"),
        ("/gone", "status", "404"),
        ("/set", "headers.set-cookie.1", "deep=2; Path=/deep"),
        ("/set", "cookies", r#"{"sid":"1","deep":"2"}"#),
        ("/set", "text", ""),
        ("/to", "status", "302"),
    ] {
        let result = run(&format!("- http: GET gateway{path}"), &actor, &bed, "{}").await;
        assert_eq!(text(&result, at_path), expect, "{path} {at_path}");
        assert_eq!(text(&result, "url"), format!("http://{}{path}", server.at));
        let elapsed = text(&result, "elapsed");
        assert!(seam_model::duration(&elapsed).is_ok(), "{elapsed}");
    }
    assert_eq!(server.n_connections.load(Ordering::Relaxed), 1, "one connection is kept for all of them");
}

/// uvicorn closes a connection once it has answered for an application that broke, a moment after the answer and
/// without a word in it. What is asked in that moment would be lost, and whoever was asked be blamed for it.
#[tokio::test]
async fn a_connection_on_which_a_server_failed_is_not_used_again() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let actor = Actor::new("");
    for (path, expect) in [("/x", 1), ("/broken", 1), ("/x", 2), ("/x", 2), ("/broken", 2), ("/broken", 3)] {
        run(&format!("- http: GET gateway{path}"), &actor, &bed, "{}").await;
        assert_eq!(server.n_connections.load(Ordering::Relaxed), expect, "{path}");
    }
}

#[tokio::test]
async fn cookies_and_sign_in_belong_to_the_actor() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let (ann, bob) = (Actor::new("ann"), Actor::new("bob"));
    run("- http: GET gateway/set", &ann, &bed, "{}").await;
    ann.sign_in(&seam_value::parse(r#"{"bearer":"t1","cookies":{"own":"3"}}"#).unwrap());
    let sent = async |actor: &Actor, yaml: &str| {
        let result = run(yaml, actor, &bed, "{}").await;
        let field =
            |name| at(&result, "body.headers").get(name).map(Value::to_plain_text).unwrap_or_default();
        (field("cookie"), field("authorization"))
    };
    let pair = |cookie: &str, authorization: &str| (cookie.to_owned(), authorization.to_owned());
    assert_eq!(sent(&ann, "- http: GET gateway/x").await, pair("sid=1; own=3", "Bearer t1"));
    assert_eq!(sent(&ann, "- http: GET gateway/deep/x").await, pair("deep=2; sid=1; own=3", "Bearer t1"));
    assert_eq!(
        sent(&ann, "- http: GET gateway/x\n  cookies: { sid: other }\n  headers: { authorization: null }")
            .await,
        pair("sid=other; own=3", "")
    );
    assert_eq!(sent(&bob, "- http: GET gateway/x").await, pair("", ""));
    bob.begin_like(&ann);
    assert_eq!(sent(&bob, "- http: GET gateway/x").await, pair("sid=1; own=3", "Bearer t1"));
}

#[tokio::test]
async fn redirects_are_followed_where_the_step_says_so() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let actor = Actor::new("");
    let followed = run("- http: POST gateway/to\n  json: {}\n  follow: true", &actor, &bed, "{}").await;
    assert_eq!(text(&followed, "body.method"), "GET");
    assert_eq!(text(&followed, "body.target"), "/landed?x=1");
    assert_eq!(text(&followed, "body.body"), "");
    assert_eq!(text(&followed, "url"), format!("http://{}/landed?x=1", server.at));
    let kept = run("- http: POST gateway/keep\n  json: 1\n  follow: true", &actor, &bed, "{}").await;
    assert_eq!((text(&kept, "body.method").as_str(), text(&kept, "body.body").as_str()), ("POST", "1"));
    let round = run("- http: GET gateway/loop\n  follow: 3", &actor, &bed, "{}").await;
    assert_eq!(text(&round, "status"), "302");
    let endless = step("- http: GET gateway/loop\n  follow: true");
    let done = run_as(endless.as_ref(), &actor, &bed, "{}", LIMIT).await;
    assert_eq!(done, Err(Trouble::failed("redirected 10 times, and then to `/loop`")));
    // What is somebody else's is not told to another component.
    let other = self::server().await;
    let bed = Bed::with(&[("gateway", server.at), ("orders", other.at)]);
    let signed = "bearer: t1\n  cookies: { a: b }\n  follow: true";
    for (path, expect) in [("/to", r#"["Bearer t1","a=b"]"#), ("/over", "[null,null]")] {
        let yaml = format!("- http: GET gateway{path}?{}\n  {signed}", other.at);
        let result = run(&yaml, &actor, &bed, "{}").await;
        let headers = at(&result, "body.headers");
        let told = ["authorization", "cookie"].map(|name| headers.get(name).cloned().unwrap_or_default());
        assert_eq!(Value::List(told.to_vec()).to_string(), expect, "{path}");
    }
    let away = step("- http: GET gateway/away\n  follow: true");
    let Err(Trouble::Failed { reason, .. }) = run_as(away.as_ref(), &actor, &bed, "{}", LIMIT).await else {
        panic!()
    };
    assert_eq!(
        reason,
        "redirected to `https://elsewhere.example/x`: `elsewhere.example:443` is the address of no component"
    );
}

#[tokio::test]
async fn why_there_is_no_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (to, error, message) in [
        (refusing, "refused", "the connection was refused: nothing listens there"),
        (raw(None).await, "reset", "the connection was reset"),
        (raw(Some(b"")).await, "closed", "the connection was closed before the answer was whole"),
        (raw(Some(b"220 hello\r\n\r\n")).await, "malformed", "the answer is not HTTP"),
        (silent.local_addr().unwrap(), "timeout", "there was no answer in time"),
    ] {
        let bed = Bed::with(&[("gateway", to)]);
        let limit = if error == "timeout" { Duration::from_millis(50) } else { LIMIT };
        let action = step("- http: GET gateway/x");
        let result = run_as(action.as_ref(), &Actor::new(""), &bed, "{}", limit).await.unwrap();
        assert_eq!(text(&result, "error"), error);
        assert_eq!(at(&result, "status"), Value::Null);
        assert_eq!(unsaid(action.as_ref(), &result), [format!("error: {message}")]);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_given_as_far_as_it_came() {
    let to = raw(Some(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")).await;
    let bed = Bed::with(&[("gateway", to)]);
    let result = run("- http: GET gateway/x", &Actor::new(""), &bed, "{}").await;
    assert_eq!((text(&result, "status").as_str(), text(&result, "text").as_str()), ("200", "half"));
    assert_eq!(text(&result, "error"), "closed");
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_not_used() {
    // It says that it keeps the connection, and closes it.
    let to = raw(Some(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).await;
    let bed = Bed::with(&[("gateway", to)]);
    let actor = Actor::new("");
    for _ in 0..5 {
        let result = run("- http: POST gateway/x", &actor, &bed, "{}").await;
        assert_eq!(text(&result, "text"), "ok", "{result}");
    }
}

#[tokio::test]
async fn a_status_that_nobody_expects_is_told() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at)]);
    let action = step("- http: GET gateway/gone");
    let result = run_as(action.as_ref(), &Actor::new(""), &bed, "{}", LIMIT).await.unwrap();
    assert_eq!(unsaid(action.as_ref(), &result), ["status: status 404, and the step does not expect it"]);
    assert_eq!(action.unsaid(&result)[0].details, ["body: there is nothing"]);
}

#[tokio::test]
async fn what_can_not_be_sent_fails_at_its_place() {
    let server = server().await;
    let bed = Bed::with(&[("gateway", server.at)]);
    for (yaml, expect) in [
        ("- http: GET gateway/$list", "`$list` is a list, which can't stand in an address"),
        ("- http: GET gateway/$none", "`$none` is null, which can't stand in an address"),
        ("- http: GET gateway/$up/x", "`$up` is `..`, which can't be a segment"),
        ("- http: GET $other", "`127.0.0.1:1` is the address of no component"),
        (
            "- http: GET $relative",
            "`/x` is no address: a path alone is written with `path:`, as in `http: GET gateway` and `path: /x`",
        ),
        ("- http: GET gateway\n  path: $bare", "`x` is no path: one begins with `/`"),
        ("- http: $bad gateway/x", "`A B` is no method of HTTP"),
        ("- http: GET gateway/x\n  headers: { a: $lines }", "a line break can't stand in the header `a`"),
        ("- http: GET gateway/$nobody", "`$nobody` has no value yet"),
    ] {
        let variables = r#"{"list":[1],"none":null,"up":"..","other":"http://127.0.0.1:1/x","relative":"/x","bare":"x",
            "bad":"a b","lines":"a\nb"}"#;
        let done = run_as(step(yaml).as_ref(), &Actor::new(""), &bed, variables, LIMIT).await;
        let Err(Trouble::Failed { reason, span: Some(_) }) = done else { panic!("{yaml}: {done:?}") };
        assert_eq!(reason, expect, "{yaml}");
    }
}
