//! Reads from interactions who called whom because of whom, and which of them went wrong in themselves.

use seam_event::{Interaction, InteractionError};
use seam_value::Value;

/// What is wrong with an interaction in itself, and which of its two sides the evidence points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Who is to be looked at.
    pub side: Side,
    /// What happened, to be read after the suspect's name: `answered 500`.
    pub text: String,
    /// Is it a normal part of many programs (a unique key that is taken, a transaction to be tried again), and so
    /// no evidence by itself as long as the caller deals with it?
    pub is_everyday: bool,
}

/// One side of a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who asked: it asked for what can't be.
    Consumer,
    /// Who was asked: it did not do what it is there for.
    Provider,
}

/// Classes of SQLSTATE in which the server, not the statement, is at fault: connection, resources, operator's
/// intervention, system, internal.
const SERVER_CLASSES: &[&str] = &["08", "53", "57", "58", "XX"];
/// Classes of SQLSTATE that programs meet every day: constraints, transactions to be tried again.
const EVERYDAY_CLASSES: &[&str] = &["23", "40"];
/// Commands by which clients of Redis introduce themselves, whether or not this server knows them yet.
const INTRODUCTIONS: &[&str] = &["CLIENT", "HELLO"];
/// First words of Redis' errors in which the server, not the command, is at fault.
const SERVER_WORDS: &[&str] =
    &["LOADING", "OOM", "MISCONF", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "TRYAGAIN", "NOREPLICAS"];

/// gRPC's statuses and what HTTP says instead (google/rpc/code.proto names both): one scale for all who answer by status.
const GRPC_STATUSES: &[(&str, i64)] = &[
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

/// Codes of brokers' errors in which the broker, not what was asked, is at fault, and those that programs meet every
/// day: AMQP 0-9-1 (1.8, a queue that is only looked for is no evidence), MQTT 5 (2.4), Kafka (its protocol's error codes; what may be tried again is
/// how its clients find their way).
const BROKERS: &[(&str, &[i64], &[i64])] = &[
    ("amqp", &[320, 506, 541], &[404]),
    // Before version 5, 128 is the only way to refuse a subscription, whyever.
    ("mqtt", &[131, 136, 137, 139, 151], &[]),
    (
        "kafka",
        &[-1, 7, 8, 9, 13, 19, 20, 56],
        &[1, 3, 5, 6, 14, 15, 16, 22, 25, 27, 35, 36, 41, 74, 75, 78, 79],
    ),
];

/// What is wrong with an interaction in itself; none where it ended as its protocol says a good one does. A status
/// below 500 is an answer, not trouble.
pub fn trouble(interaction: &Interaction) -> Option<Trouble> {
    let of = |side, text: String| Some(Trouble { side, text, is_everyday: false });
    if let Some(error) = interaction.error {
        let text = match error {
            InteractionError::Refused => "refused the connection",
            InteractionError::Reset => "reset the connection",
            InteractionError::Closed => "closed the connection before it had answered",
            InteractionError::Timeout => "did not answer in time",
        };
        return of(Side::Provider, text.into());
    }
    let lowest = if interaction.protocol.starts_with("smtp") { 400 } else { 500 };
    if let Some(status) = status(interaction).filter(|status| *status >= lowest) {
        return of(
            Side::Provider,
            format!("answered {}", said_status(interaction).unwrap_or(status.to_string())),
        );
    }
    let error = interaction.reply.get("error")?;
    let provider = &interaction.to;
    if let Some((_, servers, everyday)) = BROKERS.iter().find(|(name, ..)| interaction.protocol == *name)
        && let Some(code) = error.get("code").and_then(Value::as_i64)
    {
        let words = error.get("text").or_else(|| error.get("message")).and_then(Value::as_text);
        let said = format!("{code} {}", words.unwrap_or_default());
        let (side, text) = if servers.contains(&code) {
            (Side::Provider, format!("answered {}", said.trim()))
        } else {
            (Side::Consumer, format!("asked what {provider} refused: {}", said.trim()))
        };
        return Some(Trouble { side, text, is_everyday: everyday.contains(&code) });
    }
    // MySQL counts its errors, and says the SQLSTATE beside.
    let state = error.get("state").and_then(Value::as_text);
    if let Some(code) = state.or_else(|| error.get("code").and_then(Value::as_text)) {
        let message = error.get("message").and_then(Value::as_text).unwrap_or_default();
        let said = format!("{code} {message}");
        let is_in = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
        if is_in(SERVER_CLASSES) {
            return of(Side::Provider, format!("answered {}", said.trim()));
        }
        let asked = |part: &str| interaction.request.get(part).is_some_and(|value| *value != Value::Null);
        let text = if asked("user") && !asked("statement") {
            format!("logged in to {provider}, which refused it: {}", said.trim())
        } else {
            format!("sent a statement that {provider} refused: {}", said.trim())
        };
        return Some(Trouble { side: Side::Consumer, text, is_everyday: is_in(EVERYDAY_CLASSES) });
    }
    let said = error.as_text()?;
    if SERVER_WORDS.iter().any(|word| said.split_whitespace().next() == Some(word)) {
        return of(Side::Provider, format!("answered {said}"));
    }
    let command = interaction.request.get("command").and_then(Value::as_text).unwrap_or_default();
    let is_everyday = INTRODUCTIONS.iter().any(|name| command.eq_ignore_ascii_case(name));
    let text = format!("sent a command that {provider} refused: {said}");
    Some(Trouble { side: Side::Consumer, text, is_everyday })
}

/// The status of the reply, where there is one.
pub(crate) fn status(interaction: &Interaction) -> Option<i64> {
    status_number(interaction.reply.get("status")?)
}

/// A status on HTTP's scale, also where it is one of gRPC's words.
pub(crate) fn status_number(status: &Value) -> Option<i64> {
    let word = |text: &str| GRPC_STATUSES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    status.as_i64().or_else(|| word(status.as_text()?))
}

/// The status of the reply in the words of its protocol: `503`, `UNAVAILABLE`.
pub(crate) fn said_status(interaction: &Interaction) -> Option<String> {
    let status = interaction.reply.get("status")?;
    status_number(status).map(|_| status.to_plain_text())
}

/// What a call was refused with, in the words of its protocol: a status, or an error.
pub(crate) fn refused_with(interaction: &Interaction) -> Option<String> {
    let error = || {
        let error = interaction.reply.get("error").filter(|error| **error != Value::Null)?;
        let part = |name: &str| error.get(name).map(Value::to_plain_text);
        let parts = [part("code"), part("message").or_else(|| part("text"))];
        let said = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        Some(if said.is_empty() { error.to_plain_text() } else { said })
    };
    if is_refusal(interaction) { said_status(interaction).or_else(error) } else { None }
}

/// Is its answer one that a caller may not like: trouble, or a status from 400 on?
pub fn is_refusal(interaction: &Interaction) -> bool {
    trouble(interaction).is_some() || status(interaction).is_some_and(|status| status >= 400)
}

/// Did `inner` happen while its caller was answering `outer`?
pub fn is_within(inner: &Interaction, outer: &Interaction) -> bool {
    inner.from == outer.to
        && (outer.at, outer.id) < (inner.at, inner.id)
        && outer.elapsed.is_none_or(|elapsed| inner.at <= outer.at + elapsed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use seam_event::{Caller, Endpoint, SeamId};
    use std::time::Duration;

    /// An interaction of `from -> to` that lasts from one millisecond to another.
    pub(crate) fn interaction(id: u64, seam: &str, lasts: (u64, u64), reply: &str) -> Interaction {
        let (from, to) = seam.split_once(" -> ").unwrap();
        let provider = to.split('.').next().unwrap();
        let endpoint = to.split_once('.').map_or(Endpoint::main(), |(_, endpoint)| endpoint.into());
        Interaction {
            id,
            seam: SeamId { consumer: from.into(), provider: provider.into(), endpoint },
            from: from.into(),
            to: provider.into(),
            via: None,
            caller: Caller::Known,
            protocol: if provider == "pg" { "postgres" } else { "http" }.into(),
            connection: id,
            at: Duration::from_millis(lasts.0),
            elapsed: Some(Duration::from_millis(lasts.1 - lasts.0)),
            error: None,
            request: Value::Null,
            reply: seam_value::parse(reply).unwrap(),
            message: Value::Null,
            cut: false,
            answered_by: None,
        }
    }

    #[test]
    fn trouble_is_told_from_answers() {
        for (reply, expected) in [
            (r#"{"status":200}"#, None),
            (r#"{"status":404}"#, None),
            (r#"{"status":503}"#, Some((Side::Provider, "answered 503", false))),
            (r#"{"status":"OK"}"#, None),
            (r#"{"status":"NOT_FOUND"}"#, None),
            (r#"{"status":"CANCELLED"}"#, None),
            (r#"{"status":"UNAVAILABLE"}"#, Some((Side::Provider, "answered UNAVAILABLE", false))),
            (r#"{"rows":[],"error":null}"#, None),
            (
                r#"{"error":{"code":"42703","message":"no column x"}}"#,
                Some((Side::Consumer, "sent a statement that b refused: 42703 no column x", false)),
            ),
            (
                r#"{"error":{"code":"23505","message":"taken"}}"#,
                Some((Side::Consumer, "sent a statement that b refused: 23505 taken", true)),
            ),
            (
                r#"{"error":{"code":1062,"state":"23000","message":"taken"}}"#,
                Some((Side::Consumer, "sent a statement that b refused: 23000 taken", true)),
            ),
            (r#"{"error":{"code":"53300"}}"#, Some((Side::Provider, "answered 53300", false))),
            (
                r#"{"error":"WRONGTYPE Operation"}"#,
                Some((Side::Consumer, "sent a command that b refused: WRONGTYPE Operation", false)),
            ),
            (
                r#"{"error":"OOM command not allowed"}"#,
                Some((Side::Provider, "answered OOM command not allowed", false)),
            ),
        ] {
            let got = trouble(&interaction(1, "a -> b", (0, 1), reply));
            let got = got.as_ref().map(|it| (it.side, it.text.as_str(), it.is_everyday));
            assert_eq!(got, expected, "{reply}");
        }
    }

    #[test]
    fn what_brokers_refuse_is_told_from_what_they_can_not_do() {
        for (protocol, reply, expected) in [
            ("amqp", r#"{"method":"queue.declare-ok","error":null}"#, None),
            (
                "amqp",
                r#"{"error":{"code":406,"text":"PRECONDITION_FAILED - inequivalent arg"}}"#,
                Some((
                    Side::Consumer,
                    "asked what b refused: 406 PRECONDITION_FAILED - inequivalent arg",
                    false,
                )),
            ),
            (
                "amqp",
                r#"{"error":{"code":404,"text":"NOT_FOUND"}}"#,
                Some((Side::Consumer, "asked what b refused: 404 NOT_FOUND", true)),
            ),
            (
                "amqp",
                r#"{"error":{"code":541,"text":"INTERNAL_ERROR"}}"#,
                Some((Side::Provider, "answered 541 INTERNAL_ERROR", false)),
            ),
            (
                "mqtt",
                r#"{"error":{"code":135,"message":"not authorized"}}"#,
                Some((Side::Consumer, "asked what b refused: 135 not authorized", false)),
            ),
            (
                "mqtt",
                r#"{"error":{"code":128,"message":"unspecified error"}}"#,
                Some((Side::Consumer, "asked what b refused: 128 unspecified error", false)),
            ),
            (
                "kafka",
                r#"{"error":{"code":76,"text":"UNSUPPORTED_COMPRESSION_TYPE"}}"#,
                Some((Side::Consumer, "asked what b refused: 76 UNSUPPORTED_COMPRESSION_TYPE", false)),
            ),
            (
                "kafka",
                r#"{"error":{"code":27,"text":"REBALANCE_IN_PROGRESS"}}"#,
                Some((Side::Consumer, "asked what b refused: 27 REBALANCE_IN_PROGRESS", true)),
            ),
        ] {
            let mut asked = interaction(1, "a -> b", (0, 1), reply);
            asked.protocol = protocol.to_owned();
            let got = trouble(&asked);
            let got = got.as_ref().map(|it| (it.side, it.text.as_str(), it.is_everyday));
            assert_eq!(got, expected, "{protocol} {reply}");
        }
    }

    /// What clients of Kafka meet each day: they find their way by it, rejoin, or ask for less.
    #[test]
    fn what_kafka_says_every_day_is_no_evidence() {
        for code in [1, 22, 25, 35, 36, 41, 78] {
            let mut asked = interaction(1, "a -> b", (0, 1), &format!(r#"{{"error":{{"code":{code}}}}}"#));
            asked.protocol = "kafka".to_owned();
            let got = trouble(&asked).map(|it| (it.side, it.is_everyday));
            assert_eq!(got, Some((Side::Consumer, true)), "{code}");
        }
    }

    #[test]
    fn how_a_client_introduces_itself_is_everyday() {
        for (command, is_everyday) in [("CLIENT", true), ("hello", true), ("GET", false)] {
            let mut refused = interaction(1, "a -> b", (0, 1), r#"{"error":"ERR unknown command"}"#);
            refused.request = Value::map([("command", Value::text(command))]);
            assert_eq!(trouble(&refused).map(|it| it.is_everyday), Some(is_everyday), "{command}");
        }
    }

    #[test]
    fn nesting_is_by_time_and_caller() {
        let outer = interaction(1, "test -> a", (10, 50), "null");
        for (seam, at, within) in [
            ("a -> b", 20, true),
            ("a -> b", 50, true),
            ("a -> b", 51, false),
            ("a -> b", 9, false),
            ("c -> b", 20, false),
        ] {
            assert_eq!(is_within(&interaction(2, seam, (at, at + 1), "null"), &outer), within, "{seam} {at}");
        }
        assert!(!is_within(&outer, &outer));
    }
}
