//! A PostgreSQL as declared: its settings, its databases, and what consumers may refer to.

use super::{DATABASE_FIELDS, OUR_DATABASES, WORD, running};
use crate::programs::Requirement;
use crate::service::{Declared, EndpointInfo, RaiseCx, RaiseError, Running, Service};
use crate::settings;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use seam_diag::{Diagnostic, Diagnostics};
use seam_model::{Component, Entry, Fields, Node, Spanned};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The database that every server has.
const MAINTENANCE: &str = "postgres";

/// PostgreSQL cuts longer names, silently.
const NAME_LIMIT: usize = 63;

/// Settings that decide how we reach the server, or where its files are.
const OURS: &[&str] = &[
    "listen_addresses",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
    "unix_socket_group",
    "data_directory",
    "config_file",
    "hba_file",
    "ident_file",
    "external_pid_file",
    "logging_collector",
    "ssl",
];

/// The line in the table of services.
pub struct PostgresService;

/// What a PostgreSQL is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) requirement: Requirement,
    pub(crate) program: Option<PathBuf>,
    pub(crate) databases: Vec<Database>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) locale: String,
    /// Settings of the server by name.
    pub(crate) settings: Vec<(String, String)>,
}

/// One database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    /// Who owns it, where that is not the user of all.
    pub(crate) owner: Option<String>,
    pub(crate) seeds: Vec<SeedFile>,
}

/// One seed.
#[derive(Clone, Debug)]
pub(crate) struct SeedFile {
    /// As the user wrote it.
    pub(crate) shown: PathBuf,
    pub(crate) path: PathBuf,
}

impl Service for PostgresService {
    fn word(&self) -> &'static seam_model::Word {
        &WORD
    }

    fn program(&self) -> Option<&'static crate::programs::Program> {
        Some(&super::PROGRAM)
    }

    fn read(
        &self,
        component: &Component,
        project: &Path,
        found: &mut Diagnostics,
    ) -> Option<Box<dyn Declared>> {
        Some(Box::new(DeclaredPostgres { plan: Plan::read(component, project, found) }))
    }
}

impl Plan {
    pub(crate) fn read(component: &Component, project: &Path, found: &mut Diagnostics) -> Self {
        let owner = format!("the PostgreSQL `{}`", component.name.value);
        let mut fields = Fields::over(&component.settings, component.subject.span, owner);
        let requirement = settings::requirement(&mut fields, found);
        let program = fields.text("program", found).map(|program| project.join(&program.value));
        let user = fields.text("user", found).and_then(|user| role(user, found));
        let password = fields.text("password", found).map_or_else(|| "seam".to_owned(), |text| text.value);
        let locale = fields.text("locale", found).map_or_else(default_locale, |text| text.value);
        let databases = fields.map("databases", found);
        let databases = databases.iter().filter_map(|entry| Database::read(entry, project, found)).collect();
        let settings = fields.map("settings", found);
        let settings = settings.iter().filter_map(|entry| setting(entry, found)).collect();
        fields.finish(found);
        let user = user.unwrap_or_else(|| "seam".to_owned());
        let mut plan = Self { requirement, program, databases, user, password, locale, settings };
        if plan.databases.is_empty() {
            plan.databases.push(Database { name: plan.user.clone(), owner: None, seeds: Vec::new() });
        }
        plan
    }

    /// The database behind an endpoint; none where there is no such endpoint.
    pub(crate) fn database(&self, endpoint: &str) -> Option<&str> {
        match (endpoint, self.databases.as_slice()) {
            ("", [only]) => Some(&only.name),
            ("", _) => Some(MAINTENANCE),
            (name, all) => all.iter().map(|database| database.name.as_str()).find(|known| *known == name),
        }
    }

    /// Whom consumers of a database sign in as.
    fn user_of(&self, database: &str) -> &str {
        let database = self.databases.iter().find(|known| known.name == database);
        database.and_then(|database| database.owner.as_deref()).unwrap_or(&self.user)
    }
}

impl Database {
    fn read(entry: &Entry, project: &Path, found: &mut Diagnostics) -> Option<Self> {
        let name = &entry.key;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.value.is_empty() || !name.value.chars().all(plain) || name.value.len() > NAME_LIMIT {
            let title = format!("`{}` cannot be the name of a database", name.value);
            let why = format!("letters, digits, `-` and `_`, at most {NAME_LIMIT}");
            found.push(Diagnostic::error(title).at(name.span, why));
            return None;
        }
        if matches!(name.value.as_str(), "template0" | "template1") || name.value.starts_with(OUR_DATABASES) {
            let title = format!("`{}` is taken by PostgreSQL or Seamwork", name.value);
            found.push(Diagnostic::error(title).at(name.span, ""));
            return None;
        }
        let mut fields = Fields::of(&entry.node, format!("the database `{}`", name.value), found);
        let seeds = fields.texts(DATABASE_FIELDS[0].name, found);
        let owner = fields.text(DATABASE_FIELDS[1].name, found).and_then(|owner| role(owner, found));
        fields.finish(found);
        let seeds = seeds.into_iter().filter_map(|seed| SeedFile::read(&seed, project, found)).collect();
        Some(Self { name: name.value.clone(), owner, seeds })
    }
}

impl SeedFile {
    fn read(seed: &Spanned<String>, project: &Path, found: &mut Diagnostics) -> Option<Self> {
        let path = project.join(&seed.value);
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let problem = if !path.exists() {
            format!("there is no {}", path.display())
        } else if !path.is_file() {
            "this is no file".to_owned()
        } else if !matches!(ending, "sql" | "csv") {
            "seeds end with .sql or .csv".to_owned()
        } else {
            return Some(Self { shown: PathBuf::from(&seed.value), path });
        };
        found.push(Diagnostic::error("this seed cannot be used").at(seed.span, problem));
        None
    }
}

fn default_locale() -> String {
    // What is the same on every machine: by bytes, but with the letters of all languages known.
    if cfg!(target_os = "macos") { "C".to_owned() } else { "C.UTF-8".to_owned() }
}

fn role(name: Spanned<String>, found: &mut Diagnostics) -> Option<String> {
    let problem = if name.value.is_empty() || name.value.len() > NAME_LIMIT {
        "a name has between 1 and 63 bytes"
    } else if name.value == super::ADMIN || name.value.starts_with("pg_") {
        "this name is taken"
    } else {
        return Some(name.value);
    };
    found.push(Diagnostic::error(format!("`{}` cannot be a user", name.value)).at(name.span, problem));
    None
}

fn setting(entry: &Entry, found: &mut Diagnostics) -> Option<(String, String)> {
    let name = &entry.key;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let problem = if OURS.contains(&name.value.to_ascii_lowercase().as_str()) {
        "Seamwork sets this itself, because it stands between the server and all others"
    } else if name.value.is_empty() || !name.value.chars().all(plain) {
        "letters, digits, `_` and `.`"
    } else if let Some(value) = text_of(&entry.node) {
        return Some((name.value.clone(), value));
    } else {
        found.push(
            Diagnostic::error(format!("the setting `{}` must be a text", name.value))
                .at(entry.node.span, format!("this is {}", entry.node.kind_name())),
        );
        return None;
    };
    found.push(Diagnostic::error(format!("`{}` cannot be set", name.value)).at(name.span, problem));
    None
}

fn text_of(node: &Node) -> Option<String> {
    node.scalar_text().filter(|text| !text.contains('\0'))
}

struct DeclaredPostgres {
    plan: Plan,
}

impl Declared for DeclaredPostgres {
    fn endpoints(&self) -> Vec<EndpointInfo> {
        let names = std::iter::once("").chain(self.plan.databases.iter().map(|known| known.name.as_str()));
        names.map(|name| EndpointInfo { name: name.to_owned(), protocol: "postgres" }).collect()
    }

    fn properties(&self, endpoint: &str) -> &'static [&'static str] {
        match self.plan.database(endpoint) {
            Some(_) => &["url", "address", "host", "port", "user", "password", "database"],
            None => &[],
        }
    }

    fn property(&self, endpoint: &str, name: &str, at: SocketAddr) -> Option<String> {
        let database = self.plan.database(endpoint)?;
        let user = self.plan.user_of(database);
        match name {
            "url" => {
                let userinfo = settings::userinfo(Some(&(user.to_owned(), self.plan.password.clone())));
                Some(format!("postgresql://{userinfo}{at}/{}", settings::encoded(database)))
            }
            "user" => Some(user.to_owned()),
            "password" => Some(self.plan.password.clone()),
            "database" => Some(database.to_owned()),
            _ => settings::address_property(name, at),
        }
    }

    fn secrets(&self) -> Vec<String> {
        // The password that everybody has from our own documentation is no secret, and its letters stand anywhere.
        Some(self.plan.password.clone()).filter(|password| password != "seam").into_iter().collect()
    }

    fn raise<'a>(&'a self, cx: &'a RaiseCx) -> BoxFuture<'a, Result<Box<dyn Running>, RaiseError>> {
        async move {
            let running = running::raise(&self.plan, cx).await?;
            Ok(Box::new(running) as Box<dyn Running>)
        }
        .boxed()
    }
}
