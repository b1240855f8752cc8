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
        return of(Side::Provider, format!("answered {status}"));
    }
    let error = interaction.reply.get("error")?;
    let provider = &interaction.to;
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
    interaction.reply.get("status")?.as_i64()
}

/// Is its answer one that a caller may not like: trouble, or a status from 400 on?
pub(crate) fn is_refusal(interaction: &Interaction) -> bool {
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
