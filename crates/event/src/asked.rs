//! What was asked, in a few words: in reports, in warnings, and as the names of recorded stubs and steps.
//!
//! It goes by the fields that requests and messages have, not by protocols: a protocol that has a `method` and a `path`, a
//! `statement`, a `command` or a `subject` needs no line here.

use seam_value::Value;

/// What a request or a message is about: `POST /orders`, `select …`, `GET cart:1`, `mail to ann@example.test: Your order`;
/// none where neither says anything of this. It is as long as what was asked, and may have several lines.
pub fn asked(request: &Value, message: &Value) -> Option<String> {
    let field = |name: &str| request.get(name).map(Value::to_plain_text);
    Some(if let (Some(method), Some(path)) = (field("method"), field("path")) {
        format!("{method} {path}")
    } else if let Some(statement) = field("statement") {
        // Pools ask whether a connection is still alive by asking nothing.
        if statement.trim().is_empty() { "an empty statement".to_owned() } else { statement }
    } else if let Some(command) = field("command") {
        let args = list(request, "args").chain(field("topic"));
        [command].into_iter().chain(args).collect::<Vec<_>>().join(" ")
    } else if let Some(verb) = field("method").or_else(|| field("api")) {
        // A service's method, a broker's method or request: with what it is about, where that is one thing.
        let about = ["queue", "exchange", "group"]
            .into_iter()
            .find_map(|name| field(name).filter(|about| !about.is_empty()));
        [verb].into_iter().chain(about).chain(list(request, "topics")).collect::<Vec<_>>().join(" ")
    } else if let Some(subject) = field("subject") {
        format!("mail to {}: {subject}", list(request, "to").collect::<Vec<_>>().join(", "))
    } else if let Some(user) = field("user") {
        format!("log-in as {user}")
    } else {
        let about = ["topic", "path", "method"].into_iter().find_map(|name| message.get(name))?;
        format!("message on {}", about.to_plain_text())
    })
}

/// On one line, runs of white space one space each, cut to so many letters.
pub fn on_one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most { line } else { line.chars().take(most - 1).chain(['…']).collect() }
}

/// What a list holds, or the one thing that stands in its place.
fn list<'a>(part: &'a Value, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let value = part.get(name).filter(|value| **value != Value::Null);
    let all = value.map_or(&[][..], |value| value.as_list().unwrap_or(std::slice::from_ref(value)));
    all.iter().map(Value::to_plain_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_told_in_the_words_of_each_protocol() {
        for (request, message, expected) in [
            (r#"{"method":"GET","path":"/x"}"#, "null", "GET /x"),
            (r#"{"statement":"select 1"}"#, "null", "select 1"),
            (r#"{"command":"GET","args":["k"]}"#, "null", "GET k"),
            (r#"{"command":"SUB","topic":"orders.*"}"#, "null", "SUB orders.*"),
            (r#"{"service":"shop.Orders","method":"Place"}"#, "null", "Place"),
            (r#"{"method":"queue.declare","queue":"orders"}"#, "null", "queue.declare orders"),
            (
                r#"{"method":"exchange.declare","exchange":"celery","queue":""}"#,
                "null",
                "exchange.declare celery",
            ),
            (r#"{"api":"Produce","topics":["orders"]}"#, "null", "Produce orders"),
            (r#"{"api":"JoinGroup","group":"g","topics":[]}"#, "null", "JoinGroup g"),
            (r#"{"to":["ann@x.test"],"subject":"Hi"}"#, "null", "mail to ann@x.test: Hi"),
            (
                r#"{"to":["ann@x.test","bob@x.test"],"subject":"Hi"}"#,
                "null",
                "mail to ann@x.test, bob@x.test: Hi",
            ),
            (r#"{"statement":" "}"#, "null", "an empty statement"),
            ("null", r#"{"topic":"orders","body":1}"#, "message on orders"),
            ("null", r#"{"path":"/live","data":1}"#, "message on /live"),
            ("null", r#"{"service":"shop.Orders","method":"Watch"}"#, "message on Watch"),
            ("null", r#"{"method":"channel.close"}"#, "message on channel.close"),
            ("null", "null", ""),
        ] {
            let [asked, said] = [request, message].map(|text| seam_value::parse(text).unwrap());
            assert_eq!(super::asked(&asked, &said).unwrap_or_default(), expected, "{request} {message}");
        }
    }

    #[test]
    fn lines_are_cut() {
        for (text, expected) in [("a\n  b", "a b"), ("abcdef", "abcd…"), ("äöüßé", "äöüßé")] {
            assert_eq!(on_one_line(text, 5), expected);
        }
    }
}
