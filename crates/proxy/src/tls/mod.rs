//! TLS on a seam: consumers that want it get it, from an authority that is made for the run.
//!
//! The seam itself stays legible: TLS ends here, and what passes is watched and held as without it. Towards a provider
//! that wants it TLS is spoken anew.

mod meeting;
mod provider;
mod socket;
mod tunnel;

pub(crate) use meeting::Meeting;
pub use provider::{ProviderTls, ProviderTlsSpec};
pub(crate) use socket::TlsSocket;
pub use tunnel::Tunnel;

pub(crate) use provider::read_pair;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, crypto};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Who vouches for the seams of one run. Its key is nowhere but in memory.
#[derive(Clone)]
pub struct Authority {
    certificate: String,
    encryption: Arc<Encryption>,
}

/// With what TLS is spoken to consumers.
#[derive(Clone, Debug)]
pub struct Encryption {
    config: Arc<ServerConfig>,
}

impl Encryption {
    /// Shows consumers this certificate (PEM, with its chain), whose key is in the other file: the provider's own.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, AuthorityError> {
        let (chain, key) = read_pair(certificate, key)?;
        Self::with(chain, key)
    }

    fn with(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, AuthorityError> {
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self { config: Arc::new(config) })
    }

    /// For one connection, on which this is spoken.
    fn named(&self, name: Option<&[u8]>) -> Arc<ServerConfig> {
        let Some(name) = name else { return Arc::clone(&self.config) };
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = vec![name.to_vec()];
        Arc::new(config)
    }
}

/// How TLS stands on one seam.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeamTls {
    /// How it is spoken to the provider; none where it is only spoken because the consumer does.
    pub(crate) provider: Option<Arc<ProviderTls>>,
    /// What is shown to consumers instead of a certificate of the run's own authority.
    pub(crate) presented: Option<Arc<Encryption>>,
    /// How it is spoken to others of whom the provider tells, where that is not known from the provider itself.
    pub(crate) others: Option<Arc<ProviderTlsSpec>>,
    /// Whether the provider speaks TLS, as far as that was seen where nobody has declared it.
    pub(crate) seen: Arc<SeenTls>,
}

/// For so long nobody is asked again who only left when it was asked, and did so more than once: it may have been starting.
const ASKED: Duration = Duration::from_secs(10);

/// Whether somebody speaks TLS, as far as that was seen.
#[derive(Debug, Default)]
pub(crate) struct SeenTls {
    known: AtomicU8,
    /// How often it has left without a word when it was asked, and until when it is taken to speak none for that.
    left: Mutex<(u32, Option<Instant>)>,
}

impl SeenTls {
    const SPEAKS: u8 = 1;
    const SPEAKS_NONE: u8 = 2;

    /// A handshake with it came about.
    fn speaks(&self) {
        *self.times_left() = (0, None);
        self.known.store(Self::SPEAKS, Ordering::SeqCst);
    }

    /// It was asked, and said something that is no TLS, or nothing for long. Who spoke it before is asked again: it may have
    /// said so while it was starting.
    fn says_none(&self) {
        let known = if self.has_spoken() { 0 } else { Self::SPEAKS_NONE };
        self.known.store(known, Ordering::SeqCst);
    }

    fn has_spoken(&self) -> bool {
        self.known.load(Ordering::SeqCst) == Self::SPEAKS
    }

    /// It has left when it was asked, without a word of anything.
    fn left(&self, now: Instant) {
        let (n_times, until) = &mut *self.times_left();
        *n_times = n_times.saturating_add(1);
        *until = (*n_times > 1).then(|| now + ASKED);
    }

    fn times_left(&self) -> MutexGuard<'_, (u32, Option<Instant>)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_none(&self, now: Instant) -> bool {
        let has_left = self.times_left().1.is_some_and(|until| now < until);
        has_left || self.known.load(Ordering::SeqCst) == Self::SPEAKS_NONE
    }
}

impl SeamTls {
    /// How it is spoken to another of this name, of whom the provider tells: a certificate for that name will do, too.
    pub(crate) fn of_other(&self, host: &str) -> Result<Self, AuthorityError> {
        let own = self.provider.as_ref().map(|provider| provider.spec());
        let Some(spec) = self.others.as_deref().or(own) else { return Ok(self.clone()) };
        let mut spec = spec.clone();
        spec.names.insert(0, host.to_owned());
        Ok(Self { provider: Some(Arc::new(ProviderTls::new(&spec)?)), ..self.clone() })
    }
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
    /// A file with a certificate or a key can't be read.
    #[error("read {}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file that says whom to trust can't be used.
    #[error(transparent)]
    Trust(Box<crate::reach::ExternalError>),
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
        let encryption = Arc::new(Encryption::with(chain, private)?);
        Ok(Self { certificate, encryption })
    }

    /// Its certificate, as PEM, for those who are to trust it.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(crate) fn encryption(&self) -> &Arc<Encryption> {
        &self.encryption
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_spoke_it_before_is_asked_again() {
        let (seen, now) = (SeenTls::default(), Instant::now());
        seen.speaks();
        seen.says_none();
        assert!(!seen.has_spoken() && !seen.has_none(now));
        seen.says_none();
        assert!(seen.has_none(now));
        let never = SeenTls::default();
        never.says_none();
        assert!(never.has_none(now));
        let leaves = SeenTls::default();
        leaves.left(now);
        assert!(!leaves.has_none(now), "it may be starting");
        leaves.left(now);
        assert!(leaves.has_none(now) && leaves.has_none(now + ASKED / 2) && !leaves.has_none(now + ASKED));
        leaves.left(now + ASKED);
        assert!(leaves.has_none(now + ASKED), "it is asked once, then");
        leaves.speaks();
        assert!(!leaves.has_none(now + ASKED));
    }
}
