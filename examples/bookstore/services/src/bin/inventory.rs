//! Inventory: how many copies there are, and for whom some of them are held.
//!
//! `stock` is what anyone may still reserve. A reservation takes its copies out of the stock at once; it is later
//! committed (sold), released (given back), or expires. At any moment stock + held + committed = initial.

use bookstore_services::bug::{Bug, on};
use bookstore_services::database::Database;
use bookstore_services::problem::Problem;
use bookstore_services::server::{Fatal, Readiness, Reply, Request, Service, run, serve};
use serde::Deserialize;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_postgres::Transaction;

struct Inventory {
    database: Database,
}

#[derive(Deserialize)]
struct Reservation {
    order: i64,
    /// How long the copies are held, in milliseconds.
    ttl: i64,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    book: i32,
    quantity: i32,
}

/// What is held beyond its time goes back, whoever asks next.
const EXPIRE: &str = "
    with expired as (
        update reservations set state = 'expired' where state = 'held' and expires < now() returning id
    ), back as (
        select book, sum(quantity)::int as quantity from reservation_lines
        where reservation in (select id from expired) group by book
    )
    update books set stock = stock + back.quantity from back where books.id = back.book";

impl Service for Inventory {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        self.database.in_time(self.route(&request)).await
    }
}

impl Inventory {
    async fn route(&self, request: &Request) -> Result<Reply, Problem> {
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("GET", ["books", book]) => self.stock(book).await,
            ("PUT", ["reservations", id]) => self.reserve(id, request.json()?).await,
            ("POST", ["reservations", id, "commit"]) => self.commit(id).await,
            ("POST", ["reservations", id, "release"]) => self.release(id).await,
            _ => Err(request.nowhere()),
        }
    }

    async fn stock(&self, book: &str) -> Result<Reply, Problem> {
        let book: i32 = book.parse().map_err(|_| Problem::unknown("book"))?;
        let connection = self.database.connection().await?;
        let query = "
            select stock + coalesce((
                select sum(quantity) from reservation_lines join reservations on reservations.id = reservation
                where book = books.id and state = 'held' and expires < now()), 0)::int
            from books where id = $1";
        let row = connection.query_opt(query, &[&book]).await?.ok_or_else(|| Problem::unknown("book"))?;
        Ok(Reply::json(200, json!({ "book": book, "available": row.get::<_, i32>(0) })))
    }

    async fn reserve(&self, id: &str, mut wanted: Reservation) -> Result<Reply, Problem> {
        let mut connection = self.database.connection().await?;
        connection.execute(EXPIRE, &[]).await?;
        let transaction = connection.transaction().await?;
        let known = transaction.query_opt("select state from reservations where id = $1", &[&id]).await?;
        if let Some(row) = known {
            return already(id, row.get(0));
        }
        // Always in the same order, so that two reservations cannot wait for each other.
        wanted.lines.sort_by_key(|line| line.book);
        for line in &wanted.lines {
            take(&transaction, line).await?;
        }
        transaction
            .execute(
                "insert into reservations (id, order_id, state, expires)
                 values ($1, $2, 'held', now() + $3::bigint * interval '1 millisecond')",
                &[&id, &wanted.order, &wanted.ttl],
            )
            .await?;
        for line in &wanted.lines {
            let insert = "insert into reservation_lines (reservation, book, quantity) values ($1, $2, $3)";
            transaction.execute(insert, &[&id, &line.book, &line.quantity]).await?;
        }
        transaction.commit().await?;
        Ok(Reply::json(201, json!({ "reservation": id, "state": "held" })))
    }

    /// The copies are sold. An order that was paid is kept even where its reservation had expired meanwhile.
    async fn commit(&self, id: &str) -> Result<Reply, Problem> {
        let mut connection = self.database.connection().await?;
        let transaction = connection.transaction().await?;
        match state(&transaction, id).await?.as_deref() {
            Some("committed") => {}
            Some("held") => set_state(&transaction, id, "committed").await?,
            Some("expired") => {
                move_stock(&transaction, id, -1).await?;
                set_state(&transaction, id, "committed").await?;
            }
            Some(_) => return Err(Problem::new(409, "reservation_released", "the copies were given back")),
            None => return Err(Problem::unknown("reservation")),
        }
        transaction.commit().await?;
        Ok(Reply::json(200, json!({ "reservation": id, "state": "committed" })))
    }

    /// The copies go back. One that never arrived is noted as released, so that it cannot arrive later.
    async fn release(&self, id: &str) -> Result<Reply, Problem> {
        let mut connection = self.database.connection().await?;
        let transaction = connection.transaction().await?;
        let note = "
            insert into reservations (id, state, expires) values ($1, 'released', now())
            on conflict (id) do nothing";
        transaction.execute(note, &[&id]).await?;
        match state(&transaction, id).await?.as_deref() {
            Some("held" | "committed") => {
                move_stock(&transaction, id, 1).await?;
                set_state(&transaction, id, "released").await?;
            }
            Some("expired") => set_state(&transaction, id, "released").await?,
            _ => {}
        }
        transaction.commit().await?;
        Ok(Reply::json(200, json!({ "reservation": id, "state": "released" })))
    }
}

fn already(id: &str, state: &str) -> Result<Reply, Problem> {
    match state {
        "held" | "committed" => Ok(Reply::json(200, json!({ "reservation": id, "state": state }))),
        _ => Err(Problem::new(409, "reservation_released", "this reservation is over")),
    }
}

async fn take(transaction: &Transaction<'_>, line: &Line) -> Result<(), Problem> {
    let query = if on(Bug::B13) {
        "select stock from books where id = $1"
    } else {
        "select stock from books where id = $1 for update"
    };
    let row = transaction.query_opt(query, &[&line.book]).await?.ok_or_else(|| Problem::unknown("book"))?;
    let stock: i32 = row.get(0);
    if stock < line.quantity {
        let problem = Problem::new(409, "out_of_stock", "there are not enough copies");
        return Err(problem.with("book", json!(line.book)).with("available", json!(stock)));
    }
    let update = "update books set stock = stock - $2 where id = $1";
    transaction.execute(update, &[&line.book, &line.quantity]).await?;
    Ok(())
}

async fn state(transaction: &Transaction<'_>, id: &str) -> Result<Option<String>, Problem> {
    let query = "select state from reservations where id = $1 for update";
    Ok(transaction.query_opt(query, &[&id]).await?.map(|row| row.get(0)))
}

async fn set_state(transaction: &Transaction<'_>, id: &str, state: &str) -> Result<(), Problem> {
    transaction.execute("update reservations set state = $2 where id = $1", &[&id, &state]).await?;
    Ok(())
}

async fn move_stock(transaction: &Transaction<'_>, id: &str, direction: i32) -> Result<(), Problem> {
    let update = "
        update books set stock = stock + $2::int * lines.quantity from reservation_lines as lines
        where lines.reservation = $1 and lines.book = books.id";
    transaction.execute(update, &[&id, &direction]).await?;
    Ok(())
}

fn main() -> ExitCode {
    run("inventory", start)
}

async fn start() -> Result<(), Fatal> {
    let readiness = Readiness::default();
    let database = Database::from_env(&readiness)?;
    serve("inventory", readiness, Arc::new(Inventory { database })).await
}
