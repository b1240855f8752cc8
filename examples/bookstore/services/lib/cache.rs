//! Redis over one connection that mends itself.

use crate::config;
use crate::server::{Fatal, Readiness};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use std::time::Duration;

/// The connection; cheap to clone, and shared by all requests.
pub type Store = ConnectionManager;

/// The Redis whose address stands in `REDIS_URL`; the program's health waits for its first answer.
pub fn from_env(readiness: &Readiness) -> Result<Store, Fatal> {
    let client = redis::Client::open(config::required("REDIS_URL")?)?;
    let patience = config::duration("REDIS_TIMEOUT", Duration::from_secs(1))?;
    let settings = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(patience))
        .set_response_timeout(Some(patience))
        .set_min_delay(Duration::from_millis(10))
        .set_number_of_retries(1);
    let store = ConnectionManager::new_lazy_with_config(client, settings)?;
    let probed = store.clone();
    readiness.needs("redis", move || {
        let mut probed = probed.clone();
        async move { redis::cmd("PING").query_async::<()>(&mut probed).await }
    });
    Ok(store)
}
