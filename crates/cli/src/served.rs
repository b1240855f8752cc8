//! What stands without a system or beside one: seams between addresses, stubs, WireMock's folders, Toxiproxy's proxies.

use crate::screen::{Screen, chain};
use clap::Args;
use seam_control::{ControlError, Manner, SeamView, Seams, Served, Toxiproxy, serve_wiremock};
use seam_diag::{Diagnostic, Diagnostics, Sources};
use seam_expr::Chance;
use seam_manifest::parse;
use seam_proxy::ProxyError;
use seam_recording::{Around, read_stub_file};
use seam_steps::read_below;
use seam_stub::wiremock::Templates;
use seam_stub::{Reading, Stubs, Surroundings};
use seam_wire::Protocol;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The words of the command line that say what stands.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Stands {
    /// Stand between an address and a server; the protocol is http where none is named
    #[arg(long = "seam", value_name = "LISTEN=UPSTREAM[,PROTOCOL]", value_parser = Between::read)]
    seams: Vec<Between>,
    /// Serve this file of stubs at a `--listen`
    #[arg(long = "stub", value_name = "FILE")]
    stubs: Vec<PathBuf>,
    /// Serve a folder of WireMock's (mappings, __files) at a `--listen`
    #[arg(long = "wiremock", value_name = "ROOT")]
    wiremocks: Vec<PathBuf>,
    /// Where stubs are served: one address for each `--stub` in their order, then one for each `--wiremock`
    #[arg(long = "listen", value_name = "ADDRESS", value_parser = address)]
    listens: Vec<SocketAddr>,
    /// Answers of all WireMock mappings are templates, not only of those with the transformer `response-template`
    #[arg(long)]
    global_response_templating: bool,
    /// Answers of WireMock mappings are never packed with gzip, also for those who take that
    #[arg(long)]
    disable_gzip: bool,
    /// Pages of any origin may read what WireMock mappings answer
    #[arg(long)]
    enable_stub_cors: bool,
    /// So many requests are remembered at most where WireMock mappings answer
    #[arg(long, value_name = "NUMBER")]
    max_request_journal_entries: Option<usize>,
    /// Ask this server what no mapping of a `--wiremock` answers (a mapping of priority 10, until the next reset)
    #[arg(long, value_name = "URL", requires = "wiremocks")]
    proxy_all: Option<String>,
    /// Make the proxies of this configuration file of Toxiproxy's
    #[arg(long, value_name = "FILE")]
    toxiproxy_config: Option<PathBuf>,
}

/// Where to stand.
#[derive(Clone, Debug)]
struct Between {
    listen: SocketAddr,
    upstream: String,
    protocol: &'static dyn Protocol,
}

impl Between {
    fn read(text: &str) -> Result<Self, String> {
        let Some((listen, rest)) = text.split_once('=') else {
            return Err("write LISTEN=UPSTREAM, such as 127.0.0.1:5433=127.0.0.1:5432".to_owned());
        };
        let (upstream, protocol) = rest.split_once(',').unwrap_or((rest, "http"));
        let is_address = upstream
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !is_address {
            return Err(format!("`{upstream}` is no address: write host:port"));
        }
        let Some(protocol) = seam_wire::protocol(protocol) else {
            let names: Vec<&str> = seam_wire::PROTOCOLS.iter().map(|protocol| protocol.name()).collect();
            return Err(match seam_diag::did_you_mean(protocol, names.iter().copied()) {
                Some(near) => format!("there is no protocol `{protocol}`; did you mean `{near}`?"),
                None => format!("there is no protocol `{protocol}`; there are {}", names.join(", ")),
            });
        };
        Ok(Self { listen: address(listen)?, upstream: upstream.to_owned(), protocol })
    }
}

/// How long looking names up may keep what stands from being told.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

impl Between {
    /// That nobody knows the provider's name, where that is so: consumers would only see that they are refused.
    async fn unfound(&self, until: Instant) -> Option<String> {
        let Self { listen, upstream, .. } = self;
        let looked_up = timeout_at(until, tokio::net::lookup_host(upstream.as_str())).await;
        let error = looked_up.ok()?.err()?;
        Some(format!(
            "the seam at {listen} refuses connections as long as {upstream} can't be found: {error}"
        ))
    }
}

/// An address to listen on: `127.0.0.1:80`, `localhost:80`, `:80`, `80`.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = port.parse::<u16>().map_err(|_| format!("`{text}` is no address: write 127.0.0.1:PORT"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip = match host {
        "" | "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| format!("`{host}` is no IP address of this machine"))?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// Why something does not stand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StandError {
    #[error("failed to {}", chain(.0))]
    Proxy(ProxyError),
    #[error("failed to {}", chain(.0))]
    Control(ControlError),
    #[error("failed to make the proxies of {path}: {reason}")]
    Config { path: String, reason: String },
    #[error("{n_stubs} `--stub` and `--wiremock` need as many `--listen`; there are {n_listens}")]
    Uneven { n_stubs: usize, n_listens: usize },
    #[error("the seam {listen}={upstream} leads back to itself")]
    Circle { listen: SocketAddr, upstream: String },
    /// Told already.
    #[error("the stubs have mistakes")]
    Told,
}

impl From<ProxyError> for StandError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl From<ControlError> for StandError {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

impl StandError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Control(ControlError::Mappings { .. }) => {
                "none of its mappings is served before all can be read"
            }
            Self::Proxy(_) | Self::Control(ControlError::Listen { .. } | ControlError::Proxy(_)) => {
                "see whether something else listens there; port 0 takes a free one"
            }
            Self::Control(ControlError::NotLoopback(_)) => "whoever reaches it controls it: use 127.0.0.1",
            Self::Config { .. } => "it is a list in JSON: [{\"name\": …, \"listen\": …, \"upstream\": …}]",
            Self::Uneven { .. } => "write `--stub FILE --listen ADDRESS` for each",
            Self::Circle { .. } => "a seam's UPSTREAM is the provider's own address",
            Self::Told => "",
        }
    }
}

/// Stubs that were read, for an address.
pub(crate) struct Standing {
    listen: SocketAddr,
    name: String,
    stubs: Stubs,
    protocol: &'static dyn Protocol,
}

/// What stands now.
#[derive(Default)]
pub(crate) struct Stood {
    /// A line for each: what it is, where it listens and where it leads.
    pub(crate) lines: String,
    /// What is odd about the mappings.
    pub(crate) warnings: Vec<String>,
    sites: Vec<Served>,
}

impl Stood {
    /// Takes down what is no seam.
    pub(crate) async fn close(self) {
        for site in self.sites {
            site.close().await;
        }
    }
}

impl Stands {
    /// How mappings are answered, in folders and at the control address.
    pub(crate) fn manner(&self) -> Manner {
        let templates = if self.global_response_templating { Templates::All } else { Templates::Named };
        Manner {
            templates,
            never_packs: self.disable_gzip,
            is_shared: self.enable_stub_cors,
            most_events: self.max_request_journal_entries,
            proxy_all: self.proxy_all.clone(),
        }
    }

    /// Is nothing to stand?
    pub(crate) fn is_empty(&self) -> bool {
        self.seams.is_empty() && self.listens.is_empty() && self.toxiproxy_config.is_none()
    }

    /// Each connection to such seams would be followed by one more for as long as there are any.
    fn check_circles(&self) -> Result<(), StandError> {
        let leads_to = |address: &str| {
            let address = address.replace("localhost:", "127.0.0.1:");
            self.seams.iter().find(|seam| seam.listen.port() != 0 && seam.listen.to_string() == address)
        };
        for seam in &self.seams {
            let mut at = leads_to(&seam.upstream);
            for _ in 0..self.seams.len() {
                let Some(next) = at else { break };
                if next.listen == seam.listen {
                    let (listen, upstream) = (seam.listen, seam.upstream.clone());
                    return Err(StandError::Circle { listen, upstream });
                }
                at = leads_to(&next.upstream);
            }
        }
        Ok(())
    }

    /// Lets everything stand that the words name.
    pub(crate) async fn stand(
        &self,
        stubs: Vec<Standing>,
        seams: &Seams,
        toxiproxy: &Toxiproxy,
    ) -> Result<Stood, StandError> {
        self.check_circles()?;
        let mut stood = Stood::default();
        let lines = &mut stood.lines;
        for Between { listen, upstream, protocol } in &self.seams {
            *lines += &line("seam", &seams.stand(*listen, upstream, *protocol).await?);
        }
        let until = Instant::now() + FOUND_WITHIN;
        for seam in &self.seams {
            stood.warnings.extend(seam.unfound(until).await);
        }
        for Standing { listen, name, stubs, protocol } in stubs {
            *lines += &line("stub", &seams.stand_stubs((listen, &name), stubs, protocol).await?);
        }
        for (root, listen) in self.wiremocks.iter().zip(self.listens.iter().skip(self.stubs.len())) {
            let (site, warnings) = serve_wiremock(*listen, root, self.manner()).await?;
            let _ = writeln!(lines, "wiremock: http://{} ({})", site.address(), root.display());
            stood.warnings.extend(warnings);
            stood.sites.push(site);
        }
        if let Some(path) = &self.toxiproxy_config {
            let failed = |reason: String| StandError::Config { path: path.display().to_string(), reason };
            let config = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let proxies = toxiproxy.populate(&config).await.map_err(failed)?;
            // One that comes again under its name is in the place of the first.
            let is_last =
                |index: usize| proxies[index + 1..].iter().all(|other| other.name != proxies[index].name);
            for proxy in (0..proxies.len()).filter(|index| is_last(*index)).map(|index| &proxies[index]) {
                let off = if proxy.is_enabled { "" } else { ", disabled" };
                let (listen, upstream, name) = (&proxy.listen, &proxy.upstream, &proxy.name);
                let _ = writeln!(lines, "toxiproxy: {listen} -> {upstream} ({name}{off})");
            }
        }
        Ok(stood)
    }

    /// Reads all files of stubs; what is wrong in any of them is told.
    pub(crate) fn read_stubs(&self, screen: &mut Screen) -> Result<Vec<Standing>, StandError> {
        let n_stubs = self.stubs.len() + self.wiremocks.len();
        if n_stubs != self.listens.len() {
            return Err(StandError::Uneven { n_stubs, n_listens: self.listens.len() });
        }
        let (mut sources, mut found) = (Sources::default(), Diagnostics::default());
        let mut read = Vec::new();
        for (path, listen) in self.stubs.iter().zip(&self.listens) {
            let name = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    if let Some((stubs, protocol)) = read_one(path, &text, &mut sources, &mut found) {
                        read.push(Standing { listen: *listen, name, stubs, protocol });
                    }
                }
                Err(error) => found.push(Diagnostic::error(format!("failed to read {name}: {error}"))),
            }
        }
        screen.diagnostics(&found, &sources);
        if found.has_errors() { Err(StandError::Told) } else { Ok(read) }
    }
}

fn read_one(
    path: &Path,
    text: &str,
    sources: &mut Sources,
    found: &mut Diagnostics,
) -> Option<(Stubs, &'static dyn Protocol)> {
    let file = sources.add(path.display().to_string(), text.to_owned());
    // Whatever is wrong in the file is told when its stubs are read.
    let node = parse(file, text, &mut Diagnostics::default());
    let named = node.as_ref().and_then(|node| node.get("protocol"));
    let protocol = match named.and_then(|name| Some((name, name.as_text()?))) {
        None => seam_wire::protocol("http"),
        Some((node, name)) => {
            let protocol = seam_wire::protocol(name);
            if protocol.is_none() {
                let names = seam_wire::PROTOCOLS.iter().map(|protocol| protocol.name());
                let title = format!("there is no protocol `{name}`");
                found.push(Diagnostic::error(title).at(node.span, "").suggest(name, names));
            }
            protocol
        }
    }?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let read_bytes = |path: &str| {
        let path = folder.join(path);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let reading = Reading { protocol, descriptors: None, knows: &|_| false, read_file: &read_bytes };
    let around = Around { read_file: &|path| read_below(&folder, path) };
    read_stub_file((&name, file, text), &reading, &around, found).map(|stubs| (stubs, protocol))
}

/// What templates of stubs may ask where there is no system.
pub(crate) fn surroundings(seed: u64) -> Surroundings {
    Surroundings {
        chance: Chance::new(seed, "serve"),
        now: jiff::Timestamp::now,
        env: Box::new(|name| std::env::var(name).ok()),
        file: Box::new(|path| std::fs::read(path).map_err(|error| format!("{path}: {error}"))),
        hostname: "localhost".to_owned(),
    }
}

fn line(what: &str, seam: &SeamView) -> String {
    let listens = seam.listens.map(|address| address.to_string()).unwrap_or_default();
    format!("{what}: {listens} -> {} ({})\n", seam.leads_to, seam.protocol.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_provider_that_nobody_knows_is_told() {
        let unfound = async |text: &str| {
            let until = Instant::now() + FOUND_WITHIN;
            Between::read(text).expect("a seam").unfound(until).await
        };
        assert_eq!(unfound("127.0.0.1:0=127.0.0.1:1").await, None);
        assert_eq!(unfound("127.0.0.1:0=localhost:1").await, None);
        let told = unfound("127.0.0.1:0=no name:80").await.expect("no such name");
        assert!(
            told.starts_with("the seam at 127.0.0.1:0 refuses connections as long as no name:80"),
            "{told}"
        );
    }
}
