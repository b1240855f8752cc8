//! How TLS stands on one connection: what the consumer may be met with, what the provider is met with, and what goes
//! wrong on the way.
//!
//! ```text
//! consumer ══ TLS of the run's authority ══▶ seam ══ TLS of the provider's own ══▶ provider
//! ```
//! Each side comes to TLS by itself. Only where a consumer opens with TLS the provider is asked first, because what is
//! spoken over it (HTTP/1.1 or HTTP/2) is settled in the handshake.

use super::provider::{ProviderTls, why_not};
use super::socket::TlsSocket;
use super::{Encryption, SeamTls, SeenTls};
use crate::reach::ExternalError;
use crate::socket::Socket;
use rustix::net::{RecvFlags, recv};
use rustls::server::{Accepted, Acceptor};
use rustls::{AlertDescription, Connection, ServerConnection};
use seam_wire::{NoTls, Protocol, Turn, Upgrade, Urge};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a provider that speaks no TLS may take to say something that is none.
const PROBE: Duration = Duration::from_secs(2);

/// How TLS stands on one connection.
#[derive(Clone)]
pub(crate) struct Meeting {
    protocol: &'static dyn Protocol,
    /// With what TLS is spoken to the consumer; none where nobody vouches for the seam.
    encryption: Option<Arc<Encryption>>,
    /// How TLS is spoken to the provider; none where it is only spoken because the consumer does.
    declared: Option<Arc<ProviderTls>>,
    /// Is the consumer shown the provider's own certificate?
    is_presented: bool,
    /// Does the consumer speak TLS?
    speaks: Arc<AtomicBool>,
    /// Whether the provider speaks TLS, where it is asked for its consumer's sake.
    seen: Arc<SeenTls>,
    trouble: Trouble,
}

impl Meeting {
    pub(crate) fn new(
        protocol: &'static dyn Protocol,
        encryption: Option<Arc<Encryption>>,
        seam: &SeamTls,
    ) -> Self {
        let trouble = Trouble { told: Arc::default(), name: seam.provider.as_ref().map(|tls| tls.name()) };
        let encryption = encryption.map(|own| seam.presented.clone().unwrap_or(own));
        Self {
            protocol,
            encryption,
            declared: seam.provider.clone(),
            is_presented: seam.presented.is_some(),
            speaks: Arc::default(),
            seen: Arc::clone(&seam.seen),
            trouble,
        }
    }

    /// Can TLS be spoken to the consumer?
    pub(crate) fn can_encrypt(&self) -> bool {
        self.encryption.is_some()
    }

    /// Is TLS spoken to the provider as declared, while the consumer is shown another certificate? What a sign-in is bound to
    /// is not the same on both sides then.
    pub(crate) fn binds_otherwise(&self) -> bool {
        self.declared.is_some() && !self.is_presented
    }

    /// What went wrong with TLS, once.
    pub(crate) fn take_trouble(&self) -> Option<ExternalError> {
        self.trouble.lock().take()
    }

    /// The consumer's connection, as it was taken.
    pub(crate) fn consumer(&self, stream: TcpStream) -> Socket {
        let Some((upgrade, encryption)) = self.protocol.offers_tls().zip(self.encryption.clone()) else {
            return Socket::Tcp(stream);
        };
        let speaks = Arc::clone(&self.speaks);
        let begin = move |_: &Turn| {
            speaks.store(true, Ordering::SeqCst);
            ServerConnection::new(encryption.named(None)).map(Connection::from)
        };
        let (begin, trouble) = (Box::new(begin), self.trouble.of_another());
        Socket::Tls(TlsSocket::until(stream, upgrade, begin, trouble))
    }

    /// The provider's connection, as it came about.
    pub(crate) fn provider(&self, stream: TcpStream) -> Socket {
        let urge = match (&self.declared, &self.encryption) {
            (Some(_), _) if self.is_presented => Urge::Presented(Arc::clone(&self.speaks)),
            (Some(_), _) => Urge::Declared,
            (None, Some(_)) => Urge::Consumer(Arc::clone(&self.speaks)),
            (None, None) => return Socket::Tcp(stream),
        };
        let is_lenient = urge.is_lenient();
        let names = self.protocol.tls_names();
        let upgrade = match self.protocol.asks_for_tls(urge) {
            Some(upgrade) => upgrade,
            None if is_lenient => return Socket::Tcp(stream),
            // Which of them is spoken shows with the first word.
            None if names.len() > 1 => Box::new(WithTheFirstWord::default()) as Box<dyn Upgrade>,
            None => {
                let trouble = self.trouble.clone();
                return match self.tls().connection(names.iter().map(|name| name.to_vec()).collect()) {
                    Ok(tls) => Socket::Tls(TlsSocket::connect(stream, tls, trouble)),
                    Err(_) => Socket::Gone,
                };
            }
        };
        let tls = self.tls();
        let begin = move |turn: &Turn| {
            let is_http_2 = turn.secret.starts_with(b"PRI * HTTP/2");
            let name = if is_http_2 { names.first() } else { names.last() };
            tls.connection(name.map(|name| name.to_vec()).into_iter().collect())
        };
        Socket::Tls(TlsSocket::until(stream, upgrade, Box::new(begin), self.trouble.clone()))
    }

    fn tls(&self) -> Arc<ProviderTls> {
        self.declared.clone().unwrap_or_else(ProviderTls::of_anybody)
    }

    /// Waits for a consumer's first word where both sides may say it, and where TLS is known by it: a provider of HTTP/2 may
    /// speak at once, which must not reach a consumer that comes with TLS. True where that is what it comes with.
    pub(crate) async fn awaits_tls(&self, consumer: &Socket, provider: Option<&Socket>) -> bool {
        let Socket::Tcp(stream) = consumer else { return false };
        let is_known_by_it = !self.protocol.tls_names().is_empty() || self.protocol.begins_with_tls();
        if !is_known_by_it || !self.can_encrypt() || self.protocol.asks_for_tls(Urge::Declared).is_some() {
            return false;
        }
        let provider_ends = async {
            let Some(provider) = provider else { return std::future::pending().await };
            if provider.is_spoken_on().await {
                tokio::time::sleep(PROBE).await;
            }
        };
        tokio::select! {
            biased;
            _ = consumer.is_spoken_on() => {}
            () = provider_ends => {}
        }
        let mut first = [0; 2];
        let n_peeked = recv(stream, &mut first[..], RecvFlags::PEEK).map_or(0, |(n_peeked, _)| n_peeked);
        // A single byte of it is enough: nothing else here begins with it.
        let opening = [first[0], 3];
        n_peeked > 0 && self.protocol.wants_tls(&opening).is_some_and(<[u8]>::is_empty)
    }

    /// Meets a consumer that speaks TLS from here on, and has sent these bytes of it. Where the provider speaks it too, that
    /// is met first. False where there is no connection any more.
    pub(crate) async fn encrypt(
        &self,
        consumer: &mut Socket,
        provider: Option<&mut Socket>,
        redial: impl AsyncFnOnce() -> Option<Socket>,
        early: Vec<u8>,
    ) -> bool {
        let Some(encryption) = &self.encryption else { return false };
        let Socket::Tcp(stream) = consumer.take() else { return false };
        self.speaks.store(true, Ordering::SeqCst);
        let Ok(Ok(accepted)) = timeout(HANDSHAKE, hello(&stream, early)).await else { return false };
        let offered: Vec<Vec<u8>> = accepted
            .client_hello()
            .alpn()
            .map(|names| names.map(<[u8]>::to_vec).collect())
            .unwrap_or_default();
        let name = match provider {
            None => self.best(&offered, true),
            Some(provider) => match self.meet(provider, redial, &offered).await {
                Met::Tls(name) => name.or_else(|| self.usual(&offered)),
                Met::Plain => self.best(&offered, false),
                Met::Nobody => return false,
            },
        };
        let Ok(tls) = accepted.into_connection(encryption.named(name.as_deref())) else { return false };
        *consumer = Socket::Tls(TlsSocket::accept(stream, tls));
        true
    }

    /// Comes to TLS with the provider, if it speaks that.
    async fn meet(
        &self,
        provider: &mut Socket,
        redial: impl AsyncFnOnce() -> Option<Socket>,
        offered: &[Vec<u8>],
    ) -> Met {
        let ours = self.protocol.tls_names();
        let names = || offered.iter().filter(|name| ours.contains(&name.as_slice())).cloned().collect();
        if let Socket::Tls(socket) = &*provider {
            if ours.len() > 1 && self.declared.is_some() {
                let Ok(tls) = self.tls().connection(names()) else { return Met::Nobody };
                socket.begin(tls);
            } else {
                return Met::Plain;
            }
        } else {
            let is_elsewhere = !matches!(provider, Socket::Tcp(_));
            if self.seen.has_none(Instant::now())
                || is_elsewhere
                || self.protocol.asks_for_tls(Urge::Declared).is_some()
            {
                return Met::Plain;
            }
            let Socket::Tcp(stream) = provider.take() else { return Met::Plain };
            let Ok(tls) = self.tls().connection(names()) else { return Met::Nobody };
            *provider = Socket::Tls(TlsSocket::connect(stream, tls, self.trouble.of_another()));
        }
        let Socket::Tls(socket) = &*provider else { return Met::Nobody };
        let within = if self.declared.is_some() { HANDSHAKE } else { PROBE };
        let had_spoken = self.seen.has_spoken();
        let says_none = match timeout(within, shaken(socket)).await {
            Ok(Ok(name)) => {
                self.seen.speaks();
                return Met::Tls(name);
            }
            Ok(Err(error)) => {
                if !had_spoken && error.kind() == io::ErrorKind::UnexpectedEof {
                    self.seen.left(Instant::now());
                }
                is_no_tls(&error)
            }
            Err(_) => {
                self.seen.says_none();
                false
            }
        };
        if says_none {
            self.seen.says_none();
        } else if had_spoken {
            // It was cut off in the handshake, as anybody may be.
            return Met::Nobody;
        }
        if self.declared.is_some() {
            return Met::Nobody;
        }
        match redial().await {
            Some(plain) => {
                *provider = plain;
                Met::Plain
            }
            None => Met::Nobody,
        }
    }

    /// The best of what is offered, where the provider says nothing of it. A provider without TLS mostly speaks HTTP/1.1.
    fn best(&self, offered: &[Vec<u8>], anything_goes: bool) -> Option<Vec<u8>> {
        let names = self.protocol.tls_names();
        let fits = |name: &&&[u8]| offered.iter().any(|offered| offered == **name);
        let found = if anything_goes { names.iter().find(fits) } else { names.iter().rev().find(fits) };
        found.map(|name| name.to_vec())
    }

    /// What a provider means that says nothing of what it speaks.
    fn usual(&self, offered: &[Vec<u8>]) -> Option<Vec<u8>> {
        self.protocol.tls_names().last().map(|name| name.to_vec()).filter(|name| offered.contains(name))
    }
}

/// How it went with the provider.
enum Met {
    /// It speaks TLS, and this over it.
    Tls(Option<Vec<u8>>),
    Plain,
    Nobody,
}

/// How far a handshake is.
pub(super) enum Hello {
    Unsaid,
    /// With a name for what is spoken, where one was agreed on.
    Said(Option<Vec<u8>>),
}

/// Reads a consumer's first words of TLS.
async fn hello(stream: &TcpStream, early: Vec<u8>) -> io::Result<Accepted> {
    let mut acceptor = Acceptor::default();
    let mut early = early.as_slice();
    let mut buffer = [0; 4096];
    let mut read = Vec::new();
    loop {
        while !early.is_empty() {
            acceptor.read_tls(&mut early)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut said = Vec::new();
                if alert.write_all(&mut said).is_ok() {
                    let _ = stream.try_write(&said);
                }
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n_read) => {
                read.clear();
                read.extend_from_slice(&buffer[..n_read]);
                early = &read;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Was something said that is no TLS? Who only ends the connection may speak it all the same.
fn is_no_tls(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::InvalidMessage(_)))
}

/// Waits until the handshake has come about, and gives the name that was agreed on.
async fn shaken(socket: &TlsSocket) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Hello::Said(name) = socket.hello() {
            return Ok(name);
        }
        socket.shake().await?;
    }
}

/// TLS that begins with the first word to the provider.
#[derive(Default)]
struct WithTheFirstWord {
    has_begun: bool,
}

impl Upgrade for WithTheFirstWord {
    fn came(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        turn.inward.extend_from_slice(bytes);
        Ok(())
    }

    fn goes(&mut self, bytes: &[u8], turn: &mut Turn) -> Result<(), NoTls> {
        (self.has_begun, turn.encrypts) = (true, true);
        turn.secret.extend_from_slice(bytes);
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.has_begun
    }
}

/// What went wrong with TLS towards one provider, by its name for certificates.
#[derive(Clone, Default)]
pub(crate) struct Trouble {
    told: Arc<Mutex<Option<ExternalError>>>,
    /// None where nobody has declared that it speaks TLS: then it may do without.
    name: Option<String>,
}

impl Trouble {
    /// For another socket of the same connection, whose TLS nobody has declared.
    fn of_another(&self) -> Self {
        Self { told: Arc::clone(&self.told), name: None }
    }

    /// The handshake, or what came later, was no TLS as it should be.
    pub(super) fn failed(&self, error: &rustls::Error) {
        let wants_certificate =
            matches!(error, rustls::Error::AlertReceived(AlertDescription::CertificateRequired));
        if self.name.is_some() || wants_certificate {
            let (reason, hint) = why_not(error, self.name.as_deref().unwrap_or("localhost"));
            self.lock().get_or_insert(ExternalError::NoTls { reason, hint });
        }
    }

    /// The provider ended the connection in the handshake.
    pub(super) fn ended_early(&self) {
        let reason = "ended the connection while TLS was to begin".to_owned();
        let hint = Some("look whether it speaks TLS on that port".to_owned());
        if self.name.is_some() {
            self.lock().get_or_insert(ExternalError::NoTls { reason, hint });
        }
    }

    /// What was to come to TLS does not.
    pub(super) fn there_is_none(&self, no_tls: &NoTls) {
        let hint = Some(no_tls.hint.to_owned());
        self.lock().get_or_insert(ExternalError::NoTls { reason: no_tls.to_string(), hint });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ExternalError>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
