//! A vocabulary to read with, of the shape that the program's own has.

use seam_manifest::Vocabulary;
use seam_model::{Field, Shape, Word};

const fn fields(word: Word, subject: Shape, fields: &'static [Field]) -> Word {
    Word { subject, fields, ..word }
}

const fn any(name: &'static str) -> Field {
    Field::optional(name, Shape::Any, "an input")
}

static HTTP: Word = fields(
    Word::new("http", "sends a request"),
    Shape::Text,
    &[
        any("path"),
        Field::optional("query", Shape::MapOf(&Shape::Any), "parameters"),
        Field::optional("headers", Shape::MapOf(&Shape::Text), "headers"),
        any("json"),
        any("text"),
        Field::optional("bearer", Shape::Text, "a token"),
        Field::optional("follow", Shape::Boolean, "follows redirects"),
    ],
);
static SQL: Word = fields(
    Word::new("sql", "asks a database"),
    Shape::Component,
    &[Field::required("query", Shape::Text, "the statement")],
);
static REDIS: Word = fields(
    Word::new("redis", "asks Redis"),
    Shape::Component,
    &[Field::required("command", Shape::Either(&[Shape::Text, Shape::List(&Shape::Any)]), "the command")],
);
static MAIL: Word = fields(
    Word::new("mail", "looks into a mailbox"),
    Shape::Component,
    &[any("to"), any("from"), any("subject")],
);
static EXEC: Word = fields(Word::new("exec", "runs a program"), Shape::List(&Shape::Text), &[any("dir")]);
static SEAM: Word = fields(
    Word::new("seam", "what passed on a seam"),
    Shape::Seam,
    &[Field::optional("where", Shape::Expectations, "which")],
);
static COMPONENT: Word = fields(Word::new("component", "stops and starts"), Shape::Text, &[]);
static TOGETHER: Word = fields(Word::new("together", "steps at once"), Shape::Steps, &[]);
static USE: Word = fields(
    Word::new("use", "runs a flow"),
    Shape::Text,
    &[Field::optional("with", Shape::MapOf(&Shape::Any), "what the flow takes")],
);
static FAULT: Word = fields(
    Word::new("fault", "strikes now"),
    Shape::Any,
    &[Field::required("seam", Shape::Seam, "the seam")],
);
static GRAPHQL: Word = Word::new("graphql", "asks a GraphQL API");

static RUN: Word =
    fields(Word::new("run", "a process"), Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]), &[]);
static SERVICE: Word =
    fields(Word::new("service", "a ready-made component"), Shape::Text, &[any("version"), any("program")]);
static EXTERNAL: Word = fields(
    Word::new("external", "somebody else's"),
    Shape::Text,
    &[Field::optional("live", Shape::Boolean, "may it be asked?"), any("budget"), any("operations")],
);
static IMAGE: Word = fields(Word::new("image", "a container"), Shape::Text, &[any("ports")]);
static PLANNED: Word = fields(Word::new("planned", "not there yet"), Shape::Any, &[any("story")]);

static POSTGRES: Word =
    fields(Word::new("postgres", "PostgreSQL"), Shape::Nothing, &[any("databases"), any("settings")]);
static REDIS_SERVICE: Word = fields(Word::new("redis", "Redis"), Shape::Nothing, &[]);
static MAILBOX: Word = fields(Word::new("mailbox", "an SMTP server"), Shape::Nothing, &[]);

static LATENCY: Word = Word::new("latency", "slow");
static REFUSE: Word = Word::new("refuse", "refused");
static STATUS: Word = Word::new("status", "answers with a status");
static HTTP_PROTOCOL: Word = Word::new("http", "HTTP/1");
static GRPC_PROTOCOL: Word = Word::new("grpc", "gRPC");
static TCP_PROTOCOL: Word = Word::new("tcp", "bytes");
static CONTAINS: Word = Word { subject: Shape::Any, ..Word::new("contains", "holds") };
static TYPE: Word =
    Word { subject: Shape::OneOf(&["integer", "string"]), ..Word::new("type", "is of a type") };

/// Everything that the files in `mistakes` speak of.
pub(crate) const WORDS: Vocabulary<'static> = Vocabulary {
    steps: &[&HTTP, &SQL, &REDIS, &MAIL, &EXEC, &SEAM, &COMPONENT, &TOGETHER, &USE, &FAULT, &GRAPHQL],
    later: &["graphql"],
    origins: &[&SERVICE, &RUN, &IMAGE, &EXTERNAL, &PLANNED],
    programs: &["run", "image"],
    services: &[&POSTGRES, &REDIS_SERVICE, &MAILBOX],
    protocols: &[&HTTP_PROTOCOL, &GRPC_PROTOCOL, &TCP_PROTOCOL],
    faults: &[&LATENCY, &REFUSE, &STATUS],
    matchers: &[&CONTAINS, &TYPE],
    readiness: &[],
    further: &[],
};
