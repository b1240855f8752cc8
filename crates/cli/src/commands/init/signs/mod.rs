//! The files by which a component is guessed: one line for each in the table.

mod cargo;
mod compose;
mod node;
mod openapi;
mod procfile;
mod python;

use super::guess::Guesses;
use std::path::Path;

/// A file that says something about components.
pub(super) struct Sign {
    /// Its name.
    pub(super) file: &'static str,
    /// Takes what it says.
    pub(super) look: fn(&Path, &mut Guesses),
}

/// All signs. A Procfile comes first, because where there is one it says how programs are started; a Compose file's
/// services come before programs, because these refer to them.
pub(super) const SIGNS: &[Sign] = &[
    Sign { file: "Procfile", look: procfile::look },
    Sign { file: "compose.yaml", look: compose::look },
    Sign { file: "compose.yml", look: compose::look },
    Sign { file: "docker-compose.yaml", look: compose::look },
    Sign { file: "docker-compose.yml", look: compose::look },
    Sign { file: "Cargo.toml", look: cargo::look },
    Sign { file: "package.json", look: node::look },
    Sign { file: "manage.py", look: python::django },
    Sign { file: "pyproject.toml", look: python::project },
    Sign { file: "requirements.txt", look: python::project },
    Sign { file: "openapi.yaml", look: openapi::look },
    Sign { file: "openapi.yml", look: openapi::look },
    Sign { file: "openapi.json", look: openapi::look },
    Sign { file: "swagger.yaml", look: openapi::look },
    Sign { file: "swagger.json", look: openapi::look },
];

/// Libraries by which a program is known to use a service, in any of the languages: a part of the library's name,
/// the service, and the name under which it stands.
const LIBRARIES: &[(&[&str], &str, &str)] = &[
    (
        &[
            "tokio-postgres",
            "postgres",
            "pg",
            "pg-promise",
            "psycopg",
            "psycopg2",
            "psycopg2-binary",
            "psycopg[binary]",
            "asyncpg",
            "pgx",
            "deadpool-postgres",
        ],
        "postgres",
        "pg",
    ),
    (&["redis", "ioredis", "fred", "aioredis"], "redis", "redis"),
    (&["nodemailer", "lettre", "aiosmtplib"], "mailbox", "mail"),
];

/// Adds the services whose libraries a program uses.
fn libraries<'a>(names: impl Iterator<Item = &'a str>, why: &str, guesses: &mut Guesses) {
    for name in names {
        for (libraries, service, component) in LIBRARIES {
            if libraries.contains(&name) {
                guesses.service(service, component, None, &format!("{why}: uses {name}"));
            }
        }
    }
}

/// A file's text, unless it is none or too large to be read for a guess.
fn read(file: &Path) -> Option<String> {
    let is_small = std::fs::metadata(file).is_ok_and(|found| found.len() < 1 << 20);
    is_small.then(|| std::fs::read_to_string(file).ok()).flatten()
}

/// The name of the folder that a file lies in.
fn folder_name(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}
