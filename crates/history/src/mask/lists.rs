//! The published lists: what is masked although nobody declared it secret.
//!
//! They are tables, so that a reader of a stored run can look up why something is masked, and so that one more
//! name is one more line. A secret that stands in none of them, and that is not declared, can't be known.

use foldhash::HashMap;

/// How the value of a header is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderRule {
    /// A scheme, then credentials: the scheme stays (`Bearer «bearer 1»`).
    Credentials,
    /// `name=value; name=value`: the names stay.
    Cookies,
    /// `name=value; attributes`: all but the value stays.
    SetCookie,
    /// All of it, under this name.
    Whole(&'static str),
}

/// Headers whose values are credentials; names in lower case.
pub(crate) const HEADERS: &[(&str, HeaderRule)] = &[
    ("authorization", HeaderRule::Credentials),
    ("proxy-authorization", HeaderRule::Credentials),
    ("cookie", HeaderRule::Cookies),
    ("set-cookie", HeaderRule::SetCookie),
    ("api-key", HeaderRule::Whole("api key")),
    ("apikey", HeaderRule::Whole("api key")),
    ("x-api-key", HeaderRule::Whole("api key")),
    ("x-goog-api-key", HeaderRule::Whole("api key")),
    ("x-functions-key", HeaderRule::Whole("api key")),
    ("ocp-apim-subscription-key", HeaderRule::Whole("api key")),
    ("x-auth-token", HeaderRule::Whole("token")),
    ("x-access-token", HeaderRule::Whole("token")),
    ("x-amz-security-token", HeaderRule::Whole("token")),
    ("x-csrf-token", HeaderRule::Whole("token")),
    ("x-xsrf-token", HeaderRule::Whole("token")),
    ("x-gitlab-token", HeaderRule::Whole("token")),
    ("private-token", HeaderRule::Whole("token")),
    ("x-shopify-access-token", HeaderRule::Whole("token")),
    ("x-vault-token", HeaderRule::Whole("token")),
];

/// Fields that are secret wherever they stand: in bodies, forms, query parameters, rows, log lines. Written
/// without `_`, `-` and capitals: `access_token`, `access-token` and `accessToken` are one name. The second
/// word is the name under which they are shown.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("password", "password"),
    ("passwd", "password"),
    ("passphrase", "password"),
    ("pwd", "password"),
    ("pass", "password"),
    ("token", "token"),
    ("accesstoken", "token"),
    ("refreshtoken", "token"),
    ("idtoken", "token"),
    ("authtoken", "token"),
    ("sessiontoken", "token"),
    ("csrftoken", "token"),
    ("jwt", "token"),
    ("sessionid", "session"),
    ("secret", "secret"),
    ("clientsecret", "secret"),
    ("secretkey", "secret"),
    ("privatekey", "private key"),
    ("apikey", "api key"),
    ("accesskey", "api key"),
    ("authorization", "credentials"),
    ("cvc", "cvc"),
    ("cvc2", "cvc"),
    ("cvv", "cvc"),
    ("cvv2", "cvc"),
    ("csc", "cvc"),
    ("securitycode", "cvc"),
];

/// Endings of a field's name that make it secret too: `new_password`, `stripeApiKey`.
pub(crate) const FIELD_ENDINGS: &[(&str, &str)] = &[
    ("password", "password"),
    ("passwd", "password"),
    ("accesstoken", "token"),
    ("refreshtoken", "token"),
    ("secret", "secret"),
    ("secretkey", "secret"),
    ("privatekey", "private key"),
    ("apikey", "api key"),
];

/// Fields that may hold a card's number: masked where the digits are one (13 to 19 of them, Luhn's sum).
pub(crate) const CARD_FIELDS: &[&str] =
    &["card", "cardnumber", "cardno", "creditcard", "creditcardnumber", "ccnumber", "cc", "pan"];

/// Fields that hold a card's number where something around them is called a card: `card: { number: … }`.
pub(crate) const FIELDS_INSIDE_A_CARD: &[&str] = &["number", "no", "value"];

/// Redis commands whose arguments are credentials, with the first argument that is one.
pub(crate) const REDIS_COMMANDS: &[(&str, usize)] = &[("AUTH", 0)];

/// A field's name as the lists have it.
pub(crate) fn normal(name: &str) -> String {
    name.chars().filter(|character| !matches!(character, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Under which name a field is masked, if it is in the lists (by its normal name).
pub(crate) fn field(normal: &str) -> Option<&'static str> {
    FIELDS
        .iter()
        .find(|(name, _)| *name == normal)
        .or_else(|| FIELD_ENDINGS.iter().find(|(ending, _)| normal.ends_with(ending)))
        .map(|(_, shown)| *shown)
}

/// The rule of a header, by its name in any case.
pub(crate) fn header(name: &str) -> Option<HeaderRule> {
    HEADERS.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, rule)| *rule)
}

/// All that the lists say about a field's name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    /// Under which name its value is masked.
    pub(crate) secret: Option<&'static str>,
    /// The rule of the header of this name.
    pub(crate) header: Option<HeaderRule>,
    /// May it hold a card's number, wherever it stands?
    pub(crate) is_card_field: bool,
    /// May it hold one inside a card?
    pub(crate) is_inside_a_card: bool,
    /// What the fields in it are.
    pub(crate) holds: Holds,
}

/// What stands in a field of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Headers by name.
    Headers,
    /// Cookies by name.
    Cookies,
    /// Something of a card.
    Card,
    /// Nothing that the lists know.
    Anything,
}

fn listed(name: &str) -> Listed {
    let normal = normal(name);
    Listed {
        secret: field(&normal),
        header: header(name),
        is_card_field: CARD_FIELDS.contains(&normal.as_str()),
        is_inside_a_card: FIELDS_INSIDE_A_CARD.contains(&normal.as_str()),
        holds: match normal.as_str() {
            // gRPC has headers by other names, before a call and behind it.
            "headers" | "metadata" | "trailers" => Holds::Headers,
            "cookies" => Holds::Cookies,
            "payment" => Holds::Card,
            name if name.contains("card") => Holds::Card,
            _ => Holds::Anything,
        },
    }
}

/// What was looked up before: the same few names stand in every event.
#[derive(Debug, Default)]
pub(crate) struct LookedUp(HashMap<Box<str>, Listed>);

/// So many names are remembered; further ones are looked up each time.
const MOST_LOOKED_UP: usize = 4096;

impl LookedUp {
    /// What the lists say about a name.
    pub(crate) fn listed(&mut self, name: &str) -> Listed {
        if let Some(listed) = self.0.get(name) {
            return *listed;
        }
        let listed = listed(name);
        if self.0.len() < MOST_LOOKED_UP {
            self.0.insert(name.into(), listed);
        }
        listed
    }
}

/// Is it the number of a card: 13 to 19 digits, spaces and hyphens between them allowed, with Luhn's sum?
pub(crate) fn is_card_number(text: &str) -> bool {
    if text.len() > 40 || !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-')) {
        return false;
    }
    let digits: Vec<u32> =
        text.bytes().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0')).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| if index % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_spelling() {
        for (name, shown) in [
            ("password", Some("password")),
            ("newPassword", Some("password")),
            ("ACCESS-TOKEN", Some("token")),
            ("refresh_token", Some("token")),
            ("stripe_api_key", Some("api key")),
            ("tokens", None),
            ("next_token", None),
            ("passenger", None),
            ("name", None),
        ] {
            assert_eq!(field(&normal(name)), shown, "{name}");
        }
        assert_eq!(header("X-Api-Key"), Some(HeaderRule::Whole("api key")));
    }

    #[test]
    fn cards_have_luhns_sum() {
        for (text, is) in [
            ("4111111111111111", true),
            ("4111 1111 1111 1111", true),
            ("5500-0000-0000-0004", true),
            ("4111111111111112", false),
            ("0000000000000000", false),
            ("42", false),
            ("4111x1111", false),
        ] {
            assert_eq!(is_card_number(text), is, "{text}");
        }
    }
}
