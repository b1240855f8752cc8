//! Checkout: one order per idempotency key, however often the customer, or the network, makes it be asked for.
//!
//! The first try writes the order down under its key before it is placed, so that a second one places the same order
//! even when the cart has changed. What is final is kept and answered again; what may be tried again is not.

use crate::accounts::{Customer, within_rate};
use crate::{Gateway, ask};
use bookstore_services::bug::{Bug, on};
use bookstore_services::client::{Answer, Call, CallError};
use bookstore_services::log;
use bookstore_services::money::shown;
use bookstore_services::problem::Problem;
use bookstore_services::server::Reply;
use redis::RedisError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long a key is remembered, in seconds.
const REMEMBERED: i64 = 24 * 60 * 60;

/// What the customer sends.
#[derive(Deserialize)]
pub(crate) struct Payment {
    /// The card token from the provider; the number never comes here.
    card: String,
    code: Option<String>,
    currency: Option<String>,
    country: Option<String>,
    voucher: Option<String>,
    /// The total that the customer has seen; another one is not charged.
    total: Option<i64>,
}

/// What is kept under a key.
#[derive(Deserialize, Serialize)]
struct Kept {
    order: Value,
    /// Status and body, once they are final.
    answer: Option<(u16, Value)>,
}

impl Gateway {
    pub(crate) async fn checkout(
        &self,
        customer: &Customer,
        key: &str,
        payment: &Payment,
    ) -> Result<Reply, Problem> {
        let what = format!("checkout:{}", customer.id);
        within_rate(&mut self.store.clone(), &what, self.checkout_limit).await?;
        let slot = format!("checkout:{}:{key}", customer.id);
        let kept = match self.kept(&slot).await? {
            Some(kept) => kept,
            None => self.compose(customer, &slot, payment).await?,
        };
        if let Some((status, body)) = kept.answer {
            return Ok(Reply::json(if status == 201 { 200 } else { status }, body));
        }
        let answered = self.place(key, &kept.order, &payment.card).await;
        let is_slow = matches!(answered, Err(CallError::Slow(_)));
        let reply = match answered {
            Ok(Answer { status, body }) => (status, body),
            Err(error) => {
                let problem = if is_slow { slow() } else { Problem::from(error) };
                (problem.status, problem.body)
            }
        };
        let is_final = reply.0 < 500 && reply.1["retry"] != json!(true) || is_slow && on(Bug::B11);
        if is_final {
            self.finish(customer, &slot, kept.order, &reply).await;
        }
        Ok(Reply::json(reply.0, reply.1))
    }

    /// The order that the cart makes, written down under the key.
    async fn compose(&self, customer: &Customer, slot: &str, payment: &Payment) -> Result<Kept, Problem> {
        let items = self.cart_items(customer).await?;
        if items.is_empty() {
            // A twin of this request may have bought it meanwhile.
            let kept = self.kept(slot).await?;
            return kept.ok_or_else(|| Problem::invalid("cart_empty", "there is nothing in the cart"));
        }
        let terms = json!({ "code": payment.code, "currency": payment.currency, "country": payment.country });
        let quote = self.quote(&items, &terms).await?;
        let total = shown(&quote["total"]);
        if payment.total.is_some() && payment.total != total {
            let problem = Problem::new(409, "price_changed", "the total is not the one that was shown");
            return Err(problem.with("total", json!(total)));
        }
        let order = json!({
            "customer": customer.id, "name": customer.name, "email": customer.email, "voucher": payment.voucher,
            "lines": quote["lines"], "subtotal": quote["subtotal"], "discount": quote["discount"],
            "vat": quote["vat"], "total": quote["total"], "currency": quote["currency"],
        });
        let kept = Kept { order, answer: None };
        let mut command = redis::cmd("SET");
        command.arg(slot).arg(json!(kept).to_string()).arg("EX").arg(REMEMBERED).arg("NX");
        let is_first: bool = command.query_async(&mut self.store.clone()).await?;
        if is_first {
            return Ok(kept);
        }
        Ok(self.kept(slot).await?.unwrap_or(kept))
    }

    /// Places the order; a broken connection is tried once more, under the same key.
    async fn place(&self, key: &str, order: &Value, card: &str) -> Result<Answer, CallError> {
        let mut body = order.clone();
        body["card"] = json!(card);
        let unkeyed = Call::post("/orders", &body);
        let keyed = unkeyed.clone().header("idempotency-key", key);
        match self.orders.ask(keyed.clone()).await {
            Err(CallError::Broken(_)) => self.orders.ask(if on(Bug::B10) { unkeyed } else { keyed }).await,
            answered => answered,
        }
    }

    /// Keeps the answer; the first one that is a success also takes the books out of the cart.
    async fn finish(&self, customer: &Customer, slot: &str, order: Value, reply: &(u16, Value)) {
        let items: Vec<Value> = order["lines"].as_array().into_iter().flatten().map(taken).collect();
        let kept = json!(Kept {
            order,
            answer: Some((if reply.0 == 200 { 201 } else { reply.0 }, reply.1.clone()))
        });
        let mut command = redis::cmd("SET");
        command.arg(slot).arg(kept.to_string()).arg("EX").arg(REMEMBERED).arg("GET");
        let before: Result<Option<String>, RedisError> = command.query_async(&mut self.store.clone()).await;
        let before = match before {
            Ok(before) => before.and_then(|before| serde_json::from_str::<Kept>(&before).ok()),
            Err(error) => {
                // Orders knows the key as well: a second try gets the same order from there.
                log::line(format_args!("checkout not remembered: {error}"));
                None
            }
        };
        let is_bought = reply.0 < 300 && before.is_none_or(|before| before.answer.is_none());
        if is_bought {
            let call = Call::post(format!("/carts/{}/bought", customer.id), &json!({ "items": items }));
            if let Err(problem) = ask(&self.cart, call).await {
                log::line(format_args!("cart not emptied: {}", problem.error()));
            }
        }
    }

    async fn kept(&self, slot: &str) -> Result<Option<Kept>, Problem> {
        let stored: Option<String> = redis::cmd("GET").arg(slot).query_async(&mut self.store.clone()).await?;
        Ok(stored.and_then(|stored| serde_json::from_str(&stored).ok()))
    }
}

fn taken(line: &Value) -> Value {
    json!({ "book": line["book"], "qty": line["quantity"] })
}

fn slow() -> Problem {
    let message = "this takes long; try again, you will be charged at most once";
    Problem::try_again(504, "checkout_timeout", message)
}
