//! A Redis as declared: its settings, its databases, and what consumers may refer to.

use super::{DATABASES, PROGRAM, WORD, running};
use crate::programs::{Program, Requirement};
use crate::service::{Declared, EndpointInfo, RaiseCx, RaiseError, Running, Service};
use crate::settings;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Component, Entry, Fields, Spanned, Word};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// More databases than anybody has; each is an endpoint.
const MOST_DATABASES: u32 = 1024;

/// Settings that decide how we reach the server, or where its files are.
const OURS: &[&str] = &[
    "port",
    "bind",
    "tls-port",
    "unixsocket",
    "unixsocketperm",
    "daemonize",
    "supervised",
    "dir",
    "pidfile",
    "logfile",
    "include",
    "requirepass",
    "databases",
    "cluster-enabled",
];

/// The line in the table of services.
pub struct RedisService;

/// What a Redis is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) requirement: Requirement,
    pub(crate) program: Option<PathBuf>,
    pub(crate) password: Option<String>,
    pub(crate) databases: u32,
    pub(crate) seeds: Vec<SeedFile>,
    /// Settings of the server by name.
    pub(crate) settings: Vec<(String, String)>,
}

/// One seed.
#[derive(Clone, Debug)]
pub(crate) struct SeedFile {
    /// As the user wrote it.
    pub(crate) shown: PathBuf,
    pub(crate) path: PathBuf,
}

impl Service for RedisService {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn program(&self) -> Option<&'static Program> {
        Some(&PROGRAM)
    }

    fn read(
        &self,
        component: &Component,
        project: &Path,
        found: &mut Diagnostics,
    ) -> Option<Box<dyn Declared>> {
        Some(Box::new(DeclaredRedis { plan: Plan::read(component, project, found) }))
    }
}

impl Plan {
    pub(crate) fn read(component: &Component, project: &Path, found: &mut Diagnostics) -> Self {
        let owner = format!("the Redis `{}`", component.name.value);
        let mut fields = Fields::over(&component.settings, component.subject.span, owner);
        let requirement = settings::requirement(&mut fields, found);
        let program = fields.text("program", found).map(|program| project.join(&program.value));
        let password = fields.text("password", found).and_then(|password| password_of(password, found));
        let databases = fields.take_entry("databases").and_then(|entry| databases_of(entry, found));
        let seeds = fields.texts("seed", found);
        let settings = fields.map("settings", found);
        fields.finish(found);
        Self {
            requirement,
            program,
            password,
            databases: databases.unwrap_or(DATABASES),
            seeds: seeds.into_iter().filter_map(|seed| SeedFile::read(&seed, project, found)).collect(),
            settings: settings.iter().filter_map(|entry| setting(entry, found)).collect(),
        }
    }

    /// The database behind an endpoint; none where there is no such endpoint.
    fn database(&self, endpoint: &str) -> Option<u32> {
        match endpoint {
            "" => Some(0),
            // `07` is none.
            name => (0..self.databases).find(|n| n.to_string() == name),
        }
    }
}

impl SeedFile {
    fn read(seed: &Spanned<String>, project: &Path, found: &mut Diagnostics) -> Option<Self> {
        let path = project.join(&seed.value);
        if path.is_file() {
            return Some(Self { shown: PathBuf::from(&seed.value), path });
        }
        let problem = if path.exists() {
            "this is no file".to_owned()
        } else {
            format!("there is no {}", path.display())
        };
        found.push(Diagnostic::error("this seed cannot be used").at(seed.span, problem));
        None
    }
}

fn databases_of(entry: &Entry, found: &mut Diagnostics) -> Option<u32> {
    let number = entry.node.scalar_text().and_then(|text| text.parse::<u32>().ok());
    let fitting = number.filter(|n| (1..=MOST_DATABASES).contains(n));
    if fitting.is_none() {
        let why = format!("a number from 1 to {MOST_DATABASES}");
        found.push(Diagnostic::error("there cannot be so many databases").at(entry.node.span, why));
    }
    fitting
}

/// A password stands in addresses and in the server's file of settings.
fn password_of(password: Spanned<String>, found: &mut Diagnostics) -> Option<String> {
    if !password.value.is_empty() && !password.value.contains(['\0', '\n', '\r']) {
        return Some(password.value);
    }
    found.push(Diagnostic::error("this cannot be a password").at(password.span, "one line, not empty"));
    None
}

fn setting(entry: &Entry, found: &mut Diagnostics) -> Option<(String, String)> {
    let name = &entry.key;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let problem = if OURS.contains(&name.value.to_ascii_lowercase().as_str()) {
        "Seamwork sets this itself, because it stands between the server and all others"
    } else if name.value.is_empty() || !name.value.chars().all(plain) {
        "letters, digits and `-`"
    } else if let Some(value) = entry.node.scalar_text().filter(|text| !text.contains(['\0', '\n', '\r'])) {
        return Some((name.value.clone(), value));
    } else {
        let title = format!("the setting `{}` must be a text in one line", name.value);
        found.push(
            Diagnostic::error(title).at(entry.node.span, format!("this is {}", entry.node.kind_name())),
        );
        return None;
    };
    found.push(Diagnostic::error(format!("`{}` cannot be set", name.value)).at(name.span, problem));
    None
}

struct DeclaredRedis {
    plan: Plan,
}

impl Declared for DeclaredRedis {
    fn endpoints(&self) -> Vec<EndpointInfo> {
        let names = std::iter::once(String::new()).chain((0..self.plan.databases).map(|n| n.to_string()));
        names.map(|name| EndpointInfo { name, protocol: "redis" }).collect()
    }

    fn properties(&self, endpoint: &str) -> &'static [&'static str] {
        match (self.plan.database(endpoint), &self.plan.password) {
            (None, _) => &[],
            (Some(_), None) => &["url", "address", "host", "port", "database"],
            (Some(_), Some(_)) => &["url", "address", "host", "port", "database", "password"],
        }
    }

    fn property(&self, endpoint: &str, name: &str, at: SocketAddr) -> Option<String> {
        let database = self.plan.database(endpoint)?;
        let password = self.plan.password.as_deref();
        match name {
            "url" => {
                let userinfo = password.map(|password| format!(":{}@", settings::encoded(password)));
                let path = if endpoint.is_empty() { String::new() } else { format!("/{database}") };
                Some(format!("redis://{}{at}{path}", userinfo.unwrap_or_default()))
            }
            "password" => password.map(str::to_owned),
            "database" => Some(database.to_string()),
            _ => settings::address_property(name, at),
        }
    }

    fn secrets(&self) -> Vec<String> {
        self.plan.password.iter().cloned().collect()
    }

    fn raise<'a>(&'a self, cx: &'a RaiseCx) -> BoxFuture<'a, Result<Box<dyn Running>, RaiseError>> {
        async move {
            let running = running::raise(&self.plan, cx).await?;
            Ok(Box::new(running) as Box<dyn Running>)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_is_an_endpoint_with_the_address_that_drivers_take() {
        let plan = Plan {
            requirement: Requirement::default(),
            program: None,
            password: None,
            databases: 12,
            seeds: Vec::new(),
            settings: Vec::new(),
        };
        let open = DeclaredRedis { plan: plan.clone() };
        let closed = DeclaredRedis { plan: Plan { password: Some("p@ß/".to_owned()), ..plan } };
        let at = SocketAddr::from(([127, 0, 0, 1], 7000));
        assert_eq!(open.endpoints().len(), 13);
        for (redis, endpoint, name, value) in [
            (&open, "", "url", Some("redis://127.0.0.1:7000")),
            (&open, "11", "url", Some("redis://127.0.0.1:7000/11")),
            (&open, "0", "database", Some("0")),
            (&open, "11", "port", Some("7000")),
            (&open, "12", "url", None),
            (&open, "07", "url", None),
            (&open, "", "password", None),
            (&closed, "3", "url", Some("redis://:p%40%C3%9F%2F@127.0.0.1:7000/3")),
            (&closed, "3", "password", Some("p@ß/")),
        ] {
            let known = redis.properties(endpoint).contains(&name);
            assert_eq!(known, value.is_some(), "{endpoint}.{name}");
            assert_eq!(redis.property(endpoint, name, at).as_deref(), value, "{endpoint}.{name}");
        }
    }
}
