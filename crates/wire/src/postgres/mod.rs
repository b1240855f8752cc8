//! PostgreSQL's protocol, version 3: one exchange for each statement that is executed.
//!
//! ```text
//! simple    Q ───────────▶   T D D C  T D C  Z          one Q may hold several statements
//! extended  P B D E S ───▶   1 2 T D D C Z              parse, bind, describe, execute, sync; any number in a row
//! copy      Q ───▶ G    d d c ───▶ C Z
//! later                  A N S                          notifications, notices, settings: at any time
//! ```
//! What is awaited queues up in the order in which it was asked, and each reply belongs to the first.

mod array;
mod awaited;
mod binary;
mod connection;
mod control;
mod frames;
mod names;
mod reading;
mod rows;
mod session;
mod split;
mod splitter;
mod time;
mod upgrade;
mod value;
mod writing;

pub use value::{Format, to_value};

use crate::conversation::{Conversation, Limits};
use crate::protocol::Protocol;
use crate::splitter::Unanswerable;
use crate::upgrade::{Upgrade, Urge};
use connection::Connection;
use seam_model::{Field, Shape, Word};
use seam_value::Value;

/// The protocol `postgres`.
pub(crate) struct Postgres;

impl Protocol for Postgres {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn scheme(&self) -> &'static str {
        "postgresql"
    }

    fn default_port(&self) -> Option<u16> {
        Some(5432)
    }

    fn declines(&self, opening: &[u8]) -> Option<&'static [u8]> {
        (opening == frames::SSL_REQUEST || opening == frames::GSS_REQUEST).then_some(b"N")
    }

    fn wants_tls(&self, opening: &[u8]) -> Option<&'static [u8]> {
        match opening {
            [0x16, 3, ..] => Some(b""),
            _ if opening == frames::SSL_REQUEST => Some(b"S"),
            _ => None,
        }
    }

    fn asks_for_tls(&self, urge: Urge) -> Option<Box<dyn Upgrade>> {
        (!urge.is_lenient()).then(|| Box::new(upgrade::Asks::new(urge)) as Box<dyn Upgrade>)
    }

    fn tls_names(&self) -> &'static [&'static [u8]] {
        &[b"postgresql"]
    }

    fn misfit(&self, answer: &Value) -> Option<Unanswerable> {
        splitter::misfit(answer)
    }

    fn begin(&self, limits: Limits) -> Box<dyn Conversation> {
        Box::new(Connection::new(limits))
    }
}

static WORD: Word = Word {
    text: "One interaction for each statement that is executed, also where several are sent at once; one for each \
        notification, as `message`; one for a connection that was refused (`request.user`, `request.database`, \
        `reply.error`). Statements that only were prepared make none, unless they were refused. A portal that is \
        read in parts makes one for each part. Passwords are never kept. \
        A stub with no provider behind it is asked for data only: log-in, SET, SHOW, BEGIN, COMMIT and their like are \
        answered by themselves. It is asked once more, without parameters, where a driver wants to know the columns \
        of what it has prepared.",
    fields: ANSWER,
    results: &[
        Field::optional("request", Shape::Fields(REQUEST), "what was asked"),
        Field::optional("reply", Shape::Fields(REPLY), "what was answered; null where nothing was"),
        Field::optional("message", Shape::Fields(MESSAGE), "what was notified"),
    ],
    example: "system: hello\n\
        components:\n  \
          db: { external: \"tcp://127.0.0.1:5432\", protocol: postgres }\n",
    ..Word::new("postgres", "PostgreSQL, one interaction for each statement")
};

const ANSWER: &[Field] = &[
    Field::optional(
        "columns",
        Shape::List(&Shape::Text),
        "in an answer: the columns with their types, `[id int4, made timestamptz]`; where they aren't said the values \
            tell",
    ),
    Field::optional(
        "parameters",
        Shape::List(&Shape::Text),
        "in an answer: the types that the statement takes, `[int4, text]`, for drivers that ask before they bind; where \
            they aren't said it is text, but for what the statement casts",
    ),
    Field::optional(
        "rows",
        Shape::List(&Shape::MapOf(&Shape::Any)),
        "in an answer: the rows, by column; in the types that the server described, else typed by their values",
    ),
    Field::optional("affected", Shape::Integer, "in an answer: how many rows were changed"),
    Field::optional("count", Shape::Integer, "in an answer: the same, where `affected` is not said"),
    Field::optional(
        "tag",
        Shape::Text,
        "in an answer: the server's word, `INSERT 0 1`; otherwise made of the statement",
    ),
    Field::optional("copied", Shape::Text, "in an answer: the data of COPY TO"),
    Field::optional("suspended", Shape::Boolean, "in an answer: more rows are to be had from this portal"),
    Field::optional(
        "error",
        Shape::Any,
        "in an answer: the SQLSTATE, `\"40001\"`, or a map of code, message, severity, detail, hint, schema, \
         table, column and constraint; it fails the transaction as the server's own would",
    ),
];

const REQUEST: &[Field] = &[
    Field::optional("statement", Shape::Text, "the SQL as sent"),
    Field::optional(
        "parameters",
        Shape::List(&Shape::Any),
        "what was bound, in order; empty where nothing was",
    ),
    Field::optional("copied", Shape::Any, "the data of COPY FROM, as sent"),
    Field::optional("user", Shape::Text, "the user, of a connection that was refused"),
    Field::optional("database", Shape::Text, "the database, of a connection that was refused"),
    Field::optional("cancel", Shape::Boolean, "true where another connection's statement is to be cancelled"),
    Field::optional("function", Shape::Integer, "the function's number, of a call without SQL"),
];

const REPLY: &[Field] = &[
    Field::optional(
        "columns",
        Shape::List(&Shape::Text),
        "the columns with their types, in their order: `[id int4, tags text[]]`; a type that only this database has is \
            a number",
    ),
    Field::optional(
        "parameters",
        Shape::List(&Shape::Text),
        "the types that the statement takes, `[int4, text]`, where the consumer had asked for them",
    ),
    Field::optional("rows", Shape::List(&Shape::MapOf(&Shape::Any)), "the rows, by column"),
    Field::optional("count", Shape::Integer, "how many rows came, kept or not"),
    Field::optional(
        "affected",
        Shape::Integer,
        "how many rows were changed; null where the statement changes none",
    ),
    Field::optional("tag", Shape::Text, "the server's word: `INSERT 0 1`"),
    Field::optional("copied", Shape::Any, "the data of COPY TO, as sent"),
    Field::optional("suspended", Shape::Boolean, "true where more rows are to be had from this portal"),
    Field::optional("error", Shape::Fields(ERROR), "why it was refused; null where it was not"),
];

const ERROR: &[Field] = &[
    Field::optional("code", Shape::Text, "the SQLSTATE: `23505`"),
    Field::optional("message", Shape::Text, "the server's words"),
    Field::optional("severity", Shape::Text, "`ERROR`, `FATAL` or `PANIC`"),
    Field::optional("detail", Shape::Text, "more words"),
    Field::optional("hint", Shape::Text, "what might help"),
    Field::optional("schema", Shape::Text, "the schema that it is about"),
    Field::optional("table", Shape::Text, "the table that it is about"),
    Field::optional("column", Shape::Text, "the column that it is about"),
    Field::optional("constraint", Shape::Text, "the constraint that did not hold"),
];

const MESSAGE: &[Field] = &[
    Field::optional("topic", Shape::Text, "the channel"),
    Field::optional("body", Shape::Any, "the payload, decoded where it is JSON"),
    Field::optional("text", Shape::Text, "the payload as sent"),
    Field::optional(
        "error",
        Shape::Fields(ERROR),
        "why the server ends the connection, where it says so unasked",
    ),
];
