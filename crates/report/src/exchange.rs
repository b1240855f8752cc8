//! An interaction in a few words: what was asked, what was answered.
//!
//! It goes by the fields that language.md gives to interactions, not by protocols: one that has a `status`, an `error` or
//! `rows` needs no line here.

use crate::clean::{cut, line};
use seam_event::{Caller, Interaction, SeamId};
use seam_value::Value;

/// What was asked: `POST /orders`, `select …`, `GET cart:1`, `mail to ann@example.test: Your order`.
pub(crate) fn asked(interaction: &Interaction) -> String {
    let Interaction { request, message, protocol, .. } = interaction;
    let text = seam_event::asked(request, message).unwrap_or_else(|| protocol.clone());
    one_line(&text)
}

/// On which way: the seam, or who really asked, and over which broker.
pub(crate) fn route(interaction: &Interaction) -> String {
    let Interaction { from, to, via, seam, caller, .. } = interaction;
    let mut text = match via {
        Some(via) => format!("{from} -> {to} via {via}"),
        None => SeamId { consumer: from.clone(), provider: to.clone(), endpoint: seam.endpoint.clone() }
            .to_string(),
    };
    if *caller == Caller::Assumed {
        text.push_str(" (assumed)");
    }
    line(&text).into_owned()
}

/// What was sent along: a body, a statement's parameters.
pub(crate) fn sent(interaction: &Interaction) -> Option<String> {
    let parameters = interaction.request.get("parameters").filter(|list| list.as_list() != Some(&[]));
    let text = match parameters {
        Some(parameters) if *parameters != Value::Null => parameters.to_string(),
        _ => body(&interaction.request)?,
    };
    Some(one_line(&text))
}

/// Did it go wrong, or was it refused?
pub(crate) fn is_bad(interaction: &Interaction) -> bool {
    seam_judge::is_refusal(interaction)
}

/// What was answered: `402 {"reason":"card_declined"}`, `3 rows`, `error 23505 …`, `refused`; and where that was not the
/// provider's doing, whose: `(stub a declined card) 402 …`, `(fault reset) reset`.
pub(crate) fn answered(interaction: &Interaction) -> String {
    let mut answer = answer(interaction);
    if let Some(by) = &interaction.answered_by {
        answer = format!("({}) {answer}", one_line(by));
    }
    if interaction.cut { format!("{answer} (not kept whole)") } else { answer }
}

fn answer(interaction: &Interaction) -> String {
    if let Some(error) = interaction.error {
        return error.name().to_owned();
    }
    let reply = &interaction.reply;
    let text = if let Some(status) = reply.get("status") {
        format!("{} {}", status.to_plain_text(), body(reply).unwrap_or_default())
    } else if let Some(error) = reply.get("error").filter(|error| **error != Value::Null) {
        let part = |name: &str| error.get(name).map(Value::to_plain_text);
        match (part("code"), part("message").or_else(|| part("text"))) {
            (None, None) => format!("error {}", error.to_plain_text()),
            (code, message) => format!("error {} {}", code.unwrap_or_default(), message.unwrap_or_default()),
        }
    } else if let Some(rows) = reply.get("rows").and_then(Value::as_list) {
        match rows {
            [] => "no rows".to_owned(),
            [one] => format!("1 row {one}"),
            many => format!("{} rows", many.len()),
        }
    } else if let Some(value) = reply.get("value") {
        value.to_string()
    } else if let Some(count) = reply.get("count").or_else(|| reply.get("affected")) {
        format!("{count} rows")
    } else if interaction.message != Value::Null {
        body(&interaction.message).unwrap_or_default()
    } else if interaction.elapsed.is_none() {
        "no answer".to_owned()
    } else {
        String::new()
    };
    one_line(&text)
}

/// A part's body: decoded if it was, else as text.
pub(crate) fn body(part: &Value) -> Option<String> {
    let decoded = part.get("body").filter(|body| **body != Value::Null);
    let text = decoded.or_else(|| part.get("text"))?.to_plain_text();
    (!text.is_empty()).then_some(text)
}

/// Runs of white space become one space each, and what is long is cut.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 160;
    let mut words = String::new();
    for word in text.split_whitespace() {
        if words.len() > LONGEST * 4 {
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    line(&cut(&words, LONGEST)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seam_event::{Caller, Endpoint};
    use std::time::Duration;

    fn interaction(request: &str, message: &str, reply: &str) -> Interaction {
        let [request, message, reply] =
            [request, message, reply].map(|text| seam_value::parse(text).unwrap());
        let seam = SeamId { consumer: "a".into(), provider: "b".into(), endpoint: Endpoint::main() };
        Interaction {
            id: 1,
            from: seam.consumer.clone(),
            to: seam.provider.clone(),
            seam,
            via: None,
            caller: Caller::Known,
            protocol: "spoken".to_owned(),
            connection: 1,
            at: Duration::ZERO,
            elapsed: Some(Duration::ZERO),
            error: None,
            request,
            reply,
            message,
            answered_by: None,
            cut: false,
        }
    }

    #[test]
    fn what_says_nothing_is_told_by_its_protocol() {
        assert_eq!(asked(&interaction(r#"{"method":"GET","path":"/x"}"#, "null", "null")), "GET /x");
        assert_eq!(asked(&interaction("null", "null", "null")), "spoken");
    }

    #[test]
    fn an_error_is_told_with_its_words_whatever_they_are_called() {
        for (reply, expected, is_wrong) in [
            (r#"{"error":{"code":"23505","message":"taken"}}"#, "error 23505 taken", true),
            (r#"{"error":{"code":404,"text":"NOT_FOUND"}}"#, "error 404 NOT_FOUND", false),
            (r#"{"status":"NOT_FOUND"}"#, "NOT_FOUND", true),
            (r#"{"status":"OK","body":{"n":1}}"#, r#"OK {"n":1}"#, false),
        ] {
            let interaction = interaction("null", "null", reply);
            assert_eq!(
                (answered(&interaction).as_str(), is_bad(&interaction)),
                (expected, is_wrong),
                "{reply}"
            );
        }
    }
}
