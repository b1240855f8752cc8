//! Cart: what each customer has put aside, in Redis, one hash of book and copies per customer.
//!
//! Changes are single commands or scripts, so that two of them at once add up.

use bookstore_services::bug::{Bug, on};
use bookstore_services::cache::{self, Store};
use bookstore_services::client::{Call, Peer};
use bookstore_services::config;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

struct Cart {
    store: Store,
    inventory: Peer,
    /// How many copies of one book a customer may put aside.
    limit: i64,
}

/// Book and copies, in the order of books.
type Contents = BTreeMap<i64, i64>;

#[derive(Deserialize)]
struct Item {
    book: i64,
    qty: i64,
}

#[derive(Deserialize)]
struct Quantity {
    qty: i64,
}

#[derive(Deserialize)]
struct Bought {
    items: Vec<Item>,
}

/// Adds copies, unless that makes more than the limit; answers the copies there are then, or -1.
const ADD: &str = "
    local copies = redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
    if copies <= tonumber(ARGV[3]) then return copies end
    redis.call('HINCRBY', KEYS[1], ARGV[1], -ARGV[2])
    return -1";

/// Takes copies away; a book of which none is left goes out of the cart.
const TAKE: &str = "
    if redis.call('HINCRBY', KEYS[1], ARGV[1], -ARGV[2]) <= 0 then redis.call('HDEL', KEYS[1], ARGV[1]) end
    return 0";

impl Service for Cart {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("GET", ["carts", customer]) => self.show(&key(customer)).await,
            ("POST", ["carts", customer, "items"]) => self.add(&key(customer), &request.json()?).await,
            ("PUT", ["carts", customer, "items", book]) => {
                let Quantity { qty } = request.json()?;
                let book = book.parse().map_err(|_| Problem::unknown("book"))?;
                self.set(&key(customer), &Item { book, qty }).await
            }
            ("POST", ["carts", customer, "bought"]) => {
                self.bought(&key(customer), &request.json::<Bought>()?.items).await
            }
            _ => Err(request.nowhere()),
        }
    }
}

impl Cart {
    async fn show(&self, key: &str) -> Result<Reply, Problem> {
        let contents = self.contents(key).await?;
        let quantity = if on(Bug::B05) { "quantity" } else { "qty" };
        let items: Vec<Value> =
            contents.iter().map(|(book, qty)| json!({ "book": book, quantity: qty })).collect();
        Ok(Reply::json(200, json!({ "items": items })))
    }

    async fn add(&self, key: &str, item: &Item) -> Result<Reply, Problem> {
        self.check(item).await?;
        let copies = if on(Bug::B14) {
            let mut contents = self.contents(key).await?;
            let copies = contents.get(&item.book).unwrap_or(&0) + item.qty;
            if copies <= self.limit {
                contents.insert(item.book, copies);
                self.write(key, &contents).await?;
            }
            copies
        } else {
            let mut script = redis::cmd("EVAL");
            script.arg(ADD).arg(1).arg(key).arg(item.book).arg(item.qty).arg(self.limit);
            script.query_async(&mut self.store.clone()).await?
        };
        if !(0..=self.limit).contains(&copies) {
            return Err(self.out_of_range());
        }
        self.show(key).await
    }

    async fn set(&self, key: &str, item: &Item) -> Result<Reply, Problem> {
        if item.qty != 0 {
            self.check(item).await?;
        }
        if on(Bug::B14) {
            let mut contents = self.contents(key).await?;
            contents.insert(item.book, item.qty);
            self.write(key, &contents).await?;
        } else if item.qty == 0 {
            let mut command = redis::cmd("HDEL");
            command.arg(key).arg(item.book).query_async::<()>(&mut self.store.clone()).await?;
        } else {
            let mut command = redis::cmd("HSET");
            command.arg(key).arg(item.book).arg(item.qty).query_async::<()>(&mut self.store.clone()).await?;
        }
        self.show(key).await
    }

    /// What was bought leaves the cart; what was added meanwhile stays.
    async fn bought(&self, key: &str, items: &[Item]) -> Result<Reply, Problem> {
        if on(Bug::B14) {
            let mut contents = self.contents(key).await?;
            for item in items {
                *contents.entry(item.book).or_default() -= item.qty;
            }
            self.write(key, &contents).await?;
        } else {
            let mut changes = redis::pipe();
            for item in items {
                changes.cmd("EVAL").arg(TAKE).arg(1).arg(key).arg(item.book).arg(item.qty).ignore();
            }
            changes.query_async::<()>(&mut self.store.clone()).await?;
        }
        Ok(Reply::empty())
    }

    /// Whether the quantity is allowed and in stock. Without inventory the cart takes it: checkout asks again.
    async fn check(&self, item: &Item) -> Result<(), Problem> {
        if !(1..=self.limit).contains(&item.qty) {
            return Err(self.out_of_range());
        }
        let Ok(answer) = self.inventory.ask(Call::get(format!("/books/{}", item.book))).await else {
            return Ok(());
        };
        if answer.status == 404 {
            return Err(Problem::unknown("book"));
        }
        match answer.body["available"].as_i64() {
            Some(available) if available < item.qty => {
                let problem = Problem::new(409, "out_of_stock", "there are not enough copies");
                Err(problem.with("book", json!(item.book)).with("available", json!(available)))
            }
            _ => Ok(()),
        }
    }

    fn out_of_range(&self) -> Problem {
        Problem::invalid(
            "quantity_out_of_range",
            format_args!("between 1 and {} copies of a book", self.limit),
        )
    }

    async fn contents(&self, key: &str) -> Result<Contents, Problem> {
        let mut store = self.store.clone();
        if on(Bug::B14) {
            let stored: Option<String> = redis::cmd("GET").arg(key).query_async(&mut store).await?;
            return Ok(stored.and_then(|stored| serde_json::from_str(&stored).ok()).unwrap_or_default());
        }
        Ok(redis::cmd("HGETALL").arg(key).query_async(&mut store).await?)
    }

    async fn write(&self, key: &str, contents: &Contents) -> Result<(), Problem> {
        let left: Contents =
            contents.iter().filter(|(_, qty)| **qty > 0).map(|(book, qty)| (*book, *qty)).collect();
        let mut command = redis::cmd("SET");
        Ok(command.arg(key).arg(json!(left).to_string()).query_async(&mut self.store.clone()).await?)
    }
}

fn key(customer: &str) -> String {
    format!("cart:{customer}")
}

fn main() -> ExitCode {
    run("cart", start)
}

async fn start() -> Result<(), Fatal> {
    let readiness = Readiness::default();
    let second = Duration::from_secs(1);
    let inventory =
        Peer::from_env("inventory", "INVENTORY_URL", "INVENTORY_TIMEOUT", second)?.awaited(&readiness);
    let store = cache::from_env(&readiness)?;
    let limit = config::number("MAX_COPIES", 10)?;
    serve("cart", readiness, Arc::new(Cart { store, inventory, limit })).await
}
