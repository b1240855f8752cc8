//! Pricing: what a book costs today, discount codes, currencies and VAT.
//!
//! Prices are kept in PostgreSQL in euro cents, VAT included, and cached in Redis for a minute. The cache may fail at
//! any time: then the database is asked.

use bookstore_services::bug::{Bug, on};
use bookstore_services::cache::{self, Store};
use bookstore_services::config;
use bookstore_services::database::Database;
use bookstore_services::log;
use bookstore_services::money::{share, written};
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use deadpool_postgres::Object;
use redis::RedisError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_postgres::Row;

struct Pricing {
    database: Database,
    store: Store,
    /// How long a cached price counts, in seconds.
    cached_for: i64,
}

#[derive(Deserialize)]
struct Wanted {
    lines: Vec<Line>,
    code: Option<String>,
    currency: Option<String>,
    country: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    book: i32,
    quantity: i64,
}

#[derive(Deserialize)]
struct NewPrice {
    price: i64,
}

/// What is cached of a book.
#[derive(Clone, Deserialize, Serialize)]
struct Priced {
    title: String,
    price: i64,
}

type Prices = BTreeMap<i32, Priced>;

/// What a quote depends on besides the books.
struct Terms {
    currency: String,
    country: String,
    /// What a euro is in the currency, in millionths.
    rate: i64,
    /// VAT in thousandths.
    vat: i64,
    percent: i64,
    /// What the books must cost together for the discount.
    min_total: i64,
}

impl Service for Pricing {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("GET", ["books"]) => self.database.in_time(self.catalogue()).await,
            ("GET", ["books", book]) => self.database.in_time(self.book(book)).await,
            ("PUT", ["books", book, "price"]) => {
                self.database.in_time(self.reprice(book, &request.json()?)).await
            }
            ("POST", ["quotes"]) => self.quote(&request.json()?).await,
            _ => Err(request.nowhere()),
        }
    }
}

const BOOK: &str = "select id, title, author, description, price, published::text from books";

impl Pricing {
    async fn catalogue(&self) -> Result<Reply, Problem> {
        let connection = self.database.connection().await?;
        let rows = connection.query(&format!("{BOOK} order by id"), &[]).await?;
        Ok(Reply::json(200, json!({ "books": rows.iter().map(described).collect::<Vec<_>>() })))
    }

    async fn book(&self, book: &str) -> Result<Reply, Problem> {
        let id: i32 = book.parse().map_err(|_| Problem::unknown("book"))?;
        let connection = self.database.connection().await?;
        let row = connection.query_opt(&format!("{BOOK} where id = $1"), &[&id]).await?;
        row.map(|row| Reply::json(200, described(&row))).ok_or_else(|| Problem::unknown("book"))
    }

    async fn reprice(&self, book: &str, new: &NewPrice) -> Result<Reply, Problem> {
        let id: i32 = book.parse().map_err(|_| Problem::unknown("book"))?;
        let price = i32::try_from(new.price).ok().filter(|price| *price >= 0);
        let price =
            price.ok_or_else(|| Problem::invalid("price_out_of_range", "a price is 0 or more cents"))?;
        let connection = self.database.connection().await?;
        let changed = connection.execute("update books set price = $2 where id = $1", &[&id, &price]).await?;
        if changed == 0 {
            return Err(Problem::unknown("book"));
        }
        redis::cmd("DEL").arg(cache_key(id)).query_async::<()>(&mut self.store.clone()).await?;
        Ok(Reply::json(200, json!({ "book": id, "price": written(new.price) })))
    }

    async fn quote(&self, wanted: &Wanted) -> Result<Reply, Problem> {
        let prices = self.prices(&wanted.lines).await?;
        let terms = self.database.in_time(self.terms(wanted)).await?;
        calculate(&wanted.lines, &prices, &terms).map(|quote| Reply::json(200, quote))
    }

    async fn terms(&self, wanted: &Wanted) -> Result<Terms, Problem> {
        let currency = wanted.currency.clone().unwrap_or_else(|| "EUR".to_owned());
        let country = wanted.country.clone().unwrap_or_else(|| "DE".to_owned());
        let connection = self.database.connection().await?;
        let rate =
            number(&connection, "select per_million from rates where currency = $1", &currency).await?;
        let rate = rate.ok_or_else(|| Problem::invalid("unknown_currency", &currency))?;
        let vat = number(&connection, "select permille from vat where country = $1", &country).await?;
        let vat = vat.ok_or_else(|| Problem::invalid("unknown_country", &country))?;
        let (percent, min_total) = match &wanted.code {
            Some(code) => discount(&connection, code).await?,
            None => (0, 0),
        };
        Ok(Terms { currency, country, rate, vat, percent, min_total })
    }

    /// Prices from the cache, and from the database where the cache does not have them or does not answer.
    async fn prices(&self, lines: &[Line]) -> Result<Prices, Problem> {
        let books: Vec<i32> = lines.iter().map(|line| line.book).collect();
        let (mut prices, cache_works) = match self.cached(&books).await {
            Ok(found) => (found, true),
            Err(error) => {
                log::line(format_args!("price cache: {error}"));
                if on(Bug::B07) {
                    return Err(Problem::new(500, "internal", "no prices"));
                }
                (Prices::new(), false)
            }
        };
        let missing: Vec<i32> = books.into_iter().filter(|book| !prices.contains_key(book)).collect();
        if missing.is_empty() {
            return Ok(prices);
        }
        prices.extend(self.database.in_time(self.stored(&missing)).await?);
        if cache_works {
            let filled = self.fill(&prices, &missing).await;
            if let Err(error) = filled {
                log::line(format_args!("price cache: {error}"));
            }
        }
        Ok(prices)
    }

    async fn stored(&self, books: &[i32]) -> Result<Prices, Problem> {
        let connection = self.database.connection().await?;
        let rows =
            connection.query("select id, title, price from books where id = any($1)", &[&books]).await?;
        let priced = |row: &Row| Priced { title: row.get("title"), price: row.get::<_, i32>("price").into() };
        Ok(rows.iter().map(|row| (row.get("id"), priced(row))).collect())
    }

    async fn cached(&self, books: &[i32]) -> Result<Prices, RedisError> {
        if books.is_empty() {
            return Ok(Prices::new());
        }
        let keys: Vec<String> = books.iter().map(|book| cache_key(*book)).collect();
        let found: Vec<Option<String>> =
            redis::cmd("MGET").arg(keys).query_async(&mut self.store.clone()).await?;
        let read = |found: Option<String>| serde_json::from_str(&found?).ok();
        Ok(books.iter().zip(found).filter_map(|(book, found)| Some((*book, read(found)?))).collect())
    }

    async fn fill(&self, prices: &Prices, books: &[i32]) -> Result<(), RedisError> {
        let mut commands = redis::pipe();
        for (book, priced) in prices.iter().filter(|(book, _)| books.contains(book)) {
            let value = json!(priced).to_string();
            commands.cmd("SET").arg(cache_key(*book)).arg(value).arg("EX").arg(self.cached_for).ignore();
        }
        commands.query_async(&mut self.store.clone()).await
    }
}

async fn number(connection: &Object, query: &str, key: &str) -> Result<Option<i64>, Problem> {
    Ok(connection.query_opt(query, &[&key]).await?.map(|row| i64::from(row.get::<_, i32>(0))))
}

/// Percent and least total of a discount code that is valid now.
async fn discount(connection: &Object, code: &str) -> Result<(i64, i64), Problem> {
    let query = "
        select percent, min_total, now() < valid_from as early, now() >= valid_until as late
        from discounts where code = $1";
    let row = connection.query_opt(query, &[&code]).await?;
    let row = row.ok_or_else(|| Problem::invalid("unknown_code", "there is no such discount code"))?;
    if row.get("early") {
        return Err(Problem::invalid("code_not_yet_valid", "this discount code is not valid yet"));
    }
    if row.get("late") {
        return Err(Problem::invalid("code_expired", "this discount code is not valid any more"));
    }
    Ok((row.get::<_, i32>("percent").into(), row.get::<_, i32>("min_total").into()))
}

/// Each price is converted first, so that the lines add up to the total that is shown.
fn calculate(wanted: &[Line], prices: &Prices, terms: &Terms) -> Result<Value, Problem> {
    let mut lines = vec![];
    let mut subtotal = 0;
    for line in wanted {
        let priced = prices.get(&line.book).ok_or_else(|| Problem::unknown("book"))?;
        let price = share(priced.price, terms.rate, 1_000_000);
        subtotal += price * line.quantity;
        lines.push(json!({
            "book": line.book, "title": priced.title, "quantity": line.quantity,
            "price": written(price), "amount": written(price * line.quantity),
        }));
    }
    if subtotal < terms.min_total {
        return Err(Problem::invalid("total_too_low", "this discount code is for larger orders"));
    }
    let discount = share(subtotal, terms.percent, 100);
    let total = subtotal - discount;
    Ok(json!({
        "lines": lines, "subtotal": written(subtotal), "discount": written(discount), "total": written(total),
        "vat": written(share(total, terms.vat, 1000 + terms.vat)),
        "currency": terms.currency, "country": terms.country,
    }))
}

fn described(row: &Row) -> Value {
    json!({
        "id": row.get::<_, i32>("id"),
        "title": row.get::<_, String>("title"),
        "author": row.get::<_, Option<String>>("author"),
        "description": row.get::<_, Option<String>>("description"),
        "price": written(i64::from(row.get::<_, i32>("price"))),
        "published": row.get::<_, Option<String>>("published"),
    })
}

fn cache_key(book: i32) -> String {
    format!("price:{book}")
}

fn main() -> ExitCode {
    run("pricing", start)
}

async fn start() -> Result<(), Fatal> {
    let readiness = Readiness::default();
    let database = Database::from_env(&readiness)?;
    let store = cache::from_env(&readiness)?;
    let cached_for = config::number("PRICES_CACHED_FOR", 60)?;
    serve("pricing", readiness, Arc::new(Pricing { database, store, cached_for })).await
}
