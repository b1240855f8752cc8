//! `signs_in: { bearer: $token }`: what an actor sends from then on, as a fixture or a step says it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use seam_value::{Map, Value};

/// What an actor sends with every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SignedIn {
    /// Names in small letters.
    pub(crate) headers: IndexMap<String, String>,
    pub(crate) cookies: IndexMap<String, String>,
}

impl SignedIn {
    /// Reads `headers`, `cookies`, `bearer` and `basic` of a map; what is null says nothing.
    pub(crate) fn of(value: &Value) -> Self {
        let mut headers: IndexMap<String, String> =
            texts(value.get("headers")).map(|(name, text)| (name.to_ascii_lowercase(), text)).collect();
        let bearer = value.get("bearer").filter(|token| **token != Value::Null);
        let basic = value.get("basic").filter(|pair| **pair != Value::Null);
        if let Some(authorization) = bearer.map(bearer_of).or_else(|| basic.map(basic_of)) {
            headers.insert("authorization".to_owned(), authorization);
        }
        Self { headers, cookies: texts(value.get("cookies")).collect() }
    }

    /// Takes over what another one says; what it says nothing about stays.
    pub(crate) fn extend(&mut self, more: Self) {
        self.headers.extend(more.headers);
        self.cookies.extend(more.cookies);
    }
}

/// The header's value for a token.
pub(crate) fn bearer_of(token: &Value) -> String {
    format!("Bearer {}", token.to_plain_text())
}

/// The header's value for `{ user: …, password: … }`, or for `user:password`.
pub(crate) fn basic_of(pair: &Value) -> String {
    let pair = match pair {
        Value::Map(map) => {
            let part = |key| map.get(key).map(Value::to_plain_text).unwrap_or_default();
            format!("{}:{}", part("user"), part("password"))
        }
        plain => plain.to_plain_text(),
    };
    format!("Basic {}", STANDARD.encode(pair))
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = (String, String)> {
    let pairs = value.and_then(Value::as_map).map(Map::iter).into_iter().flatten();
    pairs
        .filter(|(_, value)| **value != Value::Null)
        .map(|(name, value)| (name.clone(), value.to_plain_text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_sign_in() {
        for (json, headers, cookies) in [
            ("{}", "", ""),
            (r#"{"bearer":"t1"}"#, "authorization=Bearer t1", ""),
            (r#"{"basic":{"user":"ann","password":"s"}}"#, "authorization=Basic YW5uOnM=", ""),
            (r#"{"basic":"ann:s"}"#, "authorization=Basic YW5uOnM=", ""),
            (r#"{"headers":{"X-Api-Key":7,"X-No":null},"cookies":{"a":"b"}}"#, "x-api-key=7", "a=b"),
            (r#"{"bearer":null,"cookies":null}"#, "", ""),
        ] {
            let signed_in = SignedIn::of(&seam_value::parse(json).unwrap());
            let shown = |map: &IndexMap<String, String>| {
                map.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(
                (shown(&signed_in.headers).as_str(), shown(&signed_in.cookies).as_str()),
                (headers, cookies),
                "{json}"
            );
        }
    }
}
