//! A component's own PostgreSQL database, through a pool that tests a connection before it is used again.

use crate::config;
use crate::problem::Problem;
use crate::server::{Fatal, Readiness};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use std::time::Duration;
use tokio_postgres::NoTls;

/// A pool of connections to one database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool,
    /// How long a connection, or a piece of work on one, may take.
    patience: Duration,
}

impl Database {
    /// The database whose address stands in `DATABASE_URL`; the program's health waits for its first connection.
    pub fn from_env(readiness: &Readiness) -> Result<Self, Fatal> {
        let url = config::required("DATABASE_URL")?;
        let mut settings: tokio_postgres::Config =
            url.parse().map_err(|error| format!("DATABASE_URL cannot be read: {error}"))?;
        let patience = config::duration("DATABASE_TIMEOUT", Duration::from_secs(2))?;
        settings.connect_timeout(patience);
        let manager = Manager::from_config(
            settings,
            NoTls,
            ManagerConfig { recycling_method: RecyclingMethod::Verified },
        );
        let pool = Pool::builder(manager)
            .max_size(5)
            .wait_timeout(Some(patience))
            .create_timeout(Some(patience))
            .recycle_timeout(Some(patience))
            .runtime(Runtime::Tokio1)
            .build()?;
        let database = Self { pool, patience };
        let probed = database.clone();
        readiness.needs("database", move || {
            let probed = probed.clone();
            async move { probed.connection().await.map(drop) }
        });
        Ok(database)
    }

    /// A connection, to be given back by dropping it.
    pub async fn connection(&self) -> Result<Object, PoolError> {
        self.pool.get().await
    }

    /// Does some work on the database, but not for ever: a connection that hangs is given up with the work.
    pub async fn in_time<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let late = || Problem::try_again(503, "database_timeout", "the database did not answer in time");
        tokio::time::timeout(self.patience, work).await.unwrap_or_else(|_| Err(late()))
    }
}
