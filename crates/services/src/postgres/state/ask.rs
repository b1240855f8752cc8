//! Asks a server several things in one round trip, and says what went wrong.

use crate::postgres::server::{self, Server};
use crate::state::StateError;
use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use std::time::Duration;
use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};

/// How long signing in may take.
const SIGN_IN: Duration = Duration::from_secs(10);

/// What a session of ours needs so that texts are the same everywhere: settings of a database or a role would
/// otherwise reach us too. A name is written with its schema, since only the catalogue is searched.
const SESSION: &str = "\
    set search_path = pg_catalog; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set timezone = 'UTC'; \
    set bytea_output = 'hex'; set extra_float_digits = 1; set lc_monetary = 'C'; set xmloption = 'content'; \
    set default_transaction_read_only = off; set default_transaction_isolation = 'read committed'; \
    set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; \
    set client_min_messages = 'error'; set session_replication_role = 'replica'; set jit = off";

/// What each statement of a batch gave.
pub(super) struct Answers(std::vec::IntoIter<(Vec<SimpleQueryRow>, u64)>);

/// Signs in as ourselves, for work on state.
pub(super) async fn sign_in(server: &Server, database: &str) -> Result<Client, StateError> {
    let what = || format!("the database {database}");
    let Ok(connected) = tokio::time::timeout(SIGN_IN, server.connect(database)).await else {
        return Err(StateError::Late { what: format!("signing in to {}", what()), limit: SIGN_IN });
    };
    let unreachable = |source| StateError::Unreachable { what: what(), source: Box::new(source) };
    let client = connected.map_err(unreachable)?;
    client.batch_execute(SESSION).await.map_err(trouble("prepare a session"))?;
    Ok(client)
}

/// Runs statements, separated by semicolons, in one round trip.
pub(super) async fn ask(client: &Client, statements: &str) -> Result<Answers, Error> {
    let mut answers = Vec::new();
    let mut rows = Vec::new();
    for message in client.simple_query(statements).await? {
        match message {
            SimpleQueryMessage::Row(row) => rows.push(row),
            SimpleQueryMessage::CommandComplete(n) => answers.push((std::mem::take(&mut rows), n)),
            // The description of the rows, which we know, as we asked for them.
            _ => {}
        }
    }
    Ok(Answers(answers.into_iter()))
}

/// Copies rows as the server writes them from one session to another; gives how many bytes there were.
pub(super) async fn pipe(from: &Client, out: &str, to: &Client, into: &str) -> Result<(), Error> {
    let rows = from.copy_out(out).await?;
    let sink = to.copy_in::<_, Bytes>(into).await?;
    let (mut rows, mut sink) = (std::pin::pin!(rows), std::pin::pin!(sink));
    while let Some(row) = rows.try_next().await? {
        sink.feed(row).await?;
    }
    sink.finish().await.map(|_| ())
}

/// All rows as the server writes them.
pub(super) async fn fetch(from: &Client, out: &str) -> Result<Vec<Bytes>, Error> {
    from.copy_out(out).await?.try_collect().await
}

/// Sends rows that were fetched.
pub(super) async fn send(rows: &[Bytes], to: &Client, into: &str) -> Result<(), Error> {
    let sink = to.copy_in::<_, Bytes>(into).await?;
    let mut sink = std::pin::pin!(sink);
    for row in rows {
        sink.feed(row.clone()).await?;
    }
    sink.finish().await.map(|_| ())
}

impl Answers {
    /// The rows of the next statement.
    pub(super) fn next(&mut self) -> Vec<SimpleQueryRow> {
        self.0.next().unwrap_or_default().0
    }

    /// How many rows the next statement was about.
    pub(super) fn count(&mut self) -> u64 {
        self.0.next().unwrap_or_default().1
    }

    /// The only row of the next statement as text in its first column; empty where there is none.
    pub(super) fn value(&mut self) -> String {
        self.next().first().map(|row| text(row, 0)).unwrap_or_default()
    }
}

/// A column as text; null is empty.
pub(super) fn text(row: &SimpleQueryRow, column: usize) -> String {
    row.try_get(column).ok().flatten().unwrap_or_default().to_owned()
}

/// A column as a number; what is none is 0, which none of our questions gives.
pub(super) fn number<N: std::str::FromStr + Default>(row: &SimpleQueryRow, column: usize) -> N {
    row.try_get(column).ok().flatten().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A column as `true` or `false`.
pub(super) fn flag(row: &SimpleQueryRow, column: usize) -> bool {
    row.try_get(column).ok().flatten() == Some("t")
}

/// What went wrong while doing `what`.
pub(super) fn trouble(what: impl Into<String>) -> impl FnOnce(Error) -> StateError {
    let what = what.into();
    move |source| {
        let said = server::reason(&source);
        if source.is_closed() {
            StateError::Unreachable { what: format!("the server ({what})"), source: Box::new(source) }
        } else {
            StateError::Refused { what: format!("{what}: {said}"), source: Box::new(source) }
        }
    }
}
