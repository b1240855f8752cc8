//! What connections cost that are open and say nothing: memory of whoever stands between.

use super::question::{Asker, HTTP};
use super::rivals::{Rival, all};
use crate::ground::Ground;
use crate::machine::{raise_file_limit, resident_of_tree};
use crate::numbers::count;
use crate::parts::{Process, Upstream};
use crate::row::Row;

const N_CONNECTIONS: usize = 10_000;

/// Memory for each of ten thousand connections, each of which has asked once.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Row>, String> {
    raise_file_limit();
    let server = Process::start(&["hyper"])?;
    let (rivals, _) = all(ground, "http", &Upstream::Tcp(server.address))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut floor = None;
    let mut rows = Vec::new();
    for rival in rivals.iter().filter(|rival| !matches!(rival.name, "direct" | "epoll relay")) {
        let kib = runtime.block_on(of_one(rival))?;
        let row = Row::new(format!("idle connection: {}", rival.name), kib, "KiB");
        rows.push(match floor {
            None => row,
            Some(floor) => row.over(floor),
        });
        floor = floor.or(Some(kib));
    }
    Ok(rows)
}

async fn of_one(rival: &Rival) -> Result<f64, String> {
    let process = rival.process.as_ref().map_or(0, Process::id);
    let before = resident_of_tree(process);
    let mut open = Vec::with_capacity(N_CONNECTIONS);
    for _ in 0..N_CONNECTIONS {
        let mut asker = Asker::dial(HTTP, &rival.address).await?;
        asker.ask().await?;
        open.push(asker);
    }
    let grown = resident_of_tree(process) - before;
    drop(open);
    Ok(grown * 1024.0 / count(N_CONNECTIONS))
}
