//! Orders: places an order once per key, reserves, charges, and keeps what must still be told in an outbox.
//!
//! ```text
//!            reserve            charge              one transaction
//! pending ───────────▶ held ───────────▶ captured ───────────────────▶ paid ──▶ refunded
//!    │                  │                   │                           outbox: commit, tell notify
//!    └──── refused or unknown: one transaction ────▶ failed
//!                       outbox: cancel the charge, release the reservation
//! ```
//!
//! What is unknown (a broken connection, no answer in time) is undone, never guessed; the same key may then be used
//! again. What was refused stays refused under its key.

mod ledger;
mod outbox;
mod turns;

use bookstore_services::bug::{Bug, on};
use bookstore_services::client::{Answer, Call, CallError, Peer};
use bookstore_services::config;
use bookstore_services::database::Database;
use bookstore_services::log;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use ledger::{Begun, Ledger, Started, Wanted};
use outbox::{Errand, Outbox};
use serde::Deserialize;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use turns::Turns;

struct Orders {
    ledger: Ledger,
    outbox: Arc<Outbox>,
    inventory: Peer,
    payments: Peer,
    turns: Turns,
    /// How long copies are held for an order that is being paid.
    hold: Duration,
}

/// Why an order did not become paid, and what must be undone.
struct Stop {
    problem: Problem,
    undo: Vec<Errand>,
}

#[derive(Deserialize)]
struct By {
    customer: String,
}

impl Service for Orders {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("POST", ["orders"]) => {
                let key = request.header("idempotency-key").filter(|key| !key.is_empty());
                let key = key.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
                self.place(key, request.json()?).await
            }
            ("GET", ["orders"]) => {
                let before = request.query("before").and_then(|before| before.parse().ok());
                self.ledger.page(request.query("customer").as_deref(), before).await
            }
            ("GET", ["orders", id]) => {
                self.ledger.order(number(id)?).await.map(|order| Reply::json(200, order))
            }
            ("POST", ["orders", id, "cancel"]) => {
                let id = number(id)?;
                let changed = self.ledger.cancel(id, &request.json::<By>()?.customer).await;
                self.outbox.wake();
                changed?;
                self.ledger.order(id).await.map(|order| Reply::json(200, order))
            }
            _ => Err(request.nowhere()),
        }
    }
}

impl Orders {
    async fn place(self: Arc<Self>, key: String, wanted: Wanted) -> Result<Reply, Problem> {
        let turn = self.turns.wait(&wanted.customer, &key).await?;
        let begun = match self.ledger.begin(&key, &wanted).await {
            Ok(Begun::Settle) => {
                // What an earlier try left behind is undone before the next one.
                self.outbox.deliver().await;
                self.ledger.begin(&key, &wanted).await
            }
            begun => begun,
        };
        let (result, started) = match begun {
            Ok(Begun::Done(id)) => return self.ledger.order(id).await.map(|order| Reply::json(200, order)),
            Ok(Begun::Settle) => return Err(unavailable()),
            Ok(Begun::Started(started)) => (self.carry_out(&started, &wanted).await, Some(started)),
            Err(problem) if problem.status < 500 => return Err(problem),
            Err(problem) => (Err(Stop { problem, undo: vec![] }), None),
        };
        match (result, started) {
            (Ok(()), Some(started)) => {
                let order = self.ledger.order(started.id).await?;
                Ok(Reply::json(201, order))
            }
            (Err(stop), _) => {
                let problem = stop.problem.clone();
                if self.ledger.fail(&wanted.customer, &key, &stop.problem, &stop.undo).await.is_err() {
                    // The database is away: until this is written down the key stays taken.
                    tokio::spawn(async move {
                        self.fail_later(wanted.customer, key, stop).await;
                        drop(turn);
                    });
                } else {
                    self.outbox.wake();
                }
                Err(problem)
            }
            (Ok(()), None) => Err(unavailable()),
        }
    }

    async fn carry_out(&self, order: &Started, wanted: &Wanted) -> Result<(), Stop> {
        self.reserve(order, wanted).await?;
        if order.charged > 0 {
            self.charge(order, wanted).await?;
        }
        let undo = vec![Errand::CancelCharge, Errand::Release];
        self.ledger.pay(order).await.map_err(|problem| Stop { problem, undo })?;
        self.outbox.wake();
        if on(Bug::B16) {
            self.outbox.tell_now(order.id, "paid");
        }
        Ok(())
    }

    async fn reserve(&self, order: &Started, wanted: &Wanted) -> Result<(), Stop> {
        let hold = if on(Bug::B03) { u128::from(self.hold.as_secs()) } else { self.hold.as_millis() };
        let lines: Vec<_> =
            wanted.lines.iter().map(|line| json!({ "book": line.book, "quantity": line.quantity })).collect();
        let body =
            json!({ "order": order.id, "ttl": u64::try_from(hold).unwrap_or(u64::MAX), "lines": lines });
        let call = Call::put(format!("/reservations/{}", order.reference()), &body);
        match self.inventory.ask(call).await {
            Ok(Answer { status: 200 | 201, .. }) => Ok(()),
            Ok(Answer { status, body }) if (400..500).contains(&status) => {
                Err(Stop { problem: Problem { status, body }, undo: vec![] })
            }
            Ok(_) | Err(_) => {
                let problem =
                    Problem::try_again(503, "inventory_unavailable", "the stock could not be asked for");
                Err(Stop { problem, undo: vec![Errand::Release] })
            }
        }
    }

    async fn charge(&self, order: &Started, wanted: &Wanted) -> Result<(), Stop> {
        let body = json!({
            "order_id": order.id, "amount": order.charged, "currency": wanted.currency, "card": wanted.card,
        });
        let call = Call::post("/charges", &body).header("idempotency-key", order.reference());
        let undo_all = || vec![Errand::CancelCharge, Errand::Release];
        let stop = match self.payments.ask(call).await {
            Ok(Answer { status: 200, .. }) => return Ok(()),
            Ok(Answer { status: 402, body }) => {
                Stop { problem: Problem { status: 402, body }, undo: vec![Errand::Release] }
            }
            Ok(Answer { status: 504, .. }) | Err(CallError::Slow(_)) => {
                Stop { problem: slow(), undo: undo_all() }
            }
            Err(CallError::Broken(_)) if on(Bug::B17) => {
                Stop { problem: unavailable(), undo: vec![Errand::CancelCharge] }
            }
            Ok(_) | Err(_) => Stop { problem: unavailable(), undo: undo_all() },
        };
        Err(stop)
    }

    async fn fail_later(&self, customer: String, key: String, stop: Stop) {
        let mut pause = Duration::from_millis(50);
        while let Err(problem) = self.ledger.fail(&customer, &key, &stop.problem, &stop.undo).await {
            log::line(format_args!("an order waits to be undone: {}", problem.error()));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        self.outbox.wake();
    }

    /// Orders that a stop of this program cut off are undone, like every other outcome that is unknown.
    async fn undo_cut_off(self: Arc<Self>) {
        let cut_off = loop {
            match self.ledger.pending().await {
                Ok(pending) => break pending,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        for (customer, key) in cut_off {
            let undo = vec![Errand::CancelCharge, Errand::Release];
            self.fail_later(customer, key, Stop { problem: unavailable(), undo }).await;
        }
        self.outbox.wake();
    }
}

fn unavailable() -> Problem {
    let message = "the payment could not be made; try again, you will be charged at most once";
    Problem::try_again(503, "payment_unavailable", message)
}

fn slow() -> Problem {
    let message = "the payment took too long; try again, you will be charged at most once";
    Problem::try_again(504, "payment_timeout", message)
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::unknown("order"))
}

fn main() -> ExitCode {
    run("orders", start)
}

async fn start() -> Result<(), Fatal> {
    let readiness = Readiness::default();
    let seconds = Duration::from_secs;
    let inventory =
        Peer::from_env("inventory", "INVENTORY_URL", "INVENTORY_TIMEOUT", seconds(3))?.awaited(&readiness);
    let payments =
        Peer::from_env("payments", "PAYMENTS_URL", "PAYMENTS_TIMEOUT", seconds(3))?.awaited(&readiness);
    let notify = Peer::from_env("notify", "NOTIFY_URL", "NOTIFY_TIMEOUT", seconds(5))?.awaited(&readiness);
    let database = Database::from_env(&readiness)?;
    let outbox = Outbox::start(database.clone(), inventory.clone(), payments.clone(), notify);
    let hold = config::duration("HOLD_COPIES_FOR", seconds(900))?;
    let ledger = Ledger { database };
    let orders = Arc::new(Orders { ledger, outbox, inventory, payments, turns: Turns::default(), hold });
    tokio::spawn(orders.clone().undo_cut_off());
    serve("orders", readiness, orders).await
}
