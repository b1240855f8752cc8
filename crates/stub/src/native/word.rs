//! The documentation of stubs as they are written in files and tests.

use seam_model::{Field, Shape, Word};

/// One stub: what it is asked, and what it answers.
pub static STUB: Word = Word {
    subject: Shape::Any,
    text: "Stands in for a provider, on any protocol. A file of stubs has a list under `stubs`; where a stub stands in a test or \
           in `seam.yaml`, one stub, a list of them, or the path of such a file is written.\n\n\
           A request is answered by **the first stub that matches**, in the order in which they stand in the file; `priority` comes \
           before that order (1 before 5, which a stub has that says none). Stubs that are put on a seam later (by a test, or \
           live) stand above all that stand there already. What no stub matches goes on to the provider where there is one.\n\n\
           `request` holds the paths of the protocol's request with values or matchers, as in `expect`: `body.card: { ends_with: \
           \"2\" }`; for HTTP `request: POST /charge` is short for method and path. `reply` holds the fields of an answer in this protocol. In it, \
           `$request.body.amount` and `${ … }` stand for parts of the request; further names are `n` (1 when this stub answers for the \
           first time), `state`, `consumer`, and the variables of the test.\n\n\
           `replies` are given one after the other, and the last again and again; with `repeat: true` it begins anew. A reply may say \
           itself how often (`times`), how late (`delay`), what follows (`then`, `callbacks`), or `pass: true`.\n\n\
           A stream is said bit by bit, in HTTP `events` (or `messages`, on WebSocket), in gRPC `messages`, each so long `after` what \
           came before it, or as `every` says. The last may be `{ fault: reset }`, `truncate` or `hang`; with `open: true` the stream \
           stays, and messages can be pushed onto it. What a consumer says on a WebSocket that a stub answers is asked for \
           as `message`: `request: { message.body.kind: subscribe }`, and answered by `messages`.\n\n\
           `state` is what the stubs of a stand-in remember. It is null at first, or what `state` at the top of the file says; \
           `then: { state.order: paid }` changes it, `when: { state.order: paid }` asks for it, as does `when: { n: 1 }`.",
    fields: FIELDS,
    example: "protocol: http\nstubs:\n  \
              - name: a declined card\n    \
                request: { method: POST, path: /charge, body.card: { ends_with: \"2\" } }\n    \
                reply: { status: 402, json: { reason: card_declined } }\n  \
              - name: charged once\n    \
                request: POST /charge\n    \
                delay: { from: 1ms, to: 3ms }\n    \
                reply:\n      status: 201\n      json: { id: \"ch-${n}\", amount: $request.body.amount }\n    \
                then: { state: charged }\n    \
                callbacks:\n      \
                  - { url: $request.body.callback, json: { state: paid }, after: 1s }\n  \
              - name: busy, then ready\n    \
                request: GET /state\n    \
                when: { state: charged }\n    \
                replies:\n      \
                  - { status: 503, times: 2 }\n      \
                  - { status: 200, json: { state: $state } }\n  \
              - name: all else is asked of the provider\n    \
                pass: true\n",
    ..Word::new("stub", "what answers in a provider's place")
};

const CONDITIONS: Shape = Shape::MapOf(&Shape::Matchers);
const DELAY: Shape = Shape::Either(&[Shape::Duration, Shape::MapOf(&Shape::Any)]);

pub(super) const FIELDS: &[Field] = &[
    Field::optional("name", Shape::Text, "what it is called in the History; else it is named by its place"),
    Field::optional(
        "request",
        Shape::Either(&[Shape::Text, CONDITIONS]),
        "paths of the request with what must be there; without it every request matches",
    ),
    Field::optional("when", CONDITIONS, "further conditions: `state`, `n`, `consumer`"),
    Field::optional("reply", Shape::MapOf(&Shape::Any), "the answer, in the protocol's fields"),
    Field::optional(
        "replies",
        Shape::List(&Shape::MapOf(&Shape::Any)),
        "answers one after the other; the last stays",
    ),
    Field::optional("repeat", Shape::Boolean, "after the last of `replies` the first comes again"),
    Field::optional("pass", Shape::Boolean, "the provider is asked after all"),
    Field::optional(
        "delay",
        DELAY,
        "how long the answer takes: a duration, `from` and `to`, or `median` and `sigma`",
    ),
    Field::optional("times", Shape::Integer, "how often it answers; then it matches no longer"),
    Field::optional("priority", Shape::Integer, "from 1, which comes first; else 5"),
    Field::optional("then", Shape::MapOf(&Shape::Any), "what `state`, or a part of it, is afterwards"),
    Field::optional(
        "callbacks",
        Shape::List(&Shape::Fields(CALLBACK)),
        "HTTP requests that are sent once the answer is out",
    ),
];

pub(super) const CALLBACK: &[Field] = &[
    Field::required("url", Shape::Text, "the whole address"),
    Field::optional("method", Shape::Text, "the method; else POST"),
    Field::optional("headers", Shape::MapOf(&Shape::Text), "headers"),
    Field::optional("json", Shape::Any, "a body in JSON"),
    Field::optional("form", Shape::MapOf(&Shape::Text), "a body as a form"),
    Field::optional("text", Shape::Text, "a body as it is"),
    Field::optional("after", DELAY, "how long after the answer"),
];
