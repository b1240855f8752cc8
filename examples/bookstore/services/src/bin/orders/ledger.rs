//! The orders and their vouchers in PostgreSQL; each change of a state is one transaction.

use crate::outbox::Errand;
use bookstore_services::bug::{Bug, on};
use bookstore_services::database::Database;
use bookstore_services::money::booked;
use bookstore_services::problem::Problem;
use bookstore_services::server::Reply;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_postgres::{Row, Transaction};

/// How many orders a page of the history has.
const PAGE: i64 = 20;

/// An order as the gateway sends it.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    pub(crate) customer: String,
    name: String,
    email: String,
    pub(crate) currency: String,
    pub(crate) lines: Vec<Line>,
    subtotal: Value,
    discount: Value,
    vat: Value,
    total: Value,
    /// The token that stands for the card; never kept here.
    pub(crate) card: String,
    voucher: Option<String>,
}

/// One book of an order.
#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) book: i32,
    title: String,
    pub(crate) quantity: i32,
    price: Value,
    amount: Value,
}

/// An order that is being placed.
pub(crate) struct Started {
    pub(crate) id: i64,
    /// What the card is charged: the total without what a voucher pays.
    pub(crate) charged: i64,
    attempt: i32,
}

impl Started {
    /// The name of this attempt's reservation and charge, so that whatever is repeated happens once.
    pub(crate) fn reference(&self) -> String {
        reference(self.id, self.attempt)
    }
}

fn reference(order: i64, attempt: i32) -> String {
    format!("order-{order}-{attempt}")
}

/// What there is to do under a key.
pub(crate) enum Begun {
    /// Reserve and charge.
    Started(Started),
    /// Nothing: it is paid.
    Done(i64),
    /// First undo what an earlier try left behind.
    Settle,
}

/// The order book.
pub(crate) struct Ledger {
    pub(crate) database: Database,
}

impl Ledger {
    /// Writes a new order down as pending, or finds the one that has this key.
    pub(crate) async fn begin(&self, key: &str, wanted: &Wanted) -> Result<Begun, Problem> {
        let work = async {
            let mut connection = self.database.connection().await?;
            let transaction = connection.transaction().await?;
            lock(&transaction, &wanted.customer, key).await?;
            let inserted = insert_order(&transaction, key, wanted).await?;
            let begun = if let Some((id, total)) = inserted {
                insert_lines(&transaction, id, &wanted.lines).await?;
                let charged = redeem(&transaction, id, total, wanted.voucher.as_deref()).await?;
                Begun::Started(Started { id, charged, attempt: 1 })
            } else {
                again(&transaction, key, wanted).await?
            };
            transaction.commit().await?;
            Ok(begun)
        };
        self.database.in_time(work).await
    }

    /// The charge is captured: the order is paid, and that is to be told.
    pub(crate) async fn pay(&self, order: &Started) -> Result<(), Problem> {
        let work = async {
            let mut connection = self.database.connection().await?;
            let transaction = connection.transaction().await?;
            let update = "
                update orders set state = 'paid', problem = null, changed = now()
                where id = $1 and state = 'pending'";
            if transaction.execute(update, &[&order.id]).await? == 0 {
                return Err(Problem::try_again(503, "order_over", "the order was given up meanwhile"));
            }
            Errand::Commit.note(&transaction, order.id, &order.reference()).await?;
            if !on(Bug::B16) {
                Errand::Tell("paid").note(&transaction, order.id, &order.reference()).await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.database.in_time(work).await
    }

    /// The order did not come about. One that is not pending any more is left as it is.
    pub(crate) async fn fail(
        &self,
        customer: &str,
        key: &str,
        problem: &Problem,
        undo: &[Errand],
    ) -> Result<(), Problem> {
        let work = async {
            let mut connection = self.database.connection().await?;
            let transaction = connection.transaction().await?;
            lock(&transaction, customer, key).await?;
            let update = "
                update orders set state = 'failed', problem = $3::text::jsonb, changed = now()
                where customer = $1 and key = $2 and state = 'pending' returning id, attempt";
            let kept = json!({ "status": problem.status, "body": problem.body }).to_string();
            if let Some(row) = transaction.query_opt(update, &[&customer, &key, &kept]).await? {
                let id = row.get("id");
                give_back_voucher(&transaction, id).await?;
                for errand in undo {
                    errand.note(&transaction, id, &reference(id, row.get("attempt"))).await?;
                }
            }
            transaction.commit().await?;
            Ok(())
        };
        self.database.in_time(work).await
    }

    /// A paid order is given up: the money and the copies go back.
    pub(crate) async fn cancel(&self, id: i64, customer: &str) -> Result<(), Problem> {
        let work = async {
            let mut connection = self.database.connection().await?;
            let transaction = connection.transaction().await?;
            let query =
                "select state, attempt, charged from orders where id = $1 and customer = $2 for update";
            let row = transaction.query_opt(query, &[&id, &customer]).await?;
            let row = row.ok_or_else(|| Problem::unknown("order"))?;
            match row.get("state") {
                "refunded" => return Ok(()),
                "paid" => {}
                _ => return Err(Problem::new(409, "not_cancellable", "only a paid order can be cancelled")),
            }
            transaction
                .execute("update orders set state = 'refunded', changed = now() where id = $1", &[&id])
                .await?;
            give_back_voucher(&transaction, id).await?;
            let reference = reference(id, row.get("attempt"));
            if row.get::<_, i64>("charged") > 0 {
                Errand::CancelCharge.note(&transaction, id, &reference).await?;
            }
            Errand::Release.note(&transaction, id, &reference).await?;
            Errand::Tell("refunded").note(&transaction, id, &reference).await?;
            transaction.commit().await?;
            Ok(())
        };
        self.database.in_time(work).await
    }

    /// Customer and key of every order that is pending.
    pub(crate) async fn pending(&self) -> Result<Vec<(String, String)>, Problem> {
        let work = async {
            let connection = self.database.connection().await?;
            let rows =
                connection.query("select customer, key from orders where state = 'pending'", &[]).await?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        };
        self.database.in_time(work).await
    }

    /// One order with all its details.
    pub(crate) async fn order(&self, id: i64) -> Result<Value, Problem> {
        let work = async {
            let connection = self.database.connection().await?;
            let query = format!(
                "{SUMMARY}, customer, name, email, subtotal, discount, vat, voucher from orders where id = $1"
            );
            let row = connection.query_opt(&query, &[&id]).await?.ok_or_else(|| Problem::unknown("order"))?;
            let query = "
                select book, title, quantity, price, amount from order_lines where order_id = $1 order by book";
            let lines = connection.query(query, &[&id]).await?;
            let lines: Vec<Value> = lines.iter().map(line).collect();
            let mut order = summary(&row);
            for text in ["customer", "name", "email"] {
                order[text] = json!(row.get::<_, String>(text));
            }
            for cents in ["subtotal", "discount", "vat", "voucher"] {
                order[cents] = json!(row.get::<_, i64>(cents));
            }
            order["lines"] = json!(lines);
            Ok(order)
        };
        self.database.in_time(work).await
    }

    /// One page of orders, the newest first; `next` is where the next page begins.
    pub(crate) async fn page(&self, customer: Option<&str>, before: Option<i64>) -> Result<Reply, Problem> {
        let work = async {
            let connection = self.database.connection().await?;
            let query = format!(
                "{SUMMARY} from orders where ($1::text is null or customer = $1) and ($2::bigint is null or id < $2)
                 order by id desc limit $3"
            );
            let rows = connection.query(&query, &[&customer, &before, &(PAGE + 1)]).await?;
            let shown = rows.len().min(usize::try_from(PAGE).unwrap_or(usize::MAX));
            let next = (rows.len() > shown).then(|| rows[shown - 1].get::<_, i64>("id"));
            let orders: Vec<Value> = rows[..shown].iter().map(summary).collect();
            Ok(Reply::json(200, json!({ "orders": orders, "next": next })))
        };
        self.database.in_time(work).await
    }
}

const SUMMARY: &str = r#"
    select id, state, total, charged, currency,
        to_char(created at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created"#;

fn summary(row: &Row) -> Value {
    json!({
        "id": row.get::<_, i64>("id"),
        "state": row.get::<_, String>("state"),
        "total": row.get::<_, i64>("total"),
        "charged": row.get::<_, i64>("charged"),
        "currency": row.get::<_, String>("currency"),
        "created": row.get::<_, String>("created"),
    })
}

fn line(row: &Row) -> Value {
    json!({
        "book": row.get::<_, i32>("book"),
        "title": row.get::<_, String>("title"),
        "quantity": row.get::<_, i32>("quantity"),
        "price": row.get::<_, i64>("price"),
        "amount": row.get::<_, i64>("amount"),
    })
}

/// The order with this key is there already.
async fn again(transaction: &Transaction<'_>, key: &str, wanted: &Wanted) -> Result<Begun, Problem> {
    let query = "
        select id, state, attempt, total, problem::text as problem,
            exists (select 1 from outbox where order_id = orders.id and sent is null) as unsettled
        from orders where customer = $1 and key = $2 for update";
    let row = transaction.query_one(query, &[&wanted.customer, &key]).await?;
    let id = row.get("id");
    match row.get("state") {
        "paid" | "refunded" => return Ok(Begun::Done(id)),
        "pending" => return Err(Problem::try_again(409, "in_progress", "this order is being placed")),
        _ => {}
    }
    let kept: Value = serde_json::from_str(row.get("problem")).unwrap_or_default();
    if kept["body"]["retry"] != json!(true) {
        let status = kept["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        return Err(Problem { status: status.unwrap_or(409), body: kept["body"].clone() });
    }
    if row.get("unsettled") {
        return Ok(Begun::Settle);
    }
    let attempt = row.get::<_, i32>("attempt") + 1;
    let update = "
        update orders set state = 'pending', attempt = $2, voucher = 0, charged = total, changed = now()
        where id = $1";
    transaction.execute(update, &[&id, &attempt]).await?;
    let charged = redeem(transaction, id, row.get("total"), wanted.voucher.as_deref()).await?;
    Ok(Begun::Started(Started { id, charged, attempt }))
}

/// Makes beginning and failing under one key wait for each other, also where a commit is still on its way.
async fn lock(transaction: &Transaction<'_>, customer: &str, key: &str) -> Result<(), Problem> {
    let lock = "select pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))";
    transaction.execute(lock, &[&customer, &key]).await?;
    Ok(())
}

/// Id and total of the new order; nothing when the key is known.
async fn insert_order(
    transaction: &Transaction<'_>,
    key: &str,
    wanted: &Wanted,
) -> Result<Option<(i64, i64)>, Problem> {
    let Wanted { customer, name, email, currency, .. } = wanted;
    let (subtotal, discount) = (cents(&wanted.subtotal)?, cents(&wanted.discount)?);
    let (vat, total) = (cents(&wanted.vat)?, cents(&wanted.total)?);
    let insert = "
        insert into orders (customer, name, email, key, currency, subtotal, discount, vat, total, charged)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict (customer, key) do nothing returning id";
    let row = transaction
        .query_opt(insert, &[customer, name, email, &key, currency, &subtotal, &discount, &vat, &total])
        .await?;
    Ok(row.map(|row| (row.get(0), total)))
}

async fn insert_lines(transaction: &Transaction<'_>, order: i64, lines: &[Line]) -> Result<(), Problem> {
    let insert = "
        insert into order_lines (order_id, book, title, quantity, price, amount)
        values ($1, $2, $3, $4, $5, $6)";
    for line in lines {
        let (price, amount) = (cents(&line.price)?, cents(&line.amount)?);
        transaction
            .execute(insert, &[&order, &line.book, &line.title, &line.quantity, &price, &amount])
            .await?;
    }
    Ok(())
}

/// Takes a voucher for the order, if it has one; answers what is left for the card.
async fn redeem(
    transaction: &Transaction<'_>,
    order: i64,
    total: i64,
    voucher: Option<&str>,
) -> Result<i64, Problem> {
    let Some(code) = voucher else {
        return Ok(total);
    };
    // One statement, so that of two orders at once only one gets it.
    let take = "update vouchers set used_by = $2 where code = $1 and used_by is null returning value";
    let row = transaction.query_opt(take, &[&code, &order]).await?;
    let row =
        row.ok_or_else(|| Problem::invalid("voucher_invalid", "there is no such voucher, or it is used up"))?;
    let paid = row.get::<_, i64>(0).min(total);
    let update = "update orders set voucher = $2, charged = total - $2 where id = $1";
    transaction.execute(update, &[&order, &paid]).await?;
    Ok(total - paid)
}

async fn give_back_voucher(transaction: &Transaction<'_>, order: i64) -> Result<(), Problem> {
    transaction.execute("update vouchers set used_by = null where used_by = $1", &[&order]).await?;
    Ok(())
}

fn cents(amount: &Value) -> Result<i64, Problem> {
    booked(amount)
        .filter(|cents| *cents >= 0)
        .ok_or_else(|| Problem::invalid("amount_in_cents", format_args!("{amount} is not a number of cents")))
}
