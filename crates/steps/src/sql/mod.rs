//! `sql: pg.orders`: statements in a database, over the test's own seam.

mod mysql;
mod scan;
mod session;
mod statement;
mod typed;

use mysql::Session as MysqlSession;
use session::Session as PostgresSession;

use crate::action::{Action, StepContext, Target, Trouble, Unsaid};
use crate::answered::{unsaid_refusal, words};
use crate::kind::{Kind, Reading};
use crate::login::{Login, login};
use crate::subject::{self, Subject};
use futures_util::future::BoxFuture;
use seam_diag::Diagnostic;
use seam_event::InteractionError;
use seam_expr::NameUse;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::Value;
use session::{Bound, Code, Halt, Outcome, ServerError};
use statement::Query;
use std::time::Duration;
use tokio::time::{timeout, timeout_at};

/// The kind.
pub(crate) struct SqlStep;

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Dialect {
    #[default]
    Postgres,
    Mysql,
}

/// An open session with a database.
pub(crate) enum Session {
    Postgres(Box<PostgresSession>),
    Mysql(Box<MysqlSession>),
}

/// How long the server may take to be told that nobody waits for it any more.
const CANCEL_LIMIT: Duration = Duration::from_millis(500);

static WORD: Word = Word {
    text: "Runs statements in a database. A variable is passed as a bound parameter, never pasted, and fits a column of \
           any type: a text becomes a date, a number or an id as the column wants it, a list an array, and a map, a list or a \
           text that holds one becomes JSON. In quotes it is a mistake. Several statements, divided by `;`, are one transaction: an error undoes \
           all of them. `begin` in one step and `commit` in a later one of the same actor works too. Between `$$` and `$$` \
           the text is SQL's own.\n\n\
           numeric and bigint come as numbers with all their digits, timestamptz as RFC 3339 in UTC, json decoded, bytea in \
           base64, arrays as lists, everything else as the server writes it.\n\n\
           MySQL and MariaDB are asked as well, with values as an interaction shows them; what is no text comes as `{ base64: … \
           }`. Where the component's address says no user it is `root`. There a statement that defines something ends the transaction, and text stands between either sort of \
           quotes.\n\n\
           An error fails the step, unless it expects something at `error`.",
    subject: Shape::Component,
    fields: &[Field::required("query", Shape::Text, "the statements, with variables where values stand")],
    results: &[
        Field::optional(
            "rows",
            Shape::List(&Shape::MapOf(&Shape::Any)),
            "the rows in order, each a map by column; of several statements, those of the last one that gives rows",
        ),
        Field::optional("count", Shape::Integer, "how many rows there are"),
        Field::optional(
            "affected",
            Shape::Integer,
            "how many rows were inserted, changed and deleted, in all",
        ),
        Field::optional(
            "insert_id",
            Shape::Integer,
            "MySQL: the number that was given to a new row; else null",
        ),
        Field::optional(
            "statements",
            Shape::List(&Shape::Fields(&[
                Field::optional("rows", Shape::List(&Shape::MapOf(&Shape::Any)), "its rows"),
                Field::optional("count", Shape::Integer, "how many rows it gave"),
                Field::optional("affected", Shape::Integer, "how many rows it changed"),
            ])),
            "what each statement gave",
        ),
        Field::optional(
            "error",
            Shape::Fields(&[
                Field::optional(
                    "code",
                    Shape::Any,
                    "the server's code, `\"23505\"`, of MySQL a number, `1062`; or `refused`, `reset`, `closed`, `timeout`",
                ),
                Field::optional("state", Shape::Text, "MySQL: the state of the standard, `23000`; else null"),
                Field::optional("message", Shape::Text, "what the server says"),
                Field::optional("constraint", Shape::Text, "the constraint that was broken; else null"),
                Field::optional("detail", Shape::Text, "what else the server says; else null"),
                Field::optional("hint", Shape::Text, "what the server advises; else null"),
                Field::optional("table", Shape::Text, "the table it is about; else null"),
                Field::optional("column", Shape::Text, "the column it is about; else null"),
            ]),
            "why it failed; null where it did not",
        ),
    ],
    example: "\
- sql: pg.orders
  query: select state, quantity from orders where id = $order
  expect:
    rows: [{ state: paid, quantity: 1 }]
- name: An order's id is its own
  sql: pg.orders
  query: insert into orders (id, state) values ($order, 'new')
  expect: { error.code: \"23505\" }
",
    ..Word::new("sql", "runs statements in a database")
};

struct Sql {
    subject: Subject,
    dialect: Dialect,
    query: Query,
}

impl Kind for SqlStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `sql` step");
        let query = fields.require("query", reading.found);
        fields.finish(reading.found);
        let text = subject::text(&step.subject, "pg.orders", reading)?;
        let subject = subject::speaking_one_of(&["postgres", "mysql"], text, step.subject.span, reading);
        let spoken =
            subject.as_ref().and_then(|known| reading.system.protocol(&known.component, &known.endpoint));
        let dialect = if spoken == Some("mysql") { Dialect::Mysql } else { Dialect::Postgres };
        let query = query?;
        if query.as_text().is_none() {
            let label = format!("this is {}", query.kind_name());
            reading.found.push(Diagnostic::error("`query` must be a text").at(query.span, label));
            return None;
        }
        let query = Query::read(query, dialect, reading.found);
        Some(Box::new(Sql { subject: subject?, dialect, query: query? }))
    }
}

impl Action for Sql {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.query.uses(&mut uses);
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.subject.target()]
    }

    fn only_reads(&self) -> bool {
        self.query.only_reads()
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        unsaid_refusal(result, &["detail", "hint"])
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let statements = self.query.bound(cx)?;
            match self.ask(&statements, cx).await? {
                Ok(outcomes) => Ok(result(outcomes)),
                Err(Halt::Server(error)) => Ok(failure(server_error(&error))),
                Err(Halt::Lost(why)) => Ok(failure(lost(why))),
                Err(Halt::Unusable(reason)) => Err(Trouble::errored(reason)),
            }
        })
    }
}

impl Sql {
    /// Runs the statements in the actor's session, which is opened where there is none.
    async fn ask(
        &self,
        statements: &[Bound],
        cx: &StepContext<'_>,
    ) -> Result<Result<Vec<Outcome>, Halt>, Trouble> {
        let name = self.subject.name();
        let free = cx.actor.sql.take(&name).filter(Session::is_fresh);
        let login = login(&self.subject, cx)?;
        let mut session = if let Some(session) = free {
            session
        } else {
            match timeout_at(cx.deadline, Session::open(self.dialect, &login)).await {
                Ok(Ok(session)) => session,
                Ok(Err(halt)) => return Ok(Err(halt)),
                Err(_) => return Ok(Err(Halt::Lost(InteractionError::Timeout))),
            }
        };
        let Ok(done) = timeout_at(cx.deadline, session.run(statements)).await else {
            // Or it would go on, with its locks, into the next test.
            let _ = timeout(CANCEL_LIMIT, session.cancel(&login)).await;
            return Ok(Err(Halt::Lost(InteractionError::Timeout)));
        };
        // Where an answer could not be used nobody knows where the session stands, nor in which transaction: it ends.
        if !matches!(done, Err(Halt::Lost(_) | Halt::Unusable(_))) {
            cx.actor.sql.put(name, session);
        }
        Ok(done)
    }
}

impl Session {
    /// Connects and logs in.
    async fn open(dialect: Dialect, login: &Login) -> Result<Self, Halt> {
        Ok(match dialect {
            Dialect::Postgres => Self::Postgres(Box::new(PostgresSession::open(login).await?)),
            Dialect::Mysql => Self::Mysql(Box::new(MysqlSession::open(login).await?)),
        })
    }

    fn is_fresh(&self) -> bool {
        match self {
            Self::Postgres(session) => session.is_fresh(),
            Self::Mysql(session) => session.is_fresh(),
        }
    }

    async fn run(&mut self, statements: &[Bound]) -> Result<Vec<Outcome>, Halt> {
        match self {
            Self::Postgres(session) => session.run(statements).await,
            Self::Mysql(session) => session.run(statements).await,
        }
    }

    /// Asks the server to give up what it is doing.
    async fn cancel(&mut self, login: &Login) {
        // A server that can't be asked has given up anyway.
        let _ = match self {
            Self::Postgres(session) => session.cancel().await,
            Self::Mysql(session) => session.cancel(login).await,
        };
    }
}

fn result(outcomes: Vec<Outcome>) -> Value {
    let affected: u64 = outcomes.iter().map(|outcome| outcome.affected).sum();
    let insert_id = outcomes.iter().rev().find_map(|outcome| outcome.insert_id);
    let rows = outcomes.iter().rev().find_map(|outcome| outcome.rows.clone()).unwrap_or_default();
    let statement = |outcome: Outcome| {
        let rows = outcome.rows.unwrap_or_default();
        Value::map([
            ("count", Value::from(rows.len())),
            ("rows", Value::List(rows)),
            ("affected", Value::from(outcome.affected)),
        ])
    };
    Value::map([
        ("count", Value::from(rows.len())),
        ("rows", Value::List(rows)),
        ("affected", Value::from(affected)),
        ("insert_id", Value::from(insert_id)),
        ("statements", Value::List(outcomes.into_iter().map(statement).collect())),
        ("error", Value::Null),
    ])
}

fn failure(error: Value) -> Value {
    Value::map([
        ("count", Value::Null),
        ("rows", Value::Null),
        ("affected", Value::Null),
        ("insert_id", Value::Null),
        ("statements", Value::Null),
        ("error", error),
    ])
}

fn server_error(error: &ServerError) -> Value {
    Value::map([
        ("code", error.code.to_value()),
        ("state", Value::from(error.state.clone())),
        ("message", Value::text(&error.message)),
        ("constraint", Value::from(error.constraint.clone())),
        ("detail", Value::from(error.detail.clone())),
        ("hint", Value::from(error.hint.clone())),
        ("table", Value::from(error.table.clone())),
        ("column", Value::from(error.column.clone())),
    ])
}

fn lost(why: InteractionError) -> Value {
    server_error(&ServerError {
        code: Code::Text(why.name().to_owned()),
        message: words(why).to_owned(),
        ..ServerError::default()
    })
}

#[cfg(test)]
mod tests;
