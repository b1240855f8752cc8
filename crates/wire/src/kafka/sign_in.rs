//! Signing in with Kafka as somebody who produces: what the broker offers says how.
//!
//! ```text
//! SaslHandshake 1, SCRAM-SHA-512 ───▶  ◀─── all that it offers; where that is not among them, it is dialled again
//! SaslAuthenticate, a token      ───▶  ◀─── a token, or why not: then what else it offers is tried, dialled again
//! ```
//! A broker leaves whoever could not sign in, so there is one try to a connection. The password itself is said only
//! where nothing else is left.

use super::api::{SASL_AUTHENTICATE, SASL_HANDSHAKE, error_name};
use super::bytes::{Reader, Writer};
use crate::conversation::Surprise;
use crate::publishing::{Came, SignIn};
use crate::scram::{Exchange, Hash};
use seam_value::Value;

/// As Kafka calls them, in the order in which they are tried.
const MECHANISMS: [&str; 3] = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"];

/// The version of the handshake behind which tokens are requests, and that of these requests; from Kafka 1.0 on.
const HANDSHAKE_SPOKEN: i16 = 1;
const AUTHENTICATE_SPOKEN: i16 = 0;

/// One try to sign in.
pub(super) struct SigningIn {
    mechanism: &'static str,
    stage: Stage,
    /// What else the broker offers.
    others: Vec<&'static str>,
}

enum Stage {
    /// The handshake is under way.
    Asked,
    /// The password was said.
    Told,
    /// SCRAM's first word was said.
    Begun(Exchange),
    /// And its last.
    Proven(Exchange),
}

/// What follows a reply.
pub(super) enum Heard {
    /// This is to be asked.
    Say((i16, i16), Vec<u8>),
    /// This has come of it.
    Came(Came),
}

impl SigningIn {
    /// None where the address names nobody.
    pub(super) fn of(sign_in: &SignIn) -> Option<Self> {
        sign_in.user.as_ref().or(sign_in.password.as_ref())?;
        let wanted = sign_in.mechanism.as_deref();
        let mechanism = MECHANISMS.into_iter().find(|one| Some(*one) == wanted).unwrap_or(MECHANISMS[0]);
        Some(Self { mechanism, stage: Stage::Asked, others: Vec::new() })
    }

    /// What is asked first.
    pub(super) fn handshake(&self) -> ((i16, i16), Vec<u8>) {
        let mut writer = Writer::new(false);
        writer.text(self.mechanism.as_bytes());
        ((SASL_HANDSHAKE, HANDSHAKE_SPOKEN), writer.out)
    }

    /// Hears a reply, behind its number.
    pub(super) fn hear(&mut self, reader: Reader<'_>, sign_in: &SignIn) -> Result<Heard, Surprise> {
        match self.stage {
            Stage::Asked => self.offered(reader, sign_in),
            _ => self.answered(reader, sign_in),
        }
    }

    fn offered(&mut self, mut reader: Reader<'_>, sign_in: &SignIn) -> Result<Heard, Surprise> {
        let (error, offered) = offer(&mut reader).ok_or_else(unread)?;
        let behind = MECHANISMS.iter().position(|one| *one == self.mechanism).unwrap_or_default() + 1;
        let others = MECHANISMS[behind..].iter().filter(|one| offered.iter().any(|other| other == *one));
        self.others = others.copied().collect();
        if error != 0 {
            let words = match offered.len() {
                0 => words(error),
                _ => format!("{}: the broker offers {}", words(error), offered.join(", ")),
            };
            return Ok(Heard::Came(self.refused(error, words)));
        }
        let (user, password) = said(sign_in);
        let hash = [Hash::Sha512, Hash::Sha256].into_iter().find(|hash| hash.mechanism() == self.mechanism);
        let token = if let Some(hash) = hash {
            let exchange = Exchange::begin(hash, user, sign_in.name.clone());
            let first = exchange.first();
            self.stage = Stage::Begun(exchange);
            first
        } else {
            self.stage = Stage::Told;
            format!("\0{user}\0{password}")
        };
        Ok(authenticate(&token))
    }

    fn answered(&mut self, mut reader: Reader<'_>, sign_in: &SignIn) -> Result<Heard, Surprise> {
        let (error, message, token) = answer(&mut reader).ok_or_else(unread)?;
        if error != 0 {
            let message = if message.is_empty() { words(error) } else { message };
            return Ok(Heard::Came(self.refused(error, message)));
        }
        let open = Ok(Heard::Came(Came::Open));
        match std::mem::replace(&mut self.stage, Stage::Told) {
            Stage::Begun(mut exchange) => {
                let answer = exchange.answer(said(sign_in).1, &token).ok_or_else(unread)?;
                self.stage = Stage::Proven(exchange);
                Ok(authenticate(&answer))
            }
            Stage::Proven(exchange) if !exchange.is_proven(&token) => {
                Err(Surprise::new("a broker that does not know the password by which it lets in"))
            }
            Stage::Proven(_) | Stage::Told | Stage::Asked => open,
        }
    }

    fn refused(&self, error: i16, message: String) -> Came {
        match self.others.first() {
            Some(other) => Came::SignInBy((*other).to_owned()),
            None => Came::Refused { code: Value::from(i64::from(error)), message },
        }
    }
}

fn authenticate(token: &str) -> Heard {
    let mut writer = Writer::new(false);
    writer.bytes(token.as_bytes());
    Heard::Say((SASL_AUTHENTICATE, AUTHENTICATE_SPOKEN), writer.out)
}

fn offer(reader: &mut Reader<'_>) -> Option<(i16, Vec<String>)> {
    let error = reader.i16()?;
    let mut offered = Vec::new();
    for _ in 0..reader.count()? {
        offered.push(String::from_utf8_lossy(reader.text()?).into_owned());
    }
    Some((error, offered))
}

/// The error, the broker's words, and its token.
fn answer(reader: &mut Reader<'_>) -> Option<(i16, String, Vec<u8>)> {
    let (error, message) = (reader.i16()?, String::from_utf8_lossy(reader.text()?).into_owned());
    let length = reader.count()?;
    Some((error, message, reader.take(length)?.to_vec()))
}

fn said(sign_in: &SignIn) -> (&str, &str) {
    (sign_in.user.as_deref().unwrap_or_default(), sign_in.password.as_deref().unwrap_or_default())
}

fn words(error: i16) -> String {
    error_name(error).unwrap_or("an error that has no name here").to_owned()
}

fn unread() -> Surprise {
    Surprise::new("a reply that can't be read")
}
