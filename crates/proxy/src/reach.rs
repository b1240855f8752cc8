//! Connects to somebody else's component, whose name is looked up anew for each connection, and says why it can't be reached.
//!
//! A name is not looked up once at the start: it may lead elsewhere a minute later, and one that nobody dials need
//! not be known at all.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

/// How long dialling may take: who is there answers in seconds.
pub(crate) const DIAL: Duration = Duration::from_secs(10);

/// After how long without a word the kernel asks whether the other side is still there.
const ASK_AFTER: Duration = Duration::from_mins(1);

/// Why an external component could not be asked, or gave no proper answer.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// Its name leads nowhere.
    #[error("the name `{host}` is not known")]
    UnknownName {
        /// The name.
        host: String,
        /// What the machine said.
        #[source]
        source: io::Error,
    },
    /// Nobody takes the connection.
    #[error("{authority} can't be reached")]
    Unreachable {
        /// Its `host:port`.
        authority: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something took too long.
    #[error("{what} took longer than {within:?}")]
    Slow {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
    },
    /// There is nothing on this machine to judge a certificate by.
    #[error("this machine trusts no certificates: {reason}")]
    NoTrust {
        /// Why.
        reason: String,
    },
    /// The file that says whom to trust says it of nobody.
    #[error("no certificates can be read from {}: {reason}", file.display())]
    NoAuthority {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Its certificate is not to be trusted.
    #[error("the certificate of {authority} {reason}")]
    Certificate {
        /// Its `host:port`.
        authority: String,
        /// What is wrong with it, to be read after its name: `has expired`.
        reason: String,
        /// How that is mended.
        hint: String,
    },
    /// No TLS came about for another reason.
    #[error("TLS with {authority} came to nothing")]
    Tls {
        /// Its `host:port`.
        authority: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No TLS came about with a provider of ours that should speak it.
    #[error("it {reason}")]
    NoTls {
        /// Why, to be read after its name: `offers no TLS`.
        reason: String,
        /// How that is mended.
        hint: Option<String>,
    },
    /// It wants to be shown a certificate.
    #[error("it wants to be shown a certificate that it accepts")]
    Unshown,
    /// What it is to be shown can't be.
    #[error("the certificate in {} can't be shown: {reason}", file.display())]
    NotShown {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// It closed the connection before its answer had ended.
    #[error("it closed the connection {when}")]
    Closed {
        /// When: `before it answered`.
        when: &'static str,
    },
    /// It reset the connection before its answer had ended.
    #[error("it reset the connection {when}")]
    Reset {
        /// When: `before it answered`.
        when: &'static str,
    },
    /// It tells its clients of another, to whom no seam leads.
    #[error("its clients are told of {authority} and leave the seam for it: {reason}")]
    Astray {
        /// The other's `host:port`.
        authority: String,
        /// Why no seam leads there.
        reason: String,
    },
    /// It may not be asked this, and was not.
    #[error("it was not asked: {reason}")]
    NotAllowed {
        /// Why not.
        reason: String,
    },
    /// It was asked over HTTP/2, and doesn't speak that.
    #[error("it speaks no HTTP/2")]
    NoHttp2,
    /// What came from it is no HTTP/1.1.
    #[error("its answer can't be read as HTTP/1.1: {reason}")]
    NoHttp {
        /// Why.
        reason: String,
    },
}

impl ExternalError {
    /// How to mend it, one sentence; none where there is nothing to say.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownName { .. } => {
                "look at the name in `external`, and whether this machine reaches the network that knows it"
                    .to_owned()
            }
            Self::Unreachable { .. } => "look whether it runs, and listens on that port".to_owned(),
            Self::Slow { .. } => "look whether it runs, and whether a firewall stands between".to_owned(),
            Self::NoTrust { .. } => {
                "install the package ca-certificates, or let SSL_CERT_FILE name a file with certificates"
                    .to_owned()
            }
            Self::NoAuthority { .. } => "`ca` names a file in PEM: `-----BEGIN CERTIFICATE-----`".to_owned(),
            Self::Certificate { hint, .. } => hint.clone(),
            Self::Tls { .. } => {
                "look whether it speaks TLS on that port; one that does not is `http://…`".to_owned()
            }
            Self::NoTls { hint, .. } => return hint.clone(),
            Self::Unshown => {
                "write `client: { certificate: FILE, key: FILE }` beside `external`; the one of a consumer ends at the seam"
                    .to_owned()
            }
            Self::NotShown { .. } => {
                "`client` names two files in PEM, the certificate with its chain and its key".to_owned()
            }
            Self::NoHttp2 => "leave `version: 2` out, or ask one that speaks it".to_owned(),
            Self::Closed { .. }
            | Self::Reset { .. }
            | Self::Astray { .. }
            | Self::NotAllowed { .. }
            | Self::NoHttp { .. } => return None,
        })
    }
}

/// A connection to one of the addresses that a name has at this moment, all of it within so long.
pub(crate) async fn connect(host: &str, port: u16, within: Duration) -> Result<TcpStream, ExternalError> {
    let deadline = Instant::now() + within;
    let slow = |what: String| ExternalError::Slow { what, within };
    let addresses = timeout_at(deadline, addresses(host, port))
        .await
        .map_err(|_| slow(format!("looking up `{host}`")))?
        .map_err(|source| ExternalError::UnknownName { host: host.to_owned(), source })?;
    let mut last = None;
    for (index, address) in addresses.iter().enumerate() {
        // An address where nobody says anything must not use up the time of those after it.
        let n_left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / n_left;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                prepare(&stream);
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(error),
            Err(_) => {}
        }
    }
    let authority = authority(host, port);
    Err(match last {
        Some(source) => ExternalError::Unreachable { authority, source },
        None => slow(format!("connecting to {authority}")),
    })
}

/// The addresses that a name has at this moment. Those of `localhost` are not looked up: that they are this machine's
/// is why they may be asked without further ado, and not every machine knows `api.localhost` (RFC 6761, 6.3).
async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let name = host.to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    Ok(lookup_host((host, port)).await?.collect())
}

/// `host:port`, with brackets where the host needs them.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// What every connection to somebody else's component has. That it lacks it is no reason not to use it.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(ASK_AFTER));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn all_addresses_of_a_name_are_tried() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has nothing to try.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            for name in ["localhost", "Api.Localhost"] {
                assert!(connect(name, port, LONG).await.is_ok(), "{name} at {address}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_told_apart() {
        let unknown = connect("nowhere.invalid", 80, LONG).await.unwrap_err();
        assert!(matches!(unknown, ExternalError::UnknownName { .. }), "{unknown:?}");
        assert_eq!(unknown.to_string(), "the name `nowhere.invalid` is not known");
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = connect("127.0.0.1", free, LONG).await.unwrap_err();
        assert!(matches!(refused, ExternalError::Unreachable { .. }), "{refused:?}");
    }
}
