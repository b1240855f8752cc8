//! Where the variables of a program's environment lead: to itself, to a service, to another program.
//!
//! Only names that people use everywhere are understood. What is not understood is listed beside the component, so
//! that somebody who knows can say it.

use super::guess::{Guess, Guesses, Made};
use std::collections::BTreeSet;

/// What a program reads, and what it is given elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    /// The variables that its sources name.
    pub(super) reads: BTreeSet<String>,
    /// Variables with the values they have in a Compose file or an example of `.env`. A value only tells what kind
    /// of thing it is.
    pub(super) given: Vec<(String, String)>,
    /// Does it listen, although nothing says how it is told where?
    pub(super) listens: bool,
}

/// Another component, as far as a variable can lead to it.
struct Known {
    name: String,
    service: Option<&'static str>,
    databases: Vec<String>,
}

/// Schemes of addresses that show a service.
const SCHEMES: &[(&str, &str, &str)] = &[
    ("postgres", "postgres", "pg"),
    ("postgresql", "postgres", "pg"),
    ("redis", "redis", "redis"),
    ("smtp", "mailbox", "mail"),
];

/// Variables that lead to a service: how their names begin, and the service.
const PREFIXES: &[(&[&str], &str)] = &[
    (&["DATABASE", "DB", "POSTGRES", "POSTGRESQL", "PG"], "postgres"),
    (&["REDIS", "CACHE"], "redis"),
    (&["SMTP", "MAIL", "EMAIL"], "mailbox"),
];

/// How the names of variables end, and the property that they mean.
const ENDINGS: &[(&str, &str)] = &[
    ("_URL", "url"),
    ("_URI", "url"),
    ("_DSN", "url"),
    ("_HOST", "host"),
    ("HOST", "host"),
    ("_PORT", "port"),
    ("PORT", "port"),
    ("_ADDRESS", "address"),
    ("_ADDR", "address"),
    ("_USER", "user"),
    ("_USERNAME", "user"),
    ("USER", "user"),
    ("_PASSWORD", "password"),
    ("_PASS", "password"),
    ("PASSWORD", "password"),
    ("_NAME", "database"),
    ("_DATABASE", "database"),
    ("DATABASE", "database"),
    ("_DB", "database"),
];

/// Names that say where a program itself is to listen.
const OWN: &[(&[&str], &str)] = &[
    (&["PORT", "HTTP_PORT", "SERVER_PORT", "LISTEN_PORT", "APP_PORT"], "port"),
    (
        &[
            "LISTEN",
            "LISTEN_ADDR",
            "LISTEN_ADDRESS",
            "BIND",
            "BIND_ADDR",
            "BIND_ADDRESS",
            "ADDR",
            "ADDRESS",
            "SERVER_ADDR",
        ],
        "address",
    ),
    (&["HOST", "BIND_HOST", "LISTEN_HOST", "SERVER_HOST"], "host"),
];

/// Gives each program its environment, and adds the services that only addresses show.
pub(super) fn resolve(guesses: &mut Guesses) {
    let given: Vec<(String, String)> =
        guesses.list.iter().flat_map(|guess| &guess.variables.given).cloned().collect();
    for (name, value) in given {
        if let Some((_, service, component)) = scheme(&value) {
            guesses.service(service, component, None, &format!("{name} is an address of it"));
        }
    }
    guesses.list.sort_by_key(|guess| matches!(guess.made, Made::Run(_)));
    let known: Vec<Known> = guesses
        .list
        .iter()
        .map(|guess| match &guess.made {
            Made::Run(_) => Known { name: guess.name.clone(), service: None, databases: Vec::new() },
            Made::Service { name, databases, .. } => {
                Known { name: guess.name.clone(), service: Some(name), databases: databases.clone() }
            }
        })
        .collect();
    for guess in &mut guesses.list {
        fill(guess, &known);
    }
}

fn fill(guess: &mut Guess, known: &[Known]) {
    let Made::Run(run) = &guess.made else { return };
    let mut names: BTreeSet<String> = guess.variables.reads.clone();
    names.extend(guess.variables.given.iter().map(|(name, _)| name.clone()));
    for name in names {
        let value = guess.variables.given.iter().rev().find(|(given, _)| *given == name);
        let value = value.map_or("", |(_, value)| value.as_str());
        match leads_to(&name, value, &guess.name, known) {
            Some(reference) => guess.env.push((name, reference)),
            None => {
                guess.unknown.insert(name);
            }
        }
    }
    let is_told = run.contains("${self.") || guess.env.iter().any(|(_, value)| value.starts_with("${self."));
    if guess.variables.listens && !is_told {
        guess.env.push(("PORT".to_owned(), "${self.port}".to_owned()));
    }
    guess.env.sort_by_key(|(_, value)| !value.starts_with("${self."));
}

/// The reference that a variable should have.
fn leads_to(name: &str, value: &str, own: &str, known: &[Known]) -> Option<String> {
    if let Some((_, property)) = OWN.iter().find(|(names, _)| names.contains(&name)) {
        return Some(format!("${{self.{property}}}"));
    }
    let service = |wanted: &str| known.iter().find(|known| known.service == Some(wanted));
    if let Some((database, wanted, _)) = scheme(value) {
        return service(wanted).map(|known| reference(known, &database, "url"));
    }
    let (start, property) = parts(name)?;
    for (prefixes, wanted) in PREFIXES {
        if prefixes.contains(&start) {
            return service(wanted)
                .filter(|known| has(known, property))
                .map(|known| reference(known, "", property));
        }
    }
    // Otherwise it is named after another program: INVENTORY_URL, INVENTORY_SERVICE_URL.
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let short = start.trim_end_matches("_BASE").trim_end_matches("_API").trim_end_matches("_SERVICE");
    let names = [plain(start), plain(start.trim_end_matches("_API")), plain(short)];
    let is_named = |known: &Known| names.contains(&plain(&known.name)) && known.name != own;
    let other = known.iter().find(|known| known.service.is_none() && is_named(known))?;
    matches!(property, "url" | "host" | "port" | "address").then(|| format!("${{{}.{property}}}", other.name))
}

/// `DATABASE_URL` is `DATABASE` and `url`; `PGHOST` is `PG` and `host`.
fn parts(name: &str) -> Option<(&str, &'static str)> {
    let (ending, property) =
        ENDINGS.iter().find(|(ending, _)| name.ends_with(ending) && name.len() > ending.len())?;
    Some((&name[..name.len() - ending.len()], property))
}

/// Has the service such a property?
fn has(known: &Known, property: &str) -> bool {
    let service = known.service.and_then(seam_services::find);
    service.is_some_and(|service| service.word().results.iter().any(|field| field.name == property))
}

/// Several databases are told apart by name; one is meant by the service itself.
fn reference(known: &Known, database: &str, property: &str) -> String {
    let chosen = known.databases.iter().find(|name| *name == database).or(known.databases.first());
    match chosen {
        Some(chosen) if known.databases.len() > 1 => format!("${{{}.{chosen}.{property}}}", known.name),
        _ => format!("${{{}.{property}}}", known.name),
    }
}

/// The database, the service and its usual name, of an address with a known scheme.
fn scheme(value: &str) -> Option<(String, &'static str, &'static str)> {
    let (scheme, rest) = value.split_once("://")?;
    // `postgresql+asyncpg://` is one of SQLAlchemy's.
    let scheme = scheme.split('+').next().unwrap_or(scheme);
    let (_, service, component) = SCHEMES.iter().find(|(known, ..)| *known == scheme)?;
    let database = rest.split_once('/').map_or("", |(_, path)| path.split('?').next().unwrap_or(path));
    Some((database.to_owned(), service, component))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known> {
        let program = |name: &str| Known { name: name.to_owned(), service: None, databases: Vec::new() };
        let databases = vec!["shop".to_owned(), "stock".to_owned()];
        let pg = Known { name: "pg".to_owned(), service: Some("postgres"), databases };
        vec![pg, program("web"), program("order-service")]
    }

    #[test]
    fn names_that_people_use_lead_where_they_should() {
        for (name, value, expect) in [
            ("PORT", "", Some("${self.port}")),
            ("LISTEN_ADDR", "", Some("${self.address}")),
            ("DATABASE_URL", "", Some("${pg.shop.url}")),
            ("DATABASE_URL", "postgres://a:b@db:5432/stock?x=1", Some("${pg.stock.url}")),
            ("STOCK", "postgresql+asyncpg://db/stock", Some("${pg.stock.url}")),
            ("PGHOST", "", Some("${pg.shop.host}")),
            ("DB_PASSWORD", "", Some("${pg.shop.password}")),
            ("ORDER_SERVICE_URL", "", Some("${order-service.url}")),
            ("ORDER_SERVICE_API_URL", "", Some("${order-service.url}")),
            ("WEB_URL", "", None),
            ("REDIS_URL", "", None),
            ("LOG_LEVEL", "", None),
            ("STRIPE_PASSWORD", "", None),
        ] {
            let expect = expect.map(str::to_owned);
            let found = leads_to(name, value, "web", &known());
            assert_eq!(found, expect, "{name}={value}");
        }
    }
}
