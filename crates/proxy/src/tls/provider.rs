//! How TLS is spoken to a provider of ours: whose word on its certificate counts, and what certificate it is shown.

use super::AuthorityError;
use crate::gateway::{Trust, distrust, judged_by};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error,
    SignatureScheme, crypto,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// What a provider of ours is met with, when TLS is spoken to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderTlsSpec {
    /// Whose word on its certificate counts; where there is nobody it is not judged.
    pub authorities: Option<Trust>,
    /// For which names its certificate may be, the first for what is asked of it; `localhost` where there are none.
    pub names: Vec<String>,
    /// A certificate (PEM, with its chain) to be shown to it, and the file with its key.
    pub shown: Option<(PathBuf, PathBuf)>,
}

/// How TLS is spoken to one provider.
#[derive(Debug)]
pub struct ProviderTls {
    config: ClientConfig,
    name: ServerName<'static>,
    /// As it was said, for others that are met in the same way.
    spec: ProviderTlsSpec,
}

impl ProviderTls {
    /// Reads the files.
    pub fn new(spec: &ProviderTlsSpec) -> Result<Self, AuthorityError> {
        let provider = Arc::new(crypto::ring::default_provider());
        let mut names = Vec::new();
        for name in &spec.names {
            names.extend(ServerName::try_from(name.clone()));
        }
        if names.is_empty() {
            names.push(ServerName::try_from("localhost").expect("it is a name"));
        }
        let name = names[0].clone();
        let verifier = match &spec.authorities {
            None => Judges { usual: None, names, provider: Arc::clone(&provider) },
            Some(trust) => {
                let usual = judged_by(trust).map_err(|source| AuthorityError::Trust(Box::new(source)))?;
                Judges { usual: Some(usual), names, provider: Arc::clone(&provider) }
            }
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &spec.shown {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, key) = read_pair(certificate, key)?;
                config.with_client_auth_cert(chain, key)?
            }
        };
        Ok(Self { config, name, spec: spec.clone() })
    }

    /// With what it is met.
    pub(super) fn spec(&self) -> &ProviderTlsSpec {
        &self.spec
    }

    /// For a provider of which only its consumer knows that it speaks TLS: whoever it is.
    pub fn of_anybody() -> Arc<Self> {
        static ANYBODY: LazyLock<Arc<ProviderTls>> = LazyLock::new(|| {
            let spec = ProviderTlsSpec::default();
            Arc::new(ProviderTls::new(&spec).expect("there are no files that could be wrong"))
        });
        Arc::clone(&ANYBODY)
    }

    /// Puts TLS on a connection to it.
    pub async fn over<S>(&self, stream: S) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        TlsConnector::from(Arc::new(self.config.clone())).connect(self.name.clone(), stream).await
    }

    /// The name that its certificate is looked for.
    pub(super) fn name(&self) -> String {
        self.name.to_str().into_owned()
    }

    /// With what requests of HTTP/1.1 are asked, and of whom.
    pub(super) fn for_requests(&self) -> (Arc<ClientConfig>, ServerName<'static>) {
        let mut config = self.config.clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        (Arc::new(config), self.name.clone())
    }

    /// A fresh connection, on which one of these is spoken.
    pub(super) fn connection(&self, names: Vec<Vec<u8>>) -> Result<Connection, Error> {
        let mut config = self.config.clone();
        config.alpn_protocols = names;
        ClientConnection::new(Arc::new(config), self.name.clone()).map(Connection::from)
    }
}

/// A certificate with its chain, and its key.
pub(crate) fn read_pair(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AuthorityError> {
    let unread = |file: &Path, reason: String| AuthorityError::File { file: file.to_owned(), reason };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unread(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(unread(certificate, "it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unread(key, error.to_string()))?;
    Ok((chain, key))
}

/// Judges a provider's certificate, as far as that is wanted.
#[derive(Debug)]
struct Judges {
    usual: Option<Arc<dyn ServerCertVerifier>>,
    /// It may be for any of them.
    names: Vec<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Judges {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(usual) = &self.usual else { return Ok(ServerCertVerified::assertion()) };
        let judge = |name| usual.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        let judged = self.names.iter().map(judge);
        judged.reduce(Result::or).unwrap_or(Err(Error::General("no name".to_owned())))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why there is no TLS with a provider of ours, to be read after its name, and how that is mended.
pub(super) fn why_not(error: &Error, name: &str) -> (String, Option<String>) {
    match error {
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => (
            "wants to be shown a certificate, or another kind of TLS".to_owned(),
            Some(
                "give its `tls` a `client: { certificate: FILE, key: FILE }` that it accepts; the one of its consumer ends \
                 at the seam"
                    .to_owned(),
            ),
        ),
        Error::AlertReceived(alert) => (format!("refuses TLS: {alert:?}"), None),
        Error::InvalidMessage(_) => (
            "says something that is no TLS".to_owned(),
            Some("look whether it speaks TLS on that port; `tls` says that it does".to_owned()),
        ),
        error => match distrust(error, name) {
            Some((reason, _)) => (
                format!("has a certificate that {}", reason.replace("this machine trusts", "`ca` names")),
                Some(
                    "`ca` of its `tls` names the file (PEM) with its authority, `name` what it is for"
                        .to_owned(),
                ),
            ),
            None => (format!("did not come to TLS: {error}"), None),
        },
    }
}
