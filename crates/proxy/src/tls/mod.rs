//! TLS on a seam: consumers that want it get it, from an authority that is made for the run.
//!
//! The seam itself stays legible: TLS ends here, and what passes is watched and held as without it. Towards the
//! provider the bytes go on plain.

mod socket;

pub(crate) use socket::TlsSocket;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, crypto};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Who vouches for the seams of one run. Its key is nowhere but in memory.
#[derive(Clone)]
pub struct Authority {
    certificate: String,
    config: Arc<ServerConfig>,
}

/// Why there is no authority: the machine gives no randomness, or a name is none.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No certificate came about.
    #[error("make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate can't be used.
    #[error("use a certificate")]
    Tls(#[from] rustls::Error),
}

impl Authority {
    /// A new authority with one certificate for all seams: `localhost`, the loopback addresses, and these names.
    pub fn new(names: &[&str]) -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Seamwork, for one run");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        let mut hosts = vec!["localhost".to_owned()];
        hosts.extend(names.iter().map(|name| (*name).to_owned()));
        let mut leaf = CertificateParams::new(hosts)?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            leaf.subject_alt_names.push(SanType::IpAddress(address));
        }
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf_key = KeyPair::generate()?;
        let chain = vec![leaf.signed_by(&leaf_key, &issuer)?.der().clone()];
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;
        Ok(Self { certificate, config: Arc::new(config) })
    }

    /// Its certificate, as PEM, for those who are to trust it.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}
