//! A way to a component of ours that listens with TLS, for Seamwork's own few requests: whether it is ready, and that it
//! is to forget. They are no part of any test, so they go through no seam.

use super::ProviderTls;
use super::provider::why_not;
use crate::reach::ExternalError;
use socket2::SockRef;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Nothing that is asked through a tunnel takes longer.
const WITHIN: Duration = Duration::from_secs(30);

/// Plain connections on loopback that go on over TLS. All end with it.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    trouble: Arc<Mutex<Option<ExternalError>>>,
    _passing: JoinSet<()>,
}

impl Tunnel {
    /// Opens one to a component's own address, on the runtime that this is called on.
    pub async fn open(to: SocketAddr, tls: &Arc<ProviderTls>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let tls = Arc::clone(tls);
        let mut passing = JoinSet::new();
        let trouble = Arc::new(Mutex::new(None));
        let told = Arc::clone(&trouble);
        passing.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((plain, _)) = listener.accept().await {
                while open.try_join_next().is_some() {}
                let (tls, told) = (Arc::clone(&tls), Arc::clone(&told));
                open.spawn(async move {
                    let passed = tokio::time::timeout(WITHIN, pass(plain, to, &tls)).await;
                    let why = passed.ok().and_then(Result::err);
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = why;
                });
            }
        });
        Ok(Self { address, trouble, _passing: passing })
    }

    /// Why TLS came to nothing, the last time that it was tried; whoever asks only sees that the connection ended.
    pub fn take_trouble(&self) -> Option<ExternalError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Passes one connection. What goes wrong once there is TLS is seen by whoever asks.
async fn pass(mut plain: TcpStream, to: SocketAddr, tls: &ProviderTls) -> Result<(), ExternalError> {
    let (config, name) = tls.for_requests();
    // One that does not listen yet is told by whoever waits for it.
    let Ok(stream) = TcpStream::connect(to).await else { return Ok(()) };
    let mut secure = TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        // Whether that was read which is asked or not, whoever asks is told the same.
        let _ = SockRef::from(&plain).set_linger(Some(Duration::ZERO));
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let (reason, hint) = match inner {
            Some(inner) => why_not(inner, &tls.name()),
            None => (format!("did not come to TLS: {error}"), None),
        };
        ExternalError::NoTls { reason, hint }
    })?;
    let _ = tokio::io::copy_bidirectional(&mut plain, &mut secure).await;
    Ok(())
}
