//! The outbox: what others must be told is written down with the change itself, and repeated until acknowledged.
//!
//! It also runs errands for orders that failed or were cancelled. Where a broker will come, `orders -> notify` goes.

use bookstore_services::bug::{Bug, on};
use bookstore_services::client::{Call, Peer};
use bookstore_services::database::Database;
use bookstore_services::log;
use bookstore_services::problem::Problem;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio_postgres::Transaction;
use uuid::Uuid;

/// What is to be done elsewhere for an order.
#[derive(Clone, Copy)]
pub(crate) enum Errand {
    /// Inventory: the copies are sold.
    Commit,
    /// Inventory: the copies go back.
    Release,
    /// Payments: no money is kept.
    CancelCharge,
    /// Notify: the order is in this state now.
    Tell(&'static str),
}

impl Errand {
    /// Who is asked, where, and with what. The reference names the reservation and the charge.
    fn request(self, order: i64, reference: &str) -> (&'static str, String, Value) {
        match self {
            Self::Commit => ("inventory", format!("/reservations/{reference}/commit"), json!({})),
            Self::Release => ("inventory", format!("/reservations/{reference}/release"), json!({})),
            Self::CancelCharge => ("payments", format!("/charges/{reference}/cancel"), json!({})),
            Self::Tell(state) => ("notify", "/events".to_owned(), event(order, state)),
        }
    }

    /// Writes the errand down, within the transaction that makes it necessary.
    pub(crate) async fn note(
        self,
        transaction: &Transaction<'_>,
        order: i64,
        reference: &str,
    ) -> Result<(), Problem> {
        let (target, path, payload) = self.request(order, reference);
        let insert = "
            insert into outbox (order_id, target, path, payload) values ($1, $2, $3, $4::text::jsonb)";
        transaction.execute(insert, &[&order, &target, &path, &payload.to_string()]).await?;
        Ok(())
    }
}

fn event(order: i64, state: &str) -> Value {
    let written = if on(Bug::B06) { state.to_uppercase() } else { state.to_owned() };
    let kind = if state == "paid" { "order.placed" } else { "order.refunded" };
    json!({ "id": Uuid::new_v4().to_string(), "type": kind, "order": order, "state": written })
}

/// Delivers what is written down.
pub(crate) struct Outbox {
    database: Database,
    inventory: Peer,
    payments: Peer,
    notify: Peer,
    awake: Notify,
    /// One delivery at a time, so that errands of one order keep their sequence.
    delivering: Mutex<()>,
}

impl Outbox {
    /// Starts to deliver in the background.
    pub(crate) fn start(database: Database, inventory: Peer, payments: Peer, notify: Peer) -> Arc<Self> {
        let delivering = Mutex::default();
        let outbox =
            Arc::new(Self { database, inventory, payments, notify, awake: Notify::new(), delivering });
        tokio::spawn(outbox.clone().work());
        outbox
    }

    /// There may be something to deliver.
    pub(crate) fn wake(&self) {
        self.awake.notify_one();
    }

    /// Tells notify at once and only once, whatever comes of it.
    pub(crate) fn tell_now(self: &Arc<Self>, order: i64, state: &'static str) {
        let outbox = self.clone();
        tokio::spawn(async move { outbox.notify.ask(Call::post("/events", &event(order, state))).await });
    }

    async fn work(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.deliver().await {
                pause = FIRST_PAUSE;
                self.awake.notified().await;
            } else {
                // Woken early or not, what could not be delivered is tried again.
                let _ = tokio::time::timeout(pause, self.awake.notified()).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Delivers all there is; whether nothing is left.
    pub(crate) async fn deliver(&self) -> bool {
        let _one_at_a_time = self.delivering.lock().await;
        self.try_deliver().await.unwrap_or(false)
    }

    async fn try_deliver(&self) -> Result<bool, Problem> {
        let query = "
            select id, target, path, payload::text as payload from outbox where sent is null order by id";
        let read = async { Ok(self.database.connection().await?.query(query, &[]).await?) };
        let rows = self.database.in_time(read).await?;
        let mut unreachable: Vec<String> = vec![];
        for row in &rows {
            let target: String = row.get("target");
            if unreachable.contains(&target) {
                continue;
            }
            let (path, payload): (String, String) = (row.get("path"), row.get("payload"));
            let payload = serde_json::from_str(&payload).unwrap_or_default();
            let peer = match target.as_str() {
                "inventory" => &self.inventory,
                "payments" => &self.payments,
                _ => &self.notify,
            };
            let answer = peer.ask(Call::post(path.as_str(), &payload)).await;
            if answer.as_ref().is_ok_and(|answer| answer.status < 300) {
                let update = "update outbox set sent = now() where id = $1";
                let id: i64 = row.get("id");
                let note = async { Ok(self.database.connection().await?.execute(update, &[&id]).await?) };
                self.database.in_time(note).await?;
            } else {
                log::line(format_args!("outbox: {target}{path} not acknowledged, trying again"));
                unreachable.push(target);
            }
        }
        Ok(unreachable.is_empty())
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
