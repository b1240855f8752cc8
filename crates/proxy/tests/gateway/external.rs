//! A server with TLS that does what a test wants, certificates good and bad, and a gateway before it.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};
use seam_proxy::{Gateway, GatewaySpec, Passing, Patience, Trust};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const LONG: Duration = Duration::from_secs(20);

/// The server's end of a connection.
pub(crate) type Tls = StreamOwned<ServerConnection, TcpStream>;

/// What the server presents.
#[derive(Clone, Copy)]
pub(crate) enum Presents {
    /// A certificate for `localhost` of an authority that is trusted.
    Good,
    /// One that was valid until 2001.
    Expired,
    /// One for `elsewhere.example`.
    OtherName,
    /// Its own authority's, as `openssl req -x509` makes it.
    Itself,
}

/// A server with TLS, and the file with the authority to trust.
pub(crate) struct External {
    pub(crate) port: u16,
    pub(crate) n_connections: Arc<AtomicUsize>,
    folder: TempDir,
}

impl External {
    /// Serves each connection on a thread of its own.
    pub(crate) fn serving(presents: Presents, serve: impl Fn(Tls) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, authority) = server_config(presents);
        std::fs::write(folder.path().join("authority.pem"), authority).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (n_connections, serve) = (Arc::new(AtomicUsize::new(0)), Arc::new(serve));
        let counter = Arc::clone(&n_connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let (serve, config) = (Arc::clone(&serve), Arc::clone(&config));
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
                });
            }
        });
        Self { port, n_connections, folder }
    }

    /// Answers every request on a connection, whatever it is, with what this makes of its head and body.
    pub(crate) fn answering(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        Self::serving(Presents::Good, move |stream| {
            let mut stream = BufReader::new(stream);
            while let Some(request) = Request::read(&mut stream) {
                stream.get_mut().write_all(answer(&request).as_bytes()).unwrap();
                stream.get_mut().flush().unwrap();
            }
        })
    }

    pub(crate) fn trusted(&self) -> Trust {
        Trust::File(self.folder.path().join("authority.pem"))
    }

    pub(crate) async fn gateway(&self) -> Standing {
        Standing::open("localhost", self.port, |spec| spec.trust = self.trusted()).await
    }
}

fn server_config(presents: Presents) -> (Arc<ServerConfig>, String) {
    let name = if matches!(presents, Presents::OtherName) { "elsewhere.example" } else { "localhost" };
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if matches!(presents, Presents::Expired) {
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    }
    let mut authority = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (key, authority_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let own = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let signed = params.signed_by(&key, &issuer).unwrap();
    let (certificate, key): (CertificateDer<'static>, _) = match presents {
        Presents::Itself => (own.der().clone(), authority_key.serialize_der()),
        _ => (signed.der().clone(), key.serialize_der()),
    };
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key).unwrap())
        .unwrap();
    (Arc::new(config), own.pem())
}

/// A request as the server got it.
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    /// Reads the next request; none where the connection has ended.
    pub(crate) fn read(stream: &mut BufReader<Tls>) -> Option<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).ok()?;
        Some(Self { head, body: String::from_utf8(body).unwrap() })
    }
}

/// A gateway, and what it told.
pub(crate) struct Standing {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Gateway,
    told: Mutex<Receiver<String>>,
}

impl Standing {
    pub(crate) async fn open(host: &str, port: u16, change: impl FnOnce(&mut GatewaySpec)) -> Self {
        let (tell, told): (Sender<String>, _) = channel();
        let mut spec = GatewaySpec {
            host: host.to_owned(),
            port,
            tls: true,
            passing: Passing::Http,
            trust: Trust::default(),
            shown: None,
            patience: Patience::default(),
            permit: None,
            told: Arc::new(move |error| {
                let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                let _ = tell.send(format!("{error}{hint}"));
            }),
        };
        change(&mut spec);
        let gateway = Gateway::open(spec).await.unwrap();
        Self { address: gateway.address(), gateway, told: Mutex::new(told) }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// Sends this on a connection of its own and reads until that ends.
    pub(crate) fn ask(&self, request: &str) -> std::io::Result<String> {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// What was told.
    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().recv_timeout(LONG).unwrap()
    }

    pub(crate) fn told_nothing(&self) -> bool {
        self.told.lock().unwrap().try_recv().is_err()
    }
}

/// Sends a request on a connection that stays and reads an answer whose length is said.
pub(crate) fn ask_on(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(&*stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}
