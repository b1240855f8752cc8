//! A seam for which an authority vouches, certificates of the servers' own, and clients that end.

use crate::servers::Ended;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use seam_event::{ComponentId, Endpoint, Interaction, SeamId};
use seam_proxy::{
    Authority, Encryption, ExternalError, ProviderTls, ProviderTlsSpec, Proxy, Pulse, SeamSpec, Strangers,
    Trust, Upstream, Witness,
};
use seam_wire::{Limits, protocol};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Certificates of an authority of the test's own, in files.
pub(crate) struct Certificates(pub(crate) tempfile::TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the servers' own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(dir.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(params, key);
        for (name, usage) in
            [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)]
        {
            let mut leaf =
                CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
            leaf.distinguished_name.push(DnType::CommonName, name);
            leaf.extended_key_usages = vec![usage];
            let key = KeyPair::generate().unwrap();
            let pem = leaf.signed_by(&key, &issuer).unwrap().pem();
            std::fs::write(dir.path().join(format!("{name}.pem")), pem).unwrap();
            std::fs::write(dir.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self(dir)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// How a seam is to speak TLS to a server that shows such a certificate.
    pub(crate) fn judged(&self) -> ProviderTlsSpec {
        ProviderTlsSpec { authorities: Some(Trust::File(self.file("ca.pem"))), ..ProviderTlsSpec::default() }
    }

    pub(crate) fn shown(&self) -> ProviderTlsSpec {
        ProviderTlsSpec {
            shown: Some((self.file("client.pem"), self.file("client.key"))),
            ..ProviderTlsSpec::default()
        }
    }
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Interaction>>>, Arc<Mutex<Vec<String>>>);

impl Witness for Notes {
    fn connection(&mut self, _: &SeamId, _: u64, _: &'static str, _: Option<&ComponentId>) {}

    fn interaction(&mut self, interaction: Interaction) {
        self.0.lock().unwrap().push(interaction);
    }

    fn degraded(&mut self, _: &SeamId, _: u64, reason: &str) {
        panic!("it does not stay legible: {reason}");
    }

    fn unreached(&mut self, _: &SeamId, error: &ExternalError) {
        self.1.lock().unwrap().push(error.to_string());
    }

    fn lost(&mut self, _: &SeamId, _: u64) {}
}

/// A seam to a server.
pub(crate) struct Seam {
    pub(crate) proxy: Proxy,
    notes: Notes,
    pub(crate) address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Seam {
    pub(crate) async fn stand(word: &str, port: u16) -> Self {
        Self::stand_before(word, Upstream::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))).await
    }

    pub(crate) async fn stand_before(word: &str, upstream: Upstream) -> Self {
        let notes = Notes::default();
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let witness = Box::new(notes.clone());
        let proxy = Proxy::start(pulse, Limits::default(), witness, Box::new(Strangers)).unwrap();
        let authority = Authority::new(&[]).unwrap();
        proxy.vouch(&authority);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), authority.certificate()).unwrap();
        let seam = SeamId { consumer: "shop".into(), provider: "server".into(), endpoint: Endpoint::main() };
        let spec = SeamSpec { seam, protocol: protocol(word).unwrap(), upstream, listen: None };
        let address = proxy.stand(spec).await.unwrap();
        Self { proxy, notes, address, dir }
    }

    /// The provider is said to speak TLS.
    pub(crate) fn declared(self, spec: &ProviderTlsSpec) -> Self {
        self.proxy.speak_tls(|_| true, &Arc::new(ProviderTls::new(spec).unwrap()), None);
        self
    }

    /// It is, and consumers are shown its own certificate.
    pub(crate) fn presented(self, certificates: &Certificates) -> Self {
        let own = Encryption::read(&certificates.file("server.pem"), &certificates.file("server.key"));
        let tls = ProviderTls::new(&ProviderTlsSpec::default()).unwrap();
        self.proxy.speak_tls(|_| true, &Arc::new(tls), Some(&Arc::new(own.unwrap())));
        self
    }

    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// The file with the certificate of the seams' authority.
    pub(crate) fn ca(&self) -> String {
        self.dir.path().join("ca.pem").display().to_string()
    }

    /// What passed, read.
    pub(crate) async fn told(&self) -> Vec<Interaction> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.0.lock().unwrap().clone()
    }

    /// Why a provider was not reached. It is told when the connection has ended on both sides.
    pub(crate) async fn why(&self) -> Vec<String> {
        let end = Instant::now() + LONG;
        loop {
            let why = self.unreached().await;
            if !why.is_empty() || Instant::now() > end {
                return why;
            }
        }
    }

    /// Why providers were not reached, as far as that was told.
    pub(crate) async fn unreached(&self) -> Vec<String> {
        assert!(self.proxy.drain(LONG).await);
        self.notes.1.lock().unwrap().clone()
    }
}

/// Runs a program to its end, and gives all that it said.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> String {
    run_with(Command::new(program).args(arguments))
}

pub(crate) fn run_with(command: &mut Command) -> String {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ended(command.spawn().unwrap());
    let (mut out, mut err) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
    let (said, all) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = out.read_to_string(&mut text);
        let _ = err.read_to_string(&mut text);
        let _ = said.send(text);
    });
    all.recv_timeout(LONG).unwrap_or_else(|_| panic!("{command:?} does not end"))
}
