//! Gateway: the public API of the bookstore. It signs customers in and leaves each question to whom it belongs.
//!
//! What it keeps in Redis: accounts, sessions, how often someone tried, and what became of each checkout by its
//! idempotency key. (Points will be asked of loyalty here, once there is a loyalty programme.)

mod accounts;
mod checkout;

use accounts::{Accounts, Customer};
use bookstore_services::bug::{Bug, on};
use bookstore_services::cache::{self, Store};
use bookstore_services::client::{Call, Peer};
use bookstore_services::config;
use bookstore_services::money::shown;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// No customer has more pages of orders than this.
const PAGES: usize = 500;

struct Gateway {
    store: Store,
    accounts: Accounts,
    cart: Peer,
    pricing: Peer,
    orders: Peer,
    /// How many checkouts a customer may try in a minute.
    checkout_limit: i64,
}

#[derive(Deserialize)]
struct Item {
    book: i64,
    quantity: i64,
}

#[derive(Deserialize)]
struct Quantity {
    quantity: i64,
}

impl Service for Gateway {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("POST", ["customers"]) => return self.accounts.sign_up(request.json()?).await,
            ("POST", ["sessions"]) => return self.accounts.sign_in(request.json()?).await,
            ("DELETE", ["sessions"]) => return self.accounts.sign_out(&request).await,
            ("GET", ["books"]) => return self.catalogue().await,
            ("GET", ["books", book]) => return self.book(book).await,
            _ => {}
        }
        let customer = self.accounts.customer(&request).await?;
        match (method, &path[..]) {
            ("GET", ["me"]) => Ok(Reply::json(200, json!(customer))),
            ("GET", ["cart"]) => self.show_cart(&customer).await,
            ("POST", ["cart", "items"]) => self.add(&customer, &request.json()?).await,
            ("PUT", ["cart", "items", book]) => {
                self.set(&customer, book, request.json::<Quantity>()?.quantity).await
            }
            ("DELETE", ["cart", "items", book]) => self.set(&customer, book, 0).await,
            ("GET", ["quote"]) => self.show_quote(&customer, &request).await,
            ("POST", ["checkout"]) => {
                let key = request.header("idempotency-key").filter(|key| !key.is_empty());
                let key =
                    key.ok_or_else(|| Problem::new(400, "idempotency_key_required", "send Idempotency-Key"))?;
                self.checkout(&customer, key, &request.json()?).await
            }
            ("GET", ["orders"]) => self.history(Some(&customer.id)).await,
            ("GET", ["orders", id]) => self.order(&customer, id).await,
            ("POST", ["orders", id, "cancel"]) => self.cancel(&customer, id).await,
            ("GET", ["clerk", "orders"]) => {
                customer.must_be_clerk()?;
                self.history(None).await
            }
            ("PUT", ["clerk", "books", book, "price"]) => {
                customer.must_be_clerk()?;
                let call = Call::put(format!("/books/{book}/price"), &request.json()?);
                ask(&self.pricing, call).await.map(|mut book| {
                    show(&mut book, &["price"]);
                    Reply::json(200, book)
                })
            }
            _ => Err(request.nowhere()),
        }
    }
}

impl Gateway {
    async fn catalogue(&self) -> Result<Reply, Problem> {
        let mut answer = ask(&self.pricing, Call::get("/books")).await?;
        for book in answer["books"].as_array_mut().into_iter().flatten() {
            show(book, &["price"]);
        }
        Ok(Reply::json(200, answer))
    }

    async fn book(&self, book: &str) -> Result<Reply, Problem> {
        let mut book = ask(&self.pricing, Call::get(format!("/books/{book}"))).await?;
        show(&mut book, &["price"]);
        Ok(Reply::json(200, book))
    }

    async fn show_cart(&self, customer: &Customer) -> Result<Reply, Problem> {
        let cart = ask(&self.cart, Call::get(format!("/carts/{}", customer.id))).await?;
        Ok(Reply::json(200, public_cart(&cart)))
    }

    async fn add(&self, customer: &Customer, item: &Item) -> Result<Reply, Problem> {
        let body = json!({ "book": item.book, "qty": item.quantity });
        let cart = ask(&self.cart, Call::post(format!("/carts/{}/items", customer.id), &body)).await?;
        Ok(Reply::json(201, public_cart(&cart)))
    }

    async fn set(&self, customer: &Customer, book: &str, quantity: i64) -> Result<Reply, Problem> {
        let call = Call::put(format!("/carts/{}/items/{book}", customer.id), &json!({ "qty": quantity }));
        Ok(Reply::json(200, public_cart(&ask(&self.cart, call).await?)))
    }

    async fn show_quote(&self, customer: &Customer, request: &Request) -> Result<Reply, Problem> {
        let items = self.cart_items(customer).await?;
        let terms = json!({
            "code": request.query("code"), "currency": request.query("currency"), "country": request.query("country"),
        });
        let mut quote = self.quote(&items, &terms).await?;
        show(&mut quote, &["subtotal", "discount", "total", "vat"]);
        for line in quote["lines"].as_array_mut().into_iter().flatten() {
            show(line, &["price", "amount"]);
        }
        Ok(Reply::json(200, quote))
    }

    /// What is in the cart, as book and quantity.
    async fn cart_items(&self, customer: &Customer) -> Result<Vec<Value>, Problem> {
        let cart = ask(&self.cart, Call::get(format!("/carts/{}", customer.id))).await?;
        Ok(public_cart(&cart)["items"].as_array().cloned().unwrap_or_default())
    }

    /// What pricing asks for these items, as pricing wrote it.
    async fn quote(&self, items: &[Value], terms: &Value) -> Result<Value, Problem> {
        let mut wanted = terms.clone();
        wanted["lines"] = json!(items);
        ask(&self.pricing, Call::post("/quotes", &wanted)).await
    }

    /// All orders of a customer, or of everybody, page by page.
    async fn history(&self, customer: Option<&str>) -> Result<Reply, Problem> {
        let mut orders: Vec<Value> = vec![];
        let mut before = Value::Null;
        let pages = if on(Bug::B20) { 1 } else { PAGES };
        for _ in 0..pages {
            // Both are ids that need no encoding.
            let customer = customer.map(|customer| format!("customer={customer}&")).unwrap_or_default();
            let before_id = before.as_i64().map(|before| format!("before={before}")).unwrap_or_default();
            let page = ask(&self.orders, Call::get(format!("/orders?{customer}{before_id}"))).await?;
            orders.extend(page["orders"].as_array().cloned().unwrap_or_default());
            before = page["next"].clone();
            if before.is_null() {
                break;
            }
        }
        Ok(Reply::json(200, json!({ "orders": orders })))
    }

    async fn order(&self, customer: &Customer, id: &str) -> Result<Reply, Problem> {
        let order = ask(&self.orders, Call::get(format!("/orders/{id}"))).await?;
        if order["customer"] != customer.id.as_str() && customer.must_be_clerk().is_err() {
            return Err(Problem::unknown("order"));
        }
        Ok(Reply::json(200, order))
    }

    async fn cancel(&self, customer: &Customer, id: &str) -> Result<Reply, Problem> {
        let call = Call::post(format!("/orders/{id}/cancel"), &json!({ "customer": customer.id }));
        Ok(Reply::json(200, ask(&self.orders, call).await?))
    }
}

/// Asks another component; its problems become ours.
async fn ask(peer: &Peer, call: Call) -> Result<Value, Problem> {
    peer.ask(call).await?.success()
}

fn public_cart(cart: &Value) -> Value {
    let items = cart["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let items: Vec<Value> = items
        .iter()
        .map(|item| json!({ "book": item["book"], "quantity": item["qty"].as_i64().unwrap_or(1) }))
        .collect();
    json!({ "items": items })
}

/// Makes the amounts in these fields readable for the public.
fn show(object: &mut Value, fields: &[&str]) {
    for field in fields {
        if let Some(cents) = shown(&object[*field]) {
            object[*field] = json!(cents);
        }
    }
}

fn main() -> ExitCode {
    run("gateway", start)
}

async fn start() -> Result<(), Fatal> {
    let readiness = Readiness::default();
    let seconds = Duration::from_secs;
    let store = cache::from_env(&readiness)?;
    let cart = Peer::from_env("cart", "CART_URL", "CART_TIMEOUT", seconds(3))?.awaited(&readiness);
    let pricing =
        Peer::from_env("pricing", "PRICING_URL", "PRICING_TIMEOUT", seconds(5))?.awaited(&readiness);
    let orders = Peer::from_env("orders", "ORDERS_URL", "ORDERS_TIMEOUT", seconds(12))?.awaited(&readiness);
    let orders = if on(Bug::B11) { orders.patient(Duration::from_millis(400)) } else { orders };
    let accounts = Accounts::from_env(store.clone(), &readiness)?;
    let checkout_limit = config::number("CHECKOUTS_A_MINUTE", 60)?;
    let gateway = Gateway { store, accounts, cart, pricing, orders, checkout_limit };
    serve("gateway", readiness, Arc::new(gateway)).await
}
