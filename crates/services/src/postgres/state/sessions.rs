//! Who still holds a transaction open when nobody should: named, and ended.
//!
//! Quiet was reached before we are called, so whoever is in a transaction has forgotten it: a connection that was not
//! given back, a test that never committed. A session that runs a statement is let be unless it writes or holds locks
//! that writing needs: it may wait for a notice or a lock of its own, as a leader does.

use super::ask::{Answers, ask, flag, number, text, trouble};
use crate::postgres::seed::literal;
use crate::postgres::{ADMIN, OUR_DATABASES};
use crate::state::{HeldOpen, StateError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::{Client, SimpleQueryRow};

/// How long a client may let a transaction lie between two statements. One that works at it is faster even on a
/// machine that has much to do, and the system has been quiet for some of it already.
const IDLE_GRACE: Duration = Duration::from_millis(200);

/// How long a statement that writes may go on.
const ACTIVE_GRACE: Duration = Duration::from_secs(1);

/// How long a transaction may go on that works all the time.
const WORKING_GRACE: Duration = Duration::from_secs(5);

/// How long it may take until all is quiet.
const LIMIT: Duration = Duration::from_secs(15);

/// How often we look.
const POLL: Duration = Duration::from_millis(2);

/// How the server stands, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The number that the next transaction that writes will have.
    pub(super) next: u64,
    /// When the server was started, as it says it.
    pub(super) started: String,
    /// Databases of users, by name, with their numbers.
    pub(super) databases: Vec<(String, u32)>,
    /// Is a transaction that writes still under way?
    writing: bool,
    sessions: Vec<Session>,
    /// Transactions that were prepared and neither committed nor rolled back: name, and who they are.
    prepared: Vec<(String, HeldOpen)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Session {
    held: HeldOpen,
    /// Since when it does what it does.
    since: Duration,
    /// Does it run a statement?
    active: bool,
    /// Has it written, or does it hold locks that keep others from writing?
    writes: bool,
}

/// All is quiet.
pub(super) struct Quiet {
    pub(super) look: Look,
    /// Whose sessions were ended for it.
    pub(super) ended: Vec<HeldOpen>,
    /// Transactions that were prepared and left: database and name. They end from within their database.
    pub(super) prepared: Vec<(String, String)>,
}

/// What makes [`Look`]: one round trip of a third of a millisecond.
fn question() -> String {
    format!(
        "select txid_snapshot_xmax(s)::text, txid_snapshot_xmin(s) <> txid_snapshot_xmax(s), \
                extract(epoch from pg_postmaster_start_time())::text \
           from txid_current_snapshot() s; \
         select datname, oid from pg_database \
          where datallowconn and not datistemplate and not starts_with(datname, '{OUR_DATABASES}'); \
         select pid, coalesce(datname, ''), application_name, coalesce(usename, ''), \
                extract(epoch from clock_timestamp() - xact_start)::float8, state, query, \
                state not like 'idle%', \
                backend_xid is not null or exists (select from pg_locks l where l.pid = a.pid and l.granted \
                  and l.locktype = 'relation' and l.mode not in ('AccessShareLock', 'RowShareLock')), \
                extract(epoch from clock_timestamp() - state_change)::float8 \
           from pg_stat_activity a \
          where xact_start is not null and state is not null and backend_type = 'client backend' \
            and usename is distinct from {} and pid <> pg_backend_pid(); \
         select gid, database, owner, extract(epoch from clock_timestamp() - prepared)::float8 \
           from pg_prepared_xacts",
        literal(ADMIN)
    )
}

impl Look {
    pub(super) async fn take(client: &Client) -> Result<Self, StateError> {
        let mut answers = ask(client, &question()).await.map_err(trouble("look at the sessions"))?;
        Ok(Self::read(&mut answers))
    }

    fn read(answers: &mut Answers) -> Self {
        let snapshot = answers.next();
        let first = snapshot.first();
        Self {
            next: first.map(|row| number(row, 0)).unwrap_or_default(),
            writing: first.is_some_and(|row| flag(row, 1)),
            started: first.map(|row| text(row, 2)).unwrap_or_default(),
            databases: answers.next().iter().map(|row| (text(row, 0), number(row, 1))).collect(),
            sessions: answers.next().iter().map(Session::read).collect(),
            prepared: answers.next().iter().map(|row| (text(row, 0), prepared(row))).collect(),
        }
    }

    /// Those that keep it from being quiet.
    fn in_the_way(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.writes || !session.active)
    }
}

impl Session {
    fn read(row: &SimpleQueryRow) -> Self {
        let held = HeldOpen {
            database: text(row, 1),
            application: text(row, 2),
            user: text(row, 3),
            session: number(row, 0),
            open_for: seconds(row, 4),
            what: text(row, 5),
            query: text(row, 6),
        };
        Self { held, active: flag(row, 7), writes: flag(row, 8), since: seconds(row, 9) }
    }

    /// Has it had its time? `waited` is for how long we have asked for quiet.
    fn is_over(&self, waited: Duration) -> bool {
        let grace = if self.active { ACTIVE_GRACE } else { IDLE_GRACE };
        self.since >= grace || (waited >= WORKING_GRACE && self.held.open_for >= WORKING_GRACE)
    }
}

fn prepared(row: &SimpleQueryRow) -> HeldOpen {
    HeldOpen {
        database: text(row, 1),
        application: String::new(),
        user: text(row, 2),
        session: 0,
        open_for: seconds(row, 3),
        what: "prepared transaction".to_owned(),
        query: text(row, 0),
    }
}

fn seconds(row: &SimpleQueryRow, column: usize) -> Duration {
    // Clocks may go back, and then so do ages.
    Duration::try_from_secs_f64(number::<f64>(row, column).max(0.0)).unwrap_or_default()
}

/// Waits until no transaction is open, and ends those that stay so.
pub(super) async fn make_quiet(client: &Client) -> Result<Quiet, StateError> {
    let began = Instant::now();
    let mut ended: Vec<HeldOpen> = Vec::new();
    loop {
        let look = Look::take(client).await?;
        let waited = began.elapsed();
        // A prepared transaction counts as one that writes, and is nobody's session.
        if look.in_the_way().next().is_none() && (!look.writing || !look.prepared.is_empty()) {
            ended.extend(look.prepared.iter().map(|(_, held)| held.clone()));
            let prepared = look.prepared.iter().map(|(name, held)| (held.database.clone(), name.clone()));
            return Ok(Quiet { prepared: prepared.collect(), ended, look });
        }
        let over: Vec<&HeldOpen> = look
            .in_the_way()
            .filter(|session| session.is_over(waited))
            .map(|session| &session.held)
            .collect();
        end(client, over.iter().map(|held| held.session)).await?;
        for held in over {
            if !ended.iter().any(|known| known.session == held.session) {
                ended.push(held.clone());
            }
        }
        if waited >= LIMIT {
            return Err(StateError::Late { what: "ending open transactions".to_owned(), limit: LIMIT });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Ends sessions; they are gone a moment later.
pub(super) async fn end(client: &Client, sessions: impl Iterator<Item = i32>) -> Result<(), StateError> {
    let list: Vec<String> = sessions.map(|session| session.to_string()).collect();
    if list.is_empty() {
        return Ok(());
    }
    let statement = format!("select pg_terminate_backend(pid) from unnest(array[{}]) pid", list.join(","));
    ask(client, &statement).await.map_err(trouble("end sessions")).map(|_| ())
}

/// Ends all sessions of a database, and comes back when they are gone.
pub(super) async fn end_all(client: &Client, database: &str) -> Result<(), StateError> {
    let began = Instant::now();
    let statement = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = {} and pid <> pg_backend_pid()",
        literal(database)
    );
    while !ask(client, &statement).await.map_err(trouble("end sessions"))?.next().is_empty() {
        if began.elapsed() >= LIMIT {
            return Err(StateError::Late {
                what: format!("ending the sessions of {database}"),
                limit: LIMIT,
            });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Who holds locks on relations of this database that keep us from writing to them.
pub(super) async fn holders(client: &Client, relations: &[u32]) -> Result<Vec<HeldOpen>, StateError> {
    let list: Vec<String> = relations.iter().map(u32::to_string).collect();
    let statement = format!(
        "select distinct a.pid, coalesce(datname, ''), application_name, coalesce(usename, backend_type), \
                extract(epoch from clock_timestamp() - xact_start)::float8, \
                coalesce(state, backend_type), query, false, true, 0 \
           from pg_locks l join pg_stat_activity a using (pid) \
          where l.granted and l.locktype in ('relation', 'tuple', 'transactionid') \
            and usename is distinct from {} \
            and (l.relation in ({}) or l.mode = 'ExclusiveLock') and l.pid <> pg_backend_pid()",
        literal(ADMIN),
        if list.is_empty() { "0".to_owned() } else { list.join(",") },
    );
    let mut answers = ask(client, &statement).await.map_err(trouble("look who holds locks"))?;
    Ok(answers.next().iter().map(|row| Session::read(row).held).collect())
}
