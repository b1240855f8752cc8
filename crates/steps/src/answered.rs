//! What answers of all protocols have in common: why there was none, and how long it took.

use crate::action::Unsaid;
use seam_event::InteractionError;
use seam_value::Value;
use std::time::Duration;

/// Nobody had to write that there is an answer: what to tell where there is none, or not all of it. `what` is spoken.
pub(crate) fn unsaid_error(result: &Value, what: &str, detail: String) -> Vec<Unsaid> {
    let Some(error) = result.get("error").filter(|error| **error != Value::Null) else { return Vec::new() };
    let code = error.to_plain_text();
    let message = words_for(&code).map_or_else(|| format!("the answer is not {what}"), str::to_owned);
    vec![Unsaid {
        path: "error",
        message,
        expected: Some(Value::Null),
        actual: Some(error.clone()),
        details: vec![detail],
    }]
}

/// The same where an error has a `code` and a `message`, with these of its other fields. A word of ours for what became of
/// the connection is not said before the words that say the same.
pub(crate) fn unsaid_refusal(result: &Value, details: &[&str]) -> Vec<Unsaid> {
    let Some(error @ Value::Map(_)) = result.get("error") else { return Vec::new() };
    let field = |name| error.get(name).filter(|value| **value != Value::Null).map(Value::to_plain_text);
    let code = field("code").filter(|code| code != MALFORMED && words_for(code).is_none());
    let said: Vec<String> = code.into_iter().chain(field("message")).collect();
    let detail = details.iter().filter_map(|name| Some(format!("{name}: {}", field(name)?)));
    vec![Unsaid {
        path: "error",
        message: said.join(" "),
        expected: Some(Value::Null),
        actual: Some(error.clone()),
        details: detail.collect(),
    }]
}

/// The word of a result whose answer is not what its protocol allows.
pub(crate) const MALFORMED: &str = "malformed";

/// What became of the connection, in words.
pub(crate) fn words(why: InteractionError) -> &'static str {
    match why {
        InteractionError::Refused => "the connection was refused: nothing listens there",
        InteractionError::Reset => "the connection was reset",
        InteractionError::Closed => "the connection was closed before the answer was whole",
        InteractionError::Timeout => "there was no answer in time",
    }
}

/// The same for the word that a result holds; none where it is another.
pub(crate) fn words_for(name: &str) -> Option<&'static str> {
    use InteractionError::{Closed, Refused, Reset, Timeout};
    [Refused, Reset, Closed, Timeout].into_iter().find(|why| why.name() == name).map(words)
}

/// As durations are written everywhere: `12.3ms`, `1.25s`.
pub(crate) fn shown(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros}us"),
        1_000..1_000_000 => format!("{}.{}ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{:02}s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_connection_is_said_once() {
        for (error, expect) in [
            (
                r#"{"code":"refused","message":"the connection was refused: nothing listens there"}"#,
                words(InteractionError::Refused),
            ),
            (r#"{"code":"malformed","message":"no PUBACK"}"#, "no PUBACK"),
            (r#"{"code":404,"message":"NOT_FOUND"}"#, "404 NOT_FOUND"),
            (
                r#"{"code":"23505","message":"there is one","detail":"id 7","hint":null}"#,
                "23505 there is one detail: id 7",
            ),
            (r#"{"code":null,"message":"no"}"#, "no"),
            (r#"{"code":5,"message":null}"#, "5"),
        ] {
            let result = Value::map([("error", seam_value::parse(error).unwrap())]);
            let [unsaid] = &unsaid_refusal(&result, &["detail", "hint"])[..] else { panic!("{error}") };
            let told: Vec<&str> =
                std::iter::once(&unsaid.message).chain(&unsaid.details).map(String::as_str).collect();
            assert_eq!(told.join(" "), expect, "{error}");
        }
        assert!(unsaid_refusal(&Value::map([("error", Value::Null)]), &[]).is_empty());
    }

    #[test]
    fn durations_read_back_as_durations() {
        for (micros, expect) in [(0, "0us"), (999, "999us"), (12_345, "12.3ms"), (1_250_000, "1.25s")] {
            let text = shown(Duration::from_micros(micros));
            assert_eq!(text, expect);
            assert!(seam_model::duration(&text).is_ok());
        }
    }
}
