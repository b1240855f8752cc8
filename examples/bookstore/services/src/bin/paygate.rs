//! Paygate: a stand-in for the provider that charges cards, with the provider's habits and nothing of its money.
//!
//! A browser gives it the card number and gets a card token; shops see nothing but that token. How a card behaves is
//! in its last digit:
//!
//! | digit | what happens |
//! |---|---|
//! | 2 | declined: HTTP 200, status `declined` |
//! | 3 | slow the first time, then charged |
//! | 4 | asks for a confirmation (3-D Secure) first: `POST /challenges/{card}` |
//! | 5 | expired: HTTP 402 |
//! | 6 | the provider fails: HTTP 500 |
//! | else | charged |
//!
//! Charges need a bearer token from `POST /oauth/token`, good for 300 seconds, and an `Idempotency-Key`.
//! `/test/…` is for tests only. All of it is in memory.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bookstore_services::config;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

const TOKEN_LIFE: Duration = Duration::from_mins(5);

struct Paygate {
    key: String,
    slowness: Duration,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    tokens: HashMap<String, Instant>,
    charges: Vec<Charge>,
    /// Cards that were slow once.
    slowed: HashSet<String>,
    /// Cards whose owner has confirmed.
    confirmed: HashSet<String>,
}

#[derive(Clone, Deserialize)]
struct Wanted {
    order_id: i64,
    amount: i64,
    currency: String,
    card: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Processing,
    Captured,
    Declined,
    Refunded,
    Voided,
}

#[derive(Clone, Serialize)]
struct Charge {
    id: String,
    key: String,
    order_id: i64,
    amount: i64,
    currency: String,
    state: State,
}

#[derive(Deserialize)]
struct Card {
    number: String,
}

#[derive(Deserialize)]
struct Confirmation {
    code: String,
}

impl Service for Paygate {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("POST", ["oauth", "token"]) => self.issue_token(&request),
            ("POST", ["tokens"]) => card_token(&request.json()?),
            ("POST", ["challenges", card]) => self.confirm(card, &request.json()?),
            ("POST", ["charges"]) => {
                self.authorize(&request)?;
                let key = request.header("idempotency-key").filter(|key| !key.is_empty());
                let key =
                    key.ok_or_else(|| Problem::new(400, "idempotency_key_required", "send Idempotency-Key"))?;
                self.charge(key.to_owned(), request.json()?).await
            }
            ("POST", ["charges", key, "cancel"]) => {
                self.authorize(&request)?;
                Ok(self.cancel(key))
            }
            ("POST", ["test", "revoke-tokens"]) => {
                self.books().tokens.clear();
                Ok(Reply::empty())
            }
            ("POST", ["test", "reset"]) => {
                let mut books = self.books();
                *books = Books { tokens: std::mem::take(&mut books.tokens), ..Books::default() };
                Ok(Reply::empty())
            }
            ("GET", ["test", "charges"]) => Ok(self.list(request.query("state").as_deref())),
            _ => Err(request.nowhere()),
        }
    }
}

impl Paygate {
    /// Never held across a wait.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issue_token(&self, request: &Request) -> Result<Reply, Problem> {
        let expected = format!("Basic {}", STANDARD.encode(format!("bookstore:{}", self.key)));
        if request.header("authorization") != Some(&expected) {
            return Err(Problem::new(401, "invalid_client", "unknown client or wrong key"));
        }
        if request.form("grant_type").as_deref() != Some("client_credentials") {
            return Err(Problem::new(400, "unsupported_grant_type", "only client_credentials"));
        }
        let token = Uuid::new_v4().simple().to_string();
        self.books().tokens.insert(token.clone(), Instant::now() + TOKEN_LIFE);
        let answer =
            json!({ "access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFE.as_secs() });
        Ok(Reply::json(200, answer))
    }

    fn authorize(&self, request: &Request) -> Result<(), Problem> {
        let token = request.bearer().unwrap_or_default();
        match self.books().tokens.get(token) {
            Some(until) if Instant::now() < *until => Ok(()),
            _ => Err(Problem::new(401, "invalid_token", "the token is unknown, expired or revoked")),
        }
    }

    async fn charge(&self, key: String, wanted: Wanted) -> Result<Reply, Problem> {
        if wanted.amount <= 0 {
            return Err(Problem::invalid("invalid_amount", "an amount is at least 1"));
        }
        let card = wanted.card.clone();
        let digit = card.chars().last().unwrap_or_default();
        let is_slow = {
            let mut books = self.books();
            if let Some(charge) = books.find(&key) {
                return told(&charge.clone());
            }
            match digit {
                '5' => return Err(Problem::new(402, "expired_card", "the card has expired")),
                '6' => return Err(Problem::new(500, "provider_error", "something went wrong here")),
                '4' if !books.confirmed.contains(&card) => {
                    let answer =
                        json!({ "status": "requires_action", "confirm": format!("/challenges/{card}") });
                    return Ok(Reply::json(200, answer));
                }
                _ => {}
            }
            books.charges.push(Charge {
                id: format!("ch_{}", Uuid::new_v4().simple()),
                key: key.clone(),
                order_id: wanted.order_id,
                amount: wanted.amount,
                currency: wanted.currency,
                state: State::Processing,
            });
            digit == '3' && books.slowed.insert(card)
        };
        if is_slow {
            tokio::time::sleep(self.slowness).await;
        }
        let mut books = self.books();
        let charge = books.find(&key).ok_or_else(|| Problem::unknown("charge"))?;
        if charge.state == State::Processing {
            charge.state = if digit == '2' { State::Declined } else { State::Captured };
        }
        told(&charge.clone())
    }

    /// Gives back what was captured, stops what is not captured yet, and keeps out what never came.
    fn cancel(&self, key: &str) -> Reply {
        let mut books = self.books();
        let Some(charge) = books.find(key) else {
            books.charges.push(Charge {
                id: format!("ch_{}", Uuid::new_v4().simple()),
                key: key.to_owned(),
                order_id: 0,
                amount: 0,
                currency: String::new(),
                state: State::Voided,
            });
            return Reply::json(200, json!({ "status": State::Voided }));
        };
        charge.state = match charge.state {
            State::Captured => State::Refunded,
            State::Processing => State::Voided,
            done @ (State::Declined | State::Refunded | State::Voided) => done,
        };
        Reply::json(200, json!({ "status": charge.state }))
    }

    fn confirm(&self, card: &str, confirmation: &Confirmation) -> Result<Reply, Problem> {
        if confirmation.code != "123456" {
            return Err(Problem::new(403, "wrong_code", "that was not the code"));
        }
        self.books().confirmed.insert(card.to_owned());
        Ok(Reply::json(200, json!({ "status": "confirmed" })))
    }

    fn list(&self, state: Option<&str>) -> Reply {
        let mut charges = self.books().charges.clone();
        charges.retain(|charge| state.is_none_or(|state| json!(charge.state) == state));
        charges.sort_by_key(|charge| charge.order_id);
        Reply::json(200, json!({ "charges": charges }))
    }
}

impl Books {
    fn find(&mut self, key: &str) -> Option<&mut Charge> {
        self.charges.iter_mut().find(|charge| charge.key == key)
    }
}

fn told(charge: &Charge) -> Result<Reply, Problem> {
    match charge.state {
        State::Processing => Err(Problem::new(409, "in_progress", "this charge is being processed")),
        State::Declined => {
            let answer = json!({ "id": charge.id, "status": "declined", "reason": "insufficient_funds" });
            Ok(Reply::json(200, answer))
        }
        State::Captured | State::Refunded | State::Voided => {
            Ok(Reply::json(200, json!({ "id": charge.id, "status": charge.state, "amount": charge.amount })))
        }
    }
}

fn card_token(card: &Card) -> Result<Reply, Problem> {
    let digits = card.number.replace(' ', "");
    if !(12..=19).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::invalid("invalid_number", "a card number has 12 to 19 digits"));
    }
    let token = format!("card_{}_{}", Uuid::new_v4().simple(), &digits[digits.len() - 1..]);
    Ok(Reply::json(201, json!({ "card": token })))
}

fn main() -> ExitCode {
    run("paygate", start)
}

async fn start() -> Result<(), Fatal> {
    let key = config::required("API_KEY")?;
    let slowness = config::duration("SLOW_CARD_TAKES", Duration::from_secs(3))?;
    let paygate = Paygate { key, slowness, books: Mutex::default() };
    serve("paygate", Readiness::default(), Arc::new(paygate)).await
}
