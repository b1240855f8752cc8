//! What answers of all protocols have in common: why there was none, and how long it took.

use crate::action::Unsaid;
use seam_value::Value;
use std::time::Duration;

/// Nobody had to write that there is an answer: what to tell where there is none, or not all of it. `what` is spoken.
pub(crate) fn unsaid_error(result: &Value, what: &str, detail: String) -> Vec<Unsaid> {
    let Some(error) = result.get("error").filter(|error| **error != Value::Null) else { return Vec::new() };
    let message = match error.as_text() {
        Some("refused") => "the connection was refused: nothing listens there".to_owned(),
        Some("reset") => "the connection was reset".to_owned(),
        Some("timeout") => "there was no answer in time".to_owned(),
        Some("malformed") => format!("the answer is not {what}"),
        _ => "the connection was closed before the answer was whole".to_owned(),
    };
    vec![Unsaid {
        path: "error",
        message,
        expected: Some(Value::Null),
        actual: Some(error.clone()),
        details: vec![detail],
    }]
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
    fn durations_read_back_as_durations() {
        for (micros, expect) in [(0, "0us"), (999, "999us"), (12_345, "12.3ms"), (1_250_000, "1.25s")] {
            let text = shown(Duration::from_micros(micros));
            assert_eq!(text, expect);
            assert!(seam_model::duration(&text).is_ok());
        }
    }
}
