//! Encodings and signatures: `base64 sha256 hmac jwt url json`.

use super::{Arguments, Function};
use crate::expression::item::{Item, Problem, instant};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use seam_model::{Field, Shape, Word};
use seam_value::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// What stays as it is in one segment of an address (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const AS: Field =
    Field::optional("as", Shape::OneOf(&["hex", "base64"]), "how the bytes are written; else `hex`");

pub(super) const BASE64: Function = Function {
    word: Word {
        fields: &[Field::required("text", Shape::Text, "what is encoded, as UTF-8")],
        example: "${base64('ann:s3cret')}  # \"YW5uOnMzY3JldA==\"",
        ..Word::new("base64", "a text in Base64")
    },
    run: |called| Ok(Item::from(STANDARD.encode(called.plain_text(0)?))),
};

pub(super) const SHA256: Function = Function {
    word: Word {
        fields: &[Field::required("text", Shape::Text, "what is hashed, as UTF-8"), AS],
        example: "${sha256('abc')}  # \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n\
                  ${sha256('abc', 'base64')}  # \"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\"",
        ..Word::new("sha256", "the SHA-256 hash of a text")
    },
    run: |called| written(&Sha256::digest(called.plain_text(0)?), called, 1),
};

pub(super) const HMAC: Function = Function {
    word: Word {
        text: "What signs webhooks: HMAC with SHA-256 over the text, which must be the body exactly as it is sent.",
        fields: &[
            Field::required("key", Shape::Text, "the shared secret"),
            Field::required("text", Shape::Text, "what is signed, as UTF-8"),
            AS,
        ],
        example: "${hmac('key', 'The quick brown fox jumps over the lazy dog')}  \
                  # \"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8\"",
        ..Word::new("hmac", "the HMAC-SHA256 signature of a text")
    },
    run: |called| {
        let mac = signed(called.plain_text(0)?.as_bytes(), called.plain_text(1)?.as_bytes());
        written(&mac, called, 2)
    },
};

pub(super) const JWT: Function = Function {
    word: Word {
        text: "With a map and a key: a token that carries these claims, signed with HS256. `exp`, `iat` and `nbf` may \
               be times. A third argument is laid over the token's head; with `{'alg': 'none'}` there is no \
               signature. With a token alone: its claims, whatever its signature.",
        fields: &[
            Field::required("claims", Shape::Any, "a map of claims, or a token"),
            Field::optional("key", Shape::Text, "the shared secret"),
            Field::optional("head", Shape::MapOf(&Shape::Any), "further fields of the token's head"),
        ],
        example: "${jwt({'sub': 'ann'}, 'k')}  \
                  # \"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4ifQ.P9U0VquQPGEVFSAj6AOVP5T9zaQaaM793rCT_9nweK8\"\n\
                  ${jwt({'sub': 'ann', 'exp': now() + duration('1h')}, 'k')}\n\
                  ${jwt(jwt({'sub': 'ann'}, 'k')).sub}  # \"ann\"",
        ..Word::new("jwt", "a signed token, or the claims of one")
    },
    run: jwt,
};

pub(super) const URL: Function = Function {
    word: Word {
        text: "For the places where an address is put together by hand. A variable in a step's address is encoded \
               without it.",
        fields: &[Field::required("text", Shape::Text, "what is encoded")],
        example: "${url('a b/c')}  # \"a%20b%2Fc\"",
        ..Word::new("url", "a text as one part of an address")
    },
    run: |called| Ok(Item::from(utf8_percent_encode(&called.plain_text(0)?, SEGMENT).to_string())),
};

pub(super) const JSON: Function = Function {
    word: Word {
        text: "A text is read as JSON; anything else is written as JSON.",
        fields: &[Field::required("value", Shape::Any, "a text to read, or a value to write")],
        example: "${json('{\"a\": [1, 2]}').a[1]}  # 2\n${json({'a': 1.50})}  # \"{\\\"a\\\":1.50}\"",
        ..Word::new("json", "a JSON text as a value, or a value as JSON text")
    },
    run: |called| match called.item(0)? {
        Item::Plain(value) => match &**value {
            Value::Text(text) => seam_value::parse(text)
                .map(Item::from)
                .map_err(|error| Problem::new(format!("the text is no JSON: {error}")).of_argument(0)),
            other => Ok(Item::from(other.to_string())),
        },
        other => Ok(Item::from(other.clone().into_value().to_string())),
    },
};

/// Bytes as the argument `as` wants them.
fn written<'a>(bytes: &[u8], called: &Arguments<'_, 'a>, index: usize) -> Result<Item<'a>, Problem> {
    let form = if called.has(index) { called.text(index)? } else { "hex" };
    match form {
        "hex" => Ok(Item::from(bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))),
        "base64" => Ok(Item::from(STANDARD.encode(bytes))),
        other => Err(Problem::new(format!("`{other}` is no way to write bytes"))
            .hint("there are `hex` and `base64`")
            .of_argument(index)),
    }
}

fn signed(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn jwt<'a>(called: &Arguments<'_, 'a>) -> Result<Item<'a>, Problem> {
    if let Some(token) = called.item(0)?.as_text() {
        return claims(token)
            .map(Item::from)
            .ok_or_else(|| Problem::new("the text is no token").of_argument(0));
    }
    let Some(Value::Map(claims)) = called.item(0)?.as_value() else {
        return Err(called.wrong(0, "a map of claims, or a token"));
    };
    if !called.has(1) {
        return Err(Problem::new("the key is missing").hint("write `jwt(claims, key)`"));
    }
    let key = called.plain_text(1)?;
    let mut head: Map = [("alg", "HS256"), ("typ", "JWT")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    if called.has(2) {
        let Some(Value::Map(over)) = called.item(2)?.as_value() else { return Err(called.wrong(2, "a map")) };
        head.extend(over.clone());
    }
    let unsigned = head.get("alg").and_then(Value::as_text) == Some("none");
    let encoded = |map: Map| URL_SAFE_NO_PAD.encode(Value::Map(map).to_string());
    let text = format!("{}.{}", encoded(head), encoded(with_seconds(claims)));
    let signature = if unsigned { Vec::new() } else { signed(key.as_bytes(), text.as_bytes()) };
    Ok(Item::from(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// The claims with their times as seconds since 1970 (RFC 7519, section 2).
fn with_seconds(claims: &Map) -> Map {
    let converted = |name: &str, value: &Value| match value.as_text().and_then(instant) {
        Some(time) if matches!(name, "exp" | "iat" | "nbf" | "auth_time") => Value::from(time.as_second()),
        _ => value.clone(),
    };
    claims.iter().map(|(name, value)| (name.clone(), converted(name, value))).collect()
}

fn claims(token: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    seam_value::parse(std::str::from_utf8(&bytes).ok()?).ok()
}
