//! What an operator of a mapping expects, as people read it.

use super::pattern::Pattern;
use super::template::jackson;
use super::xml::Element;
use seam_value::Value;

/// The name of a pattern's operator, what it expects as it is told, and its operand as it was given.
pub(crate) fn described(pattern: &Value) -> (String, String, String) {
    let Some((operator, operand)) = Pattern::operator(pattern) else {
        return (String::new(), pattern.to_string(), pattern.to_string());
    };
    let plain = operand.to_plain_text();
    let json = || match operand {
        Value::Text(text) => seam_value::parse(text).map_or_else(|_| text.clone(), |value| jackson(&value)),
        other => jackson(other),
    };
    let joined = |word: &str| {
        let all = operand.as_list().unwrap_or_default().iter().map(|one| {
            let (name, expected, _) = described(one);
            format!("{name} {expected}")
        });
        all.collect::<Vec<_>>().join(word)
    };
    let expected = match operator {
        "equalToJson" | "matchesJsonSchema" => json(),
        "equalToXml" => Element::parse(plain.trim()).map_or_else(|_| plain.clone(), |root| root.to_pretty()),
        "absent" => "(absent)".to_owned(),
        "and" => joined(" AND "),
        "or" => joined(" OR "),
        "not" => described(operand).1,
        "before" | "after" | "equalToDateTime" => moment(pattern, &plain),
        "matchesJsonPath" | "matchesXPath" => {
            operand.get("expression").map_or_else(|| plain.clone(), Value::to_plain_text)
        }
        _ => plain.clone(),
    };
    let value = match operator {
        "absent" => "null".to_owned(),
        "equalTo" => plain,
        _ => expected.clone(),
    };
    (operator.to_owned(), expected, value)
}

/// `now` as WireMock writes it: with how far off it is.
pub(crate) fn moment(pattern: &Value, plain: &str) -> String {
    if plain != "now" {
        return plain.to_owned();
    }
    match (pattern.get("expectedOffset"), pattern.get("expectedOffsetUnit")) {
        (Some(amount), Some(unit)) => {
            let amount = amount.to_plain_text();
            let sign = if amount.starts_with('-') { "" } else { "+" };
            format!("now {sign}{amount} {}", unit.to_plain_text().to_lowercase())
        }
        _ => "now +0 seconds".to_owned(),
    }
}
