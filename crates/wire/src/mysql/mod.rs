//! MySQL's and MariaDB's protocol: one exchange for each statement that is executed.
//!
//! ```text
//!                     ◀───  greeting                   the server speaks first
//! log-in              ───▶  OK
//! QUERY               ───▶  columns, rows               or what was changed, or an error; several with MULTI
//! PREPARE             ───▶  number, columns
//! EXECUTE, FETCH      ───▶  columns, rows in binary form
//! ```
//! Packets are numbered anew in each command; over 16 MiB they go on in the next one.

mod alone;
mod compress;
mod contents;
mod names;
mod packets;
mod prepared;
mod reading;
mod request;
mod said;
mod saying;
mod splitter;
mod stand_in;
pub mod text;
mod upgrade;
mod value;
mod walk;

use crate::conversation::{Conversation, Limits};
use crate::protocol::{Deed, Protocol};
use crate::splitter::Unanswerable;
use crate::upgrade::{Upgrade, Urge};
use crate::watching::Watching;
pub use packets::put_length;
use seam_model::{Field, Shape, Word};
use seam_value::Value;
use splitter::Cutter;

/// The protocol `mysql`.
pub(crate) struct Mysql;

impl Protocol for Mysql {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "mysql"
    }

    fn default_port(&self) -> Option<u16> {
        Some(3306)
    }

    fn offers_tls(&self) -> Option<Box<dyn Upgrade>> {
        Some(Box::<upgrade::Offers>::default())
    }

    fn asks_for_tls(&self, urge: Urge) -> Option<Box<dyn Upgrade>> {
        Some(Box::new(upgrade::Asks::new(urge)))
    }

    fn misfit(&self, answer: &Value) -> Option<Unanswerable> {
        saying::read(answer).err()
    }

    fn lacks(&self, deed: Deed) -> Option<&'static str> {
        match deed {
            Deed::ChangeMessage => Some("mysql has no messages: all it says is a reply"),
            _ => None,
        }
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Watching::new(Cutter::new(limits), limits))
    }
}

static WORD: Word = Word {
    text: "One interaction for each statement that is executed, also MariaDB's. Statements that only were prepared, log-ins, \
        pings and changes of the database make none, unless they were refused. A cursor that is read in parts makes \
        one for each part; several results of one statement stand under `more`. Passwords are never kept. The error \
        1213 rolls the server's transaction back, as its own would; other errors leave it open. A stub with nobody \
        behind it lets everybody in, and answers SET, transactions and `SELECT @@…` by itself. With \
        compression by zstd the connection passes as bytes; zlib is understood. TLS ends at the seam, and goes on behind it \
        where the server speaks it, too.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
        Field::optional("message", Shape::Fields(MESSAGE), "what the server said unasked"),
    ],
    example: "system: hello\n\
        components:\n  \
          db: { external: \"tcp://127.0.0.1:3306\", protocol: mysql }\n",
    ..Word::new("mysql", "MySQL and MariaDB, one interaction for each statement")
};

const ANSWER: &[Field] = &[
    Field::optional(
        "columns",
        Shape::List(&Shape::Text),
        "in an answer: the columns with their types, `[id bigint, price decimal(2)]`; where they aren't said the values \
            tell",
    ),
    Field::optional(
        "rows",
        Shape::List(&Shape::MapOf(&Shape::Any)),
        "in an answer: the rows, by column; in the types that the server described, else typed by their values",
    ),
    Field::optional("affected", Shape::Integer, "in an answer: how many rows were changed"),
    Field::optional("insert_id", Shape::Integer, "in an answer: the number that was given to a new row"),
    Field::optional("warnings", Shape::Integer, "in an answer: how many warnings there are"),
    Field::optional(
        "more",
        Shape::List(&Shape::Any),
        "in an answer: further results, each with these fields",
    ),
    Field::optional(
        "error",
        Shape::Any,
        "in an answer: MySQL's number, `1213`, or a map of code, state and message",
    ),
];

const REQUEST: &[Field] = &[
    Field::optional(
        "command",
        Shape::Text,
        "`query`, `execute` or `fetch`; `prepare` or `use` where it was refused",
    ),
    Field::optional("statement", Shape::Text, "the SQL as sent, also that of a prepared statement"),
    Field::optional(
        "parameters",
        Shape::List(&Shape::Any),
        "what was bound, in order; empty where nothing was",
    ),
    Field::optional("user", Shape::Text, "the user, of a connection that was refused"),
    Field::optional("database", Shape::Text, "the database, of a connection that was refused"),
];

const REPLY: &[Field] = &[
    Field::optional(
        "columns",
        Shape::List(&Shape::Text),
        "the columns with their types, in their order: `[id bigint unsigned, price decimal(2)]`, with the digits behind \
            the point",
    ),
    Field::optional("rows", Shape::List(&Shape::MapOf(&Shape::Any)), "the rows, by column"),
    Field::optional("count", Shape::Integer, "how many rows came, as far as they were kept"),
    Field::optional("affected", Shape::Integer, "how many rows were changed; null where there are rows"),
    Field::optional("insert_id", Shape::Integer, "the number that was given to a new row; 0 where none was"),
    Field::optional("warnings", Shape::Integer, "how many warnings there are"),
    Field::optional("more", Shape::List(&Shape::Any), "further results of the same statement"),
    Field::optional("error", Shape::Fields(ERROR), "why it was refused; null where it was not"),
];

const ERROR: &[Field] = &[
    Field::optional("code", Shape::Integer, "MySQL's number: 1062"),
    Field::optional("state", Shape::Text, "the SQLSTATE: `23000`"),
    Field::optional("message", Shape::Text, "the server's words"),
];

const MESSAGE: &[Field] =
    &[Field::optional("error", Shape::Fields(ERROR), "why the server ends the connection")];
