//! Archives of HTTP as browsers and proxies write them: each leaves out something else.

use crate::read::{Around, read_stub_file};
use crate::{Archive, from_har};
use seam_diag::{Diagnostics, Sources};
use seam_stub::{Reading, StubSet};
use seam_value::{Value, parse};
use seam_wire::{Answers as _, Asked, Say};
use std::sync::Arc;
use std::time::Duration;

fn beside(path: &str) -> Result<Vec<u8>, String> {
    match path {
        "a.txt" | "hars/a.txt" => Ok("Grüße".into()),
        "b.bin" | "hars/b.bin" => Ok(vec![0, 255]),
        _ if path.contains("secret") => panic!("{path} is read"),
        _ => Err(format!("{path}: no such file")),
    }
}

fn read(entries: &str) -> Archive {
    let text = format!("\u{feff}{{\"log\":{{\"entries\":[{entries}]}}}}");
    from_har(&text, &Around { read_file: &beside }).unwrap()
}

/// What became of one entry: request and reply, what varies in it, and what is noted.
fn one(entry: &str) -> (String, String) {
    let archive = read(entry);
    let recorded = archive.recordings.first().map(|recording| &recording.interactions[0]);
    let told = recorded.map(|one| {
        let varies: Vec<String> = one.volatile.iter().map(ToString::to_string).collect();
        format!("{} {} {}", one.request, one.reply, varies.join(" ")).trim_end().to_owned()
    });
    let noted: Vec<String> = archive.noted.iter().map(ToString::to_string).collect();
    (told.unwrap_or_default(), noted.join("; "))
}

fn asked(request: &str) -> String {
    format!(r#"{{"request":{{"url":"http://h/x",{request}}},"response":{{"status":204}}}}"#)
}

fn answered(response: &str) -> String {
    format!(r#"{{"request":{{"url":"http://h/x","method":"GET"}},"response":{{{response}}}}}"#)
}

#[test]
fn what_was_sent() {
    for (request, expected, noted) in [
        (r#""method":"POST","postData":{"text":"a"}"#, r#","body":"a""#, ""),
        // Of a form only the fields.
        (
            r#""method":"POST","postData":{"params":[{"name":"a b","value":"1&2"}]}"#,
            r#","body":{"a b":"1&2"},"text":"a+b=1%262""#,
            "",
        ),
        (
            r#""method":"POST","postData":{"params":[{"name":"q-t","value":"-0.9_*~"}]}"#,
            r#","body":{"q-t":"-0.9_*~"},"text":"q-t=-0.9_*%7E""#,
            "",
        ),
        // What is no text: each byte a letter, in base64, beside the archive, or not at all.
        (
            r#""method":"PUT","bodySize":3,"postData":{"text":"\u0000\u00ff\u00fe"}"#,
            r#","body":{"base64":"AP/+"}"#,
            "",
        ),
        (
            r#""method":"PUT","postData":{"text":"AP8=","encoding":"base64"}"#,
            r#","body":{"base64":"AP8="}"#,
            "",
        ),
        (r#""method":"PUT","postData":{"text":"","_file":"a.txt"}"#, r#","body":"Grüße""#, ""),
        (r#""method":"PUT","postData":{"text":"\ufffd\ufffd"}"#, r#","body":null"#, "whatever is sent"),
        (r#""method":"PUT","bodySize":7"#, r#","body":null"#, "whatever is sent"),
        (
            r#""method":"PUT","headers":[{"name":"Content-Length","value":"7"}]"#,
            r#","body":null"#,
            "whatever is sent",
        ),
        (
            r#""method":"POST","postData":{"mimeType":"multipart/form-data","params":[{"name":"f","fileName":"x"}]}"#,
            r#","body":null"#,
            "whatever is sent",
        ),
        (r#""method":"PUT","bodySize":-1"#, "", ""),
        // What another program asks the same with shuts nobody out.
        (
            r#""method":"GET","headers":[{"name":"Accept","value":"a/b"},{"name":":path","value":"/x"},{"name":"Range","value":"bytes=1-"}]"#,
            r#","headers":{"accept":"a/b","range":"bytes=1-"}"#,
            "",
        ),
    ] {
        let (told, what) = one(&asked(request));
        let varies = match (expected.contains("null"), expected.contains("accept")) {
            (true, _) => " request.body?",
            (_, true) => " request.headers.accept?",
            _ => "",
        };
        let method = if request.contains("PUT") {
            "PUT"
        } else if request.contains("POST") {
            "POST"
        } else {
            "GET"
        };
        let whole = format!(r#"{{"method":"{method}","path":"/x"{expected}}} {{"status":204}}{varies}"#);
        assert_eq!(told, whole, "{request}");
        assert!(what.contains(noted) && what.is_empty() == noted.is_empty(), "{request}: {what}");
    }
}

#[test]
fn what_was_answered() {
    for (response, expected, noted) in [
        (r#""status":200"#, r#"{"status":200}"#, ""),
        (r#""status":"201","content":{"size":0}"#, r#"{"status":201}"#, ""),
        // A browser shows text, whatever its letters were sent as.
        (
            r#""status":200,"headers":[{"name":"Content-Type","value":"text/plain; charset=iso-8859-1"}],
              "content":{"size":7,"text":"Grüße"}"#,
            r#"{"status":200,"body":"Grüße","headers":{"content-type":"text/plain; charset=iso-8859-1"}}"#,
            "",
        ),
        // No headers were kept.
        (
            r#""status":302,"content":{"mimeType":"text/html","text":"go"},"redirectURL":"/y""#,
            r#"{"status":302,"body":"go","headers":{"content-type":"text/html","location":"/y"}}"#,
            "",
        ),
        (
            r#""status":200,"content":{"encoding":"base64","text":"AP8"}"#,
            r#"{"status":200,"body":{"base64":"AP8="}}"#,
            "",
        ),
        (
            r#""status":200,"content":{"size":2,"text":"\u0000\u00ff"}"#,
            r#"{"status":200,"body":{"base64":"AP8="}}"#,
            "",
        ),
        (r#""status":200,"content":{"size":9,"_file":"a.txt"}"#, r#"{"status":200,"body":"Grüße"}"#, ""),
        // What calls itself JSON and is none stays as it was written.
        (
            r#""status":200,"headers":[{"name":"Content-Type","value":"application/json"}],"content":{"text":"{}{}"}"#,
            r#"{"status":200,"text":"{}{}","headers":{"content-type":"application/json"}}"#,
            "",
        ),
        (
            r#""status":200,"content":{"size":9}"#,
            r#"{"status":200}"#,
            "entry 1 is answered without a body: the archive",
        ),
        (
            r#""status":200,"content":{"size":-1}"#,
            r#"{"status":200}"#,
            "entry 1 is answered without a body: the archive",
        ),
        (r#""status":304,"content":{"size":-1}"#, r#"{"status":304}"#, ""),
        (
            r#""status":200,"content":{"_file":"none"}"#,
            r#"{"status":200}"#,
            "entry 1 is answered without a body that lies beside the archive: none: no such file",
        ),
        (
            r#""status":200,"content":{"mimeType":"image/png","text":"\ufffdPNG"}"#,
            r#"{"status":200,"body":"�PNG","headers":{"content-type":"image/png"}}"#,
            "spoilt",
        ),
        (r#""status":101"#, r#"{"status":101}"#, "entry 1 opens a WebSocket on which nothing is said"),
    ] {
        let (told, what) = one(&answered(response));
        assert_eq!(told, format!(r#"{{"method":"GET","path":"/x"}} {expected}"#), "{response}");
        assert!(what.contains(noted) && what.is_empty() == noted.is_empty(), "{response}: {what}");
    }
}

/// An archive that somebody else has written names files of whoever reads it.
#[test]
fn only_what_lies_below_an_archive_is_read() {
    for path in ["/secret", "../secret", "a/../../secret", "./../secret", "a/../secret", ""] {
        let told = format!("`{path}` is no path below the archive's own folder");
        let (answer, noted) = one(&answered(&format!(r#""status":200,"content":{{"_file":"{path}"}}"#)));
        assert!(answer.ends_with(r#"{"status":200}"#), "{path}: {answer}");
        assert!(noted.contains(&format!("entry 1 is answered without a body: {told}")), "{path}: {noted}");
        let (sent, noted) =
            one(&asked(&format!(r#""method":"PUT","postData":{{"text":"","_file":"{path}"}}"#)));
        assert!(!sent.contains("secret") && noted.contains(&told), "{path}: {sent} {noted}");
    }
    let (answer, _) = one(&answered(r#""status":200,"content":{"_file":"hars/a.txt"}"#));
    assert!(answer.contains("Grüße"), "{answer}");
}

#[test]
fn what_is_of_no_use_is_told() {
    let entries = [
        answered(r#""status":0"#),
        answered(r#""status":200"#),
        answered(r#""status":-1"#),
        "{}".to_owned(),
        r#"{"request":{"method":"GET","url":"data:text/plain,x"},"response":{"status":200}}"#.to_owned(),
        r#"{"request":{"method":"GET","url":"/relative"},"response":{"status":200}}"#.to_owned(),
        r#"{"request":{"method":"GET","url":"http://h/x"}}"#.to_owned(),
        r#"{"request":{"url":"http://h/x"},"response":{"status":200}}"#.to_owned(),
        r#"{"request":{"method":"GET","url":"http://h/x"},"response":{"status":200},"_cut":true}"#.to_owned(),
    ];
    let archive = read(&entries.join(","));
    assert_eq!(archive.recordings[0].interactions.len(), 1);
    let told: Vec<String> = archive.noted.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "entries 1, 3, 7 are passed over: no answer came",
            "entries 4, 5, 6, 8 are passed over: no method and address of HTTP is said",
            "entry 9 is passed over: the archive holds only the beginning of a body"
        ]
    );
    assert!(archive.noted.iter().all(crate::Noted::is_passed_over));
    let many = vec![answered(r#""status":0"#); 12].join(",");
    let told = read(&many).noted[0].to_string();
    assert_eq!(told, "entries 1, 2, 3, 4, 5, 6, 7, 8 and 4 more are passed over: no answer came");
}

/// What a HAR that stands in a provider's place answers, and what is told of it.
fn said(entries: &str, requests: &[&str]) -> (Vec<String>, Vec<String>) {
    let text = format!(r#"{{"log":{{"entries":[{entries}]}}}}"#);
    let mut found = Diagnostics::default();
    let file = Sources::default().add("hars/x.har", text.clone());
    let protocol = seam_wire::protocol("http").unwrap();
    let reading = Reading { protocol, descriptors: None, knows: &|_| false, read_file: &beside };
    let stubs =
        read_stub_file(("hars/x.har", file, &text), &reading, &Around { read_file: &beside }, &mut found)
            .unwrap();
    let set = StubSet::new();
    let names: Arc<dyn seam_expr::Names + Send + Sync> = Arc::new(seam_stub::Surroundings {
        chance: seam_expr::Chance::new(1, "x"),
        now: || "2026-01-01T00:00:00Z".parse().unwrap(),
        env: Box::new(|_| None),
        file: Box::new(|path| Err(path.to_owned())),
        hostname: "here".to_owned(),
    });
    set.put(stubs, &names);
    let seam = crate::seam_of("web -> api").unwrap();
    let answer = |request: &&str| {
        let request = parse(request).unwrap();
        let asked =
            Asked { seam: &seam, protocol: "http", at: Duration::ZERO, request: &request, bytes: b"" };
        match set.answer(&asked).map(|answering| answering.say) {
            Some(Say::Answer(answer)) => {
                let answer = Value::clone(&answer);
                let said = ["text", "body", "messages"].iter().find_map(|name| answer.get(name).cloned());
                said.unwrap_or_default().to_plain_text()
            }
            other => format!("{other:?}"),
        }
    };
    (requests.iter().map(answer).collect(), found.in_order().iter().map(|one| one.title.clone()).collect())
}

#[test]
fn an_archive_stands_in_for_all_that_ask_the_same() {
    let entry = |method: &str, request: &str, content: &str| {
        format!(
            r#"{{"request":{{"method":"{method}","url":"http://h/x",{request}}},"response":{{"status":200,"content":{content}}}}}"#
        )
    };
    let accept = |value: &str| format!(r#""headers":[{{"name":"Accept","value":"{value}"}}]"#);
    let entries = [
        entry("GET", &accept("text/plain"), r#"{"text":"plain"}"#),
        entry("GET", &accept("text/html"), r#"{"text":"html"}"#),
        entry("POST", r#""bodySize":9"#, r#"{"text":"whatever"}"#),
        entry("POST", r#""postData":{"text":"{\"a\":1}"}"#, r#"{"_file":"b.bin"}"#),
        r#"{"request":{"method":"GET","url":"ws://h/ws"},"response":{"status":101},"_webSocketMessages":[
            {"type":"receive","opcode":1,"data":"hello"},{"type":"send","opcode":1,"data":"{\"n\": 1}"},
            {"type":"receive","opcode":2,"data":"AP8="}]}"#
            .to_owned(),
    ];
    let request =
        |method: &str, rest: &str| format!(r#"{{"method":"{method}","path":"/x","query":{{}}{rest}}}"#);
    let requests = [
        request("GET", r#","headers":{"accept":"text/html"},"body":null,"text":"""#),
        request("GET", r#","headers":{"accept":"text/plain"},"body":null,"text":"""#),
        // Nobody asked so: what was answered first.
        request("GET", r#","headers":{"accept":"*/*"},"body":null,"text":"""#),
        request(
            "POST",
            r#","headers":{"content-type":"application/json"},"body":{"a":1},"text":"{\"a\":1}""#,
        ),
        request(
            "POST",
            r#","headers":{"content-type":"application/json"},"body":{"a":2},"text":"{\"a\":2}""#,
        ),
        r#"{"method":"GET","path":"/ws","query":{},"headers":{"upgrade":"websocket"},"body":null,"text":""}"#
            .to_owned(),
        r#"{"message":{"path":"/ws","from":"consumer","type":"text","body":{"n":1},"text":"{\"n\": 1}"}}"#
            .to_owned(),
    ];
    let requests: Vec<&str> = requests.iter().map(String::as_str).collect();
    let (said, told) = said(&entries.join(","), &requests);
    assert_eq!(
        said,
        [
            "html",
            "plain",
            "plain",
            r#"{"base64":"AP8="}"#,
            "whatever",
            r#"[{"text":"hello"}]"#,
            r#"[{"body":{"base64":"AP8="}}]"#,
        ]
    );
    assert_eq!(told, ["entry 3 is answered whatever is sent: the archive does not hold what was"]);
}
