//! Whom this machine trusts, and what is wrong with a certificate that it does not.

use super::Trust;
use crate::reach::ExternalError;
use crate::tls::read_pair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, crypto,
};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How TLS is put on. Reads files: call it where that does no harm.
pub(super) fn client_config(
    trust: &Trust,
    shown: Option<&(PathBuf, PathBuf)>,
) -> Result<Arc<ClientConfig>, ExternalError> {
    let no_trust = |reason: String| ExternalError::NoTrust { reason };
    let of_file = |file: &Path| load_certs_from_paths(Some(file), None);
    let found = match trust {
        Trust::Machine => load_native_certs(),
        Trust::File(file) => of_file(file),
        Trust::Also(file) => {
            let mut found = of_file(file);
            if found.certs.is_empty() {
                let reason =
                    found.errors.first().map_or_else(|| "it holds none".to_owned(), ToString::to_string);
                return Err(ExternalError::NoAuthority { file: file.clone(), reason });
            }
            // A machine that trusts nobody is no trouble where the user says whom to trust.
            found.certs.append(&mut load_native_certs().certs);
            found
        }
    };
    let mut roots = RootCertStore::empty();
    let (n_taken, _) = roots.add_parsable_certificates(found.certs.iter().cloned());
    if n_taken == 0 {
        return Err(no_trust(why_none(&found)));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| no_trust(error.to_string()))?;
    let verifier = Arc::new(AlsoOfItself { usual, trusted: found.certs });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| no_trust(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some((certificate, key)) = shown else { return Ok(Arc::new(config.with_no_client_auth())) };
    let unshown = |reason: String| ExternalError::NotShown { file: certificate.clone(), reason };
    let (chain, key) = read_pair(certificate, key).map_err(|error| unshown(error.to_string()))?;
    let config = config.with_client_auth_cert(chain, key).map_err(|error| unshown(error.to_string()))?;
    Ok(Arc::new(config))
}

/// Judges certificates by the word of these authorities.
pub(crate) fn judged_by(trust: &Trust) -> Result<Arc<dyn ServerCertVerifier>, ExternalError> {
    let (found, file) = match trust {
        Trust::File(file) | Trust::Also(file) => (load_certs_from_paths(Some(file), None), Some(file)),
        Trust::Machine => (load_native_certs(), None),
    };
    let no_authority = |reason: String| match file {
        Some(file) => ExternalError::NoAuthority { file: file.clone(), reason },
        None => ExternalError::NoTrust { reason },
    };
    let mut roots = RootCertStore::empty();
    let (n_taken, _) = roots.add_parsable_certificates(found.certs.iter().cloned());
    if n_taken == 0 {
        return Err(no_authority(why_none(&found)));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| no_authority(error.to_string()))?;
    Ok(Arc::new(AlsoOfItself { usual, trusted: found.certs }))
}

fn why_none(found: &CertificateResult) -> String {
    match found.errors.first() {
        Some(error) => error.to_string(),
        None => "there are none where they are looked for".to_owned(),
    }
}

/// Judges certificates as usual, and trusts besides one that is an authority's own where the user trusts that very
/// certificate: `openssl req -x509` makes such ones, and OpenSSL, and all that is built on it, accepts them.
#[derive(Debug)]
struct AlsoOfItself {
    usual: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for AlsoOfItself {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged =
            self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match judged {
            // That it is valid at this time has been looked at before this error is given.
            Err(error) if is_authority(&error) && self.trusted.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Is it nothing but that an authority's own certificate came from a server? rustls gives no name to that.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    other.0.to_string() == "CaUsedAsEndEntity"
}

/// Does it say that it wants to be shown a certificate? One that speaks TLS 1.3 says so behind the handshake.
pub(super) fn wants_certificate(error: &str) -> bool {
    error.contains(&Error::AlertReceived(AlertDescription::CertificateRequired).to_string())
}

/// What is wrong with a certificate, to be read after its name, and how that is mended; none where the error is not
/// about one.
pub(crate) fn distrust(error: &Error, host: &str) -> Option<(String, String)> {
    const TRUST_IT: &str = "write `ca: FILE` beside `external`, a file (PEM) with the certificate of the authority that signed it";
    let Error::InvalidCertificate(wrong) = error else { return None };
    let (reason, hint) = match wrong {
        // Signed with another key than that of the authority of this name is signed by somebody else.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            ("is signed by nobody whom this machine trusts".to_owned(), TRUST_IT.to_owned())
        }
        _ if is_authority(error) => {
            ("is signed by itself, and this machine does not trust it".to_owned(), TRUST_IT.to_owned())
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let hint = "it has to be renewed, unless this machine's clock is wrong";
            ("has expired".to_owned(), hint.to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("is not valid yet".to_owned(), "look at this machine's clock".to_owned())
        }
        CertificateError::NotValidForName => other_name(host, &[]),
        CertificateError::NotValidForNameContext { presented, .. } => other_name(host, presented),
        other => (format!("is not valid: {other}"), "it has to be replaced".to_owned()),
    };
    Some((reason, hint))
}

fn other_name(host: &str, presented: &[String]) -> (String, String) {
    // They come as `DnsName("api.example")`.
    let names: Vec<String> =
        presented.iter().map(|name| format!("`{}`", name.split('"').nth(1).unwrap_or(name))).collect();
    let reason = match names.as_slice() {
        [] => format!("is not for `{host}`"),
        names => format!("is not for `{host}`, but for {}", names.join(", ")),
    };
    (reason, "write a name that it is for in `external`".to_owned())
}
