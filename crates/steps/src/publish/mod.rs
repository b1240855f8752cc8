//! `publish: bus`: one message to a broker, over the test's own seam; the connection stays the actor's.

mod line;

pub(crate) use line::Line;

use crate::action::{Action, StepContext, Target, Trouble, Unsaid};
use crate::answered::{shown, unsaid_refusal, words};
use crate::input::{Input, Inputs};
use crate::kind::{Kind, Reading};
use crate::login::{Login, login};
use crate::message::{CONTENTS, Content};
use crate::subject::{self, Subject};
use futures_util::future::BoxFuture;
use line::{Halt, trouble};
use seam_diag::Diagnostic;
use seam_event::InteractionError;
use seam_expr::NameUse;
use seam_model::{Field, Fields, Shape, Step, Word};
use seam_value::{Map, Value};
use seam_wire::{Came, PROTOCOLS, Protocol, Publication, SignIn, Unanswerable, protocol};
use std::hash::{BuildHasher as _, RandomState};
use tokio::time::{Instant, timeout_at};

/// The kind.
pub(crate) struct PublishStep;

/// What an answer has.
const ANSWER: &[Field] = &[
    Field::optional("topic", Shape::Text, "where it was published"),
    Field::optional("status", Shape::Integer, "NATS: the server's own status; mostly null"),
    Field::optional("headers", Shape::MapOf(&Shape::Any), "its headers"),
    Field::optional("properties", Shape::MapOf(&Shape::Any), "MQTT and AMQP: its other properties"),
    Field::optional("body", Shape::Any, "what it says, decoded where it is JSON"),
    Field::optional("text", Shape::Text, "the same as sent; null where it is no text"),
];

static WORD: Word = Word {
    text: "Publishes one message, in the protocol of the component or of its endpoint after a dot, and waits until the \
           broker has taken it: NATS has read it, MQTT has acknowledged it (with `qos: 0` it has read it), RabbitMQ has confirmed it, Kafka has stored it. The payload is said as it is: a broker knows no type of it; where none is said it is empty, and Kafka's is null, which deletes its key where the topic is compacted. Fields that the \
           protocol does not have are mistakes.\n\n\
           With `receive` the step waits for so many answers, which whoever gets the message publishes to where `reply_to` \
           says; the test listens there, and where nothing is written that is an inbox of its own.\n\n\
           At RabbitMQ `declare` makes queues, exchanges and what leads from one to the other before; without a `topic` nothing \
           else is done.\n\n\
           The actor keeps its connection. User and password are those of the component's address; to Kafka they are said by \
           SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN, the first of these that the broker lets in by. A message that the \
           broker does not take, or one that is not answered in time, fails the step unless it expects something at `error`.",
    subject: Shape::Component,
    fields: &[
        Field::optional(
            "topic",
            Shape::Text,
            "where to: the subject of NATS, the topic of MQTT, the routing key of AMQP, the topic of Kafka; needed \
             unless there is only something to `declare`",
        ),
        CONTENTS[0],
        CONTENTS[1],
        CONTENTS[2],
        Field::optional(
            "headers",
            Shape::MapOf(&Shape::Any),
            "headers by name; of MQTT 5 the properties of one's own",
        ),
        Field::optional(
            "properties",
            Shape::MapOf(&Shape::Any),
            "other properties, by the names that an interaction has: MQTT 5 `content_type`, `message_expiry`, \
             AMQP `content_type`, `delivery_mode`, `correlation_id` …",
        ),
        Field::optional(
            "exchange",
            Shape::Text,
            "AMQP: the exchange; the one that leads to queues by name where none is said",
        ),
        Field::optional("mandatory", Shape::Boolean, "AMQP: is it an error where it reaches no queue"),
        Field::optional(
            "declare",
            Shape::List(&Shape::Any),
            "AMQP: what is declared before, each by the fields that an interaction has: \
             `{ method: queue.declare, queue: orders, durable: true }`, `exchange.declare`, `queue.bind` …",
        ),
        Field::optional("key", Shape::Any, "Kafka: the key"),
        Field::optional(
            "partition",
            Shape::Integer,
            "Kafka: the partition; that of the key where none is said, or the first",
        ),
        Field::optional("qos", Shape::Integer, "MQTT: 0, 1 or 2; 1 where nothing is said"),
        Field::optional("retain", Shape::Boolean, "MQTT: is it kept for those who subscribe later"),
        Field::optional(
            "version",
            Shape::Either(&[Shape::Integer, Shape::Text]),
            "MQTT: `5`, `3.1.1` or `3.1`; 5 where nothing is said",
        ),
        Field::optional("reply_to", Shape::Text, "where an answer is to be published"),
        Field::optional("receive", Shape::Integer, "how many answers are waited for; else none"),
    ],
    results: &[
        Field::optional("messages", Shape::List(&Shape::Fields(ANSWER)), "the answers, in order"),
        Field::optional("partition", Shape::Integer, "Kafka: in which partition it is"),
        Field::optional("offset", Shape::Integer, "Kafka: where in it"),
        Field::optional("elapsed", Shape::Text, "how long it took, like `12.3ms`"),
        Field::optional(
            "error",
            Shape::Fields(&[
                Field::optional(
                    "code",
                    Shape::Any,
                    "the broker's code, where it has one: NATS' 503 where nobody answers, MQTT's 135, \
                     AMQP's 404, 312 for what reached no queue; or `refused`, `reset`, \
                     `closed`, `timeout`, `malformed`",
                ),
                Field::optional("message", Shape::Text, "what the broker says"),
            ]),
            "why it was not taken, or not answered; null where it was",
        ),
    ],
    example: "\
- publish: bus
  topic: orders.new
  json: { id: 7, state: new }
- publish: bus
  topic: orders.get
  json: { id: 7 }
  receive: 1
  expect: { messages.0.body.state: new }
",
    ..Word::new("publish", "publishes a message to a broker")
};

/// The fields that protocols have for what is published.
fn of_publications() -> impl Iterator<Item = &'static Field> {
    let is_one =
        |field: &&Field| PROTOCOLS.iter().any(|protocol| protocol.published_fields().contains(&field.name));
    WORD.fields.iter().filter(is_one)
}

/// How often one may be sent on to another broker.
const MOST_BROKERS: usize = 3;

/// How many ways there are to sign in, each of which takes a connection.
const MOST_WAYS_IN: usize = 4;

struct Publish {
    subject: Subject,
    protocol: &'static dyn Protocol,
    /// None where something is only declared.
    topic: Option<Input>,
    content: Content,
    maps: Vec<(&'static str, Inputs)>,
    single: Vec<(&'static str, Input)>,
    n_answers: usize,
}

impl Kind for PublishStep {
    fn word(&self) -> &'static Word {
        &WORD
    }

    fn read(&self, step: &Step, reading: &mut Reading<'_>) -> Option<Box<dyn Action>> {
        let mut fields = Fields::over(&step.inputs, step.span, "the `publish` step");
        let is_there = |name: &str| step.inputs.iter().any(|entry| entry.key.value == name);
        // Whatever says how something is published wants it to be published.
        let is_of_one = |name: &str| name != "declare" && is_there(name);
        let only_declares = is_there("declare")
            && !is_there("receive")
            && !CONTENTS.iter().chain(of_publications()).any(|field| is_of_one(field.name));
        let topic = if only_declares {
            fields.take("topic").map(Some).or(Some(None))
        } else {
            fields.require("topic", reading.found).map(Some)
        };
        let content = Content::read(&mut fields, reading);
        let n_answers = fields.integer("receive", reading.found).unwrap_or_default();
        let brokers: Vec<&str> = PROTOCOLS
            .iter()
            .filter(|protocol| !protocol.published_fields().is_empty())
            .map(|protocol| protocol.name())
            .collect();
        let subject = subject::text(&step.subject, "bus", reading)
            .and_then(|text| subject::speaking_one_of(&brokers, text, step.subject.span, reading));
        let spoken = subject
            .as_ref()
            .and_then(|subject| reading.system.protocol(&subject.component, &subject.endpoint))
            .and_then(protocol);
        let (mut maps, mut single) = (Vec::new(), Vec::new());
        for Field { name, shape, .. } in of_publications() {
            let Some(entry) = step.inputs.iter().find(|entry| entry.key.value == *name) else { continue };
            if let Some(protocol) = spoken.filter(|protocol| !protocol.published_fields().contains(name)) {
                let title = format!("{} has no `{name}`", protocol.name());
                reading.found.push(Diagnostic::error(title).at(entry.key.span, ""));
            }
            if matches!(shape, Shape::MapOf(_)) {
                let entries = fields.map(name, reading.found);
                maps.push((*name, Inputs::read(entries, reading.found)));
            } else if let Some(node) = fields.take(name) {
                single.push((*name, Input::read(node, reading.found)));
            }
        }
        fields.finish(reading.found);
        let topic = topic?.map(|node| Input::read(node, reading.found));
        let n_answers = usize::try_from(n_answers).ok()?;
        Some(Box::new(Publish {
            subject: subject?,
            protocol: spoken?,
            topic,
            content,
            maps,
            single,
            n_answers,
        }))
    }
}

impl Action for Publish {
    fn uses(&self) -> Vec<NameUse> {
        let mut uses = Vec::new();
        self.topic.iter().for_each(|topic| topic.uses(&mut uses));
        self.content.uses(&mut uses);
        self.maps.iter().for_each(|(_, inputs)| inputs.uses(&mut uses));
        self.single.iter().for_each(|(_, input)| input.uses(&mut uses));
        uses
    }

    fn targets(&self) -> Vec<Target> {
        vec![self.subject.target()]
    }

    fn unsaid(&self, result: &Value) -> Vec<Unsaid> {
        unsaid_refusal(result, &[])
    }

    fn run<'a>(&'a self, cx: &'a StepContext<'a>) -> BoxFuture<'a, Result<Value, Trouble>> {
        Box::pin(async move {
            let began = Instant::now();
            let publication = self.publication(cx)?;
            let (told, error) = self.ask(&publication, cx).await?;
            let error = error.map_or(Value::Null, |(code, message)| {
                Value::map([("code", code), ("message", Value::Text(message))])
            });
            let mut result = Map::from_iter([("messages".to_owned(), Value::List(Vec::new()))]);
            result.extend(told);
            result.insert("elapsed".to_owned(), Value::Text(shown(began.elapsed())));
            result.insert("error".to_owned(), error);
            Ok(Value::Map(result))
        })
    }
}

/// A code and words.
type Error = (Value, String);

impl Publish {
    fn publication(&self, cx: &StepContext<'_>) -> Result<Publication, Trouble> {
        let mut fields = Map::default();
        for (name, inputs) in &self.maps {
            fields.insert((*name).to_owned(), Value::Map(inputs.values(cx.names)?));
        }
        for (name, input) in &self.single {
            fields.insert((*name).to_owned(), input.value(cx.names)?);
        }
        let body = self.content.said(cx.names)?.map(crate::message::Said::into_bytes);
        let topic = self.topic.as_ref().map(|topic| topic.text(cx.names)).transpose()?.unwrap_or_default();
        Ok(Publication { topic, fields, body, n_answers: self.n_answers })
    }

    /// Publishes on the actor's connection, which is opened where there is none: what the broker told, and why it has not
    /// taken it.
    async fn ask(
        &self,
        publication: &Publication,
        cx: &StepContext<'_>,
    ) -> Result<(Map, Option<Error>), Trouble> {
        let version = publication.fields.get("version").filter(|version| **version != Value::Null);
        let version = version.map(Value::to_plain_text);
        // Each version is spoken on a connection of its own.
        let name = format!("{} {}", self.subject.name(), version.as_deref().unwrap_or_default());
        let free = cx.actor.brokers.take(&name).filter(Line::is_fresh);
        let login = login(&self.subject, cx)?;
        let mut line = if let Some(line) = free {
            line
        } else {
            match timeout_at(cx.deadline, self.open(login.clone(), None, version)).await {
                Ok(Ok((line, Came::Open))) => line,
                Ok(came) => return Ok((Map::default(), Some(refused(came.map(|(_, came)| came))?))),
                Err(_) => return Ok((Map::default(), Some(timed_out()))),
            }
        };
        let came = timeout_at(cx.deadline, self.publish(&mut line, publication, login)).await;
        let told = line.told();
        let error = match came {
            Ok(Ok(Came::Done)) => {
                cx.actor.brokers.put(name, line);
                None
            }
            Ok(came) => Some(refused(came)?),
            Err(_) => Some(line.put_off().unwrap_or_else(timed_out)),
        };
        Ok((told, error))
    }

    /// Declares, publishes, and goes to where another broker is in charge.
    async fn publish(&self, line: &mut Line, publication: &Publication, login: Login) -> Result<Came, Halt> {
        let calls = publication.fields.get("declare");
        let is_nothing = calls.is_none_or(|calls| match calls {
            Value::List(calls) => calls.is_empty(),
            other => *other == Value::Null,
        });
        if is_nothing && self.topic.is_none() {
            let reason = "there is nothing to declare, and without a `topic` nothing is published";
            return Err(Halt::from(Unanswerable::new(reason)));
        }
        match calls {
            None | Some(Value::Null) => {}
            Some(Value::List(calls)) => match line.declare(calls).await? {
                Came::Done => {}
                came => return Ok(came),
            },
            Some(other) => {
                return Err(Halt::from(Unanswerable::new(format!("declare is a list, not {other}"))));
            }
        }
        if self.topic.is_none() {
            return Ok(Came::Done);
        }
        let mut came = line.publish(publication).await?;
        for _ in 0..MOST_BROKERS {
            let Came::Elsewhere(address) = came else { break };
            let found = tokio::net::lookup_host(&address).await?.next();
            let socket = found.unwrap_or(login.socket);
            let login = Login { socket, ..login.clone() };
            let (other, opened) = self.open(login, Some(address), None).await?;
            if opened != Came::Open {
                return Ok(opened);
            }
            *line = other;
            came = line.publish(publication).await?;
        }
        Ok(came)
    }

    /// Dials and signs in; `at` is how the broker is called by who sent here.
    async fn open(
        &self,
        login: Login,
        at: Option<String>,
        version: Option<String>,
    ) -> Result<(Line, Came), Halt> {
        let Login { socket, user, password, database: place } = login;
        let at = at.unwrap_or_else(|| socket.to_string());
        let mut sign_in = SignIn { user, password, place, version, at, ..SignIn::default() };
        for _ in 0..MOST_WAYS_IN {
            // Nobody else has this name, which some brokers ask for.
            sign_in.name = format!("seam-{:016x}", RandomState::new().hash_one(0_u8));
            let mut line = Line::dial(socket, self.protocol, sign_in.clone()).await?;
            match line.sign_in().await? {
                Came::SignInBy(mechanism) => sign_in.mechanism = Some(mechanism),
                came => return Ok((line, came)),
            }
        }
        Err(Halt::Lost(InteractionError::Closed))
    }
}

fn refused(came: Result<Came, Halt>) -> Result<Error, Trouble> {
    match came {
        Ok(Came::Refused { code, message }) => Ok((code, message)),
        Ok(other) => Err(Trouble::errored(format!("the broker came to {other:?}, which nobody asked for"))),
        Err(halt) => trouble(halt).map(|(code, message)| (Value::text(code), message)),
    }
}

fn timed_out() -> Error {
    let why = InteractionError::Timeout;
    (Value::text(why.name()), words(why).to_owned())
}

#[cfg(test)]
mod tests;
