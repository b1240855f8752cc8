//! A component's own PostgreSQL database, through a pool.

use crate::config;
use crate::server::{Fatal, Readiness};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use std::time::Duration;
use tokio_postgres::NoTls;

const PATIENCE: Duration = Duration::from_secs(2);

/// A pool of connections to one database.
#[derive(Clone, Debug)]
pub struct Database(Pool);

impl Database {
    /// The database whose address stands in `DATABASE_URL`; the program's health waits for its first connection.
    pub fn from_env(readiness: &Readiness) -> Result<Self, Fatal> {
        let url = config::required("DATABASE_URL")?;
        let mut settings: tokio_postgres::Config =
            url.parse().map_err(|error| format!("DATABASE_URL cannot be read: {error}"))?;
        settings.connect_timeout(PATIENCE);
        let manager =
            Manager::from_config(settings, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(5)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()?;
        let database = Self(pool);
        let probed = database.clone();
        readiness.needs("database", move || {
            let probed = probed.clone();
            async move { probed.connection().await.map(drop) }
        });
        Ok(database)
    }

    /// A connection, to be given back by dropping it.
    pub async fn connection(&self) -> Result<Object, PoolError> {
        self.0.get().await
    }
}
