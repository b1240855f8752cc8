//! What is said where no stub has an answer and nobody else is there, by protocols without HTTP's 404.

use seam_value::Value;

/// The words for it, if that is what an answer says: `{ status: 404, text: "no stub answers this" }`.
pub(crate) fn unmatched(answer: &Value) -> Option<&str> {
    let is_not_found = answer.get("status").and_then(Value::as_i64) == Some(404);
    let words = answer.get("text").and_then(Value::as_text)?.trim();
    (is_not_found && words.starts_with("no stub answers")).then_some(words)
}
