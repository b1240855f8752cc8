//! Notify: writes to customers what became of their orders.
//!
//! Orders tells it of an event and repeats that until it is acknowledged; notify acknowledges only what the mail
//! server has taken. An event that comes twice is mailed once. (A broker will come between the two.)

use bookstore_services::bug::{Bug, on};
use bookstore_services::client::{Call, Peer};
use bookstore_services::config;
use bookstore_services::log;
use bookstore_services::money::readable;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use lettre::message::{Mailbox, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde::Deserialize;
use serde_json::json;
use std::collections::VecDeque;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How many events are remembered, so that one which comes again is not mailed again.
const REMEMBERED: usize = 10_000;

struct Notify {
    orders: Peer,
    mail: AsyncSmtpTransport<Tokio1Executor>,
    /// Events that are done. Held while one is worked on, so that its repetition waits for it.
    done: Mutex<VecDeque<String>>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    order: i64,
    state: String,
}

#[derive(Deserialize)]
struct Order {
    id: i64,
    name: String,
    email: String,
    currency: String,
    subtotal: i64,
    discount: i64,
    vat: i64,
    total: i64,
    voucher: i64,
    charged: i64,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    title: String,
    quantity: i64,
    amount: i64,
}

impl Service for Notify {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("POST", ["events"]) => self.take(&request.json()?).await,
            ("POST", ["test", "reset"]) => {
                self.done.lock().await.clear();
                Ok(Reply::empty())
            }
            _ => Err(request.nowhere()),
        }
    }
}

impl Notify {
    async fn take(&self, event: &Event) -> Result<Reply, Problem> {
        let taken = Reply::json(200, json!({ "taken": event.id }));
        let write: fn(&Order) -> (String, String) = match event.state.as_str() {
            "paid" => confirmation,
            "refunded" => refund,
            _ => return Ok(taken),
        };
        let mut done = self.done.lock().await;
        if done.contains(&event.id) {
            return Ok(taken);
        }
        let details = self.orders.ask(Call::get(format!("/orders/{}", event.order))).await?.success()?;
        let order: Order =
            serde_json::from_value(details).map_err(|error| Problem::new(502, "orders_unreadable", error))?;
        let (subject, text) = write(&order);
        self.send(&event.id, &order, subject, text).await?;
        done.push_back(event.id.clone());
        if done.len() > REMEMBERED {
            done.pop_front();
        }
        Ok(taken)
    }

    /// A mail server that answers 4xx, or not at all, is tried again with the event; 5xx would be the same again.
    async fn send(&self, event: &str, order: &Order, subject: String, text: String) -> Result<(), Problem> {
        let mail = written(event, order, subject, text);
        let mail = match mail {
            Ok(mail) => mail,
            Err(error) => {
                log::line(format_args!("order {}: no mail can be written: {error}", order.id));
                return Ok(());
            }
        };
        match self.mail.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() || on(Bug::B09) => {
                log::line(format_args!("order {}: mail refused: {error}", order.id));
                Ok(())
            }
            Err(error) => {
                log::line(format_args!("order {}: mail not sent yet: {error}", order.id));
                Err(Problem::try_again(503, "mail_unavailable", "the mail server did not take it"))
            }
        }
    }
}

fn written(event: &str, order: &Order, subject: String, text: String) -> Result<Message, Fatal> {
    let text = if on(Bug::B02) { text.replace(|letter: char| !letter.is_ascii(), "?") } else { text };
    let message = Message::builder()
        .from("Bookstore <orders@bookstore.example>".parse()?)
        .to(Mailbox::new(Some(order.name.clone()), order.email.parse()?))
        .subject(subject)
        // The same event, the same id: whoever gets it twice can tell.
        .message_id(Some(format!("<{event}@bookstore.example>")))
        .header(ContentType::TEXT_PLAIN)
        .body(text)?;
    Ok(message)
}

fn confirmation(order: &Order) -> (String, String) {
    let mut text = format!("Dear {},\n\nthank you for your order {}.\n\n", order.name, order.id);
    let currency = &order.currency;
    for line in &order.lines {
        let amount = readable(line.amount);
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{} x {}: {amount} {currency}", line.quantity, line.title);
    }
    let mut sum = |name: &str, cents: i64| {
        let _ = writeln!(text, "{name}: {} {currency}", readable(cents));
    };
    if order.discount != 0 {
        sum("Subtotal", order.subtotal);
        sum("Discount", -order.discount);
    }
    sum("Total", order.total);
    sum("VAT included", order.vat);
    if order.voucher != 0 {
        sum("Voucher", -order.voucher);
        sum("Charged to your card", order.charged);
    }
    (format!("Your order {}", order.id), text)
}

fn refund(order: &Order) -> (String, String) {
    let amount = readable(order.charged);
    let text = format!(
        "Dear {},\n\nyour order {} is cancelled. {amount} {} go back to your card.\n",
        order.name, order.id, order.currency
    );
    (format!("Refund for order {}", order.id), text)
}

fn main() -> ExitCode {
    run("notify", start)
}

async fn start() -> Result<(), Fatal> {
    let readiness = Readiness::default();
    let second = Duration::from_secs(1);
    let orders = Peer::from_env("orders", "ORDERS_URL", "ORDERS_TIMEOUT", second)?.awaited(&readiness);
    let url = url::Url::parse(&config::required("SMTP_URL")?)?;
    let mail = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(url.host_str().unwrap_or("localhost"))
        .port(url.port().unwrap_or(25))
        .timeout(Some(config::duration("SMTP_TIMEOUT", Duration::from_secs(2))?))
        .build();
    let probed = mail.clone();
    readiness.needs("mail", move || {
        let probed = probed.clone();
        async move { probed.test_connection().await.map(drop) }
    });
    serve("notify", readiness, Arc::new(Notify { orders, mail, done: Mutex::default() })).await
}
