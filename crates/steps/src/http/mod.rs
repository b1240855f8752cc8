//! `http: POST gateway/orders`: one request, from the test through its own seam to a component.
//!
//! ```text
//! read ──▶ HttpAction ──▶ address, headers, content worked out ──▶ link ──▶ answer ──▶ result
//!                                        ▲                                   │
//!                                        └───────────── follow ──────────────┘
//! ```

mod address;
mod answer;
mod content;
mod link;
mod link2;
mod read;
mod send;

pub(crate) use address::{Address, Place};
pub(crate) use content::pairs;
pub(crate) use link::{Broken, Links, broken};

use crate::action::{Action, StepContext, Target, Trouble, Unsaid};
use crate::actor::{basic_of, bearer_of};
use crate::input::{Input, Inputs};
use crate::kind::{Kind, Reading};
use futures_util::future::BoxFuture;
use seam_expr::{NameUse, Names};
use seam_model::{Field, Shape, Step, Word};
use seam_value::Value;
use std::path::PathBuf;

/// The kind.
pub(crate) struct HttpStep;

static WORD: Word = Word {
    text: "Sends one request and reads the whole answer. What stands right of `http` is the method and the address: a \
           component, or its endpoint after a dot, and a path. A variable in the path or behind the `?` is encoded, so \
           that it stays one segment whatever is in it; a variable alone is a whole address, whose host must be a \
           component's; `path:` takes a path as it is. The method may be a variable.\n\n\
           Cookies are kept for each actor as a browser keeps them, and sent back where they belong. Redirects are not \
           followed unless `follow` says so. At most one of `json`, `form`, `multipart`, `text`, `xml` and `body_file` is \
           sent.\n\n\
           A status of 400 and above fails the step unless it expects something at `status`; a refused or reset \
           connection and a timeout fail it unless it expects something at `error`.",
    subject: Shape::Text,
    fields: &[
        Field::optional(
            "path",
            Shape::Text,
            "the path as it is, for one that a component gave: `path: $location`",
        ),
        Field::optional(
            "query",
            Shape::MapOf(&Shape::Any),
            "what stands behind the `?`; a list repeats its key, null leaves it out",
        ),
        Field::optional("headers", Shape::MapOf(&Shape::Any), "headers by name; null takes a default away"),
        Field::optional(
            "cookies",
            Shape::MapOf(&Shape::Any),
            "cookies for this request, besides those of the actor",
        ),
        Field::optional("json", Shape::Any, "a body in JSON"),
        Field::optional(
            "form",
            Shape::MapOf(&Shape::Any),
            "a body as a form sends it; a list repeats its key",
        ),
        Field::optional(
            "multipart",
            Shape::MapOf(&Shape::Any),
            "a form in parts: texts, `{ file: path }`, `{ text: …, type: … }`, `{ json: … }`, or lists of these",
        ),
        Field::optional("text", Shape::Text, "a body as it is, `text/plain`"),
        Field::optional("xml", Shape::Text, "a body as it is, `application/xml`"),
        Field::optional("body_file", Shape::Text, "a file as body, its type by its name"),
        Field::optional("bearer", Shape::Text, "a token: `Authorization: Bearer …`"),
        Field::optional(
            "basic",
            Shape::Fields(&[
                Field::required("user", Shape::Text, "the name"),
                Field::required("password", Shape::Text, "the password"),
            ]),
            "a name and a password: `Authorization: Basic …`",
        ),
        Field::optional(
            "follow",
            Shape::Either(&[Shape::Boolean, Shape::Integer]),
            "follows redirects: `true` (all; more than 10 fail), or how many",
        ),
        Field::optional(
            "version",
            Shape::Number,
            "`2` asks over HTTP/2, which the component must speak; HTTP/1.1 where nothing is said",
        ),
    ],
    results: &[
        Field::optional("status", Shape::Integer, "the status; null where there was no answer"),
        Field::optional(
            "headers",
            Shape::MapOf(&Shape::Text),
            "headers by name, in small letters; one sent twice is joined by `, `, `set-cookie` is a list",
        ),
        Field::optional(
            "cookies",
            Shape::MapOf(&Shape::Text),
            "the actor's cookies for that host after the answer, by name",
        ),
        Field::optional(
            "body",
            Shape::Any,
            "the body: JSON and forms decoded, other text as text, bytes as `{ base64: … }`",
        ),
        Field::optional("text", Shape::Text, "the body undecoded; null where it is no text"),
        Field::optional(
            "trailers",
            Shape::MapOf(&Shape::Any),
            "what was sent after the body, as headers are",
        ),
        Field::optional("elapsed", Shape::Text, "how long it took, like `12.3ms`"),
        Field::optional(
            "url",
            Shape::Text,
            "the address that answered, the last one where redirects were followed",
        ),
        Field::optional(
            "error",
            Shape::OneOf(&["timeout", "refused", "reset", "closed", "malformed"]),
            "why there was no answer, or not all of it; else null",
        ),
    ],
    example: "\
- name: Ann orders
  http: POST gateway/orders
  bearer: $token
  json: { isbn: \"978-0\", quantity: 1 }
  expect:
    status: 201
    body.total: 39.90
    headers.content-type: { starts_with: application/json }
  save: { order: body.id }
- http: GET gateway/orders/$order
  query: { lines: true }
  expect: { body.id: $order }
",
    ..Word::new("http", "sends one HTTP request to a component")
};

/// The longest chain of redirects that `follow: true` goes along.
const MOST_REDIRECTS: u64 = 10;

/// A request that has been read.
struct HttpAction {
    method: Method,
    address: Address,
    path: Option<Input>,
    query: Option<Input>,
    /// Those of the file's defaults first; later ones replace earlier ones.
    headers: Vec<Headers>,
    cookies: Vec<Input>,
    content: ContentInput,
    authorization: Option<Authorization>,
    follow: Follow,
    version: Version,
    /// The folder of the test's file.
    folder: PathBuf,
}

enum Method {
    Fixed(http::Method),
    Variable(crate::input::Part),
}

/// Which redirects are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// So many; a further one is the result.
    Some(u64),
    /// All; more than [`MOST_REDIRECTS`] are a circle.
    All,
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

enum Headers {
    Named(Inputs),
    Variable(Input),
}

enum ContentInput {
    Nothing,
    Json(Input),
    Form(Input),
    Multipart(Input),
    Text(Input),
    Xml(Input),
    File(Input),
}

/// What stands in the header `authorization`.
enum Authorization {
    Bearer(Input),
    Basic(Input),
}

impl Kind for HttpStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        read::read(step, reading).map(|action| Box::new(action) as Box<dyn Action>)
    }
}

impl Action for HttpAction {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        if let Method::Variable(variable) = &self.method {
            variable.uses(&mut uses);
        }
        self.address.uses(&mut uses);
        let authorization = self.authorization.as_ref().map(Authorization::input);
        let inputs = self
            .path
            .iter()
            .chain(&self.query)
            .chain(&self.cookies)
            .chain(self.content.input())
            .chain(authorization);
        for input in inputs {
            input.uses(&mut uses);
        }
        for headers in &self.headers {
            match headers {
                Headers::Named(inputs) => inputs.uses(&mut uses),
                Headers::Variable(input) => input.uses(&mut uses),
            }
        }
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.address.target()]
    }

    fn only_reads(&self) -> bool {
        match &self.method {
            Method::Fixed(method) => method.is_safe(),
            Method::Variable(_) => false,
        }
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        answer::unsaid(result, self.version)
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(send::send(self, cx))
    }
}

impl ContentInput {
    fn input(&self) -> Option<&Input> {
        match self {
            Self::Nothing => None,
            Self::Json(input)
            | Self::Form(input)
            | Self::Multipart(input)
            | Self::Text(input)
            | Self::Xml(input)
            | Self::File(input) => Some(input),
        }
    }
}

impl Authorization {
    fn input(&self) -> &Input {
        match self {
            Self::Bearer(input) | Self::Basic(input) => input,
        }
    }

    /// The header's value now.
    fn value(&self, names: &dyn Names) -> Result<String, Trouble> {
        Ok(match self {
            Self::Bearer(token) => bearer_of(&token.value(names)?),
            Self::Basic(pair) => basic_of(&pair.value(names)?),
        })
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod two;
#[cfg(test)]
mod unusual;
