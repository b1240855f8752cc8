//! A PostgreSQL that answers.

use super::PROGRAM;
use super::cluster::Cluster;
use super::declared::Plan;
use super::server::Server;
use super::state::States;
use crate::programs::program_for;
use crate::service::{RaiseCx, RaiseError, Running, StopHow, Upstream};
use crate::state::{Kept, Restored, StateError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use seam_launch::{Running as Process, WatcherGone};
use std::any::Any;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a stopped server may take to answer again: it replays its log of changes first.
const RESTART_LIMIT: Duration = Duration::from_secs(30);

/// A PostgreSQL that answers.
pub struct Postgres {
    server: Server,
    states: States,
    detail: String,
    process: Mutex<Process>,
}

/// Prepares a data directory, or copies the prepared one, and starts a server on it.
pub(super) async fn raise(plan: &Plan, cx: &RaiseCx) -> Result<Postgres, RaiseError> {
    let (program, cx) = program_for(&PROGRAM, plan.program.as_deref(), &plan.requirement, cx).await?;
    let cx = &cx;
    let detail =
        format!("{} {} {} ({})", PROGRAM.title, program.version, program.origin, program.path.display());
    let sockets = cx.places.socket_folder(cx.run.as_str(), cx.component.as_str(), ".s.PGSQL.5432.lock");
    let sockets = sockets.map_err(RaiseError::files("make", &cx.places.sockets))?;
    cx.watcher.remove_at_end(&cx.places.sockets.join(cx.run.as_str())).await?;
    let cluster = Cluster::new(cx, plan, &program)?;
    let data = cluster.copy().await?;
    let mut server = Server::new(cx, plan, program.clone(), data, sockets);
    let process = match server.start(cx.deadline).await {
        // What was prepared may be damaged in a way that its size does not show; once is tried without it.
        Err(RaiseError::Died { .. }) if plan.settings.is_empty() => {
            cluster.discard();
            // Where there is less room now, it would be another folder; the server is told of one.
            server.data = cluster.copy().await?;
            server.start(cx.deadline).await?
        }
        started => started?,
    };
    let states = States::new(server.clone(), cx.places.clone());
    Ok(Postgres { server, states, detail, process: Mutex::new(process) })
}

impl Postgres {
    fn living(&self) -> Process {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Running for Postgres {
    fn upstream(&self, _endpoint: &str) -> Upstream {
        Upstream::Unix(self.server.socket())
    }

    fn detail(&self) -> String {
        self.detail.clone()
    }

    fn process(&self) -> Option<Process> {
        Some(self.living())
    }

    fn keep(&self) -> BoxFuture<'_, Result<Kept, StateError>> {
        self.states.keep().boxed()
    }

    fn restore<'a>(&'a self, kept: &'a Kept) -> BoxFuture<'a, Result<Restored, StateError>> {
        self.states.restore(kept).boxed()
    }

    fn stop(&self, how: StopHow) -> BoxFuture<'_, Result<(), WatcherGone>> {
        async move { self.server.stop(&self.living(), how).await }.boxed()
    }

    fn start(&self) -> BoxFuture<'_, Result<(), RaiseError>> {
        async move {
            if self.living().exit().is_none() {
                return Ok(());
            }
            let process = self.server.start(Instant::now() + RESTART_LIMIT).await?;
            *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
            Ok(())
        }
        .boxed()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
