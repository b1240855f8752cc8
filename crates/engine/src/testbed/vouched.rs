//! Who vouches for the seams of a run: an authority of its own, and the ways in which components come to know it.

use crate::plan::Plan;
use crate::testbed::told::BedError;
use seam_proxy::Authority;
use std::io;
use std::path::{Path, PathBuf};

/// Where the certificates that this machine trusts mostly stand, the first that is there counts.
const MACHINES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What names a file with all certificates to trust: OpenSSL (and with it Ruby, PHP and .NET), Go and Rust; Python's
/// requests and httplib2; curl; libpq; AWS' SDKs; gRPC's core; Git and Cargo. Java reads no such file.
const ALL: [&str; 9] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "HTTPLIB2_CA_CERTS",
    "CURL_CA_BUNDLE",
    "PGSSLROOTCERT",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
];

/// What names a file with certificates to trust besides: Node, Deno, NATS' own client; and for all that none of these
/// reaches, Java's `keytool` among them, one of our own.
const BESIDES: [&str; 4] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT", "NATS_CA", "SEAM_CA_FILE"];

/// The authority with its files.
pub(super) struct Vouched {
    pub(super) authority: Authority,
    /// Its certificate alone.
    own: PathBuf,
    /// Its certificate beside those that this machine trusts.
    all: PathBuf,
    /// Are these files whole?
    is_written: bool,
}

impl Vouched {
    /// A new authority for a run, whose files go with the run's folder.
    pub(super) fn new(plan: &Plan, folder: &Path) -> Result<Self, BedError> {
        let is_host = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let names: Vec<&str> = plan.system.components.keys().map(String::as_str).filter(is_host).collect();
        let authority = Authority::new(&names).map_err(BedError::Authority)?;
        let (own, all) = (folder.join("ca.pem"), folder.join("ca-all.pem"));
        // A run without room for these files goes on: only those who want TLS can't know whom to trust.
        let is_written = write(&authority, &own, &all).is_ok();
        Ok(Self { authority, own, all, is_written })
    }

    /// The file with the authority's certificate.
    pub(super) fn file(&self) -> &Path {
        &self.own
    }

    /// The variables by which programs come to trust it.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        if !self.is_written {
            return Vec::new();
        }
        let pair = |file: &Path| {
            let file = file.display().to_string();
            move |name: &&str| ((*name).to_owned(), file.clone())
        };
        ALL.iter().map(pair(&self.all)).chain(BESIDES.iter().map(pair(&self.own))).collect()
    }
}

fn write(authority: &Authority, own: &Path, all: &Path) -> io::Result<()> {
    std::fs::write(own, authority.certificate())?;
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut machines = named.into_iter().chain(MACHINES.map(PathBuf::from));
    let mut text = machines.find_map(|file| std::fs::read(file).ok()).unwrap_or_default();
    text.push(b'\n');
    text.extend_from_slice(authority.certificate().as_bytes());
    std::fs::write(all, text)
}
