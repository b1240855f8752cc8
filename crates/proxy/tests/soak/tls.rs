//! HTTP/1.1 within TLS, which ends at the seam and begins anew behind it.

use crate::certified::by_itself;
use crate::http::{Http, done, listen};
use crate::load::{Ask, Speaks};
use crate::servers::Server;
use crate::wire::Wire;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use seam_proxy::{Authority, Proxy};
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) struct HttpTls(Http);

/// Who vouches for the seam.
fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(&["server"]).unwrap())
}

fn connector() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority().certificate().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

impl Speaks for HttpTls {
    const SEAM: &'static str = "http";

    async fn serve() -> Option<Server> {
        Some(listen(Some(TlsAcceptor::from(by_itself()))).await)
    }

    fn prepare(proxy: &Proxy) {
        proxy.vouch(authority());
    }

    async fn open(stream: TcpStream, _: u64) -> io::Result<Self> {
        let stream = connector().connect(ServerName::try_from("server").unwrap(), stream).await?;
        Ok(Self(Http::over(Wire::new(stream))))
    }

    async fn ask(&mut self, asks: &[Ask]) -> io::Result<Vec<String>> {
        self.0.ask(asks).await
    }

    fn stub(payload: &str) -> Option<String> {
        Http::stub(payload)
    }

    async fn done(server: &Server) -> Option<Vec<u64>> {
        Some(done(server.address()))
    }
}
