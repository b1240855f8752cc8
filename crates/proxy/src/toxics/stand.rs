//! The listener of a proxy with toxics: takes clients, dials its server for each, and passes bytes through toxics.

use super::chain::Chains;
use super::pass::pass;
use crate::reach::{DIAL, connect};
use crate::socket::Socket;
use seam_expr::Chance;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// How many bytes came to a proxy and went on from it, each way, since it was made.
#[derive(Debug, Default)]
pub struct Counters {
    /// Read from clients.
    pub received_upstream: AtomicU64,
    /// Written to the server.
    pub sent_upstream: AtomicU64,
    /// Read from the server.
    pub received_downstream: AtomicU64,
    /// Written to clients.
    pub sent_downstream: AtomicU64,
}

/// A proxy with toxics while it listens.
#[derive(Debug)]
pub struct ToxicStand {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl ToxicStand {
    /// Listens there, and leads to a server by its name and port, which is looked up for each connection.
    pub fn listen(
        address: SocketAddr,
        server: (String, u16),
        chains: watch::Receiver<Chains>,
        (counters, chance): (Arc<Counters>, Arc<Chance>),
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let serving = Serving { listener, server: Arc::new(server), chains, counters, chance };
        Ok(Self { address, stop, serving: tokio::spawn(serving.serve(stopped)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and closes all connections; both are so when this comes back.
    pub async fn close(self) {
        drop(self.stop);
        // A task that has panicked has closed all the same.
        let _ = self.serving.await;
    }
}

struct Serving {
    listener: TcpListener,
    server: Arc<(String, u16)>,
    chains: watch::Receiver<Chains>,
    counters: Arc<Counters>,
    chance: Arc<Chance>,
}

impl Serving {
    async fn serve(self, mut stopped: oneshot::Receiver<()>) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                Some(_) = open.join_next(), if !open.is_empty() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((client, _)) => {
                        open.spawn(self.connection(client));
                    }
                    // Out of file descriptors, or the client is gone already: the next may do better.
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        }
        drop(self.listener);
        open.shutdown().await;
    }

    fn connection(&self, client: TcpStream) -> impl Future<Output = ()> + use<> {
        let (server, chains) = (Arc::clone(&self.server), self.chains.clone());
        let (counters, chance) = (Arc::clone(&self.counters), Arc::clone(&self.chance));
        async move {
            let _ = client.set_nodelay(true);
            // A client of a server that can't be reached is sent away in order, as Toxiproxy does it.
            let Ok(server) = connect(&server.0, server.1, DIAL).await else { return };
            pass((Socket::Tcp(client), Socket::Tcp(server)), chains, (&counters, chance)).await;
        }
    }
}
