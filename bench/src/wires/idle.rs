//! What connections cost that are open and say nothing: memory of whoever stands between.

use super::question::{Asker, HTTP};
use super::rivals::{Rival, all};
use crate::ground::Ground;
use crate::machine::{raise_file_limit, resident_of_tree};
use crate::numbers::count;
use crate::parts::{Process, Upstream};
use crate::row::Row;

/// So many are opened where the machine lets a process have twice as many files open, as whoever stands between needs.
const N_CONNECTIONS: usize = 10_000;

/// Memory for each of many connections, each of which has asked once.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    let n_files = usize::try_from(raise_file_limit()).unwrap_or(usize::MAX);
    let n_connections = N_CONNECTIONS.min(n_files.saturating_sub(1_000) / 2);
    let server = Process::start(&["hyper"])?;
    let (rivals, _) = all(ground, "http", &Upstream::Tcp(server.address))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut floor = None;
    let mut rows = Vec::new();
    for rival in rivals.iter().filter(|rival| !matches!(rival.name, "direct" | "epoll relay" | "haproxy")) {
        let kib = runtime.block_on(of_one(rival, n_connections))?;
        let row = Row::new(format!("idle connection, one of {n_connections}: {}", rival.name), kib, "KiB");
        rows.push(match floor {
            None => row,
            Some(floor) => row.over(floor),
        });
        floor = floor.or(Some(kib));
    }
    Ok(rows)
}

async fn of_one(rival: &Rival, n_connections: usize) -> Result<f64, String> {
    let process = rival.process.as_ref().map_or(0, Process::id);
    let before = resident_of_tree(process);
    let mut open = Vec::with_capacity(n_connections);
    for _ in 0..n_connections {
        let mut asker = Asker::dial(HTTP, &rival.address).await?;
        asker.ask().await?;
        open.push(asker);
    }
    let grown = resident_of_tree(process) - before;
    drop(open);
    Ok(grown * 1024.0 / count(n_connections))
}
