//! Payments: the only one who talks to the provider of card payments, and who knows what became of each charge.
//!
//! A charge has the key that orders gave it, and bears that key at the provider too, so that however often it is
//! asked for it is made once. Its state is written down before the provider is asked: `pending` means unknown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bookstore_services::bug::{Bug, on};
use bookstore_services::client::{Answer, Call, CallError, Peer};
use bookstore_services::config;
use bookstore_services::database::Database;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

struct Payments {
    database: Database,
    paygate: Peer,
    key: String,
    /// How long one charge may take at the provider, the token and a second try included.
    patience: Mutex<Duration>,
    /// What that is where no test says otherwise.
    usual_patience: Duration,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: String,
    until: Instant,
}

/// So that a test of what comes too late need not wait as long as customers do.
#[derive(Deserialize)]
struct Patience {
    paygate: String,
}

#[derive(Deserialize)]
struct Wanted {
    order_id: i64,
    amount: i64,
    currency: String,
    card: String,
}

impl Service for Payments {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("POST", ["charges"]) => {
                let key = request.header("idempotency-key").filter(|key| !key.is_empty());
                let key =
                    key.ok_or_else(|| Problem::new(400, "idempotency_key_required", "send Idempotency-Key"))?;
                self.charge(key, &request.json()?).await
            }
            ("POST", ["charges", key, "cancel"]) => self.cancel(key).await,
            ("POST", ["test", "reset"]) => {
                *self.token.lock().await = None;
                *self.patience.lock().await = self.usual_patience;
                Ok(Reply::empty())
            }
            ("PUT", ["test", "patience"]) => {
                let wanted = config::span(&request.json::<Patience>()?.paygate);
                let wanted = wanted.ok_or_else(|| Problem::invalid("no_time", "a time such as 100ms"))?;
                *self.patience.lock().await = wanted;
                Ok(Reply::empty())
            }
            _ => Err(request.nowhere()),
        }
    }
}

impl Payments {
    async fn charge(&self, key: &str, wanted: &Wanted) -> Result<Reply, Problem> {
        let state = self.database.in_time(self.begin(key, wanted)).await?;
        if state != "pending" {
            return outcome(&state);
        }
        let call = Call::post(
            "/charges",
            &json!({
                "order_id": wanted.order_id, "amount": wanted.amount,
                "currency": wanted.currency, "card": wanted.card,
            }),
        );
        let answer = self.ask_in_time(call.header("idempotency-key", key)).await?;
        let provider_id = answer.body["id"].as_str().map(str::to_owned);
        match verdict(&answer) {
            Verdict::Now(state) => {
                self.database.in_time(self.note(key, state, provider_id.as_deref())).await?;
                outcome(state)
            }
            Verdict::Confirm => {
                self.database.in_time(self.note(key, "refused", None)).await?;
                let problem =
                    Problem::try_again(402, "authentication_required", "the bank wants a confirmation");
                Err(problem.with("confirm", answer.body["confirm"].clone()))
            }
            Verdict::Refused => {
                self.database.in_time(self.note(key, "refused", None)).await?;
                Err(Problem::try_again(502, "paygate_refused", "the provider did not take the request"))
            }
            Verdict::Unknown => Err(Problem::try_again(502, "paygate_error", "the provider failed")),
        }
    }

    /// Writes the charge down as pending, or finds what is known of it.
    async fn begin(&self, key: &str, wanted: &Wanted) -> Result<String, Problem> {
        let connection = self.database.connection().await?;
        let insert = "
            insert into charges (key, order_id, amount, currency, state) values ($1, $2, $3, $4, 'pending')
            on conflict (key) do nothing";
        connection.execute(insert, &[&key, &wanted.order_id, &wanted.amount, &wanted.currency]).await?;
        Ok(connection.query_one("select state from charges where key = $1", &[&key]).await?.get(0))
    }

    /// What is known of a charge that is to be cancelled; one that never came is kept out from now on.
    async fn begin_cancel(&self, key: &str) -> Result<String, Problem> {
        let connection = self.database.connection().await?;
        let insert = "
            insert into charges (key, order_id, amount, currency, state) values ($1, null, 0, '', 'voided')
            on conflict (key) do nothing";
        connection.execute(insert, &[&key]).await?;
        Ok(connection.query_one("select state from charges where key = $1", &[&key]).await?.get(0))
    }

    async fn note(&self, key: &str, state: &str, provider_id: Option<&str>) -> Result<(), Problem> {
        let connection = self.database.connection().await?;
        let update = "
            update charges set state = $2, provider_id = coalesce($3, provider_id), changed = now()
            where key = $1 and state in ('pending', 'captured')";
        connection.execute(update, &[&key, &state, &provider_id]).await?;
        Ok(())
    }

    /// Whatever became of the charge, no money is kept: asked for as often as it takes.
    async fn cancel(&self, key: &str) -> Result<Reply, Problem> {
        let state = self.database.in_time(self.begin_cancel(key)).await?;
        if state != "pending" && state != "captured" {
            return Ok(Reply::json(200, json!({ "key": key, "state": state })));
        }
        let cancel = Call::post(format!("/charges/{key}/cancel"), &json!({}));
        let answer = self.ask_in_time(cancel).await?;
        let state = match (answer.status, answer.body["status"].as_str()) {
            (200, Some("refunded")) => "refunded",
            (200, Some("voided" | "declined")) => "voided",
            _ => return Err(Problem::try_again(502, "paygate_error", "the provider failed")),
        };
        self.database.in_time(self.note(key, state, None)).await?;
        Ok(Reply::json(200, json!({ "key": key, "state": state })))
    }

    async fn ask_in_time(&self, call: Call) -> Result<Answer, Problem> {
        let patience = *self.patience.lock().await;
        let late = |_| Err(CallError::Slow("paygate").into());
        tokio::time::timeout(patience, self.ask(call)).await.unwrap_or_else(late)
    }

    /// Asks the provider with a token; one that is not taken any more is replaced, once.
    async fn ask(&self, call: Call) -> Result<Answer, Problem> {
        let token = self.token().await?;
        let answer =
            self.paygate.ask(call.clone().header("authorization", format!("Bearer {token}"))).await?;
        if answer.status != 401 || on(Bug::B19) {
            return Ok(answer);
        }
        self.forget(&token).await;
        let token = self.token().await?;
        Ok(self.paygate.ask(call.header("authorization", format!("Bearer {token}"))).await?)
    }

    async fn token(&self) -> Result<String, Problem> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.text.clone());
        }
        let credentials = STANDARD.encode(format!("bookstore:{}", self.key));
        let call = Call::post("/oauth/token", &Value::Null)
            .form(&[("grant_type", "client_credentials")])
            .header("authorization", format!("Basic {credentials}"));
        let answer = self.paygate.ask(call).await?;
        let (Some(text), Some(life)) =
            (answer.body["access_token"].as_str(), answer.body["expires_in"].as_u64())
        else {
            return Err(Problem::try_again(502, "paygate_refused", "the provider gave no token"));
        };
        let life = if on(Bug::B19) { 60 * 60 } else { life };
        // Half a minute early, so that a token does not expire on its way.
        let until = Instant::now() + Duration::from_secs(life.saturating_sub(30));
        *kept = Some(Token { text: text.to_owned(), until });
        Ok(text.to_owned())
    }

    async fn forget(&self, used: &str) {
        let mut kept = self.token.lock().await;
        // Another request may have fetched a new one meanwhile.
        if kept.as_ref().is_some_and(|token| token.text == used) {
            *kept = None;
        }
    }
}

enum Verdict {
    /// What the charge is from now on.
    Now(&'static str),
    Confirm,
    /// The provider did nothing.
    Refused,
    /// The provider may have done anything.
    Unknown,
}

fn verdict(answer: &Answer) -> Verdict {
    if answer.status == 200 && on(Bug::B08) && answer.body["status"] != "requires_action" {
        return Verdict::Now("captured");
    }
    match (answer.status, answer.body["status"].as_str()) {
        (200, Some("captured")) => Verdict::Now("captured"),
        (200, Some("declined")) => Verdict::Now("declined"),
        (200, Some("refunded" | "voided")) => Verdict::Now("voided"),
        (200, Some("requires_action")) => Verdict::Confirm,
        (402, _) => Verdict::Now("expired_card"),
        (400..=499, _) if answer.status != 409 => Verdict::Refused,
        _ => Verdict::Unknown,
    }
}

fn outcome(state: &str) -> Result<Reply, Problem> {
    match state {
        "captured" => Ok(Reply::json(200, json!({ "status": "captured" }))),
        "declined" => Err(Problem::new(402, "card_declined", "the bank declined the card")),
        "expired_card" => Err(Problem::new(402, "expired_card", "the card has expired")),
        _ => Err(Problem::try_again(409, "charge_over", "this charge is over")),
    }
}

fn main() -> ExitCode {
    run("payments", start)
}

async fn start() -> Result<(), Fatal> {
    let readiness = Readiness::default();
    let patience = config::duration("PAYGATE_TIMEOUT", Duration::from_secs(2))?;
    let paygate = Peer::from_env("paygate", "PAYGATE_URL", "PAYGATE_TIMEOUT", patience)?.awaited(&readiness);
    let payments = Payments {
        database: Database::from_env(&readiness)?,
        paygate,
        key: config::required("PAYGATE_KEY")?,
        patience: Mutex::new(patience),
        usual_patience: patience,
        token: Mutex::new(None),
    };
    serve("payments", readiness, Arc::new(payments)).await
}
