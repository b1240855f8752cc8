//! Opens connections to the external, with TLS where it wants that.

use super::trust::{client_config, distrust, wants_certificate};
use super::{GatewaySpec, Passing, Patience, Trust};
use crate::reach::{ExternalError, authority, connect};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, ProtocolVersion, SignatureScheme};
use socket2::{SockRef, Socket};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection to the external.
pub(super) type Stream = Box<dyn Duplex>;

/// Bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl Duplex for TcpStream {}
impl Duplex for EndsAnyhow {}

/// A fresh connection, and its socket, to ask the kernel about it.
pub(super) struct Dialled {
    pub(super) stream: Stream,
    pub(super) socket: Socket,
}

/// Opens connections to one external.
pub(super) struct Dialler {
    host: String,
    port: u16,
    /// Whom to trust, where TLS is wanted.
    trust: Option<Trust>,
    /// What it is shown.
    shown: Option<(PathBuf, PathBuf)>,
    passing: Passing,
    patience: Patience,
    /// Read when the first connection is opened: who is never asked needs no certificates.
    config: OnceCell<Arc<ClientConfig>>,
    /// One for all connections: who shows certificates by another resolver can't take up an earlier session.
    none_to_show: Arc<NoneToShow>,
}

/// What is spoken with an external over HTTP/2, and with it over HTTP/1.1.
const TWO: &[u8] = b"h2";
const ONE: &[u8] = b"http/1.1";

impl Dialler {
    pub(super) fn new(spec: &GatewaySpec) -> Self {
        Self {
            host: spec.host.clone(),
            port: spec.port,
            trust: spec.tls.then(|| spec.trust.clone()),
            shown: spec.shown.clone(),
            passing: spec.passing,
            patience: spec.patience,
            none_to_show: Arc::default(),
            config: OnceCell::new(),
        }
    }

    /// A new connection.
    pub(super) async fn dial(&self) -> Result<Dialled, ExternalError> {
        self.dial_for(if self.passing == Passing::Http { &[ONE] } else { &[] }).await
    }

    /// A new connection on which HTTP/2 is spoken. Without TLS nobody says whether it is.
    pub(super) async fn dial_two(&self) -> Result<Dialled, ExternalError> {
        self.dial_for(&[TWO]).await
    }

    async fn dial_for(&self, spoken: &[&[u8]]) -> Result<Dialled, ExternalError> {
        let connecting = connect(&self.host, self.port, self.patience.connect);
        let Some(trust) = &self.trust else {
            let stream = connecting.await?;
            return Ok(Dialled { socket: self.socket(&stream)?, stream: Box::new(stream) });
        };
        let config = self.config.get_or_try_init(|| self.read_config(trust.clone())).await?;
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = spoken.iter().map(|name| name.to_vec()).collect();
        if self.shown.is_none() {
            config.client_auth_cert_resolver = Arc::clone(&self.none_to_show) as Arc<dyn ResolvesClientCert>;
        }
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| self.no_tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let stream = connecting.await?;
        let socket = self.socket(&stream)?;
        let shaking_hands = connector.connect(name, stream);
        match timeout(self.patience.handshake, shaking_hands).await {
            Ok(Ok(stream)) if spoken == [TWO] && stream.get_ref().1.alpn_protocol() != Some(TWO) => {
                Err(ExternalError::NoHttp2)
            }
            Ok(Ok(stream)) => {
                // Before TLS 1.3 who wants a certificate says so within the handshake.
                let may_be_overtaken =
                    stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3);
                let asked = self.shown.is_none() && self.none_to_show.0.load(Ordering::Relaxed);
                let unshown_since = (may_be_overtaken && asked).then(Instant::now);
                Ok(Dialled { stream: Box::new(EndsAnyhow { stream, unshown_since }), socket })
            }
            Ok(Err(error)) => Err(self.no_tls(error)),
            Err(_) => Err(ExternalError::Slow {
                what: format!("TLS with {}", authority(&self.host, self.port)),
                within: self.patience.handshake,
            }),
        }
    }

    fn socket(&self, stream: &TcpStream) -> Result<Socket, ExternalError> {
        let authority = || authority(&self.host, self.port);
        let socket = SockRef::from(stream).try_clone();
        socket.map_err(|source| ExternalError::Unreachable { authority: authority(), source })
    }

    async fn read_config(&self, trust: Trust) -> Result<Arc<ClientConfig>, ExternalError> {
        let shown = self.shown.clone();
        let read = tokio::task::spawn_blocking(move || client_config(&trust, shown.as_ref())).await;
        read.unwrap_or_else(|error| Err(ExternalError::NoTrust { reason: error.to_string() }))
    }

    /// Why there is no TLS.
    fn no_tls(&self, source: io::Error) -> ExternalError {
        let authority = authority(&self.host, self.port);
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if inner.is_some_and(|inner| wants_certificate(&inner.to_string())) {
            return ExternalError::Unshown;
        }
        if matches!(inner, Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol))) {
            return ExternalError::NoHttp2;
        }
        match inner.and_then(|inner| distrust(inner, &self.host)) {
            Some((reason, hint)) => ExternalError::Certificate { authority, reason, hint },
            None => ExternalError::Tls { authority, source },
        }
    }
}

/// Whether it has asked for a certificate, of which there is none to show.
#[derive(Debug, Default)]
struct NoneToShow(AtomicBool);

impl ResolvesClientCert for NoneToShow {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// A connection with TLS whose end is an end, also where TLS was not told of it. Many servers only close their
/// socket; whether something is missing is seen from the length or the last chunk of a body.
pub(crate) struct EndsAnyhow {
    stream: TlsStream<TcpStream>,
    /// When it had asked for a certificate and got none; forgotten once it has said anything. In TLS 1.3 it says that
    /// it wants one when the handshake is over for us, and the reset that follows often overtakes that.
    unshown_since: Option<Instant>,
}

/// So soon after the handshake somebody resets who wanted to see a certificate.
const OVERTAKEN_WITHIN: Duration = Duration::from_secs(2);

impl EndsAnyhow {
    pub(crate) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self { stream, unshown_since: None }
    }

    /// A reset before its first word is the alert that was overtaken, where it has asked for a certificate.
    fn told(&self, error: io::Error) -> io::Error {
        let is_reset = matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
        );
        match self.unshown_since {
            Some(since) if is_reset && since.elapsed() <= OVERTAKEN_WITHIN => {
                let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
                io::Error::new(io::ErrorKind::InvalidData, alert)
            }
            _ => error,
        }
    }
}

impl AsyncRead for EndsAnyhow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n_before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.told(error))),
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > n_before {
                    self.unshown_since = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for EndsAnyhow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes).map_err(|error| self.told(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(|error| self.told(error))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces).map_err(|error| self.told(error))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
